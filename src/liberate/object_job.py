"""One slice of a calendar or an address book carried out: objects made once, and followed when the source changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from liberate.body import StreamBody, whole
from liberate.connector import (
    CHANGED_THERE,
    Gone,
    HasLooks,
    Item,
    KeepsObjects,
    Kind,
    Place,
    Receipt,
    Skipped,
    Slot,
)
from liberate.errors import AccountError, ItemError
from liberate.job import SliceRun
from liberate.ledger_rows import DONE, Claim, Refusal, Row, State, key_of
from liberate.naming import fold
from liberate.pim import Looks, object_digests, shown_reminders
from liberate.turn import Desk, Ends
from liberate.vcard import as_version_3

EDITED = "edited-there"  # the code of a change at the source that did not go over its owner's own
DELETED = "deleted-there"
_LARGEST = 64 << 20  # bytes of one object


class ObjectRun(SliceRun):
    """One worker's turn at one calendar or address book."""

    def __init__(self, desk: Desk, ends: Ends, claim: Claim) -> None:
        super().__init__(desk, ends, claim)
        self._shelf = self._ledger.room(claim)
        self._opened: Place | None = None
        self._card_version: str | None = None
        self._mails: bool | None = None
        self._replaced: list[Row] = []
        self._seen: set[bytes] = set()  # keys that this listing named

    # The destination -----------------------------------------------------------------------------

    @property
    def _keeper(self) -> KeepsObjects:
        destination = self._ends.destination
        if not isinstance(destination, KeepsObjects):
            raise AccountError(
                "no-calendars", "This destination keeps no calendars or address books.", "Choose another destination."
            )
        return destination

    def _open(self) -> Place:
        """The calendar's place; it is made or found again before the first use of it in this turn."""
        if self._opened is None:
            claim = self._claim
            source = self._ends.source
            name = "/".join(claim.collection.path) or claim.collection.kind.value
            looks = source.looks(claim.collection) if isinstance(source, HasLooks) else Looks(name)
            key = key_of(str(claim.account), claim.collection.id, "")
            place = self._keeper.open_collection(key, claim.collection, looks)
            if place != self._shelf.place:
                self._ledger.room_opened(claim, self._shelf, place)
            self._opened = place
        return self._opened

    def _place(self, number: int | None) -> Place:
        return self._open()

    def _taken(self, place: Place, receipts: Sequence[str]) -> set[str]:
        return self._ledger.taken(self._shelf.number, receipts)

    def _wire(self, body: bytes) -> bytes:
        if self._claim.collection.kind is not Kind.CONTACT:
            if self._mails is None:
                self._mails = self._keeper.mails_reminders(self._open())
            return shown_reminders(body) if self._mails else body
        if self._card_version is None:
            self._card_version = self._keeper.card_version(self._open())
        if self._card_version == "4.0":
            return body
        try:
            return as_version_3(body)
        except ValueError:
            return body  # it is the server's to refuse

    # Listing -------------------------------------------------------------------------------------

    def _list(self) -> None:
        if not self._desk.stop():
            self._open()  # an empty calendar is somebody's too
        super()._list()

    def _absent(self) -> Sequence[str]:
        return self._ledger.not_among(self._claim, self._seen)

    def _take(self, entries: Sequence[Item | Gone | Skipped], cursor: Any) -> None:
        account, collection = str(self._claim.account), self._claim.collection.id
        keys = (key_of(account, collection, entry.id) for entry in entries if not isinstance(entry, Gone))
        self._seen.update(bytes.fromhex(key) for key in keys)
        super()._take(entries, cursor)

    def _add(self, key: str, item: Item, rows: list[Row]) -> None:
        rows.append(Row(key, item, "", State.LISTED, self._shelf.number))

    def _changed(self, key: str, item: Item, state: State, rows: list[Row], again: list[Row]) -> None:
        row = self._ledger.originals([key])[key]
        if row.receipt is None:
            self._reconsider(key, item, rows, again)
            return
        # It stands there, or did: whether it still does, and as we left it, the destination knows.
        if row.state in DONE:
            row.receipt_sha256 = row.digests.get("sha256-wire", row.digests.get("sha256"))
        row.item, row.enriched = item, row.item.facts != item.facts
        row.state, row.size, row.digests = State.LISTED, None, {}
        self._replaced.append(row)

    def _reconsider(self, key: str, item: Item, rows: list[Row], again: list[Row]) -> None:
        """A row that never went may go now, under its new description and the name that it has."""
        old = self._ledger.originals([key]).get(key)
        row = Row(key, item, "", State.LISTED, self._shelf.number)
        if old is not None and old.name and old.item.name == item.name:
            row.name, row.folded = old.name, fold(old.name, self._ends.places.rules)
        else:
            self._name([row])
        again.append(row)

    def _new_copies(self, changed: Sequence[tuple[str, Item]]) -> list[Row]:
        """An object stands in one calendar."""
        return []

    def _to_replace(self) -> list[Row]:
        replaced, self._replaced = self._replaced, []
        return replaced

    def _placed(self, rows: Sequence[Row]) -> list[Row]:
        """The rows, each with a name: those tried again after a refusal may have none."""
        nameless = [row for row in rows if not row.name]
        for row in nameless:
            row.place_id = self._shelf.number
        if nameless:
            self._name(nameless)
            self._ledger.listed(self._claim, (), again=nameless)
        return list(rows)

    # Sending -------------------------------------------------------------------------------------

    def _slot(self, row: Row) -> Slot:
        slot = super()._slot(row)
        if row.receipt is None or row.state in DONE:
            return slot
        digests = {"sha256": row.receipt_sha256} if row.receipt_sha256 else {}
        left = Receipt(row.receipt, slot.place, row.receipt_size, digests, version=row.receipt_version)
        return replace(slot, replaces=left)

    def _write_large(self, row: Row) -> None:
        """Write one object by itself. Objects are small: none that a server takes does not fit into memory."""
        body = whole(self._ends.source.read(row.item), _LARGEST)
        if body is None:
            why = f"It has more than {_LARGEST >> 20} MiB, which no calendar or address book takes."
            self._refuse(row, ItemError("too-large", why, "Take its attachments out, then run: liberate retry"), None)
            return
        wire = self._wire(body)
        row.size, row.digests = len(wire), object_digests(body, wire)
        self._ledger.intend(self._claim, [row])
        try:
            receipt = self._ends.destination.write(self._slot(row), StreamBody([wire], len(wire)))
        except ItemError as error:
            self._refuse(row, error, body)
            return
        self._judge(row, receipt, body)

    def _is_whole(self, row: Row) -> bool:
        """Whether it is known what the row's bytes are: they are read once more if not."""
        if not row.digests:
            try:
                body = b"".join(self._ends.source.read(row.item))
            except ItemError:
                return False
            row.digests = object_digests(body, self._wire(body))
        return True

    def _refuse(self, row: Row, error: ItemError, body: Any) -> None:
        """What its owner has done with it at the destination counts more than what the source has now."""
        if row.receipt is not None and error.code in (CHANGED_THERE, "gone"):
            deleted = error.code == "gone"
            why = "It changed at the source, and its owner " + (
                "deleted it at the destination: it stays deleted."
                if deleted
                else "changed it at the destination: theirs stays."
            )
            todo = "Let its owner look at the two, and change theirs by hand if need be."
            code = DELETED if deleted else EDITED
            self._refused.append(Refusal(row, code, why, todo, skipped=True))
            return
        super()._refuse(row, error, body)

    def _unread(self, row: Row, error: ItemError) -> None:
        if error.code == "gone" and row.receipt is not None:  # a newer version that went before it could be moved
            why = "It was deleted at the source before its last change could be moved."
            self._refused.append(Refusal(row, "deleted-at-source", why, skipped=True))
            return
        super()._unread(row, error)
