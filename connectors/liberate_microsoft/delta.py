"""A drive's listing by delta: everything once, then what changed, folders before what stands in them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from liberate.connector import Cursor, Gone, Item, Listed, Skipped, Whole
from liberate.errors import TransientError
from liberate_microsoft import convert, pace
from liberate_microsoft.client import Client, segment
from liberate_microsoft.drives import Drive
from liberate_microsoft.problems import Failure
from liberate_microsoft.sharing import Sharing

Raw = Mapping[str, Any]

_NEXT, _MORE, _DELTA = "next:", "more:", "delta:"  # amid a listing of everything, amid one of changes, behind either
_TOKEN = re.compile("token=[^&]")  # without one, everything would be listed under the name of changes
_REMEMBERED = 20_000  # items whose repetition is noticed
_FOLDERS = 2_000  # a cursor amid everything names those listed before it; with more, a listing cut off begins anew
_HASH = 6  # bytes that stand for a folder in a cursor
_RESTARTS = 2
# Without it every item below a shared folder says that it is shared: 5 units each to learn that it is not itself.
_HIERARCHY = {"Prefer": "hierarchicalsharing"}
_EXPIRED = frozenset({400, 404, 410})  # the token has expired, or is none


class Listing:
    """One call of Source.items."""

    def __init__(self, client: Client, drive: Drive) -> None:
        self._client = client
        self._drive = drive
        self._path = f"/drives/{segment(drive.id)}"
        self._sharing = Sharing(client, drive, asked=client.settings.permissions)
        self._root: str | None = None
        self._given: OrderedDict[str, tuple[str, str]] = OrderedDict()  # item -> its version and that of its facts
        self._closed: set[str] = set()  # packages, whose parts do not move either
        self._lost: set[str] = set()  # folders that are not there though something names them
        self._before: set[bytes] = set()  # hashes of the folders listed before the cursor that this one began at
        self._ahead: set[str] = set()  # folders listed for their contents' sake, which are still to come

    def run(self, since: Cursor | None) -> Iterator[Listed]:
        """What changed since the cursor; everything, and Whole, where it is None or fits no more."""
        page = self._resume(since) if since is not None else None
        whole = page is None
        everything = whole or str(since).startswith(_NEXT)
        restarts = 0
        # Where an earlier run listed something, only the end counts, for Whole must name all of it in one go.
        quiet = whole and since is not None
        while True:
            if page is None:
                page = self._client.ask(
                    f"{self._path}/root/delta", pace.DELTA_FIRST, {"$select": convert.SELECT}, headers=_HIERARCHY
                )
            yield from self._entries(page)
            following = page.get("@odata.nextLink")
            if not following:
                break
            if not quiet and (mark := self._mark() if everything else _MORE):
                yield Cursor(mark + _short(str(following)))
            page = self._following(str(following), everything)
            if page is None:  # its token expired while we were at it
                restarts += 1
                if restarts > _RESTARTS:
                    raise TransientError("Microsoft's listing does not come to its end.")
                whole = everything = quiet = True
                self._given.clear()
        if whole:
            yield Whole()
        end = page.get("@odata.deltaLink")
        if end:
            yield Cursor(_DELTA + _short(str(end)))

    def _mark(self) -> str:
        """How a cursor amid everything begins, "" where there is to be none.

        Whoever goes on from it must know which folders were listed, to list the others before their contents.
        """
        if self._ahead or len(self._before) + self._sharing.folders > _FOLDERS:
            return ""
        seen = self._before.union(map(_hash, self._sharing.seen()))
        return f"{_NEXT}{base64.urlsafe_b64encode(b''.join(sorted(seen))).decode()}:"

    def _resume(self, since: Cursor) -> Raw | None:
        for mark in (_NEXT, _MORE, _DELTA):
            link = since.removeprefix(mark)
            if link == since:
                continue
            if mark == _NEXT:
                hashes, _, link = link.partition(":")
                self._before = _hashes(hashes)
            if _TOKEN.match(link) or self._client.is_ours(link):
                return self._following(link, mark == _NEXT)
        return None

    def _following(self, link: str, everything: bool) -> Raw | None:
        """The page behind a link, or behind what _short made of one; None: list everything anew."""
        params: dict[str, str] = {}
        if not link.startswith("https://"):
            params = dict(parse_qsl(link, keep_blank_values=True))
            link = f"{self._path}/root/delta"
        headers = _HIERARCHY if everything else {}
        answer = self._client.call(link, pace.DELTA, params, headers, expect=_EXPIRED)
        return None if isinstance(answer, Failure) else answer

    # One page ------------------------------------------------------------------------------------

    def _entries(self, page: Raw) -> Iterator[Listed]:
        last: dict[str, Raw] = {}
        for raw in page.get("value") or ():
            if isinstance(raw, Mapping) and raw.get("id"):
                last.pop(str(raw["id"]), None)  # "use the last occurrence you see"
                last[str(raw["id"])] = raw
        here = dict(last)  # those of this page that are still to be given
        self._ahead.difference_update(last)
        for key, raw in last.items():
            if key in here:
                yield from self._entry(raw, here)

    def _entry(self, raw: Raw, here: dict[str, Raw]) -> Iterator[Listed]:
        """The entry, after the folders it stands in."""
        chain = [raw]
        here.pop(str(raw["id"]), None)
        while (above := self._missing(chain[-1], here)) is not None and above not in chain:
            chain.append(above)
        for one in reversed(chain):
            found = self._listed(one)
            if found is not None:
                yield found

    def _missing(self, raw: Raw, here: dict[str, Raw]) -> Raw | None:
        """The folder the entry stands in, if it has to be listed first."""
        parent = convert.parent_of(raw)
        if raw.get("deleted") is not None or raw.get("root") is not None or not parent:
            return None
        if parent == self._outermost() or parent in self._closed or parent in self._lost:
            return None
        if self._sharing.knows(parent):
            return None
        if parent in here:
            return here.pop(parent)
        if _hash(parent) in self._before:
            return None
        answer = self._client.call(
            f"{self._path}/items/{segment(parent)}",
            pace.ITEM,
            {"$select": convert.SELECT},
            expect=(400, 403, 404, 410),
        )
        if isinstance(answer, Failure) or not answer.get("id"):
            self._lost.add(parent)
            return None
        self._ahead.add(parent)
        return answer

    def _listed(self, raw: Raw) -> Listed | None:
        key = str(raw["id"])
        if raw.get("root") is not None:
            self._root = key
            library = self._client.account.kind == "shared"
            whole = convert.shared_as_a_whole(key, self._sharing.of_all(raw), library=library)
            return whole if whole is not None and self._new(key, ("", whole.why)) else None
        if raw.get("deleted") is not None:
            self._given.pop(key, None)
            return Gone(key)
        parent = convert.parent_of(raw)
        if parent in self._closed:
            found: Skipped | None = Skipped(key, "onenote", "It is part of a notebook, which does not move as a file.")
        else:
            found = convert.left_out(raw)
        if found is not None:
            if found.code in ("onenote", "package") or parent in self._closed:
                self._closed.add(key)
            return found if self._new(key, ("", found.code)) else None
        item = self.item(raw)
        return item if self._new(key, (item.version, item.facts_version)) else None

    def item(self, raw: Raw) -> Item:
        """The entry as an item, what its service left out asked for."""
        parent = convert.parent_of(raw)
        if parent in self._lost:
            parent = ""
        if raw.get("folder") is None and not convert.version(raw):
            raw = self._with_tag(raw)
        grants, closed = self._sharing.own(raw, parent)
        return convert.item(raw, "" if parent == self._outermost() else parent, grants, closed=closed)

    def _outermost(self) -> str:
        if self._root is None:
            self._root = str(self._client.ask(f"{self._path}/root", pace.ITEM, {"$select": "id"})["id"])
        return self._root

    def _with_tag(self, raw: Raw) -> Raw:
        """A file that has no digest yet, with its cTag, which a listing by delta does not give."""
        answer = self._client.call(
            f"{self._path}/items/{segment(str(raw['id']))}",
            pace.ITEM,
            {"$select": "id,cTag,eTag"},
            expect=(400, 403, 404, 410),
        )
        told = {} if isinstance(answer, Failure) else answer
        return {**raw, "cTag": told.get("cTag") or told.get("eTag") or raw.get("eTag") or "unknown"}

    def _new(self, key: str, state: tuple[str, str]) -> bool:
        """Whether this was not just told; the same thing may come twice in a listing."""
        if self._given.pop(key, None) == state:
            self._given[key] = state
            return False
        self._given[key] = state
        if len(self._given) > _REMEMBERED:
            self._given.popitem(last=False)
        return True


def _short(link: str) -> str:
    """A link as a cursor: its query, which is what tells one from another of the same drive; else the whole link.

    Graph writes the token as `?token=...`, and in places as `delta(token='...')`.
    """
    parts = urlsplit(link)
    names = {name for name, _ in parse_qsl(parts.query)}
    if parts.path.endswith("/delta") and "token" in names:
        pairs = sorted(parse_qsl(parts.query, keep_blank_values=True), key=lambda pair: pair[0] != "token")
        return urlencode(pairs)
    return link


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()[:_HASH]


def _hashes(text: str) -> set[bytes]:
    """What _mark wrote; of anything else, nothing that matters."""
    try:
        data = base64.urlsafe_b64decode(text)
    except ValueError:
        return set()
    return {data[at : at + _HASH] for at in range(0, len(data), _HASH)}
