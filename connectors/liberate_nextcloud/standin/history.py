"""What the server keeps of the past: versions of files, and what was deleted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from liberate_nextcloud.standin.cloud import Cloud
from liberate_nextcloud.standin.store import Node

Parts = tuple[str, ...]


@dataclass(slots=True)
class Version:
    """What a file was until it was replaced; `time` is the mtime it had, and its name among the versions."""

    time: int
    size: int
    author: str
    label: str = ""


_STEPS = ((10, 2), (60, 10), (3600, 60), (86400, 3600), (30 * 86400, 86400), (None, 7 * 86400))
"""Up to which age, in seconds, one version is kept in how many (Storage::$max_versions_per_interval)."""


def thinned(times: Iterable[int], now: int) -> list[int]:
    """Those of the versions that are to go; the newest always stays (Storage::getAutoExpireList)."""
    newest, *rest = sorted(times, reverse=True)
    steps = iter(_STEPS)
    until, step = next(steps)
    before, following, gone = newest, newest - step, []
    for time in rest:
        while until is not None and before <= now - until:
            until, step = next(steps)
            following = before - step
        if time > following:
            gone.append(time)
        else:
            before, following = time, time - step
    return gone


class History:
    """Versions of all files, by id, and each user's trash bin."""

    def __init__(self, cloud: Cloud) -> None:
        self._store = cloud.store
        self._versions: dict[int, dict[int, Version]] = {}
        for key, told in self._store.kept("version").items():
            number, time = map(int, key.split("/"))
            self._versions.setdefault(number, {})[time] = Version(time, *told)

    # Versions ------------------------------------------------------------------------------------

    def path(self, node: Node, version: Version) -> Path:
        return self._store.folder / "data" / "versions" / str(node.id) / str(version.time)

    def keep(self, user: str, node: Node) -> None:
        """Keep the content of a file that is about to be replaced. Empty ones are not kept; of two with the same
        time the later one is."""
        if not node.size:
            return
        version = Version(node.mtime, node.size, node.extra.get("author", user))
        path = self.path(node, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(node.path(), path)
        self._versions.setdefault(node.id, {})[version.time] = version
        self._write(node.id, version)

    def of(self, node: Node) -> list[Version]:
        """Oldest first, without the content that the file has now."""
        kept = self._versions.get(node.id, {})
        return [kept[time] for time in sorted(kept) if time != node.mtime]

    def expire(self, now: int) -> None:
        """What the server's background job does after a file was written."""
        for number, kept in self._versions.items():
            for time in thinned(list(kept), now):
                if not kept[time].label:
                    del kept[time]
                    (self._store.folder / "data" / "versions" / str(number) / str(time)).unlink(missing_ok=True)
                    self._store.keep("version", f"{number}/{time}", None)

    def label(self, node: Node, version: Version, label: str) -> None:
        version.label = label
        self._write(node.id, version)

    def _write(self, number: int, version: Version) -> None:
        self._store.keep("version", f"{number}/{version.time}", [version.size, version.author, version.label])

    def forget(self, node: Node) -> None:
        """The versions of a file, or of all files in a folder, are gone."""
        for one in [node, *node.below()]:
            for version in self._versions.pop(one.id, {}).values():
                self._store.keep("version", f"{one.id}/{version.time}", None)
                shutil.rmtree(self.path(one, version).parent, ignore_errors=True)

    # Trash ---------------------------------------------------------------------------------------

    def bin(self, user: str) -> Node:
        return self._store.root(f"{user}/files_trashbin")

    def trash(self, user: str, parts: Parts, node: Node) -> None:
        """Move what stands at that path of the user's into the bin; it keeps its id."""
        into = self.bin(user)
        time = self._store.now()
        while f"{parts[-1]}.d{time}" in into.inside:
            time += 1
        node.extra = {**node.extra, "deleted": [time, "/".join(parts)]}
        ending = f".d{time}"
        kept = parts[-1]
        while len((kept + ending).encode()) > 255:  # what a disk takes
            kept = kept[:-1]
        self._store.move(node, into, kept + ending)

    def restore(self, cloud: Cloud, user: str, node: Node) -> bool:
        """Back to where it was, or to the root when that is gone; False: something else stands there."""
        _, where = node.extra["deleted"]
        parts = tuple(where.split("/"))
        parent = cloud.parent_of(user, parts) or cloud.home(user)
        if parent.at((parts[-1],)) is not None:
            return False
        node.extra = {key: value for key, value in node.extra.items() if key != "deleted"}
        self._store.move(node, parent, parts[-1])
        return True
