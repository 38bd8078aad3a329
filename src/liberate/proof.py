"""Reading back what a destination holds and comparing it with what was read at the source."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from liberate.chat_proof import is_told, recalled
from liberate.connector import Destination, Evidence, Kind, Place, ReadsBack, Recalls, Receipt
from liberate.errors import ItemError
from liberate.ledger_rows import Row
from liberate.mail import Fingerprint, Sameness, fingerprint
from liberate.mail import compared as compared_mail
from liberate.pim import compared as compared_objects
from liberate.pim import object_digests

MISSING = "missing"
OBJECTS = (Kind.EVENT, Kind.CONTACT)
_TOGETHER = 200  # receipts asked for at once


def receipt_of(row: Row, place: Place) -> Receipt:
    """The receipt that the ledger recorded for a written row."""
    return Receipt(row.receipt or "", place, row.receipt_size, evidence=row.evidence)


def found_in(chunks: Iterable[bytes], kind: Kind) -> dict[str, str]:
    """The digests of a body that comes in chunks."""
    if kind is Kind.MAIL:
        forms = Fingerprint()
        for chunk in chunks:
            forms.update(chunk)
        forms.finish()
        return forms.digests()
    if kind in OBJECTS:
        body = b"".join(chunks)
        return object_digests(body, body)
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk)
    return {"sha256": digest.hexdigest()}


def compared(found: Mapping[str, str], row: Row) -> Sameness:
    """How what was found compares with what was read at the source."""
    if row.item.kind is Kind.MAIL:
        return compared_mail(found, row.digests)
    if row.item.kind in OBJECTS:
        return compared_objects(found, row.digests)
    return Sameness.IDENTICAL if found["sha256"] == row.digests.get("sha256") else Sameness.DIFFERENT


def read_back(destination: Destination, rows: Iterable[tuple[Row, Place]]) -> Iterator[tuple[Row, str, int]]:
    """Read each row's receipt back; (row, Sameness or "missing", bytes read), in any order.

    Raises TransientError and AccountError as the destination does.
    """
    left = iter(rows)
    while some := list(islice(left, _TOGETHER)):
        if isinstance(destination, Recalls):
            yield from recalled(destination, [one for one in some if is_told(destination, one[0])])
            some = [one for one in some if not is_told(destination, one[0])]
        if isinstance(destination, ReadsBack):
            yield from _together(destination, some)
        else:
            for row, place in some:
                yield _alone(destination, row, receipt_of(row, place))


def _together(destination: Destination, some: Sequence[tuple[Row, Place]]) -> Iterator[tuple[Row, str, int]]:
    waiting: dict[tuple[str, Place], list[Row]] = {}
    receipts = []
    for row, place in some:
        receipts.append(receipt_of(row, place))
        waiting.setdefault((row.receipt or "", place), []).append(row)
    large = []
    answers = destination.read_back(receipts) if isinstance(destination, ReadsBack) else iter(())
    for receipt, body in answers:
        row = waiting[receipt.id, receipt.place].pop()
        if body is None:
            large.append((row, receipt))
        elif isinstance(body, ItemError):
            yield row, MISSING, 0
        elif row.item.kind is Kind.MAIL:
            yield row, compared(fingerprint(body), row), len(body)
        else:
            yield row, compared(found_in((body,), row.item.kind), row), len(body)
    for row, receipt in large:
        yield _alone(destination, row, receipt)


def _alone(destination: Destination, row: Row, receipt: Receipt) -> tuple[Row, str, int]:
    size = 0

    def counted() -> Iterator[bytes]:
        nonlocal size
        for chunk in destination.read(receipt):
            size += len(chunk)
            yield chunk

    try:
        found = found_in(counted(), row.item.kind)
    except ItemError:
        return row, MISSING, size
    return row, compared(found, row), size


def proven(tier: str) -> Evidence:
    """The evidence that a comparison gives."""
    return Evidence.NONE if tier == MISSING else Evidence.READ_BACK
