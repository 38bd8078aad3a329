"""Graph's recurrence patterns as rules of RFC 5545, and the occurrences that such a rule gives. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

_DAYS = {
    "sunday": "SU", "monday": "MO", "tuesday": "TU", "wednesday": "WE", "thursday": "TH", "friday": "FR",
    "saturday": "SA",
}  # fmt: skip
_INDEX = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}  # days of a month in its longest year


class Unwritable(ValueError):
    """A recurrence that the standard's rules cannot say, or that cannot be read."""


def rule(recurrence: Any, where: ZoneInfo | None, *, all_day: bool) -> str:
    """The RRULE of a patternedRecurrence whose days are days in the zone `where`. Raises Unwritable."""
    pattern, span = _table(recurrence, "pattern"), _table(recurrence, "range")
    kind = str(pattern.get("type") or "")
    parts: list[str]
    match kind:
        case "daily":
            parts = ["FREQ=DAILY"]
        case "weekly":
            first = _DAYS.get(str(pattern.get("firstDayOfWeek") or "sunday").lower(), "SU")
            parts = ["FREQ=WEEKLY", f"BYDAY={','.join(_weekdays(pattern))}", f"WKST={first}"]
        case "absoluteMonthly":
            parts = ["FREQ=MONTHLY", *_day_of_month(_number(pattern, "dayOfMonth", 31))]
        case "relativeMonthly":
            parts = ["FREQ=MONTHLY", *_relative(pattern)]
        case "absoluteYearly":
            month = _number(pattern, "month", 12)
            on = _number(pattern, "dayOfMonth", 31)
            # The last day it is, where the month is shorter in that year.
            on = -1 if on >= _LONGEST.get(month, 31) and month == 2 else min(on, _LONGEST.get(month, 31))
            parts = ["FREQ=YEARLY", f"BYMONTH={month}", f"BYMONTHDAY={on}"]
        case "relativeYearly":
            parts = ["FREQ=YEARLY", f"BYMONTH={_number(pattern, 'month', 12)}", *_relative(pattern)]
        case _:
            raise Unwritable("a pattern of an unknown type")
    interval = _number(pattern, "interval", 999, usual=1)
    if interval > 1:
        parts.insert(1, f"INTERVAL={interval}")
    return ";".join([*parts, *_end(span, where, all_day=all_day)])


def _end(span: Mapping[str, Any], where: ZoneInfo | None, *, all_day: bool) -> Iterator[str]:
    kind = span.get("type")
    if kind == "numbered":
        yield f"COUNT={_number(span, 'numberOfOccurrences', 10**6)}"
    elif kind == "endDate":
        last = read_day(span.get("endDate"))
        if last is None:
            raise Unwritable("an end that is no date")
        if all_day:
            yield f"UNTIL={last:%Y%m%d}"
        else:  # in UTC wherever DTSTART has a zone (RFC 5545 section 3.3.10); the last day counts to its end
            end = datetime.combine(last, time(23, 59, 59), where or UTC).astimezone(UTC)
            yield f"UNTIL={end:%Y%m%dT%H%M%SZ}"
    elif kind != "noEnd":
        raise Unwritable("an end of an unknown type")


def _day_of_month(on: int) -> list[str]:
    """Outlook takes the last day of a month that is shorter; a rule of the standard would pass such a month over."""
    if on <= 28:
        return [f"BYMONTHDAY={on}"]
    if on == 31:
        return ["BYMONTHDAY=-1"]
    return [f"BYMONTHDAY={','.join(str(one) for one in range(28, on + 1))}", "BYSETPOS=-1"]


def _relative(pattern: Mapping[str, Any]) -> list[str]:
    """ "The second Tuesday", and "the last of Monday to Friday"."""
    index = _INDEX.get(str(pattern.get("index") or "first"))
    if index is None:
        raise Unwritable("an index of an unknown kind")
    days = _weekdays(pattern)
    if len(days) == 1:
        return [f"BYDAY={index}{days[0]}"]
    return [f"BYDAY={','.join(days)}", f"BYSETPOS={index}"]


def _weekdays(pattern: Mapping[str, Any]) -> list[str]:
    told = pattern.get("daysOfWeek")
    names = {str(one).lower() for one in told} if isinstance(told, list) else set()
    if not names or not names <= _DAYS.keys():
        raise Unwritable("days of the week that cannot be read")
    return [short for name, short in _DAYS.items() if name in names]


def _number(table: Mapping[str, Any], name: str, most: int, *, usual: int | None = None) -> int:
    value = table.get(name)
    if not value and usual is not None:
        return usual
    if not isinstance(value, int | float) or value != int(value) or not 1 <= value <= most:
        raise Unwritable(f"a number that is none: {name}")
    return int(value)


def _table(value: Any, name: str) -> Mapping[str, Any]:
    found = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(found, Mapping):
        raise Unwritable(f"a recurrence without {name}")
    return found


def read_day(text: Any) -> date | None:
    """A date as Graph writes it; None where it is none."""
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


# What a rule gives -------------------------------------------------------------------------------


class Occurrences:
    """The times that a rule gives, by the clock of the series' zone and without it."""

    def __init__(self, text: str, start: datetime, where: ZoneInfo | None) -> None:
        from dateutil.rrule import rrulestr  # type: ignore[import-untyped]  # noqa: PLC0415 - icalendar brings it

        self._where = where
        naive = start.replace(tzinfo=None)
        # dateutil wants UNTIL in the kind of time that the start is.
        parts = [self._local_until(part) if part.startswith("UNTIL=") else part for part in text.split(";")]
        self._rule = rrulestr(";".join(parts), dtstart=naive)
        self._naive = naive

    def _local_until(self, part: str) -> str:
        text = part.removeprefix("UNTIL=")
        if len(text) == 8:
            return part
        end = datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).astimezone(self._where or UTC)
        return f"UNTIL={end:%Y%m%dT%H%M%S}"

    def first(self) -> datetime | None:
        """The first time from the start on; None: there is none at all."""
        found: datetime | None = self._rule.after(self._naive, inc=True)
        return found

    def until(self, last: datetime) -> list[datetime]:
        """Every time up to and with `last`."""
        found: list[datetime] = self._rule.between(self._naive, last, inc=True)
        return found

    def on(self, wanted: date) -> datetime | None:
        """The time on that day, by the series' clock; None: there is none."""
        begin = datetime.combine(wanted, time())
        found = self._rule.between(begin, begin + timedelta(days=1) - timedelta(seconds=1), inc=True)
        return found[0] if found else None

    def on_utc(self, wanted: date) -> datetime | None:
        """The time that falls on that day in UTC, by the series' clock; None: there is none."""
        for shift in (-1, 0, 1):
            found = self.on(wanted + timedelta(days=shift))
            if found is not None and found.replace(tzinfo=self._where or UTC).astimezone(UTC).date() == wanted:
                return found
        return None
