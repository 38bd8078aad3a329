"""Maildir and Maildir++ as a destination of mail."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from liberate.connector import Batch, Body, Change, Collection, Evidence, Outcome, Place, Receipt, Slot, Taken
from liberate.errors import ItemError, TransientError
from liberate.mail import MailFacts, Role
from liberate.naming import Rules
from liberate_local import mutf7
from liberate_local.durable import forget, new_file, sync_files, sync_folder
from liberate_local.maildir_format import (
    KEYWORDS_FILE,
    MAX_KEYWORDS,
    MessageFiles,
    Names,
    dump_keywords,
    flags_of,
    info_of,
    keywords_of,
    letters_of,
    load_keywords,
    message_names,
    split_name,
)
from liberate_local.paths import raw, reading, refused, text, writing

Layout = Literal["maildir++", "nested"]

CHUNK = 1 << 20
IN_MEMORY = 8 << 20
ROOT = "."
_OURS = re.compile(rb"\A\d+\.([0-9a-f]{32})\.liberate\b")
_KEYWORD = re.compile(r"[^\x00-\x20\x7f]{1,255}")
_LOOKS = 5  # how often a folder is read that changes each time it is
_STALE_LOCK = 120.0  # seconds; Dovecot takes an older dotlock for one left by a crash
_STALE_TMP = 36 * 3600.0  # seconds, as the Maildir specification says


class MaildirDestination:
    """Delivers into a Maildir that mail programs may have open.

    A message's file name holds its slot's key, so that `find` is exact and a second attempt
    replaces the first. Each is written to tmp, brought to the disk, and only then renamed into cur.
    """

    line_ends: Literal["any", "crlf"] = "any"
    batch = Batch(items=200, bytes=32 << 20)

    def __init__(
        self, root: Path, names: Names = "auto", layout: Layout = "maildir++", now: Callable[[], float] = time.time
    ) -> None:
        self._root = os.fsencode(root)
        self._plain_names = names == "utf-8"
        self._layout = layout
        self._now = now
        self._files: dict[Place, MessageFiles] = {}
        self._keywords: dict[Place, dict[str, str]] = {}

    @property
    def rules(self) -> Rules:
        if self._layout == "nested":
            return Rules(
                forbidden=frozenset("/"),
                first=frozenset("."),
                reserved=frozenset({"cur", "new", "tmp"}),
                reserved_top=frozenset({"inbox"}),
                measure=self._measure,
            )
        # The name is one directory's, ".Work.Board": "." divides levels, and all of it has 255 bytes.
        return Rules(
            forbidden=frozenset("./"),
            reserved_top=frozenset({"inbox"}),
            max_bytes=200,
            max_path=254,
            measure=self._measure,
        )

    def _measure(self, name: str) -> int:
        return len(self._encoded(name))

    def _encoded(self, name: str) -> bytes:
        return name.encode("utf-8", "surrogatepass") if self._plain_names else mutf7.encode(name).encode()

    # Folders -------------------------------------------------------------------------------------

    def prepare(self, collection: Collection) -> Place:
        if collection.role == Role.INBOX or not collection.path:
            directory = ROOT.encode()
        elif self._layout == "nested":
            directory = b"/".join(self._encoded(level) for level in collection.path)
        else:
            directory = b"".join(b"." + self._encoded(level) for level in collection.path)
            if len(directory) > 255:
                raise ItemError(
                    "name-too-long",
                    "The folder's name with those above it is longer than a Maildir++ name may be.",
                    'Set layout = "nested" in the connection, or shorten the name at the source.',
                )
        place = Place(text(directory))
        folder = self._folder(place)
        with writing(f"The Maildir {os.fsdecode(self._root)}"):
            made = not os.path.isdir(os.path.join(folder, b"cur"))
            for part in (b"tmp", b"new", b"cur"):  # cur last: a folder that has it is whole
                os.makedirs(os.path.join(folder, part), mode=0o700, exist_ok=True)
            if folder != self._root and self._layout == "maildir++":
                # Maildir++ marks a subfolder so: https://www.courier-mta.org/imap/README.maildirquota.html
                with open(os.path.join(folder, b"maildirfolder"), "ab"):
                    pass
            if made:
                sync_folder(folder)
                sync_folder(os.path.dirname(folder))
            self._sweep(folder)
        return place

    def _folder(self, place: Place) -> bytes:
        return self._root if place == ROOT else os.path.join(self._root, raw(place))

    def _sweep(self, folder: bytes) -> None:
        """Remove what attempts that died long ago left in tmp.

        Its age is told by the time of its last change of any kind: the time of its content is the message's own.
        """
        with os.scandir(os.path.join(folder, b"tmp")) as entries:
            for entry in entries:
                if not _OURS.match(entry.name):
                    continue
                with contextlib.suppress(FileNotFoundError):  # another writer's, which has just become a message
                    if self._now() - entry.stat(follow_symlinks=False).st_ctime > _STALE_TMP:
                        os.unlink(entry.path)

    def _files_of(self, place: Place) -> MessageFiles:
        if place not in self._files:
            self._files[place] = MessageFiles(self._folder(place))
        return self._files[place]

    # Writing -------------------------------------------------------------------------------------

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        out: dict[str, Receipt] = {}
        by_place: dict[Place, set[str]] = {}
        for slot in slots:
            by_place.setdefault(slot.place, set()).add(slot.key)
        for place, keys in by_place.items():
            try:
                out.update(self._find(place, keys))
            except OSError as error:  # also a file renamed this moment: the next attempt sees it
                raise TransientError(
                    f"The Maildir {os.fsdecode(self._root)} cannot be searched ({os.strerror(error.errno or 0)})."
                ) from error
        return out

    def _find(self, place: Place, keys: set[str]) -> dict[str, Receipt]:
        """The messages with these keys, from a reading of the folder during which nothing was renamed."""
        folder = self._folder(place)
        for _ in range(_LOOKS):
            stamp = MessageFiles(folder).stamp()
            out = {}
            for where in (b"new", b"cur"):
                for name in message_names(folder, where):
                    ours = _OURS.match(name)
                    if ours and ours[1].decode() in keys:
                        size = os.stat(os.path.join(folder, where, name)).st_size
                        out[ours[1].decode()] = _receipt(place, split_name(name)[0], size)
            if len(out) == len(keys) or stamp == MessageFiles(folder).stamp():
                return out
        raise TransientError("The Maildir's messages are being renamed all the time.", retry_after=1.0)

    def write(self, slot: Slot, body: Body) -> Receipt:
        with writing("The Maildir"):
            waiting = self._to_tmp(slot, iter(lambda: body.read(CHUNK), b""))
            try:
                receipt = self._into_place(slot, *waiting)
            except BaseException:
                forget(waiting[0])
                raise
            sync_folder(os.path.join(self._folder(slot.place), b"cur"))
        return receipt

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        left = iter(parts)
        while some := list(islice(left, self.batch.items)):
            outcomes: list[Outcome] = []
            waiting: list[tuple[Slot, bytes, int]] = []
            try:
                for slot, body in some:
                    try:
                        waiting.append((slot, *self._to_tmp(slot, (body,), sync=False)))
                    except OSError as error:
                        outcomes.append((slot, _its_own(error)))
                for place in {slot.place for slot, _, _ in waiting}:
                    paths = [path for slot, path, _ in waiting if slot.place == place]
                    sync_files(os.path.join(self._folder(place), b"tmp"), paths)
                while waiting:
                    slot, path, size = waiting[0]
                    outcomes.append((slot, self._into_place(slot, path, size)))
                    del waiting[0]
                with writing("The Maildir"):
                    for place in {slot.place for slot, _ in some}:
                        sync_folder(os.path.join(self._folder(place), b"cur"))
            except OSError as error:
                raise refused("The Maildir", error) from error
            finally:
                for _, path, _ in waiting:
                    forget(path)
            yield from outcomes

    def _to_tmp(self, slot: Slot, chunks: Iterable[bytes], *, sync: bool = True) -> tuple[bytes, int]:
        """The body under a name of this attempt alone, with `sync` on the disk, and its size."""
        name = b"%d.%s.liberate.%s" % (_seconds(slot), slot.key.encode(), secrets.token_hex(4).encode())
        path = os.path.join(self._folder(slot.place), b"tmp", name)
        return path, new_file(path, chunks, _received(slot), sync=sync)

    def _into_place(self, slot: Slot, path: bytes, size: int) -> Receipt:
        unique = b"%d.%s.liberate,S=%d" % (_seconds(slot), slot.key.encode(), size)
        where = b"cur" + self._info(slot)
        files = self._files_of(slot.place)
        os.rename(path, files.path(where, unique))
        files.remember(unique, where)
        return _receipt(slot.place, unique, size)

    def copy_many(self, parts: Iterable[tuple[Slot, Receipt]]) -> Iterator[Outcome]:
        left = iter(parts)
        while some := list(islice(left, self.batch.items)):
            outcomes: list[Outcome] = []
            for slot, receipt in some:
                try:
                    outcomes.append((slot, self._copied(slot, receipt)))
                except ItemError as error:
                    outcomes.append((slot, error))
            with writing("The Maildir"):
                for place in {slot.place for slot, _ in some}:
                    sync_folder(os.path.join(self._folder(place), b"cur"))
            yield from outcomes

    def _copied(self, slot: Slot, receipt: Receipt) -> Receipt:
        """A hard link: Maildir never changes a file's bytes. Bytes where the file system links no further."""
        source, unique = self._files_of(receipt.place), raw(receipt.id)
        with reading("The message"):
            there = source.path(source.where(unique), unique)
            size = os.stat(there).st_size
        copy = b"%d.%s.liberate,S=%d" % (_seconds(slot), slot.key.encode(), size)
        where = b"cur" + self._info(slot)
        files = self._files_of(slot.place)
        try:
            os.link(there, files.path(where, copy), follow_symlinks=False)
        except FileExistsError:
            pass  # an earlier attempt's
        except FileNotFoundError as error:
            raise TransientError("A message was renamed while it was copied.") from error
        except OSError:
            with writing("The Maildir"):
                waiting, _ = self._to_tmp(slot, self.read(receipt))
                return self._into_place(slot, waiting, size)
        files.remember(copy, where)
        return _receipt(slot.place, copy, size)

    # Flags ---------------------------------------------------------------------------------------

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        left = iter(changes)
        while some := list(islice(left, self.batch.items)):
            outcomes: list[Outcome] = []
            for change in some:
                try:
                    with reading("The message"):
                        self._renamed(change)
                    outcomes.append((change.slot, change.receipt))
                except ItemError as error:
                    outcomes.append((change.slot, error))
            with writing("The Maildir"):
                for place in {change.receipt.place for change in some}:
                    sync_folder(os.path.join(self._folder(place), b"cur"))
            yield from outcomes

    def _renamed(self, change: Change) -> None:
        files, unique = self._files_of(change.receipt.place), raw(change.receipt.id)
        with os.fdopen(files.open(unique)):  # makes `where` true, or raises
            there = files.where(unique)
        before = change.before if isinstance(change.before, MailFacts) else MailFacts()
        after = change.slot.item.facts if isinstance(change.slot.item.facts, MailFacts) else MailFacts()
        letters = letters_of(there[3:])
        known = self._known(change.receipt.place, after.keywords - before.keywords)
        flags = flags_of(letters) - (before.flags - after.flags) | (after.flags - before.flags)
        words = keywords_of(letters, known)
        words = words - (before.keywords - after.keywords) | (after.keywords - before.keywords)
        where = b"cur" + info_of(flags, words, known, letters)
        if where != there:
            os.rename(files.path(there, unique), files.path(where, unique))
            files.remember(unique, where)

    def _info(self, slot: Slot) -> bytes:
        facts = slot.item.facts
        if not isinstance(facts, MailFacts):
            return b":2,"
        return info_of(facts.flags, facts.keywords, self._known(slot.place, facts.keywords))

    def _known(self, place: Place, wanted: Iterable[str]) -> dict[str, str]:
        """Letter to keyword for this folder, with the wanted ones added as far as the 26 letters reach."""
        words = [word for word in sorted(wanted) if _KEYWORD.fullmatch(word)]
        known = self._keywords.get(place)
        if known is None or (set(words) - set(known.values()) and len(known) < MAX_KEYWORDS):
            known = self._keywords[place] = self._add_keywords(self._folder(place), words)
        return known

    def _add_keywords(self, folder: bytes, words: Sequence[str]) -> dict[str, str]:
        """The folder's keywords with these added, by Dovecot's own protocol: a dotlock that becomes the file."""
        path = os.path.join(folder, KEYWORDS_FILE)
        known = _load(path)
        if not set(words) - set(known.values()):
            return known
        lock = path + b".lock"
        with contextlib.suppress(FileNotFoundError):
            if self._now() - os.stat(lock).st_mtime > _STALE_LOCK:
                os.unlink(lock)
        try:
            handle = os.open(lock, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise TransientError("Another program is changing the Maildir's keywords.", retry_after=1.0) from error
        try:
            known = _load(path)
            free = [letter for letter in map(chr, range(ord("a"), ord("a") + MAX_KEYWORDS)) if letter not in known]
            new = [word for word in words if word not in known.values()]
            known.update(zip(free, new, strict=False))
            with os.fdopen(handle, "wb") as file:
                file.write(dump_keywords(known))
                file.flush()
                os.fsync(file.fileno())
            os.rename(lock, path)
        except BaseException:
            forget(lock)
            raise
        return known

    # Reading back --------------------------------------------------------------------------------

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        with reading("The message"), os.fdopen(self._files_of(receipt.place).open(raw(receipt.id)), "rb") as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def read_back(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
        for receipt in receipts:
            if (receipt.size or 0) > IN_MEMORY:
                yield receipt, None
                continue
            try:
                yield receipt, b"".join(self.read(receipt))
            except ItemError as error:
                yield receipt, error


def _receipt(place: Place, unique: bytes, size: int) -> Receipt:
    return Receipt(text(unique), place, size, evidence=Evidence.SIZE)


def _received(slot: Slot) -> datetime | None:
    facts = slot.item.facts
    return (facts.received if isinstance(facts, MailFacts) else None) or slot.item.modified


def _seconds(slot: Slot) -> int:
    """What a name begins with; the same at every attempt."""
    moment = _received(slot)
    return max(int(moment.timestamp()), 0) if moment else 0


def _its_own(error: OSError) -> ItemError:
    """The error of one message; raises if it is everybody's."""
    found = refused("The message", error)
    if isinstance(found, ItemError):
        return found
    raise found from error


def _load(path: bytes) -> dict[str, str]:
    try:
        with open(path, "rb") as file:
            return load_keywords(file.read())
    except FileNotFoundError:
        return {}
