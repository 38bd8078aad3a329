from __future__ import annotations

import mailbox
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from liberate.sandbox import sandboxes

SANDBOXES = {sandbox.name: sandbox for sandbox in sandboxes()}


def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from liberate_cli.main import main; main()", "demo", "--directory", "here"],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def letters(folder: Path) -> dict[str, int]:
    """How many messages stand in each account's Maildirs."""
    found = {}
    for root in sorted((folder / "here/mail").glob("*/*")):
        box = mailbox.Maildir(root, create=False)
        below = sum(len(box.get_folder(name)) for name in box.list_folders())
        found[f"{root.parent.name}/{root.name}"] = len(box) + below
        box.close()
    return found


@pytest.mark.skipif("gmail" not in SANDBOXES, reason="the sample source is not installed")
def test_the_demo_moves_a_sample_co_op_and_a_second_run_adds_nothing(tmp_path: Path) -> None:
    first = demo(tmp_path)
    assert first.returncode == 0, first.stderr
    assert re.findall(r"^[\d,]+ of [\d,]+ items of (\d+) account", first.stdout, re.MULTILINE) == [
        "6",
        "6",
        "6",
        "7",
        "1",
        "1",
        "1",
    ]
    assert first.stdout.count("Nothing is left to do.") == 7
    assert first.stdout.count("were read back from the destination") == 3
    assert first.stdout.count("were looked at again at the destination") == 4
    there = letters(tmp_path)
    assert len(there) == 14
    assert all(count > 20 for count in there.values())
    assert len(list((tmp_path / "here").glob("*/report.html"))) == 7
    files = [path for path in (tmp_path / "here/files/drive").rglob("*") if path.is_file()]
    assert len(files) > 100
    assert len(list((tmp_path / "here/chat").glob("*/index.html"))) == 2
    second = demo(tmp_path)
    assert second.returncode == 0, second.stderr
    assert second.stdout.count("Nothing new: ") == 7
    assert letters(tmp_path) == there
