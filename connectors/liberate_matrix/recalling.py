"""What a room holds of a message, as one of its members sees it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from liberate.chat import Recalled
from liberate.connector import Receipt
from liberate_matrix import refusals
from liberate_matrix.client import Client
from liberate_matrix.contents import SOURCE, text_of
from liberate_matrix.standing import SAID, Part, mark_of, order

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def recall(client: Client, reader: str, receipt: Receipt) -> Recalled:
    """The message whose first event the receipt names. Raises ItemError("gone")."""
    events = dict(_events(client, reader, receipt.place, receipt.id))
    first = events[min(events, key=order)]
    texts = [shown(events[label]) for label in sorted(events, key=order) if label != "b"]
    relation = first["content"].get("m.relates_to", {})
    annotations = client.relations(reader, receipt.place, receipt.id, "m.annotation")
    return Recalled(
        first["sender"],
        _EPOCH + timedelta(milliseconds=first["origin_server_ts"]),
        "".join(text_of(content) for content in texts),
        tuple(str(content["url"]) for content in texts if "url" in content),
        str(relation["event_id"]) if relation.get("rel_type") == "m.thread" else "",
        frozenset((one["content"]["m.relates_to"]["key"], one["sender"]) for one in annotations),
    )


def parts(client: Client, reader: str, room: str, first: str) -> dict[str, Part]:
    """The events of a message by their labels, each with the version that it shows now."""
    out = {}
    for label, event in _events(client, reader, room, first):
        mark = shown(event).get(SOURCE, {})
        edit = event.get("unsigned", {}).get("m.relations", {}).get("m.replace", {})
        ts = max(int(one.get("origin_server_ts", 0)) for one in (event, edit))
        version = str(mark.get("version", ""))
        out[label] = Part(event["event_id"], version, event["sender"], str(edit.get("event_id", "")), ts)
    return out


def _events(client: Client, reader: str, room: str, first: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The message's events: the first one, and those of its parts that follow it."""
    event = client.event(reader, room, first)
    mark = mark_of(event)
    if mark is None:
        raise refusals.gone()  # emptied, or none of ours
    yield mark["part"], event
    left = int(shown(event).get(SOURCE, mark).get("parts", 1)) - 1
    if left <= 0 and int(mark.get("parts", 1)) <= 1:
        return
    seen = {mark["part"]}
    left = max(left, int(mark.get("parts", 1)) - 1)
    for one in client.following(reader, room, first, SAID):
        other = mark_of(one)
        if other is None or other.get("key") != mark["key"] or other["part"] in seen or other["part"].startswith("r"):
            continue
        if one["content"].get("m.relates_to", {}).get("rel_type") == "m.replace":
            continue
        seen.add(other["part"])
        yield other["part"], one
        left -= 1
        if left == 0:
            return


def shown(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event's content after the last edit by its own sender."""
    edit = event.get("unsigned", {}).get("m.relations", {}).get("m.replace")
    if isinstance(edit, Mapping) and edit.get("sender") == event["sender"]:
        new = edit.get("content", {}).get("m.new_content")
        if isinstance(new, Mapping):
            return new
    content = event["content"]
    return content if isinstance(content, Mapping) else {}
