"""Whole calendars and address books moved by the engine, and followed afterwards."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from google_kit import ANNA
from liberate_google.connectors import google
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GoogleStandin, sample_calendars, sample_contacts
from liberate_google.standin.pim_sample import later
from pim_kit import at_google, event, events, happens

import liberate
from liberate.connector import Kind
from liberate.moves import Plan
from liberate.people import Person
from liberate.testing.memory import connector
from liberate.testing.memory_objects import ObjectsDestination
from liberate.testing.memory_store import Store
from liberate.testing.plans import plan

BO = "bo@solros.example"
FIRST, LAST = date(2026, 1, 1), date(2027, 1, 1)


class Move:
    """Jobs from the stand-in into one store a person, run again and again."""

    def __init__(self, folder: Path, settings: GoogleSettings, kind: Kind) -> None:
        self.stores = {"anna": Store(), "bo": Store()}
        self._folder, self._settings, self._kind = folder, settings, kind

    def plan(self) -> Plan:
        return plan(
            self._folder,
            google,
            connector("there", destination=lambda account: ObjectsDestination(self.stores[account.name])),
            source_settings=self._settings,
            people=[Person(ANNA, "anna"), Person(BO, "bo")],
            kinds=[self._kind],
        )

    def run(self) -> liberate.Report:
        return liberate.migrate(self.plan(), workers=2, patience=5.0)

    def objects(self, who: str) -> dict[str, bytes]:
        """What arrived, by UID."""
        store = self.stores[who]
        held = (one for place in store.places() for one in store.held(place))
        return {one.id: one.body for one in held if one.body.startswith(b"BEGIN:")}


@pytest.fixture
def filled(standin: GoogleStandin) -> None:
    sample_calendars(standin, [ANNA, BO])
    sample_contacts(standin, [ANNA, BO])


@pytest.mark.usefixtures("filled")
def test_every_event_is_accounted_for_and_takes_place_when_it_did(
    standin: GoogleStandin, settings: GoogleSettings, tmp_path: Path
) -> None:
    move = Move(tmp_path / "job", settings, Kind.EVENT)
    report = move.run()
    for account in report.accounts:
        assert account.state == "done", account
        assert account.refused_items == 0, account.refusals
    codes = {count.code for count in report.accounts[1].skipped}
    assert codes == {"birthday", "working-location", "holiday-calendar", "birthday-calendar", "shared-calendar"}
    calendar = standin.pim.calendars.add_user(ANNA)
    there = move.objects("anna")
    for key, told in calendar.events.items():
        if told["status"] == "cancelled" or "recurringEventId" in told or told["iCalUID"] not in there:
            continue
        if "recurrence" in told:
            wanted = [one for one in at_google(standin, ANNA, key, FIRST, LAST) if "2026" <= str(one[0]) < "2027"]
            assert happens(there[told["iCalUID"]], FIRST, LAST) == wanted, told["summary"]
        else:
            assert len(events(there[told["iCalUID"]])) == 1
    assert not move.run().changed
    checked = liberate.verify(move.plan())
    assert all(account.wrong == 0 and account.verified for account in checked.accounts)


@pytest.mark.usefixtures("filled")
def test_what_changes_afterwards_is_followed(standin: GoogleStandin, settings: GoogleSettings, tmp_path: Path) -> None:
    move = Move(tmp_path / "job", settings, Kind.EVENT)
    move.run()
    before = move.objects("anna")
    later(standin, ANNA)
    report = move.run()
    assert all(account.state == "done" for account in report.accounts)
    after = move.objects("anna")
    assert b"Nytt" not in b"".join(move.objects("bo").values())
    by_name = {str(events(body)[0].get("SUMMARY")): body for body in after.values()}
    assert "Nytt" in by_name
    assert event(by_name["Läkare"])["DTSTART"].dt.day == 8
    calendar = standin.pim.calendars.add_user(ANNA)
    for name in ("Stående möte", "Morgonmöte"):
        series = next(k for k, e in calendar.events.items() if e.get("summary") == name and "recurrence" in e)
        wanted = [one for one in at_google(standin, ANNA, series, FIRST, LAST) if "2026" <= str(one[0]) < "2027"]
        assert happens(by_name[name], FIRST, LAST) == wanted
    assert len(after) in (len(before) + 1, len(before) - 1), "what was deleted stays or goes as the plan says"
    assert not move.run().changed


@pytest.mark.usefixtures("filled")
def test_contacts_arrive_and_are_followed(standin: GoogleStandin, settings: GoogleSettings, tmp_path: Path) -> None:
    move = Move(tmp_path / "job", settings, Kind.CONTACT)
    report = move.run()
    assert all(account.state == "done" and account.refused_items == 0 for account in report.accounts), report.accounts
    people = standin.pim.people
    assert len(move.objects("anna")) == len(people.books[ANNA].contacts)
    everything = next(body for body in move.objects("anna").values() if b"PHOTO" in body)
    assert b"Medlemsnummer: 1017" in everything.replace(b"\r\n ", b"")
    key = next(iter(people.books[ANNA].contacts))
    people.edit(ANNA, key, names=[{"displayName": "Nytt Namn", "givenName": "Nytt"}])
    people.add(ANNA, names=[{"displayName": "Ny Person", "givenName": "Ny"}])
    move.run()
    there = b"".join(move.objects("anna").values())
    assert b"FN:Nytt Namn" in there
    assert b"FN:Ny Person" in there
    assert b"Nytt Namn" not in b"".join(move.objects("bo").values())
    assert not move.run().changed
