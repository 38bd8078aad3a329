"""What the tests of the Web API share: a stand-in, a source opened on it, and a clock that nobody waits for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from liberate_slack.api import SlackSource
from liberate_slack.connectors import slack
from liberate_slack.pace import Pacer
from liberate_slack.standin.api import USER_TOKEN, SlackStandin
from liberate_slack.standin.export import Shape
from pydantic import SecretStr

from liberate.chat import Message
from liberate.connector import Account, Collection, Cursor, Gone, Item, Kind, Listed, Skipped
from liberate.testing.clock import Clock

ROOM = "C0CHANNEL0"
SMALL = Shape(messages=3, layout="public", channels=1, plain=True)  # three messages, 613 seconds apart
FIRST, SECOND, THIRD = "1772000000.000000", "1772000613.007919", "1772001226.015838"
DAY = 86_400


def ts(seconds: int) -> str:
    """A `ts` that many seconds after the first message of SMALL."""
    return f"{1_772_000_000 + seconds}.000500"


@contextmanager
def source(
    standin: SlackStandin, token: str = USER_TOKEN, clock: Clock | None = None, **settings: Any
) -> Iterator[SlackSource]:
    """The workspace as a source that waits on `clock`."""
    clock = clock or Clock(0.0)
    given = slack.settings(token=SecretStr(token), endpoint=standin.url, **settings)
    opened = SlackSource(given, Account(""), Pacer(published=False, clock=clock, sleep=clock.sleep))
    try:
        yield opened
    finally:
        opened.close()


def room_of(opened: SlackSource, room: str = ROOM) -> Collection:
    """A room's collection."""
    return next(one for one in opened.collections() if one.id == room)


def listing(standin: SlackStandin, since: Cursor | None = None, room: str = ROOM, **settings: Any) -> list[Listed]:
    """What a room's listing yields."""
    with source(standin, **settings) as opened:
        return list(opened.items(room_of(opened, room), since))


def cursor_of(listed: list[Listed]) -> Cursor:
    """The last cursor of a listing."""
    return next(one for one in reversed(listed) if isinstance(one, str))


def items(listed: list[Listed]) -> list[Item]:
    return [one for one in listed if isinstance(one, Item)]


def ts_of(listed: list[Listed]) -> list[str]:
    """The `ts` of the messages that were listed, in their order."""
    return [one.id.partition("/")[2] for one in items(listed) if one.kind is Kind.CHAT]


def gone(listed: list[Listed]) -> list[str]:
    """The `ts` of the messages that are told as gone."""
    return [one.id.partition("/")[2] for one in listed if isinstance(one, Gone)]


def codes(listed: list[Listed]) -> list[str]:
    """The codes of what is left out."""
    return [one.code for one in listed if isinstance(one, Skipped)]


def message(opened: SlackSource, item: Item) -> Message:
    return Message.load(b"".join(opened.read(item)))
