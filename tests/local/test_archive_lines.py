"""Lines of a chat archive: whole or cut, by whichever process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from liberate_local.archive_lines import (
    FactsLine,
    FileLine,
    Line,
    Lines,
    MessageLine,
    RemovedLine,
    body_span,
    dump,
    load,
    message_line,
)

from liberate.chat import ChatFacts, Emoji, Message, Paragraph, Reaction, Text
from liberate.testing.memory_chat import BEGIN

KEY = "0123456789abcdef" * 2
BODY = Message("m1", "U1", BEGIN, (Paragraph((Text('}\n"key":"\u2028 \ud800 <b>'),)),)).dump()


@pytest.mark.parametrize(
    "line",
    [
        FactsLine(KEY, ChatFacts((Reaction(Emoji("+1", "👍"), ("U1",), 3),), pinned=True)),
        FactsLine(KEY, ChatFacts()),
        FileLine(KEY, 'F"1\n', "a (2).png", 12, "0" * 64),
        RemovedLine(KEY),
    ],
    ids=lambda line: type(line).__name__,
)
def test_a_line_says_what_it_was_made_of(line: FactsLine | FileLine | RemovedLine) -> None:
    made = dump(line)
    assert made.count(b"\n") == 1
    assert load(made) == line


def test_the_body_of_a_message_stands_in_its_line_unaltered() -> None:
    made = message_line(KEY, BODY)
    line = load(made)
    assert isinstance(line, MessageLine)
    assert (line.key, line.body) == (KEY, BODY)
    at, length = body_span(7, len(made))
    assert made[at - 7 : at - 7 + length] == BODY


@pytest.mark.parametrize(
    "damaged",
    [
        b"", b"\n", b"\0" * 40 + b"\n", b"[]\n", b'{"is":"file"}\n', b'{"is":"other","key":"1"}\n', b'"is"\n',
        message_line(KEY, BODY).replace(b"m1", b"m2"), message_line(KEY, BODY)[:-2] + b"\n",
        b'{"is":"facts","key":"1","facts":[1]}\n',
    ],
)  # fmt: skip
def test_a_damaged_line_says_nothing(damaged: bytes) -> None:
    assert load(damaged) is None


def whole(lines: Lines) -> list[Line | None]:
    return [load(line) for _, line in lines.read()]


@pytest.mark.parametrize("cut", range(1, len(message_line(KEY, BODY)) + 1, 7))
def test_what_was_torn_is_cut_and_the_next_line_stands_whole(tmp_path: Path, cut: int) -> None:
    path = os.fsencode(tmp_path / "messages.jsonl")
    lines = Lines(path)
    first = dump(RemovedLine("a" * 32))
    assert lines.append([first]) == [0]
    with open(path, "ab") as file:
        file.write(message_line(KEY, BODY)[:-cut])
    assert whole(lines) == [RemovedLine("a" * 32)]
    assert lines.append([message_line(KEY, BODY), first]) == [len(first), len(first) + len(message_line(KEY, BODY))]
    assert [type(one) for one in whole(lines)] == [RemovedLine, MessageLine, RemovedLine]


def test_a_torn_line_longer_than_one_look_back_is_cut(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path / "messages.jsonl")
    lines = Lines(path)
    lines.append([dump(RemovedLine("a" * 32))])
    with open(path, "ab") as file:
        file.write(b"x" * 200_000)
    lines.settle()
    assert os.path.getsize(path) == len(dump(RemovedLine("a" * 32)))


def test_a_disk_that_is_full_leaves_nothing_of_the_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = os.fsencode(tmp_path / "messages.jsonl")
    lines = Lines(path)
    lines.append([dump(RemovedLine("a" * 32))])
    before = Path(os.fsdecode(path)).read_bytes()
    real = os.pwrite

    def full(handle: int, data: bytes, at: int) -> int:
        if at > len(before):
            raise OSError(28, "No space left on device")
        return real(handle, bytes(data)[:10], at)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space"):
        lines.append([message_line(KEY, BODY)])
    assert Path(os.fsdecode(path)).read_bytes() == before


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    program = (
        "import os, sys; from liberate_local.archive_lines import *\n"
        "lines = Lines(os.fsencode(sys.argv[1]))\n"
        "for n in range(60): lines.append([dump(RemovedLine(sys.argv[2] * 32))] * 3)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in "abc"]
    assert [one.wait(60) for one in running] == [0, 0, 0]
    said = whole(Lines(os.fsencode(path)))
    assert len(said) == 3 * 180
    assert all(isinstance(one, RemovedLine) for one in said)
    for at in range(0, len(said), 3):
        assert said[at] == said[at + 1] == said[at + 2]
