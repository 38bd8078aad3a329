"""The stand-in's calendars and contacts behave as Google's documentation says, seen through Google's own library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests
from google_kit import ANNA
from googleapiclient.errors import HttpError
from liberate_google.discovery import document
from liberate_google.standin import GoogleStandin
from liberate_google.standin.calendar import Calendar
from liberate_google.standin.oauth import READONLY
from liberate_google.standin.people import WEEK
from liberate_google.standin.pim_sample import picture
from pim_kit import STOCKHOLM

BO = "bo@solros.example"
MONDAY = datetime(2026, 3, 2, 9, tzinfo=STOCKHOLM)
NAME = [{"displayName": "A", "givenName": "A"}]


@contextmanager
def api(standin: GoogleStandin, name: str, user: str = ANNA, scopes: tuple[str, ...] = READONLY) -> Iterator[Any]:
    import google_auth_httplib2
    from google.oauth2.credentials import Credentials
    from googleapiclient.discovery import build_from_document
    from googleapiclient.http import build_http

    credentials = Credentials(standin.oauth.access_token(user, scopes))
    line = google_auth_httplib2.AuthorizedHttp(credentials, http=build_http(), max_refresh_attempts=0)
    try:
        yield build_from_document(document(name, standin.url), http=line)
    finally:
        line.close()


@pytest.fixture
def calendar(standin: GoogleStandin) -> Calendar:
    return standin.pim.calendars.add_user(ANNA)


@pytest.fixture
def events(standin: GoogleStandin, calendar: Calendar) -> Iterator[Any]:
    with api(standin, "calendar.v3") as service:
        yield service.events()


@pytest.fixture
def people(standin: GoogleStandin) -> Iterator[Any]:
    standin.pim.people.add_user(ANNA)
    with api(standin, "people.v1") as service:
        yield service.people().connections()


def refused(request: Any) -> tuple[int, str]:
    with pytest.raises(HttpError) as told:
        request.execute()
    return told.value.status_code, str(told.value.content)


# Calendar ----------------------------------------------------------------------------------------


def test_a_listing_has_masters_exceptions_and_cancelled_times_with_little_in_them(
    standin: GoogleStandin, calendar: Calendar, events: Any
) -> None:
    store = standin.pim.calendars
    series = store.add(calendar, MONDAY, recurrence=["RRULE:FREQ=DAILY"], summary="x")
    store.instance(calendar, series, MONDAY + timedelta(days=1), summary="changed")
    store.cancel(calendar, series, MONDAY + timedelta(days=2))
    store.delete(calendar, store.add(calendar, MONDAY, summary="deleted"))
    answer = events.list(calendarId="primary").execute()
    told = {one["id"]: one for one in answer["items"]}
    assert set(told) == {series, f"{series}_20260303T080000Z", f"{series}_20260304T080000Z"}
    assert set(told[f"{series}_20260304T080000Z"]) == {
        "kind", "etag", "id", "status", "recurringEventId", "originalStartTime",
    }  # fmt: skip
    assert told[f"{series}_20260303T080000Z"]["iCalUID"] == told[series]["iCalUID"]
    assert answer["defaultReminders"] == [{"method": "popup", "minutes": 30}]
    assert len(events.list(calendarId="primary", showDeleted=True).execute()["items"]) == 4


def test_the_sync_token_comes_with_the_last_page_only_and_tells_what_was_deleted(
    standin: GoogleStandin, calendar: Calendar, events: Any
) -> None:
    store = standin.pim.calendars
    keys = [store.add(calendar, MONDAY, summary=f"{n}") for n in range(5)]
    first = events.list(calendarId="primary", maxResults=3).execute()
    assert "nextSyncToken" not in first
    store.edit(calendar, keys[0], summary="while the pages are read")
    second = events.list(calendarId="primary", maxResults=3, pageToken=first["nextPageToken"]).execute()
    assert "nextPageToken" not in second
    store.delete(calendar, keys[1])
    told = events.list(calendarId="primary", syncToken=second["nextSyncToken"]).execute()
    assert {one["id"]: one["status"] for one in told["items"]} == {keys[0]: "confirmed", keys[1]: "cancelled"}
    assert next(one for one in told["items"] if one["id"] == keys[1]).keys() == {"kind", "etag", "id", "status"}
    again = events.list(calendarId="primary", syncToken=told["nextSyncToken"]).execute()
    assert again["items"] == []


def test_a_stale_token_is_gone_and_a_wrong_one_refused(standin: GoogleStandin, calendar: Calendar, events: Any) -> None:
    store = standin.pim.calendars
    for number in range(3):
        store.add(calendar, MONDAY, summary=f"{number}")
    token = events.list(calendarId="primary").execute()["nextSyncToken"]
    page = events.list(calendarId="primary", maxResults=2).execute()["nextPageToken"]
    assert refused(events.list(calendarId="primary", syncToken="garbage"))[0] == 400
    assert refused(events.list(calendarId="primary", pageToken="garbage"))[0] == 400
    assert refused(events.list(calendarId="primary", pageToken=page, showDeleted=True))[0] == 400
    assert refused(events.list(calendarId="primary", syncToken=token, showDeleted=False))[0] == 400
    assert refused(events.list(calendarId="primary", syncToken=token, showDeleted=True))[0] == 400
    assert refused(events.list(calendarId="primary", syncToken=token, updatedMin="2026-01-01T00:00:00Z"))[0] == 400
    other = store.add_calendar(ANNA, "Other")
    assert refused(events.list(calendarId=other.id, syncToken=token))[0] == 400
    store.expire(calendar)
    status, text = refused(events.list(calendarId="primary", syncToken=token))
    assert status == 410
    assert "fullSyncRequired" in text


def test_updated_min_tells_the_deleted_as_well(standin: GoogleStandin, calendar: Calendar, events: Any) -> None:
    store = standin.pim.calendars
    store.delete(calendar, store.add(calendar, MONDAY))
    store.add(calendar, MONDAY, summary="x")
    answer = events.list(calendarId="primary", updatedMin="2020-01-01T00:00:00Z").execute()
    assert {one["status"] for one in answer["items"]} == {"cancelled", "confirmed"}
    assert "nextSyncToken" not in answer
    assert events.list(calendarId="primary", updatedMin="2100-01-01T00:00:00Z").execute()["items"][0]["status"] == (
        "cancelled"
    )


def test_fields_and_event_types_are_honoured(standin: GoogleStandin, calendar: Calendar, events: Any) -> None:
    key = standin.pim.calendars.add(calendar, MONDAY, summary="x", eventType="focusTime")
    standin.pim.calendars.add(calendar, MONDAY, summary="y")
    told = events.list(calendarId="primary", fields="items(id,summary)", eventTypes=["focusTime"]).execute()
    assert told == {"items": [{"id": key, "summary": "x"}]}
    assert refused(events.list(calendarId="primary", fields="items(colour)"))[0] == 400


def test_who_may_see_what(standin: GoogleStandin, calendar: Calendar) -> None:
    store = standin.pim.calendars
    store.add_user(BO)
    key = store.add(calendar, MONDAY, summary="secret", visibility="private", description="secret")
    open_ = store.add(calendar, MONDAY, summary="open")
    with api(standin, "calendar.v3", BO) as service:
        assert refused(service.events().list(calendarId=ANNA))[0] == 404
        store.share(calendar, BO, "reader")
        told = {one["id"]: one for one in service.events().list(calendarId=ANNA).execute()["items"]}
        assert "secret" not in str(told)
        assert told[open_]["summary"] == "open"
        store.share(calendar, BO, "freeBusyReader")
        assert "open" not in str(service.events().list(calendarId=ANNA).execute()["items"])
        store.share(calendar, BO, "writer")
        assert service.events().get(calendarId=ANNA, eventId=key).execute()["summary"] == "secret"
        entry = service.calendarList().list(minAccessRole="writer").execute()["items"]
    assert [one["accessRole"] for one in entry] == ["writer", "owner"]


def test_instances_are_the_times_as_they_are(standin: GoogleStandin, calendar: Calendar, events: Any) -> None:
    store = standin.pim.calendars
    series = store.add(calendar, MONDAY, recurrence=["RRULE:FREQ=DAILY;COUNT=4"], summary="x")
    store.cancel(calendar, series, MONDAY + timedelta(days=1))
    store.instance(calendar, series, MONDAY + timedelta(days=2), summary="changed")
    told = events.instances(calendarId="primary", eventId=series).execute()["items"]
    assert [one["summary"] for one in told] == ["x", "changed", "x"]
    assert told[0]["originalStartTime"] == told[0]["start"]
    assert len(events.instances(calendarId="primary", eventId=series, showDeleted=True).execute()["items"]) == 4


def test_scopes_and_those_without_a_calendar(standin: GoogleStandin, calendar: Calendar) -> None:
    with api(standin, "calendar.v3", scopes=(READONLY[0],)) as service:
        assert "insufficientPermissions" in refused(service.events().list(calendarId="primary"))[1]
    with api(standin, "people.v1", scopes=(READONLY[2],)) as service:
        request = service.people().connections().list(resourceName="people/me", personFields="names")
        assert "ACCESS_TOKEN_SCOPE_INSUFFICIENT" in refused(request)[1]
    with api(standin, "calendar.v3", "nobody@solros.example") as service:
        assert "notACalendarUser" in refused(service.calendarList().list())[1]


def test_the_quota_refuses_what_goes_beyond_it(standin: GoogleStandin, calendar: Calendar, events: Any) -> None:
    standin.pim.calendar_quota.enforce(user_units=2, form="403")
    for _ in range(2):
        events.list(calendarId="primary").execute()
    status, text = refused(events.list(calendarId="primary"))
    assert status == 403
    assert "userRateLimitExceeded" in text


# People ------------------------------------------------------------------------------------------


def mine(people: Any, **more: Any) -> Any:
    return people.list(**({"resourceName": "people/me", "personFields": "names,metadata"} | more))


def test_a_mask_is_required_and_honoured(standin: GoogleStandin, people: Any) -> None:
    standin.pim.people.add(ANNA, names=NAME, nicknames=[{"value": "n"}])
    (told,) = mine(people).execute()["connections"]
    assert set(told) == {"resourceName", "etag", "names", "metadata"}
    assert told["names"][0]["metadata"]["primary"] is True
    assert refused(mine(people, personFields="names,colour"))[0] == 400
    assert refused(mine(people, resourceName="people/c1"))[0] == 400
    assert refused(mine(people, pageSize=1001))[0] == 400


def test_a_sync_tells_the_deleted_and_expires_after_a_week(
    standin: GoogleStandin, people: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = standin.pim.people
    keys = [store.add(ANNA, names=NAME) for _ in range(5)]
    first = mine(people, pageSize=3, requestSyncToken=True).execute()
    assert "nextSyncToken" not in first
    last = mine(people, pageSize=3, requestSyncToken=True, pageToken=first["nextPageToken"]).execute()
    token = last["nextSyncToken"]
    store.delete(ANNA, keys[0])
    told = mine(people, requestSyncToken=True, syncToken=token).execute()["connections"]
    assert [one["metadata"]["deleted"] for one in told] == [True]
    assert "names" not in told[0]
    assert refused(mine(people, requestSyncToken=True, syncToken=token, personFields="names"))[0] == 400
    assert refused(mine(people, pageToken="garbage"))[0] == 400
    now = standin.clock()
    monkeypatch.setattr(standin.pim.people_api, "_clock", lambda: now + WEEK + 1)
    status, text = refused(mine(people, requestSyncToken=True, syncToken=token))
    assert (status, "EXPIRED_SYNC_TOKEN" in text) == (400, True)


def test_the_first_page_of_a_full_sync_has_its_own_quota(standin: GoogleStandin, people: Any) -> None:
    standin.pim.people_api.full_syncs = 1
    mine(people).execute()
    assert refused(mine(people))[0] == 429


def test_people_are_got_by_name_and_in_batches(standin: GoogleStandin, people: Any) -> None:
    key = standin.pim.people.add(ANNA, names=NAME, groups=["Board"])
    name = f"people/c{int(key, 16)}"
    with api(standin, "people.v1") as service:
        got = service.people().get(resourceName=name, personFields="memberships").execute()
        assert len(got["memberships"]) == 2
        told = service.people().getBatchGet(resourceNames=[name, "people/c1"], personFields="names").execute()
        assert [one["httpStatusCode"] for one in told["responses"]] == [200, 404]
        groups = service.contactGroups().list(pageSize=1000).execute()["contactGroups"]
        assert "Board" in {one["name"] for one in groups}
        assert {one["groupType"] for one in groups} == {"SYSTEM_CONTACT_GROUP", "USER_CONTACT_GROUP"}


def test_pictures_are_had_over_http_by_anybody(standin: GoogleStandin, people: Any) -> None:
    data = picture(5)
    standin.pim.people.add(ANNA, names=NAME, photo=data)
    standin.pim.people.add(ANNA, names=NAME)
    told = mine(people, personFields="photos").execute()["connections"]
    first, second = (one["photos"][0] for one in told)
    assert second["default"] is True
    assert requests.get(f"{first['url']}?sz=200", timeout=10).content == data
