"""A look at a move of chat before it begins: which rooms the destination is asked about, and when nothing is said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from core_kit import Bench

import liberate
from liberate.chat import Room
from liberate.connector import Cast, Kind, Remark
from liberate.errors import TransientError
from liberate.people import Person
from liberate.testing.faults import Raise
from liberate.testing.memory_chat import ChatShelf, ChatSource
from liberate.testing.memory_rooms import RoomsDestination
from liberate.testing.memory_store import Store


class Foresees(RoomsDestination):
    """Tells which rooms it was asked about, and who is who in them."""

    def forecast(self, rooms: Iterable[Room], cast: Cast) -> Iterator[Remark]:
        told = [f"{room.id}: {', '.join(cast.user(one) or 'nobody' for one in room.members)}" for room in rooms]
        yield Remark("rooms", "; ".join(told))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    shelf = ChatShelf()
    shelf.person("U1", "Anna", email="anna@solros.example")
    shelf.person("U2", "Ben")
    for name in ("r1", "r2"):
        shelf.say(shelf.room(name, members=("U1", "U2")), "U1", "hello")
    shelf.room("r3", members=("U1", "U2"))  # in which nothing was said
    people = (Person("anna@solros.example", "anna"),)
    return Bench(tmp_path / "job", shelf, Store(), ChatSource, Foresees, people=people, kinds=(Kind.CHAT,))  # type: ignore[arg-type]


def told(bench: Bench, stop_after: int = 100) -> list[Remark]:
    asked = 0

    def stop() -> bool:
        nonlocal asked
        asked += 1
        return asked > stop_after

    return [remark for one in liberate.check(bench.plan(), stop=stop) for remark in one.remarks]


def test_a_destination_is_asked_about_the_rooms_that_hold_something(bench: Bench) -> None:
    (remark,) = told(bench)
    assert remark.why == "r1: anna, nobody; r2: anna, nobody"
    assert bench.store.places() == [], "a look makes nothing"


@pytest.mark.parametrize("after", range(6))
def test_half_a_forecast_is_none(bench: Bench, after: int) -> None:
    assert [one.why for one in told(bench, after)] in ([], ["r1: anna, nobody; r2: anna, nobody"])


def test_a_route_that_moves_no_chat_has_none(bench: Bench) -> None:
    bench.kinds = (Kind.FILE,)
    assert told(bench) == []


def test_a_source_that_fails_meanwhile_is_told_as_what_stops_a_move(bench: Bench) -> None:
    bench.source_faults.on("room", Raise(TransientError("Slack asks to slow down.")), call=2)
    (remark,) = told(bench)
    assert (remark.code, remark.stops) == ("temporary", True)
