"""The entry points: what the registry finds. Light to import; the client libraries load when a source opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from liberate.connector import Account, Connector, Kind, Source
from liberate.extras import needed
from liberate_microsoft.fidelity import fates
from liberate_microsoft.settings import MicrosoftSettings


@contextmanager
def _source(settings: MicrosoftSettings, account: Account) -> Iterator[Source]:
    with needed("The Microsoft connector", "microsoft"):
        from liberate_microsoft.source import MicrosoftSource

        opened = MicrosoftSource(settings, account)
    with closing(opened) as source:
        yield source


microsoft = Connector(
    name="microsoft",
    title="Microsoft 365: Outlook mail, calendars and contacts, OneDrive for Business and SharePoint libraries",
    kinds=frozenset({Kind.MAIL, Kind.FILE, Kind.EVENT, Kind.CONTACT}),
    settings=MicrosoftSettings,
    source=_source,
    fidelity=fates,
)
