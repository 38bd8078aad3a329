"""The files that stand in: real files in a folder, and an index of them that survives a restart."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS nodes(
  id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL, name TEXT NOT NULL, folder INTEGER NOT NULL,
  size INTEGER NOT NULL, mtime INTEGER NOT NULL, created INTEGER NOT NULL, uploaded INTEGER NOT NULL,
  etag TEXT NOT NULL, checksum TEXT NOT NULL, extra TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS kept(kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(kind, key));
"""


class Node:
    """A file or folder. `extra` holds what few of them have: who favours it, own properties, where it was deleted."""

    __slots__ = (
        "base",
        "checksum",
        "children",
        "created",
        "etag",
        "extra",
        "id",
        "mtime",
        "name",
        "parent",
        "size",
        "uploaded",
    )

    def __init__(self, number: int, parent: Node | None, name: str, *, folder: bool) -> None:
        self.id = number
        self.parent = parent
        self.name = name
        self.children: dict[str, Node] | None = {} if folder else None
        self.size = 0
        self.mtime = 0
        self.created = 0
        self.uploaded = 0
        self.etag = ""
        self.checksum = ""
        self.extra: dict[str, Any] = {}
        self.base: Path | None = None  # where a root's files stand on disk

    @property
    def folder(self) -> bool:
        return self.children is not None

    @property
    def inside(self) -> dict[str, Node]:
        """What stands in a folder, by name. Raises TypeError for files."""
        if self.children is None:
            raise TypeError(f"{self.name} is a file")
        return self.children

    @property
    def above(self) -> Node:
        """The folder it stands in. Raises TypeError for roots."""
        if self.parent is None:
            raise TypeError(f"{self.name} is a root")
        return self.parent

    def at(self, parts: Iterable[str]) -> Node | None:
        node: Node | None = self
        for part in parts:
            if node is None or node.children is None:
                return None
            node = node.children.get(part)
        return node

    def path(self) -> Path:
        names = []
        node = self
        while node.base is None:
            names.append(node.name)
            node = node.above
        return node.base.joinpath(*reversed(names))

    def within(self, other: Node) -> bool:
        """Whether this is the other one or stands somewhere below it."""
        node: Node | None = self
        while node is not None:
            if node is other:
                return True
            node = node.parent
        return False

    def below(self) -> Iterator[Node]:
        """Everything below, parents before what stands in them."""
        for child in list((self.children or {}).values()):
            yield child
            yield from child.below()

    def sorted(self) -> list[Node]:
        return [self.children[name] for name in sorted(self.children)] if self.children else []


class Store:
    """The trees of files and the small things that are kept beside them.

    Every method is called under `lock`; only writing to a file of `temporary` needs no lock.
    """

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.folder = folder
        self.clock = clock
        self.lock = threading.RLock()
        (folder / "data").mkdir(parents=True, exist_ok=True)
        shutil.rmtree(folder / "tmp", ignore_errors=True)
        (folder / "tmp").mkdir()
        self._db = sqlite3.connect(folder / "index.sqlite", check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_SCHEMA)
        self.by_id: dict[int, Node] = {}
        self.roots: dict[str, Node] = {}
        self._dirty: dict[int, Node] = {}
        self._gone: set[int] = set()
        self._temporary = 0
        self._last = 0
        self._load()
        self.instance: str = self.kept("meta").get("instance") or "oc" + secrets.token_hex(5)
        self.keep("meta", "instance", self.instance)

    def close(self) -> None:
        with self.lock:
            self.flush()
            self._db.close()

    def _load(self) -> None:
        found = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'nodes'").fetchone()
        self._number = found[0] if found else 0
        orphans: list[tuple[int, Node]] = []
        for row in self._db.execute("SELECT * FROM nodes ORDER BY id"):
            number, parent, name, folder, size, mtime, created, uploaded, etag, checksum, extra = row
            node = Node(number, None, name, folder=bool(folder))
            node.size, node.mtime, node.created, node.uploaded = size, mtime, created, uploaded
            node.etag, node.checksum, node.extra = etag, checksum, json.loads(extra)
            self.by_id[number] = node
            if parent:
                orphans.append((parent, node))
            else:
                node.base = self._base(name)
                self.roots[name] = node
        for parent, node in orphans:
            node.parent = self.by_id[parent]
            node.above.inside[node.name] = node

    def flush(self) -> None:
        """Write down what changed."""
        if not self._dirty and not self._gone:
            return
        rows = [
            (
                n.id,
                n.parent.id if n.parent else 0,
                n.name,
                n.folder,
                n.size,
                n.mtime,
                n.created,
                n.uploaded,
                n.etag,
                n.checksum,
                json.dumps(n.extra) if n.extra else "{}",
            )
            for n in self._dirty.values()
        ]
        self._db.execute("BEGIN")
        self._db.executemany("REPLACE INTO nodes VALUES(?,?,?,?,?,?,?,?,?,?,?)", rows)
        if self._gone:
            self._db.executemany("DELETE FROM nodes WHERE id = ?", [(number,) for number in self._gone])
        self._db.execute("COMMIT")
        self._dirty.clear()
        self._gone.clear()

    # Small things --------------------------------------------------------------------------------

    def kept(self, kind: str) -> dict[str, Any]:
        """What was kept of that kind, by key."""
        with self.lock:
            rows = self._db.execute("SELECT key, value FROM kept WHERE kind = ? ORDER BY rowid", (kind,)).fetchall()
        return {key: json.loads(value) for key, value in rows}

    def keep(self, kind: str, key: str, value: Any) -> None:
        """Keep it under that key; None: forget it."""
        with self.lock:
            if value is None:
                self._db.execute("DELETE FROM kept WHERE kind = ? AND key = ?", (kind, key))
            else:
                told = json.dumps(value)
                self._db.execute(
                    "INSERT INTO kept VALUES(?,?,?) ON CONFLICT(kind, key) DO UPDATE SET value = ?",
                    (kind, key, told, told),
                )

    # Trees ---------------------------------------------------------------------------------------

    def _base(self, name: str) -> Path:
        return self.folder / "data" / name

    def root(self, name: str) -> Node:
        """The tree of that name ("anna/files"), made when it is first asked for."""
        node = self.roots.get(name)
        if node is None:
            node = self._new(None, name, folder=True)
            node.base = self._base(name)
            node.base.mkdir(parents=True, exist_ok=True)
            self.roots[name] = node
            self.flush()
        return node

    def now(self) -> int:
        return int(self.clock())

    def unique(self) -> str:
        """A new ETag for a folder, as PHP's uniqid makes them."""
        self._last = max(self._last + 1, int(self.clock() * 1_000_000))
        seconds, micro = divmod(self._last, 1_000_000)
        return f"{seconds:08x}{micro:05x}"

    def _new(self, parent: Node | None, name: str, *, folder: bool) -> Node:
        self._number += 1
        node = Node(self._number, parent, name, folder=folder)
        node.mtime = self.now()
        node.etag = self.unique()
        self.by_id[node.id] = node
        self._dirty[node.id] = node
        if parent is not None:
            parent.inside[name] = node
        return node

    def changed(self, node: Node) -> None:
        self._dirty[node.id] = node

    def stir(self, folder: Node | None, more: int = 0) -> None:
        """A folder's content changed: it and all above it are changed now, and hold so many bytes more."""
        now = self.now()
        while folder is not None:
            folder.size += more
            folder.mtime = now
            folder.etag = self.unique()
            self._dirty[folder.id] = folder
            folder = folder.parent

    def make_folder(self, parent: Node, name: str) -> Node:
        (parent.path() / name).mkdir()
        node = self._new(parent, name, folder=True)
        self.stir(parent)
        return node

    def temporary(self) -> Path:
        """A new name on the same file system, to write to before a file is put in its place."""
        with self.lock:
            self._temporary += 1
            return self.folder / "tmp" / str(self._temporary)

    def put(self, parent: Node, name: str, written: Path, size: int) -> Node:
        """Put what was written in place; a file that stands there keeps its id and loses its checksum."""
        there = parent.inside.get(name)
        node = there or self._new(parent, name, folder=False)
        os.replace(written, node.path())
        self.stir(parent, size - node.size)
        node.size = size
        node.checksum = ""
        self._settle(node, self.now(), new=there is None)
        node.uploaded = node.mtime
        return node

    def _settle(self, node: Node, mtime: int, *, new: bool = False) -> None:
        """Give a file the ETag of its time and size, which it keeps while its time stays. A server with files on a
        local disk knows nothing else of the content."""
        if not node.folder and (new or mtime != node.mtime):
            told = f"{mtime}:{node.id}:{node.size}".encode()
            node.etag = hashlib.md5(told, usedforsecurity=False).hexdigest()
        node.mtime = mtime
        self._dirty[node.id] = node

    def set_mtime(self, node: Node, mtime: int) -> None:
        os.utime(node.path(), (min(mtime, 1 << 33),) * 2)
        self._settle(node, mtime)

    def move(self, node: Node, parent: Node, name: str) -> None:
        """To a place that is free."""
        old = node.path()
        above = node.above
        os.replace(old, parent.path() / name)
        del above.inside[node.name]
        self.stir(above, -node.size)
        node.parent, node.name = parent, name
        parent.inside[name] = node
        self.stir(parent, node.size)
        self._dirty[node.id] = node

    def copy(self, node: Node, parent: Node, name: str) -> Node:
        """To a place that is free, with new ids and new times of creation."""
        if node.folder:
            made = self.make_folder(parent, name)
            for child in node.sorted():
                self.copy(child, made, child.name)
            return made
        written = self.temporary()
        shutil.copyfile(node.path(), written)
        made = self.put(parent, name, written, node.size)
        self.set_mtime(made, node.mtime)
        return made

    def remove(self, node: Node) -> None:
        """For ever."""
        above = node.above
        path = node.path()
        if node.folder:
            shutil.rmtree(path)
        else:
            path.unlink()
        for one in [*node.below(), node]:
            del self.by_id[one.id]
            self._dirty.pop(one.id, None)
            self._gone.add(one.id)
        del above.inside[node.name]
        self.stir(above, -node.size)
