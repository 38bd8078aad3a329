"""Who is in a room of a real Synapse: everybody whose room it is, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal
from urllib.parse import quote

import pytest
from liberate_matrix import joins
from liberate_matrix.client import Answer, Client
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.sandbox import SERVER_NAME
from matrix_kit import V3, Company, Reader, Writer, message

from liberate.chat import Author, Recalled, RoomKind

Opening = Callable[[], MatrixDestination]


@pytest.mark.parametrize("kind", [RoomKind.PRIVATE, RoomKind.GROUP, RoomKind.DIRECT])
def test_nobody_comes_into_a_room_that_is_not_theirs(
    opening: Opening, company: Company, anna: Reader, stranger: Reader, kind: RoomKind
) -> None:
    room = company.room(kind, members=("U1", "U3"))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0, author="U3"))
        writer.close()
    assert anna.said(writer.place) == [(company.ghost("U3"), "message 0")]
    assert anna.state(writer.place, "m.room.join_rules") == {"join_rule": "invite"}
    with pytest.raises(AssertionError, match="403"):
        stranger.join(writer.place)
    with pytest.raises(AssertionError, match="403"):
        stranger.events(writer.place)
    with pytest.raises(AssertionError, match="404"):
        stranger.join(f"#general-{company.tag}:{SERVER_NAME}")


@pytest.mark.parametrize("kind", ["guest", "stranger"])
def test_a_guest_comes_into_the_rooms_they_were_in_and_finds_no_other(
    opening: Opening, company: Company, anna: Reader, ben: Reader, kind: Literal["guest", "stranger"]
) -> None:
    company.know(Author("U2", "ben", kind=kind))
    with opening() as destination:
        other = Writer(destination, company, company.room(members=("U1",)))
        other.write(message(0))
        other.close()
        rooms = [company.room(one, name=f"both-{one}{company.tag}") for one in (RoomKind.PUBLIC, RoomKind.PRIVATE)]
        told = joins.Counting(destination._client, destination._people, destination._rooms, destination._settings)
        forecast = told.count(rooms, company).sure
        before = destination.spent()["join"]
        writers = [Writer(destination, company, room) for room in rooms]
        for writer in writers:
            writer.write(message(1, author="U2"))
            writer.write(message(2, author="U1"))
            writer.close()
        assert destination.spent()["join"] - before == forecast
    for writer in writers:
        assert ben.said(writer.place) == anna.said(writer.place)
        assert ben.unread(writer.place) == {"notification_count": 0, "highlight_count": 0}
    with pytest.raises(AssertionError, match="403"):
        ben.join(other.place)


@pytest.mark.parametrize("spoke", [False, True])
def test_whoever_was_taken_out_of_a_private_room_hears_nothing_of_what_is_said_there_later(
    opening: Opening, company: Company, anna: Reader, ben: Reader, stranger: Reader, spoke: bool
) -> None:
    room = company.room(RoomKind.PRIVATE, members=("U1", "U2"))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0, author="U2" if spoke else "U1"))
        writer.close()
    ben.ask("PUT", f"{V3}/profile/{quote(ben.id)}/displayname", {"displayname": "Ben the Second"})
    anna.ask("POST", f"{V3}/rooms/{quote(writer.place)}/invite", {"user_id": stranger.id})
    stranger.join(writer.place)  # whom people of the room let in stays
    with opening() as destination:
        later = Writer(destination, company, replace(room, members=("U1",)))
        later.write(message(1, author="U3"))
        with pytest.raises(AssertionError, match="403"):
            ben.events(writer.place)
        later.close()
    with pytest.raises(AssertionError, match="403"):
        ben.events(writer.place)
    assert [text for _, text in stranger.said(writer.place)] == ["message 0", "message 1"]
    with opening() as destination:  # and is a member again
        Writer(destination, company, room).close()
    assert ben.said(writer.place) == anna.said(writer.place) == stranger.said(writer.place)


@pytest.mark.parametrize("kind", [RoomKind.PRIVATE, RoomKind.PUBLIC, RoomKind.GROUP])
def test_whoever_left_a_room_by_themselves_or_was_sent_away_is_not_brought_back(
    opening: Opening, company: Company, anna: Reader, ben: Reader, kind: RoomKind
) -> None:
    room = company.room(kind, members=("U1", "U2"))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0))
        writer.close()
    who, how, whom = (anna, "kick", {"user_id": ben.id}) if kind is RoomKind.GROUP else (ben, "leave", {})
    who.ask("POST", f"{V3}/rooms/{quote(writer.place)}/{how}", whom)
    with opening() as destination:
        told = joins.Counting(destination._client, destination._people, destination._rooms, destination._settings)
        assert told.count([room], company).sure == 0
        later = Writer(destination, company, room)
        later.write(message(1))
        later.close()
        assert destination.spent()["join"] == 0
    joined = anna.ask("GET", f"{V3}/rooms/{quote(writer.place)}/joined_members")["joined"]
    assert ben.id not in joined
    assert [text for _, text in anna.said(writer.place)] == ["message 0", "message 1"]


def test_a_public_room_that_became_private_is_for_its_members_before_more_is_said_in_it(
    opening: Opening, company: Company, anna: Reader, ben: Reader
) -> None:
    room = company.room(members=("U1",))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0, author="U3"))
        writer.close()
        Writer(destination, company, company.room(name=f"other-{company.tag}", members=("U2",))).close()
    ben.join(writer.place)
    with opening() as destination:
        later = Writer(destination, company, replace(room, kind=RoomKind.PRIVATE))
        later.write(message(1, author="U3"))
        for _ in range(2):
            with pytest.raises(AssertionError, match="403"):
                ben.events(writer.place)
            with pytest.raises(AssertionError, match="403"):
                ben.join(writer.place)
            later.close()
    assert [text for _, text in anna.said(writer.place)] == ["message 0", "message 1"]
    anna.ask("POST", f"{V3}/rooms/{quote(writer.place)}/invite", {"user_id": ben.id})
    ben.join(writer.place)  # what people do there afterwards stays
    with opening() as destination:
        Writer(destination, company, replace(room, kind=RoomKind.PRIVATE)).close()
    assert ben.said(writer.place) == anna.said(writer.place)


def test_a_member_who_is_banned_is_told_and_the_others_come_in(
    opening: Opening, company: Company, anna: Reader, ben: Reader
) -> None:
    room = company.room(RoomKind.PRIVATE, members=("U1", "U2", "U3"))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0, author="U3"))
        client = destination._client
        client.set_state(client.bot, writer.place, "m.room.member", {"membership": "ban"}, anna.id)
        refused = destination.close_room(writer.place, room, {})
        assert {author: error.code for author, error in refused.items()} == {"U1": "member-refused"}
        assert anna.id in refused["U1"].why
        assert ben.said(writer.place) == [(company.ghost("U3"), "message 0")]
        client.set_state(client.bot, writer.place, "m.room.member", {"membership": "leave"}, anna.id)
        assert destination.close_room(writer.place, room, {}) == {}
    assert anna.said(writer.place) == [(company.ghost("U3"), "message 0")]


@pytest.mark.parametrize("kind", [RoomKind.PRIVATE, RoomKind.PUBLIC])
def test_whoever_spoke_in_a_room_and_left_it_reads_nothing_of_it_afterwards(
    opening: Opening, company: Company, anna: Reader, ben: Reader, kind: RoomKind
) -> None:
    room = company.room(kind, members=("U1",))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0, author="U2"))
        writer.write(message(1, author="U1"))
    with opening() as destination:  # another run
        later = Writer(destination, company, room)
        destination.close_room(later.place, room, {})
    assert anna.said(writer.place) == [(company.ben.id, "message 0"), (company.anna.id, "message 1")]
    assert writer.place not in ben.ask("GET", f"{V3}/joined_rooms")["joined_rooms"]
    with pytest.raises(AssertionError, match="403"):
        ben.events(writer.place)
    with opening() as destination:
        destination.open_room(room, company)
        destination.close_room(writer.place, replace(room, members=("U1", "U2")), {})
    assert ben.said(writer.place) == anna.said(writer.place)


@pytest.mark.parametrize("kind", [RoomKind.PRIVATE, RoomKind.PUBLIC])
def test_a_room_of_which_no_members_are_known_stays_with_those_who_spoke_in_it(
    opening: Opening, company: Company, anna: Reader, ben: Reader, kind: RoomKind
) -> None:
    room = company.room(kind, members=(), archived=True)
    with opening() as destination:
        writer = Writer(destination, company, room)
        for number, author in enumerate(["U1", "U2"]):
            writer.write(message(number, author=author))
        for _ in range(2):
            writer.close()
    assert anna.said(writer.place) == ben.said(writer.place)
    assert [text for _, text in ben.said(writer.place)] == ["message 0", "message 1"]


@pytest.mark.parametrize("kind", [RoomKind.PUBLIC, RoomKind.DIRECT])
def test_somebody_of_another_homeserver_who_came_in_is_nobody_that_liberate_speaks_for(
    opening: Opening, company: Company, anna: Reader, monkeypatch: pytest.MonkeyPatch, kind: RoomKind
) -> None:
    get = Client.get

    def with_somebody(client: Client, path: str, **more: Any) -> Answer:
        answer = get(client, path, **more)
        if path.endswith("/joined_members"):
            answer.body["joined"]["@aaron:elsewhere.org"] = {}  # before all others in the alphabet
        return answer

    monkeypatch.setattr(Client, "get", with_somebody)
    room = company.room(kind)
    for number in range(2):
        with opening() as destination:
            writer = Writer(destination, company, room)
            receipt = writer.write(message(number))
            writer.close()
        with opening() as destination:
            ((_, found),) = destination.recall([receipt])
            assert isinstance(found, Recalled)
    assert [text for _, text in anna.said(writer.place)] == ["message 0", "message 1"]


def test_whoever_did_not_speak_lately_stays_in_a_room_whose_members_are_not_told(
    opening: Opening, company: Company, ben: Reader
) -> None:
    """An export names no members of an archived channel; a later one may know of one day alone who spoke."""
    room = company.room(RoomKind.PRIVATE, members=("U1", "U2"))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0))
        writer.close()
    with opening() as destination:
        later = Writer(destination, company, replace(room, members=("U1",), guessed=True, archived=True))
        later.write(message(1))
        later.close()
    assert [text for _, text in ben.said(writer.place)] == ["message 0", "message 1"]
    with opening() as destination:  # and whoever is known to have left leaves
        last = Writer(destination, company, replace(room, members=("U1",)))
        last.write(message(2))
        last.close()
    with pytest.raises(AssertionError, match="403"):
        ben.events(writer.place)
