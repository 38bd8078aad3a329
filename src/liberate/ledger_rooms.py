"""The ledger's part for chat: which rooms there are, where each is, and how it was last closed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from liberate.connector import Place
from liberate.ledger_rows import Claim, Row, forms_text
from liberate.ledger_schema import items, places
from liberate.ledger_slices import Slices
from liberate.ledger_store import Many

_FORMS = Many(items.update().where(items.c.key == sa.bindparam("at")), ("forms",))


@dataclass(slots=True)
class RoomPlace:
    """A room of the source, and where it is at the destination."""

    number: int  # of the place
    place: Place | None  # None: not yet made
    closed: str | None  # digest of the room as it was when it was closed; None: it is open


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

    def retold(self, claim: Claim, rows: Sequence[Row]) -> None:
        """Record what rows that stand at the destination are to be recognised by from now on."""
        with self._transaction("retold") as db:
            deadline = self._renew(db, claim)
            _FORMS.run(db, [{"at": row.key, "forms": forms_text(row.digests)} for row in rows])
        claim.deadline = deadline
