"""A folder as a destination of mail: each message an .eml file."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from liberate.connector import Batch, Body, Collection, Evidence, Outcome, Place, Receipt, Slot, Taken
from liberate.errors import ItemError, TransientError
from liberate.mail import MailFacts
from liberate_local.durable import forget, new_file, sync_files, sync_folder
from liberate_local.paths import raw, reading, refused, text, writing

CHUNK = 1 << 20
ROOT = "."
_PART = ".liberate-part"


class EmlDestination:
    """Writes each message under another name, brings it to the disk, and only then gives it its own.

    A name that somebody else's file has is never taken over. A message's name is the time it
    arrived and its slot's key; flags and keywords have no place in an .eml file and stay behind:
    who needs them takes a Maildir.
    """

    batch = Batch(items=200, bytes=32 << 20)

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)

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
        """What is there under a message's name, which holds its slot's key; a file is never there in part."""
        out = {}
        for slot in slots:
            name = _name(slot)
            try:
                mark = os.lstat(os.path.join(self._folder(slot.place), name))
                if not taken(slot.place, [text(name)]):
                    out[slot.key] = _receipt(slot.place, name, mark.st_size)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise TransientError(
                    f"The folder {os.fsdecode(self._root)} cannot be searched ({os.strerror(error.errno or 0)})."
                ) from error
        return out

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
        """Where this attempt writes."""
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

    def path(self, receipt: Receipt) -> bytes:
        """The path of what a receipt names, whether or not it is there."""
        return os.path.join(self._folder(receipt.place), raw(receipt.id))

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        path = self.path(receipt)
        with reading("The file"), os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                yield chunk


def _name(slot: Slot) -> bytes:
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
