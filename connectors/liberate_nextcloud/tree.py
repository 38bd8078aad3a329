"""The folders of an account: what stands in them, whether something is there, and making them."""

from __future__ import annotations

import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Callable, Iterator

from liberate.connector import Evidence, Place, Receipt
from liberate.errors import ItemError
from liberate_nextcloud import multistatus, paths, refusals, teams
from liberate_nextcloud.client import Client, chunks
from liberate_nextcloud.login import Login
from liberate_nextcloud.multistatus import Entry

_XML = {"Content-Type": "application/xml; charset=utf-8"}
_FRESH = 30.0  # seconds for which the names of a folder are believed
_REMEMBERED = 200_000  # names of folders that are kept


def same(name: str) -> str:
    """What names that are one name at a Nextcloud have in common (lib/private/Files/Filesystem, NFC)."""
    return unicodedata.normalize("NFC", name)


class Tree:
    """One account's. Every call takes the connection to use, so that several threads can."""

    def __init__(self, login: Login) -> None:
        self.user = login.user
        self.whose = login.whose
        self._root = Place("/".join(login.root))
        self._team = login.team
        self._mount: str | None = None  # how what the account is to have is mounted; None: not asked for yet

    def foreign(self, client: Client, entry: Entry) -> bool:
        """Whether it only shows in the account: shared by somebody else, a Team folder, an external storage.

        A storage that the plan names with its folder is the account's own; not so a share, or a Team folder by chance.
        """
        if entry.mount and self._mount is None:
            _, base = self._nearest(client, self._root)
            mount = "" if base is None else base.mount
            by_chance = mount.startswith("shared") or (mount in teams.MOUNTS and not self._team)
            self._mount = "" if by_chance else mount
        return entry.mount not in ("", self._mount)

    def _nearest(self, client: Client, place: Place) -> tuple[Place, Entry | None]:
        """What stands there, or else in the nearest place above it where something does."""
        there = self.stat(client, place)
        while there is None and place:
            place, _ = paths.split(place)
            there = self.stat(client, place)
        return place, there

    def stat(self, client: Client, place: Place | str, name: str = "", *, shares: bool = False) -> Entry | None:
        """What stands there, with `shares` also whether others see it; None if nothing does."""
        asking = multistatus.PROPFIND_SHARES if shares else multistatus.PROPFIND
        reply = client.send("PROPFIND", paths.files(self.user, place, name), asking, {"Depth": "0", **_XML})
        if reply.status == 404:
            return None
        if reply.status != 207:
            raise refusals.refusal(reply, self.whose)
        try:
            return next(multistatus.entries([reply.content]), None)
        except multistatus.NotXml:
            raise refusals.unreadable(self.whose) from None

    def listing(self, client: Client, place: Place | str) -> Iterator[tuple[str, Entry]]:
        """What stands in the place itself, with names, as it comes. Raises ItemError("gone") if there is no folder."""
        request = paths.files(self.user, place)
        with client.stream("PROPFIND", request, multistatus.PROPFIND, {"Depth": "1", **_XML}) as response:
            if response.status_code != 207:
                raise refusals.refusal(client.read(response), self.whose)
            try:
                for entry in multistatus.entries(chunks(response)):
                    path = paths.below_home(entry.href, self.user)
                    if path is None:
                        continue
                    within, name = paths.split(path)
                    if name and same(within) == same(str(place)):
                        yield name, entry
            except multistatus.NotXml:
                raise refusals.unreadable(self.whose) from None

    def own(self, client: Client, place: Place) -> bool:
        """Make sure that the folder is there, and the account's own; whether it was made just now.

        Raises AccountError if others would see what came into it, ItemError if a file stands there.
        """
        above, there = self._nearest(client, place)
        if there is not None and self.foreign(client, there):
            raise refusals.foreign_folder(self.whose, above)
        if above == place and there is not None and not there.folder:
            raise ItemError("folder-is-a-file", "A file stands where a folder is to be made.", "Rename it there.")
        return above != place and self.ensure(client, place)

    def ensure(self, client: Client, place: Place | str) -> bool:
        """Make the folder and those above it where they are missing; whether it was made just now."""
        if not place:
            return False
        made = self._mkcol(client, place)
        if made is None:
            self.ensure(client, paths.split(str(place))[0])
            made = self._mkcol(client, place)
        return bool(made)

    def _mkcol(self, client: Client, place: Place | str) -> bool | None:
        """True: made; False: it was there; None: the one above is missing."""
        reply = client.send("MKCOL", paths.files(self.user, place))
        if reply.status == 201:
            return True
        if reply.status in (405, 423):  # locked: somebody is making it at this very moment
            there = self.stat(client, place)
            if there is None and reply.status == 423:
                raise refusals.refusal(reply, self.whose)
            if there is not None and not there.folder:
                raise ItemError(
                    "folder-is-a-file",
                    "A file stands where a folder is to be made.",
                    "Rename it at the Nextcloud, then run the same command again.",
                )
            return False
        if reply.status == 409:
            return None
        raise refusals.refusal(reply, self.whose)


def receipt_of(
    place: Place, name: str, entry: Entry, evidence: Evidence = Evidence.SIZE, digests: dict[str, str] | None = None
) -> Receipt:
    """A receipt for what stands there."""
    if entry.folder:
        return Receipt(paths.receipt_id(entry.fileid, name), place)
    return Receipt(paths.receipt_id(entry.fileid, name), place, entry.size, digests or {}, evidence, entry.etag)


class Names:
    """The names that stand in folders, each folder's known for half a minute.

    Bulk upload replaces silently, so it goes only into folders whose names have just been looked at.
    """

    def __init__(self, tree: Tree, clock: Callable[[], float] = time.monotonic) -> None:
        self._tree = tree
        self._clock = clock
        self._lock = threading.Lock()
        self._known: OrderedDict[Place, tuple[float, set[str]]] = OrderedDict()
        self._count = 0

    def empty(self, place: Place) -> None:
        """The folder was made just now."""
        self._keep(place, set())

    def bare(self, place: Place) -> bool:
        """Whether the folder was made just now and nothing stands in it."""
        with self._lock:
            at, names = self._known.get(place, (float("-inf"), {""}))
            return not names and self._clock() - at < _FRESH

    def add(self, place: Place, name: str) -> None:
        """We have put this there."""
        with self._lock:
            if place in self._known:
                self._known[place][1].add(same(name))

    def forget(self, place: Place) -> None:
        with self._lock:
            _, names = self._known.pop(place, (0.0, set()))
            self._count -= len(names)

    def free(self, client: Client, place: Place, names: list[str]) -> set[str]:
        """Those of the names that nothing stands under."""
        with self._lock:
            at, known = self._known.get(place, (float("-inf"), set()))
            if self._clock() - at < _FRESH:
                return {name for name in names if same(name) not in known}
        now = self._clock()
        try:
            there = {same(name) for name, _ in self._tree.listing(client, place)}
        except ItemError as error:
            if error.code != "gone":
                raise
            self._tree.ensure(client, place)
            there = set()
        self._keep(place, there, now)
        return {name for name in names if same(name) not in there}

    def _keep(self, place: Place, names: set[str], at: float | None = None) -> None:
        with self._lock:
            _, before = self._known.pop(place, (0.0, set()))
            self._known[place] = (self._clock() if at is None else at, names)
            self._count += len(names) - len(before)
            while self._count > _REMEMBERED and len(self._known) > 1:
                _, (_, forgotten) = self._known.popitem(last=False)
                self._count -= len(forgotten)
