"""How many joins a move takes: told before it, spent as told, and by as few events as there can be."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import pytest
from liberate_matrix import joins
from liberate_matrix.connectors import matrix
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.settings import MatrixSettings
from matrix_kit import V3, Bookmark, Company, Reader, Writer, message

import liberate
from liberate.chat import Room, RoomKind
from liberate.connector import ForecastsRooms, Kind, Spends
from liberate.people import Person
from liberate.testing.memory import connector
from liberate.testing.memory_chat import ChatShelf, ChatSource
from liberate.testing.plans import plan

MEMBER = "before PUT state/m.room.member"  # a request that changes who is in a room


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


def inside_of(reader: Reader) -> Counter[str]:
    """How many people are in each room of an ordinary member, as they see it."""
    places = reader.ask("GET", f"{V3}/joined_rooms")["joined_rooms"]
    joined = (reader.ask("GET", f"{V3}/rooms/{quote(one)}/joined_members")["joined"] for one in places)
    return Counter({place: len(people) for place, people in zip(places, joined, strict=True)})


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
        company.room(RoomKind.DIRECT, members=("U2", "U3"), bookmarks=(Bookmark("Rota", "https://example.test/rota"),)),
    ]
    asked: Counter[str] = Counter()

    def step(what: str) -> None:
        asked[what] += 1

    with MatrixDestination(wanted, step=step) as destination:
        assert isinstance(destination, Spends)
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
        assert destination.spent() == {"join": spent["join"]}
        assert asked[MEMBER] == spent.total(), "what changes nothing is not asked for"
        again = count.count(rooms, company)
        assert (again.sure, again.speaking, again.there) == (0, 0, told.sure - 1), "one has said its word and left"
    inside = inside_of(Reader(company.synapse, company.anna)) | inside_of(Reader(company.synapse, company.ben))
    assert len(inside) == len(rooms) + 1, "the space, too"
    assert sum(inside.values()) - len(inside) == spent["join"] - spent["leave"], "all but those who made them"
    asked.clear()
    with MatrixDestination(wanted, step=step) as destination:
        for room in rooms:
            Writer(destination, company, room).close()
        assert memberships(destination, company) == spent, "a second run spends none"
        assert destination.spent() == {"join": 0}
        assert asked[MEMBER] == 0


def test_a_look_before_a_move_and_the_report_after_it_tell_of_the_same_joins(
    settings: MatrixSettings, company: Company, tmp_path: Path
) -> None:
    shelf = ChatShelf(company.workspace)
    shelf.person("U1", "anna", email="anna@solros.example")
    shelf.person("U2", "ben", email="ben@solros.example")
    shelf.person("U3", "cleo")
    for id_, kind in (
        ("r1", RoomKind.PUBLIC), ("r2", RoomKind.PRIVATE), ("r3", RoomKind.GROUP), ("r4", RoomKind.DIRECT),
    ):  # fmt: skip
        room = shelf.room(id_, f"{id_}-{company.tag}", kind, members=("U1", "U2", "U3")[: 2 if id_ == "r4" else 3])
        for author in shelf.rooms[id_].members:
            shelf.say(room, author, f"{author} was here")
    people = (Person("anna@solros.example", company.anna.id), Person("ben@solros.example", company.ben.id))
    source = connector("memory", source=lambda _account: ChatSource(shelf), kinds=(Kind.CHAT,))
    moving = plan(tmp_path / "job", source, matrix, destination_settings=settings, people=people, kinds=(Kind.CHAT,))

    def told() -> tuple[int, int]:
        (why,) = (one.why for looked in liberate.check(moving) for one in looked.remarks if one.code == "joins")
        surely, perhaps = re.search(r"take (\d+) joins", why), re.search(r"(\d+) more at most", why)
        assert surely is not None
        return int(surely[1]), int(perhaps[1]) if perhaps is not None else 0

    surely, perhaps = told()
    assert (surely, perhaps) == (2 + 2 + 2 + 1 + 1, 3), "into the space, r1, r2, r3, r4; and cleo into three of them"
    report = liberate.migrate(moving)  # by several workers
    assert report.exit_code == 0
    assert report.accounts[0].spent == {"join": surely + perhaps}
    inside = inside_of(Reader(company.synapse, company.anna))
    assert sum(inside.values()) - len(inside) == surely + perhaps
    report = liberate.migrate(moving)
    assert (report.changed, report.accounts[0].spent) == (False, {"join": surely + perhaps}), "a second run spends none"
    assert told() == (0, 0)


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
        writer.write(message(2, author="U1"))
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
