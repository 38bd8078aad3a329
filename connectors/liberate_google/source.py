"""A Google account as a source: mail, files, calendars, contacts, each service signed in to when first needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from liberate.connector import Account, Collection, Kind
from liberate.services import Services
from liberate_google.calendar import PREFIX, PRIMARY, CalendarSource
from liberate_google.contacts import CONTACTS, ContactsSource
from liberate_google.drive import FILES, DriveSource, is_shared_drive
from liberate_google.gmail import MAILBOX, GmailSource
from liberate_google.settings import GoogleSettings

Service: TypeAlias = GmailSource | DriveSource | CalendarSource | ContactsSource

_SERVICES: Mapping[Kind, Callable[[GoogleSettings, Account], Service]] = {
    Kind.MAIL: GmailSource,
    Kind.FILE: DriveSource,
    Kind.EVENT: CalendarSource,
    Kind.CONTACT: ContactsSource,
}
KINDS = frozenset(_SERVICES)
_UNENTERED = {
    Kind.MAIL: Collection(MAILBOX, (), Kind.MAIL),
    Kind.FILE: Collection(FILES, (), Kind.FILE),
    Kind.EVENT: Collection(PREFIX + PRIMARY, ("Calendar",), Kind.EVENT),
    Kind.CONTACT: Collection(CONTACTS, ("Contacts",), Kind.CONTACT),
}
"""What stands for a service that cannot be entered."""


class GoogleSource(Services):
    """Mail, files, events and contacts of one account, or the files of a shared drive."""

    def __init__(self, settings: GoogleSettings, account: Account) -> None:
        import google_auth_httplib2  # noqa: F401, PLC0415 - whether the extra is there shows here, not amid a move
        import googleapiclient.discovery  # noqa: F401, PLC0415
        import requests  # noqa: F401, PLC0415

        kinds = frozenset({Kind.FILE}) if is_shared_drive(account) else KINDS
        super().__init__(account, kinds, lambda kind: _SERVICES[kind](settings, account), _UNENTERED, KINDS)
