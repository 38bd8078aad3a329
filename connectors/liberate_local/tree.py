"""A folder tree as a source of mail, where each message is an .eml file."""

from __future__ import annotations

import os
import stat
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from liberate.connector import Collection, Cursor, Item, Kind, Listed, Loaded, Skipped
from liberate.errors import ItemError, TransientError
from liberate.mail import MailFacts, Role
from liberate_local import mbox_facts
from liberate_local.mbox_format import split_header
from liberate_local.mbox_message import state_of
from liberate_local.paths import NO_ACCESS, opening, raw, reading, text

ROOT = "."  # the id of the collection that is the folder itself
CHUNK = 1 << 20
IN_MEMORY = 8 << 20
_HEAD = 1 << 16
_SETTLED_NS = 3_000_000_000  # see maildir.py
_UNSETTLED = Cursor("unsettled")


class TreeSource:
    """Reads a folder and those below it. Symbolic links are told and never followed.

    An item's id is its path below the folder. Its version is its size alone: a message is never
    edited, and one whose file was merely touched or copied must not arrive twice.
    """

    def __init__(self, root: Path, name: str | None = None, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._root = os.fsencode(root)
        self._name = tuple(name.split("/")) if name else (root.resolve().name or "Mail",)
        self._now_ns = now_ns

    def collections(self) -> Iterator[Collection]:
        with opening(f"The folder {os.fsdecode(self._root)}"):
            os.scandir(self._root).close()
        yield from self._below(b"")

    def _below(self, directory: bytes) -> Iterator[Collection]:
        try:
            with os.scandir(os.path.join(self._root, directory)) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            found = []  # items() says why
            if directory:
                yield self._collection(directory)
            return
        if any(_is_eml(entry.name) for entry in found):
            yield self._collection(directory)
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from self._below(os.path.join(directory, entry.name))

    def _collection(self, directory: bytes) -> Collection:
        path = tuple(level.decode("utf-8", "replace") for level in directory.split(b"/")) if directory else ()
        if not path:
            path = self._name
        inbox = len(path) == 1 and path[0].upper() == "INBOX"
        return Collection(text(directory) if directory else ROOT, path, Kind.MAIL, role=Role.INBOX if inbox else None)

    # Listing -------------------------------------------------------------------------------------

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        prefix = "" if collection.id == ROOT else collection.id + "/"
        directory = self._root if collection.id == ROOT else os.path.join(self._root, raw(collection.id))
        try:
            state = self._state(directory)
            if since == state != _UNSETTLED:
                yield state
                return
            with os.scandir(directory) as entries:
                found = sorted(entry.name for entry in entries)
        except FileNotFoundError:
            if os.path.isdir(self._root):
                return
            raise TransientError(f"The folder {os.fsdecode(self._root)} is not there at the moment.") from None
        except OSError as error:
            yield Skipped(
                prefix, "no-access", f"The folder cannot be read ({os.strerror(error.errno or 0)}).", NO_ACCESS
            )
            return
        for name in found:
            if _is_eml(name):
                entry = self._entry(directory, name, prefix + text(name))
                if entry is not None:
                    yield entry
        yield state

    def _state(self, directory: bytes) -> Cursor:
        """What changes whenever a message comes or goes."""
        mark = os.stat(directory)
        settled = abs(self._now_ns() - mark.st_mtime_ns) > _SETTLED_NS
        return Cursor(f"{mark.st_ino}:{mark.st_mtime_ns}") if settled else _UNSETTLED

    def _entry(self, directory: bytes, name: bytes, known: str) -> Item | Skipped | None:
        path = os.path.join(directory, name)
        try:
            mark = os.lstat(path)
            if stat.S_ISDIR(mark.st_mode):
                return None
            if stat.S_ISLNK(mark.st_mode):
                return Skipped(known, "symbolic-link", "It is a symbolic link, and links are not followed.")
            if not stat.S_ISREG(mark.st_mode):
                return Skipped(known, "special-file", "It is a device, a pipe or a socket, not a file.")
            modified = datetime.fromtimestamp(mark.st_mtime, UTC)
            with os.fdopen(_opened(path), "rb", buffering=0) as file:
                head, _ = split_header(file.read(_HEAD))
        except FileNotFoundError:
            return None
        except (OverflowError, ValueError):
            return Skipped(known, "illegal-time", "Its modification time is none.", "Set it with touch.")
        except OSError as error:
            return Skipped(known, "no-access", f"It cannot be read ({os.strerror(error.errno or 0)}).", NO_ACCESS)
        said = state_of(head)
        facts = mbox_facts.facts(said)
        if isinstance(facts, Skipped):
            return Skipped(known, facts.code, facts.why, facts.todo)
        facts = MailFacts(facts.flags, facts.keywords, arrival(head) or modified)
        digest = zlib.crc32(b"".join(said.values()))
        return Item(known, Kind.MAIL, str(mark.st_size), size=mark.st_size, facts=facts, facts_version=f"{digest:08x}")

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        path = os.path.join(self._root, raw(item.id))
        with reading("The message"), os.fdopen(_opened(path), "rb", buffering=0) as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        for item in items:
            if (item.size or 0) > IN_MEMORY:
                yield Loaded(item, None)
                continue
            try:
                yield Loaded(item, b"".join(self.read(item)))
            except ItemError as error:
                yield Loaded(item, error)


def _opened(path: bytes) -> int:
    # O_NONBLOCK: a pipe that took the file's place must not be waited for.
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def _is_eml(name: bytes) -> bool:
    return name.lower().endswith(b".eml") and not name.startswith(b"._")  # "._x": macOS's other half of a file


def arrival(head: bytes) -> datetime | None:
    """When a message arrived, by its topmost Received field, else by Date; None if neither can be read."""
    for name in (b"\nreceived:", b"\ndate:"):
        at = (b"\n" + head[: 1 << 16].lower()).find(name)
        if at < 0:
            continue
        end = at
        while (end := head.find(b"\n", end) + 1) and head[end : end + 1] in (b" ", b"\t"):
            pass
        value = head[at : end or len(head)].decode("ascii", "replace").partition(":")[2]
        try:
            moment = parsedate_to_datetime(" ".join(value.rpartition(";")[2].split()))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
