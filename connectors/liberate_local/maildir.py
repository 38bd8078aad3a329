"""Maildir, Maildir++ and nested Maildirs as a source of mail."""

from __future__ import annotations

import gzip
import io
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from liberate.connector import Collection, Cursor, Item, Kind, Listed, Loaded, Skipped, Survey
from liberate.errors import AccountError, ItemError
from liberate.mail import MailFacts, Role
from liberate_local.maildir_format import (
    KEYWORDS_FILE,
    MessageFiles,
    Names,
    flags_of,
    folder_name,
    keywords_of,
    letters_of,
    load_keywords,
    message_names,
    split_name,
)
from liberate_local.paths import opening, raw, reading, text

ROOT = "."  # the id of the folder that is the Maildir itself
CHUNK = 1 << 20
IN_MEMORY = 8 << 20  # a larger message is streamed
_SORTED = 100_000  # names held at a time; within them messages are listed oldest first
# A directory changed twice within one tick of the file system's clock shows one time stamp: 2 s on FAT.
_SETTLED_NS = 3_000_000_000
_UNSETTLED = Cursor("unsettled")

_GZIP = b"\x1f\x8b"
_OTHERS = {b"\x28\xb5\x2f\xfd": "zstd", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x04\x22\x4d\x18": "lz4"}


class MaildirSource:
    """Reads a Maildir that mail may be delivered to and read from meanwhile.

    An item's id is its folder and the unique part of its file name, which stays when flags change
    (Maildir specification). Its facts_version is where its file was and with which info: the first
    guess when it is read. Messages that Dovecot keeps gzipped are read as they were delivered.
    """

    def __init__(self, root: Path, names: Names = "auto", now_ns: Callable[[], int] = time.time_ns) -> None:
        self._root = os.fsencode(root)
        self._names = names
        self._now_ns = now_ns
        self._files: MessageFiles | None = None

    def collections(self) -> Iterator[Collection]:
        with opening(f"The Maildir {os.fsdecode(self._root)}"):
            found = False
            for directory, path in self._folders():
                found = True
                inbox = len(path) == 1 and path[0].upper() == "INBOX"
                yield Collection(text(directory), path, Kind.MAIL, role=Role.INBOX if inbox else None)
        if not found:
            raise AccountError(
                "not-a-maildir",
                f"{os.fsdecode(self._root)} holds no Maildir: neither it nor a folder in it has cur and new.",
                "Check the path.",
            )

    def _folders(self) -> Iterator[tuple[bytes, tuple[str, ...]]]:
        """Each folder as its directory below the root and its name. Symbolic links are not followed."""
        if _is_maildir(self._root):
            yield ROOT.encode(), ("INBOX",)
        for entry in _subdirectories(self._root):
            if entry.startswith(b".") and entry not in (b".", b".."):
                if _is_maildir(os.path.join(self._root, entry)):  # Maildir++: ".Work.Board" is Work/Board
                    yield entry, tuple(folder_name(level, self._names) for level in entry[1:].split(b"."))
            elif entry not in (b"cur", b"new", b"tmp"):
                yield from self._nested(entry)

    def _nested(self, directory: bytes) -> Iterator[tuple[bytes, tuple[str, ...]]]:
        path = os.path.join(self._root, directory)
        if _is_maildir(path):
            yield directory, tuple(folder_name(level, self._names) for level in directory.split(b"/"))
        for entry in _subdirectories(path):
            if entry not in (b"cur", b"new", b"tmp") and not entry.startswith(b"."):
                yield from self._nested(directory + b"/" + entry)

    def survey(self) -> Survey:
        folders = {}
        with opening(f"The Maildir {os.fsdecode(self._root)}"):
            for directory, path in self._folders():
                folder = self._directory(text(directory))
                folders[path] = sum(1 for where in (b"cur", b"new") for _ in message_names(folder, where))
        return Survey(sum(folders.values()), folders)

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        folder = self._directory(collection.id)
        with opening(f"The Maildir folder {os.fsdecode(folder)}"):
            if not _is_maildir(folder) and os.path.isdir(self._root):  # removed since it was listed
                yield _UNSETTLED
                return
            state = self._state(folder)
            if since == state != _UNSETTLED:
                yield state
                return
            prefix = "" if collection.id == ROOT else collection.id + "/"
            keywords, files, seen = _keywords(folder), MessageFiles(folder), 0
            for where in (b"new", b"cur"):  # what moves meanwhile moves from new to cur, so none is missed
                names = message_names(folder, where)
                while block := sorted(itertools.islice(names, _SORTED), key=_age):
                    seen += _sum(where, block)
                    yield from _described(files, where, block, prefix, keywords)
                for name in _links(folder, where):
                    yield Skipped(
                        prefix + text(name),
                        "symbolic-link",
                        "The message's file is a symbolic link, and links are not followed.",
                        "Put the file itself there.",
                    )
            if state == _UNSETTLED and _keywords(folder) == keywords:
                state = self._settled(folder, seen)
        yield state

    def _settled(self, folder: bytes, seen: int) -> Cursor:
        """The state after a listing that began too soon after a change, if the folder still holds the same names."""
        state = self._state(folder)
        if state != _UNSETTLED:
            now = sum(_sum(where, message_names(folder, where)) for where in (b"new", b"cur"))
            if now != seen or self._state(folder) != state:
                return _UNSETTLED
        return state

    def _state(self, folder: bytes) -> Cursor:
        """What changes whenever a message comes, goes or gets another flag: each renames a file."""
        marks = [os.stat(os.path.join(folder, part)) for part in (b"new", b"cur")]
        if any(abs(self._now_ns() - mark.st_mtime_ns) < _SETTLED_NS for mark in marks):
            return _UNSETTLED
        with suppress(FileNotFoundError):
            marks.append(os.stat(os.path.join(folder, KEYWORDS_FILE)))
        return Cursor(" ".join(f"{mark.st_ino}:{mark.st_mtime_ns}" for mark in marks))

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        with reading("The message"), self._open(item) as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        for item in items:
            if (item.size or 0) > IN_MEMORY:
                yield Loaded(item, None)
                continue
            try:
                with reading("The message"):
                    body = self._whole(item)
            except ItemError as error:
                yield Loaded(item, error)
            else:
                yield Loaded(item, body if len(body) <= IN_MEMORY else None)

    def _whole(self, item: Item) -> bytes:
        """The message's bytes; one too many if it is larger than was listed, or than is held in memory."""
        if item.size is None:
            with self._open(item) as file:
                return file.read(IN_MEMORY + 1)
        number = self._descriptor(item)  # without a file object, which costs more than opening and reading do
        try:
            return os.read(number, item.size + 1)
        finally:
            os.close(number)

    def _open(self, item: Item) -> io.BufferedIOBase | io.RawIOBase:
        file = os.fdopen(self._descriptor(item), "rb", buffering=0)
        return file if item.size is not None else _uncompressed(file)

    def _descriptor(self, item: Item) -> int:
        directory, _, unique = item.id.rpartition("/")
        folder = self._directory(directory or ROOT)
        if self._files is None or self._files.folder != folder:
            self._files = MessageFiles(folder)
        return self._files.open(raw(unique), item.facts_version.encode())

    def _directory(self, directory: str) -> bytes:
        return self._root if directory == ROOT else os.path.join(self._root, raw(directory))


def _described(
    files: MessageFiles, where: bytes, names: list[bytes], prefix: str, keywords: dict[str, str]
) -> Iterator[Item]:
    before = b""
    said: dict[bytes, tuple[frozenset[str], frozenset[str], str]] = {}  # few infos, many messages
    for name in names:
        unique, info = split_name(name)
        place = where + info
        try:
            stat = os.stat(b"%s/%s/%s" % (files.folder, where, name))
        except FileNotFoundError:  # renamed or removed since its name was read
            if where == b"new":
                continue  # moved to cur, which is listed next, or gone
            try:
                place = files.where(unique)
                stat = os.stat(files.path(place, unique))
            except FileNotFoundError:
                continue
        known = name if unique == before else unique  # twice the same unique part: a broken copy, still a message
        before = unique
        if place not in said:
            letters = letters_of(place[3:])
            flags = flags_of(letters) - ({"\\Seen"} if place.startswith(b"new") else set())
            said[place] = flags, keywords_of(letters, keywords), place.decode("ascii", "replace")
        flags, words, facts_version = said[place]
        yield Item(
            prefix + text(known),
            Kind.MAIL,
            version="",
            size=_size(unique, stat.st_size),
            facts=MailFacts(flags, words, _moment(stat.st_mtime)),
            facts_version=facts_version,
        )


def _size(unique: bytes, stored: int) -> int | None:
    """The message's size; None where the name tells of another one than is stored: it may be compressed.

    Dovecot writes the uncompressed size into the name, `,S=1234`, and needs it there for compressed
    messages (https://doc.dovecot.org/2.3/configuration_manual/zlib_plugin/).
    """
    _, marker, told = unique.partition(b",S=")
    if not marker:
        return stored
    told = told.partition(b",")[0]
    return stored if told.isdigit() and int(told) == stored else None


def _uncompressed(file: io.RawIOBase | io.FileIO) -> io.BufferedIOBase | io.RawIOBase:
    """The message in a file that may be compressed. Takes the file over."""
    start = os.pread(file.fileno(), 6, 0)
    if start.startswith(_GZIP):
        return _Gunzipped(file)
    for magic, name in _OTHERS.items():
        if start.startswith(magic):
            file.close()
            raise ItemError(
                "compressed",
                f"The message is stored compressed with {name}, which liberate does not read.",
                "Read this account over IMAP instead.",
            )
    return file


class _Gunzipped(gzip.GzipFile):
    """A gzipped message; closing it closes the file below."""

    def __init__(self, file: io.RawIOBase) -> None:
        self._below = file
        super().__init__(fileobj=file, mode="rb")

    def close(self) -> None:
        super().close()
        self._below.close()


def _keywords(folder: bytes) -> dict[str, str]:
    try:
        with open(os.path.join(folder, KEYWORDS_FILE), "rb") as file:
            return load_keywords(file.read())
    except FileNotFoundError:
        return {}


def _sum(where: bytes, names: Iterable[bytes]) -> int:
    """What tells two sets of names apart, in this process only."""
    return sum(map(hash, names)) * (2 if where == b"cur" else 1)


def _age(name: bytes) -> tuple[int, bytes]:
    """Sorts names by the seconds that they begin with."""
    return name.find(b"."), name


def _moment(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _is_maildir(path: bytes) -> bool:
    return all(os.path.isdir(os.path.join(path, part)) for part in (b"cur", b"new"))


def _subdirectories(path: bytes) -> list[bytes]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))


def _links(folder: bytes, where: bytes) -> list[bytes]:
    with os.scandir(os.path.join(folder, where)) as entries:
        return sorted(e.name for e in entries if not e.name.startswith(b".") and e.is_symlink())
