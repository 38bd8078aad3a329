"""A folder as a destination: of files under their names, and of mail as .eml files."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Literal

from liberate.connector import Batch, Body, Collection, Evidence, Kind, Outcome, Place, Receipt, Slot, Taken
from liberate.errors import ItemError, TransientError
from liberate.mail import MailFacts
from liberate.naming import Rules
from liberate_local.durable import forget, new_file, sync_files, sync_folder
from liberate_local.paths import raw, reading, refused, text, writing

CHUNK = 1 << 20
ROOT = "."
_PART = ".liberate-part"


class FolderDestination:
    """Writes each file under another name, brings it to the disk, and only then gives it its own.

    A name that somebody else's file has is never taken over. A message's name is the time it
    arrived and its slot's key; flags and keywords have no place in an .eml file and stay behind:
    who needs them takes a Maildir.
    """

    line_ends: Literal["any", "crlf"] = "any"
    batch = Batch(items=200, bytes=32 << 20)

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)

    @property
    def rules(self) -> Rules:
        return Rules(forbidden=frozenset("/"), reserved=frozenset({".", ".."}), max_bytes=255, max_path=3000)

    def prepare(self, collection: Collection) -> Place:
        levels = [level.encode("utf-8", "surrogatepass") for level in collection.path]
        if any(level in (b"", b".", b"..") or b"/" in level or b"\0" in level for level in levels):
            raise ItemError("illegal-name", "The folder's name cannot be a folder's name here.")
        place = Place(text(b"/".join(levels)) if levels else ROOT)
        folder = self._folder(place)
        with writing(f"The folder {os.fsdecode(self._root)}"):
            os.makedirs(self._root, exist_ok=True)
            if not os.path.isdir(folder):
                os.makedirs(folder, exist_ok=True)
                above = folder
                while len(above) > len(self._root):
                    above = os.path.dirname(above)
                    sync_folder(above)
            inside, here = os.path.realpath(folder), os.path.realpath(self._root)
        if inside != here and not inside.startswith(here.rstrip(b"/") + b"/"):
            raise ItemError(
                "symbolic-link",
                "The folder is a symbolic link that leads out of the destination.",
                "Remove the link, then run: liberate retry",
            )
        return place

    def _folder(self, place: Place) -> bytes:
        return self._root if place == ROOT else os.path.join(self._root, raw(place))

    # Writing -------------------------------------------------------------------------------------

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        out = {}
        for slot in slots:
            try:
                name = _name(slot)
            except ItemError:
                continue  # nothing can be there
            try:
                mark = os.lstat(os.path.join(self._folder(slot.place), name))
                if self._is_ours(slot, name, mark) and not taken(slot.place, [text(name)]):
                    out[slot.key] = _receipt(slot.place, name, mark.st_size)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise TransientError(
                    f"The folder {os.fsdecode(self._root)} cannot be searched ({os.strerror(error.errno or 0)})."
                ) from error
        return out

    def _is_ours(self, slot: Slot, name: bytes, mark: os.stat_result) -> bool:
        """Whether the file under a slot's name is what an earlier attempt wrote there, and not a stranger's.

        A file is never there in part. A message's name holds its key; a file is known by its size and
        digest, or where that was not known before it was sent, by size and the time we set.
        """
        item = slot.item
        if item.kind is Kind.MAIL:
            return True
        if item.size is not None and item.size != mark.st_size:
            return False
        if told := item.digests.get("sha256"):
            digest = hashlib.sha256()
            with open(os.path.join(self._folder(slot.place), name), "rb") as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
            return digest.hexdigest() == told
        return item.modified is None or abs(mark.st_mtime - item.modified.timestamp()) < 2  # FAT keeps even seconds

    def write(self, slot: Slot, body: Body) -> Receipt:
        with writing("The file"):
            path = self._part(slot)
            size = new_file(path, iter(lambda: body.read(CHUNK), b""), _moment(slot), sync=True)
            receipt = self._named(slot, path, size)
            sync_folder(self._folder(slot.place))
        return receipt

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        left = iter(parts)
        while some := list(islice(left, self.batch.items)):
            outcomes: list[Outcome] = []
            waiting: dict[bytes, tuple[Slot, int]] = {}
            places = {slot.place for slot, _ in some}
            try:
                with writing("The folder"):
                    for slot, body in some:
                        try:
                            path = self._part(slot)
                            waiting[path] = slot, new_file(path, (body,), _moment(slot), sync=False)
                        except ItemError as error:
                            outcomes.append((slot, error))
                        except OSError as error:
                            found = refused("The file", error)
                            if not isinstance(found, ItemError):
                                raise
                            outcomes.append((slot, found))
                    for place in places:
                        sync_files(self._folder(place), [p for p, (slot, _) in waiting.items() if slot.place == place])
                    for path, (slot, size) in list(waiting.items()):
                        try:
                            outcomes.append((slot, self._named(slot, path, size)))
                        except ItemError as error:
                            outcomes.append((slot, error))
                        del waiting[path]
                    for place in places:
                        sync_folder(self._folder(place))
            finally:
                for path in waiting:
                    forget(path)
            yield from outcomes

    def _part(self, slot: Slot) -> bytes:
        """Where this attempt writes. Raises ItemError if the slot's name cannot be."""
        _name(slot)
        name = f".{slot.key}.{secrets.token_hex(4)}{_PART}"
        return os.path.join(self._folder(slot.place), name.encode())

    def _named(self, slot: Slot, path: bytes, size: int) -> Receipt:
        """Give a finished file its name, unless somebody else's has it. `path` is gone afterwards."""
        name = _name(slot)
        there = os.path.join(self._folder(slot.place), name)
        try:
            with contextlib.suppress(FileExistsError):
                try:
                    os.link(path, there, follow_symlinks=False)
                except PermissionError:  # a file system without hard links
                    if not os.path.lexists(there):
                        os.rename(path, there)
                        return _receipt(slot.place, name, size)
            if not _same(path, there):
                raise ItemError(
                    "name-taken",
                    "A file of this name, with other content, is there already.",
                    "Move that file away, then run: liberate retry",
                )
        finally:
            forget(path)
        return _receipt(slot.place, name, size)

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        path = os.path.join(self._folder(receipt.place), raw(receipt.id))
        with reading("The file"), os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                yield chunk


def _name(slot: Slot) -> bytes:
    if slot.item.kind is not Kind.MAIL:
        name = slot.name.encode("utf-8", "surrogatepass")
        if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
            raise ItemError("illegal-name", "The file's name cannot be a file's name here.")
        return name
    moment = _moment(slot)
    day = moment.astimezone(UTC).strftime("%Y-%m-%d-%H%M%S") if moment else "undated"
    return f"{day}-{slot.key}.eml".encode()


def _moment(slot: Slot) -> datetime | None:
    facts = slot.item.facts
    return (facts.received if isinstance(facts, MailFacts) else None) or slot.item.modified


def _receipt(place: Place, name: bytes, size: int) -> Receipt:
    return Receipt(text(name), place, size, evidence=Evidence.SIZE)


def _same(path: bytes, other: bytes) -> bool:
    """Whether two files have the same bytes; a link is nobody's file."""
    with contextlib.suppress(OSError), open(path, "rb") as one, open(other, "rb") as two:
        if os.path.samestat(os.fstat(one.fileno()), os.lstat(other)):
            return True
        if os.path.islink(other) or os.fstat(one.fileno()).st_size != os.fstat(two.fileno()).st_size:
            return False
        while chunk := one.read(CHUNK):
            if chunk != two.read(CHUNK):
                return False
        return True
    return False
