"""What stands in a store in memory, seen as folders and files, and what its owner does there.

A thing's id is "<number>/<name>", as Nextcloud's is: the number stays its own for ever, the id changes
with its name. A version changes with the bytes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from liberate.connector import Kind, Place, inside
from liberate.files import FileFacts, Note
from liberate.testing.memory_store import Store, Stored

_HIDDEN = "\0"  # begins the places of a store that are no folders
UPLOADS, SHARES, NOTES = f"{_HIDDEN}upload/", f"{_HIDDEN}shares", f"{_HIDDEN}notes"


class Tree:
    """The folders and files of a store. Paths have "/" between their levels; "" is the outermost folder.

    What changes it here is what the account's owner does, or a stranger: put, mkdir, rename, remove.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    # Looking -------------------------------------------------------------------------------------

    def one(self, path: str) -> Stored | None:
        """What stands at a path, None if nothing does."""
        place, _, name = path.rpartition("/")
        return self.named(place, name)

    def named(self, place: str, name: str) -> Stored | None:
        """What is called this in a place."""
        with self.store.together:
            if place not in self.store.places():
                return None
            return next((one for one in self.store.held(place) if name_of(one) == name), None)

    def numbered(self, number: str) -> tuple[str, Stored] | None:
        """Where the thing with this number stands, and what it is."""
        with self.store.together:
            for place in self.folders():
                for one in self.store.held(place):
                    if number_of(one.id) == number:
                        return place, one
        return None

    def folders(self, below: str = "") -> list[str]:
        """The paths of the folder and of all folders below it, in order."""
        some = [place for place in self.store.places() if not place.startswith(_HIDDEN)]
        return [place for place in some if not below or place == below or place.startswith(f"{below}/")]

    def files(self) -> dict[str, bytes]:
        """Every file, by its path."""
        return {path: one.body for path, one in self._all() if not is_folder(one)}

    def tree(self) -> dict[str, bytes | None]:
        """Everything there is, by its path: the bytes of a file, None for a folder."""
        return {path: None if is_folder(one) else one.body for path, one in self._all()}

    def contents(self) -> dict[str, tuple[Any, ...]]:
        """Everything there is, by its path, to compare two trees by: bytes, facts, time, shares and notes."""
        with self.store.together:
            shares, notes = self.shares(), self.notes()
            return {
                path: (
                    "folder" if is_folder(one) else hashlib.sha256(one.body).hexdigest(),
                    one.facts.dump() if isinstance(one.facts, FileFacts) else "",
                    one.modified.isoformat() if one.modified else "",
                    tuple(sorted(shares.get(path, ()))),
                    tuple(note.text for note in notes.get(path, ())),
                )
                for path, one in self._all()
            }

    def shares(self) -> dict[str, list[tuple[str, str, str]]]:
        """Who has a share of what: (to, name, role), by path."""
        out: dict[str, list[tuple[str, str, str]]] = {}
        for _, said in self.beside(SHARES):
            if path := self._path_of(said["number"]):
                out.setdefault(path, []).append((said["to"], said["name"], said["grant"][2]))
        return out

    def notes(self) -> dict[str, list[Note]]:
        """The notes kept with each thing, by path, in the order they came."""
        out: dict[str, list[Note]] = {}
        for _, said in self.beside(NOTES):
            if path := self._path_of(said["number"]):
                written = datetime.fromisoformat(said["written"]) if said["written"] else None
                out.setdefault(path, []).append(Note(said["author"], written, said["text"]))
        return out

    def uploads(self) -> list[str]:
        """The half-sent uploads there are."""
        return [place.removeprefix(UPLOADS) for place in self.store.places() if place.startswith(UPLOADS)]

    def _all(self) -> list[tuple[str, Stored]]:
        with self.store.together:
            return sorted(
                (
                    (str(inside(Place(place), name_of(one))), one)
                    for place in self.folders()
                    for one in self.store.held(place)
                ),
                key=lambda pair: pair[0],
            )

    def beside(self, place: str) -> list[tuple[str, dict[str, Any]]]:
        if place not in self.store.places():
            return []
        return [(one.id, json.loads(one.body)) for one in self.store.held(place)]

    def _path_of(self, number: str) -> str | None:
        there = self.numbered(number)
        return None if there is None else str(inside(Place(there[0]), name_of(there[1])))

    # Changing ------------------------------------------------------------------------------------

    def put(self, path: str, body: bytes, modified: datetime | None = None) -> Stored:
        """Make a file, or change its bytes as somebody does there: it keeps its number and gets another version."""
        place, _, name = path.rpartition("/")
        with self.store.together:
            self.mkdir(place)
            there = self.named(place, name)
            id_ = there.id if there else self.fresh(name)
            facts = there.facts if there else FileFacts()
            made = Stored(id_, body, Kind.FILE, facts, "", modified, self.version())
            self.store.change(("put", place, made))
            return made

    def mkdir(self, path: str) -> None:
        """Make a folder and those above it, as far as they are not there."""
        with self.store.together:
            above, _, name = path.rpartition("/")
            if path in self.store.places():
                return
            if not path:
                self.store.make("")
                return
            self.mkdir(above)
            facts = FileFacts(folder=True)
            self.store.change(("put", above, Stored(self.fresh(name), b"", Kind.FILE, facts)), ("make", path, None))

    def rename(self, old: str, new: str) -> None:
        """Bring a file or folder elsewhere, or give it another name."""
        place, _, name = old.rpartition("/")
        with self.store.together:
            one = self.named(place, name)
            assert one is not None, f"nothing is called {old!r}"
            self.mkdir(new.rpartition("/")[0])
            self.store.change(*self.moved(place, one, *_split(new)))

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all that is in it."""
        place, _, name = path.rpartition("/")
        with self.store.together:
            one = self.named(place, name)
            assert one is not None, f"nothing is called {path!r}"
            below = self.folders(path) if is_folder(one) else []
            self.store.change(("remove", place, one), *(("drop", folder, None) for folder in below))

    def forget_uploads(self) -> None:
        """Let every half-sent upload expire."""
        for upload in self.uploads():
            self.store.change(("drop", UPLOADS + upload, None))

    def moved(self, place: str, one: Stored, to: str, name: str) -> list[tuple[str, str, Stored | None]]:
        """The changes that bring a thing to another place and name, a folder with all that is in it."""
        out: list[tuple[str, str, Stored | None]] = [
            ("remove", place, one),
            ("put", to, replace(one, id=f"{number_of(one.id)}/{name}")),
        ]
        if is_folder(one):
            old, new = str(inside(Place(place), name_of(one))), str(inside(Place(to), name))
            for folder in self.folders(old):
                there = new + folder.removeprefix(old)
                out.append(("make", there, None))
                out += [("put", there, thing) for thing in self.store.held(folder)]
                out.append(("drop", folder, None))
        return out

    def fresh(self, name: str) -> str:
        """The id of a thing that was never there before."""
        return f"{self.store.tally + 1}/{name}"

    def version(self) -> str:
        """A version that nothing had before."""
        return f"v{self.store.tally + 1}"


def name_of(one: Stored) -> str:
    """What a thing of a tree is called."""
    return one.id.partition("/")[2]


def number_of(id_: str) -> str:
    """What stays of an id when its thing is renamed."""
    return id_.partition("/")[0]


def is_folder(one: Stored) -> bool:
    """Whether other things stand in it."""
    return isinstance(one.facts, FileFacts) and one.facts.folder


def _split(path: str) -> tuple[str, str]:
    place, _, name = path.rpartition("/")
    return place, name
