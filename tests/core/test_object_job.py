"""Calendars and address books carried out: each object once, followed at the source, its owner's word the last."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from core_kit import Bench

import liberate
from liberate.connector import CHANGED_THERE, Body, Collection, Item, Kind, Receipt, Slot
from liberate.errors import ItemError, TransientError
from liberate.files import FilePolicy
from liberate.mail import Sameness
from liberate.pim import ObjectFacts, compared, object_digests
from liberate.report import Report
from liberate.testing.crash import Step, Trial, survives
from liberate.testing.faults import Cut
from liberate.testing.memory_objects import LOOKS, ObjectsDestination, looks_of
from liberate.testing.memory_shelf import MemorySource, Shelf
from liberate.testing.memory_store import Store, Stored


def event(uid: str, summary: str = "Board meeting") -> bytes:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{uid}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260301T090000Z\r\nSUMMARY:{summary}\r\n"
        "END:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()


def card(uid: str, name: str = "Anna") -> bytes:
    return f"BEGIN:VCARD\r\nVERSION:4.0\r\nUID:{uid}\r\nFN:{name}\r\nEND:VCARD\r\n".encode()


def put(bench: Bench, calendar: Collection, id_: str, summary: str = "Board meeting", **more: object) -> Item:
    return bench.shelf.put(calendar, id_, event(f"{id_}@x", summary), **{"name": f"{id_}@x", **more})


class AlwaysTooLarge(ObjectsDestination):
    """A server that takes nothing today."""

    def write(self, slot: Slot, body: Body) -> Receipt:
        raise ItemError("too-large", "It is too large.", "Make it smaller.")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path / "job", Shelf(), Store(), MemorySource, ObjectsDestination)
    calendar = made.shelf.collection("Work", kind=Kind.EVENT)
    for number in range(3):
        put(made, calendar, f"e{number}")
    return made


def work(bench: Bench) -> Collection:
    return bench.shelf.collection("Work", kind=Kind.EVENT)


def place(bench: Bench, kind: str = "event") -> str:
    (found,) = (one for one in bench.store.places() if one.startswith(kind))
    return found


def there(bench: Bench) -> dict[str, bytes]:
    return {one.id: one.body for one in bench.store.held(place(bench))}


def edit(bench: Bench, name: str, body: bytes) -> None:
    """What the account's owner does."""
    bench.store.change(("put", place(bench), Stored(name, body, Kind.EVENT, version="theirs")))


def test_each_event_arrives_under_its_uid(bench: Bench) -> None:
    account = bench.run()
    assert (account.state, account.moved, account.refusals) == ("done", 3, ())
    assert there(bench) == {f"e{n}@x": event(f"e{n}@x") for n in range(3)}
    assert looks_of(bench.store) == [{"name": "Work", "colour": ""}]
    assert not bench.report().changed


def test_two_calendars_of_one_name_stay_two(bench: Bench) -> None:
    other = bench.shelf.collection("Work", "", kind=Kind.EVENT)
    put(bench, other, "f0", "Another")
    assert bench.run().moved == 4
    assert len([one for one in bench.store.places() if one.startswith("event")]) == 2


def test_an_empty_calendar_is_made_as_well(bench: Bench) -> None:
    bench.shelf.collection("Empty", kind=Kind.EVENT)
    bench.run()
    assert {one["name"] for one in looks_of(bench.store)} == {"Work", "Empty"}


def test_what_changed_at_the_source_replaces_what_nobody_touched(bench: Bench) -> None:
    bench.run()
    put(bench, work(bench), "e1", "Moved to Monday", facts=ObjectFacts(("reminder",)))
    account = bench.run()
    assert there(bench)["e1@x"] == event("e1@x", "Moved to Monday")
    assert [(one.code, one.items) for one in account.losses] == [("reminder", 1)]
    assert not bench.report().changed


def test_what_its_owner_changed_stays_theirs_and_is_listed(bench: Bench) -> None:
    bench.run()
    edit(bench, "e1@x", event("e1@x", "My own words"))
    put(bench, work(bench), "e1", "Moved to Monday")
    account = bench.run()
    assert there(bench)["e1@x"] == event("e1@x", "My own words")
    assert [one.code for one in account.skipped] == ["edited-there"]
    put(bench, work(bench), "e1", "Moved to Tuesday")
    account = bench.run()
    assert there(bench)["e1@x"] == event("e1@x", "My own words")
    assert [one.code for one in account.skipped] == ["edited-there"]
    assert not bench.report().changed


def test_what_its_owner_deleted_stays_deleted(bench: Bench) -> None:
    bench.run()
    bench.store.remove(place(bench), "e1@x")
    put(bench, work(bench), "e1", "Moved to Monday")
    account = bench.run()
    assert "e1@x" not in there(bench)
    assert [one.code for one in account.skipped] == ["deleted-there"]


def test_the_same_edit_on_both_sides_is_no_conflict(bench: Bench) -> None:
    bench.run()
    edit(bench, "e1@x", event("e1@x", "Moved to Monday"))
    put(bench, work(bench), "e1", "Moved to Monday")
    account = bench.run()
    assert (account.moved, account.skipped) == (3, ())


def test_a_strangers_event_of_the_same_uid_is_not_overwritten(bench: Bench) -> None:
    bench.run()
    edit(bench, "e9@x", event("e9@x", "Somebody else's"))
    put(bench, work(bench), "e9", "Ours")
    account = bench.run()
    assert there(bench)["e9@x"] == event("e9@x", "Somebody else's")
    assert [(one.code, one.kept is not None) for one in account.refusals] == [("uid-taken", True)]


def test_an_event_that_stood_there_already_and_says_the_same_is_taken_as_it_is(bench: Bench) -> None:
    bench.run()
    edit(bench, "e9@x", event("e9@x"))
    put(bench, work(bench), "e9")
    assert bench.run().moved == 4


def test_a_server_that_writes_in_its_own_way_is_read_back_and_found_to_say_the_same(bench: Bench) -> None:
    def own_way(body: bytes) -> bytes:
        return body.replace(b"PRODID:-//x//EN\r\n", b"PRODID:-//server//EN\r\n").replace(b"\r\n", b"\n")

    bench.destination = lambda store: ObjectsDestination(store, written=own_way)
    account = bench.run()
    assert (account.moved, account.evidence) == (3, {"read-back": 3})
    verified = bench.verify()
    assert (verified.rewritten, verified.different, verified.verified) == (3, 0, 3)
    put(bench, work(bench), "e1", "Moved to Monday")
    assert bench.run().skipped == ()
    assert b"Moved to Monday" in there(bench)["e1@x"]


def test_a_server_that_stores_something_else_is_found_out(bench: Bench) -> None:
    bench.destination = lambda store: ObjectsDestination(store, written=lambda body: body.replace(b"0900", b"1000"))
    account = bench.run()
    assert [one.code for one in account.refused] == ["stored-otherwise"]


def test_verify_sees_what_somebody_changed(bench: Bench) -> None:
    bench.run()
    edit(bench, "e1@x", event("e1@x", "My own words"))
    verified = bench.verify()
    assert (verified.identical, verified.different) == (2, 1)


def test_contacts_go_in_the_version_that_the_address_book_wants(bench: Bench) -> None:
    book = bench.shelf.collection("Friends", kind=Kind.CONTACT)
    bench.shelf.put(book, "c1", card("c1"), name="c1")
    bench.destination = lambda store: ObjectsDestination(store, card="3.0")
    assert bench.run().moved == 4
    (stored,) = bench.store.held(place(bench, "contact"))
    assert b"VERSION:3.0" in stored.body
    assert bench.verify().identical == 4


REMINDED = (
    b"BEGIN:VALARM\r\nACTION:EMAIL\r\nTRIGGER:-PT10M\r\nSUMMARY:Soon\r\nDESCRIPTION:Soon\r\n"
    b"ATTENDEE:mailto:anna@solros.example.with.a.very.long.name.that.needs.a.second.l\r\n ine\r\nEND:VALARM\r\n"
)
SHOWN = b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nTRIGGER:-PT10M\r\nSUMMARY:Soon\r\nDESCRIPTION:Soon\r\nEND:VALARM\r\n"
GUEST = b"ATTENDEE;PARTSTAT=ACCEPTED:mailto:bo@solros.example\r\n"


def with_parts(*parts: bytes) -> bytes:
    return event("r@x").replace(b"END:VEVENT", b"".join(parts) + b"END:VEVENT")


@pytest.mark.parametrize(
    ("mails", "sent", "stored"),
    [
        pytest.param(True, (GUEST, REMINDED), (GUEST, SHOWN), id="a meeting"),
        pytest.param(True, (REMINDED,), (REMINDED,), id="an event without guests"),
        pytest.param(False, (GUEST, REMINDED), (GUEST, REMINDED), id="a server that mails nobody"),
    ],
)
def test_no_guest_is_mailed_a_reminder(
    bench: Bench, mails: bool, sent: tuple[bytes, ...], stored: tuple[bytes, ...]
) -> None:
    bench.shelf.put(work(bench), "r", with_parts(*sent), name="r@x")
    bench.destination = lambda store: ObjectsDestination(store, mails=mails)
    assert bench.run().moved == 4
    assert there(bench)["r@x"] == with_parts(*stored)
    assert bench.verify().identical == 4
    assert not bench.report().changed


def test_what_is_gone_at_the_source_stays_unless_the_plan_says_otherwise(bench: Bench) -> None:
    bench.run()
    bench.shelf.remove(work(bench), "e1")
    bench.run()
    assert "e1@x" in there(bench)
    bench.files = FilePolicy(deleted="trash")
    bench.run()
    assert "e1@x" not in there(bench)


def test_what_comes_back_at_the_source_comes_back(bench: Bench) -> None:
    bench.files = FilePolicy(deleted="trash")
    bench.run()
    bench.shelf.remove(work(bench), "e1")
    bench.run()
    put(bench, work(bench), "e1")
    assert bench.run().moved == 3
    assert "e1@x" in there(bench)


def test_undo_takes_back_what_nobody_touched_and_the_empty_calendar(bench: Bench) -> None:
    other = bench.shelf.collection("Free time", kind=Kind.EVENT)
    put(bench, other, "f1")
    bench.run()
    kept = next(one for one in bench.store.places() if one.startswith("event") and len(bench.store.held(one)) == 3)
    bench.store.change(("put", kept, Stored("e1@x", event("e1@x", "Mine"), Kind.EVENT, version="theirs")))
    (undone,) = liberate.undo(bench.plan())
    assert (undone.removed, [one.code for one in undone.kept]) == (3, [CHANGED_THERE])
    assert [one for one in bench.store.places() if one.startswith("event")] == [kept]
    assert [one["name"] for one in looks_of(bench.store)] == ["Work"]
    assert bench.store.places().count(LOOKS) == 1


def test_a_refused_event_goes_with_a_later_run_once_it_may(bench: Bench) -> None:
    bench.destination = AlwaysTooLarge
    account = bench.run()
    assert (account.moved, [one.code for one in account.refused]) == (0, ["too-large"])
    bench.destination = ObjectsDestination
    liberate.retry(bench.plan())
    assert bench.run().moved == 3
    assert set(there(bench)) == {"e0@x", "e1@x", "e2@x"}


def every_fifth(number: int, _what: str) -> bool:
    return number % 5 == 0


EVERY = pytest.param(None, marks=pytest.mark.torture)


@pytest.mark.parametrize("only", [every_fifth, EVERY])
def test_a_death_at_any_step_leaves_each_event_once(tmp_path: Path, only: Callable[[int, str], bool] | None) -> None:
    def fresh(name: str) -> Trial:
        made = Bench(tmp_path / name, Shelf(), Store(), MemorySource, ObjectsDestination)
        calendar = made.shelf.collection("Work", kind=Kind.EVENT)
        book = made.shelf.collection("Friends", kind=Kind.CONTACT)
        for number in range(3):
            put(made, calendar, f"e{number}")
        made.shelf.put(book, "c1", card("c1"), name="c1")
        made.run()
        put(made, calendar, "e1", "Changed")
        put(made, calendar, "e3", "New")
        made.shelf.remove(calendar, "e2")
        made.files = FilePolicy(deleted="trash")
        return trial(made)

    taken = survives(fresh, only=only)
    assert {"before put", "after put", "before remove"} <= set(taken)


@pytest.mark.parametrize("only", [every_fifth, EVERY])
def test_a_first_run_that_dies_leaves_each_event_once(tmp_path: Path, only: Callable[[int, str], bool] | None) -> None:
    def fresh(name: str) -> Trial:
        made = Bench(tmp_path / name, Shelf(), Store(), MemorySource, ObjectsDestination)
        calendar = made.shelf.collection("Work", kind=Kind.EVENT)
        for number in range(2):
            put(made, calendar, f"e{number}")
        return trial(made)

    assert {"before make", "after make", "before put"} <= set(survives(fresh, only=only))


def trial(made: Bench) -> Trial:
    def run(step: Step) -> Report:
        made.destination = lambda store: ObjectsDestination(store, step=step)
        return made.report(step=step)

    return Trial(run, made.store.contents)


def test_a_reply_that_is_lost_doubles_nothing(bench: Bench) -> None:
    bench.faults.on("write_many", Cut(TransientError("The line is down.", retry_after=0.0), after=1))
    account = bench.run()
    assert (account.moved, account.refusals) == (3, ())
    assert len(there(bench)) == 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (event("a"), event("a").replace(b"\r\n", b"\n"), Sameness.REWRITTEN),
        (event("a"), event("a").replace(b"SUMMARY:Board", b"SUMMARY:Bo\r\n ard"), Sameness.REWRITTEN),
        (event("a"), event("a").replace(b"SUMMARY", b"summary"), Sameness.REWRITTEN),
        (event("a"), event("a").replace(b"PRODID:-//x//EN", b"PRODID:other"), Sameness.REWRITTEN),
        (event("a"), event("a").replace(b"Board", b"board"), Sameness.DIFFERENT),
        (event("a"), event("a").replace(b"DTSTART:", b"DTSTART;TZID=Europe/Paris:"), Sameness.DIFFERENT),
        (event("a"), b"no event at all", Sameness.DIFFERENT),
        (b"not an object", b"not an object", Sameness.IDENTICAL),
    ],
)
def test_objects_are_the_same_when_they_say_the_same(one: bytes, other: bytes, same: Sameness) -> None:
    assert compared(object_digests(other, other), object_digests(one, one)) is same


def test_facts_survive_the_ledger() -> None:
    facts = ObjectFacts(("attachment", "colour"))
    assert ObjectFacts.load(facts.dump()) == facts
    assert json.loads(ObjectFacts().dump()) == {}
