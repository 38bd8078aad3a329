"""What a listing has told so far, kept on disk: the events of a series come in any order, and without bound."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import Any

from liberate_google.calendar_convert import series_of

Parts = list[dict[str, Any]]


class Spool:
    """Events by series. SQLite keeps them in a temporary file of its own, which nobody else can open."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", check_same_thread=False)
        self._db.execute("CREATE TABLE part (id TEXT PRIMARY KEY, series TEXT, uid TEXT, created TEXT, told TEXT)")

    def close(self) -> None:
        self._db.close()

    def put(self, told: dict[str, Any]) -> None:
        """Keep an event; one that comes again takes the place of the first."""
        live = told.get("status") != "cancelled"
        row = (
            str(told["id"]),
            series_of(told),
            str(told.get("iCalUID") or "") if live else "",
            str(told.get("created") or ""),
            json.dumps(told),
        )
        self._db.execute("INSERT OR REPLACE INTO part VALUES (?, ?, ?, ?, ?)", row)

    def sealed(self) -> None:
        """Everything is there: series can be asked for quickly."""
        self._db.execute("CREATE INDEX by_series ON part (series, id)")

    def series(self) -> Iterator[tuple[str, Parts]]:
        """Each series and its parts, in the order of their ids."""
        at, parts = "", Parts()
        for series, told in self._db.execute("SELECT series, told FROM part ORDER BY series, id"):
            if series != at and parts:
                yield at, parts
                parts = []
            at = series
            parts.append(json.loads(told))
        if parts:
            yield at, parts

    def twins(self, known: Collection[str]) -> set[str]:
        """Those series whose UID another one has: all but the oldest of each, and those that were known as such."""
        rows = self._db.execute(
            "SELECT uid, series FROM part WHERE uid IN (SELECT uid FROM part WHERE uid != '' GROUP BY uid"
            " HAVING COUNT(DISTINCT series) > 1) AND (id = series OR series NOT IN (SELECT id FROM part))"
            " GROUP BY uid, series ORDER BY uid, MIN(created), series"
        )
        by_uid: dict[str, list[str]] = {}
        for uid, series in rows:
            by_uid.setdefault(uid, []).append(series)
        out = {one for one in known if self._has(one)}
        for some in by_uid.values():
            out.update([one for one in some if one not in out][1:])
        return out

    def _has(self, series: str) -> bool:
        return self._db.execute("SELECT 1 FROM part WHERE series = ? LIMIT 1", (series,)).fetchone() is not None
