"""A drive that people work in while it is followed: what was told comes to what is there."""

from __future__ import annotations

import random

import pytest
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Drive, Fault, GraphStandin, Node, shapes
from microsoft_kit import BJORN, DRIVE, opened

from liberate.connector import Cursor, Gone, Item, Skipped, Whole


class Told:
    """What somebody knows who has read every listing so far, as the core does."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.cursor: Cursor | None = None

    def read(self, settings: MicrosoftSettings, chance: random.Random | None = None) -> None:
        """One listing; with `chance`, perhaps one that breaks off somewhere."""
        named: set[str] = set()
        with opened(settings) as source:
            for thing in source.items(DRIVE, self.cursor):
                match thing:
                    case Item():
                        assert not thing.facts.parent or thing.facts.parent in self.items, thing.name
                        self.items[thing.id] = thing
                        named.add(thing.id)
                    case Skipped() | Gone():
                        self.items.pop(thing.id, None)
                    case Whole():
                        self.items = {key: item for key, item in self.items.items() if key in named}
                    case str():
                        self.cursor = thing
                        if chance is not None and chance.random() < 0.2:
                            return


def work(store: Drive, chance: random.Random, number: int) -> None:
    """Something that somebody does."""
    there = [one for one in store.nodes.values() if one.parent and not one.deleted]
    folders = [one for one in there if one.folder] or [store.root]
    files = [one for one in there if not one.folder]
    what = chance.randrange(9)
    if what <= 1 or not files:
        store.add_file(f"file {number}", b"%d" % number, chance.choice([store.root, *folders]))
    elif what == 2:
        store.add_folder(f"folder {number}", chance.choice([store.root, *folders]))
    elif what == 3:
        store.move(chance.choice(there), name=f"renamed {number}")
    elif what == 4:
        node = chance.choice(there)
        places = [one for one in [store.root, *folders] if node not in (one, *store.ancestors(one))]
        store.move(node, chance.choice(places))
    elif what == 5:
        store.write(chance.choice(files), b"new %d" % number)
    elif what == 6:
        store.delete(chance.choice(there))
    elif what == 7:
        store.share(chance.choice(there), shapes.to_person(BJORN, "Björn", "read"))
    else:
        store.unshare(chance.choice(there))


def truth(store: Drive) -> dict[str, tuple[str, str, int | None, str]]:
    def of(node: Node) -> tuple[str, str, int | None, str]:
        parent = "" if node.parent == store.root.id else node.parent
        digest = "" if node.folder else node.blob.quickxor
        return node.name, parent, None if node.folder else node.blob.size, digest

    return {one.id: of(one) for one in store.nodes.values() if one.parent and not one.deleted}


@pytest.mark.parametrize("seed", range(25))
def test_what_was_told_comes_to_what_is_there(
    standin: GraphStandin, settings: MicrosoftSettings, drive: Drive, seed: int
) -> None:
    chance = random.Random(seed)
    store = drive
    told = Told()
    for number in range(30):
        work(store, chance, number)
    for turn in range(6):
        standin.page = chance.choice((1, 2, 3, 7, 200))
        standin.disorder = chance.random() < 0.5
        for step in range(chance.randrange(3)):  # amid the listing
            standin.faults.add(
                Fault(method="delta", skip=chance.randrange(6), does=lambda n=100 * turn + step: work(store, chance, n))  # type: ignore[misc]
            )
        told.read(settings, chance)
        standin.faults.clear()
        for number in range(chance.randrange(8)):
            work(store, chance, 1000 * turn + number)
        if chance.random() < 0.3:
            store.expire_tokens()
    told.read(settings)
    told.read(settings)  # a listing of everything leaves what changed meanwhile to the next one
    found = {
        item.id: (item.name, item.facts.parent, item.size, item.digests.get("quickxor", ""))
        for item in told.items.values()
    }
    assert found == truth(store)
    for item in told.items.values():
        own = bool(store.nodes[item.id].permissions)
        above = any(one.permissions for one in store.ancestors(store.nodes[item.id]))
        if not above:
            assert bool(item.facts.grants) is own, item.name
