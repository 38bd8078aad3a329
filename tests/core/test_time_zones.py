"""Time zones: definitions that an independent reader finds as right as the machine's own database."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from dateutil.tz import tzical
from icalendar import Event

from liberate.ical import calendar_object
from liberate.vtimezone import vtimezone, zone_name

_EVERY = sorted(available_timezones() - {"Factory", "localtime"})
_SOME = (
    "Europe/Stockholm", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kathmandu",
    "Europe/Dublin", "Asia/Jerusalem", "Pacific/Apia", "America/Sao_Paulo", "Europe/Moscow", "Africa/Cairo", "UTC",
)  # fmt: skip


def _agrees(name: str, year: int, count: int) -> None:
    read = tzical(io.StringIO(f"BEGIN:VCALENDAR\r\n{vtimezone(name, year)}END:VCALENDAR\r\n")).get(name)
    known = ZoneInfo(name)
    chance = random.Random(name)
    for _ in range(count):
        when = datetime(year, 1, 1, tzinfo=UTC) + timedelta(hours=chance.randrange(24 * 365 * 40))
        local = when.replace(tzinfo=None)
        offsets = {local.replace(tzinfo=known, fold=fold).utcoffset() for fold in (0, 1)}
        if len(offsets) == 1:  # else the hour is there twice, or not at all
            assert local.replace(tzinfo=read).utcoffset() in offsets, (name, local)


@pytest.mark.parametrize("name", _SOME)
def test_a_definition_says_what_the_database_says(name: str) -> None:
    _agrees(name, 2008, 300)


@pytest.mark.parametrize("name", ["Europe/Stockholm", "America/New_York"])
def test_the_hours_around_both_clock_changes_are_right(name: str) -> None:
    read = tzical(io.StringIO(f"BEGIN:VCALENDAR\r\n{vtimezone(name, 2026)}END:VCALENDAR\r\n")).get(name)
    known = ZoneInfo(name)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for hour in range(24 * 365):
        local = (start + timedelta(hours=hour)).replace(tzinfo=None)
        offsets = {local.replace(tzinfo=known, fold=fold).utcoffset() for fold in (0, 1)}
        if len(offsets) == 1:
            assert local.replace(tzinfo=read).utcoffset() in offsets, local


@pytest.mark.torture
@pytest.mark.parametrize("year", [1975, 1999, 2011, 2026])
def test_every_definition_says_what_the_database_says(year: int) -> None:
    for name in _EVERY:
        _agrees(name, year, 60)


def test_a_zone_whose_rule_holds_is_short() -> None:
    assert vtimezone("Europe/Stockholm", 2024).count("BEGIN:") == 4
    assert "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\n" in vtimezone("Europe/Stockholm", 2024)


def test_a_zone_that_nobody_knows_is_an_error() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        vtimezone("Mars/Olympus", 2026)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Europe/Stockholm", "Europe/Stockholm"),
        ("europe/stockholm", "Europe/Stockholm"),
        ("W. Europe Standard Time", "Europe/Berlin"),
        ("Eastern Standard Time", "America/New_York"),
        ("UTC", "UTC"),
        ("tzone://Microsoft/Custom", None),
        ("", None),
        ("../etc/passwd", None),
    ],
)
def test_names_of_zones_are_known_by_either_list(name: str, known: str | None) -> None:
    assert zone_name(name) == known


def test_an_object_holds_the_zones_that_it_uses_and_is_the_same_each_time() -> None:
    event = Event()
    event.add("uid", "a@x")
    event.add("dtstamp", datetime(2026, 1, 1, tzinfo=UTC))
    event.add("dtstart", datetime(2026, 3, 1, 9, tzinfo=ZoneInfo("Europe/Stockholm")))
    event.add("dtend", datetime(2026, 3, 1, 10, tzinfo=ZoneInfo("America/New_York")))
    written = calendar_object([event])
    assert written.count(b"BEGIN:VTIMEZONE") == 2
    assert written.index(b"END:VTIMEZONE") < written.index(b"BEGIN:VEVENT")
    assert written == calendar_object([event])
