"""What every destination of events and contacts promises, as tests: see liberate.testing.contracts and KeepsObjects."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import count
from typing import Any, Protocol, TypeAlias, cast

import pytest

from liberate.connector import (
    CHANGED_THERE,
    UID_TAKEN,
    Body,
    Collection,
    Destination,
    Item,
    KeepsObjects,
    Kind,
    Place,
    ReadsBack,
    Receipt,
    Removes,
    Slot,
    WritesMany,
)
from liberate.errors import IntegrityError, ItemError, TransientError
from liberate.ledger_rows import key_of
from liberate.mail import Sameness
from liberate.naming import encode
from liberate.pim import Looks, compared, object_digests

OpenObjects: TypeAlias = Callable[[], AbstractContextManager[Destination]]

HOSTILE = (
    "a/b", "a b", "%2F", "a%b", "..", ".", "a#b", "a?b", "a&b<c>", "å漢😀", "{x}@y", "A", "a\\b", "a:b", "a+b",
    "UPPER@Example.COM", "-dash", "a.ics", "trailing.", "x" * 200, "6m8j4@google.com", "040000008200E00074C5B7101A82E008",
)  # fmt: skip
LOOKS = Looks("Plans & <dreams>", "What we mean to do", "#3366cc", "Europe/Stockholm")
_numbers = count()


def event(uid: str, summary: str = "Board meeting", more: str = "") -> bytes:
    """An event as a calendar keeps it."""
    uid = uid.replace("\\", "\\\\")
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//contract//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T090000Z\r\nDTEND:20260301T100000Z\r\n"
        f"SUMMARY:{summary}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def card(uid: str, name: str = "Anna", version: str = "3.0") -> bytes:
    """A contact as an address book keeps it."""
    return (f"BEGIN:VCARD\r\nVERSION:{version}\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEND:VCARD\r\n").encode()


MANY_TIMES = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//contract//EN\r\n"
    "BEGIN:VTIMEZONE\r\nTZID:Europe/Stockholm\r\nBEGIN:STANDARD\r\nDTSTART:19961027T030000\r\nTZNAME:CET\r\n"
    "TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\nEND:STANDARD\r\n"
    "BEGIN:DAYLIGHT\r\nDTSTART:19810329T020000\r\nTZNAME:CEST\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n"
    "RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nEND:VTIMEZONE\r\n"
    "BEGIN:VEVENT\r\nUID:series@x\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;TZID=Europe/Stockholm:20260302T090000\r\n"
    "DTEND;TZID=Europe/Stockholm:20260302T100000\r\nRRULE:FREQ=WEEKLY;BYDAY=MO;COUNT=20\r\n"
    "EXDATE;TZID=Europe/Stockholm:20260316T090000\r\nSUMMARY:Å\\, every Monday\\; most of them\r\n"
    "DESCRIPTION:one\\ntwo\\\\three\\, four\\; fünf 漢字 and a long line that any writer has to fold somewhere\r\n"
    "CATEGORIES:A,B\\, C\r\nLOCATION:Room 1\r\n"
    "BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:x\r\nTRIGGER:-P0DT0H10M0S\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    "BEGIN:VEVENT\r\nUID:series@x\r\nDTSTAMP:20260101T000000Z\r\n"
    "RECURRENCE-ID;TZID=Europe/Stockholm:20260309T090000\r\nDTSTART;TZID=Europe/Stockholm:20260309T110000\r\n"
    "DTEND;TZID=Europe/Stockholm:20260309T120000\r\nSUMMARY:Later that day\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
).encode()
ALL_DAY = event("day@x").replace(b"DTSTART:20260301T090000Z\r\nDTEND:20260301T100000Z", b"DTSTART;VALUE=DATE:20260301")
WITH_GUESTS = event(
    "guests@x",
    more="ORGANIZER;CN=Anna:mailto:anna@example.coop\r\n"
    'ATTENDEE;CN="Bo, Öberg";PARTSTAT=ACCEPTED;RSVP=TRUE:mailto:bo@example.coop\r\n'
    "ATTENDEE;PARTSTAT=NEEDS-ACTION:mailto:guest@outside.example\r\n",
)


class Stranger(Protocol):
    """Somebody else at work in the same account, without liberate."""

    def put(self, place: Place, data: bytes) -> None:
        """Make an object under a name of their own."""

    def edit(self, receipt: Receipt, data: bytes) -> None:
        """Replace what the receipt names."""

    def delete(self, receipt: Receipt) -> None: ...

    def rename(self, place: Place, name: str) -> None:
        """Give the calendar another name."""

    def name_of(self, place: Place) -> str | None:
        """What the calendar is called; None: there is none."""

    def count(self, place: Place) -> int:
        """How many objects are in it."""


class Given:
    """A body that is there already; `ending` is raised where it would end."""

    def __init__(self, data: bytes, ending: Exception | None = None) -> None:
        self.size: int | None = len(data)
        self._data, self._ending = data, ending

    def read(self, n: int = -1, /) -> bytes:
        n = len(self._data) if n < 0 else n
        out, self._data = self._data[:n], self._data[n:]
        if not out and self._ending is not None:
            raise self._ending
        return out


def nobody(_place: Place, _ids: Sequence[str]) -> set[str]:
    """A `taken` that knows of no other items."""
    return set()


class ObjectContract:
    """Subclass it and give it the fixtures `open_objects` and `stranger`."""

    @pytest.fixture
    def open_objects(self) -> OpenObjects:
        """Opens the same account each time it is called; a test begins with no calendar of liberate's."""
        raise NotImplementedError("give the contract a fixture `open_objects`")

    @pytest.fixture
    def stranger(self) -> Stranger:
        raise NotImplementedError("give the contract a fixture `stranger`")

    # Calendars and address books -----------------------------------------------------------------

    def test_a_calendar_is_made_once_and_found_again(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        key = self.key()
        with open_objects() as made:
            place = self.calendar(made, key)
            assert self.calendar(made, key) == place
            assert stranger.name_of(place) == LOOKS.name
            assert self.calendar(made) != place
        with open_objects() as made:
            assert self.calendar(made, key) == place

    def test_a_calendar_that_its_owner_renamed_is_found_again_and_keeps_its_name(
        self, open_objects: OpenObjects, stranger: Stranger
    ) -> None:
        key = self.key()
        with open_objects() as made:
            place = self.calendar(made, key)
            stranger.rename(place, "My own name")
            assert self.calendar(made, key) == place
            assert stranger.name_of(place) == "My own name"

    def test_calendars_and_address_books_of_one_key_are_two(self, open_objects: OpenObjects) -> None:
        with open_objects() as made:
            assert self.calendar(made) != self.book(made)

    def test_an_empty_calendar_goes_and_one_with_something_in_it_stays(
        self, open_objects: OpenObjects, stranger: Stranger
    ) -> None:
        key = self.key()
        with open_objects() as made:
            place = self.calendar(made, key)
            receipt = self.put(made, place, "a@x", event("a@x"))
            with pytest.raises(ItemError) as refused:
                self.keeper(made).remove_collection(place)
            assert refused.value.code == CHANGED_THERE
            self.remove(made, self.slot(place, "a@x", event("a@x")), receipt)
            self.keeper(made).remove_collection(place)
            assert stranger.name_of(place) is None
            self.keeper(made).remove_collection(place)
        with open_objects() as made:  # and it can be made anew
            place = self.calendar(made, key)
            self.put(made, place, "a@x", event("a@x"))
            assert stranger.count(place) == 1

    # Writing and reading -------------------------------------------------------------------------

    @pytest.mark.parametrize(
        "data",
        [event("plain@x"), MANY_TIMES, ALL_DAY, WITH_GUESTS, event("lf@x").replace(b"\r\n", b"\n")],
        ids=["plain", "series", "all day", "guests", "bare line feeds"],
    )
    def test_an_event_that_was_written_is_read_back(self, open_objects: OpenObjects, data: bytes) -> None:
        uid = data.partition(b"UID:")[2].split()[0].decode()
        with open_objects() as made:
            place = self.calendar(made)
            receipt = self.put(made, place, uid, data)
            self.same(b"".join(made.read(receipt)), data)
        with open_objects() as made:
            self.same(b"".join(made.read(receipt)), data)

    def test_a_contact_is_read_back_in_the_version_that_the_address_book_wants(self, open_objects: OpenObjects) -> None:
        with open_objects() as made:
            place = self.book(made)
            wanted = self.keeper(made).card_version(place)
            assert wanted in ("3.0", "4.0")
            for version in {"3.0", wanted}:
                data = card(f"c{version}", "Åsa", version)
                receipt = self.put(made, place, f"c{version}", data, Kind.CONTACT)
                self.same(b"".join(made.read(receipt)), data)

    @pytest.mark.parametrize("uid", HOSTILE)
    def test_a_uid_of_any_letters_is_kept(self, open_objects: OpenObjects, stranger: Stranger, uid: str) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            data = event(uid)
            receipt = self.put(made, place, uid, data)
            self.same(b"".join(made.read(receipt)), data)
            assert set(made.find([self.slot(place, uid, data, rules=made)], nobody)) == {_key(place, uid)}
            assert stranger.count(place) == 1

    def test_many_at_once_are_each_answered_once(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        with open_objects() as made:
            assert isinstance(made, WritesMany)
            place = self.calendar(made)
            parts = [(self.slot(place, f"m{n}@x", event(f"m{n}@x")), event(f"m{n}@x")) for n in range(30)]
            outcomes = dict((slot.name, one) for slot, one in made.write_many(iter(parts)))
            assert set(outcomes) == {slot.name for slot, _ in parts}
            receipts = [one for one in outcomes.values() if isinstance(one, Receipt)]
            assert len(receipts) == len(parts) == stranger.count(place)
            if isinstance(made, ReadsBack):
                answers = {one.id: body for one, body in made.read_back(receipts)}
                for slot, data in parts:
                    found = answers[cast("Receipt", outcomes[slot.name]).id]
                    assert isinstance(found, bytes)
                    self.same(found, data)

    @pytest.mark.parametrize("ending", [IntegrityError("short"), TransientError("reset"), ItemError("gone", "Gone.")])
    def test_a_source_that_stops_early_leaves_nothing_behind(
        self, open_objects: OpenObjects, stranger: Stranger, ending: Exception
    ) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            slot = self.slot(place, "a@x", event("a@x"))
            with pytest.raises(type(ending)):
                made.write(slot, cast("Body", Given(event("a@x")[:60], ending)))
            assert made.find([slot], nobody) == {}
            assert stranger.count(place) == 0

    def test_what_is_no_event_is_refused_or_kept_as_it_is_and_the_others_go(self, open_objects: OpenObjects) -> None:
        with open_objects() as made:
            assert isinstance(made, WritesMany)
            place = self.calendar(made)
            parts = [(self.slot(place, uid, data), data) for uid, data in (("bad", b"rubbish"), ("a@x", event("a@x")))]
            outcomes = {slot.name: one for slot, one in made.write_many(iter(parts))}
            assert isinstance(outcomes["a@x"], Receipt)
            assert not isinstance(outcomes["bad"], Receipt) or b"".join(made.read(outcomes["bad"])) == b"rubbish"

    # Once and only once --------------------------------------------------------------------------

    def test_the_same_event_written_twice_stands_there_once(
        self, open_objects: OpenObjects, stranger: Stranger
    ) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            first = self.put(made, place, "series@x", MANY_TIMES)
            assert self.put(made, place, "series@x", MANY_TIMES).id == first.id
            assert stranger.count(place) == 1

    def test_another_event_of_the_same_uid_is_not_overwritten(self, open_objects: OpenObjects) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            first = self.put(made, place, "a@x", event("a@x"))
            with pytest.raises(ItemError) as refused:
                self.put(made, place, "a@x", event("a@x", "Something else"))
            assert refused.value.code == UID_TAKEN
            self.same(b"".join(made.read(first)), event("a@x"))

    def test_a_strangers_event_of_the_same_uid_is_taken_if_it_says_the_same_and_never_overwritten(
        self, open_objects: OpenObjects, stranger: Stranger
    ) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            stranger.put(place, event("same@x"))
            stranger.put(place, event("other@x", "Theirs"))
            receipt = self.put(made, place, "same@x", event("same@x"))
            self.same(b"".join(made.read(receipt)), event("same@x"))
            with pytest.raises(ItemError) as refused:
                self.put(made, place, "other@x", event("other@x", "Ours"))
            assert refused.value.code == UID_TAKEN
            assert stranger.count(place) == 2

    def test_a_contact_of_a_uid_that_is_taken_is_refused(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        with open_objects() as made:
            place = self.book(made)
            stranger.put(place, card("c1", "Theirs"))
            with pytest.raises(ItemError) as refused:
                self.put(made, place, "c1", card("c1", "Ours"), Kind.CONTACT)
            assert refused.value.code == UID_TAKEN

    # Replacing -----------------------------------------------------------------------------------

    def test_what_nobody_touched_is_replaced(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            old = self.put(made, place, "a@x", event("a@x"))
            new = self.put(made, place, "a@x", event("a@x", "Moved"), replaces=self.left(old, event("a@x")))
            self.same(b"".join(made.read(new)), event("a@x", "Moved"))
            assert stranger.count(place) == 1
            newer = self.put(made, place, "a@x", event("a@x", "Again"), replaces=self.left(new, event("a@x", "Moved")))
            self.same(b"".join(made.read(newer)), event("a@x", "Again"))

    def test_a_replacement_that_was_made_already_is_its_receipt(self, open_objects: OpenObjects) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            old = self.left(self.put(made, place, "a@x", event("a@x")), event("a@x"))
            new = self.put(made, place, "a@x", event("a@x", "Moved"), replaces=old)
            slot = self.slot(place, "a@x", event("a@x", "Moved"), replaces=old)
            assert made.find([slot], nobody)[slot.key].id == new.id
            assert self.put(made, place, "a@x", event("a@x", "Moved"), replaces=old).id == new.id

    def test_what_its_owner_changed_is_not_replaced(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            old = self.put(made, place, "a@x", event("a@x"))
            stranger.edit(old, event("a@x", "My own words"))
            slot = self.slot(place, "a@x", event("a@x", "Moved"), replaces=self.left(old, event("a@x")))
            assert made.find([slot], nobody) == {}
            with pytest.raises(ItemError) as refused:
                made.write(slot, cast("Body", Given(event("a@x", "Moved"))))
            assert refused.value.code == CHANGED_THERE
            self.same(b"".join(made.read(old)), event("a@x", "My own words"))

    def test_what_its_owner_deleted_stays_deleted(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            old = self.put(made, place, "a@x", event("a@x"))
            stranger.delete(old)
            with pytest.raises(ItemError) as refused:
                self.put(made, place, "a@x", event("a@x", "Moved"), replaces=self.left(old, event("a@x")))
            assert refused.value.code == "gone"
            assert stranger.count(place) == 0
            with pytest.raises(ItemError) as refused:
                b"".join(made.read(old))
            assert refused.value.code == "gone"

    # Finding -------------------------------------------------------------------------------------

    def test_what_arrived_is_found_and_nothing_else(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            slots = [self.slot(place, f"f{n}@x", event(f"f{n}@x")) for n in range(3)]
            assert made.find(slots, nobody) == {}
            stranger.put(place, event("f1@x", "A stranger's"))
            stranger.put(place, event("elsewhere@x"))
            receipt = made.write(slots[0], cast("Body", Given(event("f0@x"))))
            found = made.find(slots, nobody)
            assert {key: one.id for key, one in found.items()} == {slots[0].key: receipt.id}
            assert found[slots[0].key].version == receipt.version

    def test_what_belongs_to_another_item_is_not_given_again(self, open_objects: OpenObjects) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            receipt = self.put(made, place, "a@x", event("a@x"))
            slot = self.slot(place, "a@x", event("a@x"))
            assert made.find([slot], lambda _place, ids: {one for one in ids if one == receipt.id}) == {}

    def test_a_changed_letter_is_noticed(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            receipt = self.put(made, place, "a@x", event("a@x"))
            stranger.edit(receipt, event("a@x").replace(b"T090000Z", b"T090001Z"))
            found = b"".join(made.read(receipt))
            assert compared(object_digests(found, found), self.digests(event("a@x"))) is Sameness.DIFFERENT

    # Taking away ---------------------------------------------------------------------------------

    def test_what_nobody_touched_is_taken_away(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            receipt = self.put(made, place, "guests@x", WITH_GUESTS)
            self.remove(made, self.slot(place, "guests@x", WITH_GUESTS), receipt)
            assert stranger.count(place) == 0
            self.remove(made, self.slot(place, "guests@x", WITH_GUESTS), receipt)

    def test_what_somebody_changed_is_not_taken_away(self, open_objects: OpenObjects, stranger: Stranger) -> None:
        with open_objects() as made:
            place = self.calendar(made)
            receipt = self.put(made, place, "a@x", event("a@x"))
            stranger.edit(receipt, event("a@x", "Mine"))
            with pytest.raises(ItemError) as refused:
                self.remove(made, self.slot(place, "a@x", event("a@x")), receipt)
            assert refused.value.code == CHANGED_THERE
            assert stranger.count(place) == 1

    # Helpers -------------------------------------------------------------------------------------

    @staticmethod
    def key() -> str:
        """One that no other test has."""
        return hashlib.md5(f"{next(_numbers)}-{id(object())}".encode(), usedforsecurity=False).hexdigest()

    @staticmethod
    def keeper(made: Destination) -> KeepsObjects:
        assert isinstance(made, KeepsObjects)
        return made

    def calendar(self, made: Destination, key: str = "") -> Place:
        return self.keeper(made).open_collection(key or self.key(), Collection("c", (LOOKS.name,), Kind.EVENT), LOOKS)

    def book(self, made: Destination, key: str = "") -> Place:
        looks = Looks("Friends")
        return self.keeper(made).open_collection(key or self.key(), Collection("b", ("Friends",), Kind.CONTACT), looks)

    @staticmethod
    def digests(data: bytes) -> dict[str, str]:
        return object_digests(data, data)

    def left(self, receipt: Receipt, data: bytes) -> Receipt:
        """What the core hands over as `replaces`."""
        return replace(receipt, digests={"sha256": hashlib.sha256(data).hexdigest()})

    def slot(
        self,
        place: Place,
        uid: str,
        data: bytes,
        kind: Kind = Kind.EVENT,
        replaces: Receipt | None = None,
        rules: Destination | None = None,
    ) -> Slot:
        item = Item(uid, kind, "1", uid, len(data), digests=self.digests(data))
        name = encode(uid, rules.rules) if rules is not None else uid
        return Slot(item, place, name, _key(place, uid), replaces=replaces)

    def put(
        self,
        made: Destination,
        place: Place,
        uid: str,
        data: bytes,
        kind: Kind = Kind.EVENT,
        replaces: Receipt | None = None,
    ) -> Receipt:
        slot = self.slot(place, uid, data, kind, replaces, rules=made)
        receipt = made.write(slot, cast("Body", Given(data)))
        assert receipt.place == place
        return receipt

    @staticmethod
    def remove(made: Destination, slot: Slot, receipt: Receipt) -> None:
        assert isinstance(made, Removes)
        made.remove(slot, receipt)

    def same(self, found: bytes, data: bytes) -> None:
        sameness: Any = compared(object_digests(found, found), self.digests(data))
        assert sameness is not Sameness.DIFFERENT, (found, data)


def _key(place: Place, uid: str) -> str:
    return key_of("contract", str(place), uid)
