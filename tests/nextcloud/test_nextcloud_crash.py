"""A job into a Nextcloud that dies at any of its steps is set right by the next run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from liberate_nextcloud.connectors import nextcloud
from liberate_nextcloud.destination import NextcloudDestination
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin
from liberate_nextcloud.standin.faults import Fault
from nextcloud_kit import APP_SECRET, CHUNK, MODIFIED, Somebody
from pydantic import SecretStr

import liberate
from liberate.connector import Account, Destination, Item, Kind
from liberate.files import FilePolicy
from liberate.report import Report
from liberate.testing.crash import Crash, Step, Trial, survives
from liberate.testing.memory import connector
from liberate.testing.memory_shelf import Shelf
from liberate.testing.memory_tree import MemoryFileSource
from liberate.testing.plans import plan

WAS = bytes(range(90))  # what files were before begins like this


def shelf(large: int) -> Shelf:
    """Folders in folders, names that are equal, an empty file, and one that goes in pieces."""
    made = Shelf()
    there = made.collection("Drive", kind=Kind.FILE)
    made.folder(there, "F1", "Plans", modified=MODIFIED)
    made.folder(there, "F2", "Old", "F1", modified=MODIFIED)
    made.file(there, "a", "a.txt", b"one", "F1", modified=MODIFIED)
    made.file(there, "b", "a.txt", b"two", "F1", modified=MODIFIED)
    made.file(there, "c", "empty", b"", "F2", modified=MODIFIED)
    made.file(there, "d", ".htaccess", b"no name for a server", modified=MODIFIED)
    if large:
        made.file(there, "e", "big.bin", bytes(range(256)) * (large // 256), "F2", modified=MODIFIED)
    return made


class Historic(MemoryFileSource):
    """Each file was something else before, twice: shorter and longer than it is now."""

    def versions(self, item: Item) -> list[Item]:
        return [
            replace(
                item,
                id=f"{item.id}@{size}",
                version=f"{size}",
                size=size,
                modified=MODIFIED.replace(year=MODIFIED.year - age),
                digests={},
            )
            for size, age in ((9, 2), (90, 1))
        ]

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        size = item.id.partition("@")[2]
        yield from iter([WAS[: int(size)]]) if size else super().read(item, offset)


def trial(
    folder: Path, standin: NextcloudStandin, name: str, large: int, source: type[MemoryFileSource] = MemoryFileSource
) -> Trial:
    """The job into a new account, with nothing done yet."""
    user = f"u{name}-{large}"
    standin.add_user(user, "not used")
    holds = shelf(large)

    def run(step: Step) -> Report:
        def opened(wanted: NextcloudSettings, account: Account) -> AbstractContextManager[Destination]:
            return NextcloudDestination(wanted, account, step=step)

        made = plan(
            folder / name,
            connector("source", source=lambda _account: source(holds)),
            replace(nextcloud, destination=opened),
            destination_settings=NextcloudSettings(
                url=standin.url, appapi_secret=SecretStr(APP_SECRET), connections=1, chunk_size=CHUNK, batch_items=2
            ),
            people=[("", user)],
            files=FilePolicy(versions=5),
        )
        return liberate.migrate(made, step=step, workers=1, patience=5)

    def contents() -> dict[str, Any]:
        return {
            path: None if node.folder else (standin.read(user, path), int(node.mtime), standin.versions(node))
            for path, node in standin.tree(user).items()
        }

    return Trial(run, contents)


@pytest.mark.parametrize(
    ("large", "every"),
    [
        (0, 11),
        (11 << 20, 21),
        pytest.param(0, 1, marks=pytest.mark.torture),
        pytest.param(11 << 20, 2, marks=[pytest.mark.torture, pytest.mark.timeout(1_800)]),
    ],
)
def test_a_job_that_dies_at_any_step_is_set_right_by_the_next_run(
    tmp_path: Path, standin: NextcloudStandin, large: int, every: int
) -> None:
    taken = survives(
        lambda name: trial(tmp_path / "jobs", standin, name, large), only=lambda number, _what: number % every == 0
    )
    assert {"before POST", "after POST", "after MKCOL"} <= set(taken)
    assert ("after MOVE" in taken) == bool(large)


@pytest.mark.parametrize("every", [23, pytest.param(1, marks=[pytest.mark.torture, pytest.mark.timeout(1_800)])])
def test_a_job_that_dies_while_it_brings_what_files_were_leaves_none_cut_off_and_none_twice(
    tmp_path: Path, standin: NextcloudStandin, every: int
) -> None:
    taken = survives(
        lambda name: trial(tmp_path / "jobs", standin, name, 0, Historic),
        only=lambda number, what: what == "amid PUT" or number % every == 0,
    )
    assert "amid PUT" in taken


@pytest.mark.parametrize("large", [0, 11 << 20], ids=["by PUT", "in pieces"])
def test_what_somebody_wrote_with_our_time_and_size_is_not_replaced(
    tmp_path: Path, standin: NextcloudStandin, owner: Somebody, large: int
) -> None:
    """A Nextcloud on a local disk keeps the ETag of a file whose time stays, so only the bytes tell."""
    made = Shelf()
    there = made.collection(kind=Kind.FILE)
    ours, hers, later = (bytes([letter]) * (large or 3) for letter in b"ohl")
    made.file(there, "a", "a.txt", ours, modified=MODIFIED)
    moving = plan(
        tmp_path / "job",
        connector("source", source=lambda _account: MemoryFileSource(made)),
        nextcloud,
        destination_settings=NextcloudSettings(url=standin.url, appapi_secret=SecretStr(APP_SECRET), chunk_size=CHUNK),
        people=[("", "anna")],
    )
    liberate.migrate(moving, workers=1)
    before = standin.tree("anna")["/a.txt"].etag
    assert owner.ask("PUT", "a.txt", hers, **{"X-OC-Mtime": f"{MODIFIED.timestamp():.0f}"}).status_code == 204
    assert standin.tree("anna")["/a.txt"].etag == before, "the stand-in is as blind as the server"
    made.file(there, "a", "a.txt", later, modified=MODIFIED)
    liberate.migrate(moving, workers=1)
    assert {path: standin.read("anna", path) for path in standin.tree("anna")} == {"/a.txt": hers, "/a (2).txt": later}


@pytest.mark.parametrize("dies", [False, True], ids=["in one run", "in two runs"])
def test_a_piece_that_changed_on_its_way_is_found_out_and_all_are_sent_again(
    tmp_path: Path, standin: NextcloudStandin, dies: bool
) -> None:
    altered = trial(tmp_path / "jobs", standin, "p", 11 << 20)
    whole = trial(tmp_path / "jobs", standin, "w", 11 << 20)
    whole.run(lambda _what: None)
    standin.faults.add(Fault(flip="transit", method="PUT", path="/dav/uploads/.*/00001$"))
    seen = []

    def step(what: str) -> None:
        seen.append(what)
        if dies and what == "after piece" and seen.count(what) == 2:
            raise Crash

    if dies:
        with pytest.raises(Crash):
            altered.run(step)
    report = altered.run(step)
    assert altered.contents() == whole.contents()
    assert not any(account.refusals for account in report.accounts)
    assert seen.count("before DELETE") >= 1, "what the altered piece became was taken away again"
