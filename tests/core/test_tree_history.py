"""What files were before, moved by the whole engine; and what a server stores only after its sender has died."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from core_kit import WHEN, Bench, drive, tree

from liberate.connector import Kind
from liberate.errors import ItemError
from liberate.files import FilePolicy
from liberate.testing.crash import Crash, Trial, survives
from liberate.testing.memory_files import Tree
from liberate.testing.memory_shelf import Shelf
from liberate.testing.memory_store import Store
from liberate.testing.memory_tree import MemoryFileSource, TreeDestination


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "job", source=MemoryFileSource, destination=TreeDestination)


class Historic(MemoryFileSource):
    """Every file was something else before, twice."""

    def versions(self, item: Any) -> Any:
        return [
            replace(
                item, id=f"{item.id}@{n}", version=f"v{n}", size=2, modified=WHEN.replace(year=2000 + n), digests={}
            )
            for n in (1, 2)
        ]

    def read(self, item: Any, offset: int = 0) -> Any:
        if "@" in item.id:
            yield b"v" + item.id[-1:].encode()
            return
        yield from super().read(item, offset)


class Remembering(TreeDestination):
    """Keeps what each file was, as servers do."""

    history: dict[str, list[bytes]]

    def _put(self, slot: Any, data: bytes, *more: Any) -> Any:
        try:
            return super()._put(slot, data, *more)
        finally:  # also when the process dies just after it was stored
            there = Tree(self._store).files().get(f"{slot.place}/{slot.name}".lstrip("/"))
            kept = self.history.setdefault(f"{slot.place}/{slot.name}", [])
            if there is not None and kept[-1:] != [there]:
                kept.append(there)


@pytest.mark.parametrize("listed", [False, True])
def test_an_earlier_version_that_stays_behind_is_told_and_the_file_goes(bench: Bench, listed: bool) -> None:
    class Closed(Historic):
        def versions(self, item: Any) -> Any:
            if not listed:
                raise ItemError("forbidden", "Nobody may see it.")
            return super().versions(item)

        def read(self, item: Any, offset: int = 0) -> Any:
            if item.id.endswith("@1"):
                raise ItemError("gone", "It was purged.")
            yield from super().read(item, offset)

    bench.shelf.file(drive(bench), "a", "a", b"now")
    Remembering.history = {}
    bench.source, bench.destination = Closed, Remembering
    bench.files = FilePolicy(versions=5)
    account = bench.run()
    assert Remembering.history["/a"] == ([b"v2", b"now"] if listed else [b"now"])
    assert account.refused_items == 0
    (note,) = account.notes
    assert note.endswith("stayed behind: It was purged." if listed else "stayed behind: Nobody may see it.")


@pytest.mark.parametrize(("wanted", "history"), [(0, []), (1, [b"v2"]), (5, [b"v1", b"v2"])])
def test_earlier_versions_are_written_oldest_first(bench: Bench, wanted: int, history: list[bytes]) -> None:
    there = drive(bench)
    bench.shelf.file(there, "a", "a", b"now")
    bench.shelf.file(there, "d", "d", b"0123456789" * 9_000)
    Remembering.history = {}
    bench.source, bench.destination = Historic, Remembering
    bench.files = FilePolicy(versions=wanted)
    bench.run()
    assert tree(bench).files() == {"a": b"now", "d": b"0123456789" * 9_000}
    assert Remembering.history["/a"] == [*history, b"now"]
    assert not bench.report().changed
    bench.shelf.file(there, "a", "a", b"later")
    bench.run()
    assert Remembering.history["/a"] == [*history, b"now", b"later"]


class Comparing(Remembering):
    """Knows what it finds by its bytes alone, as a server does: what a slot replaces may be just that."""

    def find(self, slots: Any, taken: Any) -> Any:
        return super().find([replace(slot, replaces=None) for slot in slots], taken)


class Late(Comparing):
    """Stores one thing that it was sent only when its sender has died, and the next one has looked for it."""

    before = 0  # how many things are stored at once, before that one
    late: list[Any] | None = None

    @classmethod
    def afresh(cls, before: int = 0) -> None:
        cls.history, cls.before, cls.late = {}, before, None

    def _put(self, slot: Any, data: bytes, *more: Any) -> Any:
        if Late.late is None and Late.before == 0:
            Late.late = [slot, data, *more]
            raise Crash("before put")
        Late.before -= 1
        return super()._put(slot, data, *more)

    def find(self, slots: Any, taken: Any) -> Any:
        found = super().find(slots, taken)
        if Late.late:
            late, Late.late = Late.late, []
            super()._put(*late)
        return found


class Ageless(Historic):
    """Has no earlier versions of anything."""

    def versions(self, item: Any) -> Any:
        return []


@pytest.mark.parametrize("source", [Ageless, MemoryFileSource])
@pytest.mark.parametrize("size", [3, 30_000, 90_000], ids=["among others", "alone", "in pieces"])
def test_a_file_that_is_stored_after_its_sender_died_is_known_again(
    bench: Bench, source: type[MemoryFileSource], size: int
) -> None:
    there = drive(bench)
    bench.shelf.file(there, "a", "a", b"x" * size)
    Late.afresh()
    bench.source, bench.destination = source, Late
    bench.files = FilePolicy(versions=5)
    with pytest.raises(Crash):
        bench.run()
    assert bench.run().moved == 1
    assert tree(bench).files() == {"a": b"x" * size}


@pytest.mark.parametrize("before", [0, 1, 2], ids=["the first version", "another version", "the file itself"])
@pytest.mark.parametrize("now", [b"now", b"now" * 9_000], ids=["small", "large"])
def test_a_version_that_is_stored_after_its_sender_died_is_known_again(bench: Bench, before: int, now: bytes) -> None:
    there = drive(bench)
    bench.shelf.file(there, "a", "a", now)
    Late.afresh(before)
    bench.source, bench.destination = Historic, Late
    bench.files = FilePolicy(versions=5)
    with pytest.raises(Crash):
        bench.run()
    bench.run()
    assert Late.late == [], "it was late"
    assert tree(bench).files() == {"a": now}
    assert Late.history["/a"] == [b"v1", b"v2", now]


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.torture)])
@pytest.mark.parametrize("kind", [Remembering, Comparing])
def test_a_history_that_dies_at_any_step_is_set_right(tmp_path: Path, kind: type[Remembering], every: int) -> None:
    def fresh(name: str) -> Trial:
        shelf, store = Shelf(), Store(tmp_path / f"{name}.store")
        there = shelf.collection(kind=Kind.FILE)
        shelf.file(there, "a", "a", b"now")
        shelf.file(there, "b", "a", b"twin")
        history: dict[str, list[bytes]] = {}
        steps: list[Any] = [lambda _what: None]
        made = type("Made", (kind,), {"history": history})
        bench = Bench(
            tmp_path / name,
            shelf,
            store,
            Historic,
            lambda there: made(there, step=lambda what: steps[0](what) or None),
            files=FilePolicy(versions=5),
        )

        def run(step: Any) -> Any:
            steps[0] = step
            return bench.report(step=step)

        return Trial(run, lambda: (Tree(store).contents(), history))

    ours = ("after write", "after intend", "after left", "after find")
    taken = survives(fresh, only=lambda number, what: what.startswith(ours) and number % every == 0)
    assert sum(what.startswith("after left") for what in taken) == 4, "two versions of each of two files"
