"""Calendars and contacts as files: one for each event, so that each is whole or not there, and one with all of them.

objects/KEY/UID.ics    an event with its changed instances; KEY is the calendar's
objects/KEY/.liberate.json
Work.ics               all of them joined, to be imported anywhere; written when the destination is closed
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from liberate.connector import (
    CHANGED_THERE,
    UID_TAKEN,
    Batch,
    Body,
    Collection,
    Evidence,
    Kind,
    Outcome,
    Place,
    Receipt,
    Slot,
    Taken,
)
from liberate.errors import ItemError
from liberate.mail import Sameness
from liberate.naming import Rules, encode
from liberate.pim import Looks, compared, object_digests
from liberate_local import pim_joined
from liberate_local.durable import forget, new_file, rename_new, sync_files, sync_folder
from liberate_local.paths import raw, reading, text, writing
from liberate_local.pim_source import MARK
from liberate_local.standing import make_folders

if TYPE_CHECKING:
    from types import TracebackType

_CHUNK = 1 << 16
_RULES = Rules(forbidden=frozenset("/"), first=frozenset("."), reserved=frozenset({".", ".."}), max_bytes=200)
_UID = re.compile(rb"(?im)^UID(?:;[^:\r\n]*)?:([^\r\n]*)")
_PART = re.compile(rb"\.[0-9a-f]{32}\.liberate-part")


class PimDestination:
    """Writes calendar files (Kind.EVENT) or files of contacts (Kind.CONTACT)."""

    line_ends: Literal["any", "crlf"] = "any"
    batch = Batch(100, 4 << 20)
    rules = _RULES

    def __init__(self, root: Path, kind: Kind) -> None:
        self._root = os.fsencode(root)
        self._kind = kind
        self._ending = b".ics" if kind is Kind.EVENT else b".vcf"
        self._uids: dict[bytes, tuple[int, dict[bytes, list[bytes]]]] = {}  # by folder: its time, names by UID
        self._touched: set[bytes] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            for folder in sorted(self._touched):
                self._join(folder)
        self._touched.clear()

    # Calendars and address books -----------------------------------------------------------------

    def prepare(self, collection: Collection) -> Place:
        """See KeepsObjects: they are opened."""
        key = hashlib.md5(collection.id.encode(), usedforsecurity=False).hexdigest()
        return self.open_collection(key, collection, Looks("/".join(collection.path)))

    def open_collection(self, key: str, collection: Collection, looks: Looks) -> Place:
        """See KeepsObjects.open_collection."""
        if collection.kind is not self._kind:
            raise ItemError("wrong-kind", "These files hold another kind of thing.")
        place = Place(f"{collection.kind.value}-{key}")
        folder = self._folder(place)
        with writing("the calendar's folder"):
            make_folders(self._root, folder)
            mark = os.path.join(folder, os.fsencode(MARK))
            if not os.path.exists(mark):
                told = {"name": looks.name, "description": looks.description, "colour": looks.colour}
                told |= {"timezone": looks.timezone, "file": self._free_file(looks.name)}
                self._install(folder, mark, json.dumps(told, ensure_ascii=False, indent=1).encode())
        self._touched.add(folder)
        return place

    def _free_file(self, name: str) -> str:
        """A name for the joined file that no other calendar of ours has and nobody's file."""
        taken = {self._looks(folder).get("file") for folder in self._folders()}
        base, number = encode(name, _RULES), 2
        found = base + self._ending.decode()
        while found in taken or os.path.lexists(os.path.join(self._root, os.fsencode(found))):
            found, number = f"{base} ({number}){self._ending.decode()}", number + 1
        return found

    def _folders(self) -> list[bytes]:
        above = os.path.join(self._root, b"objects")
        return [os.path.join(above, name) for name in os.listdir(above)] if os.path.isdir(above) else []

    def _looks(self, folder: bytes) -> dict[str, Any]:
        try:
            told = json.loads(Path(os.fsdecode(folder), MARK).read_bytes())
        except (OSError, ValueError):
            return {}
        return told if isinstance(told, dict) else {}

    def _folder(self, place: Place) -> bytes:
        return os.path.join(self._root, b"objects", os.fsencode(str(place)))

    def card_version(self, place: Place) -> Literal["3.0", "4.0"]:
        """See KeepsObjects.card_version: more programs import 3.0."""
        return "3.0"

    def mails_reminders(self, place: Place) -> bool:
        """See KeepsObjects: files write to nobody."""
        return False

    def remove_collection(self, place: Place) -> None:
        """See KeepsObjects.remove_collection."""
        folder = self._folder(place)
        if not os.path.isdir(folder):
            return
        if self._names(folder):
            raise ItemError(CHANGED_THERE, "Somebody keeps something in it; it stays.")
        with writing("the calendar's folder"):
            self._touched.discard(folder)
            self._join(folder)  # its joined file goes too, if it is as we wrote it
            for name in os.listdir(folder):
                os.unlink(os.path.join(folder, name))
            os.rmdir(folder)
        self._uids.pop(folder, None)

    # What is there -------------------------------------------------------------------------------

    def _names(self, folder: bytes) -> list[bytes]:
        try:
            return sorted(name for name in os.listdir(folder) if not name.startswith(b"."))
        except FileNotFoundError:
            return []

    def _of_uid(self, folder: bytes, uid: bytes) -> list[bytes]:
        """The names of the files with that UID. The folder is looked through again when others change it."""
        try:
            time = os.stat(folder).st_mtime_ns
        except FileNotFoundError:
            return []
        known = self._uids.get(folder)
        if known is None or known[0] != time:
            names: dict[bytes, list[bytes]] = {}
            for name in self._names(folder):
                data = _read(os.path.join(folder, name))
                if data is not None:
                    names.setdefault(_uid(data), []).append(name)
            known = self._uids[folder] = (time, names)
        return known[1].get(uid, [])

    def _standing(self, folder: bytes, name: bytes, uid: bytes) -> tuple[bytes, bytes] | None:
        """The name and bytes of what stands under that name, or elsewhere with that UID."""
        for one in (name, *(self._of_uid(folder, uid) if uid else ())):
            data = _read(os.path.join(folder, one))
            if data is not None:
                return one, data
        return None

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination.find."""
        out = {}
        for slot in slots:
            folder = self._folder(slot.place)
            self._sweep(folder, slot.key)
            uid = slot.item.name.encode("utf-8", "surrogateescape")
            there = self._standing(folder, self._name(slot), uid)
            if there is None or compared(object_digests(there[1], there[1]), slot.item.digests) is Sameness.DIFFERENT:
                continue
            receipt = _receipt(slot.place, *there)
            ours = slot.replaces is not None and slot.replaces.id == receipt.id
            if ours or not taken(slot.place, [receipt.id]):
                out[slot.key] = receipt
        return out

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination.read."""
        path = os.path.join(self._folder(receipt.place), raw(receipt.id))
        with reading("The file"), open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk

    # Writing -------------------------------------------------------------------------------------

    def _name(self, slot: Slot) -> bytes:
        if slot.replaces is not None:
            return raw(slot.replaces.id)
        return encode(slot.name, _RULES).encode("utf-8", "surrogatepass") + self._ending

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See KeepsObjects. An object is read to its end before anything of it is written."""
        receipt = self._write(slot, b"".join(iter(lambda: body.read(_CHUNK), b"")))
        self._sync([receipt])
        return receipt

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany.write_many."""
        done: list[tuple[Slot, Receipt]] = []
        for slot, data in parts:
            try:
                done.append((slot, self._write(slot, data)))
            except ItemError as error:
                yield slot, error
            if len(done) >= self.batch.items:
                self._sync([receipt for _, receipt in done])
                yield from done
                done = []
        self._sync([receipt for _, receipt in done])
        yield from done

    def _write(self, slot: Slot, data: bytes) -> Receipt:
        folder, name = self._folder(slot.place), self._name(slot)
        there = self._standing(folder, name, _uid(data))
        if there is not None and compared(object_digests(*[there[1]] * 2), object_digests(data, data)) is not (
            Sameness.DIFFERENT
        ):
            return _receipt(slot.place, *there)
        if slot.replaces is None and there is not None:
            raise ItemError(UID_TAKEN, "Something else has this UID there; it was left as it is.", "Compare the two.")
        if slot.replaces is not None:
            if there is None:
                raise ItemError("gone", "Its owner deleted it there.")
            if _version(there[1]) != slot.replaces.version:
                raise ItemError(CHANGED_THERE, "Its owner changed it there; theirs stays.", "Compare the two.")
            name = there[0]
        with writing("a calendar's file"):
            try:
                self._install(folder, os.path.join(folder, name), data, slot.key, replaces=slot.replaces is not None)
            except FileExistsError:
                raise ItemError(UID_TAKEN, "Something else has this UID there.", "Compare the two.") from None
        self._knows(folder, name, _uid(data))
        self._touched.add(folder)
        return replace(_receipt(slot.place, name, data), digests={}, evidence=Evidence.SIZE)

    def _install(self, folder: bytes, path: bytes, data: bytes, key: str = "", *, replaces: bool = False) -> None:
        part = os.path.join(folder, f".{key or secrets.token_hex(16)}.liberate-part".encode())
        forget(part)
        new_file(part, [data], None, sync=False)
        try:
            if replaces:
                os.replace(part, path)
            else:
                rename_new(part, path)
        except BaseException:
            forget(part)
            raise

    def _sync(self, receipts: Sequence[Receipt]) -> None:
        with writing("a calendar's files"):
            by_folder: dict[bytes, list[bytes]] = {}
            for receipt in receipts:
                folder = self._folder(receipt.place)
                by_folder.setdefault(folder, []).append(os.path.join(folder, raw(receipt.id)))
            for folder, paths in by_folder.items():
                sync_files(folder, paths)
                sync_folder(folder)

    def _knows(self, folder: bytes, name: bytes, uid: bytes) -> None:
        """Remember what we have just put there, so that the folder need not be looked through again."""
        known = self._uids.get(folder)
        if known is not None:
            names = known[1].setdefault(uid, [])
            if name not in names:
                names.append(name)
            self._uids[folder] = (os.stat(folder).st_mtime_ns, known[1])

    def _sweep(self, folder: bytes, key: str) -> None:
        forget(os.path.join(folder, f".{key}.liberate-part".encode()))

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        """See Removes.remove."""
        folder = self._folder(receipt.place)
        path = os.path.join(folder, raw(receipt.id))
        data = _read(path)
        if data is None:
            return
        same = compared(object_digests(data, data), slot.item.digests) is not Sameness.DIFFERENT
        if _version(data) != receipt.version and not same:
            raise ItemError(CHANGED_THERE, "Its owner changed it there; it stays.")
        with writing("a calendar's file"):
            os.unlink(path)
            sync_folder(folder)
        self._uids.pop(folder, None)
        self._touched.add(folder)

    # The joined file -----------------------------------------------------------------------------

    def _join(self, folder: bytes) -> None:
        """Write the file with everything in it anew, unless somebody has changed it since we wrote it."""
        told = self._looks(folder)
        if not told.get("file"):
            return
        with writing("the joined file"):
            path = os.path.join(self._root, os.fsencode(os.path.basename(str(told["file"]))))
            if os.path.lexists(path) and told.get("joined") != pim_joined.digest_of(path):
                return
            names = self._names(folder)
            if not names:
                forget(path)
                return
            part = path + b".liberate-part"
            forget(part)
            chunks = pim_joined.joined(folder, names, told, self._kind)
            new_file(part, chunks, None, sync=True)
            told["joined"] = pim_joined.digest_of(part)
            mark = json.dumps(told, ensure_ascii=False, indent=1).encode()
            os.replace(part, path)
            self._install(folder, os.path.join(folder, os.fsencode(MARK)), mark, replaces=True)
            sync_folder(self._root)


def _read(path: bytes) -> bytes | None:
    try:
        with reading("The file"), open(path, "rb") as file:
            return file.read()
    except ItemError as error:
        if error.code == "gone":
            return None
        raise


def _uid(data: bytes) -> bytes:
    found = _UID.search(re.sub(rb"\r?\n[ \t]", b"", data))
    return re.sub(rb"\\(.)", rb"\1", found[1].strip()) if found else b""


def _version(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _receipt(place: Place, name: bytes, data: bytes) -> Receipt:
    digests = {"sha256": hashlib.sha256(data).hexdigest()}
    return Receipt(text(name), place, len(data), digests, Evidence.READ_BACK, _version(data))
