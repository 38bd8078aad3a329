"""Who may see what at the destination afterwards: no more than at the source, and no fewer than can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from core_kit import Bench, fill, tree

import liberate
from liberate.connector import Destination, Item, Kind, Loaded
from liberate.errors import AccountError, ItemError, TransientError
from liberate.files import FileFacts, FilePolicy, Grant, Role
from liberate.moves import Plan
from liberate.people import Person
from liberate.testing.faults import Lost, Raise
from liberate.testing.memory import connector
from liberate.testing.memory_files import SHARES, Tree
from liberate.testing.memory_shelf import Shelf
from liberate.testing.memory_store import Store
from liberate.testing.memory_tree import MemoryFileSource, TreeDestination
from liberate.testing.plans import plan

BO = Grant("user", "bo@x", Role.WRITER)
CLAIRE = Grant("user", "claire@x", Role.READER)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    people = (Person("", ""), *(Person(f"{one}@x", one, action="skip") for one in ("bo", "claire")))
    policy = FilePolicy(shares=frozenset({"people"}))
    return Bench(tmp_path / "job", source=MemoryFileSource, destination=TreeDestination, people=people, files=policy)


def left(bench: Bench) -> list[tuple[str, int]]:
    """Why there are no shares, and how many for each reason, by a run that finds nothing else to do."""
    shares = bench.run().shares
    return [] if shares is None else [(one.code, one.items) for one in shares.left]


def test_shares_follow_the_people_table_and_the_route(bench: Bench) -> None:
    there = fill(bench)
    bench.files = FilePolicy()
    bench.people = (Person("", ""), Person("bo@x", "bo", action="skip"), Person("board@x", "Board", kind="group"))
    grants = (
        Grant("user", "Bo@x", Role.WRITER),
        Grant("group", "board@x", Role.READER),
        Grant("group", "unknown@x", Role.READER),
        Grant("user", "out@y", Role.READER),
        Grant("link", "", Role.READER),
    )
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=grants))
    bench.run()
    assert tree(bench).shares() == {}
    bench.files = FilePolicy(shares=frozenset({"people", "groups"}))
    account = bench.run()
    assert sorted(tree(bench).shares()["Board"]) == [("group", "Board", "reader"), ("user", "bo", "writer")]
    assert account.shares is not None
    assert account.shares.made == 2
    assert {one.code for one in account.shares.left} == {"policy-outsiders", "policy-links", "group-unknown"}
    assert not bench.report().changed
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=grants[1:]))
    bench.run()
    assert tree(bench).shares()["Board"] == [("group", "Board", "reader")]


def test_somebody_of_whom_the_people_table_does_not_say_who_they_become_is_told(bench: Bench) -> None:
    there = fill(bench)
    bench.people = (Person("", ""), Person("bo@x", "", action="skip"), Person("board@x", "", kind="group"))
    bench.files = FilePolicy(shares=frozenset({"people", "groups"}))
    group = Grant("group", "board@x", Role.READER)
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=(BO, group)))
    bench.run()
    assert tree(bench).shares() == {}
    assert left(bench) == [("group-unknown", 1), ("person-unknown", 1)]
    bench.people = (Person("", ""), Person("bo@x", "bo", action="skip"), Person("board@x", "", kind="group"))
    bench.run()
    assert tree(bench).shares() == {"Board": [("user", "bo", "writer")]}


def test_a_server_that_allows_few_shares_at_a_time_gets_them_all_in_the_end(bench: Bench) -> None:
    there = fill(bench)
    for item in "abcd":
        old = bench.shelf.describe(there, item)
        facts = replace(old.facts, grants=(Grant("user", "bo@x", Role.READER),))
        bench.shelf.describe(there, item, facts=facts)
    bench.faults.on("share", Raise(TransientError("too many", retry_after=0.0)), call=3)
    bench.run()
    assert len(tree(bench).shares()) == 4


def test_a_file_that_was_refused_and_goes_later_is_shared_then(bench: Bench) -> None:
    there = fill(bench)
    old = bench.shelf.describe(there, "a")
    bench.shelf.describe(there, "a", facts=replace(old.facts, grants=(BO,)))

    class Locked(MemoryFileSource):
        def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
            for loaded in super().read_many(items):
                yield replace(loaded, body=ItemError("locked", "It is locked.")) if loaded.item.id == "a" else loaded

    bench.source = Locked
    assert bench.run().refused_items == 1
    assert tree(bench).shares() == {}
    bench.source = MemoryFileSource
    liberate.retry(bench.plan())
    bench.run()
    assert tree(bench).shares() == {"Board/budget.ods": [("user", "bo", "writer")]}


def test_a_file_whose_newer_version_is_refused_stays_shared_with_those_who_may_see_it_now(bench: Bench) -> None:
    there = fill(bench)
    bench.shelf.describe(there, "a", facts=FileFacts("F1", grants=(BO, CLAIRE)))
    bench.run()
    before = tree(bench).beside(SHARES)
    bench.destination = lambda store: TreeDestination(store, limit=5)
    bench.shelf.file(there, "a", "budget.ods", b"more money", "F1", facts=FileFacts("F1", grants=(BO, CLAIRE)))
    assert bench.run().refused_items == 1
    assert tree(bench).beside(SHARES) == before
    bench.shelf.describe(there, "a", facts=FileFacts("F1", grants=(CLAIRE,)))
    bench.run()
    assert tree(bench).shares() == {"Board/budget.ods": [("user", "claire", "reader")]}


def test_a_share_that_the_source_has_no_more_is_taken_away_also_when_the_route_shares_no_more(bench: Bench) -> None:
    there = fill(bench)
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=(BO, CLAIRE)))
    bench.run()
    bench.files = FilePolicy()
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=(CLAIRE,)))
    bench.run()
    assert tree(bench).shares() == {"Board": [("user", "claire", "reader")]}


def test_somebody_with_two_addresses_keeps_a_share_that_one_of_them_still_has(bench: Bench) -> None:
    bench.people = (*bench.people, Person("robert@x", "bo", action="skip"))
    there = fill(bench)
    robert = replace(BO, name="robert@x")
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=(BO, robert)))
    bench.run()
    for grants in ((BO,), (BO, robert), (robert,)):
        bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=grants))
        bench.run()
        assert tree(bench).shares() == {"Board": [("user", "bo", "writer")]}
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True))
    bench.run()
    assert tree(bench).shares() == {}


def test_undo_goes_on_where_a_share_cannot_be_taken_away(bench: Bench) -> None:
    bench.shelf.describe(fill(bench), "F1", facts=FileFacts(folder=True, grants=(BO,)))
    bench.run()
    bench.faults.on("unshare", Raise(ItemError("sharing-refused", "It may not be shared, nor unshared.")))
    (undone,) = liberate.undo(bench.plan())
    assert (tree(bench).tree(), undone.kept) == ({}, ())
    bench.run()
    assert tree(bench).shares() == {"Board": [("user", "bo", "writer")]}


def test_a_share_that_was_refused_is_made_after_retry_when_the_cause_is_gone(bench: Bench) -> None:
    bench.shelf.describe(fill(bench), "F1", facts=FileFacts(folder=True, grants=(BO,)))
    bench.destination = lambda store: TreeDestination(store, people=frozenset())
    bench.run()
    assert left(bench) == [("unknown-person", 1)]
    bench.destination = TreeDestination
    assert liberate.retry(bench.plan(), "too-large") == 0
    assert liberate.retry(bench.plan(), "unknown-person") == 1
    bench.run()
    assert tree(bench).shares() == {"Board": [("user", "bo", "writer")]}


@pytest.mark.parametrize(("now", "there"), [((BO,), [("user", "bo", "writer")]), ((), [])])
def test_a_share_whose_answer_was_lost_follows_the_source_all_the_same(
    bench: Bench, now: tuple[Grant, ...], there: list[tuple[str, str, str]]
) -> None:
    drive = fill(bench)
    bench.shelf.describe(drive, "F1", facts=SHARED)
    bench.faults.on("share", Lost(AccountError("locked-out", "Nobody gets in.")))
    bench.run()
    assert tree(bench).shares() == {"Board": [("user", "bo", "writer")]}
    bench.shelf.describe(drive, "F1", facts=FileFacts(folder=True, grants=now))
    for _ in range(2):
        bench.run()
        assert tree(bench).shares().get("Board", []) == there


# What is closed to some who see the folder around it ---------------------------------------------


def shared_but_for_one_file(bench: Bench) -> Any:
    """A folder that two people see, with another in it, and in that a file which only one of them sees."""
    there = fill(bench)
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=(BO, CLAIRE)))
    bench.shelf.describe(there, "b", facts=FileFacts("F2", grants=(BO,), closed=True))
    return there


def test_nobody_gets_a_share_of_a_folder_through_which_they_would_see_what_is_closed_to_them(bench: Bench) -> None:
    shared_but_for_one_file(bench)
    bench.run()
    assert tree(bench).shares() == {
        "Board": [("user", "bo", "writer")],
        "Board/Minutes/may.odt": [("user", "bo", "writer")],
    }
    assert left(bench) == [("shows-more", 1)]
    assert not bench.report().changed


def test_the_share_is_made_once_nothing_in_the_folder_is_closed_any_more(bench: Bench) -> None:
    there = shared_but_for_one_file(bench)
    bench.run()
    bench.shelf.describe(there, "b", facts=FileFacts("F2"))
    bench.run()
    assert tree(bench).shares() == {"Board": [("user", "bo", "writer"), ("user", "claire", "reader")]}
    assert left(bench) == []


def test_a_share_is_taken_away_when_something_in_its_folder_is_closed_later(bench: Bench) -> None:
    there = fill(bench)
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=(BO, CLAIRE)))
    bench.run()
    assert len(tree(bench).shares()["Board"]) == 2
    bench.shelf.describe(there, "F2", facts=FileFacts("F1", folder=True, grants=(BO,), closed=True))
    bench.run()
    assert tree(bench).shares()["Board"] == [("user", "bo", "writer")]
    assert left(bench) == [("shows-more", 1)]


@pytest.mark.parametrize("folder", [False, True])
def test_a_share_is_taken_away_before_something_closed_comes_into_its_folder(bench: Bench, folder: bool) -> None:
    there = fill(bench)
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=(BO, CLAIRE)))
    bench.run()
    if folder:
        bench.shelf.folder(there, "F3", "Wages", "F1")
        bench.shelf.describe(there, "F3", facts=FileFacts("F1", folder=True, closed=True))
    bench.shelf.file(
        there,
        "e",
        "wages.ods",
        b"secret",
        "F3" if folder else "F1",
        facts=FileFacts("F3" if folder else "F1", closed=not folder),
    )
    seen: list[dict[str, list[tuple[str, str, str]]]] = []

    class Looking(TreeDestination):
        def make_folder(self, slot: Any) -> Any:
            seen.append(tree(bench).shares())
            return super().make_folder(slot)

        def write_many(self, parts: Any) -> Any:
            seen.append(tree(bench).shares())
            return super().write_many(parts)

    bench.destination = Looking
    bench.run()
    assert seen == [{}] * (1 + folder)
    assert tree(bench).shares() == {}
    assert left(bench) == [("shows-more", 2)]


@pytest.mark.parametrize("moved", ["w", "W"])
def test_a_share_is_taken_away_before_something_closed_is_moved_into_its_folder(bench: Bench, moved: str) -> None:
    """The file itself, or the folder that it stands in."""
    there = fill(bench)
    bench.shelf.describe(there, "F1", facts=FileFacts(folder=True, grants=(BO, CLAIRE)))
    bench.shelf.folder(there, "W", "Wages")
    closed = FileFacts("W", grants=(BO,), closed=True)
    bench.shelf.file(there, "w", "wages.ods", b"secret", "W", facts=closed)
    bench.run()
    assert len(tree(bench).shares()["Board"]) == 2
    seen: list[list[tuple[str, str, str]]] = []

    class Looking(TreeDestination):
        def move(self, slot: Any, receipt: Any) -> Any:
            seen.append(tree(bench).shares()["Board"])
            return super().move(slot, receipt)

    bench.destination = Looking
    facts = replace(closed, parent="F1") if moved == "w" else FileFacts("F1", folder=True)
    bench.shelf.describe(there, moved, facts=facts)
    bench.run()
    assert seen == [[("user", "bo", "writer")]]
    assert tree(bench).shares()["Board"] == [("user", "bo", "writer")]
    assert left(bench) == [("shows-more", 1)]
    assert not bench.report().changed


def test_something_closed_that_stays_behind_takes_no_share_away(bench: Bench) -> None:
    there = shared_but_for_one_file(bench)
    bench.shelf.describe(there, "b", facts=FileFacts("F2", grants=(BO,), closed=True, owner="bo@x"))
    bench.run()
    assert tree(bench).shares()["Board"] == [("user", "bo", "writer"), ("user", "claire", "reader")]


def test_nothing_is_shared_before_everybodys_files_are_there(tmp_path: Path) -> None:
    """What is shared shows in somebody's account, under a name that theirs may be to have."""
    shelves, stores = {"anna": Shelf(), "bo": Shelf()}, {"anna": Store(), "bo": Store()}
    done: list[str] = []

    class Telling(TreeDestination):
        def write_many(self, parts: Any) -> Any:
            for slot, outcome in super().write_many(parts):
                done.append(f"write {slot.name}")
                yield slot, outcome

        def share(self, receipt: Any, share: Any) -> Any:
            done.append("share")
            return super().share(receipt, share)

    for name, collections in (("anna", 1), ("bo", 3)):
        for number in range(collections):
            there = shelves[name].collection(f"{number}", kind=Kind.FILE)
            facts = FileFacts(grants=(Grant("user", f"{'bo' if name == 'anna' else 'anna'}@x", Role.READER),))
            shelves[name].file(there, f"{number}", f"{name} {number}", b"x", facts=facts)
    moving = plan(
        tmp_path / "job",
        connector("source", source=lambda account: MemoryFileSource(shelves[account.name.partition("@")[0]])),
        connector("destination", destination=lambda account: Telling(stores[account.name])),
        people=[Person("anna@x", "anna"), Person("bo@x", "bo")],
        files=FilePolicy(shares=frozenset({"people"})),
    )
    liberate.migrate(moving, workers=1)
    assert sorted(done[:4]) == ["write anna 0", "write bo 0", "write bo 1", "write bo 2"]
    assert done[4:] == ["share"] * 4


SHARED = FileFacts(folder=True, grants=(BO,))


def test_a_folder_that_is_shared_does_not_become_one_with_a_strangers(bench: Bench) -> None:
    """Whoever it is shared with would see what the account's owner keeps in theirs."""
    tree(bench).put("Board/private.txt", b"theirs")
    bench.shelf.describe(fill(bench), "F1", facts=SHARED)
    bench.run()
    files = tree(bench).files()
    assert (files["Board/private.txt"], files["Board (2)/budget.ods"]) == (b"theirs", b"money")
    assert tree(bench).shares() == {"Board (2)": [("user", "bo", "writer")]}
    assert not bench.report().changed


def test_a_folder_that_became_one_with_a_strangers_is_not_shared_later_but_told(bench: Bench) -> None:
    tree(bench).put("Board/private.txt", b"theirs")
    there = fill(bench)
    bench.run()
    bench.shelf.describe(there, "F1", facts=SHARED)
    bench.shelf.describe(there, "F2", facts=FileFacts("F1", folder=True, grants=(CLAIRE,)))
    bench.run()
    assert tree(bench).shares() == {"Board/Minutes": [("user", "claire", "reader")]}
    assert left(bench) == [("holds-more", 1)]


def two_of_one(
    tmp_path: Path, destination: Callable[[Store], Destination] = TreeDestination
) -> tuple[Any, Store, Plan]:
    """Two accounts that become one, each with a folder of the same name and a file in it."""
    shelves, store = {"old@x": Shelf(), "new@x": Shelf()}, Store()
    for name, shelf in shelves.items():
        there = shelf.collection(kind=Kind.FILE)
        shelf.folder(there, "F", "Board")
        shelf.file(there, "a", f"{name}.txt", b"x", "F")
    return (
        shelves,
        store,
        plan(
            tmp_path / "job",
            connector("source", source=lambda account: MemoryFileSource(shelves[account.name])),
            connector("destination", destination=lambda _account: destination(store)),
            people=[*(Person(name, "anna") for name in shelves), Person("bo@x", "bo", action="skip")],
            files=FilePolicy(shares=frozenset({"people"})),
        ),
    )


@pytest.mark.parametrize("side_by_side", [False, True])
def test_a_folder_that_another_source_came_into_is_not_shared_but_told(tmp_path: Path, side_by_side: bool) -> None:
    """What is private in the second is not shared with those who see the first's, whether or not it was empty then."""
    full = side_by_side

    class Filling(TreeDestination):
        def write_many(self, parts: Any) -> Any:
            if full:
                raise AccountError("full", "The account is full.")
            return super().write_many(parts)

    shelves, store, moving = two_of_one(tmp_path, Filling)
    liberate.migrate(moving, workers=1)
    full = False
    liberate.migrate(moving, workers=1)
    assert set(Tree(store).files()) == {"Board/old@x.txt", "Board/new@x.txt"}
    for shelf in shelves.values():
        shelf.describe(shelf.collection(kind=Kind.FILE), "F", facts=SHARED)
    report = liberate.migrate(moving, workers=1)
    assert Tree(store).shares() == {}
    assert [[one.code for one in account.shares.left] for account in report.accounts if account.shares] == [
        ["holds-more"]
    ] * 2


@pytest.mark.parametrize(("one", "other"), [("old@x", "new@x"), ("new@x", "old@x")])
def test_a_folder_in_which_two_sources_meet_is_not_renamed_by_one_of_them(tmp_path: Path, one: str, other: str) -> None:
    """The other would find its files no more, and bring each a second time once it changes; and share what it holds."""
    shelves, store, moving = two_of_one(tmp_path)
    liberate.migrate(moving, workers=1)
    there = shelves[one].collection(kind=Kind.FILE)
    shelves[one].describe(there, "F", name="Council", facts=SHARED)
    report = liberate.migrate(moving, workers=1)
    notes = [note for account in report.accounts for note in account.notes]
    assert ["holds what somebody else" in note for note in notes] == [True]
    shelves[other].file(shelves[other].collection(kind=Kind.FILE), "a", f"{other}.txt", b"newer", "F")
    shelves[one].file(there, "b", "b", b"b", "F")
    liberate.migrate(moving, workers=1)
    assert Tree(store).files() == {f"Board/{one}.txt": b"x", f"Board/{other}.txt": b"newer", "Board/b": b"b"}
    assert Tree(store).shares() == {}


def test_what_somebody_has_in_a_folder_is_not_moved_with_it_into_one_that_is_shared(bench: Bench) -> None:
    tree(bench).put("Board/private.txt", b"theirs")
    there = fill(bench)
    bench.shelf.folder(there, "S", "Shared")
    bench.shelf.describe(there, "S", facts=SHARED)
    bench.run()
    bench.shelf.describe(there, "F1", facts=FileFacts("S", folder=True))
    account = bench.run()
    assert tree(bench).files()["Board/private.txt"] == b"theirs"
    assert "Shared/Board" not in tree(bench).tree()
    assert ["holds what somebody else" in note for note in account.notes] == [True]
    assert not bench.report().changed


def test_an_empty_folder_that_an_attempt_left_is_ours_to_share(bench: Bench) -> None:
    tree(bench).mkdir("Board")
    bench.shelf.describe(fill(bench), "F1", facts=SHARED)
    bench.run()
    assert tree(bench).shares() == {"Board": [("user", "bo", "writer")]}
