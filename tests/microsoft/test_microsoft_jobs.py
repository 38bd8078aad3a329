"""Whole jobs from the stand-in to a tree in memory: what arrives, and what later runs follow."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from graph_schema import checker
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.standin import Drive, Fault, GraphStandin, sample_organisation
from liberate_microsoft.standin.sample import Sample
from microsoft_kit import made_settings, paths

from liberate.connector import Account, Connector, Destination, Kind
from liberate.files import FilePolicy
from liberate.people import Person
from liberate.report import AccountReport, Report
from liberate.run import migrate
from liberate.testing.memory import NoSettings
from liberate.testing.memory_files import Tree
from liberate.testing.memory_store import Store
from liberate.testing.memory_tree import TreeDestination
from liberate.testing.plans import plan

LIBRARY = "board"
WHOLE = "shared-as-a-whole"


class Cloud:
    """A tree in memory for each account."""

    def __init__(self) -> None:
        self.stores: dict[str, Store] = {}

    def connector(self) -> Connector:
        @contextmanager
        def opened(_settings: NoSettings, account: Account) -> Iterator[Destination]:
            yield TreeDestination(self.stores.setdefault(account.name, Store()))

        return Connector("cloud", "Trees in memory", frozenset({Kind.FILE}), NoSettings, destination=opened)

    def tree(self, account: str) -> Tree:
        return Tree(self.stores[account])


class Office:
    """A sample organisation, and the job that moves it."""

    def __init__(self, standin: GraphStandin, folder: Path) -> None:
        self.standin = standin
        self.sample: Sample = sample_organisation(standin, files=160, total=30 << 20)
        self.cloud = Cloud()
        self._plan = plan(
            folder / "job",
            microsoft,
            self.cloud.connector(),
            source_settings=made_settings(standin, folder),
            people=[
                *(Person(one, one.partition("@")[0]) for one in self.sample.addresses),
                Person(self.sample.library, LIBRARY, kind="shared"),
            ],
            kinds={Kind.FILE},
            files=FilePolicy(deleted="trash"),
        )

    def run(self) -> Report:
        return migrate(self._plan, workers=2, patience=5.0)

    def drives(self) -> dict[str, Drive]:
        """The drives that have accounts, by the account they go to."""
        out = {d.owner.partition("@")[0]: d for d in self.standin.drives.values() if d.owner}
        (library,) = self.standin.sites["sites/styrelsen"].libraries
        return {**out, LIBRARY: library}

    def contents(self) -> dict[str, dict[str, tuple[object, ...]]]:
        return {account: self.cloud.tree(account).contents() for account in self.cloud.stores}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with GraphStandin(check=checker(), page=50) as standin:
        yield Office(standin, tmp_path)
        assert standin.unfit == []


def all_accounted_for(account: AccountReport, drive: Drive) -> None:
    """Every id that the drive holds, or that it never could hand over, is in the report's sums.

    A library's outermost folder is too: it stands for its site's members.
    """
    library = not drive.owner
    there = [one for one in drive.nodes.values() if not one.deleted and (one.parent or library)]
    odd = sum(bool(one.facets) for one in there) + library
    left_out = sum(count.items for count in account.skipped)
    assert (account.state, account.waiting, account.refused) == ("done", 0, ())
    assert (account.listed, account.moved, left_out) == (len(there), len(there) - odd, odd)


def arrived(office: Office) -> None:
    """Each file stands at the destination with its bytes, under its name wherever the name is legal there."""
    for account, drive in office.drives().items():
        wanted, found = paths(drive), office.cloud.tree(account).tree()
        assert sorted(b or b"" for b in found.values()) == sorted(b or b"" for b in wanted.values()), account
        assert sum(body is None for body in found.values()) == sum(body is None for body in wanted.values())
        plain = {path for path in wanted if path.isascii() and not set(path) & set(':*?"<>|\\')}
        for path in plain:
            assert found[path] == wanted[path], path
        long_or_twin = [
            path for path in wanted.keys() - found.keys()
            if len(path.encode()) < 200 and unicodedata.is_normalized("NFC", path)
        ]  # fmt: skip
        assert len(long_or_twin) <= 1, long_or_twin


def test_an_organisation_moves_whole_and_a_second_run_finds_nothing_new(office: Office) -> None:
    report = office.run()
    drives = office.drives()
    assert len(report.accounts) == 7
    for account in report.accounts:
        all_accounted_for(account, drives[account.destination])
    assert sum(account.bytes for account in report.accounts) == office.sample.bytes
    arrived(office)
    before = office.contents()
    office.standin.requests.clear()
    again = office.run()
    assert not again.changed
    assert office.contents() == before
    assert not any(call.method in ("content", "download") for call in office.standin.requests)


def test_the_report_says_who_may_see_a_library_as_a_whole_and_what_to_do_about_it(office: Office) -> None:
    report = office.run()
    said = {one.destination: count for one in report.accounts for count in one.skipped if count.code == WHOLE}
    assert set(said) == {LIBRARY}
    assert said[LIBRARY].items == 1
    for group in ("Styrelsen Owners", "Styrelsen Members", "Styrelsen Visitors"):
        assert group in said[LIBRARY].why
    assert "by hand" in said[LIBRARY].todo


def test_edits_renames_moves_and_deletions_are_followed(office: Office) -> None:
    office.run()
    for drive in office.drives().values():
        some = [one for one in drive.files() if one.name.isascii() and not one.name.startswith((".", "%"))]
        folder = next(one for one in drive.nodes.values() if one.folder and one.parent == drive.root.id)
        edited, renamed, moved, deleted = some[:4]
        drive.write(edited, b"other words\n")
        drive.move(renamed, name=f"renamed {renamed.name}")
        drive.move(moved, folder, f"moved {moved.name}")
        drive.delete(deleted)
        new = drive.add_folder("New folder", folder)
        drive.add_file("new.txt", b"new here\n", new)
        drive.move(folder, name="Renamed with all that is in it")
    office.standin.requests.clear()
    report = office.run()
    assert report.changed
    assert sum(call.method == "download" for call in office.standin.requests) == 2 * len(office.drives())
    assert all(account.state == "done" for account in report.accounts)
    arrived(office)
    assert not office.run().changed


def test_a_delta_that_expired_is_followed_by_a_whole_listing_that_tells_what_is_gone(office: Office) -> None:
    office.run()
    drive = office.drives()["anna"]
    victim = next(one for one in drive.files() if one.name.isascii())
    drive.delete(victim)
    drive.expire_tokens()
    office.standin.requests.clear()
    report = office.run()
    assert all(account.state == "done" for account in report.accounts)
    arrived(office)
    assert not any(call.method == "download" for call in office.standin.requests)


def test_a_stormy_line_changes_nothing_of_what_arrives(office: Office) -> None:
    faults = [
        Fault(method="delta", skip=1, breaks="reset", times=2),
        Fault(method="download", skip=2, breaks="reset", times=3),
        Fault(method="download", skip=5, breaks="truncate", after=2, times=2),
        Fault(method="download", skip=9, breaks="flip", after=0, times=2),
        Fault(method="content", skip=11, status=503, retry_after="0", times=2),
        Fault(method="permissions", skip=1, status=429, retry_after="0", times=1),
        Fault(method="delta", skip=3, breaks="html"),
        Fault(method="delta", skip=6, breaks="bad-json"),
    ]
    for fault in faults:
        office.standin.faults.add(fault)
    report = office.run()
    assert all(account.state == "done" for account in report.accounts)
    assert all(fault.hits for fault in faults)
    arrived(office)
    office.standin.faults.clear()
    assert not office.run().changed
