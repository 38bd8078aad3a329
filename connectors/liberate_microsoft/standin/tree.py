"""The stand-in's drives: folders, files, who may see them, and what changed when."""

from __future__ import annotations

import base64
import functools
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from liberate_microsoft.quickxor import QuickXor

_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's bytes: given, or made from a seed whenever they are wanted, so that gigabytes cost no memory."""

    data: bytes | None = None
    seed: str = ""
    size: int = 0

    @classmethod
    def of(cls, data: bytes) -> Blob:
        return cls(data, size=len(data))

    def pieces(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`."""
        stop = self.size if stop is None else min(stop, self.size)
        if self.data is not None:
            for at in range(start, stop, _BLOCK):
                yield self.data[at : min(stop, at + _BLOCK)]
            return
        for number in range(start // _BLOCK, (stop + _BLOCK - 1) // _BLOCK):
            block = hashlib.shake_128(f"{self.seed}:{number}".encode()).digest(_BLOCK)
            first = number * _BLOCK
            yield block[max(0, start - first) : min(_BLOCK, stop - first)]

    def read(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces())

    @property
    def quickxor(self) -> str:
        return _quickxor(self)


@functools.lru_cache(maxsize=200_000)
def _quickxor(blob: Blob) -> str:
    digest = QuickXor()
    for piece in blob.pieces():
        digest.update(piece)
    return digest.base64()


@dataclass(slots=True)
class Node:
    """A file, a folder, or something that is neither."""

    id: str
    name: str
    parent: str  # "" of the root
    number: int  # in the order of making
    folder: bool = False
    blob: Blob = field(default_factory=Blob)
    created: datetime = datetime(2024, 1, 1, tzinfo=UTC)  # by the service
    modified: datetime = datetime(2024, 1, 1, tzinfo=UTC)
    client_created: datetime | None = None  # in fileSystemInfo
    client_modified: datetime | None = None
    description: str = ""
    permissions: list[dict[str, Any]] = field(default_factory=list)  # its own
    cut: bool = False  # it inherits none
    facets: dict[str, Any] = field(default_factory=dict)  # package, malware, remoteItem ... as they are shown
    earlier: list[tuple[datetime, Blob]] = field(default_factory=list)  # versions before this one, oldest first
    etag: int = 1
    ctag: int = 1
    made: int = 0  # the drive's sequence number when it was made
    changed: int = 0  # and when it last changed
    deleted: bool = False
    told_size: int | None = None  # a size that is not true, as SharePoint tells of Office files
    told_quickxor: str | None = None  # a digest that is not true; "": none
    refuses: tuple[int, str] | None = None  # status and code that /content answers with


class Drive:
    """One drive. Changes are numbered, so that deltas can be told."""

    def __init__(
        self, key: str, name: str, kind: str, clock: Callable[[], float], owner: str = "", web: str = ""
    ) -> None:
        self.id = "b!" + base64.urlsafe_b64encode(hashlib.sha384(key.encode()).digest()).decode()
        self.name = name
        self.kind = kind  # "business" or "documentLibrary"
        self.owner = owner  # address of the person whose it is; "" for a library
        self.web_url = web
        self.lock = threading.RLock()
        self.nodes: dict[str, Node] = {}
        self.sequence = 0
        self.epoch = 0  # tokens of an earlier one have expired
        self._clock = clock
        self._numbers = itertools.count()
        self.root = self._new("root", "", folder=True)

    # Changing ------------------------------------------------------------------------------------

    def add_folder(self, name: str, parent: Node | None = None, **more: Any) -> Node:
        """A new folder."""
        return self._new(name, (parent or self.root).id, folder=True, **more)

    def add_file(self, name: str, content: bytes | Blob, parent: Node | None = None, **more: Any) -> Node:
        """A new file with these bytes."""
        blob = content if isinstance(content, Blob) else Blob.of(content)
        return self._new(name, (parent or self.root).id, blob=blob, **more)

    def _new(self, name: str, parent: str, **more: Any) -> Node:
        with self.lock:
            number = next(self._numbers)
            digest = hashlib.sha256(f"{self.id}:{number}".encode()).digest()
            node = Node(f"01{base64.b32encode(digest[:20]).decode()}", name, parent, number, **more)
            self.nodes[node.id] = node
            node.created = node.modified = self._now()
            self._touch(node)
            node.made = node.changed
            return node

    def write(self, node: Node, content: bytes | Blob) -> None:
        """New bytes for a file."""
        with self.lock:
            node.earlier.append((node.client_modified or node.modified, node.blob))
            node.blob = content if isinstance(content, Blob) else Blob.of(content)
            node.ctag += 1
            node.client_modified = None
            self._touch(node)

    def move(self, node: Node, parent: Node | None = None, name: str | None = None) -> None:
        """Another place, another name."""
        with self.lock:
            node.parent = parent.id if parent is not None else node.parent
            node.name = name if name is not None else node.name
            self._touch(node)

    def share(self, node: Node, *permissions: dict[str, Any]) -> None:
        """Give these permissions, in Graph's own form, besides those there are."""
        with self.lock:
            for one in permissions:
                node.permissions.append({"id": f"{node.number}.{len(node.permissions)}", **one})
            self._touch(node)

    def cut(self, node: Node, *permissions: dict[str, Any]) -> None:
        """Let a node inherit nothing any more, and give these instead."""
        with self.lock:
            node.cut = True
            node.permissions.clear()
        self.share(node, *permissions)

    def unshare(self, node: Node) -> None:
        with self.lock:
            node.permissions.clear()
            self._touch(node)

    def delete(self, node: Node) -> None:
        """Delete it, a folder with all that stands in it."""
        with self.lock:
            for child in [one for one in self.nodes.values() if one.parent == node.id and not one.deleted]:
                self.delete(child)
            node.deleted = True
            self._touch(node)

    def expire_tokens(self) -> None:
        """Every link of a delta given out so far answers 410 from now on."""
        self.epoch += 1

    def _touch(self, node: Node) -> None:
        self.sequence += 1
        node.changed = self.sequence
        node.etag += 1
        node.modified = self._now()

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock()), UTC)

    # Looking -------------------------------------------------------------------------------------

    def get(self, key: str) -> Node | None:
        """The node of that id, or None if there is none (any more)."""
        found = self.root if key == "root" else self.nodes.get(key)
        return None if found is None or found.deleted else found

    def at(self, path: str) -> Node | None:
        """The node at a path below the root."""
        node: Node | None = self.root
        for name in filter(None, path.split("/")):
            if node is None:
                return None
            node = next((one for one in self.children(node) if one.name.lower() == name.lower()), None)
        return node

    def children(self, node: Node) -> list[Node]:
        return [one for one in self.nodes.values() if one.parent == node.id and not one.deleted]

    def ancestors(self, node: Node) -> list[Node]:
        """From the root down to the folder it stands in."""
        out: list[Node] = []
        while node.parent:
            node = self.nodes[node.parent]
            out.insert(0, node)
        return out

    def effective(self, node: Node) -> list[dict[str, Any]]:
        """The permissions on a node, inherited ones too."""
        places = [*self.ancestors(node), node]
        cut = max((at for at, place in enumerate(places) if place.cut), default=0)
        return [one for place in places[cut:] for one in place.permissions]

    @property
    def used(self) -> int:
        """Bytes of what is there."""
        return sum(one.blob.size for one in self.nodes.values() if not one.deleted and not one.folder)

    def files(self) -> list[Node]:
        """Its files, whatever folder they stand in."""
        return [one for one in self.nodes.values() if not one.folder and not one.deleted and not one.facets]
