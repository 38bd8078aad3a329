"""Fills a report from the ledger."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import sqlalchemy as sa

from liberate.connector import Evidence, Kind
from liberate.ledger import Ledger
from liberate.ledger_rows import DONE, State
from liberate.ledger_schema import accounts, items, places, runs, shares, slices
from liberate.pim import LOSSES, ObjectFacts
from liberate.report import (
    AccountReport,
    Count,
    Finding,
    FolderCount,
    Refusal,
    Renamed,
    Report,
    RoomReceipt,
    SharesReport,
)
from liberate.report_filters import filters_report

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


class _Tally:
    """How many items and copies an account has in each state, from one look at its rows."""

    def __init__(self, db: sa.Connection, account: int) -> None:
        is_copy = sa.case((items.c.part == sa.literal_column("''"), 0), else_=1)  # PostgreSQL: without parameters
        query = (
            sa.select(
                is_copy, items.c.state, items.c.tier, items.c.evidence, sa.func.count(),
                sa.func.coalesce(sa.func.sum(items.c.size), 0),
            )
            .where(items.c.account == account)
            .group_by(is_copy, items.c.state, items.c.tier, items.c.evidence)
        )  # fmt: skip
        self.items: Counter[str] = Counter()
        self.copies: Counter[str] = Counter()
        self.tiers: Counter[str] = Counter()  # items and copies
        self.evidence: Counter[str] = Counter()  # items
        self.bytes = 0  # of the items that moved
        for copy, state, tier, evidence, count, size in db.execute(query).all():
            (self.copies if copy else self.items)[state] += count
            if state not in DONE:
                continue
            if tier is not None:
                self.tiers[tier] += count
            if not copy:
                self.evidence[evidence or Evidence.NONE.value] += count
                self.bytes += int(size)

    def waiting(self, which: Counter[str]) -> int:
        """Those still to be moved."""
        return which[State.LISTED] + which[State.INTENDED]


def _account(db: sa.Connection, row: Any, failure: tuple[str, str, str] | None) -> AccountReport:
    own = items.c.account == row.id
    there = items.c.state.in_(DONE)
    tally = _Tally(db, row.id)
    refused = tally.items[State.REFUSED] + tally.copies[State.REFUSED]
    folders = _folders(row)
    state, stopped = _state(row, tally.waiting(tally.items) + tally.waiting(tally.copies), failure)
    return AccountReport(
        source=row.source,
        destination=row.destination,
        route=row.route,
        state=state,
        stopped=stopped,
        listed=tally.items.total(),
        moved=sum(tally.items[one] for one in DONE),
        copies=sum(tally.copies[one] for one in DONE),
        waiting=tally.waiting(tally.items),
        bytes=tally.bytes,
        verified=tally.tiers.total(),
        identical=tally.tiers["identical"],
        line_ends=tally.tiers["line-ends"],
        rewritten=tally.tiers["rewritten"],
        altered=tally.tiers["altered"],
        different=tally.tiers["different"],
        missing=tally.tiers["missing"],
        evidence=dict(tally.evidence),
        skipped=_counts(db, own & (items.c.part == ""), State.SKIPPED) if tally.items[State.SKIPPED] else (),
        refused=_counts(db, own, State.REFUSED) if refused else (),
        refusals=_refusals(db, own) if refused else (),
        findings=_findings(db, own & there) if any(tally.tiers[one] for one in _FOUND) else (),
        folders=folders,
        renamed=(*_renamed(db, row.id), *_renamed_files(db, row.id))[:LISTED],
        notes=(*(_short(one) for one in folders if one.accounted < one.at_source), *_told(db, own & there)),
        shares=_shares(db, row.id),
        only_there=row.only_there,
        filters=filters_report(row.filters),
        losses=_losses(db, own & there),
        spent=json.loads(row.spent or "{}"),
        rooms=tuple(RoomReceipt(**room) for room in json.loads(row.rooms or "[]")),
        files=db.scalar(sa.select(items.c.id).where(own, items.c.kind == Kind.FILE).limit(1)) is not None,
    )


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


def _losses(db: sa.Connection, which: sa.ColumnElement[bool]) -> tuple[Count, ...]:
    """What the account's events and contacts lost on the way, and how many of them."""
    query = (
        sa.select(items.c.facts, sa.func.count())
        .where(which, items.c.kind.in_([Kind.EVENT.value, Kind.CONTACT.value]), items.c.facts.like('%"lost"%'))
        .group_by(items.c.facts)
    )
    lost: Counter[str] = Counter()
    for facts, count in db.execute(query):
        for code in ObjectFacts.load(facts).lost:
            lost[code] += count
    return tuple(Count(code, LOSSES.get(code, code), "", count) for code, count in sorted(lost.items()))


def _refusals(db: sa.Connection, own: sa.ColumnElement[bool]) -> tuple[Refusal, ...]:
    query = _with_folders().where(own, items.c.state == State.REFUSED).order_by(items.c.id).limit(LISTED)
    return tuple(
        Refusal(row.item, _folder(row), row.code or "", row.why or "", row.todo or "", row.kept, row.label)
        for row in db.execute(query)
    )


def _findings(db: sa.Connection, which: sa.ColumnElement[bool]) -> tuple[Finding, ...]:
    order = sa.case({tier: at for at, tier in enumerate(_FOUND)}, value=items.c.tier)
    query = _with_folders().where(which, items.c.tier.in_(_FOUND)).order_by(order, items.c.id).limit(LISTED)
    return tuple(
        Finding(row.item, _folder(row), row.tier, row.receipt or "", row.size, row.label) for row in db.execute(query)
    )


def _with_folders() -> sa.Select[Any]:
    return (
        sa.select(
            items,
            places.c.path.label("to_path"),
            places.c.role.label("to_role"),
            slices.c.path.label("from_path"),
            slices.c.kind.label("from_kind"),
            places.c.folder.label("to_folder"),
            places.c.place.label("to_place"),
        )
        .join(slices, items.c.slice == slices.c.id)
        .join(places, items.c.place == places.c.id, isouter=True)
    )


def _folder(row: Any) -> str:
    """The folder or label, as the source calls it, that put the item of this row of _with_folders where it is.

    Of a tree of files it is the folder's path at the destination, which differs by illegal characters only.
    """
    if row.to_folder and row.from_kind != Kind.CHAT:
        return str(row.to_place or "")
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


def _renamed_files(db: sa.Connection, account: int) -> Iterator[Renamed]:
    query = (
        sa.select(items.c.label, items.c.name, places.c.place)
        .join(places, items.c.place == places.c.id)
        .where(items.c.account == account, items.c.kind == Kind.FILE, items.c.state.in_(DONE))
        .where(items.c.label != items.c.name, items.c.label != "", items.c.name != "")
        .order_by(items.c.id)
        .limit(2 * LISTED)
    )
    for row in db.execute(query):
        if unicodedata.normalize("NFC", row.label) != row.name:  # two spellings of one name
            folder = f"{row.place}/" if row.place else ""
            yield Renamed(folder + row.label, folder + row.name)


def _told(db: sa.Connection, which: sa.ColumnElement[bool]) -> Iterator[str]:
    """What is worth knowing of items that stand at the destination."""
    query = (
        sa.select(items.c.label, items.c.name, items.c.why, items.c.todo, places.c.place)
        .join(places, items.c.place == places.c.id)
        .where(which, items.c.code.is_not(None))
        .order_by(items.c.id)
        .limit(LISTED)
    )
    for row in db.execute(query):
        where = f"{row.place}/{row.name}" if row.place else row.name
        yield f"{where or 'An item'}: {row.why} {row.todo or ''}".strip()


def _shares(db: sa.Connection, account: int) -> SharesReport | None:
    own = shares.c.account == account
    counted = sa.select(shares.c.state, sa.func.count()).where(own).group_by(shares.c.state)
    states: Counter[str] = Counter()
    for state, count in db.execute(counted):
        states[state] = count
    if not states:
        return None
    query = (
        sa.select(shares.c.code, sa.func.min(shares.c.why), sa.func.min(shares.c.todo), sa.func.count().label("number"))
        .where(own, shares.c.state.in_((State.SKIPPED, State.REFUSED)), shares.c.code != "own")
        .group_by(shares.c.code)
        .order_by(sa.desc("number"), shares.c.code)
    )
    left = tuple(Count(code or "", why or "", todo or "", count) for code, why, todo, count in db.execute(query))
    return SharesReport(states[State.WRITTEN], states[State.LISTED] + states[State.INTENDED], left)


def _renamed(db: sa.Connection, account: int) -> tuple[Renamed, ...]:
    named = (places.c.account == account, places.c.role == "", places.c.folder == "")
    query = sa.select(places).where(*named).order_by(places.c.id)
    out = []
    for row in db.execute(query):
        path, name = json.loads(row.path), json.loads(row.name)
        if path != name:
            out.append(Renamed("/".join(path), "/".join(name)))
    return tuple(out)
