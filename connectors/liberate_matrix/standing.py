"""What earlier attempts left in a room, by the marks that every event of liberate's carries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from liberate_matrix.contents import SOURCE

SAID: dict[str, Any] = {"types": ["m.room.message", "m.reaction"]}
"""A filter for what people said: what marks are taken from, and what is looked through."""


@dataclass(frozen=True, slots=True)
class Part:
    """One event of a message."""

    id: str
    version: str  # of the item whose text it shows
    sender: str
    edit: str = ""  # the last event that changed it; "" for none
    ts: int = 0  # of that one, else its own


@dataclass(slots=True)
class Standing:
    """The events of one message that are there."""

    parts: dict[str, Part] = field(default_factory=dict)  # by label
    reactions: set[str] = field(default_factory=set)  # labels
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)  # of a version: how many parts, how many reactions

    def whole(self, version: str) -> bool:
        """Whether all of that version is there."""
        parts, reactions = self.counts.get(version, (0, 0))
        there = sum(one.version == version for one in self.parts.values())
        return 0 < parts == there and len(self.reactions) >= reactions

    @property
    def first(self) -> str:
        """The event that stands for the message."""
        return self.parts[min(self.parts, key=order)].id


def order(label: str) -> tuple[int, int]:
    """Sorts the labels of a message's parts as they come."""
    return "tfb".index(label[0]), int(label[1:] or 0)


def mark_of(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """What an event says it is part of; None for other people's."""
    mark = event.get("content", {}).get(SOURCE)
    return mark if isinstance(mark, Mapping) and isinstance(mark.get("part"), str) else None


def collect(newest_first: Iterable[Mapping[str, Any]], keys: set[str]) -> dict[str, Standing]:
    """What there is of the messages with these keys.

    A client that forwards a message copies its mark along, so the oldest event with a mark is the one that counts.
    """
    found: dict[str, Standing] = {}
    edits: list[tuple[str, str, Part]] = []
    for event in newest_first:
        mark = mark_of(event)
        key = mark.get("key") if mark is not None else None
        if mark is None or not isinstance(key, str) or key not in keys:
            continue
        here = found.setdefault(key, Standing())
        label = mark["part"]
        if label.startswith("r"):
            here.reactions.add(label)
            continue
        version = str(mark.get("version", ""))
        relation = event["content"].get("m.relates_to", {})
        id_, sender, ts = event["event_id"], event["sender"], int(event.get("origin_server_ts", 0))
        if relation.get("rel_type") == "m.replace":
            if label not in {known for other, known, _ in edits if other == key}:  # the newest one holds
                edits.append((key, label, Part(relation["event_id"], version, sender, id_, ts)))
        else:
            here.parts[label] = Part(id_, version, sender, ts=ts)
        here.counts.setdefault(version, (int(mark.get("parts", 0)), int(mark.get("reactions", 0))))
    for key, label, part in edits:
        found[key].parts[label] = part
    return found


def until(newest_first: Iterable[dict[str, Any]], marks: Iterable[str | None]) -> Iterator[dict[str, Any]]:
    """The events after the oldest of these marks; None or "" is the beginning of the room, and so is one not found."""
    left: set[str | None] = set(marks)
    for event in newest_first:
        left.discard(event["event_id"])
        if not left:
            return
        yield event
