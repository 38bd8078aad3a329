"""The entry points: what the registry finds. Light to import; the client libraries load when a source opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from liberate.connector import Account, Connector, Kind, Source
from liberate.extras import needed
from liberate_microsoft.settings import MicrosoftSettings


@contextmanager
def _source(settings: MicrosoftSettings, account: Account) -> Iterator[Source]:
    with needed("The Microsoft connector", "microsoft"):
        import msal  # noqa: F401, PLC0415 - only who migrates needs the extra

        from liberate_microsoft.onedrive import OneDriveSource  # noqa: PLC0415

        opened = OneDriveSource(settings, account)
    with closing(opened) as source:
        yield source


microsoft = Connector(
    name="microsoft",
    title="Microsoft 365: OneDrive for Business and SharePoint libraries",
    kinds=frozenset({Kind.FILE}),
    settings=MicrosoftSettings,
    source=_source,
)
