"""Large bodies that go in pieces and become one file, or none."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from liberate.connector import CHANGED_THERE, NAME_TAKEN, Inventories
from liberate.errors import IntegrityError, ItemError, LiberateError, TransientError
from liberate.testing.destination_contract import Bytes, OpenDestination, nobody
from liberate.testing.tree_contract.base import Owner, TreeContract, resumer, told


class Pieces(TreeContract):
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
