"""The ledger's accounts and runs, and what their folders are called here and there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from liberate.connector import Place, Survey
from liberate.errors import PlanError
from liberate.ledger_rows import (
    PAGE,
    Named,
    named_from,
)
from liberate.ledger_schema import accounts, items, places, runs, slices
from liberate.ledger_store import Store, number_of


class Accounts(Store):
    """What the ledger knows of accounts, runs, names and places."""

    def account(self, route: str, source: str, destination: str) -> int:
        """The account's number. Raises PlanError if it was being moved to somebody else so far."""
        with self._transaction("account") as db:
            found = db.execute(
                sa.select(accounts.c.id, accounts.c.destination).where(
                    accounts.c.route == route, accounts.c.source == source
                )
            ).one_or_none()
            if found is None:
                done = db.execute(accounts.insert().values(route=route, source=source, destination=destination))
                return number_of(done)
            if found.destination != destination:
                raise PlanError(
                    f"{source} has been moved to {found.destination} so far, and the plan now says {destination}. "
                    f"Put the table back as it was, or start a new job for the new account."
                )
            return int(found.id)

    def stopped(self, account: int, code: str | None, why: str = "", todo: str = "") -> None:
        """Record why an account cannot go on; code None: it can."""
        with self._transaction("stopped") as db:
            db.execute(accounts.update().where(accounts.c.id == account).values(code=code, why=why, todo=todo))

    def started(self, account: int) -> bool:
        """Record that a run takes the account up; whether the run before it had finished it."""
        with self._transaction("started") as db:
            before = db.scalar(sa.select(accounts.c.finished).where(accounts.c.id == account))
            values = {"code": None, "why": None, "todo": None, "finished": None}
            db.execute(accounts.update().where(accounts.c.id == account).values(**values))
            return before is not None

    def finished(self, account: int) -> None:
        """Record that nothing of the account is left to do."""
        with self._transaction("finished") as db:
            db.execute(accounts.update().where(accounts.c.id == account).values(finished=self._now(db)))

    def found_there(self, account: int, strangers: int) -> None:
        """Record how many things stand at the destination that liberate did not put there."""
        with self._transaction("found there") as db:
            db.execute(accounts.update().where(accounts.c.id == account).values(only_there=strangers))

    def filtered(self, account: int) -> dict[str, Any]:
        """What was last recorded of the account's filters; {} where nothing was."""
        with self._reading() as db:
            text = db.scalar(sa.select(accounts.c.filters).where(accounts.c.id == account))
        told: dict[str, Any] = json.loads(text or "{}")
        return told

    def record_filters(self, account: int, told: Mapping[str, Any] | None) -> None:
        """Record what became of the account's filters; None: it has none."""
        text = None if told is None else json.dumps(told, ensure_ascii=False, sort_keys=True)
        with self._transaction("filters") as db:
            db.execute(accounts.update().where(accounts.c.id == account).values(filters=text))

    def spend(self, account: int, more: Mapping[str, int]) -> None:
        """Add to what the account's move has cost its destination; see liberate.connector.Spends."""
        own = accounts.c.id == account
        with self._transaction("spend") as db:
            before = db.scalar(sa.select(accounts.c.spent).where(own).with_for_update())
            spent = Counter(json.loads(before or "{}")) + Counter(more)
            db.execute(accounts.update().where(own).values(spent=json.dumps(spent, sort_keys=True)))

    def surveyed(self, account: int, survey: Survey) -> None:
        """Record the source's own count."""
        folders = [[list(path), count] for path, count in sorted(survey.folders.items())]
        text = json.dumps({"items": survey.items, "folders": folders}, ensure_ascii=False)
        with self._transaction("surveyed") as db:
            db.execute(accounts.update().where(accounts.c.id == account).values(survey=text))

    def account_for(self, account: int) -> None:
        """Count, for each folder and label of the source, the items that have a row, and record the counts."""
        counts: Counter[tuple[str, ...]] = Counter()
        after = 0
        with self._reading() as db:
            paths = {
                row.id: tuple(json.loads(row.path))
                for row in db.execute(sa.select(slices.c.id, slices.c.path).where(slices.c.account == account))
            }
            while True:
                query = (
                    sa.select(items.c.id, items.c.slice, items.c.facts)
                    .where(
                        items.c.account == account, items.c.part == "", items.c.gone.is_not(True), items.c.id > after
                    )
                    .order_by(items.c.id)
                    .limit(20 * PAGE)
                )
                found = db.execute(query).all()
                if not found:
                    break
                after = found[-1].id
                for _, number, facts in found:
                    labels = json.loads(facts).get("folders") if facts and '"folders"' in facts else None
                    for path in [tuple(label[0]) for label in labels] if labels else [paths[number]]:
                        counts[path] += 1
        text = json.dumps([[list(path), count] for path, count in sorted(counts.items())], ensure_ascii=False)
        with self._transaction("accounted") as db:
            db.execute(accounts.update().where(accounts.c.id == account).values(accounted=text))

    def short(self, account: int) -> list[tuple[tuple[str, ...], int, int]]:
        """Folders of which fewer items have a row than the source counted: (path, its count, ours)."""
        with self._reading() as db:
            row = db.execute(sa.select(accounts.c.survey, accounts.c.accounted).where(accounts.c.id == account)).one()
        if not row.survey or not row.accounted:
            return []
        counted = {tuple(path): count for path, count in json.loads(row.accounted)}
        survey = ((tuple(path), count) for path, count in json.loads(row.survey)["folders"])
        return [(path, count, counted.get(path, 0)) for path, count in survey if counted.get(path, 0) < count]

    def list_anew(self, account: int, short: list[tuple[tuple[str, ...], int, int]]) -> bool:
        """Forget where the account's listings ended, so that the next run lists everything and knows what it has.

        False if the listing came short in the very same way before: then it was whole, and the source counts
        something that it does not show.
        """
        text = json.dumps(short, ensure_ascii=False)
        with self._transaction("list anew") as db:
            if db.scalar(sa.select(accounts.c.differs).where(accounts.c.id == account)) == text:
                return False
            db.execute(accounts.update().where(accounts.c.id == account).values(differs=text))
            db.execute(slices.update().where(slices.c.account == account).values(cursor=None))
            return True

    def began(self, command: str) -> int:
        """Record that a run began; its number."""
        with self._transaction("began") as db:
            done = db.execute(runs.insert().values(command=command, started=self._now(db)))
            return number_of(done)

    def ended(self, run: int, interrupted: bool) -> None:
        with self._transaction("ended") as db:
            db.execute(runs.update().where(runs.c.id == run).values(ended=self._now(db), interrupted=interrupted))

    def named(self, account: int) -> list[Named]:
        """Every folder of the account that has a name at the destination."""
        with self._reading() as db:
            query = sa.select(places).where(places.c.account == account, places.c.folder == "").order_by(places.c.id)
            return [named_from(row) for row in db.execute(query)]

    def name(self, account: int, path: tuple[str, ...], role: str | None, name: tuple[str, ...]) -> Named:
        """Record a folder's legal name; the one recorded first if there is one already."""
        with self._transaction("name") as db:
            text = json.dumps(path, ensure_ascii=False)
            query = sa.select(places).where(
                places.c.account == account, places.c.path == text, places.c.role == (role or ""), places.c.folder == ""
            )
            found = db.execute(query).one_or_none()
            if found is None:
                db.execute(
                    places.insert().values(
                        account=account, path=text, role=role or "", name=json.dumps(name, ensure_ascii=False)
                    )
                )
                found = db.execute(query).one()
            return named_from(found)

    def renamed(self, number: int, name: tuple[str, ...]) -> None:
        """Record another name for a folder that was never made under its first."""
        with self._transaction("renamed") as db:
            db.execute(places.update().where(places.c.id == number).values(name=json.dumps(name, ensure_ascii=False)))

    def prepared(self, number: int, place: Place) -> bool:
        """Record where a named folder is; False if another folder of the account is there already."""
        with self._transaction("prepared") as db:
            account = sa.select(places.c.account).where(places.c.id == number).scalar_subquery()
            query = sa.select(places.c.id).where(
                places.c.account == account, places.c.place == place, places.c.id != number, places.c.folder == ""
            )
            if db.scalar(query) is not None:
                return False
            db.execute(places.update().where(places.c.id == number).values(place=place))
            return True
