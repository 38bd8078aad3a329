"""A mailbox's listing: every folder by its own delta, under one cursor, so that a move is no new message."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from liberate.connector import Cursor, Gone, Listed, Skipped
from liberate.errors import TransientError
from liberate_microsoft import messages, pace, paging
from liberate_microsoft.client import Client, segment
from liberate_microsoft.folders import MailFolder, Tree
from liberate_microsoft.mail_problems import corrupt, no_mailbox
from liberate_microsoft.problems import Failure

Raw: TypeAlias = Mapping[str, Any]

PAGE = 500  # messages asked for at once; Exchange takes 1,000 at most
_BETWEEN = 400  # messages between two cursors: one names every folder
_RESTARTS = 2
_MOST_ASKED = 1000  # messages gone from a folder of which we ask where they are now; of more, we believe it
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class At:
    """How far one folder's listing has come."""

    mark: str  # of the folder's path at that time
    link: str  # what leads on, shortened
    all: bool  # amid a listing of everything: what follows are messages listed for the first time


class MailListing:
    """One call of Source.items."""

    def __init__(self, client: Client, whose: str, tree: Tree, page: int = PAGE) -> None:
        self._client = client
        self._whose = whose
        self._tree = tree
        self._page = page
        self._expand = True  # until Graph refuses it
        self._moving = {one.id: one for one in tree.moving()}
        self._at: dict[str, At] = {}
        self._here: set[str] = set()  # ids that some folder's changes named as standing in it
        self._away: dict[str, None] = {}  # ids that some folder has no more, in order
        self._since_cursor = 0

    def run(self, since: Cursor | None) -> Iterator[Listed]:
        """Everything, or what changed since the cursor; each folder of which the cursor knows nothing as a whole."""
        before = read_cursor(since)
        self._at = {key: at for key, one in self._moving.items() if (at := before.get(key)) and at.mark == one.mark}
        yield from self._tree.left()
        for folder in self._moving.values():
            yield from self._folder(folder)
        yield from self._settle()
        yield write_cursor(self._at)

    # One folder ----------------------------------------------------------------------------------

    def _folder(self, folder: MailFolder) -> Iterator[Listed]:
        at = self._at.get(folder.id)
        size = self._page
        restarts = 0
        while True:
            answer = self._ask(folder, at, size)
            if isinstance(answer, Failure):
                if corrupt(answer):
                    if size > 1:  # half as many: somewhere among them is one that Exchange cannot tell
                        size = max(1, size // 2)
                        continue
                    self._at.pop(folder.id, None)
                    yield from self._by_position(folder)
                    return
                if answer.code in _NO_FOLDER:
                    self._at.pop(folder.id, None)  # deleted since the tree was read; it is told when it is elsewhere
                    return
                if at is None and answer.status == 400 and self._expand:
                    _log.warning("Graph does not tell what was answered or forwarded (%s)", answer.code)
                    self._expand = False
                    continue
                restarts += 1
                if at is None or restarts > _RESTARTS:
                    if answer.status == 410 or answer.code in paging.EXPIRED:
                        raise TransientError(f"Microsoft's listing for {self._client.who} does not come to its end.")
                    raise self._client.told(answer)
                at = None
                self._at.pop(folder.id, None)
                continue
            everything = at is None or at.all
            for raw in answer.get("value") or ():
                if isinstance(raw, Mapping) and raw.get("id"):
                    yield from self._entry(raw, folder, everything)
            following, end = answer.get("@odata.nextLink"), answer.get("@odata.deltaLink")
            if not following and not end:
                raise TransientError(f"Microsoft's listing for {self._client.who} broke off without a link.")
            link = paging.shortened(str(following or end), "/delta")
            at = self._at[folder.id] = At(folder.mark, link, everything and bool(following))
            if self._since_cursor >= _BETWEEN and not self._away:
                self._since_cursor = 0
                yield write_cursor(self._at)
            if not following:
                return
            size = min(self._page, size * 2)

    def _ask(self, folder: MailFolder, at: At | None, size: int) -> Raw | Failure:
        path = f"{self._whose}/mailFolders/{segment(folder.id)}/messages/delta"
        if at is None:
            where, params = path, self._wanted()
        else:
            where, params = paging.lengthened(at.link, path)
            if where.startswith("https://") and not self._client.is_ours(where):
                return Failure(410)  # nothing of ours: begin anew
        headers = {"Prefer": f"odata.maxpagesize={size}"}
        return self._client.call(where, pace.REQUEST, params, headers, takes=_takes)

    def _wanted(self) -> dict[str, str]:
        return {"$select": messages.SELECT, **({"$expand": messages.EXPAND} if self._expand else {})}

    def _entry(self, raw: Raw, folder: MailFolder, everything: bool) -> Iterator[Listed]:
        key = str(raw["id"])
        if "@removed" in raw:
            self._away[key] = None
            return
        if not everything:
            self._here.add(key)
        self._since_cursor += 1
        if not messages.whole(raw):
            told = self._described(key)
            if told is None:
                return  # it went meanwhile: what it is like now, a later delta tells
            raw, folder = told, self._moving.get(str(told.get("parentFolderId") or ""), folder)
        yield messages.item(raw, folder)

    def _described(self, key: str) -> Raw | None:
        """The message as it is now; None where Exchange has it no more, or cannot tell."""
        path = f"{self._whose}/messages/{segment(key)}"
        answer = self._client.call(path, pace.REQUEST, self._wanted(), takes=_not_there)
        return None if isinstance(answer, Failure) else answer

    # What no delta tells -------------------------------------------------------------------------

    def _by_position(self, folder: MailFolder) -> Iterator[Listed]:
        """The folder's messages by their numbers, with those left out at which Exchange fails.

        There is no cursor behind it: the next run lists the folder so again.
        """
        path = f"{self._whose}/mailFolders/{segment(folder.id)}/messages"
        position, size, unreadable = 0, self._page, 0
        while True:
            params = {
                **self._wanted(), "$orderby": "receivedDateTime asc", "$top": str(size), "$skip": str(position)
            }  # fmt: skip
            answer = self._client.call(path, pace.REQUEST, params, expect=(404,), takes=corrupt)
            if isinstance(answer, Failure):
                if not corrupt(answer):
                    return
                if size > 1:
                    size = max(1, size // 2)
                    continue
                unreadable += 1
                position += 1
                yield Skipped(
                    f"unreadable:{folder.id}:{unreadable}",
                    "unreadable",
                    f"Exchange cannot describe a message in {'/'.join(folder.path)}: it is damaged.",
                    "Let its owner look for it in Outlook, save it as a file, and put that at the new place by hand.",
                )
                continue
            found = [one for one in answer.get("value") or () if isinstance(one, Mapping) and one.get("id")]
            for raw in found:
                yield messages.item(raw, folder)
            if not found:
                return
            position += len(found)
            size = min(self._page, size * 2)

    def _settle(self) -> Iterator[Listed]:
        """What became of messages that a folder has no more, and that none named as its own.

        A move shows as removed here and created there, and there may have been listed before it happened. So each
        is asked for by its immutable id: it is gone only if Exchange has it no more, or only where nothing moves from.
        """
        left = {one.id for one in self._tree.folders if one.left} | {self._tree.recoverable}
        for number, key in enumerate(one for one in self._away if one not in self._here):
            if number >= _MOST_ASKED:
                yield Gone(key)
                continue
            path = f"{self._whose}/messages/{segment(key)}"
            answer = self._client.call(path, pace.REQUEST, self._wanted(), takes=_not_there)
            if isinstance(answer, Failure):
                if not corrupt(answer):
                    yield Gone(key)
                continue
            parent = str(answer.get("parentFolderId") or "")
            if parent in self._moving:
                yield messages.item(answer, self._moving[parent])
            elif parent in left:
                yield Gone(key)
            # else it stands in a folder made since the tree was read, which the next run lists


_NO_FOLDER = frozenset({"erroritemnotfound", "errorfoldernotfound"})


def _takes(found: Failure) -> bool:
    """Whether a failure of a delta is one that the listing knows to go on from."""
    if no_mailbox(found):
        return False
    return paging.expired(found) or corrupt(found) or found.status == 404


def _not_there(found: Failure) -> bool:
    return (found.status in (400, 404, 410) and not no_mailbox(found)) or corrupt(found)


# Cursors -----------------------------------------------------------------------------------------

_VERSION = "outlook:1:"


def write_cursor(folders: Mapping[str, At]) -> Cursor:
    """Where each folder's delta goes on."""
    told = {key: [at.mark, int(at.all), at.link] for key, at in folders.items()}
    return Cursor(_VERSION + json.dumps(told, separators=(",", ":"), ensure_ascii=False))


def read_cursor(since: Cursor | None) -> dict[str, At]:
    """What write_cursor wrote; of anything else, nothing: then all is listed."""
    if since is None or not since.startswith(_VERSION):
        return {}
    try:
        told = json.loads(since.removeprefix(_VERSION))
        return {str(key): At(str(mark), str(link), bool(whole)) for key, (mark, whole, link) in told.items()}
    except (ValueError, TypeError, AttributeError):
        return {}
