"""Servers on this machine to try liberate out with: entry points of the group "liberate.sandboxes"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Literal, TypeAlias

from liberate.connector import Kind

GROUP = "liberate.sandboxes"

Setting: TypeAlias = str | int | bool | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Running:
    """A sandbox that is up."""

    connection: Mapping[str, Setting]  # what stands in a plan under [connections.NAME], "connector" included
    accounts: tuple[str, ...] = ()  # those that hold something to move


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The value behind an entry point of the group "liberate.sandboxes"."""

    name: str  # also the connection's name in a plan
    title: str
    side: Literal["source", "destination"]
    start: Callable[[Path, Sequence[str]], AbstractContextManager[Running]]
    """Start it with its state in that folder, which is its own. A source comes with sample accounts, the same each
    time; a destination makes the accounts named. What stands in the folder is there again the next time."""
    kinds: frozenset[Kind] = frozenset({Kind.MAIL})  # what it holds, or takes
    missing: Callable[[], str | None] = lambda: None
    """What this machine lacks to start it and how to get it, as a sentence; None: nothing."""


def sandboxes() -> Iterator[Sandbox]:
    """Every installed sandbox, by name; one whose packages are missing is left out."""
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        try:
            found: Sandbox = entry.load()
        except ImportError:
            continue
        yield found
