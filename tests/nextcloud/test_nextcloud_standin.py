"""The stand-in answers as Nextcloud 32 does: tests/live puts the same tests to a real server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from liberate_nextcloud.standin import NextcloudStandin
from nextcloud_answers import *  # noqa: F403
from nextcloud_standin_kit import Client, told


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, str]]:
    with NextcloudStandin(tmp_path_factory.mktemp("cloud"), {"anna": "pw", "bo": "pw"}) as standin:
        yield standin.url, "anna", standin.app_password("anna")
        assert standin.trouble == []


@pytest.fixture
def other() -> str:
    return "bo"


def test_nothing_here_is_a_leftover(tmp_path: Path) -> None:
    """A user who has done nothing has an empty home."""
    with NextcloudStandin(tmp_path, {"cy": "pw"}) as standin, Client(standin.url, "cy", "pw", folder="") as cy:
        assert [one["href"] for one in told(cy.ask("PROPFIND", "", Depth="infinity"))] == ["/remote.php/dav/files/cy/"]
