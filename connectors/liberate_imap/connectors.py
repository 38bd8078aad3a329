"""The connector "imap": a mailbox on any IMAP server, as source and as destination."""

from __future__ import annotations

from contextlib import AbstractContextManager

from liberate.connector import Account, Connector, Destination, Kind, Source
from liberate_imap.settings import ImapSettings, endpoint


def _source(settings: ImapSettings, account: Account) -> AbstractContextManager[Source]:
    from liberate_imap.source import ImapSource

    return ImapSource(settings, account)


def _destination(settings: ImapSettings, account: Account) -> AbstractContextManager[Destination]:
    from liberate_imap.destination import ImapDestination

    return ImapDestination(settings, account)


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
