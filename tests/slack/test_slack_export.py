"""Exports as they are met: every layout, in whatever order, and whose each conversation is."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from liberate_slack.standin import Layout, Shape, make_export
from slack_kit import (
    ANNA,
    BO,
    CHANNELS,
    DAY,
    ROOM,
    TS,
    USERS,
    items,
    listing,
    messages,
    opened,
    room_of,
    said,
    skipped,
    texts,
    ts_of,
    zipped,
)

from liberate.chat import MERGED, RoomKind

# Layouts -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["public", "all", "organisation", "slackdump", "slackdump-mattermost"])
@pytest.mark.parametrize("top", ["", "Solros export/"])
def test_every_layout_is_read_whole_each_message_once_and_oldest_first(
    tmp_path: Path, layout: Layout, top: str
) -> None:
    made = make_export(tmp_path / "e.zip", Shape(layout=layout, top=top))
    found: dict[str, set[str]] = {}
    codes = dict.fromkeys(made.skipped, 0)
    with opened(made.path) as source:
        for room in source.collections():
            listed = list(source.items(room, None))
            ts = ts_of(listed)
            assert ts == sorted(ts)
            assert len(ts) == len(set(ts))
            found[room.id] = set(ts)
            for one in skipped(listed):
                if one.code in codes:
                    codes[one.code] += 1
    assert found == made.said
    assert codes == made.skipped


def test_conversations_have_their_kinds_people_and_descriptions(tmp_path: Path) -> None:
    made = make_export(tmp_path / "Solros Slack export Jan 1 2026 - Jun 27 2026.zip")
    with opened(made.path) as source:
        rooms = {one.id: source.room(one) for one in source.collections()}
        shown = {one.id: one.path for one in source.collections()}
    assert {id_: one.kind for id_, one in rooms.items()} == {
        "C0CHANNEL0": RoomKind.PUBLIC, "C0CHANNEL1": RoomKind.PUBLIC, "C0CHANNEL2": RoomKind.PUBLIC,
        "G0BOARD00": RoomKind.PRIVATE, "G0MPIM000": RoomKind.GROUP,
        "D0DIRECT0": RoomKind.DIRECT, "D0MYSELF0": RoomKind.DIRECT, "D0ERASED0": RoomKind.DIRECT,
    }  # fmt: skip
    general, cafe = rooms["C0CHANNEL0"], rooms["C0CHANNEL1"]
    assert (general.name, general.topic, general.purpose) == ("general", "All of general", "Talk")
    assert (cafe.name, cafe.creator, general.creator) == ("café & co", "U0MEMBER0", "")
    assert (rooms["C0CHANNEL2"].archived, general.archived) == (True, False)
    assert general.workspace.name == "Solros"
    assert (rooms["G0MPIM000"].name, shown["G0MPIM000"]) == ("", ("Anna, Bo, Cleo",))
    assert rooms["D0MYSELF0"].members == ("U0MEMBER0",)


def test_names_in_utf8_that_do_not_say_so_are_read_as_slack_meant_them(tmp_path: Path) -> None:
    made = make_export(tmp_path / "e.zip")
    with zipfile.ZipFile(made.path) as archive:
        assert not any(one.flag_bits & 0x800 for one in archive.infolist())
    assert made.said["C0CHANNEL1"] == set(ts_of(listing(made.path, "C0CHANNEL1")))


def test_lists_that_hold_an_empty_string_or_null_are_no_failure(tmp_path: Path) -> None:
    empty = {"lists.json": [""], "huddle_transcripts.json": [""], "canvases.json": [], "file_conversations.json": [],
             "integration_logs.json": None, "general/canvas_in_the_conversation.json": {"a": 1},
             "FC:F1:plan/canvas.json": [], DAY: ["", None, said()]}  # fmt: skip
    listed = listing(zipped(tmp_path / "e.zip", empty))
    assert ts_of(listed) == [TS]
    assert skipped(listed) == []


def test_a_canvas_that_stands_beside_the_conversations_is_told(tmp_path: Path) -> None:
    beside = {"canvases.json": [{"id": "F1", "title": "Plan", "url": "https://x"}, ""], "lists.json": [{"id": "F2"}]}
    told = skipped(listing(zipped(tmp_path / "e.zip", {DAY: [said()], **beside})))
    assert [(one.code, one.why.partition(" is ")[0]) for one in told] == [
        ("canvas", "Plan in canvases.json"),
        ("canvas", "F2 in lists.json"),
    ]


def test_the_log_of_apps_and_what_was_said_in_huddles_are_told_to_stay_in_the_export(tmp_path: Path) -> None:
    beside = {"integration_logs.json": [{"user_id": ANNA, "change": "added"}], "huddle_transcripts.json": [""]}
    told = skipped(listing(zipped(tmp_path / "e.zip", {DAY: [said()], **beside})))
    assert [(one.code, "integration_logs.json" in one.why) for one in told] == [("log", True)]


def test_conversations_of_the_same_people_stay_apart(tmp_path: Path) -> None:
    mpims = [{"id": f"G0MPIM00{n}", "name": f"mpdm-anna--bo-{n}", "members": [ANNA, BO]} for n in (1, 2)]
    days = {f"mpdm-anna--bo-{n}/2026-02-25.json": [said(text=f"in {n}")] for n in (1, 2)}
    path = zipped(tmp_path / "e.zip", {"mpims.json": mpims, **days})
    assert [texts(path, f"G0MPIM00{n}") for n in (1, 2)] == [["in 1"], ["in 2"]]


def test_a_conversation_without_a_word_is_known_to_hold_nothing(tmp_path: Path) -> None:
    dms = [{"id": f"D0DIRECT{n}", "members": [ANNA, BO]} for n in (1, 2)]
    path = zipped(tmp_path / "e.zip", {"dms.json": dms, DAY: [said()], "D0DIRECT2/2026-02-25.json": []})
    with opened(path) as source:
        counts = {one.id: one.count for one in source.collections()}
    assert counts == {ROOM: None, "D0DIRECT1": 0, "D0DIRECT2": None}


@pytest.mark.parametrize(
    "name", ["Screenshot 9.41\u202fAM.png", "a?*:<>|.png", "../../x", "x" * 300, "😀.gif", "CON", " "]
)
def test_a_files_name_is_only_what_it_is_called(tmp_path: Path, name: str) -> None:
    file = {"id": "F1", "name": name, "size": 5, "mode": "hosted", "url_private": "https://files.slack.com/a?t=xoxe-1"}
    (item, _) = items(listing(zipped(tmp_path / "e.zip", {DAY: [said(files=[file])]})))
    assert (item.name, item.id) == (name, f"{ROOM}/file:F1")


@pytest.mark.parametrize("name", ["2024-01-01.json", "channels.json", ".profile"])
def test_a_file_that_somebody_sent_is_no_list_of_messages_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    file = {"id": "F1", "name": name, "size": 1, "mode": "hosted", "url_private": "https://files.slack.com/a"}
    sent = json.dumps([said(text="Bo never said this", user=BO)]).encode()
    path = zipped(tmp_path / "e.zip", {DAY: [said(files=[file])], f"__uploads/F1/{name}": sent})
    with opened(path) as source:
        (room,) = source.collections()
        item, message = items(list(source.items(room, None)))
        assert b"".join(source.read(item)) == sent
    assert message.refs == (item.id,)


def test_a_conversation_without_members_has_those_who_spoke(tmp_path: Path) -> None:
    channel = {"id": ROOM, "name": "general", "members": None, "creator": None, "topic": None, "created": "x"}
    spoken = [said(), said("1772000001.000000", user=BO), said("1772000002.000000", user="USLACKBOT")]
    path = zipped(tmp_path / "e.zip", {DAY: spoken},
                  **{"channels.json": [channel, None, {}, "x"]})  # fmt: skip
    with opened(path) as source:
        (room,) = source.collections()
        assert (source.room(room).members, source.room(room).guessed) == ((ANNA, BO), True)
        assert source.room(room).created is None


def test_nobody_comes_into_a_private_room_because_it_names_them(tmp_path: Path) -> None:
    lists = {"groups.json": [{"id": "G0SECRET0", "name": "secret", "members": None}]}
    file = {"id": "F1", "user": BO, "url_private": "https://files.slack.com/a?t=xoxe-1"}
    passed_on = said(files=[file], edited={"user": BO, "ts": TS}, root={"user": BO}, room={"user": BO})
    came_and_went = [
        said("1772000001.000000", user="U0CLEO000"),
        said("1772000002.000000", user="U0CLEO000", subtype="group_leave"),
    ]
    path = zipped(tmp_path / "e.zip", {**lists, "secret/2026-02-25.json": [passed_on, *came_and_went]})
    with opened(path) as source:
        assert source.room(room_of(source, "G0SECRET0")).members == (ANNA,)


def test_pins_and_strangers_are_known_to_an_opening_that_has_listed_nothing(tmp_path: Path) -> None:
    channel = {
        **CHANNELS[0],
        "pins": [{"id": "1772000009.000000", "created": 9}, {"id": TS, "created": 5}, {"id": "x"}],
    }
    paz = said("1772000009.000000", user="U0PAZ", user_profile={"display_name": "Paz"})
    path = zipped(tmp_path / "e.zip", {DAY: [said(), paz]}, **{"channels.json": [channel]})
    with opened(path) as source:
        (room,) = source.collections()
        assert source.room(room).pins == (f"{ROOM}/{TS}", f"{ROOM}/1772000009.000000")
        assert (source.author("U0PAZ").name, source.author("U0PAZ").kind) == ("Paz", "stranger")
        assert (source.author(ANNA).email, source.author(BO).former) == ("anna@solros.example", True)
        assert source.author("U0NOBODY").name == "U0NOBODY"
    assert [one.facts.pinned for one in items(listing(path))] == [True, True]


def test_a_member_of_another_workspace_in_the_list_is_a_stranger(tmp_path: Path) -> None:
    users = [*USERS, {"id": "U0PAZ", "team_id": "T9", "name": "paz"}]
    with opened(zipped(tmp_path / "e.zip", {DAY: [said()]}, **{"users.json": users})) as source:
        assert (source.author("U0PAZ").kind, source.author(ANNA).kind) == ("stranger", "person")


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"is_im": True}, RoomKind.DIRECT),
        ({"is_mpim": True, "is_group": True, "is_private": True}, RoomKind.GROUP),
        ({"is_group": True}, RoomKind.PRIVATE),
        ({"is_private": True}, RoomKind.PRIVATE),
        ({"is_im": False, "is_mpim": False, "is_group": False, "is_private": False}, RoomKind.PUBLIC),
    ],
)
def test_a_conversation_in_the_list_of_channels_is_what_it_says_of_itself(
    tmp_path: Path, told: dict[str, bool], kind: RoomKind
) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said()]}, **{"channels.json": [{**CHANNELS[0], **told}]})
    with opened(path) as source:
        assert source.room(room_of(source)).kind is kind


def test_a_channel_that_became_private_between_two_lists_is_private(tmp_path: Path) -> None:
    private = {"id": ROOM, "name": "general", "is_private": True, "members": [ANNA]}
    with opened(zipped(tmp_path / "e.zip", {DAY: [said()], "groups.json": [private]})) as source:
        room = source.room(room_of(source))
    assert (room.kind, room.members) == (RoomKind.PRIVATE, (ANNA,))


def test_a_folder_that_a_mac_spelled_otherwise_is_its_channels(tmp_path: Path) -> None:
    channel = {**CHANNELS[0], "name": "b\u00fcro"}
    path = zipped(tmp_path / "e.zip", {"bu\u0308ro/2026-02-25.json": [said()]}, **{"channels.json": [channel]})
    with opened(path) as source:
        assert [one.id for one in source.collections()] == [ROOM]
    assert texts(path) == ["hello"]


def test_messages_that_no_list_names_are_not_lost(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "e.zip", {DAY: [said()], "old-name/2026-02-24.json": [said()], "D0LOST000/2026-02-24.json": [said()]}
    )
    with opened(path) as source:
        found = {one.id: (one.path, source.room(one).kind) for one in source.collections()}
    assert found["folder:old-name"] == (("old-name",), RoomKind.PRIVATE)
    assert found["D0LOST000"] == (("D0LOST000",), RoomKind.DIRECT)
    assert texts(path, "folder:old-name") == ["hello"]


@pytest.mark.parametrize(
    ("file", "told_as"), [("groups.json", "the private one"), ("channels.json", "the first")], ids=["private", "public"]
)
def test_of_two_conversations_of_one_name_the_private_one_has_the_messages_and_else_the_first(
    tmp_path: Path, file: str, told_as: str
) -> None:
    other = {"id": "G0OTHER00", "name": "general", "members": [BO]}
    lists = {"groups.json": [other]} if file == "groups.json" else {file: [*CHANNELS, other]}
    path = zipped(tmp_path / "e.zip", {DAY: [said()]}, **lists)
    whose, not_whose = ("G0OTHER00", ROOM) if file == "groups.json" else (ROOM, "G0OTHER00")
    assert ts_of(listing(path, whose)) == [TS]
    assert ts_of(listing(path, not_whose)) == []
    told = [one for room in (whose, not_whose) for one in skipped(listing(path, room))]
    assert told
    assert all(one.code == "broken-file" and told_as in one.why for one in told)


def test_resource_forks_and_hidden_files_are_passed_over(tmp_path: Path) -> None:
    entries = {DAY: [said()], "__MACOSX/general/2026-02-25.json": b"\0", "general/.DS_Store": b"\0",
               "general/._2026-02-25.json": b"\0", "__MACOSX/._channels.json": b"\0"}  # fmt: skip
    listed = listing(zipped(tmp_path / "e.zip", entries))
    assert (ts_of(listed), skipped(listed)) == ([TS], [])


# Order and twins ---------------------------------------------------------------------------------


def test_messages_come_oldest_first_whatever_day_they_were_filed_under(tmp_path: Path) -> None:
    ts = [f"17720{n:05d}.000000" for n in range(0, 90_000, 10_000)]
    days = {
        "general/2026-02-26.json": [said(ts[0]), said(ts[7])],
        "general/2026-02-24.json": [said(ts[8]), said(ts[2])],
        "general/2026-02-25.json": [said(ts[4]), said(ts[1]), said(ts[6])],
        "general/2019-01-01.json": [said(ts[5])],
        "general/2030-01-01.json": [said(ts[3])],
    }
    assert ts_of(listing(zipped(tmp_path / "e.zip", days))) == ts


def test_one_message_twice_is_one_and_two_of_one_time_are_two(tmp_path: Path) -> None:
    eyes = said(reactions=[{"name": "eyes", "users": [ANNA], "count": 1}])
    path = zipped(tmp_path / "e.zip", {"general/2026-02-24.json": [said(), eyes], DAY: [said(), said(text="other")]})
    listed = listing(path)
    assert ts_of(listed) == [TS, f"{TS}~2"]
    assert texts(path) == ["hello", "other"]
    assert [one.id for one in messages(path)] == [f"{ROOM}/{TS}", f"{ROOM}/{TS}~2"]
    again = [(one.id, one.code) for one in skipped(listed)]
    assert again == [(f"{ROOM}/{TS}!said-twice", MERGED), (f"{ROOM}/{TS}!said-twice~2", MERGED)]


def test_a_reply_that_was_shown_to_the_room_comes_once_and_says_so(tmp_path: Path) -> None:
    at = "1772000001.000000"
    reply = said(at, thread_ts=TS)
    days = {DAY: [said(), reply], "general/2026-02-26.json": [{**reply, "subtype": "thread_broadcast"}]}
    (_, found) = messages(zipped(tmp_path / "e.zip", days))
    assert (found.broadcast, found.thread) == (True, f"{ROOM}/{TS}")


def test_a_reply_refers_to_its_first_message_only_if_that_is_there(tmp_path: Path) -> None:
    deleted = said("1772000005.000000", subtype="tombstone")
    replies = [said("1772090001.000000", thread_ts=TS), said("1772090002.000000", thread_ts="1771000000.000000"),
               said("1772090003.000000", thread_ts="1772000005.000000")]  # fmt: skip
    path = zipped(tmp_path / "e.zip", {DAY: [said(thread_ts=TS), deleted], "general/2026-02-26.json": replies})
    refs = [one.refs for one in items(listing(path))]
    assert refs == [(), (f"{ROOM}/{TS}",), (), ()]
    threads = [one.thread for one in messages(path)]
    assert threads == ["", f"{ROOM}/{TS}", f"{ROOM}/1771000000.000000", f"{ROOM}/1772000005.000000"]


def test_an_answer_to_an_answer_has_no_first_message_that_could_begin_its_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liberate_slack.source._STEP", 2)
    first, second, third, fourth = (f"177200000{n}.000100" for n in range(4))
    days = {DAY: [said(first, thread_ts=first), said(second, thread_ts=first, subtype="thread_broadcast"),
                  said(third, thread_ts=second), said(fourth, thread_ts=first)]}  # fmt: skip
    path = zipped(tmp_path / "e.zip", days)
    listed = listing(path)
    (middle,) = [one for one in listed if isinstance(one, str)][:-1]
    for some in (items(listed), items(listing(path, since=middle))):
        refs = {one.id.partition("/")[2]: one.refs for one in some}
        assert refs[third] == ()
        assert refs[fourth] == (f"{ROOM}/{first}",)


def test_the_same_day_twice_in_an_archive_is_read_once_or_joined(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = zipped(tmp_path / "e.zip", [(DAY, [said()]), (DAY, [said()]), (DAY, [said("1772000001.000000")])])
    assert ts_of(listing(path)) == [TS, "1772000001.000000"]


def test_messages_without_a_time_are_listed_with_their_place_and_end_nothing(tmp_path: Path) -> None:
    bad = [{"text": "a"}, said("NaN"), said("inf"), said("not-a-number"), ["x"], 7, said()]
    listed = listing(zipped(tmp_path / "e.zip", {DAY: bad}))
    assert ts_of(listed) == [TS]
    assert sorted((one.id, one.code) for one in skipped(listed)) == [
        (f"{ROOM}/{DAY}#1!bad-ts", "bad-ts"), (f"{ROOM}/{DAY}#2!bad-ts", "bad-ts"),
        (f"{ROOM}/{DAY}#3!bad-ts", "bad-ts"),
        (f"{ROOM}/{DAY}#4!bad-ts", "bad-ts"), (f"{ROOM}/{DAY}#5!no-message", "no-message"),
        (f"{ROOM}/{DAY}#6!no-message", "no-message"),
    ]  # fmt: skip
