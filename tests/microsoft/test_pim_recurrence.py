"""Graph's recurrences as rules: right to the letter, and the same times as a reckoning of another kind."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from liberate_microsoft import calendar_convert, recurrence, times
from liberate_microsoft.event_fields import Whose
from liberate_microsoft.standin import PimBox, pim_shapes
from liberate_microsoft.standin.pim_sample import EAST, SHAPES, WEST, sample_calendar
from outlook_pim_kit import event, lines, told, truth

BERLIN = ZoneInfo("Europe/Berlin")
NO_END = {"type": "noEnd", "startDate": "2026-01-05", "endDate": "0001-01-01"}


def ends(day: str) -> dict[str, Any]:
    return {"type": "endDate", "startDate": "2026-01-05", "endDate": day}


@pytest.mark.parametrize(
    ("pattern", "span", "wanted"),
    [
        ({"type": "daily", "interval": 1}, NO_END, "FREQ=DAILY"),
        ({"type": "daily", "interval": 3}, NO_END, "FREQ=DAILY;INTERVAL=3"),
        ({"type": "daily"}, {"type": "numbered", "numberOfOccurrences": 10}, "FREQ=DAILY;COUNT=10"),
        ({"type": "daily"}, ends("2026-03-29"), "FREQ=DAILY;UNTIL=20260329T215959Z"),
        ({"type": "daily"}, ends("2026-03-28"), "FREQ=DAILY;UNTIL=20260328T225959Z"),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["friday", "monday"], "firstDayOfWeek": "monday"}, NO_END,
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=MO",
        ),
        ({"type": "weekly", "daysOfWeek": ["sunday"]}, NO_END, "FREQ=WEEKLY;BYDAY=SU;WKST=SU"),
        ({"type": "absoluteMonthly", "interval": 2, "dayOfMonth": 15}, NO_END, "FREQ=MONTHLY;INTERVAL=2;BYMONTHDAY=15"),
        ({"type": "absoluteMonthly", "dayOfMonth": 28}, NO_END, "FREQ=MONTHLY;BYMONTHDAY=28"),
        ({"type": "absoluteMonthly", "dayOfMonth": 29}, NO_END, "FREQ=MONTHLY;BYMONTHDAY=28,29;BYSETPOS=-1"),
        ({"type": "absoluteMonthly", "dayOfMonth": 30}, NO_END, "FREQ=MONTHLY;BYMONTHDAY=28,29,30;BYSETPOS=-1"),
        ({"type": "absoluteMonthly", "dayOfMonth": 31}, NO_END, "FREQ=MONTHLY;BYMONTHDAY=-1"),
        (
            {"type": "relativeMonthly", "daysOfWeek": ["tuesday"], "index": "second"}, NO_END,
            "FREQ=MONTHLY;BYDAY=2TU",
        ),
        ({"type": "relativeMonthly", "daysOfWeek": ["friday"], "index": "last"}, NO_END, "FREQ=MONTHLY;BYDAY=-1FR"),
        (
            {"type": "relativeMonthly", "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
             "index": "last"}, NO_END, "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        ),
        ({"type": "absoluteYearly", "month": 5, "dayOfMonth": 17}, NO_END, "FREQ=YEARLY;BYMONTH=5;BYMONTHDAY=17"),
        ({"type": "absoluteYearly", "month": 2, "dayOfMonth": 29}, NO_END, "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1"),
        ({"type": "absoluteYearly", "month": 4, "dayOfMonth": 31}, NO_END, "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=30"),
        (
            {"type": "relativeYearly", "interval": 2, "month": 11, "daysOfWeek": ["thursday"], "index": "fourth"},
            NO_END, "FREQ=YEARLY;INTERVAL=2;BYMONTH=11;BYDAY=4TH",
        ),
    ],
)  # fmt: skip
def test_a_pattern_becomes_its_rule(pattern: dict[str, Any], span: dict[str, Any], wanted: str) -> None:
    assert recurrence.rule({"pattern": pattern, "range": span}, BERLIN, all_day=False) == wanted


def test_the_end_of_whole_days_is_a_day() -> None:
    told_ = {"pattern": {"type": "daily"}, "range": ends("2026-03-29")}
    assert recurrence.rule(told_, BERLIN, all_day=True) == "FREQ=DAILY;UNTIL=20260329"
    assert recurrence.rule(told_, None, all_day=False) == "FREQ=DAILY;UNTIL=20260329T235959Z"


@pytest.mark.parametrize(
    "told_",
    [
        None, {}, {"pattern": {}, "range": {}}, {"pattern": {"type": "hourly"}, "range": NO_END},
        {"pattern": {"type": "weekly", "daysOfWeek": []}, "range": NO_END},
        {"pattern": {"type": "weekly", "daysOfWeek": ["someday"]}, "range": NO_END},
        {"pattern": {"type": "absoluteMonthly", "dayOfMonth": 0}, "range": NO_END},
        {"pattern": {"type": "absoluteMonthly", "dayOfMonth": 32}, "range": NO_END},
        {"pattern": {"type": "relativeMonthly", "daysOfWeek": ["monday"], "index": "fifth"}, "range": NO_END},
        {"pattern": {"type": "daily", "interval": -1}, "range": NO_END},
        {"pattern": {"type": "daily"}, "range": {"type": "endDate", "endDate": "soon"}},
        {"pattern": {"type": "daily"}, "range": {"type": "unknownFutureValue"}},
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_told(told_: Any) -> None:
    with pytest.raises(recurrence.Unwritable):
        recurrence.rule(told_, BERLIN, all_day=False)


def made(box: PimBox, one: Any) -> bytes:
    """The object of an event of a stand-in, straight from its JSON."""
    raw = pim_shapes.event(box, one, immutable=True)
    changed = [
        pim_shapes.event(box, other, immutable=True, series=one, day=day) for day, other in one.exceptions.items()
    ]
    days = pim_shapes.cancelled(box, one, immutable=True)
    cancelled = [found[0] for told_ in days if (found := calendar_convert.cancelled_on(raw, told_))]
    return calendar_convert.made(raw, Whose(), calendar_convert.Series(changed, cancelled)).body


def test_five_years_of_every_kind_of_series_are_the_same_by_another_reckoning() -> None:
    box = PimBox("anna@solros.example", "Anna", lambda: 1_780_000_000.0)
    events = sample_calendar(box)
    assert len(events) == len(SHAPES) + 3
    for one in events:
        assert told(made(box, one)) == truth(one), one.fields["subject"]


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        (WEST, (date(2026, 3, 29), date(2026, 10, 25))),
        (EAST, (date(2026, 3, 8), date(2026, 11, 1))),
    ],
)
@pytest.mark.parametrize("hour", [0, 1, 4, 12, 23])
def test_a_series_keeps_its_hour_when_the_clocks_are_set(zone: str, changes: tuple[date, date], hour: int) -> None:
    box = PimBox("anna@solros.example", "Anna", lambda: 1_780_000_000.0)
    for change in changes:
        begin = datetime.combine(change - timedelta(days=3), datetime.min.time()) + timedelta(hours=hour, minutes=10)
        span = {"type": "numbered", "numberOfOccurrences": 7}
        one = box.add_event("Round the change", begin, 0.5, zone=zone, pattern={"type": "daily"}, span=span)
        box.change_instance(one, change, timedelta(minutes=15), subject="Moved")
        box.cancel(one, change + timedelta(days=1))
        found = told(made(box, one))
        assert found == truth(one)
        assert len(found) == 6
        where = ZoneInfo({"W. Europe Standard Time": "Europe/Berlin", EAST: "America/New_York"}[zone])
        hours = {datetime.fromisoformat(start).astimezone(where).hour for start, _, _ in found}
        assert hours == {hour}
        offsets = {datetime.fromisoformat(start).hour for start, _, _ in found}
        assert len(offsets) == 2, "in universal time it is another hour"


def test_a_start_that_its_rule_does_not_give_becomes_the_first_that_it_gives() -> None:
    # A Monday, of a series of Thursdays: programs would show that Monday as well.
    raw = event(
        type="seriesMaster",
        recurrence={
            "pattern": {"type": "weekly", "daysOfWeek": ["thursday"]},
            "range": {"type": "numbered", "startDate": "2026-03-02", "numberOfOccurrences": 2},
        },
    )
    body = calendar_convert.made(raw, Whose()).body
    assert told(body) == {
        ("2026-03-05T08:00:00+00:00", "2026-03-05T09:00:00+00:00", "Board"),
        ("2026-03-12T08:00:00+00:00", "2026-03-12T09:00:00+00:00", "Board"),
    }


def test_the_end_of_a_series_is_written_in_universal_time_and_its_start_in_its_zone() -> None:
    raw = event(type="seriesMaster", recurrence={"pattern": {"type": "daily"}, "range": {**ends("2026-04-01")}})
    found = lines(calendar_convert.made(raw, Whose()).body)
    assert "DTSTART;TZID=Europe/Berlin:20260302T090000" in found
    assert "RRULE:FREQ=DAILY;UNTIL=20260401T215959Z" in found


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("W. Europe Standard Time", "Europe/Berlin"), ("Eastern Standard Time", "America/New_York"),
        ("Europe/Stockholm", "Europe/Stockholm"), ("UTC", "UTC"), ("tzone://Microsoft/Utc", "UTC"),
        ("Etc/GMT", "UTC"), ("tzone://Microsoft/Custom", None), ("", None), (None, None), ("Nowhere", None),
    ],
)  # fmt: skip
def test_zones_are_known_by_their_names(name: Any, wanted: str | None) -> None:
    found = times.zone(name)
    assert (found.key if found else None) == wanted


def test_of_two_zones_that_of_the_rule_s_first_day_is_the_series_own() -> None:
    span = {"type": "noEnd", "startDate": "2026-03-02", "recurrenceTimeZone": "Tokyo Standard Time"}
    raw = event(recurrence={"pattern": {"type": "daily"}, "range": span})
    raw["start"]["dateTime"] = "2026-03-01T23:00:00"
    assert calendar_convert.home(raw) == ZoneInfo("Europe/Berlin")  # it fits both: the event's own
    raw["start"]["dateTime"] = "2026-03-01T20:00:00"
    found = calendar_convert.home(raw)
    assert found is not None
    assert found.key == "Asia/Tokyo"


@pytest.mark.parametrize(
    ("text", "zone", "wanted"),
    [
        ("2026-05-01T00:00:00", "Europe/Berlin", date(2026, 5, 1)),
        ("2026-04-30T22:00:00", "Europe/Berlin", date(2026, 5, 1)),
        ("2026-05-01T04:00:00", "America/New_York", date(2026, 5, 1)),
        ("2026-05-01T00:00:00", "America/New_York", date(2026, 5, 1)),
        ("2026-04-30T15:00:00", "Asia/Tokyo", date(2026, 5, 1)),
    ],
)
def test_whole_days_are_the_days_that_are_meant(text: str, zone: str, wanted: date) -> None:
    assert times.day(datetime.fromisoformat(text).replace(tzinfo=UTC), ZoneInfo(zone)) == wanted
