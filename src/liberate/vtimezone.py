"""VTIMEZONE definitions (RFC 5545 section 3.6.5) of the time zones that this machine knows, short and exact."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON

_HORIZON = 2100  # years further off are not asked about: who meets then will have new rules
_SETTLED = 2040  # from here on a zone's rule is its last one, if it has a rule at all
_NEWER = {  # in CLDR's table and not yet in icalendar's
    "Alberta Standard Time": "America/Edmonton",
    "British Columbia Standard Time": "America/Vancouver",
    "Manitoba Standard Time": "America/Winnipeg",
}
_DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")


def zone_name(name: str) -> str | None:
    """The IANA name for an IANA or a Windows name of a time zone; None for a name that is neither.

    Names are those of the IANA database and of Unicode's table of Windows zones (CLDR windowsZones).
    """
    name = name.strip()
    known = _by_folded_name()
    found = known.get(name.casefold())
    if found is not None:
        return found
    mapped = _windows().get(name.casefold())
    return None if mapped is None else known.get(mapped.casefold())


@cache
def _by_folded_name() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones() if name not in ("Factory", "localtime")}


@cache
def _windows() -> dict[str, str]:
    return {name.casefold(): iana for name, iana in {**WINDOWS_TO_OLSON, **_NEWER}.items()}


@dataclass(frozen=True, slots=True)
class _Change:
    """One time at which a zone's clocks are set."""

    local: datetime  # as the clocks showed it before they were set, without a zone
    before: timedelta  # offset from universal time
    after: timedelta
    name: str
    summer: bool

    @property
    def kind(self) -> tuple[timedelta, timedelta, str, bool]:
        return self.before, self.after, self.name, self.summer


@cache
def vtimezone(name: str, year: int) -> str:
    """The definition of a zone, good for all times from the beginning of `year` on, as lines with CRLF.

    `name` is an IANA name. Raises ValueError for a name that this machine does not know.
    """
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name} is no time zone that this machine knows") from error
    since = datetime(min(max(year - 1, 2), _SETTLED - 1), 1, 1)  # noqa: DTZ001 - as the clocks there show it
    changes = list(_changes(zone, since.year))
    out = ["BEGIN:VTIMEZONE", f"TZID:{name}"]
    out += _observance(since, _offset(zone, since), _offset(zone, since), *_called(zone, since), ())
    last_rules = _rules([one for one in changes if one.local.year >= _SETTLED])
    by_kind: dict[tuple[timedelta, timedelta, str, bool], list[_Change]] = {}
    for one in changes:
        by_kind.setdefault(one.kind, []).append(one)
    for kind, some in by_kind.items():
        rule = last_rules.get(kind)
        if rule is None:
            out += _listed(kind, some)
            continue
        ruled = _tail(some, rule)
        if len(ruled) < len(some):
            out += _listed(kind, some[: len(some) - len(ruled)])
        before, after, called, summer = kind
        out += _observance(ruled[0].local, before, after, called, summer, (f"RRULE:FREQ=YEARLY;{rule.text}",))
    return "\r\n".join([*out, "END:VTIMEZONE", ""])


def _offset(zone: ZoneInfo, local: datetime) -> timedelta:
    return local.replace(tzinfo=zone).utcoffset() or timedelta()


def _called(zone: ZoneInfo, local: datetime) -> tuple[str, bool]:
    aware = local.replace(tzinfo=zone)
    return aware.tzname() or "", bool(aware.dst())


def _changes(zone: ZoneInfo, since: int) -> Iterator[_Change]:
    """Every time from a year on, up to the horizon, at which the zone's clocks are set."""
    day = datetime(since, 1, 1, tzinfo=UTC)
    end = datetime(_HORIZON, 1, 1, tzinfo=UTC)
    week = timedelta(days=4)  # Morocco sets its clocks twice within five weeks, nobody twice within four days
    state = _state(zone, day)
    while day < end:
        then = _state(zone, day + week)
        if then != state:
            low, high = day, day + week
            while high - low > timedelta(seconds=1):
                middle = low + (high - low) / 2
                middle = middle.replace(microsecond=0)
                if middle in (low, high):
                    break
                low, high = (middle, high) if _state(zone, middle) == state else (low, middle)
            yield _Change((high + state[0]).replace(tzinfo=None), state[0], then[0], then[1], then[2])
            state = then
        day += week


def _state(zone: ZoneInfo, when: datetime) -> tuple[timedelta, str, bool]:
    local = when.astimezone(zone)
    return local.utcoffset() or timedelta(), local.tzname() or "", bool(local.dst())


@dataclass(frozen=True, slots=True)
class _Rule:
    """A day and a time of each year."""

    month: int
    weekday: int
    days: tuple[int, int]  # of the month: the weekday that falls on one of these seven or fewer
    last: bool  # the last such weekday of the month, whatever its day
    time: tuple[int, int, int]

    @property
    def text(self) -> str:
        day = _DAYS[self.weekday]
        first, last = self.days
        if self.last:
            return f"BYMONTH={self.month};BYDAY=-1{day}"
        if first % 7 == 1 and last == first + 6:
            return f"BYMONTH={self.month};BYDAY={first // 7 + 1}{day}"
        days = ",".join(str(one) for one in range(first, last + 1))
        return f"BYMONTH={self.month};BYMONTHDAY={days};BYDAY={day}"

    def fits(self, change: _Change) -> bool:
        when = change.local
        if (when.month, when.weekday(), (when.hour, when.minute, when.second)) != (
            self.month,
            self.weekday,
            self.time,
        ):
            return False
        if self.last:
            return (when + timedelta(days=7)).month != when.month
        return self.days[0] <= when.day <= self.days[1]


def _rules(changes: Sequence[_Change]) -> dict[tuple[timedelta, timedelta, str, bool], _Rule]:
    """The rules by which clocks are set every year from now on; none for zones without one (Morocco)."""
    by_kind: dict[tuple[timedelta, timedelta, str, bool], list[_Change]] = {}
    for one in changes:
        by_kind.setdefault(one.kind, []).append(one)
    out = {}
    for kind, some in by_kind.items():
        years = [one.local.year for one in some]
        if years != list(range(_SETTLED, _HORIZON)):
            continue
        rule = _rule(some)
        if rule is not None:
            out[kind] = rule
    return out


def _rule(some: Sequence[_Change]) -> _Rule | None:
    first = some[0].local
    days = [one.local.day for one in some]
    time = (first.hour, first.minute, first.second)
    last = all((one.local + timedelta(days=7)).month != one.local.month for one in some)
    rule = _Rule(first.month, first.weekday(), (min(days), max(days)), last, time)
    whole = last or max(days) - min(days) == 6  # sixty years have every day that the rule allows
    return rule if whole and all(rule.fits(one) for one in some) else None


def _tail(some: Sequence[_Change], rule: _Rule) -> Sequence[_Change]:
    """The last of these changes that the rule gives, year for year."""
    at = len(some) - 1
    while at > 0 and rule.fits(some[at - 1]) and some[at - 1].local.year == some[at].local.year - 1:
        at -= 1
    return some[at:]


def _listed(kind: tuple[timedelta, timedelta, str, bool], some: Sequence[_Change]) -> list[str]:
    before, after, called, summer = kind
    times = [f"{one.local:%Y%m%dT%H%M%S}" for one in some[1:]]
    dates = [f"RDATE:{time}" for time in times]
    return _observance(some[0].local, before, after, called, summer, dates)


def _observance(
    start: datetime, before: timedelta, after: timedelta, called: str, summer: bool, more: Sequence[str]
) -> list[str]:
    kind = "DAYLIGHT" if summer else "STANDARD"
    return [
        f"BEGIN:{kind}",
        f"DTSTART:{start:%Y%m%dT%H%M%S}",
        f"TZOFFSETFROM:{_written(before)}",
        f"TZOFFSETTO:{_written(after)}",
        f"TZNAME:{called}",
        *more,
        f"END:{kind}",
    ]


def _written(offset: timedelta) -> str:
    seconds = int(offset.total_seconds())
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, left = divmod(rest, 60)
    return f"{sign}{hours:02}{minutes:02}" + (f"{left:02}" if left else "")
