"""What happened at the source between two runs, brought to the rooms of a real Synapse that the first one made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from urllib.parse import quote

from liberate_matrix.destination import MatrixDestination
from matrix_kit import Company, Reader, Writer, message

from liberate.chat import ChatFacts, Emoji, Reaction
from liberate.connector import Change, Receipt

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
