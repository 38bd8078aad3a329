"""Large files that are written in pieces: a part file in the target folder, which a later process goes on with."""

from __future__ import annotations

import os
import stat

from liberate.connector import Body, Evidence, Receipt, Slot
from liberate.errors import IntegrityError, TransientError
from liberate_local.attributes import dress
from liberate_local.durable import forget, set_time, sync_folder
from liberate_local.paths import reading, writing
from liberate_local.standing import CHUNK, Standing, digests_of, encoded, has_the_bytes, look, receipt_of


class Uploads:
    """Bodies in pieces. An upload's id is the part file's inode, the slot's key, and the place.

    The inode tells a part file from a later one of the same slot, and a finished file as ours.
    """

    def __init__(self, standing: Standing, piece: int, over: int) -> None:
        self._standing = standing
        self._piece = piece
        self._over = over
        self._begun: set[str] = set()  # by this opening, which has the digest of all the bytes it sent

    def piece(self, size: int) -> int | None:
        return self._piece if size > self._over else None

    def begin(self, slot: Slot) -> str:
        encoded(slot.name)
        with writing("The file"):
            path = self._path(slot.key, slot.place, make=True)
            forget(path)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                upload = f"{os.fstat(handle).st_ino}/{slot.key}/{slot.place}"
            finally:
                os.close(handle)
            sync_folder(os.path.dirname(path))
        self._begun.add(upload)
        return upload

    def received(self, upload: str, piece: int) -> int | None:
        with writing("The file"):
            mark = self._mark(upload)
        return None if mark is None else mark.st_size // piece * piece

    def append(self, upload: str, slot: Slot, offset: int, body: Body) -> None:
        with writing("The file"):
            mark = self._mark(upload)
            if mark is None or mark.st_size < offset:
                raise TransientError("What was sent of the file before is no longer there.")
            handle = os.open(self._of(upload), os.O_WRONLY | os.O_NOFOLLOW)
            try:
                at = offset
                while chunk := body.read(CHUNK):
                    view = memoryview(chunk)
                    while view:
                        written = os.pwrite(handle, view, at)
                        at += written
                        view = view[written:]
                os.fsync(handle)
            finally:
                os.close(handle)

    def finish(self, upload: str, slot: Slot) -> Receipt:
        number, path = upload.partition("/")[0], self._of(upload)
        with writing("The file"):
            mark = self._mark(upload)
            if mark is None:
                return self._finished(int(number), slot)
            if slot.item.size not in (None, mark.st_size):
                raise IntegrityError(f"{mark.st_size} bytes arrived, and not {slot.item.size}.")
            known = {}
            if upload not in self._begun:  # a disk is read sooner than a source
                known = digests_of(path, *{"sha256", *(slot.item.digests.keys() & {"md5", "sha1"})})
            handle = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
            try:
                dress(slot.item)(handle)
                if slot.item.modified:
                    set_time(handle, slot.item.modified)
                os.fsync(handle)
            finally:
                os.close(handle)
            receipt = self._standing.install(slot, path)
            sync_folder(self._standing.folder(slot.place))
        self._begun.discard(upload)
        if not known:
            return receipt
        return Receipt(receipt.id, receipt.place, receipt.size, known, Evidence.STORED, receipt.version)

    def _finished(self, number: int, slot: Slot) -> Receipt:
        """What an earlier call made of the upload. Raises TransientError if it made nothing."""
        there = self._standing.slot(slot)
        mark = look(there)
        if mark is not None and stat.S_ISREG(mark.st_mode):
            with reading("The file"):
                same = mark.st_ino == number or has_the_bytes(there, mark, slot.item)
            if same:
                return receipt_of(slot.place, encoded(slot.name), mark)
        raise TransientError("What was sent of the file before is no longer there.")

    def abandon(self, upload: str) -> None:
        self._begun.discard(upload)
        with writing("The file"):
            if self._mark(upload) is not None:
                os.unlink(self._of(upload))

    # Helpers -------------------------------------------------------------------------------------

    def _path(self, key: str, place: str, *, make: bool = False) -> bytes:
        return os.path.join(self._standing.folder(place, make=make), f".{key}.liberate-part".encode())

    def _of(self, upload: str) -> bytes:
        _, key, place = upload.split("/", 2)
        return self._path(key, place)

    def _mark(self, upload: str) -> os.stat_result | None:
        """The part file, None if it is gone or another one."""
        mark = look(self._of(upload))
        return mark if mark is not None and str(mark.st_ino) == upload.partition("/")[0] else None
