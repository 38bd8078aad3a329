"""The suite, run on Outlook's calendars and contacts and a stand-in for Graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import GraphStandin, PimBox
from liberate_microsoft.standin.pim_sample import sample_calendar, sample_contacts
from pydantic import SecretStr

from liberate.connector import Account, Collection, Item, Kind
from liberate.testing.contracts import OpenSource, SourceContract

ANNA = "anna@solros.example"
_MANY = 3_000


def _opens(standin: GraphStandin, folder: Path, account: str, kind: Kind, secret: str = "") -> OpenSource:
    assert microsoft.source is not None
    opened = microsoft.source
    settings = MicrosoftSettings(
        tenant=standin.entra.tenant,
        client_id=standin.entra.client_id,
        client_secret=SecretStr(secret or standin.entra.client_secret),
        endpoint=standin.url,
        ca_file=standin.ca_file(folder / "authority.pem"),
    )
    return lambda: opened(settings, Account(account, kinds=frozenset({kind})))


class _Outlook(SourceContract):
    kind: Kind

    @pytest.fixture
    def standin(self) -> Iterator[GraphStandin]:
        with GraphStandin(page=3, clock=lambda: 1_780_000_000.0) as server:
            yield server

    @pytest.fixture
    def box(self, standin: GraphStandin) -> PimBox:
        made = standin.add_pim(ANNA, "Anna")
        sample_calendar(made)
        made.add_calendar("Birthdays", can_edit=False)
        made.add_event("Second", datetime.fromisoformat("2026-03-01T09:00"), calendar=made.add_calendar("Second"))
        sample_contacts(made)
        return made

    @pytest.fixture
    def open_source(self, standin: GraphStandin, box: PimBox, tmp_path: Path) -> OpenSource:
        return _opens(standin, tmp_path, ANNA, self.kind)

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]] | None:
        return None

    @pytest.fixture
    def state(self, box: PimBox) -> Callable[[], Any]:
        return lambda: (box.sequence, [(one.number, one.changes) for one in box.events.values()])

    @pytest.fixture
    def refused(self, standin: GraphStandin, box: PimBox, tmp_path: Path) -> tuple[OpenSource, tuple[str, ...]]:
        secret = "not~the.secret"
        return _opens(standin, tmp_path, ANNA, self.kind, secret), (secret,)


class TestCalendarSource(_Outlook):
    kind = Kind.EVENT

    @pytest.fixture
    def remove(self, box: PimBox) -> Callable[[Collection, Item], None]:
        def gone(_collection: Collection, item: Item) -> None:
            (one,) = (one for one in box.events.values() if box.id_of(one.number) == item.id)
            box.delete(one)

        return gone

    @pytest.fixture
    def big(self, standin: GraphStandin, tmp_path: Path) -> tuple[OpenSource, int]:
        much = standin.add_pim("much@solros.example")
        for n in range(_MANY):
            much.add_event(f"Event {n}", datetime.fromisoformat("2026-03-01T09:00"))
        return _opens(standin, tmp_path, much.address, self.kind), _MANY


class TestContactsSource(_Outlook):
    kind = Kind.CONTACT

    @pytest.fixture
    def remove(self, box: PimBox) -> Callable[[Collection, Item], None]:
        def gone(_collection: Collection, item: Item) -> None:
            found = box.contact_of(item.id, immutable=True)
            assert found is not None
            box.delete_contact(found)

        return gone

    @pytest.fixture
    def big(self, standin: GraphStandin, tmp_path: Path) -> tuple[OpenSource, int]:
        standin.page = 500
        much = standin.add_pim("much@solros.example")
        for n in range(600):
            much.add_contact(f"Person {n}")
        return _opens(standin, tmp_path, much.address, self.kind), 600
