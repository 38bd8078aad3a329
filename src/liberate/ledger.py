"""The record of what was meant, sent and proven: one row an item, one transaction a method.

A row walks listed -> intended -> written -> verified, or ends as refused or skipped. `intended` is
committed before the first byte leaves, with all that is needed to recognise the item later at the
destination: its slot, mark, size and digests. Rows are written under a slice's lease: the lease is
renewed in the same transaction, so a worker that lost it can record nothing.

The ledger holds ids, sizes, times, flags, folder names and digests. It holds no secret, no
subject, no address of a correspondent and no content, and can be handed to an auditor.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import sqlalchemy as sa

from liberate.connector import Collection, Cursor, Evidence, Item, Kind, Place, Skipped, Survey
from liberate.errors import AccountError, PlanError
from liberate.facts import dump_facts, load_facts
from liberate.hold import Hold
from liberate.ledger_rows import (
    DONE,
    PAGE,
    ROW_COLUMNS,
    Claim,
    LeaseLost,
    Named,
    Refusal,
    Row,
    State,
    Written,
    forms_text,
    inserted,
    named_from,
    pages,
    row_from,
    skipped_line,
)
from liberate.ledger_schema import SCHEMA, accounts, items, meta, metadata, places, runs, slices, tune

LEASE = 60.0  # seconds; a worker that says nothing for so long has lost its slice


def _explained(error: sa.exc.OperationalError) -> Exception:
    """What a person can do about a database that fails; the error itself where nothing is known."""
    text = str(error.orig)
    if "disk is full" in text or "disk I/O error" in text or "could not extend file" in text:
        return AccountError(
            "ledger-disk-full",
            "The disk that holds the job's folder is full.",
            "Free space there, then run the same command again.",
        )
    if "readonly" in text or "unable to open" in text:
        return PlanError(f"The job's ledger cannot be written ({text}). Check the folder's owner and permissions.")
    return error


def _number(done: sa.CursorResult[Any]) -> int:
    """The number of the line that was just inserted."""
    key = done.inserted_primary_key
    return int(key[0]) if key is not None else 0


class Ledger:
    """The ledger of one job, in SQLite or PostgreSQL. Thread-safe; open one a process."""

    def __init__(
        self,
        url: str,
        *,
        owner: str = "",
        lease: float = LEASE,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        step: Callable[[str], None] = lambda _what: None,
    ) -> None:
        self.lease = lease  # seconds
        self._clock = clock
        self._monotonic = monotonic
        self._step = step
        self.owner = owner
        self._engine = sa.create_engine(url, pool_size=32, max_overflow=64)
        self._sqlite = self._engine.dialect.name == "sqlite"
        tune(self._engine)
        with self._transaction("open") as db:
            metadata.create_all(db)
            found = db.scalar(sa.select(meta.c.value).where(meta.c.key == "schema"))
            if found is None:
                db.execute(meta.insert().values(key="schema", value=str(SCHEMA)))
            elif found != str(SCHEMA):
                raise PlanError(
                    f"This job's ledger was written by another version of liberate (format {found}, this one writes "
                    f"{SCHEMA}). Finish the job with the version that began it."
                )

    def close(self) -> None:
        """Close every connection to the database."""
        self._engine.dispose()

    def hold(self, hold: Hold, job: str) -> None:
        """Let `hold` hold this ledger's database as well. Raises Busy."""
        hold.hold_database(job, self._engine)

    @contextmanager
    def _transaction(self, what: str) -> Iterator[sa.Connection]:
        self._step(f"before {what}")
        try:
            with self._engine.begin() as db:
                yield db
                self._step(f"uncommitted {what}")
        except sa.exc.OperationalError as error:
            raise _explained(error) from error
        self._step(f"after {what}")

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect().execution_options(reading=True) as db:
                yield db
        except sa.exc.OperationalError as error:
            raise _explained(error) from error

    # Accounts and runs ---------------------------------------------------------------------------

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
                return _number(done)
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

    def started(self, account: int) -> None:
        """Record that a run takes the account up."""
        with self._transaction("started") as db:
            values = {"code": None, "why": None, "todo": None, "finished": None}
            db.execute(accounts.update().where(accounts.c.id == account).values(**values))

    def finished(self, account: int) -> None:
        """Record that nothing of the account is left to do."""
        with self._transaction("finished") as db:
            db.execute(accounts.update().where(accounts.c.id == account).values(finished=self._now(db)))

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

    def began(self, command: str) -> int:
        """Record that a run began; its number."""
        with self._transaction("began") as db:
            done = db.execute(runs.insert().values(command=command, started=self._now(db)))
            return _number(done)

    def ended(self, run: int, interrupted: bool) -> None:
        with self._transaction("ended") as db:
            db.execute(runs.update().where(runs.c.id == run).values(ended=self._now(db), interrupted=interrupted))

    # Slices and leases ---------------------------------------------------------------------------

    def collections(self, account: int, found: Iterable[Collection]) -> list[int]:
        """Record the account's collections; their slices, in the order found."""
        with self._transaction("collections") as db:
            have = {
                row.collection: row
                for row in db.execute(sa.select(slices).where(slices.c.account == account).order_by(slices.c.id))
            }
            out = []
            for collection in found:
                values = {
                    "path": json.dumps(collection.path, ensure_ascii=False),
                    "kind": collection.kind.value,
                    "ordered": collection.ordered,
                    "role": collection.role,
                    "expected": collection.count,
                }
                row = have.get(collection.id)
                if row is None:
                    done = db.execute(
                        slices.insert().values(account=account, collection=collection.id, epoch=0, **values)
                    )
                    out.append(_number(done))
                    continue
                if any(getattr(row, name) != value for name, value in values.items()):
                    db.execute(slices.update().where(slices.c.id == row.id).values(**values))
                out.append(row.id)
            return out

    def slices_of(self, account: int) -> list[int]:
        """The slices recorded for an account."""
        with self._reading() as db:
            query = sa.select(slices.c.id).where(slices.c.account == account).order_by(slices.c.id)
            return list(db.scalars(query))

    def claim(self, number: int, *, alone: bool = False) -> Claim | None:
        """A lease on the slice; None while another worker holds it.

        `alone` says that the caller holds the whole job (Hold), so that every other owner is dead.
        """
        with self._transaction("claim") as db:
            sent = self._monotonic()
            now = self._now(db)
            query = sa.select(slices).where(slices.c.id == number)
            row = db.execute(query if self._sqlite else query.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            held = row.owner is not None and (row.owner == self.owner or not alone)
            if held and row.lease_until is not None and row.lease_until > now:
                return None
            epoch = row.epoch + 1
            db.execute(
                slices.update()
                .where(slices.c.id == number)
                .values(owner=self.owner, epoch=epoch, lease_until=now + self.lease)
            )
            collection = Collection(
                row.collection, tuple(json.loads(row.path)), Kind(row.kind), row.ordered, row.role, row.expected
            )
            cursor = None if row.cursor is None else Cursor(row.cursor)
            return Claim(number, row.account, collection, cursor, row.generation, self.owner, epoch, sent + self.lease)

    def _renew(self, db: sa.Connection, claim: Claim, **values: Any) -> float:
        """Renew the lease inside a transaction, or raise LeaseLost; the new local deadline."""
        sent = self._monotonic()
        if sent >= claim.deadline:
            raise LeaseLost("The lease on this slice ran out.")
        now = self._now(db)
        done = db.execute(
            slices.update()
            .where(
                slices.c.id == claim.slice,
                slices.c.owner == claim.owner,
                slices.c.epoch == claim.epoch,
                slices.c.lease_until > now,
            )
            .values(lease_until=now + self.lease, **values)
        )
        if done.rowcount != 1:
            raise LeaseLost("Another worker took this slice.")
        return sent + self.lease

    def renew(self, claim: Claim, *, if_less_than: float | None = None) -> None:
        """Renew the lease if less of it is left than `if_less_than` seconds (default: a third). Raises LeaseLost."""
        wanted = self.lease / 3 if if_less_than is None else if_less_than
        left = claim.deadline - self._monotonic()
        if left <= 0:
            raise LeaseLost("The lease on this slice ran out.")
        if left < wanted:
            with self._transaction("renew") as db:
                deadline = self._renew(db, claim)
            claim.deadline = deadline

    def release(self, claim: Claim) -> None:
        """Give the slice back."""
        with self._transaction("release") as db:
            db.execute(
                slices.update()
                .where(slices.c.id == claim.slice, slices.c.owner == claim.owner, slices.c.epoch == claim.epoch)
                .values(owner=None, lease_until=None)
            )

    # Names and places ----------------------------------------------------------------------------

    def named(self, account: int) -> list[Named]:
        """Every folder of the account that has a name at the destination."""
        with self._reading() as db:
            query = sa.select(places).where(places.c.account == account).order_by(places.c.id)
            return [named_from(row) for row in db.execute(query)]

    def name(self, account: int, path: tuple[str, ...], role: str | None, name: tuple[str, ...]) -> Named:
        """Record a folder's legal name; the one recorded first if there is one already."""
        with self._transaction("name") as db:
            text = json.dumps(path, ensure_ascii=False)
            query = sa.select(places).where(
                places.c.account == account, places.c.path == text, places.c.role == (role or "")
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

    def prepared(self, number: int, place: Place, *, shared: bool = False) -> bool:
        """Record where a named folder is; False if another folder of the account is there already.

        `shared` allows that.
        """
        with self._transaction("prepared") as db:
            account = sa.select(places.c.account).where(places.c.id == number).scalar_subquery()
            query = sa.select(places.c.id).where(
                places.c.account == account, places.c.place == place, places.c.id != number
            )
            if not shared and db.scalar(query) is not None:
                return False
            db.execute(places.update().where(places.c.id == number).values(place=place))
            return True

    # Items ---------------------------------------------------------------------------------------

    def known(self, keys: Sequence[str]) -> dict[str, tuple[str, str, State, int | None]]:
        """Of these keys, those with a row: (version, facts_version, state, place number)."""
        out: dict[str, tuple[str, str, State, int | None]] = {}
        columns = (items.c.key, items.c.version, items.c.facts_version, items.c.state, items.c.place)
        with self._reading() as db:
            for some in pages(keys):
                for row in db.execute(sa.select(*columns).where(items.c.key.in_(some))):
                    out[row[0]] = (row[1], row[2], State(row[3]), row[4])
        return out

    def listed(
        self,
        claim: Claim,
        rows: Sequence[Row],
        skipped: Sequence[tuple[str, Skipped]] = (),
        changed: Sequence[tuple[str, Item]] = (),
        gone: Sequence[str] = (),
        cursor: Cursor | None = None,
        generation: int | None = None,
    ) -> None:
        """Record what a listing brought, and the cursor behind it, together.

        `rows` are new, `skipped` are (key, reason), `changed` are (key, item with new facts) for rows
        that are written, `gone` the keys of what the source no longer has.
        """
        with self._transaction("listed") as db:
            values: dict[str, Any] = {}
            if cursor is not None:
                values["cursor"] = cursor
            if generation is not None:
                values["generation"] = generation
            deadline = self._renew(db, claim, **values)
            new = [inserted(claim, row) for row in rows]
            new += [skipped_line(claim, key, reason) for key, reason in skipped]
            if new:
                db.execute(items.insert(), new)
            if changed:
                db.execute(
                    items.update().where(items.c.key == sa.bindparam("at")),
                    [
                        {
                            "at": key,
                            "pending_facts": dump_facts(item.kind, item.facts),
                            "pending_version": item.facts_version,
                        }
                        for key, item in changed
                    ],
                )
            for some in pages(gone):
                db.execute(items.update().where(items.c.key.in_(some)).values(gone=True))
                # What was never sent and is no longer there cannot be moved any more.
                db.execute(
                    items.update()
                    .where(items.c.key.in_(some), items.c.state == State.LISTED)
                    .values(
                        state=State.SKIPPED,
                        code="deleted-at-source",
                        why="It was deleted at the source before it could be moved.",
                        todo="",
                    )
                )
        claim.deadline = deadline
        if cursor is not None:
            claim.cursor = cursor
        if generation is not None:
            claim.generation = generation

    def relisted(self, claim: Claim, rows: Sequence[Row]) -> None:
        """Put rows back to listed under new descriptions: their bytes changed before they were sent."""
        with self._transaction("relisted") as db:
            deadline = self._renew(db, claim)
            for row in rows:
                values = inserted(claim, row)
                del values["key"]
                db.execute(items.update().where(items.c.key == row.key).values(**values))
        claim.deadline = deadline

    def unfinished(self, claim: Claim, state: State, after: int = 0, limit: int = PAGE) -> tuple[list[Row], int]:
        """The next rows of the slice in this state, oldest first, and where to go on."""
        columns = (*ROW_COLUMNS, items.c.id)
        query = (
            sa.select(*columns)
            .where(items.c.slice == claim.slice, items.c.state == state, items.c.id > after)
            .order_by(items.c.id)
            .limit(limit)
        )
        with self._reading() as db:
            found = db.execute(query).all()
        return [row_from(row, claim.collection.kind) for row in found], (found[-1].id if found else after)

    def pending(self, claim: Claim, limit: int = PAGE) -> list[tuple[Row, Any, str]]:
        """Written rows whose facts changed at the source since: (row, new facts, new facts_version)."""
        query = (
            sa.select(*ROW_COLUMNS, items.c.pending_facts, items.c.pending_version)
            .where(items.c.slice == claim.slice, items.c.pending_version.is_not(None), items.c.state.in_(DONE))
            .order_by(items.c.id)
            .limit(limit)
        )
        kind = claim.collection.kind
        with self._reading() as db:
            return [
                (row_from(row, kind), load_facts(kind, row.pending_facts), row.pending_version)
                for row in db.execute(query)
            ]

    def updated(self, claim: Claim, done: Sequence[tuple[Row, Any, str]]) -> None:
        """Record that changed facts stand at the destination too (or cannot, which is final as well)."""
        with self._transaction("updated") as db:
            deadline = self._renew(db, claim)
            db.execute(
                items.update().where(items.c.key == sa.bindparam("at")),
                [
                    {
                        "at": row.key,
                        "facts": dump_facts(row.item.kind, facts),
                        "facts_version": version,
                        "pending_facts": None,
                        "pending_version": None,
                    }
                    for row, facts, version in done
                ],
            )
        claim.deadline = deadline

    def intend(self, claim: Claim, rows: Sequence[Row]) -> None:
        """Record what is about to be sent and where, before the first byte leaves."""
        with self._transaction("intend") as db:
            deadline = self._renew(db, claim)
            db.execute(
                items.update().where(items.c.key == sa.bindparam("at")),
                [
                    {
                        "at": row.key,
                        "state": State.INTENDED,
                        "name": row.name,
                        "mark": row.mark,
                        "size": row.size,
                        "sha256": row.digests.get("sha256"),
                        "forms": forms_text(row.digests),
                        "facts": dump_facts(row.item.kind, row.item.facts),
                        "attempts": row.attempts + 1,
                    }
                    for row in rows
                ],
            )
        claim.deadline = deadline
        for row in rows:
            row.state = State.INTENDED
            row.attempts += 1

    def written(self, claim: Claim, done: Sequence[Written], refused: Sequence[Refusal] = ()) -> None:
        """Record receipts and refusals."""
        with self._transaction("written") as db:
            deadline = self._renew(db, claim)
            if done:
                db.execute(
                    items.update().where(items.c.key == sa.bindparam("at")),
                    [
                        {
                            "at": one.row.key,
                            "state": State.WRITTEN,
                            "receipt": one.receipt.id,
                            "receipt_size": one.receipt.size,
                            "evidence": one.receipt.evidence,
                            "tier": one.tier,
                        }
                        for one in done
                    ],
                )
            for row in (one.row for one in done if one.measured):
                values = {"size": row.size, "sha256": row.digests.get("sha256"), "forms": forms_text(row.digests)}
                db.execute(items.update().where(items.c.key == row.key).values(**values))
            if refused:
                db.execute(
                    items.update().where(items.c.key == sa.bindparam("at")),
                    [
                        {
                            "at": one.row.key,
                            "state": State.REFUSED,
                            "code": one.code,
                            "why": one.why,
                            "todo": one.todo,
                            "kept": one.kept,
                        }
                        for one in refused
                    ],
                )
        claim.deadline = deadline
        for one in done:
            one.row.state = State.WRITTEN
            one.row.receipt = one.receipt.id
        for each in refused:
            each.row.state = State.REFUSED

    def adopted(self, claim: Claim, pairs: Sequence[tuple[Row, Row]]) -> None:
        """Give new rows (first) the receipts of the old rows (second) that the source renumbered."""
        with self._transaction("adopted") as db:
            deadline = self._renew(db, claim)
            for new, old in pairs:
                db.execute(items.delete().where(items.c.key == old.key))
                db.execute(
                    items.update()
                    .where(items.c.key == new.key)
                    .values(
                        state=old.state,
                        name=old.name,
                        mark=old.mark,
                        size=old.size,
                        sha256=old.digests.get("sha256"),
                        forms=forms_text(old.digests),
                        receipt=old.receipt,
                        receipt_size=old.receipt_size,
                        evidence=old.evidence,
                        tier=old.tier,
                        place=old.place_id,
                    )
                )
        claim.deadline = deadline

    def moved_before(self, claim: Claim, sha256s: Sequence[str]) -> list[Row]:
        """Rows written before the source last renumbered whose bytes have these digests."""
        query = (
            sa.select(*ROW_COLUMNS)
            .where(
                items.c.slice == claim.slice,
                items.c.generation < claim.generation,
                items.c.state.in_(DONE),
                items.c.sha256.in_(sha256s),
            )
            .order_by(items.c.id)
        )
        with self._reading() as db:
            return [row_from(row, claim.collection.kind) for row in db.execute(query)]

    def copies_of(self, key: str, kind: Kind) -> list[Row]:
        """The copies of an item that stand at the destination."""
        query = sa.select(*ROW_COLUMNS).where(items.c.copy_of == key, items.c.state.in_(DONE)).order_by(items.c.id)
        with self._reading() as db:
            return [row_from(row, kind) for row in db.execute(query)]

    def unproven(self, claim: Claim, limit: int = PAGE) -> list[Row]:
        """Written rows of the slice that were never read back."""
        query = (
            sa.select(*ROW_COLUMNS)
            .where(items.c.slice == claim.slice, items.c.state == State.WRITTEN, items.c.tier.is_(None))
            .order_by(items.c.id)
            .limit(limit)
        )
        with self._reading() as db:
            return [row_from(row, claim.collection.kind) for row in db.execute(query)]

    def names_in(self, place: int, names: Sequence[str]) -> set[str]:
        """Of these names, those that items in this place have."""
        out: set[str] = set()
        with self._reading() as db:
            for some in pages(names):
                query = sa.select(items.c.name).where(items.c.place == place, items.c.name.in_(some))
                out.update(db.scalars(query))
        return out

    def originals(self, keys: Sequence[str], kind: Kind) -> dict[str, Row]:
        """The rows of these keys."""
        out: dict[str, Row] = {}
        with self._reading() as db:
            for some in pages(keys):
                for row in db.execute(sa.select(*ROW_COLUMNS).where(items.c.key.in_(some))):
                    out[row.key] = row_from(row, kind)
        return out

    def taken(self, place: int, receipts: Sequence[str]) -> set[str]:
        """Of these receipts in this place, those that belong to items."""
        out: set[str] = set()
        with self._reading() as db:
            for some in pages(receipts):
                query = sa.select(items.c.receipt).where(items.c.place == place, items.c.receipt.in_(some))
                out.update(db.scalars(query))
        return out

    def moved(self, account: int) -> tuple[int, int]:
        """How many items of the account stand at the destination, and their bytes."""
        query = (
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(items.c.size), 0))
            .select_from(items)
            .where(items.c.account == account, items.c.part == "", items.c.state.in_(DONE))
        )
        with self._reading() as db:
            count, size = db.execute(query).one()
            return int(count), int(size)

    # Proof ---------------------------------------------------------------------------------------

    def to_verify(self, account: int, after: int = 0, limit: int = PAGE) -> tuple[list[tuple[Row, Place]], int]:
        """The next rows that stand at the destination, with their places, in the order they were listed."""
        query = (
            sa.select(*ROW_COLUMNS, items.c.id, items.c.kind, places.c.place.label("where"))
            .join(places, items.c.place == places.c.id)
            .where(items.c.account == account, items.c.state.in_(DONE), items.c.id > after)
            .order_by(items.c.id)
            .limit(limit)
        )
        with self._reading() as db:
            found = db.execute(query).all()
        out = [(row_from(row, Kind(row.kind)), Place(row.where)) for row in found]
        return out, (found[-1].id if found else after)

    def verified(self, results: Sequence[tuple[Row, str]]) -> None:
        """Record how rows compared when they were read back: a Sameness, or "missing"."""
        with self._transaction("verified") as db:
            good = {"identical", "line-ends", "altered"}
            db.execute(
                items.update().where(items.c.key == sa.bindparam("at")),
                [
                    {
                        "at": row.key,
                        "tier": tier,
                        "state": State.VERIFIED if tier in good else State.WRITTEN,
                        "evidence": Evidence.READ_BACK if tier != "missing" else Evidence.NONE,
                    }
                    for row, tier in results
                ],
            )

    def retry(self, code: str | None = None, account: int | None = None) -> int:
        """Put refused rows back to listed; how many."""
        with self._transaction("retry") as db:
            query = items.update().where(items.c.state == State.REFUSED)
            if code is not None:
                query = query.where(items.c.code == code)
            if account is not None:
                query = query.where(items.c.account == account)
            # A row that was sent before stays intended: the destination is asked before it is sent again.
            sent = items.c.mark.is_not(None) | (items.c.attempts > 0)
            done = db.execute(
                query.values(state=sa.case((sent, State.INTENDED), else_=State.LISTED), code=None, why=None, todo=None)
            )
            return int(done.rowcount)

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection for the report's own queries, read only."""
        return self._reading()

    def _now(self, db: sa.Connection) -> float:
        if self._sqlite:
            return self._clock()
        return float(db.scalar(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))) or 0.0)
