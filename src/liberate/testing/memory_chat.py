"""A source of chat in memory that is right by the contract: rooms, people, messages and the files on them.

A message's item has the message's id, so ids must differ in all of a shelf. Reactions and pins are facts: a
message that gets another reaction keeps its version.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from liberate.chat import Author, Block, ChatFacts, File, Message, Paragraph, Room, RoomKind, Text, Workspace
from liberate.connector import Collection, Cursor, Gone, Item, Kind, Listed
from liberate.errors import ItemError
from liberate.testing.memory_shelf import MemorySource, Shelf

BEGIN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
STEP = timedelta(seconds=90)


class ChatShelf(Shelf):
    """What one workspace at a source holds; a test fills and changes it between runs."""

    def __init__(self, workspace: Workspace | None = None) -> None:
        super().__init__()
        self.workspace = workspace or Workspace("W1", "Solros", "https://solros.example")
        self.authors: dict[str, Author] = {}
        self.rooms: dict[str, Room] = {}
        self._first: dict[str, int] = {}  # when an item was put first: rooms are listed in this order
        self._pinned: set[str] = set()
        self._beside: dict[str, bytes] = {}
        self._said = 0

    def person(self, id_: str, name: str, **described: Any) -> Author:
        """Add somebody, or name them anew. `described` are fields of Author."""
        self.authors[id_] = Author(id_, name, **described)
        return self.authors[id_]

    def room(self, id_: str, name: str = "", kind: RoomKind = RoomKind.PUBLIC, **described: Any) -> Collection:
        """Make a room, or describe it anew. `described` are fields of Room, `pins` excepted: see post."""
        self.rooms[id_] = Room(id_, name, kind, self.workspace, **described)
        collection = self.collection(id_, kind=Kind.CHAT, ordered=True)
        self._collections[id_].collection = replace(collection, path=(name or id_,))
        return self._collections[id_].collection

    def upload(self, room: Collection, id_: str, name: str, body: bytes, media_type: str = "") -> File:
        """Put a file into a room; what to give a message that it hangs on."""
        self.put(room, id_, body, kind=Kind.FILE, name=name)
        return File(id_, name, media_type, len(body))

    def say(self, room: Collection, author: str, *said: Block | str, **described: Any) -> Message:
        """Post a message a little later than the last one. `described` are fields of Message, and `pinned`."""
        self._said += 1
        blocks = tuple(Paragraph((Text(one),)) if isinstance(one, str) else one for one in said)
        pinned = described.pop("pinned", False)
        values = {"id": f"m{self._said}", "time": BEGIN + self._said * STEP, "blocks": blocks, **described}
        return self.post(room, Message(author=author, **values), pinned=pinned)

    def post(self, room: Collection, message: Message, *, pinned: bool = False) -> Message:
        """Put a message into a room, or change it."""
        self._pinned.discard(message.id)
        if pinned:
            self._pinned.add(message.id)
        refs = (*((message.thread,) if message.thread else ()), *(one.id for one in message.files if one.id))
        facts = ChatFacts(message.reactions, pinned)
        version = hashlib.sha256(replace(message, reactions=()).dump()).hexdigest()[:8]
        described = {"version": version, "size": None, "facts": facts, "facts_version": facts.dump()}
        self.put(room, message.id, message.dump(), refs=refs, **described)
        return message

    def put(self, collection: Collection, item: str, body: bytes, **described: Any) -> Item:
        """See Shelf."""
        made = super().put(collection, item, body, **described)
        self._first.setdefault(item, self._clock)
        return made

    def picture(self, id_: str, body: bytes) -> None:
        """What an Author or Workspace calls its picture, or one of its emoji."""
        self._beside[id_] = body

    def shown(self, id_: str) -> bytes | None:
        """What `picture` was given under that id."""
        return self._beside.get(id_)

    def body(self, item: Item) -> bytes:
        """See Shelf."""
        return self._beside[item.id] if item.id in self._beside else super().body(item)

    def listed(self, collection: Collection, since: Cursor | None, step: int = 100) -> Iterator[Listed]:
        """What Source.items promises, oldest first; a cursor where everything up to it has been listed."""
        told = since.rpartition(".")[2] if since is not None else ""
        after = int(told) if told.isdigit() else 0
        entries = self._collections[collection.id].entries.values()
        things = [one for one in entries if one.at > after and (after or not isinstance(one.thing, Gone))]
        things.sort(key=lambda one: self._first.get(one.thing.id, one.at))
        later = [self._clock + 1] * (len(things) + 1)  # the earliest change that is still to be listed
        for at in reversed(range(len(things))):
            later[at] = min(later[at + 1], things[at].at)
        for at, one in enumerate(things, 1):
            yield one.thing
            if at % step == 0 and later[at] > one.at:
                yield self._cursor(min(later[at] - 1, self._clock))
        yield self._cursor(self._clock)

    def described(self, collection: Collection) -> Room:
        """What HasRooms.room tells."""
        if collection.id not in self._collections:
            raise ItemError("gone", "The room is no longer there.")
        entries = self._collections[collection.id].entries
        pins = sorted(self._pinned & entries.keys(), key=self._first.__getitem__)
        return replace(self.rooms[collection.id], pins=tuple(pins))

    def known(self, id_: str) -> Author:
        """What HasRooms.author tells."""
        return self.authors.get(id_) or Author(id_, id_, kind="stranger")


class ChatSource(MemorySource):
    """One opening of a shelf of rooms."""

    def __init__(self, shelf: ChatShelf, *, step: int = 100) -> None:
        super().__init__(shelf, step=step)
        self._rooms = shelf

    def room(self, collection: Collection) -> Room:
        """See HasRooms."""
        return self._rooms.described(collection)

    def author(self, id_: str) -> Author:
        """See HasRooms."""
        return self._rooms.known(id_)


class ShelfCast:
    """The Cast of a shelf's people, for tests of a destination by itself."""

    def __init__(self, shelf: ChatShelf, users: Mapping[str, str] | None = None) -> None:
        self._shelf = shelf
        self._users = users or {}

    def author(self, id_: str) -> Author:
        """See Cast."""
        return self._shelf.known(id_)

    def user(self, id_: str) -> str | None:
        """See Cast."""
        return self._users.get(id_)

    def picture(self, id_: str) -> bytes | None:
        """See Cast."""
        return self._shelf.shown(id_)
