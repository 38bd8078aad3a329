"""Mbox files where people keep them: alone, in a mail program's folder, in a Takeout archive."""

from __future__ import annotations

import lzma
import os
import tarfile
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO, Protocol

from liberate.errors import AccountError
from liberate_local.mbox_format import starts_like_mbox
from liberate_local.paths import opening, text

ALONE = "."  # the id of a file that is the whole account
_HEAD = 1 << 16
ZIPS = (".zip",)
TARS = (".tgz", ".tar.gz", ".tar")
# Files beside mboxes in the folders of Thunderbird, mutt and Dovecot that are none.
_NEVER = (".msf", ".dat", ".html", ".json", ".sbd", ".lock", ".db", ".sqlite", ".toc", ".idx", ".wdseml", ".eml")


class Bytes(Protocol):
    """A file's bytes by offset."""

    def read_at(self, offset: int, n: int) -> bytes:
        """n bytes, fewer only at the end."""
        ...

    def close(self) -> None: ...


class FileBytes:
    """A file on disk, read wherever one likes."""

    def __init__(self, path: bytes) -> None:
        self._handle = os.open(path, os.O_RDONLY)

    def read_at(self, offset: int, n: int) -> bytes:
        out = os.pread(self._handle, n, offset)
        while len(out) < n and (more := os.pread(self._handle, n - len(out), offset + len(out))):
            out += more
        return out

    def close(self) -> None:
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class StreamBytes:
    """A compressed file: cheap to read onwards, begun anew to go back further than it remembers."""

    _PIECE = 1 << 20

    def __init__(self, begin: Callable[[], BinaryIO], archive: Path, remembered: int) -> None:
        self._remembered = remembered // self._PIECE
        self._begin = begin
        self._archive = archive
        self._file: BinaryIO | None = None
        self._pieces: deque[bytes] = deque()
        self._at = 0  # offset of the first piece
        self._end = 0  # and of what comes behind the last

    def read_at(self, offset: int, n: int) -> bytes:
        try:
            return self._read_at(offset, n)
        except (zlib.error, EOFError, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError) as error:
            raise broken(self._archive) from error

    def _read_at(self, offset: int, n: int) -> bytes:
        if self._file is None or offset < self._at:
            self.close()
            self._pieces.clear()
            self._file, self._at, self._end = self._begin(), 0, 0
        while self._end < offset + n and (piece := self._file.read(self._PIECE)):
            self._pieces.append(piece)
            self._end += len(piece)
            while len(self._pieces) > self._remembered and self._at + len(self._pieces[0]) <= offset:
                self._at += len(self._pieces.popleft())
        out, at = [], self._at
        for piece in self._pieces:
            if at < offset + n and at + len(piece) > offset:
                out.append(piece[max(offset - at, 0) : offset + n - at])
            at += len(piece)
        return b"".join(out)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


@dataclass(frozen=True, slots=True)
class MboxFile:
    """One mbox file."""

    id: str  # below the account's path; ALONE if it is that path
    path: tuple[str, ...]  # the mailbox's name as people read it
    size: int
    stamp: str  # changes whenever the file does; the archive's, for a file in an archive
    changed_ns: int  # when it did, by the clock of its file system
    open: Callable[[int], Bytes]  # each call reads on its own; given how many bytes back it should be cheap to go


def found_at(path: Path) -> Iterator[MboxFile]:
    """The mbox files at `path`: itself, in the folder, or in the archive. Links in a folder are not followed.

    Raises AccountError if the path is a file that is neither an mbox nor an archive.
    """
    with opening(str(path)):
        if path.is_dir():
            yield from _in_folder(path, os.fsencode(path), b"", ())
        elif path.name.lower().endswith(ZIPS):
            yield from _in_zip(path, "")
        elif path.name.lower().endswith(TARS):
            yield from _in_tar(path, "")
        else:
            with path.open("rb") as file:
                head = file.read(_HEAD)
            if not starts_like_mbox(head) and b"\nFrom " not in head:
                raise AccountError(
                    "not-an-mbox",
                    f'{path} is not an mbox file: it does not begin with a line "From SENDER DATE".',
                    "A folder of single messages (.eml) is read by the eml connector.",
                )
            yield _plain(os.fsencode(path), ALONE, (_mailbox(path.name),))


def _plain(path: bytes, known: str, name: tuple[str, ...]) -> MboxFile:
    stat = os.stat(path)
    return MboxFile(known, name, stat.st_size, _stamp(stat), stat.st_ctime_ns, lambda _: FileBytes(path))


def _stamp(stat: os.stat_result) -> str:
    # mutt sets the modification time back after it has written; the change time tells.
    return f"{stat.st_ino}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"


def _mailbox(name: str) -> str:
    stem = name[:-5] if name.lower().endswith((".mbox", ".mbx")) and len(name) > 5 else name
    return stem.rstrip(".") or name


def _in_folder(root: Path, top: bytes, below: bytes, name: tuple[str, ...]) -> Iterator[MboxFile]:
    with os.scandir(os.path.join(top, below)) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(b"."):
                continue
            known = os.path.join(below, entry.name)
            readable = entry.name.decode("utf-8", "replace")
            lower = readable.lower()
            if entry.is_dir(follow_symlinks=False):
                # Thunderbird keeps the folders below "Work" in "Work.sbd".
                level = readable[:-4] if lower.endswith(".sbd") else _mailbox(readable)
                yield from _in_folder(root, top, known, (*name, level))
            elif not entry.is_file(follow_symlinks=False) or lower.endswith(_NEVER):
                continue
            elif lower.endswith(ZIPS):
                yield from _in_zip(root / os.fsdecode(known), text(known) + "!")
            elif lower.endswith(TARS):
                yield from _in_tar(root / os.fsdecode(known), text(known) + "!")
            elif _is_mbox(os.path.join(top, known), lower):
                # Apple Mail keeps a mailbox in "Work.mbox/mbox".
                apple = lower == "mbox" and os.path.join(top, below).rstrip(b"/").lower().endswith(b".mbox")
                own = (name or (_mailbox(root.name),)) if apple else (*name, _mailbox(readable))
                yield _plain(os.path.join(top, known), text(known), own)


def _is_mbox(path: bytes, lower: str) -> bool:
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    if lower.endswith((".mbox", ".mbx")):
        return True
    return starts_like_mbox(head) and (bool(head) or "." not in lower)


def _in_zip(path: Path, prefix: str) -> Iterator[MboxFile]:
    stat = path.stat()
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if member.filename.lower().endswith(".mbox")]
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise broken(path) from error
    for member in sorted(members, key=lambda member: member.filename):
        if member.flag_bits & 1:
            raise AccountError("encrypted", f"{path} is encrypted.", "Unpack it and name the folder instead.")
        yield MboxFile(
            prefix + text(member.filename.encode("utf-8", "surrogateescape")),
            (_mailbox(member.filename.rpartition("/")[2]),),
            member.file_size,
            f"{_stamp(stat)}:{member.CRC:08x}",
            stat.st_ctime_ns,
            partial(StreamBytes, partial(_zip_member, path, member), path),
        )


def _zip_member(path: Path, member: zipfile.ZipInfo) -> BinaryIO:
    archive = zipfile.ZipFile(path)
    try:
        return _Member(archive.open(member), archive)  # type: ignore[return-value]
    except BaseException:
        archive.close()
        raise


def _in_tar(path: Path, prefix: str) -> Iterator[MboxFile]:
    stat = path.stat()
    members = _tar_members(path, _stamp(stat))
    for member in sorted(members, key=lambda member: member.name):
        yield MboxFile(
            prefix + text(member.name.encode("utf-8", "surrogateescape")),
            (_mailbox(member.name.rpartition("/")[2]),),
            member.size,
            f"{_stamp(stat)}:{member.offset}",
            stat.st_ctime_ns,
            partial(StreamBytes, partial(_tar_member, path, member), path),
        )


@lru_cache(maxsize=16)
def _tar_members(path: Path, _unchanged: str) -> tuple[tarfile.TarInfo, ...]:
    """The mboxes in an archive, which has to be read from end to end to find them."""
    try:
        with tarfile.open(path) as archive:
            return tuple(member for member in archive if member.isfile() and member.name.lower().endswith(".mbox"))
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise broken(path) from error


def _tar_member(path: Path, member: tarfile.TarInfo) -> BinaryIO:
    archive = tarfile.open(path)  # noqa: SIM115
    try:
        return _Member(archive.extractfile(member), archive)  # type: ignore[return-value]
    except BaseException:
        archive.close()
        raise


class _Member:
    """A file in an archive that is closed with it."""

    def __init__(self, file: object, archive: zipfile.ZipFile | tarfile.TarFile) -> None:
        self._file: BinaryIO = file  # type: ignore[assignment]
        self._archive = archive

    def read(self, n: int) -> bytes:
        return self._file.read(n)

    def close(self) -> None:
        self._file.close()
        self._archive.close()


def broken(path: Path) -> AccountError:
    return AccountError(
        "broken-archive",
        f"{path} is not a whole archive.",
        "Download it again, or unpack what can be unpacked and name that folder instead.",
    )
