"""A source in memory that is right by the contract. A `Shelf` is what it holds, and outlives what a job opens on it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from liberate.connector import (
    Collection,
    Cursor,
    Gone,
    Item,
    Kind,
    Listed,
    Loaded,
    Renumbered,
    Skipped,
    Whole,
)
from liberate.errors import ItemError
from liberate.files import FileFacts
from liberate.mail import MailFacts

CHUNK = 1000
"""How much a memory source gives at once: little, so that bodies come in several chunks."""


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
