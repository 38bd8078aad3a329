"""A job between memory and memory, carried out by the whole engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import liberate
from liberate.connector import Destination, Kind, Source
from liberate.files import FileFacts, FilePolicy, Grant, Role
from liberate.labels import MailPolicy
from liberate.moves import Plan
from liberate.people import Person
from liberate.report import AccountReport, Report
from liberate.testing.faults import Faults, faulty
from liberate.testing.memory import MailboxDestination, connector
from liberate.testing.memory_files import Tree
from liberate.testing.memory_shelf import MemoryManySource, Shelf
from liberate.testing.memory_store import Store
from liberate.testing.plans import plan

WHEN = datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)  # the files of a drive were changed then


@dataclass
class Bench:
    """One account's shelf and store, and what opens them; a test changes any of it between two runs."""

    folder: Path
    shelf: Shelf = field(default_factory=Shelf)
    store: Store = field(default_factory=Store)
    source: Callable[[Shelf], Source] = MemoryManySource
    destination: Callable[[Store], Destination] = MailboxDestination
    source_faults: Faults = field(default_factory=Faults)
    faults: Faults = field(default_factory=Faults)  # of the destination
    mail: MailPolicy = field(default_factory=MailPolicy)
    files: FilePolicy = field(default_factory=FilePolicy)
    evidence: Any = "size"
    people: tuple[Person | tuple[str, str], ...] = (("", ""),)
    ledger: str | None = None
    kinds: tuple[Kind, ...] = tuple(Kind)

    def plan(self) -> Plan:
        return plan(
            self.folder,
            connector("source", source=lambda _account: faulty(self.source(self.shelf), self.source_faults)),
            connector("destination", destination=lambda _account: faulty(self.destination(self.store), self.faults)),
            mail=self.mail,
            files=self.files,
            people=self.people,
            kinds=self.kinds,
            ledger=self.ledger,
            evidence=self.evidence,
        )

    def report(self, **options: Any) -> Report:
        return liberate.migrate(self.plan(), **{"workers": 1, "patience": 5.0, **options})

    def run(self, **options: Any) -> AccountReport:
        return self.report(**options).accounts[0]

    def verify(self) -> AccountReport:
        return liberate.verify(self.plan()).accounts[0]

    def bodies(self, place: str) -> list[bytes]:
        """What the place holds, in order."""
        return [one.body for one in self.store.held(place)]


def drive(bench: Bench) -> Any:
    """A new collection of files at the source."""
    return bench.shelf.collection(kind=Kind.FILE)


def fill(bench: Bench) -> Any:
    """A small drive: a folder in another, and four files."""
    there = drive(bench)
    shelf = bench.shelf
    shelf.folder(there, "F1", "Board", modified=WHEN)
    shelf.folder(there, "F2", "Minutes", "F1", modified=WHEN)
    shelf.file(there, "a", "budget.ods", b"money", "F1", modified=WHEN)
    shelf.file(there, "b", "may.odt", b"we met", "F2", modified=WHEN)
    shelf.file(there, "c", "empty.txt", b"", modified=WHEN)
    shelf.file(there, "d", "film.mp4", b"0123456789" * 9_000, "F1", modified=WHEN)
    return there


def scenario(number: int) -> Callable[[Shelf], None]:
    """What happened at the source before a job's first run, or between that and its second."""

    def first(shelf: Shelf) -> None:
        there = shelf.collection(kind=Kind.FILE)
        shelf.folder(there, "F1", "Board", modified=WHEN)
        shelf.folder(there, "F2", "Minutes", "F1", modified=WHEN)
        grants = (Grant("user", "bo@x", Role.WRITER),)
        shelf.file(there, "a", "budget.ods", b"money", facts=FileFacts("F1", grants=grants, starred=True))
        shelf.file(there, "b", "same", b"we met", "F2")
        shelf.file(there, "b2", "same", b"we met again", "F2")
        shelf.file(there, "d", "film.mp4", b"0123456789" * 7_000, "F1")
        shelf.file(there, "s", "stream.bin", b"0123456789" * 3_000, "F1")

    def second(shelf: Shelf) -> None:
        there = shelf.collection(kind=Kind.FILE)
        shelf.describe(there, "F2", name="Protocols", facts=FileFacts("", folder=True))
        shelf.describe(there, "b", name="other")
        shelf.file(there, "a", "budget.ods", b"more money", "F1")
        shelf.remove(there, "b2")
        shelf.file(there, "d", "film.mp4", b"9876543210" * 7_000, "F1")
        shelf.file(there, "e", "new", b"new", "F2")

    return first if number == 1 else second


def tree(bench: Bench) -> Tree:
    """What stands at the destination."""
    return Tree(bench.store)
