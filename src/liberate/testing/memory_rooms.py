"""A destination of chat in memory that is right by the contract: rooms whose messages stand in the order they came.

Like a chat server it keeps a message as several things, what was said and who reacted, so that an attempt may end
between the two.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from liberate.chat import ChatFacts, Message, Reaction, Recalled, Room, plain, shown, told
from liberate.connector import (
    Batch,
    Body,
    Cast,
    Change,
    Collection,
    Evidence,
    Kind,
    Outcome,
    Place,
    Receipt,
    Slot,
    Taken,
)
from liberate.errors import ItemError
from liberate.naming import Rules
from liberate.testing.memory import unwatched
from liberate.testing.memory_shelf import CHUNK
from liberate.testing.memory_store import Store, Stored

ROOMS = "\0rooms"  # what each room is, beside what was said in it
PICTURES = "\0pictures"  # of those who spoke, by what they are called


@dataclass(frozen=True, slots=True)
class _Said:
    """What stands in the room for a message."""

    message: Message  # without reactions
    sender: str
    files: tuple[str, ...]  # ids of receipts
    thread: str  # the same of the thread's first message
    text: str

    def dump(self) -> bytes:
        rest = {"sender": self.sender, "files": self.files, "thread": self.thread, "text": self.text}
        return json.dumps({"message": self.message.dump().decode(), **rest}, sort_keys=True).encode()

    @classmethod
    def load(cls, data: bytes) -> _Said:
        out = json.loads(data)
        message = Message.load(out["message"].encode())
        return cls(message, out["sender"], tuple(out["files"]), out["thread"], out["text"])


class RoomsDestination:
    """See KeepsRooms, Recalls, WritesMany and Updates."""

    line_ends: Literal["any", "crlf"] = "any"
    rules = Rules()
    batch = Batch(10, 4 * CHUNK)

    def __init__(self, store: Store, *, step: Callable[[str], None] = unwatched) -> None:
        self._store = store
        self._do = step
        self._casts: dict[Place, Cast] = {}
        self._keys: dict[Place, dict[str, str]] = {}  # of slots, and the ids of what they left

    def prepare(self, collection: Collection) -> Place:
        """See KeepsRooms."""
        raise ItemError("no-room", "Only rooms are kept here.")

    def open_room(self, room: Room, cast: Cast) -> Place:
        """See KeepsRooms."""
        place = Place(f"room {room.id}")
        if place not in self._store.places():
            self._do("before make room")
            self._store.make(place)
            self._do("after make room")
        self._casts[place] = cast
        return place

    def close_room(self, place: Place, room: Room, pinned: Mapping[str, Receipt]) -> Mapping[str, ItemError]:
        """See KeepsRooms."""
        said = {
            "topic": room.topic,
            "members": room.members,
            "pins": [pinned[one].id for one in room.pins if one in pinned],
            "bookmarks": [[one.title, one.url] for one in room.bookmarks],
        }
        self._store.make(ROOMS)
        self._do("before close room")
        self._store.change(("put", ROOMS, Stored(place, json.dumps(said, sort_keys=True).encode(), Kind.FILE)))
        self._do("after close room")
        return {}

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination: what is whole."""
        out = {}
        for slot in slots:
            one = self._by_key(slot.place, slot.key)
            if one is not None and self._version(slot) == one.version:
                out[slot.key] = self._receipt(slot.place, one)
        return out

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination."""
        return self._put(slot, b"".join(iter(lambda: body.read(CHUNK), b"")))

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany."""
        for slot, data in parts:
            try:
                yield slot, self._put(slot, data)
            except ItemError as error:
                yield slot, error

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """See Updates."""
        for change in changes:
            one = self._store.one(change.slot.place, change.receipt.id)
            if one is not None and isinstance(change.slot.item.facts, ChatFacts):
                self._react(change.slot, one, change.slot.item.facts.reactions)
            yield change.slot, change.receipt

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination."""
        one = self._store.one(receipt.place, receipt.id)
        if one is None:
            raise ItemError("gone", "It is no longer there.")
        for at in range(0, len(one.body), CHUNK):
            yield one.body[at : at + CHUNK]

    def recall(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, Recalled | ItemError]]:
        """See Recalls."""
        for receipt in receipts:
            one = self._store.one(receipt.place, receipt.id)
            if one is None:
                yield receipt, ItemError("gone", "It is no longer there.")
                continue
            said = _Said.load(one.body)
            reacted = one.facts.reactions if isinstance(one.facts, ChatFacts) else ()
            pairs = {(shown(each.emoji), author) for each in reacted for author in each.authors}
            yield (
                receipt,
                Recalled(said.sender, said.message.time, said.text, said.files, said.thread, frozenset(pairs)),
            )

    def called(self, place: Place, author: str) -> str:
        """See Recalls."""
        cast = self._casts[place]
        return cast.user(author) or f"ghost of {author}"

    def _put(self, slot: Slot, data: bytes) -> Receipt:
        if slot.item.kind is Kind.FILE:
            there = self._by_key(slot.place, slot.key)
            return self._receipt(slot.place, there or self._keep(slot, data, self._version(slot), "file"))
        message = Message.load(data)
        self._show(slot.place, message.author)
        files = tuple(slot.refs[one.id].id for one in message.files if one.id in slot.refs)
        root = slot.refs.get(message.thread)
        thread = root.id if root is not None else ("no root" if message.thread else "")
        text = plain(told(message, set(slot.refs)))
        said = _Said(replace(message, reactions=()), self.called(slot.place, message.author), files, thread, text)
        there = self._by_key(slot.place, slot.key)
        if there is None:
            there = self._keep(slot, said.dump(), "half", "say")
        elif there.body != said.dump():
            self._do("before edit")
            self._store.change(("put", slot.place, replace(there, body=said.dump(), version="half")))
            self._do("after edit")
        return self._receipt(slot.place, self._react(slot, there, message.reactions))

    def _show(self, place: Place, author: str) -> None:
        """Give somebody without an account their picture, before they first speak."""
        cast, called = self._casts[place], self.called(place, author)
        picture = cast.author(author).picture
        if cast.user(author) is not None or not picture or self._store.one(PICTURES, called) is not None:
            return
        data = cast.picture(picture)
        if data is not None:
            self._do("before picture")
            self._store.make(PICTURES)
            self._store.change(("put", PICTURES, Stored(called, data, Kind.FILE)))
            self._do("after picture")

    def _keep(self, slot: Slot, data: bytes, version: str, what: str) -> Stored:
        self._do(f"before {what}")
        one = Stored("", data, slot.item.kind, None, slot.key, slot.item.modified, version)
        (id_,) = self._store.append(slot.place, one)
        self._do(f"after {what}")
        return replace(one, id=id_)

    def _react(self, slot: Slot, one: Stored, reactions: Sequence[Reaction]) -> Stored:
        there = self._store.one(slot.place, one.id) or one
        mapped = [replace(each, authors=tuple(self.called(slot.place, a) for a in each.authors)) for each in reactions]
        now = replace(there, facts=ChatFacts(tuple(mapped)), version=self._version(slot))
        if now != there:
            self._do("before react")
            self._store.change(("put", slot.place, now))
            self._do("after react")
        return now

    def _by_key(self, place: Place, key: str) -> Stored | None:
        keys = self._keys.setdefault(place, {})
        if key not in keys:
            keys.update((one.key, one.id) for one in self._store.held(place)[len(keys) :])
        return self._store.one(place, keys[key]) if key in keys else None

    @staticmethod
    def _version(slot: Slot) -> str:
        return f"whole {slot.item.version}"

    @staticmethod
    def _receipt(place: Place, one: Stored) -> Receipt:
        size: Any = len(one.body) if one.kind is Kind.FILE else None
        return Receipt(one.id, place, size, {}, Evidence.SIZE if size is not None else Evidence.NONE)
