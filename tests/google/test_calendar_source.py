"""The calendar source against the stand-in: each series once, whole, and what changed since."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from google_kit import ANNA, cursor, gone, items, skipped
from liberate_google.connectors import google
from liberate_google.settings import GoogleSettings
from liberate_google.standin import Fault, GoogleStandin
from liberate_google.standin.calendar import Calendar
from liberate_google.standin.oauth import READONLY
from pim_kit import MAIN, STOCKHOLM, bodies, calendars, events, happens, listed

from liberate.connector import Account, Collection, Cursor, HasLooks, Item, Kind, ReadsMany, Whole
from liberate.errors import AccountError, ItemError, TransientError

BO = "bo@solros.example"


def at(day: int, hour: int = 9, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=STOCKHOLM)


@pytest.fixture
def calendar(standin: GoogleStandin) -> Calendar:
    return standin.pim.calendars.add_user(ANNA)


# What there is -----------------------------------------------------------------------------------


def test_own_calendars_move_and_others_are_listed(standin: GoogleStandin, settings: GoogleSettings) -> None:
    store = standin.pim.calendars
    mine, theirs = store.add_user(ANNA), store.add_user(BO)
    store.add(mine, at(2), summary="mine")
    choir = store.add_calendar(ANNA, "Choir / Kör", zone="America/New_York")
    choir.description, choir.colour = "We sing", "#16A765"
    hidden = store.add_calendar(ANNA, "Old")
    hidden.hidden.add(ANNA)
    store.share(theirs, ANNA, "reader")
    store.add(theirs, at(2), summary="theirs")
    busy = store.add_calendar(BO, "Busy")
    store.share(busy, ANNA, "freeBusyReader")
    store.add_calendar(ANNA, "Holidays", id_="en.swedish#holiday@group.v.calendar.google.com", role="reader")
    with calendars(settings) as source:
        found = list(source.collections())
        assert [one.path for one in found] == [(ANNA,), ("Choir / Kör",), ("Old",)]
        assert found[0].id == "calendar:primary"
        told = skipped(listed(source, found[0]))
        assert sorted(one.code for one in told) == ["free-busy-only", "holiday-calendar", "shared-calendar"]
        assert all(one.why for one in told)
        assert skipped(listed(source, found[1])) == []
        assert isinstance(source, HasLooks)
        assert isinstance(source, ReadsMany)
        looks = source.looks(found[1])
    assert (looks.name, looks.description, looks.colour) == ("Choir / Kör", "We sing", "#16a765")
    assert (looks.timezone, looks.components) == ("America/New_York", {"VEVENT"})


def test_shared_calendars_are_copied_where_the_plan_says_so(standin: GoogleStandin, settings: GoogleSettings) -> None:
    store = standin.pim.calendars
    store.add_user(ANNA)
    theirs = store.add_user(BO)
    store.share(theirs, ANNA, "reader")
    store.add(theirs, at(2), summary="open")
    store.add(theirs, at(3), summary="secret", visibility="private")
    with calendars(settings.model_copy(update={"shared_calendars": "copy"})) as source:
        (_, other) = source.collections()
        text = b"".join(bodies(source, listed(source, other)).values())
    assert b"open" in text
    assert b"secret" not in text, "Google itself shows a reader only that somebody is busy"


def test_one_event_in_two_calendars_is_an_item_of_each(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    other = store.add_calendar(ANNA, "Other")
    store.add(calendar, at(2), id="same0", summary="here")
    store.add(other, at(2), id="same0", summary="there")
    with calendars(settings) as source:
        found = {item.id: item for one in source.collections() for item in items(listed(source, one))}
        assert set(found) == {"primary/same0", f"{other.id}/same0"}
    with calendars(settings) as source:  # another opening, which remembers nothing
        assert b"SUMMARY:here" in b"".join(source.read(found["primary/same0"]))
        assert b"SUMMARY:there" in b"".join(source.read(found[f"{other.id}/same0"]))


def test_a_listing_says_that_it_is_whole_and_where_to_go_on(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    series = standin.pim.calendars.add(calendar, at(2), recurrence=["RRULE:FREQ=DAILY"], summary="x")
    with calendars(settings) as source:
        told = listed(source, MAIN)
        assert isinstance(told[-2], Whole)
        assert listed(source, MAIN, cursor(told)) != []
        (item,) = items(told)
        body = b"".join(source.read(item))
    assert item.name == f"{series}@google.com"
    assert (item.size, item.facts_version, item.facts.lost) == (len(body), "", ())
    assert item.version == item.digests["sha256"]


def test_pages_are_read_to_their_end_and_series_put_together_across_them(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liberate_google.calendar.PAGE", 7)
    store = standin.pim.calendars
    for number in range(10):
        series = store.add(calendar, at(2), recurrence=["RRULE:FREQ=DAILY;COUNT=20"], summary=f"series {number}")
        for day in range(3, 9):
            store.instance(calendar, series, at(day), summary=f"series {number}, day {day}")
        store.cancel(calendar, series, at(9))
    with calendars(settings) as source:
        told = listed(source, MAIN)
        found = bodies(source, told)
    assert len(found) == 10
    assert [item.id for item in items(told)] == sorted(item.id for item in items(told))
    for body in found.values():
        assert len(events(body)) == 7
        assert len(happens(body, date(2026, 3, 1), date(2026, 4, 1))) == 19


def test_birthdays_and_working_locations_are_listed_and_not_copied(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    store.add(calendar, date(2026, 3, 1), eventType="birthday", birthdayProperties={"type": "birthday"})
    store.add(calendar, date(2026, 3, 2), eventType="workingLocation")
    store.add(calendar, date(2026, 3, 3), eventType="fromGmail", summary="Flight")
    with calendars(settings) as source:
        told = listed(source, MAIN)
    assert sorted(one.code for one in skipped(told)) == ["birthday", "working-location"]
    assert len(items(told)) == 1


def test_one_bad_event_is_told_and_the_others_go_on(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    bad = store.add(calendar, at(2), recurrence=["RRULE:FREQ=DAILY;UNTIL=SOON"], summary="x")
    good = store.add(calendar, at(3), summary="y")
    with calendars(settings) as source:
        told = listed(source, MAIN)
        assert [one.id for one in items(told)] == [f"primary/{good}"]
        assert [(one.id, one.code) for one in skipped(told)] == [(f"primary/{bad}", "unreadable-event")]
        store.edit(calendar, bad, recurrence=["RRULE:FREQ=DAILY"])
        later = listed(source, MAIN, cursor(told))
    assert [one.id for one in items(later)] == [f"primary/{bad}"]


def test_two_events_with_one_identity_are_both_kept_and_stay_apart(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    keys = [store.add(calendar, at(2 + n), summary=f"import {n}", iCalUID="one@else.example") for n in range(3)]
    with calendars(settings) as source:
        told = listed(source, MAIN)
        names = {item.id: item.name for item in items(told)}
        assert len(set(names.values())) == 3
        assert list(names.values()).count("one@else.example") == 1
        assert sorted(item.facts.lost for item in items(told)) == [(), ("uid",), ("uid",)]
        for item in items(told):
            assert str(events(b"".join(source.read(item)))[0]["UID"]) == item.name
        owner = next(id_ for id_, name in names.items() if name == "one@else.example")
        store.delete(calendar, owner.rpartition("/")[2])
        for key in keys:
            if key not in owner:
                store.edit(calendar, key, summary="again")
        later = listed(source, MAIN, cursor(told))
        whole = listed(source, MAIN, Cursor(str(cursor(later)).replace('"as":"', '"as":"x')))
    assert gone(later) == [owner]
    for listing in (later, whole):
        assert {item.id: item.name for item in items(listing)} == {k: v for k, v in names.items() if k != owner}
    with calendars(settings) as source:
        for item in items(later):
            assert str(events(b"".join(source.read(item)))[0]["UID"]) == item.name


# The second pass ---------------------------------------------------------------------------------


def test_the_second_pass_tells_what_changed_each_series_whole(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    single = store.add(calendar, at(2), summary="single")
    store.add(calendar, at(3), summary="untouched")
    dead = store.add(calendar, at(4), summary="dead")
    series = store.add(calendar, at(2), recurrence=["RRULE:FREQ=DAILY;COUNT=30"], summary="series")
    store.instance(calendar, series, at(5), summary="earlier change")
    ended = store.add(calendar, at(2), recurrence=["RRULE:FREQ=WEEKLY"], summary="ended")
    store.instance(calendar, ended, at(9), summary="changed")
    with calendars(settings) as source:
        first = listed(source, MAIN)
        store.edit(calendar, single, start=at(20), end=at(20, 10))
        store.delete(calendar, dead)
        store.cancel(calendar, series, at(6))
        store.instance(calendar, series, at(28), start=at(29, 15), summary="moved")
        store.delete(calendar, ended)
        new = store.add(calendar, at(30), summary="new")
        second = listed(source, MAIN, cursor(first))
        third = listed(source, MAIN, cursor(second))
        found = bodies(source, second)
    assert sorted(gone(second)) == sorted(f"primary/{one}" for one in (dead, ended))
    assert set(found) == {f"primary/{one}" for one in (single, series, new)}
    told = {str(one.get("SUMMARY")) for one in events(found[f"primary/{series}"])}
    assert told == {"series", "earlier change", "moved"}
    assert len(happens(found[f"primary/{series}"], date(2026, 3, 1), date(2026, 5, 1))) == 29
    assert not any(isinstance(one, Whole) for one in second)
    assert third == [cursor(third)]


def test_a_second_pass_over_plain_events_reads_no_more_than_what_changed(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    keys = [store.add(calendar, at(2), summary="x") for _ in range(5)]
    with calendars(settings) as source:
        first = listed(source, MAIN)
        store.edit(calendar, keys[0], summary="y")
        store.delete(calendar, keys[1])
        standin.requests.clear()
        second = listed(source, MAIN, cursor(first))
        list(source.read_many(items(second)))
    assert [call.method for call in standin.requests] == ["events.list"]
    assert (gone(second), [item.id for item in items(second)]) == ([f"primary/{keys[1]}"], [f"primary/{keys[0]}"])


def test_the_last_time_that_somebody_was_invited_to_is_gone(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    series = store.add(calendar, at(2), recurrence=["RRULE:FREQ=DAILY"], id="theirs", summary="x")
    one = store.instance(calendar, series, at(5))
    two = store.instance(calendar, series, at(6))
    del calendar.events[series]
    with calendars(settings) as source:
        first = listed(source, MAIN)
        store.delete(calendar, one)  # of which only its id is told
        second = listed(source, MAIN, cursor(first))
        assert [item.id for item in items(second)] == ["primary/theirs"]
        store.delete(calendar, two)
        third = listed(source, MAIN, cursor(second))
    assert items(third) == []
    assert "primary/theirs" in gone(third)


@pytest.mark.parametrize("how", ["expired", "garbage", "another form"])
def test_a_token_that_fits_no_more_is_answered_with_everything(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar, how: str
) -> None:
    store = standin.pim.calendars
    keep, dead = store.add(calendar, at(2)), store.add(calendar, at(3))
    with calendars(settings) as source:
        since = cursor(listed(source, MAIN))
        store.delete(calendar, dead)
        if how == "expired":
            store.expire(calendar)
        elif how == "garbage":
            since = Cursor(str(since).replace('"token":"', '"token":"xx'))
        else:
            since = Cursor("history:12")
        told = listed(source, MAIN, since)
    assert [item.id for item in items(told)] == [f"primary/{keep}"]
    assert isinstance(told[-2], Whole)
    assert gone(told) == []


def test_other_reminders_of_the_calendar_make_everything_be_told_anew(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    standin.pim.calendars.add(calendar, at(2), summary="x")
    with calendars(settings) as source:
        first = listed(source, MAIN)
    calendar.reminders[ANNA] = [{"method": "popup", "minutes": 5}]
    with calendars(settings) as source:
        second = listed(source, MAIN, cursor(first))
    assert [item.version for item in items(first)] != [item.version for item in items(second)]


# Reading -----------------------------------------------------------------------------------------


def test_what_was_listed_is_read_without_a_call_and_else_by_its_id(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    store = standin.pim.calendars
    single = store.add(calendar, at(2), summary="single")
    series = store.add(calendar, at(2), recurrence=["RRULE:FREQ=DAILY;COUNT=3"], summary="series")
    store.cancel(calendar, series, at(3))
    with calendars(settings) as source:
        told = listed(source, MAIN)
        standin.requests.clear()
        found = bodies(source, told)
        assert standin.requests == []
    with calendars(settings) as source:
        assert {one.item.id: one.body for one in source.read_many(items(told))} == found
        by_id = {item.id: item for item in items(told)}
        store.edit(calendar, single, summary="changed")
        store.delete(calendar, series)
        now = source.describe(by_id[f"primary/{single}"])
        assert now.version != by_id[now.id].version
        with pytest.raises(ItemError) as told_gone:
            source.describe(by_id[f"primary/{series}"])
        assert told_gone.value.code == "gone"


# Errors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (403, "rateLimitExceeded", TransientError),
        (403, "userRateLimitExceeded", TransientError),
        (403, "quotaExceeded", TransientError),
        (429, "rateLimitExceeded", TransientError),
        (503, "backendError", TransientError),
        (403, "notACalendarUser", AccountError),
        (403, "accessNotConfigured", AccountError),
        (403, "insufficientPermissions", AccountError),
    ],
)
@pytest.mark.parametrize("method", ["calendarList.list", "events.list"])
def test_refusals_are_told_apart(
    standin: GoogleStandin,
    settings: GoogleSettings,
    calendar: Calendar,
    status: int,
    reason: str,
    error: Any,
    method: str,
) -> None:
    standin.pim.calendars.add(calendar, at(2))
    standin.faults.add(Fault(status=status, reason=reason, text=reason, method=method, times=None))
    with calendars(settings) as source, pytest.raises(error):
        [listed(source, one) for one in source.collections()]


def test_one_refusal_for_the_rate_is_waited_for(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    standin.pim.calendars.add(calendar, at(2))
    standin.faults.add(Fault(status=403, reason="rateLimitExceeded", method="events.list", times=2))
    with calendars(settings) as source:
        assert len(items(listed(source, MAIN))) == 1


def test_a_missing_scope_says_which_and_where(standin: GoogleStandin, settings: GoogleSettings, tmp_path: Any) -> None:
    standin.pim.calendars.add_user(ANNA)
    scopes = [one for one in READONLY if "calendar" not in one]
    standin.service_account_file(tmp_path / "less.json", scopes)
    less = settings.model_copy(update={"service_account_file": tmp_path / "less.json"})
    with calendars(less) as source, pytest.raises(AccountError) as told:
        list(source.collections())
    assert told.value.code == "not-delegated"
    assert "calendar.readonly" in told.value.todo
    assert "Domain-wide delegation" in told.value.todo


def test_only_what_moves_is_asked_for(standin: GoogleStandin, settings: GoogleSettings) -> None:
    standin.add_person(ANNA)
    standin.pim.calendars.add(standin.pim.calendars.add_user(ANNA), at(2) + timedelta(days=1))
    assert google.source is not None
    with google.source(settings, Account(ANNA, kinds=frozenset({Kind.EVENT}))) as source:
        found = [item for one in source.collections() for item in source.items(one, None) if isinstance(item, Item)]
        assert len(found) == 1
    asked = {call.method.partition(".")[0] for call in standin.requests}
    assert asked == {"token", "calendarList", "calendars", "events"}


def test_a_calendar_that_is_gone_is_told_as_gone(
    standin: GoogleStandin, settings: GoogleSettings, calendar: Calendar
) -> None:
    with calendars(settings) as source, pytest.raises(ItemError):
        source.looks(Collection("calendar:none", ("None",), Kind.EVENT))
