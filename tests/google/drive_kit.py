"""What the tests of Drive share: a source on the stand-in, and whole jobs into a tree in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google_kit import patient
from liberate_google.connectors import google
from liberate_google.drive import DriveSource
from liberate_google.settings import GoogleSettings

import liberate
from liberate.connector import Account, Collection, Cursor, Kind, Listed, Source
from liberate.files import FilePolicy
from liberate.moves import Plan
from liberate.people import Person
from liberate.testing.memory import connector
from liberate.testing.memory_files import Tree
from liberate.testing.memory_store import Store
from liberate.testing.memory_tree import TreeDestination
from liberate.testing.plans import plan

BO = "bo@solros.example"
DRIVE = Collection("drive", (), Kind.FILE)
FILES = frozenset({Kind.FILE})


@contextmanager
def drive(settings: GoogleSettings, name: str, kind: Any = "person") -> Iterator[DriveSource]:
    source = DriveSource(settings, Account(name, kind=kind), patient())
    try:
        yield source
    finally:
        source.close()


def listed(source: Source, since: Cursor | None = None) -> list[Listed]:
    """What the account's one collection lists."""
    (collection,) = source.collections()
    return list(source.items(collection, since))


class Move:
    """Jobs from the stand-in into one store a person, run again and again."""

    def __init__(self, folder: Path, settings: GoogleSettings, people: Sequence[Person], **policy: Any) -> None:
        self.stores = {person.destination: Store() for person in people}
        self._folder = folder
        self._settings = settings
        self._people = tuple(people)
        self.policy = FilePolicy(**policy)

    def plan(self) -> Plan:
        return plan(
            self._folder,
            google,
            connector("there", destination=lambda account: TreeDestination(self.stores[account.name])),
            source_settings=self._settings,
            people=self._people,
            kinds=FILES,
            files=self.policy,
        )

    def run(self) -> liberate.Report:
        return liberate.migrate(self.plan(), workers=2, patience=5.0)

    def tree(self, destination: str) -> Tree:
        return Tree(self.stores[destination])
