"""Two destinations in memory that are right by the contract, and connectors: what the core is tested against."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Literal

from liberate.connector import (
    Account,
    Batch,
    Body,
    Change,
    Collection,
    Connector,
    Destination,
    Evidence,
    Item,
    Kind,
    Outcome,
    Place,
    Receipt,
    Slot,
    Source,
    Taken,
)
from liberate.errors import ItemError
from liberate.mail import MailFacts, fingerprint
from liberate.naming import Rules
from liberate.settings import Settings
from liberate.testing.memory_shelf import CHUNK
from liberate.testing.memory_store import Store, Stored


def unwatched(_what: str) -> None:
    """The step function of those who do not count steps."""


_MAILBOX_RULES = Rules(forbidden=frozenset("/\\"), reserved_top=frozenset({"inbox"}))


class MailboxDestination:
    """Appends, numbers what it gets, and stores twice what is sent twice: the hardest place to be exact in."""

    line_ends: Literal["any", "crlf"] = "crlf"

    def __init__(
        self,
        store: Store,
        *,
        rules: Rules = _MAILBOX_RULES,
        batch: Batch | None = None,
        limit: int | None = None,
        step: Callable[[str], None] = unwatched,
    ) -> None:
        self._store = store
        self._rules = rules
        self.batch = batch or Batch(10, 100_000)
        self._limit = limit  # bytes of the largest body that it takes
        self._do = step

    @property
    def rules(self) -> Rules:
        """See Destination."""
        return self._rules

    def prepare(self, collection: Collection) -> Place:
        """See Destination. A special folder is called what it is for, whatever its name at the source."""
        for segment in collection.path:
            if len(segment.encode()) > 1000 or any(ord(c) < 32 or c in "/\\" for c in segment):
                raise ItemError("illegal-name", f"A folder cannot be called {segment!r} here.")
        name = collection.role.upper() if collection.role else "/".join(collection.path)
        if self._rules.caseless:
            name = next((one for one in self._store.places() if one.casefold() == name.casefold()), name)
        self._do("before make")
        self._store.make(name)
        self._do("after make")
        return Place(name)

    def mark(self, place: Place) -> str:
        """See Marked."""
        return str(self._store.next(place))

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination: what stands after a slot's mark and has its bytes."""
        out: dict[str, Receipt] = {}
        used: set[tuple[str, str]] = set()
        for slot in slots:
            wanted = slot.item.digests.get("sha256-wire", slot.item.digests.get("sha256"))
            after = [one for one in self._store.held(slot.place) if int(one.id) >= int(slot.mark or "1")]
            claimed = taken(slot.place, [one.id for one in after])
            for one in after:
                if (slot.place, one.id) in used or one.id in claimed:
                    continue
                if hashlib.sha256(one.body).hexdigest() == wanted:
                    used.add((slot.place, one.id))
                    out[slot.key] = self._receipt(slot.place, one)
                    break
        return out

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination."""
        data = b"".join(iter(lambda: body.read(CHUNK), b""))
        (outcome,) = self._append([(slot, data)])
        if isinstance(outcome[1], ItemError):
            raise outcome[1]
        return outcome[1]

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination."""
        one = self._store.one(receipt.place, receipt.id)
        if one is None:
            raise ItemError("gone", "It is no longer there.")
        for at in range(0, len(one.body), CHUNK):
            yield one.body[at : at + CHUNK]

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany."""
        batch: list[tuple[Slot, bytes]] = []
        size = 0
        for slot, body in parts:
            if batch and (
                len(batch) >= self.batch.items or size + len(body) > self.batch.bytes or slot.place != batch[0][0].place
            ):
                yield from self._append(batch)
                batch, size = [], 0
            batch.append((slot, body))
            size += len(body)
        if batch:
            yield from self._append(batch)

    def _append(self, batch: Sequence[tuple[Slot, bytes]]) -> list[Outcome]:
        out: list[Outcome] = []
        good: list[tuple[Slot, bytes]] = []
        for slot, body in batch:
            if self._limit is not None and len(body) > self._limit:
                out.append((slot, ItemError("too-large", f"The server takes at most {self._limit} bytes.")))
            else:
                good.append((slot, body))
        if good:
            place = good[0][0].place
            things = [Stored("", body, s.item.kind, _kept(s.item.facts), s.key) for s, body in good]
            self._do("before append")
            ids = self._store.append(place, *things)
            self._do("after append")
            for (slot, _), id_, thing in zip(good, ids, things, strict=True):
                out.append((slot, self._receipt(place, replace(thing, id=id_))))
        return out

    def copy_many(self, parts: Iterable[tuple[Slot, Receipt]]) -> Iterator[Outcome]:
        """See Copies."""
        for slot, receipt in parts:
            one = self._store.one(receipt.place, receipt.id)
            if one is None:
                yield slot, ItemError("gone", "The original is no longer there.")
                continue
            self._do("before copy")
            (id_,) = self._store.append(slot.place, replace(one, facts=_kept(slot.item.facts), key=slot.key))
            self._do("after copy")
            yield slot, self._receipt(slot.place, replace(one, id=id_))

    def read_back(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
        """See ReadsBack. In another order than it was asked, large ones left to read()."""
        for receipt in reversed(receipts):
            one = self._store.one(receipt.place, receipt.id)
            if one is None:
                yield receipt, ItemError("gone", "It is no longer there.")
            else:
                yield receipt, one.body if len(one.body) <= self.batch.bytes else None

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """See Updates: flags and keywords that the source took away or added, and no others."""
        for change in changes:
            receipt = change.receipt
            one = self._store.one(receipt.place, receipt.id)
            if one is None:
                yield change.slot, ItemError("gone", "It is no longer there.")
                continue
            before, now, there = change.before, change.slot.item.facts, one.facts
            facts = replace(
                there,
                flags=(there.flags - (before.flags - now.flags)) | (now.flags - before.flags),
                keywords=(there.keywords - (before.keywords - now.keywords)) | (now.keywords - before.keywords),
            )
            self._do("before update")
            self._store.change(("put", receipt.place, replace(one, facts=facts)))
            self._do("after update")
            yield change.slot, receipt

    @staticmethod
    def _receipt(place: Place, one: Stored) -> Receipt:
        return Receipt(one.id, place, len(one.body), evidence=Evidence.SIZE)


class PlainMailboxDestination:
    """An appending destination with no power besides Marked: one item a call, no copies, no updates."""

    line_ends: Literal["any", "crlf"] = "crlf"

    def __init__(self, store: Store, *, rules: Rules = _MAILBOX_RULES, step: Callable[[str], None] = unwatched) -> None:
        inner = MailboxDestination(store, rules=rules, step=step)
        self.rules = rules
        self.prepare = inner.prepare
        self.mark = inner.mark
        self.find = inner.find
        self.write = inner.write
        self.read = inner.read


_FOLDER_RULES = Rules(forbidden=frozenset('/\\:*?"<>|'), last=frozenset(". "), caseless=True, max_bytes=250)


class FolderDestination:
    """Keeps each item under its name, as file servers do; the name is never anybody else's."""

    line_ends: Literal["any", "crlf"] = "any"

    def __init__(self, store: Store, *, rules: Rules = _FOLDER_RULES, step: Callable[[str], None] = unwatched) -> None:
        self._store = store
        self._rules = rules
        self._do = step

    @property
    def rules(self) -> Rules:
        """See Destination."""
        return self._rules

    def prepare(self, collection: Collection) -> Place:
        """See Destination."""
        name = "/".join(collection.path)
        if self._rules.caseless:
            name = next((one for one in self._store.places() if one.casefold() == name.casefold()), name)
        self._store.make(name)
        return Place(name)

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination: what stands under a slot's name and came from that slot."""
        out = {}
        for slot in slots:
            one = self._store.one(slot.place, self._id(slot.name))
            if one is not None and one.key == slot.key and not taken(slot.place, [one.id]):
                out[slot.key] = self._receipt(slot.place, one)
        return out

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination."""
        data = b"".join(iter(lambda: body.read(CHUNK), b""))
        there = self._store.one(slot.place, self._id(slot.name))
        if there is not None and there.key != slot.key:
            raise ItemError("name-taken", f"Something else is called {slot.name!r} there.", "Rename one of the two.")
        self._do("before write")
        one = Stored(self._id(slot.name), data, slot.item.kind, slot.item.facts, slot.key)
        self._store.change(("put", slot.place, one))
        self._do("after write")
        return self._receipt(slot.place, one)

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination."""
        one = self._store.one(receipt.place, receipt.id)
        if one is None:
            raise ItemError("gone", "It is no longer there.")
        for at in range(0, len(one.body), CHUNK):
            yield one.body[at : at + CHUNK]

    def _id(self, name: str) -> str:
        return f"={name.casefold() if self._rules.caseless else name}"

    @staticmethod
    def _receipt(place: Place, one: Stored) -> Receipt:
        digest = hashlib.sha256(one.body).hexdigest()
        return Receipt(one.id, place, len(one.body), {"sha256": digest}, Evidence.STORED)


def _kept(facts: Any) -> Any:
    """The facts that a mailbox keeps: labels are folders there."""
    return replace(facts, folders=()) if isinstance(facts, MailFacts) else facts


# Connectors --------------------------------------------------------------------------------------


class NoSettings(Settings):
    """A connector made in a test has its settings in its functions."""


def connector(
    name: str,
    *,
    source: Callable[[Account], Source] | None = None,
    destination: Callable[[Account], Destination] | None = None,
    kinds: Iterable[Kind] = tuple(Kind),
) -> Connector:
    """A connector for a plan, made of functions that open an account."""

    def opening_source(_settings: Any, account: Account) -> AbstractContextManager[Source]:
        assert source is not None
        return nullcontext(source(account))

    def opening_destination(_settings: Any, account: Account) -> AbstractContextManager[Destination]:
        assert destination is not None
        return nullcontext(destination(account))

    return Connector(
        name,
        name,
        frozenset(kinds),
        NoSettings,
        opening_source if source is not None else None,
        opening_destination if destination is not None else None,
    )


def digests_of(item: Item, body: bytes, *, crlf: bool = True) -> Mapping[str, str]:
    """The digests that the core gives a destination with an item."""
    if item.kind is Kind.MAIL and crlf:
        return fingerprint(body)
    return {"sha256": hashlib.sha256(body).hexdigest()}
