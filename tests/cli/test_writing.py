"""What the command writes for people to go on with: plans, tables, the reference."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from click.testing import CliRunner
from liberate_cli.describe import described
from liberate_cli.main import cli

from liberate import registry
from liberate.connector import Connector, Kind
from liberate.errors import PlanError
from liberate.plan import load_plan

CONNECTORS = [c for c in registry.connectors() if c.name != "box"]
PAIRS = [
    (source.name, destination.name)
    for source, destination in product(CONNECTORS, CONNECTORS)
    if source.source and destination.destination and source.kinds & destination.kinds
]


@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_what_init_writes_loads_as_it_is(source: str, destination: str, folder: Path) -> None:
    result = CliRunner().invoke(cli, ["init", "--from", source, "--to", destination, "--directory", "mine"])
    assert result.exit_code == 0, result.output
    plan = load_plan(folder / "mine/liberate.toml")
    [route] = plan.routes
    assert len(list(plan.moves())) == (1 if route.kinds == {Kind.CHAT} else 2), "a workspace moves as one"
    assert (route.source.connector.name, route.destination.connector.name) == (source, destination)


@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_every_line_that_init_comments_out_may_stand_in_a_plan(source: str, destination: str, folder: Path) -> None:
    """Each alone: together they may contradict one another."""
    CliRunner().invoke(cli, ["init", "--from", source, "--to", destination])
    path = folder / "liberate.toml"
    text = path.read_text()
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if " = " not in line or not line.startswith("# ") or not line[2:].split(" = ")[0].isidentifier():
            continue
        path.write_text("\n".join([*lines[:number], line[2:], *lines[number + 1 :]]))
        told = ""
        try:
            load_plan(path)
        except PlanError as error:
            told = str(error)
        assert "There is no such setting" not in told, (line, told)
        assert "This is not TOML" not in told, (line, told)


def test_init_overwrites_nothing(folder: Path) -> None:
    (folder / "people.csv").write_text("mine")
    result = CliRunner().invoke(cli, ["init"])
    assert result.exit_code == 2
    assert "people.csv is there already and stays as it is." in result.stderr
    assert [p.name for p in folder.iterdir()] == ["people.csv"]


def test_connectors_tell_their_settings_with_a_meaning() -> None:
    listed = json.loads(CliRunner().invoke(cli, ["connectors", "--json"]).stdout)
    assert [one["name"] for one in listed] == list(registry.names())
    for one in listed:
        assert one["reads"] or one["writes"]
        assert all(setting["about"] for setting in one["settings"]), one["name"]
    assert (
        CliRunner().invoke(cli, ["connectors"]).stdout.startswith("box: boxes of letters\n  source and destination of")
    )


def test_a_connector_with_a_missing_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> Connector:
        raise PlanError("Run: pip install 'something'")

    monkeypatch.setattr(registry, "connector", missing)
    assert described("box").missing == "Run: pip install 'something'"


def test_the_reference_says_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "liberate_cli.reference", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
