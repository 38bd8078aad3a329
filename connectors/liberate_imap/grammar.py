"""Reading what an IMAP server says: lines and literals into values, values into sets of UIDs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

Segments = list[bytes]
"""One response: a line, then in turn a literal and the line that goes on after it."""

_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: \[([^\s\]]+)(?: ([^\]]*))?\])? ?(.*)", re.IGNORECASE | re.DOTALL)
_ATOM = re.compile(rb'[^\s()"]+')
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_LITERAL = re.compile(rb"~?\{\d+\+?\}")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_INTERNALDATE = re.compile(
    r" ?(\d{1,2})-([A-Z][a-z]{2})-(\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d\d)(\d\d)", re.IGNORECASE
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SET = re.compile(r"\d{1,10}(?::\d{1,10})?(?:,\d{1,10}(?::\d{1,10})?)*")


class GrammarError(ValueError):
    """The server said something that IMAP does not allow."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A status response, tagged or not."""

    status: str  # OK, NO, BAD, BYE, PREAUTH
    code: str = ""  # the response code in capitals: APPENDUID, OVERQUOTA ...; "" if there is none
    argument: str = ""  # what the code says
    text: str = ""  # for people

    @property
    def ok(self) -> bool:
        return self.status == "OK"


def reply(data: bytes) -> Reply | None:
    """The status response in a line without its tag; None if it is none."""
    match = _STATUS.match(data)
    if match is None:
        return None
    status, code, argument, text = (part.decode("utf-8", "replace") if part else "" for part in match.groups())
    return Reply(status.upper(), code.upper(), argument, text.strip())


def values(segments: Segments) -> list[Any]:
    """The parts of a response: bytes for atoms, strings and literals, None for NIL, lists for lists."""
    stack: list[list[Any]] = [[]]
    for at, line in enumerate(segments):
        if at % 2:
            stack[-1].append(line)
            continue
        where, end = 0, len(line)
        while where < end:
            char = line[where]
            if char in b" \r\n":
                where += 1
            elif char == 0x28:  # (
                inner: list[Any] = []
                stack[-1].append(inner)
                stack.append(inner)
                where += 1
            elif char == 0x29:  # )
                if len(stack) == 1:
                    raise GrammarError("a list ends that never began")
                stack.pop()
                where += 1
            elif char == 0x22:  # "
                match = _QUOTED.match(line, where)
                if match is None:
                    raise GrammarError("a quoted string does not end")
                stack[-1].append(_ESCAPED.sub(rb"\1", match.group(1)))
                where = match.end()
            elif (match := _LITERAL.match(line, where)) and line[match.end() :] == b"\r\n":
                where = end  # its bytes are the next segment
            elif match := _ATOM.match(line, where):
                atom = match.group()
                stack[-1].append(None if atom.upper() == b"NIL" else atom)
                where = match.end()
            else:
                raise GrammarError("a character stands where none may")
    if len(stack) != 1:
        raise GrammarError("a list does not end")
    return stack[0]


def pairs(parts: Sequence[Any]) -> dict[str, Any]:
    """A list of names and values, as FETCH and STATUS give them; names in capitals."""
    if len(parts) % 2 or not all(isinstance(name, bytes) for name in parts[::2]):
        raise GrammarError("a list of names and values is not one")
    return {name.decode("ascii", "replace").upper(): value for name, value in zip(parts[::2], parts[1::2], strict=True)}


# Sets of UIDs ------------------------------------------------------------------------------------


def uid_set(uids: Iterable[int]) -> bytes:
    """UIDs as IMAP writes a set, runs joined, in the order given: b"4:9,12"."""
    out: list[str] = []
    first = last = -1
    for uid in uids:
        if uid == last + 1 and first >= 0:
            last = uid
            continue
        if first >= 0:
            out.append(f"{first}:{last}" if last > first else str(first))
        first = last = uid
    if first >= 0:
        out.append(f"{first}:{last}" if last > first else str(first))
    return ",".join(out).encode("ascii")


def uids_of(text: str, limit: int = 100_000) -> list[int]:
    """The UIDs that a set names, in its order. Raises GrammarError for what is none, or more than `limit`."""
    if not _SET.fullmatch(text):
        raise GrammarError("a set of UIDs is not one")
    out: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition(":")
        first, last = int(low), int(high or low)
        first, last = min(first, last), max(first, last)  # "9:4" means 4 to 9 (RFC 3501 9, seq-range)
        if last - first >= limit - len(out):
            raise GrammarError("a set of UIDs is absurdly large")
        out.extend(range(first, last + 1))
    return out


def chunks(uids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for at in range(0, len(uids), size):
        yield uids[at : at + size]


# Dates -------------------------------------------------------------------------------------------


def internaldate(text: bytes) -> datetime | None:
    """The aware moment an INTERNALDATE names; None if it names none."""
    match = _INTERNALDATE.fullmatch(text.decode("ascii", "replace"))
    if match is None:
        return None
    day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
    offset = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        return datetime(
            int(year), _MONTHS.index(month.title()) + 1, int(day), int(hour), int(minute), int(second), tzinfo=zone
        )
    except ValueError:
        return None


def date_time(moment: datetime) -> bytes:
    """The moment as APPEND takes it, in UTC and in English whatever the locale."""
    m = moment.astimezone(UTC)
    return (
        f'"{m.day:2d}-{_MONTHS[m.month - 1]}-{m.year:04d} {m.hour:02d}:{m.minute:02d}:{m.second:02d} +0000"'
    ).encode("ascii")
