"""The suite, run on four of Google's services and their stand-in, which checks every answer against Google's description."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from conformance_kit import MESSAGES
from liberate_google.connectors import google
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GmailStandin, GoogleStandin, sample_calendars, sample_contacts

from liberate.connector import Account, Collection, Item, Kind
from liberate.testing.contracts import OpenSource, SourceContract

ANNA = "anna@solros.example"
MAIL, FILES = frozenset({Kind.MAIL}), frozenset({Kind.FILE})
LABELS = [["INBOX", "UNREAD"], ["SENT"], ["Work/Roof", "INBOX"], [], ["TRASH"], ["Work"]]


class TestGmailSource(SourceContract):
    @pytest.fixture
    def standin(self) -> Iterator[GmailStandin]:
        with GmailStandin(strict=True) as server:
            server.add_mailbox(ANNA)
            for n, body in enumerate(MESSAGES):
                server.add_message(ANNA, body, LABELS[n], n)
            yield server
            assert server.unfit == []

    @pytest.fixture
    def open_source(self, standin: GmailStandin, tmp_path: Path) -> OpenSource:
        standin.service_account_file(tmp_path / "sa.json")
        settings = GoogleSettings(service_account_file=tmp_path / "sa.json", endpoint=standin.url)
        assert google.source is not None
        opened = google.source
        return lambda: opened(settings, Account(ANNA, kinds=MAIL))

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]]:
        return {(): MESSAGES}

    @pytest.fixture
    def remove(self, standin: GmailStandin) -> Callable[[Collection, Item], None]:
        return lambda _collection, item: standin.mailbox(ANNA).delete(item.id)

    @pytest.fixture
    def state(self, standin: GmailStandin) -> Callable[[], Any]:
        def look() -> Any:
            mailbox = standin.mailbox(ANNA)
            return [(one.key, one.labels, one.raw) for one in mailbox.newest_first()], mailbox.history_id

        return look

    @pytest.fixture
    def refused(self, standin: GmailStandin, tmp_path: Path) -> tuple[OpenSource, tuple[str, ...]]:
        standin.service_account_file(tmp_path / "undelegated.json", delegated=())
        path = tmp_path / "undelegated.json"
        settings = GoogleSettings(service_account_file=path, endpoint=standin.url)
        assert google.source is not None
        opened = google.source
        return lambda: opened(settings, Account(ANNA, kinds=MAIL)), (path.read_text()[200:300],)


class TestDriveSource(SourceContract):
    @pytest.fixture
    def standin(self) -> Iterator[GoogleStandin]:
        with GoogleStandin(strict=True) as server:
            server.drive.add_user(ANNA)
            yield server
            assert server.unfit == []

    @pytest.fixture
    def filled(self, standin: GoogleStandin) -> list[bytes]:
        folder = standin.drive.add_folder(ANNA, "Folder")
        inner = standin.drive.add_folder(ANNA, "Inner", parent=folder)
        bodies = [b"", b"a", b"content " * 1000]
        for number, body in enumerate(bodies):
            standin.drive.add_file(ANNA, f"file {number}", body, parent=(None, folder, inner)[number])
        standin.drive.add_document(ANNA, "Document", text="Text")
        standin.drive.add_document(ANNA, "Form", "form")
        return bodies

    @pytest.fixture
    def settings(self, standin: GoogleStandin, tmp_path: Path) -> GoogleSettings:
        standin.service_account_file(tmp_path / "sa.json")
        return GoogleSettings(service_account_file=tmp_path / "sa.json", endpoint=standin.url)

    @pytest.fixture
    def open_source(self, settings: GoogleSettings, filled: list[bytes]) -> OpenSource:
        assert google.source is not None
        opened = google.source
        return lambda: opened(settings, Account(ANNA, kinds=FILES))

    @pytest.fixture
    def remove(self, standin: GoogleStandin) -> Callable[[Collection, Item], None]:
        return lambda _collection, item: standin.drive.delete(item.id)

    @pytest.fixture
    def big(self, standin: GoogleStandin, settings: GoogleSettings) -> tuple[OpenSource, int]:
        for number in range(2_500):
            standin.drive.add_file(ANNA, f"file {number}", b"")
        assert google.source is not None
        opened = google.source
        return lambda: opened(settings, Account(ANNA, kinds=FILES)), 2_500

    @pytest.fixture
    def refused(self, standin: GoogleStandin, tmp_path: Path) -> tuple[OpenSource, tuple[str, ...]]:
        standin.service_account_file(tmp_path / "undelegated.json", delegated=())
        path = tmp_path / "undelegated.json"
        settings = GoogleSettings(service_account_file=path, endpoint=standin.url)
        assert google.source is not None
        opened = google.source
        return lambda: opened(settings, Account(ANNA, kinds=FILES)), (path.read_text()[200:300],)


class _PimContract(SourceContract):
    kinds: frozenset[Kind]

    @pytest.fixture
    def standin(self) -> Iterator[GoogleStandin]:
        with GoogleStandin(strict=True) as server:
            server.add_person(ANNA)
            yield server
            assert server.unfit == []

    @pytest.fixture
    def settings(self, standin: GoogleStandin, tmp_path: Path) -> GoogleSettings:
        standin.service_account_file(tmp_path / "sa.json")
        return GoogleSettings(service_account_file=tmp_path / "sa.json", endpoint=standin.url, other_contacts=True)

    def opened(self, settings: GoogleSettings) -> OpenSource:
        assert google.source is not None
        opened = google.source
        return lambda: opened(settings, Account(ANNA, kinds=self.kinds))

    @pytest.fixture
    def open_source(self, settings: GoogleSettings, filled: None) -> OpenSource:
        return self.opened(settings)

    @pytest.fixture
    def refused(self, standin: GoogleStandin, tmp_path: Path) -> tuple[OpenSource, tuple[str, ...]]:
        standin.service_account_file(tmp_path / "undelegated.json", delegated=())
        path = tmp_path / "undelegated.json"
        settings = GoogleSettings(service_account_file=path, endpoint=standin.url)
        return self.opened(settings), (path.read_text()[200:300],)


class TestCalendarSource(_PimContract):
    kinds = frozenset({Kind.EVENT})

    @pytest.fixture
    def filled(self, standin: GoogleStandin) -> None:
        sample_calendars(standin, [ANNA])

    @pytest.fixture
    def remove(self, standin: GoogleStandin) -> Callable[[Collection, Item], None]:
        def remove(_collection: Collection, item: Item) -> None:
            calendar, _, series = item.id.rpartition("/")
            store = standin.pim.calendars
            store.delete(store.find(calendar, ANNA), series)

        return remove

    @pytest.fixture
    def state(self, standin: GoogleStandin) -> Callable[[], Any]:
        return lambda: {key: dict(one.events) for key, one in standin.pim.calendars.calendars.items()}

    @pytest.fixture
    def big(self, standin: GoogleStandin, settings: GoogleSettings) -> tuple[OpenSource, int]:
        calendar = standin.pim.calendars.add_user(ANNA)
        start = datetime(2026, 1, 5, 9, tzinfo=ZoneInfo("Europe/Stockholm"))
        for number in range(3_000):
            standin.pim.calendars.add(calendar, start + timedelta(hours=number), summary=f"Event {number}")
        return self.opened(settings), 3_000


class TestContactsSource(_PimContract):
    kinds = frozenset({Kind.CONTACT})

    @pytest.fixture
    def filled(self, standin: GoogleStandin) -> None:
        sample_contacts(standin, [ANNA])

    @pytest.fixture
    def remove(self, standin: GoogleStandin) -> Callable[[Collection, Item], None]:
        return lambda _collection, item: standin.pim.people.delete(ANNA, item.id.rpartition("/")[2])

    @pytest.fixture
    def state(self, standin: GoogleStandin) -> Callable[[], Any]:
        return lambda: standin.pim.people.change

    @pytest.fixture
    def big(self, standin: GoogleStandin, settings: GoogleSettings) -> tuple[OpenSource, int]:
        for number in range(2_500):
            standin.pim.people.add(ANNA, names=[{"givenName": f"Nr {number}", "displayName": f"Nr {number}"}])
        return self.opened(settings), 2_500
