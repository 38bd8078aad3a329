"""Calendars and address books as a destination: what every CalDAV or CardDAV server is written by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, Self

from liberate.connector import (
    Account,
    Batch,
    Body,
    Collection,
    Outcome,
    Place,
    Receipt,
    Slot,
    Taken,
)
from liberate.errors import ItemError, TransientError
from liberate.naming import Rules
from liberate.pim import Looks
from liberate_nextcloud import dav_objects, dav_pipeline
from liberate_nextcloud.client import Client
from liberate_nextcloud.dav_login import DavLogin, log_in
from liberate_nextcloud.dav_objects import Objects
from liberate_nextcloud.dav_settings import DavSettings
from liberate_nextcloud.dav_shelves import Shelves, Site
from liberate_nextcloud.gate import GATE, Gate

if TYPE_CHECKING:
    from types import TracebackType

_CHUNK = 1 << 16
BATCH = Batch(50, 4 << 20)
_TOGETHER = 50  # receipts read back with one request


class Keeper:
    """The powers over one account's calendars and address books, each handed to who can do it."""

    def __init__(self, site: Site) -> None:
        self._threads = site.threads
        self._reminds = site.reminds
        self._shelves = Shelves(site)
        self._objects = Objects(site)

    def _client(self) -> AbstractContextManager[Client]:
        return self._threads.clients.one()

    def open_collection(self, key: str, collection: Collection, looks: Looks) -> Place:
        """See KeepsObjects.open_collection."""
        with self._client() as client:
            return self._shelves.open(client, key, collection, looks)

    def card_version(self, place: Place) -> Literal["3.0", "4.0"]:
        """See KeepsObjects.card_version."""
        with self._client() as client:
            return self._shelves.card_version(client, place)

    def mails_reminders(self, place: Place) -> bool:
        """See KeepsObjects.mails_reminders."""
        return self._reminds

    def remove_collection(self, place: Place) -> None:
        """See KeepsObjects.remove_collection."""
        with self._client() as client:
            self._shelves.remove(client, place)

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination.find."""
        out: dict[str, Receipt] = {}
        with self._client() as client:
            for some in dav_objects.by_place(slots):
                out |= self._objects.find(client, some, taken)
        return out

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See KeepsObjects. An object is read to its end before its first byte is sent."""
        data = b"".join(iter(lambda: body.read(_CHUNK), b""))
        with self._client() as client:
            return self._objects.write(client, slot, data)

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany.write_many."""
        return dav_pipeline.write_many(self._objects, self._threads, parts)

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination.read."""
        with self._client() as client:
            data = self._objects.read(client, receipt)
        for at in range(0, len(data), _CHUNK):
            yield data[at : at + _CHUNK]

    def read_back(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
        """See ReadsBack.read_back."""
        groups: dict[Place, list[Receipt]] = {}
        for receipt in receipts:
            groups.setdefault(receipt.place, []).append(receipt)
        pages = [some[at : at + _TOGETHER] for some in groups.values() for at in range(0, len(some), _TOGETHER)]

        def page(client: Client, some: list[Receipt]) -> list[tuple[Receipt, bytes | ItemError]]:
            return list(self._objects.read_back(client, some))

        for _, answers in self._threads.each(pages, page):
            if isinstance(answers, ItemError):
                raise TransientError(str(answers))
            yield from answers

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        """See Removes.remove."""
        with self._client() as client:
            self._objects.remove(client, slot, receipt)


class DavDestination:
    """One account at a server of calendars and address books; logged in to when it is entered."""

    line_ends: Literal["any", "crlf"] = "any"
    batch = BATCH

    def __init__(
        self,
        settings: DavSettings,
        account: Account,
        *,
        gate: Gate = GATE,
        step: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._account = account
        self._gate = gate
        self._step = step
        self._login: DavLogin | None = None
        self._made: Keeper | None = None

    def __enter__(self) -> Self:
        self._login = log_in(self._settings, self._account, self._gate, self._step)
        self._made = Keeper(self._login.site)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        login, self._login, self._made = self._login, None, None
        if login is not None:
            login.close()

    @property
    def _keeper(self) -> Keeper:
        if self._made is None:
            raise TransientError(f"The connection to {self._settings.url} is closed.")
        return self._made

    @property
    def rules(self) -> Rules:
        """Any name: what a server might not take stands in paths as a digest."""
        return Rules(max_bytes=1000, max_path=4000)

    def prepare(self, collection: Collection) -> Place:
        """See KeepsObjects: calendars and address books are opened."""
        return self._keeper.open_collection(collection.id, collection, Looks("/".join(collection.path)))

    def open_collection(self, key: str, collection: Collection, looks: Looks) -> Place:
        """See KeepsObjects.open_collection."""
        return self._keeper.open_collection(key, collection, looks)

    def card_version(self, place: Place) -> Literal["3.0", "4.0"]:
        """See KeepsObjects.card_version."""
        return self._keeper.card_version(place)

    def mails_reminders(self, place: Place) -> bool:
        """See KeepsObjects.mails_reminders."""
        return self._keeper.mails_reminders(place)

    def remove_collection(self, place: Place) -> None:
        """See KeepsObjects.remove_collection."""
        self._keeper.remove_collection(place)

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination.find."""
        return self._keeper.find(slots, taken)

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See KeepsObjects."""
        return self._keeper.write(slot, body)

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany.write_many."""
        return self._keeper.write_many(parts)

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination.read."""
        return self._keeper.read(receipt)

    def read_back(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
        """See ReadsBack.read_back."""
        return self._keeper.read_back(receipts)

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        """See Removes.remove."""
        self._keeper.remove(slot, receipt)
