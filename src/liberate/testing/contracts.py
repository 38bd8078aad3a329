"""The conformance suite: subclass a contract, say with a fixture how yours is opened, and run pytest.

    class TestMySource(SourceContract):
        @pytest.fixture
        def open_source(self, tmp_path):
            fill(tmp_path)
            return lambda: MySource(tmp_path)

Fixtures that a contract can do without return None here; what needs them is then skipped with the
reason. Where a promise is not in liberate.connector it is not tested.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from liberate.testing.crash import Trial, survives
from liberate.testing.destination_contract import DestinationContract, OpenDestination
from liberate.testing.object_contract import ObjectContract, OpenObjects, Stranger
from liberate.testing.room_contract import OpenRooms, RoomContract, Said
from liberate.testing.source_contract import OpenSource, SourceContract
from liberate.testing.tree_contract import Owner, TreeDestinationContract

__all__ = [
    "DestinationContract",
    "ObjectContract",
    "OpenDestination",
    "OpenObjects",
    "OpenRooms",
    "OpenSource",
    "Owner",
    "PairContract",
    "RoomContract",
    "Said",
    "SourceContract",
    "Stranger",
    "TreeDestinationContract",
]


class PairContract:
    """A job from one connector to another that dies at any of its steps is set right by the next run."""

    @pytest.fixture
    def fresh(self) -> Callable[[str], Trial]:
        """Makes a job with a ledger and a destination of its own, where nothing has happened yet."""
        raise NotImplementedError("give the contract a fixture `fresh`")

    def chosen(self, _number: int, what: str) -> bool:
        """Which steps to die at: those after which something is otherwise than before."""
        return what.startswith("after ")

    def test_a_job_that_dies_is_set_right_by_the_next_run(self, fresh: Callable[[str], Trial]) -> None:
        survives(fresh, only=self.chosen)
