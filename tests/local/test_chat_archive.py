"""A chat archive: each message once, each file once, found again after any death, changed and taken back."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from liberate_local.archive_lines import MessageLine, load
from liberate_local.archive_register import Register

from liberate.chat import ChatFacts, Emoji, Mention, Message, Paragraph, Reaction, RoomKind, Workspace
from liberate.connector import Change, Item, Kind, Receipt, Removes, Updates, WritesMany
from liberate.connector import KeepsRooms as Keeps
from liberate.errors import AccountError, ItemError, TransientError
from liberate.testing.crash import Countdown, Crash, victims
from liberate.testing.memory_chat import ChatShelf, ChatSource, ShelfCast

from .archive_kit import archive, carry, files_of, line, slot, small, standing, workspace
from .helpers import Bytes, nothing_taken

HERE = str(Path(__file__).parent)


def said(root: Path, room: str) -> list[dict[str, Any]]:
    """The lines of a room as any program reads them."""
    return [json.loads(one) for one in (root / "rooms" / room / "messages.jsonl").read_text("utf-8").splitlines()]


def latest(root: Path, room: str) -> dict[str, dict[str, Any]]:
    """The messages of a room as they are now, by their ids, read as docs/reference/chat-archive.md tells."""
    messages: dict[str, dict[str, Any]] = {}
    for one in said(root, room):
        match one["is"]:
            case "message":
                messages[one["key"]] = one["message"]
            case "facts" if one["key"] in messages:
                messages[one["key"]] = {**messages[one["key"]], "reactions": one["facts"].get("reactions", [])}
            case "removed":
                messages.pop(one["key"], None)
    return {one["id"]: one for one in messages.values()}


def test_it_keeps_rooms_and_has_the_powers_that_a_folder_can_have(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        assert isinstance(opened, Keeps)
        assert isinstance(opened, WritesMany)
        assert isinstance(opened, Updates)
        assert isinstance(opened, Removes)


def test_everything_is_read_back_as_it_was_sent(tmp_path: Path) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
    source = ChatSource(shelf)
    items = [one for room in source.collections() for one in source.items(room, None) if isinstance(one, Item)]
    assert len(items) == len(receipts) == 19
    with archive(tmp_path) as opened:
        for item in items:
            body = b"".join(source.read(item))
            assert b"".join(opened.read(receipts[item.id])) == body
            assert receipts[item.id].size == len(body)
        messages = [receipts[one.id] for one in items if one.kind is Kind.CHAT]
        bodies = {receipt.id: body for receipt, body in opened.read_back(messages)}
        assert bodies == {receipts[one.id].id: shelf.body(one) for one in items if one.kind is Kind.CHAT}


def test_other_programs_find_the_messages_and_their_files(tmp_path: Path) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        carry(shelf, opened)
    general = said(tmp_path, "general")
    files = {one["id"]: tmp_path / "rooms/general/files" / one["name"] for one in general if one["is"] == "file"}
    assert {id_: path.read_bytes() for id_, path in files.items()} == files_of(shelf, "C1")
    assert sorted(path.name for path in files.values())[0] == "boiler room.png"
    for one in general:
        if one["is"] == "message":
            body = Message.load(json.dumps(one["message"]).encode()).dump()
            assert hashlib.sha256(body).hexdigest() == one["sha256"]
    people = {one["id"]: one for one in json.loads((tmp_path / "people.json").read_text("utf-8"))}
    assert people["U1"] == {
        "id": "U1", "name": "Anna Lindqvist", "full_name": "Anna Lindqvist", "email": "anna@solros.example",
        "kind": "person", "former": False, "user": "anna",
    }  # fmt: skip
    assert json.loads((tmp_path / "workspace.json").read_text("utf-8"))["name"] == "Solros"
    rooms = {one["id"]: one for one in json.loads((tmp_path / "rooms.json").read_text("utf-8"))}
    assert [(one["folder"], one["messages"], one["files"]) for _, one in sorted(rooms.items())] == [
        ("rooms/general", 13, 3), ("rooms/board", 1, 0), ("rooms/garden-2024", 1, 0),
        ("rooms/Anna Lindqvist, Bo", 1, 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "name", ["..", "a/b", "CON", "x" * 300, "com1.txt", "a\0b", "na\u202eme", "#?%", "ünï😀", "trailing. ", "GENERAL"]
)
def test_rooms_and_files_of_any_name_have_folders_and_files_of_their_own(tmp_path: Path, name: str) -> None:
    shelf = ChatShelf()
    rooms = [shelf.room("C1", "general"), shelf.room("C2", name), shelf.room("C3", name)]
    for n, room in enumerate(rooms):
        files = [shelf.upload(room, f"F{n}{m}", name, b"%d %d" % (n, m)) for m in range(3)]
        shelf.say(room, "U1", str(n), files=tuple(files))
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
        for n in range(3):
            for m in range(3):
                assert b"".join(opened.read(receipts[f"F{n}{m}"])) == b"%d %d" % (n, m)
    folders = os.listdir(tmp_path / "rooms")
    assert len({one.casefold() for one in folders}) == 3
    for path in tmp_path.rglob("*"):
        assert len(path.name.encode()) <= 150
        assert not set(path.name) & set('\\/:*?"<>|#%\0')


# Finding, dying ----------------------------------------------------------------------------------


def test_nothing_is_found_in_a_room_that_holds_nothing(tmp_path: Path) -> None:
    shelf = workspace()
    source = ChatSource(shelf)
    collection = next(iter(source.collections()))
    with archive(tmp_path) as opened:
        place = opened.open_room(source.room(collection), ShelfCast(shelf))
        items = [one for one in source.items(collection, None) if isinstance(one, Item)]
        assert opened.find([slot(one, place, "C1") for one in items], nothing_taken) == {}


def test_carrying_again_changes_not_one_file(tmp_path: Path) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        first = carry(shelf, opened)
    before = standing(tmp_path)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.html")}
    with archive(tmp_path) as opened:
        assert carry(shelf, opened) == first
    assert standing(tmp_path) == before
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.html")} == times


def test_after_a_death_at_any_step_the_next_run_leaves_what_a_clean_one_does(tmp_path: Path) -> None:
    clean: list[str] = []
    with archive(tmp_path / "clean", clean.append) as opened:
        carry(small(), opened)
    wanted = standing(tmp_path / "clean")
    assert len(clean) > 15
    for number in range(len(clean)):
        root = tmp_path / str(number)
        step = Countdown(number)
        with pytest.raises(Crash), archive(root, step) as opened:
            carry(small(), opened)
        with archive(root) as opened:
            carry(small(), opened)
        assert standing(root) == wanted, f"after a death at step {number} ({step.crashed})"


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.torture)])
def test_after_a_kill_the_next_run_leaves_what_a_clean_one_does(tmp_path: Path, every: int) -> None:
    with archive(tmp_path / "clean") as opened:
        carry(small(), opened)
    wanted = standing(tmp_path / "clean")
    with victims("archive_kit:run", [HERE]) as killed:
        steps = killed.steps(str(tmp_path / "counted"))
        for number in range(0, len(steps), every):
            root = tmp_path / str(number)
            assert killed.die(str(root), number)
            with archive(root) as opened:
                carry(small(), opened)
            assert standing(root) == wanted, f"after a kill at step {number} ({steps[number]})"


def test_after_a_death_while_news_are_brought_links_from_other_rooms_lead_to_them(tmp_path: Path) -> None:
    def shelf(*, news: bool) -> ChatShelf:
        made = small()
        link = Paragraph((Mention("message", "C2/m9", "the news"),))
        made.say(made.room("C1", "general", members=("U1", "U2")), "U1", link, id="m8")
        if news:
            made.say(made.room("C2", "board", RoomKind.PRIVATE, members=("U1",)), "U1", "News!", id="m9")
        return made

    clean: list[str] = []
    with archive(tmp_path / "clean", clean.append) as opened:
        carry(shelf(news=False), opened)
        before = len(clean)
        carry(shelf(news=True), opened)
    wanted = standing(tmp_path / "clean")
    assert b"../board/2026-03.html#m-m9" in wanted["rooms/general/2026-03.html"]
    for number in range(before, len(clean)):
        root = tmp_path / str(number)
        with archive(root) as opened:
            carry(shelf(news=False), opened)
        with pytest.raises(Crash), archive(root, Countdown(number - before)) as opened:
            carry(shelf(news=True), opened)
        with archive(root) as opened:
            carry(shelf(news=True), opened)
        assert standing(root) == wanted, f"after a death at step {number} ({clean[number]})"


@pytest.mark.parametrize("kept", range(0, 2600, 331))
def test_a_file_torn_anywhere_is_completed_without_anything_twice(tmp_path: Path, kept: int) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    path = tmp_path / "rooms/general/messages.jsonl"
    body = path.read_bytes()
    os.truncate(path, len(body) - 1 - kept)
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    assert path.read_bytes() == body


def test_a_line_of_rubbish_in_the_middle_counts_as_never_written(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    before = latest(tmp_path, "general")
    path = tmp_path / "rooms/general/messages.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[2] = b"\0" * (len(lines[2]) - 1) + b"\n"
    path.write_bytes(b"".join(lines))
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    keys = [one.key for one in map(load, path.read_bytes().splitlines(keepends=True)) if isinstance(one, MessageLine)]
    assert len(keys) == len(set(keys)) == len(before)


@pytest.mark.parametrize("harm", ["gone", "rubbish", "of another file", "emptied"])
def test_a_table_that_does_not_fit_is_made_again(tmp_path: Path, harm: str) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
    before = standing(tmp_path)
    table = tmp_path / "rooms/general/.index.sqlite"
    if harm == "gone":
        table.unlink()
    elif harm == "rubbish":
        table.write_bytes(b"rubbish" * 1000)
    elif harm == "emptied":
        with sqlite3.connect(table) as base:
            base.execute("DELETE FROM state")
        base.close()
    else:
        path = tmp_path / "rooms/general/messages.jsonl"
        path.write_bytes(b"".join(reversed(path.read_bytes().splitlines(keepends=True))))
        before.pop("rooms/general/messages.jsonl")
    with archive(tmp_path) as opened:
        found = carry(shelf, opened)
    now = standing(tmp_path)
    if harm == "of another file":
        assert len(latest(tmp_path, "general")) == 13
        assert len(said(tmp_path, "general")) == 16
    else:
        assert found == receipts
        assert now == before


def test_what_belongs_to_others_is_not_found(tmp_path: Path) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
        item = next(one for one in ChatSource(shelf).items(shelf.room("C2", "board"), None) if isinstance(one, Item))
        one = slot(item, receipts[item.id].place, "C2")
        assert opened.find([one], nothing_taken) == {one.key: receipts[item.id]}
        assert opened.find([one], lambda _place, ids: set(ids)) == {}


def test_a_source_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    shelf = ChatShelf()
    room = shelf.room("C1", "general")
    shelf.upload(room, "F1", "a.bin", b"x" * 3_000_000)
    (item, *_) = ChatSource(shelf).items(room, None)
    assert isinstance(item, Item)
    with archive(tmp_path) as opened:
        place = opened.open_room(shelf.described(room), ShelfCast(shelf))
        one = slot(item, place, "C1")
        with pytest.raises(TransientError):
            opened.write(one, Bytes(b"x" * 3_000_000, fail_at=2_000_000))
        assert opened.find([one], nothing_taken) == {}
        assert os.listdir(tmp_path / "rooms/general/files") == []
        receipt = opened.write(one, Bytes(b"x" * 3_000_000))
        assert opened.find([one], nothing_taken) == {one.key: receipt}


@pytest.mark.parametrize("body", [b"", b"{}", b"hello", b"[1]", b'{"form":99}', Message.dump.__doc__.encode()])
def test_what_is_no_message_is_refused_and_the_others_arrive(tmp_path: Path, body: bytes) -> None:
    shelf = ChatShelf()
    room = shelf.room("C1", "general")
    good = shelf.say(room, "U1", "good").dump()
    (item, *_) = ChatSource(shelf).items(room, None)
    assert isinstance(item, Item)
    with archive(tmp_path) as opened:
        place = opened.open_room(shelf.described(room), ShelfCast(shelf))
        bad = slot(replace(item, id="bad"), place, "C1")
        parts = [(bad, body), (slot(item, place, "C1"), good)]
        outcomes = {one.key: what for one, what in opened.write_many(parts)}
        assert isinstance(outcomes.pop(bad.key), ItemError)
        (receipt,) = outcomes.values()
        assert isinstance(receipt, Receipt)
        assert b"".join(opened.read(receipt)) == good
        with pytest.raises(ItemError):
            opened.write(bad, Bytes(body))


# Changing ----------------------------------------------------------------------------------------


def test_an_edit_stands_behind_and_takes_the_place_of_what_it_replaces(tmp_path: Path) -> None:
    shelf = workspace()
    room = shelf.room("C2", "board", RoomKind.PRIVATE)
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
        place = opened.open_room(shelf.described(room), ShelfCast(shelf))
        item = next(one for one in ChatSource(shelf).items(room, None) if isinstance(one, Item))
        message = Message.load(shelf.body(item))
        first = receipts[item.id]
        for text in ("better", "best", "better"):  # the third says what the first said
            body = replace(message, blocks=(line(text),)).dump()
            digest = {"sha256": hashlib.sha256(body).hexdigest()}
            again = slot(replace(item, digests=digest), place, "C2", replaces=first)
            assert opened.find([again], nothing_taken) == {}
            receipt = opened.write(again, Bytes(body))
            assert opened.find([again], nothing_taken) == {again.key: receipt}
            assert b"".join(opened.read(receipt)) == body
            first = receipt
        opened.close_room(place, shelf.described(room), {})
    assert [one["blocks"][0]["parts"][0]["text"] for one in latest(tmp_path, "board").values()] == ["better"]
    page = (tmp_path / "rooms/board/2026-03.html").read_text("utf-8")
    assert page.count("better") == 1
    assert "The budget" not in page


def test_other_reactions_are_appended_once_and_shown(tmp_path: Path) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
        source = ChatSource(shelf)
        general = next(iter(source.collections()))
        item = next(one for one in source.items(general, None) if isinstance(one, Item) and one.id == "m4")
        heart = ChatFacts((Reaction(Emoji("heart", "❤"), ("U9",)),), pinned=True)
        place = opened.open_room(source.room(general), ShelfCast(shelf))
        one = slot(replace(item, facts=heart), place, "C1")
        change = Change(one, receipts["m4"], item.facts)
        for _ in range(2):
            assert list(opened.update([change])) == [(one, receipts["m4"])]
        opened.close_room(place, source.room(general), {})
        gone = Change(slot(replace(item, id="m99", facts=heart), place, "C1"), receipts["m4"], item.facts)
        ((_, outcome),) = opened.update([gone])
        assert isinstance(outcome, ItemError)
    assert sum(one["is"] == "facts" for one in said(tmp_path, "general")) == 1
    assert [one["emoji"]["name"] for one in latest(tmp_path, "general")["m4"]["reactions"]] == ["heart"]
    page = (tmp_path / "rooms/general/2026-03.html").read_text("utf-8")
    assert "❤" in page
    assert "👍" not in page
    assert "U9" in {one["id"] for one in json.loads((tmp_path / "people.json").read_text("utf-8"))}


def test_facts_that_are_those_of_the_message_need_no_line(tmp_path: Path) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
        source = ChatSource(shelf)
        general = next(iter(source.collections()))
        item = next(one for one in source.items(general, None) if isinstance(one, Item) and one.id == "m5")
        change = Change(slot(item, receipts["m5"].place, "C1"), receipts["m5"], ChatFacts(pinned=True))
        assert [outcome for _, outcome in opened.update([change])] == [receipts["m5"]]
    assert not any(one["is"] == "facts" for one in said(tmp_path, "general"))


def test_undo_leaves_no_message_and_no_file_and_no_room(tmp_path: Path) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
        source = ChatSource(shelf)
        for room in source.collections():
            for item in source.items(room, None):
                if isinstance(item, Item):
                    opened.remove(slot(item, receipts[item.id].place, room.id), receipts[item.id])
                    opened.remove(slot(item, receipts[item.id].place, room.id), receipts[item.id])
    assert os.listdir(tmp_path / "rooms") == []
    assert json.loads((tmp_path / "rooms.json").read_text("utf-8")) == []
    assert "general" not in (tmp_path / "index.html").read_text("utf-8")


def test_undo_keeps_a_file_that_somebody_changed(tmp_path: Path) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
        (tmp_path / "rooms/general/files/boiler room.png").write_bytes(b"mine")
        item = Item("F1", Kind.FILE, "1")
        with pytest.raises(ItemError) as kept:
            opened.remove(slot(item, receipts["F1"].place, "C1"), receipts["F1"])
        assert kept.value.code == "changed-there"
        opened.remove(slot(Item("m5", Kind.CHAT, "1"), receipts["m5"].place, "C1"), receipts["m5"])
        assert set(latest(tmp_path, "general")) == {f"m{n}" for n in range(1, 14) if n != 5}
    assert (tmp_path / "rooms/general/files/boiler room.png").read_bytes() == b"mine"


def test_what_is_gone_is_told_as_gone(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        receipts = carry(workspace(), opened)
        (tmp_path / "rooms/general/files/boiler room.png").unlink()
        missing = [receipts["F1"], replace(receipts["m4"], id="5+10." + "a" * 32), replace(receipts["m4"], id="x")]
        for receipt in missing:
            with pytest.raises(ItemError) as gone:
                list(opened.read(receipt))
            assert gone.value.code == "gone"
        assert [type(body) for _, body in opened.read_back([receipts["m4"], missing[1]])] == [bytes, ItemError]


# Rooms -------------------------------------------------------------------------------------------


def test_a_room_keeps_its_folder_when_it_gets_another_name(tmp_path: Path) -> None:
    shelf = workspace()
    with archive(tmp_path) as opened:
        carry(shelf, opened)
        room = replace(shelf.rooms["C1"], name="everybody")
        place = opened.open_room(room, ShelfCast(shelf))
        assert place == "rooms/general"
        opened.close_room(place, room, {})
    assert "# everybody" in (tmp_path / "index.html").read_text("utf-8")
    assert "# everybody" in (tmp_path / "rooms/general/2026-03.html").read_text("utf-8")


def test_what_was_said_is_for_its_owner_alone(tmp_path: Path) -> None:
    with archive(tmp_path / "new") as opened:
        carry(workspace(), opened)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "new/rooms").rglob("*"):
        assert path.is_dir() or ".index" in path.name or path.stat().st_mode & 0o077 == 0, path


def test_another_workspace_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    before = standing(tmp_path)
    other = ChatShelf(Workspace("W2", "Other"))
    with archive(tmp_path) as opened, pytest.raises(AccountError) as told:
        opened.open_room(other.described(other.room("C1", "general")), ShelfCast(other))
    assert told.value.code == "other-workspace"
    assert standing(tmp_path) == before


def test_three_openings_at_once_lose_nothing_and_name_every_file_apart(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); from archive_kit import *\n"
        "shelf = ChatShelf(); who = sys.argv[3]\n"
        "room = shelf.room('C1', 'general')\n"
        "for n in range(8):\n"
        "    file = shelf.upload(room, f'F{who}{n}', 'image.png', f'{who}{n}'.encode())\n"
        "    shelf.say(room, f'U{who}', 'hello', id=f'm{who}{n}', files=(file,))\n"
        "with archive(Path(sys.argv[1])) as opened: carry(shelf, opened)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path), HERE, who]) for who in "abc"]
    assert [one.wait(120) for one in running] == [0, 0, 0]
    assert set(latest(tmp_path, "general")) == {f"m{who}{n}" for who in "abc" for n in range(8)}
    files = {one["id"]: one["name"] for one in said(tmp_path, "general") if one["is"] == "file"}
    assert len(set(files.values())) == 24
    for id_, name in files.items():
        assert (tmp_path / "rooms/general/files" / name).read_bytes() == id_[1:].encode()
    assert {one.author.id for one in Register(os.fsencode(tmp_path)).people().values()} == {"Ua", "Ub", "Uc"}


def test_memory_stays_bounded_in_a_big_room(tmp_path: Path) -> None:
    program = (
        "import resource, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); from archive_kit import *\n"
        "from liberate.chat import *; from datetime import timedelta\n"
        "count, shelf = int(sys.argv[3]), ChatShelf()\n"
        "room = shelf.described(shelf.room('C1', 'general'))\n"
        "with archive(Path(sys.argv[1])) as opened:\n"
        "    place = opened.open_room(room, ShelfCast(shelf))\n"
        "    def parts():\n"
        "        for n in range(count):\n"
        "            time = BEGIN + n * timedelta(minutes=9)\n"
        "            thread = f'm{n - n % 5}' if n % 5 else ''\n"
        "            body = Message(f'm{n}', f'U{n % 9}', time, (line('word ' * 60),), thread=thread).dump()\n"
        "            yield slot(Item(f'm{n}', Kind.CHAT, '1'), place, 'C1'), body\n"
        "    last = [pair for pair in opened.write_many(parts())][-1]\n"
        "    assert opened.find([last[0]], lambda *_: set()) == {last[0].key: last[1]}\n"
        "    opened.close_room(place, room, {})\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    program = program.replace(
        "[pair for pair in opened.write_many(parts())][-1]", "deque(opened.write_many(parts()), 1)[0]"
    )
    program = "from collections import deque\n" + program

    def used(count: int) -> int:
        ran = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path / str(count)), HERE, str(count)],
            check=True,
            capture_output=True,
        )
        return int(ran.stdout) * 1024

    few, many = used(1_000), used(6_000)
    written = sum(path.stat().st_size for path in (tmp_path / "6000").rglob("*") if path.is_file())
    assert written > 10_000_000
    assert many - few < 8_000_000
