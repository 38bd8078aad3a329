"""Files that are whole or not there, and still there after a power cut."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path


def new_file(
    path: bytes,
    chunks: Iterable[bytes],
    modified: datetime | None,
    *,
    sync: bool,
    dress: Callable[[int], None] | None = None,
) -> int:
    """Make a file that was not there, with `sync` on the disk; its size. Leaves nothing behind when it fails.

    `dress` gives the open file what it has beside its bytes.
    """
    size = 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            for chunk in chunks:
                view = memoryview(chunk)
                while view:
                    view = view[os.write(handle, view) :]
                size += len(chunk)
            if dress is not None:
                dress(handle)
            if modified:
                set_time(handle, modified)
            if sync:
                os.fsync(handle)
        finally:
            os.close(handle)
    except BaseException:
        forget(path)
        raise
    return size


def set_time(path: int | bytes, modified: datetime) -> None:
    """Set the time of a file or folder, if the file system can hold it."""
    with contextlib.suppress(OverflowError, OSError):
        os.utime(path, ns=(stamp_of(modified),) * 2)


def stamp_of(modified: datetime) -> int:
    """A time in nanoseconds, as set_time sets it. Raises OverflowError."""
    return round(modified.timestamp() * 1e6) * 1000


def rename_new(old: bytes, new: bytes) -> None:
    """Give a file or folder a name that nothing has. Raises FileExistsError if something has it.

    renameat2(2) does it in one step. Where the kernel or the file system cannot, a file is linked and
    unlinked, which is as safe; a folder, and a file where links cannot be made, is looked for first.
    """
    if _renameat2 is not None:
        if _renameat2(_AT_FDCWD, old, _AT_FDCWD, new, _NOREPLACE) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            raise OSError(number, os.strerror(number), old, None, new)
    if not os.path.isdir(old) or os.path.islink(old):
        try:
            os.link(old, new, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
        else:
            os.unlink(old)
            return
    if os.path.lexists(new):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)
    os.rename(old, new)


def forget(path: bytes) -> None:
    """Remove a file if it can be removed."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def sync_folder(path: bytes | str | Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_files(folder: bytes, paths: Iterable[bytes]) -> None:
    """Make files in a folder survive a power cut, all together where the system can.

    syncfs(2) commits a file system once; an fsync for each file commits it as often as there are
    files: ten times slower for mails on ext4. Linux reports failed writes from it since 5.8.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if _syncfs is not None and _syncfs(handle) == 0:
            return
    finally:
        os.close(handle)
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)


def sync_names(folders: Iterable[bytes]) -> None:
    """Make the names in several folders survive a power cut, with one call where the system can."""
    some = sorted(folders)
    if len(some) > 1 and _syncfs is not None:
        by_device = {os.stat(folder).st_dev: folder for folder in some}
        for folder in by_device.values():
            sync_files(folder, ())
        return
    for folder in some:
        sync_folder(folder)


def _find_renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    if sys.platform != "linux":
        return None
    try:
        found = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return None
    found.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    made: Callable[[int, bytes, int, bytes, int], int] = found
    return made


_AT_FDCWD, _NOREPLACE = -100, 1  # <fcntl.h>, <linux/fs.h>
_renameat2 = _find_renameat2()


def _find_syncfs() -> Callable[[int], int] | None:
    try:
        major, minor = (int(part) for part in os.uname().release.split(".")[:2])
        found: Callable[[int], int] = ctypes.CDLL(None, use_errno=True).syncfs
    except (ValueError, AttributeError, OSError):
        return None
    return found if sys.platform == "linux" and (major, minor) >= (5, 8) else None


_syncfs = _find_syncfs()
