"""Trees of files, moved by the whole engine from memory to memory: what stands at the destination afterwards."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from core_kit import WHEN, Bench, drive, fill, scenario, tree

import liberate
from liberate.connector import Item, Kind
from liberate.files import FileFacts, FilePolicy, Note
from liberate.people import Person
from liberate.testing.memory_tree import MemoryFileSource, TreeDestination


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "job", source=MemoryFileSource, destination=TreeDestination)


def test_a_tree_arrives_with_its_folders_files_and_times(bench: Bench) -> None:
    fill(bench)
    account = bench.run()
    assert tree(bench).files() == {
        "Board/budget.ods": b"money",
        "Board/Minutes/may.odt": b"we met",
        "empty.txt": b"",
        "Board/film.mp4": b"0123456789" * 9_000,
    }
    for path in ("Board", "Board/Minutes", "Board/budget.ods", "Board/film.mp4"):
        one = tree(bench).one(path)
        assert one is not None
        assert one.modified == WHEN, path
    assert (account.state, account.moved, account.refused_items, account.skipped_items) == ("done", 6, 0, 0)


def test_a_tree_is_followed_with_a_ledger_of_either_kind(bench: Bench, database: str) -> None:
    bench.ledger = database if database.startswith("postgresql") else None
    bench.files = FilePolicy(deleted="trash", shares=frozenset({"people"}), comments="copy")
    bench.people = (Person("", ""), Person("bo@x", "bo", action="skip"))
    scenario(1)(bench.shelf)
    bench.run()
    scenario(2)(bench.shelf)
    account = bench.run()
    assert (account.state, account.refused_items) == ("done", 0)
    assert sorted(tree(bench).files()) == [
        "Board/budget.ods", "Board/film.mp4", "Board/stream.bin", "Protocols/new", "Protocols/other",
    ]  # fmt: skip
    assert bench.verify().wrong == 0
    assert not bench.report().changed
    (undone,) = liberate.undo(bench.plan())
    assert undone.kept == ()
    assert tree(bench).files() == {}
    bench.run()
    assert len(tree(bench).files()) == 5


def test_undo_takes_back_what_was_moved_and_nothing_else(bench: Bench) -> None:
    fill(bench)
    tree(bench).put("Board/theirs.txt", b"theirs")
    bench.run()
    tree(bench).put("Board/Minutes/may.odt", b"edited here")
    (undone,) = liberate.undo(bench.plan())
    assert tree(bench).files() == {"Board/theirs.txt": b"theirs", "Board/Minutes/may.odt": b"edited here"}
    assert (undone.removed, sum(count.items for count in undone.kept)) == (3, 3)


def test_a_second_run_changes_nothing(bench: Bench) -> None:
    fill(bench)
    bench.run()
    before = tree(bench).contents()
    report = bench.report()
    assert not report.changed
    assert tree(bench).contents() == before


def test_a_renamed_file_is_moved_and_never_sent_again(bench: Bench) -> None:
    there = fill(bench)
    bench.run()
    number = tree(bench).one("Board/budget.ods").id.partition("/")[0]  # type: ignore[union-attr]
    bench.shelf.describe(there, "a", name="accounts.ods", facts=FileFacts("F2"))
    writes = bench.faults.calls["write_many"]
    bench.run()
    moved = tree(bench).one("Board/Minutes/accounts.ods")
    assert moved is not None
    assert (moved.id, moved.body) == (f"{number}/accounts.ods", b"money")
    assert tree(bench).one("Board/budget.ods") is None
    assert bench.faults.calls["write_many"] == writes
    assert bench.verify().identical == 6


def test_a_moved_folder_takes_everything_with_it_and_takes_more_in(bench: Bench) -> None:
    there = fill(bench)
    bench.shelf.folder(there, "F3", "Archive")
    bench.run()
    bench.shelf.describe(there, "F1", name="Board 2024", facts=FileFacts("F3", folder=True))
    bench.shelf.file(there, "e", "june.odt", b"again", "F2")
    bench.run()
    assert set(tree(bench).files()) == {
        "empty.txt",
        "Archive/Board 2024/budget.ods",
        "Archive/Board 2024/film.mp4",
        "Archive/Board 2024/Minutes/may.odt",
        "Archive/Board 2024/Minutes/june.odt",
    }
    assert bench.verify().wrong == 0


def test_a_folder_and_one_in_it_change_places(bench: Bench) -> None:
    """And leave the folder that both stood in, which others may see."""
    there = fill(bench)
    bench.shelf.folder(there, "F3", "May", "F2")
    bench.run()
    bench.shelf.describe(there, "F2", facts=FileFacts("F3", folder=True))
    bench.shelf.describe(there, "F3", facts=FileFacts("", folder=True))
    bench.run()
    assert tree(bench).files()["May/Minutes/may.odt"] == b"we met"
    assert tree(bench).one("Board/Minutes") is None
    assert not bench.report().changed


def test_changed_content_replaces_what_we_left_there(bench: Bench) -> None:
    there = fill(bench)
    bench.run()
    number = tree(bench).one("Board/budget.ods").id  # type: ignore[union-attr]
    bench.shelf.file(there, "a", "budget.ods", b"more money", "F1")
    bench.run()
    now = tree(bench).one("Board/budget.ods")
    assert now is not None
    assert (now.id, now.body) == (number, b"more money")
    assert not bench.report().changed


def test_changed_and_renamed_at_once_is_one_file(bench: Bench) -> None:
    there = fill(bench)
    bench.run()
    bench.shelf.file(there, "a", "new name.ods", b"more money", "F2")
    bench.run()
    assert tree(bench).files()["Board/Minutes/new name.ods"] == b"more money"
    assert "Board/budget.ods" not in tree(bench).files()
    assert len(tree(bench).files()) == 4


def test_a_newer_edit_made_there_is_kept_beside_and_told(bench: Bench) -> None:
    there = fill(bench)
    bench.run()
    tree(bench).put("Board/budget.ods", b"edited here")
    bench.shelf.file(there, "a", "budget.ods", b"edited there", "F1")
    account = bench.run()
    files = tree(bench).files()
    assert files["Board/budget.ods"] == b"edited here"
    assert files["Board/budget (2).ods"] == b"edited there"
    assert any("side by side" in note for note in account.notes)
    assert not bench.report().changed


def test_a_strangers_file_is_never_replaced(bench: Bench) -> None:
    tree(bench).put("empty.txt", b"somebody's")
    tree(bench).put("Board/budget.ods", b"somebody's too")
    fill(bench)
    bench.run()
    files = tree(bench).files()
    assert files["empty.txt"] == b"somebody's"
    assert files["Board/budget.ods"] == b"somebody's too"
    assert sorted(files.values()).count(b"money") == 1
    assert len(files) == 6
    assert bench.verify().identical == 6


def test_a_strangers_file_that_comes_meanwhile_is_not_replaced_either(bench: Bench) -> None:
    fill(bench)

    class Meanwhile(TreeDestination):
        def write_many(self, parts: Any) -> Any:
            tree(bench).put("Board/budget.ods", b"just now")
            yield from super().write_many(parts)

    bench.destination = Meanwhile
    bench.run()
    files = tree(bench).files()
    assert files["Board/budget.ods"] == b"just now"
    assert list(files.values()).count(b"money") == 1


def test_a_strangers_folder_of_the_same_name_is_shared(bench: Bench) -> None:
    tree(bench).put("Board/theirs.txt", b"theirs")
    fill(bench)
    bench.run()
    assert tree(bench).files()["Board/theirs.txt"] == b"theirs"
    assert tree(bench).files()["Board/Minutes/may.odt"] == b"we met"


NFD = unicodedata.normalize("NFD", "café.txt")
AWKWARD = [
    "a/b", "same", "same", NFD, "café.txt", "x" * 300, "end. ", ".htaccess", "x.part", "CON", "😀", "new\nline", "..",
    "...", ".", " lead", "Case", "case", "a\\b", "", "‛quoted", "\x7f", "ends.",
]  # fmt: skip


def test_awkward_names_all_arrive_legal_unique_and_told(bench: Bench) -> None:
    there = drive(bench)
    for number, name in enumerate(AWKWARD):
        bench.shelf.file(there, f"id{number}", name, b"body %d" % number)
    bench.shelf.folder(there, "folder", "same")
    bench.shelf.file(there, "inside", "same", b"inside", "folder")
    account = bench.run()
    files = tree(bench).files()
    assert sorted(files.values()) == sorted([b"body %d" % n for n in range(len(AWKWARD))] + [b"inside"])
    assert account.refused_items == 0
    assert files["a／b"] == b"body 0"
    assert any(one.source.endswith("a/b") and one.destination.endswith("a／b") for one in account.renamed)
    assert not bench.report().changed


def test_folders_that_stand_in_one_another_do_not_hang(bench: Bench) -> None:
    there = drive(bench)
    bench.shelf.folder(there, "A", "a")
    bench.shelf.folder(there, "B", "b", "A")
    bench.shelf.file(there, "f", "f", b"in a cycle", "B")

    class Cyclic(MemoryFileSource):
        def items(self, collection: Any, since: Any) -> Any:
            for one in super().items(collection, since):
                if isinstance(one, Item) and one.id == "A":
                    yield replace(one, facts=FileFacts("B", folder=True))
                else:
                    yield one

    bench.source = Cyclic
    bench.run()
    assert b"in a cycle" in tree(bench).files().values()


@pytest.mark.parametrize("deleted", ["keep", "trash"])
def test_what_the_source_deletes_stays_unless_the_plan_says_otherwise(bench: Bench, deleted: Any) -> None:
    there = fill(bench)
    bench.files = FilePolicy(deleted=deleted)
    bench.run()
    bench.shelf.remove(there, "F2")
    bench.run()
    assert ("Board/Minutes/may.odt" in tree(bench).files()) is (deleted == "keep")
    assert (tree(bench).one("Board/Minutes") is not None) is (deleted == "keep")
    assert not bench.report().changed


def test_what_somebody_changed_there_is_not_deleted_with_the_source(bench: Bench) -> None:
    there = fill(bench)
    bench.files = FilePolicy(deleted="trash")
    bench.run()
    tree(bench).put("Board/Minutes/may.odt", b"edited")
    bench.shelf.remove(there, "F2")
    account = bench.run()
    assert tree(bench).files()["Board/Minutes/may.odt"] == b"edited"
    assert account.notes
    assert not bench.report().changed


def test_a_source_that_is_suddenly_empty_takes_nothing_away(bench: Bench) -> None:
    bench.files = FilePolicy(deleted="trash")
    there = bench.shelf.collection(kind=Kind.FILE, whole=True)
    for number in range(30):
        bench.shelf.file(there, f"i{number}", f"n{number}", b"%d" % number)
    bench.run()
    for number in range(25):
        bench.shelf.remove(there, f"i{number}")
    account = bench.run()
    assert account.stopped is not None
    assert account.stopped[0] == "many-gone"
    assert len(tree(bench).files()) == 30


def test_a_whole_listing_tells_what_is_gone(bench: Bench) -> None:
    bench.files = FilePolicy(deleted="trash")
    there = bench.shelf.collection(kind=Kind.FILE, whole=True)
    bench.shelf.file(there, "a", "a", b"a")
    bench.shelf.file(there, "b", "b", b"b")
    bench.run()
    bench.shelf.remove(there, "a")
    bench.run()
    assert tree(bench).files() == {"b": b"b"}
    bench.shelf.file(there, "a", "a", b"a")
    bench.run()
    assert tree(bench).files() == {"a": b"a", "b": b"b"}


def test_trashed_files_wait_until_the_plan_wants_them(bench: Bench) -> None:
    there = fill(bench)
    bench.shelf.file(there, "t", "old.txt", b"old", facts=FileFacts("F1", trashed=True))
    account = bench.run()
    assert "Board/old.txt" not in tree(bench).files()
    assert account.skipped_items == 1
    bench.files = FilePolicy(trashed="copy")
    account = bench.run()
    assert tree(bench).files()["Board/old.txt"] == b"old"
    assert account.skipped_items == 0


def test_others_files_move_with_their_owner_or_are_listed(bench: Bench) -> None:
    there = drive(bench)
    bench.people = (Person("anna@x", "anna"), Person("Bo@x", "bo", action="skip"))
    bench.shelf.file(there, "1", "annas", b"1", facts=FileFacts(owner="Anna@x"))
    bench.shelf.file(there, "2", "strangers", b"2", facts=FileFacts(owner="else@y"))
    account = bench.run()
    assert tree(bench).files() == {}
    assert {count.code: count.items for count in account.skipped} == {"moves-with-owner": 1, "policy-others": 1}
    assert (account.with_owner, account.left_out_items) == (1, 1)
    bench.files = FilePolicy(others="copy")
    bench.run()
    assert tree(bench).files() == {"strangers": b"2"}


@pytest.mark.parametrize("deleted", ["keep", "trash"])
def test_a_file_that_was_given_to_somebody_else_of_the_plan_moves_on_with_them_alone(
    bench: Bench, deleted: Any
) -> None:
    """What the first had of it is treated as what the source has no more, until they get it back."""
    there = drive(bench)
    bench.people = (Person("anna@x", "anna"), Person("bo@x", "bo", action="move"))
    bench.files = FilePolicy(deleted=deleted)
    narrow = bench.plan().narrowed(["anna@x"])
    bench.shelf.file(there, "1", "minutes", b"annas")
    liberate.migrate(narrow, workers=1)
    bench.shelf.file(there, "1", "minutes", b"bos", facts=FileFacts(owner="bo@x"))
    liberate.migrate(narrow, workers=1)
    assert tree(bench).files() == ({"minutes": b"annas"} if deleted == "keep" else {})
    assert not liberate.migrate(narrow, workers=1).changed
    bench.shelf.file(there, "1", "minutes", b"annas again")
    liberate.migrate(narrow, workers=1)
    assert tree(bench).files() == {"minutes": b"annas again"}


def test_a_star_is_kept(bench: Bench) -> None:
    there = fill(bench)
    bench.shelf.file(there, "s", "star.txt", b"*", facts=FileFacts("F1", starred=True))
    bench.shelf.describe(there, "F2", facts=FileFacts("F1", folder=True, starred=True))
    bench.run()
    for path in ("Board/star.txt", "Board/Minutes"):
        one = tree(bench).one(path)
        assert one is not None
        assert one.facts.starred, path
    bench.shelf.describe(there, "s", facts=FileFacts("F1"))
    bench.run()
    assert not tree(bench).one("Board/star.txt").facts.starred  # type: ignore[union-attr]


# Comments ----------------------------------------------------------------------------------------


def test_comments_come_along_if_the_plan_wants_them(bench: Bench) -> None:
    there = fill(bench)
    notes = {"a": [Note("Anna", WHEN, "Looks good")]}
    bench.source = lambda shelf: MemoryFileSource(shelf, notes=notes)
    bench.shelf.describe(there, "a", facts=FileFacts("F1", notes=1))
    bench.run()
    assert tree(bench).notes() == {}
    bench.files = FilePolicy(comments="copy")
    bench.run()
    assert [note.text for note in tree(bench).notes()["Board/budget.ods"]] == ["Looks good"]
    assert not bench.report().changed
