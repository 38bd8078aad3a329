"""What a destination in memory holds.

A `Store` outlives the objects that a job opens on it. One that is given a file also outlives the process: each change
is one line appended there, whole or not at all, which is what a test that kills processes needs.
"""

from __future__ import annotations

import hashlib
import json
import threading
from base64 import b64decode, b64encode
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from liberate.connector import (
    Kind,
)
from liberate.facts import dump_facts, load_facts
from liberate.mail import MailFacts


@dataclass(frozen=True, slots=True)
class Stored:
    """One thing that a destination holds."""

    id: str  # in its place
    body: bytes
    kind: Kind = Kind.MAIL
    facts: Any = None
    key: str = ""  # of the slot it came from; "" for a stranger's
    modified: datetime | None = None  # of a file
    version: str = ""  # of a file: changes whenever somebody changes its bytes

    def __repr__(self) -> str:
        return f"Stored({self.id}, {len(self.body)} bytes)"


@dataclass(slots=True)
class _Shelf:
    next: int = 1
    held: dict[str, Stored] = field(default_factory=dict)


class Store:
    """What one account at a destination holds. Thread-safe.

    With `file`, what is there is read first, and every change is appended to it as one line; a line
    that was cut off by the death of its process counts as never written.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._places: dict[str, _Shelf] = {}
        self._lock = threading.RLock()
        self._file = file
        self._tally = 0
        if file is not None and file.exists():
            for line in file.read_bytes().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    self._apply(json.loads(line))

    def _apply(self, change: list[list[Any]]) -> None:
        for what, place, *rest in change:
            self._tally += 1
            if what == "drop":
                self._places.pop(place, None)
                continue
            shelf = self._places.setdefault(place, _Shelf())
            if what == "put":
                name, body, kind, facts, key, modified, version = rest
                when = datetime.fromisoformat(modified) if modified else None
                known = load_facts(Kind(kind), facts)
                shelf.held[name] = Stored(name, b64decode(body), Kind(kind), known, key, when, version)
                if name.isdigit():
                    shelf.next = max(shelf.next, int(name) + 1)
            elif what == "remove":
                del shelf.held[rest[0]]

    def change(self, *changes: tuple[str, str, Stored | None]) -> None:
        """Carry out ("make" | "put" | "remove" | "drop", place, what) together or not at all."""
        lines: list[list[Any]] = []
        for what, place, stored in changes:
            line: list[Any] = [what, place]
            if stored is not None and what == "remove":
                line.append(stored.id)
            elif stored is not None:
                facts = dump_facts(stored.kind, stored.facts)
                modified = stored.modified.isoformat() if stored.modified else None
                body = b64encode(stored.body).decode()
                line += [stored.id, body, stored.kind.value, facts, stored.key, modified, stored.version]
            lines.append(line)
        with self._lock:
            if self._file is not None:
                with self._file.open("ab", buffering=0) as file:
                    file.write(json.dumps(lines).encode() + b"\n")
            self._apply(lines)

    @property
    def together(self) -> threading.RLock:
        """Held by whoever looks first and changes then."""
        return self._lock

    @property
    def tally(self) -> int:
        """How many changes there were: a number that only grows."""
        return self._tally

    def make(self, place: str) -> None:
        """Make a place, if it is not there."""
        with self._lock:
            if place not in self._places:
                self.change(("make", place, None))

    def append(self, place: str, *things: Stored) -> list[str]:
        """Put things at the end of a place, all or none; the ids they got: numbers that only grow."""
        with self._lock:
            first = self._places[place].next
            ids = [str(first + n) for n in range(len(things))]
            self.change(*(("put", place, replace(one, id=id_)) for id_, one in zip(ids, things, strict=True)))
            return ids

    def deliver(self, place: str, body: bytes, facts: Any = None) -> str:
        """What a stranger puts there meanwhile; its id."""
        self.make(place)
        return self.append(place, Stored("", body, Kind.MAIL, MailFacts() if facts is None else facts))[0]

    def remove(self, place: str, name: str) -> None:
        """What the account's owner deletes."""
        with self._lock:
            self.change(("remove", place, self._places[place].held[name]))

    def places(self) -> list[str]:
        """The places there are, in order."""
        with self._lock:
            return sorted(self._places)

    def held(self, place: str) -> list[Stored]:
        """What a place holds, in the order it arrived."""
        with self._lock:
            return list(self._places[place].held.values())

    def one(self, place: str, name: str) -> Stored | None:
        """One thing, None if it is not there."""
        with self._lock:
            shelf = self._places.get(place)
            return None if shelf is None else shelf.held.get(name)

    def next(self, place: str) -> int:
        """The number that the next thing in the place will get."""
        with self._lock:
            return self._places[place].next

    def contents(self) -> dict[str, list[tuple[str, str]]]:
        """What stands where, to compare two stores by: (sha256, facts) of each thing, sorted."""
        with self._lock:
            return {
                place: sorted(
                    (hashlib.sha256(one.body).hexdigest(), dump_facts(one.kind, one.facts) or "")
                    for one in shelf.held.values()
                )
                for place, shelf in self._places.items()
                if not place.startswith("\0")  # what stands beside a tree of files: see memory_tree
            }
