"""What every destination promises, as tests: see liberate.testing.contracts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeAlias

import pytest

from liberate.connector import (
    Change,
    Collection,
    Copies,
    Destination,
    Item,
    Kind,
    Marked,
    Place,
    ReadsBack,
    Receipt,
    Slot,
    Updates,
    WritesMany,
)
from liberate.errors import AccountError, IntegrityError, ItemError, TransientError
from liberate.ledger_rows import key_of
from liberate.mail import MailFacts, Role, Sameness, fingerprint, sameness, wire_form
from liberate.naming import encode

OpenDestination: TypeAlias = Callable[[], AbstractContextManager[Destination]]

BODIES = {
    "one byte": b"a",
    "lines": b"Subject: a\r\n\r\nb\r\n",
    "bare line feeds": b"Subject: a\n\nb\n",
    "no line end": b"Subject: a\r\n\r\nb",
    "8-bit": b"Subject: \xe4\xff\r\n\r\n\xc3\xa9\x80\r\n",
    "From lines": b"Subject: a\r\n\r\nFrom me\r\n.\r\n>From you\r\n",
    "long line": b"Subject: a\r\n\r\n" + b"x" * 70_000 + b"\r\n",
    "many chunks": b"Subject: a\r\n\r\n" + b"0123456789abcdef\r\n" * 40_000,
}
NAMES = (
    "a b", "%41", "a%b", 'qu"ote', "back\\slash", "-dash", "~tilde", "#hash", "&amp", "a.b", "*", "?", "..", "ünï",
    "漢字", "😀", "x" * 200, "trailing ", " leading", "a:b", "{0}", "[x]", "NUL", "a\tb",
)  # fmt: skip
RECEIVED = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
_numbers = count()


class Bytes:
    """A body that is there already; `ending` is raised where it would end."""

    def __init__(self, data: bytes, ending: Exception | None = None, size: int | None = None) -> None:
        self.size: int | None = len(data) if size is None else size
        self._data = data
        self._ending = ending

    def read(self, n: int = -1, /) -> bytes:
        n = len(self._data) if n < 0 else min(n, 8000)
        chunk, self._data = self._data[:n], self._data[n:]
        if not chunk and self._ending is not None:
            raise self._ending
        return chunk


def nobody(_place: Place, _receipts: Sequence[str]) -> set[str]:
    """A `taken` that knows of no other items."""
    return set()


class DestinationContract:
    """Subclass it and give it the fixture `open_destination`."""

    kind = Kind.MAIL

    @pytest.fixture
    def open_destination(self) -> OpenDestination:
        """Opens the same account each time it is called; a test begins with an empty one."""
        raise NotImplementedError("give the contract a fixture `open_destination`")

    @pytest.fixture
    def deliver(self) -> Callable[[Place, bytes], None] | None:
        """Puts something into a place as a stranger would."""
        return None

    @pytest.fixture
    def remove(self) -> Callable[[Receipt], None] | None:
        """Deletes what a receipt names, as the account's owner would."""
        return None

    @pytest.fixture
    def refused(self) -> tuple[OpenDestination, tuple[str, ...]] | None:
        """An account that cannot be logged in to, and the secrets that no message may show."""
        return None

    # Places --------------------------------------------------------------------------------------

    def test_a_place_prepared_twice_is_one_place(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            first = destination.prepare(self._collection("Work"))
            assert destination.prepare(self._collection("Work")) == first
        with open_destination() as destination:
            assert destination.prepare(self._collection("Work")) == first
            assert destination.prepare(self._collection("Other")) != first

    def test_folders_of_any_name_are_made_and_hold_what_is_put_there(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            rules = destination.rules
            legal = dict.fromkeys(encode(name, rules) for name in NAMES)
            places: dict[Place, bytes] = {}
            written: dict[Place, Receipt] = {}
            for number, name in enumerate(legal):
                body = b"Subject: %d\r\n\r\n\r\n" % number
                try:
                    place = destination.prepare(self._collection("Names", name))
                except ItemError:
                    continue  # told, not lost
                assert place not in places, name
                places[place] = body
                written[place] = self._write(destination, place, body)
            assert len(places) > len(legal) // 2
            for place, receipt in written.items():
                found = b"".join(destination.read(receipt))
                assert wire_form(found) == places[place], place

    def test_special_folders_are_found_by_what_they_are_for(self, open_destination: OpenDestination) -> None:
        if self.kind is not Kind.MAIL:
            pytest.skip("only mail has special folders")
        with open_destination() as destination:
            for role in Role:
                made = Collection(role.value, (role.value.capitalize(),), self.kind, role=role.value)
                place = destination.prepare(made)
                assert destination.prepare(made) == place
                self._write(destination, place, b"Subject: %s\r\n\r\n" % role.value.encode())

    # Writing -------------------------------------------------------------------------------------

    @pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
    def test_what_was_written_is_read_back(self, open_destination: OpenDestination, body: bytes) -> None:
        with open_destination() as destination:
            place = destination.prepare(self._collection("Work"))
            slot = self._slot(destination, place, body)
            receipt = self._put(destination, slot, body)
            assert receipt.place == place
            assert receipt.size in (None, slot.item.size)
            self._same(slot, b"".join(destination.read(receipt)))
        with open_destination() as destination:
            self._same(slot, b"".join(destination.read(receipt)))

    def test_an_empty_item_is_stored_or_refused(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            place = destination.prepare(self._collection("Work"))
            slot = self._slot(destination, place, b"")
            try:
                receipt = self._put(destination, slot, b"")
            except ItemError:
                assert destination.find([slot], nobody) == {}
            else:
                assert b"".join(destination.read(receipt)) == b""

    @pytest.mark.parametrize(
        "ending", [IntegrityError("short"), TransientError("reset"), ItemError("gone", "It is gone.")], ids=repr
    )
    @pytest.mark.parametrize("sent", [0, 10, 50_000])
    def test_a_source_that_fails_leaves_nothing_behind(
        self, open_destination: OpenDestination, ending: Exception, sent: int
    ) -> None:
        whole = b"Subject: a\r\n\r\n" + b"x\r\n" * 20_000
        with open_destination() as destination:
            place = destination.prepare(self._collection("Work"))
            slot = self._slot(destination, place, whole)
            with pytest.raises(type(ending)):
                destination.write(slot, Bytes(whole[:sent], ending, len(whole)))
        with open_destination() as destination:
            assert destination.find([slot], nobody) == {}
            receipt = self._put(destination, slot, whole)  # and the same slot can be filled after that
            self._same(slot, b"".join(destination.read(receipt)))

    def test_many_at_once_are_each_answered_once_and_read_back(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            if not isinstance(destination, WritesMany):
                pytest.skip("it does not write many at once")
            places = [destination.prepare(self._collection(name)) for name in ("Work", "Other")]
            parts = []
            for n in range(2 * destination.batch.items + 3):
                body = b"Subject: %d\n\nbody\n" % (n // 2)  # twins
                parts.append((self._slot(destination, places[n % 7 == 0], body), body))
            outcomes = list(destination.write_many(iter([(slot, self._sent(b, destination)) for slot, b in parts])))
            assert sorted(slot.key for slot, _ in outcomes) == sorted(slot.key for slot, _ in parts)
            ids = set()
            for slot, receipt in outcomes:
                assert isinstance(receipt, Receipt)
                self._same(slot, b"".join(destination.read(receipt)))
                ids.add((receipt.place, receipt.id))
            assert len(ids) == len(parts)

    def test_parts_are_pulled_as_room_allows(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            if not isinstance(destination, WritesMany):
                pytest.skip("it does not write many at once")
            place = destination.prepare(self._collection("Work"))
            pulled = 0

            def endless() -> Iterator[tuple[Slot, bytes]]:
                nonlocal pulled
                for n in count():
                    body = b"Subject: %d\r\n\r\n" % n
                    slot = self._slot(destination, place, body)
                    pulled += 1
                    assert pulled < 100_000, "it wants everything before it answers"
                    yield slot, body

            outcomes = destination.write_many(endless())
            assert isinstance(next(iter(outcomes))[1], Receipt)

    def test_a_source_that_fails_between_two_parts_is_heard(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            if not isinstance(destination, WritesMany):
                pytest.skip("it does not write many at once")
            place = destination.prepare(self._collection("Work"))
            slots = [self._slot(destination, place, b"Subject: %d\r\n\r\n" % n) for n in range(5)]

            def failing() -> Iterator[tuple[Slot, bytes]]:
                for n, slot in enumerate(slots):
                    yield slot, b"Subject: %d\r\n\r\n" % n
                raise TransientError("reset", retry_after=0)

            answered = {}
            outcomes = destination.write_many(failing())
            heard = False
            try:
                for slot, outcome in outcomes:
                    answered[slot.key] = outcome
            except TransientError:
                heard = True
            assert heard
        with open_destination() as destination:
            found = destination.find(slots, nobody)
            for n, slot in enumerate(slots):
                if slot.key in answered:
                    assert found[slot.key].id == answered[slot.key].id  # type: ignore[union-attr]
                elif slot.key not in found:
                    self._put(destination, slot, b"Subject: %d\r\n\r\n" % n)

    # Finding -------------------------------------------------------------------------------------

    def test_nothing_is_found_before_it_is_written_and_all_of_it_after(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            place = destination.prepare(self._collection("Work"))
            bodies = [b"Subject: %d\n\n\n" % n for n in range(5)]
            slots = [self._slot(destination, place, body) for body in bodies]
            assert destination.find(slots, nobody) == {}
            written = {
                slot.key: self._put(destination, slot, body) for slot, body in zip(slots[:3], bodies[:3], strict=True)
            }
        with open_destination() as destination:
            found = destination.find(slots, nobody)
            assert {key: one.id for key, one in found.items()} == {key: one.id for key, one in written.items()}
            for slot in slots[:3]:
                self._same(slot, b"".join(destination.read(found[slot.key])))

    def test_twins_are_found_one_each(self, open_destination: OpenDestination) -> None:
        body = b"Subject: twin\r\n\r\n"
        with open_destination() as destination:
            place = destination.prepare(self._collection("Work"))
            slots = [self._slot(destination, place, body) for _ in range(4)]
            written = [self._put(destination, slot, body) for slot in slots[:3]]
        with open_destination() as destination:
            found = destination.find(slots, nobody)
            assert len({one.id for one in found.values()}) == len(found) == 3
            assert {one.id for one in found.values()} == {one.id for one in written}

    def test_what_belongs_to_other_items_is_not_found_again(self, open_destination: OpenDestination) -> None:
        body = b"Subject: twin\r\n\r\n"
        with open_destination() as destination:
            if not isinstance(destination, Marked):
                pytest.skip("its slots have names of their own")
            place = destination.prepare(self._collection("Work"))
            mark = destination.mark(place)
            slots = [replace(self._slot(destination, place, body), mark=mark) for _ in range(2)]
            first = self._put(destination, slots[0], body)
            assert destination.find([slots[1]], lambda _place, ids: {first.id} & set(ids)) == {}
            second = self._put(destination, slots[1], body)
            found = destination.find([slots[1]], lambda _place, ids: {first.id} & set(ids))
            assert found[slots[1].key].id == second.id

    def test_strangers_are_not_taken_for_ours(
        self, open_destination: OpenDestination, deliver: Callable[[Place, bytes], None] | None
    ) -> None:
        if deliver is None:
            pytest.skip("no way to deliver as a stranger was given")
        body = b"Subject: twin\r\n\r\n"
        with open_destination() as destination:
            place = destination.prepare(self._collection("Work"))
        deliver(place, body)
        with open_destination() as destination:
            slot = self._slot(destination, place, body)
            assert destination.find([slot], nobody) == {}, "it stood there before the mark"
            deliver(place, b"Subject: another\r\n\r\n")
            receipt = self._put(destination, slot, body)
        deliver(place, b"Subject: later\r\n\r\n")
        with open_destination() as destination:
            assert destination.find([slot], nobody)[slot.key].id == receipt.id

    # Powers --------------------------------------------------------------------------------------

    def test_copies_stand_in_their_places_and_are_found(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            if not isinstance(destination, Copies):
                pytest.skip("it makes no copies")
            here, there = (destination.prepare(self._collection(name)) for name in ("Work", "Other"))
            bodies = [b"Subject: %d\n\n\n" % (n // 2) for n in range(6)]
            originals = [self._put(destination, self._slot(destination, here, body), body) for body in bodies]
            slots = [self._slot(destination, there, body) for body in bodies]
            missing = self._slot(destination, there, b"nothing")
            wrong = replace(originals[0], id=self._unused(originals[0]))
            parts = [*zip(slots, originals, strict=True), (missing, wrong)]
            outcomes = {slot.key: outcome for slot, outcome in destination.copy_many(iter(parts))}
            assert isinstance(outcomes.pop(missing.key), ItemError)
            assert set(outcomes) == {slot.key for slot in slots}
            for slot in slots:
                receipt = outcomes[slot.key]
                assert isinstance(receipt, Receipt)
                self._same(slot, b"".join(destination.read(receipt)))
        with open_destination() as destination:
            found = destination.find(slots, nobody)
            assert {one.id for one in found.values()} == {one.id for one in outcomes.values()}  # type: ignore[union-attr]

    def test_an_update_may_be_repeated_and_a_gone_item_fails_alone(
        self, open_destination: OpenDestination, remove: Callable[[Receipt], None] | None
    ) -> None:
        with open_destination() as destination:
            if not isinstance(destination, Updates):
                pytest.skip("it changes no facts")
            place = destination.prepare(self._collection("Work"))
            bodies = [b"Subject: %d\r\n\r\n" % n for n in range(2)]
            before = MailFacts(frozenset({"\\Seen"}), received=RECEIVED)
            slots = [self._slot(destination, place, body, before) for body in bodies]
            receipts = [self._put(destination, slot, body) for slot, body in zip(slots, bodies, strict=True)]
            facts = MailFacts(frozenset({"\\Flagged"}), received=RECEIVED)
            changes = [
                Change(replace(slot, item=replace(slot.item, facts=facts)), receipt, before)
                for slot, receipt in zip(slots, receipts, strict=True)
            ]
            for _ in range(2):
                outcomes = list(destination.update(iter(changes)))
                assert sorted(slot.key for slot, _ in outcomes) == sorted(slot.key for slot in slots)
                assert all(isinstance(outcome, Receipt) for _, outcome in outcomes)
            for slot, receipt in zip(slots, receipts, strict=True):
                self._same(slot, b"".join(destination.read(receipt)))
        if remove is not None:
            remove(receipts[0])
            with open_destination() as destination:
                assert isinstance(destination, Updates)
                told = {slot.key: outcome for slot, outcome in destination.update(iter(changes))}
                assert isinstance(told[slots[1].key], Receipt)

    def test_what_is_gone_is_told_as_gone(
        self, open_destination: OpenDestination, remove: Callable[[Receipt], None] | None
    ) -> None:
        if remove is None:
            pytest.skip("no way to remove an item was given")
        with open_destination() as destination:
            place = destination.prepare(self._collection("Work"))
            receipts = [self._write(destination, place, b"Subject: %d\r\n\r\n" % n) for n in range(3)]
        remove(receipts[1])
        with open_destination() as destination:
            with pytest.raises(ItemError) as gone:
                list(destination.read(receipts[1]))
            assert gone.value.code == "gone"
            if isinstance(destination, ReadsBack):
                told = {receipt.id: body for receipt, body in destination.read_back(receipts)}
                assert set(told) == {receipt.id for receipt in receipts}
                assert isinstance(told[receipts[1].id], ItemError)

    def test_many_are_read_back_once_each(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            if not isinstance(destination, ReadsBack):
                pytest.skip("it does not read many back at once")
            places = [destination.prepare(self._collection(name)) for name in ("Work", "Other")]
            slots = {}
            receipts = []
            for n in range(20):
                sent = b"Subject: %d\n\n\n" % (n // 2)
                slot = self._slot(destination, places[n % 2], sent)
                receipts.append(self._put(destination, slot, sent))
                slots[receipts[-1].place, receipts[-1].id] = slot
            told = list(destination.read_back(receipts))
            assert len(told) == len(receipts)
            for receipt, body in told:
                assert not isinstance(body, ItemError)
                whole = b"".join(destination.read(receipt)) if body is None else body
                self._same(slots.pop((receipt.place, receipt.id)), whole)

    def test_three_openings_at_once_write_into_one_place(self, open_destination: OpenDestination) -> None:
        def write(number: int) -> list[tuple[Slot, Receipt]]:
            out = []
            with open_destination() as destination:
                place = destination.prepare(self._collection("Work"))
                for n in range(5):
                    body = b"Subject: %d %d\r\n\r\n" % (number, n)
                    slot = self._slot(destination, place, body)
                    out.append((slot, self._put(destination, slot, body)))
            return out

        with ThreadPoolExecutor(3) as pool:
            written = [pair for some in pool.map(write, range(3)) for pair in some]
        assert len({receipt.place for _, receipt in written}) == 1
        assert len({receipt.id for _, receipt in written}) == 15
        with open_destination() as destination:
            for slot, receipt in written:
                self._same(slot, b"".join(destination.read(receipt)))

    def test_an_account_that_cannot_log_in_is_told_without_its_secret(
        self, refused: tuple[OpenDestination, tuple[str, ...]] | None
    ) -> None:
        if refused is None:
            pytest.skip("no account that cannot log in was given")
        open_destination, secrets = refused
        with pytest.raises(AccountError) as told, open_destination() as destination:
            destination.prepare(self._collection("Work"))
        error = told.value
        for secret in secrets:
            assert secret not in f"{error} {error!r} {error.why} {error.todo}"

    # Helpers -------------------------------------------------------------------------------------

    def _collection(self, *path: str) -> Collection:
        return Collection("/".join(path), path, self.kind)

    def _sent(self, body: bytes, destination: Destination) -> bytes:
        """The bytes as the core sends them."""
        return wire_form(body) if self.kind is Kind.MAIL and destination.line_ends == "crlf" else body

    def _slot(self, destination: Destination, place: Place, body: bytes, facts: Any = None) -> Slot:
        """A slot as the core makes it, with an item of its own."""
        number = next(_numbers)
        mail = self.kind is Kind.MAIL
        item = Item(
            f"item-{number}",
            self.kind,
            "1",
            "" if mail else f"item {number}",
            len(self._sent(body, destination)),
            digests=fingerprint(body) if mail else {"sha256": hashlib.sha256(body).hexdigest()},
            facts=(facts or MailFacts(received=RECEIVED)) if mail else None,
        )
        mark = destination.mark(place) if isinstance(destination, Marked) else None
        return Slot(item, place, "" if mail else item.name, key_of("contract", str(place), item.id), mark)

    def _put(self, destination: Destination, slot: Slot, body: bytes) -> Receipt:
        return destination.write(slot, Bytes(self._sent(body, destination)))

    def _write(self, destination: Destination, place: Place, body: bytes) -> Receipt:
        return self._put(destination, self._slot(destination, place, body), body)

    def _same(self, slot: Slot, found: bytes) -> None:
        if self.kind is Kind.MAIL:
            assert sameness(found, slot.item.digests) in (Sameness.IDENTICAL, Sameness.LINE_ENDS)
        else:
            assert hashlib.sha256(found).hexdigest() == slot.item.digests["sha256"]

    @staticmethod
    def _unused(receipt: Receipt) -> str:
        """An id that no item of the place has: the receipt's, its last number far ahead."""
        head = receipt.id.rstrip("0123456789")
        return f"{head}{4_000_000_000}"
