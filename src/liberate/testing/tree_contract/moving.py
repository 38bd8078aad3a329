"""Renames and moves that keep what they move, and never take what is somebody else's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from liberate.connector import NAME_TAKEN, Place, Receipt, inside
from liberate.errors import ItemError
from liberate.testing.destination_contract import OpenDestination, nobody
from liberate.testing.tree_contract.base import Owner, TreeContract, keeper, told


class Moving(TreeContract):
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
