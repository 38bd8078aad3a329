"""Later passes by the Web API: what is new, late, edited, reacted to or deleted is seen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from api_kit import (
    DAY,
    FIRST,
    ROOM,
    SECOND,
    SMALL,
    THIRD,
    cursor_of,
    gone,
    items,
    listing,
    message,
    room_of,
    source,
    ts,
    ts_of,
)
from liberate_slack.cursor import Reached
from liberate_slack.standin.api import USER_TOKEN, SlackStandin
from liberate_slack.standin.export import Shape

from liberate.chat import plain
from liberate.connector import Cursor, Item
from liberate.errors import TransientError


@pytest.fixture
def standin() -> Iterator[SlackStandin]:
    with SlackStandin(SMALL) as made:
        yield made


def changed(standin: SlackStandin, before: list[object], **settings: object) -> dict[str, Item]:
    """What a later listing says otherwise than the one before, by `ts`."""
    old = {one.id: (one.version, one.facts_version) for one in before if isinstance(one, Item)}
    listed = listing(standin, cursor_of(before), **settings)  # type: ignore[arg-type]
    return {
        one.id.partition("/")[2]: one for one in items(listed) if old.get(one.id) != (one.version, one.facts_version)
    }


# Nothing, and what is new ---------------------------------------------------------------------------


def test_where_nothing_happened_nothing_changes_and_the_cursor_stays(standin: SlackStandin) -> None:
    before = listing(standin)
    again = listing(standin, cursor_of(before))
    assert changed(standin, before) == {}
    assert (gone(again), cursor_of(again)) == ([], cursor_of(before))


def test_new_messages_come_and_those_older_than_the_window_are_not_asked_for(standin: SlackStandin) -> None:
    standin.workspace.say(ROOM, ts(100 * DAY))
    before = listing(standin)
    standin.workspace.say(ROOM, ts(101 * DAY), text="new")
    again = listing(standin, cursor_of(before))
    assert ts_of(again) == [ts(100 * DAY), ts(101 * DAY)]
    assert list(changed(standin, before)) == [ts(101 * DAY)]


def test_an_empty_room_has_its_first_message_later(standin: SlackStandin) -> None:
    for at in (FIRST, SECOND, THIRD):
        standin.workspace.delete(ROOM, at)
    before = listing(standin)
    assert ts_of(before) == []
    standin.workspace.say(ROOM, ts(5))
    assert list(changed(standin, before)) == [ts(5)]


# Answers --------------------------------------------------------------------------------------------


def test_a_late_answer_to_a_message_in_the_window_comes_in_its_thread(standin: SlackStandin) -> None:
    before = listing(standin)
    standin.workspace.reply(ROOM, SECOND, ts(3 * DAY))
    found = changed(standin, before)
    assert list(found) == [ts(3 * DAY)]
    assert found[ts(3 * DAY)].refs == (f"{ROOM}/{SECOND}",)


def test_a_late_answer_in_an_old_thread_that_was_lively_comes_too(standin: SlackStandin) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(99 * DAY))
    standin.workspace.say(ROOM, ts(100 * DAY))
    before = listing(standin)
    standin.workspace.reply(ROOM, FIRST, ts(140 * DAY))
    found = changed(standin, before)
    assert list(found) == [ts(140 * DAY)]
    assert found[ts(140 * DAY)].refs == (f"{ROOM}/{FIRST}",)
    # and it stays lively: the pass after that has not forgotten it
    second = listing(standin, cursor_of(before))
    standin.workspace.reply(ROOM, FIRST, ts(150 * DAY))
    assert list(changed(standin, second)) == [ts(150 * DAY)]


def test_a_late_answer_in_an_old_thread_comes_if_it_was_shown_to_the_room(standin: SlackStandin) -> None:
    standin.workspace.say(ROOM, ts(100 * DAY))
    before = listing(standin)
    standin.workspace.reply(ROOM, FIRST, ts(101 * DAY), text="for the thread")
    standin.workspace.reply(ROOM, FIRST, ts(102 * DAY), broadcast=True)
    found = changed(standin, before)
    assert list(found) == [ts(101 * DAY), ts(102 * DAY)]
    assert all(one.refs == (f"{ROOM}/{FIRST}",) for one in found.values())


def test_the_first_answer_to_an_old_message_is_seen_by_a_full_pass_only(standin: SlackStandin) -> None:
    standin.workspace.say(ROOM, ts(100 * DAY))
    before = listing(standin)
    standin.workspace.reply(ROOM, FIRST, ts(101 * DAY))
    assert list(changed(standin, before)) == []  # Slack does not show it: the documentation says so
    found = changed(standin, before, again="full")
    assert list(found) == [ts(101 * DAY)]
    assert found[ts(101 * DAY)].refs == (f"{ROOM}/{FIRST}",)


def test_a_full_pass_reads_the_threads_only_that_somebody_answered_lately() -> None:
    with SlackStandin(Shape(layout="public", channels=1, messages=60)) as standin:
        threads = len(standin.workspace.threads(ROOM))
        assert threads > 1
        standin.workspace.say(ROOM, ts(100 * DAY))
        before = listing(standin)
        assert standin.count("conversations.replies") == threads
        standin.workspace.reply(ROOM, ts(100 * DAY), ts(101 * DAY))
        standin.calls.clear()
        assert list(changed(standin, before, again="full")) == [ts(101 * DAY)]
        assert standin.count("conversations.replies") == 1


# Edits, reactions, deletions ------------------------------------------------------------------------


def test_an_edit_is_another_version_and_a_reaction_another_fact(standin: SlackStandin) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(2000))
    first = listing(standin)
    before = {one.id.partition("/")[2]: one for one in items(first)}
    standin.workspace.edit(ROOM, FIRST, text="otherwise", edited={"user": "U0MEMBER0", "ts": ts(3000)})
    standin.workspace.edit(ROOM, ts(2000), text="answer otherwise")
    standin.workspace.edit(ROOM, SECOND, reactions=[{"name": "eyes", "users": ["U0MEMBER1"], "count": 1}])
    found = changed(standin, first)
    assert set(found) == {FIRST, SECOND, ts(2000)}
    assert found[SECOND].version == before[SECOND].version
    assert found[FIRST].version != before[FIRST].version
    assert found[FIRST].facts_version == before[FIRST].facts_version
    with source(standin) as opened:
        assert plain(message(opened, found[FIRST]).blocks) == "otherwise"


def test_what_was_deleted_in_the_window_is_gone(standin: SlackStandin) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(2000))
    standin.workspace.reply(ROOM, FIRST, ts(2001))
    before = listing(standin)
    standin.workspace.delete(ROOM, SECOND)
    standin.workspace.delete(ROOM, ts(2000))
    again = listing(standin, cursor_of(before))
    assert gone(again) == [SECOND, ts(2000)]
    assert gone(listing(standin, cursor_of(again))) == []
    standin.workspace.delete(ROOM, ts(2001))  # the last answer: Slack then no longer calls it a thread
    assert gone(listing(standin, cursor_of(again))) == [ts(2001)]


def test_a_first_message_that_was_deleted_leaves_its_answers(standin: SlackStandin) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(2000))
    before = listing(standin)
    standin.workspace.delete(ROOM, FIRST)
    again = listing(standin, cursor_of(before))
    assert gone(again) == [FIRST]
    assert ts(2000) in ts_of(again)


def test_what_is_older_than_the_window_is_not_taken_for_gone(standin: SlackStandin) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(99 * DAY))
    standin.workspace.say(ROOM, ts(100 * DAY))
    before = listing(standin)
    for settings in ({}, {"recent_days": 1}, {"again": "full"}):
        assert gone(listing(standin, cursor_of(before), **settings)) == []


def test_what_a_plan_of_slacks_hides_meanwhile_is_not_taken_for_gone(standin: SlackStandin) -> None:
    before = listing(standin)
    standin.methods.hides_before = THIRD
    assert gone(listing(standin, cursor_of(before))) == []


def test_a_long_later_pass_has_pauses_behind_what_was_told_before(standin: SlackStandin) -> None:
    before = listing(standin)
    standin.workspace.delete(ROOM, SECOND)
    for second in range(30):
        standin.workspace.say(ROOM, ts(5000 + second))
    again = listing(standin, cursor_of(before), page=4)
    pauses = [(at, one) for at, one in enumerate(again) if isinstance(one, str)]
    assert len(pauses) > 5
    at, first = pauses[0]
    assert gone(again[:at]) == [SECOND]  # told before the cursor that no longer knows of it
    assert gone(again) == [SECOND]
    assert ts_of(listing(standin, first, page=4)) == ts_of(again[at:])


# The middle of a listing ----------------------------------------------------------------------------


def test_a_listing_goes_on_from_each_of_its_pauses_without_asking_for_what_was_told() -> None:
    with SlackStandin(Shape(layout="public", channels=1, messages=44)) as standin:
        root = standin.workspace.order[ROOM][0]
        standin.workspace.reply(ROOM, root, ts(10 * DAY), text="ten days later")
        listed = listing(standin, page=5)
        pauses = [(at, one) for at, one in enumerate(listed) if isinstance(one, str)]
        assert len(pauses) > 6
        for at, cursor in pauses[:-1]:
            standin.calls.clear()
            rest = listing(standin, cursor, page=5)
            later = [(one.id, one.version, one.refs) for one in items(listed[at:])]
            assert [(one.id, one.version, one.refs) for one in items(rest)] == later, at
        assert standin.count("conversations.history") < 4  # the last pause: little is left


def test_a_thread_that_goes_on_for_a_year_is_remembered_in_every_pause(standin: SlackStandin) -> None:
    for day in range(1, 60):
        standin.workspace.say(ROOM, ts(day * DAY))
    standin.workspace.reply(ROOM, FIRST, ts(59 * DAY + 60), text="a year later")
    listed = listing(standin, page=10)
    for one in listed[:-1]:
        if isinstance(one, str):
            assert ts_of(listing(standin, one, page=10))[-1] == ts(59 * DAY + 60)


def test_where_too_many_threads_are_open_there_is_no_pause_and_no_loss(
    standin: SlackStandin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liberate_slack.timeline.THREADS", 2)
    for at in range(2, 20):
        standin.workspace.say(ROOM, ts(at * 10 + 1300))
        standin.workspace.reply(ROOM, ts(at * 10 + 1300), ts(DAY + at))
    listed = listing(standin, page=4)
    assert ts_of(listed) == standin.workspace.order[ROOM]
    for one in listed[:-1]:
        if isinstance(one, str):
            reached = Reached.load(one, one.partition(".")[0])
            assert reached is not None
            assert len(reached.threads) <= 2


@pytest.mark.parametrize("page", [1, 4, 50])
def test_where_slack_counts_from_the_newest_everything_comes_oldest_first_all_the_same(page: int) -> None:
    with SlackStandin(Shape(layout="public", channels=1, messages=44)) as standin:
        straight = [(one.id, one.version, one.refs) for one in items(listing(standin))]
        standin.methods.newest = True
        assert [(one.id, one.version, one.refs) for one in items(listing(standin, page=page))] == straight


def test_pages_that_name_no_cursor_are_followed_by_their_times() -> None:
    with SlackStandin(Shape(layout="public", channels=1, messages=30, plain=True)) as standin:
        for second in range(25):
            standin.workspace.reply(ROOM, FIRST, ts(20_000 + second))
        straight = ts_of(listing(standin))
        standin.methods.no_cursors = True
        for newest in (False, True):
            standin.methods.newest = newest
            assert ts_of(listing(standin, page=4)) == straight


@pytest.mark.parametrize("broken", ["", "x", "no cursor of this source", "EDITION.", "EDITION.AAAA", "EDITION.é"])
def test_a_cursor_that_cannot_be_read_lists_everything(standin: SlackStandin, broken: str) -> None:
    whole = listing(standin)
    edition = cursor_of(whole).partition(".")[0]
    assert ts_of(listing(standin, Cursor(broken.replace("EDITION", edition)))) == ts_of(whole)


def test_a_cursor_says_again_what_was_put_into_it() -> None:
    reached = Reached(1_772_000_000_000_100, True, (1, 5, 9), ((10, 0), (20, 10), (25, 0)))
    cursor = reached.dump("edition")
    assert Reached.load(cursor, "edition") == reached
    assert Reached.load(cursor, "other") is None
    assert Reached.load(None, "edition") is None


def test_a_cursor_of_a_busy_room_stays_short(standin: SlackStandin) -> None:
    for second in range(3000):
        standin.workspace.say(ROOM, ts(2000 + 37 * second))
    assert len(cursor_of(listing(standin))) < 8000


def test_a_channel_that_goes_in_circles_is_told_and_not_followed(standin: SlackStandin) -> None:
    standin.methods.stuck = True
    with source(standin, page=1) as opened, pytest.raises(TransientError):
        list(opened.items(room_of(opened), None))


def test_nothing_that_was_said_stands_in_a_cursor_or_on_a_disk_afterwards(
    standin: SlackStandin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for second in range(400):
        standin.workspace.say(ROOM, ts(2000 + second), text="secret words " * 500)
    listed = listing(standin)
    assert list(tmp_path.iterdir()) == []
    assert "secret" not in json.dumps([one for one in listed if isinstance(one, str)])


@pytest.mark.torture
def test_a_hundred_thousand_messages_with_threads_are_read_in_150_megabytes() -> None:
    with SlackStandin(Shape(plain=True, layout="public", channels=1, messages=90_000, step=60)) as standin:
        roots = standin.workspace.order[ROOM][::90]
        for number, root in enumerate(roots):
            for answer in range(10):
                at = f"{int(root[:10]) + 86_400 * (answer + 1)}.{number:06d}"
                standin.workspace.reply(ROOM, root, at)
        command = [sys.executable, "-c", _LISTING, standin.url, USER_TOKEN]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["items"] == 100_000
    assert found["peak"] < 150 << 20


_LISTING = """
import json, resource, sys
from pydantic import SecretStr
from liberate.connector import Account, Item
from liberate_slack.connectors import slack
items = 0
with slack.source(slack.settings(endpoint=sys.argv[1], token=SecretStr(sys.argv[2])), Account("")) as source:
    for room in list(source.collections()):
        for one in source.items(room, None):
            if isinstance(one, Item):
                items += 1
                b"".join(source.read(one))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"items": items, "peak": peak}))
"""
