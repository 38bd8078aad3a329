"""Files in memory: a destination of trees that is right by the contract, and a source of them.

A `TreeDestination` is one opening of a `Store`, and a `Tree` is what its owner sees there. As with the
other destinations, everything survives the object, and with a store that has a file also the process.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from liberate.connector import (
    CHANGED_THERE,
    NAME_TAKEN,
    Batch,
    Body,
    Change,
    Collection,
    Evidence,
    Held,
    Item,
    Kind,
    Outcome,
    Place,
    Receipt,
    Share,
    Slot,
    Taken,
    inside,
)
from liberate.errors import AccountError, IntegrityError, ItemError, TransientError
from liberate.files import FileFacts, Note
from liberate.naming import Rules, fold
from liberate.testing.memory import unwatched
from liberate.testing.memory_files import NOTES, SHARES, UPLOADS, Tree, is_folder, name_of, number_of
from liberate.testing.memory_shelf import CHUNK, MemoryManySource, Shelf
from liberate.testing.memory_store import Store, Stored

TREE_RULES = Rules(
    forbidden=frozenset('/\\:*?"<>|'), last=frozenset(". "), reserved=frozenset({".", ".."}), max_bytes=250
)

# A destination -----------------------------------------------------------------------------------


class TreeDestination:
    """Files and folders under their names, with every power over files that the contract knows."""

    line_ends: Literal["any", "crlf"] = "any"
    share_rate: tuple[int, float] | None = None

    def __init__(
        self,
        store: Store,
        *,
        rules: Rules = TREE_RULES,
        batch: Batch | None = None,
        limit: int | None = None,
        large: int = 50_000,
        piece: int = 20_000,
        quota: int | None = None,
        people: frozenset[str] | None = None,
        step: Callable[[str], None] = unwatched,
    ) -> None:
        self._tree = Tree(store)
        self._store = store
        self._rules = rules
        self.batch = batch or Batch(10, 20_000)
        self._limit = limit  # bytes of the largest body that it takes
        self._large = large  # bytes; larger bodies come in pieces
        self._piece = piece
        self._quota = quota  # bytes that the account may hold
        self._people = people  # whom it can share with; None: with everybody
        self._do = step

    @property
    def rules(self) -> Rules:
        """See Destination."""
        return self._rules

    def prepare(self, collection: Collection) -> Place:
        """See Destination."""
        if any(level in ("", ".", "..") or "/" in level or "\0" in level for level in collection.path):
            raise ItemError("illegal-name", "A folder cannot be called that here.")
        place = Place("/".join(collection.path))
        self._do("before make")
        self._make(place)
        self._do("after make")
        return place

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination: what stands under a slot's name, came from that slot and is not what it replaces."""
        out = {}
        for slot in slots:
            one = self._tree.named(slot.place, slot.name)
            if one is None or is_folder(one) != _wants_folder(slot):
                continue
            if slot.replaces is not None and one.version == slot.replaces.version:
                continue
            ours = is_folder(one) or (one.key == slot.key and _has_the_bytes(one, slot.item))
            if ours and not taken(slot.place, [one.id]):
                out[slot.key] = self._receipt(slot.place, one)
        return out

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination."""
        return self._put(slot, b"".join(iter(lambda: body.read(CHUNK), b"")))

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany. Each batch is answered in another order than it was asked."""
        waiting: list[Outcome] = []
        for slot, body in parts:
            try:
                waiting.insert(0, (slot, self._put(slot, body)))
            except ItemError as error:
                waiting.insert(0, (slot, error))
            if len(waiting) >= self.batch.items:
                yield from waiting
                waiting = []
        yield from waiting

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination."""
        one = self._there(receipt)
        for at in range(0, len(one.body), CHUNK):
            yield one.body[at : at + CHUNK]

    # Trees ---------------------------------------------------------------------------------------

    def held(self, place: Place) -> Iterator[Held]:
        """See KeepsTrees."""
        self._make(place)
        for one in self._store.held(place):
            yield self._held(place, one)

    def inventory(self, root: Place) -> Iterator[Held]:
        """See Inventories."""
        for place in reversed(self._tree.folders(root)):
            for one in self._store.held(place):
                yield self._held(Place(place), one)

    def make_folder(self, slot: Slot) -> Receipt:
        """See KeepsTrees."""
        with self._store.together:
            self._make(slot.place)
            one = self._clash(slot)
            if one is not None and (not is_folder(one) or name_of(one) != slot.name):
                raise _name_taken(slot)
            if one is None:
                made = Stored(self._tree.fresh(slot.name), b"", Kind.FILE, _kept(slot), slot.key, slot.item.modified)
                self._do("before folder")
                self._store.change(("put", slot.place, made), ("make", inside(slot.place, slot.name), None))
                self._do("after folder")
                one = made
            return self._receipt(slot.place, one)

    def move(self, slot: Slot, receipt: Receipt) -> Receipt:
        """See KeepsTrees."""
        with self._store.together:
            there = self._clash(slot)
            if there is not None and there.id == f"{number_of(receipt.id)}/{slot.name}":
                return self._receipt(slot.place, there)  # moved before
            one = self._there(receipt)
            if there is not None and there.id != one.id:
                raise _name_taken(slot)
            here = inside(receipt.place, name_of(one))
            if is_folder(one) and f"{slot.place}/".startswith(f"{here}/"):
                raise ItemError("illegal-move", "A folder cannot be moved into itself.")
            self._make(slot.place)
            self._do("before move")
            self._store.change(*self._tree.moved(receipt.place, one, slot.place, slot.name))
            self._do("after move")
            return self._receipt(slot.place, replace(one, id=f"{number_of(one.id)}/{slot.name}"))

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        """See Removes."""
        with self._store.together:
            one = self._store.one(receipt.place, receipt.id)
            if one is None:
                return
            here = inside(receipt.place, name_of(one))
            if is_folder(one):
                if self._store.held(here):
                    raise ItemError(CHANGED_THERE, "The folder holds something.")
            elif one.version != receipt.version and not _has_the_bytes(one, slot.item):
                raise ItemError(CHANGED_THERE, "Somebody changed the file.")
            below: list[tuple[str, str, Stored | None]] = [("drop", here, None)] if is_folder(one) else []
            self._do("before remove")
            self._store.change(("remove", receipt.place, one), *below)
            self._do("after remove")

    def rehash(self, receipts: Iterable[Receipt]) -> Iterator[tuple[Receipt, Mapping[str, str] | ItemError]]:
        """See Rehashes."""
        for receipt in receipts:
            try:
                yield receipt, {"sha256": hashlib.sha256(self._there(receipt).body).hexdigest()}
            except ItemError as error:
                yield receipt, error

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """See Updates: the star, extended attributes and the time."""
        for change in changes:
            outcome: Receipt | ItemError
            try:
                outcome = self._update(change)
            except ItemError as error:
                outcome = error
            yield change.slot, outcome

    def _update(self, change: Change) -> Receipt:
        receipt = change.receipt
        with self._store.together:
            one = self._there(receipt)
            before = change.before if isinstance(change.before, FileFacts) else FileFacts()
            now, there = _kept(change.slot), one.facts
            facts = replace(
                there,
                created=now.created or there.created,
                starred=now.starred if now.starred != before.starred else there.starred,
                extended=now.extended if now.extended != before.extended else there.extended,
            )
            changed = replace(one, facts=facts, modified=change.slot.item.modified or one.modified)
            self._do("before update")
            self._store.change(("put", receipt.place, changed))
            self._do("after update")
            # What somebody changed is not ours by that.
            return replace(self._receipt(receipt.place, changed), version=receipt.version or changed.version)

    def room(self) -> int | None:
        """See Spacious."""
        if self._quota is None:
            return None
        return max(0, self._quota - sum(len(body) for body in self._tree.files().values()))

    # Large bodies --------------------------------------------------------------------------------

    def piece(self, size: int) -> int | None:
        """See Resumable."""
        return self._piece if size > self._large else None

    def begin(self, slot: Slot) -> str:
        """See Resumable."""
        upload = f"{self._store.tally}-{slot.key}"
        self._do("before begin")
        self._store.make(UPLOADS + upload)
        self._do("after begin")
        return upload

    def received(self, upload: str, piece: int) -> int | None:
        """See Resumable."""
        if upload not in self._tree.uploads():
            return None
        at = 0
        while (one := self._store.one(UPLOADS + upload, _at(at))) is not None and len(one.body) == piece:
            at += piece
        return at

    def append(self, upload: str, slot: Slot, offset: int, body: Body) -> None:
        """See Resumable."""
        data = b"".join(iter(lambda: body.read(CHUNK), b""))
        if upload not in self._tree.uploads():
            raise TransientError("The upload is no longer there.")
        self._do("before append")
        self._store.change(("put", UPLOADS + upload, Stored(_at(offset), data, Kind.FILE, key=slot.key)))
        self._do("after append")

    def finish(self, upload: str, slot: Slot) -> Receipt:
        """See Resumable."""
        with self._store.together:
            if upload not in self._tree.uploads():
                one = self._tree.named(slot.place, slot.name)
                if one is not None and one.key == slot.key and _has_the_bytes(one, slot.item):
                    return self._receipt(slot.place, one)
                raise TransientError("The upload is no longer there.")
            pieces = sorted(self._store.held(UPLOADS + upload), key=lambda one: one.id)
            data = b"".join(one.body for one in pieces)
            if slot.item.size not in (None, len(data)):
                raise IntegrityError(f"{len(data)} bytes arrived, and not {slot.item.size}.")
            return self._put(slot, data, ("drop", UPLOADS + upload, None))

    def abandon(self, upload: str) -> None:
        """See Resumable."""
        with self._store.together:
            if upload in self._tree.uploads():
                self._do("before abandon")
                self._store.change(("drop", UPLOADS + upload, None))
                self._do("after abandon")

    # Beside the bytes ----------------------------------------------------------------------------

    def share(self, receipt: Receipt, share: Share) -> str:
        """See Shares."""
        if share.to in ("user", "group") and self._people is not None and share.name not in self._people:
            raise ItemError("unknown-person", f"There is nobody called {share.name} here.", "Make the account.")
        with self._store.together:
            number = number_of(self._there(receipt).id)
            self._store.make(SHARES)
            said = {"number": number, "to": share.to, "name": share.name, "grant": share.grant.dump()}
            for id_, there in self._tree.beside(SHARES):
                if all(there[name] == said[name] for name in ("number", "to", "name")):
                    if there != said:
                        self._keep(SHARES, id_, said, "share")
                    return id_
            id_ = str(self._store.tally + 1)
            self._keep(SHARES, id_, said, "share")
            return id_

    def unshare(self, share_id: str) -> None:
        """See Shares."""
        with self._store.together:
            if self._store.one(SHARES, share_id) is not None:
                self._do("before unshare")
                self._store.remove(SHARES, share_id)
                self._do("after unshare")

    def annotate(self, receipt: Receipt, notes: Sequence[Note]) -> None:
        """See TakesNotes."""
        with self._store.together:
            number = number_of(self._there(receipt).id)
            self._store.make(NOTES)
            for note in notes:
                written = note.written.isoformat() if note.written else None
                said = {"number": number, "author": note.author, "written": written, "text": note.text}
                if all(there != said for _, there in self._tree.beside(NOTES)):
                    self._keep(NOTES, str(self._store.tally + 1), said, "note")

    def _keep(self, place: str, id_: str, said: dict[str, Any], what: str) -> None:
        self._do(f"before {what}")
        self._store.change(("put", place, Stored(id_, json.dumps(said).encode(), Kind.FILE)))
        self._do(f"after {what}")

    # Helpers -------------------------------------------------------------------------------------

    def _make(self, place: str) -> None:
        """The folder of a place, and those above it, where they are not there."""
        with self._store.together:
            above, _, name = place.rpartition("/")
            if place:
                self._make(above)
                one = self._tree.named(above, name)
                if one is not None and not is_folder(one):
                    raise ItemError(NAME_TAKEN, f"A file is called {name!r} there.", "Rename it.")
            self._tree.mkdir(place)

    def _clash(self, slot: Slot) -> Stored | None:
        """What has the slot's name, or one that cannot be told from it here."""
        if slot.place not in self._store.places():
            return None
        folded = fold(slot.name, self._rules)
        return next((one for one in self._store.held(slot.place) if fold(name_of(one), self._rules) == folded), None)

    def _put(self, slot: Slot, data: bytes, *more: tuple[str, str, Stored | None]) -> Receipt:
        if slot.name in ("", ".", "..") or "/" in slot.name:
            raise ItemError("illegal-name", "A file cannot be called that here.")
        if self._limit is not None and len(data) > self._limit:
            raise ItemError("too-large", f"The server takes at most {self._limit} bytes.")
        with self._store.together:
            there = self._clash(slot)
            if slot.replaces is not None:
                if there is None or there.id != slot.replaces.id or there.version != slot.replaces.version:
                    raise ItemError(CHANGED_THERE, f"Somebody changed {slot.name!r} there.", "Choose one of the two.")
            elif there is not None:
                raise _name_taken(slot)
            room = self.room()
            if room is not None and room + (len(there.body) if there else 0) < len(data):
                raise AccountError("full", "The account is full.", "Free some space, then run the same command again.")
            self._make(slot.place)
            id_ = there.id if there else self._tree.fresh(slot.name)
            made = Stored(id_, data, Kind.FILE, _kept(slot), slot.key, slot.item.modified, self._tree.version())
            self._do("before write")
            self._store.change(("put", slot.place, made), *more)
            self._do("after write")
            return self._receipt(slot.place, made)

    def _there(self, receipt: Receipt) -> Stored:
        one = self._store.one(receipt.place, receipt.id)
        if one is None:
            raise ItemError("gone", "It is no longer there.")
        return one

    @staticmethod
    def _held(place: Place, one: Stored) -> Held:
        size = None if is_folder(one) else len(one.body)
        return Held(place, name_of(one), is_folder(one), one.id, size, one.version)

    @staticmethod
    def _receipt(place: Place, one: Stored) -> Receipt:
        if is_folder(one):
            return Receipt(one.id, place)
        digest = {"sha256": hashlib.sha256(one.body).hexdigest()}
        return Receipt(one.id, place, len(one.body), digest, Evidence.STORED, one.version)


def _at(offset: int) -> str:
    """The id of a piece; their order is that of the ids."""
    return f"{offset:020d}"


def _wants_folder(slot: Slot) -> bool:
    return isinstance(slot.item.facts, FileFacts) and slot.item.facts.folder


def _has_the_bytes(one: Stored, item: Item) -> bool:
    """Whether these are an item's bytes, as far as it is known what they are."""
    if item.size not in (None, len(one.body)):
        return False
    told = item.digests.get("sha256")
    return told is None or hashlib.sha256(one.body).hexdigest() == told


def _kept(slot: Slot) -> FileFacts:
    """The facts that are kept with the file itself: its parent and its shares are told otherwise."""
    facts = slot.item.facts
    if not isinstance(facts, FileFacts):
        return FileFacts()
    return FileFacts(folder=facts.folder, created=facts.created, starred=facts.starred, extended=facts.extended)


def _name_taken(slot: Slot) -> ItemError:
    return ItemError(NAME_TAKEN, f"Something else is called {slot.name!r} there.", "Rename one of the two.")


# A source ----------------------------------------------------------------------------------------


class MemoryFileSource(MemoryManySource):
    """One that also says what an item is like now, and what people wrote about it."""

    def __init__(self, shelf: Shelf, *, step: int = 100, notes: Mapping[str, Sequence[Note]] | None = None) -> None:
        super().__init__(shelf, step=step)
        self._notes = notes or {}

    def describe(self, item: Item) -> Item:
        """See Describes."""
        return self._shelf.now(item)

    def notes(self, item: Item) -> Sequence[Note]:
        """See Annotates."""
        return self._notes.get(item.id, ())
