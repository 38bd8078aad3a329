"""What the tests of Slack's connector share: exports written by hand, and a source opened on them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liberate_slack.connectors import slack_export
from liberate_slack.emoji import Emojis
from liberate_slack.names import Names
from liberate_slack.source import SlackExportSource

from liberate.chat import Message, plain
from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Skipped

ROOM = "C0GENERAL"
ANNA, BO, BUILDER = "U0ANNA000", "U0BO00000", "U0BUILDER"
TS = "1772000000.000100"
DAY = "general/2026-02-25.json"  # the day file in which that message is
USERS = [
    {"id": ANNA, "team_id": "T1", "name": "anna", "profile": {"display_name": "Anna", "email": "anna@solros.example"}},
    {"id": BO, "team_id": "T1", "name": "bo", "profile": {"real_name": "Bo B"}, "deleted": True},
    {"id": BUILDER, "team_id": "T1", "name": "builder", "is_bot": True, "profile": {"real_name": "Builder"}},
]
CHANNELS = [{"id": ROOM, "name": "general", "members": [ANNA, BO], "created": 1_700_000_000}]


def names() -> Names:
    """A workspace that knows Anna, Bo, a program, a room, a group and two emoji of its own."""
    own = {
        "solros": "https://e/s.png",
        "sun": "alias:solros",
        "party": "alias:tada",
        "ring1": "alias:ring2",
        "ring2": "alias:ring1",
    }
    return Names({ANNA: "Anna", BO: "Bo"}, {ROOM: "general"}, {"S1": "board"}, frozenset({BUILDER}), Emojis(own))


def said(ts: str = TS, text: str = "hello", **more: Any) -> dict[str, Any]:
    """A message of Anna's."""
    return {"type": "message", "user": ANNA, "ts": ts, "text": text, **more}


def zipped(path: Path, entries: Mapping[str, Any] | Sequence[tuple[str, Any]], **usual: Any) -> Path:
    """A ZIP with these entries, JSON or bytes; with people and a channel unless they are given as None."""
    given = list(entries.items()) if isinstance(entries, Mapping) else list(entries)
    have = {"users.json": USERS, "channels.json": CHANNELS, **usual}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, value in [*have.items(), *given]:
            if value is not None:
                archive.writestr(name, value if isinstance(value, bytes) else json.dumps(value))
    return path


@contextmanager
def opened(path: Path, **settings: Any) -> Iterator[SlackExportSource]:
    """The export as a source."""
    assert slack_export.source is not None
    with slack_export.source(slack_export.settings(path=str(path), **settings), Account("")) as source:
        assert isinstance(source, SlackExportSource)
        yield source


def listing(path: Path, room: str = ROOM, since: Cursor | None = None, **settings: Any) -> list[Listed]:
    """What a room's listing yields."""
    with opened(path, **settings) as source:
        return list(source.items(room_of(source, room), since))


def room_of(source: SlackExportSource, room: str = ROOM) -> Collection:
    """The room's collection."""
    return next(one for one in source.collections() if one.id == room)


def messages(path: Path, room: str = ROOM, **settings: Any) -> list[Message]:
    """A room's messages as a destination gets them."""
    with opened(path, **settings) as source:
        listed = list(source.items(room_of(source, room), None))
        return [Message.load(b"".join(source.read(one))) for one in items(listed) if one.kind is Kind.CHAT]


def texts(path: Path, room: str = ROOM, **settings: Any) -> list[str]:
    """The words of a room's messages."""
    return [plain(one.blocks) for one in messages(path, room, **settings)]


def items(listed: Sequence[Listed]) -> list[Item]:
    """The items among what was listed."""
    return [one for one in listed if isinstance(one, Item)]


def skipped(listed: Sequence[Listed]) -> list[Skipped]:
    """What was listed as left out."""
    return [one for one in listed if isinstance(one, Skipped)]


def ts_of(listed: Sequence[Listed]) -> list[str]:
    """The `ts` of the messages, in the order in which they were listed."""
    return [one.id.partition("/")[2] for one in items(listed) if one.kind is Kind.CHAT]
