"""All that stands in one room by its marks, for a job that cannot tell where its own part of the room begins.

A room may hold a million messages, and such a job asks for a hundred of them at a time: the room is read once, and
what the marks say is kept in a file that the system takes away by itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from liberate_matrix.contents import SOURCE
from liberate_matrix.standing import Standing, collect, mark_of

_TOGETHER = 500  # keys asked for at once: below SQLite's limit of parameters


class Room:
    """The marked events of a room as it was when it was read."""

    def __init__(self, newest_first: Iterable[Mapping[str, Any]]) -> None:
        self._table = sqlite3.connect("")  # a file without a name, gone when it is closed
        self._table.execute("CREATE TABLE event (number INTEGER PRIMARY KEY, key TEXT, event TEXT)")
        self._table.executemany("INSERT INTO event (key, event) VALUES (?, ?)", _lines(newest_first))
        self._table.execute("CREATE INDEX by_key ON event (key)")

    def close(self) -> None:
        self._table.close()

    def standing(self, keys: Sequence[str]) -> dict[str, Standing]:
        """What there is of the messages with these keys."""
        out: dict[str, Standing] = {}
        for at in range(0, len(keys), _TOGETHER):
            some = keys[at : at + _TOGETHER]
            asked = f"SELECT event FROM event WHERE key IN ({','.join('?' * len(some))}) ORDER BY number"  # noqa: S608
            found = (json.loads(line) for (line,) in self._table.execute(asked, some))
            out |= collect(found, set(some))
        return out


def _lines(events: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    """Of each marked event the little that its standing is made of: none of its words."""
    for event in events:
        mark = mark_of(event)
        if mark is None or not isinstance(mark.get("key"), str):
            continue
        content: dict[str, Any] = {SOURCE: mark}
        relation = event["content"].get("m.relates_to")
        if isinstance(relation, Mapping):
            content["m.relates_to"] = {name: relation.get(name) for name in ("rel_type", "event_id")}
        told = {name: event[name] for name in ("event_id", "sender", "origin_server_ts") if name in event}
        told["content"] = content
        yield mark["key"], json.dumps(told)
