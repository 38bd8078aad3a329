"""The made-up exports are the same each time, and have the members and types that Slack publishes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from liberate_slack.standin import Shape, make_export
from liberate_slack.standin.said import KINDS
from slack_shapes import merge, shape, strange


def entries(path: Path) -> Iterator[tuple[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        for one in archive.infolist():
            yield one.filename, json.loads(archive.read(one))


def said(path: Path) -> Iterator[dict[str, Any]]:
    for name, value in entries(path):
        if name.rpartition("/")[2].startswith("2026-"):
            yield from value


# Blocks and rich text are unions, of which the samples show each element with the members of one.
_UNIONS = frozenset({"blocks"})


def test_made_up_messages_have_the_members_and_types_that_slack_publishes(samples: Path, tmp_path: Path) -> None:
    known: dict[str, Any] = {}
    for name in ("conversations.history.json", "conversations.replies.json"):
        for message in json.loads((samples / name).read_text())["messages"]:
            merge(known, shape(message))
    files = shape(json.loads((samples / "files.list.json").read_text())["files"])["[]"]
    merge(files, known["files"]["[]"])
    known["files"]["[]"] = files
    for message in said(make_export(tmp_path / "e.zip").path):
        plain = {name: one for name, one in message.items() if name not in _UNIONS}
        if plain.get("ts") == "NaN" or not isinstance(plain.get("ts"), str):
            continue
        assert list(strange(plain, known, "message")) == []
    for fault in ({"user": 1}, {"files": [{"size": "1"}]}, {"reactions": [{"nmae": "eyes"}]}, {"text": ["x"]}):
        assert list(strange(fault, known, "message")), fault  # the comparison can fail


def test_made_up_people_and_rooms_have_the_members_and_types_that_slack_publishes(
    samples: Path, tmp_path: Path
) -> None:
    people = shape(json.loads((samples / "users.list.json").read_text())["members"])["[]"]
    rooms = shape(json.loads((samples / "conversations.list.json").read_text())["channels"])["[]"]
    found = dict(entries(make_export(tmp_path / "e.zip").path))
    assert [one for user in found["users.json"] for one in strange(user, people, "user")] == []
    listed = [one for name in ("channels.json", "groups.json", "mpims.json", "dms.json") for one in found[name]]
    bare = [{name: one for name, one in room.items() if name != "members"} for room in listed]  # exports only
    assert [one for room in bare for one in strange(room, rooms, "room")] == []


def test_the_same_shape_makes_the_same_bytes_and_holds_each_kind(tmp_path: Path) -> None:
    one, other = make_export(tmp_path / "a.zip"), make_export(tmp_path / "b.zip")
    assert one.path.read_bytes() == other.path.read_bytes()
    assert make_export(tmp_path / "c.zip", Shape(seed=2)).path.read_bytes() != one.path.read_bytes()
    subtypes = {message.get("subtype") for message in said(one.path)}
    assert {"bot_message", "me_message", "thread_broadcast", "channel_topic", "huddle_thread", "tombstone"} <= subtypes
    assert len(KINDS) <= Shape().messages


@pytest.mark.torture
@pytest.mark.parametrize("rooms", [1, 50])
def test_a_million_messages_are_read_in_150_megabytes_and_again_in_ten_seconds(tmp_path: Path, rooms: int) -> None:
    path = tmp_path / "big.zip"
    make_export(path, Shape(plain=True, layout="public", channels=rooms, messages=1_000_000 // rooms, users=200))
    first = _listed(path, tmp_path / "cursors.json")
    assert first["items"] == 1_000_000
    assert first["peak"] < 150 << 20
    again = _listed(path, tmp_path / "cursors.json")
    assert again["items"] == 0
    assert again["cpu"] < 10


_LISTING = """
import json, pathlib, resource, sys, time
from liberate.connector import Account, Item
from liberate_slack.connectors import slack_export
kept = pathlib.Path(sys.argv[2])
cursors = json.loads(kept.read_text()) if kept.exists() else {}
items = 0
with slack_export.source(slack_export.settings(path=sys.argv[1]), Account("")) as source:
    for room in list(source.collections()):
        for one in source.items(room, cursors.get(room.id)):
            if isinstance(one, Item):
                items += 1
                b"".join(source.read(one))
            elif isinstance(one, str):
                cursors[room.id] = one
kept.write_text(json.dumps(cursors))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"items": items, "peak": peak, "cpu": time.process_time()}))
"""


def _listed(path: Path, cursors: Path) -> dict[str, Any]:
    command = [sys.executable, "-c", _LISTING, str(path), str(cursors)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=dict(os.environ))
    found: dict[str, Any] = json.loads(done.stdout)
    return found
