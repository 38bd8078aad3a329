"""The entry points: what the registry finds. Light to import; the client libraries load when a source opens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from liberate.connector import Account, Connector, Kind, Source
from liberate.errors import PlanError
from liberate_google.settings import GoogleSettings


@contextmanager
def _source(settings: GoogleSettings, account: Account) -> Iterator[Source]:
    try:
        from liberate_google.source import GoogleSource  # noqa: PLC0415 - only who migrates needs the extra

        source = GoogleSource(settings, account)
    except ImportError as error:
        raise PlanError(
            f'The Google connector needs {error.name}. Install it: pip install "liberate-migrate[google]"'
        ) from error
    try:
        yield source
    finally:
        source.close()


google = Connector(
    name="google",
    title="Google Workspace: Gmail and Drive",
    kinds=frozenset({Kind.MAIL, Kind.FILE}),
    settings=GoogleSettings,
    source=_source,
)
