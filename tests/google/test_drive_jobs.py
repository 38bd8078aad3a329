"""Whole Drives moved by the engine: every id is accounted for, and what changes later is followed."""

from __future__ import annotations

from pathlib import Path

import pytest
from drive_kit import BO, Move
from google_kit import ANNA
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GoogleStandin, sample_organisation

import liberate
from liberate.people import Person


@pytest.fixture
def move(standin: GoogleStandin, settings: GoogleSettings, tmp_path: Path) -> Move:
    for address in (ANNA, BO):
        standin.drive.add_user(address)
    return Move(tmp_path / "job", settings, [Person(ANNA, "anna"), Person(BO, "bo", action="skip")])


def test_every_id_of_an_organisation_is_accounted_for(
    standin: GoogleStandin, settings: GoogleSettings, tmp_path: Path
) -> None:
    organisation = sample_organisation(standin, files=140, size=3_000_000)
    shared = settings.model_copy(update={"shared_drives_as": organisation.people[0]})
    people = [Person(address, address.partition("@")[0]) for address in organisation.people]
    people.append(Person(organisation.shared_drive, "team", kind="shared"))
    move = Move(tmp_path / "job", shared, people)
    report = move.run()
    store = standin.drive
    owned = {person.source: 0 for person in people}
    roots = {*store.roots.values(), *store.drives}
    for file in store.files.values():
        if file.id not in roots:
            owned[file.owner or file.drive] += 1
    for account in report.accounts:
        assert account.state == "done", account
        assert account.refused_items == 0, account.refusals
        codes = {count.code: count.items for count in account.skipped}
        others = codes.pop("moves-with-owner", 0) + codes.pop("policy-others", 0)
        assert account.moved + sum(codes.values()) == owned[account.source], account.source
        assert others >= 0
    files = move.tree(people[0].destination).files()
    assert any(path.endswith("same name (2)") or "same name (2)" in path for path in files)
    again = move.run()
    assert not again.changed
    checked = liberate.verify(move.plan())
    assert all(account.wrong == 0 and account.verified for account in checked.accounts)


def test_a_rename_is_a_move_and_an_edit_a_replacement(standin: GoogleStandin, move: Move) -> None:
    store = standin.drive
    board = store.add_folder(ANNA, "Board")
    minutes = store.add_folder(ANNA, "Minutes", parent=board)
    may = store.add_file(ANNA, "may.txt", b"we met", parent=minutes)
    june = store.add_file(ANNA, "june.txt", b"we meet", parent=minutes)
    document = store.add_document(ANNA, "Statutes", text="1. Name", parent=board)
    move.run()
    tree = move.tree("anna")
    assert set(tree.files()) == {"Board/Minutes/may.txt", "Board/Minutes/june.txt", "Board/Statutes.odt"}
    number = tree.one("Board/Minutes/may.txt").id  # type: ignore[union-attr]
    store.rename(board, "Board 2026")
    store.move(may, board)
    store.change(june, b"we met again")
    store.edit(document, "1. New name")
    store.rename(document, "Rules")
    new = store.add_file(ANNA, "july.txt", b"holidays", parent=minutes)
    move.run()
    files = tree.files()
    assert set(files) == {
        "Board 2026/may.txt",
        "Board 2026/Minutes/june.txt",
        "Board 2026/Minutes/july.txt",
        "Board 2026/Rules.odt",
    }
    assert files["Board 2026/Minutes/june.txt"] == b"we met again"
    assert tree.one("Board 2026/may.txt").id == number  # type: ignore[union-attr]
    store.trash(new)
    store.delete(may)
    move.policy = type(move.policy)(deleted="trash")
    move.run()
    assert set(tree.files()) == {"Board 2026/Minutes/june.txt", "Board 2026/Rules.odt"}
    assert not move.run().changed


def test_what_goes_into_the_trash_between_two_runs_comes_along_where_the_route_wants_the_trash(
    standin: GoogleStandin, move: Move
) -> None:
    store = standin.drive
    move.policy = type(move.policy)(trashed="copy", deleted="trash")
    old, gone = store.add_file(ANNA, "old", b"old"), store.add_file(ANNA, "gone", b"gone")
    move.run()
    store.trash(old)
    store.trash(store.add_file(ANNA, "new", b"new"))
    store.delete(gone)
    move.run()
    assert move.tree("anna").files() == {"old": b"old", "new": b"new"}


def test_changes_that_google_has_forgotten_are_found_by_listing_everything(standin: GoogleStandin, move: Move) -> None:
    store = standin.drive
    keep, gone = store.add_file(ANNA, "keep", b"keep"), store.add_file(ANNA, "gone", b"gone")
    move.run()
    store.rename(keep, "kept")
    store.delete(gone)
    store.forget_changes()
    move.policy = type(move.policy)(deleted="trash")
    move.run()
    assert move.tree("anna").files() == {"kept": b"keep"}


def test_a_file_in_anothers_folder_moves_with_its_owner(
    standin: GoogleStandin, settings: GoogleSettings, tmp_path: Path
) -> None:
    store = standin.drive
    store.add_user(ANNA)
    store.add_user(BO)
    common = store.add_folder(ANNA, "Common")
    store.share(common, BO, "writer")
    store.add_file(BO, "from bo", b"bo's", parent=common)
    move = Move(tmp_path / "job", settings, [Person(ANNA, "anna"), Person(BO, "bo")])
    report = move.run()
    assert move.tree("bo").files() == {"from bo": b"bo's"}
    assert move.tree("anna").files() == {}
    anna = report.accounts[0]
    assert {count.code for count in anna.skipped} == {"moves-with-owner"}
