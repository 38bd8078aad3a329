"""Sending a slice's rows: each intended, written, judged and recorded, its copies after it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from liberate.body import SpooledMail, StreamBody, agrees, checked, refusal, whole
from liberate.connector import (
    Change,
    Copies,
    Describes,
    Evidence,
    Item,
    Kind,
    Loaded,
    Outcome,
    ReadsMany,
    Receipt,
    Slot,
    Source,
    Updates,
    WritesMany,
)
from liberate.errors import IntegrityError, ItemError, LiberateError
from liberate.ledger_rows import DONE, PAGE, WITHOUT_ORIGINAL, Pending, Refusal, Row, State
from liberate.mail import fingerprint
from liberate.pim import object_digests
from liberate.proof import OBJECTS, found_in
from liberate.turn import Turn

FLUSH_ITEMS = 100
FLUSH_SECONDS = 2.0
_TO_SEND = (State.LISTED, State.INTENDED)


class Sending(Turn):
    """How rows get to their places."""

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
                elif one.body is not None and not _as_told(one.body, one.item):
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
            self._describe_anew(row)
            yield row, whole(checked(source.read(row.item), row.item.size, row.item.digests), limit)
        except IntegrityError as error:
            self._refuse(row, refusal(error), None)
        except ItemError as error:
            self._unread(row, error)

    def _describe_anew(self, row: Row) -> None:
        """Ask the source what an item is like now whose bytes were not as it says."""
        source = self._ends.source
        if not isinstance(source, Describes):
            return
        now = source.describe(row.item)
        old = row.item
        if (now.version, now.size, dict(now.digests)) != (old.version, old.size, dict(old.digests)):
            row.item = replace(old, version=now.version, size=now.size, digests=now.digests, modified=now.modified)
            row.redescribed = True

    def _write_alone(self, row: Row) -> None:
        """Write one row as a stream; a body that arrives damaged is read once more."""
        for attempt in (1, 2):
            try:
                if attempt == 2:
                    self._describe_anew(row)
                self._write_large(row)
            except IntegrityError as error:
                if attempt == 2:
                    self._refuse(row, refusal(error), None)
            except ItemError as error:
                self._unread(row, error)
                break
            else:
                break
        self._flush()

    def _write_large(self, row: Row) -> None:
        if row.item.kind is Kind.MAIL:
            self._write_spooled(row)
        else:
            self._write_streamed(row)

    def _write_spooled(self, row: Row) -> None:
        item = row.item
        chunks = checked(self._ends.source.read(item), item.size, item.digests)
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
        body = StreamBody(checked(self._ends.source.read(item), item.size, item.digests), item.size)
        self._mark([row])
        self._ledger.intend(self._claim, [row])
        receipt = self._ends.destination.write(self._slot(row), body)
        row.size, row.digests = body.sent, body.digests
        self._judge(row, receipt, None, measured=True)

    def _copy(self, rows: Sequence[Row]) -> None:
        """Put items that are there into further places, without their bytes where the destination can."""
        originals = self._ledger.originals([row.copy_of or "" for row in rows])
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

    def _retell(self, pending: Sequence[Pending]) -> None:
        """Note what rows are recognised by from now on, where new facts change that."""

    def _update(self) -> None:
        """Bring changed flags and labels to what is already there."""
        while pending := self._ledger.pending(self._claim, PAGE):
            destination = self._ends.destination
            if isinstance(destination, Updates):
                changes = []
                for one in pending:
                    row = one.row
                    fresh = replace(row.item, facts=one.facts, facts_version=one.version)
                    for there in (row, *self._ledger.copies_of(row.key)):
                        slot = self._slot(replace(there, item=fresh))
                        receipt = Receipt(there.receipt or "", slot.place, there.receipt_size)
                        changes.append(Change(slot, receipt, self._facts(row.item)))
                for _slot, _outcome in destination.update(changes):
                    pass  # what its owner deleted there stays deleted
            self._retell(pending)
            self._ledger.updated(self._claim, pending)
            self.progressed = True
            if self._stopping():
                return


def _as_told(body: bytes, item: Item) -> bool:
    return item.size in (None, len(body)) and agrees(body, item.digests)


def _digests(kind: Kind, body: bytes, wire: bytes) -> dict[str, str]:
    if kind is Kind.MAIL:
        return fingerprint(body, wire)
    return object_digests(body, wire) if kind in OBJECTS else found_in((body,), kind)
