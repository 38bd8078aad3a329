"""Outlook's contacts through the stand-in: folders as address books, followed by their deltas."""

from __future__ import annotations

from typing import Any

import pytest
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Fault, GraphStandin, PimBox
from liberate_microsoft.standin.pim_sample import sample_contacts
from microsoft_kit import ANNA, calls
from outlook_pim_kit import contacts, cursor, gone, items, of_contact, skipped, whole

from liberate.connector import Cursor
from liberate.errors import AccountError, ItemError, TransientError
from liberate.pim import ObjectFacts


@pytest.fixture
def box(standin: GraphStandin) -> PimBox:
    return standin.add_pim(ANNA)


def listing(settings: MicrosoftSettings, box: PimBox, since: Cursor | None = None, folder: Any = None) -> list[Any]:
    with contacts(settings) as source:
        return list(source.items(of_contact((folder or box.root).id), since))


def test_folders_are_address_books_at_any_depth(settings: MicrosoftSettings, box: PimBox) -> None:
    sample_contacts(box)
    with contacts(settings) as source:
        found = list(source.collections())
        assert [one.path for one in found] == [("Contacts",), ("Suppliers",), ("Suppliers", "Former")]
        assert source.looks(found[2]).name == "Suppliers/Former"
        assert [len(items(source.items(one, None))) for one in found] == [2, 1, 1]
        assert list(source.check()) == []


def test_everything_comes_once_and_then_only_what_changed(settings: MicrosoftSettings, box: PimBox) -> None:
    people = [box.add_contact(f"Person {n}") for n in range(12)]
    first = listing(settings, box)
    assert whole(first)
    assert [one.id for one in items(first)] == [box.contact_id(one) for one in people]
    assert all(isinstance(one, str) for one in listing(settings, box, cursor(first)))
    box.change_contact(people[3], jobTitle="Chair")
    box.delete_contact(people[5])
    new = box.add_contact("New")
    box.set_photo(people[7], "image/png", b"\x89PNG")
    then = listing(settings, box, cursor(first))
    assert not whole(then)
    assert {one.id for one in items(then)} == {box.contact_id(one) for one in (people[3], people[7], new)}
    assert gone(then) == [box.contact_id(people[5])]
    assert all(isinstance(one, str) for one in listing(settings, box, cursor(then)))


def test_a_contact_that_moved_goes_from_one_book_and_comes_in_the_other(
    settings: MicrosoftSettings, box: PimBox
) -> None:
    other = box.add_folder("Other")
    one = box.add_contact("Anna")
    here, there = listing(settings, box), listing(settings, box, folder=other)
    box.move_contact(one, other)
    assert gone(listing(settings, box, cursor(here))) == [box.contact_id(one)]
    (moved,) = items(listing(settings, box, cursor(there), other))
    assert (moved.id, moved.name) == (items(here)[0].id, items(here)[0].name)


def test_tokens_that_expired_are_answered_by_listing_everything(settings: MicrosoftSettings, box: PimBox) -> None:
    kept = [box.add_contact(f"Person {n}") for n in range(7)]
    lost = box.add_contact("Gone")
    first = listing(settings, box)
    box.delete_contact(lost)
    box.expire_tokens()
    again = listing(settings, box, cursor(first))
    assert whole(again)
    assert gone(again) == []
    assert {one.id for one in items(again)} == {box.contact_id(one) for one in kept}
    assert all(isinstance(one, str) for one in listing(settings, box, cursor(again)))


@pytest.mark.parametrize(("status", "code"), [(410, "ResyncRequired"), (400, "SyncStateInvalid")])
def test_a_token_may_expire_amid_the_pages(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox, status: int, code: str
) -> None:
    people = [box.add_contact(f"Person {n}") for n in range(12)]
    first = listing(settings, box)
    for one in people:
        box.change_contact(one, jobTitle="Chair")
    standin.faults.add(Fault(status, code, method="contact-delta", skip=1))
    again = listing(settings, box, cursor(first))
    assert whole(again)
    assert {one.id for one in items(again)} == {box.contact_id(one) for one in people}


@pytest.mark.parametrize(("status", "lost"), [(404, ()), (500, ("photo",)), (403, ("photo",))])
def test_a_picture_that_cannot_be_had_is_told(
    settings: MicrosoftSettings, box: PimBox, status: int, lost: tuple[str, ...]
) -> None:
    one = box.add_contact("Anna")
    one.photo_fails = status if status != 404 else 0
    (found,) = items(listing(settings, box))
    assert found.facts == ObjectFacts(lost)


def test_a_picture_that_failed_once_is_asked_for_again(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    box.set_photo(box.add_contact("Anna"), "image/png", b"\x89PNG")
    standin.faults.add(Fault(503, "ServiceUnavailable", method="photo"))
    standin.faults.add(Fault(429, "ApplicationThrottled", retry_after="3", method="photo"))
    (found,) = items(listing(settings, box))
    assert found.facts == ObjectFacts()
    assert calls(standin, "photo") == 3


def test_a_picture_refused_for_the_rate_is_not_lost(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    box.add_contact("Anna")
    standin.faults.add(Fault(429, "ApplicationThrottled", retry_after="600", method="photo", times=None))
    with pytest.raises(TransientError):
        listing(settings, box)


def test_an_enormous_picture_is_left_behind(settings: MicrosoftSettings, box: PimBox) -> None:
    box.set_photo(box.add_contact("Anna"), "image/png", bytes(5 << 20))
    (found,) = items(listing(settings, box))
    assert found.facts == ObjectFacts(("photo",))


def test_one_bad_contact_is_told_and_the_others_move(
    settings: MicrosoftSettings, box: PimBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from liberate_microsoft import contacts_convert

    box.add_contact("Good")
    bad = box.add_contact("Bad")
    real = contacts_convert.made

    def made(raw: Any, photo: Any = None) -> Any:
        if raw["displayName"] == "Bad":
            raise ValueError("Bad")
        return real(raw, photo)

    monkeypatch.setattr(contacts_convert, "made", made)
    listed = listing(settings, box)
    assert len(items(listed)) == 1
    assert skipped(listed) == {box.contact_id(bad): "unreadable-contact"}
    assert whole(listed)


def test_without_the_permission_it_is_said_which_one(
    settings: MicrosoftSettings, standin: GraphStandin, box: PimBox
) -> None:
    standin.entra.roles = standin.entra.roles - {"Contacts.Read"}
    with contacts(settings) as source, pytest.raises(AccountError) as told:
        list(source.collections())
    assert "Contacts.Read" in told.value.todo


def test_a_contact_that_changed_since_is_described_anew(settings: MicrosoftSettings, box: PimBox) -> None:
    one = box.add_contact("Anna")
    (old,) = items(listing(settings, box))
    box.change_contact(one, displayName="Anna Å")
    with contacts(settings) as source:
        new = source.describe(old)
        assert new.version != old.version
        assert b"FN:Anna " in b"".join(source.read(new))
    box.delete_contact(one)
    with contacts(settings) as source, pytest.raises(ItemError) as gone_:
        list(source.read(old))
    assert gone_.value.code == "gone"
