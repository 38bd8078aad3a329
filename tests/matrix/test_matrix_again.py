"""What happened at the source between two runs, brought to the rooms of a real Synapse that the first one made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest
from liberate_matrix.destination import MatrixDestination
from matrix_kit import V3, Bytes, Company, Reader, Writer, message

from liberate.chat import ChatFacts, Emoji, Reaction, Recalled, RoomKind
from liberate.connector import ROOM_LEFT, Change, Receipt
from liberate.errors import AccountError

Opening = Callable[[], MatrixDestination]
THUMB = Emoji("thumbsup", "\U0001f44d")


def retell(writer: Writer, id_: str, before: tuple[Reaction, ...], now: tuple[Reaction, ...]) -> None:
    """Bring other reactions to a message that stands."""
    facts, slot = ChatFacts(now), writer.slots[id_]
    item = replace(slot.item, facts=facts, facts_version=facts.dump())
    change = Change(replace(slot, item=item), writer.receipts[id_], ChatFacts(before))
    ((_, outcome),) = writer.destination.update([change])
    assert isinstance(outcome, Receipt)


def reacted(reader: Reader, writer: Writer, id_: str) -> list[str]:
    """Who has reacted to a message."""
    path = f"/_matrix/client/v1/rooms/{quote(writer.place)}/relations/{quote(writer.receipts[id_].id)}/m.annotation"
    return [one["sender"] for one in reader.ask("GET", path)["chunk"]]


def test_a_reaction_comes_and_goes_as_often_as_somebody_changes_their_mind_in_a_day(
    opening: Opening, company: Company, anna: Reader
) -> None:
    thumb = (Reaction(THUMB, ("U2",)),)
    one = message(0)
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        writer.write(one)
        before: tuple[Reaction, ...] = ()
        for now in (thumb, (), thumb, (), thumb):
            for _ in range(2):  # the second time, as after a crash before it was recorded
                retell(writer, one.id, before, now)
                assert reacted(anna, writer, one.id) == [company.ben.id] * len(now)
            before = now


def test_a_reaction_goes_in_a_room_that_was_archived_meanwhile(
    opening: Opening, company: Company, anna: Reader
) -> None:
    room = company.room(archived=True)
    thumb = (Reaction(THUMB, ("U3",)),)
    one = message(0, reactions=thumb)
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(one)
        writer.close()
    with opening() as destination:
        later = Writer(destination, company, room)
        later.slots, later.receipts = writer.slots, writer.receipts
        retell(later, one.id, thumb, ())
        later.close()
    assert reacted(anna, writer, one.id) == []
    assert anna.state(writer.place, "m.room.power_levels")["events_default"] == 100


@pytest.mark.parametrize("kind", [RoomKind.DIRECT, RoomKind.GROUP])
@pytest.mark.parametrize("wrong", ["U1", "U2"])
def test_whoever_was_taken_for_somebody_else_hears_no_more_of_their_talks(
    opening: Opening, company: Company, anna: Reader, ben: Reader, stranger: Reader, kind: RoomKind, wrong: str
) -> None:
    room = company.room(kind, members=("U1", "U2"))
    right = company._users[wrong]
    company._users[wrong] = stranger.id
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0))
        writer.close()
    company._users[wrong] = right
    with opening() as destination:
        later = Writer(destination, company, room)
        assert later.place == writer.place
        with pytest.raises(AssertionError, match="403"):
            stranger.events(writer.place)
        later.write(message(1))
        later.close()
    with pytest.raises(AssertionError, match="403"):
        stranger.events(writer.place)
    assert anna.said(writer.place) == ben.said(writer.place)
    assert [text for _, text in anna.said(writer.place)] == ["message 0", "message 1"]
    assert anna.said(writer.place)[1][0] == company.anna.id
    assert set(anna.ask("GET", f"{V3}/rooms/{quote(writer.place)}/joined_members")["joined"]) == {anna.id, ben.id}


def test_a_talk_is_kept_from_whom_the_people_table_names_no_more(
    opening: Opening, company: Company, ben: Reader
) -> None:
    room = company.room(RoomKind.DIRECT, members=("U1", "U2"))
    for there in (True, False):
        if not there:
            del company._users["U2"]
        with opening() as destination:
            writer = Writer(destination, company, room)
            writer.write(message(int(not there)))
            writer.close()
    with pytest.raises(AssertionError, match="403"):
        ben.events(writer.place)
    company._users["U2"] = ben.id
    with opening() as destination:
        Writer(destination, company, room).close()
    assert [text for _, text in ben.said(writer.place)] == ["message 0", "message 1"]


def test_a_talk_of_some_that_became_a_private_channel_goes_on_in_its_room(
    opening: Opening, company: Company, anna: Reader, ben: Reader, stranger: Reader
) -> None:
    company._users["U4"] = stranger.id
    room = company.room(RoomKind.GROUP, members=("U1", "U2"))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0))
        writer.close()
    channel = replace(room, kind=RoomKind.PRIVATE, name="plans", members=("U2", "U4"))
    for number in (1, 2):
        with opening() as destination:
            later = Writer(destination, company, channel)
            assert later.place == writer.place
            with pytest.raises(AssertionError, match="403"):
                anna.events(writer.place)
            later.write(message(number, author="U2"))
            later.close()
    for reader in (ben, stranger):
        assert [text for _, text in reader.said(writer.place)] == ["message 0", "message 1", "message 2"]
    assert ben.state(writer.place, "m.room.name") == {"name": "plans"}
    with pytest.raises(AssertionError, match="403"):
        stranger.ask("PUT", f"{V3}/rooms/{quote(writer.place)}/state/m.room.name/", {"name": "mine"})


def test_a_talk_of_which_not_all_members_are_told_keeps_them(opening: Opening, company: Company, ben: Reader) -> None:
    room = company.room(RoomKind.DIRECT, members=("U1", "U2"))
    for number, members in enumerate((("U1", "U2"), ("U1",), ())):
        with opening() as destination:
            writer = Writer(destination, company, replace(room, members=members))
            writer.write(message(number))
            writer.close()
    assert [text for _, text in ben.said(writer.place)] == ["message 0", "message 1", "message 2"]


def test_a_reaction_that_went_from_a_message_that_was_edited_as_well_goes(
    opening: Opening, company: Company, anna: Reader
) -> None:
    one = message(0, reactions=(Reaction(THUMB, ("U2", "U3")),))
    edited = replace(message(0, "other words"), reactions=(Reaction(THUMB, ("U1", "U2")),))
    edited = replace(edited, edited=one.time)
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        receipt = writer.write(one)
        anna.ask(
            "PUT",
            f"{V3}/rooms/{quote(writer.place)}/send/m.reaction/own",
            {"m.relates_to": {"rel_type": "m.annotation", "event_id": receipt.id, "key": "mine"}},
        )
        for _ in range(2):
            writer.write(edited, version="2", replaces=receipt)
        assert sorted(reacted(anna, writer, one.id)) == sorted([company.anna.id, company.anna.id, company.ben.id])


@pytest.mark.parametrize("edited", [False, True])
def test_of_edits_whose_time_slack_does_not_tell_the_last_one_is_shown(
    opening: Opening, company: Company, edited: bool
) -> None:
    """A program changes what it said, or a file is deleted: Slack notes no edit then, or names that of before."""
    first = message(0, "pending")
    noted = first.time + timedelta(minutes=9) if edited else None
    with opening() as destination:
        writer = Writer(destination, company, company.room())
        receipt = writer.write(first)
        said = replace(message(0, "by hand"), edited=first.time + timedelta(minutes=9))
        receipt = writer.write(said, version="hand", replaces=receipt)
        for text in ("running", "pending", "running", "failed", "pending", "running", "done"):
            for _ in range(2):  # the second time, as after a crash before it was recorded
                now = replace(message(0, text), edited=noted)
                receipt = writer.write(now, version=text, replaces=receipt)
                ((_, recalled),) = destination.recall([receipt])
                assert isinstance(recalled, Recalled)
                assert recalled.text == text


def test_a_job_without_its_ledger_brings_an_edit_behind_those_that_stand(opening: Opening, company: Company) -> None:
    first = message(0, "pending")
    room = company.room()
    with opening() as destination:
        writer = Writer(destination, company, room)
        receipt = writer.write(first)
        said = replace(message(0, "by hand"), edited=first.time + timedelta(minutes=9))
        writer.write(said, version="hand", replaces=receipt)
    with opening() as destination:
        later = Writer(destination, company, room)
        now = message(0, "done")
        slot = later.slot(now, "", version="done")
        assert later.find(slot) == {}
        receipt = destination.write(slot, Bytes(now.dump()))
        ((_, recalled),) = destination.recall([receipt])
        assert isinstance(recalled, Recalled)
        assert recalled.text == "done"
    with opening() as destination:
        assert list(Writer(destination, company, room).find(slot).values()) == [receipt]


def test_a_talk_that_everybody_has_left_is_told_as_that_and_not_waited_for(
    opening: Opening, company: Company, anna: Reader, ben: Reader
) -> None:
    room = company.room(RoomKind.DIRECT, members=("U1", "U2"))
    with opening() as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0))
        writer.close()
    for one in (anna, ben):
        one.ask("POST", f"{V3}/rooms/{quote(writer.place)}/leave", {})
    with opening() as destination, pytest.raises(AccountError) as told:
        destination.open_room(room, company)
    assert told.value.code == ROOM_LEFT
