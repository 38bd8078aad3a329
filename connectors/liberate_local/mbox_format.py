"""Where messages begin and end in an mbox file, and what their writers did to them. Pure.

There is no standard. RFC 4155 describes the common ground; https://www.jwz.org/doc/content-length.html
and the qmail mbox(5) page the variants mboxo, mboxrd, mboxcl and mboxcl2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

ReadAt: TypeAlias = Callable[[int, int], bytes]
"""read_at(offset, n): n bytes, fewer only at the end of the file."""

Quoting = Literal["auto", "mboxrd", "none"]

CHUNK = 2 << 20
_LONGEST_LINE = 1200  # a From_ line is never longer; what is, is text
_BEFORE = 4  # bytes before a From_ line that say whether it follows a blank one

_DAYS = rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_MONTH = rb"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = rb"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d))?"
_ZONE = rb"(?:[A-Z]{1,5}|[+-]\d{4}|\([^)]*\))"
_FROM_LINE = re.compile(
    rb"From (?P<who>.*?) *\b(?:"
    # asctime, with the zone where it was put over the years: before the year (Takeout), behind it, or twice
    + _DAYS + rb",? +" + _MONTH + rb" +(?P<day>\d{1,2}) +" + _TIME
    + rb"(?: +(?P<zone>" + _ZONE + rb"))?(?: +" + _ZONE + rb")? +(?P<year>\d{4})(?: +(?P<zone2>" + _ZONE + rb"))?"
    # RFC 5322
    + rb"|" + _DAYS + rb", +(?P<day3>\d{1,2}) +" + _MONTH.replace(b"month", b"month3") + rb" +(?P<year3>\d{4}) +"
    + re.sub(rb"<(\w+)>", rb"<\g<1>3>", _TIME) + rb"(?: +(?P<zone3>" + _ZONE + rb"))?(?: +" + _ZONE + rb")?"
    + rb")(?: +remote from .*)?[ \t]*\r?\n?\Z",
    re.IGNORECASE,
)  # fmt: skip
_HEADER_LINE = re.compile(rb"(?:[!-9;-~]+[ \t]*:|>From )")
_THUNDERBIRD = re.compile(rb"From (?:- [^\n]*)?\r?\n(?:X-Mozilla-|X-Account-Key:|X-UIDL:)")
_BARE = re.compile(rb"From \r?\n")

_ZONES = {b"GMT": 0, b"UTC": 0, b"UT": 0, b"Z": 0, b"EST": -5, b"EDT": -4, b"CST": -6, b"CDT": -5,
          b"MST": -7, b"MDT": -6, b"PST": -8, b"PDT": -7, b"CET": 1, b"CEST": 2, b"MET": 1, b"MEST": 2,
          b"EET": 2, b"EEST": 3, b"WET": 0, b"WEST": 1, b"BST": 1}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Span:
    """One message: its bytes are those from `start` to before `end`, as they stand in the file."""

    start: int
    end: int
    received: datetime | None = None  # by its From_ line: in UTC unless the line names a zone; None: it does not say
    counted: bool = False  # its end is where its Content-Length says: an mboxcl2 file, where nothing is quoted


def _received(found: re.Match[bytes] | None) -> datetime | None:
    if not found:
        return None
    suffix = "3" if found["day3"] else ""
    try:
        moment = datetime(
            int(found["year" + suffix]),
            _MONTHS.index(found["month" + suffix].lower()) + 1,
            int(found["day" + suffix]),
            int(found["hour" + suffix]),
            int(found["minute" + suffix]),
            min(int(found["second" + suffix] or 0), 59),  # a leap second
            tzinfo=UTC,
        )
        zone = found["zone3"] if suffix else found["zone"] or found["zone2"]
        return moment - _offset(zone) if zone else moment
    except (ValueError, OverflowError):
        return None


def _offset(zone: bytes) -> timedelta:
    if zone[:1] in b"+-":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[3:5]))
        return -offset if zone.startswith(b"-") else offset
    return timedelta(hours=_ZONES.get(zone.upper(), 0))


def _separates(text: bytes, at: int, after_blank: bool) -> tuple[int, re.Match[bytes] | None]:
    """Where the line behind the From_ line at `at` begins, -1 if what stands there is text; and what the line says.

    `text` holds the line and the beginning of the next one.
    """
    end = text.find(b"\n", at, at + _LONGEST_LINE) + 1
    if not end:
        end = len(text)
        if end - at > _LONGEST_LINE:
            return -1, None
    if _THUNDERBIRD.match(text, at):  # it leaves out the date and, before it, the blank line
        return end, _FROM_LINE.match(text[at:end])
    if not after_blank:
        return -1, None
    line = text[at:end]
    found = _FROM_LINE.match(line)
    if not found:
        return (end if _BARE.fullmatch(line) and _HEADER_LINE.match(text, end) else -1), None
    # "From the meeting on Mon Jan  5 10:00:00 2026" is a sentence unless a header follows it.
    if b" " in found["who"].strip() and not _HEADER_LINE.match(text, end):
        return -1, None
    return end, found


def starts_like_mbox(head: bytes) -> bool:
    """Whether a file that begins with these bytes is an mbox; an empty one is, with no messages."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    return not text or _separates(text, 0, True)[0] >= 0


@dataclass(frozen=True, slots=True)
class _Separator:
    before: int  # where the message before it ends
    at: int
    after: int
    received: datetime | None


def _separators(read_at: ReadAt, chunk: int = CHUNK) -> Iterator[_Separator | int]:
    """Every From_ line, and at the end the size of the file."""
    base = 0  # offset of text[0]
    text = read_at(0, max(chunk, 3 * _LONGEST_LINE))
    begin = 0
    if starts_like_mbox(text[:4096]) and text.strip(b"\r\n\xef\xbb\xbf"):
        at = text.index(b"From")
        after, found = _separates(text, at, True)
        yield _Separator(0, at, after, _received(found))
        begin = at
    while True:
        more = read_at(base + len(text), chunk)
        text += more
        # What is too near the end to be judged is judged with the next chunk.
        limit = max(len(text) - 2 * _LONGEST_LINE, 0) if more else len(text)
        at = text.find(b"\nFrom ", begin, limit)
        while at >= 0:
            blank = _blank_line(text, at)
            after, found = _separates(text, at + 1, blank > 0)
            if after >= 0:
                before = at + 1 if blank == 0 else at + 1 - blank
                yield _Separator(base + before, base + at + 1, base + after, _received(found))
            at = text.find(b"\nFrom ", at + 1, limit)
        if not more:
            yield base + len(text)
            return
        cut = max(limit - len(b"\nFrom ") - _BEFORE, 0)
        begin = max(limit - len(b"\nFrom ") + 1 - cut, 0)
        base += cut
        text = text[cut:]


def _blank_line(text: bytes, at: int) -> int:
    """The length of the blank line that ends with the line feed at `at`; 0 if that ends another line."""
    if text[at - 1 : at] == b"\n" or at == 0:
        return 1
    return 2 if text[at - 1 : at] == b"\r" and (at == 1 or text[at - 2 : at - 1] == b"\n") else 0


_LENGTH = re.compile(rb"\ncontent-length:[ \t]*(\d{1,15})[ \t]*\r?\n")


def spans(read_at: ReadAt, *, content_length: bool = True, chunk: int = CHUNK) -> Iterator[Span | int]:
    """Every message in order; first, if something stands before the first From_ line, the length of that.

    A blank line before a From_ line, or at the end of the file, belongs to the separator. With
    `content_length`, a message ends where its Content-Length header says if, and only if, exactly
    there a separator or the end of the file stands (mboxcl2). Memory: two chunks.
    """
    opened: _Separator | None = None
    counted = 0  # where the open message ends by its Content-Length; 0: it does not say
    for separator in _separators(read_at, chunk):
        if isinstance(separator, int):
            if opened:
                counts = counted >= separator - 2 and counted > 0
                end = counted if counts else max(separator - _trailing_blank(read_at, separator), opened.after)
                yield Span(opened.after, end, opened.received, counts)
            elif separator:
                yield separator
            return
        if opened is None:
            if separator.before > 0:
                yield separator.before
        elif counted and separator.at < counted:
            continue
        else:
            end = counted or max(separator.before, opened.after)
            yield Span(opened.after, end, opened.received, counted > 0)
        opened = separator
        counted = _counted(read_at, separator.after) if content_length else 0


def _trailing_blank(read_at: ReadAt, end: int) -> int:
    tail = read_at(max(end - 3, 0), 3)
    if tail.endswith(b"\n\n"):
        return 1
    return 2 if tail == b"\n\r\n" else 0


def _counted(read_at: ReadAt, start: int) -> int:
    """Where a message ends by its Content-Length; 0 if it has none or no separator stands there."""
    head, rest = split_header(read_at(start, 1 << 12))
    if not rest:
        head, _ = split_header(read_at(start, 1 << 16))
    head = b"\n" + head.lower()
    at = head.find(b"\ncontent-length:")
    told = _LENGTH.match(head, at) if at >= 0 else None
    if not told:
        return 0
    end = start + len(head) - 1 + int(told[1])
    text = read_at(end, 3 * _LONGEST_LINE)
    line = text.lstrip(b"\r\n")
    if len(text) - len(line) > 2 or (text[:1] == b"\r" and text[:2] != b"\r\n"):
        return 0
    if not text:  # at the end of the file exactly, or behind it
        return end if not read_at(end, 1) and len(read_at(end - 1, 1)) == 1 else 0
    return end if not line or _separates(line, 0, True)[0] >= 0 else 0


# Messages ----------------------------------------------------------------------------------------

_QUOTED = re.compile(rb"^>(?=>*From )", re.MULTILINE)


def split_header(data: bytes) -> tuple[bytes, bytes]:
    """A message's header with the blank line that ends it, and the rest."""
    if data[:1] == b"\n" or data[:2] == b"\r\n":
        at = 1 + (data[:1] == b"\r")
        return data[:at], data[at:]
    # The first blank line of either kind; which kind is likelier shows in the first line.
    first = data.find(b"\n")
    ends = (b"\n\n", b"\n\r\n")
    at = -1
    for end in reversed(ends) if data[first - 1 : first] == b"\r" else ends:
        found = data.find(end, 0, at if at >= 0 else len(data))
        if found >= 0:
            at = found + len(end)
    return (data, b"") if at < 0 else (data[:at], data[at:])


def unquoted(block: bytes, at_line_start: bool = True) -> bytes:
    """Whole lines without the ">" that mboxrd puts before each line that begins with "From ", ">From " ..."""
    if b">From " not in block:
        return block
    if at_line_start:
        return _QUOTED.sub(b"", block)
    cut = block.find(b"\n") + 1 or len(block)
    return block[:cut] + _QUOTED.sub(b"", block[cut:])


def blocks(read_at: ReadAt, start: int, end: int, chunk: int = CHUNK) -> Iterator[tuple[bytes, bool]]:
    """The bytes from start to end in blocks of whole lines where lines are short, each with: begins with a line."""
    fresh = True
    while start < end:
        block = read_at(start, min(chunk, end - start))
        if not block:
            return
        cut = block.rfind(b"\n") + 1
        if cut and start + len(block) < end:
            block = block[:cut]
        yield block, fresh
        fresh = block.endswith(b"\n")
        start += len(block)
