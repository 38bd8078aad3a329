"""The contacts source against the stand-in: each card once, with its picture, and what changed since."""

from __future__ import annotations

from typing import Any

import pytest
from google_kit import ANNA, cursor, gone, items, skipped
from liberate_google.settings import GoogleSettings
from liberate_google.standin import Fault, GoogleStandin
from liberate_google.standin.people import WEEK
from liberate_google.standin.pim_sample import picture
from pim_kit import CONTACTS, bodies, contacts, listed

from liberate.connector import Cursor, Kind, Whole
from liberate.errors import AccountError, ItemError, TransientError


@pytest.fixture(autouse=True)
def book(standin: GoogleStandin) -> None:
    standin.pim.people.add_user(ANNA)


def named(name: str) -> dict[str, Any]:
    return {"names": [{"givenName": name, "displayName": name}]}


def test_every_contact_is_listed_once_and_read_without_another_call(
    standin: GoogleStandin, settings: GoogleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liberate_google.contacts.PAGE", 10)
    keys = [standin.pim.people.add(ANNA, **named(f"Nr {n}")) for n in range(35)]
    with contacts(settings) as source:
        told = listed(source, CONTACTS)
        standin.requests.clear()
        found = bodies(source, told)
    assert standin.requests == []
    assert set(found) == {f"mine/{key}" for key in keys}
    assert isinstance(told[-2], Whole)
    for item in items(told):
        assert (item.kind, item.facts_version) == (Kind.CONTACT, "")
        assert f"UID:{item.name}" in found[item.id].decode()


def test_a_picture_comes_along_and_one_that_does_not_is_said(standin: GoogleStandin, settings: GoogleSettings) -> None:
    people = standin.pim.people
    with_one, without = people.add(ANNA, photo=picture(1), **named("A")), people.add(ANNA, **named("B"))
    broken = people.add(ANNA, photo=picture(2), **named("C"))
    del people.photos[people.books[ANNA].contacts[broken].photo]
    with contacts(settings) as source:
        told = listed(source, CONTACTS)
        found = bodies(source, told)
    assert b"PHOTO:data:image/png;base64," in found[f"mine/{with_one}"]
    assert b"PHOTO" not in found[f"mine/{without}"]
    lost = {item.id: item.facts.lost for item in items(told)}
    assert lost == {f"mine/{with_one}": (), f"mine/{without}": (), f"mine/{broken}": ("photo",)}
    assert "photo" in {call.method for call in standin.requests}


def test_a_picture_that_comes_at_the_second_try_is_no_loss(standin: GoogleStandin, settings: GoogleSettings) -> None:
    standin.pim.people.add(ANNA, photo=picture(1), **named("A"))
    standin.faults.add(Fault(method="photo", times=2))
    with contacts(settings) as source:
        (item,) = items(listed(source, CONTACTS))
    assert item.facts.lost == ()


def test_the_second_pass_tells_what_changed(standin: GoogleStandin, settings: GoogleSettings) -> None:
    people = standin.pim.people
    changed, dead, linked, _ = (people.add(ANNA, **named(name)) for name in "ABCD")
    with contacts(settings) as source:
        first = listed(source, CONTACTS)
        people.edit(ANNA, changed, **named("A2"))
        people.delete(ANNA, dead)
        people.move(ANNA, linked)  # another resource name, the same contact
        new = people.add(ANNA, **named("E"))
        second = listed(source, CONTACTS, cursor(first))
        third = listed(source, CONTACTS, cursor(second))
    assert {item.id for item in items(second)} == {f"mine/{key}" for key in (changed, linked, new)}
    assert gone(second) == [f"mine/{dead}"]
    names = {item.id: item.name for item in items(first)}
    assert all(names.get(item.id, item.name) == item.name for item in items(second)), "a UID stays"
    assert third[-1] == cursor(third)
    assert items(third) == []


def test_a_token_older_than_a_week_is_answered_with_everything(
    standin: GoogleStandin, settings: GoogleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = standin.pim.people
    keep, dead = people.add(ANNA, **named("A")), people.add(ANNA, **named("B"))
    with contacts(settings) as source:
        first = listed(source, CONTACTS)
        people.delete(ANNA, dead)
        now = standin.clock()
        monkeypatch.setattr(standin.pim.people_api, "_clock", lambda: now + WEEK + 60)
        second = listed(source, CONTACTS, cursor(first))
    assert [item.id for item in items(second)] == [f"mine/{keep}"]
    assert isinstance(second[-2], Whole)


@pytest.mark.parametrize("strange", ["", "history:1", '{"as":"1"}', '{"as":"1","groups":[],"token":"x"}', "[]"])
def test_a_cursor_that_is_not_ours_is_answered_with_everything(
    standin: GoogleStandin, settings: GoogleSettings, strange: str
) -> None:
    standin.pim.people.add(ANNA, **named("A"))
    with contacts(settings) as source:
        assert len(items(listed(source, CONTACTS, Cursor(strange)))) == 1


def test_a_renamed_group_changes_the_cards_of_those_in_it(standin: GoogleStandin, settings: GoogleSettings) -> None:
    people = standin.pim.people
    key = people.add(ANNA, groups=["Board", "starred"], **named("A"))
    with contacts(settings) as source:
        first = listed(source, CONTACTS)
        assert b"CATEGORIES:Board,Starred" in bodies(source, first)[f"mine/{key}"]
        people.group(ANNA, "New")  # a new one changes nothing
        assert items(listed(source, CONTACTS, cursor(first))) == []
        people.books[ANNA].groups[people.group(ANNA, "Board")] = "Committee"
        second = listed(source, CONTACTS, cursor(first))
        assert b"CATEGORIES:Committee,Starred" in bodies(source, second)[f"mine/{key}"]


def test_whom_google_noted_down_by_itself_comes_only_where_the_plan_says_so(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    people = standin.pim.people
    people.add(ANNA, **named("A"))
    other = people.add(ANNA, other=True, emailAddresses=[{"value": "news@shop.example"}])
    with contacts(settings) as source:
        (only,) = source.collections()
        assert [one.code for one in skipped(listed(source, only))] == ["other-contacts"]
    assert "otherContacts.list" not in {call.method for call in standin.requests}
    with contacts(settings.model_copy(update={"other_contacts": True})) as source:
        mine, others = source.collections()
        assert skipped(listed(source, mine)) == []
        told = listed(source, others)
        assert [item.id for item in items(told)] == [f"other/{other}"]
        assert b"EMAIL:news@shop.example" in b"".join(source.read(items(told)[0]))


def test_a_contact_is_found_again_under_another_resource_name(standin: GoogleStandin, settings: GoogleSettings) -> None:
    people = standin.pim.people
    linked, dead = people.add(ANNA, **named("A")), people.add(ANNA, **named("B"))
    with contacts(settings) as source:
        told = {item.id: item for item in items(listed(source, CONTACTS))}
    people.move(ANNA, linked)
    people.delete(ANNA, dead)
    with contacts(settings) as source:
        assert source.describe(told[f"mine/{linked}"]).name == told[f"mine/{linked}"].name
        with pytest.raises(ItemError) as gone_:
            list(source.read(told[f"mine/{dead}"]))
        assert gone_.value.code == "gone"


def test_the_first_page_has_a_quota_of_its_own(standin: GoogleStandin, settings: GoogleSettings) -> None:
    standin.pim.people.add(ANNA, **named("A"))
    standin.pim.people_api.full_syncs = 0
    with contacts(settings) as source, pytest.raises(TransientError):
        listed(source, CONTACTS)


@pytest.mark.parametrize(
    ("status", "reason", "error"),
    [
        (429, "RATE_LIMIT_EXCEEDED", TransientError),
        (403, "rateLimitExceeded", TransientError),
        (500, "backendError", TransientError),
        (403, "SERVICE_DISABLED", AccountError),
        (403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", AccountError),
    ],
)
def test_refusals_are_told_apart(
    standin: GoogleStandin, settings: GoogleSettings, status: int, reason: str, error: Any
) -> None:
    standin.faults.add(Fault(status=status, reason=reason, text=reason, method="people.connections.list", times=None))
    with contacts(settings) as source, pytest.raises(error):
        listed(source, CONTACTS)


def test_a_survey_counts_contacts(standin: GoogleStandin, settings: GoogleSettings) -> None:
    for name in "ABC":
        standin.pim.people.add(ANNA, **named(name))
    with contacts(settings) as source:
        assert source.survey().items == 3
