"""The stand-in's calendars and contacts refuse what Graph refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from graph_schema import by_table, checker
from liberate_microsoft import auth
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.consent import ask
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import GraphStandin, PimBox, pim_shapes
from liberate_microsoft.standin.expansion import days
from liberate_microsoft.standin.pim_sample import sample_pim
from microsoft_kit import ANNA, BJORN, made_settings

from liberate.connector import Account, HasLooks, Kind
from liberate.errors import AccountError

Get = Callable[..., requests.Response]
STAY = {"Prefer": 'IdType="ImmutableId"'}
NINE = datetime.fromisoformat("2026-03-20T09:00")


@pytest.fixture
def box(standin: GraphStandin) -> PimBox:
    return standin.add_pim(ANNA)


@pytest.fixture
def get(standin: GraphStandin, tmp_path: Path) -> Get:
    authority = str(standin.ca_file(tmp_path / "authority.pem"))
    form = {
        "grant_type": "client_credentials",
        "client_id": standin.entra.client_id,
        "client_secret": standin.entra.client_secret,
        "scope": "https://graph.microsoft.com/.default",
    }
    where = f"{standin.url}/{standin.entra.tenant}/oauth2/v2.0/token"
    token = requests.post(where, data=form, verify=authority, timeout=9).json()["access_token"]

    def call(path: str, **headers: str) -> requests.Response:
        url = path if path.startswith("https://") else f"{standin.url}/v1.0/users/{ANNA}{path}"
        headers = {"Authorization": f"Bearer {token}", **headers}
        return requests.get(url, headers=headers, verify=authority, timeout=9)

    return call


def test_an_id_is_good_only_in_the_form_in_which_it_was_given(get: Get, box: PimBox) -> None:
    event = box.add_event("Board", NINE)
    box.add_contact("Anna")
    path = f"/calendars/{box.calendar.id}/events"
    (plain,), (stays,) = get(path).json()["value"], get(path, **STAY).json()["value"]
    assert plain["id"] != stays["id"]
    assert stays["id"] == box.id_of(event.number)
    assert get(f"/events/{stays['id']}").status_code == 404
    assert get(f"/events/{plain['id']}", **STAY).status_code == 404
    assert get(f"/events/{stays['id']}", **STAY).json()["subject"] == "Board"
    delta = f"/contactFolders/{box.root.id}/contacts/delta"
    assert get(delta).json()["value"][0]["id"] != get(delta, **STAY).json()["value"][0]["id"]


@pytest.mark.parametrize(
    "path",
    [
        "/calendars?$select=id,nickname", "/calendars?$filter=x", "/calendars?$top=0", "/calendars?$top=2000",
        "/calendars?$skip=x", "/contactFolders?$select=colour", "/calendarView?startDateTime=2026-01-01",
        "/events/{event}?$select=cancelled", "/events/{event}?$select=exceptionOccurrences&$expand=calendar",
        "/calendars/{calendar}/events?$select=cancelledOccurrences", "/calendars/{calendar}/events/delta",
        "/events/{event}/instances", "/events/{event}/instances?startDateTime=2026-01-01T00:00:00Z",
        "/events/{event}/instances?startDateTime=2026-01-01T00:00:00Z&endDateTime=2025-01-01T00:00:00Z",
        "/events/{event}/instances?startDateTime=2020-01-01T00:00:00Z&endDateTime=2026-01-01T00:00:00Z",
        "/events/{single}/instances?startDateTime=2026-01-01T00:00:00Z&endDateTime=2027-01-01T00:00:00Z",
        "/events/rubbish", "/contactFolders/{folder}/contacts/delta?$select=nick",
        "/contactFolders/{folder}/contacts/delta?$deltatoken=rubbish",
        "/contactFolders/{folder}/contacts/delta?$skiptoken=x&$select=id",
    ],
)  # fmt: skip
def test_what_graph_does_not_take_is_refused(get: Get, box: PimBox, path: str) -> None:
    series = box.add_event("Series", NINE, pattern={"type": "daily"})
    single = box.add_event("Single", NINE)
    names = {
        "event": box.id_of(series.number), "single": box.id_of(single.number), "calendar": box.calendar.id,
        "folder": box.root.id,
    }  # fmt: skip
    answer = get(path.format(**names), **STAY)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"]


def test_times_are_in_universal_time_unless_a_zone_is_asked_for(get: Get, box: PimBox) -> None:
    event = box.add_event("Board", NINE)
    path = f"/events/{box.id_of(event.number)}"
    assert get(path, **STAY).json()["start"] == {"dateTime": "2026-03-20T08:00:00.0000000", "timeZone": "UTC"}
    told = get(path, Prefer=f'{STAY["Prefer"]}, outlook.timezone="Eastern Standard Time"').json()
    assert told["start"] == {"dateTime": "2026-03-20T04:00:00.0000000", "timeZone": "Eastern Standard Time"}
    assert told["originalStartTimeZone"] == "W. Europe Standard Time"
    assert get(path, Prefer=f'{STAY["Prefer"]}, outlook.timezone="Mars"').status_code == 400


def test_instances_are_told_within_their_window(get: Get, box: PimBox) -> None:
    series = box.add_event("Series", NINE, pattern={"type": "daily"})
    box.change_instance(series, date(2026, 3, 22), timedelta(hours=1))
    box.cancel(series, date(2026, 3, 23))
    window = "startDateTime=2026-03-21T00:00:00Z&endDateTime=2026-03-25T00:00:00Z&$top=2"
    answer = get(f"/events/{box.id_of(series.number)}/instances?{window}", **STAY).json()
    more = get(answer["@odata.nextLink"], **STAY).json()
    told = [*answer["value"], *more["value"]]
    assert [(one["type"], one["originalStart"], one["start"]["dateTime"][:16]) for one in told] == [
        ("occurrence", "2026-03-21T08:00:00Z", "2026-03-21T08:00"),
        ("exception", "2026-03-22T08:00:00Z", "2026-03-22T09:00"),
        ("occurrence", "2026-03-24T08:00:00Z", "2026-03-24T08:00"),
    ]
    assert {one["seriesMasterId"] for one in told} == {box.id_of(series.number)}
    assert get(f"/events/{told[1]['id']}", **STAY).json()["type"] == "exception"


def test_what_differs_in_a_series_is_told_only_if_it_is_asked_for(get: Get, box: PimBox) -> None:
    series = box.add_event("Series", NINE, pattern={"type": "daily"})
    box.change_instance(series, date(2026, 3, 22), subject="Other")
    box.cancel(series, date(2026, 3, 23))
    path = f"/events/{box.id_of(series.number)}"
    assert not {"cancelledOccurrences", "exceptionOccurrences"} & get(path, **STAY).json().keys()
    told = get(f"{path}?$select=cancelledOccurrences,exceptionOccurrences", **STAY).json()
    assert told["cancelledOccurrences"] == [f"OID.{box.id_of(series.number)}.2026-03-23"]
    assert "exceptionOccurrences" not in told
    told = get(f"{path}?$select=exceptionOccurrences&$expand=exceptionOccurrences", **STAY).json()
    assert [one["subject"] for one in told["exceptionOccurrences"]] == ["Other"]


def test_a_picture_is_there_or_404(get: Get, box: PimBox) -> None:
    one = box.add_contact("Anna")
    path = f"/contacts/{box.contact_id(one)}/photo/$value"
    assert get(path, **STAY).status_code == 404
    box.set_photo(one, "image/png", b"\x89PNG")
    answer = get(path, **STAY)
    assert (answer.content, answer.headers["Content-Type"]) == (b"\x89PNG", "image/png")


def test_a_token_that_expired_is_410(get: Get, box: PimBox) -> None:
    for n in range(7):
        box.add_contact(f"{n}")
    first = get(f"/contactFolders/{box.root.id}/contacts/delta?$select=displayName", **STAY).json()
    assert all(one.keys() <= {"id", "displayName", "@odata.etag"} for one in first["value"])
    box.expire_tokens()
    answer = get(first["@odata.nextLink"], **STAY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "SyncStateNotFound")


def test_nobody_reads_what_they_may_not(get: Get, standin: GraphStandin, box: PimBox) -> None:
    assert get(f"{standin.url}/v1.0/users/nobody@solros.example/calendars").status_code == 404
    standin.add_person(BJORN)
    answer = get(f"{standin.url}/v1.0/users/{BJORN}/contactFolders")
    assert answer.json()["error"]["code"] == "MailboxNotEnabledForRESTAPI"
    box.refuses = True
    assert get("/calendars").json()["error"]["code"] == "ErrorAccessDenied"


@pytest.mark.parametrize(
    ("pattern", "begin", "wanted"),
    [
        ({"type": "absoluteMonthly", "dayOfMonth": 31}, "2026-01-31", ["01-31", "02-28", "03-31", "04-30"]),
        ({"type": "absoluteMonthly", "dayOfMonth": 30, "interval": 1}, "2026-01-30", ["01-30", "02-28", "03-30"]),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "tuesday"], "firstDayOfWeek": "monday"},
            "2026-01-06", ["01-06", "01-11", "01-20", "01-25"],
        ),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["sunday", "tuesday"], "firstDayOfWeek": "sunday"},
            "2026-01-06", ["01-06", "01-18", "01-20", "02-01"],
        ),
        ({"type": "relativeMonthly", "daysOfWeek": ["friday"], "index": "last"}, "2026-01-30", ["01-30", "02-27"]),
    ],
)  # fmt: skip
def test_series_are_reckoned_day_by_day(pattern: dict[str, Any], begin: str, wanted: list[str]) -> None:
    told = {"pattern": {"interval": 1, **pattern}, "range": {"type": "noEnd", "startDate": begin}}
    found = [f"{one:%m-%d}" for one in days(told, date(2026, 12, 31))]
    assert found[: len(wanted)] == wanted


@pytest.mark.parametrize("change", [{"subject": 5}, {"unheardOf": 1}, {"start": "now"}, {"type": "master"}])
def test_the_check_sees_planted_faults(box: PimBox, change: dict[str, Any]) -> None:
    told = pim_shapes.event(box, box.add_event("Board", NINE), immutable=True)
    contact = pim_shapes.contact(box, box.add_contact("Anna"), immutable=True)
    calendar = pim_shapes.calendar(box.calendar)
    for check in (by_table, checker()):
        assert [check("event", told), check("contact", contact), check("calendar", calendar)] == [[], [], []]
        assert check("event", {**told, **change})
        assert check("contact", {**contact, "birthday": 5})
        assert check("calendar", {**calendar, "color": "mauve"})


def test_an_account_is_asked_only_for_what_the_route_moves(standin: GraphStandin, settings: MicrosoftSettings) -> None:
    sample_pim(standin)
    standin.entra.roles = frozenset({"Contacts.Read"})
    assert microsoft.source is not None
    with microsoft.source(settings, Account(ANNA, kinds=frozenset({Kind.CONTACT}))) as source:
        assert {one.kind for one in source.collections()} == {Kind.CONTACT}
        assert isinstance(source, HasLooks)
    methods = {one.method for one in standin.requests} - {"token", "discovery"}
    assert methods <= {"contactFolder", "contactFolders", "childFolders"}
    assert microsoft.kinds == {Kind.MAIL, Kind.FILE, Kind.EVENT, Kind.CONTACT}


def test_a_person_consents_to_calendars_and_to_contacts_each_by_itself(
    standin: GraphStandin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "_sign_ins", {})
    sample_pim(standin)
    settings = made_settings(standin, tmp_path, token_file=tmp_path / "{account}.json")
    assert ask(settings, lambda _text: standin.entra.allow(ANNA), {Kind.EVENT}) == ANNA
    assert microsoft.source is not None
    with microsoft.source(settings, Account(ANNA, kinds=frozenset({Kind.EVENT}))) as source:
        assert len(list(source.collections())) == 2
    with (
        pytest.raises(AccountError),
        microsoft.source(settings, Account(ANNA, kinds=frozenset({Kind.CONTACT}))) as source,
    ):
        list(source.collections())
