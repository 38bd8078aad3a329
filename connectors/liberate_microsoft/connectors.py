"""The entry points: what the registry finds. Light to import; the client libraries load when a source opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from liberate.connector import Account, Connector, Kind, Source
from liberate.errors import PlanError
from liberate_microsoft.settings import MicrosoftSettings


@contextmanager
def _source(settings: MicrosoftSettings, account: Account) -> Iterator[Source]:
    try:
        import msal  # noqa: F401, PLC0415 - only who migrates needs the extra

        from liberate_microsoft.onedrive import OneDriveSource  # noqa: PLC0415

        source = OneDriveSource(settings, account)
    except ImportError as error:
        raise PlanError(
            f'The Microsoft connector needs {error.name}. Install it: pip install "liberate-migrate[microsoft]"'
        ) from error
    try:
        yield source
    finally:
        source.close()


microsoft = Connector(
    name="microsoft",
    title="Microsoft 365: OneDrive for Business and SharePoint libraries",
    kinds=frozenset({Kind.FILE}),
    settings=MicrosoftSettings,
    source=_source,
)
