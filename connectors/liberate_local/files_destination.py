"""A folder as a destination of files: trees whose folders are items, whole files, nobody's replaced."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

from liberate.connector import (
    CHANGED_THERE,
    Batch,
    Body,
    Change,
    Collection,
    Held,
    Outcome,
    Place,
    Receipt,
    Slot,
    Taken,
    inside,
)
from liberate.errors import ItemError, TransientError
from liberate_local.attributes import apply, dress, was_dated
from liberate_local.durable import forget, new_file, rename_new, sync_files, sync_folder, sync_names
from liberate_local.paths import reading, writing
from liberate_local.standing import (
    CHUNK,
    Standing,
    digests_of,
    encoded,
    has_the_bytes,
    held_of,
    is_folder,
    is_part,
    look,
    name_in,
    name_taken,
    opened,
    receipt_of,
    sweep,
    version_of,
)
from liberate_local.uploads import Uploads

_GONE = ItemError("gone", "It is no longer there.")


class FilesDestination:
    """Writes each file under another name, brings it to the disk, and only then gives it its own."""

    batch = Batch(items=200, bytes=8 << 20)

    def __init__(self, root: Path, *, piece: int = 32 << 20, over: int = 64 << 20) -> None:
        self._root = os.fsencode(root)
        self._standing = Standing(self._root)
        self._uploads = Uploads(self._standing, piece, over)

    def prepare(self, collection: Collection) -> Place:
        place = Place("/".join(collection.path))
        for level in collection.path:
            encoded(level)
        with writing(f"The folder {os.fsdecode(self._root)}"):
            self._standing.folder(place)
        return place

    # Writing -------------------------------------------------------------------------------------

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination. What earlier attempts did not finish is removed on the way."""
        out = {}
        for place in {slot.place for slot in slots}:
            folder = self._standing.folder(place, make=False)
            sweep(folder, {slot.key for slot in slots if slot.place == place})
        for slot in slots:
            try:
                path = self._standing.slot(slot, make=False)
            except ItemError:
                continue  # nothing can be there
            mark = self._look(path)
            if mark is not None and self._is_ours(slot, path, mark):
                receipt = receipt_of(slot.place, os.path.basename(path), mark)
                if not taken(slot.place, [receipt.id]):
                    out[slot.key] = receipt
        return out

    @staticmethod
    def _is_ours(slot: Slot, path: bytes, mark: os.stat_result) -> bool:
        """Whether what stands under a slot's name is what an earlier attempt wrote there, and not a stranger's.

        A file is never there in part. It is known by its size and digest, or where that was not known
        before it was sent, by its size and the time that was set. A folder is whosever it is.
        """
        if is_folder(slot) or stat.S_ISDIR(mark.st_mode):
            return is_folder(slot) and stat.S_ISDIR(mark.st_mode)
        if slot.replaces is not None and version_of(mark) == slot.replaces.version:
            return False
        try:
            same = has_the_bytes(path, mark, slot.item)
        except ItemError as error:
            if error.code == "gone":
                return False
            raise TransientError(f"The file cannot be compared with what was sent: {error.why}") from error
        if same is not None:
            return same
        modified = slot.item.modified
        return modified is not None and abs(mark.st_mtime - modified.timestamp()) < 2  # FAT keeps even seconds

    def write(self, slot: Slot, body: Body) -> Receipt:
        with writing("The file"):
            path = self._part(slot)
            try:
                chunks = iter(lambda: body.read(CHUNK), b"")
                new_file(path, chunks, slot.item.modified, sync=True, dress=dress(slot.item))
                receipt = self._standing.install(slot, path)
            finally:
                forget(path)
            sync_folder(self._standing.folder(slot.place))
        return receipt

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany. Each body is let go once it is in its part file; a whole batch is synced at once."""
        left = iter(parts)
        while outcomes := self._write_some(islice(left, self.batch.items)):
            yield from outcomes

    def _write_some(self, some: Iterable[tuple[Slot, bytes]]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        waiting: dict[bytes, Slot] = {}
        try:
            for slot, body in some:
                try:
                    with writing("The file"):
                        path = self._part(slot)
                        new_file(path, (body,), slot.item.modified, sync=False, dress=dress(slot.item))
                    waiting[path] = slot
                except ItemError as error:
                    outcomes.append((slot, error))
            with writing("The folder"):
                folders = {os.path.dirname(path) for path in waiting}
                by_device = {os.stat(folder).st_dev: folder for folder in folders}
                for folder in by_device.values():
                    sync_files(folder, waiting)
                for path, slot in list(waiting.items()):
                    try:
                        outcomes.append((slot, self._standing.install(slot, path)))
                        del waiting[path]
                    except ItemError as error:
                        outcomes.append((slot, error))
                sync_names(folders)
        finally:
            for path in waiting:
                forget(path)
        return outcomes

    def _part(self, slot: Slot) -> bytes:
        """Where this attempt writes: nowhere that another, which may still run, does."""
        encoded(slot.name)
        return os.path.join(
            self._standing.folder(slot.place), f".{slot.key}.{secrets.token_hex(4)}.liberate-part".encode()
        )

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        path = self._path(receipt)
        with reading("The file"), os.fdopen(opened(path), "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                yield chunk

    def _path(self, receipt: Receipt) -> bytes:
        """The path of what a receipt names, whether or not it is there."""
        return self._standing.path(receipt)

    def _look(self, path: bytes) -> os.stat_result | None:
        with writing(f"The folder {os.fsdecode(self._root)}"):
            return look(path)

    # Trees ---------------------------------------------------------------------------------------

    def held(self, place: Place) -> Iterator[Held]:
        with writing(f"The folder {os.fsdecode(self._root)}"):
            folder = self._standing.folder(place)
        yield from self._in(place, folder)

    def inventory(self, root: Place) -> Iterator[Held]:
        waiting: list[list[Place]] = [[root]]  # on each level, the folders still to be looked into
        while waiting:
            if not waiting[-1]:
                waiting.pop()
                continue
            place = waiting[-1].pop()
            folder = self._standing.folder(place, make=False)
            below: list[Place] = []
            for one in self._in(place, folder):
                if one.folder and one.name.encode("utf-8", "surrogatepass") == name_in(one.id):
                    below.append(inside(place, one.name))
                yield one
            waiting.append(below)

    def _in(self, place: Place, folder: bytes) -> Iterator[Held]:
        with writing(f"The folder {os.fsdecode(self._root)}"):
            try:
                entries = os.scandir(folder)
            except FileNotFoundError:
                return
            with entries:
                for entry in entries:
                    mark = None if is_part(entry.name) else look(entry.path)
                    if mark is not None:
                        yield held_of(place, entry.name, mark)

    def make_folder(self, slot: Slot) -> Receipt:
        name = encoded(slot.name)
        with writing("The folder"):
            path = self._standing.slot(slot)
            try:
                os.mkdir(path)
            except FileExistsError:
                mark = os.lstat(path)
                if not stat.S_ISDIR(mark.st_mode):
                    raise name_taken() from None
                return receipt_of(slot.place, name, mark)
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                dress(slot.item)(handle)
            finally:
                os.close(handle)
            sync_folder(os.path.dirname(path))
            return receipt_of(slot.place, name, os.lstat(path))

    def move(self, slot: Slot, receipt: Receipt) -> Receipt:
        with writing("The file"):
            new, old = self._standing.slot(slot), self._path(receipt)
            there, here = look(new), look(old)
            if here is None:
                if there is None or not receipt.version or version_of(there) != receipt.version:
                    raise _GONE
            elif there is not None and version_of(there) == receipt.version != version_of(here):
                pass  # it was moved before, and somebody took its old name since
            elif old != new:
                self._rename(old, here, new, there)
                self._standing.moved()
                sync_names({os.path.dirname(old), os.path.dirname(new)})
            return receipt_of(slot.place, os.path.basename(new), os.lstat(new))

    @staticmethod
    def _rename(old: bytes, here: os.stat_result, new: bytes, there: os.stat_result | None) -> None:
        if there is None:
            try:
                rename_new(old, new)
            except FileExistsError:
                raise name_taken() from None
            except OSError as error:
                if stat.S_ISDIR(here.st_mode) and f"{os.fsdecode(new)}/".startswith(f"{os.fsdecode(old)}/"):
                    raise ItemError("illegal-move", "A folder cannot be moved into itself.") from error
                raise
        elif not os.path.samestat(here, there):
            raise name_taken()
        elif os.path.basename(new) in os.listdir(os.path.dirname(new)):
            if stat.S_ISREG(here.st_mode) and here.st_nlink > 1:
                os.unlink(old)  # two names of one file: a move that was cut off half-way
        else:
            os.rename(old, new)  # one name that this file system takes for both

    # Powers --------------------------------------------------------------------------------------

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        with writing("The file"):
            path = self._path(receipt)
            mark = look(path)
            if mark is None:
                return
            if stat.S_ISDIR(mark.st_mode):
                self._remove_folder(path)
            else:
                if version_of(mark) != receipt.version and not self._unchanged(slot, path, mark):
                    raise ItemError(CHANGED_THERE, "Somebody changed the file at the destination.")
                os.unlink(path)
            self._standing.moved()
            sync_folder(os.path.dirname(path))

    @staticmethod
    def _unchanged(slot: Slot, path: bytes, mark: os.stat_result) -> bool:
        return not is_folder(slot) and has_the_bytes(path, mark, slot.item) is True

    @staticmethod
    def _remove_folder(path: bytes) -> None:
        names = os.listdir(path)
        if not all(is_part(name) for name in names):
            raise ItemError(CHANGED_THERE, "The folder holds something.")
        for name in names:
            os.unlink(os.path.join(path, name))
        try:
            os.rmdir(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ItemError(CHANGED_THERE, "The folder holds something.") from error

    def rehash(self, receipts: Iterable[Receipt]) -> Iterator[tuple[Receipt, Mapping[str, str] | ItemError]]:
        for receipt in receipts:
            told: Mapping[str, str] | ItemError
            try:
                told = digests_of(self._path(receipt), "sha256")
            except ItemError as error:
                told = error
            yield receipt, told

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        for change in changes:
            outcome: Receipt | ItemError
            try:
                outcome = self._update(change)
            except ItemError as error:
                outcome = error
            yield change.slot, outcome

    def _update(self, change: Change) -> Receipt:
        """Bring the new facts. A file that somebody changed keeps its time, and does not become ours."""
        receipt = change.receipt
        with writing("The file"):
            path = self._path(receipt)
            mark = look(path)
            if mark is None or stat.S_ISLNK(mark.st_mode):
                raise _GONE
            ours = stat.S_ISDIR(mark.st_mode) or version_of(mark) == receipt.version or was_dated(change, mark)
            apply(change, path, dated=ours)
            now = receipt_of(receipt.place, os.path.basename(path), os.lstat(path))
            return now if ours else replace(now, version=receipt.version)

    def room(self) -> int | None:
        path = self._root
        while not os.path.isdir(path) and os.path.dirname(path) != path:
            path = os.path.dirname(os.path.abspath(path))
        with writing("The folder"):
            told = os.statvfs(path)
        return told.f_bavail * told.f_frsize

    # Large bodies --------------------------------------------------------------------------------

    def piece(self, size: int) -> int | None:
        return self._uploads.piece(size)

    def begin(self, slot: Slot) -> str:
        return self._uploads.begin(slot)

    def received(self, upload: str, piece: int) -> int | None:
        return self._uploads.received(upload, piece)

    def append(self, upload: str, slot: Slot, offset: int, body: Body) -> None:
        self._uploads.append(upload, slot, offset, body)

    def finish(self, upload: str, slot: Slot) -> Receipt:
        return self._uploads.finish(upload, slot)

    def abandon(self, upload: str) -> None:
        self._uploads.abandon(upload)
