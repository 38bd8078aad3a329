"""Writes docs/reference from the code, or checks it: `python -m liberate_cli.reference --write` or `--check`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import click

from liberate import registry
from liberate.events import Event
from liberate.people import COLUMNS
from liberate.pim import LOSSES
from liberate.plan import ConnectionTable, JobTable, PeopleTable, RouteTable
from liberate.report_json import SCHEMA
from liberate_cli.describe import Setting, described, settings_of
from liberate_cli.main import COMMANDS, EXIT_CODES

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"


def pages() -> dict[str, str]:
    """Each page's file name and text."""
    made = {
        "cli.md": _cli,
        "connectors.md": _connectors,
        "exit-codes.md": _exit_codes,
        "fidelity.md": _fidelity,
        "plan.md": _plan,
        "report.md": _report,
    }
    return {
        name: "\n".join([*lines(), "", "<!-- Written by `make docs` from the code; do not edit. -->"]) + "\n"
        for name, lines in made.items()
    }


def _cli() -> Iterator[str]:
    yield "# The command line"
    yield ""
    yield "stdout is the result; progress and errors go to stderr. `NO_COLOR` is heeded."
    yield "How a command ends is told by its [exit code](exit-codes.md)."
    for name in COMMANDS:
        command: click.Command = import_module(f"liberate_cli.{name}").command
        arguments = " ".join(p.make_metavar(click.Context(command)) for p in command.params if _is_argument(p))
        yield from ("", f"## liberate {name}", "", f"    liberate {name} [OPTIONS] {arguments}".rstrip(), "")
        yield inspect.cleandoc(command.help or "")
        options = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
        if options:
            yield ""
            yield from _table(("option", "meaning"), [(_option(o), _text(_with_default(o))) for o in options])


def _is_argument(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Argument)


def _option(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    if option.is_flag:
        return names
    kind = option.metavar or (
        " or ".join(option.type.choices) if isinstance(option.type, click.Choice) else option.type.name.upper()
    )
    return f"{names} {_text(kind)}"


def _with_default(option: click.Option) -> str:
    shown = option.show_default and option.default not in (None, False)
    return f"{option.help or ''}{f' Without it: {option.default}.' if shown else ''}"


def _connectors() -> Iterator[str]:
    yield "# Connectors and their settings"
    yield ""
    yield "The settings stand in a plan under `[connections.NAME]`, beside the keys that every connection knows"
    yield '(see [the plan](plan.md)). A secret is written as `{ env = "NAME" }`, `{ file = "PATH" }` or'
    yield '`{ command = "..." }`, never as itself.'
    for name in registry.names():
        one = described(name)
        if one.missing:
            raise click.ClickException(one.missing)
        yield from ("", f"## {one.name}", "", f"{one.title}: {one.directions} of {', '.join(one.kinds)}.")
        if one.addresses:
            yield ""
            yield f"On the command line: {', '.join(f'`{address}`' for address in one.addresses)}"
        yield ""
        yield from _settings(one.settings)


def _exit_codes() -> Iterator[str]:
    yield "# Exit codes"
    yield ""
    rows = re.findall(r"^ +(\d+) +(.+)$", EXIT_CODES, re.MULTILINE)
    yield from _table(("code", "meaning"), rows)
    yield ""
    yield "Of several that would fit, the first of 130, 5, 3, 4, 1 is given: what should be looked at first."
    yield "`liberate status` and `liberate report` end with 0 when they could tell what they were asked;"
    yield "`liberate status --exit-code` ends with the job's own."


def _fidelity() -> Iterator[str]:
    yield "# What becomes of each field"
    yield ""
    yield "Events, contacts and filters have fields that the standards have no place for. Here is each field of each"
    yield "service: kept as it is, changed, or lost, and why. What an account has lost is counted in its report."
    for name in registry.names():
        tables = registry.connector(name).fidelity
        for heading, fates in tables().items() if tables is not None else ():
            yield from ("", f"## {heading}", "")
            yield from _table(
                ("field", "becomes", "", "why"),
                [(f"`{one.field}`", _text(one.becomes), one.verdict, _text(one.why)) for one in fates],
            )
    yield from ("", "## What the report counts as lost", "")
    yield from _table(("code", "meaning"), [(f"`{code}`", _text(why)) for code, why in LOSSES.items()])


def _plan() -> Iterator[str]:
    yield "# The plan: liberate.toml and people.csv"
    yield ""
    yield "[How to write a plan](../how-to/plan.md) explains it by example. An unknown key is an error."
    yield "Relative paths start at the plan's folder."
    for title, model in (
        ("[job]", JobTable),
        ("[connections.NAME]", ConnectionTable),
        ("[[routes]]", RouteTable),
        ("[people]", PeopleTable),
    ):
        yield from ("", f"## {title}", "", f"{(model.__doc__ or '').partition(': ')[2].capitalize()}", "")
        yield from _settings(settings_of(model))
    yield from ("", "## The columns of people.csv", "")
    yield "The first line names the columns. UTF-8 (with or without a byte order mark) or UTF-16; commas, semicolons or"
    yield "tabs. Blank lines and lines that begin with `#` do not count. Only source and destination are required."
    yield ""
    yield from _table(("column", "meaning"), [(f"`{name}`", _text(about)) for name, about in COLUMNS.items()])


def _report() -> Iterator[str]:
    yield "# The report as JSON"
    yield ""
    yield "What `liberate report --format json` and `liberate status --json` write, and what stands under `report` in"
    yield "the last line of `liberate migrate --json`. The keys stay what they are while `liberate_report` is"
    version = SCHEMA["properties"]["liberate_report"]["const"]
    yield f"{version}; new ones may come. As a JSON Schema: `liberate.report_json.SCHEMA`."
    yield ""
    yield from _table(("key", "type", "meaning"), list(_keys("", SCHEMA)))
    yield from ("", "## The events", "")
    yield "`liberate migrate --json` and `liberate verify --json` write these before it, one JSON object a line."
    yield ""
    yield from _table(
        ("`event`", "further keys", "meaning"),
        [
            (f"`{event.__name__.lower()}`", ", ".join(f"`{f.name}`" for f in fields(event)), _text(event.__doc__ or ""))
            for event in get_args(Event)
        ],
    )


def _keys(prefix: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, inner in schema.get("properties", {}).items():
        real = next((one for one in inner.get("anyOf", []) if one.get("type") != "null"), inner)
        kind = real.get("type", "integer") + (" or null" if real is not inner else "")
        about = inner.get("description") or real.get("description", "")
        if "enum" in real:
            about += f" ({', '.join(real['enum'])})"
        yield f"`{prefix}{name}`", kind, _text(about)
        if real.get("type") == "array":
            yield from _keys(f"{prefix}{name}[].", real["items"])
        else:
            yield from _keys(f"{prefix}{name}.", real)


def _settings(settings: Iterable[Setting]) -> Iterator[str]:
    rows = []
    for one in settings:
        default = "required" if one.required else f"`{one.default}`" if one.default not in (None, '""', "[]") else ""
        rows.append((f"`{one.name}`", _text(one.takes), default, _text(one.about)))
    yield from _table(("setting", "takes", "without it", "meaning"), rows)


def _table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    header = list(header)
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _text(text: str) -> str:
    """Text that stands in a cell of a table as it is."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


@click.command("reference")
@click.option("--write", is_flag=True, help="Write the pages.")
@click.option("--check", is_flag=True, help="Fail if a page differs from what the code says.")
@click.option(
    "--directory", type=click.Path(file_okay=False, path_type=Path), default=DOCS, help="Where the pages are."
)
def main(write: bool, check: bool, directory: Path) -> None:
    """Write the reference pages from the code, or check them."""
    if write == check:
        raise click.UsageError("Say --write or --check.")
    stale = []
    for name, text in pages().items():
        page = directory / name
        if page.exists() and page.read_text(encoding="utf-8") == text:
            continue
        stale.append(name)
        if write:
            directory.mkdir(parents=True, exist_ok=True)
            page.write_text(text, encoding="utf-8")
    if stale and check:
        raise click.ClickException(f"Outdated: {', '.join(stale)} in {directory}. Run: make docs")


if __name__ == "__main__":
    main()
