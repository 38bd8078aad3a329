"""scripts/setup makes an environment that works, once, and says what is missing where it cannot."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging_kit import ROOT

SETUP = ROOT / "scripts" / "setup"


def _setup(venv: Path, python: str = sys.executable, **more: str) -> subprocess.Popen[str]:
    # No index: whatever would have to be downloaded fails.
    env = {**os.environ, "VENV": str(venv), "PYTHON": python, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", **more}
    return subprocess.Popen([SETUP, "dev"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_set_ups_at_once_make_one_environment_from_the_packages_that_are_there(tmp_path: Path) -> None:
    venv = tmp_path / "with space" / "venv"
    runs = [_setup(venv), _setup(venv)]
    told = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert sorted("making a virtual environment" in text for text in told) == [False, True]
    where = subprocess.check_output(
        [venv / "bin" / "python", "-c", "import liberate; print(liberate.__file__)"], text=True
    )
    assert Path(where.strip()).is_relative_to(ROOT / "src")
    assert (venv / "bin" / "liberate").exists()

    again = _setup(venv)
    assert again.communicate(timeout=60) == ("", "")
    assert again.returncode == 0


def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    run = _setup(tmp_path)
    _, told = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "is no virtual environment" in told
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_python_that_is_too_old_is_refused_in_a_sentence(tmp_path: Path) -> None:
    old = tmp_path / "old-python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    run = _setup(tmp_path / "venv", python=str(old))
    _, told = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "no Python 3.11 or newer" in told


def test_a_python_without_venv_is_told_by_its_debian_package(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "ensurepip.py").write_text("raise ImportError('not here')\n")
    run = _setup(tmp_path / "venv", PYTHONPATH=str(tmp_path / "hidden"))
    _, told = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "apt-get install python3-venv" in told
    assert not (tmp_path / "venv").exists()


def test_make_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    (targets,) = re.findall(r"^\.PHONY: (.+)$", text, re.MULTILINE)
    told = subprocess.run(["make", "-s", "-C", ROOT, "help"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in told.splitlines()] == targets.split()


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="this is no Debian")
def test_debian_packages_that_are_there_are_left_alone() -> None:
    script = ROOT / "scripts" / "debian-packages"
    run = subprocess.run([script, "dpkg", "base-files"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
