"""The ledger's slices, and the leases under which they are worked on."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from liberate.connector import Collection, Cursor, Kind
from liberate.ledger_rows import (
    Claim,
    LeaseLost,
)
from liberate.ledger_schema import slices
from liberate.ledger_store import Store, number_of

_RENEW = slices.update().where(
    slices.c.id == sa.bindparam("slice"),
    slices.c.owner == sa.bindparam("holder"),
    slices.c.epoch == sa.bindparam("term"),
    slices.c.lease_until > sa.bindparam("now"),
)
"""Every transaction on rows holds this one, with what else of the slice changes among its values."""


class Slices(Store):
    """Which slices there are, and who works on them."""

    def collections(self, account: int, found: Iterable[Collection]) -> list[int]:
        """Record the account's collections; their slices, in the order found."""
        with self._transaction("collections") as db:
            have = {
                row.collection: row
                for row in db.execute(sa.select(slices).where(slices.c.account == account).order_by(slices.c.id))
            }
            out = []
            for collection in found:
                values = {
                    "path": json.dumps(collection.path, ensure_ascii=False),
                    "kind": collection.kind.value,
                    "ordered": collection.ordered,
                    "role": collection.role,
                    "expected": collection.count,
                }
                row = have.get(collection.id)
                if row is None:
                    done = db.execute(
                        slices.insert().values(account=account, collection=collection.id, epoch=0, **values)
                    )
                    out.append(number_of(done))
                    continue
                if any(getattr(row, name) != value for name, value in values.items()):
                    db.execute(slices.update().where(slices.c.id == row.id).values(**values))
                out.append(row.id)
            return out

    def slices_of(self, account: int) -> list[int]:
        """The slices recorded for an account."""
        with self._reading() as db:
            query = sa.select(slices.c.id).where(slices.c.account == account).order_by(slices.c.id)
            return list(db.scalars(query))

    def claim(self, number: int, *, alone: bool = False) -> Claim | None:
        """A lease on the slice; None while another worker holds it.

        `alone` says that the caller holds the whole job (Hold), so that every other owner is dead.
        """
        with self._transaction("claim") as db:
            sent = self._monotonic()
            now = self._now(db)
            query = sa.select(slices).where(slices.c.id == number)
            row = db.execute(query if self._sqlite else query.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            held = row.owner is not None and (row.owner == self.owner or not alone)
            if held and row.lease_until is not None and row.lease_until > now:
                return None
            epoch = row.epoch + 1
            db.execute(
                slices.update()
                .where(slices.c.id == number)
                .values(owner=self.owner, epoch=epoch, lease_until=now + self.lease)
            )
            collection = Collection(
                row.collection, tuple(json.loads(row.path)), Kind(row.kind), row.ordered, row.role, row.expected
            )
            cursor = None if row.cursor is None else Cursor(row.cursor)
            return Claim(number, row.account, collection, cursor, row.generation, self.owner, epoch, sent + self.lease)

    def _renew(self, db: sa.Connection, claim: Claim, **values: Any) -> float:
        """Renew the lease inside a transaction, or raise LeaseLost; the new local deadline."""
        sent = self._monotonic()
        if sent >= claim.deadline:
            raise LeaseLost("The lease on this slice ran out.")
        now = self._now(db)
        held = {"slice": claim.slice, "holder": claim.owner, "term": claim.epoch, "now": now}
        done = db.execute(_RENEW, {**held, "lease_until": now + self.lease, **values})
        if done.rowcount != 1:
            raise LeaseLost("Another worker took this slice.")
        return sent + self.lease

    def renew(self, claim: Claim, *, if_less_than: float | None = None) -> None:
        """Renew the lease if less of it is left than `if_less_than` seconds (default: a third). Raises LeaseLost."""
        wanted = self.lease / 3 if if_less_than is None else if_less_than
        left = claim.deadline - self._monotonic()
        if left <= 0:
            raise LeaseLost("The lease on this slice ran out.")
        if left < wanted:
            with self._transaction("renew") as db:
                deadline = self._renew(db, claim)
            claim.deadline = deadline

    def release(self, claim: Claim) -> None:
        """Give the slice back."""
        with self._transaction("release") as db:
            db.execute(
                slices.update()
                .where(slices.c.id == claim.slice, slices.c.owner == claim.owner, slices.c.epoch == claim.epoch)
                .values(owner=None, lease_until=None)
            )
