"""A made-up workspace as Slack keeps it: read from an export, so that both doors lead to the same words."""

from __future__ import annotations

import json
import re
import threading
import zipfile
from bisect import insort
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from liberate_slack.letters import without_token
from liberate_slack.standin.said import BOT, OTHER_TEAM, STRANGER, TEAM

_TS = re.compile(r"[0-9]{10}\.[0-9]{6}")
_LOGS = frozenset({"message_changed", "message_deleted", "message_replied"})  # in exports only
_EXPORTED = frozenset({"user_profile", "user_team", "source_team", "reply_count", "reply_users", "reply_users_count",
                       "latest_reply"})  # fmt: skip
_LISTS = ("channels.json", "groups.json", "mpims.json", "dms.json")
APP_USER = "U0LIBERATE"

Message = dict[str, Any]


class Workspace:
    """What is said and who says it. Every change is seen by the next call."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.users: dict[str, dict[str, Any]] = {}
        self.strangers: dict[str, dict[str, Any]] = {}  # users.info knows them, users.list does not
        self.bots: dict[str, dict[str, Any]] = {}
        self.conversations: dict[str, dict[str, Any]] = {}
        self.members: dict[str, list[str]] = {}
        self.said: dict[str, dict[str, Message]] = {}  # by conversation and `ts`
        self.order: dict[str, list[str]] = {}  # the `ts` of each conversation, oldest first
        self.emoji: dict[str, str] = {}
        self.icon: dict[str, Any] = {"image_34": "https://avatars.slack-edge.com/t.png", "image_default": True}
        self.pins: dict[str, dict[str, int]] = {}  # by conversation: `ts` and when it was pinned
        self.bookmarks: dict[str, list[dict[str, Any]]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self._derived: dict[str, tuple[list[str], dict[str, list[Message]]]] = {}

    # Filling -------------------------------------------------------------------------------------

    @classmethod
    def of_export(cls, path: Path) -> Workspace:
        """The workspace that an export of the layout "all" or "public" was made of."""
        made = cls()
        with zipfile.ZipFile(path) as archive:
            names = {_name(one): one for one in archive.infolist()}
            for user in json.loads(archive.read(names["users.json"])):
                made.users[user["id"]] = user
            folders: dict[str, str] = {}
            for file in _LISTS:
                if file in names:
                    for raw in json.loads(archive.read(names[file])):
                        made.room(raw, file)
                        folders[raw["id"] if file == "dms.json" else raw["name"]] = raw["id"]
            for name in sorted(names):
                folder, _, last = name.partition("/")
                if last.endswith(".json") and folder in folders:
                    for raw in json.loads(archive.read(names[name])):
                        made._take(folders[folder], raw)
        made.bots[BOT] = {"id": BOT, "deleted": False, "name": "Deploys", "updated": 1, "app_id": "A0DEPLOYS",
                          "user_id": "U0DEPLOYS"}  # fmt: skip
        return made

    def room(self, raw: Mapping[str, Any], file: str = "channels.json") -> None:
        """Add a conversation as the export's list of that name describes it."""
        kind = _LISTS.index(file)
        members = list(dict.fromkeys(raw["members"]))
        shared: dict[str, Any] = {
            "id": raw["id"], "created": raw["created"], "is_archived": raw.get("is_archived", False),
            "is_im": kind == 3, "is_org_shared": False, "updated": raw["created"] * 1000, "context_team_id": TEAM,
        }  # fmt: skip
        if kind == 3:
            others = [one for one in members if one != members[0]]
            made = {**shared, "user": (others or members)[0], "is_user_deleted": False, "priority": 0}
        else:
            made = {
                **shared, "name": raw["name"], "name_normalized": raw["name"], "is_channel": kind == 0,
                "is_group": kind == 1, "is_mpim": kind == 2, "is_private": kind != 0, "unlinked": 0,
                "is_general": raw.get("is_general", False), "is_shared": False, "is_pending_ext_shared": False,
                "pending_shared": [], "is_ext_shared": False, "shared_team_ids": [TEAM],
                "pending_connected_team_ids": [], "creator": raw.get("creator") or "", "topic": raw["topic"],
                "purpose": raw["purpose"], "previous_names": [], "num_members": len(members),
            }  # fmt: skip
        self.conversations[raw["id"]] = made
        self.members[raw["id"]] = members
        self.said[raw["id"]], self.order[raw["id"]] = {}, []

    def _take(self, room: str, raw: Any) -> None:
        """A message of an export, if Slack itself would show it."""
        if not isinstance(raw, dict) or not _TS.fullmatch(str(raw.get("ts"))) or raw.get("subtype") in _LOGS:
            return
        profile = raw.get("user_profile")
        if profile and raw["user"] == STRANGER:
            self.strangers[STRANGER] = {
                "id": STRANGER, "team_id": OTHER_TEAM, "name": profile["name"], "deleted": False, "is_bot": False,
                "is_stranger": True, "updated": 1, "profile": {k: v for k, v in profile.items() if k != "name"},
            }  # fmt: skip
        message = {name: value for name, value in raw.items() if name not in _EXPORTED}
        for file in [*message.get("files", ()), *([message["file"]] if "file" in message else ())]:
            for name in ("url_private", "url_private_download"):
                if name in file:
                    file[name] = without_token(file[name])
            self.files.setdefault(file["id"], file)
        if raw["ts"] not in self.said[room]:  # what a merged export has twice, Slack has once
            self.say(room, raw["ts"], message)

    # Changing ------------------------------------------------------------------------------------

    def say(self, room: str, ts: str, message: Mapping[str, Any] | None = None, **more: Any) -> Message:
        """A new message, or a whole one in another's place."""
        with self.lock:
            plain = {"type": "message", "user": self.members[room][0], "text": "news", "team": TEAM}
            made = {**(message if message is not None else plain), **more, "ts": ts}
            if ts not in self.said[room]:
                insort(self.order[room], ts)
            self.said[room][ts] = made
            self._derived.pop(room, None)
            for file in made.get("files", ()):
                self.files.setdefault(file["id"], file)
            return made

    def reply(self, room: str, root: str, ts: str, *, broadcast: bool = False, **more: Any) -> Message:
        """An answer in a thread, shown to the room too if it is a `broadcast`."""
        shown: dict[str, Any] = {"subtype": "thread_broadcast"} if broadcast else {}
        return self.say(room, ts, thread_ts=root, parent_user_id=self.said[room][root]["user"], **shown, **more)

    def edit(self, room: str, ts: str, **more: Any) -> None:
        """Change members of a message."""
        with self.lock:
            self.said[room][ts] = {**self.said[room][ts], **more}
            self._derived.pop(room, None)

    def delete(self, room: str, ts: str) -> None:
        """Delete a message. Of the first one of a thread with answers, a tombstone stays."""
        with self.lock:
            if self.threads(room).get(ts):
                self.say(room, ts, {"type": "message", "subtype": "tombstone", "user": "USLACKBOT", "hidden": True,
                                    "text": "This message was deleted.", "thread_ts": ts})  # fmt: skip
                return
            del self.said[room][ts]
            self.order[room].remove(ts)
            self._derived.pop(room, None)

    def pin(self, room: str, ts: str) -> None:
        """Pin a message, later than those pinned before."""
        with self.lock:
            pins = self.pins.setdefault(room, {})
            pins[ts] = 1_780_000_000 + len(pins)

    # Looking -------------------------------------------------------------------------------------

    def timeline(self, room: str) -> list[str]:
        """The `ts` of what the room itself shows, oldest first: no answers, unless they were shown to it."""
        return self._look(room)[0]

    def threads(self, room: str) -> dict[str, list[Message]]:
        """The answers of each thread, oldest first, by the `ts` of what they answer."""
        return self._look(room)[1]

    def _look(self, room: str) -> tuple[list[str], dict[str, list[Message]]]:
        if room not in self._derived:
            timeline: list[str] = []
            threads: dict[str, list[Message]] = {}
            for ts in self.order[room]:
                message = self.said[room][ts]
                root = message.get("thread_ts", ts)
                if root != ts:
                    threads.setdefault(root, []).append(message)
                if root == ts or message.get("subtype") == "thread_broadcast":
                    timeline.append(ts)
            self._derived[room] = (timeline, threads)
        return self._derived[room]

    def shown(self, room: str, ts: str, threads: Mapping[str, list[Message]]) -> Message:
        """A message as Slack gives it: the first of a thread with what is known of its answers."""
        message = dict(self.said[room][ts])
        if ts in self.pins.get(room, {}):
            message["pinned_to"] = [room]
        replies = threads.get(ts)
        if replies:
            people = list(dict.fromkeys(str(one.get("user") or one.get("bot_id")) for one in replies))
            message |= {
                "thread_ts": ts, "reply_count": len(replies), "reply_users_count": len(people),
                "latest_reply": replies[-1]["ts"], "reply_users": people, "is_locked": False, "subscribed": False,
            }  # fmt: skip
        return message


def _name(entry: zipfile.ZipInfo) -> str:
    """The entry's name: UTF-8 that does not say so, which zipfile takes for cp437."""
    return entry.filename if entry.flag_bits & 0x800 else entry.filename.encode("cp437").decode()
