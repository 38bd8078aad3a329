"""A Google account as a source: mail, files, calendars, contacts, each service signed in to when first needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Loaded, Survey
from liberate.errors import AccountError
from liberate.files import Note
from liberate.pim import Looks
from liberate_google.calendar import PREFIX, PRIMARY, CalendarSource
from liberate_google.contacts import CONTACTS, ContactsSource
from liberate_google.drive import FILES, DriveSource, is_shared_drive
from liberate_google.gmail import MAILBOX, GmailSource
from liberate_google.settings import GoogleSettings

Service: TypeAlias = GmailSource | DriveSource | CalendarSource | ContactsSource

KINDS = frozenset({Kind.MAIL, Kind.FILE, Kind.EVENT, Kind.CONTACT})
_UNENTERED = {
    Kind.MAIL: Collection(MAILBOX, (), Kind.MAIL),
    Kind.FILE: Collection(FILES, (), Kind.FILE),
    Kind.EVENT: Collection(PREFIX + PRIMARY, ("Calendar",), Kind.EVENT),
    Kind.CONTACT: Collection(CONTACTS, ("Contacts",), Kind.CONTACT),
}
"""What stands for a service that cannot be entered."""


class GoogleSource:
    """What the route does not move is never asked for, nor its scope."""

    def __init__(self, settings: GoogleSettings, account: Account) -> None:
        import google_auth_httplib2  # noqa: F401, PLC0415 - whether the extra is there shows here, not amid a move
        import googleapiclient.discovery  # noqa: F401, PLC0415
        import requests  # noqa: F401, PLC0415

        self._settings = settings
        self._account = account
        self._told = bool(account.kinds)
        self._kinds = (account.kinds or KINDS) & KINDS
        if is_shared_drive(account):
            self._kinds &= {Kind.FILE}
        self._mail_service: GmailSource | None = None
        self._files_service: DriveSource | None = None
        self._events_service: CalendarSource | None = None
        self._contacts_service: ContactsSource | None = None

    def close(self) -> None:
        for service in (self._mail_service, self._files_service, self._events_service, self._contacts_service):
            if service is not None:
                service.close()

    def _mail(self) -> GmailSource:
        if self._mail_service is None:
            self._mail_service = GmailSource(self._settings, self._account)
        return self._mail_service

    def _files(self) -> DriveSource:
        if self._files_service is None:
            self._files_service = DriveSource(self._settings, self._account)
        return self._files_service

    def _events(self) -> CalendarSource:
        if self._events_service is None:
            self._events_service = CalendarSource(self._settings, self._account)
        return self._events_service

    def _contacts(self) -> ContactsSource:
        if self._contacts_service is None:
            self._contacts_service = ContactsSource(self._settings, self._account)
        return self._contacts_service

    def _service(self, kind: Kind) -> Service:
        match kind:
            case Kind.MAIL:
                return self._mail()
            case Kind.EVENT:
                return self._events()
            case Kind.CONTACT:
                return self._contacts()
        return self._files()

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
            raise failures[0]
        yield from found

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        return self._service(collection.kind).items(collection, since)

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        return self._service(item.kind).read(item, offset)

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        for kind in sorted({item.kind for item in items}):
            yield from self._service(kind).read_many([item for item in items if item.kind is kind])

    def looks(self, collection: Collection) -> Looks:
        """Of calendars and address books, as they are now."""
        return (self._contacts() if collection.kind is Kind.CONTACT else self._events()).looks(collection)

    def survey(self) -> Survey:
        """The counts of the services that the route moves; without those of one that cannot be entered."""
        folders: dict[tuple[str, ...], int] = {}
        items: int | None = None
        size: int | None = None
        for kind in sorted(self._kinds):
            try:
                found = self._service(kind).survey()
            except AccountError:
                if self._told:
                    raise
                continue
            folders.update(found.folders)
            items = found.items if len(self._kinds) == 1 else None  # neither Drive nor Calendar counts
            size = found.bytes if found.bytes is not None else size
        return Survey(items, folders, size)

    def describe(self, item: Item) -> Item:
        """What a file, an event or a contact is like now. A message never changes."""
        match item.kind:
            case Kind.MAIL:
                return item
            case Kind.EVENT:
                return self._events().describe(item)
            case Kind.CONTACT:
                return self._contacts().describe(item)
        return self._files().describe(item)

    def versions(self, item: Item) -> Sequence[Item]:
        return self._files().versions(item) if item.kind is Kind.FILE else ()

    def notes(self, item: Item) -> Sequence[Note]:
        return self._files().notes(item) if item.kind is Kind.FILE else ()
