"""The suites of the contract, run on the connector and the stand-in, or on a real server.

With LIBERATE_NEXTCLOUD_URL, LIBERATE_NEXTCLOUD_USER, LIBERATE_NEXTCLOUD_PASSWORD (an app password) and, if something
shall be shared, LIBERATE_NEXTCLOUD_OTHER (another user) set, they are run there too, each test in a new folder.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

import pytest
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.source import NextcloudSource
from liberate_nextcloud.standin import NextcloudStandin
from nextcloud_kit import CHUNK, USERS, Somebody, opened

from liberate.connector import Account, Collection, Destination, Item, Source
from liberate.testing.contracts import OpenDestination, OpenSource, SourceContract
from liberate.testing.tree_contract import TreeDestinationContract

REAL = os.environ.get("LIBERATE_NEXTCLOUD_URL", "")
needs_server = pytest.mark.skipif(not REAL, reason="LIBERATE_NEXTCLOUD_URL names no server")
BODIES = [b"one", b"", b"three" * 1000, b"the same", b"the same", b"\0\xff" * 70_000]
PATHS = ["a.txt", "empty", "Plans/b.txt", "Plans/Deep/c & d #1.txt", "100%/c?.txt", "é🎉/x.bin"]


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


@needs_server
class TestOnAServer(TreeDestinationContract):
    @pytest.fixture
    def below(self) -> str:
        return f"contract-{uuid.uuid4().hex[:12]}"

    @pytest.fixture
    def owner(self, below: str) -> Iterator[Somebody]:
        login = REAL, os.environ["LIBERATE_NEXTCLOUD_USER"], os.environ["LIBERATE_NEXTCLOUD_PASSWORD"]
        everywhere = Somebody(*login)
        everywhere.mkdir(below)
        yield Somebody(*login, below)
        everywhere.remove(below)

    @pytest.fixture
    def open_destination(self, below: str, owner: Somebody) -> OpenDestination:
        made = NextcloudSettings(url=REAL, folder=below, chunk_size=CHUNK)
        password, user = os.environ["LIBERATE_NEXTCLOUD_PASSWORD"], os.environ["LIBERATE_NEXTCLOUD_USER"]
        return lambda: cast("AbstractContextManager[Destination]", opened(made, password, user))

    @pytest.fixture
    def somebody(self) -> str | None:
        return os.environ.get("LIBERATE_NEXTCLOUD_OTHER")


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
