"""The ledger's database: opened safely, written in transactions, its failures explained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from liberate.errors import AccountError, LiberateError, PlanError, TransientError
from liberate.hold import Hold
from liberate.ledger_schema import ADDED, SCHEMA, meta, metadata, tune

LEASE = 60.0  # seconds; a worker that says nothing for so long has lost its slice


def _explained(error: sa.exc.DatabaseError) -> LiberateError:
    """What a person, or a little patience, can do about a database that fails."""
    text = str(error.orig)
    if "disk is full" in text or "disk I/O error" in text or "could not extend file" in text:
        return AccountError(
            "ledger-disk-full",
            "The disk that holds the job's folder is full.",
            "Free space there, then run the same command again.",
        )
    if "readonly" in text or "unable to open" in text:
        return PlanError(f"The job's ledger cannot be written ({text}). Check the folder's owner and permissions.")
    if "not a database" in text or "malformed" in text:
        return PlanError(
            f"The job's ledger is damaged ({text}). Put it back from a backup; without one, what has moved has to be "
            "cleared from the destination before a new job brings it again."
        )
    if not isinstance(error, sa.exc.OperationalError):
        raise error
    if "authentication failed" in text or "does not exist" in text:
        return PlanError("The ledger's database does not let us in. Check its address, user and password in the plan.")
    return TransientError("The ledger's database does not answer.")


def number_of(done: sa.CursorResult[Any]) -> int:
    """The number of the line that was just inserted."""
    key = done.inserted_primary_key
    return int(key[0]) if key is not None else 0


def _columns(db: sa.Connection, table: str) -> set[str]:
    return {str(column["name"]) for column in sa.inspect(db).get_columns(table)}


class Many:
    """A statement for many rows, compiled once a database.

    SQLAlchemy writes the SQL; the rows go to the driver as they are. Its own executemany spends more
    on each row's parameters than SQLite does on storing it.
    """

    def __init__(self, statement: sa.Insert | sa.Update, columns: Sequence[str] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._compiled: dict[str, tuple[str, list[str] | None]] = {}

    def run(self, db: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Execute it for each row, given as values by column (or bound) name."""
        if not rows:
            return
        found = self._compiled.get(db.dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=db.dialect, column_keys=self._columns)
            names = list(compiled.positiontup) if compiled.positiontup is not None else None
            found = self._compiled[db.dialect.name] = (compiled.string, names)
        text, names = found
        if names is None:
            db.exec_driver_sql(text, [dict(row) for row in rows])
        else:
            values = itemgetter(*names)
            db.exec_driver_sql(text, [values(row) for row in rows])


class Store:
    """One opened database."""

    def __init__(
        self,
        url: str | sa.URL,
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
        self._engine = sa.create_engine(url, pool_size=32, max_overflow=64, pool_use_lifo=True)
        self._sqlite = self._engine.dialect.name == "sqlite"
        tune(self._engine)
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        """Make the tables if there are none; a ledger that has them is opened without waiting for its writer."""
        said = sa.select(meta.c.value).where(meta.c.key == "schema")
        with self._reading() as db:
            found = db.scalar(said) if sa.inspect(db).has_table(meta.name) else None
        if found is None:
            with self._transaction("open") as db:
                metadata.create_all(db)
                found = db.scalar(said)  # another process may have been quicker
                if found is None:
                    found = str(SCHEMA)
                    db.execute(meta.insert().values(key="schema", value=found))
        if found != str(SCHEMA):
            raise PlanError(
                f"This job's ledger was written by another version of liberate (format {found}, this one writes "
                f"{SCHEMA}). Finish the job with the version that began it."
            )
        self._complete()

    def _complete(self) -> None:
        """Add the columns that this version keeps beyond those of the one that made the ledger."""
        with self._reading() as db:
            lacking = [column for column in ADDED if column.name not in _columns(db, column.table.name)]
        for column in lacking:
            with self._transaction("complete") as db:
                table = column.table.name
                if column.name not in _columns(db, table):  # another process may have been quicker
                    db.exec_driver_sql(
                        f'ALTER TABLE {table} ADD COLUMN "{column.name}" {column.type.compile(db.dialect)}'
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
        except sa.exc.DatabaseError as error:
            raise _explained(error) from error
        self._step(f"after {what}")

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.connect().execution_options(reading=True) as db:
                yield db
        except sa.exc.DatabaseError as error:
            raise _explained(error) from error

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection for the report's own queries, read only."""
        return self._reading()

    def _now(self, db: sa.Connection) -> float:
        if self._sqlite:
            return self._clock()
        return float(db.scalar(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))) or 0.0)
