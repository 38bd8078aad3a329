"""The server that LIBERATE_NEXTCLOUD_URL names, and an administrator who makes users there and removes them."""

from __future__ import annotations

import os
import secrets
import uuid
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import quote

import pytest
import requests
from nextcloud_kit import Somebody
from nextcloud_standin_kit import Client

_NAMES = ("URL", "USER", "PASSWORD", "ADMIN", "ADMIN_PASSWORD", "APPAPI_SECRET", "APPAPI_ID", "APPAPI_VERSION")
_GIVEN = {name: os.environ.get(f"LIBERATE_NEXTCLOUD_{name}", "") for name in _NAMES}
NEEDS_SERVER = "LIBERATE_NEXTCLOUD_URL, _USER and _PASSWORD name no server"
NEEDS_ADMIN = "LIBERATE_NEXTCLOUD_ADMIN and _ADMIN_PASSWORD are not set"
_TEAM_FOLDERS = "/index.php/apps/groupfolders/folders"
_ATTEMPTS, _THERE = 5, 102
URL = _GIVEN["URL"].rstrip("/")
APP_SECRET = _GIVEN["APPAPI_SECRET"]
APP = {"appapi_id": _GIVEN["APPAPI_ID"] or "liberate", "appapi_version": _GIVEN["APPAPI_VERSION"] or "1.0.0"}


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str
    admin: str
    admin_password: str


LOGIN = Login(_GIVEN["USER"], _GIVEN["PASSWORD"], _GIVEN["ADMIN"], _GIVEN["ADMIN_PASSWORD"])


def need_server() -> None:
    """Skips the module that calls it, unless there is a server."""
    if not (URL and LOGIN.user and LOGIN.password):
        pytest.skip(NEEDS_SERVER, allow_module_level=True)


def a_name(what: str) -> str:
    """A name that nothing has."""
    return f"liberate-{what}-{uuid.uuid4().hex[:10]}"


class Person(Somebody):
    """Somebody who tries again where a busy server fails, as people do."""

    def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Any:
        for _ in range(_ATTEMPTS):
            answer = super().ask(method, path, data, **headers)
            if answer.status_code not in (423, 500, 503):
                break
        return answer


@dataclass(frozen=True, slots=True)
class Member:
    """A user that the tests have made, with an app password."""

    user: str
    login: str  # the login password
    password: str

    def client(self, folder: str = "") -> Client:
        return Client(URL, self.user, self.password, folder)


class Admin:
    """Works by OCS; users and groups that it made, or was told of, are removed when it is left."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self.user, self.password = user, password
        self._url = url
        self._login = Client(url, user, password, "")
        self._own = ""
        self._users: list[str] = []
        self._groups: list[str] = []
        self._teams: list[str] = []

    def __enter__(self) -> Self:
        made = self._login.ocs("GET", "core/getapppassword")  # a login password costs half a second each time
        if made.status_code == 200:
            self._own = made.json()["ocs"]["data"]["apppassword"]
            self._login = Client(self._url, self.user, self._own, "")
        return self

    def __exit__(self, *_: object) -> None:
        for folder in self._team_folders() if self._teams else ():
            if folder["mount_point"] in self._teams:
                self._login.ask("DELETE", f"{_TEAM_FOLDERS}/{folder['id']}?format=json", OCS_APIRequest="true")
        for user in self._users:
            self.ask("DELETE", f"cloud/users/{quote(user)}")
        for group in self._groups:
            self.ask("DELETE", f"cloud/groups/{quote(group)}")
        if self._own:
            self._login.ocs("DELETE", "core/apppassword")

    @property
    def app_password(self) -> str:
        return self._own or self.password

    def ask(self, method: str, path: str, data: dict[str, Any] | None = None) -> requests.Response:
        return self._login.ocs(method, path, data)

    def has_team_folders(self) -> bool:
        return self._login.ask("GET", f"{_TEAM_FOLDERS}?format=json", OCS_APIRequest="true").status_code == 200

    def _team_folders(self) -> list[dict[str, Any]]:
        answer = self._login.ask("GET", f"{_TEAM_FOLDERS}?format=json", OCS_APIRequest="true")
        found = answer.json()["ocs"]["data"]
        return list(found.values() if isinstance(found, dict) else found)

    def removes(self, user: str = "", group: str = "", team: str = "") -> str:
        """Somebody else makes it; it is removed in the end as well, a Team folder with the group of its name."""
        if user:
            self._users.append(user)
        if team:
            self._teams.append(team)
        if group or team:
            self._groups.append(group or team)
        return user or group or team

    def member(self, what: str = "member") -> Member:
        """A new user."""
        user, login = self.removes(a_name(what)), secrets.token_urlsafe(18) + "aA1!"
        for _ in range(_ATTEMPTS):  # "database is locked" comes as a 400 that says nothing, half of the user made
            answer = self.ask("POST", "cloud/users", {"userid": user, "password": login})
            if answer.status_code == 200 or answer.json()["ocs"]["meta"]["statuscode"] == _THERE:
                break
        assert self.knows(user), answer.text
        made = Client(self._url, user, login, "").ocs("GET", "core/getapppassword")
        return Member(user, login, made.json()["ocs"]["data"]["apppassword"])

    def group(self, *members: str) -> str:
        """A new group of these users."""
        group = self.removes(group=a_name("group"))
        assert self.ask("POST", "cloud/groups", {"groupid": group}).status_code == 200
        for user in members:
            answer = self.ask("POST", f"cloud/users/{quote(user)}/groups", {"groupid": group})
            assert answer.status_code == 200, answer.text
        return group

    def knows(self, user: str) -> bool:
        return self.ask("GET", f"cloud/users/{quote(user)}").status_code == 200

    def groups_of(self, user: str) -> list[str]:
        found: list[str] = self.ask("GET", f"cloud/users/{quote(user)}/groups").json()["ocs"]["data"]["groups"]
        return found

    def groups(self) -> list[str]:
        found: list[str] = self.ask("GET", "cloud/groups").json()["ocs"]["data"]["groups"]
        return found
