"""Names for items in places that keep names: legal, unique there, recorded with the row."""

from __future__ import annotations

from collections.abc import Sequence

from liberate.connector import Kind
from liberate.ledger import Ledger
from liberate.ledger_rows import Row
from liberate.naming import Rules, encode, fold, unique

_NUMBERED = (Kind.MAIL, Kind.CHAT)  # their places number items themselves


def name_items(rows: Sequence[Row], ledger: Ledger, rules: Rules) -> None:
    """Give each new row the name it will have in its place."""
    by_place: dict[int, list[Row]] = {}
    for row in rows:
        if row.item.kind not in _NUMBERED and row.place_id is not None:
            by_place.setdefault(row.place_id, []).append(row)
    for place, some in by_place.items():
        wanted = [encode(row.item.name or row.item.id, rules) for row in some]
        taken = _Taken(ledger, place, {fold(name, rules) for name in wanted})
        for row, name in zip(some, wanted, strict=True):
            row.name = unique(name, taken, rules)
            row.folded = fold(row.name, rules)
            taken.add(row.folded)


class _Taken:
    """The folded names that a place has, asked of the ledger: first those likely, then each as it comes up."""

    def __init__(self, ledger: Ledger, place: int, likely: set[str]) -> None:
        self._ledger = ledger
        self._place = place
        self._known = set(likely)
        self._taken = ledger.names_in(place, sorted(likely))

    def add(self, name: str) -> None:
        self._known.add(name)
        self._taken.add(name)

    def __contains__(self, name: object) -> bool:
        if isinstance(name, str) and name not in self._known:
            self._known.add(name)
            self._taken |= self._ledger.names_in(self._place, [name])
        return name in self._taken
