"""The connector "nextcloud": an account's files on a Nextcloud server, as source and as destination."""

from __future__ import annotations

from contextlib import AbstractContextManager

from liberate.connector import Account, Connector, Destination, Kind, Source
from liberate_nextcloud.settings import NextcloudSettings, endpoint


def _source(settings: NextcloudSettings, account: Account) -> AbstractContextManager[Source]:
    from liberate_nextcloud.source import NextcloudSource  # noqa: PLC0415 - where it is opened, not where it is listed

    return NextcloudSource(settings, account)


def _destination(settings: NextcloudSettings, account: Account) -> AbstractContextManager[Destination]:
    from liberate_nextcloud.destination import NextcloudDestination  # noqa: PLC0415

    return NextcloudDestination(settings, account)


nextcloud = Connector(
    name="nextcloud",
    title="Nextcloud",
    kinds=frozenset({Kind.FILE}),
    settings=NextcloudSettings,
    source=_source,
    destination=_destination,
    schemes=("nextcloud", "nextcloud+http"),
    endpoint=endpoint,
)
