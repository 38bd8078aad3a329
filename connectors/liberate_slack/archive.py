"""A ZIP read where it lies: half a million entries in a few megabytes, nothing extracted, no name trusted.

zipfile keeps some 700 bytes an entry, and a large workspace has one entry for each room and day.
The format is PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 (local header) to 4.3.16.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zlib
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from liberate.errors import AccountError, ItemError

_CHUNK = 1 << 18
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_LOCAL = struct.Struct("<4s2B4HL2L2H")
_STORED, _DEFLATED = 0, 8
_AGAIN = "Download the export again, and name that file."


@dataclass(frozen=True, slots=True)
class Limits:
    """What more than is taken for an attack on whoever unpacks it."""

    entries: int = 5_000_000
    entry: int = 4 << 30  # bytes of one entry that is read as JSON
    total: int = 4 << 40  # bytes of all entries
    expansion: int = 100  # how many times larger than the ZIP all of it may be
    harmless: int = 1 << 30  # bytes below which any expansion is taken


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive."""

    number: int
    name: str  # as it stands there, UTF-8 wherever it is that
    size: int


class Archive:
    """An open ZIP. `keep` is shown each name, and says whether the entry is remembered."""

    def __init__(self, path: Path, keep: Callable[[int, str], bool], limits: Limits | None = None) -> None:
        self.path = path
        self._limits = limits or Limits()
        self._file = _opened(path)
        self._offset = array("Q")
        self._packed = array("Q")
        self._size = array("Q")
        self._crc = array("I")
        self._method = array("B")
        self.refused: list[str] = []  # names that lead out of the archive, or to something that is no file
        self.digest = ""  # of the directory: another export has another one
        try:
            self._read_directory(keep)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"Archive({self.path.name!r}, {len(self._offset)} entries)"

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def size(self, number: int) -> int:
        """Bytes of the entry, as the directory says."""
        return self._size[number]

    def same(self, one: int, other: int) -> bool:
        """Whether two entries have the same bytes, by their checksums."""
        return self._size[one] == self._size[other] and self._crc[one] == self._crc[other]

    # The directory -------------------------------------------------------------------------------

    def _read_directory(self, keep: Callable[[int, str], bool]) -> None:
        length = os.fstat(self._file.fileno()).st_size
        count, size, offset, shift = self._end(length)
        limits = self._limits
        if count > limits.entries:
            raise self._bomb(f"it has {count:,} entries")
        self._file.seek(offset + shift)
        digest = hashlib.sha256()
        packed = total = 0
        left = size
        while left >= _CENTRAL.size:
            head = self._exactly(_CENTRAL.size)
            (magic, _, system, _, _, flags, method, _, _, crc, csize, usize, names, extras, notes, _, _, outer, at) = (
                _CENTRAL.unpack(head)
            )
            if magic != b"PK\x01\x02":
                raise broken(self.path)
            raw = self._exactly(names)
            extra = self._exactly(extras)
            if notes:
                self._file.seek(notes, os.SEEK_CUR)
            left -= _CENTRAL.size + names + extras + notes
            digest.update(raw)
            digest.update(struct.pack("<LL", crc, usize))
            usize, csize, at = _wide(extra, usize, csize, at)
            packed += csize
            total += usize
            number = len(self._offset)
            name = _name(raw, flags)
            if number >= limits.entries:
                raise self._bomb("it has more entries than it says")
            self._offset.append(at + shift)
            self._packed.append(csize)
            self._size.append(usize)
            self._crc.append(crc)
            self._method.append(method if method in (_STORED, _DEFLATED) else 255)
            if name.endswith(("/", "\\")) and not usize:
                continue
            if _leads_out(name) or (system == 3 and stat.S_ISLNK(outer >> 16)):
                self.refused.append(name)
                continue
            if keep(number, name) and flags & 1:
                raise AccountError(
                    "encrypted", f"{self.path} is encrypted.", "Unpack it, zip the folder again without a password."
                )
        if packed > length:
            raise self._bomb("its entries lie over one another")
        if total > limits.total or (total > limits.harmless and total > limits.expansion * length):
            raise self._bomb(f"it would unpack to {total:,} bytes")
        self.digest = digest.hexdigest()

    def _end(self, length: int) -> tuple[int, int, int, int]:
        """(entries, bytes, offset) of the directory, and by how much all offsets are off."""
        tail = min(length, _END.size + (1 << 16))
        self._file.seek(length - tail)
        data = self._file.read(tail)
        at = data.rfind(b"PK\x05\x06")
        if at < 0 or len(data) - at < _END.size:
            raise broken(self.path)
        (_, _, _, _, count, size, offset, _) = _END.unpack_from(data, at)
        end = length - tail + at
        if (count == 0xFFFF or 0xFFFFFFFF in (size, offset)) and end >= _LOCATOR.size:
            self._file.seek(end - _LOCATOR.size)
            magic, _, where, _ = _LOCATOR.unpack(self._exactly(_LOCATOR.size))
            if magic == b"PK\x06\x07":
                if where > length:
                    raise broken(self.path)
                self._file.seek(where)
                found = _END64.unpack(self._exactly(_END64.size))
                if found[0] != b"PK\x06\x06":
                    raise broken(self.path)
                count, size, offset = found[7], found[8], found[9]
                end = where
        shift = end - size - offset
        if shift < 0 or offset + shift + size > length:
            raise broken(self.path)
        return count, size, offset, shift

    def _exactly(self, n: int) -> bytes:
        data = self._file.read(n)
        if len(data) != n:
            raise broken(self.path)
        return data

    def _bomb(self, what: str) -> AccountError:
        return AccountError(
            "zip-bomb",
            f"{self.path} is not read, as {what}: it looks made to fill the disk of whoever unpacks it.",
            "Look where it comes from. If it is Slack's own, raise `expansion` in the plan.",
        )

    # Bytes ---------------------------------------------------------------------------------------

    def read(self, number: int, offset: int = 0) -> Iterator[bytes]:
        """The entry's bytes from `offset` on. Raises ItemError if they are not what the directory says."""
        if self._method[number] == 255:
            raise ItemError("compression", "It is packed in a way that liberate does not know.", "Zip the export anew.")
        whole = self._size[number]
        crc = at = 0
        for piece in self._unpacked(number):
            crc = zlib.crc32(piece, crc)
            if at + len(piece) > offset:
                yield piece[max(0, offset - at) :]
            at += len(piece)
            if at > whole:
                break
        if at != whole or crc != self._crc[number]:
            raise ItemError("broken-entry", "The archive holds it damaged.", _AGAIN)

    def all(self, number: int) -> bytes:
        """The whole entry, of which the size is limited."""
        if self._size[number] > self._limits.entry:
            raise ItemError("too-large", f"It has {self._size[number]:,} bytes, more than is read as one file.")
        return b"".join(self.read(number))

    def _unpacked(self, number: int) -> Iterator[bytes]:
        self._file.seek(self._offset[number])
        head = self._file.read(_LOCAL.size)
        if len(head) != _LOCAL.size or head[:4] != b"PK\x03\x04":
            raise ItemError("broken-entry", "The archive holds it damaged.", _AGAIN)
        names, extras = _LOCAL.unpack(head)[-2:]
        place = self._offset[number] + _LOCAL.size + names + extras
        left = self._packed[number]
        inflate = zlib.decompressobj(-zlib.MAX_WBITS) if self._method[number] == _DEFLATED else None
        while left:
            self._file.seek(place)  # others may have read in between
            data = self._file.read(min(_CHUNK, left))
            if not data:
                return
            left -= len(data)
            place += len(data)
            if inflate is None:
                yield data
                continue
            try:
                while data:
                    if piece := inflate.decompress(data, 1 << 20):
                        yield piece
                    data = inflate.unconsumed_tail
                if inflate.eof:
                    return
            except zlib.error:
                raise ItemError("broken-entry", "The archive holds it damaged.", _AGAIN) from None


def broken(path: Path) -> AccountError:
    """What is no ZIP, or not a whole one."""
    return AccountError("broken-archive", f"{path} is not a whole ZIP file.", _AGAIN)


def _opened(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            raise AccountError("not-an-export", f"{path} is a folder.", "Name the ZIP file that Slack made.")
        return path.open("rb")
    except FileNotFoundError:
        raise AccountError("not-found", f"There is no file {path}.", "Correct the path.") from None
    except OSError as error:
        raise AccountError("not-readable", f"{path} cannot be read ({error.strerror}).", "Let us read it.") from None


def _name(raw: bytes, flags: int) -> str:
    """Slack writes UTF-8 without the flag that says so; only what is none can be in a DOS code page."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace") if flags & 0x800 else raw.decode("cp437")


def _wide(extra: bytes, usize: int, csize: int, at: int) -> tuple[int, int, int]:
    """The sizes and the offset, those that are too large for 32 bits from the ZIP64 field (4.5.3)."""
    if 0xFFFFFFFF not in (usize, csize, at):
        return usize, csize, at
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, place)
        if kind == 1:
            values = iter(struct.unpack_from(f"<{min(length, len(extra) - place - 4) // 8}Q", extra, place + 4))
            return tuple(next(values, one) if one == 0xFFFFFFFF else one for one in (usize, csize, at))  # type: ignore[return-value]
        place += 4 + length
    return usize, csize, at


def _leads_out(name: str) -> bool:
    """Whether the name is absolute, has a drive, a backslash, or steps upwards."""
    return (
        name.startswith("/")
        or "\\" in name
        or "\0" in name
        or (len(name) > 1 and name[1] == ":" and name[0].isalpha())
        or ".." in name.split("/")
    )
