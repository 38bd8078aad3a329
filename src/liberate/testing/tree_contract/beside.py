"""What goes beside the bytes: times and favourites, shares, notes, and the room that is left."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from liberate.connector import CHANGED_THERE, Change, Receipt, Share, Shares, Spacious, TakesNotes, Updates
from liberate.errors import ItemError
from liberate.files import Grant, Note, Role
from liberate.testing.destination_contract import OpenDestination
from liberate.testing.tree_contract.base import Owner, TreeContract, assert_refused, keeper, remover, told


class Beside(TreeContract):
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

    @pytest.mark.parametrize("theirs", [b"somebody's own words", b"third"], ids=["another size", "the same size"])
    def test_new_facts_make_nothing_ours_that_somebody_changed(
        self, open_destination: OpenDestination, owner: Owner, theirs: bytes
    ) -> None:
        with open_destination() as destination:
            if not isinstance(destination, Updates):
                pytest.skip("it changes no facts")
            place = self._root(destination)
            first = self._file(place, "a.txt", b"first")
            receipt = self._put(destination, first, b"first")
            owner.put(f"{place}/a.txt", theirs)
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
        assert owner.tree() == {f"{place}": None, f"{place}/a.txt": theirs}

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
