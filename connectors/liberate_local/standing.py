"""Where files stand below a destination's folder: places as paths, receipts, versions, names that are nobody's."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat

from liberate.connector import CHANGED_THERE, NAME_TAKEN, Evidence, Held, Item, Place, Receipt, Slot
from liberate.errors import ItemError
from liberate.files import FileFacts
from liberate_local.durable import rename_new, sync_folder
from liberate_local.paths import raw, reading, text

CHUNK = 1 << 20
_PART = re.compile(rb"\.[0-9a-f]{32}(\.[0-9a-f]{8})?\.liberate-part")
_CHECKED = 10_000  # folders that are remembered as inside the root


class Standing:
    """The folder tree of one account at one opened destination.

    A receipt's id is "/" and the name, so it is never taken for a message's. A file's version is the time
    it was modified and its size; not its inode, whose number some file systems choose anew at every mount.
    A folder's version is its inode, which says whether it is the same folder under another name.
    """

    def __init__(self, root: bytes) -> None:
        self.root = root
        self._inside: set[str] = set()

    # Places --------------------------------------------------------------------------------------

    def folder(self, place: str, *, make: bool = True) -> bytes:
        """The path of a place's folder, which with `make` is there afterwards. It is never outside the root."""
        levels = [encoded(level) for level in place.split("/")] if place else []
        path = os.path.join(self.root, *levels)
        if make and not os.path.isdir(path):
            self._inside.discard(place)
            make_folders(self.root, path)
        if place not in self._inside:
            inside, here = os.path.realpath(path), os.path.realpath(self.root)
            if inside != here and not inside.startswith(here.rstrip(b"/") + b"/"):
                raise ItemError(
                    "symbolic-link",
                    "The folder is a symbolic link that leads out of the destination.",
                    "Remove the link, then run: liberate retry",
                )
            if len(self._inside) >= _CHECKED:
                self._inside.clear()
            if os.path.isdir(path):
                self._inside.add(place)
        return path

    def moved(self) -> None:
        """Forget which paths are inside: a folder was moved or removed."""
        self._inside.clear()

    def path(self, receipt: Receipt) -> bytes:
        """The path of what a receipt names, whether or not it is there."""
        return os.path.join(self.folder(receipt.place, make=False), name_in(receipt.id))

    def slot(self, slot: Slot, *, make: bool = True) -> bytes:
        """The path that a slot is."""
        name = encoded(slot.name)
        return os.path.join(self.folder(slot.place, make=make), name)

    # Names ---------------------------------------------------------------------------------------

    def install(self, slot: Slot, part: bytes) -> Receipt:
        """Give a finished file its name; the part's name is gone then. The names still have to be synced.

        Nothing is replaced but what the slot replaces, in the version that it had.
        """
        there = self.slot(slot)
        if slot.replaces is None:
            try:
                rename_new(part, there)
            except FileExistsError:
                raise name_taken() from None
        else:
            changed = ItemError(
                CHANGED_THERE,
                "The file was changed at the destination since it was written.",
                "Let its owner choose one of the two.",
            )
            mark = look(there)
            if mark is None:  # somebody removed it: the new one is nobody's loss
                try:
                    rename_new(part, there)
                except FileExistsError:
                    raise changed from None
            elif self.path(slot.replaces) == there and version_of(mark) == slot.replaces.version:
                os.rename(part, there)
            else:
                raise changed
        mark = os.lstat(there)
        return receipt_of(slot.place, encoded(slot.name), mark)


def encoded(name: str) -> bytes:
    """The name of a file or folder as the system takes it. Raises ItemError if it cannot be one."""
    out = name.encode("utf-8", "surrogatepass")
    if out in (b"", b".", b"..") or b"/" in out or b"\0" in out:
        raise ItemError("illegal-name", "The file's name cannot be a file's name here.")
    return out


def name_in(receipt_id: str) -> bytes:
    """The file name in a receipt's id, of a file or a message."""
    name = raw(receipt_id.removeprefix("/"))
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name:
        raise ItemError("gone", "Nothing can be called that here.")
    return name


def is_part(name: bytes) -> bool:
    """Whether it is a file that was not finished, of a running or a dead attempt."""
    return _PART.fullmatch(name) is not None


def make_folders(root: bytes, path: bytes) -> None:
    """Make a folder at or below the root, and those above it, so that they survive a power cut."""
    os.makedirs(path, exist_ok=True)
    above = path
    while len(above) > len(root):
        above = os.path.dirname(above)
        sync_folder(above)


def look(path: bytes) -> os.stat_result | None:
    """What stands there, None if nothing does."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def version_of(mark: os.stat_result) -> str:
    if stat.S_ISDIR(mark.st_mode):
        return f"folder:{mark.st_ino}"
    return f"{mark.st_mtime_ns}:{mark.st_size}" if stat.S_ISREG(mark.st_mode) else "no file"


def receipt_of(place: Place, name: bytes, mark: os.stat_result) -> Receipt:
    id_ = f"/{text(name)}"
    if stat.S_ISDIR(mark.st_mode):
        return Receipt(id_, place, version=version_of(mark))
    return Receipt(id_, place, mark.st_size, evidence=Evidence.SIZE, version=version_of(mark))


def held_of(place: Place, name: bytes, mark: os.stat_result) -> Held:
    folder, file = stat.S_ISDIR(mark.st_mode), stat.S_ISREG(mark.st_mode)
    size = mark.st_size if file else None
    return Held(place, name.decode("utf-8", "replace"), folder, f"/{text(name)}", size, version_of(mark))


def name_taken() -> ItemError:
    return ItemError(
        NAME_TAKEN, "Something else of this name is there already.", "Move it away, then run: liberate retry"
    )


def opened(path: bytes) -> int:
    """A file opened for reading, never a link's end and never waiting for a pipe's other end."""
    return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)


def digests_of(path: bytes, *names: str) -> dict[str, str]:
    """Digests in hex of the bytes that are on the disk. Raises ItemError("gone")."""
    made = {name: hashlib.new(name, usedforsecurity=False) for name in names}
    with reading("The file"), os.fdopen(opened(path), "rb", buffering=0) as file:
        while chunk := file.read(CHUNK):
            for one in made.values():
                one.update(chunk)
    return {name: one.hexdigest() for name, one in made.items()}


def has_the_bytes(path: bytes, mark: os.stat_result, item: Item) -> bool | None:
    """Whether a file has an item's bytes; None: what those are is not known."""
    if not stat.S_ISREG(mark.st_mode) or item.size not in (None, mark.st_size):
        return False
    told = item.digests.get("sha256")
    return None if told is None else digests_of(path, "sha256")["sha256"] == told


def is_folder(slot: Slot) -> bool:
    return isinstance(slot.item.facts, FileFacts) and slot.item.facts.folder


def sweep(folder: bytes, keys: set[str]) -> None:
    """Remove what dead attempts at these slots left unfinished; half-sent uploads stay."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_part(entry.name) and len(entry.name) > 50 and entry.name[1:33].decode() in keys:
                os.unlink(entry.path)
