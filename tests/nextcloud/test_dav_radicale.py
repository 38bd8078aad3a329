"""The whole contract of events and contacts on a real Radicale, which writes every object in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import cast

import pytest
from dav_kit import Somebody
from liberate_nextcloud.dav_destination import DavDestination
from liberate_nextcloud.dav_sandbox import Radicale
from liberate_nextcloud.dav_settings import DavSettings
from liberate_nextcloud.gate import Gate

from liberate.connector import Account, Destination
from liberate.testing.contracts import ObjectContract, OpenObjects


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    with Radicale(tmp_path_factory.mktemp("radicale"), {"anna": "secret"}) as server:
        yield server


class TestOnRadicale(ObjectContract):
    @pytest.fixture
    def open_objects(self, radicale: Radicale, tmp_path: Path) -> OpenObjects:
        settings = DavSettings(url=radicale.url, timeout=20)
        return lambda: cast(
            "AbstractContextManager[Destination]",
            DavDestination(settings, Account("anna", "secret"), gate=Gate()),
        )

    @pytest.fixture
    def stranger(self, radicale: Radicale) -> Somebody:
        return Somebody(radicale.url, "anna", "secret")
