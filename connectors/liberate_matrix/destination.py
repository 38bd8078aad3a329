"""Rooms of a Matrix homeserver as a destination of chat.

Everything is sent in its order, one request after the other: a room's events stand in the order in which they came,
and no time can change that. Each event carries the key of its slot, its part and the version it shows, so that what
an attempt left is found again in the room itself, and a transaction id made of the same, so that the homeserver
knows a request again that it has answered already.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Any, Literal, Self

from liberate.chat import ChatFacts, Message, Recalled, Room
from liberate.connector import (
    Account,
    Batch,
    Body,
    Cast,
    Change,
    Collection,
    Kind,
    Outcome,
    Place,
    Receipt,
    Remark,
    Slot,
    Taken,
)
from liberate.errors import ItemError
from liberate.naming import Rules
from liberate_matrix import joins, recalling, refusals, searching
from liberate_matrix.bookmarks import Bookmarks
from liberate_matrix.checking import Checking
from liberate_matrix.client import Client
from liberate_matrix.closing import Closing
from liberate_matrix.contents import key_of, puts, version_of
from liberate_matrix.media import Media
from liberate_matrix.people import People
from liberate_matrix.pictures import Pictures
from liberate_matrix.registration import read
from liberate_matrix.removing import Removing
from liberate_matrix.rooms import Opened, Rooms
from liberate_matrix.saying import Saying
from liberate_matrix.settings import MatrixSettings
from liberate_matrix.standing import SAID, Standing, collect, until


class MatrixDestination:
    """A homeserver, for as long as it is open."""

    line_ends: Literal["any", "crlf"] = "any"
    rules = Rules()
    batch = Batch(100, 4 << 20)

    def __init__(
        self, settings: MatrixSettings, account: Account | None = None, step: Callable[[str], None] | None = None
    ) -> None:
        self._settings = settings
        self._registration = read(settings.registration)
        self._step = step
        self._opened: dict[Place, Opened] = {}
        self._unfinished: dict[tuple[Place, str], Standing] = {}
        self._members: dict[Place, str] = {}
        self._searched: dict[Place, searching.Room] = {}

    def __enter__(self) -> Self:
        self._client = client = Client(self._settings, self._registration, self._step)
        self._pictures = Pictures(client)
        self._people = People(client, self._settings.prefix, self._pictures)
        self._people.ready(client.bot)
        self._rooms = Rooms(client, self._people, self._settings)
        self._media = Media(client)
        self._closing = Closing(client, self._people, self._rooms, self._settings)
        self._removing = Removing(client, self._people, self._settings)
        self._saying = Saying(client, self._people, self._rooms, self._closing)
        self._bookmarks = Bookmarks(client, self._people, self._rooms, self._saying)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        for room in self._searched.values():
            room.close()
        self._searched.clear()

    # Rooms ---------------------------------------------------------------------------------------

    def prepare(self, collection: Collection) -> Place:
        """Rooms are opened, see `open_room`."""
        raise ItemError("no-room", "A Matrix homeserver takes rooms of chat, and nothing else.")

    def open_room(self, room: Room, cast: Cast) -> Place:
        opened = self._rooms.open(room, cast)
        self._opened[opened.place] = opened
        self._members.pop(opened.place, None)
        return opened.place

    def close_room(self, place: Place, room: Room, pinned: Mapping[str, Receipt]) -> Mapping[str, ItemError]:
        self._forget_search(place)
        opened = self._opened[place]
        if not opened.direct:
            space = self._rooms.space(room.workspace)
            self._pictures.adorn(space.id, space.owner, room.workspace, opened.cast)
        bookmarks = self._bookmarks.stand(opened, room)
        return self._closing.close(opened, room, [pinned[one].id for one in room.pins if one in pinned], bookmarks)

    # Finding -------------------------------------------------------------------------------------

    def mark(self, place: Place) -> str:
        """The newest thing said in the room; "" for nothing yet."""
        for event in self._client.history(self._reader(place), place, SAID, 1):
            return str(event["event_id"])
        return ""

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """What is whole. What is half there is remembered, and finished when its slot is written."""
        out = {}
        by_place: dict[Place, list[Slot]] = {}
        for slot in slots:
            if slot.item.kind is Kind.FILE:
                if receipt := self._media.find(slot):
                    out[slot.key] = receipt
            else:
                by_place.setdefault(slot.place, []).append(slot)
        for place, some in by_place.items():
            standing = self._standing(place, some)
            for slot in some:
                there = standing.get(key_of(slot.item))
                if there is None:
                    continue
                if there.whole(version_of(slot.item.version)):
                    out[slot.key] = Receipt(there.first, place)
                else:
                    self._unfinished[place, slot.key] = there
        for place in {receipt.place for receipt in out.values()}:
            theirs = taken(place, [one.id for one in out.values() if one.place == place])
            out = {key: one for key, one in out.items() if one.place != place or one.id not in theirs}
        return out

    def _standing(self, place: Place, slots: Sequence[Slot]) -> dict[str, Standing]:
        """By key, what there is of these slots' messages; the whole room is read only once, and only if it must be."""
        keys = [key_of(one.item) for one in slots]
        if all(one.mark for one in slots):
            said = until(self._client.history(self._reader(place), place, SAID), (one.mark for one in slots))
            return collect(said, set(keys))
        if place not in self._searched:
            self._searched[place] = searching.Room(self._client.history(self._reader(place), place, SAID))
        return self._searched[place].standing(keys)

    def _forget_search(self, place: Place) -> None:
        if (room := self._searched.pop(place, None)) is not None:
            room.close()

    # Writing -------------------------------------------------------------------------------------

    def write(self, slot: Slot, body: Body) -> Receipt:
        if slot.item.kind is Kind.FILE:
            return self._media.write(slot, body)
        return self._say(slot, _whole(body))

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """One after the other: the order of what was said is the order in which it is sent."""
        for slot, data in parts:
            try:
                if slot.item.kind is Kind.FILE:
                    yield slot, self._media.write(slot, _Held(data))
                else:
                    yield slot, self._say(slot, data)
            except ItemError as error:
                yield slot, error

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """Reactions that came or went since; pins are set when the room is closed."""
        for change in changes:
            before, now = change.before, change.slot.item.facts
            try:
                if isinstance(now, ChatFacts):
                    old = {one.label for one in puts(before.reactions)} if isinstance(before, ChatFacts) else set()
                    new = puts(now.reactions)
                    labels = {one.label for one in new}
                    opened = self._opened[change.slot.place]
                    added = [one for one in new if one.label not in old]
                    self._saying.react(opened, change.slot, change.receipt.id, added)
                    gone = [one for one in puts(before.reactions) if one.label not in labels] if old else []
                    self._saying.take_back(opened, change.slot, change.receipt.id, gone)
                yield change.slot, change.receipt
            except ItemError as error:
                yield change.slot, error

    def _say(self, slot: Slot, data: bytes) -> Receipt:
        try:
            message = Message.load(data)
        except ValueError:
            raise ItemError("unreadable", "This is no message that this version of liberate knows.") from None
        opened = self._opened[slot.place]
        standing = self._unfinished.get((slot.place, slot.key), Standing())
        if slot.replaces is not None:
            there = recalling.parts(self._client, self._reader(slot.place), slot.place, slot.replaces.id)
            standing.parts = {**standing.parts, **there}
        receipt = self._saying.say(opened, slot, message, standing)
        self._unfinished.pop((slot.place, slot.key), None)
        return receipt

    # Checking ------------------------------------------------------------------------------------

    def check(self) -> Iterator[Remark]:
        return Checking(self, self._client, self._settings).run()

    def forecast(self, rooms: Iterable[Room], cast: Cast) -> Iterator[Remark]:
        """See ForecastsRooms: how many joins the rooms take. Also what a check before it found out about their pace."""
        count = joins.Counting(self._client, self._people, self._rooms, self._settings).count(rooms, cast)
        return joins.told(count, joins.measured.get(self._settings.url))

    def spent(self) -> Mapping[str, int]:
        """See Spends."""
        return {"join": self._client.joins}

    def join_in(self, place: Place, author: str, time: datetime) -> float:
        """Bring an author into an open room, and say how many seconds the join took."""
        opened = self._opened[place]
        user = opened.names.user(author)
        self._people.ready(user, opened.cast, author)
        before = monotonic()
        self._rooms.join(opened, user, opened.stamp(time), to_speak=True)
        return monotonic() - before

    def place_of(self, room: Room) -> Place | None:
        """Where the room is, if it was made, whole or not."""
        found = self._client.resolve(self._rooms.alias(room.workspace.id, room.id))
        return None if found is None else Place(found)

    # Taking back ---------------------------------------------------------------------------------

    def remove_room(self, place: Place, files: Sequence[Receipt]) -> None:
        self._removing.remove(place, files)

    # Reading -------------------------------------------------------------------------------------

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """The bytes of a file. Of a message its first event, as JSON: `recall` tells what it says."""
        if receipt.id.startswith("mxc://"):
            return self._media.read(receipt)
        event = self._client.event(self._reader(receipt.place), receipt.place, receipt.id)
        return iter((json.dumps(event, ensure_ascii=False, sort_keys=True).encode(),))

    def recall(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, Recalled | ItemError]]:
        for receipt in receipts:
            try:
                yield receipt, recalling.recall(self._client, self._member(receipt.place), receipt)
            except ItemError as error:
                yield receipt, error

    def called(self, place: Place, author: str) -> str:
        return self._opened[place].names.user(author)

    def _reader(self, place: Place) -> str:
        """Somebody who is in the room. Raises ItemError("gone") where nobody is."""
        opened = self._opened.get(place)
        return opened.owner if opened is not None else self._member(place)

    def _member(self, place: Place) -> str:
        """Somebody who is in the room and has no more rights there than others, if there is anybody.

        Raises ItemError("gone") where nobody of this homeserver is in it.
        """
        if place not in self._members:
            joined = self._client.joined(self._client.bot, place)
            if not joined:
                raise refusals.gone()
            self._members[place] = self._people.plainest(joined, self._client.creator(min(joined), place))
        return self._members[place]


class _Held:
    """A body that is there already."""

    def __init__(self, data: bytes) -> None:
        self.size: int | None = len(data)
        self._data = data

    def read(self, n: int = -1, /) -> bytes:
        n = len(self._data) if n < 0 else n
        out, self._data = self._data[:n], self._data[n:]
        return out


def _whole(body: Body) -> bytes:
    chunks: list[Any] = []
    while chunk := body.read(256 << 10):
        chunks.append(chunk)
    return b"".join(chunks)
