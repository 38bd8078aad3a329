"""A Nextcloud account as one destination: its files, and beside them its calendars and address books."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Literal, Self
from urllib.parse import quote

from liberate.connector import Account, Body, Collection, Kind, Outcome, Place, Receipt, Slot, Taken
from liberate.errors import ItemError
from liberate.pim import Looks
from liberate_nextcloud.destination import NextcloudDestination
from liberate_nextcloud.gate import GATE, Gate
from liberate_nextcloud.paths import is_shelf
from liberate_nextcloud.settings import NextcloudSettings

if TYPE_CHECKING:
    from liberate_nextcloud.dav_destination import Keeper

_DAV = "/remote.php/dav"


class WholeNextcloud(NextcloudDestination):
    """Keeps files as NextcloudDestination does, and events and contacts as Keeper; a place shows which it is of."""

    def __init__(
        self,
        settings: NextcloudSettings,
        account: Account,
        *,
        gate: Gate = GATE,
        step: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(settings, account, gate=gate, step=step)
        self._made: Keeper | None = None

    def __enter__(self) -> Self:
        self._made = None
        return super().__enter__()

    @property
    def _keeper(self) -> Keeper:
        login = self._open  # raises once it is closed
        if self._made is None:
            from liberate_nextcloud.dav_destination import Keeper  # noqa: PLC0415 - whoever moves files needs none of it
            from liberate_nextcloud.dav_shelves import Site  # noqa: PLC0415

            user = quote(login.user, safe="")
            calendars, books = f"{_DAV}/calendars/{user}/", f"{_DAV}/addressbooks/users/{user}/"
            self._made = Keeper(Site(login.whose, calendars, books, self._threads, reminds=True))
        return self._made

    def open_collection(self, key: str, collection: Collection, looks: Looks) -> Place:
        """See KeepsObjects.open_collection."""
        return self._keeper.open_collection(key, collection, looks)

    def card_version(self, place: Place) -> Literal["3.0", "4.0"]:
        """See KeepsObjects.card_version."""
        return self._keeper.card_version(place)

    def mails_reminders(self, place: Place) -> bool:
        """See KeepsObjects.mails_reminders: its reminders go to all who have not declined (dav, EmailProvider.php)."""
        return self._keeper.mails_reminders(place)

    def remove_collection(self, place: Place) -> None:
        """See KeepsObjects.remove_collection."""
        self._keeper.remove_collection(place)

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination.find."""
        objects = [slot for slot in slots if _is_object(slot)]
        files = [slot for slot in slots if not _is_object(slot)]
        return {
            **(self._keeper.find(objects, taken) if objects else {}),
            **(super().find(files, taken) if files else {}),
        }

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination.write."""
        return self._keeper.write(slot, body) if _is_object(slot) else super().write(slot, body)

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany.write_many. All parts are of one kind, for a collection has one."""
        left = iter(parts)
        for first in left:
            some = chain((first,), left)
            return self._keeper.write_many(some) if _is_object(first[0]) else super().write_many(some)
        return iter(())

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination.read."""
        return self._keeper.read(receipt) if is_shelf(receipt.place) else super().read(receipt)

    def read_back(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
        """See ReadsBack.read_back; files are read one by one."""
        yield from ((one, None) for one in receipts if not is_shelf(one.place))
        yield from self._keeper.read_back([one for one in receipts if is_shelf(one.place)])

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        """See Removes.remove."""
        if is_shelf(receipt.place):
            self._keeper.remove(slot, receipt)
        else:
            super().remove(slot, receipt)


def _is_object(slot: Slot) -> bool:
    return slot.item.kind in (Kind.EVENT, Kind.CONTACT)
