"""One slice carried out: list -> intend -> write -> record, and after a crash: ask, then go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from liberate.body import SpooledMail, StreamBody, checked, refusal, whole
from liberate.connector import (
    Change,
    Copies,
    Destination,
    Evidence,
    Gone,
    Item,
    Kind,
    Loaded,
    Marked,
    Outcome,
    Place,
    ReadsMany,
    Receipt,
    Renumbered,
    Skipped,
    Slot,
    Source,
    Updates,
    WritesMany,
)
from liberate.errors import IntegrityError, ItemError, LiberateError
from liberate.events import Moved, Observer, Refused, ignore
from liberate.item_names import name_items
from liberate.labels import LeftOut, MailPolicy, Placement, place
from liberate.ledger import Ledger
from liberate.ledger_rows import DONE, PAGE, WITHOUT_ORIGINAL, Claim, Refusal, Row, State, Written, key_of
from liberate.mail import Folder, MailFacts, Role, Sameness, fingerprint, wire_form
from liberate.places import Places
from liberate.proof import MISSING, found_in, proven, read_back
from liberate.rejects import Rejects

SLICE_SECONDS = 15 * 60.0
SLICE_BYTES = 500_000_000
LISTED_TOGETHER = 1000  # items described at once: what a slice holds in memory, besides its bodies
FLUSH_ITEMS = 100
FLUSH_SECONDS = 2.0
SMALL = 1 << 20  # a body up to this size is held in memory where the destination has no batches


@dataclass(frozen=True, slots=True)
class Terms:
    """How a route wants its items moved."""

    mail: MailPolicy = field(default_factory=MailPolicy)
    evidence: Evidence = Evidence.SIZE  # or READ_BACK: each item is read back before the next chunk is listed


_TO_SEND = (State.LISTED, State.INTENDED)


class Ends(Protocol):
    """Both ends of an account, opened by the worker that uses them; the destination only when it is needed."""

    @property
    def source(self) -> Source: ...
    @property
    def destination(self) -> Destination: ...
    @property
    def places(self) -> Places: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What a slice's worker has at hand."""

    ledger: Ledger
    account: str  # the account's name at the source: for keys, events and rejects/
    terms: Terms
    scratch: Path  # a folder for bodies too large for memory
    rejects: Rejects
    observer: Observer = ignore
    stop: Callable[[], bool] = lambda: False
    monotonic: Callable[[], float] = time.monotonic
    step: Callable[[str], None] = lambda _what: None
    seconds: float = SLICE_SECONDS
    bytes: int = SLICE_BYTES


class SliceRun:
    """One worker's turn at one slice."""

    def __init__(self, desk: Desk, ends: Ends, claim: Claim) -> None:
        self._desk = desk
        self._ends = ends
        self._claim = claim
        self._ledger = desk.ledger
        self._began = desk.monotonic()
        self._bytes = 0
        self._marks: dict[int, str | None] = {}
        self._placements: dict[tuple[frozenset[str] | tuple[Folder, ...], ...], Placement | LeftOut] = {}
        self._inflight: dict[str, tuple[Row, bytes | None]] = {}
        self._done: list[Written] = []
        self._refused: list[Refusal] = []
        self._suspects: list[tuple[Row, Receipt, bytes | None]] = []
        self._flushed = desk.monotonic()
        self._broken: LiberateError | None = None
        self._cut = False
        role = claim.collection.role
        self._folder = Folder(
            claim.collection.path, Role(role) if role and claim.collection.kind is Kind.MAIL else None
        )
        self.relisted = False  # rows came, went or got other labels
        self.progressed = False  # something was recorded: a failure after that is a new failure

    def run(self, *, listing: bool = True) -> bool:
        """Carry the slice on; True if nothing of it is left to do, False if its turn ended first.

        Without `listing`, only what earlier turns listed is finished. Raises what the connectors raise;
        whatever was recorded stays recorded.
        """
        self._recover()
        self._resume()
        if not self._cut:
            self._update()
        if listing and not self._cut:
            self._list()
        return not self._cut

    # What an earlier attempt left ----------------------------------------------------------------

    def _recover(self) -> None:
        """Ask the destination about every row that was about to be sent, then send what is not there."""
        after = 0
        while True:
            rows, after = self._ledger.unfinished(self._claim, State.INTENDED, after)
            if not rows:
                return
            missing = []
            slots = [self._slot(row) for row in rows]
            self._desk.step("before find")
            found = self._ends.destination.find(slots, self._taken)
            self._desk.step("after find")
            for row in rows:
                receipt = found.get(row.key)
                # Without digests nothing says that what is there is whole: a stream is sent again, to the same name.
                if receipt is not None and row.digests:
                    self._judge(row, receipt, None)
                else:
                    missing.append(row)
            self._flush()
            self._settle_suspects()
            self._send(missing)
            if self._stopping():
                return

    def _resume(self) -> None:
        """Send what was listed in an earlier turn, and what the plan left behind then and takes along now."""
        after = 0
        while not self._stopping():
            left, after = self._ledger.left_behind(self._claim, after)
            if not left:
                break
            rows: list[Row] = []
            again: list[Row] = []
            for row in left:
                if not isinstance(self._placement(row.item), LeftOut):
                    self._reconsider(row.key, row.item, rows, again)
            if again:
                self._ledger.listed(self._claim, rows, again=again)
                self.relisted = True
        after = 0
        while not self._stopping():
            rows, after = self._ledger.unfinished(self._claim, State.LISTED, after)
            if not rows:
                break
            self._send(self._placed(rows))
        while self._desk.terms.evidence is Evidence.READ_BACK and not self._stopping():
            rows = self._ledger.unproven(self._claim)
            if not self._prove(rows):
                break

    def _placed(self, rows: Sequence[Row]) -> list[Row]:
        """The rows, those among them tried again that found no place when they were listed."""
        out: list[Row] = []
        again: list[Row] = []
        for row in rows:
            if row.place_id is not None:
                out.append(row)
            elif row.part == "":
                self._reconsider(row.key, row.item, out, again)
            else:
                placed = self._placement(row.item)
                copies = () if isinstance(placed, LeftOut) else placed.copies
                wanted = [folder for folder in copies if _part(folder) == row.part]
                again += self._copy_rows(row.copy_of or "", row.item, wanted, set())
        if again:
            known = {row.key for row in rows}
            self._ledger.listed(self._claim, [row for row in out if row.key not in known], again=again)
        return [*again, *out]

    def _taken(self, place: Place, receipts: Sequence[str]) -> set[str]:
        number = next((one.id for one in self._ledger.named(self._claim.account) if one.place == place), None)
        return set() if number is None else self._ledger.taken(number, receipts)

    # Listing -------------------------------------------------------------------------------------

    def _list(self) -> None:
        entries: list[Item | Gone | Skipped] = []
        cursor = self._claim.cursor
        for thing in self._ends.source.items(self._claim.collection, cursor):
            if isinstance(thing, str):
                cursor = thing
            elif isinstance(thing, Renumbered):
                self._take(entries, None)
                entries, cursor = [], None
                self._ledger.renumbered(self._claim)
            else:
                entries.append(thing)
                if len(entries) >= LISTED_TOGETHER:
                    self._take(entries, cursor)
                    entries = []
                    if self._desk.stop():
                        self._cut = True
                        return
        # A turn that ended by its own limits still notes the rest of the listing: the next one need not list again.
        self._take(entries, cursor)

    def _take(self, entries: Sequence[Item | Gone | Skipped], cursor: Any) -> None:
        """Record a piece of the listing and move what is new in it."""
        if not entries:
            if cursor is not None and cursor != self._claim.cursor:
                self._ledger.listed(self._claim, (), cursor=cursor)
            return
        claim = self._claim
        account, collection = str(claim.account), claim.collection.id
        keys = [key_of(account, collection, entry.id) for entry in entries]
        known = self._ledger.known(keys)
        rows: list[Row] = []
        skipped: list[tuple[str, Skipped]] = []
        changed: list[tuple[str, Item]] = []
        gone: list[str] = []
        again: list[Row] = []
        seen: set[str] = set()
        for key, entry in zip(keys, entries, strict=True):
            if key in seen:
                continue  # a listing that repeats itself
            seen.add(key)
            have = known.get(key)
            if isinstance(entry, Gone):
                if have:
                    gone.append(key)
            elif isinstance(entry, Skipped):
                if not have:
                    skipped.append((key, entry))
            elif not have:
                self._add(key, entry, rows)
            else:
                version, facts_version, state, _ = have
                if entry.version != version:
                    self._changed(key, entry, state, rows, again)
                elif entry.facts_version != facts_version:
                    if state in (State.LISTED, State.SKIPPED):
                        self._reconsider(key, entry, rows, again)
                    else:  # for one that is refused, they wait with it
                        changed.append((key, entry))
        rows += self._new_copies(changed)
        if rows and claim.collection.kind is not Kind.MAIL:
            name_items(rows, self._ledger, self._ends.places.rules)
        if rows or skipped or changed or gone or again or (cursor is not None and cursor != claim.cursor):
            self._ledger.listed(claim, rows, skipped, changed, gone, cursor, again)
            self.relisted = self.relisted or bool(rows or skipped or changed or gone or again)
        self._send([*rows, *again])
        if changed:
            self._update()

    def _add(self, key: str, item: Item, rows: list[Row]) -> None:
        """A row for a new item, and one for each copy its labels ask for."""
        placed = self._placement(item)
        if isinstance(placed, LeftOut):
            reason = ItemError(placed.code, placed.why, placed.todo)
            rows.append(Row(key, item, "", State.SKIPPED, None, refusal=reason))
            return
        try:
            number = self._ends.places.of(placed.primary).id
        except ItemError as error:
            rows.append(Row(key, item, "", State.REFUSED, None, refusal=error))
            return
        rows.append(Row(key, item, "", State.LISTED, number))
        if placed.copies:
            rows += self._copy_rows(key, item, placed.copies, {number})

    def _copy_rows(self, key: str, item: Item, folders: Iterable[Folder], there: set[int]) -> Iterator[Row]:
        """Rows for copies in folders that are not among the places `there`, which grows."""
        for folder in folders:
            part = _part(folder)
            try:
                number = self._ends.places.of(folder).id
            except ItemError as error:
                yield Row(key_of(key, "", "", part), item, part, State.REFUSED, None, copy_of=key, refusal=error)
                continue
            if number not in there:
                there.add(number)
                yield Row(key_of(key, "", "", part), item, part, State.LISTED, number, copy_of=key)

    def _changed(self, key: str, item: Item, state: State, rows: list[Row], again: list[Row]) -> None:
        """An item whose bytes are others than those listed before."""
        if state not in DONE:
            self._reconsider(key, item, rows, again)
            return
        # A message has no versions: other bytes are another message. The one that moved stays.
        other = key_of(key, "", item.version)
        if not self._ledger.known([other]):
            self._add(other, item, rows)

    def _reconsider(self, key: str, item: Item, rows: list[Row], again: list[Row]) -> None:
        """A row that never went may go now, under its new description."""
        fresh: list[Row] = []
        self._add(key, item, fresh)
        again.append(fresh[0])
        known = self._ledger.known([row.key for row in fresh[1:]])
        rows += [row for row in fresh[1:] if row.key not in known]

    def _new_copies(self, changed: Sequence[tuple[str, Item]]) -> list[Row]:
        """Copies that new labels of moved items ask for. A label taken away takes nothing away here."""
        out: list[Row] = []
        if not changed:
            return out
        have = self._ledger.originals([key for key, _ in changed], self._claim.collection.kind)
        for key, item in changed:
            placed = self._placement(item)
            old = have.get(key)
            if isinstance(placed, LeftOut) or old is None or old.place_id is None:
                continue
            wanted = (placed.primary, *placed.copies)
            out += self._copy_rows(key, replace(old.item, facts=item.facts), wanted, {old.place_id})
        known = self._ledger.known([row.key for row in out])
        return [row for row in out if row.key not in known]

    def _placement(self, item: Item) -> Placement | LeftOut:
        facts = item.facts
        if not isinstance(facts, MailFacts):
            return Placement(self._folder, (), frozenset(), frozenset())
        asked = (facts.folders, facts.flags, facts.keywords)  # few combinations, many messages
        placed = self._placements.get(asked)
        if placed is None:
            if len(self._placements) >= LISTED_TOGETHER:
                self._placements.clear()
            placed = self._placements[asked] = place(facts, self._folder, self._desk.terms.mail)
        return placed

    # Sending -------------------------------------------------------------------------------------

    def _send(self, rows: Sequence[Row]) -> None:
        """Write these rows, the items first and then their copies."""
        items = [row for row in rows if row.part == "" and row.state in _TO_SEND]
        copies = [row for row in rows if row.part != "" and row.state in _TO_SEND]
        if self._claim.collection.ordered:
            for _, group in groupby(items, key=lambda row: row.place_id):
                self._write(list(group))
        else:
            by_place: dict[int | None, list[Row]] = {}
            for row in items:
                by_place.setdefault(row.place_id, []).append(row)
            for some in by_place.values():
                self._write(some)
        if copies and not self._stopping():
            self._copy(copies)

    def _write(self, rows: Sequence[Row]) -> None:
        """Write rows of one place."""
        if not rows or self._stopping():
            return
        destination = self._ends.destination
        large: list[Row] = []
        if isinstance(destination, WritesMany):
            batch = destination.batch
            self._exchange(destination.write_many(self._parts(rows, batch.items, batch.bytes, large)))
        else:
            large = list(rows)
        for row in large:
            if self._stopping():
                break
            self._write_alone(row)
        self._settle_suspects()
        if self._desk.terms.evidence is Evidence.READ_BACK:
            self._prove([row for row in rows if row.state is State.WRITTEN])

    def _exchange(self, outcomes: Iterator[Outcome]) -> None:
        """Take outcomes as they come, and record them in good time; then let the source's own failure out."""
        try:
            for slot, outcome in outcomes:
                row, body = self._inflight.pop(slot.key)
                if isinstance(outcome, ItemError):
                    self._refuse(row, outcome, body)
                else:
                    self._judge(row, outcome, body)
                if len(self._done) >= FLUSH_ITEMS or self._desk.monotonic() - self._flushed >= FLUSH_SECONDS:
                    self._flush()
        except LiberateError:
            self._flush()  # what was answered before is certain
            raise
        finally:
            self._inflight.clear()
        self._flush()
        if self._broken is not None:
            broken, self._broken = self._broken, None
            raise broken

    def _parts(self, rows: Sequence[Row], count: int, size: int, large: list[Row]) -> Iterator[tuple[Slot, bytes]]:
        """Slots and their bodies, each intended before it is handed over; what is too large goes to `large`."""
        ready: list[tuple[Row, bytes, bytes]] = []
        room = size
        for row, body in self._loaded(rows, size):
            if body is None:
                large.append(row)
                continue
            wire = self._wire(body)
            row.size = len(wire)
            row.digests = _digests(row.item.kind, body, wire)
            ready.append((row, body, wire))
            room -= len(wire)
            if len(ready) >= count or room <= 0:
                yield from self._intended(ready)
                ready, room = [], size
                if self._stopping():
                    return
        yield from self._intended(ready)

    def _intended(self, ready: Sequence[tuple[Row, bytes, bytes]]) -> Iterator[tuple[Slot, bytes]]:
        new = self._not_moved_before([row for row, _, _ in ready])
        ready = [one for one in ready if one[0].key in new]
        if not ready:
            return
        self._mark([row for row, _, _ in ready])
        self._ledger.intend(self._claim, [row for row, _, _ in ready])
        for row, body, wire in ready:
            self._ledger.renew(self._claim)
            self._inflight[row.key] = (row, body)
            yield self._slot(row), wire

    def _not_moved_before(self, rows: Sequence[Row]) -> set[str]:
        """The keys of those that did not move already under an id that the source has given up."""
        new = {row.key for row in rows}
        if not self._claim.generation:
            return new
        before: dict[str, list[Row]] = {}
        for old in self._ledger.moved_before(self._claim, [row.digests["sha256"] for row in rows]):
            if old.part == "":
                before.setdefault(old.digests["sha256"], []).append(old)
        pairs = [(row, olds.pop(0)) for row in rows if (olds := before.get(row.digests["sha256"]))]
        if pairs:
            self._ledger.adopted(self._claim, pairs)
        return new - {row.key for row, _ in pairs}

    def _loaded(self, rows: Sequence[Row], limit: int) -> Iterator[tuple[Row, bytes | None]]:
        """Each row with its bytes, None for those too large to hold. Refusals are noted, failures end the stream."""
        source = self._ends.source
        by_id: dict[str, list[Row]] = {}
        for row in rows:
            by_id.setdefault(row.item.id, []).append(row)  # two versions of one item may wait together
        again: list[Row] = []
        try:
            loaded = source.read_many([row.item for row in rows]) if isinstance(source, ReadsMany) else None
            for one in loaded if loaded is not None else self._one_by_one(source, rows, limit):
                row = by_id[one.item.id].pop()
                if one.item is not row.item:
                    row.enriched = one.item.facts != row.item.facts
                    row.item = one.item
                if isinstance(one.body, ItemError):
                    self._unread(row, one.body)
                elif one.body is not None and one.item.size is not None and len(one.body) != one.item.size:
                    again.append(row)
                else:
                    yield row, None if one.body is None or len(one.body) > limit else one.body
            for row in again:
                yield from self._read_again(source, row, limit)
        except LiberateError as error:
            self._broken = error  # let the destination finish what it has, then tell

    def _one_by_one(self, source: Source, rows: Sequence[Row], limit: int) -> Iterator[Loaded]:
        for row in rows:
            if row.item.size is not None and row.item.size > limit:
                yield Loaded(row.item, None)
                continue
            try:
                yield Loaded(row.item, whole(source.read(row.item), limit))
            except ItemError as error:
                yield Loaded(row.item, error)

    def _read_again(self, source: Source, row: Row, limit: int) -> Iterator[tuple[Row, bytes | None]]:
        """A body whose size is not the one listed gets a second chance, then is refused."""
        try:
            yield row, whole(checked(source.read(row.item), row.item.size), limit)
        except IntegrityError as error:
            self._refuse(row, refusal(error), None)
        except ItemError as error:
            self._unread(row, error)

    def _write_alone(self, row: Row) -> None:
        """Write one row as a stream; a body that arrives damaged is read once more."""
        for attempt in (1, 2):
            try:
                if row.item.kind is Kind.MAIL:
                    self._write_spooled(row)
                else:
                    self._write_streamed(row)
            except IntegrityError as error:
                if attempt == 2:
                    self._refuse(row, refusal(error), None)
            except ItemError as error:
                self._unread(row, error)
                break
            else:
                break
        self._flush()

    def _write_spooled(self, row: Row) -> None:
        item = row.item
        chunks = checked(self._ends.source.read(item), item.size, item.digests.get("sha256"))
        crlf = self._ends.destination.line_ends == "crlf"
        with SpooledMail(chunks, self._desk.scratch, crlf=crlf) as body:
            row.size, row.digests = body.size, body.digests
            if not self._not_moved_before([row]):
                return
            self._mark([row])
            self._ledger.intend(self._claim, [row])
            try:
                receipt = self._ends.destination.write(self._slot(row), body)
            except ItemError as error:
                self._refuse(row, error, body.original())
                return
            self._judge(row, receipt, None)

    def _write_streamed(self, row: Row) -> None:
        item = row.item
        body = StreamBody(checked(self._ends.source.read(item), item.size, item.digests.get("sha256")), item.size)
        self._mark([row])
        self._ledger.intend(self._claim, [row])
        receipt = self._ends.destination.write(self._slot(row), body)
        row.size, row.digests = body.sent, body.digests
        self._judge(row, receipt, None, measured=True)

    def _copy(self, rows: Sequence[Row]) -> None:
        """Put items that are there into further places, without their bytes where the destination can."""
        originals = self._ledger.originals([row.copy_of or "" for row in rows], self._claim.collection.kind)
        destination = self._ends.destination
        ready: dict[tuple[int | None, int | None], list[tuple[Row, Row]]] = {}
        again: list[Row] = []
        for row in rows:
            original = originals.get(row.copy_of or "")
            if original is None or original.state in (State.REFUSED, State.SKIPPED):
                why = "The message itself did not go, so neither did its copy."
                self._refused.append(Refusal(row, WITHOUT_ORIGINAL, why, skipped=True))
            elif original.state not in DONE:
                continue  # its turn ended first
            elif isinstance(destination, Copies):
                ready.setdefault((original.place_id, row.place_id), []).append((row, original))
            else:
                row.item = replace(original.item, facts=row.item.facts)
                again.append(row)
        for row in again:
            self._write([row])
        for pairs in ready.values():
            if isinstance(destination, Copies):
                self._exchange(destination.copy_many(self._copies(pairs)))
                self._settle_suspects()
        self._flush()
        if self._desk.terms.evidence is Evidence.READ_BACK:
            self._prove([row for row in rows if row.state is State.WRITTEN])

    def _copies(self, pairs: Sequence[tuple[Row, Row]]) -> Iterator[tuple[Slot, Receipt]]:
        for at in range(0, len(pairs), FLUSH_ITEMS):
            some = pairs[at : at + FLUSH_ITEMS]
            for row, original in some:
                row.size, row.digests = original.size, original.digests
            self._mark([row for row, _ in some])
            self._ledger.intend(self._claim, [row for row, _ in some])
            for row, original in some:
                self._ledger.renew(self._claim)
                self._inflight[row.key] = (row, None)
                where = self._place(original.place_id)
                yield self._slot(row), Receipt(original.receipt or "", where, original.receipt_size)
            if self._stopping():
                return

    # Facts that changed --------------------------------------------------------------------------

    def _update(self) -> None:
        """Bring changed flags and labels to what is already there."""
        while pending := self._ledger.pending(self._claim, PAGE):
            destination = self._ends.destination
            if isinstance(destination, Updates):
                changes = []
                for row, facts, version in pending:
                    fresh = replace(row.item, facts=facts, facts_version=version)
                    for there in (row, *self._ledger.copies_of(row.key, row.item.kind)):
                        slot = self._slot(replace(there, item=fresh))
                        receipt = Receipt(there.receipt or "", slot.place, there.receipt_size)
                        changes.append(Change(slot, receipt, self._facts(row.item)))
                for _slot, _outcome in destination.update(changes):
                    pass  # what its owner deleted there stays deleted
            self._ledger.updated(self._claim, pending)
            self.progressed = True
            if self._stopping():
                return

    # Judging and recording -----------------------------------------------------------------------

    def _judge(self, row: Row, receipt: Receipt, body: bytes | None, *, measured: bool = False) -> None:
        """Believe a receipt, or put it aside to be read back."""
        sha256 = receipt.digests.get("sha256")
        sent = row.digests.get("sha256-wire", row.digests.get("sha256"))
        wrong_size = receipt.size is not None and row.size is not None and receipt.size != row.size
        if wrong_size or (sha256 is not None and sent is not None and sha256 not in (sent, row.digests["sha256"])):
            self._suspects.append((row, receipt, body))
            return
        self._done.append(Written(row, receipt, measured=measured))

    def _settle_suspects(self) -> None:
        """Read back what the destination describes otherwise than it was sent."""
        suspects, self._suspects = self._suspects, []
        for row, receipt, body in suspects:
            row.receipt, row.receipt_size = receipt.id, receipt.size
            for _, tier, _ in read_back(self._ends.destination, [(row, receipt.place)]):
                if tier in (Sameness.DIFFERENT, MISSING):
                    why = "The destination stored something else than it was sent."
                    original = "original kept under rejects/" if body is not None else "one at the source"
                    todo = f"Compare it with the {original}, and delete the wrong one by hand."
                    self._refuse(row, ItemError("stored-otherwise", why, todo), body)
                else:
                    self._done.append(Written(row, replace(receipt, evidence=proven(tier)), tier))
        self._flush()

    def _prove(self, rows: Sequence[Row]) -> int:
        """Read back what was just written; how many of it."""
        results = list(read_back(self._ends.destination, [(row, self._place(row.place_id)) for row in rows]))
        for at in range(0, len(results), PAGE):
            self._ledger.renew(self._claim)
            self._ledger.verified([(row, tier) for row, tier, _ in results[at : at + PAGE]])
        return len(results)

    def _unread(self, row: Row, error: ItemError) -> None:
        """The source would not give the item: it is gone, or refused."""
        if error.code == "gone":
            why = "It was deleted at the source before it could be moved."
            self._refused.append(Refusal(row, "deleted-at-source", why, skipped=True))
        else:
            self._refuse(row, error, None)

    def _refuse(self, row: Row, error: ItemError, body: bytes | Iterable[bytes] | None) -> None:
        kept = None
        if body is not None:
            chunks = (body,) if isinstance(body, bytes) else body
            kept = self._desk.rejects.keep(self._desk.account, row.key, row.item.kind, chunks)
        self._refused.append(Refusal(row, error.code, error.why, error.todo, kept))

    def _flush(self) -> None:
        done, self._done = self._done, []
        refused, self._refused = self._refused, []
        self._flushed = self._desk.monotonic()
        if not done and not refused:
            return
        self._ledger.written(self._claim, done, refused)
        self.progressed = True
        size = sum(one.row.size or 0 for one in done)
        self._bytes += size
        count = sum(one.row.part == "" for one in done)
        if count:
            moved = sum(one.row.size or 0 for one in done if one.row.part == "")
            self._desk.observer(Moved(self._desk.account, count, moved))
        for each in refused:
            if each.row.part == "" and not each.skipped:
                self._desk.observer(Refused(self._desk.account, each.row.item.id, each.code, each.why))

    # Small things --------------------------------------------------------------------------------

    def _slot(self, row: Row) -> Slot:
        item = row.item
        sent = Item(
            item.id, item.kind, item.version, item.name, row.size, item.modified, row.digests, item.refs,
            self._facts(item), item.facts_version, item.repeatable,
        )  # fmt: skip
        return Slot(sent, self._place(row.place_id), row.name, row.key, row.mark)

    def _facts(self, item: Item) -> Any:
        """The facts that the item shall have at the destination."""
        facts = item.facts
        if not isinstance(facts, MailFacts):
            return facts
        placed = self._placement(item)
        if isinstance(placed, LeftOut):
            return facts
        if not facts.folders and placed.flags == facts.flags and placed.keywords == facts.keywords:
            return facts
        return MailFacts(placed.flags, placed.keywords, facts.received)

    def _place(self, number: int | None) -> Place:
        where = self._ends.places.numbered(number or 0).place
        return where if where is not None else Place("")

    def _mark(self, rows: Iterable[Row]) -> None:
        """Note where each row's place ends, unless an earlier attempt has: everything sent stands after it."""
        destination = self._ends.destination
        if not isinstance(destination, Marked):
            return
        for row in rows:
            if row.mark is None:
                number = row.place_id or 0
                if number not in self._marks:
                    self._marks[number] = destination.mark(self._place(number))
                row.mark = self._marks[number]

    def _wire(self, body: bytes) -> bytes:
        if self._claim.collection.kind is Kind.MAIL and self._ends.destination.line_ends == "crlf":
            return wire_form(body)
        return body

    def _stopping(self) -> bool:
        if not self._cut:
            spent = self._desk.monotonic() - self._began
            self._cut = self._desk.stop() or spent >= self._desk.seconds or self._bytes >= self._desk.bytes
        return self._cut


def _part(folder: Folder) -> str:
    """What tells a copy from the others of its item."""
    return f"role:{folder.role}" if folder.role is not None else "path:" + "\x1f".join(folder.path)


def _digests(kind: Kind, body: bytes, wire: bytes) -> dict[str, str]:
    if kind is Kind.MAIL:
        return fingerprint(body, wire)
    return found_in((body,), kind)
