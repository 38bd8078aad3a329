"""Names for items in places that keep names: legal, unique there, recorded with the row."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence

from liberate.connector import Kind
from liberate.files import FileFacts
from liberate.ledger import Ledger
from liberate.ledger_rows import Row
from liberate.naming import Rules, encode, fold, unique

_NUMBERED = (Kind.MAIL, Kind.CHAT)  # their places number items themselves


def name_items(
    rows: Sequence[Row],
    ledger: Ledger,
    rules: Rules,
    held: Callable[[int], Mapping[str, bool]] = lambda _place: {},
) -> None:
    """Give each new row the name it will have in its place.

    `held` tells what stands in a place whoever put it there, folded: whether a folder could become one with it, and
    so have its name; nothing else may have a stranger's name.
    """
    by_place: dict[int, list[Row]] = {}
    for row in rows:
        if row.item.kind not in _NUMBERED and row.place_id is not None:
            by_place.setdefault(row.place_id, []).append(row)
    wishes = {place: [legal(row, rules) for row in some] for place, some in by_place.items()}
    likely = {place: {fold(name, rules) for name in names} for place, names in wishes.items()}
    pairs = sorted((place, name) for place, names in likely.items() for name in names)
    have: dict[int, set[str]] = {}
    for place, name in ledger.names_among(pairs):
        have.setdefault(place, set()).add(name)
    for place, some in by_place.items():
        wanted = wishes[place]
        taken = _Taken(ledger, place, likely[place], have.get(place, set()))
        there = held(place)
        for row, name in zip(some, wanted, strict=True):
            taken.strangers = there if not _is_folder(row) else {one for one, joins in there.items() if not joins}
            row.name = unique(name, taken, rules, files=is_file(row))
            row.folded = fold(row.name, rules)
            taken.add(row.folded)


def legal(row: Row, rules: Rules, name: str = "") -> str:
    """The row's own name, or `name`, as the rules take it."""
    return encode(name or row.item.name or row.item.id, rules, files=is_file(row))


def is_file(row: Row) -> bool:
    """Whether the row's name has an extension that says what it holds."""
    return row.item.kind is Kind.FILE and not _is_folder(row)


def _is_folder(row: Row) -> bool:
    return isinstance(row.item.facts, FileFacts) and row.item.facts.folder


class _Taken:
    """The folded names that a place has: those that were asked about, and then each as it comes up."""

    strangers: Container[str] = ()

    def __init__(self, ledger: Ledger, place: int, known: set[str], taken: set[str]) -> None:
        self._ledger = ledger
        self._place = place
        self._known = known  # names that were asked about
        self._taken = taken

    def add(self, name: str) -> None:
        self._known.add(name)
        self._taken.add(name)

    def __contains__(self, name: object) -> bool:
        if isinstance(name, str) and name not in self._known:
            self._known.add(name)
            self._taken |= self._ledger.names_in(self._place, [name])
        return name in self._taken or name in self.strangers
