"""The suite, run on the Gmail source and its stand-in, which checks every answer against Google's description."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conformance_kit import MESSAGES
from liberate_google.connectors import google
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GmailStandin

from liberate.connector import Account, Collection, Item
from liberate.testing.contracts import OpenSource, SourceContract

ANNA = "anna@solros.example"
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
        return lambda: opened(settings, Account(ANNA))

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
        return lambda: opened(settings, Account(ANNA)), (path.read_text()[200:300],)
