"""A Microsoft 365 account as a source, each of its services signed in to when it is first needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from liberate.connector import Account, Checks, Collection, Kind, Remark
from liberate.services import Services
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
}
"""What stands for a service that could not be entered. Calendars and contacts have no name that is known beforehand."""

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


class MicrosoftSource(Services):
    """Mail, files, events and contacts of one account.

    A library on a route of mail, or a shared mailbox on one of files, has nothing to move.
    """

    def __init__(self, settings: MicrosoftSettings, account: Account) -> None:
        import msal  # noqa: F401, PLC0415 - whether the extra is there shows here, not amid a move
        import requests  # noqa: F401, PLC0415

        # Graph counts neither events nor contacts.
        counting = frozenset({Kind.MAIL, Kind.FILE})
        super().__init__(account, held(account), lambda kind: _SERVICES[kind](settings, account), _UNENTERED, counting)

    def check(self) -> Iterator[Remark]:
        """Whether what the route moves can be read, and what of it will stay behind. Raises AccountError."""
        for kind in sorted(self._kinds):
            service = self._service(kind)
            if isinstance(service, Checks):
                yield from service.check()
            else:
                list(service.collections())
