"""New versions over what we left, and over nothing else."""

from __future__ import annotations

import pytest

from liberate.connector import CHANGED_THERE, Receipt
from liberate.errors import TransientError
from liberate.testing.destination_contract import Bytes, OpenDestination, nobody
from liberate.testing.tree_contract.base import Owner, TreeContract, assert_refused


class Replacing(TreeContract):
    @pytest.mark.parametrize("many", [False, True], ids=["alone", "together"])
    def test_a_new_version_takes_the_place_of_the_one_we_left(
        self, open_destination: OpenDestination, owner: Owner, many: bool
    ) -> None:
        """The versions of the two may be called alike: a server that makes them of times calls all of a second so."""
        with open_destination() as destination:
            place = self._root(destination)
            first = self._store(destination, place, "a.txt", b"first")
            slot = self._file(place, "a.txt", b"the second", replaces=first)
            assert destination.find([slot], nobody) == {}, "the first is not the second"
            second = self._outcome(destination, slot, b"the second", many)
            assert isinstance(second, Receipt)
            stale = self._file(place, "a.txt", b"the third", replaces=first)
            assert_refused(self._outcome(destination, stale, b"the third", many), CHANGED_THERE)
        with open_destination() as destination:
            found = destination.find([slot], nobody)
            assert found[slot.key].id == second.id
            assert found[slot.key].version == second.version
            assert b"".join(destination.read(second)) == b"the second"
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": b"the second"}

    @pytest.mark.parametrize("theirs", [b"somebody's own words", b"third"], ids=["another size", "the same size"])
    @pytest.mark.parametrize("many", [False, True], ids=["alone", "together"])
    def test_a_replacement_happens_only_over_what_we_left(
        self, open_destination: OpenDestination, owner: Owner, many: bool, theirs: bytes
    ) -> None:
        with open_destination() as destination:
            place = self._root(destination)
            first = self._store(destination, place, "a.txt", b"first")
            owner.put(f"{place}/a.txt", theirs)
            slot = self._file(place, "a.txt", b"the second", replaces=first)
            assert_refused(self._outcome(destination, slot, b"the second", many), CHANGED_THERE)
            assert destination.find([slot], nobody) == {}
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": theirs}

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
