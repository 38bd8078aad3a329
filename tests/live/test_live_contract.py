"""The suites of the contract, run on a real Nextcloud, each test in a new folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, cast

import pytest
from live_kit import APP, LOGIN, URL, Person, need_server

need_server()

from liberate_nextcloud.gate import Gate  # noqa: E402
from liberate_nextcloud.settings import NextcloudSettings  # noqa: E402
from liberate_nextcloud.source import NextcloudSource  # noqa: E402
from nextcloud_kit import BODIES, PATHS, opened  # noqa: E402
from pydantic import SecretStr  # noqa: E402

from liberate.connector import Account, Collection, Destination, Item, Source  # noqa: E402
from liberate.testing.contracts import (  # noqa: E402
    OpenDestination,
    OpenSource,
    SourceContract,
    TreeDestinationContract,
)


class TestOnAServer(TreeDestinationContract):
    @pytest.fixture
    def owner(self, below: str) -> Person:
        return Person(URL, LOGIN.user, LOGIN.password, below)

    @pytest.fixture
    def open_destination(self, settings: NextcloudSettings) -> OpenDestination:
        return lambda: cast("AbstractContextManager[Destination]", opened(settings, LOGIN.password, LOGIN.user))

    @pytest.fixture
    def somebody(self, request: pytest.FixtureRequest) -> str | None:
        return str(request.getfixturevalue("other")) if LOGIN.admin else None


class TestAsASource(SourceContract):
    @pytest.fixture
    def account(self) -> Account:
        return Account(LOGIN.user, LOGIN.password)

    @pytest.fixture
    def filled(self, owner: Person, below: str) -> Person:
        for path, body in zip(PATHS, BODIES, strict=True):
            owner.put(f"{below}/{path}", body)
        return owner

    @pytest.fixture
    def open_source(self, filled: Person, settings: NextcloudSettings, account: Account) -> OpenSource:
        return lambda: cast("AbstractContextManager[Source]", NextcloudSource(settings, account, gate=Gate()))

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]]:
        return {(): BODIES}

    @pytest.fixture
    def state(self, filled: Person) -> Callable[[], Any]:
        return filled.tree

    @pytest.fixture
    def remove(self, filled: Person, below: str) -> Callable[[Collection, Item], None]:
        def gone(_collection: Collection, item: Item) -> None:
            filled.remove(f"{below}/" + next(path for path in PATHS if path.rpartition("/")[2] == item.name))

        return gone


class TestAsASourceByAppApi(TestAsASource):
    """For a user whose password is not known."""

    @pytest.fixture
    def account(self) -> Account:
        return Account(LOGIN.user)

    @pytest.fixture
    def settings(self, below: str, settings: NextcloudSettings, app_secret: str) -> NextcloudSettings:
        return NextcloudSettings.model_validate(
            {**settings.model_dump(), "appapi_secret": SecretStr(app_secret), **APP}
        )
