"""Further places for messages that are already there: the server copies, no byte is sent again."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from liberate.connector import Evidence, Outcome, Place, Receipt, Slot
from liberate.errors import ItemError, LiberateError, TransientError
from liberate_imap import fetch, names, refusals
from liberate_imap.grammar import GrammarError, Reply, uid_set, uids_of
from liberate_imap.readback import split
from liberate_imap.session import Session
from liberate_imap.wire import Command

_TOGETHER = 1000  # parts taken before anything is sent
_ONE_COMMAND = 200  # UIDs copied with one command

Locate = Callable[[Place, int, list[Slot]], dict[str, Receipt]]


@dataclass(slots=True)
class _Copy:
    """One UID COPY: slots by the UID that each copies."""

    source: Place
    target: Place
    slots: dict[int, Slot]
    command: Command | None = None


class Copier:
    """Copies within one session."""

    def __init__(self, session: Session, locate: Locate) -> None:
        self._session = session
        self._locate = locate
        self._uidplus = session.tells_uids

    def copy_many(self, parts: Iterable[tuple[Slot, Receipt]]) -> Iterator[Outcome]:
        """As Copies.copy_many says."""
        gathered: list[tuple[Slot, Receipt]] = []
        for part in parts:
            gathered.append(part)
            if len(gathered) >= _TOGETHER:
                yield from self._copy(gathered)
                gathered = []
        yield from self._copy(gathered)

    def _copy(self, parts: list[tuple[Slot, Receipt]]) -> Iterator[Outcome]:
        sources: defaultdict[Place, list[tuple[Slot, Receipt]]] = defaultdict(list)
        for slot, receipt in parts:
            sources[receipt.place].append((slot, receipt))
        copied: defaultdict[Place, list[tuple[Slot, int, int]]] = defaultdict(list)
        stop: LiberateError | None = None
        for source, group in sources.items():
            selected = self._session.select_if_there(source)
            validity = selected.uidvalidity if selected else None
            there = [(slot, split(receipt)[1]) for slot, receipt in group if split(receipt)[0] == validity]
            for slot, receipt in group:
                if split(receipt)[0] != validity:
                    yield slot, refusals.gone()
            for outcome in self._copy_from(source, there):
                if isinstance(outcome, LiberateError):
                    stop = outcome
                    break
                slot, result = outcome
                if isinstance(result, (ItemError, Receipt)):
                    yield slot, result
                else:
                    copied[slot.place].append((slot, *result))
            if stop is not None:
                break
        yield from self._sized(copied)
        if stop is not None:
            raise stop

    def _copy_from(
        self, source: Place, parts: list[tuple[Slot, int]]
    ) -> Iterator[tuple[Slot, tuple[int, int] | Receipt | ItemError] | LiberateError]:
        """For each part its UIDVALIDITY and UID, its receipt or its refusal; an error ends it."""
        copies = _copies(source, parts)
        if self._uidplus:
            for copy in copies:
                self._begin(copy)
        while copies:
            copy = copies.pop(0)
            before = None
            command = copy.command
            if command is None:
                if not self._uidplus:
                    before = self._uidnext(copy.target)
                    self._session.reselect(source)
                command = self._begin(copy)
            answer = self._session.wire.wait(command)
            if not answer.ok:
                if answer.code in ("TRYCREATE", "NONEXISTENT"):
                    yield refusals.no_folder(self._session.whose, copy.target)
                    return
                if len(copy.slots) > 1:  # nothing of it was copied (RFC 3501 6.4.7): each by itself
                    copies.extend(_Copy(source, copy.target, {uid: slot}) for uid, slot in copy.slots.items())
                    continue
                whose = self._session.whose
                error = refusals.general(answer, whose)
                if error is not None:
                    yield error
                    return
                yield next(iter(copy.slots.values())), refusals.of_message(answer, whose)
                continue
            if before is not None:
                yield from self._located(copy, before)
                self._session.reselect(source)
                continue
            yield from self._paired(copy, answer)

    def _begin(self, copy: _Copy) -> Command:
        line = b"UID COPY " + uid_set(sorted(copy.slots)) + b" " + names.quoted(copy.target)
        copy.command = self._session.wire.begin(line)
        return copy.command

    def _paired(self, copy: _Copy, answer: Reply) -> Iterator[tuple[Slot, tuple[int, int] | ItemError]]:
        """What COPYUID (RFC 4315 3) says: the n-th UID of the one set became the n-th of the other.

        Raises TransientError if it does not say what became of messages that are there: they may have been copied.
        """
        became: dict[int, int] = {}
        validity = 0
        if answer.code == "COPYUID":
            words = answer.argument.split()
            with contextlib.suppress(GrammarError, ValueError, IndexError):
                validity, became = int(words[0]), dict(zip(uids_of(words[1]), uids_of(words[2]), strict=True))
        if not became:
            self._session.reselect(copy.source)
            if fetch.exists(self._session, sorted(copy.slots)):
                self._session.distrust("UIDPLUS")
                raise TransientError(f"{self._session.whose} does not say where in {copy.target} it put messages.")
        for uid, slot in sorted(copy.slots.items()):
            # COPY passes over what is not there without a word.
            yield slot, (validity, became[uid]) if uid in became else refusals.gone()

    def _uidnext(self, place: Place) -> int:
        status = self._session.status(place, "UIDNEXT")
        if status is None or status.uidnext is None:
            raise TransientError(f"{self._session.whose} does not say where the folder {place} ends.")
        return status.uidnext

    def _located(self, copy: _Copy, before: int) -> Iterator[tuple[Slot, Receipt | ItemError]]:
        slots = [slot for _, slot in sorted(copy.slots.items())]
        found = self._locate(copy.target, before, slots)
        for slot in slots:
            yield slot, found.get(slot.key) or refusals.gone()

    def _sized(self, copied: dict[Place, list[tuple[Slot, int, int]]]) -> Iterator[Outcome]:
        """The receipts, with the sizes that the server reports: one question a folder, all behind one another."""
        asked: list[tuple[list[tuple[Slot, int, int]], Command]] = []
        for place, group in copied.items():
            self._session.reselect(place)
            asked.append((group, fetch.begin_sizes(self._session, sorted(uid for _, _, uid in group))))
        for group, command in asked:
            self._session.wire.wait(command)
            sizes = fetch.sizes(command)
            uids = [uid for _, _, uid in group]
            if any(uid not in sizes for uid in uids):
                sizes = fetch.sizes_of(self._session, group[0][0].place, sorted(uids))
            for slot, validity, uid in group:
                size = sizes.get(uid)
                evidence = Evidence.NONE if size is None else Evidence.SIZE
                yield slot, Receipt(f"{validity}:{uid}", slot.place, size, evidence=evidence)


def _copies(source: Place, parts: list[tuple[Slot, int]]) -> list[_Copy]:
    """The parts as commands: a UID stands once in each, because a set holds it once."""
    copies: list[_Copy] = []
    filling: dict[Place, list[_Copy]] = {}
    for slot, uid in parts:
        candidates = filling.setdefault(slot.place, [])
        copy = next((c for c in candidates if uid not in c.slots and len(c.slots) < _ONE_COMMAND), None)
        if copy is None:
            copy = _Copy(source, slot.place, {})
            candidates.append(copy)
            copies.append(copy)
        copy.slots[uid] = slot
        if len(copy.slots) >= _ONE_COMMAND:
            candidates.remove(copy)
    return copies
