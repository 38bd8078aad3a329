"""Fills a report from the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from liberate.connector import Evidence
from liberate.ledger import Ledger
from liberate.ledger_rows import DONE, State
from liberate.ledger_schema import accounts, items, places, runs, slices
from liberate.report import AccountReport, Count, Finding, FolderCount, Refusal, Renamed, Report

_RUN_AGAIN = ("temporary", "counts-differ")  # what the next run of the same command may settle
LISTED = 1000  # refusals, and findings, listed one by one for an account; the rest is counted
_FOUND = ("missing", "different", "altered")  # in the order in which somebody should look at them


def collect(
    ledger: Ledger,
    job: str,
    keys: Sequence[tuple[str, str]],
    *,
    changed: bool = False,
    interrupted: bool = False,
    failures: Mapping[tuple[str, str], tuple[str, str, str]] | None = None,
) -> Report:
    """The report on these accounts, given as (route key, source account).

    `failures` are (code, why, todo) of accounts that this run could not finish reading, beside what
    the ledger knows.
    """
    with ledger.reading() as db:
        first, last = db.execute(sa.select(sa.func.min(runs.c.started), sa.func.max(runs.c.ended))).one()
        found = {(row.route, row.source): row for row in db.execute(sa.select(accounts))}
        parts = [_account(db, found[key], (failures or {}).get(key)) for key in keys if key in found]
    return Report(job, _time(first), _time(last), tuple(parts), changed, interrupted, not_begun=len(keys) - len(parts))


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _account(db: sa.Connection, row: Any, failure: tuple[str, str, str] | None) -> AccountReport:
    own = items.c.account == row.id
    first = own & (items.c.part == "")
    there = items.c.state.in_(DONE)
    by_state = _grouped(db, items.c.state, first)
    size = db.scalar(sa.select(sa.func.sum(items.c.size)).where(first, there)) or 0
    waiting = sum(by_state.get(state, 0) for state in (State.LISTED, State.INTENDED))
    copies = _grouped(db, items.c.state, own & (items.c.part != ""))
    copies_waiting = sum(copies.get(state, 0) for state in (State.LISTED, State.INTENDED))
    tiers = _grouped(db, items.c.tier, own & there & items.c.tier.is_not(None))
    evidence = _grouped(db, items.c.evidence, first & there)
    folders = _folders(row)
    state, stopped = _state(row, waiting + copies_waiting, failure)
    return AccountReport(
        source=row.source,
        destination=row.destination,
        route=row.route,
        state=state,
        stopped=stopped,
        listed=sum(by_state.values()),
        moved=sum(by_state.get(one, 0) for one in DONE),
        copies=sum(copies.get(one, 0) for one in DONE),
        waiting=waiting,
        bytes=int(size),
        verified=sum(tiers.values()),
        identical=tiers.get("identical", 0),
        line_ends=tiers.get("line-ends", 0),
        altered=tiers.get("altered", 0),
        different=tiers.get("different", 0),
        missing=tiers.get("missing", 0),
        evidence={name or Evidence.NONE.value: count for name, count in evidence.items()},
        skipped=_counts(db, first, State.SKIPPED),
        refused=_counts(db, own, State.REFUSED),
        refusals=_refusals(db, own),
        findings=_findings(db, own & there) if any(tiers.get(one) for one in _FOUND) else (),
        folders=folders,
        renamed=_renamed(db, row.id),
        notes=tuple(_short(one) for one in folders if one.accounted < one.at_source),
    )


def _grouped(db: sa.Connection, column: sa.ColumnElement[Any], which: sa.ColumnElement[bool]) -> dict[str, int]:
    """How many items there are of each value of the column."""
    query = sa.select(column, sa.func.count()).where(which).group_by(column)
    return {row[0]: row[1] for row in db.execute(query)}


def _state(
    row: Any, waiting: int, failure: tuple[str, str, str] | None
) -> tuple[Literal["done", "unfinished", "stopped"], tuple[str, str, str] | None]:
    told = failure or ((row.code, row.why or "", row.todo or "") if row.code else None)
    if told is not None:
        return ("unfinished" if told[0] in _RUN_AGAIN else "stopped"), told
    return ("unfinished" if waiting or row.finished is None else "done"), None


def _counts(db: sa.Connection, which: sa.ColumnElement[bool], state: State) -> tuple[Count, ...]:
    query = (
        sa.select(items.c.code, sa.func.min(items.c.why), sa.func.min(items.c.todo), sa.func.count().label("items"))
        .where(which, items.c.state == state)
        .group_by(items.c.code)
        .order_by(sa.desc("items"), items.c.code)
    )
    return tuple(Count(code or "", why or "", todo or "", count) for code, why, todo, count in db.execute(query))


def _refusals(db: sa.Connection, own: sa.ColumnElement[bool]) -> tuple[Refusal, ...]:
    query = _with_folders().where(own, items.c.state == State.REFUSED).order_by(items.c.id).limit(LISTED)
    return tuple(
        Refusal(row.item, _folder(row), row.code or "", row.why or "", row.todo or "", row.kept)
        for row in db.execute(query)
    )


def _findings(db: sa.Connection, which: sa.ColumnElement[bool]) -> tuple[Finding, ...]:
    order = sa.case({tier: at for at, tier in enumerate(_FOUND)}, value=items.c.tier)
    query = _with_folders().where(which, items.c.tier.in_(_FOUND)).order_by(order, items.c.id).limit(LISTED)
    return tuple(Finding(row.item, _folder(row), row.tier, row.receipt or "", row.size) for row in db.execute(query))


def _with_folders() -> sa.Select[Any]:
    return (
        sa.select(
            items, places.c.path.label("to_path"), places.c.role.label("to_role"), slices.c.path.label("from_path")
        )
        .join(slices, items.c.slice == slices.c.id)
        .join(places, items.c.place == places.c.id, isouter=True)
    )


def _folder(row: Any) -> str:
    """The folder or label, as the source calls it, that put the item of this row of _with_folders where it is."""
    path = json.loads(row.to_path or "[]") or ([row.to_role.capitalize()] if row.to_role else [])
    return "/".join(path or json.loads(row.from_path))


def _folders(row: Any) -> tuple[FolderCount, ...]:
    if not row.survey or not row.accounted:
        return ()
    counted = {tuple(path): count for path, count in json.loads(row.accounted)}
    survey = json.loads(row.survey)
    return tuple(FolderCount("/".join(path), count, counted.get(tuple(path), 0)) for path, count in survey["folders"])


def _short(folder: FolderCount) -> str:
    return f"The source counts {folder.at_source} items in {folder.folder}, and shows {folder.accounted}."


def _renamed(db: sa.Connection, account: int) -> tuple[Renamed, ...]:
    query = sa.select(places).where(places.c.account == account, places.c.role == "").order_by(places.c.id)
    out = []
    for row in db.execute(query):
        path, name = json.loads(row.path), json.loads(row.name)
        if path != name:
            out.append(Renamed("/".join(path), "/".join(name)))
    return tuple(out)
