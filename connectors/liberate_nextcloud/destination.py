"""An account's files at a Nextcloud, as a destination: each power of the contract, handed to who can do it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, Self

from liberate.connector import (
    Account,
    Batch,
    Body,
    Change,
    Collection,
    Held,
    Outcome,
    Place,
    Receipt,
    Share,
    Slot,
    Taken,
)
from liberate.errors import ItemError, TransientError
from liberate.files import Note
from liberate.naming import Rules
from liberate_nextcloud import finding, hashing, inventory, moving, paths, pipeline, refusals, updating
from liberate_nextcloud import notes as comments
from liberate_nextcloud.chunks import Chunks
from liberate_nextcloud.client import Client, chunks
from liberate_nextcloud.gate import GATE, Gate
from liberate_nextcloud.login import Login, log_in
from liberate_nextcloud.pipeline import Bulk, Writer
from liberate_nextcloud.provisioning import Groups
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.sharing import SHARE_RATE, Sharing
from liberate_nextcloud.threads import Threads
from liberate_nextcloud.tree import Names, Tree

if TYPE_CHECKING:
    from types import TracebackType

_TOGETHER = 8 << 20  # bytes up to which a body comes by write_many


class NextcloudDestination:
    """One account; logged in to when it is entered. Places are paths below the user's home."""

    line_ends: Literal["any", "crlf"] = "any"
    share_rate: tuple[int, float] | None = SHARE_RATE

    def __init__(
        self,
        settings: NextcloudSettings,
        account: Account,
        *,
        gate: Gate = GATE,
        step: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._account = account
        self._gate = gate
        self._step = step
        self._login: Login | None = None
        self.batch = Batch(settings.batch_items, _TOGETHER)

    def __enter__(self) -> Self:
        login = log_in(self._settings, self._account, self._gate, self._step)
        settings = self._settings
        self._login = login
        self._tree = Tree(login)
        self._names = Names(self._tree)
        self._threads = Threads(login.clients, settings.connections)
        many = Bulk(login.can.bulk and settings.bulk == "auto", settings.batch_items, settings.batch_bytes)
        self._chunks = Chunks(self._tree, settings.url, login.can, self._threads, settings.chunk_size)
        self._writer = Writer(self._tree, self._names, self._threads, many, self._chunks)
        self._sharing = Sharing(self._tree, login.can, Groups(settings, self._gate))
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

    def _client(self) -> AbstractContextManager[Client]:
        return self._open.clients.one()

    # Names and places ----------------------------------------------------------------------------

    @property
    def rules(self) -> Rules:
        """What this very server takes, by its capabilities."""
        return self._open.can.rules

    def prepare(self, collection: Collection) -> Place:
        """See Destination.prepare."""
        place = Place("/".join((*self._open.root, *collection.path)))
        with self._client() as client:
            self._tree.own(client, place)
        return place

    def held(self, place: Place) -> Iterator[Held]:
        """See KeepsTrees.held."""
        if self._names.bare(place):
            return
        with self._client() as client:
            try:
                if self._tree.own(client, place):
                    return
                for name, entry in self._tree.listing(client, place):
                    foreign = entry.folder and self._tree.foreign(client, entry)
                    yield inventory.held(f"{place}/{name}" if place else name, entry, foreign=foreign)
            except ItemError as error:  # of a file in its place, writing says more
                if error.code not in ("gone", "folder-is-a-file"):
                    raise

    def make_folder(self, slot: Slot) -> Receipt:
        """See KeepsTrees.make_folder."""
        with self._client() as client:
            return moving.make_folder(self._tree, client, self._names, slot)

    def move(self, slot: Slot, receipt: Receipt) -> Receipt:
        """See KeepsTrees.move."""
        with self._client() as client:
            return moving.move(self._tree, client, self._names, self._settings.url, slot, receipt)

    # Writing -------------------------------------------------------------------------------------

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination.write. `body.size` is known: the core spools what is not."""
        with self._client() as client:
            receipt = self._writer.one(client, slot, body)
        self._names.add(slot.place, slot.name)
        return receipt

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany.write_many."""
        _ = self._open
        return pipeline.write_many(self._writer, parts)

    def piece(self, size: int) -> int | None:
        """See Resumable.piece."""
        _ = self._open
        return self._chunks.piece(size)

    def begin(self, slot: Slot) -> str:
        """See Resumable.begin."""
        with self._client() as client:
            return self._chunks.begin(client, slot)

    def received(self, upload: str, piece: int) -> int | None:
        """See Resumable.received."""
        with self._client() as client:
            return self._chunks.received(client, upload, piece)

    def append(self, upload: str, slot: Slot, offset: int, body: Body) -> None:
        """See Resumable.append."""
        _ = self._open
        self._chunks.append(upload, slot, offset, body)

    def finish(self, upload: str, slot: Slot) -> Receipt:
        """See Resumable.finish."""
        with self._client() as client:
            receipt = self._chunks.finish(client, upload, slot)
        self._names.add(slot.place, slot.name)
        return receipt

    def abandon(self, upload: str) -> None:
        """See Resumable.abandon."""
        with self._client() as client:
            self._chunks.abandon(client, upload)

    # What is there -------------------------------------------------------------------------------

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination.find."""
        _ = self._open
        return finding.find(self._tree, self._threads, slots, taken)

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination.read."""
        number, name = paths.of_receipt(receipt.id)
        with self._client() as client:
            path = paths.files(self._tree.user, receipt.place, name)
            with client.stream("GET", path, headers={"Accept-Encoding": "identity"}) as response:
                if response.status_code != 200:
                    raise refusals.refusal(client.read(response), self._tree.whose)
                etag = paths.etag(response.headers.get("OC-ETag", "") or response.headers.get("ETag", ""))
                if etag != receipt.version:
                    self._same(number, receipt)
                yield from chunks(response)

    def _same(self, number: int, receipt: Receipt) -> None:
        """Raises if something else stands there by now."""
        with self._client() as client:
            there = self._tree.stat(client, receipt.place, paths.of_receipt(receipt.id)[1])
        if there is None or there.fileid != number or there.folder:
            raise refusals.gone()

    def rehash(self, receipts: Iterable[Receipt]) -> Iterator[tuple[Receipt, Mapping[str, str] | ItemError]]:
        """See Rehashes.rehash."""
        _ = self._open

        def one(client: Client, receipt: Receipt) -> Mapping[str, str]:
            number, name = paths.of_receipt(receipt.id)
            there = self._tree.stat(client, receipt.place, name)
            if there is None or there.fileid != number or there.folder:
                raise refusals.gone()
            found = hashing.stored(self._tree, client, receipt.place, name)
            if found is None:
                raise hashing.cannot()
            return {"sha256": found}

        return self._threads.each(receipts, one)

    def inventory(self, root: Place) -> Iterator[Held]:
        """See Inventories.inventory."""
        with self._client() as client:
            yield from inventory.inventory(self._tree, client, root)

    def room(self) -> int | None:
        """See Spacious.room."""
        with self._client() as client:
            there = self._tree.stat(client, Place("/".join(self._open.root))) or self._tree.stat(client, "")
        available = there.available if there is not None else None
        return available if available is not None and available >= 0 else None

    # Changing ------------------------------------------------------------------------------------

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        """See Removes.remove."""
        with self._client() as client:
            moving.remove(self._tree, client, self._names, slot, receipt)

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """See Updates.update."""
        _ = self._open
        return updating.update(self._tree, self._threads, changes)

    def share(self, receipt: Receipt, share: Share) -> str:
        """See Shares.share."""
        with self._client() as client:
            return self._sharing.share(client, receipt, share)

    def unshare(self, share_id: str) -> None:
        """See Shares.unshare."""
        with self._client() as client:
            self._sharing.unshare(client, share_id)

    def annotate(self, receipt: Receipt, notes: Sequence[Note]) -> None:
        """See TakesNotes.annotate."""
        with self._client() as client:
            comments.annotate(self._tree, client, receipt, notes)
