"""One room of a chat archive: its lines, its files, and what stands where in them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TypeAlias

from liberate.chat import ChatFacts, Message
from liberate.connector import CHANGED_THERE, Body, Evidence, Place, Receipt, Slot
from liberate.errors import ItemError
from liberate_local.archive_index import Index, folded
from liberate_local.archive_lines import FactsLine, FileLine, Lines, MessageLine, RemovedLine, dump, load, message_line
from liberate_local.archive_names import file_name
from liberate_local.archive_register import part_of
from liberate_local.durable import forget, new_file, sync_files, sync_folder
from liberate_local.paths import reading
from liberate_local.standing import CHUNK, opened

_MESSAGE = re.compile(r"\A(\d+)\+(\d+)\.([0-9a-f]{32})\Z")  # where its line begins, how long it is, its slot's key
GONE = ItemError("gone", "It is no longer there.")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A file that is on its way: its bytes are under a name of this attempt alone."""

    part: bytes
    size: int
    sha256: str


Batch: TypeAlias = list[tuple[Slot, bytes | Waiting]]
"""Messages and files that are written together, in their order."""


class RoomFolder:
    """A room's folder. Each message is a line, each file a file under a name that its line told before."""

    def __init__(self, place: Place, folder: bytes) -> None:
        self.place = place
        self.folder = folder
        self.files = os.path.join(folder, b"files")
        self.lines = Lines(os.path.join(folder, b"messages.jsonl"))
        self.index = Index(os.path.join(folder, b".index.sqlite"), self.lines)

    # Writing -------------------------------------------------------------------------------------

    @staticmethod
    def message(body: bytes) -> Message:
        """The message with this body. Raises ItemError for what is none."""
        try:
            message = Message.load(body)
        except ValueError as error:
            raise ItemError("not-a-message", f"It is not what liberate calls a chat message: {error}.") from error
        if b"\n" in body or b"\r" in body:
            raise ItemError("not-a-message", "A chat message has to be one line of JSON.")
        return message

    def file(self, slot: Slot, body: Body | bytes) -> Waiting:
        """The bytes of a file, brought to the disk if they are a stream; those of a batch are, by `add`."""
        if not os.path.isdir(self.files):
            os.makedirs(self.files, mode=0o700, exist_ok=True)
            sync_folder(self.folder)
        part = part_of(os.path.join(self.files, slot.key.encode()))
        digest = hashlib.sha256()
        chunks = (body,) if isinstance(body, bytes) else iter(lambda: body.read(CHUNK), b"")
        size = new_file(part, _hashed(chunks, digest), slot.item.modified, sync=not isinstance(body, bytes))
        return Waiting(part, size, digest.hexdigest())

    def add(self, batch: Batch, step: Callable[[str], None]) -> list[tuple[Slot, Receipt]]:
        """Write a batch: what it holds is there when this returns.

        A file's line names it before it gets that name, so that the next attempt knows where it has to be.
        """
        parts = [one.part for _, one in batch if isinstance(one, Waiting)]
        try:
            if not parts:
                receipts = self._append(batch, {}, {})
                step("after the lines")
                return receipts
            sync_files(self.files, parts)
            with self.alone():
                self.index.refresh()
                told = {slot.key: self.index.file(slot.key) for slot, one in batch if isinstance(one, Waiting)}
                named = self._named(batch, told)
                receipts = self._append(batch, named, told)
            step("after the lines")
            for slot, one in batch:
                if isinstance(one, Waiting):
                    os.replace(one.part, self._path(named[slot.key]))
                    step("after naming a file")
            sync_folder(self.files)
        except BaseException:
            self.abandon(batch)
            raise
        return receipts

    def _named(self, batch: Batch, told: Mapping[str, FileLine | None]) -> dict[str, FileLine]:
        """The line of each file in the batch, by its key. One that has a name keeps it."""
        out = {}
        names = _Names(self.index)
        for slot, one in batch:
            if isinstance(one, Waiting):
                there = told[slot.key]
                name = there.name if there else file_name(slot.item.name, slot.key, names)
                names.given.add(folded(name))
                out[slot.key] = FileLine(slot.key, slot.item.id, name, one.size, one.sha256)
        return out

    def _append(
        self, batch: Batch, named: Mapping[str, FileLine], told: Mapping[str, FileLine | None]
    ) -> list[tuple[Slot, Receipt]]:
        """Append the lines of a batch, but for those of files that stand there already; its receipts."""
        lines = []
        for slot, one in batch:
            if not isinstance(one, Waiting):
                lines.append(message_line(slot.key, one))
            elif told[slot.key] != named[slot.key]:
                lines.append(dump(named[slot.key]))
        starts = iter(zip(self.lines.append(lines) if lines else (), lines, strict=True))
        out = []
        for slot, one in batch:
            if not isinstance(one, Waiting):
                at, line = next(starts)
                out.append((slot, self._message_receipt(slot.key, at, len(line))))
                continue
            if told[slot.key] != named[slot.key]:
                next(starts)
            out.append((slot, self._file_receipt(named[slot.key])))
        return out

    @staticmethod
    def abandon(batch: Batch) -> None:
        """Remove what a batch has left beside its lines."""
        for _, one in batch:
            if isinstance(one, Waiting):
                forget(one.part)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """While this holds, nobody else names files in the room or writes its pages."""
        handle = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _path(self, line: FileLine) -> bytes:
        return os.path.join(self.files, line.name.encode())

    def _message_receipt(self, key: str, at: int, length: int) -> Receipt:
        size = length - len(message_line(key, b""))
        return Receipt(f"{at}+{length}.{key}", self.place, size, evidence=Evidence.SIZE)

    def _file_receipt(self, line: FileLine) -> Receipt:
        return Receipt(f"file/{line.key}/{line.sha256}", self.place, line.size, evidence=Evidence.SIZE)

    # Finding and reading -------------------------------------------------------------------------

    def find(self, slots: Sequence[Slot]) -> list[tuple[Slot, Receipt]]:
        """What of these is there; what a dead attempt left in parts is cut, what it left whole is on the disk."""
        self.lines.settle()
        self._sweep({slot.key for slot in slots})
        self.index.refresh()
        found = self._find(slots)
        if not self._stand(found):  # somebody changed the file behind the table
            self.index.forget()
            self.index.refresh()
            found = self._find(slots)
        return found

    def _find(self, slots: Sequence[Slot]) -> list[tuple[Slot, Receipt]]:
        out = []
        for slot in slots:
            told = slot.item.digests.get("sha256")
            line = self.index.file(slot.key)
            if line is not None:
                if told in (None, line.sha256) and self._size(line) == line.size:
                    out.append((slot, self._file_receipt(line)))
                continue
            after = -1
            if slot.replaces is not None and (found := _MESSAGE.match(slot.replaces.id)):
                after = int(found[1])
            if where := self.index.at(slot.key, told, after):
                out.append((slot, self._message_receipt(slot.key, *where)))
        return out

    def _stand(self, found: Sequence[tuple[Slot, Receipt]]) -> bool:
        """Whether each message that was found is where the table says."""
        if not found:
            return True
        with open(self.lines.path, "rb") as file:
            for slot, receipt in found:
                if where := _MESSAGE.match(receipt.id):
                    line = line_at(file, int(where[1]), int(where[2]))
                    if line is None or line.key != slot.key:
                        return False
        return True

    def _size(self, line: FileLine) -> int | None:
        try:
            return os.stat(self._path(line)).st_size
        except FileNotFoundError:
            return None

    def _sweep(self, keys: set[str]) -> None:
        """Remove what dead attempts at these left in files/."""
        try:
            with os.scandir(self.files) as entries:
                for entry in entries:
                    if entry.name.endswith(b".liberate-part") and entry.name[1:33].decode("ascii", "replace") in keys:
                        forget(entry.path)
        except FileNotFoundError:
            pass

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """The bytes that were written. Raises ItemError("gone")."""
        if receipt.id.startswith("file/"):
            self.index.refresh()
            line = self.index.file(receipt.id.split("/")[1])
            if line is None:
                raise GONE
            with reading("The file"), os.fdopen(opened(self._path(line)), "rb") as file:
                while chunk := file.read(CHUNK):
                    yield chunk
            return
        yield self.body(receipt)

    def body(self, receipt: Receipt) -> bytes:
        """The message that a receipt names. Raises ItemError("gone")."""
        found = _MESSAGE.match(receipt.id)
        if found is None:
            raise GONE
        with reading("The message"), open(self.lines.path, "rb") as file:
            line = line_at(file, int(found[1]), int(found[2]))
        if line is None or line.key != found[3]:
            raise GONE
        return line.body

    # Changing ------------------------------------------------------------------------------------

    def facts_line(self, key: str, facts: ChatFacts) -> bytes | None:
        """The line that gives a message these facts; None where it has them. Raises ItemError("gone")."""
        where = self.index.where(key)
        if where is None:
            raise GONE
        now = self.index.facts(key)
        if now is None:
            with open(self.lines.path, "rb") as file:
                line = line_at(file, *where)
            now = ChatFacts(Message.load(line.body).reactions if line else ())
        return None if now == facts else dump(FactsLine(key, facts))

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        """Take back what a receipt names. Raises ItemError(CHANGED_THERE) for a file that has other bytes now."""
        self.index.refresh()
        if not self.index.has(slot.key):
            return
        line = self.index.file(slot.key)
        if line is not None and self._size(line) is not None:
            digest = hashlib.sha256()
            for chunk in self.read(receipt):
                digest.update(chunk)
            if digest.hexdigest() != line.sha256:
                raise ItemError(CHANGED_THERE, "Somebody changed the file in the archive.")
            os.unlink(self._path(line))
            sync_folder(self.files)
        self.lines.append([dump(RemovedLine(slot.key))])

    def close(self) -> None:
        self.index.close()


def line_at(file: IO[bytes], at: int, length: int) -> MessageLine | None:
    """The message that stands there; None if another one does, or none."""
    file.seek(at)
    line = load(file.read(length))
    return line if isinstance(line, MessageLine) else None


class _Names:
    """The names that files in a room have, folded."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.given: set[str] = set()  # of the same batch

    def __contains__(self, fold: object) -> bool:
        return fold in self.given or self._index.is_named(str(fold))


def _hashed(chunks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in chunks:
        digest.update(chunk)
        yield chunk
