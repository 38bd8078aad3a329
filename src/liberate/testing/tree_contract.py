"""What every destination that keeps trees of files promises, as tests: see liberate.testing.contracts."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Protocol, cast

import pytest

from liberate.connector import (
    CHANGED_THERE,
    NAME_TAKEN,
    Body,
    Change,
    Destination,
    Held,
    Inventories,
    Item,
    KeepsTrees,
    Kind,
    Place,
    Receipt,
    Rehashes,
    Removes,
    Resumable,
    Share,
    Shares,
    Slot,
    Spacious,
    TakesNotes,
    Updates,
    WritesMany,
    inside,
)
from liberate.errors import IntegrityError, ItemError, LiberateError, TransientError
from liberate.files import FileFacts, Grant, Note, Role
from liberate.ledger_rows import key_of
from liberate.naming import encode
from liberate.testing.destination_contract import NAMES, Bytes, DestinationContract, OpenDestination, nobody

_numbers = count()
_MOST = 300 << 20  # bytes that a test of large bodies sends at most


class Owner(Protocol):
    """The account's owner, or a stranger, who comes by another way than the connector that is tested.

    Paths begin below the account's outermost folder and have "/" between their levels.
    """

    def put(self, path: str, body: bytes) -> object:
        """Make a file, or change its bytes; the folders above it are made."""

    def mkdir(self, path: str) -> object:
        """Make a folder and those above it."""

    def rename(self, old: str, new: str) -> object:
        """Bring a file or folder elsewhere."""

    def remove(self, path: str) -> object:
        """Remove a file, or a folder with all that is in it."""

    def tree(self) -> dict[str, bytes | None]:
        """Everything there is, by its path: the bytes of a file, None for a folder."""


class TreeDestinationContract(DestinationContract):
    """Subclass it and give it the fixtures `open_destination` and `owner`."""

    kind = Kind.FILE

    @pytest.fixture
    def owner(self) -> Owner:
        """Whoever else works in the account that `open_destination` opens."""
        raise NotImplementedError("give the contract a fixture `owner`")

    @pytest.fixture
    def remove(self, owner: Owner) -> Callable[[Receipt], None]:
        """Deletes what a receipt names: this destination's ids end in "/" and the name, or this is overridden."""

        def gone(receipt: Receipt) -> None:
            owner.remove(str(inside(receipt.place, receipt.id.rpartition("/")[2])))

        return gone

    @pytest.fixture
    def somebody(self) -> str | None:
        """The name of another user, with whom something can be shared."""
        return None

    # Folders -------------------------------------------------------------------------------------

    def test_a_folder_is_made_once_however_often_it_is_asked_for(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            slot = self._folder(place, "Plans")
            first = keeper(destination).make_folder(slot)
            assert keeper(destination).make_folder(slot).id == first.id
        with open_destination() as destination:
            assert keeper(destination).make_folder(slot).id == first.id
            self._store(destination, inside(place, "Plans"), "a.txt", b"a")
            assert self._names(destination, place) == {"Plans": True}
            assert self._names(destination, inside(place, "Plans")) == {"a.txt": False}

    def test_a_folder_that_its_owner_made_is_used(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            owner.put(f"{place}/Plans/theirs.txt", b"theirs")
            keeper(destination).make_folder(self._folder(place, "Plans"))
            self._store(destination, inside(place, "Plans"), "ours.txt", b"ours")
        assert owner.tree() == {
            f"{place}": None,
            f"{place}/Plans": None,
            f"{place}/Plans/theirs.txt": b"theirs",
            f"{place}/Plans/ours.txt": b"ours",
        }

    def test_a_folder_never_takes_the_place_of_a_file(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            owner.put(f"{place}/Plans", b"a file")
            with told(NAME_TAKEN):
                keeper(destination).make_folder(self._folder(place, "Plans"))
        assert owner.tree()[f"{place}/Plans"] == b"a file"

    def test_a_file_never_takes_the_place_of_a_folder(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            owner.put(f"{place}/Plans/theirs.txt", b"theirs")
            for outcome in self._both_ways(destination, self._file(place, "Plans", b"ours"), b"ours"):
                assert_refused(outcome, NAME_TAKEN)
        assert owner.tree()[f"{place}/Plans/theirs.txt"] == b"theirs"

    def test_files_and_folders_keep_the_very_names_they_were_given(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            names = list(dict.fromkeys(encode(name, destination.rules) for name in NAMES))
            wanted: dict[str, bool] = {}
            for number, name in enumerate(names):
                if number % 2:
                    keeper(destination).make_folder(self._folder(place, name))
                    receipt = self._store(destination, inside(place, name), name, name.encode())
                else:
                    receipt = self._store(destination, place, name, name.encode())
                assert b"".join(destination.read(receipt)) == name.encode(), name
                wanted[name] = bool(number % 2)
            assert self._names(destination, place) == wanted

    def test_folders_stand_in_folders_to_any_depth(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            for level in range(25):
                keeper(destination).make_folder(self._folder(place, f"level {level}"))
                place = inside(place, f"level {level}")
                receipt = self._store(destination, place, "file", b"%d" % level)
            assert b"".join(destination.read(receipt)) == b"24"

    def test_the_outermost_folder_can_be_the_target(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            place = destination.prepare(self._collection())
            keeper(destination).make_folder(self._folder(place, "Plans"))
            receipts = [
                self._store(destination, place, "a.txt", b"a"),
                self._store(destination, inside(place, "Plans"), "b.txt", b"b"),
            ]
            assert [b"".join(destination.read(one)) for one in receipts] == [b"a", b"b"]
            assert {"Plans": True, "a.txt": False}.items() <= self._names(destination, place).items()

    # Names that are somebody's -------------------------------------------------------------------

    def test_a_strangers_file_is_never_replaced(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            owner.put(f"{place}/a.txt", b"theirs")
            slot = self._file(place, "a.txt", b"ours, and longer")
            assert destination.find([slot], nobody) == {}
            for outcome in self._both_ways(destination, slot, b"ours, and longer"):
                assert_refused(outcome, NAME_TAKEN)
            assert destination.find([slot], nobody) == {}
            other = self._store(destination, place, "b.txt", b"ours, and longer")
            assert b"".join(destination.read(other)) == b"ours, and longer"
        assert owner.tree()[f"{place}/a.txt"] == b"theirs"

    def test_of_many_written_at_once_only_those_fail_whose_name_is_taken(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            if not isinstance(destination, WritesMany):
                pytest.skip("it does not write many at once")
            place = self._root(destination)
            taken = {f"{n}.txt" for n in (0, 3, 8)}
            for name in taken:
                owner.put(f"{place}/{name}", b"theirs")
            parts = [(self._file(place, f"{n}.txt", b"ours %d" % n), b"ours %d" % n) for n in range(9)]
            outcomes = {slot.name: outcome for slot, outcome in destination.write_many(iter(parts))}
            assert {name for name, outcome in outcomes.items() if isinstance(outcome, ItemError)} == taken
            for name in taken:
                assert_refused(outcomes[name], NAME_TAKEN)
        found = owner.tree()
        for n in range(9):
            assert found[f"{place}/{n}.txt"] == (b"theirs" if f"{n}.txt" in taken else b"ours %d" % n)

    # Replacing -----------------------------------------------------------------------------------

    @pytest.mark.parametrize("many", [False, True], ids=["alone", "together"])
    def test_a_new_version_takes_the_place_of_the_one_we_left(
        self, open_destination: OpenDestination, owner: Owner, many: bool
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            first = self._store(destination, place, "a.txt", b"first")
            slot = self._file(place, "a.txt", b"the second", replaces=first)
            assert destination.find([slot], nobody) == {}, "the first is not the second"
            second = self._outcome(destination, slot, b"the second", many)
            assert isinstance(second, Receipt)
            assert second.version != first.version or not first.version
        with open_destination() as destination:
            found = destination.find([slot], nobody)
            assert found[slot.key].id == second.id
            assert found[slot.key].version == second.version
            assert b"".join(destination.read(second)) == b"the second"
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": b"the second"}

    @pytest.mark.parametrize("many", [False, True], ids=["alone", "together"])
    def test_a_replacement_happens_only_over_what_we_left(
        self, open_destination: OpenDestination, owner: Owner, many: bool
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            first = self._store(destination, place, "a.txt", b"first")
            owner.put(f"{place}/a.txt", b"somebody's own words")
            slot = self._file(place, "a.txt", b"the second", replaces=first)
            assert_refused(self._outcome(destination, slot, b"the second", many), CHANGED_THERE)
            assert destination.find([slot], nobody) == {}
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": b"somebody's own words"}

    def test_a_stranger_who_took_the_name_of_a_file_that_is_gone_is_not_replaced(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            first = self._store(destination, place, "a.txt", b"first")
            owner.remove(f"{place}/a.txt")
            owner.put(f"{place}/a.txt", b"another file altogether")
            slot = self._file(place, "a.txt", b"the second", replaces=first)
            assert_refused(self._outcome(destination, slot, b"the second", many=False), CHANGED_THERE)
        assert owner.tree()[f"{place}/a.txt"] == b"another file altogether"

    def test_what_was_to_be_replaced_and_is_gone_is_told_or_written_anew(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            first = self._store(destination, place, "a.txt", b"first")
            owner.remove(f"{place}/a.txt")
            slot = self._file(place, "a.txt", b"the second", replaces=first)
            outcome = self._outcome(destination, slot, b"the second", many=False)
            if isinstance(outcome, Receipt):
                assert b"".join(destination.read(outcome)) == b"the second"
            else:
                assert_refused(outcome, CHANGED_THERE)
                assert owner.tree() == {f"{place}": None}

    def test_a_source_that_fails_leaves_what_it_was_to_replace(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            first = self._store(destination, place, "a.txt", b"first")
            slot = self._file(place, "a.txt", b"x" * 50_000, replaces=first)
            with pytest.raises(TransientError):
                destination.write(slot, Bytes(b"x" * 20_000, TransientError("reset"), 50_000))
            assert destination.find([slot], nobody) == {}
            assert b"".join(destination.read(first)) == b"first"
            assert isinstance(self._outcome(destination, slot, b"x" * 50_000, many=False), Receipt)
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": b"x" * 50_000}

    # Moving --------------------------------------------------------------------------------------

    def test_a_move_may_be_repeated_and_keeps_the_bytes(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            keeper(destination).make_folder(self._folder(place, "Plans"))
            written = self._file(place, "a.txt", b"the bytes")
            old = self._put(destination, written, b"the bytes")
            slot = replace(written, place=inside(place, "Plans"), name="b.txt")
            moved = keeper(destination).move(slot, old)
        with open_destination() as destination:
            again = keeper(destination).move(slot, old)
            assert (again.id, again.place, again.version) == (moved.id, moved.place, moved.version)
            assert b"".join(destination.read(moved)) == b"the bytes"
            assert keeper(destination).move(slot, moved).id == moved.id, "it is there already"
            assert destination.find([slot], nobody)[slot.key].id == moved.id
        assert owner.tree() == {f"{place}": None, f"{place}/Plans": None, f"{place}/Plans/b.txt": b"the bytes"}

    def test_a_folder_moves_with_all_that_is_in_it(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            for folder in ("Old", "Old/Deep", "New"):
                above, _, name = f"{place}/{folder}".rpartition("/")
                made = keeper(destination).make_folder(self._folder(Place(above), name))
                if folder == "Old":
                    old = made
            ours = self._store(destination, inside(inside(place, "Old"), "Deep"), "a.txt", b"a")
            owner.put(f"{place}/Old/theirs.txt", b"theirs")
            slot = self._folder(inside(place, "New"), "Moved")
            moved = keeper(destination).move(slot, old)
        with open_destination() as destination:
            assert keeper(destination).move(slot, old).id == moved.id
            there = replace(ours, place=Place(f"{place}/New/Moved/Deep"))
            assert b"".join(destination.read(there)) == b"a"
            self._store(destination, inside(inside(place, "New"), "Moved"), "later.txt", b"later")
        assert owner.tree() == {
            f"{place}": None,
            f"{place}/New": None,
            f"{place}/New/Moved": None,
            f"{place}/New/Moved/Deep": None,
            f"{place}/New/Moved/Deep/a.txt": b"a",
            f"{place}/New/Moved/theirs.txt": b"theirs",
            f"{place}/New/Moved/later.txt": b"later",
        }

    def test_what_was_moved_can_be_replaced_and_moved_back(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            first = self._store(destination, place, "a.txt", b"first")
            moved = keeper(destination).move(self._file(place, "b.txt", b"first"), first)
            second = self._outcome(
                destination, self._file(place, "b.txt", b"second", replaces=moved), b"second", many=False
            )
            assert isinstance(second, Receipt)
            back = keeper(destination).move(self._file(place, "a.txt", b"second"), second)
            assert b"".join(destination.read(back)) == b"second"
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": b"second"}

    @pytest.mark.parametrize("folder", [False, True], ids=["a file", "a folder"])
    def test_nothing_is_moved_over_what_is_somebody_elses(
        self, open_destination: OpenDestination, owner: Owner, folder: bool
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            ours = self._store(destination, place, "file", b"ours")
            made = keeper(destination).make_folder(self._folder(place, "folder"))
            owner.put(f"{place}/taken", b"theirs")
            owner.mkdir(f"{place}/empty")
            before = owner.tree()
            for name in ("taken", "empty"):
                with told(NAME_TAKEN):
                    if folder:
                        keeper(destination).move(self._folder(place, name), made)
                    else:
                        keeper(destination).move(self._file(place, name, b"ours"), ours)
        assert owner.tree() == before

    def test_a_move_that_is_repeated_leaves_who_took_the_old_name_alone(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            old = self._store(destination, place, "a.txt", b"ours")
            slot = self._file(place, "b.txt", b"ours")
            moved = keeper(destination).move(slot, old)
            owner.put(f"{place}/a.txt", b"somebody else's")
            outcome: Receipt | ItemError
            try:
                outcome = keeper(destination).move(slot, old)
            except ItemError as error:
                outcome = error
            assert isinstance(outcome, ItemError) or outcome.id == moved.id
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": b"somebody else's", f"{place}/b.txt": b"ours"}

    def test_what_is_gone_cannot_be_moved(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            receipt = self._store(destination, place, "a.txt", b"a")
            owner.remove(f"{place}/a.txt")
            with told("gone"):
                keeper(destination).move(self._file(place, "b.txt", b"a"), receipt)
        assert owner.tree() == {f"{place}": None}

    # Looking -------------------------------------------------------------------------------------

    def test_held_lists_what_stands_there_and_not_what_stands_below(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            folder = keeper(destination).make_folder(self._folder(place, "Plans"))
            self._store(destination, inside(place, "Plans"), "below.txt", b"below")
            file = self._store(destination, place, "a.txt", b"12345")
            owner.put(f"{place}/theirs.txt", b"123")
            held = {one.name: one for one in keeper(destination).held(place)}
            assert set(held) == {"Plans", "a.txt", "theirs.txt"}
            assert all(one.place == place for one in held.values())
            assert (held["Plans"].folder, held["Plans"].id) == (True, folder.id)
            assert held["a.txt"] == Held(place, "a.txt", False, file.id, held["a.txt"].size, file.version)
            assert held["a.txt"].size in (None, 5)
            assert not held["theirs.txt"].folder

    def test_a_place_whose_folder_is_gone_is_made_anew(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            deep = inside(inside(place, "Plans"), "Deep")
            keeper(destination).make_folder(self._folder(place, "Plans"))
            keeper(destination).make_folder(self._folder(inside(place, "Plans"), "Deep"))
        owner.remove(f"{place}")
        with open_destination() as destination:  # one that made them just now may take its own word for a moment
            assert list(keeper(destination).held(deep)) == []
            self._store(destination, deep, "a.txt", b"a")
        assert owner.tree()[f"{deep}/a.txt"] == b"a"

    def test_an_inventory_lists_everything_below_a_place(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            if not isinstance(destination, Inventories):
                pytest.skip("it lists no whole trees")
            place, other = self._root(destination), self._root(destination, "Work 2")
            owner.put(f"{place}/a/b/theirs.txt", b"theirs")
            keeper(destination).make_folder(self._folder(inside(place, "a"), "c"))
            receipts = [
                self._store(destination, place, "1.txt", b"1"),
                self._store(destination, inside(inside(place, "a"), "c"), "2.txt", b"22"),
            ]
            self._store(destination, other, "beside.txt", b"beside")
            held = list(destination.inventory(place))
            assert sorted((str(inside(one.place, one.name)), one.folder) for one in held) == sorted(
                (path, body is None) for path, body in owner.tree().items() if path.startswith(f"{place}/")
            )
            told_of = {(one.place, one.id): one for one in held}
            for receipt in receipts:
                one = told_of[receipt.place, receipt.id]
                assert one.version == receipt.version
                assert one.size in (None, receipt.size)

    def test_a_digest_is_told_of_what_is_stored_now(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            if not isinstance(destination, Rehashes):
                pytest.skip("it computes no digests")
            place = self._root(destination)
            bodies = [b"", b"one", b"x" * 300_000, b"will change", b"will go"]
            receipts = [self._store(destination, place, f"{n}.txt", body) for n, body in enumerate(bodies)]
            owner.put(f"{place}/3.txt", b"has changed")
            owner.remove(f"{place}/4.txt")
            answers = {receipt.id: answer for receipt, answer in destination.rehash(iter(receipts))}
            assert set(answers) == {receipt.id for receipt in receipts}
            for receipt, body in zip(receipts, [*bodies[:3], b"has changed"], strict=False):
                answer = answers[receipt.id]
                assert not isinstance(answer, ItemError), answer
                assert answer["sha256"] == hashlib.sha256(body).hexdigest()
            assert_refused(answers[receipts[4].id], "gone")

    # Taking away ---------------------------------------------------------------------------------

    def test_what_we_put_there_is_removed_and_may_be_removed_twice(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            slot = self._file(place, "a.txt", b"ours")
            receipt = self._put(destination, slot, b"ours")
            owner.put(f"{place}/theirs.txt", b"theirs")
            for _ in range(2):
                remover(destination).remove(slot, receipt)
        assert owner.tree() == {f"{place}": None, f"{place}/theirs.txt": b"theirs"}

    def test_what_somebody_changed_is_not_removed(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            slot = self._file(place, "a.txt", b"ours")
            receipt = self._put(destination, slot, b"ours")
            owner.put(f"{place}/a.txt", b"somebody's own words")
            with told(CHANGED_THERE):
                remover(destination).remove(slot, receipt)
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": b"somebody's own words"}

    def test_what_was_only_touched_is_still_ours_to_remove(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            slot = self._file(place, "a.txt", b"ours")
            receipt = self._put(destination, slot, b"ours")
            owner.put(f"{place}/a.txt", b"ours")
            remover(destination).remove(slot, receipt)
        assert owner.tree() == {f"{place}": None}

    def test_a_folder_is_removed_only_when_it_is_empty(self, open_destination: OpenDestination, owner: Owner) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            folder = self._folder(place, "Plans")
            receipt = keeper(destination).make_folder(folder)
            owner.put(f"{place}/Plans/theirs.txt", b"theirs")
            with told(CHANGED_THERE):
                remover(destination).remove(folder, receipt)
            assert owner.tree()[f"{place}/Plans/theirs.txt"] == b"theirs"
            owner.remove(f"{place}/Plans/theirs.txt")
            for _ in range(2):
                remover(destination).remove(folder, receipt)
        assert owner.tree() == {f"{place}": None}

    # Large bodies --------------------------------------------------------------------------------

    def test_an_upload_goes_on_in_another_opening_after_each_piece(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            body, piece = self._large(destination)
            place = self._root(destination)
        offsets = range(0, len(body), piece)
        for pieces in (0, 1, len(offsets) - 1):
            slot = self._file(place, f"after {pieces}", body)
            with open_destination() as destination:
                upload = resumer(destination).begin(slot)
                assert resumer(destination).received(upload, piece) == 0
            for offset in offsets[:pieces]:
                with open_destination() as destination:
                    self._append(destination, upload, slot, offset, body, piece)
            with open_destination() as destination:
                assert self._names(destination, place).get(slot.name) is None, "it is not there in part"
                received = resumer(destination).received(upload, piece)
                assert received == pieces * piece
                for offset in offsets[pieces:]:
                    self._append(destination, upload, slot, offset, body, piece)
                receipt = resumer(destination).finish(upload, slot)
                assert receipt.size in (None, len(body))
                assert all(
                    hashlib.new(name, body).hexdigest() == value
                    for name, value in receipt.digests.items()
                    if name in hashlib.algorithms_available
                )
            with open_destination() as destination:
                assert destination.find([slot], nobody)[slot.key].id == receipt.id
                digest = hashlib.sha256()
                for chunk in destination.read(receipt):
                    digest.update(chunk)
                assert digest.hexdigest() == slot.item.digests["sha256"]
                assert resumer(destination).finish(upload, slot).id == receipt.id, "finishing may be repeated"

    def test_a_piece_sent_again_replaces_itself(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            body, piece = self._large(destination)
            slot = self._file(self._root(destination), "large", body)
            upload = resumer(destination).begin(slot)
            for offset in range(0, len(body), piece):
                for _ in range(2):
                    self._append(destination, upload, slot, offset, body, piece)
            receipt = resumer(destination).finish(upload, slot)
            assert hashlib.sha256(b"".join(destination.read(receipt))).digest() == hashlib.sha256(body).digest()

    def test_a_piece_that_broke_off_does_not_count(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            body, piece = self._large(destination)
            slot = self._file(self._root(destination), "large", body)
            upload = resumer(destination).begin(slot)
            self._append(destination, upload, slot, 0, body, piece)
            part = Bytes(body[piece : piece + piece // 2], TransientError("reset"), piece)
            with pytest.raises(TransientError):
                resumer(destination).append(upload, slot, piece, part)
        with open_destination() as destination:
            assert resumer(destination).received(upload, piece) == piece
            for offset in range(piece, len(body), piece):
                self._append(destination, upload, slot, offset, body, piece)
            receipt = resumer(destination).finish(upload, slot)
            assert hashlib.sha256(b"".join(destination.read(receipt))).digest() == hashlib.sha256(body).digest()

    def test_half_sent_bodies_are_listed_nowhere_and_can_be_abandoned(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            body, piece = self._large(destination)
            place = self._root(destination)
            slot = self._file(place, "large", body)
            upload = resumer(destination).begin(slot)
            self._append(destination, upload, slot, 0, body, piece)
            assert self._names(destination, place) == {}
            assert destination.find([slot], nobody) == {}
            if isinstance(destination, Inventories):
                assert list(destination.inventory(place)) == []
        with open_destination() as destination:
            for _ in range(2):
                resumer(destination).abandon(upload)
            assert resumer(destination).received(upload, piece) is None
            with pytest.raises(LiberateError):
                resumer(destination).finish(upload, slot)
        assert owner.tree() == {f"{place}": None}

    def test_an_upload_that_lacks_a_piece_becomes_no_file(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            body, piece = self._large(destination)
            place = self._root(destination)
            slot = self._file(place, "large", body)
            upload = resumer(destination).begin(slot)
            self._append(destination, upload, slot, 0, body, piece)
            with pytest.raises((IntegrityError, TransientError, ItemError)):
                resumer(destination).finish(upload, slot)
            assert destination.find([slot], nobody) == {}
            resumer(destination).abandon(upload)
        assert owner.tree() == {f"{place}": None}

    def test_an_upload_never_replaces_a_stranger_and_can_take_another_name(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            body, piece = self._large(destination)
            place = self._root(destination)
            slot = self._file(place, "large", body)
            upload = resumer(destination).begin(slot)
            for offset in range(0, len(body), piece):
                self._append(destination, upload, slot, offset, body, piece)
            owner.put(f"{place}/large", b"theirs")
            with told(NAME_TAKEN):
                resumer(destination).finish(upload, slot)
            receipt = resumer(destination).finish(upload, replace(slot, name="large (2)"))
            assert hashlib.sha256(b"".join(destination.read(receipt))).digest() == hashlib.sha256(body).digest()
        assert owner.tree() == {f"{place}": None, f"{place}/large": b"theirs", f"{place}/large (2)": body}

    def test_an_upload_replaces_what_we_left_and_nothing_else(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            body, piece = self._large(destination)
            place = self._root(destination)
            for name, theirs in (("ours", None), ("changed", b"somebody's own words")):
                first = self._store(destination, place, name, b"first")
                slot = self._file(place, name, body, replaces=first)
                upload = resumer(destination).begin(slot)
                for offset in range(0, len(body), piece):
                    self._append(destination, upload, slot, offset, body, piece)
                if theirs is None:
                    resumer(destination).finish(upload, slot)
                    continue
                owner.put(f"{place}/{name}", theirs)
                with told(CHANGED_THERE):
                    resumer(destination).finish(upload, slot)
                resumer(destination).abandon(upload)
        assert owner.tree() == {f"{place}": None, f"{place}/ours": body, f"{place}/changed": b"somebody's own words"}

    # Beside the bytes ----------------------------------------------------------------------------

    def test_new_facts_leave_the_bytes_alone_and_may_be_brought_twice(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            if not isinstance(destination, Updates):
                pytest.skip("it changes no facts")
            place = self._root(destination)
            file, folder = self._file(place, "a.txt", b"a"), self._folder(place, "Plans")
            receipts = [self._put(destination, file, b"a"), keeper(destination).make_folder(folder)]
            missing = self._file(place, "gone.txt", b"g")
            receipts.append(self._put(destination, missing, b"g"))
            owner.remove(f"{place}/gone.txt")
            dated = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)
            changes = [
                Change(
                    replace(
                        slot, item=replace(slot.item, facts=replace(slot.item.facts, starred=True), modified=dated)
                    ),
                    receipt,
                    slot.item.facts,
                )
                for slot, receipt in zip((file, folder, missing), receipts, strict=True)
            ]
            for _ in range(2):
                outcomes = {slot.key: outcome for slot, outcome in destination.update(iter(changes))}
                assert set(outcomes) == {file.key, folder.key, missing.key}
                for slot, receipt in zip((file, folder), receipts, strict=False):
                    outcome = outcomes[slot.key]
                    assert isinstance(outcome, Receipt), outcome
                    assert (outcome.place, outcome.id) == (receipt.place, receipt.id)
            outcome = outcomes[file.key]
            assert isinstance(outcome, Receipt)
            second = self._outcome(
                destination, self._file(place, "a.txt", b"second", replaces=outcome), b"second", many=False
            )
            assert isinstance(second, Receipt), "the receipt that an update gives says the version after it"
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": b"second", f"{place}/Plans": None}

    def test_new_facts_make_nothing_ours_that_somebody_changed(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            if not isinstance(destination, Updates):
                pytest.skip("it changes no facts")
            place = self._root(destination)
            first = self._file(place, "a.txt", b"first")
            receipt = self._put(destination, first, b"first")
            owner.put(f"{place}/a.txt", b"somebody's own words")
            facts = replace(first.item.facts, starred=True)
            dated = replace(first.item, facts=facts, modified=datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC))
            change = Change(replace(first, item=dated), receipt, first.item.facts)
            for _ in range(2):
                ((_, outcome),) = destination.update(iter([change]))
            left = outcome if isinstance(outcome, Receipt) else receipt
            with told(CHANGED_THERE):
                remover(destination).remove(first, left)
            second = self._file(place, "a.txt", b"second", replaces=left)
            assert_refused(self._outcome(destination, second, b"second", many=False), CHANGED_THERE)
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": b"somebody's own words"}

    def test_the_room_left_is_a_number_of_bytes_or_not_known(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            if not isinstance(destination, Spacious):
                pytest.skip("it does not know how much room is left")
            room = destination.room()
            assert room is None or room >= 0

    def test_a_share_is_made_once_and_can_be_taken_away(
        self, open_destination: OpenDestination, somebody: str | None
    ) -> None:
        with open_destination() as destination:
            if not isinstance(destination, Shares):
                pytest.skip("its items cannot be shared")
            if somebody is None:
                pytest.skip("nobody to share with was given")
            place = self._root(destination)
            receipt = self._store(destination, place, "a.txt", b"a")
            share = Share("user", somebody, Grant("user", somebody, Role.READER))
            made = destination.share(receipt, share)
            assert destination.share(receipt, share) == made
            for _ in range(2):
                destination.unshare(made)
            with pytest.raises(ItemError):
                destination.share(receipt, replace(share, name="nobody-of-this-name"))
            assert b"".join(destination.read(receipt)) == b"a"

    def test_notes_may_be_brought_twice(self, open_destination: OpenDestination) -> None:
        with open_destination() as destination:
            if not isinstance(destination, TakesNotes):
                pytest.skip("it keeps no notes")
            receipt = self._store(destination, self._root(destination), "a.txt", b"a")
            notes = [Note("", None, "What it is."), Note("Anna", None, "I like it."), Note("Ben", None, "So do I.")]
            for some in (notes[:2], notes, notes):
                destination.annotate(receipt, some)
            assert b"".join(destination.read(receipt)) == b"a"

    def test_three_openings_make_the_same_folders_at_once(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)

        def make(number: int) -> None:
            with open_destination() as destination:
                for n in range(4):
                    keeper(destination).make_folder(self._folder(place, f"{n}"))
                    self._store(destination, inside(place, f"{n}"), f"{number}.txt", b"%d" % number)

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(make, range(3)))
        files = {path: body for path, body in owner.tree().items() if body is not None}
        assert files == {f"{place}/{n}/{number}.txt": b"%d" % number for n in range(4) for number in range(3)}

    # Helpers -------------------------------------------------------------------------------------

    def _root(self, destination: Destination, name: str = "Work") -> Place:
        return destination.prepare(self._collection(name))

    def _folder(self, place: Place, name: str) -> Slot:
        """A folder's slot as the core makes it."""
        item = Item(f"folder-{next(_numbers)}", self.kind, "", name, facts=FileFacts(folder=True))
        return Slot(item, place, name, key_of("contract", str(place), item.id))

    def _file(self, place: Place, name: str, body: bytes, replaces: Receipt | None = None) -> Slot:
        """A file's slot as the core makes it."""
        digests = {"sha256": hashlib.sha256(body).hexdigest()}
        item = Item(f"file-{next(_numbers)}", self.kind, "1", name, len(body), digests=digests, facts=FileFacts())
        return Slot(item, place, name, key_of("contract", str(place), item.id), replaces=replaces)

    def _store(self, destination: Destination, place: Place, name: str, body: bytes) -> Receipt:
        return self._put(destination, self._file(place, name, body), body)

    @staticmethod
    def _outcome(destination: Destination, slot: Slot, body: bytes, many: bool) -> Receipt | ItemError:
        """What writing comes to, alone or together."""
        if many:
            if not isinstance(destination, WritesMany):
                pytest.skip("it does not write many at once")
            ((_, outcome),) = destination.write_many(iter([(slot, body)]))
            return outcome
        try:
            return destination.write(slot, Bytes(body))
        except ItemError as error:
            return error

    def _both_ways(self, destination: Destination, slot: Slot, body: bytes) -> Iterator[Receipt | ItemError]:
        yield self._outcome(destination, slot, body, many=False)
        if isinstance(destination, WritesMany):
            yield self._outcome(destination, slot, body, many=True)

    @staticmethod
    def _names(destination: Destination, place: Place) -> dict[str, bool]:
        """What stands in a place: whether each is a folder."""
        held = list(keeper(destination).held(place))
        assert len({one.name for one in held}) == len(held)
        return {one.name: one.folder for one in held}

    @staticmethod
    def _large(destination: Destination) -> tuple[bytes, int]:
        """A body that goes in three pieces or more, the last one shorter, and the size of a piece."""
        if not isinstance(destination, Resumable):
            pytest.skip("it takes no bodies in pieces")
        size: int = 1
        while (piece := destination.piece(size)) is None:
            size *= 2
            if size > _MOST:
                pytest.skip("only bodies larger than a test sends go in pieces: open it with smaller ones")
        size = max(size, 2 * piece + piece // 3 + 1)
        again = destination.piece(size)
        assert again is not None, f"{size} bytes are more than some that go in pieces"
        size = max(size, 2 * again + again // 3 + 1)
        if size > _MOST:
            pytest.skip("its pieces are larger than a test sends: open it with smaller ones")
        return random.Random(size).randbytes(size), again

    @staticmethod
    def _append(destination: Destination, upload: str, slot: Slot, offset: int, body: bytes, piece: int) -> None:
        part: Body = Bytes(body[offset : offset + piece])
        resumer(destination).append(upload, slot, offset, part)


def keeper(destination: Destination) -> KeepsTrees:
    """The destination as one that keeps trees, which it must be."""
    assert isinstance(destination, KeepsTrees)
    return destination


def remover(destination: Destination) -> Removes:
    """The destination as one that takes away what we put there; the test is skipped if it is not."""
    if not isinstance(destination, Removes):
        pytest.skip("it takes nothing away")
    return destination


def resumer(destination: Destination) -> Resumable:
    """The destination as one that takes bodies in pieces; _large skips a test where it is not."""
    return cast(Resumable, destination)


@contextmanager
def told(code: str) -> Iterator[None]:
    """Expects an ItemError with this code."""
    with pytest.raises(ItemError) as error:
        yield
    assert error.value.code == code


def assert_refused(outcome: object, code: str) -> None:
    """The outcome is an ItemError with this code."""
    assert isinstance(outcome, ItemError), outcome
    assert outcome.code == code
