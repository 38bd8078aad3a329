"""The record of what was meant, sent and proven: one row an item, one transaction a method.

A row walks listed -> intended -> written -> verified, or ends as refused or skipped. `intended` is
committed before the first byte leaves, with all that is needed to recognise the item later at the
destination: its slot, mark, size and digests. Rows are written under a slice's lease: the lease is
renewed in the same transaction, so a worker that lost it can record nothing.

The ledger holds ids, sizes, times, flags, digests, names of folders, files and mail rules, and whom files are
shared with. It holds no secret, no subject, no address of a correspondent, no comment and no content, and can be
handed to an auditor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from liberate.connector import Cursor, Evidence, Item, Kind, Place, Skipped
from liberate.facts import dump_facts, load_facts
from liberate.ledger_accounts import Accounts
from liberate.ledger_rooms import Rooms
from liberate.ledger_rows import (
    DONE,
    INSERTED,
    PAGE,
    ROW_COLUMNS,
    WITHOUT_ORIGINAL,
    Claim,
    Pending,
    Refusal,
    Row,
    State,
    Written,
    described,
    forms_text,
    inserted,
    pages,
    row_from,
    skipped_line,
)
from liberate.ledger_schema import TO_SEND, WAS_SKIPPED, items, places
from liberate.ledger_shares import SharesOfLedger
from liberate.ledger_store import Many
from liberate.ledger_trees import Trees


def _update(*columns: str) -> Many:
    """Sets these columns of the row with the key "at"."""
    return Many(items.update().where(items.c.key == sa.bindparam("at")), columns)


# Built once, with its keys bound as one: SQLAlchemy otherwise takes longer over each key than SQLite does.
_KNOWN = sa.select(items.c.key, items.c.version, items.c.facts_version, items.c.state, items.c.place).where(
    items.c.key.in_(sa.bindparam("keys", expanding=True))
)
_NAMES = sa.select(items.c.place, items.c.folded).where(
    items.c.place.in_(sa.bindparam("places", expanding=True)),
    items.c.folded.in_(sa.bindparam("names", expanding=True)),
)
_STATES = {state.value: state for state in State}
_INSERT = Many(items.insert(), INSERTED)
_PENDING = _update("pending_facts", "pending_version", "pending_label")
_UPDATED = _update("facts", "facts_version", "label", "pending_facts", "pending_version", "pending_label")
_INTEND = _update("state", "name", "mark", "size", "sha256", "forms", "attempts")
_FACTS = _update("facts")
_DATED = _update("modified")
_AS_UPDATED = _update("receipt_version")
_DESCRIBED = _update("version", "item_size", "modified", "said")
_WRITTEN = _update("state", "receipt", "receipt_size", "evidence", "tier", "receipt_version", "receipt_place", "upload")
_MEASURED = _update("size", "sha256", "forms")
_REFUSED = _update("state", "code", "why", "todo", "kept")
_VERIFIED = _update("tier", "state", "evidence")


class Ledger(Accounts, Trees, Rooms, SharesOfLedger):
    """The ledger of one job, in SQLite or PostgreSQL. Thread-safe; open one a process."""

    def known(self, keys: Sequence[str]) -> dict[str, tuple[str, str, State, int | None]]:
        """Of these keys, those with a row: (version, facts_version, state, place number)."""
        out: dict[str, tuple[str, str, State, int | None]] = {}
        with self._reading() as db:
            for some in pages(keys):
                for key, version, facts_version, state, place in db.execute(_KNOWN, {"keys": some}).all():
                    out[key] = (version, facts_version, _STATES[state], place)
        return out

    def listed(
        self,
        claim: Claim,
        rows: Sequence[Row],
        skipped: Sequence[tuple[str, Skipped]] = (),
        changed: Sequence[tuple[str, Item]] = (),
        gone: Sequence[str] = (),
        cursor: Cursor | None = None,
        again: Sequence[Row] = (),
        replaced: Sequence[Row] = (),
        back: Sequence[str] = (),
    ) -> None:
        """Record what a listing brought, and the cursor behind it, together.

        `rows` are new, `skipped` are (key, reason), `changed` are (key, item with new facts) for rows
        that are written, `gone` the keys of what the source no longer has. `again` are rows that have not gone
        and are to be described anew, `replaced` those that stand at the destination with bytes that
        the source has changed, and `back` the keys of what was gone and is there again.
        """
        with self._transaction("listed") as db:
            deadline = self._renew(db, claim, **({} if cursor is None else {"cursor": cursor}))
            new = [inserted(claim, row) for row in rows]
            new += [skipped_line(claim, key, reason) for key, reason in skipped]
            _INSERT.run(db, new)
            if changed:
                _PENDING.run(
                    db,
                    [
                        {
                            "at": key,
                            "pending_facts": dump_facts(item.kind, item.facts),
                            "pending_version": item.facts_version,
                            "pending_label": item.name,
                        }
                        for key, item in changed
                    ],
                )
                times = [
                    {"at": key, "modified": item.modified.timestamp()}
                    for key, item in changed
                    if item.kind is Kind.FILE and item.modified is not None
                ]
                if times:
                    _DATED.run(db, times)
            for row in again:
                values = {name: value for name, value in inserted(claim, row).items() if name != "key"}
                db.execute(items.update().where(items.c.key == row.key).values(**values, upload=None, gone=None))
            self.replaced(db, replaced)
            for some in pages(back):
                db.execute(items.update().where(items.c.key.in_(some)).values(gone=None))
            for some in pages(gone):
                db.execute(items.update().where(items.c.key.in_(some)).values(gone=True))
                # What was never sent and is no longer there cannot be moved any more.
                db.execute(
                    items.update()
                    .where(items.c.key.in_(some), items.c.state == State.LISTED)
                    .values(
                        state=State.SKIPPED,
                        code="deleted-at-source",
                        why="It was deleted at the source before it could be moved.",
                        todo="",
                    )
                )
        claim.deadline = deadline
        if cursor is not None:
            claim.cursor = cursor

    def renumbered(self, claim: Claim) -> None:
        """Record that the source gives its items new ids from here on.

        The cursor goes with the old ids: a listing that breaks off begins again without it, and is
        not told a second time, which would make what came under a new id look like an old one.
        """
        with self._transaction("renumbered") as db:
            deadline = self._renew(db, claim, cursor=None, generation=claim.generation + 1)
        claim.deadline = deadline
        claim.cursor = None
        claim.generation += 1

    def unfinished(self, claim: Claim, state: State, after: int = 0, limit: int = PAGE) -> tuple[list[Row], int]:
        """The next rows of the slice that are listed, or intended, oldest first, and where to go on."""
        columns = (*ROW_COLUMNS, items.c.id)
        query = (
            sa.select(*columns)
            .where(items.c.slice == claim.slice, items.c.state == state, TO_SEND, items.c.id > after)
            .order_by(items.c.id)
            .limit(limit)
        )
        with self._reading() as db:
            found = db.execute(query).all()
        return [row_from(row) for row in found], (found[-1].id if found else after)

    def left_behind(self, claim: Claim, after: int = 0, limit: int = PAGE) -> tuple[list[Row], int]:
        """The next rows of the slice that a policy of the plan left behind, and where to go on."""
        query = (
            sa.select(*ROW_COLUMNS, items.c.id)
            .where(items.c.slice == claim.slice, WAS_SKIPPED, items.c.code.like("policy-%"), items.c.id > after)
            .order_by(items.c.id)
            .limit(limit)
        )
        with self._reading() as db:
            found = db.execute(query).all()
        return [row_from(row) for row in found], (found[-1].id if found else after)

    def pending(self, claim: Claim, limit: int = PAGE) -> list[Pending]:
        """Written rows whose facts changed at the source since, in the order they were listed first."""
        query = (
            sa.select(*ROW_COLUMNS, items.c.pending_facts, items.c.pending_version, items.c.pending_label)
            .where(items.c.slice == claim.slice, items.c.pending_version.is_not(None), items.c.state.in_(DONE))
            .order_by(items.c.id)
            .limit(limit)
        )
        kind = claim.collection.kind
        with self._reading() as db:
            return [
                Pending(
                    row_from(row),
                    load_facts(kind, row.pending_facts),
                    row.pending_version,
                    row.label if row.pending_label is None else row.pending_label,
                )
                for row in db.execute(query)
            ]

    def updated(self, claim: Claim, done: Sequence[Pending], versions: Mapping[str, str] | None = None) -> None:
        """Record that changed facts stand at the destination too (or cannot, which is final as well).

        `versions` are those that what stands there has since, by key, where the destination says so.
        """
        with self._transaction("updated") as db:
            deadline = self._renew(db, claim)
            _UPDATED.run(
                db,
                [
                    {
                        "at": one.row.key,
                        "facts": dump_facts(one.row.item.kind, one.facts),
                        "facts_version": one.version,
                        "label": one.label,
                        "pending_facts": None,
                        "pending_version": None,
                        "pending_label": None,
                    }
                    for one in done
                ],
            )
            if versions:
                _AS_UPDATED.run(db, [{"at": key, "receipt_version": version} for key, version in versions.items()])
        claim.deadline = deadline

    def intend(self, claim: Claim, rows: Sequence[Row]) -> None:
        """Record what is about to be sent and where, before the first byte leaves."""
        with self._transaction("intend") as db:
            deadline = self._renew(db, claim)
            _INTEND.run(
                db,
                [
                    {
                        "at": row.key,
                        "state": State.INTENDED.value,
                        "name": row.name,
                        "mark": row.mark,
                        "size": row.size,
                        "sha256": row.digests.get("sha256"),
                        "forms": forms_text(row.digests),
                        "attempts": row.attempts + 1,
                    }
                    for row in rows
                ],
            )
            _FACTS.run(
                db,
                [{"at": row.key, "facts": dump_facts(row.item.kind, row.item.facts)} for row in rows if row.enriched],
            )
            _DESCRIBED.run(db, [{"at": row.key, **described(row.item)} for row in rows if row.redescribed])
        claim.deadline = deadline
        for row in rows:
            row.state = State.INTENDED
            row.attempts += 1

    def written(self, claim: Claim, done: Sequence[Written], refused: Sequence[Refusal] = ()) -> None:
        """Record receipts and refusals."""
        with self._transaction("written") as db:
            deadline = self._renew(db, claim)
            if done:
                _WRITTEN.run(
                    db,
                    [
                        {
                            "at": one.row.key,
                            "state": State.WRITTEN.value,
                            "receipt": one.receipt.id,
                            "receipt_size": one.receipt.size,
                            "evidence": one.receipt.evidence.value,
                            "tier": one.tier,
                            "receipt_version": one.receipt.version,
                            "receipt_place": None,
                            "upload": None,
                        }
                        for one in done
                    ],
                )
            _MEASURED.run(
                db,
                [
                    {
                        "at": one.row.key,
                        "size": one.row.size,
                        "sha256": one.row.digests.get("sha256"),
                        "forms": forms_text(one.row.digests),
                    }
                    for one in done
                    if one.measured
                ],
            )
            if refused:
                _REFUSED.run(
                    db,
                    [
                        {
                            "at": one.row.key,
                            "state": (State.SKIPPED if one.skipped else State.REFUSED).value,
                            "code": one.code,
                            "why": one.why,
                            "todo": one.todo,
                            "kept": one.kept,
                        }
                        for one in refused
                    ],
                )
        claim.deadline = deadline
        for one in done:
            one.row.state = State.WRITTEN
            one.row.receipt = one.receipt.id
        for each in refused:
            each.row.state = State.SKIPPED if each.skipped else State.REFUSED

    def adopted(self, claim: Claim, pairs: Sequence[tuple[Row, Row]]) -> None:
        """Give new rows (first) the receipts of the old rows (second) that the source renumbered."""
        with self._transaction("adopted") as db:
            deadline = self._renew(db, claim)
            for new, old in pairs:
                db.execute(items.delete().where(items.c.key == old.key))
                db.execute(
                    items.update()
                    .where(items.c.key == new.key)
                    .values(
                        state=old.state,
                        name=old.name,
                        mark=old.mark,
                        size=old.size,
                        sha256=old.digests.get("sha256"),
                        forms=forms_text(old.digests),
                        receipt=old.receipt,
                        receipt_size=old.receipt_size,
                        evidence=old.evidence,
                        tier=old.tier,
                        place=old.place_id,
                    )
                )
        claim.deadline = deadline

    def moved_before(self, claim: Claim, sha256s: Sequence[str]) -> list[Row]:
        """Rows written before the source last renumbered whose bytes have these digests."""
        query = (
            sa.select(*ROW_COLUMNS)
            .where(
                items.c.slice == claim.slice,
                items.c.generation < claim.generation,
                items.c.state.in_(DONE),
                items.c.sha256.in_(sha256s),
            )
            .order_by(items.c.id)
        )
        with self._reading() as db:
            return [row_from(row) for row in db.execute(query)]

    def copies_of(self, key: str) -> list[Row]:
        """The copies of an item that stand at the destination."""
        query = sa.select(*ROW_COLUMNS).where(items.c.copy_of == key, items.c.state.in_(DONE)).order_by(items.c.id)
        with self._reading() as db:
            return [row_from(row) for row in db.execute(query)]

    def unproven(self, claim: Claim, limit: int = PAGE) -> list[Row]:
        """Written rows of the slice that were never read back."""
        query = (
            sa.select(*ROW_COLUMNS)
            .where(items.c.slice == claim.slice, items.c.state == State.WRITTEN, items.c.tier.is_(None))
            .order_by(items.c.id)
            .limit(limit)
        )
        with self._reading() as db:
            return [row_from(row) for row in db.execute(query)]

    def names_in(self, place: int, folded: Sequence[str]) -> set[str]:
        """Of these names, each as fold() gives it, those that items in this place have."""
        out: set[str] = set()
        with self._reading() as db:
            for some in pages(folded):
                query = sa.select(items.c.folded).where(items.c.place == place, items.c.folded.in_(some))
                out.update(db.scalars(query))
        return out

    def names_among(self, wanted: Sequence[tuple[int, str]]) -> set[tuple[int, str]]:
        """Of these (place number, folded name), those that items have."""
        out: set[tuple[int, str]] = set()
        with self._reading() as db:
            for at in range(0, len(wanted), PAGE):
                some = wanted[at : at + PAGE]
                asked = {"places": list({place for place, _ in some}), "names": list({name for _, name in some})}
                out.update((place, folded) for place, folded in db.execute(_NAMES, asked).all())
        return out & set(wanted)

    def originals(self, keys: Sequence[str]) -> dict[str, Row]:
        """The rows of these keys."""
        out: dict[str, Row] = {}
        with self._reading() as db:
            for some in pages(keys):
                for row in db.execute(sa.select(*ROW_COLUMNS).where(items.c.key.in_(some))):
                    out[row.key] = row_from(row)
        return out

    def taken(self, place: int, receipts: Sequence[str]) -> set[str]:
        """Of these receipts in this place, those that belong to items."""
        out: set[str] = set()
        with self._reading() as db:
            for some in pages(receipts):
                query = sa.select(items.c.receipt).where(items.c.place == place, items.c.receipt.in_(some))
                out.update(db.scalars(query))
        return out

    def moved(self, account: int) -> tuple[int, int]:
        """How many items of the account stand at the destination, and their bytes."""
        query = (
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(items.c.size), 0))
            .select_from(items)
            .where(items.c.account == account, items.c.part == "", items.c.state.in_(DONE))
        )
        with self._reading() as db:
            count, size = db.execute(query).one()
            return int(count), int(size)

    # Proof ---------------------------------------------------------------------------------------

    def to_verify(self, account: int, after: int = 0, limit: int = PAGE) -> tuple[list[tuple[Row, Place]], int]:
        """The next rows that stand at the destination, with their places, in the order they were listed."""
        query = (
            sa.select(*ROW_COLUMNS, items.c.id, places.c.place.label("where"))
            .join(places, items.c.place == places.c.id)
            .where(items.c.account == account, items.c.state.in_(DONE), items.c.id > after)
            .order_by(items.c.id)
            .limit(limit)
        )
        with self._reading() as db:
            found = db.execute(query).all()
        out = [(row_from(row), Place(row.where)) for row in found]
        return out, (found[-1].id if found else after)

    def verified(self, results: Sequence[tuple[Row, str]], evidence: Evidence = Evidence.READ_BACK) -> None:
        """Record how rows compared when they were looked at again: a Sameness, or "missing"; and how that was seen."""
        with self._transaction("verified") as db:
            good = {"identical", "line-ends", "rewritten", "altered"}
            _VERIFIED.run(
                db,
                [
                    {
                        "at": row.key,
                        "tier": tier,
                        "state": (State.VERIFIED if tier in good else State.WRITTEN).value,
                        "evidence": (evidence if tier != "missing" else Evidence.NONE).value,
                    }
                    for row, tier in results
                ],
            )

    def retry(self, code: str | None = None, account: int | None = None) -> int:
        """Put refused rows back to listed, and refused shares; how many."""
        with self._transaction("retry") as db:
            query = items.update().where(items.c.state == State.REFUSED)
            if code is not None:
                query = query.where(items.c.code == code)
            if account is not None:
                query = query.where(items.c.account == account)
            # A row that was sent before stays intended: the destination is asked before it is sent again.
            sent = items.c.mark.is_not(None) | (items.c.attempts > 0)
            done = db.execute(
                query.values(state=sa.case((sent, State.INTENDED), else_=State.LISTED), code=None, why=None, todo=None)
            )
            original = items.alias()
            waits = original.c.state.in_((State.LISTED, State.INTENDED))
            db.execute(  # what did not go for want of its original goes with it
                items.update()
                .where(
                    WAS_SKIPPED,
                    items.c.code == WITHOUT_ORIGINAL,
                    sa.exists().where(original.c.key == items.c.copy_of, waits),
                )
                .values(state=State.LISTED, code=None, why=None, todo=None)
            )
            return int(done.rowcount) + self.share_again(db, code, account)
