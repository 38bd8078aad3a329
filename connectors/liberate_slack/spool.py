"""Messages that Slack told before their turn, on disk, in the order of their time."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from liberate_slack.convert import micros, stamp
from liberate_slack.listing import Found

_CACHE = 2048  # KiB in memory; the rest is in a file without a name


class Spool:
    """A queue that is not in memory. What is in it is gone when it is closed, or with the process."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)  # "": a file without a name
        self._db.executescript(
            f"PRAGMA cache_size = -{_CACHE}; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
            "CREATE TABLE said (micros INTEGER, number INTEGER, value TEXT, PRIMARY KEY (micros, number)) WITHOUT ROWID"
        )
        self._number = 0

    def close(self) -> None:
        """Forget what is in it."""
        self._db.close()

    def add(self, messages: Iterable[dict[str, Any]]) -> None:
        """Put messages in; those without a time that can be read come before all others."""
        rows = []
        for raw in messages:
            self._number += 1
            at = micros(stamp(raw.get("ts")))
            rows.append((-1 if at is None else at, self._number, json.dumps(raw)))
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO said VALUES (?, ?, ?)", rows)
        self._db.execute("COMMIT")

    def pop(self, until: int | None) -> Found | None:
        """Take the oldest message out, unless it is later than `until`; None if there is none."""
        row = self._db.execute("SELECT micros, number, value FROM said ORDER BY micros, number LIMIT 1").fetchone()
        if row is None or (until is not None and row[0] > until):
            return None
        self._db.execute("DELETE FROM said WHERE micros = ? AND number = ?", row[:2])
        return Found(0, row[1], row[0], json.loads(row[2]))
