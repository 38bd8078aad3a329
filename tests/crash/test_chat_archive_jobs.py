"""Jobs of chat into an archive that die at their steps and are run again: each room is as a clean run leaves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from liberate_local.chat_archive import ChatArchive

import liberate
from liberate.chat import Emoji, Mention, Message, Paragraph, Reaction, RoomKind, Text
from liberate.connector import Kind
from liberate.testing.crash import Trial, survives
from liberate.testing.memory import connector
from liberate.testing.memory_chat import ChatShelf, ChatSource
from liberate.testing.plans import plan


def workspace() -> ChatShelf:
    """Two rooms that link to each other, with a thread and files."""
    shelf = ChatShelf()
    shelf.person("U1", "Anna", email="anna@solros.example")
    general = shelf.room("C1", "general", members=("U1", "U2"))
    board = shelf.room("C2", "board", RoomKind.PRIVATE, members=("U1",))
    root = shelf.say(general, "U1", "The boiler.", Paragraph((Mention("message", "C2/m4", "the budget"),)), pinned=True)
    shelf.say(general, "U2", "Here:", thread=root.id, files=(shelf.upload(general, "F1", "a.png", b"one"),))
    shelf.say(general, "U2", "And here.", files=(shelf.upload(general, "F2", "A.PNG", b"other"),))
    shelf.say(board, "U1", "The budget.", Paragraph((Mention("message", "C1/m1", "the boiler"),)))
    return shelf


def standing(root: Path) -> dict[str, bytes]:
    """Every file of an archive but for the tables, which can be made again."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file() and ".index.sqlite" not in path.name]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def job(folder: Path, shelf: ChatShelf, step: Callable[[str], None]) -> Any:
    """The plan of a job into folder/archive."""
    source = connector("memory", source=lambda _account: ChatSource(shelf), kinds=(Kind.CHAT,))

    def opened(_account: Any) -> ChatArchive:
        return ChatArchive(folder / "archive", ZoneInfo("UTC"), "UTC", step)

    archive = connector("archive", destination=opened, kinds=(Kind.CHAT,))
    return plan(folder / "job", source, archive, kinds=(Kind.CHAT,))


def run(folder: Path, shelf: ChatShelf, step: Callable[[str], None] = lambda _what: None) -> Any:
    return liberate.migrate(job(folder, shelf, step), step=step, workers=1)


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.torture)])
def test_a_job_that_dies_at_any_step_is_set_right_by_the_next_run(tmp_path: Path, every: int) -> None:
    def fresh(name: str) -> Trial:
        folder = tmp_path / name
        return Trial(lambda step: run(folder, workspace(), step), lambda: standing(folder / "archive"))

    survives(fresh, only=lambda number, what: what.startswith("after ") and number % every == 0)


def test_edits_reactions_and_news_arrive_and_everything_is_read_back(tmp_path: Path) -> None:
    shelf = workspace()
    assert [one.state for one in run(tmp_path, shelf).accounts] == ["done"]
    general = next(one for one in shelf.collections() if one.id == "C1")
    bodies = [Message.load(one) for one in shelf.bodies() if one.startswith(b"{")]
    second = next(one for one in bodies if one.id == "m3")
    shelf.post(general, replace(second, blocks=(Paragraph((Text("And there."),)),)))
    first = next(one for one in bodies if one.id == "m1")
    shelf.post(general, replace(first, reactions=(Reaction(Emoji("heart", "❤"), ("U2",)),)), pinned=True)
    shelf.say(general, "U3", "News!")
    report = run(tmp_path, shelf)
    (account,) = report.accounts
    assert (account.state, account.moved, account.refusals) == ("done", 7, ())
    page = (tmp_path / "archive/rooms/general/2026-03.html").read_text("utf-8")
    assert page.count("And there.") == page.count("❤") == page.count("News!") == 1
    assert "And here." not in page
    assert not run(tmp_path, shelf).changed
    verified = liberate.verify(job(tmp_path, shelf, lambda _what: None))
    (account,) = verified.accounts
    assert account.identical == 7, account


def test_an_undo_leaves_no_room(tmp_path: Path) -> None:
    run(tmp_path, workspace())
    liberate.undo(job(tmp_path, workspace(), lambda _what: None))
    assert list((tmp_path / "archive/rooms").iterdir()) == []
