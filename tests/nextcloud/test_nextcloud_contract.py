"""The suites of the contract, run on the connector and the stand-in; tests/live runs them on a real server."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

import pytest
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.source import NextcloudSource
from liberate_nextcloud.standin import NextcloudStandin
from nextcloud_kit import BODIES, CHUNK, PATHS, USERS, Somebody, opened

from liberate.connector import Account, Collection, Destination, Item, Source
from liberate.testing.contracts import OpenDestination, OpenSource, SourceContract
from liberate.testing.tree_contract import TreeDestinationContract


class TestOnTheStandin(TreeDestinationContract):
    @pytest.fixture
    def owner(self, standin: NextcloudStandin) -> Somebody:
        return Somebody(standin.url, "anna", USERS["anna"])

    @pytest.fixture
    def open_destination(self, settings: NextcloudSettings, secret: str) -> OpenDestination:
        return lambda: cast("AbstractContextManager[Destination]", opened(settings, secret))

    @pytest.fixture
    def somebody(self) -> str:
        return "ben"


class TestWithoutBulk(TestOnTheStandin):
    """As at a server that takes one file with each request."""

    @pytest.fixture
    def settings(self, standin: NextcloudStandin) -> NextcloudSettings:
        return NextcloudSettings(url=standin.url, chunk_size=CHUNK, timeout=20, bulk="never")


class TestAsASource(SourceContract):
    @pytest.fixture
    def filled(self, owner: Somebody) -> Somebody:
        for path, body in zip(PATHS, BODIES, strict=True):
            owner.put(path, body)
        return owner

    @pytest.fixture
    def open_source(self, filled: Somebody, settings: NextcloudSettings, secret: str) -> OpenSource:
        return lambda: cast(
            "AbstractContextManager[Source]", NextcloudSource(settings, Account("anna", secret), gate=Gate())
        )

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]]:
        return {(): BODIES}

    @pytest.fixture
    def state(self, filled: Somebody) -> Callable[[], Any]:
        return filled.tree

    @pytest.fixture
    def remove(self, filled: Somebody, open_source: OpenSource) -> Callable[[Collection, Item], None]:
        def gone(_collection: Collection, item: Item) -> None:
            filled.remove(next(path for path in PATHS if path.rpartition("/")[2] == item.name))

        return gone
