"""Finds connectors by name or by URL: they are entry points of the group "liberate.connectors"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

from liberate.connector import Account, Connector
from liberate.errors import AccountError, PlanError
from liberate.problems import Problems, did_you_mean
from liberate.settings import Settings
from liberate.settings_problems import validated

GROUP = "liberate.connectors"


@cache
def _entries() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name)}


def names() -> tuple[str, ...]:
    """The names of the installed connectors in order; none of them is loaded for that."""
    return tuple(_entries())


@cache
def connector(name: str) -> Connector:
    """The connector of that name.

    Raises PlanError that lists the names if there is none, and that names the extra to install if a
    package it is made from is missing.
    """
    entry = _entries().get(name)
    if entry is None:
        raise PlanError(f'There is no connector "{name}".{did_you_mean(name, names())}')
    try:
        found: Connector = entry.load()
    except ImportError as error:
        raise PlanError(_missing(entry, error)) from error
    except AttributeError as error:
        raise PlanError(f'The connector "{name}" is broken: {entry.value} is not there. Install it again.') from error
    return replace(
        found,
        source=_telling(entry, found.source) if found.source else None,
        destination=_telling(entry, found.destination) if found.destination else None,
    )


def connectors() -> Iterator[Connector]:
    """Every installed connector that loads, by name; one whose package is missing is left out."""
    for name in names():
        try:
            yield connector(name)
        except PlanError:
            continue


def endpoint(url: str, folder: Path | None = None) -> tuple[Connector, Settings, str]:
    """What "imaps://anna@mail.example.coop" or "maildir:./mail" means: connector, settings and account name.

    The account name is "" where a URL has none. Relative paths start at `folder`, or where the command
    runs. Raises PlanError. Connectors are loaded only until one takes the scheme.
    """
    scheme, colon, _ = url.partition(":")
    if not colon and Path(url).exists():
        such = ("maildir", "folder") if Path(url).is_dir() else ("takeout", "mbox")
        raise PlanError(f'Say what "{_shown(url)}" is, such as {such[0]}:{_shown(url)} or {such[1]}:{_shown(url)}.')
    if not colon:
        raise PlanError(
            f'"{_shown(url)}" is neither a file nor an address such as maildir:./mail or imaps://anna@host.'
        )
    likely = scheme.split("+")[0].rstrip("s")
    for name in sorted(names(), key=lambda n: (n != scheme, n.rstrip("s") != likely, n)):
        try:
            candidate = connector(name)
        except PlanError:
            if name == scheme:
                raise
            continue
        if scheme in candidate.schemes and candidate.endpoint is not None:
            try:
                found = candidate.endpoint(url)
            except ValueError as error:
                raise PlanError(f'"{_shown(url)}" cannot be understood: {error}') from error
            problems = Problems()
            settings = validated(candidate.settings, dict(found.settings), folder or Path.cwd(), problems, _shown(url))
            if settings is not None:
                return candidate, settings, found.account
            problems.raise_if_any()
    known = sorted({s for c in connectors() for s in c.schemes})
    raise PlanError(f'No connector takes "{scheme}:".{did_you_mean(scheme, known)}')


def _shown(url: str) -> str:
    """The URL without a password that somebody put into it."""
    head, at, tail = url.rpartition("@")
    scheme, slashes, user = head.partition("://")
    return f"{scheme}{slashes}{user.partition(':')[0]}{at}{tail}" if slashes else url


def _telling(
    entry: EntryPoint, opened: Callable[[Any, Account], AbstractContextManager[Any]]
) -> Callable[[Any, Account], AbstractContextManager[Any]]:
    """`opened`, with a package that turns out to be missing told as what to install: SDKs are imported that late."""

    @contextmanager
    def telling(settings: Any, account: Account) -> Iterator[Any]:
        try:
            manager = opened(settings, account)
            value = manager.__enter__()
        except ImportError as error:
            raise AccountError("missing-package", _missing(entry, error)) from error
        try:
            yield value
        except BaseException as error:
            if not manager.__exit__(type(error), error, error.__traceback__):
                raise
        else:
            manager.__exit__(None, None, None)

    return telling


def _missing(entry: EntryPoint, error: ImportError) -> str:
    what = f'The connector "{entry.name}" needs the Python package {error.name or "that it is made from"}'
    if entry.dist is None:
        return f"{what}, which is not installed. Install it, then run the same command again."
    extras = entry.dist.metadata.get_all("Provides-Extra") or []
    family = entry.module.split(".")[0].removeprefix("liberate_")
    extra = next((e for e in (entry.name, family) if e in extras), None)
    wanted = f"{entry.dist.name}[{extra}]" if extra else entry.dist.name
    return f"{what}, which is not installed. Run: pip install '{wanted}'"
