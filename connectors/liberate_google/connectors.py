"""The entry points: what the registry finds. Light to import; the client libraries load when a source opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from liberate.connector import Account, Connector, Kind, Source
from liberate.extras import needed
from liberate_google.fidelity import fates
from liberate_google.settings import GoogleSettings


@contextmanager
def _source(settings: GoogleSettings, account: Account) -> Iterator[Source]:
    with needed("The Google connector", "google"):
        from liberate_google.source import GoogleSource

        opened = GoogleSource(settings, account)
    with closing(opened) as source:
        yield source


google = Connector(
    name="google",
    title="Google Workspace: Gmail, Drive, Calendar and Contacts",
    kinds=frozenset({Kind.MAIL, Kind.FILE, Kind.EVENT, Kind.CONTACT}),
    settings=GoogleSettings,
    source=_source,
    fidelity=fates,
)
