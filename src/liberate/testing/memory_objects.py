"""A destination of events and contacts in memory that is right by the contract: see KeepsObjects."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

from liberate.connector import (
    CHANGED_THERE,
    UID_TAKEN,
    Batch,
    Body,
    Collection,
    Evidence,
    Outcome,
    Place,
    Receipt,
    Slot,
    Taken,
)
from liberate.errors import ItemError
from liberate.mail import Sameness
from liberate.naming import Rules
from liberate.pim import Looks, compared, object_digests
from liberate.testing.memory import unwatched
from liberate.testing.memory_shelf import CHUNK
from liberate.testing.memory_store import Store, Stored

LOOKS = "\0looks"  # of each calendar and address book, beside what is in it
_RULES = Rules(forbidden=frozenset("/"))


def _as_it_is(body: bytes) -> bytes:
    return body


class ObjectsDestination:
    """See KeepsObjects, WritesMany and Removes.

    `written` is how the server writes what it is given: some write every object in their own way.
    """

    line_ends: Literal["any", "crlf"] = "any"
    batch = Batch(20, 100_000)

    def __init__(
        self,
        store: Store,
        *,
        card: Literal["3.0", "4.0"] = "4.0",
        mails: bool = False,
        written: Callable[[bytes], bytes] = _as_it_is,
        step: Callable[[str], None] = unwatched,
    ) -> None:
        self._store = store
        self._card: Literal["3.0", "4.0"] = card
        self._mails = mails
        self._written = written
        self._do = step

    @property
    def rules(self) -> Rules:
        """See Destination."""
        return _RULES

    def prepare(self, collection: Collection) -> Place:
        """See KeepsObjects: nobody calls it."""
        raise AssertionError(f"{collection.kind} is not prepared")

    def open_collection(self, key: str, collection: Collection, looks: Looks) -> Place:
        """See KeepsObjects."""
        place = Place(f"{collection.kind} {key[:8]}")
        self._store.make(LOOKS)
        with self._store.together:
            if str(place) not in self._store.places():
                told = {"name": looks.name, "colour": looks.colour}
                self._do("before make")
                self._store.change(
                    ("make", place, None),
                    ("put", LOOKS, Stored(place, json.dumps(told).encode(), collection.kind)),
                )
                self._do("after make")
        return place

    def card_version(self, place: Place) -> Literal["3.0", "4.0"]:
        """See KeepsObjects."""
        return self._card

    def mails_reminders(self, place: Place) -> bool:
        """See KeepsObjects."""
        return self._mails

    def remove_collection(self, place: Place) -> None:
        """See KeepsObjects."""
        with self._store.together:
            if str(place) in self._store.places():
                if self._store.held(place):
                    raise ItemError(CHANGED_THERE, "Somebody keeps something in it.")
                looks = self._store.one(LOOKS, place)
                self._store.change(("drop", place, None), ("remove", LOOKS, looks))

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination."""
        out = {}
        for slot in slots:
            one = self._store.one(slot.place, slot.name)
            if one is None or taken(slot.place, [one.id]):
                continue
            if compared(object_digests(one.body, one.body), slot.item.digests) is not Sameness.DIFFERENT:
                out[slot.key] = self._receipt(slot.place, one)
        return out

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See KeepsObjects."""
        data = b"".join(iter(lambda: body.read(CHUNK), b""))
        stored = self._written(data)
        sent = object_digests(data, data)
        with self._store.together:
            there = self._store.one(slot.place, slot.name)
            if there is not None and compared(object_digests(there.body, there.body), sent) is not Sameness.DIFFERENT:
                return self._receipt(slot.place, there)  # an attempt that ended before it was recorded
            if slot.replaces is None:
                if there is not None:
                    raise ItemError(UID_TAKEN, "Something else has this UID there.", "Compare the two by hand.")
            elif there is None:
                raise ItemError("gone", "Its owner deleted it there.")
            elif there.version != slot.replaces.version:
                raise ItemError(CHANGED_THERE, "Its owner changed it there.")
            self._do("before put")
            version = hashlib.sha256(stored).hexdigest()[:12]
            one = Stored(slot.name, stored, slot.item.kind, slot.item.facts, slot.key, version=version)
            self._store.change(("put", slot.place, one))
            self._do("after put")
            return self._receipt(slot.place, one)

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany."""
        for slot, data in parts:
            try:
                yield slot, self.write(slot, _Whole(data))
            except ItemError as error:
                yield slot, error

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination."""
        one = self._store.one(receipt.place, receipt.id)
        if one is None:
            raise ItemError("gone", "It is no longer there.")
        for at in range(0, len(one.body), CHUNK):
            yield one.body[at : at + CHUNK]

    def remove(self, slot: Slot, receipt: Receipt) -> None:
        """See Removes."""
        one = self._store.one(receipt.place, receipt.id)
        if one is None:
            return
        if one.version != receipt.version:
            raise ItemError(CHANGED_THERE, "Its owner changed it there.")
        self._store.remove(receipt.place, receipt.id)

    @staticmethod
    def _receipt(place: Place, one: Stored) -> Receipt:
        digest = {"sha256": hashlib.sha256(one.body).hexdigest()}
        return Receipt(one.id, place, len(one.body), digest, Evidence.STORED, one.version)


class _Whole:
    """A body that is there."""

    def __init__(self, data: bytes) -> None:
        self.size: int | None = len(data)
        self._left = data

    def read(self, n: int = -1, /) -> bytes:
        size = len(self._left) if n < 0 else n
        data, self._left = self._left[:size], self._left[size:]
        return data


def looks_of(store: Store) -> list[Any]:
    """What each calendar and address book looks like."""
    return [json.loads(one.body) for one in store.held(LOOKS)]
