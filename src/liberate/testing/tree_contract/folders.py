"""Folders, the names that stand in them, and names that are somebody else's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from liberate.connector import NAME_TAKEN, WritesMany, inside
from liberate.errors import ItemError
from liberate.naming import encode
from liberate.testing.destination_contract import NAMES, OpenDestination, nobody
from liberate.testing.tree_contract.base import Owner, TreeContract, again, assert_refused, keeper, told


class Folders(TreeContract):
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

    def test_three_openings_make_the_same_folders_at_once(
        self, open_destination: OpenDestination, owner: Owner
    ) -> None:
        """Whoever meets a lock of another's tells it as a TransientError and is called again, as the engine does."""
        with open_destination() as destination:
            place = self._root(destination)

        def make(number: int) -> None:
            with open_destination() as destination:
                for n in range(4):
                    again(partial(keeper(destination).make_folder, self._folder(place, f"{n}")))
                    slot = self._file(inside(place, f"{n}"), f"{number}.txt", b"%d" % number)
                    again(partial(self._found_or_put, destination, slot, b"%d" % number))

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(make, range(3)))
        files = {path: body for path, body in owner.tree().items() if body is not None}
        assert files == {f"{place}/{n}/{number}.txt": b"%d" % number for n in range(4) for number in range(3)}
