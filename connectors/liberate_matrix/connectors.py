"""The connector "matrix": rooms of a homeserver, as a destination of chat."""

from __future__ import annotations

from contextlib import AbstractContextManager

from liberate.connector import Account, Connector, Destination, Kind
from liberate_matrix.settings import MatrixSettings, endpoint


def _destination(settings: MatrixSettings, account: Account) -> AbstractContextManager[Destination]:
    from liberate_matrix.destination import MatrixDestination

    return MatrixDestination(settings, account)


matrix = Connector(
    name="matrix",
    title="Matrix",
    kinds=frozenset({Kind.CHAT}),
    settings=MatrixSettings,
    destination=_destination,
    schemes=("matrix", "matrix+http"),
    endpoint=endpoint,
)
