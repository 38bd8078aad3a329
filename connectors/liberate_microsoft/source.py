"""A Microsoft 365 account as a source: its mail and its files, each service signed in to when it is first needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Loaded, Remark, Survey
from liberate.errors import AccountError
from liberate.files import Note
from liberate_microsoft.onedrive import DRIVE, OneDriveSource
from liberate_microsoft.outlook import MAILBOX, OutlookSource
from liberate_microsoft.settings import MicrosoftSettings

Service: TypeAlias = OutlookSource | OneDriveSource

KINDS = frozenset({Kind.MAIL, Kind.FILE})


def held(account: Account) -> frozenset[Kind]:
    """What a shared account can hold by its name: a library has no mail, and a shared mailbox no files.

    A shared mailbox is named by its address; a library by an address in the web, a path, or the id of a drive.
    """
    if account.kind != "shared":
        return KINDS
    if "/" in account.name or account.name.startswith("b!"):
        return frozenset({Kind.FILE})
    return frozenset({Kind.MAIL}) if "@" in account.name else KINDS


class MicrosoftSource:
    """Mail and files of one account. What the route does not move is never asked for, nor its permission needed.

    A library on a route of mail, or a shared mailbox on one of files, has nothing to move.
    """

    def __init__(self, settings: MicrosoftSettings, account: Account) -> None:
        import msal  # noqa: F401, PLC0415 - whether the extra is there shows here, not amid a move
        import requests  # noqa: F401, PLC0415

        self._settings = settings
        self._account = account
        self._told = bool(account.kinds)
        self._kinds = (account.kinds or KINDS) & held(account)
        self._mail_service: OutlookSource | None = None
        self._files_service: OneDriveSource | None = None

    def close(self) -> None:
        for service in (self._mail_service, self._files_service):
            if service is not None:
                service.close()

    def _mail(self) -> OutlookSource:
        if self._mail_service is None:
            self._mail_service = OutlookSource(self._settings, self._account)
        return self._mail_service

    def _files(self) -> OneDriveSource:
        if self._files_service is None:
            self._files_service = OneDriveSource(self._settings, self._account)
        return self._files_service

    def _service(self, kind: Kind) -> Service:
        return self._mail() if kind is Kind.MAIL else self._files()

    def collections(self) -> Iterator[Collection]:
        """Those of each service. Who was not told what the route moves offers a service that it cannot enter
        as well, if it can enter the other: listing it says what is missing."""
        found: list[Collection] = []
        failures: list[AccountError] = []
        for kind in sorted(self._kinds, reverse=True):
            try:
                found += self._service(kind).collections()
            except AccountError as error:
                failures.append(error)
                if self._told:
                    raise
                found.append(Collection(MAILBOX if kind is Kind.MAIL else DRIVE, (), kind))
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
            items = found.items if len(self._kinds) == 1 else None  # Graph counts no items of a drive
            size = found.bytes if found.bytes is not None else size
        return Survey(items, folders, size)

    def check(self) -> Iterator[Remark]:
        """Whether what the route moves can be read, and what of it will stay behind. Raises AccountError."""
        for kind in sorted(self._kinds):
            if kind is Kind.MAIL:
                yield from self._mail().check()
            else:
                list(self._files().collections())

    def describe(self, item: Item) -> Item:
        """What a file is like now. A message stays as it is."""
        return item if item.kind is Kind.MAIL else self._files().describe(item)

    def versions(self, item: Item) -> Sequence[Item]:
        return () if item.kind is Kind.MAIL else self._files().versions(item)

    def notes(self, item: Item) -> Sequence[Note]:
        return () if item.kind is Kind.MAIL else self._files().notes(item)
