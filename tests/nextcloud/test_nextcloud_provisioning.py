"""Users and groups that are missing are made if the connection asks for it, and not otherwise."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin
from liberate_nextcloud.standin.faults import Fault
from nextcloud_kit import APP_SECRET, ROOT, Bytes, file, opened
from pydantic import SecretStr

from liberate.connector import Share
from liberate.errors import AccountError, ItemError, TransientError
from liberate.files import Grant, Role

BY_PASSWORD = {"admin_password": SecretStr("admin-login")}
BY_APP = {"appapi_secret": SecretStr(APP_SECRET)}
TEAM = Share("group", "Board", Grant("group", "board@solros.example", Role.READER))


@pytest.fixture(autouse=True)
def admin(standin: NextcloudStandin) -> None:
    standin.add_user("admin", "admin-login", admin=True)


def wishes(standin: NextcloudStandin, **more: Any) -> NextcloudSettings:
    return NextcloudSettings(url=standin.url, admin_user="admin", **more)


def people(standin: NextcloudStandin) -> set[str]:
    return set(standin.cloud.accounts.users)


@pytest.mark.parametrize("way", [BY_PASSWORD, BY_APP], ids=["by password", "by the app"])
def test_a_user_that_is_missing_is_made_once(standin: NextcloudStandin, way: dict[str, SecretStr]) -> None:
    before = people(standin)
    for body in (b"one", b"two"):
        with opened(wishes(standin, create_users=True, **way), "her-own-password", "cy") as there:
            name = f"{body.decode()}.txt"
            there.write(file(there.prepare(ROOT), name, body), Bytes(body))
    assert people(standin) == before | {"cy"}
    assert [standin.read("cy", f"/Work/{name}.txt") for name in ("one", "two")] == [b"one", b"two"]
    account = standin.cloud.accounts.users["cy"]
    assert (account.email, account.admin, account.groups) == (None, False, [])


def test_a_user_who_is_made_with_a_password_can_log_in_with_it(standin: NextcloudStandin) -> None:
    with opened(wishes(standin, create_users=True, **BY_PASSWORD), "her-own-password", "cy"):
        pass
    asked = requests.request(
        "PROPFIND", f"{standin.url}/remote.php/dav/files/cy/", auth=("cy", "her-own-password"), timeout=20
    )
    assert asked.status_code == 207


def test_a_user_who_is_there_is_left_alone(standin: NextcloudStandin) -> None:
    before = standin.cloud.accounts.users["anna"]
    with opened(wishes(standin, create_users=True, **BY_APP), None, "anna"):
        pass
    assert standin.cloud.accounts.users["anna"] is before
    with opened(wishes(standin, create_users=True, **BY_PASSWORD), standin.app_password("anna"), "anna"):
        pass  # her password is what it was


def test_nobody_is_made_unasked(standin: NextcloudStandin) -> None:
    before = people(standin)
    with pytest.raises(AccountError) as told, opened(wishes(standin, **BY_APP), None, "cy"):
        pass
    assert told.value.code == "unknown-account"
    assert "create_users" in told.value.todo
    assert people(standin) == before


def test_a_user_who_cannot_be_made_just_now_is_made_later(standin: NextcloudStandin) -> None:
    """SQLite of a busy server: the answer is the one for nonsense, and the user may be there in part."""
    told_of = {"meta": {"status": "failure", "statuscode": 101, "message": "Bad request"}, "data": []}
    body = json.dumps({"ocs": told_of}).encode()
    fault = Fault(400, body=body, content_type="application/json", method="POST", path="/users$", after=True)
    standin.faults.add(fault)
    settings = wishes(standin, create_users=True, **BY_APP)
    with pytest.raises(TransientError), opened(settings, None, "cy"):
        pass
    with opened(settings, None, "cy"):
        pass
    assert fault.hits == 1
    assert "cy" in people(standin)


@pytest.mark.parametrize("what", ["create_users", "create_groups"])
def test_only_an_administrator_makes_any(standin: NextcloudStandin, what: str) -> None:
    settings = NextcloudSettings.model_validate(
        {"url": standin.url, "admin_user": "bo", "admin_password": SecretStr("bo-login"), what: True}
    )
    before = people(standin)
    user, secret = ("cy", "x") if what == "create_users" else ("anna", standin.app_password("anna"))
    with pytest.raises(AccountError) as told, opened(settings, secret, user) as there:
        there.share(there.write(file(there.prepare(ROOT), "a", b"a"), Bytes(b"a")), TEAM)
    assert told.value.code == "no-admin"
    assert people(standin) == before
    assert "Board" not in standin.cloud.accounts.groups


@pytest.mark.parametrize("what", ["create_users", "create_groups"])
def test_making_any_takes_an_administrator_to_be_named(what: str) -> None:
    with pytest.raises(ValueError, match=f"{what} needs admin_user"):
        NextcloudSettings.model_validate({"url": "https://cloud.example.coop", what: True})
    with pytest.raises(ValueError, match=f"{what} needs admin_password"):
        NextcloudSettings.model_validate({"url": "https://cloud.example.coop", "admin_user": "admin", what: True})


def test_a_group_that_something_is_shared_with_is_made_once(standin: NextcloudStandin) -> None:
    for _ in range(2):
        with opened(wishes(standin, create_groups=True, **BY_PASSWORD), standin.app_password("anna")) as there:
            place = there.prepare(ROOT)
            for name in ("a", "b"):
                slot = file(place, name, b"x")
                found = there.find([slot], lambda _place, _ids: set())
                receipt = found[slot.key] if found else there.write(slot, Bytes(b"x"))
                assert there.share(receipt, TEAM) == there.share(receipt, TEAM)
    assert [(one["type"], one["with"]) for one in standin.shares()] == [(1, "Board"), (1, "Board")]
    assert "Board" in standin.cloud.accounts.groups
    made = [one for one in standin.requests if one.path.startswith("/ocs/v2.php/cloud/groups")]
    assert len(made) == 1, "for two files, and not for shares that are there"


def test_no_group_is_made_unasked(standin: NextcloudStandin) -> None:
    with opened(wishes(standin, **BY_PASSWORD), standin.app_password("anna")) as there:
        receipt = there.write(file(there.prepare(ROOT), "a", b"a"), Bytes(b"a"))
        with pytest.raises(ItemError) as told:
            there.share(receipt, TEAM)
    assert told.value.code == "no-such-group"
    assert "Board" not in standin.cloud.accounts.groups
    assert standin.shares() == []
