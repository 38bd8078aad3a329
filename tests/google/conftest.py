"""A stand-in for Gmail with one mailbox, and settings that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from google_kit import ANNA
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GmailStandin


@pytest.fixture
def standin() -> Iterator[GmailStandin]:
    """Strict: every answer is checked against Google's discovery document."""
    with GmailStandin(strict=True) as server:
        server.add_mailbox(ANNA)
        yield server
        assert server.unfit == []


@pytest.fixture
def settings(standin: GmailStandin, tmp_path: Path) -> GoogleSettings:
    standin.service_account_file(tmp_path / "sa.json")
    return GoogleSettings(service_account_file=tmp_path / "sa.json", endpoint=standin.url)
