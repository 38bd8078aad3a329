"""How many joins a move takes: told before it, spent as told, and by as few events as there can be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest
from liberate_matrix import joins
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.settings import MatrixSettings
from matrix_kit import Company, Writer, message

from liberate.chat import Room, RoomKind
from liberate.connector import ForecastsRooms


def said(destination: MatrixDestination, rooms: Iterable[Room], company: Company) -> str:
    assert isinstance(destination, ForecastsRooms)
    (remark,) = destination.forecast(rooms, company)
    assert remark.code == "joins"
    assert not remark.stops
    return remark.why


def memberships(destination: MatrixDestination, company: Company) -> Counter[str]:
    """What became of memberships in the company's space and all its rooms, those who made them aside."""
    client = destination._client
    space = client.resolve(destination._rooms.alias(company.workspace.id)) or ""
    rooms = [one["state_key"] for one in client.all_state(client.bot, space) if one["type"] == "m.space.child"]
    out: Counter[str] = Counter()
    for place in (space, *rooms, *(one for one in destination._opened if one not in rooms)):
        reader = min(client.joined(client.bot, place))
        events = list(client.history(reader, place, {"types": ["m.room.member"]}))
        out.update(one["content"]["membership"] for one in events)
        out["join"] -= 1  # who made it
    return out


@pytest.mark.parametrize("settings_", [{}, {"public_rooms": "server"}, {"join_public": False}, {"creator": "anna"}])
def test_as_many_join_as_was_told_and_a_second_run_spends_none(
    settings: MatrixSettings, company: Company, settings_: dict[str, object]
) -> None:
    creator = company.anna.id if "creator" in settings_ else ""
    wanted = settings.model_copy(update={**settings_, "creator": creator})
    rooms = [
        company.room(),
        company.room(RoomKind.PRIVATE, name=f"board-{company.tag}"),
        company.room(RoomKind.GROUP, members=("U1", "U2", "U3")),
        company.room(RoomKind.DIRECT, members=("U2", "U3")),
    ]
    with MatrixDestination(wanted) as destination:
        joins.measured.pop(wanted.url, None)
        count = joins.Counting(destination._client, destination._people, destination._rooms, wanted)
        told = count.count(rooms, company)
        assert told.there == 0
        assert f"4 rooms and the people in them take {told.sure} joins." in said(destination, rooms, company)
        for room in rooms:
            writer = Writer(destination, company, room)
            for number, author in enumerate(room.members):
                writer.write(message(number, author=author))
            writer.close()
        spent = memberships(destination, company)
        assert spent["join"] == told.sure + told.speaking, "all who may speak have spoken"
        again = count.count(rooms, company)
        assert (again.sure, again.speaking, again.there) == (0, 0, told.sure)
    with MatrixDestination(wanted) as destination:
        for room in rooms:
            Writer(destination, company, room).close()
        assert memberships(destination, company) == spent, "a second run spends none"


@pytest.mark.parametrize(
    ("public_rooms", "invited"),
    [("space", {"U1": 0, "U2": 0, "U3": 1}), ("server", {"U1": 0, "U2": 0, "U3": 0})],
)
def test_nobody_is_invited_into_a_room_that_is_open_to_them(
    settings: MatrixSettings, company: Company, public_rooms: str, invited: dict[str, int]
) -> None:
    with MatrixDestination(settings.model_copy(update={"public_rooms": public_rooms})) as destination:
        writer = Writer(destination, company, company.room())
        writer.write(message(1, author="U3"))  # who has no account, and so is not in the space
        writer.close()
        client = destination._client
        events = list(client.history(client.bot, writer.place, {"types": ["m.room.member"]}))
        names = {"U1": company.anna.id, "U2": company.ben.id, "U3": company.ghost("U3")}
        for author, times in invited.items():
            became = Counter(one["content"]["membership"] for one in events if one["state_key"] == names[author])
            assert became == Counter({"join": 1, "invite": times}), author


def test_the_time_that_joins_take_is_told_once_it_is_known(settings: MatrixSettings, company: Company) -> None:
    with MatrixDestination(settings) as destination:
        joins.measured.pop(settings.url, None)
        assert "takes about" not in said(destination, [company.room()], company)
        list(destination.check())
        assert 0 < joins.measured[settings.url] < 60
        joins.measured[settings.url] = 60.0
        assert said(destination, [company.room()], company).endswith("That takes about 4 to 5 min.")
        assert list(destination.forecast([], company)) == []
