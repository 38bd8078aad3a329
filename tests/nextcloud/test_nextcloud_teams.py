"""Shared drives become Team folders, written by one user."""

from __future__ import annotations

import pytest
from liberate_nextcloud.destination import NextcloudDestination
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin
from nextcloud_kit import APP_SECRET, ROOT, Bytes, Somebody, file
from pydantic import SecretStr

from liberate.connector import Account
from liberate.errors import AccountError


def opened(standin: NextcloudStandin, **more: str) -> NextcloudDestination:
    settings = NextcloudSettings.model_validate(
        {"url": standin.url, "appapi_secret": SecretStr(APP_SECRET), "team_folders_as": "bo", **more}
    )
    return NextcloudDestination(settings, Account("team:Board", kind="shared"), gate=Gate())


def test_a_team_folder_is_made_once_and_written_by_its_member(standin: NextcloudStandin) -> None:
    standin.add_user("admin", "admin-login", admin=True)
    for body in (b"one", b"two"):
        with opened(standin, admin_user="admin") as destination:
            place = destination.prepare(ROOT)
            name = f"{body.decode()}.txt"
            destination.write(file(place, name, body), Bytes(body))
            assert [held.name for held in destination.inventory(place)].count(name) == 1
    assert standin.read("bo", "/Board/Work/one.txt") == b"one"
    assert standin.read("bo", "/Board/Work/two.txt") == b"two"


def test_a_group_that_is_called_like_a_shared_drive_by_chance_does_not_see_its_team_folder(
    standin: NextcloudStandin,
) -> None:
    standin.add_user("admin", "admin-login", admin=True)
    standin.add_group("Board")
    standin.add_user("carla", "carla-login", groups=("Board",))
    with opened(standin, admin_user="admin") as destination:
        place = destination.prepare(ROOT)
        destination.write(file(place, "a.txt", b"one"), Bytes(b"one"))
    assert standin.read("bo", "/Board/Work/a.txt") == b"one"
    assert "Board" not in Somebody(standin.url, "carla", "carla-login").tree()


def test_a_team_folder_that_nobody_can_make_is_told(standin: NextcloudStandin) -> None:
    with pytest.raises(AccountError) as told, opened(standin):
        pass
    assert told.value.code == "no-team-folder"
