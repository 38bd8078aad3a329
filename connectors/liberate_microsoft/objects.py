"""An event or a contact once it is written in its standard: as an item, and kept for a while until it is read."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from liberate.connector import Item, Kind
from liberate.pim import ObjectFacts

_ITEMS = 1100  # the core reads at most a thousand after listing them
_BYTES = 20 << 20


@dataclass(frozen=True, slots=True)
class Made:
    """An object in its standard's form."""

    uid: str
    body: bytes
    lost: tuple[str, ...] = ()  # codes of liberate.pim.LOSSES, sorted
    modified: datetime | None = None


def item(id_: str, kind: Kind, made: Made) -> Item:
    """The item of an object. Its version is what its bytes are."""
    digest = hashlib.sha256(made.body).hexdigest()
    return Item(
        id_,
        kind,
        digest,
        made.uid,
        len(made.body),
        made.modified,
        {"sha256": digest},
        facts=ObjectFacts(made.lost),
    )


class Kept:
    """Objects that were listed a short while ago, the oldest forgotten first."""

    def __init__(self, items: int = _ITEMS, size: int = _BYTES) -> None:
        self._most, self._room = items, size
        self._held: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._size = 0

    def keep(self, item: Item, body: bytes) -> None:
        """Hold the bytes of this item."""
        self._drop(item.id)
        self._held[item.id] = (item.version, body)
        self._size += len(body)
        while len(self._held) > self._most or (self._size > self._room and len(self._held) > 1):
            self._drop(next(iter(self._held)))

    def body(self, item: Item) -> bytes | None:
        """The bytes of this very version of the item; None: they are not held any more."""
        version, body = self._held.get(item.id, ("", b""))
        return body if version == item.version else None

    def _drop(self, id_: str) -> None:
        held = self._held.pop(id_, None)
        if held is not None:
            self._size -= len(held[1])
