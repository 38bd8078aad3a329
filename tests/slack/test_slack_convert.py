"""Slack's messages as neutral chat: each kind that is met, and each fault that was seen in practice."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from liberate_slack.convert import NOBODY, SLACK, SLACKBOT, NotSaid, Room, convert, facts, instant, micros, stamp
from liberate_slack.people import author, stranger, unlisted
from slack_kit import ANNA, BO, BUILDER, ROOM, TS, names, said

from liberate.chat import Change, Emoji, File, Message, Reaction, plain

TOKEN = "xoxe-1-secret"
URL = "https://files.slack.com/files-pri/T1-F1/a.png"


def room(**more: Any) -> Room:
    return Room(ROOM, names(), **more)


def made(raw: dict[str, Any], **more: Any) -> Message:
    message = convert(raw, room(**more))
    assert isinstance(message, Message), message
    return message


def refused(raw: dict[str, Any], **more: Any) -> NotSaid:
    message = convert(raw, room(**more))
    assert isinstance(message, NotSaid), message
    return message


def test_a_message_has_its_time_to_the_microsecond_and_its_ts_for_an_id() -> None:
    message = made(said("1772000000.000100"))
    assert message.id == f"{ROOM}/1772000000.000100"
    assert message.time == datetime(2026, 2, 25, 6, 13, 20, 100, tzinfo=UTC)
    assert (message.author, message.kind, plain(message.blocks)) == (ANNA, "message", "hello")


@pytest.mark.parametrize(
    ("given", "id_"),
    [
        (1772000000, "1772000000.000000"),
        (1772000000.5, "1772000000.500000"),
        ("1.5", "1.5"),
        ("0000000000.000000", "0000000000.000000"),
        ("4102444800.000000", "4102444800.000000"),
    ],
)
def test_a_time_of_any_age_and_form_is_kept(given: Any, id_: str) -> None:
    assert made(said(given)).id == f"{ROOM}/{id_}"


@pytest.mark.parametrize(
    "ts", [None, "", "not-a-number", "NaN", "inf", "-1.5", float("nan"), float("inf"), True, [], "1", "1.",
           "9" * 30 + ".1", "999999999999.000000", "1772000000.0001000", "१७७२००००००.००"],
)  # fmt: skip
def test_a_time_that_is_none_is_refused_and_never_now(ts: Any) -> None:
    assert refused(said(ts)).code == "bad-ts"
    assert refused({key: value for key, value in said().items() if key != "ts"}).code == "bad-ts"


def test_times_sort_as_numbers_and_not_by_way_of_a_float() -> None:
    one, other = "1772000000.000001", "1772000000.000002"
    assert [micros(one), micros(other)] == [1772000000000001, 1772000000000002]
    assert instant("1.5") == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)
    assert stamp("x") == ""


AUTHORS: list[tuple[dict[str, Any], str, str]] = [
    ({"user": ANNA}, ANNA, "message"),
    ({"user": ANNA, "bot_id": "B1"}, ANNA, "message"),
    ({"user": BUILDER, "bot_id": "B1"}, BUILDER, "notice"),
    ({"subtype": "bot_message", "bot_id": "B1", "username": "Deploys"}, "B1:Deploys", "notice"),
    ({"subtype": "bot_message", "bot_id": "B1", "username": "Other"}, "B1:Other", "notice"),
    ({"subtype": "bot_message", "bot_id": "B1", "username": "Odd", "user": BUILDER}, "B1:Odd", "notice"),
    ({"bot_id": "B1", "bot_profile": {"name": "Profile"}}, "B1:Profile", "notice"),
    ({"bot_id": "B1"}, "B1", "notice"),
    ({"username": "hook"}, ":hook", "notice"),
    ({"subtype": "bot_message"}, NOBODY, "notice"),
    ({"user": None}, SLACK, "notice"),
    ({"user": "U00"}, SLACK, "notice"),
    ({"user": "USLACKBOT"}, SLACKBOT, "notice"),
    ({"user": "W0ENTERPRISE"}, "W0ENTERPRISE", "message"),
    ({"user": "U0ERASED"}, "U0ERASED", "message"),
    ({"subtype": "file_comment", "comment": {"user": BO, "comment": "nice"}}, BO, "message"),
    ({"subtype": "huddle_thread", "user": "USLACKBOT", "room": {"created_by": BO}}, BO, "notice"),
    ({"subtype": "huddle_thread", "user": "USLACKBOT"}, SLACKBOT, "notice"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "author_id", "kind"), AUTHORS)
def test_everybody_who_speaks_has_an_author(raw: dict[str, Any], author_id: str, kind: str) -> None:
    message = made({"type": "message", "ts": TS, "text": "x", **raw})
    assert (message.author, message.kind) == (author_id, kind)


PEOPLE: list[tuple[dict[str, Any], tuple[str, str, bool]]] = [
    ({"name": "anna", "profile": {"display_name": "Anna", "real_name": "Anna S"}}, ("Anna", "person", False)),
    ({"name": "anna", "profile": {"display_name": "", "real_name": "Anna S"}}, ("Anna S", "person", False)),
    ({"name": "anna"}, ("anna", "person", False)),
    ({}, ("U1", "person", False)),
    ({"name": "a", "deleted": True}, ("a", "person", True)),
    ({"name": "a", "is_restricted": True}, ("a", "guest", False)),
    ({"name": "a", "is_ultra_restricted": True}, ("a", "guest", False)),
    ({"name": "a", "is_stranger": True}, ("a", "stranger", False)),
    ({"name": "a", "is_bot": True, "is_restricted": True}, ("a", "program", False)),
    ({"name": "\ud800", "profile": None}, ("�", "person", False)),
]


@pytest.mark.parametrize(("user", "expected"), PEOPLE)
def test_people_are_told_from_guests_strangers_and_programs(user: dict[str, Any], expected: Any) -> None:
    found = author({"id": "U1", **user})
    assert (found.name, found.kind, found.former) == expected


def test_those_who_are_in_no_list_are_named_as_well_as_can_be() -> None:
    assert (unlisted(SLACKBOT).name, unlisted(SLACKBOT).kind) == ("Slackbot", "system")
    assert (unlisted("B1:Deploys").name, unlisted("B1:Deploys").kind) == ("Deploys", "program")
    assert (unlisted(":hook").name, unlisted(":hook").kind) == ("hook", "program")
    assert unlisted("B1").kind == "program"
    assert (unlisted("U9").name, unlisted("U9").kind) == ("U9", "stranger")
    found = stranger({"user": "U9", "user_profile": {"display_name": "", "real_name": "Paz", "name": "p"}})
    assert found is not None
    assert (found.name, found.kind) == ("Paz", "stranger")
    assert stranger({"user": "U9"}) is None


CHANGES: list[tuple[str, dict[str, Any], Change]] = [
    ("channel_join", {}, Change("joined")),
    ("group_join", {"inviter": BO}, Change("joined")),
    ("channel_leave", {}, Change("left")),
    ("group_leave", {}, Change("left")),
    ("channel_topic", {"topic": "a &amp; <https://e.example|b>"}, Change("topic", "a & b")),
    ("group_topic", {"topic": ""}, Change("topic")),
    ("channel_purpose", {"purpose": "p"}, Change("purpose", "p")),
    ("channel_name", {"name": "new", "old_name": "old"}, Change("name", "new")),
    ("group_name", {"name": "new"}, Change("name", "new")),
    ("channel_archive", {}, Change("archived")),
    ("group_archive", {}, Change("archived")),
    ("channel_unarchive", {}, Change("unarchived")),
    ("huddle_thread", {"room": {"created_by": ANNA}}, Change("call")),
    ("sh_room_created", {}, Change("call")),
    ("channel_posting_permissions", {}, Change("other")),
    ("channel_convert_to_private", {}, Change("other")),
    ("pinned_item", {}, Change("other")),
    ("unpinned_item", {}, Change("other")),
    ("bot_add", {}, Change("other")),
    ("bot_remove", {}, Change("other")),
    ("reminder_add", {}, Change("other")),
    ("ekm_access_denied", {}, Change("other")),
    ("tabbed_canvas_updated", {}, Change("other")),
]


@pytest.mark.parametrize(("subtype", "more", "change"), CHANGES)
def test_what_happened_to_a_room_is_told_as_that(subtype: str, more: dict[str, Any], change: Change) -> None:
    at = room()
    message = convert(said(subtype=subtype, **more), at)
    assert isinstance(message, Message)
    assert (message.change, message.kind, plain(message.blocks)) == (change, "notice", "hello")
    assert not at.names.unknown


@pytest.mark.parametrize(
    "subtype",
    ["file_share", "file_mention", "file_comment", "thread_broadcast", "reply_broadcast", "assistant_app_thread",
     "document_mention"],
)  # fmt: skip
def test_subtypes_that_only_say_how_it_was_said_are_plain_messages(subtype: str) -> None:
    at = room()
    message = convert(said(subtype=subtype), at)
    assert isinstance(message, Message)
    assert (message.kind, message.change, plain(message.blocks)) == ("message", None, "hello")
    assert not at.names.unknown


def test_an_unknown_subtype_keeps_its_words_as_a_notice_and_is_counted() -> None:
    at = room()
    message = convert(said(subtype="brand_new"), at)
    assert isinstance(message, Message)
    assert (message.kind, plain(message.blocks)) == ("notice", "hello")
    assert at.names.unknown == {"subtype brand_new": 1}


def test_slash_me_is_an_emote() -> None:
    assert made(said(subtype="me_message")).kind == "emote"


# Deleted and edited ------------------------------------------------------------------------------

BEFORE = said(text="before")
GONE: list[tuple[dict[str, Any], str, str]] = [
    (said(subtype="tombstone", text="This message was deleted."), "deleted", "This message was deleted."),
    (said(subtype="message_deleted", text="", hidden=True, previous_message=BEFORE), "deleted", "> before"),
    ({"ts": TS, "subtype": "message_changed", "hidden": True, "previous_message": BEFORE, "message": said()},
     "history", "> before"),
    (said(hidden=True, text="hid"), "history", "hid"),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "code", "text"), GONE)
def test_what_was_deleted_or_replaced_is_listed_and_comes_along_if_the_plan_says_so(
    raw: dict[str, Any], code: str, text: str
) -> None:
    assert refused(raw).code == code
    message = made(raw, deleted=True)
    assert (message.kind, plain(message.blocks)) == ("notice", text)


def test_a_note_that_a_message_was_answered_is_never_a_message() -> None:
    assert refused(said(subtype="message_replied", text=""), deleted=True).code == "history"


def test_an_edit_is_told_with_its_time() -> None:
    message = made(said(edited={"user": "B1", "ts": "4102444800.000000"}))
    assert message.edited == datetime(2100, 1, 1, tzinfo=UTC)
    assert made(said(edited={"ts": "nonsense"})).edited is None


# Threads -----------------------------------------------------------------------------------------


def test_a_reply_names_its_thread_and_the_first_message_none() -> None:
    assert made(said(thread_ts=TS)).thread == ""
    reply = made(said("1772000001.000000", thread_ts=TS, parent_user_id=BO))
    assert (reply.thread, reply.broadcast) == (f"{ROOM}/{TS}", False)
    shown = made(said("1772000001.000000", thread_ts=TS, subtype="thread_broadcast", root={"ts": TS}))
    assert (shown.thread, shown.broadcast) == (f"{ROOM}/{TS}", True)
    assert made(said(thread_ts="nonsense")).thread == ""


# Reactions ---------------------------------------------------------------------------------------

REACTIONS: list[tuple[list[Any], tuple[Reaction, ...]]] = [
    ([{"name": "+1", "users": [ANNA], "count": 1}], (Reaction(Emoji("+1", "👍"), (ANNA,)),)),
    ([{"name": "+1", "users": [ANNA], "count": 60}], (Reaction(Emoji("+1", "👍"), (ANNA,), 60),)),
    ([{"name": "+1", "users": [ANNA], "count": 1}, {"name": "thumbsup", "users": [BO, ANNA], "count": 2}],
     (Reaction(Emoji("+1", "👍"), (ANNA, BO), 3),)),
    ([{"name": "clap::skin-tone-2", "users": ["U404"], "count": 1}],
     (Reaction(Emoji("clap::skin-tone-2", "👏🏻"), ("U404",)),)),
    ([{"name": "clap::skin-tone-9", "users": [ANNA]}], (Reaction(Emoji("clap", "👏"), (ANNA,)),)),
    ([{"name": "sun", "users": [ANNA], "count": 1}], (Reaction(Emoji("solros"), (ANNA,)),)),
    ([{"name": "ring1", "users": [ANNA], "count": 1}], (Reaction(Emoji("ring1"), (ANNA,)),)),
    ([{"name": "deleted_one", "users": [], "count": 3}], (Reaction(Emoji("deleted_one"), (), 3),)),
    ([{"name": "eyes", "users": None, "count": None}, {"users": [ANNA]}, None, "x"],
     (Reaction(Emoji("eyes", "👀"), ()),)),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), REACTIONS)
def test_reactions_by_anybody_with_any_emoji_are_kept(raw: list[Any], expected: tuple[Reaction, ...]) -> None:
    assert made(said(reactions=raw)).reactions == expected


def test_pins_are_facts_of_their_message() -> None:
    raw = said(pinned_to=[ROOM])
    assert facts(raw, made(raw), room()).pinned
    assert not facts(said(pinned_to=["C404"]), made(said()), room()).pinned
    assert facts(said(), made(said()), replace(room(), pins=frozenset({TS}))).pinned


# Files -------------------------------------------------------------------------------------------

HOSTED = {"id": "F1", "name": "a.png", "mimetype": "image/png", "size": 5, "mode": "hosted",
          "url_private": f"{URL}?t={TOKEN}"}  # fmt: skip
FILES: list[tuple[dict[str, Any], File]] = [
    (HOSTED, File(f"{ROOM}/file:F1", "a.png", "image/png", 5)),
    ({**HOSTED, "mode": "snippet", "mimetype": None}, File(f"{ROOM}/file:F1", "a.png", "", 5)),
    ({**HOSTED, "name": None, "title": None}, File(f"{ROOM}/file:F1", "a.png", "image/png", 5)),
    ({**HOSTED, "name": "", "title": "T"}, File(f"{ROOM}/file:F1", "T", "image/png", 5)),
    ({**HOSTED, "url_private": URL}, File("", "a.png", "image/png", 5, why="The export's link to it holds no token.")),
    ({**HOSTED, "url_private": None}, File("", "a.png", "image/png", 5, why="Slack gives no address for it.")),
    ({"id": "F1", "mode": "tombstone"}, File("", "F1", why="It was deleted in Slack.")),
    ({"id": "F1", "mode": "hidden_by_limit", "name": "a"},
     File("", "a", why="Slack hides it, as the workspace's plan does not reach back so far.")),
    ({"id": "F1", "mode": "file_access", "file_access": "check_file_info"},
     File("", "F1", why="It belongs to another organisation, and Slack does not export it.")),
    ({"id": "F1", "file_access": "access_denied"},
     File("", "F1", why="Slack did not let it be exported: access denied.")),
    ({"id": "F1", "file_access": "file_not_found"}, File("", "F1", why="Slack no longer has it.")),
    ({**HOSTED, "is_external": True, "external_url": "https://docs.google.com/1"},
     File("", "a.png", "image/png", 5, "https://docs.google.com/1")),
    ({"id": "F1", "mode": "external", "url_private": "https://dropbox.example/1", "name": "b"},
     File("", "b", url="https://dropbox.example/1")),
    ({**HOSTED, "mode": "quip", "filetype": "quip"}, File(f"{ROOM}/file:F1", "a.png", "image/png", 5)),
    ({}, File("", "file", why="Slack gives no address for it.")),
]  # fmt: skip


@pytest.mark.parametrize(("raw", "expected"), FILES)
def test_files_of_every_kind_hang_on_their_message(raw: dict[str, Any], expected: File) -> None:
    message = made(said(text="", files=[raw]))
    assert message.files == (expected,)
    assert message.blocks == ()
    assert TOKEN.encode() not in message.dump()


def test_a_file_of_long_ago_hangs_on_its_message_too() -> None:
    assert made(said(subtype="file_share", file=HOSTED)).files[0].id == f"{ROOM}/file:F1"


# Text --------------------------------------------------------------------------------------------

RICH = [
    {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "rich"}]}]}
]
SECTION = [{"type": "section", "text": {"type": "mrkdwn", "text": "section"}}]
TEXTS: list[tuple[dict[str, Any], str]] = [
    ({"text": "fallback", "blocks": RICH}, "rich"),
    ({"text": "fallback", "blocks": SECTION}, "section"),
    ({"text": "", "blocks": RICH}, "rich"),
    ({"blocks": RICH}, "rich"),
    ({"text": "text", "blocks": []}, "text"),
    ({"text": "text", "blocks": [{"type": "divider"}]}, "text"),
    ({"text": "text", "blocks": [{"type": "hologram"}]}, "text"),
    ({"text": "", "attachments": [{"text": "hung"}]}, "> hung"),
    ({"text": "said", "attachments": [{"text": "hung"}]}, "said\n> hung"),
    ({"text": "x", "blocks": RICH, "attachments": [{"title": "unfurled"}]}, "rich\n> unfurled"),
    ({"text": ""}, "[empty message]"),
    ({"text": None}, "[empty message]"),
    ({}, "[empty message]"),
    ({"text": "a\0b"}, "a�b"),
    ({"text": "a\ud83dz"}, "a�z"),
    ({"text": "&amp;lt; &lt;script&gt;"}, "&lt; <script>"),
    ({"text": "```" + "x" * 200_000 + "```"}, "x" * 200_000),
]  # fmt: skip


@pytest.mark.parametrize(("more", "text"), TEXTS)
def test_what_people_saw_is_what_is_told(more: dict[str, Any], text: str) -> None:
    message = made({"type": "message", "user": ANNA, "ts": TS, **more})
    assert plain(Message.load(message.dump()).blocks) == text


def test_slacks_published_messages_are_read(samples: Path) -> None:
    for name in ("conversations.history.json", "conversations.replies.json"):
        for raw in json.loads((samples / name).read_text())["messages"]:
            message = convert(raw, room())
            assert isinstance(message, Message)
            assert Message.load(message.dump()) == message
