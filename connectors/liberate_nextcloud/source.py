"""An account's files at a Nextcloud, as a source: one collection, whose folders are items too."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Loaded, Place, Skipped, Whole, inside
from liberate.errors import IntegrityError, ItemError, TransientError
from liberate.files import FileFacts, Note
from liberate_nextcloud import inventory, paths, refusals
from liberate_nextcloud import notes as comments
from liberate_nextcloud.client import Client, chunks
from liberate_nextcloud.gate import GATE, Gate
from liberate_nextcloud.login import Login, log_in
from liberate_nextcloud.multistatus import Entry
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.threads import Threads
from liberate_nextcloud.tree import Tree

if TYPE_CHECKING:
    from types import TracebackType

_IN_MEMORY = 8 << 20  # bytes of a body that is handed over whole
_WINDOW = 16 << 20  # bytes of bodies under way
_REMEMBERED = 50_000  # paths that are kept; others are asked for


class NextcloudSource:
    """One account; logged in to when it is entered.

    An item's id is the server's file id, which stays when something is renamed or moved; a file's version is its ETag.
    The checksums that the server shows are what a client once claimed, so none of them is told.
    """

    def __init__(self, settings: NextcloudSettings, account: Account, *, gate: Gate = GATE) -> None:
        self._settings = settings
        self._account = account
        self._gate = gate
        self._login: Login | None = None
        self._paths: OrderedDict[str, str] = OrderedDict()

    def __enter__(self) -> Self:
        login = log_in(self._settings, self._account, self._gate)
        self._login = login
        self._tree = Tree(login)
        self._threads = Threads(login.clients, self._settings.connections)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        login, self._login = self._login, None
        if login is not None:
            self._threads.close()
            login.close(self._settings)

    @property
    def _open(self) -> Login:
        if self._login is None:
            raise TransientError(f"The connection to {self._settings.url} is closed.")
        return self._login

    # Listing -------------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """See Source.collections."""
        root = Place("/".join(self._open.root))
        with self._open.clients.one() as client:
            there = self._tree.stat(client, root)
        if there is not None and there.folder:
            yield Collection(f"/{root}", (), Kind.FILE)
        elif root:
            raise ItemError("no-such-folder", f"There is no folder {root} at {self._open.whose}.", "Check the name.")

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """See Source.items. Folder by folder; it is whole only if nothing was changed while it was listed."""
        root = Place(collection.id.strip("/"))
        with self._open.clients.one() as client:
            before = self._tree.stat(client, root)
            if before is None:
                raise TransientError(f"{self._open.whose}: the folder that is read is not there at the moment.")
            whole = True
            waiting: deque[tuple[Place, str]] = deque([(root, "")])
            while waiting:
                place, parent = waiting.pop()
                try:
                    for name, entry in self._tree.listing(client, place):
                        if not entry.fileid:  # without an id, several of them would be taken for one
                            whole = False
                            yield Skipped(
                                f"{collection.id}//{inside(place, name)}",
                                "no-id",
                                "The Nextcloud shows its name and tells nothing else of it.",
                                "See whether it opens there; if it does not, let the administrator run: occ files:scan",
                            )
                            continue
                        if entry.encrypted and entry.folder:
                            yield Skipped(
                                str(entry.fileid),
                                "end-to-end-encrypted",
                                "It is encrypted end to end: only its owner's own devices can read it.",
                                "Copy it to another folder on such a device.",
                            )
                            continue
                        item = self._item(inside(place, name), name, parent, entry)
                        if entry.folder:
                            waiting.append((inside(place, name), item.id))
                        yield item
                except ItemError as error:
                    whole = False  # what stood in it may have been moved to where we have looked already
                    if error.code != "gone":
                        yield Skipped(f"{parent or collection.id}//", error.code, error.why, error.todo)
            after = self._tree.stat(client, root)
        if whole and after is not None and after.etag == before.etag:
            yield Whole()

    def _item(self, path: str, name: str, parent: str, entry: Entry) -> Item:
        number = str(entry.fileid)
        self._remember(number, path)
        facts = FileFacts(
            parent,
            entry.folder,
            entry.created,
            entry.favourite,
            owner=entry.owner if entry.owner and entry.owner != self._open.user else "",
            notes=entry.comments,
        )
        return Item(
            number,
            Kind.FILE,
            "" if entry.folder else entry.etag,
            name,
            entry.size,
            entry.modified,
            facts=facts,
            facts_version=sha256(f"{name}\0{facts.dump()}".encode()).hexdigest()[:32],
        )

    def _remember(self, number: str, path: str) -> None:
        self._paths[number] = path
        self._paths.move_to_end(number)
        if len(self._paths) > _REMEMBERED:
            self._paths.popitem(last=False)

    def describe(self, item: Item) -> Item:
        """See Describes.describe."""
        with self._open.clients.one() as client:
            path, entry = self._located(client, item)
            place, name = paths.split(path)
            parent = self._tree.stat(client, place) if str(place) != "/".join(self._open.root) else None
            return self._item(path, name, str(parent.fileid) if parent is not None else "", entry)

    def _located(self, client: Client, item: Item) -> tuple[str, Entry]:
        """Where the item stands now, whoever moved it. Raises ItemError("gone")."""
        number = int(item.id)
        ways: tuple[Callable[[], str | None], ...] = (
            lambda: self._paths.get(item.id),
            lambda: inventory.located(self._tree, client, [number]).get(number),
        )
        for way in ways:
            path = way()
            entry = self._tree.stat(client, path) if path is not None else None
            if path is not None and entry is not None and entry.fileid == number:
                self._remember(item.id, path)
                return path, entry
        raise refusals.source_gone()

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """See Source.read. Raises IntegrityError if the file is no longer as it was listed."""
        with self._open.clients.one() as client:
            yield from self._read(client, item, offset)

    def _read(self, client: Client, item: Item, offset: int = 0) -> Iterator[bytes]:
        path = self._paths.get(item.id) or self._located(client, item)[0]
        for again in (False, True):
            headers = {"Accept-Encoding": "identity"}
            if offset:
                headers["Range"] = f"bytes={offset}-"
            with client.stream("GET", paths.files(self._tree.user, path), headers=headers) as response:
                status = response.status_code
                etag = paths.etag(response.headers.get("OC-ETag", "") or response.headers.get("ETag", ""))
                if status in (200, 206) and not etag:  # a proxy keeps it to itself
                    with self._open.clients.one() as another:
                        etag = self._located(another, item)[1].etag
                other = status in (404, 410) or (status in (200, 206) and item.version and etag != item.version)
                if not other:
                    if status == 416 and offset == item.size:
                        return
                    if status not in (200, 206):
                        raise refusals.refusal(client.read(response), self._tree.whose)
                    skip = offset if status == 200 else 0
                    for chunk in chunks(response):
                        if skip < len(chunk):
                            yield chunk[skip:]
                        skip = max(0, skip - len(chunk))
                    return
            moved, entry = self._located(client, item)
            if again or moved == path or entry.etag != item.version:
                raise IntegrityError("The file was changed after it was listed.")
            path = moved
        raise IntegrityError("The file was changed after it was listed.")

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """See ReadsMany.read_many."""
        waiting: deque[tuple[Item, Future[bytes | ItemError | None]]] = deque()
        weight = 0
        try:
            for item in items:
                if item.size is None or item.size > _IN_MEMORY:
                    yield Loaded(item, None)
                    continue
                while waiting and (len(waiting) >= 2 * self._threads.count or weight + item.size > _WINDOW):
                    done, future = waiting.popleft()
                    weight -= done.size or 0
                    yield Loaded(done, future.result())
                weight += item.size
                waiting.append((item, self._threads.submit(partial(self._whole, item))))
            while waiting:
                done, future = waiting.popleft()
                yield Loaded(done, future.result())
        finally:
            for _, future in waiting:
                future.cancel()

    def _whole(self, item: Item, client: Client) -> bytes | ItemError | None:
        try:
            return b"".join(self._read(client, item))
        except IntegrityError:
            return None  # read() tells it where it can be answered
        except ItemError as error:
            return error

    def notes(self, item: Item) -> Sequence[Note]:
        """See Annotates.notes."""
        with self._open.clients.one() as client:
            return comments.notes(self._tree, client, int(item.id))
