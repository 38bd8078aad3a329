"""A room's listing as it goes on: what has been told, and which messages are one and the same."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from liberate.chat import (
    Block,
    Bullets,
    Heading,
    Inline,
    Link,
    Mention,
    Message,
    Paragraph,
    Quote,
    Table,
    Text,
    words,
)
from liberate_slack.convert import Room, is_reply, is_said, micros, raw_files, stamp
from liberate_slack.files import external, file_id
from liberate_slack.letters import clean
from liberate_slack.mrkdwn import is_permalink
from liberate_slack.names import message_id

_USUAL = re.compile(r"[0-9]{10}\.[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Found:
    """A message where it was found."""

    entry: int  # number in the archive; 0 where there is none
    position: int  # in its day file, or in the order in which Slack told it
    micros: int  # -1: it has no time
    value: Any


class Listing:
    """What one listing of a room has come across so far."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.files: set[str] = set()
        self._times = array("q")  # of the messages that may begin a thread, oldest first: 8 bytes each
        self._odd: set[str] = set()  # ids of those whose `ts` is not written as Slack writes it

    def said(self, id_: str) -> None:
        """The message is listed, and in no thread: it may begin one."""
        ts = id_.rpartition("/")[2]
        if "~" in ts:
            return
        if _USUAL.fullmatch(ts):
            self._times.append(micros(ts) or 0)
        else:
            self._odd.add(id_)

    def has(self, id_: str) -> bool:
        """Whether the message was listed and may begin a thread: programs answer answers, and nothing knows such."""
        ts = id_.rpartition("/")[2]
        if not _USUAL.fullmatch(ts):
            return id_ in self._odd
        time = micros(ts) or 0
        at = bisect_left(self._times, time)
        return at < len(self._times) and self._times[at] == time

    def pass_over(self, group: Sequence[Found]) -> None:
        """What an earlier listing has told already."""
        for found in group:
            if not isinstance(found.value, dict) or not is_said(found.value, self.room):
                continue
            if not is_reply(found.value):
                self.said(message_id(self.room.id, stamp(found.value.get("ts"))))
            self.files.update(
                file_id(self.room.id, clean(raw.get("id")))
                for raw in raw_files(found.value)
                if not external(raw) and not self.room.why_not(raw)
            )


def groups(ordered: Iterable[Found]) -> Iterator[list[Found]]:
    """Messages of the same time together: they may be the same message twice."""
    group: list[Found] = []
    for found in ordered:
        if group and (found.micros != group[0].micros or found.micros < 0):
            yield group
            group = []
        group.append(found)
    if group:
        yield group


def same(one: Message, other: Message) -> bool:
    """Whether they are the same message; archives that were merged have one with reactions and one without."""
    bare = [replace(each, reactions=(), broadcast=False) for each in (one, other)]
    return bare[0] == bare[1]


def nameless(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """The blocks without the names of whom they mention: nobody edits a message by taking another name.

    Nor does it matter which rooms are known: a message's address is a mention of it or a link.
    """
    if not any(isinstance(one, Mention | Link) for one in words(blocks)):
        return tuple(blocks)
    return tuple(_nameless(block) for block in blocks)


def _nameless(block: Block) -> Block:
    match block:
        case Paragraph(parts) | Heading(parts):
            return replace(block, parts=_line(parts))
        case Quote(inner):
            return Quote(nameless(inner))
        case Bullets(entries):
            return replace(block, entries=tuple(map(nameless, entries)))
        case Table(rows):
            return Table(tuple(tuple(_line(cell) for cell in row) for row in rows))
    return block


def _line(parts: Sequence[Inline]) -> tuple[Inline, ...]:
    return tuple(map(_unnamed, parts))


def _unnamed(part: Inline) -> Inline:
    match part:
        case Link(url, text) if url == text and is_permalink(url):
            return Text(url)
        case Mention("message", label=label) if is_permalink(label):
            return Text(label)
        case Mention(to) if to != "everybody":
            return replace(part, label="")
    return part
