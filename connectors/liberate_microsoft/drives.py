"""Which drive an account means: a person's OneDrive, or a library of a SharePoint site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from liberate.connector import Account
from liberate.errors import AccountError, PlanError
from liberate_microsoft import pace
from liberate_microsoft.client import Client, segment
from liberate_microsoft.problems import Failure, error

_DRIVE = {"$select": "id,name,webUrl,owner,quota,driveType"}
_SITES = "Sites.Read.All"


@dataclass(frozen=True, slots=True)
class Drive:
    """One drive, found."""

    id: str
    owner: str  # address of the person whose OneDrive it is; "" for a library
    domain: str  # of the organisation
    used: int | None  # bytes


def find(client: Client, account: Account) -> Drive:
    """The account's drive. Raises AccountError where there is none, or more than one."""
    if account.kind == "person":
        return _person(client, account.name)
    if account.kind == "shared":
        return _drive(_library(client, account.name.strip()), None, client.settings.tenant)
    raise PlanError(
        f'{account.name}: files of a "{account.kind}" are in its SharePoint site; name its library instead.'
    )


def _person(client: Client, name: str) -> Drive:
    whose = f"/users/{segment(name)}" if name else "/me"
    answer = client.call(f"{whose}/drive", pace.QUERY, _DRIVE, expect=(400, 404, 423))
    if isinstance(answer, dict):
        return _drive(answer, name, client.settings.tenant)
    if answer.status == 423:
        raise AccountError(
            "locked",
            f"The OneDrive of {client.who} is locked or archived.",
            "Give the person a licence, or have the archive reactivated, then run the same command again.",
        )
    known = client.call(whose, pace.QUERY, {"$select": "id"}, expect=(403, 404))
    if isinstance(known, Failure) and known.status == 404:
        raise AccountError(
            "no-account", f"Microsoft knows no user {client.who}.", "Correct the address in the people table."
        )
    if answer.status == 404 or answer.about_site:
        raise AccountError(
            "no-onedrive",
            f"{client.who} has no OneDrive, or never opened it.",
            "Leave the account out of the plan, or let the person open OneDrive once.",
        )
    raise error(answer, client.who)


def _drive(told: Mapping[str, Any], owner: str | None, tenant: str) -> Drive:
    """`owner` is the address asked for; "" where it was not named; None of a library, which is nobody's own."""
    user = (told.get("owner") or {}).get("user") or {}
    address = "" if owner is None else owner or str(user.get("email") or "")
    host = urlsplit(str(told.get("webUrl") or "")).hostname or tenant
    domain = address.rpartition("@")[2] or (tenant if "." in tenant else host)
    used = (told.get("quota") or {}).get("used")
    return Drive(str(told["id"]), address.lower(), domain.lower(), used if isinstance(used, int) else None)


# Libraries ---------------------------------------------------------------------------------------


def _library(client: Client, name: str) -> Mapping[str, Any]:
    """A library by its address, by "sites/Board/Documents", or by its drive id."""
    if name.startswith("https://"):
        parts = urlsplit(name)
        host, path = parts.hostname or "", [unquote(one) for one in parts.path.split("/") if one]
    elif "/" in name:
        root = client.ask("/sites/root", pace.QUERY, {"$select": "id,webUrl,siteCollection"}, permission=_SITES)
        host = urlsplit(str(root.get("webUrl") or "")).hostname or ""
        path = [one for one in name.split("/") if one]
    elif name:
        return client.ask(f"/drives/{segment(name)}", pace.QUERY, _DRIVE, permission=_SITES)
    else:
        raise PlanError('Name the library: its address, or such as "sites/Board/Documents".')
    site, rest = _site(client, host, path)
    drives = _drives(client, str(site["id"]))
    if not rest:
        if len(drives) == 1:
            return drives[0]
        raise _which(client.who, drives, "Its site has several libraries" if drives else "Its site has no library")
    by_name = [one for one in drives if one.get("name") == rest[0]]
    found = by_name or [one for one in drives if _last(one) == rest[0]]
    if len(found) != 1:
        raise _which(client.who, drives, "Its site has several libraries of this name" if found else "No such library")
    return found[0]


def _site(client: Client, host: str, path: Sequence[str]) -> tuple[Mapping[str, Any], Sequence[str]]:
    """The innermost site that the path leads into, and the rest of the path."""
    for length in range(len(path), -1, -1):
        relative = "/".join(segment(one) for one in path[:length])
        where = f"/sites/{segment(host)}:/{relative}" if length else f"/sites/{segment(host)}"
        answer = client.call(where, pace.QUERY, {"$select": "id,webUrl"}, expect=(400, 404), permission=_SITES)
        if isinstance(answer, dict):
            return answer, path[length:]
        if length == 1 and path[0] in ("sites", "teams"):
            break  # the root site is not meant
    raise AccountError(
        "no-site", f"There is no SharePoint site at {client.who}.", "Copy its address out of the browser into the plan."
    )


def _drives(client: Client, site: str) -> list[Mapping[str, Any]]:
    out: list[Mapping[str, Any]] = []
    path, params = f"/sites/{segment(site)}/drives", dict(_DRIVE)
    while True:
        answer = client.ask(path, pace.CHILDREN, params, permission=_SITES)
        out += answer.get("value") or ()
        following = answer.get("@odata.nextLink")
        if not following:
            return out
        path, params = str(following), {}


def _last(drive: Mapping[str, Any]) -> str:
    """The library's name in addresses: "Shared Documents" of the one shown as "Documents"."""
    return unquote(urlsplit(str(drive.get("webUrl") or "")).path.rstrip("/").rpartition("/")[2])


def _which(who: str, drives: Sequence[Mapping[str, Any]], what: str) -> AccountError:
    names = ", ".join(sorted(f'"{one.get("name")}" ({one["id"]})' for one in drives))
    return AccountError(
        "which-library",
        f"{who}: {what}.",
        f"Name one of these, or its id: {names}." if names else "Correct the people table.",
    )
