"""Looks at an account's files again: what stands there, by one inventory, and the digests of what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from liberate.connector import Destination, Evidence, Inventories, Kind, Place, Receipt, Rehashes
from liberate.errors import ItemError
from liberate.files import FileFacts
from liberate.ledger import Ledger
from liberate.ledger_rows import Row
from liberate.mail import Sameness
from liberate.proof import MISSING, compared, read_back

IDENTICAL = Sameness.IDENTICAL.value
DIFFERENT = Sameness.DIFFERENT.value


class Stock:
    """What an inventory found at the destination, small enough for hundreds of thousands of files."""

    def __init__(self) -> None:
        self._sizes: dict[bytes, int] = {}  # -1: a folder, or of unknown size
        self.strangers = 0  # things that are not from us

    @classmethod
    def taken(cls, ledger: Ledger, account: int, destination: Inventories) -> Stock:
        """Make the inventory of an account."""
        stock = cls()
        ours = {_mark(place, receipt) for place, receipt in ledger.standing(account)}
        for root in sorted({one.place for one in ledger.named(account) if one.place is not None}):
            for held in destination.inventory(root):
                mark = _mark(held.place, held.id)
                if mark in ours:
                    stock._sizes[mark] = -1 if held.size is None or held.folder else held.size
                else:
                    stock.strangers += 1
        return stock

    def size(self, place: Place, receipt: str) -> int | None:
        """The size of what stands there under this receipt, -1 where it has none; None: it is not there."""
        return self._sizes.get(_mark(place, receipt))


def _mark(place: str, receipt: str) -> bytes:
    return blake2b(f"{place}\0{receipt}".encode("utf-8", "surrogatepass"), digest_size=10).digest()


def looked_at(
    destination: Destination,
    rows: Sequence[tuple[Row, Place]],
    chosen: Sequence[tuple[Row, Place]],
    stock: Stock | None,
) -> Iterator[tuple[Row, str, int, Evidence]]:
    """How rows of files compare with what was read at the source: (row, Sameness or "missing", bytes, how seen).

    `chosen` are those whose bytes are looked at; of the others is told what the stock says, if that is bad.
    """
    wanted = {row.key for row, _ in chosen}
    to_hash: list[tuple[Row, Place]] = []
    for row, place in rows:
        size = None if stock is None else stock.size(place, row.receipt or "")
        if _is_folder(row):
            if stock is not None and row.key in wanted:
                yield row, IDENTICAL if size is not None else MISSING, 0, Evidence.SIZE
        elif stock is not None and size is None:
            yield row, MISSING, 0, Evidence.NONE
        elif size not in (None, -1, row.size):
            yield row, DIFFERENT, 0, Evidence.SIZE
        elif row.key in wanted:
            to_hash.append((row, place))
    if isinstance(destination, Rehashes):
        yield from _rehashed(destination, to_hash)
        return
    for row, tier, count in read_back(destination, to_hash):
        yield row, tier, count, Evidence.READ_BACK


def _rehashed(destination: Rehashes, rows: Iterable[tuple[Row, Place]]) -> Iterator[tuple[Row, str, int, Evidence]]:
    waiting: dict[tuple[str, Place], Row] = {}
    receipts = []
    for row, place in rows:
        waiting[row.receipt or "", place] = row
        receipts.append(Receipt(row.receipt or "", place, row.receipt_size, version=row.receipt_version))
    for receipt, found in destination.rehash(receipts) if receipts else ():
        row = waiting.pop((receipt.id, receipt.place))
        if isinstance(found, ItemError):
            yield row, MISSING if found.code == "gone" else DIFFERENT, 0, Evidence.NONE
        else:
            yield row, compared(found, row), row.size or 0, Evidence.STORED


def _is_folder(row: Row) -> bool:
    return row.item.kind is Kind.FILE and isinstance(row.item.facts, FileFacts) and row.item.facts.folder
