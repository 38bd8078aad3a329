"""Rooms taken back at a real Synapse: whole, with the space, and only while nobody else has written in them."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.sandbox import Synapse
from liberate_matrix.settings import MatrixSettings
from matrix_kit import V3, Company, Reader, Writer, message

from liberate.chat import File, Paragraph, Reaction, RoomKind, Text
from liberate.connector import Place
from liberate.errors import ItemError, TransientError
from liberate.testing.crash import Crash, crash_at
from liberate.testing.room_contract import THUMB

Opening = Callable[[], MatrixDestination]


BOTH = pytest.mark.parametrize(
    "administered",
    [pytest.param(True, id="administrator"), pytest.param(False, id="nobody", marks=pytest.mark.torture)],
)


@pytest.fixture
def administered() -> bool:
    return False


@pytest.fixture
def settings(synapse: Synapse, registered: Path, company: Company, administered: bool) -> MatrixSettings:
    admin = synapse.member(f"admin{company.tag}", admin=True).id if administered else ""
    return MatrixSettings(url=synapse.url, registration=registered, admin=admin)


def full(destination: MatrixDestination, company: Company, kind: RoomKind = RoomKind.PUBLIC, **more: Any) -> Writer:
    """A room with all that a message can become."""
    writer = Writer(destination, company, company.room(kind, **more))
    writer.file("F1", b"notes")
    writer.write(message(0, author="U3", reactions=(Reaction(THUMB, ("U1", "U2")),)))
    writer.write(message(1, author="U2", files=(File("F1", "a.txt"),), thread=message(0).id, broadcast=True))
    writer.write(message(2, thread="never came"))
    writer.write(message(3, blocks=(Paragraph((Text("a long text\n" * 6000),)),)))
    writer.close()
    return writer


def take_back(settings: MatrixSettings, place: Place) -> None:
    """As the core does it: what fails for a while is tried again."""
    for attempt in count():
        try:
            with MatrixDestination(settings) as destination:
                destination.remove_room(place, [])
            return
        except TransientError as error:
            if attempt > 5:
                raise
            time.sleep(error.retry_after or 1.0)


def rooms_of(reader: Reader) -> set[str]:
    return set(reader.ask("GET", f"{V3}/joined_rooms")["joined_rooms"])


def media(reader: Reader, mxc: str) -> Any:
    return reader.ask("GET", f"/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}")


@BOTH
def test_what_nobody_else_wrote_in_is_taken_back_with_its_space_and_can_come_again(
    opening: Opening, company: Company, anna: Reader, ben: Reader, settings: MatrixSettings
) -> None:
    with opening() as destination:
        writers = [full(destination, company, kind) for kind in (RoomKind.PUBLIC, RoomKind.DIRECT)]
        assert len(rooms_of(anna)) == 3
        assert anna.ask("GET", f"{V3}/user/{anna.id}/account_data/m.direct")
    with opening() as destination:
        for writer in writers:
            for _ in range(2):
                destination.remove_room(writer.place, [writer.receipts["F1"]])
    for reader in (anna, ben):
        assert rooms_of(reader) == set()
        assert not reader.ask("GET", f"{V3}/user/{reader.id}/account_data/m.direct")
        for writer in writers:
            with pytest.raises(AssertionError, match=r"403|404"):
                reader.events(writer.place)
    with opening() as destination:
        alias = destination._rooms.alias(company.workspace.id, writers[0].room.id)
        for gone in (alias, f"#{writers[0].room.name}:{company.synapse.server_name}"):
            with pytest.raises(AssertionError, match="404"):
                anna.ask("GET", f"{V3}/directory/room/{quote(gone)}")
        if settings.admin:
            with pytest.raises(AssertionError, match="404"):
                media(anna, writers[0].receipts["F1"].id)
        else:
            assert media(anna, writers[0].receipts["F1"].id) == b"notes"
        again = Writer(destination, company, writers[0].room)
        again.write(message(0))
        again.close()
        assert again.place not in {writer.place for writer in writers}
    assert anna.said(again.place) == [(company.anna.id, "message 0")]


def write_something(reader: Reader, place: str, event: str) -> None:
    reader.ask("PUT", f"{V3}/rooms/{quote(place)}/send/m.room.message/1", {"msgtype": "m.text", "body": "mine"})


def react(reader: Reader, place: str, event: str) -> None:
    relation = {"rel_type": "m.annotation", "event_id": event, "key": "x"}
    reader.ask("PUT", f"{V3}/rooms/{quote(place)}/send/m.reaction/1", {"m.relates_to": relation})


def forward(reader: Reader, place: str, event: str) -> None:
    content = reader.ask("GET", f"{V3}/rooms/{quote(place)}/event/{quote(event)}")["content"]
    reader.ask("PUT", f"{V3}/rooms/{quote(place)}/send/m.room.message/1", content)


@pytest.mark.parametrize(
    "act", [*(pytest.param(one, marks=pytest.mark.torture) for one in (write_something, react)), forward]
)
def test_a_room_that_somebody_uses_stays_as_it_is(
    opening: Opening, company: Company, anna: Reader, ben: Reader, act: Callable[[Reader, str, str], None]
) -> None:
    with opening() as destination:
        used, other = full(destination, company), full(destination, company, name=f"other-{company.tag}")
        act(ben, used.place, used.receipts[message(0).id].id)
        before = anna.events(used.place)
        with pytest.raises(ItemError) as refused:
            destination.remove_room(used.place, [])
        assert refused.value.code == "changed-there"
        assert ben.id in refused.value.why
        destination.remove_room(other.place, [])
        assert anna.events(used.place) == before
        assert media(anna, used.receipts["F1"].id) == b"notes"
        assert len(rooms_of(anna)) == 2  # the room and its space


def test_a_room_that_liberate_did_not_make_stays(opening: Opening, company: Company, anna: Reader) -> None:
    room = anna.ask("POST", f"{V3}/createRoom", {"name": "ours"})["room_id"]
    with opening() as destination, pytest.raises(ItemError, match="not made by liberate"):
        destination.remove_room(room, [])
    assert anna.state(room, "m.room.name") == {"name": "ours"}


@BOTH
@pytest.mark.torture
@pytest.mark.timeout(600)
def test_taking_back_may_die_at_any_request_and_be_done_again(
    settings: MatrixSettings, company: Company, anna: Reader
) -> None:
    steps: list[str] = []
    with MatrixDestination(settings) as destination:
        first = full(destination, company, name=f"first-{company.tag}")
    with MatrixDestination(settings, step=steps.append) as destination:
        destination.remove_room(first.place, [])
    changing = [number for number, what in enumerate(steps) if what.startswith("after ")]
    for number in changing:
        with MatrixDestination(settings) as destination:
            writer = full(destination, company, name=f"{number}-{company.tag}")
        with pytest.raises(Crash), MatrixDestination(settings, step=crash_at(number)) as destination:
            destination.remove_room(writer.place, [])
        take_back(settings, writer.place)
        assert rooms_of(anna) == set(), steps[number]
        with MatrixDestination(settings) as destination:
            again = destination.open_room(writer.room, company)
        assert again != writer.place
        take_back(settings, again)
