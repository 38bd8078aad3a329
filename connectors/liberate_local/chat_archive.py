"""A folder as a destination of chat: JSON lines for programs, pages for people. See docs/reference/chat-archive.md."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, tzinfo
from itertools import islice
from pathlib import Path
from typing import Literal

from liberate.chat import ChatFacts, Room
from liberate.connector import Batch, Body, Cast, Change, Collection, Kind, Outcome, Place, Receipt, Slot, Taken
from liberate.errors import ItemError, TransientError
from liberate.naming import Rules
from liberate_local.archive_contents import write_contents
from liberate_local.archive_index import people_of
from liberate_local.archive_names import RULES
from liberate_local.archive_pages import RoomPages
from liberate_local.archive_register import Register, load, room_of, room_said, save
from liberate_local.archive_room import Batch as Together
from liberate_local.archive_room import RoomFolder, Waiting
from liberate_local.archive_view import Look, page_of
from liberate_local.durable import forget, sync_folder
from liberate_local.paths import writing
from liberate_local.standing import CHUNK

_THING = "The chat archive"
_NAMES = (b"messages.jsonl", b"room.json", b".index.sqlite", b".index.sqlite-journal")


class ChatArchive:
    """Keeps each room in a folder of its own. Its pages are written when a room is closed, from its lines alone."""

    line_ends: Literal["any", "crlf"] = "any"
    batch = Batch(items=500, bytes=8 << 20)

    def __init__(
        self,
        root: Path,
        zone: tzinfo = UTC,
        zone_name: str = "UTC",
        step: Callable[[str], None] = lambda _what: None,
    ) -> None:
        self._root = os.fsencode(root)
        self._register = Register(self._root)
        self._zone, self._zone_name = zone, zone_name
        self._casts: dict[Place, Cast] = {}
        self._rooms: dict[Place, RoomFolder] = {}
        self._do = step

    @property
    def rules(self) -> Rules:
        return RULES

    def close(self) -> None:
        """Let go of what is open."""
        for room in self._rooms.values():
            room.close()
        self._rooms.clear()

    def prepare(self, collection: Collection) -> Place:
        raise ItemError("not-a-room", "A chat archive takes rooms only.", "Move this to another destination.")

    def _folder(self, place: Place) -> RoomFolder:
        if place not in self._rooms:
            self._rooms[place] = RoomFolder(place, self._register.path(*place.split("/")))
        return self._rooms[place]

    # Rooms ---------------------------------------------------------------------------------------

    def open_room(self, room: Room, cast: Cast) -> Place:
        with _writing():
            self._register.prepare(room.workspace)
            self._do("after making the archive")
            self._register.meet((*room.members, room.creator), cast)
            self._do("after meeting people")
            entry = self._register.entry(room)
            self._do("after making the room")
            place = Place(entry.folder)
            self._casts[place] = cast
            path = self._register.path(*entry.folder.split("/"), "room.json")
            if not os.path.exists(path):
                save(path, room_said(room))
            return place

    def close_room(self, place: Place, room: Room, pinned: Mapping[str, Receipt]) -> Mapping[str, ItemError]:
        with _writing():
            folder = self._folder(place)
            cast = self._casts.get(place)
            if cast is not None:
                self._register.meet((*room.members, room.creator), cast)
            entry = self._register.entry(room)
            save(self._register.path(*place.split("/"), "room.json"), room_said(room))
            self._do("after describing the room")
            with folder.alone():
                folder.index.refresh()
                searches = RoomPages(folder, room, entry, self._look(room.workspace.name)).write()
                looks = folder.index.looks_at()
            self._do("after writing the room's pages")
            messages, files, first, last = folder.index.counts()
            now = replace(
                entry,
                messages=messages,
                files=files,
                first=first,
                last=last,
                looks_at=tuple(sorted(looks)),
                searches=tuple((one.name, one.messages) for one in searches),
            )
            self._register.change(now)
            self._do("after recording the room")
            if folder.index.has_moves():
                self._tell_others(room)
                folder.index.forget_moves()
            self._do("after telling other rooms")
            self._write_contents(room.workspace.name)
        return {}

    def _look(self, workspace: str) -> Look:
        return Look(
            self._zone, self._zone_name, workspace, self._register.people(), self._register.entries(), self._elsewhere
        )

    def _elsewhere(self, room: str, message: str) -> str | None:
        entry = self._register.entries().get(room)
        if entry is None:
            return None
        folder = self._folder(Place(entry.folder))
        return page_of(folder.index, message) if folder.index.is_made() else None

    def _tell_others(self, room: Room) -> None:
        """Write those pages of other rooms again that link into this one."""
        for id_, entry in self._register.entries().items():
            if id_ == room.id or not any(one == room.id or room.id.startswith(f"{one}/") for one in entry.looks_at):
                continue
            folder = self._folder(Place(entry.folder))
            said = load(self._register.path(*entry.folder.split("/"), "room.json"))
            if said is None or not folder.index.is_made():
                continue
            with folder.alone():
                folder.index.refresh()
                other = RoomPages(folder, room_of(said, room.workspace), entry, self._look(room.workspace.name))
                other.rewrite(folder.index.pages_that_name(room.id))

    def _write_contents(self, workspace: str) -> None:
        with self._register.alone():
            write_contents(self._root, workspace, self._register.entries(), self._register.people())

    # Writing -------------------------------------------------------------------------------------

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination. What earlier attempts did not finish is removed on the way."""
        out = {}
        by_place: dict[Place, list[Slot]] = {}
        for slot in slots:
            by_place.setdefault(slot.place, []).append(slot)
        with _writing():
            for place, some in by_place.items():
                for slot, receipt in self._folder(place).find(some):
                    if not taken(place, [receipt.id]):
                        out[slot.key] = receipt
        return out

    def write(self, slot: Slot, body: Body) -> Receipt:
        folder = self._folder(slot.place)
        with _writing():
            if slot.item.kind is Kind.FILE:
                waiting: Waiting | bytes = folder.file(slot, body)
                self._do("after a file's bytes")
            else:
                waiting = b"".join(iter(lambda: body.read(CHUNK), b""))
                self._meet(slot.place, people_of(folder.message(waiting)))
            ((_, receipt),) = folder.add([(slot, waiting)], self._do)
            return receipt

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        left = iter(parts)
        while some := self._write_some(islice(left, self.batch.items)):
            yield from some

    def _write_some(self, some: Iterable[tuple[Slot, bytes]]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        batches: dict[Place, Together] = {}
        people: dict[Place, set[str]] = {}
        try:
            with _writing():
                for slot, body in some:
                    folder = self._folder(slot.place)
                    try:
                        one: Waiting | bytes = body
                        if slot.item.kind is Kind.FILE:
                            one = folder.file(slot, body)
                        else:
                            people.setdefault(slot.place, set()).update(people_of(folder.message(body)))
                    except ItemError as error:
                        outcomes.append((slot, error))
                        continue
                    batches.setdefault(slot.place, []).append((slot, one))
                self._do("after the files' bytes")
                for place in list(batches):
                    self._meet(place, people.get(place, ()))
                    outcomes += self._folder(place).add(batches.pop(place), self._do)
        finally:
            for batch in batches.values():
                RoomFolder.abandon(batch)
        return outcomes

    def _meet(self, place: Place, people: Iterable[str]) -> None:
        """Record who messages speak of, before they are there: later nobody may be able to tell."""
        cast = self._casts.get(place)
        if cast is not None:
            self._register.meet(people, cast)
            self._do("after meeting people")

    # Reading and changing ------------------------------------------------------------------------

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        try:
            yield from self._folder(receipt.place).read(receipt)
        except sqlite3.Error as error:
            raise _unreadable(error) from error

    def read_back(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
        for receipt in receipts:
            if receipt.id.startswith("file/"):
                yield receipt, None
                continue
            try:
                yield receipt, self._folder(receipt.place).body(receipt)
            except ItemError as error:
                yield receipt, error

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        left = iter(changes)
        while some := list(islice(left, self.batch.items)):
            with _writing():
                for place in {change.slot.place for change in some}:
                    yield from self._update(place, [one for one in some if one.slot.place == place])

    def _update(self, place: Place, changes: Sequence[Change]) -> list[Outcome]:
        folder = self._folder(place)
        folder.index.refresh()
        outcomes: list[Outcome] = []
        lines = []
        for change in changes:
            facts = change.slot.item.facts
            try:
                if isinstance(facts, ChatFacts) and (line := folder.facts_line(change.slot.key, facts)):
                    lines.append(line)
                    if cast := self._casts.get(place):
                        self._register.meet((id_ for one in facts.reactions for id_ in one.authors), cast)
                outcomes.append((change.slot, change.receipt))
            except ItemError as error:
                outcomes.append((change.slot, error))
        if lines:
            folder.lines.append(lines)
            self._do("after changing facts")
        return outcomes

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        with _writing():
            folder = self._folder(slot.place)
            if not os.path.isdir(folder.folder):
                return
            folder.remove(slot, receipt)
            folder.index.refresh()
            if folder.index.counts()[:2] == (0, 0):
                self._take_down(slot.place)

    def _take_down(self, place: Place) -> None:
        """Remove a room that holds nothing any more, but for what somebody else put into its folder."""
        folder = self._rooms.pop(place)
        folder.close()
        self._register.drop(place)
        for name in os.listdir(folder.folder):
            if name in _NAMES or name.endswith((b".html", b".liberate-part")):
                forget(os.path.join(folder.folder, name))
        for path in (folder.files, folder.folder):
            try:
                os.rmdir(path)
            except OSError:  # somebody else's files
                continue
        sync_folder(os.path.dirname(folder.folder))
        said = load(self._register.path("workspace.json"))
        self._write_contents(said["name"] if isinstance(said, dict) else "")


@contextmanager
def _writing() -> Iterator[None]:
    """Classify what goes wrong when the archive is written."""
    try:
        with writing(_THING):
            yield
    except sqlite3.Error as error:
        raise _unreadable(error) from error


def _unreadable(error: sqlite3.Error) -> TransientError:
    return TransientError(f"The table of a room's messages cannot be used now ({error.sqlite_errorname}).")
