"""Earlier versions: what the source tells of them, how it reads them, and a whole job that brings them along."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graph_schema import checker
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Blob, Drive, Fault, GraphStandin, Node
from microsoft_kit import ANNA, by_name, calls, listing, made_settings, opened

from liberate.connector import Account, Connector, Destination, HasVersions, Kind
from liberate.errors import ItemError, TransientError
from liberate.files import FilePolicy
from liberate.people import Person
from liberate.report import Report
from liberate.run import migrate
from liberate.testing.clock import Clock
from liberate.testing.memory import NoSettings
from liberate.testing.memory_files import Tree
from liberate.testing.memory_store import Store
from liberate.testing.memory_tree import TreeDestination
from liberate.testing.plans import plan

BODIES = [f"the minutes, draft {n}\n".encode() * n for n in range(1, 9)]


@pytest.fixture
def minutes(drive: Drive) -> Node:
    """A file that was seven other things before, each a day after the other."""
    days = [datetime(2021, 5, n, 8, tzinfo=UTC) for n in range(1, 9)]
    node = drive.add_file("minutes.docx", BODIES[-1], client_modified=days[-1])
    node.earlier = [(day, Blob.of(body)) for day, body in zip(days, BODIES, strict=True)][:-1]
    return node


def test_versions_are_told_oldest_first_without_the_present_one(
    settings: MicrosoftSettings, standin: GraphStandin, minutes: Node
) -> None:
    with opened(settings) as source:
        assert isinstance(source, HasVersions)
        item = by_name(listing(source))["minutes.docx"]
        found = source.versions(item)
        assert [one.modified for one in found] == [at for at, _ in minutes.earlier]
        assert [b"".join(source.read(one)) for one in found] == BODIES[:-1]
        assert len({item.id, *(one.id for one in found)}) == len(BODIES)
    assert calls(standin, "versions") == 2, "a page has five"
    assert calls(standin, "content") == 0, "the present one is read as the file itself"


def test_a_version_that_sharepoint_counts_wrongly_is_read_whole_and_from_anywhere(
    settings: MicrosoftSettings, minutes: Node
) -> None:
    minutes.told_size = minutes.blob.size + 4_711
    with opened(settings) as source:
        latest = source.versions(by_name(listing(source))["minutes.docx"])[-1]
        assert (latest.size, latest.digests) == (None, {})
        assert b"".join(source.read(latest)) == BODIES[-2]
        assert b"".join(source.read(latest, 30)) == BODIES[-2][30:]


def test_a_version_that_is_cut_on_its_way_is_noticed(
    settings: MicrosoftSettings, standin: GraphStandin, minutes: Node
) -> None:
    with opened(settings) as source:
        latest = source.versions(by_name(listing(source))["minutes.docx"])[-1]
        standin.faults.add(Fault(method="download", breaks="truncate", after=20))
        with pytest.raises(TransientError):
            list(source.read(latest))
        assert b"".join(source.read(latest)) == BODIES[-2]


def test_a_file_that_was_never_changed_has_no_versions_and_one_that_is_gone_is_told(
    settings: MicrosoftSettings, drive: Drive
) -> None:
    node = drive.add_file("a.txt", b"1")
    with opened(settings) as source:
        item = by_name(listing(source))["a.txt"]
        assert list(source.versions(item)) == []
        drive.delete(node)
        with pytest.raises(ItemError) as told:
            source.versions(item)
    assert told.value.code == "gone"


def test_the_present_version_gives_no_content_of_its_own(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive, minutes: Node
) -> None:
    with opened(settings) as source:
        item = by_name(listing(source))["minutes.docx"]
        present = source.versions(item)[0].id.replace("1.0", f"{len(BODIES)}.0")
        with pytest.raises(ItemError):
            list(source.read(type(item)(present, Kind.FILE, "", "minutes.docx")))
    assert calls(standin, "version-content") == 1


# Whole jobs --------------------------------------------------------------------------------------


class Remembering(TreeDestination):
    """Keeps what each file was, as servers do; the same bytes once more are no other version."""

    def __init__(self, store: Store, history: dict[str, list[bytes]]) -> None:
        super().__init__(store)
        self._history = history

    def _put(self, slot: Any, data: bytes, *more: Any) -> Any:
        made = super()._put(slot, data, *more)
        kept = self._history.setdefault(slot.name, [])
        if kept[-1:] != [data]:
            kept.append(data)
        return made


class Move:
    """Anna's drive into a tree in memory that remembers."""

    def __init__(self, standin: GraphStandin, folder: Path, versions: int) -> None:
        self.store = Store()
        self.history: dict[str, list[bytes]] = {}
        self._plan = plan(
            folder / "job",
            microsoft,
            self._cloud(),
            source_settings=made_settings(standin, folder),
            people=[Person(ANNA, "anna")],
            kinds={Kind.FILE},
            files=FilePolicy(versions=versions),
        )

    def _cloud(self) -> Connector:
        @contextmanager
        def opened(_settings: NoSettings, _account: Account) -> Iterator[Destination]:
            yield Remembering(self.store, self.history)

        return Connector("cloud", "A tree in memory", frozenset({Kind.FILE}), NoSettings, destination=opened)

    def run(self) -> Report:
        return migrate(self._plan, patience=5.0)

    def files(self) -> dict[str, bytes]:
        return Tree(self.store).files()


def test_a_job_brings_the_latest_versions_along_and_later_ones_once(
    standin: GraphStandin, drive: Drive, minutes: Node, tmp_path: Path
) -> None:
    drive.add_file("new.txt", b"never changed")
    move = Move(standin, tmp_path, versions=3)
    report = move.run()
    assert [(one.state, one.moved, one.refused) for one in report.accounts] == [("done", 2, ())]
    assert move.files() == {"minutes.docx": BODIES[-1], "new.txt": b"never changed"}
    assert move.history == {"minutes.docx": BODIES[-4:], "new.txt": [b"never changed"]}
    assert not move.run().changed
    drive.write(minutes, b"as they were approved")
    move.run()
    assert move.history["minutes.docx"] == [*BODIES[-4:], b"as they were approved"]
    assert move.files()["minutes.docx"] == b"as they were approved"


def test_a_job_that_is_not_asked_for_versions_does_not_ask_for_them(
    standin: GraphStandin, minutes: Node, tmp_path: Path
) -> None:
    move = Move(standin, tmp_path, versions=0)
    move.run()
    assert move.history == {"minutes.docx": [BODIES[-1]]}
    assert calls(standin, "versions") == 0


def test_a_version_that_is_not_handed_over_keeps_nothing_else_back(
    standin: GraphStandin, minutes: Node, tmp_path: Path
) -> None:
    standin.faults.add(Fault(method="version-content", skip=1, status=404, code="itemNotFound"))
    move = Move(standin, tmp_path, versions=3)
    report = move.run()
    assert report.accounts[0].state == "done"
    assert move.history == {"minutes.docx": [BODIES[-4], BODIES[-2], BODIES[-1]]}


def test_an_edit_between_listing_and_reading_leaves_the_newest_bytes(tmp_path: Path) -> None:
    clock = Clock()
    with GraphStandin(clock, check=checker()) as standin:
        drive = standin.add_person(ANNA)
        node = drive.add_file("a.txt", b"first")

        def edit() -> None:
            clock.now += 60
            drive.write(node, b"second")

        standin.faults.add(Fault(method="versions", does=edit))
        move = Move(standin, tmp_path, versions=3)
        assert move.run().accounts[0].state == "done"
        assert move.files() == {"a.txt": b"second"}
        assert move.history["a.txt"][-1] == b"second"
        assert not standin.unfit
