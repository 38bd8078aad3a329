"""Rooms at a real Synapse, seen by ordinary people: what was said, what is unread, pinned, and how they are called."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from liberate_matrix import registration, rooms
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.sandbox import SERVER_NAME, Synapse
from liberate_matrix.settings import MatrixSettings
from matrix_kit import V3, Company, Reader, Writer, message, synapse_or_skip

from liberate.chat import Room, RoomKind
from liberate.errors import AccountError, TransientError

Opening = Callable[[], MatrixDestination]


def test_what_was_said_is_read_by_a_member_with_its_authors_and_times(
    opening: Opening, company: Company, anna: Reader
) -> None:
    room = company.room(topic="the topic", purpose="the purpose")
    with opening() as destination:
        writer = Writer(destination, company, room)
        for number, author in enumerate(["U1", "U3", "U2", "B1"]):
            writer.write(message(number, author=author))
        writer.close()
    assert anna.said(writer.place) == [
        (company.anna.id, "message 0"),
        (company.ghost("U3"), "message 1"),
        (company.ben.id, "message 2"),
        (company.ghost("B1"), "message 3"),
    ]
    times = [one["origin_server_ts"] for one in anna.events(writer.place) if one["type"] == "m.room.message"]
    assert times == [int(message(number).time.timestamp() * 1000) for number in range(4)]
    assert anna.state(writer.place, "m.room.name") == {"name": room.name}
    assert anna.state(writer.place, "m.room.topic")["topic"] == "the topic\nthe purpose"
    ghost = anna.state(writer.place, "m.room.member", company.ghost("U3"))
    assert ghost["displayname"] == "cleo <3"


def test_a_public_room_is_for_the_space_and_whoever_comes_later_sees_all_of_it_as_read(
    opening: Opening, company: Company, anna: Reader, stranger: Reader
) -> None:
    room = company.room(members=("U1",))
    with opening() as destination:
        writer = Writer(destination, company, room)
        for number in range(3):
            writer.write(message(number, author="U3"))
        writer.close()
    rules = anna.state(writer.place, "m.room.join_rules")
    space = rules["allow"][0]["room_id"]
    assert rules["join_rule"] == "restricted"
    assert anna.state(space, "m.room.create")["type"] == "m.space"
    assert anna.state(space, "m.room.name") == {"name": "Example Coop"}
    assert anna.state(space, "m.space.child", writer.place)["via"] == [SERVER_NAME]
    assert anna.state(writer.place, "m.space.parent", space)["canonical"] is True
    assert anna.unread(writer.place)["notification_count"] == 0
    with pytest.raises(AssertionError, match="403"):
        stranger.join(f"#general-{company.tag}:{SERVER_NAME}")
    # Ben is in the workspace: once he is in the space, the room lets him in.
    with opening() as destination:
        Writer(destination, company, company.room(name=f"other-{company.tag}", members=("U2",))).close()
    later = Reader(company.synapse, company.ben)
    assert later.join(f"#general-{company.tag}:{SERVER_NAME}") == writer.place
    assert [text for _, text in later.said(writer.place)] == ["message 0", "message 1", "message 2"]
    assert later.unread(writer.place) == {"notification_count": 0, "highlight_count": 0}


def test_a_talk_of_two_is_theirs_alone_and_clients_list_it_as_one(
    opening: Opening, company: Company, anna: Reader, ben: Reader
) -> None:
    room = company.room(RoomKind.DIRECT, members=("U1", "U2"))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0, author="U2", thread="never came"))
        writer.close()
        writer.close()
    joined = anna.ask("GET", f"{V3}/rooms/{quote(writer.place)}/joined_members")["joined"]
    assert set(joined) == {company.anna.id, company.ben.id}
    for me, other in ((anna, ben), (ben, anna)):
        direct = me.ask("GET", f"{V3}/user/{quote(me.id)}/account_data/m.direct")
        assert direct == {other.id: [writer.place]}
        assert me.unread(writer.place) == {"notification_count": 0, "highlight_count": 0}
        assert me.state(writer.place, "m.room.canonical_alias") == {}
        with pytest.raises(AssertionError, match="404"):
            me.state(writer.place, "m.room.name")
        me.ask("PUT", f"{V3}/rooms/{quote(writer.place)}/state/m.room.topic/", {"topic": "ours"})


def test_a_talk_with_oneself_is_a_room_of_ones_own(opening: Opening, company: Company, anna: Reader) -> None:
    with opening() as destination:
        writer = Writer(destination, company, company.room(RoomKind.DIRECT, members=("U1",)))
        writer.write(message(0))
        writer.close()
    assert anna.said(writer.place) == [(company.anna.id, "message 0")]
    assert anna.ask("GET", f"{V3}/user/{quote(anna.id)}/account_data/m.direct") == {anna.id: [writer.place]}


def test_mentions_and_talks_leave_nothing_unread_and_what_people_say_afterwards_is(
    opening: Opening, company: Company, anna: Reader, ben: Reader
) -> None:
    room = company.room(members=("U1", "U2"))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0, author="U2"))
        writer.write(message(1, text=f"{company.ben.id} anna{company.tag} @room"))
        writer.write(message(2, author="U3", thread=message(0).id))
        writer.close()
    zero = {"notification_count": 0, "highlight_count": 0}
    assert anna.unread(writer.place) == ben.unread(writer.place) == zero
    said = {"msgtype": "m.text", "body": "hello"}
    ben.ask("PUT", f"{V3}/rooms/{quote(writer.place)}/send/m.room.message/1", said)
    assert anna.unread(writer.place)["notification_count"] == 1
    with opening() as destination:
        again = Writer(destination, company, room)
        again.close()
    assert anna.unread(writer.place)["notification_count"] == 1


def test_pins_and_archives_are_set_once_and_what_people_changed_stays(
    opening: Opening, company: Company, anna: Reader
) -> None:
    room = company.room(pins=(message(1).id, "never came", message(0).id), topic="old")
    admin = company.synapse.member(f"admin{company.tag}", admin=True)
    with opening() as destination:
        writer = Writer(destination, company, room)
        for number in range(2):
            writer.write(message(number))
        writer.close()
        ids = [writer.receipts[message(number).id].id for number in (1, 0)]
        assert anna.state(writer.place, "m.room.pinned_events") == {"pinned": ids}
        before = anna.events(writer.place)
        writer.close()
        assert anna.events(writer.place) == before
        # Somebody gives it another name; the source gives it another topic.
        company.synapse.ask(
            "POST", f"/_synapse/admin/v1/rooms/{quote(writer.place)}/make_room_admin",
            {"user_id": company.anna.id}, admin.token,
        )  # fmt: skip
        anna.ask("PUT", f"{V3}/rooms/{quote(writer.place)}/state/m.room.name/", {"name": "ours"})
        now = replace(room, topic="new", name="theirs", archived=True)
        writer.close(now)
        writer.close(now)
    assert anna.state(writer.place, "m.room.name") == {"name": "ours"}
    assert anna.state(writer.place, "m.room.topic")["topic"] == "new"
    with pytest.raises(AssertionError, match="403"):
        Reader(company.synapse, company.ben).ask(
            "PUT", f"{V3}/rooms/{quote(writer.place)}/send/m.room.message/1", {"msgtype": "m.text", "body": "x"}
        )


def test_what_comes_late_into_an_archived_room_gets_there_and_the_room_is_closed_again(
    opening: Opening, company: Company, anna: Reader
) -> None:
    room = company.room(archived=True)
    for number in range(2):
        with opening() as destination:
            writer = Writer(destination, company, room)
            writer.write(message(number, author="U3"))
            writer.close()
    assert [text for _, text in anna.said(writer.place)] == ["message 0", "message 1"]
    assert anna.state(writer.place, "m.room.power_levels")["events_default"] == 100


def test_rooms_of_one_name_get_addresses_of_their_own(opening: Opening, company: Company, anna: Reader) -> None:
    with opening() as destination:
        writers = [Writer(destination, company, company.room()) for _ in range(2)]
        for writer in writers:
            writer.close()
        assert Writer(destination, company, writers[1].room).place == writers[1].place
    aliases = [anna.state(one.place, "m.room.canonical_alias")["alias"] for one in writers]
    assert aliases == [f"#general-{company.tag}:{SERVER_NAME}", f"#general-{company.tag}-2:{SERVER_NAME}"]


def test_people_join_public_rooms_by_themselves_if_the_settings_say_so(
    settings: MatrixSettings, company: Company, anna: Reader
) -> None:
    with MatrixDestination(settings.model_copy(update={"join_public": False})) as destination:
        writer = Writer(destination, company, company.room())
        writer.write(message(0, author="U3"))
        writer.close()
    with pytest.raises(AssertionError, match="403"):
        anna.said(writer.place)
    assert anna.join(writer.place) == writer.place
    assert anna.unread(writer.place) == {"notification_count": 0, "highlight_count": 0}


def test_rooms_are_made_as_the_settings_say(
    settings: MatrixSettings, company: Company, anna: Reader, stranger: Reader
) -> None:
    told = {"creator": company.ben.id, "room_version": "11", "federate": False, "public_rooms": "server"}
    with MatrixDestination(settings.model_copy(update=told)) as destination:
        writer = Writer(destination, company, company.room(members=("U1",)))
        writer.write(message(0, author="U3", thread="never came"))
        writer.close()
    create = next(one for one in anna.events(writer.place) if one["type"] == "m.room.create")
    assert create["sender"] == company.ben.id
    assert create["content"]["room_version"] == "11"
    assert create["content"]["m.federate"] is False
    assert stranger.join(writer.place) == writer.place
    with MatrixDestination(settings) as destination:  # and is still found by whoever has other settings
        assert Writer(destination, company, writer.room).place == writer.place


def test_nobody_else_can_put_a_room_of_theirs_where_a_talk_will_be(
    opening: Opening, company: Company, stranger: Reader
) -> None:
    room = company.room(RoomKind.DIRECT, members=("U1",))
    with opening() as destination:
        alias = destination._rooms.alias(room.workspace.id, room.id)
        trap = stranger.ask("POST", f"{V3}/createRoom", {})["room_id"]
        with pytest.raises(AssertionError, match="M_EXCLUSIVE"):
            stranger.ask("PUT", f"{V3}/directory/room/{quote(alias)}", {"room_id": trap})
        assert destination.open_room(room, company) != trap


def test_an_address_that_leads_into_a_room_without_anybody_is_asked_for_again_later(
    opening: Opening, company: Company, anna: Reader
) -> None:
    room = company.room(RoomKind.DIRECT, members=("U1",))
    with opening() as destination:
        place = destination.open_room(room, company)
        anna.ask("POST", f"{V3}/rooms/{quote(place)}/leave", {})
        with pytest.raises(TransientError, match="only just being made, or that everybody has left"):
            destination.open_room(room, company)


def test_a_talk_that_somebody_left_goes_on_in_the_name_of_who_is_there(
    opening: Opening, company: Company, anna: Reader, ben: Reader
) -> None:
    room = company.room(RoomKind.DIRECT, members=("U1", "U2"))
    with opening() as destination:
        place = Writer(destination, company, room).place
        Writer(destination, company, room).close()
        anna.ask("POST", f"{V3}/rooms/{quote(place)}/leave", {})
        for members in (("U1", "U2"), ("U1",)):
            writer = Writer(destination, company, replace(room, members=members))
            assert writer.place == place
        writer.write(message(0, author="U3"))
        ben.ask("POST", f"{V3}/rooms/{quote(place)}/leave", {})
        assert Writer(destination, company, room).place == place  # the ghost is there


def test_a_room_whose_maker_left_is_told_and_not_made_a_second_time(
    opening: Opening, settings: MatrixSettings, company: Company, ben: Reader
) -> None:
    room = company.room(RoomKind.PRIVATE, members=("U1",))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0))
        destination._rooms.leave(destination._opened[writer.place], destination._client.bot)
        with pytest.raises(AccountError, match="none of those who may have made it"):
            destination.open_room(room, company)


def test_somebody_of_whom_the_people_table_is_wrong_stops_before_anything_is_said_in_another_name(
    opening: Opening, company: Company, anna: Reader
) -> None:
    company._users["U2"] = f"nobody{company.tag}"
    with opening() as destination:
        writer = Writer(destination, company, company.room(members=("U1",)))
        writer.write(message(0))
        with pytest.raises(AccountError, match=f"@nobody{company.tag}:{SERVER_NAME} has no account"):
            writer.write(message(1, author="U2"))
        company._users["U2"] = "@ben:elsewhere.org"
        with pytest.raises(AccountError, match=r"elsewhere\.org"):
            writer.write(message(1, author="U2"))
        writer.close()
    assert anna.said(writer.place) == [(company.anna.id, "message 0")]


def test_a_homeserver_that_makes_rooms_encrypted_is_told_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / "registration.yaml"
    registration.write(path, SERVER_NAME)
    config: dict[str, Any] = {"encryption_enabled_by_default_for_room_type": "all"}
    synapse_or_skip()
    with Synapse([path], config) as synapse, MatrixDestination(
        MatrixSettings(url=synapse.url, registration=path)
    ) as destination:  # fmt: skip
        company = Company(synapse)
        with pytest.raises(AccountError, match="encryption_enabled_by_default_for_room_type"):
            Writer(destination, company, company.room(RoomKind.PRIVATE))


def test_workers_who_come_at_the_same_time_make_one_space_and_bring_everybody_in(
    opening: Opening, company: Company, anna: Reader, ben: Reader
) -> None:
    rooms = [company.room(name=f"{number}-{company.tag}") for number in range(3)]
    together = threading.Barrier(len(rooms))

    def work(room: Room) -> str:
        with opening() as destination:
            together.wait()
            writer = Writer(destination, company, room)
            writer.write(message(0, author="U3"))
            together.wait()
            writer.close()
            return writer.place

    with ThreadPoolExecutor(len(rooms)) as workers:
        places = list(workers.map(work, rooms))
    assert len(set(places)) == len(rooms)
    for reader in (anna, ben):
        (space,) = set(reader.ask("GET", f"{V3}/joined_rooms")["joined_rooms"]) - set(places)
        children = {one["state_key"] for one in reader.events(space) if one["type"] == "m.space.child"}
        assert children == set(places)


def test_two_machines_that_make_one_room_at_the_same_time_make_one(
    opening: Opening, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "_spaces", nullcontext())  # as between processes, nothing keeps them apart
    room = company.room()
    together = threading.Barrier(4)

    def work(_number: int) -> str:
        together.wait()
        while True:
            with opening() as destination, suppress(TransientError):
                return destination.open_room(room, company)

    with ThreadPoolExecutor(4) as workers:
        assert len(set(workers.map(work, range(4)))) == 1


def test_a_room_that_a_homeserver_died_over_is_waited_for_and_then_made_anew(
    opening: Opening, company: Company, anna: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = company.room()
    with opening() as destination:
        client = destination._client
        alias = destination._rooms.alias(company.workspace.id, room.id)
        half = client.create_room(client.bot, {"room_alias_name": alias[1:].partition(":")[0]})
        with pytest.raises(TransientError, match="only just being made"):
            destination.open_room(room, company)
        monkeypatch.setattr(rooms, "_HALF", 0.0)
        writer = Writer(destination, company, room)
        assert writer.place != half
        writer.write(message(0))
        writer.close()
    assert anna.said(writer.place) == [(company.anna.id, "message 0")]
