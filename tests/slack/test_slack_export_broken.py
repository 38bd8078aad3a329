"""Exports with broken files: what is broken is told, and all the rest is read."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from liberate_slack.days import LARGE
from slack_kit import (
    ANNA,
    DAY,
    ROOM,
    TS,
    USERS,
    items,
    listing,
    messages,
    opened,
    said,
    skipped,
    texts,
    ts_of,
    zipped,
)

from liberate.chat import Message

GOOD = json.dumps([said()]).encode()
BROKEN: list[tuple[bytes, list[str], str]] = [
    (b"\xef\xbb\xbf" + GOOD, [TS], ""),
    (GOOD + b"\n\n ", [TS], ""),
    (GOOD.replace(b"hello", b"h\xff\xfe"), [TS], ""),
    (b"[]", [], ""),
    (b"[ ]", [], ""),
    (GOOD + b"trailing", [TS], "Something follows"),
    (GOOD + GOOD, [TS], "Something follows"),
    (GOOD[:-1], [TS], "ends in the middle"),
    (GOOD[:-1] + b", {", [TS], "broken in the middle"),
    (GOOD[:-1] + b' {"a": 1}]', [TS], "broken in the middle"),
    (b'{"messages": []}', [], "not an array"),
    (b"<html>", [], "not an array"),
    (b"", [], "not an array"),
    (b"null", [], "not an array"),
    (b"[" * 100_000, [], "broken in the middle"),
]


@pytest.mark.parametrize(("data", "ts", "why"), BROKEN, ids=range(len(BROKEN)))
def test_a_broken_day_costs_what_is_broken_and_is_told(tmp_path: Path, data: bytes, ts: list[str], why: str) -> None:
    next_day = said("1772100000.000000")
    listed = listing(zipped(tmp_path / "e.zip", {DAY: data, "general/2026-02-26.json": [next_day]}))
    assert ts_of(listed) == [*ts, "1772100000.000000"]
    told = skipped(listed)
    assert [one.code for one in told] == (["broken-file"] if why else [])
    assert all(why in one.why and DAY in one.why for one in told)


@pytest.mark.parametrize("kind", [[[]], {}, None])
def test_a_block_whose_kind_is_no_word_gives_its_words(tmp_path: Path, kind: object) -> None:
    block = {"type": kind, "elements": [{"type": kind, "text": "inside"}]}
    assert texts(zipped(tmp_path / "e.zip", {DAY: [said(text="", blocks=[block])]})) == ["inside"]


def test_a_message_too_deep_to_be_read_is_told_and_ends_nothing(tmp_path: Path) -> None:
    block: dict[str, Any] = {"type": "card", "title": "inside"}
    for _ in range(400):
        block = {"type": "card", "title": "outside", "elements": [block]}
    listed = listing(zipped(tmp_path / "e.zip", {DAY: [said(blocks=[block]), said("1772000001.000000")]}))
    assert [one.code for one in skipped(listed)] == ["too-deep"]
    assert ts_of(listed) == ["1772000001.000000"]


def test_a_damaged_entry_is_told_and_ends_nothing(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "e.zip", {DAY: [said(text="x" * 500)], "general/2026-02-26.json": [said("1772100000.000000")]}
    )
    data = path.read_bytes()
    at = data.index(DAY.encode()) + len(DAY) + 20
    path.write_bytes(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])
    listed = listing(path)
    assert "1772100000.000000" in ts_of(listed)
    assert [one.code for one in skipped(listed)] == ["broken-file"]


def test_a_broken_list_of_people_gives_those_that_can_be_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said()]}, **{"users.json": json.dumps(USERS).encode()[:-40]})
    with opened(path) as source:
        assert source.author(ANNA).name == "Anna"
    assert "users.json" in skipped(listing(path))[0].why


def test_a_day_file_too_large_for_memory_is_read_in_any_order(tmp_path: Path) -> None:
    count = 6000
    big = [said(f"17720{n:05d}.000000", f"{n} " + "x" * 800) for n in reversed(range(count))]
    path = zipped(tmp_path / "e.zip", {DAY: big})
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo(DAY).file_size > LARGE
    found = texts(path)
    assert [int(one.split()[0]) for one in found] == list(range(count))


def test_no_lone_surrogate_reaches_a_ledger(tmp_path: Path) -> None:
    file = {
        "id": "F1",
        "name": "a\ud800",
        "size": 5,
        "mode": "hosted",
        "url_private": "https://files.slack.com/a?t=xoxe-1",
    }
    raw = said(files=[file], reactions=[{"name": "x\ud800", "users": ["U\0"], "count": 1}])
    channel = {"id": ROOM, "name": "general", "topic": {"value": "\ud800"}}
    path = zipped(tmp_path / "e.zip", {DAY: [raw]}, **{"channels.json": [channel]})
    with opened(path) as source:
        (room,) = source.collections()
        assert source.room(room).topic == "�"
        for item in items(list(source.items(room, None))):
            f"{item!r}{item.facts.dump() if item.facts else ''}".encode()
            assert "\0" not in repr(item)
    assert Message.load(messages(path)[0].dump()).files[0].name == "a�"
