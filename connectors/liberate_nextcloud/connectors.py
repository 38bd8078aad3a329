"""The connectors of this package: a Nextcloud account, and any server's calendars and address books."""

from __future__ import annotations

from contextlib import AbstractContextManager

from liberate.connector import Account, Connector, Destination, Kind, Source
from liberate_nextcloud import dav_settings
from liberate_nextcloud.dav_settings import DavSettings
from liberate_nextcloud.settings import NextcloudSettings, endpoint


def _source(settings: NextcloudSettings, account: Account) -> AbstractContextManager[Source]:
    from liberate_nextcloud.source import NextcloudSource

    return NextcloudSource(settings, account)


def _destination(settings: NextcloudSettings, account: Account) -> AbstractContextManager[Destination]:
    from liberate_nextcloud.beside_files import WholeNextcloud

    return WholeNextcloud(settings, account)


def _dav_destination(settings: DavSettings, account: Account) -> AbstractContextManager[Destination]:
    from liberate_nextcloud.dav_destination import DavDestination

    return DavDestination(settings, account)


nextcloud = Connector(
    name="nextcloud",
    title="Nextcloud",
    kinds=frozenset({Kind.FILE, Kind.EVENT, Kind.CONTACT}),
    settings=NextcloudSettings,
    source=_source,
    destination=_destination,
    schemes=("nextcloud", "nextcloud+http"),
    endpoint=endpoint,
)

dav = Connector(
    name="dav",
    title="Calendars and address books (CalDAV, CardDAV)",
    kinds=frozenset({Kind.EVENT, Kind.CONTACT}),
    settings=DavSettings,
    destination=_dav_destination,
    schemes=("davs", "dav+http"),
    endpoint=dav_settings.endpoint,
)
