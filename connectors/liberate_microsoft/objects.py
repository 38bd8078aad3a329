"""An event or a contact once it is written in its standard: as an item, and kept for a while until it is read."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from liberate.connector import Item, Kind, Loaded, Survey
from liberate.errors import ItemError
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


class ReadsObjects:
    """Reading, as sources of events and contacts do: what was listed lately is held, the rest is read anew."""

    kind: ClassVar[Kind]

    def __init__(self) -> None:
        self._kept = Kept()

    def _anew(self, id_: str) -> Made:
        """The object as it is now. Raises ItemError."""
        raise NotImplementedError

    def _item_of(self, id_: str, made: Made) -> Item:
        out = item(id_, self.kind, made)
        self._kept.keep(out, made.body)
        return out

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """The object. One that was listed longer ago is read and written anew, as it is now."""
        body = self._kept.body(item)
        yield (self._anew(item.id).body if body is None else body)[offset:]

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """Each of them; most were written when they were listed."""
        for one in items:
            try:
                yield Loaded(one, b"".join(self.read(one)))
            except ItemError as error:
                yield Loaded(one, error)

    def describe(self, item: Item) -> Item:
        """The object as it is now."""
        return self._item_of(item.id, self._anew(item.id))

    def survey(self) -> Survey:
        """Nothing: Graph counts neither events nor contacts."""
        return Survey(None)
