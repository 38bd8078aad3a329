"""Who else may see an item, without what it merely inherits: Graph lists the effective permissions.

OneDrive for Business and SharePoint do not say which permissions are inherited (permission docs,
remarks), so what the folder above grants is taken away. A folder's effective grants are kept for
the length of a listing; most folders share one set.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from liberate.errors import AccountError
from liberate.files import Grant, narrower
from liberate_microsoft import convert, pace
from liberate_microsoft.client import Client, segment
from liberate_microsoft.drives import Drive
from liberate_microsoft.problems import API, Failure

_log = logging.getLogger(__name__)
_NOBODY: frozenset[Grant] = frozenset()


class Sharing:
    """The grants of one drive's items."""

    def __init__(self, client: Client, drive: Drive, *, asked: bool) -> None:
        self._client = client
        self._drive = drive
        self._asked = asked
        self._folders: dict[str, frozenset[Grant]] = {}  # id -> effective grants, of folders seen
        self._people: dict[str, str] = {}  # id -> address
        self._worked = False

    def knows(self, folder: str) -> bool:
        """Whether the folder was seen in this listing."""
        return folder in self._folders

    def seen(self) -> Iterable[str]:
        """The folders seen in this listing."""
        return self._folders

    @property
    def folders(self) -> int:
        """How many they are."""
        return len(self._folders)

    def of_all(self, root: Mapping[str, Any]) -> frozenset[Grant]:
        """Who may see the drive as a whole, by its outermost folder; nobody where that is not asked.

        Of a library it is asked whatever the facet says: what a site grants its members may not count as shared.
        """
        library = self._client.account.kind == "shared"
        return self._above(str(root["id"])) if self._asked and (library or root.get("shared")) else _NOBODY

    def own(self, raw: Mapping[str, Any], parent: str) -> tuple[frozenset[Grant], bool]:
        """The item's grants beyond those of the folder it stands in. A folder is known from here on.

        Where fewer see the item than the folder, the grants are all there are, and True says so. An item without
        the facet `shared` has none of its own; an empty one says the same of an item whose inheritance was cut.
        """
        facet = raw.get("shared")
        above = self._above(parent) if self._asked and (facet is not None or raw.get("folder") is not None) else _NOBODY
        if not self._asked or facet is None:
            effective = above
        elif not facet:
            effective = _NOBODY
        else:
            told = self.effective(str(raw["id"]))
            effective = above if told is None else told
        if raw.get("folder") is not None:
            self._folders[str(raw["id"])] = above if effective == above else effective
        closed = narrower(effective, above)
        return effective if closed else effective - above, closed

    def _above(self, parent: str) -> frozenset[Grant]:
        if parent and parent not in self._folders:  # listed in an earlier run
            self._folders[parent] = self.effective(parent) or _NOBODY
        return self._folders.get(parent, _NOBODY)

    def effective(self, key: str) -> frozenset[Grant] | None:
        """All grants on the item, inherited ones too; None where that cannot be had."""
        permissions: list[Mapping[str, Any]] = []
        path: str = f"/drives/{segment(self._drive.id)}/items/{segment(key)}/permissions"
        while path:
            answer = self._client.call(path, pace.PERMISSIONS, expect=(403, 404, 410))
            if isinstance(answer, Failure):
                if answer.status == 403 and not self._worked:
                    raise _not_permitted(self._client.who)
                _log.warning("who may see an item cannot be had (HTTP %s)", answer.status)
                return None
            self._worked = True
            permissions += answer.get("value") or ()
            path = str(answer.get("@odata.nextLink") or "")
        found = convert.grants(permissions, self._drive.domain, self._drive.owner)
        named = [grant for one in found if (grant := self._named(one)) is not None]
        return convert.one_each(named, datetime.now(UTC))

    def _named(self, grant: Grant) -> Grant | None:
        """The grant with an address for a name; None where nobody says whose id it is, or it is the owner's."""
        if grant.to != "user" or not grant.name.startswith("id:"):
            return grant
        key = grant.name.removeprefix("id:")
        if key not in self._people:
            answer = self._client.call(
                f"/users/{segment(key)}", pace.QUERY, {"$select": "mail,userPrincipalName"}, expect=(400, 403, 404)
            )
            told = {} if isinstance(answer, Failure) else answer
            self._people[key] = str(told.get("mail") or told.get("userPrincipalName") or "").lower()
        name = self._people[key]
        if name == self._drive.owner:
            return None
        return replace(grant, name=name or key)


def _not_permitted(who: str) -> AccountError:
    return AccountError(
        "not-permitted",
        f"The application may not see with whom the files of {who} are shared.",
        f"In the {API}, grant Files.Read.All with admin consent, or write `permissions = false` to leave sharing out.",
    )
