"""Which folder each file stands in, and in which order folders are told: each after the one it stands in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from liberate.connector import Skipped
from liberate.files import Grant, narrower
from liberate_google import drive_convert as convert
from liberate_google.drive_convert import SECOND, File


class _Folder(NamedTuple):
    grants: frozenset[Grant]
    owner: str


class Tree:
    """The folders of one drive: a few hundred bytes for each, whatever stands in them."""

    def __init__(self, root: str) -> None:
        self.root = root
        self._folders: dict[str, _Folder] = {}
        self._same: dict[_Folder, _Folder] = {}  # few ways of sharing, many folders

    def __contains__(self, key: str) -> bool:
        return key in self._folders

    def add(self, file: File) -> None:
        """This folder is known from now on."""
        found = _Folder(frozenset(convert.grants(file.get("permissions", ()))), convert.owner_of(file))
        self._folders[str(file["id"])] = self._same.setdefault(found, found)

    def drop(self, key: str) -> None:
        self._folders.pop(key, None)

    def parent(self, file: File) -> str:
        """Id of the folder it stands in; "" for the outermost, and where its folder cannot be seen."""
        for key in file.get("parents", ()):
            if key == self.root:
                return ""
            if key in self._folders:
                return str(key)
        return ""

    def elsewhere(self, file: File) -> Iterator[Skipped]:
        """The further places of a file of times when it could stand in several folders."""
        parents = list(file.get("parents", ()))
        if len(parents) > 1:
            first = self.parent(file) or self.root
            for key in parents:
                if key != first:
                    yield Skipped(
                        f"{file['id']}{SECOND}{key}",
                        "second-place",
                        "The file stands in several folders at once; it is moved into the first of them.",
                        "Make a link in the other one, if somebody looks for it there.",
                    )

    def grants(self, file: File) -> tuple[tuple[Grant, ...], bool]:
        """The file's own grants: without those of the folder it stands in, if both move with the same owner.

        A file in somebody else's folder moves away from it, and would be lost to all who see it there. Where fewer
        see the file than the folder, its grants are all there are, and True says so: access to it is limited, or
        dates from when people could be taken off a file in a shared folder.
        """
        all_ = convert.grants(file.get("permissions", ()))
        above = self._folders.get(self.parent(file))
        if above is None or above.owner != convert.owner_of(file):
            return all_, False
        if "permissions" in file and narrower(all_, above.grants):
            return all_, True
        return convert.own(all_, above.grants), False

    def outermost_first(self, folders: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
        """The folders, each added and given after the one it stands in, as early as can be.

        Those that wait for theirs are kept as text, which is small. Folders whose own folder does not come
        are given at the end; so are those in a ring, which no drive should hold.
        """
        waiting: dict[str, list[bytes]] = {}
        for folder in folders:
            above = next(iter(folder.get("parents", ())), self.root)
            if above == self.root or above in self._folders:
                yield from self._release(folder, waiting)
            else:
                waiting.setdefault(str(above), []).append(json.dumps(folder).encode())
        inside = {str(json.loads(text)["id"]) for texts in waiting.values() for text in texts}
        lost = [key for key in waiting if key not in inside]
        while waiting:
            key = lost.pop() if lost else next(iter(waiting))
            for text in waiting.pop(key, ()):
                folder = json.loads(text)
                if folder["id"] not in self._folders:
                    yield from self._release(folder, waiting)

    def _release(self, folder: Mapping[str, Any], waiting: dict[str, list[bytes]]) -> Iterator[Mapping[str, Any]]:
        ready = [folder]
        while ready:
            one = ready.pop()
            self.add(one)
            yield one
            ready.extend(json.loads(text) for text in waiting.pop(str(one["id"]), ()))
