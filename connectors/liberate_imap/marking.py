"""Changing flags and keywords of messages that are already there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from liberate.connector import Change, Outcome, Place
from liberate.errors import ItemError
from liberate.mail import SYSTEM_FLAGS, MailFacts
from liberate_imap import fetch, refusals
from liberate_imap.append import Writer
from liberate_imap.grammar import uid_set
from liberate_imap.readback import split
from liberate_imap.session import Session

_TOGETHER = 500


class Marker:
    """Applies changes in the folders of one session."""

    def __init__(self, session: Session, writer: Writer) -> None:
        self._session = session
        self._writer = writer

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """As Updates.update says."""
        gathered: list[Change] = []
        for change in changes:
            gathered.append(change)
            if len(gathered) >= _TOGETHER:
                yield from self._apply(gathered)
                gathered = []
        yield from self._apply(gathered)

    def _apply(self, changes: list[Change]) -> Iterator[Outcome]:
        places: defaultdict[Place, list[Change]] = defaultdict(list)
        for change in changes:
            places[change.receipt.place].append(change)
        for place, group in places.items():
            yield from self._apply_in(place, group)

    def _apply_in(self, place: Place, changes: list[Change]) -> Iterator[Outcome]:
        session = self._session
        folder = self._writer.folder(place)
        selected = session.select_if_there(place)
        validity = selected.uidvalidity if selected else None
        there: set[int] = set()
        uids = [split(change.receipt)[1] for change in changes if split(change.receipt)[0] == validity]
        if uids:
            there = fetch.exists(session, uids)
        stores: defaultdict[tuple[bytes, str], set[int]] = defaultdict(set)
        for change in changes:
            given, uid = split(change.receipt)
            if given != validity or uid not in there:
                continue
            before = self._writer.tokens(folder, _facts(change.before))
            after = self._writer.tokens(folder, _facts(change.slot.item.facts))
            for token in after - before:
                stores[b"+", token].add(uid)
            for token in before - after:
                stores[b"-", token].add(uid)
        refused = self._store(stores)
        for change in changes:
            given, uid = split(change.receipt)
            stays = given == validity and uid in there
            yield change.slot, refused.get(uid, change.receipt) if stays else refusals.gone()

    def _store(self, stores: dict[tuple[bytes, str], set[int]]) -> dict[int, ItemError]:
        """Set and take away each flag where it is to be, all behind one another; what the server would not, by UID."""
        wire = self._session.wire
        begun = [
            wire.begin(
                b"UID STORE " + uid_set(sorted(uids)) + b" " + sign + b"FLAGS.SILENT (" + token.encode("ascii") + b")"
            )
            for (sign, token), uids in sorted(stores.items())
        ]
        refused: dict[int, ItemError] = {}
        for ((_, token), uids), command in zip(sorted(stores.items()), begun, strict=True):
            answer = wire.wait(command)
            if answer.ok:
                continue
            whose = self._session.whose
            error = refusals.general(answer, whose)
            if error is not None:
                raise error
            if token not in SYSTEM_FLAGS:
                self._writer.lost_keywords.add(token)
            refused |= dict.fromkeys(uids, refusals.of_flags(answer, whose))
        return refused


def _facts(facts: object) -> MailFacts:
    return facts if isinstance(facts, MailFacts) else MailFacts()
