"""When a series takes place, day by day from Graph's pattern: written apart from the connector's rules on purpose."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}


def days(recurrence: dict[str, Any], until: date) -> Iterator[date]:
    """The days on which instances begin, cancelled and changed ones among them, up to and with `until`."""
    pattern, span = recurrence["pattern"], recurrence["range"]
    begin = date.fromisoformat(span["startDate"])
    last = date.fromisoformat(span["endDate"]) if span["type"] == "endDate" else until
    left = span["numberOfOccurrences"] if span["type"] == "numbered" else None
    for one in _every(pattern, begin, min(last, until)):
        if one > min(last, until) or left == 0:
            return
        if one >= begin:
            yield one
            left = None if left is None else left - 1


def _every(pattern: dict[str, Any], begin: date, until: date) -> Iterator[date]:
    step = pattern["interval"]
    match pattern["type"]:
        case "daily":
            one = begin
            while one <= until:
                yield one
                one += timedelta(days=step)
        case "weekly":
            first = _NAMES.index(pattern.get("firstDayOfWeek", "sunday"))
            week = begin - timedelta(days=(begin.weekday() - first) % 7)
            while week <= until:
                for n in range(7):
                    one = week + timedelta(days=n)
                    if _NAMES[one.weekday()] in pattern["daysOfWeek"]:
                        yield one
                week += timedelta(days=7 * step)
        case "absoluteMonthly":
            for year, month in _months(begin, until, step):
                yield _clamped(year, month, pattern["dayOfMonth"])
        case "relativeMonthly":
            for year, month in _months(begin, until, step):
                yield from _relative(year, month, pattern)
        case "absoluteYearly":
            for year in range(begin.year, until.year + 1, step):
                yield _clamped(year, pattern["month"], pattern["dayOfMonth"])
        case "relativeYearly":
            for year in range(begin.year, until.year + 1, step):
                yield from _relative(year, pattern["month"], pattern)


def _months(begin: date, until: date, step: int) -> Iterator[tuple[int, int]]:
    number = begin.year * 12 + begin.month - 1
    while number <= until.year * 12 + until.month - 1:
        yield number // 12, number % 12 + 1
        number += step


def _clamped(year: int, month: int, day: int) -> date:
    """That day, or the last one of a shorter month, as Outlook does."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def _relative(year: int, month: int, pattern: dict[str, Any]) -> Iterator[date]:
    length = calendar.monthrange(year, month)[1]
    some = [date(year, month, day) for day in range(1, length + 1)]
    fitting = [one for one in some if _NAMES[one.weekday()] in pattern["daysOfWeek"]]
    place = _PLACES[pattern.get("index", "first")]
    if place < len(fitting):
        yield fitting[place]
