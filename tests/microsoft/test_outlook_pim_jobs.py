"""Whole jobs from the stand-in's calendars and contacts into a server in memory, and what later runs follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import pytest
from graph_schema import checker
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.standin import Fault, GraphStandin, PimBox
from liberate_microsoft.standin.pim_sample import sample_pim
from microsoft_kit import ANNA, BJORN, made_settings
from outlook_pim_kit import told, truth

from liberate.connector import Account, Connector, Destination, Kind
from liberate.people import Person
from liberate.report import AccountReport, Report
from liberate.run import migrate
from liberate.testing.memory import NoSettings
from liberate.testing.memory_objects import ObjectsDestination, looks_of
from liberate.testing.memory_store import Store
from liberate.testing.plans import plan
from liberate.vcard import as_version_3

KINDS = frozenset({Kind.EVENT, Kind.CONTACT})


class Move:
    """A job for two people, each with a server in memory of their own."""

    def __init__(self, standin: GraphStandin, folder: Path) -> None:
        self.standin = standin
        self.stores: dict[str, Store] = {}

        @contextmanager
        def opened(_settings: NoSettings, account: Account) -> Iterator[Destination]:
            yield ObjectsDestination(self.stores.setdefault(account.name, Store()), card="3.0")

        self._plan = plan(
            folder / "job",
            microsoft,
            Connector("dav", "Objects in memory", KINDS, NoSettings, destination=opened),
            source_settings=made_settings(standin, folder),
            people=[Person(ANNA, "anna"), Person(BJORN, "bjorn")],
            kinds=KINDS,
        )

    def run(self) -> Report:
        return migrate(self._plan, workers=2, patience=5.0)

    def box(self, address: str = ANNA) -> PimBox:
        return self.standin.pims[address]

    def held(self, kind: str, account: str = "anna") -> dict[str, bytes]:
        """What the account's calendars or address books hold, by UID."""
        store = self.stores[account]
        return {one.id: one.body for place in store.places() if place.startswith(kind) for one in store.held(place)}


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Move]:
    with GraphStandin(check=checker(), page=2) as standin:
        sample_pim(standin)
        yield Move(standin, tmp_path)
        assert standin.unfit == []


def account(report: Report, name: str = ANNA) -> AccountReport:
    (found,) = (one for one in report.accounts if one.source == name)
    return found


def times(move: Move, account_: str = "anna") -> set[tuple[str, str, str]]:
    return {time for body in move.held("event", account_).values() for time in told(body)}


def all_truth(box: PimBox) -> set[tuple[str, str, str]]:
    own = {one.id for one in box.calendars.values() if one.can_edit}
    return {time for one in box.events.values() if one.calendar in own for time in truth(one)}


def test_everything_arrives_once_and_a_second_run_changes_nothing(move: Move) -> None:
    report = move.run()
    for one in report.accounts:
        assert (one.state, one.refusals) == ("done", ()), one
    assert times(move) == all_truth(move.box())
    assert times(move, "bjorn") == all_truth(move.box(BJORN))
    assert len(move.held("contact")) == 4
    assert {one["name"]: one["colour"] for one in looks_of(move.stores["anna"])} == {
        "Calendar": "", "Allotment": "#2e8b57", "Contacts": "", "Suppliers": "", "Suppliers/Former": "",
    }  # fmt: skip
    assert [one.code for one in account(report).skipped] == ["generated-calendar"]
    assert [one.code for one in account(report, BJORN).skipped] == ["shared-calendar"]
    assert {one.code: one.items for one in account(report).losses} == {"conference-details": 1}
    cards = move.held("contact").values()
    assert all(body == as_version_3(body) and b"VERSION:3.0" in body for body in cards)
    before = {name: dict(move.held("event", name)) for name in ("anna", "bjorn")}
    again = move.run()
    assert not again.changed
    assert {name: dict(move.held("event", name)) for name in ("anna", "bjorn")} == before


def test_later_runs_follow_what_changed_moved_and_went(move: Move) -> None:
    move.run()
    box = move.box()
    by_name = {one.fields["subject"]: one for one in box.events.values()}
    box.change(by_name["Board"], subject="Board, with guests")
    box.change_instance(by_name["Last Friday"], date(2026, 10, 30), timedelta(days=-1))
    box.cancel(by_name["Second Tuesday"], date(2027, 1, 12))
    box.add_event("New", box.events[1].begin + timedelta(days=500))
    eleni = next(iter(box.contacts.values()))
    box.change_contact(eleni, jobTitle="Chair")
    report = move.run()
    assert times(move) == all_truth(box)
    assert sum(b"TITLE:Chair" in body for body in move.held("contact").values()) == 1
    assert len(move.held("contact")) == 4
    assert account(report).state == "done"
    box.delete(by_name["Market"])
    box.delete_contact(eleni)
    report = move.run()
    assert account(report).state == "done"
    assert account(report).refusals == ()
    assert not move.run().changed


def test_a_run_that_breaks_off_is_set_right_by_the_next_one(move: Move) -> None:
    for method, skip in (("events", 1), ("event", 5), ("contact-delta", 1), ("photo", 1)):
        move.standin.faults.add(Fault(method=method, skip=skip, times=8))
    move.run()
    move.standin.faults.clear()
    report = move.run()
    assert account(report).state == "done"
    assert times(move) == all_truth(move.box())
    assert len(move.held("contact")) == 4


def test_expired_tokens_double_nothing(move: Move) -> None:
    move.run()
    before = move.held("contact")
    move.box().expire_tokens()
    move.run()
    assert move.held("contact") == before
