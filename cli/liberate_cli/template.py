"""A plan and a people table to fill in, made from what the connectors say of their settings."""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from liberate import registry
from liberate.connector import Connector
from liberate.errors import PlanError
from liberate.moves import Connection
from liberate.plan import ConnectionTable, JobTable, PeopleTable, RouteTable
from liberate.problems import Problems
from liberate.settings_problems import validated
from liberate_cli.describe import Setting, settings_of, toml_value

_EXAMPLES: dict[str, Any] = {
    "ca_file": "ca.pem",
    "folder": "state",
    "host": "mail.example.coop",
    "kinds": ["mail"],
    "ledger": "postgresql://host/database",
    "master_user": "migrator",
    "phases": ["pilot"],
    "url": "https://cloud.example.coop",
}


def plan_text(source: str, destination: str) -> str:
    """A whole liberate.toml from one connector to another: it loads as it is. Raises PlanError."""
    first, second = _both(source, destination)
    old, new = _names(source, destination)
    lines = [
        "# What goes where. A line that begins with # does not count: remove the mark to use it.",
        "# Passwords do not stand here: they are named as",
        '#   { env = "NAME" }, an environment variable; { file = "PATH" }, a file that only you can read;',
        '#   or { command = "pass show mail/migrator" }, whose first line of output is taken.',
        "",
        "[job]",
        *_settings(list(settings_of(JobTable)), {"name": "our-move"}, ""),
        *_connection(old, first),
        *_connection(new, second),
        "[[routes]]",
        *_settings(list(settings_of(RouteTable)), {"from": old, "to": new}, ""),
        "[people]",
        *_settings(list(settings_of(PeopleTable)), {"table": "people.csv"}, ""),
    ]
    return "\n".join(lines).rstrip() + "\n"


def people_text(source: str, destination: str) -> str:
    """A people.csv for that plan, with two rows to be replaced."""
    sides = [
        f"{side}_password_env"
        for side, connector in zip(("source", "destination"), _both(source, destination), strict=True)
        if Connection("", connector, _minimal(connector)[1]).logs_each_in
    ]
    lines = [
        "# Who becomes whom: one line for each account. Lines that begin with # do not count.",
        "# More columns: kind, phase, action (move or skip), reason, source_password_env, destination_password_env,",
        "# source_password_file, destination_password_file. Passwords themselves never stand here.",
        ",".join(["source", "destination", *sides]),
    ]
    for name in ("anna", "bo"):
        secrets = [f"{name}_{side.split('_')[0]}_password".upper() for side in sides]
        lines.append(",".join([f"{name}@old.example", f"{name}@example.coop", *secrets]))
    return "\n".join(lines) + "\n"


def _both(source: str, destination: str) -> tuple[Connector, Connector]:
    first, second = registry.connector(source), registry.connector(destination)
    if first.source is None:
        raise PlanError(f'The connector "{source}" cannot be read from.')
    if second.destination is None:
        raise PlanError(f'The connector "{destination}" cannot be written to.')
    if not first.kinds & second.kinds:
        raise PlanError(f'The connectors "{source}" and "{destination}" have no kind of item in common.')
    return first, second


def _names(source: str, destination: str) -> tuple[str, str]:
    return (source, destination) if source != destination else (f"old-{source}", f"new-{destination}")


def _connection(name: str, connector: Connector) -> Iterator[str]:
    yield f"[connections.{name}]"
    yield f"connector = {toml_value(connector.name)}  # {connector.title}"
    parallel = [s for s in settings_of(ConnectionTable) if s.name != "connector"]
    yield from _settings(list(settings_of(connector.settings)), _minimal(connector)[0], name)
    yield from _settings(parallel, {}, name)


def _settings(settings: list[Setting], values: dict[str, Any], prefix: str) -> Iterator[str]:
    for setting in settings:
        for line in textwrap.wrap(setting.about, 100):
            yield f"# {line}"
        if setting.name in values:
            yield f"{setting.name} = {toml_value(values[setting.name])}"
        else:
            default = None if setting.default in ('""', "[]") else setting.default
            shown = default or toml_value(_example(setting, prefix)) or '""'
            yield f"# {setting.name} = {shown}"
        yield ""


def _example(setting: Setting, prefix: str) -> Any:
    """A value that shows what the setting looks like."""
    name = setting.name
    if setting.takes == "a secret":
        return {"env": f"{prefix}_{name}".strip("_").upper().replace("-", "_")}
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    if name == "path":
        return f"{prefix or 'mail'}/{{account}}"
    if setting.takes == "a path":
        return f"{name.removesuffix('_file').replace('_', '-')}.{'json' if name.endswith('_file') else 'd'}"
    if "number" in setting.takes:
        return 1000
    if setting.takes.startswith('"'):
        return setting.takes.split('"')[1]
    if setting.takes.startswith("a list of"):
        return []
    return name.replace("_", "-")


def _minimal(connector: Connector) -> tuple[dict[str, Any], Any]:
    """The fewest settings that the connector accepts, with example values, and what it makes of them.

    What it requires, and where that is not enough (one of several ways in), one optional setting more.
    """
    settings = list(settings_of(connector.settings))
    required = {s.name: _example(s, connector.name) for s in settings if s.required}
    optional = [{s.name: _example(s, connector.name)} for s in settings if not s.required]
    for more in ({}, *optional):
        values = {**required, **more}
        made = validated(connector.settings, values, Path(tempfile.gettempdir()), Problems(), "liberate.toml")
        if made is not None:
            return values, made
    raise PlanError(f'No example can be made for "{connector.name}". Write its plan by hand: docs/how-to/plan.md')
