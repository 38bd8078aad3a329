"""One slice of chat carried out: a room is opened, told message by message in its order, and closed."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace

from liberate.body import whole
from liberate.cast import PeopleCast
from liberate.chat import ChatFacts, Message, Room
from liberate.chat_proof import REACTIONS, expected, reactions_of, standing
from liberate.connector import (
    ROOM_LEFT,
    HasRooms,
    Item,
    KeepsRooms,
    Kind,
    Marked,
    Place,
    Recalls,
    Receipt,
    Slot,
    Spends,
)
from liberate.errors import AccountError, ItemError, LiberateError
from liberate.job import SliceRun
from liberate.ledger_rooms import MEMBER
from liberate.ledger_rows import DONE, Claim, Pending, Row, State, key_of
from liberate.proof import found_in
from liberate.sharing import Directory
from liberate.turn import Desk, Ends

_REMEMBERED = 2_000  # receipts of messages and files that later ones may name
_LONGEST = 64 << 20  # bytes of one message


class ChatRun(SliceRun):
    """One worker's turn at one room."""

    def __init__(self, desk: Desk, ends: Ends, claim: Claim, directory: Directory) -> None:
        super().__init__(desk, ends, claim)
        self._directory = directory
        self._room = self._ledger.room(claim)
        self._opened: Place | None = None
        self._spent: Counter[str] | None = None  # by the destination as far as it is recorded; None: it is not open
        self._arrived: dict[str, Receipt | None] = {}  # by key: what this turn knows of them
        self._replaced: list[Row] = []

    def run(self, *, listing: bool = True) -> bool:
        """As SliceRun.run; a room that is all there is closed, if anything came or it is another than it was."""
        try:
            return self._carry_out(listing=listing)
        finally:
            with suppress(LiberateError):  # a number for the report is no reason to fail, nor to hide a failure
                self._spend()

    def _carry_out(self, *, listing: bool) -> bool:
        if not super().run(listing=listing):
            return False
        try:
            room = self._source.room(self._claim.collection)
        except ItemError:
            return True  # the source has it no more: what moved stays as it is
        digest = _digest(room)
        if self._room.closed != digest and (self._room.place is not None or self._opened is not None):
            self._ledger.renew(self._claim)
            try:
                place = self._open()
            except AccountError as error:
                if error.code != ROOM_LEFT:
                    raise
                self._ledger.room_closed(self._claim, self._room, digest)
                return True  # nothing new was said there, and there is nobody to whom it could be another room now
            pinned = self._receipts(room.pins)
            with _about(room):
                refused = self._keeper.close_room(place, room, pinned)
            news = self._ledger.members_refused(self._claim, refused)
            # With somebody missing it stays open, so that the next run tries to bring them in.
            self._ledger.room_closed(self._claim, self._room, None if refused else digest)
            self.progressed = self.progressed or news or not refused
        return True

    # The two ends --------------------------------------------------------------------------------

    @property
    def _source(self) -> HasRooms:
        source = self._ends.source
        if not isinstance(source, HasRooms):
            raise AccountError("no-rooms", "This source cannot tell what its rooms are.", "Choose another source.")
        return source

    @property
    def _keeper(self) -> KeepsRooms:
        destination = self._ends.destination
        if not isinstance(destination, KeepsRooms):
            raise AccountError("no-rooms", "This destination keeps no rooms of chat.", "Choose another destination.")
        return destination

    def _open(self) -> Place:
        """The room's place; it is opened before the first use of it in this turn."""
        if self._opened is None:
            room = self._described()
            self._spent = self._spent_by_now()
            with _about(room):
                place = self._keeper.open_room(room, PeopleCast(self._ends.source, self._source, self._directory))
            found = self._room.found or (self._room.place is None and self._holds(place))
            if place != self._room.place or (self._room.closed is not None and not found):
                self._ledger.room_opened(self._claim, self._room, place, found=found)
            self._opened = place
        return self._opened

    def _described(self) -> Room:
        """What the room is, for what is still to be brought into it."""
        try:
            return self._source.room(self._claim.collection)
        except ItemError as error:
            raise AccountError(
                "room-gone",
                f"{'/'.join(self._claim.collection.path)} is no longer at the source, and not all of it has moved.",
                "Look whether it was deleted, or run the same command with an older export, which has it.",
            ) from error

    def _holds(self, place: Place) -> bool:
        """Whether a room that this ledger does not know holds anything: the ledger may have been lost."""
        destination = self._ends.destination
        return not isinstance(destination, Marked) or destination.mark(place) != ""

    def _place(self, number: int | None) -> Place:
        return self._open()

    def _spent_by_now(self) -> Counter[str]:
        destination = self._ends.destination
        return Counter(destination.spent() if isinstance(destination, Spends) else {})

    def _spend(self) -> None:
        """Record what the turn has cost the destination since that was recorded last."""
        if self._spent is None:
            return
        now = self._spent_by_now()
        if more := now - self._spent:
            self._ledger.spend(self._claim.account, more)
        self._spent = now

    def _flush(self) -> None:
        super()._flush()
        self._spend()

    # Listing -------------------------------------------------------------------------------------

    def _add(self, key: str, item: Item, rows: list[Row]) -> None:
        rows.append(Row(key, item, "", State.LISTED, self._room.number))

    def _name(self, rows: Sequence[Row]) -> None:
        """What is said has no names."""

    def _changed(self, key: str, item: Item, state: State, rows: list[Row], again: list[Row]) -> None:
        if state not in DONE:
            self._reconsider(key, item, rows, again)
            return
        if item.kind is not Kind.CHAT:
            return  # a file that people can see is not changed behind their backs
        row = self._ledger.originals([key])[key]
        row.item = replace(item, facts=row.item.facts, facts_version=row.item.facts_version)
        row.state, row.size, row.digests = State.LISTED, None, {}
        self._replaced.append(row)

    def _new_copies(self, changed: Sequence[tuple[str, Item]]) -> list[Row]:
        """A message stands in one room."""
        return []

    def _to_replace(self) -> list[Row]:
        replaced, self._replaced = self._replaced, []
        return replaced

    def _placed(self, rows: Sequence[Row]) -> list[Row]:
        """As SliceRun's. Members who could not come in are nothing to send: they are tried when the room is closed."""
        return super()._placed([row for row in rows if not row.item.id.startswith(MEMBER)])

    # Sending -------------------------------------------------------------------------------------

    def _send(self, rows: Sequence[Row]) -> None:
        """Files first: what is said after them names them, and they are not seen before."""
        rows = [row for row in rows if row.state in (State.LISTED, State.INTENDED)]
        if not rows or self._stopping():
            return
        self._open()
        self._write([row for row in rows if row.item.kind is Kind.FILE])
        if not self._stopping():
            self._write([row for row in rows if row.item.kind is not Kind.FILE])

    def _intended(self, ready: Sequence[tuple[Row, bytes, bytes]]) -> Iterator[tuple[Slot, bytes]]:
        """As Sending's; what stands already in a room that another ledger knew is recorded, and not sent."""
        for row, body, _ in ready:
            self._find_root(row, body)
        if not self._room.found:
            yield from super()._intended(ready)
            return
        for row, _, _ in ready:
            row.mark = ""  # anywhere in the room
        self._ledger.intend(self._claim, [row for row, _, _ in ready])
        slots = [self._slot(row) for row, _, _ in ready]
        found = self._ends.destination.find(slots, self._taken)
        for row, body, _ in ready:
            if (receipt := found.get(row.key)) is not None:
                self._judge(row, receipt, body)
        self._flush()
        yield from super()._intended([one for one in ready if one[0].key not in found])

    def _find_root(self, row: Row, body: bytes) -> None:
        """What began a thread may have moved in an earlier run, and stand in this listing no more.

        An export of the last month has the answers only. What is itself an answer begins none.
        """
        if row.item.kind is not Kind.CHAT or b'"thread":' not in body:
            return
        thread = self._message(row, body).thread
        if not thread or thread in row.item.refs or not self._receipts((thread,)):
            return
        (root,) = self._originals((thread,))
        if all(one.item.kind is Kind.FILE for one in self._originals(root.item.refs)):
            row.item = replace(row.item, refs=(thread, *row.item.refs))

    def _slot(self, row: Row) -> Slot:
        slot = super()._slot(row)
        before = None
        if row.receipt is not None and row.state not in DONE:
            before = Receipt(row.receipt, slot.place, row.receipt_size, version=row.receipt_version)
        return replace(slot, refs=self._receipts(row.item.refs) if row.item.refs else {}, replaces=before)

    def _originals(self, ids: Sequence[str]) -> list[Row]:
        """The rows of these items of the room, as far as there are any."""
        claim = self._claim
        keys = [key_of(str(claim.account), claim.collection.id, id_) for id_ in ids]
        return list(self._ledger.originals(keys).values()) if keys else []

    def _receipts(self, ids: Sequence[str]) -> dict[str, Receipt]:
        """Of these ids, what has arrived; what stands there in other words than the source has now among it."""
        claim = self._claim
        keys = {key_of(str(claim.account), claim.collection.id, id_): id_ for id_ in ids}
        unknown = [key for key in keys if self._arrived.get(key) is None]
        if unknown:
            if len(self._arrived) > _REMEMBERED:
                self._arrived.clear()
                unknown = list(keys)
            place = self._open()
            for key, row in self._ledger.originals(unknown).items():
                if row.receipt is not None:
                    self._arrived[key] = Receipt(row.receipt, place, row.receipt_size, row.digests, row.evidence)
        return {id_: there for key, id_ in keys.items() if (there := self._arrived.get(key)) is not None}

    def _judge(self, row: Row, receipt: Receipt, body: bytes | None, *, measured: bool = False) -> None:
        destination = self._ends.destination
        if row.item.kind is Kind.CHAT and isinstance(destination, Recalls):
            row.digests = {**row.digests, **self._told(row, receipt, body, destination)}
            measured = True
        super()._judge(row, receipt, body, measured=measured)
        if len(self._arrived) >= _REMEMBERED:
            del self._arrived[next(iter(self._arrived))]  # the ledger knows it still
        self._arrived[row.key] = receipt

    def _told(self, row: Row, receipt: Receipt, body: bytes | None, destination: Recalls) -> Mapping[str, str]:
        """The digests of what is said. Of a message that is at the source no more they are of what stands there."""
        try:
            message = self._message(row, body)
        except ItemError:
            return standing(destination, receipt)
        arrived = self._receipts(row.item.refs)
        return expected(message, arrived, lambda author: destination.called(receipt.place, author))

    def _message(self, row: Row, body: bytes | None) -> Message:
        if body is None:
            body = whole(self._ends.source.read(row.item), _LONGEST)
        if body is None:
            raise ItemError("too-large", "A message of more than 64 MiB is none.")
        return Message.load(body)

    def _is_whole(self, row: Row) -> bool:
        """Whether it is known what the row's bytes are: those that went as a stream are read once more for that."""
        if not row.digests:
            try:
                row.digests = found_in(self._ends.source.read(row.item), row.item.kind)
            except ItemError:
                return False
        return True

    # Facts that changed --------------------------------------------------------------------------

    def _retell(self, pending: Sequence[Pending]) -> None:
        destination = self._ends.destination
        if not isinstance(destination, Recalls):
            return
        rows = []
        for one in pending:
            if isinstance(one.facts, ChatFacts) and one.row.item.kind is Kind.CHAT:
                now = reactions_of(one.facts.reactions, lambda author: destination.called(self._open(), author))
                one.row.digests = {**one.row.digests, REACTIONS: now}
                rows.append(one.row)
        self._ledger.retold(self._claim, rows)


@contextmanager
def _about(room: Room) -> Iterator[None]:
    """What a destination refuses for a room ends the move: its messages would stand nowhere, or before wrong eyes."""
    try:
        yield
    except ItemError as error:
        why = f"The room {room.name or room.id}: {error.why}"
        raise AccountError(error.code, why, error.todo or "Put it right, then run the same command again.") from error


def _digest(room: Room) -> str:
    """What changes when the room does."""
    return hashlib.sha256(json.dumps(asdict(room), sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()
