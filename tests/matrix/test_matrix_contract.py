"""The contract of destinations that keep rooms, on a real Synapse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from liberate_matrix.destination import MatrixDestination
from matrix_kit import Company, Reader

from liberate.chat import Room
from liberate.connector import Place
from liberate.testing.contracts import OpenRooms, RoomContract, Said


class TestMatrixRooms(RoomContract):
    @pytest.fixture
    def open_rooms(self, opening: Callable[[], MatrixDestination]) -> OpenRooms:
        return opening

    @pytest.fixture
    def users(self, company: Company) -> Mapping[str, str]:
        return {"U1": company.anna.id, "U2": company.ben.id}

    @pytest.fixture
    def room(self, company: Company) -> Room:
        return company.room()

    @pytest.fixture
    def said(self, company: Company) -> Said:
        def texts(place: Place) -> list[str]:
            return [text for _, text in Reader(company.synapse, company.anna).said(place)]

        return texts
