"""What stands at the top of a chat archive: workspace.json, people.json and rooms.json."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from liberate.chat import Author, Bookmark, Room, RoomKind, Workspace
from liberate.connector import Cast
from liberate.errors import AccountError
from liberate.naming import fold
from liberate_local.archive_names import RULES, room_name
from liberate_local.durable import forget, new_file, sync_folder

ROOMS = "rooms"
_LONGEST_TITLE = 4  # people named in the title of a room without a name


@dataclass(frozen=True, slots=True)
class Known:
    """Somebody, as the archive knows them."""

    author: Author
    user: str = ""  # what the people table calls them at the destination


@dataclass(frozen=True, slots=True)
class Entry:
    """A room in rooms.json."""

    id: str
    folder: str  # below the archive, with "/"
    title: str
    kind: RoomKind
    archived: bool = False
    topic: str = ""
    messages: int = 0
    files: int = 0
    first: int | None = None  # microseconds since 1970, UTC
    last: int | None = None
    looks_at: tuple[str, ...] = ()  # the rooms that its messages link to
    searches: tuple[tuple[str, int], ...] = field(default=())  # pages with all words of a year, and their messages


class Register:
    """The archive's own files at the top; several processes may have it open."""

    def __init__(self, root: bytes) -> None:
        self._root = root
        self._asked: set[str] = set()
        self._people: tuple[tuple[int, int, int], dict[str, Known]] | None = None

    def path(self, *names: str) -> bytes:
        """A path in the archive."""
        return os.path.join(self._root, *(name.encode() for name in names))

    def prepare(self, workspace: Workspace) -> None:
        """Make the archive, or find out that it is this workspace's. Raises AccountError where it is another's."""
        for folder in (self._root, self.path(ROOMS)):  # makedirs gives its mode to the last folder only
            os.makedirs(folder, mode=0o700, exist_ok=True)
        with self.alone():
            there = load(self.path("workspace.json"))
            if isinstance(there, dict) and there.get("id", workspace.id) != workspace.id:
                raise AccountError(
                    "other-workspace",
                    f"The folder {os.fsdecode(self._root)} holds the archive of another workspace.",
                    "Name a folder of its own for each workspace.",
                )
            said = {"id": workspace.id, "name": workspace.name, "url": workspace.url}
            save(self.path("workspace.json"), said)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While this holds, nobody else changes the archive's own files."""
        handle = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    # Rooms ---------------------------------------------------------------------------------------

    def entry(self, room: Room) -> Entry:
        """A room's entry; made, with a folder for it, where there is none."""
        with self.alone():
            entries = self.entries()
            entry = entries.get(room.id)
            title = self.title(room)
            if entry is None:
                taken = {fold(one.folder.rpartition("/")[2], RULES) for one in entries.values()}
                with os.scandir(self.path(ROOMS)) as there:
                    taken |= {fold(os.fsdecode(one.name), RULES) for one in there}
                entry = Entry(room.id, f"{ROOMS}/{room_name(title, taken)}", title, room.kind)
            now = replace(entry, title=title, kind=room.kind, archived=room.archived, topic=room.topic)
            if now != entries.get(room.id):
                self._save(entries | {room.id: now})
        folder = self.path(*entry.folder.split("/"))
        if not os.path.isdir(folder):
            os.makedirs(folder, mode=0o700, exist_ok=True)
            sync_folder(os.path.dirname(folder))
        return now

    def title(self, room: Room) -> str:
        """What people call a room: its name, or who is in it."""
        if room.name:
            return room.name
        people = self.people()
        names = [people[one].author.name if one in people else one for one in room.members]
        if not names:
            return "Conversation"
        more = len(names) - _LONGEST_TITLE
        return ", ".join(names[:_LONGEST_TITLE]) + (f" and {more} more" if more > 0 else "")

    def entries(self) -> dict[str, Entry]:
        """Every room, by its id."""
        told = load(self.path("rooms.json"))
        return {one["id"]: _entry(one) for one in told} if isinstance(told, list) else {}

    def change(self, entry: Entry) -> None:
        """Record what has become of a room."""
        with self.alone():
            entries = self.entries()
            if entries.get(entry.id) != entry:
                self._save(entries | {entry.id: entry})

    def drop(self, folder: str) -> None:
        """Forget a room."""
        with self.alone():
            entries = self.entries()
            self._save({id_: one for id_, one in entries.items() if one.folder != folder})

    def _save(self, entries: Mapping[str, Entry]) -> None:
        save(self.path("rooms.json"), [asdict(entries[id_]) for id_ in sorted(entries)])

    # People --------------------------------------------------------------------------------------

    def meet(self, ids: Iterable[str], cast: Cast) -> None:
        """Record who these are, unless this opening of the archive has asked already."""
        new = set(ids) - self._asked - {""}
        if not new:
            return
        met = {one: Known(cast.author(one), cast.user(one) or "") for one in new}
        with self.alone():
            known = self.people()
            if any(known.get(id_) != one for id_, one in met.items()):
                everybody = known | met
                save(self.path("people.json"), [_person(everybody[id_]) for id_ in sorted(everybody)])
        self._asked |= new

    def people(self) -> dict[str, Known]:
        """Everybody, by their id."""
        try:
            told = os.stat(self.path("people.json"))
        except FileNotFoundError:
            return {}
        stamp = (told.st_ino, told.st_size, told.st_mtime_ns)
        if self._people is None or self._people[0] != stamp:
            read = load(self.path("people.json"))
            known = [_known(one) for one in read] if isinstance(read, list) else []
            self._people = stamp, {one.author.id: one for one in known}
        return self._people[1]


# Files -------------------------------------------------------------------------------------------


def save(path: bytes, said: Any) -> bool:
    """Write JSON, whole or not at all; whether that changed anything."""
    return write(
        path, (json.dumps(said, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8", "replace")
    )


def write(path: bytes, body: bytes) -> bool:
    """Give a file these bytes, whole or not at all; whether it had others."""
    try:
        with open(path, "rb") as file:
            if file.read() == body:
                return False
    except FileNotFoundError:
        pass
    part = part_of(path)
    try:
        new_file(part, (body,), None, sync=True)
        os.replace(part, path)
    except BaseException:
        forget(part)
        raise
    sync_folder(os.path.dirname(path))
    return True


def part_of(path: bytes) -> bytes:
    """Where a file is written before it gets its name."""
    folder, name = os.path.split(path)
    return os.path.join(folder, b".%s.%s.liberate-part" % (name[:100], secrets.token_hex(4).encode()))


def load(path: bytes) -> Any:
    """What a file of JSON says; None where there is none, or one that cannot be read."""
    try:
        with open(path, "rb") as file:
            return json.load(file)
    except (FileNotFoundError, ValueError):
        return None


def room_said(room: Room) -> dict[str, Any]:
    """A room as JSON knows it."""
    return {
        **{name: getattr(room, name) for name in ("id", "name", "topic", "purpose", "archived", "creator")},
        "kind": room.kind.value,
        "created": room.created.isoformat() if room.created else None,
        "members": list(room.members),
        "pins": list(room.pins),
        "bookmarks": [{"title": one.title, "url": one.url} for one in room.bookmarks],
    }


def room_of(said: Mapping[str, Any], workspace: Workspace) -> Room:
    """The room that room_said told of."""
    return Room(
        said["id"],
        said["name"],
        RoomKind(said["kind"]),
        workspace,
        said["topic"],
        said["purpose"],
        said["archived"],
        datetime.fromisoformat(said["created"]) if said["created"] else None,
        said["creator"],
        tuple(said["members"]),
        tuple(said["pins"]),
        tuple(Bookmark(one["title"], one["url"]) for one in said["bookmarks"]),
    )


def _entry(said: dict[str, Any]) -> Entry:
    searches = tuple((one[0], one[1]) for one in said["searches"])
    looks_at = tuple(said["looks_at"])
    return Entry(**{**said, "kind": RoomKind(said["kind"]), "looks_at": looks_at, "searches": searches})


def _person(known: Known) -> dict[str, Any]:
    one = known.author
    said = {"id": one.id, "name": one.name, "full_name": one.full_name, "email": one.email, "kind": one.kind}
    return {**said, "former": one.former, "user": known.user}


def _known(said: Mapping[str, Any]) -> Known:
    author = Author(said["id"], said["name"], said["full_name"], said["email"], said["kind"], said["former"])
    return Known(author, said["user"])
