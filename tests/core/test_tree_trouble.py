"""Trees of files on a bad day: bytes that flip, listings that break off, servers that store late, and every death."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from core_kit import Bench, drive, fill, scenario, tree

import liberate
from liberate.connector import Cursor, Item, Kind, Listed, Loaded, Receipt, Slot
from liberate.errors import AccountError, ItemError, TransientError
from liberate.files import FileFacts, FilePolicy
from liberate.people import Person
from liberate.testing.crash import Crash, Trial, survives
from liberate.testing.faults import Cut, Flip, Lost, Raise
from liberate.testing.memory_files import Tree
from liberate.testing.memory_shelf import Shelf
from liberate.testing.memory_store import Store
from liberate.testing.memory_tree import MemoryFileSource, TreeDestination


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "job", source=MemoryFileSource, destination=TreeDestination)


def test_a_flipped_bit_is_noticed_and_the_damaged_file_replaced(bench: Bench) -> None:
    fill(bench)
    bench.faults.on("write_many", Flip())
    account = bench.run()
    assert account.refused_items == 0
    assert sorted(tree(bench).files()) == ["Board/Minutes/may.odt", "Board/budget.ods", "Board/film.mp4", "empty.txt"]
    assert bench.verify().identical == 6


def test_a_source_that_gives_other_bytes_than_its_digest_is_refused_and_the_rest_goes(bench: Bench) -> None:
    there = drive(bench)
    digest = hashlib.md5(b"right", usedforsecurity=False).hexdigest()
    bench.shelf.file(there, "w", "wrong", b"wrong", digests={"md5": digest})
    bench.shelf.file(there, "r", "right", b"right", digests={"md5": digest})
    account = bench.run()
    assert tree(bench).files() == {"right": b"right"}
    assert [refusal.code for refusal in account.refusals] == ["damaged-at-source"]


def test_what_stands_in_a_folder_that_cannot_be_made_waits_for_it_and_goes_nowhere_else(bench: Bench) -> None:
    there = fill(bench)
    bench.shelf.folder(there, "F3", "May", "F2")
    bench.shelf.file(there, "e", "notes", b"deep", "F3")
    whole = {
        "Board/budget.ods": b"money",
        "Board/Minutes/may.odt": b"we met",
        "Board/Minutes/May/notes": b"deep",
        "empty.txt": b"",
        "Board/film.mp4": b"0123456789" * 9_000,
    }

    class Picky(TreeDestination):
        def make_folder(self, slot: Slot) -> Receipt:
            if slot.name == "Minutes":
                raise ItemError("illegal-name", "This name is not taken.")
            return super().make_folder(slot)

    bench.destination = Picky
    account = bench.run()
    outside = {path: body for path, body in whole.items() if "Minutes" not in path}
    assert tree(bench).files() == outside
    assert Counter(refusal.code for refusal in account.refusals) == {"illegal-name": 1, "folder-refused": 3}
    bench.shelf.file(there, "new", "june", b"new", "F3")
    liberate.retry(bench.plan())
    account = bench.run()
    assert tree(bench).files() == outside
    assert Counter(refusal.code for refusal in account.refusals) == {"illegal-name": 1, "folder-refused": 4}
    bench.destination = TreeDestination
    liberate.retry(bench.plan())
    account = bench.run()
    assert tree(bench).files() == {**whole, "Board/Minutes/May/june": b"new"}
    assert account.refused_items == 0
    assert account.moved == 9


class Missing(MemoryFileSource):
    """One that has the file "a" no more when it is read, though its listing names it."""

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        for loaded in super().read_many(items):
            yield replace(loaded, body=ItemError("gone", "It is gone.")) if loaded.item.id == "a" else loaded


@pytest.mark.parametrize("before", [None, b"money"])
def test_what_was_gone_when_it_was_read_goes_when_it_is_there_again(bench: Bench, before: bytes | None) -> None:
    """As it was: it was deleted and restored, and has the version that was listed."""
    if before is not None:
        fill(bench)
        bench.run()
    there = fill(bench)
    bench.shelf.file(there, "a", "budget.ods", b"more money", "F1")
    bench.source = Missing
    bench.run()
    assert tree(bench).files().get("Board/budget.ods") == before
    bench.source = MemoryFileSource
    bench.shelf.describe(there, "a")
    account = bench.run()
    assert tree(bench).files()["Board/budget.ods"] == b"more money"
    assert (account.skipped_items, account.notes) == (0, ())
    assert not bench.report().changed


def test_a_newer_version_that_was_deleted_before_it_went_goes_when_it_is_restored(bench: Bench) -> None:
    there = fill(bench)
    bench.run()
    bench.shelf.file(there, "a", "budget.ods", b"more money", "F1")
    bench.source_faults.on("read_many", Raise(AccountError("locked-out", "Nobody gets in.")))
    bench.run()
    bench.shelf.remove(there, "a")
    bench.run()
    bench.shelf.file(there, "a", "budget.ods", b"more money", "F1")
    bench.run()
    assert tree(bench).files()["Board/budget.ods"] == b"more money"


def test_what_the_destination_does_not_let_be_moved_stays_and_is_told(bench: Bench) -> None:
    """At the source it has left the folder that it stays in, which others may see."""
    there = fill(bench)
    bench.run()
    bench.shelf.describe(there, "a", facts=FileFacts(""))
    bench.faults.on("move", Raise(ItemError("forbidden", "Nobody may do this there.")))
    account = bench.run()
    assert tree(bench).files()["Board/budget.ods"] == b"money"
    assert ["Nobody may do this there." in note for note in account.notes] == [True]


def test_a_file_that_changes_between_listing_and_reading_goes_as_it_is_now(bench: Bench) -> None:
    there = drive(bench)
    bench.shelf.file(there, "a", "a", b"before", digests={"sha1": hashlib.sha1(b"before").hexdigest()})  # noqa: S324

    class Changing(MemoryFileSource):
        def read_many(self, items: Any) -> Any:
            if "a" in [item.id for item in items]:
                bench.shelf.file(there, "a", "a", b"afterwards")
            yield from super().read_many(items)

    bench.source = Changing
    account = bench.run()
    assert tree(bench).files() == {"a": b"afterwards"}
    assert account.refused_items == 0


def test_a_large_body_goes_on_where_it_ended(bench: Bench) -> None:
    body = bytes(range(256)) * 500  # 128,000 bytes: seven pieces
    there = drive(bench)
    bench.shelf.file(there, "big", "big", body)
    bench.faults.on("append", Lost(TransientError("reset", retry_after=0.0)), call=4)
    bench.run()
    assert tree(bench).files() == {"big": body}
    assert bench.faults.calls["append"] == 7, "no piece goes twice if it arrived"
    assert bench.faults.calls["begin"] == 1
    assert tree(bench).uploads() == []


def test_a_large_body_with_a_digest_is_read_from_where_it_ended(bench: Bench) -> None:
    body = bytes(range(256)) * 500
    there = drive(bench)
    digest = hashlib.sha256(body).hexdigest()
    bench.shelf.file(there, "big", "big", body, digests={"sha256": digest})
    offsets = []

    class Watched(MemoryFileSource):
        def read(self, item: Any, offset: int = 0) -> Any:
            offsets.append(offset)
            yield from super().read(item, offset)

    bench.source = Watched
    bench.faults.on("append", Lost(TransientError("reset", retry_after=0.0)), call=4)
    bench.run()
    assert tree(bench).files() == {"big": body}
    assert offsets == [0, 80_000]
    assert bench.verify().identical == 1


def test_an_upload_that_expired_begins_again(bench: Bench) -> None:
    body = bytes(range(256)) * 500
    there = drive(bench)
    bench.shelf.file(there, "big", "big", body)
    bench.faults.on("append", Raise(ItemError("odd", "odd")), call=99)
    bench.faults.on("append", Lost(TransientError("reset", retry_after=0.0)), call=3)
    seen = []

    def expire(event: Any) -> None:
        if type(event).__name__ == "Waiting":
            seen.append(event)
            tree(bench).forget_uploads()

    bench.faults.on("append", Lost(TransientError("reset")), call=3)
    bench.run(observer=expire)
    assert tree(bench).files() == {"big": body}


def test_a_size_nobody_knows_is_found_out_first(bench: Bench) -> None:
    there = drive(bench)
    body = b"exported " * 20_000
    bench.shelf.file(there, "doc", "doc.odt", body, size=None, repeatable=False)
    bench.shelf.file(there, "small", "small.odt", b"x", size=None, repeatable=False)
    bench.run()
    assert tree(bench).files() == {"doc.odt": body, "small.odt": b"x"}


def test_too_little_room_is_told_before_the_first_byte(bench: Bench) -> None:
    fill(bench)

    class Counting(MemoryFileSource):
        def survey(self) -> Any:
            from liberate.connector import Survey

            return Survey(None, bytes=90_000)

    bench.source = Counting
    bench.destination = lambda store: TreeDestination(store, quota=50_000)
    account = bench.run()
    assert account.state == "stopped"
    assert account.stopped is not None
    assert account.stopped[0] == "no-room"
    assert tree(bench).files() == {}


def test_a_listing_that_breaks_off_loses_nobody(bench: Bench) -> None:
    bench.files = FilePolicy(deleted="trash")
    there = bench.shelf.collection(kind=Kind.FILE, whole=True)
    for number in range(30):
        bench.shelf.file(there, f"i{number}", f"n{number}", b"%d" % number)
    bench.run()
    bench.source_faults.on("items", Cut(TransientError("reset", retry_after=0.0), after=10))
    bench.run()
    assert len(tree(bench).files()) == 30


def test_a_resumed_listing_that_says_whole_takes_nobody_away(bench: Bench) -> None:
    """A source must say so only of a listing that began at its beginning; the core still asks for a cursor's word."""
    bench.files = FilePolicy(deleted="trash")
    there = fill(bench)
    bench.run()

    class Claims(MemoryFileSource):
        def items(self, collection: Any, since: Cursor | None) -> Any:
            listed: list[Listed] = list(super().items(collection, since))
            yield from listed

    bench.source = Claims
    bench.shelf.file(there, "new", "new", b"new")
    bench.run()
    assert len(tree(bench).files()) == 5


class Slow(TreeDestination):
    """A server that goes on with a request after its sender died, and is done just after it was asked."""

    late: list[tuple[Any, bytes]]

    def find(self, slots: Any, taken: Any) -> Any:
        found = super().find(slots, taken)
        while self.late:
            super()._put(*self.late.pop())
        return found

    def _put(self, slot: Any, data: bytes, *more: Any) -> Any:
        if slot.item.name == "dies":
            self.late.append((slot, data))
            raise Crash("the sender")
        return super()._put(slot, data, *more)


class Sized(MemoryFileSource):
    """A source that tells how long each file is."""

    def items(self, collection: Any, since: Cursor | None) -> Any:
        for one in super().items(collection, since):
            file = isinstance(one, Item) and isinstance(one.facts, FileFacts) and not one.facts.folder
            yield replace(one, size=len(b"".join(self.read(one)))) if file else one


@pytest.mark.parametrize("ours", [b"ours", b"ours " * 5_000], ids=["in a batch", "as a stream"])
@pytest.mark.parametrize("stranger", [False, True])
def test_what_a_server_stores_late_is_found_and_not_stored_twice(bench: Bench, stranger: bool, ours: bytes) -> None:
    there = drive(bench)
    bench.shelf.file(there, "a", "dies", ours)
    bench.source = Sized
    Slow.late = []
    bench.destination = Slow
    with pytest.raises(Crash):
        bench.run()
    assert len(Slow.late) == 1
    if stranger:
        Slow.late = [(slot, b"hers") for slot, _ in Slow.late]
    survivor = type("Survivor", (Slow,), {"_put": TreeDestination._put})
    bench.destination = survivor
    report = bench.run()
    assert (report.state, report.moved) == ("done", 1)
    assert tree(bench).files() == ({"dies": b"hers", "dies (2)": ours} if stranger else {"dies": ours})
    assert not bench.report().changed


# Crashes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.torture)])
@pytest.mark.parametrize("runs", [1, 2])
def test_a_job_that_dies_at_any_step_is_set_right(tmp_path: Path, runs: int, every: int) -> None:
    def fresh(name: str) -> Trial:
        shelf, store = Shelf(), Store(tmp_path / f"{name}.store")
        steps: list[Any] = [lambda _what: None]
        bench = Bench(
            tmp_path / name,
            shelf,
            store,
            MemoryFileSource,
            lambda there: TreeDestination(there, step=lambda what: steps[0](what) or None),
            files=FilePolicy(deleted="trash", shares=frozenset({"people"})),
            people=(Person("", ""), Person("bo@x", "bo", action="skip")),
        )
        scenario(1)(shelf)
        if runs == 2:
            bench.run()
            scenario(2)(shelf)

        def run(step: Any) -> Any:
            steps[0] = step
            return bench.report(step=step)

        return Trial(run, lambda: Tree(store).contents())

    # Dying before an act, or before it is committed, leaves what dying after the act before it leaves.
    taken = survives(fresh, only=lambda number, what: what.startswith("after ") and number % every == 0)
    assert len(taken) > 40


def test_a_name_that_many_strangers_took_before_a_run_goes_on_is_avoided_at_once(bench: Bench) -> None:
    bench.shelf.file(drive(bench), "a", "a.txt", b"ours")
    bench.faults.on("write_many", Raise(AccountError("full", "There is no room.", "Make some.")))
    assert bench.run().state == "stopped"
    names = ["a.txt", *(f"a ({number}).txt" for number in range(2, 10))]
    for name in names:
        tree(bench).put(name, b"theirs")
    account = bench.run()
    assert (account.state, account.refused_items) == ("done", 0)
    assert tree(bench).files() == {**dict.fromkeys(names, b"theirs"), "a (10).txt": b"ours"}
