"""Asks a mailbox for its folders: all of them, at every depth, hidden ones too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from liberate_microsoft import pace
from liberate_microsoft.client import Client, segment
from liberate_microsoft.folders import DELETED_FOR_GOOD, OURS, ROLES, SEARCH, Tree, convert
from liberate_microsoft.mail_problems import no_mailbox
from liberate_microsoft.paging import values
from liberate_microsoft.problems import Failure

_SELECT = "id,displayName,parentFolderId,childFolderCount,totalItemCount,isHidden"
_AT_ONCE = "250"


def read(client: Client, whose: str, hidden: str) -> Tree:
    """Ask for the whole tree. `whose` is the mailbox's path; `hidden` folders: "skip" or "copy"."""
    told = list(_told(client, whose))
    known = well_known(client, whose, (*ROLES, *OURS, DELETED_FOR_GOOD))
    return Tree(
        tuple(sorted(convert(told, known, hidden), key=lambda one: (one.path, one.id))), known.get(DELETED_FOR_GOOD)
    )


def well_known(client: Client, whose: str, names: Iterable[str]) -> dict[str, str]:
    """The ids of well-known folders by their names, which are the same in every language; of those that are there."""
    found = {}
    for name in names:
        path = f"{whose}/mailFolders/{name}"
        answer = client.call(path, pace.REQUEST, {"$select": "id"}, expect=(400, 404))
        if isinstance(answer, Failure):
            if no_mailbox(answer):
                raise client.told(answer)
        elif answer.get("id"):
            found[name] = str(answer["id"])
    return found


def _told(client: Client, whose: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Every folder, with the id of the one above; "" for the outermost.

    Each is asked for what is below it: whether childFolderCount counts hidden ones is nowhere promised.
    """
    asked = {"includeHiddenFolders": "true", "$select": _SELECT, "$top": _AT_ONCE}
    seen: set[str] = set()
    waiting = [("", f"{whose}/mailFolders")]
    while waiting:
        above, path = waiting.pop()
        for raw in values(client, path, asked, missing=bool(above)):
            key = str(raw.get("id") or "")
            if not key or key in seen:
                continue
            seen.add(key)
            yield raw, above
            if raw.get("@odata.type") != SEARCH:
                waiting.append((key, f"{whose}/mailFolders/{segment(key)}/childFolders"))
