"""The ledger's part for chat: which rooms there are, where each is, and how it was last closed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa

from liberate.chat import MERGED
from liberate.connector import Kind, Place
from liberate.ledger_rows import DONE, PAGE, Claim, Row, State, forms_text
from liberate.ledger_schema import accounts, items, places, slices
from liberate.ledger_slices import Slices
from liberate.ledger_store import Many

_FORMS = Many(items.update().where(items.c.key == sa.bindparam("at")), ("forms",))


@dataclass(slots=True)
class RoomPlace:
    """A room of the source, and where it is at the destination."""

    number: int  # of the place
    place: Place | None  # None: not yet made
    closed: str | None  # digest of the room as it was when it was closed; None: it is open


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

    def room_opened(self, claim: Claim, room: RoomPlace, place: Place) -> None:
        """Record where the room is, and that things may come into it."""
        with self._transaction("room opened") as db:
            deadline = self._renew(db, claim)
            db.execute(places.update().where(places.c.id == room.number).values(place=place, closed=None))
        claim.deadline = deadline
        room.place, room.closed = place, None

    def room_closed(self, claim: Claim, room: RoomPlace, digest: str) -> None:
        """Record that the last things were done for the room as it was then."""
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

    def retold(self, claim: Claim, rows: Sequence[Row]) -> None:
        """Record what rows that stand at the destination are to be recognised by from now on."""
        with self._transaction("retold") as db:
            deadline = self._renew(db, claim)
            _FORMS.run(db, [{"at": row.key, "forms": forms_text(row.digests)} for row in rows])
        claim.deadline = deadline
