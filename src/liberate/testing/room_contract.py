"""What every destination that keeps rooms promises, as tests: see liberate.testing.contracts.

What is asserted on is what the destination recalls, and what `said` shows: the room as one of its members sees it.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, TypeAlias

import pytest

from liberate.chat import (
    Author,
    Bullets,
    ChatFacts,
    Code,
    Emoji,
    File,
    Link,
    Mention,
    Message,
    Paragraph,
    Quote,
    Reaction,
    Recalled,
    Room,
    RoomKind,
    Rule,
    Style,
    Table,
    Text,
    Workspace,
    plain,
    shown,
    told,
)
from liberate.connector import (
    Cast,
    Change,
    Destination,
    Item,
    KeepsRooms,
    Kind,
    Marked,
    Place,
    Recalls,
    Receipt,
    Slot,
    Updates,
    WritesMany,
)
from liberate.errors import ItemError, LiberateError, TransientError
from liberate.ledger_rows import key_of
from liberate.testing.destination_contract import Bytes, nobody

OpenRooms: TypeAlias = Callable[[], AbstractContextManager[Any]]
Said: TypeAlias = Callable[[Place], Sequence[str]]

START = datetime(2019, 5, 4, 3, 2, 1, 123456, UTC)
_numbers = count()

DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
"""A picture of one dot, a PNG."""
THUMB = Emoji("thumbsup", "\U0001f44d")
PARTY = Emoji("partyparrot")

BLOCKS = {
    "a line": (Paragraph((Text("hello"),)),),
    "lines": (Paragraph((Text("one\ntwo\n\nfour"),)), Paragraph((Text("five"),))),
    "markup that is none": (Paragraph((Text("<b>&amp; *no* _no_ `no` [x](y)"),)),),
    "styles": (Paragraph((Text("a", frozenset(Style)), Text(" b", frozenset({Style.BOLD})))),),
    "a link": (Paragraph((Link("https://example.org/?a=1&b=<2>", "here"), Link("javascript:alert(1)", "bad"))),),
    "mentions": (Paragraph((Mention("author", "U2", "@Ben"), Mention("everybody", "", "@here"))),),
    "emoji": (Paragraph((Text("so "), THUMB, PARTY)),),
    "code": (Code("def f():\n    return '<&>'\n", "python"),),
    "a quote": (Quote((Paragraph((Text("said\nso"),)), Quote((Paragraph((Text("inner"),)),)))),),
    "lists": (
        Bullets(((Paragraph((Text("a"),)), Bullets(((Paragraph((Text("b"),)),),), 3)), (Paragraph((Text("c"),)),))),
    ),
    "a table": (Table((((Text("a"),), (Text("b"),)), ((Text("c"),), (Text("d"),)))), Rule()),
    "spaces": (Paragraph((Text("  two  spaces\t"),)),),
    "nothing": (),
    "other letters": (Paragraph((Text("żółć 漢字 \U0001f468\u200d\U0001f469\u200d\U0001f467 \u202e\x00\x0b"),)),),
    "a long text": (Paragraph((Text("0123456789 äöü\n" * 9000),)),),
    "a long line": (Paragraph((Text("x" * 150_000),)),),
    "long code": (Paragraph((Text("see"),)), Code("line of code <&>\n" * 9000, "c"), Paragraph((Text("end"),))),
}


class People:
    """A cast of four: the first two as `users` says, a person without an account, and a program.

    All of them have pictures, of which only some are to be had.
    """

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = users

    def author(self, id_: str) -> Author:
        kind: Any = {"B1": "program"}.get(id_, "person" if id_.startswith("U") else "stranger")
        name = {"U1": "Anna", "U2": "Ben", "U3": "Cleo"}.get(id_, id_)
        return Author(id_, name, kind=kind, picture=f"picture:{id_}")

    def user(self, id_: str) -> str | None:
        return self._users.get(id_)

    def picture(self, id_: str) -> bytes | None:
        return DOT if id_ in ("picture:U1", "picture:U3") else None


@dataclass(slots=True)
class Job:
    """A core in small: it intends, sends and records the messages of one room, and survives its own end."""

    room: Room
    cast: Cast
    bodies: list[tuple[Item, bytes]]
    marks: dict[str, str | None] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    place: Place = field(default_factory=lambda: Place(""))

    def run(self, destination: Any, *, many: bool = True, forget: bool = False) -> None:
        """Bring everything there; with `forget`, as one that has lost its ledger and looks before it writes."""
        if forget:
            self.marks, self.receipts = {item.id: None for item, _ in self.bodies}, {}
        self.place = destination.open_room(self.room, self.cast)
        begun = [item for item, _ in self.bodies if item.id in self.marks and item.id not in self.receipts]
        if begun:
            found = destination.find([self.slot(item) for item in begun], nobody)
            self.receipts |= {one.id: found[self.key(one)] for one in begun if self.key(one) in found}
        left = [one for one in self.bodies if one[0].id not in self.receipts]
        if many and isinstance(destination, WritesMany):
            by_key = {self.key(item): item for item, _ in left}
            for slot, outcome in destination.write_many(self._intended(destination, left)):
                assert isinstance(outcome, Receipt), outcome
                self.receipts[by_key[slot.key].id] = outcome
        else:
            for (slot, data), (item, _) in zip(self._intended(destination, left), left, strict=True):
                self.receipts[item.id] = destination.write(slot, Bytes(data))
        pinned = {id_: self.receipts[id_] for id_ in self.room.pins}
        destination.close_room(self.place, self.room, pinned)

    def _intended(self, destination: Any, left: Sequence[tuple[Item, bytes]]) -> Iterator[tuple[Slot, bytes]]:
        mark = destination.mark(self.place) if isinstance(destination, Marked) and left else None
        for item, data in left:
            self.marks.setdefault(item.id, mark)
            yield self.slot(item), data

    def slot(self, item: Item) -> Slot:
        refs = {id_: self.receipts[id_] for id_ in item.refs if id_ in self.receipts}
        return Slot(item, self.place, "", self.key(item), self.marks.get(item.id), refs)

    def key(self, item: Item) -> str:
        return key_of("contract", self.room.id, item.id)

    def expected(self, destination: Any, item: Item, data: bytes) -> Recalled:
        """What the destination shall recall of that message."""
        message = Message.load(data)
        refs = self.slot(item).refs
        return Recalled(
            destination.called(self.place, message.author),
            message.time,
            plain(told(message, refs)),
            tuple(refs[one.id].id for one in message.files if one.id in refs),
            refs[message.thread].id if message.thread else "",
            frozenset(
                (shown(one.emoji), destination.called(self.place, author))
                for one in message.reactions
                for author in one.authors
            ),
        )


def item(message: Message) -> tuple[Item, bytes]:
    """A message as a source lists it."""
    refs = (*((message.thread,) if message.thread else ()), *(one.id for one in message.files if one.id))
    data = message.dump()
    digest = {"sha256": hashlib.sha256(data).hexdigest()}
    return Item(message.id, Kind.CHAT, "1", size=len(data), digests=digest, refs=refs, facts=_facts(message)), data


def file(id_: str, data: bytes, name: str = "notes.txt") -> tuple[Item, bytes]:
    """A file as a source lists it."""
    return Item(id_, Kind.FILE, "1", name, len(data), digests={"sha256": hashlib.sha256(data).hexdigest()}), data


def _facts(message: Message) -> ChatFacts:
    return ChatFacts(message.reactions)


def say(number: int, text: str = "", author: str = "U1", **more: Any) -> Message:
    """A message whose time rises with its number."""
    blocks = more.pop("blocks", (Paragraph((Text(text or f"message {number}"),)),))
    return Message(f"m{number:04}", author, START + timedelta(minutes=number), blocks, **more)


class RoomContract:
    """Subclass it and give it the fixtures `open_rooms` and `said`."""

    exactness = timedelta(milliseconds=1)
    """How exact the destination is in times."""

    @pytest.fixture
    def open_rooms(self) -> OpenRooms:
        """Opens the same account each time it is called."""
        raise NotImplementedError("give the contract a fixture `open_rooms`")

    @pytest.fixture
    def said(self) -> Said:
        """The texts of a room's messages in their order, as one of its members sees them; U1 is one."""
        raise NotImplementedError("give the contract a fixture `said`")

    @pytest.fixture
    def users(self) -> Mapping[str, str]:
        """What U1 and U2 are called there, if they have accounts."""
        return {}

    @pytest.fixture
    def room(self) -> Room:
        """A room that no other test knows."""
        number = f"{next(_numbers)}X{hashlib.sha256(str(id(self)).encode()).hexdigest()[:8].upper()}"
        workspace = Workspace(f"T{number}", "Example")
        return Room(f"C{number}", "general", RoomKind.PUBLIC, workspace, members=("U1", "U2", "U3"))

    def _job(self, room: Room, users: Mapping[str, str], *bodies: tuple[Item, bytes]) -> Job:
        return Job(room, People(users), list(bodies))

    def _agree(self, destination: Any, job: Job) -> None:
        recalls: Any = destination
        assert isinstance(recalls, Recalls)
        messages = {one.id: (one, data) for one, data in job.bodies if one.kind is Kind.CHAT}
        asked = [job.receipts[id_] for id_ in messages]
        answers = {receipt.id: recalled for receipt, recalled in recalls.recall(asked)}
        assert len(answers) == len(messages)
        for id_, (one, data) in messages.items():
            recalled, expected = answers[job.receipts[id_].id], job.expected(destination, one, data)
            assert isinstance(recalled, Recalled), id_
            assert timedelta(0) <= expected.time - recalled.time < self.exactness, id_
            assert replace(recalled, time=expected.time) == expected, id_
        for one, data in job.bodies:
            if one.kind is Kind.FILE:
                assert b"".join(destination.read(job.receipts[one.id])) == data, one.id

    # What was said -------------------------------------------------------------------------------

    def test_texts_are_recalled_as_they_were_said(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str]
    ) -> None:
        messages = [replace(say(number, blocks=BLOCKS[name]), id=name) for number, name in enumerate(BLOCKS)]
        job = self._job(room, users, *map(item, messages))
        with open_rooms() as destination:
            job.run(destination)
            self._agree(destination, job)

    def test_whatever_a_message_can_hold_is_recalled_and_stands_in_order(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str], said: Said
    ) -> None:
        job = self._job(room, users, *conversation())
        with open_rooms() as destination:
            assert isinstance(destination, KeepsRooms)
            job.run(destination)
            self._agree(destination, job)
        shown_there = [text for text in said(job.place) if text.startswith("message ")]
        assert shown_there == [f"message {number}" for number in range(9)]

    def test_what_stands_in_a_room_is_recalled_by_whoever_never_opened_it(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str]
    ) -> None:
        for kind in (RoomKind.PUBLIC, RoomKind.DIRECT):
            job = self._job(replace(room, id=f"{room.id}{kind[0]}".upper(), kind=kind), users, *conversation())
            with open_rooms() as destination:
                job.run(destination)
                told = {
                    one.id: job.expected(destination, one, data) for one, data in job.bodies if one.kind is Kind.CHAT
                }
            with open_rooms() as destination:
                recalls: Any = destination
                if not isinstance(recalls, Recalls):
                    pytest.skip("it gives back the bytes")
                answers = {one.id: found for one, found in recalls.recall([job.receipts[id_] for id_ in told])}
                for id_, wanted in told.items():
                    found = answers[job.receipts[id_].id]
                    assert isinstance(found, Recalled), (kind, id_)
                    assert replace(found, time=wanted.time) == wanted, (kind, id_)

    def test_the_same_room_is_opened_each_time(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str]
    ) -> None:
        with open_rooms() as destination:
            place = destination.open_room(room, People(users))
            assert destination.open_room(room, People(users)) == place
        with open_rooms() as destination:
            assert destination.open_room(room, People(users)) == place
            assert destination.open_room(replace(room, id=room.id + "2"), People(users)) != place

    def test_a_reply_whose_thread_never_began_stands_in_a_thread_that_says_so_once(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str], said: Said
    ) -> None:
        lost = [item(say(number, thread="m-lost")) for number in (1, 2, 3)]
        job = self._job(room, users, *lost[:2])
        threads = set()
        for bodies in (lost[:2], lost):
            job.bodies = bodies
            with open_rooms() as destination:
                job.run(destination)
                answers = list(destination.recall([job.receipts[one.id] for one, _ in bodies]))
                threads |= {told.thread for _, told in answers if isinstance(told, Recalled)}
        assert len(threads) == 1
        assert "" not in threads
        texts = said(job.place)
        assert len(texts) == 4
        assert list(texts)[1:] == ["message 1", "message 2", "message 3"]

    # Once ----------------------------------------------------------------------------------------

    def test_a_run_after_a_run_changes_nothing(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str], said: Said
    ) -> None:
        job = self._job(replace(room, pins=("m0001",)), users, *conversation())
        with open_rooms() as destination:
            job.run(destination)
        before = said(job.place)
        with open_rooms() as destination:
            job.run(destination)
        assert said(job.place) == before

    def test_a_lost_ledger_is_found_again_in_the_room(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str], said: Said
    ) -> None:
        job = self._job(room, users, *conversation())
        with open_rooms() as destination:
            job.run(destination)
        before, receipts = said(job.place), {id_: one.id for id_, one in job.receipts.items()}
        with open_rooms() as destination:
            job.run(destination, forget=True)
            assert {id_: one.id for id_, one in job.receipts.items()} == receipts
        assert said(job.place) == before

    def test_a_source_that_fails_between_two_messages_leaves_neither_gap_nor_double(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str], said: Said
    ) -> None:
        job = self._job(room, users, *(item(say(number)) for number in range(5)))

        def failing(parts: Iterator[tuple[Slot, bytes]]) -> Iterator[tuple[Slot, bytes]]:
            for number, part in enumerate(parts):
                if number == 3:
                    raise TransientError("reset")
                yield part

        with open_rooms() as destination:
            _needs_many(destination)
            job.place = destination.open_room(room, job.cast)
            parts = job._intended(destination, job.bodies)
            with pytest.raises(TransientError):
                list(destination.write_many(failing(parts)))  # and no outcome was recorded
        with open_rooms() as destination:
            job.run(destination)
        assert list(said(job.place)) == [f"message {number}" for number in range(5)]

    def test_what_belongs_to_other_items_is_not_found_again(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str]
    ) -> None:
        job = self._job(room, users, item(say(0)))
        with open_rooms() as destination:
            job.run(destination)
            ((one, _),) = job.bodies
            taken = {job.receipts[one.id].id}
            assert destination.find([job.slot(one)], lambda _place, ids: taken & set(ids)) == {}
            assert set(destination.find([job.slot(one)], nobody)) == {job.key(one)}

    # What changes --------------------------------------------------------------------------------

    def test_an_edit_takes_the_place_of_what_was_said(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str], said: Said
    ) -> None:
        job = self._job(room, users, item(say(0)), item(say(1)))
        with open_rooms() as destination:
            job.run(destination)
            first, data = item(say(0, "message changed", edited=START))
            first = replace(first, version="2")
            slot = replace(job.slot(first), mark=_mark(destination, job.place), replaces=job.receipts["m0000"])
            for _ in range(2):
                receipt = destination.write(slot, Bytes(data))
                job.bodies[0], job.receipts["m0000"] = (first, data), receipt
            assert {key: one.id for key, one in destination.find([slot], nobody).items()} == {slot.key: receipt.id}
            self._agree(destination, job)
        assert len(said(job.place)) == 2

    def test_reactions_come_and_go_and_come_again(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str]
    ) -> None:
        steps = [(), (Reaction(THUMB, ("U2", "U3")),), (Reaction(THUMB, ("U3",)), Reaction(PARTY, ("U1",))), ()]
        steps += [steps[1]]
        job = self._job(room, users, item(say(0)))
        with open_rooms() as destination:
            if not isinstance(destination, Updates):
                pytest.skip("it changes no facts")
            job.run(destination)
            for number in range(1, len(steps)):
                one, data = item(say(0, reactions=steps[number]))
                now = replace(one, facts_version=str(number))
                change = Change(job.slot(now), job.receipts[one.id], ChatFacts(steps[number - 1]))
                for _ in range(2):
                    ((_, outcome),) = destination.update([change])
                    assert isinstance(outcome, Receipt)
                job.bodies = [(now, data)]
                self._agree(destination, job)

    def test_what_cannot_be_read_is_refused_alone(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str], said: Said
    ) -> None:
        good, bad, last = item(say(0)), (replace(item(say(1))[0], id="bad"), b'{"form": 99}'), item(say(2))
        job = self._job(room, users, good, bad, last)
        with open_rooms() as destination:
            _needs_many(destination)
            job.place = destination.open_room(room, job.cast)
            outcomes = [one for _, one in destination.write_many(job._intended(destination, job.bodies))]
            assert [isinstance(one, Receipt) for one in outcomes] == [True, False, True]
            assert isinstance(outcomes[1], ItemError)
        assert list(said(job.place)) == ["message 0", "message 2"]

    # What fails ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("ending", [TransientError("reset"), ItemError("gone", "It is gone.")], ids=repr)
    def test_a_file_whose_source_fails_leaves_nothing_behind(
        self, open_rooms: OpenRooms, room: Room, users: Mapping[str, str], ending: LiberateError
    ) -> None:
        whole = b"x" * 300_000
        job = self._job(room, users, file("F1", whole))
        with open_rooms() as destination:
            job.place = destination.open_room(room, job.cast)
            ((one, _),) = job.bodies
            job.marks[one.id] = _mark(destination, job.place)
            with pytest.raises(type(ending)):
                destination.write(job.slot(one), Bytes(whole[:100_000], ending, len(whole)))
        with open_rooms() as destination:
            destination.open_room(room, job.cast)
            assert destination.find([job.slot(one)], nobody) == {}
            job.run(destination)
            self._agree(destination, job)


def conversation() -> list[tuple[Item, bytes]]:
    """Nine messages, "message 0" to "message 8", with all that can hang on one, and two files."""
    notes, picture = file("F1", b"notes\n"), file("F2", bytes(range(256)) * 30, "a picture.png")
    return [
        item(say(0)),
        item(say(1, author="U3", reactions=(Reaction(THUMB, ("U1", "U2")), Reaction(PARTY, ("B1",))))),
        item(say(2, author="B1", kind="notice")),
        notes,
        item(say(3, author="U2", files=(File("F1", "notes.txt", "text/plain", 6),))),
        item(say(4, author="U3", thread="m0001")),
        picture,
        item(say(5, thread="m0001", files=(File("F2", "a picture.png", "image/png"), File("F1", "notes.txt")))),
        item(say(6, kind="emote")),
        item(say(7, author="U9")),
        item(say(8, edited=START + timedelta(days=1))),
    ]


def _mark(destination: Destination, place: Place) -> str | None:
    return destination.mark(place) if isinstance(destination, Marked) else None


def _needs_many(destination: object) -> None:
    if not isinstance(destination, WritesMany):
        pytest.skip("it does not write many at once")
