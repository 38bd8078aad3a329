"""A folder as a source of files: one collection, whose folders are items too."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from liberate.connector import Collection, Cursor, Item, Kind, Listed, Loaded, Skipped, Whole
from liberate.errors import IntegrityError, ItemError, TransientError
from liberate.files import FileFacts
from liberate_local.attributes import LIMIT, extended
from liberate_local.paths import NO_ACCESS, opening, raw, reading, text

ROOT = "."  # the id of the one collection
CHUNK = 1 << 20
IN_MEMORY = 8 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LINK = ("symbolic-link", "It is a symbolic link, and links are not followed.")
_SPECIAL = ("special-file", "It is a device, a pipe or a socket, not a file.")


class FilesSource:
    """Reads a folder and all below it. Symbolic links are told and never followed.

    An item's id is its path below the folder; so what is renamed or moved here is another item, and
    what had its name is gone. A file's version is its size and the time it was modified.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)

    def collections(self) -> Iterator[Collection]:
        with opening(f"The folder {os.fsdecode(self._root)}"):
            os.scandir(self._root).close()
        yield Collection(ROOT, (), Kind.FILE)

    # Listing -------------------------------------------------------------------------------------

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """See Source. Whole, unless a folder could not be read: nothing below that one is gone."""
        whole = True
        waiting: list[list[bytes]] = [[b""]]  # on each level, the folders still to be looked into, the next one last
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                continue
            directory = waiting[-1].pop()
            below: list[bytes] = []
            try:
                names = sorted(os.listdir(os.path.join(self._root, directory)))
            except OSError as error:
                whole = False
                if not directory and not os.path.isdir(self._root):
                    raise TransientError(f"The folder {os.fsdecode(self._root)} is not there at the moment.") from error
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    # Its item has the id itself.
                    yield _unread(f"{text(directory)}/" if directory else ROOT, error, "The folder cannot be read")
                continue
            parent = _id(directory)
            for name in names:
                for thing in self._entry(os.path.join(directory, name), name, parent):
                    if isinstance(thing, Item) and thing.facts.folder:
                        below.append(os.path.join(directory, name))
                    yield thing
            del names
            below.reverse()
            waiting.append(below)
        if whole:
            yield Whole()

    def _entry(self, where: bytes, name: bytes, parent: str) -> Iterator[Item | Skipped]:
        """What stands there: nothing if it vanished, the item, or why it is none."""
        known = _id(where)
        try:
            item, left = self._item(where, name, known, parent)
        except FileNotFoundError:
            return
        except ItemError as error:
            yield Skipped(known, error.code, error.why, error.todo)
            return
        except OSError as error:
            yield _unread(known, error, "It cannot be read")
            return
        yield item
        if left is not None:
            yield left

    def _item(self, where: bytes, name: bytes, known: str, parent: str) -> tuple[Item, Skipped | None]:
        """The item as it is now, and what of it stays behind. Raises OSError, or ItemError for what is no file."""
        path = os.path.join(self._root, where)
        mark = os.lstat(path)
        folder = stat.S_ISDIR(mark.st_mode)
        if not folder and not stat.S_ISREG(mark.st_mode):
            raise ItemError(*(_LINK if stat.S_ISLNK(mark.st_mode) else _SPECIAL))
        left = None
        try:
            beside = extended(path)
        except PermissionError:
            beside = ()  # reading its bytes tells why
        if beside is None:
            left = Skipped(
                f"{known}//attributes",
                "attributes-too-large",
                f"Its extended attributes are more than {LIMIT >> 10} kB and stay behind.",
            )
        born: float | None = getattr(mark, "st_birthtime", None)  # macOS and BSD
        created = None if born is None else _moment(int(born * 1e9))
        facts = FileFacts(parent, folder, created, extended=beside or ())
        readable = name.decode("utf-8", "replace")
        return Item(
            known,
            Kind.FILE,
            "" if folder else _version(mark),
            readable,
            None if folder else mark.st_size,
            _moment(mark.st_mtime_ns),
            facts=facts,
            # A folder's time is brought as a fact is; a file's comes with its bytes.
            facts_version=sha256(
                f"{readable}\0{facts.dump()}\0{mark.st_mtime_ns if folder else ''}".encode()
            ).hexdigest()[:32],
        ), left

    def describe(self, item: Item) -> Item:
        where = raw(item.id)
        with reading(item.name or "The file"):
            now = self._item(where, os.path.basename(where), item.id, _id(os.path.dirname(where)))[0]
        if isinstance(item.facts, FileFacts) and item.facts.folder != now.facts.folder:
            raise ItemError("gone", "Another thing has its name now.")
        return now

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """See Source. Raises IntegrityError if the file is not, or does not stay, as it was listed."""
        path = os.path.join(self._root, raw(item.id))
        # O_NONBLOCK: a pipe that took the file's place must not be waited for.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
        with reading(item.name or "The file"), os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
            mark = os.fstat(file.fileno())
            if not stat.S_ISREG(mark.st_mode):
                raise ItemError(*_SPECIAL)
            if item.version and _version(mark) != item.version:
                raise IntegrityError("The file was changed after it was listed.")
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk
            if _version(os.fstat(file.fileno())) != _version(mark):
                raise IntegrityError("The file was changed while it was read.")

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        for item in items:
            if (item.size or 0) > IN_MEMORY:
                yield Loaded(item, None)
                continue
            try:
                yield Loaded(item, b"".join(self.read(item)))
            except IntegrityError:
                yield Loaded(item, None)  # read() tells it where it can be answered
            except ItemError as error:
                yield Loaded(item, error)


def _id(where: bytes) -> str:
    """The id of what stands at a path below the folder; "" for the folder itself."""
    return "/".join(text(level) for level in where.split(b"/")) if where else ""


def _version(mark: os.stat_result) -> str:
    return f"{mark.st_size}:{mark.st_mtime_ns}"


def _moment(nanoseconds: int) -> datetime | None:
    """The time, cut to microseconds; None for one beyond all calendars."""
    try:
        return _EPOCH + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None


def _unread(known: str, error: OSError, why: str) -> Skipped:
    if error.errno == errno.ENAMETOOLONG:
        return Skipped(known, "path-too-long", "Its path is longer than the system can read.", "Move it further up.")
    return Skipped(known, "no-access", f"{why} ({os.strerror(error.errno or 0)}).", NO_ACCESS)
