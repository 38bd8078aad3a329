"""Reading back what the destination holds, by receipt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from liberate.connector import Place, Receipt
from liberate.errors import ItemError
from liberate_imap import fetch, refusals
from liberate_imap.grammar import chunks
from liberate_imap.session import Session

_READ = 200


def split(receipt: Receipt) -> tuple[int, int]:
    """UIDVALIDITY and UID of a receipt."""
    validity, _, uid = receipt.id.partition(":")
    return int(validity), int(uid)


def read(session: Session, receipt: Receipt) -> Iterator[bytes]:
    """The message in chunks. Raises ItemError("gone") if it is no longer there."""
    validity, uid = split(receipt)
    if session.current(receipt.place) != validity:
        raise refusals.gone()
    empty = True
    for chunk in fetch.stream(session, uid, 0, lambda: session.reselect(receipt.place)):
        empty = False
        yield chunk
    if empty:
        raise refusals.gone()


def read_back(session: Session, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
    """Each receipt once, those of one folder together."""
    places: defaultdict[Place, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        places[receipt.place].append(receipt)
    for place, group in places.items():
        validity = session.current(place)
        wanted: defaultdict[int, list[Receipt]] = defaultdict(list)
        for receipt in group:
            if split(receipt)[0] == validity:
                wanted[split(receipt)[1]].append(receipt)
            else:
                yield receipt, refusals.gone()
        for uids in chunks(sorted(wanted), _READ):
            session.reselect(place)
            large: list[Receipt] = []
            for uid, data in fetch.bodies(session, uids):
                for receipt in wanted.pop(uid, ()):
                    if data is None:
                        large.append(receipt)  # last, when nothing is under way: the caller will call read
                    else:
                        yield receipt, data
            for receipt in large:
                yield receipt, None
            for uid in uids:
                for receipt in wanted.pop(uid, ()):
                    yield receipt, refusals.gone()
