"""Acting for one account: by the app's secret, an app password, or a login password that is exchanged for one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from liberate.connector import Account
from liberate.errors import AccountError, LiberateError
from liberate.settings import reveal
from liberate_nextcloud import capabilities, provisioning, refusals, teams
from liberate_nextcloud.capabilities import Capabilities
from liberate_nextcloud.client import Client, Clients, Credential
from liberate_nextcloud.gate import GATE, Gate, key_of
from liberate_nextcloud.provisioning import acting, appapi
from liberate_nextcloud.settings import NextcloudSettings

_JSON = {"Accept": "application/json"}
_EXCHANGE = "/ocs/v2.php/core/getapppassword"
_FORGET = "/ocs/v2.php/core/apppassword"
_ME = "/ocs/v2.php/cloud/user"
_CAPABILITIES = "/ocs/v2.php/cloud/capabilities"


@dataclass(slots=True)
class Login:
    """One account, logged in to."""

    user: str  # its user id, which stands in paths; people may log in with an address instead
    whose: str  # how it is called to people
    clients: Clients
    can: Capabilities
    root: tuple[str, ...]  # the folder that everything is below
    team: bool = False  # whether that is a Team folder, or in one
    made: Credential | None = None  # an app password that was made for this opening

    def close(self, settings: NextcloudSettings) -> None:
        """Close the connections, and delete the app password that was made for them."""
        try:
            if self.made is not None:
                made, self.made = self.made, None
                client = Client(settings, made)
                try:
                    with contextlib.suppress(LiberateError):  # it harms nobody, and is named "liberate" in their list
                        client.send("DELETE", _FORGET, headers=_JSON)
                finally:
                    client.close()
        finally:
            self.clients.close()


def log_in(
    settings: NextcloudSettings,
    account: Account,
    gate: Gate = GATE,
    step: Callable[[str], None] | None = None,
) -> Login:
    """Raises AccountError where a person must act, TransientError when the server cannot be reached now.

    `step` is told before and after each request for the account.
    """
    host = urlsplit(settings.url).netloc
    name, root, secret = account.name, settings.folder_path, account.secret
    team = teams.name_of(account)
    if team is not None:
        if not settings.team_folders_as:
            raise teams.needs_a_writer(account.name)
        name, root, secret = settings.team_folders_as, (team, *root), None
    if not name:
        raise AccountError("no-account", f"No account at {host} is named.", "Name a user of the Nextcloud.")
    whose = f"{name} at {host}"
    credential, made = _credential(settings, name, secret, whose, gate)
    clients = Clients(settings, credential, gate, step)
    try:
        with clients.one() as client:
            user = _whoami(client, whose)
            can = _capabilities(client, whose)
            if team is not None:
                _prepare_team(settings, client, user, team, gate)
    except BaseException:
        Login(name, whose, clients, Capabilities(), root, made=credential if made else None).close(settings)
        raise
    return Login(user, whose, clients, can, root, team is not None, credential if made else None)


def _credential(
    settings: NextcloudSettings, name: str, secret: str | None, whose: str, gate: Gate
) -> tuple[Credential, bool]:
    """How to act for that user, and whether an app password was made for it."""
    app_secret = reveal(settings.appapi_secret)
    if app_secret:
        check_app(settings, app_secret, gate)
        if settings.create_users:
            provisioning.make_user(settings, name, None, gate)
        return appapi(settings, name, app_secret), False
    password = secret or reveal(settings.password)
    if not password:
        raise AccountError(
            "no-password",
            f"There is no password for {whose}.",
            "Name one in the people table, set LIBERATE_PASSWORD, or give the connection appapi_secret.",
        )
    if settings.create_users:
        provisioning.make_user(settings, name, password, gate)
    return _exchanged(settings, name, password, whose, gate)


# An app's secret ----------------------------------------------------------------------------------


def check_app(settings: NextcloudSettings, secret: str, gate: Gate) -> None:
    """Whether the secret itself is right, asked for nobody: an unknown user is refused in the same words."""
    host = urlsplit(settings.url).netloc
    key = key_of(settings.url, "app", settings.appapi_id, settings.appapi_version, secret)

    def refusal() -> AccountError:
        return AccountError(
            "app-refused",
            f"{host} does not accept the secret of the app {settings.appapi_id} {settings.appapi_version}.",
            "Register it again with `liberate nextcloud register`, then run the same command again.",
        )

    with gate.trying(key, refusal):
        if gate.accepted(key):
            return
        with acting(settings, appapi(settings, "", secret), gate) as client:
            reply = client.send("GET", "/ocs/v2.php/apps/app_api/ex-app/state", headers=_JSON, checked=False)
        if reply.status in (401, 403):
            gate.refuse(key)
            raise refusal()
        if reply.status == 429:
            raise refusals.throttled(host)
        if reply.status in (404, 405, 998):
            raise AccountError(
                "no-appapi", f"{host} has no AppAPI.", "Enable the app app_api there, or use app passwords."
            )
        if reply.status >= 400:
            raise refusals.refusal(reply, host)


# A password ----------------------------------------------------------------------------------------


def _exchanged(
    settings: NextcloudSettings, name: str, password: str, whose: str, gate: Gate
) -> tuple[Credential, bool]:
    """One request tells a login password from an app password and gives an app password for the former."""
    key = key_of(settings.url, "password", name, password)
    given = Credential(name, password=password, key=key)
    with gate.trying(key, lambda: refusals.login_refused(whose)):
        with acting(settings, given, gate) as client:
            reply = client.send("GET", _EXCHANGE + "?format=json", headers=_JSON)
        if reply.status == 200:
            data = reply.ocs()
            if not isinstance(data, dict) or not isinstance(data.get("apppassword"), str):
                raise refusals.not_a_nextcloud(urlsplit(settings.url).netloc)
            made = data["apppassword"]
            return Credential(name, password=made, key=key_of(settings.url, "password", name, made)), True
        if reply.status == 429:
            raise refusals.throttled(urlsplit(settings.url).netloc)
        if reply.status == 403 and "apppassword" in reply.ocs_message().lower().replace(" ", ""):
            return given, False
        if reply.status in (403, 404, 405, 501):
            # Exchange is not allowed here: without the session's cookies each request would hash the password anew.
            return Credential(name, password=password, cookies=True, key=key), False
        raise refusals.refusal(reply, whose)


# Team folders ------------------------------------------------------------------------------------


def _prepare_team(settings: NextcloudSettings, client: Client, user: str, team: str, gate: Gate) -> None:
    """See to it that the writer sees the Team folder; made by the administrator, if there is one."""
    if teams.seen(client, user, team):
        return
    host = urlsplit(settings.url).netloc
    if not settings.admin_user:
        raise teams.missing(team, user, host)
    admin = provisioning.administrator(settings)
    with (
        gate.trying(admin.key, lambda: refusals.login_refused(f"{settings.admin_user} at {host}")),
        acting(settings, admin, gate) as ours,
    ):
        teams.make(ours, user, team, host)
    if not teams.seen(client, user, team):
        raise teams.missing(team, user, host)


# Who and what is there -----------------------------------------------------------------------------


def _whoami(client: Client, whose: str) -> str:
    reply = client.send("GET", _ME, headers=_JSON, on_refused=lambda: _no_user(whose))
    if reply.status == 404 and not reply.content.lstrip().startswith(b"{"):
        raise refusals.not_a_nextcloud(whose.rpartition(" at ")[2])
    if reply.status >= 400:
        raise refusals.refusal(reply, whose)
    data = reply.ocs()
    if not isinstance(data, dict) or not data.get("id"):
        raise refusals.not_a_nextcloud(whose.rpartition(" at ")[2])
    return str(data["id"])


def _no_user(whose: str) -> AccountError:
    return AccountError(
        "unknown-account",
        f"There is no user {whose}, or it is disabled.",
        "Make it there, correct the people table, or set create_users = true.",
    )


def _capabilities(client: Client, whose: str) -> Capabilities:
    reply = client.send("GET", _CAPABILITIES, headers=_JSON)
    if reply.status >= 400:
        raise refusals.refusal(reply, whose)
    found = capabilities.read(reply.ocs())
    if found is None:
        raise refusals.unreadable(whose)
    return found
