"""Where messages begin and end in mbox files, and what is done to their "From " lines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liberate_local.mbox_format import ReadAt, Span, spans, starts_like_mbox, unquoted
from liberate_local.mbox_message import content, describe

LINE = b"From anna@example.coop Mon Apr 07 14:31:02 2025\n"
TAKEOUT = b"From 1828754568043628583@xxx Mon Apr 07 14:31:02 +0000 2025\r\n"
MOMENT = datetime(2025, 4, 7, 14, 31, 2, tzinfo=UTC)


def reader(data: bytes) -> ReadAt:
    return lambda offset, n: data[offset : offset + n]


def split(data: bytes, **options: object) -> list[bytes | int]:
    found = spans(reader(data), **options)  # type: ignore[arg-type]
    return [one if isinstance(one, int) else data[one.start : one.end] for one in found]


@pytest.mark.parametrize(
    ("line", "moment"),
    [
        (LINE, MOMENT),
        (TAKEOUT, MOMENT),
        (b"From a Mon Apr  7 14:31:02 2025 +0200\n", MOMENT - timedelta(hours=2)),
        (b"From a  Mon Apr  7 14:31:02 PST 2025\n", MOMENT + timedelta(hours=8)),
        (b"From a@b Mon Apr  7 14:31:02 MET DST 2025\n", MOMENT - timedelta(hours=1)),
        (b"From - Mon Apr 07 14:31:02 2025\n", MOMENT),
        (b"From a@b Mon, 07 Apr 2025 14:31:02 +0000\n", MOMENT),
        (b"From a@b Mon Apr  7 14:31 2025\n", MOMENT.replace(second=0)),
        (b"From a!b Mon Apr  7 14:31:02 2025 remote from uucp\n", MOMENT),
        (b"From MAILER-DAEMON Mon Apr  7 14:31:02 2025", MOMENT),
        (b"From a@b Mon Apr 31 14:31:02 2025\n", None),
    ],
)
def test_a_from_line_says_when_the_message_arrived(line: bytes, moment: datetime | None) -> None:
    [span] = spans(reader(line + (b"\n" if not line.endswith(b"\n") else b"")))
    assert isinstance(span, Span)
    assert span.received == moment


@pytest.mark.parametrize(
    "text",
    [
        b"From here on we meet on Mondays\n",
        b"From: anna@example.coop\n",
        b"From the meeting on Mon Apr  7 14:31:02 2025\nwe keep this.\n",
        b"From Monday on\n",
        b"From \n",
        b"Fromage Mon Apr  7 14:31:02 2025\n",
        b"From a@b Mon Apr  7\n",
        b" From a@b Mon Apr  7 14:31:02 2025\n",
        b">From a@b Mon Apr  7 14:31:02 2025\n",
        b"From " + b"x" * 5000 + b" Mon Apr  7 14:31:02 2025\n",
    ],
)
def test_a_line_of_text_separates_nothing(text: bytes) -> None:
    message = b"Subject: x\n\nHello.\n\n" + text + b"\nmore\n"
    assert split(LINE + message + b"\n" + LINE + b"\n") == [message, b""]


def test_a_from_line_behind_text_without_a_blank_line_is_text() -> None:
    message = b"Subject: x\n\nHello.\n" + LINE + b"more\n"
    assert split(LINE + message + b"\n") == [message]


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"", []),
        (LINE, [b""]),
        (LINE + b"A: 1\n", [b"A: 1\n"]),
        (LINE + b"A: 1\n\nbody", [b"A: 1\n\nbody"]),
        (LINE + b"A: 1\n\nbody\n\n", [b"A: 1\n\nbody\n"]),
        (LINE + b"A: 1\n\nbody\n\n\n", [b"A: 1\n\nbody\n\n"]),
        (LINE + b"\n" + LINE + b"\n", [b"", b""]),
        (
            TAKEOUT + b"A: 1\r\n\r\nx\r\n\r\n" + TAKEOUT + b"B: 2\r\n\r\ny\r\n\r\n",
            [b"A: 1\r\n\r\nx\r\n", b"B: 2\r\n\r\ny\r\n"],
        ),
        (b"\xef\xbb\xbf" + LINE + b"A: 1\n", [b"A: 1\n"]),
        (b"junk\n\n" + LINE + b"A: 1\n", [5, b"A: 1\n"]),
        (b"only junk\n", [10]),
        (b"From \nA: 1\n\nx\n\nFrom \nB: 2\n", [b"A: 1\n\nx\n", b"B: 2\n"]),
        (
            b"From - Mon Apr 07 14:31:02 2025\nX-Mozilla-Status: 0001\n\nx\nFrom \nX-Mozilla-Status: 0001\n\ny\n",
            [b"X-Mozilla-Status: 0001\n\nx\n", b"X-Mozilla-Status: 0001\n\ny\n"],
        ),
    ],
)
def test_files_as_the_world_sends_them_are_split(data: bytes, messages: list[bytes | int]) -> None:
    assert split(data) == messages


def test_a_content_length_that_lands_on_a_separator_is_believed_and_no_other() -> None:
    body = b"Forwarded:\n\n" + LINE + b"Inner: 1\n\ntext\n"

    def message(length: int) -> bytes:
        return b"Content-Length: %d\n\n" % length + body

    right, wrong = message(len(body)), message(len(body) - 7)
    assert split(LINE + right + b"\n" + LINE + b"\n") == [right, b""]
    assert split(LINE + right) == [right]
    assert split(LINE + right + b"\n") == [right]
    assert len(split(LINE + wrong + b"\n" + LINE + b"\n")) == 3
    assert len(split(LINE + right, content_length=False)) == 2


def test_a_message_of_a_counted_length_is_never_unquoted() -> None:
    body = b">From x\n"
    data = LINE + b"Content-Length: %d\n\n" % len(body) + body
    [span] = spans(reader(data))
    assert isinstance(span, Span)
    assert b"".join(content(reader(data), span, "auto")).endswith(b"\n\n>From x\n")


@pytest.mark.parametrize(
    ("quoting", "body", "expected"),
    [
        ("auto", b">From x\n>>From y\n> From z\n", b"From x\n>From y\n> From z\n"),
        ("mboxrd", b">From x\nFrom y z\n", b"From x\nFrom y z\n"),
        ("auto", b">From x\nFrom y z\n", b">From x\nFrom y z\n"),
        ("none", b">From x\n", b">From x\n"),
        ("auto", b"a >From x\n", b"a >From x\n"),
    ],
)
@pytest.mark.parametrize("padding", [b"", b"x" * 70 + b"\n"])
def test_quoting_is_undone_where_it_was_done(quoting: str, body: bytes, expected: bytes, padding: bytes) -> None:
    head = b"A: 1\n\n" + padding * 200_000  # empty, or more than is held at once
    data = LINE + head + body
    [span] = spans(reader(data))
    assert isinstance(span, Span)
    out = b"".join(content(reader(data), span, quoting))  # type: ignore[arg-type]
    assert out[len(head) :] == expected
    assert describe(reader(data), span, quoting).size == len(out)  # type: ignore[arg-type]


LINES = st.lists(
    st.sampled_from(
        [b"", b"text", b"From x", b">From x", b">>From y", LINE[:-1], b"A: b", b"x" * 3000, b"\r", b"From"]
    ),
    max_size=12,
)


@given(st.lists(LINES, max_size=6), st.integers(1, 9000))
def test_what_mboxrd_joined_is_split_again_whatever_the_chunks(bodies: list[list[bytes]], chunk: int) -> None:
    messages = [b"Subject: s\n\n" + b"".join(line + b"\n" for line in body) for body in bodies]
    data = b"".join(LINE + b"".join(_quoted_lines(message)) + b"\n" for message in messages)
    found = [one for one in spans(reader(data), chunk=chunk) if isinstance(one, Span)]
    assert [b"".join(content(reader(data), span, "mboxrd")) for span in found] == messages
    assert [describe(reader(data), span, "mboxrd").size for span in found] == [len(message) for message in messages]


def _quoted_lines(message: bytes) -> list[bytes]:
    lines = message.split(b"\n")
    return [
        (b">" if line.lstrip(b">").startswith(b"From ") else b"") + line + (b"\n" if at < len(lines) - 1 else b"")
        for at, line in enumerate(lines)
    ]


@given(st.binary(max_size=300), st.integers(1, 200))
def test_no_bytes_are_lost_and_none_doubled(noise: bytes, chunk: int) -> None:
    data = LINE + noise + b"\n\n" + LINE + noise
    found = [one for one in spans(reader(data), chunk=chunk) if isinstance(one, Span)]
    assert found == [one for one in spans(reader(data)) if isinstance(one, Span)]
    assert found[0].start == len(LINE)
    for before, after in pairwise(found):
        between = data[before.end : after.start]
        assert between.strip(b"\r\n").startswith(b"From")
        assert len(between.splitlines()) <= 3


@pytest.mark.parametrize(
    ("head", "answer"),
    [
        (b"", True),
        (LINE, True),
        (b"\n\n" + LINE, True),
        (b"Subject: x\n", False),
        (b"From: x\n", False),
        (b"PK\3\4", False),
    ],
)
def test_an_mbox_is_told_from_other_files_by_its_first_line(head: bytes, answer: bool) -> None:
    assert starts_like_mbox(head) is answer


def test_unquoting_leaves_the_middle_of_a_line_alone() -> None:
    assert unquoted(b">From a\n>From b\n", at_line_start=False) == b">From a\nFrom b\n"
