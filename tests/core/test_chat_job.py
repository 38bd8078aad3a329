"""Chat carried out: everything once, in its order, what refers to what, edits, reactions, and proof."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from core_kit import Bench

import liberate
from liberate.chat import MERGED, Emoji, Message, Paragraph, Reaction, Room, RoomKind, Text
from liberate.connector import CHANGED_THERE, ROOM_LEFT, Cast, Collection, Item, Kind, Place, Receipt, Skipped, Slot
from liberate.errors import AccountError, ItemError, TransientError
from liberate.people import Person
from liberate.testing.crash import Crash, Trial, survives
from liberate.testing.faults import Lost
from liberate.testing.memory_chat import BEGIN, ChatShelf, ChatSource
from liberate.testing.memory_rooms import PICTURES, ROOMS, RoomsDestination
from liberate.testing.memory_store import Store

THUMB = Emoji("thumbsup", "\U0001f44d")


def text(store: Store, room: str = "r1") -> list[str]:
    """What was said in a room, in order."""
    return [json.loads(one.body)["text"] for one in store.held(f"room {room}") if one.kind == "chat"]


def said(store: Store, room: str = "r1") -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in store.held(f"room {room}") if one.kind == "chat"]


def workspace(shelf: ChatShelf) -> Collection:
    """A room with two people, a thread, a file and a reaction."""
    shelf.person("U1", "Anna", email="anna@solros.example")
    shelf.person("U2", "Ben", picture="picture:U2")
    shelf.picture("picture:U2", b"Ben's face")
    room = shelf.room("r1", "general", topic="Bread", members=("U1", "U2"))
    first = shelf.say(room, "U1", "Who bakes?", pinned=True)
    shelf.say(room, "U2", "I do", thread=first.id, reactions=(Reaction(THUMB, ("U1", "U2")),))
    photo = shelf.upload(room, "F1", "bread.jpg", b"\xff\xd8 bread", "image/jpeg")
    shelf.say(room, "U2", "Look", files=(photo,))
    return room


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    shelf = ChatShelf()
    workspace(shelf)
    people = (Person("anna@solros.example", "anna"),)
    return Bench(tmp_path / "job", shelf, Store(), ChatSource, RoomsDestination, people=people, kinds=(Kind.CHAT,))


def shelf_of(bench: Bench) -> ChatShelf:
    assert isinstance(bench.shelf, ChatShelf)
    return bench.shelf


def room_of(bench: Bench) -> Collection:
    (room,) = bench.shelf.collections()
    return room


def test_a_room_arrives_in_its_order_by_its_authors(bench: Bench) -> None:
    account = bench.run()
    assert (account.state, account.moved, account.refusals) == ("done", 4, ())
    assert text(bench.store) == ["Who bakes?", "I do", "Look"]
    assert [one["sender"] for one in said(bench.store)] == ["anna", "ghost of U2", "ghost of U2"]


def test_what_refers_to_something_knows_its_receipt(bench: Bench) -> None:
    bench.run()
    by_body = {one.body: one.id for one in bench.store.held("room r1")}
    first, reply, look = said(bench.store)
    assert reply["thread"] == next(one.id for one in bench.store.held("room r1") if b"Who bakes" in one.body)
    assert look["files"] == [by_body[b"\xff\xd8 bread"]]
    assert (first["thread"], first["files"]) == ("", [])


def test_a_room_is_closed_when_all_is_there_and_not_again(bench: Bench) -> None:
    bench.run()
    closed = json.loads(bench.store.held(ROOMS)[0].body)
    pin = next(one.id for one in bench.store.held("room r1") if b"Who bakes" in one.body)
    assert closed == {"topic": "Bread", "members": ["U1", "U2"], "pins": [pin], "bookmarks": []}
    before = bench.store.tally
    assert not bench.report().changed
    assert bench.store.tally == before


class Costly(RoomsDestination):
    """Counts whom it brings into a room when that is closed."""

    joins = 0

    def spent(self) -> dict[str, int]:
        return {"join": self.joins}

    def close_room(self, place: Place, room: Room, pinned: Mapping[str, Receipt]) -> Mapping[str, ItemError]:
        self.joins += len(room.members)
        return super().close_room(place, room, pinned)


def test_what_a_destination_spends_is_told_of_all_runs_together(bench: Bench) -> None:
    bench.destination = Costly
    assert bench.run().spent == {"join": 2}
    report = bench.report()
    assert (report.changed, report.accounts[0].spent) == (False, {"join": 2}), "a second run spends none"
    shelf_of(bench).say(room_of(bench), "U1", "More bread")
    assert bench.run().spent == {"join": 4}
    assert liberate.status(bench.plan()).accounts[0].spent == {"join": 4}


def test_what_was_spent_before_a_failure_is_told_as_well(bench: Bench) -> None:
    bench.destination = Costly
    bench.faults.on("close_room", Lost(TransientError("reset", 0.0)))
    assert bench.run().spent == {"join": 4}, "it was closed twice"


def test_a_destination_that_counts_nothing_has_spent_nothing(bench: Bench) -> None:
    assert bench.run().spent == {}


def test_pictures_arrive_of_those_who_have_no_account(bench: Bench) -> None:
    shelf = shelf_of(bench)
    shelf.person("U1", "Anna", email="anna@solros.example", picture="picture:U1")
    shelf.person("U2", "Ben", picture="picture:U2")
    shelf.picture("picture:U1", b"Anna's face")
    shelf.picture("picture:U2", b"Ben's face")
    bench.run()
    assert {one.id: one.body for one in bench.store.held(PICTURES)} == {"ghost of U2": b"Ben's face"}


@pytest.mark.parametrize(
    "failure", [ItemError("gone", "It is gone."), TransientError("reset"), AccountError("no", "No.", "Ask.")], ids=repr
)
def test_a_picture_that_cannot_be_read_stops_nothing_and_is_asked_for_once(bench: Bench, failure: Exception) -> None:
    asked = []

    class Faceless(ChatSource):
        def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
            if not item.id.startswith("picture:"):
                return super().read(item, offset)
            asked.append(item.id)
            raise failure

    shelf_of(bench).person("U2", "Ben", picture="picture:U2")
    bench.source = Faceless
    account = bench.run()
    assert (account.state, account.moved, account.refusals) == ("done", 4, ())
    assert asked == ["picture:U2"]
    assert PICTURES not in bench.store.places()


def test_a_room_that_became_another_is_closed_again(bench: Bench) -> None:
    bench.run()
    shelf_of(bench).room("r1", "general", topic="Cake")
    bench.run()
    assert json.loads(bench.store.held(ROOMS)[0].body)["topic"] == "Cake"


@pytest.mark.parametrize("said", [False, True])
def test_a_room_that_the_source_has_no_more_stays_as_it_is_and_the_others_go_on(bench: Bench, said: bool) -> None:
    shelf = shelf_of(bench)
    gone = room_of(bench)
    other = shelf.room("r2", "random")
    shelf.say(other, "U1", "Hello")
    bench.run()
    if said:
        shelf.say(other, "U1", "Is anybody here?")
    shelf.drop(gone)
    account = bench.run()
    assert (account.state, account.moved) == ("done", 5 + said)
    assert text(bench.store) == ["Who bakes?", "I do", "Look"]
    assert text(bench.store, "r2") == ["Hello", "Is anybody here?"][: 1 + said]
    assert bench.verify().identical == 5 + said


def test_a_room_that_the_source_has_no_more_is_told_while_something_of_it_has_not_moved(tmp_path: Path) -> None:
    shelf, store = ChatShelf(), Store(tmp_path / "store")
    workspace(shelf)
    bench = Bench(tmp_path / "job", shelf, store, ChatSource, RoomsDestination, kinds=(Kind.CHAT,))
    with pytest.raises(Crash):
        bench.report(step=at("before intend"))
    shelf.drop(room_of(bench))
    account = bench.run()
    assert account.stopped is not None
    assert (account.state, account.stopped[0]) == ("stopped", "room-gone")


def test_a_message_that_is_deleted_at_the_source_before_it_is_known_that_it_arrived_is_found_there(
    tmp_path: Path,
) -> None:
    shelf, store = ChatShelf(), Store(tmp_path / "store")
    workspace(shelf)
    bench = Bench(tmp_path / "job", shelf, store, ChatSource, RoomsDestination, kinds=(Kind.CHAT,))
    with pytest.raises(Crash):
        bench.report(step=at("before written", 2))
    shelf.remove(room_of(bench), "m2")
    account = bench.run()
    assert (account.state, account.moved) == ("done", 4)
    assert text(store) == ["Who bakes?", "I do", "Look"]
    assert (bench.verify().identical, bench.verify().different) == (4, 0)
    held = next(one for one in store.held("room r1") if b"I do" in one.body)
    store.change(("put", "room r1", replace(held, body=held.body.replace(b"I do", b"I dare"))))
    assert (bench.verify().identical, bench.verify().different) == (3, 1)


def test_a_room_that_everybody_has_left_there_stops_nothing_while_nothing_is_said_in_it(bench: Bench) -> None:
    class Left(RoomsDestination):
        def open_room(self, room: Room, cast: Cast) -> Place:
            if room.id == "r1":
                raise AccountError(ROOM_LEFT, "Everybody has left it.", "Delete its address.")
            return super().open_room(room, cast)

    shelf = shelf_of(bench)
    other = shelf.room("r2", "random")
    bench.run()
    bench.destination = Left
    shelf.room("r1", "general", topic="Cake")
    shelf.say(other, "U1", "Hello")
    account = bench.run()
    assert (account.state, account.moved) == ("done", 5)
    assert text(bench.store, "r2") == ["Hello"]
    assert not bench.report().changed
    shelf.say(bench.shelf.collections()[0], "U1", "Is anybody here?")
    account = bench.run()
    assert account.stopped is not None
    assert account.stopped[0] == ROOM_LEFT


def test_what_was_said_since_comes_behind_what_is_there(bench: Bench) -> None:
    bench.run()
    shelf_of(bench).say(room_of(bench), "U1", "Thanks", thread="m1")
    account = bench.run()
    assert text(bench.store) == ["Who bakes?", "I do", "Look", "Thanks"]
    assert account.moved == 5
    assert said(bench.store)[-1]["thread"] == said(bench.store)[1]["thread"]


@pytest.mark.parametrize(("thread", "found"), [("m1", True), ("m2", False), ("never", False)])
def test_an_answer_finds_the_first_message_of_its_thread_though_the_listing_has_that_no_more(
    bench: Bench, thread: str, found: bool
) -> None:
    bench.run()
    late = Message("m9", "U1", BEGIN + timedelta(days=9), (Paragraph((Text("Late"),)),), thread=thread)
    shelf_of(bench).put(room_of(bench), "m9", late.dump(), version="1")
    assert bench.run().moved == 5
    first = next(one.id for one in bench.store.held("room r1") if b"Who bakes" in one.body)
    assert said(bench.store)[-1]["thread"] == (first if found else "no root")
    assert bench.verify().identical == 5


def test_an_edit_changes_what_stands_there(bench: Bench) -> None:
    bench.run()
    shelf = shelf_of(bench)
    body = next(body for body in shelf.bodies() if b"I do" in body)
    old = Message.load(body)
    shelf.post(room_of(bench), replace(old, blocks=(replace(old.blocks[0]),), edited=old.time))
    changed = Message.load(body.replace(b"I do", b"I do not"))
    shelf.post(room_of(bench), changed)
    bench.run()
    assert text(bench.store) == ["Who bakes?", "I do not", "Look"]
    assert not bench.report().changed
    assert bench.verify().identical == 4


@pytest.mark.parametrize("told_again", [True, False])
def test_an_answer_hangs_on_the_first_message_of_its_thread_though_that_was_edited_meanwhile(
    bench: Bench, told_again: bool
) -> None:
    bench.run()
    shelf = shelf_of(bench)
    root = Message.load(next(body for body in shelf.bodies() if b"Who bakes" in body))
    shelf.post(room_of(bench), replace(root, blocks=(Paragraph((Text("Who bakes bread?"),)),), edited=root.time))
    if told_again:
        shelf.say(room_of(bench), "U1", "Thanks", thread=root.id)
    else:
        late = Message("m9", "U1", BEGIN + timedelta(days=9), (Paragraph((Text("Thanks"),)),), thread=root.id)
        shelf.put(room_of(bench), "m9", late.dump(), version="1")
    bench.run()
    first = next(one.id for one in bench.store.held("room r1") if b"Who bakes" in one.body)
    assert said(bench.store)[-1]["thread"] == first
    assert text(bench.store) == ["Who bakes bread?", "I do", "Look", "Thanks"]
    assert bench.verify().identical == 5


def test_reactions_that_come_later_are_brought_to_what_is_there(bench: Bench) -> None:
    bench.run()
    shelf = shelf_of(bench)
    old = Message.load(next(body for body in shelf.bodies() if b"Look" in body))
    shelf.post(room_of(bench), replace(old, reactions=(Reaction(THUMB, ("U1",)),)))
    account = bench.run()
    stored = next(one for one in bench.store.held("room r1") if b"Look" in one.body)
    assert stored.facts.reactions == (Reaction(THUMB, ("anna",)),)
    assert (account.moved, account.refused) == (4, ())
    assert bench.verify().identical == 4


def test_verify_sees_words_files_reactions_and_authors_that_differ(bench: Bench) -> None:
    bench.run()
    assert bench.verify().identical == 4
    held = bench.store.held("room r1")
    for one in held:
        if b"I do" in one.body:
            bench.store.change(("put", "room r1", replace(one, body=one.body.replace(b'"I do"', b'"I dare"'))))
        elif b"Who bakes" in one.body:
            bench.store.change(("put", "room r1", replace(one, body=one.body.replace(b'"anna"', b'"ben"'))))
        elif one.body == b"\xff\xd8 bread":
            bench.store.remove("room r1", one.id)
    found = bench.verify()
    assert (found.different, found.missing, found.identical) == (2, 1, 1)


def test_a_message_whose_file_cannot_be_read_says_so(bench: Bench) -> None:
    shelf = shelf_of(bench)
    shelf.corrupt(room_of(bench), "F1", b"something else")
    account = bench.run()
    assert [one.code for one in account.refused] == ["damaged-at-source"]
    assert text(bench.store)[-1].startswith("Look\nFile: bread.jpg (")


def test_a_message_that_the_destination_refuses_does_not_stop_the_rest(bench: Bench) -> None:
    class Choosy(RoomsDestination):
        def _put(self, slot: Slot, data: bytes) -> Receipt:
            if b"I do" in data:
                raise ItemError("too-long", "Too long for this server.")
            return super()._put(slot, data)

    bench.destination = Choosy
    account = bench.run()
    assert text(bench.store) == ["Who bakes?", "Look"]
    assert [one.code for one in account.refused] == ["too-long"]


def test_a_job_that_lost_its_ledger_finds_what_stands_and_sends_only_the_rest(bench: Bench) -> None:
    bench.run()
    before = [one.id for one in bench.store.held("room r1")]
    shelf_of(bench).say(room_of(bench), "U1", "Thanks")
    shutil.rmtree(bench.folder)
    account = bench.run()
    assert (account.state, account.moved) == ("done", 5)
    assert [one.id for one in bench.store.held("room r1")][: len(before)] == before
    assert text(bench.store) == ["Who bakes?", "I do", "Look", "Thanks"]
    assert bench.verify().identical == 5
    assert not bench.report().changed


@pytest.mark.parametrize("every", [2, pytest.param(1, marks=pytest.mark.torture)])
def test_a_job_that_lost_its_ledger_may_die_while_it_finds_out(tmp_path: Path, every: int) -> None:
    def fresh(name: str) -> Trial:
        shelf, store = ChatShelf(), Store(tmp_path / f"{name}.store")
        workspace(shelf)
        bench = Bench(tmp_path / name, shelf, store, ChatSource, RoomsDestination, kinds=(Kind.CHAT,))
        bench.run()
        shutil.rmtree(bench.folder)
        shelf.say(room_of(bench), "U1", "Thanks")

        def contents() -> Any:
            return [(one.body, one.facts) for one in store.held("room r1")]

        return Trial(lambda step: bench.report(step=step), contents)

    survives(fresh, only=lambda number, what: what.startswith("after ") and number % every == 0)


def test_members_who_cannot_come_in_are_listed_until_they_can(bench: Bench) -> None:
    class Strict(RoomsDestination):
        banned: ClassVar = {"U2": ItemError("member-refused", "ben is banned there.", "Let them in.")}

        def close_room(self, place: Place, room: Room, pinned: Mapping[str, Receipt]) -> Mapping[str, ItemError]:
            super().close_room(place, room, pinned)
            return self.banned

    bench.destination = Strict
    for _ in range(2):
        account = bench.run()
        assert [(one.code, one.why) for one in account.refused] == [("member-refused", "ben is banned there.")]
        assert (account.state, account.moved) == ("done", 4)
    assert not bench.report().changed
    Strict.banned = {}
    account = bench.run()
    assert (account.refused, account.moved) == ((), 4)
    before = bench.store.tally
    assert not bench.report().changed
    assert bench.store.tally == before


def test_rooms_are_taken_back_whole_and_can_come_again(bench: Bench) -> None:
    class Removable(RoomsDestination):
        used: ClassVar[set[str]] = {"room r2"}

        def remove_room(self, place: Place, files: Sequence[Receipt]) -> None:
            if place in self.used:
                raise ItemError(CHANGED_THERE, "Ben has written there.")
            assert [one.id for one in files] == [one.id for one in self._store.held(place) if one.kind == "file"]
            for one in self._store.held(place):
                self._store.remove(place, one.id)
            self._keys.pop(place, None)

    shelf = shelf_of(bench)
    shelf.say(shelf.room("r2", "random"), "U1", "Hello")
    bench.destination = Removable
    bench.run()
    (undone,) = liberate.undo(bench.plan())
    assert (undone.removed, [(one.code, one.items) for one in undone.kept]) == (4, [("changed-there", 1)])
    assert (text(bench.store), text(bench.store, "r2")) == ([], ["Hello"])
    account = bench.run()
    assert (account.state, account.moved) == ("done", 5)
    assert (text(bench.store), text(bench.store, "r2")) == (["Who bakes?", "I do", "Look"], ["Hello"])
    assert bench.verify().identical == 5
    Removable.used = set()
    (undone,) = liberate.undo(bench.plan())
    assert (undone.removed, undone.kept, text(bench.store, "r2")) == (5, (), [])


def test_rooms_of_one_name_stay_two(bench: Bench) -> None:
    shelf = shelf_of(bench)
    other = shelf.room("r2", "general", RoomKind.PRIVATE)
    shelf.say(other, "U1", "Only for us")
    bench.run(workers=2)
    assert (text(bench.store), text(bench.store, "r2")) == (["Who bakes?", "I do", "Look"], ["Only for us"])


def test_many_messages_keep_their_order_over_pages(bench: Bench) -> None:
    shelf = shelf_of(bench)
    words = [f"number {n}" for n in range(2_300)]
    for one in words:
        shelf.say(room_of(bench), "U1", one)
    bench.run()
    assert text(bench.store)[3:] == words


@pytest.mark.parametrize("every", [2, pytest.param(1, marks=pytest.mark.torture)])
def test_a_job_that_dies_at_any_step_tells_everything_once_and_in_order(tmp_path: Path, every: int) -> None:
    def fresh(name: str) -> Trial:
        shelf, store = ChatShelf(), Store(tmp_path / f"{name}.store")
        workspace(shelf)
        steps: list[Any] = [lambda _what: None]

        def destination(there: Store) -> RoomsDestination:
            return RoomsDestination(there, step=steps[0])

        bench = Bench(tmp_path / name, shelf, store, ChatSource, destination, kinds=(Kind.CHAT,))

        def run(step: Any) -> Any:
            steps[0] = step
            return bench.report(step=step)

        def contents() -> Any:
            rooms = {place: [(one.body, one.facts) for one in store.held(place)] for place in store.places()}
            return {place: held for place, held in rooms.items() if place != "\0"}

        return Trial(run, contents)

    taken = survives(fresh, only=lambda number, what: what.startswith("after ") and number % every == every - 1)
    assert sum(what == "after say" for what in taken) == 3


@pytest.mark.parametrize("power", ["write_many", "recall"])
def test_a_destination_with_fewer_powers_is_served_too(bench: Bench, power: str) -> None:
    class Plain:
        def __init__(self, store: Store) -> None:
            inner = RoomsDestination(store)
            for name in ("open_room", "close_room", "prepare", "find", "write", "read", "rules", "line_ends"):
                setattr(self, name, getattr(inner, name))
            if power != "write_many":
                self.batch, self.write_many = inner.batch, inner.write_many
            if power != "recall":
                self.recall, self.called = inner.recall, inner.called

    bench.destination = Plain  # type: ignore[assignment]
    bench.run()
    assert text(bench.store) == ["Who bakes?", "I do", "Look"]


def at(step: str, count: int = 1) -> Callable[[str], None]:
    """A step function that crashes when this step comes for that time, and at every one after it."""
    left = [count]

    def told(what: str) -> None:
        left[0] -= what == step
        if left[0] <= 0:
            raise Crash(what)

    return told


# What the report accounts for ------------------------------------------------------------------


class Repeats(ChatSource):
    """A source that holds its first message twice, and something that is no message."""

    def items(self, collection: Collection, since: Any) -> Any:
        yield from super().items(collection, since)
        yield Skipped("m1!again", MERGED, "It is there twice.")
        yield Skipped("x", "no-message", "It is none.")


def test_the_report_accounts_for_every_message_of_a_room_and_chains_what_moved(bench: Bench) -> None:
    bench.source = Repeats
    account = bench.run()
    (room,) = account.rooms
    assert (room.room, room.listed, room.moved, room.merged, room.left_out) == ("general", 5, 3, 1, 1)
    assert (room.refused, room.waiting, room.files) == (0, 0, 1)
    told = [body for body in shelf_of(bench).bodies() if body.startswith(b"{")]
    digests = {Message.load(body).id: hashlib.sha256(body).hexdigest() for body in told}
    stored = [one for one in bench.store.held("room r1") if one.kind == "chat"]
    chain = ""
    for id_, one in zip(("m1", "m2", "m3"), stored, strict=True):
        chain = hashlib.sha256(f"{chain}\n{id_}\n{digests[id_]}\n{one.id}".encode()).hexdigest()
    assert room.chain == chain
    assert bench.run().rooms == account.rooms, "nothing new, the same chain"


def test_a_message_more_makes_the_chain_longer(bench: Bench) -> None:
    (before,) = bench.run().rooms
    shelf_of(bench).say(room_of(bench), "U1", "Thanks")
    (after,) = bench.run().rooms
    assert (after.listed, after.moved) == (before.listed + 1, before.moved + 1)
    assert after.chain not in ("", before.chain)
