"""What stands there, as it is listed and hashed, and what of it is ours to take away."""

from __future__ import annotations

import hashlib

import pytest

from liberate.connector import CHANGED_THERE, Held, Inventories, Rehashes, inside
from liberate.errors import ItemError
from liberate.testing.destination_contract import OpenDestination
from liberate.testing.tree_contract.base import Owner, TreeContract, assert_refused, keeper, remover, told


class Looking(TreeContract):
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

    @pytest.mark.parametrize("theirs", [b"somebody's own words", b"hers"], ids=["another size", "the same size"])
    def test_what_somebody_changed_is_not_removed(
        self, open_destination: OpenDestination, owner: Owner, theirs: bytes
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            slot = self._file(place, "a.txt", b"ours")
            receipt = self._put(destination, slot, b"ours")
            owner.put(f"{place}/a.txt", theirs)
            with told(CHANGED_THERE):
                remover(destination).remove(slot, receipt)
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": theirs}

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
