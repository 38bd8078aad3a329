"""Whole jobs from a folder to a folder: what arrives, what a second run follows, and what a crash leaves."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from liberate_cli.main import cli
from liberate_local import durable
from liberate_local.connectors import FolderSettings, folder
from liberate_local.folder_destination import FolderDestination

from liberate.connector import Account, Batch, Connector, Destination, Kind
from liberate.files import FilePolicy
from liberate.moves import Plan
from liberate.report import Report
from liberate.run import migrate
from liberate.testing.crash import Trial, survives
from liberate.testing.memory import connector
from liberate.testing.memory_shelf import Shelf
from liberate.testing.memory_tree import MemoryFileSource
from liberate.testing.plans import plan

OLD = 1_500_000_000
ITEMS = 7  # that office() makes


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> str:
    result = CliRunner().invoke(cli, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == 0, result.output
    return result.output


def move() -> str:
    return run("migrate", "folder:./a", "folder:./b")


def put(path: Path, data: bytes, time: int = OLD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time, time))
    return path


def stands(root: Path) -> dict[str, tuple[bytes | None, int]]:
    """Everything below a folder: the bytes of a file, None for a folder, and the time."""
    return {
        str(path.relative_to(root)): (None if path.is_dir() else path.read_bytes(), path.stat().st_mtime_ns // 1000)
        for path in root.rglob("*")
    }


def office(root: Path) -> None:
    put(root / "letter.odt", b"Dear members")
    put(root / "empty", b"")
    put(root / "Board/minutes.txt", b"present: all")
    put(root / "Board/2024/budget.ods", b"money" * 5_000)
    (root / "Nothing in it").mkdir()
    for n, one in enumerate(("Board/2024", "Board", "Nothing in it")):
        os.utime(root / one, (OLD + n, OLD + n))


def test_a_folder_arrives_whole_with_its_times_and_a_second_run_finds_nothing_new(here: Path) -> None:
    office(here / "a")
    move()
    assert stands(here / "b") == stands(here / "a")
    before = {path: path.stat().st_ino for path in (here / "b").rglob("*")}
    assert move().startswith("Nothing new:")
    assert stands(here / "b") == stands(here / "a")
    assert {path: path.stat().st_ino for path in (here / "b").rglob("*")} == before


def test_edits_and_new_files_are_followed_and_what_was_deleted_stays_there(here: Path) -> None:
    office(here / "a")
    move()
    put(here / "a/letter.odt", b"Dear everybody", OLD + 50)
    put(here / "a/Board/2024/new.txt", b"new")
    (here / "a/empty").unlink()
    (here / "a/Board/minutes.txt").rename(here / "a/Board/Minutes of June.txt")
    move()
    found = {name: body for name, (body, _) in stands(here / "b").items() if body is not None}
    wanted = {name: body for name, (body, _) in stands(here / "a").items() if body is not None}
    # Here a name is what a file is known by: under another one it is another file.
    assert found == {**wanted, "empty": b"", "Board/minutes.txt": b"present: all"}
    for name in ("Board", "Board/2024", "letter.odt"):
        assert stands(here / "b")[name][1] == stands(here / "a")[name][1], name
    assert move().startswith("Nothing new:")


def test_what_somebody_changed_there_is_kept_beside_what_the_source_has_now(here: Path) -> None:
    office(here / "a")
    move()
    put(here / "b/letter.odt", b"their own words")
    put(here / "a/letter.odt", b"Dear everybody", OLD + 50)
    CliRunner().invoke(cli, ["migrate", "folder:./a", "folder:./b"])
    bodies = sorted(path.read_bytes() for path in (here / "b").glob("letter*"))
    assert bodies == [b"Dear everybody", b"their own words"]
    assert (here / "b/letter.odt").read_bytes() == b"their own words"


def test_everything_is_verified_as_identical_and_undo_leaves_nothing_of_it(here: Path) -> None:
    office(here / "a")
    (here / "b").mkdir()
    move()
    ends = ("folder:./a", "folder:./b")
    told = json.loads(run("verify", *ends, "--json").splitlines()[-1])
    [account] = told["report"]["accounts"]
    assert (account["verification"]["verified"], account["verification"]["identical"]) == (ITEMS, ITEMS)
    run("undo", *ends, "--yes")
    assert stands(here / "b") == {}
    move()
    assert stands(here / "b") == stands(here / "a")


def test_undo_leaves_what_is_somebody_elses(here: Path) -> None:
    office(here / "a")
    put(here / "b/theirs.txt", b"theirs")
    put(here / "b/Board/theirs.txt", b"theirs too")
    move()
    put(here / "b/letter.odt", b"their own words")
    CliRunner().invoke(cli, ["undo", "folder:./a", "folder:./b", "--yes"])
    assert {name: body for name, (body, _) in stands(here / "b").items()} == {
        "theirs.txt": b"theirs", "Board": None, "Board/theirs.txt": b"theirs too", "letter.odt": b"their own words",
    }  # fmt: skip


def test_no_name_is_lost_or_leads_elsewhere(here: Path) -> None:
    names = [
        b"..." , b".. ", b"new\nline", b"x" * 255, b"\xc3\xbc" * 127, "\u00fc".encode(), "u\u0308".encode(), b"Twin",
        b"twin", b"TWIN", b"\xff\xfe", b"\xfe\xff", b"-rf", b"%2e%2e", b"C:\\x", b" ", b"\xef\xbb\xbf", b"~", b"*?",
        b".0123456789abcdef0123456789abcdef.liberate-part",
    ]  # fmt: skip
    for above in (b"a", b"a/\xfffolder\n", "a/u\u0308".encode() + b"!" * 200):
        os.makedirs(above, exist_ok=True)
        for name in names:
            with open(os.path.join(above, name), "wb") as file:
                file.write(above + b"|" + name)
    outside = set(here.iterdir())
    move()
    assert {path for path in here.iterdir() if path.suffix != ".job"} == outside | {here / "b"}
    arrived = sorted(path.read_bytes() for path in (here / "b").rglob("*") if path.is_file())
    assert arrived == sorted(path.read_bytes() for path in (here / "a").rglob("*") if path.is_file())
    assert (here / "b/Twin").read_bytes() == b"a|Twin"
    assert (here / "b/twin").read_bytes() == b"a|twin"
    assert move().startswith("Nothing new:")
    run("undo", "folder:./a", "folder:./b", "--yes")
    assert stands(here / "b") == {}


def test_attributes_are_kept_and_followed(here: Path) -> None:
    office(here / "a")
    if not attribute(here / "a/letter.odt", b"red") or not attribute(here / "a/Board", b"blue"):
        pytest.skip("no extended attributes here")
    move()
    assert [os.getxattr(here / "b" / one, "user.colour") for one in ("letter.odt", "Board")] == [b"red", b"blue"]
    number = (here / "b/letter.odt").stat().st_ino
    attribute(here / "a/letter.odt", b"green")
    os.removexattr(here / "a/Board", "user.colour")
    move()
    assert os.getxattr(here / "b/letter.odt", "user.colour") == b"green"
    assert os.listxattr(here / "b/Board") == []
    assert (here / "b/letter.odt").stat().st_ino == number, "the bytes were sent again"
    put(here / "a/letter.odt", b"Dear everybody", OLD + 9)
    move()
    assert stands(here / "b") == stands(here / "a"), "what liberate itself changed is still its own"


def attribute(path: Path, value: bytes) -> bool:
    try:
        os.setxattr(path, "user.colour", value)
    except (OSError, AttributeError):
        return False
    return True


# Crashes -----------------------------------------------------------------------------------------

LARGE = os.urandom(1_000) * 100


def job(root: Path, ends: Connector) -> Plan:
    return plan(
        root / "job", folder, ends,
        source_settings=FolderSettings(path=str(root / "a")), destination_settings=FolderSettings(path=str(root / "b")),
        files=FilePolicy(deleted="trash"),
    )  # fmt: skip


@pytest.fixture
def in_pieces() -> Connector:
    """The folder connector, but for the size of what goes in pieces."""

    @contextmanager
    def opened(settings: FolderSettings, _account: Account) -> Iterator[Destination]:
        made = FolderDestination(Path(settings.path), piece=20_000, over=50_000)
        made.batch = Batch(items=200, bytes=40_000)
        yield made

    return replace(folder, destination=opened)


@pytest.mark.parametrize(
    ("runs", "every"),
    [(1, 5), pytest.param(1, 1, marks=pytest.mark.torture), pytest.param(2, 1, marks=pytest.mark.torture)],
)
def test_a_job_that_dies_at_any_step_is_set_right(
    tmp_path: Path, in_pieces: Connector, monkeypatch: pytest.MonkeyPatch, runs: int, every: int
) -> None:
    # No power is cut here, and waiting for the disk takes most of the time.
    monkeypatch.setattr(os, "fsync", lambda _number: None)
    monkeypatch.setattr(durable, "_syncfs", lambda _number: 0)

    def fresh(name: str) -> Trial:
        root = tmp_path / name
        office(root / "a")
        put(root / "a/Board/film", LARGE)
        os.utime(root / "a/Board", (OLD, OLD))
        the_job = job(root, in_pieces)
        if runs == 2:
            migrate(the_job, workers=1)
            put(root / "a/Board/film", LARGE[::-1], OLD + 9)
            put(root / "a/letter.odt", b"Dear everybody", OLD + 9)
            put(root / "a/New/one.txt", b"new")
            (root / "a/empty").unlink()
            shutil.rmtree(root / "a/Board/2024")
            for n, one in enumerate(("Board", "New")):
                os.utime(root / "a" / one, (OLD + n, OLD + n))

        def run_it(step: Any) -> Report:
            return migrate(the_job, workers=1, step=step)

        return Trial(run_it, lambda: stands(root / "b"))

    taken = survives(fresh, only=lambda number, _what: number % every == 0)
    assert len(taken) > 20
    assert stands(tmp_path / "clean/b") == stands(tmp_path / "clean/a")


def test_folders_of_one_name_in_several_places_are_renamed_each_by_itself(tmp_path: Path) -> None:
    shelf = Shelf()
    there = shelf.collection(kind=Kind.FILE)
    for above in ("Board", "Work"):
        shelf.folder(there, above, above)
        shelf.folder(there, f"{above} 2024", "2024", above)
        shelf.file(there, f"{above} a", "a.txt", above.encode(), f"{above} 2024")
    moving = plan(
        tmp_path / "job",
        connector("source", source=lambda _account: MemoryFileSource(shelf)),
        folder,
        destination_settings=FolderSettings(path=str(tmp_path / "b")),
    )
    migrate(moving, workers=1)
    shelf.describe(there, "Work 2024", name="2025")
    migrate(moving, workers=1)
    assert {path: data for path, (data, _) in stands(tmp_path / "b").items() if data is not None} == {
        "Board/2024/a.txt": b"Board", "Work/2025/a.txt": b"Work",
    }  # fmt: skip
