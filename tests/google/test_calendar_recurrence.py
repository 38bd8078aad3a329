"""Series come through with every one of their times, around both clock changes, read back by other libraries."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from google_kit import ANNA, items
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GoogleStandin
from liberate_google.standin.calendar import Calendar
from pim_kit import (
    MAIN,
    NEW_YORK,
    STOCKHOLM,
    at_google,
    body_of,
    calendars,
    events,
    happens,
    listed,
)

FIRST, LAST = date(2026, 1, 1), date(2031, 1, 1)


@pytest.fixture
def calendar(standin: GoogleStandin) -> Calendar:
    return standin.pim.calendars.add_user(ANNA)


def local(year: int, month: int, day: int, hour: int = 9, minute: int = 0, zone: Any = STOCKHOLM) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=zone)


SHAPES = {
    "every day for ever": (local(2026, 1, 5), ["RRULE:FREQ=DAILY"]),
    "every weekday": (local(2026, 1, 5), ["RRULE:FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR"]),
    "every other week": (local(2026, 1, 6), ["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,TH;WKST=MO"]),
    "the week begins on Sunday": (local(2026, 1, 6), ["RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU"]),
    "the last Friday": (local(2026, 1, 30), ["RRULE:FREQ=MONTHLY;BYDAY=-1FR"]),
    "the 31st": (local(2026, 1, 31), ["RRULE:FREQ=MONTHLY;BYMONTHDAY=31"]),
    "the last working day": (local(2026, 1, 30), ["RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1"]),
    "29 February": (local(2028, 2, 29), ["RRULE:FREQ=YEARLY"]),
    "ten times": (local(2026, 3, 23), ["RRULE:FREQ=DAILY;COUNT=10"]),
    "until": (local(2026, 3, 20), ["RRULE:FREQ=DAILY;UNTIL=20260405T065959Z"]),
    "until the very last": (local(2026, 3, 20), ["RRULE:FREQ=DAILY;UNTIL=20260405T070000Z"]),
    "all day, until": (date(2026, 3, 20), ["RRULE:FREQ=DAILY;UNTIL=20260405"]),
    "all day, yearly": (date(2026, 6, 6), ["RRULE:FREQ=YEARLY"]),
    "all day, without one": (date(2026, 3, 20), ["RRULE:FREQ=DAILY;COUNT=9", "EXDATE;VALUE=DATE:20260322"]),
    "only dates": (local(2026, 3, 20), ["RDATE;TZID=Europe/Stockholm:20260329T090000,20261025T090000"]),
    "dates besides a rule": (local(2026, 3, 20), ["RRULE:FREQ=WEEKLY;COUNT=4", "RDATE:20260325T080000Z"]),
    "without some, in universal time": (local(2026, 3, 20), ["RRULE:FREQ=DAILY;COUNT=20", "EXDATE:20260330T070000Z"]),
    "without some, in another zone": (
        local(2026, 3, 20),
        ["RRULE:FREQ=DAILY;COUNT=20", "EXDATE;TZID=America/New_York:20260330T030000"],
    ),
    "without a day": (local(2026, 3, 20), ["RRULE:FREQ=DAILY;COUNT=20", "EXDATE;VALUE=DATE:20260330"]),
    "in New York": (local(2026, 3, 2, zone=NEW_YORK), ["RRULE:FREQ=DAILY;UNTIL=20261130T000000Z"]),
    "in New York, near midnight": (local(2026, 2, 2, 23, 30, NEW_YORK), ["RRULE:FREQ=WEEKLY;BYDAY=MO"]),
    "in universal time": (datetime(2026, 3, 20, 9, tzinfo=UTC), ["RRULE:FREQ=DAILY;COUNT=30"]),
    "two rules": (local(2026, 3, 2), ["RRULE:FREQ=WEEKLY;COUNT=6", "RRULE:FREQ=MONTHLY;BYMONTHDAY=2;COUNT=6"]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_series_takes_place_when_it_does_at_google(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar, shape: str
) -> None:
    start, recurrence = SHAPES[shape]
    series = standin.pim.calendars.add(calendar, start, recurrence=recurrence, summary="Meeting")
    body = body_of(settings, series)
    wanted = [one for one in at_google(standin, ANNA, series, FIRST, LAST) if str(one[0])[:10] < str(LAST)]
    assert wanted
    assert happens(body, FIRST, LAST) == wanted


@pytest.mark.parametrize("zone", [STOCKHOLM, NEW_YORK], ids=str)
def test_changed_moved_and_cancelled_times_around_both_clock_changes(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar, zone: Any
) -> None:
    store = standin.pim.calendars
    start = local(2026, 1, 5, zone=zone)
    series = store.add(calendar, start, recurrence=["RRULE:FREQ=DAILY;COUNT=400"], summary="Meeting")
    for month, day in (
        (3, 7),
        (3, 8),
        (3, 9),
        (3, 28),
        (3, 29),
        (3, 30),
        (10, 24),
        (10, 25),
        (10, 26),
        (11, 1),
        (11, 2),
    ):
        when = local(2026, month, day, zone=zone)
        if day % 3 == 0:
            store.cancel(calendar, series, when)
        elif day % 3 == 1:
            store.instance(calendar, series, when, summary="Changed")
        else:
            store.instance(calendar, series, when, start=when + timedelta(hours=26), summary="Moved")
    body = body_of(settings, series)
    assert happens(body, FIRST, LAST) == at_google(standin, ANNA, series, FIRST, LAST)
    (master, *changed) = events(body)
    assert len(changed) == 8
    assert all(one["UID"] == master["UID"] for one in changed)
    assert f"TZID={zone}" in body.decode()
    assert f"EXDATE;TZID={zone}:" in body.decode()
    assert body.decode().count("BEGIN:VTIMEZONE") == 1


def test_a_series_between_two_and_three_at_night(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    series = store.add(calendar, local(2026, 3, 27, 2, 30), recurrence=["RRULE:FREQ=DAILY;COUNT=5"], summary="Backup")
    leapt = datetime(2026, 3, 29, 1, 30, tzinfo=UTC).astimezone(STOCKHOLM)  # held at half past three
    store.instance(calendar, series, leapt, summary="Changed")
    body = body_of(settings, series)
    assert "RECURRENCE-ID;TZID=Europe/Stockholm:20260329T023000" in body.decode(), "as the rule gives it"
    assert happens(body, FIRST, LAST) == at_google(standin, ANNA, series, FIRST, LAST)


def test_the_second_of_two_equal_hours_is_kept_apart(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    instants = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    keys = [store.add(calendar, one.astimezone(STOCKHOLM), summary="Shift") for one in instants]
    told = [happens(body_of(settings, key), FIRST, LAST)[0][0] for key in keys]
    assert told == instants


def test_times_of_a_series_that_this_person_does_not_see_stand_without_it(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    series = store.add(calendar, local(2026, 3, 23), recurrence=["RRULE:FREQ=WEEKLY"], summary="Board", id="theirs")
    for day in (23, 30):
        store.instance(calendar, series, local(2026, 3, day))
    del calendar.events[series]
    with calendars(settings) as source:
        (item,) = items(listed(source, MAIN))
        body = b"".join(source.read(item))
    assert (item.id, item.name) == ("primary/theirs", "theirs@google.com")
    assert len(events(body)) == 2
    starts = [span[0] for span in happens(body, FIRST, LAST)]
    assert starts == [local(2026, 3, 23).astimezone(UTC), local(2026, 3, 30).astimezone(UTC)]


def test_the_order_in_which_google_tells_the_parts_does_not_show(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    series = store.add(calendar, local(2026, 1, 5), recurrence=["RRULE:FREQ=DAILY;COUNT=50"], summary="Meeting")
    for day in range(6, 26):
        store.instance(calendar, series, local(2026, 1, day), summary=f"Meeting {day}")
    first = body_of(settings, series)
    events_ = dict(reversed(calendar.events.items()))
    calendar.events.clear()
    calendar.events.update(events_)
    assert body_of(settings, series) == first
