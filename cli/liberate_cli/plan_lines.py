"""Writes the parts of a plan that the sandbox and the demo make."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

from liberate.sandbox import Setting
from liberate_cli.describe import toml_value


def connection_lines(name: str, settings: Mapping[str, Setting]) -> Iterator[str]:
    """One connection as it stands in a plan."""
    yield f"[connections.{name}]"
    for key, value in settings.items():
        yield f"{key} = {toml_value(value)}"


def people_csv(accounts: Iterable[str]) -> str:
    """A people table in which everybody keeps their name."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["source", "destination"])
    rows.writerows([name, name] for name in accounts)
    return text.getvalue()
