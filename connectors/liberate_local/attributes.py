"""What a file has beside its bytes: extended attributes, read in bounds and changed where nobody else did; its time."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from liberate.connector import Change, Item
from liberate.errors import ItemError
from liberate.files import FileFacts
from liberate_local.durable import set_time, stamp_of

LIMIT = 64 << 10  # bytes of names and values of one file: what Linux allows for a single value
Extended: TypeAlias = tuple[tuple[str, bytes], ...]
_OURS = b"user."  # the one namespace in which users keep what they like; the others are the system's
_UNSUPPORTED = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
_ABSENT = (errno.ENODATA, errno.ENOENT)


def extended(path: bytes) -> Extended | None:
    """What users keep beside a file or folder, sorted by name; None: more than LIMIT.

    Raises OSError, but not where the file system has no such attributes.
    """
    if not hasattr(os, "listxattr"):
        return ()
    try:
        # A name that is no UTF-8 cannot be told as text; nobody has been seen to use one.
        names = [name for name in os.listxattr(path, follow_symlinks=False) if _is_ours(name)]
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return ()
        raise
    out: list[tuple[str, bytes]] = []
    size = 0
    for name in sorted(names):
        try:
            value = os.getxattr(path, name, follow_symlinks=False)
        except OSError as error:
            if error.errno == errno.ENODATA:  # removed meanwhile
                continue
            raise
        size += len(name.encode()) + len(value)
        if size > LIMIT:
            return None
        out.append((name, value))
    return tuple(out)


def difference(path: int | bytes, before: Extended, now: Extended) -> None:
    """Bring what changed from `before` to `now` to a file or folder, and leave what somebody changed there.

    A file system without such attributes is left as it is. Raises ItemError where it has no room for them.
    """
    if not hasattr(os, "listxattr"):
        return
    old, new = _by_name(before), _by_name(now)
    for name in sorted(old.keys() | new.keys()):
        was, shall = old.get(name), new.get(name)
        if was == shall:
            continue
        try:
            there = _value(path, name)
            if there == shall or there != was:
                continue
            if shall is None:
                os.removexattr(path, name)
            else:
                os.setxattr(path, name, shall)
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return
            if error.errno in (errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.EDQUOT, errno.EPERM, errno.EACCES):
                raise ItemError(
                    "attributes-refused",
                    f"The file system does not take its extended attributes ({os.strerror(error.errno)}).",
                    "Choose a file system that keeps more of them, or remove them at the source: setfattr -x.",
                ) from error
            raise


def _value(path: int | bytes, name: str) -> bytes | None:
    try:
        return os.getxattr(path, name)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def _by_name(some: Extended) -> Mapping[str, bytes]:
    return {name: value for name, value in some if _is_ours(name)}


def _is_ours(name: str) -> bool:
    try:
        return name.encode().startswith(_OURS) and "\0" not in name
    except UnicodeEncodeError:
        return False


def facts_of(item: Item) -> FileFacts:
    """The item's facts, none where it has none."""
    return item.facts if isinstance(item.facts, FileFacts) else FileFacts()


def dress(item: Item) -> Callable[[int], None]:
    """Gives a new file, open under this number, its extended attributes."""
    return partial(difference, before=(), now=facts_of(item).extended)


def was_dated(change: Change, mark: os.stat_result) -> bool:
    """Whether an earlier attempt at this change has given the file its time, and nobody changed it since."""
    modified = change.slot.item.modified
    if modified is None or change.receipt.size != mark.st_size:
        return False
    try:
        return mark.st_mtime_ns == stamp_of(modified)
    except OverflowError:
        return False


def apply(change: Change, path: bytes, *, dated: bool) -> None:
    """Bring changed facts to what stands there; with `dated` also its time."""
    before = change.before.extended if isinstance(change.before, FileFacts) else ()
    item = change.slot.item
    difference(path, before, facts_of(item).extended)
    if dated and item.modified:
        set_time(path, item.modified)
