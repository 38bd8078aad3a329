"""Users and groups that the plan wants made, by an administrator (OCS Provisioning API), without mail to anybody."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from liberate.errors import AccountError, ItemError, TransientError
from liberate.settings import reveal
from liberate_nextcloud import refusals
from liberate_nextcloud.client import Client, Credential, Reply
from liberate_nextcloud.gate import Gate, key_of
from liberate_nextcloud.paths import quoted
from liberate_nextcloud.settings import NextcloudSettings

_JSON = {"Accept": "application/json"}
_USERS = "/ocs/v2.php/cloud/users"
_GROUPS = "/ocs/v2.php/cloud/groups"
_ANYTHING = "Bad request"  # as UsersController::addUser tells any failure of its own, "database is locked" among them
_THERE = 102  # "User already exists", "group exists"


def appapi(settings: NextcloudSettings, user: str, secret: str) -> Credential:
    """Acting for that user by the secret of the app (AppAPI's AppAPIAuth)."""
    token = base64.b64encode(f"{user}:{secret}".encode()).decode()
    headers = {
        "AA-VERSION": "3.0.0",
        "EX-APP-ID": settings.appapi_id,
        "EX-APP-VERSION": settings.appapi_version,
        "AUTHORIZATION-APP-API": token,
    }
    return Credential(user, headers, key=key_of(settings.url, "app", user, secret))


@contextmanager
def acting(settings: NextcloudSettings, credential: Credential, gate: Gate) -> Iterator[Client]:
    """A connection for that credential alone."""
    client = Client(settings, credential, gate)
    try:
        yield client
    finally:
        client.close()


def make_user(settings: NextcloudSettings, name: str, password: str | None, gate: Gate) -> None:
    """Make the user unless it is there; without a known password it gets a random one that nobody learns."""
    credential = administrator(settings)
    host = urlsplit(settings.url).netloc
    whose = f"{settings.admin_user} at {host}"
    with (
        gate.trying(credential.key, lambda: refusals.login_refused(whose)),
        acting(settings, credential, gate) as client,
    ):
        reply = client.send("GET", f"{_USERS}/{quoted(name).replace('/', '%2F')}", headers=_JSON)
        if reply.status == 200:
            return
        if reply.status in (403, 997):
            raise _no_admin(whose)
        if reply.status != 404:
            raise refusals.refusal(reply, whose)
        data = {"userid": name, "displayName": name, "password": password or secrets.token_urlsafe(24) + "aA1!"}
        reply = client.send("POST", _USERS, data, _JSON)
    if reply.status == 403:
        raise _no_admin(whose)
    if reply.status != 200:
        code = _ocs_code(reply)
        if code == _THERE:  # somebody else made it meanwhile
            return
        if reply.status == 429 or reply.status >= 500 or reply.ocs_message() == _ANYTHING:
            raise TransientError(
                f"{host}: the user {name} could not be made just now.", refusals.retry_after(reply.headers)
            )
        why = reply.ocs_message() if code == 101 or code is None else f"the server answers {code}"
        raise AccountError(
            "user-not-made", f"The user {name} could not be made at {host}: {why}.", "Make it by hand or rename it."
        )


def administrator(settings: NextcloudSettings) -> Credential:
    """How to act for the administrator."""
    admin = settings.admin_user
    if password := reveal(settings.admin_password):
        return Credential(admin, password=password, key=key_of(settings.url, "password", admin, password), cookies=True)
    return appapi(settings, admin, reveal(settings.appapi_secret) or "")


class Groups:
    """Makes the groups that things are to be shared with; each is asked for once."""

    def __init__(self, settings: NextcloudSettings, gate: Gate) -> None:
        self._settings = settings
        self._gate = gate
        self._there: set[str] = set()

    def ensure(self, name: str) -> None:
        """Make the group, without members, unless it is there. Raises ItemError if it cannot be made."""
        if not self._settings.create_groups or name in self._there:
            return
        credential = administrator(self._settings)
        host = urlsplit(self._settings.url).netloc
        whose = f"{self._settings.admin_user} at {host}"
        with (
            self._gate.trying(credential.key, lambda: refusals.login_refused(whose)),
            acting(self._settings, credential, self._gate) as client,
        ):
            reply = client.send("POST", _GROUPS, {"groupid": name}, _JSON)
        if reply.status == 403 or _ocs_code(reply) == 997:
            raise _no_admin(whose)
        if reply.status >= 500 or reply.status == 429:
            raise refusals.refusal(reply, whose)
        if reply.status != 200 and _ocs_code(reply) != _THERE:
            raise ItemError("group-not-made", f"The group {name} could not be made.", "Make it there, or map the name.")
        self._there.add(name)


def _no_admin(whose: str) -> AccountError:
    return AccountError("no-admin", f"{whose} may not make users or groups.", "Give admin_user an administrator.")


def _ocs_code(reply: Reply) -> int | None:
    try:
        return int(json.loads(reply.content)["ocs"]["meta"]["statuscode"])
    except (ValueError, LookupError, TypeError):
        return None
