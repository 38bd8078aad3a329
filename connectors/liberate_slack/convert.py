"""Slack's messages as liberate.chat knows them. Pure: it reads no file and asks nobody."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Literal

from liberate.chat import Block, Change, ChatFacts, File, Message, Paragraph, Quote, Reaction, Text
from liberate_slack.blocks import convert_attachments, convert_blocks, says_something
from liberate_slack.files import hung, why_not
from liberate_slack.letters import clean, dicts_of, list_of, members_of
from liberate_slack.mrkdwn import parse, shown
from liberate_slack.names import Names, message_id

SLACK = "USLACK"  # our id for Slack itself, where it gives `user` as null or "U00"
SLACKBOT = "USLACKBOT"
NOBODY = "UNKNOWN"  # a message without an author of any kind
EMPTY = "[empty message]"

_TS = re.compile(r"([0-9]{1,12})\.([0-9]{1,6})")
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799  # seconds: the end of the year 9999
_SAID = frozenset({
    "", "bot_message", "me_message", "thread_broadcast", "reply_broadcast", "file_share", "file_comment",
    "file_mention", "slackbot_response", "assistant_app_thread", "document_mention", "bot_add_message",
})  # fmt: skip
_CHANGES: dict[str, Literal["joined", "left", "topic", "purpose", "name", "archived", "unarchived", "call", "other"]]
_CHANGES = {
    "channel_join": "joined", "group_join": "joined", "app_conversation_join": "joined",
    "channel_leave": "left", "group_leave": "left",
    "channel_topic": "topic", "group_topic": "topic",
    "channel_purpose": "purpose", "group_purpose": "purpose",
    "channel_name": "name", "group_name": "name",
    "channel_archive": "archived", "group_archive": "archived",
    "channel_unarchive": "unarchived", "group_unarchive": "unarchived",
    "huddle_thread": "call", "sh_room_created": "call", "sh_room_shared": "call",
    "channel_posting_permissions": "other", "channel_canvas_updated": "other", "tabbed_canvas_updated": "other",
    "channel_convert_to_private": "other", "channel_convert_to_public": "other", "group_convert_to_private": "other",
    "pinned_item": "other", "unpinned_item": "other", "bot_add": "other", "bot_remove": "other",
    "bot_enable": "other", "bot_disable": "other", "bot_change": "other", "reminder_add": "other",
    "ekm_access_denied": "other", "joiner_notification": "other", "joiner_notification_for_inviter": "other",
    "sharedinvite": "other", "channel_retention": "other",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class NotSaid:
    """A message that is not handed over, and why."""

    code: str
    why: str
    todo: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """What a conversion knows of the room that a message stands in."""

    id: str
    names: Names = field(default_factory=Names)
    pins: frozenset[str] = frozenset()  # the `ts` of pinned messages, where the room lists them
    why_not: Callable[[dict[str, Any]], str] = why_not  # why a file's bytes are not to be had; "" if they are
    deleted: bool = False  # whether what was deleted or edited comes along as a notice


def instant(ts: Any) -> datetime | None:
    """When a `ts` says, to the microsecond; None if it is none. Never by way of a float."""
    time = micros(ts)
    return None if time is None else _BEGIN + timedelta(microseconds=time)


def micros(ts: Any) -> int | None:
    """A `ts` as a number that sorts: microseconds since 1970; None if it is none."""
    return _micros(ts) if isinstance(ts, str) else None


@lru_cache(maxsize=1024)  # one message's is asked for several times
def _micros(ts: str) -> int | None:
    found = _TS.fullmatch(ts)
    if found is None or int(found[1]) > _LAST:
        return None
    return int(found[1]) * 1_000_000 + int(found[2].ljust(6, "0"))


def stamp(value: Any) -> str:
    """A `ts` as the string it is everywhere else: older programs wrote numbers. "" if it is none."""
    if isinstance(value, bool):
        return ""
    if isinstance(value, float):
        value = f"{value:.6f}"
    elif isinstance(value, int):
        value = f"{value}.000000"
    return value if isinstance(value, str) and micros(value) is not None else ""


def convert(raw: dict[str, Any], room: Room) -> Message | NotSaid:
    """The message. `id` and `thread` are those of message_id; whether a thread's first message exists is not known."""
    ts = stamp(raw.get("ts"))
    when = instant(ts)
    if when is None:
        return NotSaid(
            "bad-ts",
            "The message has no time that could be read, so it has no place among the others.",
            'Look at it in the export; correct its "ts" there if you know it.',
        )
    subtype = clean(raw.get("subtype"))
    edits = _history(raw, subtype, room)
    if isinstance(edits, NotSaid):
        return edits
    names = room.names
    kind: Literal["message", "emote", "notice"] = "message"
    change = _change(raw, subtype, names)
    author = author_of(raw)
    if subtype == "me_message":
        kind = "emote"
    elif edits is not None or change is not None or subtype not in _SAID or _by_program(raw, author, subtype, names):
        kind = "notice"
    if change is None and subtype not in _SAID and edits is None:
        names.unknown[f"subtype {subtype}"] += 1
    thread = stamp(raw.get("thread_ts")) if is_reply(raw) else ""
    files = tuple(_files(raw, room))
    blocks = edits if edits is not None else _blocks(raw, names)
    if not says_something(blocks) and not files and change is None:
        blocks = (Paragraph((Text(EMPTY),)),)
    return Message(
        message_id(room.id, ts),
        author,
        when,
        blocks,
        kind,
        message_id(room.id, thread) if thread else "",
        subtype in ("thread_broadcast", "reply_broadcast") and bool(thread),
        instant(stamp(members_of(raw.get("edited")).get("ts"))),
        reactions(raw.get("reactions"), names),
        files,
        change,
    )


def is_reply(raw: dict[str, Any]) -> bool:
    """Whether it stands in a thread that another message began."""
    return stamp(raw.get("thread_ts")) not in ("", stamp(raw.get("ts")))


def facts(raw: dict[str, Any], message: Message, room: Room) -> ChatFacts:
    """What may change on the message without new words."""
    pinned = room.id in list_of(raw.get("pinned_to")) or stamp(raw.get("ts")) in room.pins
    return ChatFacts(message.reactions, pinned)


def author_of(raw: dict[str, Any]) -> str:
    """Who says it. A program is known by its bot_id and the name it took for this message: "B024BE7LH:Deploys"."""
    subtype = clean(raw.get("subtype"))
    user = clean(raw.get("user"))
    if user in ("U00", "U00000000"):
        user = SLACK
    if subtype == "huddle_thread":
        return clean(members_of(raw.get("room")).get("created_by")) or user or SLACKBOT
    bot = clean(raw.get("bot_id"))
    name = clean(raw.get("username"))
    if user and not (bot and name and subtype == "bot_message"):
        return user
    if bot or name:
        name = name or clean(members_of(raw.get("bot_profile")).get("name"))
        return f"{bot}:{name}" if name else bot
    if comment := clean(members_of(raw.get("comment")).get("user")):  # file_comment, until 2018
        return comment
    return SLACK if "user" in raw else NOBODY


def reactions(raw: Any, names: Names) -> tuple[Reaction, ...]:
    """The reactions, those of one emoji under two names together."""
    found: dict[tuple[str, str], Reaction] = {}
    for one in dicts_of(raw):
        name = clean(one.get("name"))
        if not name:
            continue
        emoji = names.emoji.named(name)
        people = [clean(user) for user in list_of(one.get("users")) if clean(user)]
        count = one.get("count")
        told = count if isinstance(count, int) and not isinstance(count, bool) else 0
        have = found.get((emoji.name, emoji.char))
        authors = tuple(dict.fromkeys([*(have.authors if have else ()), *people]))
        known = (have.count or len(have.authors)) if have else 0
        total = known + max(told, len(people)) if have else max(told, len(people))
        found[emoji.name, emoji.char] = Reaction(emoji, authors, total if total > len(authors) and told else 0)
    return tuple(found.values())


def _blocks(raw: dict[str, Any], names: Names) -> tuple[Block, ...]:
    """What people see: blocks before the text, which is made of them for notifications; and what hangs on it."""
    blocks = convert_blocks(raw.get("blocks"), names)
    if not says_something(blocks):
        text = clean(raw.get("text")) or clean(members_of(raw.get("comment")).get("comment"))
        blocks = parse(text, names)
    return (*blocks, *convert_attachments(raw.get("attachments"), names))


def _files(raw: dict[str, Any], room: Room) -> list[File]:
    return [hung(room.id, one, room.why_not(one)) for one in raw_files(raw)]


def raw_files(raw: dict[str, Any]) -> list[dict[str, Any]]:
    """The file objects of a message."""
    return dicts_of(raw.get("files")) or dicts_of([raw.get("file")])  # one `file`, until 2018


def is_said(raw: dict[str, Any], room: Room) -> bool:
    """Whether convert() makes a message of it."""
    if not stamp(raw.get("ts")):
        return False
    return not isinstance(_history(raw, clean(raw.get("subtype")), room), NotSaid)


def _by_program(raw: dict[str, Any], author: str, subtype: str, names: Names) -> bool:
    if subtype in ("bot_message", "slackbot_response") or author in (SLACK, SLACKBOT, NOBODY):
        return True
    return author in names.programs or not author.startswith(("U", "W"))


def _change(raw: dict[str, Any], subtype: str, names: Names) -> Change | None:
    what = _CHANGES.get(subtype)
    if what is None:
        return None
    value = shown(clean(raw.get(what)), names) if what in ("topic", "purpose", "name") else ""
    return Change(what, value)


def _history(raw: dict[str, Any], subtype: str, room: Room) -> tuple[Block, ...] | NotSaid | None:
    """What was there before an edit or a deletion: left out, or as a quote; None for a message that stands."""
    if subtype in ("message_deleted", "tombstone"):
        reason = NotSaid("deleted", "It was deleted in Slack.", 'To take along that it was: deleted = "notice".')
    elif subtype in ("message_changed", "message_replied") or raw.get("hidden") is True:
        reason = NotSaid(
            "history", "It is Slack's note that another message was edited or answered; that message has its text."
        )
    else:
        return None
    if not room.deleted:
        return reason
    before = members_of(raw.get("previous_message"))
    said = _blocks(before, room.names)
    own = _blocks(raw, room.names)
    if subtype == "message_replied" or not (said or own):
        return reason
    return (*own, *((Quote(said),) if said else ()))
