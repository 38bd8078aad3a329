"""Google Calendar's dates, times and rules of repetition as iCalendar wants them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, tzinfo
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from icalendar import vRecur

from liberate.pim import Line, lines
from liberate.vtimezone import zone_name

Moment: TypeAlias = date | datetime
"""A day, or a time that knows its zone: UTC or one of the IANA database."""

_UNIVERSAL = frozenset({"utc", "etc/utc", "uct", "etc/uct", "zulu", "etc/zulu", "universal", "etc/universal"})
_FREQUENCIES = frozenset({"SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_PARTS = {"FREQ", "UNTIL", "COUNT", "INTERVAL", "WKST", "RSCALE", "SKIP", "BYSETPOS", "BYSECOND", "BYMINUTE", "BYHOUR"}
_PARTS |= {"BYDAY", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH"}
_DAY = re.compile(r"\d{8}")
_TIME = re.compile(r"\d{8}T\d{6}Z?")


def zone_of(name: str) -> tzinfo | None:
    """The zone of that name; None where this machine knows none."""
    if name.casefold() in _UNIVERSAL:
        return UTC
    found = zone_name(name)
    return None if found is None else ZoneInfo(found)


def is_day(moment: Moment) -> bool:
    """Whether it is a whole day."""
    return not isinstance(moment, datetime)


def moment(told: Mapping[str, Any], calendar_zone: str = "") -> tuple[Moment, bool]:
    """What an EventDateTime says, and whether its zone is known: in universal time where it is not.

    The offset in it tells the instant, whatever this machine thinks of the zone's history. Raises ValueError.
    """
    if told.get("date"):
        return date.fromisoformat(str(told["date"])), True
    value = datetime.fromisoformat(str(told["dateTime"])).replace(microsecond=0)
    name = str(told.get("timeZone") or calendar_zone)
    zone = zone_of(name) if name else UTC
    if value.tzinfo is None:
        if zone is None:
            raise ValueError("a time without an offset is in a zone that is not known")
        return value.replace(tzinfo=zone), True
    return (value.astimezone(UTC), False) if zone is None else (value.astimezone(zone), True)


def once(value: Moment) -> Moment:
    """The moment of something that happens once: the second of two equal hours is told in universal time.

    A local time that is there twice means the first one (RFC 5545 section 3.3.5).
    """
    return value.astimezone(UTC) if isinstance(value, datetime) and value.fold else value


def instant(value: Moment) -> datetime:
    """For comparing: a day begins at midnight of universal time."""
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return datetime.combine(value, time(), UTC)


def like(start: Moment, value: Moment) -> Moment:
    """The moment in the form in which a series that begins at `start` counts its own times."""
    if not isinstance(start, datetime):
        return value.date() if isinstance(value, datetime) else value
    if not isinstance(value, datetime):  # the day says which; the series says when
        return datetime.combine(value, start.time(), start.tzinfo)
    if value.tzinfo is start.tzinfo:
        return _nominal(start, value)
    return _nominal(start, value.astimezone(start.tzinfo))


def _nominal(start: datetime, value: datetime) -> datetime:
    """The time that the rule gives: one that the clocks leap over is held an hour later, and known by its own."""
    wanted = datetime.combine(value.date(), start.time(), value.tzinfo).replace(fold=0)
    if wanted.astimezone(UTC) == value.astimezone(UTC):
        return wanted
    return value.replace(fold=0)


# Rules -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Repetition:
    """How a series goes on."""

    rules: tuple[vRecur, ...] = ()
    excluding: tuple[vRecur, ...] = ()  # EXRULE, which RFC 5545 did away with
    more: tuple[Moment, ...] = ()
    without: tuple[Moment, ...] = ()
    lengths: bool = False  # some of `more` had lengths of their own, which are left out

    def __bool__(self) -> bool:
        return bool(self.rules or self.more)


def repetition(recurrence: Iterable[str], start: Moment) -> Repetition:
    """The lines of an event's `recurrence` for a series that begins at `start`. Raises ValueError."""
    rules: list[vRecur] = []
    excluding: list[vRecur] = []
    more: set[Moment] = set()
    without: set[Moment] = set()
    lengths = False
    for line in lines("\n".join(recurrence).encode("utf-8", "surrogatepass")):
        match line.name:
            case "RRULE":
                rules.append(rule(line.value, start))
            case "EXRULE":
                excluding.append(rule(line.value, start))
            case "RDATE":
                lengths |= "/" in line.value
                more.update(_moments(line, start))
            case "EXDATE":
                without.update(_moments(line, start))
            case _:
                raise ValueError("a line of the repetition is of an unknown kind")
    return Repetition(tuple(rules), tuple(excluding), ordered(more), ordered(without), lengths)


def ordered(moments: Iterable[Moment]) -> tuple[Moment, ...]:
    """Earliest first."""
    return tuple(sorted(moments, key=instant))


def rule(text: str, start: Moment) -> vRecur:
    """A rule as RFC 5545 section 3.3.10 wants it; UNTIL becomes what the kind of `start` asks for."""
    out = []
    for part in text.strip().rstrip(";").split(";"):
        name, equals, value = part.partition("=")
        name = name.strip().upper()
        if name not in _PARTS or not equals or not value:
            raise ValueError("a rule of repetition has a part that is none")
        if name == "FREQ" and value.upper() not in _FREQUENCIES:
            raise ValueError("a rule of repetition has an unknown frequency")
        if name == "UNTIL":
            value = _until(value.strip().upper(), start)
        out.append(f"{name}={value.strip().upper()}")
    if not any(part.startswith("FREQ=") for part in out):
        raise ValueError("a rule of repetition has no frequency")
    made: vRecur = vRecur.from_ical(";".join(out))
    return made


def _until(text: str, start: Moment) -> str:
    if not isinstance(start, datetime):
        return _checked(text)[:8]
    if _DAY.fullmatch(text):  # that day and all of it
        end = datetime.combine(_day(text), time(23, 59, 59), start.tzinfo)
    elif text.endswith("Z"):
        return _checked(text)
    else:
        end = _stamp(text).replace(tzinfo=start.tzinfo)
    return f"{end.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _checked(text: str) -> str:
    _day(text) if _DAY.fullmatch(text) else _stamp(text)
    return text


def _day(text: str) -> date:
    return _stamp(f"{text}T000000").date()


def _stamp(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError("a time of the repetition cannot be read")
    return datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - its zone stands beside it


def _moments(line: Line, start: Moment) -> Iterable[Moment]:
    named = next((value for name, value in line.params if name == "TZID"), "")
    zone = zone_of(named) if named else None
    if named and zone is None:
        raise ValueError("a time of the repetition is in a zone that is not known")
    for text in line.value.strip().split(","):
        one = text.strip().upper().partition("/")[0]
        if _DAY.fullmatch(one):
            yield like(start, _day(one))
            continue
        stamp = _stamp(one)
        if not isinstance(start, datetime):
            yield stamp.date()
        else:
            yield like(start, stamp.replace(tzinfo=UTC if one.endswith("Z") else zone or start.tzinfo))
