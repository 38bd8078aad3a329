"""A Microsoft 365 account as a source, each of its services signed in to when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Loaded, Remark, Survey
from liberate.errors import AccountError
from liberate.files import Note
from liberate.pim import Looks
from liberate_microsoft import calendars, contacts
from liberate_microsoft.calendar import CalendarSource
from liberate_microsoft.contacts import ContactsSource
from liberate_microsoft.onedrive import DRIVE, OneDriveSource
from liberate_microsoft.outlook import MAILBOX, OutlookSource
from liberate_microsoft.settings import MicrosoftSettings

Service: TypeAlias = OutlookSource | OneDriveSource | CalendarSource | ContactsSource

_SERVICES: Mapping[Kind, Callable[[MicrosoftSettings, Account], Service]] = {
    Kind.MAIL: OutlookSource,
    Kind.FILE: OneDriveSource,
    Kind.EVENT: CalendarSource,
    Kind.CONTACT: ContactsSource,
}
_UNENTERED = {
    Kind.MAIL: Collection(MAILBOX, (), Kind.MAIL),
    Kind.FILE: Collection(DRIVE, (), Kind.FILE),
    Kind.EVENT: Collection(calendars.PREFIX, ("Calendar",), Kind.EVENT),
    Kind.CONTACT: Collection(contacts.PREFIX, ("Contacts",), Kind.CONTACT),
}
"""What stands for a service that could not be entered."""

KINDS = frozenset(_SERVICES)
_OF_MAILBOXES = KINDS - {Kind.FILE}


def held(account: Account) -> frozenset[Kind]:
    """What a shared account can hold by its name: a library has no mail, and a shared mailbox no files.

    A shared mailbox is named by its address; a library by an address in the web, a path, or the id of a drive.
    """
    if account.kind != "shared":
        return KINDS
    if "/" in account.name or account.name.startswith("b!"):
        return frozenset({Kind.FILE})
    return _OF_MAILBOXES if "@" in account.name else KINDS


class MicrosoftSource:
    """Mail, files, events and contacts of one account. What the route does not move is never asked for, nor its
    permission needed.

    A library on a route of mail, or a shared mailbox on one of files, has nothing to move.
    """

    def __init__(self, settings: MicrosoftSettings, account: Account) -> None:
        import msal  # noqa: F401, PLC0415 - whether the extra is there shows here, not amid a move
        import requests  # noqa: F401, PLC0415

        self._settings = settings
        self._account = account
        self._told = bool(account.kinds)
        self._kinds = (account.kinds or KINDS) & held(account)
        self._open: dict[Kind, Service] = {}

    def close(self) -> None:
        for service in self._open.values():
            service.close()

    def _service(self, kind: Kind) -> Service:
        if kind not in self._open:
            self._open[kind] = _SERVICES[kind](self._settings, self._account)
        return self._open[kind]

    def _files(self) -> OneDriveSource:
        found = self._service(Kind.FILE)
        assert isinstance(found, OneDriveSource)  # noqa: S101 - see _SERVICES
        return found

    def collections(self) -> Iterator[Collection]:
        """Those of each service. Who was not told what the route moves offers a service that it cannot enter
        as well, if it can enter another: listing it says what is missing."""
        found: list[Collection] = []
        failures: list[AccountError] = []
        for kind in sorted(self._kinds, reverse=True):
            try:
                found += self._service(kind).collections()
            except AccountError as error:
                failures.append(error)
                if self._told:
                    raise
                found.append(_UNENTERED[kind])
        if failures and len(failures) == len(self._kinds):
            raise failures[-1]
        yield from found

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        return self._service(collection.kind).items(collection, since)

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        return self._service(item.kind).read(item, offset)

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        for kind in sorted({item.kind for item in items}):
            yield from self._service(kind).read_many([item for item in items if item.kind is kind])

    def looks(self, collection: Collection) -> Looks:
        """See HasLooks."""
        service = self._service(collection.kind)
        if isinstance(service, CalendarSource | ContactsSource):
            return service.looks(collection)
        return Looks("/".join(collection.path))

    def survey(self) -> Survey:
        """The counts of the services that the route moves; without those of one that cannot be entered."""
        folders: dict[tuple[str, ...], int] = {}
        items: int | None = None
        size: int | None = None
        for kind in sorted(self._kinds & {Kind.MAIL, Kind.FILE}):  # Graph counts neither events nor contacts
            try:
                found = self._service(kind).survey()
            except AccountError:
                if self._told:
                    raise
                continue
            folders.update(found.folders)
            items = found.items if len(self._kinds) == 1 else None  # Graph counts no items of a drive
            size = found.bytes if found.bytes is not None else size
        return Survey(items, folders, size)

    def check(self) -> Iterator[Remark]:
        """Whether what the route moves can be read, and what of it will stay behind. Raises AccountError."""
        for kind in sorted(self._kinds):
            service = self._service(kind)
            if isinstance(service, OneDriveSource):
                list(service.collections())
            else:
                yield from service.check()

    def describe(self, item: Item) -> Item:
        """What a file, an event or a contact is like now. A message stays as it is."""
        service = self._service(item.kind)
        return item if isinstance(service, OutlookSource) else service.describe(item)

    def versions(self, item: Item) -> Sequence[Item]:
        return self._files().versions(item) if item.kind is Kind.FILE else ()

    def notes(self, item: Item) -> Sequence[Note]:
        return self._files().notes(item) if item.kind is Kind.FILE else ()
