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
        taken = {fold(name, rules) for name in ledger.names_in(place, wanted)}
        for row, name in zip(some, wanted, strict=True):
            row.name = unique(name, taken, rules)
            taken.add(fold(row.name, rules))
