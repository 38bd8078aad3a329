"""The ledger's part for files: folders that are items, names that change, bodies in pieces, what is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from liberate.connector import Kind, Place, Receipt, inside
from liberate.errors import ItemError
from liberate.ledger_rows import (
    AGAIN,
    DONE,
    PAGE,
    ROW_COLUMNS,
    Claim,
    Row,
    State,
    described,
    forms_text,
    pages,
    row_from,
)
from liberate.ledger_schema import accounts, items, places
from liberate.ledger_slices import Slices
from liberate.ledger_store import Many

_FOLDER = Many(places.insert(), ("account", "path", "role", "name", "folder", "undated"))
_MADE = Many(places.update().where(places.c.id == sa.bindparam("at")), ("place",))
_STALE = Many(places.update().where(places.c.id == sa.bindparam("at")), ("undated",))
_REPLACED = Many(
    items.update().where(items.c.key == sa.bindparam("at")),
    (
        "state",
        "version",
        "item_size",
        "modified",
        "said",
        "attempts",
        "size",
        "sha256",
        "forms",
        "gone",
        "receipt_sha256",
    ),
)


@dataclass(frozen=True, slots=True)
class TreeFolder:
    """A folder that is an item, and the place that it is at the destination."""

    number: int  # of the place
    item: str  # its id at the source
    place: Place | None  # None: not yet made


class Trees(Slices):
    """What the ledger knows of trees of files."""

    def tree(self, claim: Claim) -> dict[str, TreeFolder]:
        """The folders of the slice, by item id."""
        query = (
            sa.select(items.c.item, places.c.id, places.c.place)
            .join(places, places.c.folder == items.c.key)
            .where(items.c.slice == claim.slice, places.c.account == claim.account, places.c.folder != "")
        )
        with self._reading() as db:
            return {
                row.item: TreeFolder(row.id, row.item, None if row.place is None else Place(row.place))
                for row in db.execute(query)
            }

    def folders(self, claim: Claim, rows: Sequence[Row]) -> dict[str, TreeFolder]:
        """Give each folder a place, not yet made; the places by item id. Those that have one keep it."""
        with self._transaction("folders") as db:
            deadline = self._renew(db, claim)
            keys = [row.key for row in rows]
            have = self._folder_numbers(db, keys)
            _FOLDER.run(
                db,
                [
                    {"account": claim.account, "path": "[]", "role": "", "name": "[]", "folder": key, "undated": True}
                    for key in keys
                    if key not in have
                ],
            )
            have = self._folder_numbers(db, keys)
        claim.deadline = deadline
        return {row.item.id: TreeFolder(*have[row.key][:1], row.item.id, have[row.key][1]) for row in rows}

    @staticmethod
    def _folder_numbers(db: sa.Connection, keys: Sequence[str]) -> dict[str, tuple[int, Place | None]]:
        out: dict[str, tuple[int, Place | None]] = {}
        for some in pages(keys):
            query = sa.select(places.c.folder, places.c.id, places.c.place).where(places.c.folder.in_(some))
            for row in db.execute(query):
                out[row.folder] = row.id, None if row.place is None else Place(row.place)
        return out

    def folders_made(self, claim: Claim, made: Sequence[tuple[int, Place]]) -> None:
        """Record where folders stand."""
        with self._transaction("folders made") as db:
            deadline = self._renew(db, claim)
            _MADE.run(db, [{"at": number, "place": place} for number, place in made])
        claim.deadline = deadline

    def renamed_row(self, claim: Claim, row: Row, note: ItemError | None = None) -> None:
        """Record the other name that a row gets which has not gone under its first, with the reason to tell.

        What it was to replace is let go of: it becomes an item of its own beside that.
        """
        with self._transaction("renamed row") as db:
            deadline = self._renew(db, claim)
            values = {"name": row.name, "folded": row.folded, "receipt": None, "receipt_size": None}
            db.execute(items.update().where(items.c.key == row.key).values(**values, receipt_version=None, upload=None))
            if note is not None:
                told = {"code": note.code, "why": note.why, "todo": note.todo}
                db.execute(items.update().where(items.c.key == row.key).values(**told))
        claim.deadline = deadline
        row.receipt = row.receipt_size = row.upload = None
        row.receipt_version = ""

    def left(self, claim: Claim, row: Row, receipt: Receipt) -> None:
        """Record what another attempt left under a row's name, so that the next one replaces it.

        Recorded too is what the row says of the bytes to be sent, so that what was left is not taken for them.
        """
        with self._transaction("left") as db:
            deadline = self._renew(db, claim)
            values = {
                "receipt": receipt.id,
                "receipt_size": receipt.size,
                "receipt_version": receipt.version,
                "receipt_sha256": receipt.digests.get("sha256"),
            }
            meant = {"size": row.size, "sha256": row.digests.get("sha256"), "forms": forms_text(row.digests)}
            db.execute(
                items.update().where(items.c.key == row.key).values(**values, **meant, upload=None, mark=row.mark)
            )
        claim.deadline = deadline
        row.receipt, row.receipt_size, row.receipt_version = receipt.id, receipt.size, receipt.version
        row.receipt_sha256, row.upload = receipt.digests.get("sha256"), None

    def uploading(self, claim: Claim, row: Row, upload: str | None) -> None:
        """Record that a body goes in pieces, under which id; None: not any more."""
        with self._transaction("uploading") as db:
            deadline = self._renew(db, claim)
            db.execute(items.update().where(items.c.key == row.key).values(upload=upload))
        claim.deadline = deadline
        row.upload = upload

    def replaced(self, db: sa.Connection, rows: Sequence[Row]) -> None:
        """Within `listed`: what stands at the destination is to be replaced by what the source has now."""
        for some in pages([row.key for row in rows]):
            did_not_go = items.c.state.in_((State.SKIPPED, State.REFUSED))
            here = items.update().where(items.c.key.in_(some), did_not_go)
            db.execute(here.values(code=None, why=None, todo=None))
        _REPLACED.run(
            db,
            [
                {"at": row.key, "state": State.LISTED.value, **described(row.item), "attempts": 0}
                | {"size": None, "sha256": None, "forms": None, "gone": None, "receipt_sha256": row.receipt_sha256}
                for row in rows
            ],
        )

    # Moving --------------------------------------------------------------------------------------

    def moving(self, claim: Claim, row: Row, place: int, name: str, folded: str) -> None:
        """Record where a row that stands at the destination will be moved, before it is."""
        was = row.place_id if row.receipt_place is None else row.receipt_place
        with self._transaction("moving") as db:
            deadline = self._renew(db, claim)
            values: dict[str, Any] = {"place": place, "name": name, "folded": folded, "receipt_place": was}
            db.execute(items.update().where(items.c.key == row.key).values(**values))
        claim.deadline = deadline
        row.place_id, row.name, row.folded, row.receipt_place = place, name, folded, was

    def moved_row(self, claim: Claim, row: Row, receipt: Receipt, folder: Place | None = None) -> None:
        """Record that it was moved; `folder` is the place that it is now, with all places below it."""
        with self._transaction("moved row") as db:
            deadline = self._renew(db, claim)
            values: dict[str, Any] = {"receipt": receipt.id, "receipt_place": None}
            if receipt.version:
                values["receipt_version"] = receipt.version
            db.execute(items.update().where(items.c.key == row.key).values(**values))
            for number in {row.place_id, row.receipt_place} - {None}:
                db.execute(places.update().where(places.c.id == number).values(undated=True))
            if folder is not None:
                self._relocate(db, claim.account, row.key, folder)
        claim.deadline = deadline
        row.receipt, row.receipt_place = receipt.id, None
        row.receipt_version = receipt.version or row.receipt_version

    @staticmethod
    def _relocate(db: sa.Connection, account: int, key: str, folder: Place) -> None:
        old = db.scalar(sa.select(places.c.place).where(places.c.folder == key))
        if old is None or old == folder:
            return
        below = inside(Place(old), "")
        head = sa.func.substr(places.c.place, 1, len(below))
        db.execute(places.update().where(places.c.folder == key).values(place=folder, undated=True))
        db.execute(
            places.update()
            .where(places.c.account == account, places.c.folder != "", head == below)
            .values(place=sa.literal(folder) + sa.func.substr(places.c.place, len(below)))
        )

    def unmoved(self, claim: Claim) -> list[Row]:
        """Rows that were about to be moved when an earlier attempt ended."""
        query = (
            sa.select(*ROW_COLUMNS)
            .where(items.c.slice == claim.slice, items.c.receipt_place.is_not(None))
            .order_by(items.c.id)
        )
        with self._reading() as db:
            return [row_from(row) for row in db.execute(query)]

    # Gone ----------------------------------------------------------------------------------------

    def not_among(self, claim: Claim, seen: set[bytes]) -> list[str]:
        """Keys of the slice's rows that a whole listing did not name: `seen` are the keys it named, as bytes."""
        out: list[str] = []
        after = 0
        here = (items.c.account == claim.account, items.c.slice == claim.slice, items.c.gone.is_not(True))
        with self._reading() as db:
            if db.scalar(sa.select(sa.func.count()).where(*here)) == len(seen):
                return out  # whatever is named has a row by now
            while True:
                query = (
                    sa.select(items.c.id, items.c.key)
                    .where(*here, items.c.id > after)
                    .order_by(items.c.id)
                    .limit(20 * PAGE)
                )
                found = db.execute(query).all()
                if not found:
                    return out
                after = found[-1].id
                out += [row.key for row in found if bytes.fromhex(row.key) not in seen]

    def given_up(self, claim: Claim) -> set[str]:
        """Keys of the slice's rows that the source no longer had, those among them that never went for that reason."""
        never_went = sa.and_(items.c.state == State.SKIPPED, items.c.code == "deleted-at-source")
        with self._reading() as db:
            query = sa.select(items.c.key).where(
                items.c.slice == claim.slice, sa.or_(items.c.gone.is_(True), never_went)
            )
            return set(db.scalars(query))

    def gone_rows(self, account: int) -> list[tuple[Row, Place]]:
        """What stands at the destination and is gone at the source, what was listed last first."""
        query = (
            sa.select(*ROW_COLUMNS, places.c.place.label("where"))
            .join(places, items.c.place == places.c.id)
            .where(
                items.c.account == account,
                items.c.gone.is_(True),
                items.c.state.in_(DONE),
                sa.func.coalesce(items.c.code, "") != "gone-and-kept",
            )
            .order_by(items.c.id.desc())
        )
        with self._reading() as db:
            return [(row_from(row), Place(row.where)) for row in db.execute(query)]

    def removed(self, account: int, keys: Iterable[str], code: str, why: str, todo: str = "") -> None:
        """Record that items were taken from the destination again, and why; their names are free."""
        with self._transaction("removed") as db:
            for some in pages(list(keys)):
                db.execute(
                    items.update()
                    .where(items.c.account == account, items.c.key.in_(some))
                    .values(
                        state=State.SKIPPED, code=code, why=why, todo=todo, folded=None, receipt=None, tier=None,
                        evidence=None, receipt_version=None,
                    )
                )  # fmt: skip
                db.execute(places.update().where(places.c.folder.in_(some)).values(place=None, undated=False))

    def stays(self, key: str, code: str, why: str, todo: str) -> None:
        """Note something about a row that stands at the destination; once noted it is not looked at again for that."""
        with self._transaction("stays") as db:
            db.execute(items.update().where(items.c.key == key).values(code=code, why=why, todo=todo))

    def standing(self, account: int) -> Iterator[tuple[Place, str]]:
        """(place, receipt) of all that stands at the destination, in any order."""
        after = 0
        while True:
            query = (
                sa.select(items.c.id, items.c.receipt, places.c.place)
                .join(places, items.c.place == places.c.id)
                .where(items.c.account == account, items.c.state.in_(DONE), items.c.id > after)
                .order_by(items.c.id)
                .limit(20 * PAGE)
            )
            with self._reading() as db:
                found = db.execute(query).all()
            if not found:
                return
            after = found[-1].id
            for row in found:
                yield Place(row.place or ""), row.receipt or ""

    def to_undo(self, account: int, before: int | None = None) -> tuple[list[tuple[Row, Place, Kind]], int]:
        """The next rows that stand at the destination, what was listed last first, and where to go on."""
        query = (
            sa.select(*ROW_COLUMNS, items.c.id, places.c.place.label("where"))
            .join(places, items.c.place == places.c.id)
            .where(items.c.account == account, items.c.state.in_(DONE))
            .order_by(items.c.id.desc())
            .limit(PAGE)
        )
        if before is not None:
            query = query.where(items.c.id < before)
        with self._reading() as db:
            found = db.execute(query).all()
        out = [(row_from(row), Place(row.where or ""), Kind(row.kind)) for row in found]
        return out, (found[-1].id if found else 0)

    def undone(self, account: int, keys: Iterable[str]) -> None:
        """Record that items were taken from the destination again, as if they had not moved."""
        with self._transaction("undone") as db:
            for some in pages(list(keys)):
                db.execute(items.update().where(items.c.account == account, items.c.key.in_(some)).values(**AGAIN))
                db.execute(places.update().where(places.c.folder.in_(some)).values(place=None, undated=True))
            db.execute(accounts.update().where(accounts.c.id == account).values(finished=None))

    # Times ---------------------------------------------------------------------------------------

    def touched(self, claim: Claim, numbers: Iterable[int]) -> None:
        """Record that something is put into these folders, which changes their times and those above."""
        with self._transaction("touched") as db:
            deadline = self._renew(db, claim)
            _STALE.run(db, [{"at": number, "undated": True} for number in sorted(numbers)])
        claim.deadline = deadline

    def undated(self, account: int) -> list[tuple[Row, Place]]:
        """Folders whose times are to be set, and all above them, deepest first: (row, the place it stands in)."""
        above = places.alias()
        query = (
            sa.select(
                *ROW_COLUMNS, places.c.id.label("number"), places.c.place.label("there"), places.c.undated,
                above.c.place.label("where"),
            )
            .join(places, places.c.folder == items.c.key)
            .join(above, items.c.place == above.c.id)
            .where(places.c.account == account, places.c.folder != "", places.c.place.is_not(None))
        )  # fmt: skip
        stale = sa.select(places.c.place).where(places.c.account == account, places.c.undated == sa.true())
        with self._reading() as db:
            marked = [one for one in db.scalars(stale) if one]
            if not marked:
                return []
            wanted = {place[:end] for place in marked for end in _ends(place)}
            found = [row for row in db.execute(query) if row.there in wanted]
            found.sort(key=lambda row: row.there.count("/"), reverse=True)
            return [(row_from(row), Place(row.where)) for row in found if row.state in DONE]

    def dated(self, account: int) -> None:
        """Record that every folder of the account has its time."""
        with self._transaction("dated") as db:
            stale = (places.c.account == account, places.c.undated == sa.true())
            db.execute(places.update().where(*stale).values(undated=False))

    # Notes ---------------------------------------------------------------------------------------

    def without_notes(self, account: int, limit: int = PAGE) -> list[tuple[Row, Place]]:
        """Items that stand at the destination without the comments that they have at the source."""
        query = (
            sa.select(*ROW_COLUMNS, places.c.place.label("where"))
            .join(places, items.c.place == places.c.id)
            .where(
                items.c.account == account, items.c.state.in_(DONE), items.c.noted.is_(None),
                items.c.facts.like('%"notes":%'),
            )
            .order_by(items.c.id)
            .limit(limit)
        )  # fmt: skip
        with self._reading() as db:
            return [(row_from(row), Place(row.where)) for row in db.execute(query)]

    def noted(self, keys: Iterable[str]) -> None:
        """Record that these items have their comments, or that they cannot."""
        with self._transaction("noted") as db:
            for some in pages(list(keys)):
                db.execute(items.update().where(items.c.key.in_(some)).values(noted=True))


def _ends(place: str) -> Iterator[int]:
    """Where the path and each path above it ends."""
    end = len(place)
    while end > 0:
        yield end
        end = place.rfind("/", 0, end)
