"""A real Nextcloud, if the environment names one: its users, and what is made there and taken away again."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "nextcloud"))  # its kits are put to a real server here
pytest.register_assert_rewrite("nextcloud_answers", "live_kit")

from liberate_nextcloud.settings import NextcloudSettings  # noqa: E402
from live_kit import APP_SECRET, LOGIN, NEEDS_ADMIN, URL, Admin, Member, Person, a_name  # noqa: E402
from nextcloud_kit import CHUNK  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A server may be slow, and others may be working on it."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def admin() -> Iterator[Admin]:
    """An administrator; what the tests make through it is gone at the end."""
    if not LOGIN.admin:
        pytest.skip(NEEDS_ADMIN)
    with Admin(URL, LOGIN.admin, LOGIN.admin_password) as admin:
        yield admin


@pytest.fixture(scope="session")
def member(admin: Admin) -> Member:
    """A second user."""
    return admin.member()


@pytest.fixture
def other(member: Member) -> str:
    return member.user


@pytest.fixture(scope="session")
def server() -> tuple[str, str, str]:
    return URL, LOGIN.user, LOGIN.password


@pytest.fixture
def below() -> Iterator[str]:
    """A new folder in the user's home, which holds what one test makes there."""
    name = a_name("contract")
    everywhere = Person(URL, LOGIN.user, LOGIN.password)
    everywhere.mkdir(name)
    yield name
    everywhere.remove(name)


@pytest.fixture
def owner(below: str) -> Person:
    return Person(URL, LOGIN.user, LOGIN.password, below)


@pytest.fixture
def settings(below: str) -> NextcloudSettings:
    return NextcloudSettings(url=URL, folder=below, chunk_size=CHUNK)


@pytest.fixture
def app_secret() -> str:
    if not APP_SECRET:
        pytest.skip("LIBERATE_NEXTCLOUD_APPAPI_SECRET is not set")
    return APP_SECRET
