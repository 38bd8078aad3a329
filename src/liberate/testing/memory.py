"""A source and two destinations in memory that are right by the contract: what the core is tested against.

A `Shelf` is what a source holds, a `Store` what a destination holds. Both outlive the objects that a
job opens on them. A store that is given a file also outlives the process: each change is one line
appended there, whole or not at all, which is what a test that kills processes needs.
"""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from liberate.connector import (
    Account,
    Batch,
    Body,
    Change,
    Collection,
    Connector,
    Cursor,
    Destination,
    Evidence,
    Gone,
    Item,
    Kind,
    Listed,
    Loaded,
    Outcome,
    Place,
    Receipt,
    Renumbered,
    Skipped,
    Slot,
    Source,
    Taken,
    Whole,
)
from liberate.errors import ItemError
from liberate.facts import dump_facts, load_facts
from liberate.files import FileFacts
from liberate.mail import MailFacts, fingerprint
from liberate.naming import Rules
from liberate.settings import Settings

CHUNK = 1000
"""How much a memory source gives at once: little, so that bodies come in several chunks."""


def unwatched(_what: str) -> None:
    """The step function of those who do not count steps."""


# What a source holds -----------------------------------------------------------------------------


@dataclass(slots=True)
class _Entry:
    """The last that happened to one id."""

    thing: Item | Gone | Skipped
    body: bytes
    at: int  # when it happened: cursors count it


@dataclass(slots=True)
class _Shelved:
    collection: Collection
    whole: bool  # without cursors: each listing names everything
    entries: dict[str, _Entry] = field(default_factory=dict)


class Shelf:
    """What one account at a source holds; a test fills and changes it between runs."""

    def __init__(self) -> None:
        self._collections: dict[str, _Shelved] = {}
        self._clock = 0
        self._generation = 0

    def collection(
        self,
        *path: str,
        kind: Kind = Kind.MAIL,
        role: str | None = None,
        ordered: bool = False,
        whole: bool = False,
    ) -> Collection:
        """Make a collection, or find it again. `whole`: it knows no cursors, and each listing names everything."""
        name = "/".join(path) or "/"
        if name not in self._collections:
            self._collections[name] = _Shelved(Collection(name, path, kind, ordered, role), whole)
        return self._collections[name].collection

    def put(self, collection: Collection, item: str, body: bytes, **described: Any) -> Item:
        """Add an item, or replace it: other bytes are another version. `described` are fields of Item.

        Its kind is the collection's, unless `kind` says otherwise: the files of a room.

        What has FileFacts with folder=True is a folder: see also folder().
        """
        self._clock += 1
        values: dict[str, Any] = {"version": hashlib.sha256(body).hexdigest()[:8], "size": len(body), **described}
        facts = values.get("facts")
        if isinstance(facts, FileFacts):
            values.setdefault("facts_version", json.dumps([values.get("name", ""), facts.dump()]))
            if facts.folder:
                values |= {"version": "", "size": None}
        elif isinstance(facts, MailFacts):
            values.setdefault("facts_version", facts.dump())
        made = Item(item, values.pop("kind", collection.kind), **values)
        entries = self._collections[collection.id].entries
        entries.pop(item, None)  # so that what changed last is listed last
        entries[item] = _Entry(made, body, self._clock)
        return made

    def folder(self, collection: Collection, item: str, name: str, parent: str = "", **described: Any) -> Item:
        """Add a folder, or name it anew."""
        return self.put(collection, item, b"", name=name, facts=FileFacts(parent, folder=True), **described)

    def file(
        self, collection: Collection, item: str, name: str, body: bytes, parent: str = "", **described: Any
    ) -> Item:
        """Add a file in a folder, or replace it."""
        return self.put(collection, item, body, **{"name": name, "facts": FileFacts(parent), **described})

    def describe(self, collection: Collection, item: str, **described: Any) -> Item:
        """Change what is said of an item and leave its bytes."""
        entry = self._collections[collection.id].entries[item]
        assert isinstance(entry.thing, Item)
        kept = ("version", "name", "size", "modified", "digests", "facts", "refs", "repeatable")
        old = {name: getattr(entry.thing, name) for name in kept}
        return self.put(collection, item, entry.body, **{**old, **described})

    def skip(self, collection: Collection, item: str, code: str, why: str = "It stays.") -> None:
        """Add something that the source does not hand over."""
        self._clock += 1
        self._collections[collection.id].entries[item] = _Entry(Skipped(item, code, why), b"", self._clock)

    def remove(self, collection: Collection, item: str) -> None:
        """Delete an item, of a folder all that is in it: listings after a cursor say that it is gone."""
        entries = self._collections[collection.id].entries
        for name, entry in list(entries.items()):
            if isinstance(entry.thing, Item) and _parent(entry.thing) == item:
                self.remove(collection, name)
        self._clock += 1
        entries.pop(item, None)
        entries[item] = _Entry(Gone(item), b"", self._clock)

    def drop(self, collection: Collection) -> None:
        """Delete a whole collection."""
        del self._collections[collection.id]

    def corrupt(self, collection: Collection, item: str, body: bytes) -> None:
        """Change an item's bytes behind its description: a source that says one thing and gives another."""
        self._collections[collection.id].entries[item].body = body

    def renumber(self) -> None:
        """Give every item a new id and forget every cursor, as IMAP does when UIDVALIDITY changes."""
        self._generation += 1
        for shelved in self._collections.values():
            old, shelved.entries = shelved.entries, {}
            for name, entry in old.items():
                if isinstance(entry.thing, Item):
                    new = f"{name.partition('@')[0]}@{self._generation}"
                    shelved.entries[new] = replace(entry, thing=replace(entry.thing, id=new))

    def collections(self) -> list[Collection]:
        """Every collection, with the number of its items."""
        out = []
        for one in self._collections.values():
            count = sum(isinstance(entry.thing, Item) for entry in one.entries.values())
            out.append(replace(one.collection, count=count))
        return out

    def listed(self, collection: Collection, since: Cursor | None, step: int = 100) -> Iterator[Listed]:
        """What Source.items promises; a cursor after each `step` things and one at the end, unless it is `whole`."""
        shelved = self._collections[collection.id]
        after = 0
        if since is not None and not shelved.whole:
            generation, _, count = since.partition(".")
            if generation == str(self._generation):
                after = int(count)
            elif generation.isdigit():
                yield Renumbered()
        given: set[str] = set()
        latest = marked = 0
        for entry in list(shelved.entries.values()):
            if entry.at <= after or entry.thing.id in given or (isinstance(entry.thing, Gone) and not after):
                continue
            for one in [*self._above(shelved, entry.thing, after, given), entry]:
                given.add(one.thing.id)
                latest = max(latest, one.at)
                yield one.thing
            if len(given) >= marked + step and latest == entry.at and not shelved.whole:
                marked = len(given)
                yield self._cursor(entry.at)
        if collection.kind is Kind.FILE and not after:
            yield Whole()
        if not shelved.whole:
            yield self._cursor(self._clock)

    @staticmethod
    def _above(shelved: _Shelved, thing: Item | Gone | Skipped, after: int, given: set[str]) -> list[_Entry]:
        """The folders that a thing stands in, outermost first, as far as they are still to be listed."""
        out: list[_Entry] = []
        while isinstance(thing, Item) and (parent := _parent(thing)) and parent not in given:
            entry = shelved.entries[parent]
            if entry.at <= after:
                break
            thing = entry.thing
            out.insert(0, entry)
        return out

    def _cursor(self, at: int) -> Cursor:
        return Cursor(f"{self._generation}.{at}")

    def bodies(self) -> list[bytes]:
        """The bytes of every item."""
        entries = (entry for one in self._collections.values() for entry in one.entries.values())
        return [entry.body for entry in entries if isinstance(entry.thing, Item)]

    def body(self, item: Item) -> bytes:
        """The item's bytes. Raises ItemError("gone")."""
        return self._entry(item).body

    def now(self, item: Item) -> Item:
        """What the item is like now. Raises ItemError("gone")."""
        thing = self._entry(item).thing
        assert isinstance(thing, Item)
        return thing

    def _entry(self, item: Item) -> _Entry:
        for shelved in self._collections.values():
            entry = shelved.entries.get(item.id)
            if entry is not None and isinstance(entry.thing, Item):
                return entry
        raise ItemError("gone", "The item is no longer at the source.")


def _parent(item: Item) -> str:
    """The id of the folder that a file stands in; "": the outermost."""
    return item.facts.parent if isinstance(item.facts, FileFacts) else ""


class MemorySource:
    """One opening of a shelf."""

    def __init__(self, shelf: Shelf, *, step: int = 100) -> None:
        self._shelf = shelf
        self._step = step

    def collections(self) -> Iterator[Collection]:
        """See Source."""
        yield from self._shelf.collections()

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """See Source."""
        yield from self._shelf.listed(collection, since, self._step)

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """See Source."""
        body = self._shelf.body(item)[offset:]
        for at in range(0, len(body), CHUNK):
            yield body[at : at + CHUNK]


class MemoryManySource(MemorySource):
    """One that reads small items together, and answers in another order than it was asked."""

    limit = 100_000  # bytes; larger bodies are for read()

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """See ReadsMany."""
        for item in reversed(items):
            try:
                body = self._shelf.body(item)
            except ItemError as error:
                yield Loaded(item, error)
            else:
                yield Loaded(item, body if len(body) <= self.limit else None)


# What a destination holds ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stored:
    """One thing that a destination holds."""

    id: str  # in its place
    body: bytes
    kind: Kind = Kind.MAIL
    facts: Any = None
    key: str = ""  # of the slot it came from; "" for a stranger's
    modified: datetime | None = None  # of a file
    version: str = ""  # of a file: changes whenever somebody changes its bytes

    def __repr__(self) -> str:
        return f"Stored({self.id}, {len(self.body)} bytes)"


@dataclass(slots=True)
class _Shelf:
    next: int = 1
    held: dict[str, Stored] = field(default_factory=dict)


class Store:
    """What one account at a destination holds. Thread-safe.

    With `file`, what is there is read first, and every change is appended to it as one line; a line
    that was cut off by the death of its process counts as never written.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._places: dict[str, _Shelf] = {}
        self._lock = threading.RLock()
        self._file = file
        self._tally = 0
        if file is not None and file.exists():
            for line in file.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    self._apply(json.loads(line))

    def _apply(self, change: list[list[Any]]) -> None:
        for what, place, *rest in change:
            self._tally += 1
            if what == "drop":
                self._places.pop(place, None)
                continue
            shelf = self._places.setdefault(place, _Shelf())
            if what == "put":
                name, body, kind, facts, key, modified, version = rest
                when = datetime.fromisoformat(modified) if modified else None
                known = load_facts(Kind(kind), facts)
                shelf.held[name] = Stored(name, b64decode(body), Kind(kind), known, key, when, version)
                if name.isdigit():
                    shelf.next = max(shelf.next, int(name) + 1)
            elif what == "remove":
                del shelf.held[rest[0]]

    def change(self, *changes: tuple[str, str, Stored | None]) -> None:
        """Carry out ("make" | "put" | "remove" | "drop", place, what) together or not at all."""
        lines: list[list[Any]] = []
        for what, place, stored in changes:
            line: list[Any] = [what, place]
            if stored is not None and what == "remove":
                line.append(stored.id)
            elif stored is not None:
                facts = dump_facts(stored.kind, stored.facts)
                modified = stored.modified.isoformat() if stored.modified else None
                body = b64encode(stored.body).decode()
                line += [stored.id, body, stored.kind.value, facts, stored.key, modified, stored.version]
            lines.append(line)
        with self._lock:
            if self._file is not None:
                with self._file.open("ab", buffering=0) as file:
                    file.write(json.dumps(lines).encode() + b"\n")
            self._apply(lines)

    @property
    def together(self) -> threading.RLock:
        """Held by whoever looks first and changes then."""
        return self._lock

    @property
    def tally(self) -> int:
        """How many changes there were: a number that only grows."""
        return self._tally

    def make(self, place: str) -> None:
        """Make a place, if it is not there."""
        with self._lock:
            if place not in self._places:
                self.change(("make", place, None))

    def append(self, place: str, *things: Stored) -> list[str]:
        """Put things at the end of a place, all or none; the ids they got: numbers that only grow."""
        with self._lock:
            first = self._places[place].next
            ids = [str(first + n) for n in range(len(things))]
            self.change(*(("put", place, replace(one, id=id_)) for id_, one in zip(ids, things, strict=True)))
            return ids

    def deliver(self, place: str, body: bytes, facts: Any = None) -> str:
        """What a stranger puts there meanwhile; its id."""
        self.make(place)
        return self.append(place, Stored("", body, Kind.MAIL, MailFacts() if facts is None else facts))[0]

    def remove(self, place: str, name: str) -> None:
        """What the account's owner deletes."""
        with self._lock:
            self.change(("remove", place, self._places[place].held[name]))

    def places(self) -> list[str]:
        """The places there are, in order."""
        with self._lock:
            return sorted(self._places)

    def held(self, place: str) -> list[Stored]:
        """What a place holds, in the order it arrived."""
        with self._lock:
            return list(self._places[place].held.values())

    def one(self, place: str, name: str) -> Stored | None:
        """One thing, None if it is not there."""
        with self._lock:
            shelf = self._places.get(place)
            return None if shelf is None else shelf.held.get(name)

    def next(self, place: str) -> int:
        """The number that the next thing in the place will get."""
        with self._lock:
            return self._places[place].next

    def contents(self) -> dict[str, list[tuple[str, str]]]:
        """What stands where, to compare two stores by: (sha256, facts) of each thing, sorted."""
        with self._lock:
            return {
                place: sorted(
                    (hashlib.sha256(one.body).hexdigest(), dump_facts(one.kind, one.facts) or "")
                    for one in shelf.held.values()
                )
                for place, shelf in self._places.items()
                if not place.startswith("\0")  # what stands beside a tree of files: see memory_tree
            }


_MAILBOX_RULES = Rules(forbidden=frozenset("/\\"), reserved_top=frozenset({"inbox"}))


class MailboxDestination:
    """Appends, numbers what it gets, and stores twice what is sent twice: the hardest place to be exact in."""

    line_ends: Literal["any", "crlf"] = "crlf"

    def __init__(
        self,
        store: Store,
        *,
        rules: Rules = _MAILBOX_RULES,
        batch: Batch | None = None,
        limit: int | None = None,
        step: Callable[[str], None] = unwatched,
    ) -> None:
        self._store = store
        self._rules = rules
        self.batch = batch or Batch(10, 100_000)
        self._limit = limit  # bytes of the largest body that it takes
        self._do = step

    @property
    def rules(self) -> Rules:
        """See Destination."""
        return self._rules

    def prepare(self, collection: Collection) -> Place:
        """See Destination. A special folder is called what it is for, whatever its name at the source."""
        for segment in collection.path:
            if len(segment.encode()) > 1000 or any(ord(c) < 32 or c in "/\\" for c in segment):
                raise ItemError("illegal-name", f"A folder cannot be called {segment!r} here.")
        name = collection.role.upper() if collection.role else "/".join(collection.path)
        if self._rules.caseless:
            name = next((one for one in self._store.places() if one.casefold() == name.casefold()), name)
        self._do("before make")
        self._store.make(name)
        self._do("after make")
        return Place(name)

    def mark(self, place: Place) -> str:
        """See Marked."""
        return str(self._store.next(place))

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination: what stands after a slot's mark and has its bytes."""
        out: dict[str, Receipt] = {}
        used: set[tuple[str, str]] = set()
        for slot in slots:
            wanted = slot.item.digests.get("sha256-wire", slot.item.digests.get("sha256"))
            after = [one for one in self._store.held(slot.place) if int(one.id) >= int(slot.mark or "1")]
            claimed = taken(slot.place, [one.id for one in after])
            for one in after:
                if (slot.place, one.id) in used or one.id in claimed:
                    continue
                if hashlib.sha256(one.body).hexdigest() == wanted:
                    used.add((slot.place, one.id))
                    out[slot.key] = self._receipt(slot.place, one)
                    break
        return out

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination."""
        data = b"".join(iter(lambda: body.read(CHUNK), b""))
        (outcome,) = self._append([(slot, data)])
        if isinstance(outcome[1], ItemError):
            raise outcome[1]
        return outcome[1]

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination."""
        one = self._store.one(receipt.place, receipt.id)
        if one is None:
            raise ItemError("gone", "It is no longer there.")
        for at in range(0, len(one.body), CHUNK):
            yield one.body[at : at + CHUNK]

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany."""
        batch: list[tuple[Slot, bytes]] = []
        size = 0
        for slot, body in parts:
            if batch and (
                len(batch) >= self.batch.items or size + len(body) > self.batch.bytes or slot.place != batch[0][0].place
            ):
                yield from self._append(batch)
                batch, size = [], 0
            batch.append((slot, body))
            size += len(body)
        if batch:
            yield from self._append(batch)

    def _append(self, batch: Sequence[tuple[Slot, bytes]]) -> list[Outcome]:
        out: list[Outcome] = []
        good: list[tuple[Slot, bytes]] = []
        for slot, body in batch:
            if self._limit is not None and len(body) > self._limit:
                out.append((slot, ItemError("too-large", f"The server takes at most {self._limit} bytes.")))
            else:
                good.append((slot, body))
        if good:
            place = good[0][0].place
            things = [Stored("", body, s.item.kind, _kept(s.item.facts), s.key) for s, body in good]
            self._do("before append")
            ids = self._store.append(place, *things)
            self._do("after append")
            for (slot, _), id_, thing in zip(good, ids, things, strict=True):
                out.append((slot, self._receipt(place, replace(thing, id=id_))))
        return out

    def copy_many(self, parts: Iterable[tuple[Slot, Receipt]]) -> Iterator[Outcome]:
        """See Copies."""
        for slot, receipt in parts:
            one = self._store.one(receipt.place, receipt.id)
            if one is None:
                yield slot, ItemError("gone", "The original is no longer there.")
                continue
            self._do("before copy")
            (id_,) = self._store.append(slot.place, replace(one, facts=_kept(slot.item.facts), key=slot.key))
            self._do("after copy")
            yield slot, self._receipt(slot.place, replace(one, id=id_))

    def read_back(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
        """See ReadsBack. In another order than it was asked, large ones left to read()."""
        for receipt in reversed(receipts):
            one = self._store.one(receipt.place, receipt.id)
            if one is None:
                yield receipt, ItemError("gone", "It is no longer there.")
            else:
                yield receipt, one.body if len(one.body) <= self.batch.bytes else None

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """See Updates: flags and keywords that the source took away or added, and no others."""
        for change in changes:
            receipt = change.receipt
            one = self._store.one(receipt.place, receipt.id)
            if one is None:
                yield change.slot, ItemError("gone", "It is no longer there.")
                continue
            before, now, there = change.before, change.slot.item.facts, one.facts
            facts = replace(
                there,
                flags=(there.flags - (before.flags - now.flags)) | (now.flags - before.flags),
                keywords=(there.keywords - (before.keywords - now.keywords)) | (now.keywords - before.keywords),
            )
            self._do("before update")
            self._store.change(("put", receipt.place, replace(one, facts=facts)))
            self._do("after update")
            yield change.slot, receipt

    @staticmethod
    def _receipt(place: Place, one: Stored) -> Receipt:
        return Receipt(one.id, place, len(one.body), evidence=Evidence.SIZE)


class PlainMailboxDestination:
    """An appending destination with no power besides Marked: one item a call, no copies, no updates."""

    line_ends: Literal["any", "crlf"] = "crlf"

    def __init__(self, store: Store, *, rules: Rules = _MAILBOX_RULES, step: Callable[[str], None] = unwatched) -> None:
        inner = MailboxDestination(store, rules=rules, step=step)
        self.rules = rules
        self.prepare = inner.prepare
        self.mark = inner.mark
        self.find = inner.find
        self.write = inner.write
        self.read = inner.read


_FOLDER_RULES = Rules(forbidden=frozenset('/\\:*?"<>|'), last=frozenset(". "), caseless=True, max_bytes=250)


class FolderDestination:
    """Keeps each item under its name, as file servers do; the name is never anybody else's."""

    line_ends: Literal["any", "crlf"] = "any"

    def __init__(self, store: Store, *, rules: Rules = _FOLDER_RULES, step: Callable[[str], None] = unwatched) -> None:
        self._store = store
        self._rules = rules
        self._do = step

    @property
    def rules(self) -> Rules:
        """See Destination."""
        return self._rules

    def prepare(self, collection: Collection) -> Place:
        """See Destination."""
        name = "/".join(collection.path)
        if self._rules.caseless:
            name = next((one for one in self._store.places() if one.casefold() == name.casefold()), name)
        self._store.make(name)
        return Place(name)

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination: what stands under a slot's name and came from that slot."""
        out = {}
        for slot in slots:
            one = self._store.one(slot.place, self._id(slot.name))
            if one is not None and one.key == slot.key and not taken(slot.place, [one.id]):
                out[slot.key] = self._receipt(slot.place, one)
        return out

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination."""
        data = b"".join(iter(lambda: body.read(CHUNK), b""))
        there = self._store.one(slot.place, self._id(slot.name))
        if there is not None and there.key != slot.key:
            raise ItemError("name-taken", f"Something else is called {slot.name!r} there.", "Rename one of the two.")
        self._do("before write")
        one = Stored(self._id(slot.name), data, slot.item.kind, slot.item.facts, slot.key)
        self._store.change(("put", slot.place, one))
        self._do("after write")
        return self._receipt(slot.place, one)

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination."""
        one = self._store.one(receipt.place, receipt.id)
        if one is None:
            raise ItemError("gone", "It is no longer there.")
        for at in range(0, len(one.body), CHUNK):
            yield one.body[at : at + CHUNK]

    def _id(self, name: str) -> str:
        return f"={name.casefold() if self._rules.caseless else name}"

    @staticmethod
    def _receipt(place: Place, one: Stored) -> Receipt:
        digest = hashlib.sha256(one.body).hexdigest()
        return Receipt(one.id, place, len(one.body), {"sha256": digest}, Evidence.STORED)


def _kept(facts: Any) -> Any:
    """The facts that a mailbox keeps: labels are folders there."""
    return replace(facts, folders=()) if isinstance(facts, MailFacts) else facts


# Connectors --------------------------------------------------------------------------------------


class NoSettings(Settings):
    """A connector made in a test has its settings in its functions."""


def connector(
    name: str,
    *,
    source: Callable[[Account], Source] | None = None,
    destination: Callable[[Account], Destination] | None = None,
    kinds: Iterable[Kind] = tuple(Kind),
) -> Connector:
    """A connector for a plan, made of functions that open an account."""

    def opening_source(_settings: Any, account: Account) -> AbstractContextManager[Source]:
        assert source is not None
        return nullcontext(source(account))

    def opening_destination(_settings: Any, account: Account) -> AbstractContextManager[Destination]:
        assert destination is not None
        return nullcontext(destination(account))

    return Connector(
        name,
        name,
        frozenset(kinds),
        NoSettings,
        opening_source if source is not None else None,
        opening_destination if destination is not None else None,
    )


def digests_of(item: Item, body: bytes, *, crlf: bool = True) -> Mapping[str, str]:
    """The digests that the core gives a destination with an item."""
    if item.kind is Kind.MAIL and crlf:
        return fingerprint(body)
    return {"sha256": hashlib.sha256(body).hexdigest()}
