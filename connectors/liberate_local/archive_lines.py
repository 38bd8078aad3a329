"""The lines of a room's messages.jsonl: what they look like, and appending them so that a crash tears at most the last.

A line is one JSON object and is never changed. The last line of a key counts: see docs/reference/chat-archive.md.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from liberate.chat import ChatFacts
from liberate_local.durable import sync_folder

_MESSAGE = re.compile(
    rb'\A\{"is":"message","key":"([0-9a-f]{32})","sha256":"([0-9a-f]{64})","message":(\{.*\})\}\n\Z', re.DOTALL
)
_HEAD = len(b'{"is":"message","key":"') + 32 + len(b'","sha256":"') + 64 + len(b'","message":')
_LOOK_BACK = 1 << 16


@dataclass(frozen=True, slots=True)
class MessageLine:
    """A message as it was or has become: the first line of a key, or an edit."""

    key: str
    sha256: str  # of the body
    body: bytes  # Message.dump(), unaltered


@dataclass(frozen=True, slots=True)
class FactsLine:
    """Reactions or a pin that changed without new words."""

    key: str
    facts: ChatFacts


@dataclass(frozen=True, slots=True)
class FileLine:
    """A file that stands, or is about to stand, in files/."""

    key: str
    item: str  # what messages call it: File.id
    name: str  # in files/
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class RemovedLine:
    """What was taken back."""

    key: str


Line: TypeAlias = MessageLine | FactsLine | FileLine | RemovedLine


def message_line(key: str, body: bytes) -> bytes:
    """The line of a message; its body stands in it as it came."""
    digest = hashlib.sha256(body).hexdigest()
    return f'{{"is":"message","key":"{key}","sha256":"{digest}","message":'.encode() + body + b"}\n"


def dump(line: FactsLine | FileLine | RemovedLine) -> bytes:
    """Any other line."""
    match line:
        case FactsLine(key, facts):
            return f'{{"is":"facts","key":"{key}","facts":{facts.dump()}}}\n'.encode("utf-8", "replace")
        case FileLine(key, item, name, size, sha256):
            said = {"is": "file", "key": key, "sha256": sha256, "size": size, "id": item, "name": name}
        case RemovedLine(key):
            said = {"is": "removed", "key": key}
    return json.dumps(said, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def load(line: bytes) -> Line | None:
    """What a line says; None for one that is damaged, or that liberate did not write."""
    if found := _MESSAGE.match(line):
        body = found[3]
        sha256 = found[2].decode()
        return MessageLine(found[1].decode(), sha256, body) if hashlib.sha256(body).hexdigest() == sha256 else None
    try:
        said = json.loads(line)
        match said["is"]:
            case "facts":
                return FactsLine(said["key"], ChatFacts.load(json.dumps(said["facts"])))
            case "file":
                return FileLine(said["key"], said["id"], said["name"], said["size"], said["sha256"])
            case "removed":
                return RemovedLine(said["key"])
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def body_span(at: int, length: int) -> tuple[int, int]:
    """Where in the file the body of a message's line stands: its offset and its length."""
    return at + _HEAD, length - _HEAD - len(b"}\n")


class Lines:
    """A file of lines that several processes may append to."""

    def __init__(self, path: bytes) -> None:
        self.path = path

    def append(self, lines: Sequence[bytes]) -> list[int]:
        """Append whole lines and bring them to the disk; where each begins. Leaves nothing behind when it fails."""
        new = not os.path.exists(self.path)
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            with _alone(handle):
                end = _mended(handle)
                try:
                    _write(handle, end, b"".join(lines))
                    os.fsync(handle)
                except BaseException:
                    os.ftruncate(handle, end)
                    raise
        finally:
            os.close(handle)
        if new:
            sync_folder(os.path.dirname(self.path))
        starts = []
        for line in lines:
            starts.append(end)
            end += len(line)
        return starts

    def settle(self) -> None:
        """Cut what a dead process left of a line, and bring to the disk what it wrote whole."""
        try:
            handle = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            with _alone(handle):
                _mended(handle)
                os.fsync(handle)
        finally:
            os.close(handle)

    def read(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Each whole line from `start` on, with where it begins."""
        try:
            with open(self.path, "rb") as file:
                file.seek(start)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    yield start, line
                    start += len(line)
        except FileNotFoundError:
            return


def _write(handle: int, at: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        count = os.pwrite(handle, view, at)
        view, at = view[count:], at + count


@contextmanager
def _alone(handle: int) -> Iterator[None]:
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


def _mended(handle: int) -> int:
    """Where the file ends, after what stands behind its last line end was cut: nobody is writing now."""
    size = end = os.fstat(handle).st_size
    while end:
        start = max(0, end - _LOOK_BACK)
        cut = os.pread(handle, end - start, start).rfind(b"\n")
        if cut >= 0:
            end = start + cut + 1
            break
        end = start
    if end != size:
        os.ftruncate(handle, end)
    return end
