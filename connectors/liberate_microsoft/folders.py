"""A mailbox's folders: what each is for, and which stay behind. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from liberate.connector import Skipped
from liberate.mail import Folder, Role

ROLES = {
    "inbox": Role.INBOX,
    "archive": Role.ARCHIVE,  # the folder of the button "Archive"; not the archive mailbox
    "drafts": Role.DRAFTS,
    "junkemail": Role.JUNK,
    "sentitems": Role.SENT,
    "deleteditems": Role.TRASH,
}
OURS = frozenset({"conflicts", "localfailures", "serverfailures", "syncissues", "outbox", "searchfolders", "scheduled"})
"""Well-known folders that Outlook and Exchange keep for themselves."""
DELETED_FOR_GOOD = "recoverableitemsdeletions"  # outside of the tree: what was deleted and can be restored for a while
SEARCH = "#microsoft.graph.mailSearchFolder"


@dataclass(frozen=True, slots=True)
class MailFolder:
    """One folder, and why it stays behind if it does."""

    id: str
    path: tuple[str, ...]
    role: Role | None = None
    count: int = 0  # by Exchange's own count, meeting requests and the like among it
    outgoing: bool = False  # it stands below the folder of what was sent, or of drafts
    left: str = ""  # "hidden-folder", "system-folder" or "search-folder"; "": it moves

    @property
    def folder(self) -> Folder:
        """As a message's facts name it."""
        return Folder(self.path, self.role)

    @property
    def mark(self) -> str:
        """Eight hex digits that change when the folder is renamed or moved, and with it every message in it."""
        text = "\0".join((str(self.role), *self.path))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class Tree:
    """All folders of a mailbox as they stand now."""

    folders: tuple[MailFolder, ...]
    recoverable: str | None = None  # the id of the folder of what was deleted for good

    def moving(self) -> Iterator[MailFolder]:
        """Those whose messages move, in an order that stays."""
        return (one for one in self.folders if not one.left)

    def left(self) -> Iterator[Skipped]:
        """What to say of the others, as far as anything is in them that stands nowhere else."""
        for one in self.folders:
            if one.left in _WHY and one.count:
                yield Skipped(f"folder:{one.id}", one.left, *_WHY[one.left])


_WHY = {
    "hidden-folder": (
        "A folder that Outlook does not show stays behind: programs keep things of their own there.",
        'To bring such folders along, set hidden_folders = "copy" and run the same command again.',
    ),
    "system-folder": (
        "A folder that Outlook keeps for itself stays behind: what failed to be synchronised, or waits to be sent.",
        "If the Outbox holds letters, let their owner send them, and run the same command again.",
    ),
}


def convert(
    told: Iterable[tuple[Mapping[str, Any], str]], known: Mapping[str, str], hidden: str
) -> Iterator[MailFolder]:
    """The folders that these answers describe, each after the one above it."""
    by_id = {key: name for name, key in known.items()}
    made: dict[str, MailFolder] = {}
    for raw, above in told:
        key = str(raw["id"])
        parent = made.get(above)
        name = by_id.get(key, "")
        count = raw.get("totalItemCount")
        made[key] = MailFolder(
            key,
            (*(parent.path if parent else ()), str(raw.get("displayName") or "") or key[-8:]),
            ROLES.get(name),
            count if isinstance(count, int) else 0,
            parent is not None and (parent.outgoing or parent.role in (Role.SENT, Role.DRAFTS)),
            _left(raw, name, hidden) or (parent.left if parent else ""),
        )
        yield made[key]


def _left(raw: Mapping[str, Any], name: str, hidden: str) -> str:
    if raw.get("@odata.type") == SEARCH or name == "searchfolders":
        return "search-folder"
    if name in OURS:
        return "system-folder"
    if raw.get("isHidden") is True and name not in ROLES and hidden == "skip":
        return "hidden-folder"
    return ""
