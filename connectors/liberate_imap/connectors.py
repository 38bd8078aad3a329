"""The connector "imap": a mailbox on any IMAP server, as source and as destination."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from liberate.connector import Account, Connector, Destination, Kind, Source
from liberate_imap.settings import ImapSettings, endpoint

if TYPE_CHECKING:
    from liberate_imap.destination import ImapDestination
    from liberate_imap.source import ImapSource


def _source(settings: ImapSettings, account: Account) -> AbstractContextManager[Source]:
    from liberate_imap.source import ImapSource  # noqa: PLC0415 - where it is opened, not where it is listed

    source: ImapSource = ImapSource(settings, account)
    return source


def _destination(settings: ImapSettings, account: Account) -> AbstractContextManager[Destination]:
    from liberate_imap.destination import ImapDestination  # noqa: PLC0415

    destination: ImapDestination = ImapDestination(settings, account)
    return destination


imap = Connector(
    name="imap",
    title="IMAP mailbox",
    kinds=frozenset({Kind.MAIL}),
    settings=ImapSettings,
    source=_source,
    destination=_destination,
    schemes=("imaps", "imap+starttls", "imap"),
    endpoint=endpoint,
)
