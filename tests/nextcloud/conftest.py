"""A stand-in for Nextcloud with a few users, settings that lead to it, and somebody else in the account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from liberate_nextcloud.destination import NextcloudDestination
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin
from nextcloud_kit import APP_SECRET, CHUNK, USERS, Somebody, opened


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[NextcloudStandin]:
    with NextcloudStandin(tmp_path / "nextcloud", USERS) as server:
        server.allow_app("liberate", "1.0.0", APP_SECRET)
        yield server
        assert server.trouble == []


@pytest.fixture
def secret(standin: NextcloudStandin) -> str:
    """An app password of anna's."""
    return standin.app_password("anna")


@pytest.fixture
def settings(standin: NextcloudStandin) -> NextcloudSettings:
    return NextcloudSettings(url=standin.url, chunk_size=CHUNK, timeout=20)


@pytest.fixture
def owner(standin: NextcloudStandin) -> Somebody:
    return Somebody(standin.url, "anna", USERS["anna"])


@pytest.fixture
def destination(settings: NextcloudSettings, secret: str) -> Iterator[NextcloudDestination]:
    with opened(settings, secret) as made:
        yield made
