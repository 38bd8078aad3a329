"""The ledger's part for chat: which rooms there are, where each is, and how it was last closed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from liberate.chat import MERGED
from liberate.connector import Item, Kind, Place
from liberate.errors import ItemError
from liberate.ledger_rows import (
    AGAIN,
    DONE,
    PAGE,
    ROW_COLUMNS,
    Claim,
    Row,
    State,
    forms_text,
    inserted,
    key_of,
    row_from,
)
from liberate.ledger_schema import accounts, items, places, slices
from liberate.ledger_slices import Slices
from liberate.ledger_store import Many

FOUND = "found"  # stands where the digest of a closed room does
MEMBER = "member "
"""What the line of a member who cannot be in a room begins with; no message of any service has such an id."""
_FORMS = Many(items.update().where(items.c.key == sa.bindparam("at")), ("forms",))


@dataclass(slots=True)
class RoomPlace:
    """A room of the source, and where it is at the destination."""

    number: int  # of the place
    place: Place | None  # None: not yet made
    closed: str | None  # digest of the room as it was when it was closed; None: it is open

    @property
    def found(self) -> bool:
        """Whether the room was there before this ledger knew of it: what is in it is looked for before it is sent."""
        return self.closed == FOUND


@dataclass(slots=True)
class RoomCount:
    """What became of a room's messages: listed = moved + merged + left_out + refused + waiting."""

    room: str  # what it is called at the source
    listed: int = 0
    moved: int = 0
    merged: int = 0  # the source has them once more
    left_out: int = 0
    refused: int = 0
    waiting: int = 0
    files: int = 0  # that moved with them
    chain: str = ""  # see link()

    def add(self, state: State, code: str | None) -> None:
        """Count one message more."""
        self.listed += 1
        if state in DONE:
            self.moved += 1
        elif state is State.REFUSED:
            self.refused += 1
        elif state is not State.SKIPPED:
            self.waiting += 1
        elif code == MERGED:
            self.merged += 1
        else:
            self.left_out += 1


def link(chain: str, item: str, sha256: str, receipt: str) -> str:
    """The chain with one message more, in hex: SHA-256 of the chain so far (at first ""), the message's id at the
    source, the SHA-256 of what was read, and its id at the destination, with a line feed between them."""
    return hashlib.sha256("\n".join((chain, item, sha256, receipt)).encode("utf-8", "surrogatepass")).hexdigest()


class Rooms(Slices):
    """What the ledger knows of rooms."""

    def room(self, claim: Claim) -> RoomPlace:
        """The room of the slice."""
        own = (places.c.account == claim.account, places.c.folder == claim.collection.id)
        query = sa.select(places.c.id, places.c.place, places.c.closed).where(*own)
        with self._transaction("room") as db:
            found = db.execute(query).one_or_none()
            if found is None:
                path = json.dumps(claim.collection.path, ensure_ascii=False)
                made = {"account": claim.account, "path": path, "role": "", "name": path}
                db.execute(places.insert().values(**made, folder=claim.collection.id))
                found = db.execute(query).one()
            return RoomPlace(found.id, None if found.place is None else Place(found.place), found.closed)

    def room_opened(self, claim: Claim, room: RoomPlace, place: Place, *, found: bool = False) -> None:
        """Record where the room is, and that things may come into it; `found`: see RoomPlace."""
        closed = FOUND if found else None
        with self._transaction("room opened") as db:
            deadline = self._renew(db, claim)
            db.execute(places.update().where(places.c.id == room.number).values(place=place, closed=closed))
        claim.deadline = deadline
        room.place, room.closed = place, closed

    def room_closed(self, claim: Claim, room: RoomPlace, digest: str | None) -> None:
        """Record that the last things were done for the room as it was then; None: not all of them."""
        with self._transaction("room closed") as db:
            deadline = self._renew(db, claim)
            db.execute(places.update().where(places.c.id == room.number).values(closed=digest))
        claim.deadline = deadline
        room.closed = digest

    def account_for_rooms(self, account: int) -> None:
        """Count what became of each room's messages, chain together what moved, and record both."""
        after = 0
        with self._reading() as db:
            own = slices.c.account == account
            found = db.execute(sa.select(slices.c.id, slices.c.path).where(own).order_by(slices.c.id))
            rooms = {row.id: RoomCount("/".join(json.loads(row.path))) for row in found}
            columns = (items.c.id, items.c.slice, items.c.kind, items.c.item, items.c.state, items.c.code)
            query = (
                sa.select(*columns, items.c.sha256, items.c.receipt)
                .where(items.c.account == account, items.c.part == "", items.c.gone.is_not(True))
                .order_by(items.c.id)
                .limit(20 * PAGE)
            )
            while rows := db.execute(query.where(items.c.id > after)).all():
                after = rows[-1].id
                for _, number, kind, item, state, code, sha256, receipt in rows:
                    if item.startswith(MEMBER):
                        continue
                    room = rooms[number]
                    if kind == Kind.FILE:
                        room.files += state in DONE
                        continue
                    room.add(State(state), code)
                    if state in DONE:
                        room.chain = link(room.chain, item, sha256 or "", receipt or "")
        text = json.dumps([asdict(room) for room in rooms.values()], ensure_ascii=False)
        with self._transaction("rooms accounted") as db:
            db.execute(accounts.update().where(accounts.c.id == account).values(rooms=text))

    def members_refused(self, claim: Claim, refused: Mapping[str, ItemError]) -> bool:
        """Record who of the room's members cannot be in it, and nobody else; whether that is news."""
        own = (items.c.slice == claim.slice, items.c.item.startswith(MEMBER, autoescape=True))
        rows = []
        for member, error in refused.items():
            key = key_of(str(claim.account), claim.collection.id, MEMBER + member)
            rows.append(Row(key, Item(MEMBER + member, Kind.CHAT, ""), "", State.REFUSED, None, refusal=error))
        with self._transaction("members refused") as db:
            deadline = self._renew(db, claim)
            before = set(db.scalars(sa.select(items.c.key).where(*own, items.c.state == State.REFUSED)))
            db.execute(items.delete().where(*own))
            for row in rows:
                db.execute(items.insert().values(**inserted(claim, row)))
        claim.deadline = deadline
        return before != {row.key for row in rows}

    def rooms_to_undo(self, account: int) -> list[tuple[int, Place]]:
        """The rooms that the account has at its destination, those made last first."""
        query = (
            sa.select(places.c.id, places.c.place)
            .where(places.c.account == account, places.c.folder.is_not(None), places.c.place.is_not(None))
            .order_by(places.c.id.desc())
        )
        with self._reading() as db:
            return [(row.id, Place(row.place)) for row in db.execute(query)]

    def shelves(self, account: int) -> list[tuple[int, Place]]:
        """The calendars and address books that the account has at its destination, those made last first."""
        kinds = [Kind.EVENT.value, Kind.CONTACT.value]
        query = (
            sa.select(places.c.id, places.c.place)
            .join(slices, sa.and_(slices.c.account == places.c.account, slices.c.collection == places.c.folder))
            .where(places.c.account == account, slices.c.kind.in_(kinds), places.c.place.is_not(None))
            .order_by(places.c.id.desc())
        )
        with self._reading() as db:
            return [(row.id, Place(row.place)) for row in db.execute(query)]

    def standing_in(self, room: int) -> tuple[int, list[Row]]:
        """How many items stand in the room, and the rows of the files among them."""
        there = (items.c.place == room, items.c.state.in_(DONE))
        files = sa.select(*ROW_COLUMNS).where(*there, items.c.kind == Kind.FILE.value).order_by(items.c.id)
        with self._reading() as db:
            count = db.scalar(sa.select(sa.func.count()).select_from(items).where(*there)) or 0
            return count, [row_from(found) for found in db.execute(files)]

    def room_undone(self, account: int, room: int) -> None:
        """Record that a room was taken away again with all that was in it, as if nothing of it had moved."""
        with self._transaction("room undone") as db:
            own = (items.c.account == account, items.c.place == room)
            db.execute(
                items.update().where(*own, items.c.state.in_((*DONE, State.INTENDED))).values(**AGAIN, mark=None)
            )
            db.execute(places.update().where(places.c.id == room).values(place=None, closed=None))
            db.execute(accounts.update().where(accounts.c.id == account).values(finished=None))

    def retold(self, claim: Claim, rows: Sequence[Row]) -> None:
        """Record what rows that stand at the destination are to be recognised by from now on."""
        with self._transaction("retold") as db:
            deadline = self._renew(db, claim)
            _FORMS.run(db, [{"at": row.key, "forms": forms_text(row.digests)} for row in rows])
        claim.deadline = deadline
