from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from liberate_cli.failures import exit_code
from liberate_cli.main import COMMANDS, EXIT_CODES, FAULT, cli

from liberate.report import Exit

HEAVY = {"sqlalchemy", "pydantic", "rich", "tenacity", "imapclient", "googleapiclient", "liberate.ledger"}

LOADED = """
import json, sys
sys.argv = ["liberate", *{arguments!r}]
from liberate_cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(arguments=arguments)], capture_output=True, text=True, check=True
    )
    assert done.stdout
    assert HEAVY & set(json.loads(done.stderr)) == set()


@pytest.mark.parametrize("kind", ["maildir", "folder"])
def test_a_move_of_mail_or_files_loads_nothing_of_calendars_and_chat(kind: str, tmp_path: Path) -> None:
    (tmp_path / "here" / "new").mkdir(parents=True)
    (tmp_path / "here" / "cur").mkdir()
    (tmp_path / "here" / "new" / "1").write_bytes(b"Subject: seed\n\nThe order is in.\n")
    arguments = ["migrate", f"{kind}:{tmp_path}/here", f"{kind}:{tmp_path}/there", "--job", str(tmp_path / "job")]
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(arguments=arguments)], capture_output=True, text=True, check=True
    )
    assert len([one for one in (tmp_path / "there").rglob("*") if one.is_file()]) == 1
    others = {"icalendar", "liberate.chat_job", "liberate.object_job", "liberate_local.chat_archive"}
    assert others & set(json.loads(done.stderr.splitlines()[-1])) == set()


def test_importing_the_library_loads_nothing_heavy() -> None:
    code = "import json, sys, liberate; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert HEAVY & set(json.loads(done.stdout)) == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_says_what_it_does(name: str) -> None:
    command = import_module(f"liberate_cli.{name}").command
    assert command.name == name
    assert command.help
    assert all(parameter.help for parameter in command.params if isinstance(parameter, click.Option))
    assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0


def test_every_exit_code_is_documented_where_people_look() -> None:
    documented = {
        int(line.split()[0]) for line in EXIT_CODES.splitlines() if line.split()[:1] and line.split()[0].isdigit()
    }
    assert documented == {int(code) for code in Exit} | {FAULT}
    assert "Exit codes:" in CliRunner().invoke(cli, ["migrate", "--help"]).output


def test_an_error_that_nobody_foresaw_is_a_fault() -> None:
    assert exit_code(ValueError("x")) == FAULT
