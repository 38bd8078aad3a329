"""Shares with users, groups and link holders (OCS Share API), made or found again, without mail to anybody."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from liberate.connector import Receipt, Share, inside
from liberate.errors import ItemError, LiberateError, TransientError
from liberate.files import Role
from liberate_nextcloud import moving, paths, refusals
from liberate_nextcloud.capabilities import Capabilities
from liberate_nextcloud.client import Client, Reply
from liberate_nextcloud.provisioning import Groups
from liberate_nextcloud.tree import Tree

_SHARES = "/ocs/v2.php/apps/files_sharing/api/v1/shares"
SHARE_RATE = (20, 600.0)
"""New shares that a server takes of one user, and in how many seconds."""
_JSON = {"Accept": "application/json"}
_TYPES = {"user": 0, "group": 1, "link": 3, "outsider": 4}
_NEVER = 9999  # the year in which ends no calendar has a day behind
_READ, _UPDATE, _CREATE, _DELETE, _SHARE = 1, 2, 4, 8, 16


def permissions(share: Share, *, folder: bool) -> int:
    """The server's bits for a role; comments need no more than reading. Create and delete mean nothing for a file."""
    role = share.grant.role
    bits = _READ
    if role in (Role.WRITER, Role.ORGANIZER):
        bits |= _UPDATE | ((_CREATE | _DELETE) if folder else 0)
    if role is Role.ORGANIZER and share.to in ("user", "group"):
        bits |= _SHARE
    return bits


def expiry(expires: datetime | None) -> str:
    """The day, at whose beginning the server ends the share: the first one not before `expires`. "": never."""
    if expires is None or expires.year >= _NEVER:
        return ""
    expires = expires.astimezone(UTC)
    midnight = expires.replace(hour=0, minute=0, second=0, microsecond=0)
    return (midnight if expires == midnight else midnight + timedelta(days=1)).date().isoformat()


class Sharing:
    """One account's shares."""

    def __init__(self, tree: Tree, can: Capabilities, groups: Groups) -> None:
        self._tree = tree
        self._can = can
        self._groups = groups

    def share(self, client: Client, receipt: Receipt, share: Share) -> str:
        """See Shares.share."""
        self._possible(share)
        found = moving.whereabouts(self._tree, client, receipt)
        if found is None:
            raise refusals.gone()
        path = "/" + inside(found[0], found[1])
        wanted = permissions(share, folder=receipt.size is None)
        until = expiry(share.grant.expires)
        if (there := self._found(client, path, share, wanted, until)) is not None:
            return there
        if share.to == "group":
            self._groups.ensure(share.name)
        data = {
            "path": path,
            "shareType": str(_TYPES[share.to]),
            "permissions": str(wanted),
            "sendMail": "false",
            "expireDate": until,
        }
        if share.to != "link":
            data["shareWith"] = share.name
        reply = client.send("POST", _SHARES, data, _JSON)
        made = reply.ocs()
        if reply.status == 200 and isinstance(made, Mapping) and made.get("id"):
            return str(made["id"])
        raise self._refused(reply, share)

    def _possible(self, share: Share) -> None:
        who = {"link": self._can.public_links, "outsider": self._can.public_links, "group": self._can.group_shares}
        if not self._can.shares or not who.get(share.to, True):
            raise ItemError(
                "sharing-off",
                f"The Nextcloud allows no shares of this kind ({share.to}).",
                "Allow them in its sharing settings, then run the same command again.",
            )
        if share.grant.expires is not None and share.grant.expires <= datetime.now(UTC):
            raise ItemError("expired", "The share had an end, which has passed.")

    def _found(self, client: Client, path: str, share: Share, wanted: int, until: str) -> str | None:
        reply = client.send("GET", f"{_SHARES}?reshares=false&path={paths.quoted(path)}", headers=_JSON)
        if reply.status == 404:
            raise refusals.gone()
        if reply.status != 200:
            raise self._refused(reply, share)
        there = reply.ocs()
        for one in there if isinstance(there, list) else ():
            if _same(one, share) and (share.to != "link" or _equal(one, wanted, until)):
                if not _equal(one, wanted, until):
                    raise ItemError(
                        "shared-otherwise",
                        f"It is shared with that {share.to} already, with other rights or another end.",
                        "Change that share by hand if it should be otherwise.",
                    )
                return str(one["id"])
        return None

    def _refused(self, reply: Reply, share: Share) -> LiberateError:
        message = reply.ocs_message()
        if reply.status == 429:
            wait = refusals.retry_after(reply.headers) or SHARE_RATE[1]
            return TransientError(f"{self._tree.whose}: only 20 shares are taken in ten minutes.", wait)
        if reply.status in (400, 403, 404) and "expir" in message.lower():  # 404 too: see Share20\Manager
            return ItemError(
                "end-refused",
                "The Nextcloud does not let a share end when this one would: its settings limit how long shares last.",
                "Change the longest time in its sharing settings, then run: liberate retry",
            )
        if reply.status == 404:
            if "file" in message.lower() or "path" in message.lower():
                return refusals.gone()
            return ItemError("no-such-" + share.to, f"The Nextcloud knows no {share.to} of that name.", "Map the name.")
        if reply.status == 403:
            return ItemError("sharing-refused", f"The Nextcloud refuses to share this with a {share.to}.")
        if reply.status == 400:
            return ItemError("sharing-refused", f"The Nextcloud does not take this share with a {share.to}.")
        return refusals.refusal(reply, self._tree.whose)

    def unshare(self, client: Client, share_id: str) -> None:
        """See Shares.unshare."""
        reply = client.send("DELETE", f"{_SHARES}/{paths.quoted(share_id)}", headers=_JSON)
        if reply.status not in (200, 404):
            raise refusals.refusal(reply, self._tree.whose)


def _same(one: Any, share: Share) -> bool:
    if not isinstance(one, Mapping) or one.get("share_type") != _TYPES[share.to]:
        return False
    return share.to == "link" or str(one.get("share_with", "")).casefold() == share.name.casefold()


def _equal(one: Mapping[str, Any], wanted: int, until: str) -> bool:
    has = one.get("permissions")
    ours = isinstance(has, int) and has & ~_SHARE == wanted & ~_SHARE if one.get("share_type") == 3 else has == wanted
    return bool(ours) and str(one.get("expiration") or "")[:10] == until and not one.get("password")
