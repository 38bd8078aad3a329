"""Team folders (the app groupfolders): where a shared drive goes. An administrator makes them, one user writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from liberate.connector import Account
from liberate.errors import AccountError
from liberate_nextcloud import multistatus, paths, refusals
from liberate_nextcloud.client import Client, Reply

MOUNTS = ("group", "team")  # what the server calls a Team folder, by its version
_PREFIX = "team:"
_FOLDERS = "/index.php/apps/groupfolders/folders"
_GROUPS = "/ocs/v2.php/cloud/groups"
_USERS = "/ocs/v2.php/cloud/users"
_JSON = {"Accept": "application/json"}
_XML = {"Content-Type": "application/xml; charset=utf-8", "Depth": "0"}


def name_of(account: Account) -> str | None:
    """The name of the Team folder that the account stands for; None if it is a user's account."""
    if account.kind != "shared" or not account.name.startswith(_PREFIX):
        return None
    return account.name.removeprefix(_PREFIX).replace("/", " ").strip() or None


def needs_a_writer(name: str) -> AccountError:
    return AccountError(
        "no-writer",
        f"Nobody is named who writes {name}.",
        "Set team_folders_as to a user who is a member of the Team folders.",
    )


def missing(team: str, user: str, host: str) -> AccountError:
    return AccountError(
        "no-team-folder",
        f"{user} at {host} sees no Team folder {team}.",
        "Make it in the settings of the app Team folders with a group that has this user, or set admin_user.",
    )


def seen(client: Client, user: str, team: str) -> bool:
    """Whether the user has that Team folder, and not merely a folder of that name."""
    reply = client.send("PROPFIND", paths.files(user, team), multistatus.PROPFIND, _XML)
    if reply.status == 404:
        return False
    if reply.status != 207:
        raise refusals.refusal(reply, user)
    try:
        there = next(multistatus.entries([reply.content]), None)
    except multistatus.NotXml:
        raise refusals.unreadable(user) from None
    if there is not None and there.mount not in MOUNTS:
        raise AccountError(
            "not-a-team-folder",
            f"{user} has a folder {team} that is no Team folder.",
            "Rename one of the two.",
        )
    return there is not None


def make(admin: Client, user: str, team: str, host: str) -> None:
    """Make what is missing: the Team folder, a group of its name that may write it, the user in that group.

    A group of that name which is there already, and which the Team folder does not name, is somebody else's: its
    members were not asked into the Team folder, nor the user into what is shared with them.
    """
    reply = admin.send("GET", f"{_FOLDERS}?format=json", headers=_JSON)
    _must(reply, team, user, host)
    folders = reply.ocs()
    known = folders.values() if isinstance(folders, dict) else folders if isinstance(folders, list) else ()
    there: Mapping[str, Any] = next((one for one in known if one.get("mount_point") == team), {})
    number, groups = there.get("id"), there.get("groups")
    if number is None:
        reply = admin.send("POST", f"{_FOLDERS}?format=json", {"mountpoint": team}, _JSON)
        _must(reply, team, user, host)
        made = reply.ocs()
        number = made.get("id") if isinstance(made, dict) else None
    if number is None:
        raise missing(team, user, host)
    group = team if isinstance(groups, dict) and team in groups else _new_group(admin, team, user, host)
    _must(admin.send("POST", f"{_FOLDERS}/{number}/groups?format=json", {"group": group}, _JSON), team, user, host)
    whom = paths.quoted(user).replace("/", "%2F")
    _must(admin.send("POST", f"{_USERS}/{whom}/groups", {"groupid": group}, _JSON), team, user, host)


def _new_group(admin: Client, team: str, user: str, host: str) -> str:
    """The name of a group that was not there."""
    for name in (team, *(f"{team} ({number})" for number in range(2, 10))):
        reply = admin.send("POST", _GROUPS, {"groupid": name}, _JSON)
        if reply.status == 200:
            return name
        if reply.status != 400:  # which says that it is there
            break
    _must(reply, team, user, host)
    raise missing(team, user, host)


def _must(reply: Reply, team: str, user: str, host: str) -> None:
    if reply.status >= 500 or reply.status == 429:
        raise refusals.refusal(reply, host)
    if reply.status >= 400:
        raise missing(team, user, host)
