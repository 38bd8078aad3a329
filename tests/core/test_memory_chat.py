"""The memory source of chat keeps the promises of sources of rooms."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace

import pytest

from liberate.chat import Emoji, Message, Paragraph, Reaction, RoomKind, Text
from liberate.connector import Collection, Cursor, Gone, HasRooms, Item, Kind
from liberate.testing.contracts import OpenSource, SourceContract
from liberate.testing.memory_chat import ChatShelf, ChatSource


def listed(source: ChatSource, room: Collection, since: Cursor | None = None) -> tuple[list[str], Cursor]:
    """The ids of what is listed, and the last cursor."""
    things = list(source.items(room, since))
    assert isinstance(things[-1], str)
    return [one.id for one in things if isinstance(one, Item | Gone)], things[-1]


class TestChatSource(SourceContract):
    @pytest.fixture
    def open_source(self) -> OpenSource:
        shelf = ChatShelf()
        for number in range(3):
            room = shelf.room(f"R{number}", f"room {number}")
            for n in range(50):
                shelf.say(room, "U1", f"message {n}")
        return lambda: nullcontext(ChatSource(shelf, step=10))


def test_a_room_is_listed_oldest_first_though_a_message_in_it_was_edited() -> None:
    shelf = ChatShelf()
    room = shelf.room("R1", "general")
    first, second = shelf.say(room, "U1", "one"), shelf.say(room, "U1", "two")
    source = ChatSource(shelf, step=1)
    ids, cursor = listed(source, room)
    assert ids == [first.id, second.id]
    shelf.post(room, replace(first, blocks=(Paragraph((Text("one, better"),)),)))
    assert listed(source, room)[0] == [first.id, second.id]
    assert listed(source, room, cursor)[0] == [first.id]


def test_a_listing_can_be_cut_off_at_any_of_its_cursors_and_loses_nothing() -> None:
    shelf = ChatShelf()
    room = shelf.room("R1", "general")
    said = [shelf.say(room, "U1", str(n)) for n in range(7)]
    shelf.post(room, replace(said[2], blocks=()))
    source = ChatSource(shelf, step=1)
    things = list(source.items(room, None))
    for at, one in enumerate(things):
        if isinstance(one, str):
            before = {two.id for two in things[:at] if isinstance(two, Item)}
            after = set(listed(source, room, Cursor(one))[0])
            assert before | after == {message.id for message in said}


def test_files_and_the_roots_of_threads_are_listed_before_what_names_them() -> None:
    shelf = ChatShelf()
    room = shelf.room("R1", "general", RoomKind.PRIVATE)
    root = shelf.say(room, "U1", "look")
    picture = shelf.upload(room, "F1", "a.png", b"png", "image/png")
    reply = shelf.say(room, "U2", "here", thread=root.id, files=(picture,))
    source = ChatSource(shelf)
    items = [one for one in source.items(room, None) if isinstance(one, Item)]
    assert [(one.id, one.kind) for one in items] == [
        (root.id, Kind.CHAT), ("F1", Kind.FILE), (reply.id, Kind.CHAT),
    ]  # fmt: skip
    assert items[2].refs == (root.id, "F1")
    assert b"".join(source.read(items[1])) == b"png"
    assert Message.load(b"".join(source.read(items[2]))) == reply


def test_another_reaction_changes_the_facts_and_not_the_version() -> None:
    shelf = ChatShelf()
    shelf.person("U1", "Anna")
    room = shelf.room("R1", "general")
    said = shelf.say(room, "U1", "look")
    source = ChatSource(shelf)
    assert isinstance(source, HasRooms)
    (before, _) = source.items(room, None)
    shelf.post(room, replace(said, reactions=(Reaction(Emoji("+1", "👍"), ("U2",)),)), pinned=True)
    (after, _) = source.items(room, None)
    assert isinstance(before, Item)
    assert isinstance(after, Item)
    assert after.version == before.version
    assert after.facts_version != before.facts_version
    assert source.room(room).pins == (said.id,)
    assert (source.author("U1").name, source.author("U9").kind) == ("Anna", "stranger")
