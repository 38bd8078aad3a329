"""Writes exports of a made-up workspace in each layout that is met: small ones of every kind, and huge ones."""

from __future__ import annotations

import json
import random
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from liberate_slack.standin.said import BOT, KINDS, TEAM, TOKEN, Setting, content_of

Layout: TypeAlias = Literal["public", "all", "organisation", "slackdump", "slackdump-mattermost"]
BEGIN = 1_772_000_000  # 25 February 2026
_STEP = 613  # seconds between two messages of a room


@dataclass(frozen=True, slots=True)
class Shape:
    """What is made."""

    users: int = 8
    messages: int = 60  # of each conversation, a thread counted as one; the first has each kind at least
    quiet: int | None = None  # of each conversation but the first, if those are to have fewer
    channels: int = 3
    layout: Layout = "all"
    seed: int = 1
    files: str = "https://files.slack.com"  # where the links lead
    token: str = TOKEN
    top: str = ""  # a folder around all of it, as re-zipping makes it: "Export/"
    plain: bool = False  # plain messages only: quick to make
    step: int = _STEP


@dataclass(slots=True)
class Made:
    """What the export holds, for a test to compare with."""

    path: Path
    rooms: dict[str, str] = field(default_factory=dict)  # id and folder
    said: dict[str, set[str]] = field(default_factory=dict)  # `ts` of the messages of each room
    skipped: Counter[str] = field(default_factory=Counter)  # by code
    files: dict[str, bytes] = field(default_factory=dict)  # what the links lead to, by Slack's id


def make_export(path: Path, shape: Shape | None = None) -> Made:
    """Write the export. The same shape makes the same bytes."""
    shape = shape or Shape()
    made = Made(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        _Writer(archive, shape, made).write()
    return made


class _Writer:
    def __init__(self, archive: zipfile.ZipFile, shape: Shape, made: Made) -> None:
        self._zip = archive
        self._shape = shape
        self._made = made
        self._users = [f"U0MEMBER{number}" for number in range(shape.users)]
        self._random = random.Random(shape.seed)  # noqa: S311 - to be the same each time

    def write(self) -> None:
        shape = self._shape
        lists = self._rooms()
        people = "org_users.json" if shape.layout == "organisation" else "users.json"
        self._json(people, list(self._people()))
        if not shape.layout.startswith("slackdump"):
            self._json("integration_logs.json", [{"user_id": self._users[0], "app_id": "A0DEPLOYS", "date": "0"}])
            self._json("canvases.json", [])
            self._json("file_conversations.json", [])
            self._json("lists.json", [""])
            self._json("huddle_transcripts.json", [""])
        for file, rooms in lists.items():
            of_team = shape.layout == "organisation" and file in ("channels.json", "groups.json")
            inside = "teams/solros/" if of_team else ""
            self._json(inside + file, rooms)
            for at, room in enumerate(rooms):
                folder = inside + (room["id"] if file == "dms.json" or self._by_id(at) else room["name"])
                self._made.rooms[room["id"]] = folder
                self._days(room["id"], folder, first=file == "channels.json" and at == 0)

    def _by_id(self, at: int) -> bool:
        return self._shape.layout.startswith("slackdump") and at % 2 == 1

    def _rooms(self) -> dict[str, list[dict[str, Any]]]:
        users, shape = self._users, self._shape
        channels = []
        for number in range(shape.channels):
            name = "general" if number == 0 else "café & co" if number == 1 else f"channel-{number}"
            one = self._room(f"C0CHANNEL{number}", name, users)
            one |= {"is_general": number == 0, "is_archived": number == 2, "creator": users[0] if number else None}
            channels.append(one)
        lists = {"channels.json": channels}
        if shape.layout != "public":
            lists["groups.json"] = [self._room("G0BOARD00", "board", users[:3])]
            lists["mpims.json"] = [
                {**self._room("G0MPIM000", "mpdm-anna--bo--cleo-1", users[:3]), "is_mpim": True},
            ]
            lists["dms.json"] = [
                {"id": "D0DIRECT0", "created": BEGIN, "members": users[:2]},
                {"id": "D0MYSELF0", "created": BEGIN, "members": [users[0], users[0]]},
                {"id": "D0ERASED0", "created": BEGIN, "members": [users[0], "U0ERASED0"]},
            ]
        return lists

    @staticmethod
    def _room(id_: str, name: str, members: list[str]) -> dict[str, Any]:
        said = {"creator": members[0], "last_set": BEGIN}
        return {
            "id": id_, "name": name, "created": BEGIN, "creator": members[0], "is_archived": False, "members": members,
            "topic": {"value": f"All of {name}", **said}, "purpose": {"value": "Talk", **said},
        }  # fmt: skip

    def _people(self) -> Iterator[dict[str, Any]]:
        names = ("anna", "bo", "cleo", "dîana", "efe", "fr\u00e9d\u00e9ric")
        for number, id_ in enumerate(self._users):
            name = names[number] if number < len(names) else f"member{number}"
            yield {
                "id": id_, "team_id": TEAM, "name": name, "deleted": number == 4, "real_name": name.title(),
                "tz": "Europe/Paris", "is_admin": number == 0, "is_owner": number == 0, "is_primary_owner": number == 0,
                "is_restricted": number == 5, "is_ultra_restricted": False, "is_bot": False, "is_app_user": False,
                "updated": BEGIN, "is_email_confirmed": True,
                "profile": {"real_name": f"{name.title()} Solros", "display_name": name.title(), "team": TEAM,
                            "email": f"{name}@solros.example", "image_48": "https://avatars.slack-edge.com/a_48.png"},
            }  # fmt: skip
        yield {"id": "U0DEPLOYS", "team_id": TEAM, "name": "deploys", "deleted": False, "is_bot": True,
               "profile": {"real_name": "Deploys", "display_name": "", "bot_id": BOT,
                           "api_app_id": "A0DEPLOYS"}}  # fmt: skip

    # Messages ------------------------------------------------------------------------------------

    def _days(self, room: str, folder: str, *, first: bool) -> None:
        """The conversation's day files. Replies lie in the file of their own day; nothing in one is sorted."""
        said = self._made.said.setdefault(room, set())
        open_days: dict[str, list[dict[str, Any]]] = {}
        quiet = self._shape.quiet
        for number in range(self._shape.messages if first or quiet is None else quiet):
            at = self._setting(room, number)
            today = _day(at.ts)
            for message, codes in self._messages(at, first=first):
                day = _day(message["ts"]) if _is_ts(message.get("ts")) else today
                open_days.setdefault(day, []).append(message)
                if codes:
                    self._made.skipped.update(codes)
                else:
                    said.add(message["ts"])
                    self._keep_files(folder, message)
            for day in sorted(open_days):
                if day < today:
                    self._write_day(folder, day, open_days.pop(day))
        for day, messages in sorted(open_days.items()):
            self._write_day(folder, day, messages)

    def _setting(self, room: str, number: int) -> Setting:
        users = self._users
        ts = f"{BEGIN + number * self._shape.step}.{(number * 7919) % 1_000_000:06d}"
        user = users[(number * 3) % len(users)]
        other = users[(number * 3 + 1) % len(users)]
        return Setting(room, ts, user, other, number, self._shape.files, self._shape.token)

    def _messages(self, at: Setting, *, first: bool) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        if self._shape.plain:
            yield at.plain(client_msg_id="11111111-2222-3333-4444-555555555555"), ()
            return
        number = at.number if first else self._random.randrange(len(KINDS))
        make, codes = KINDS[number % len(KINDS)]
        for message in make(at):
            yield message, codes

    def _keep_files(self, folder: str, message: dict[str, Any]) -> None:
        for file in [*message.get("files", ()), *([message["file"]] if "file" in message else ())]:
            if file.get("mode") not in ("hosted", "snippet", "quip"):
                continue
            body = content_of(file["id"], file["size"]) if file["mode"] != "quip" else b"<h1>Plan</h1>"
            self._made.files[file["id"]] = body
            if self._shape.layout == "slackdump":
                self._bytes(f"{folder}/attachments/{file['id']}-{file['name']}", body)
            elif self._shape.layout == "slackdump-mattermost":
                self._bytes(f"__uploads/{file['id']}/{file['name']}", body)

    def _write_day(self, folder: str, day: str, messages: list[dict[str, Any]]) -> None:
        if not self._shape.plain:
            self._random.shuffle(messages)
        self._json(f"{folder}/{day}.json", messages)

    # Entries -------------------------------------------------------------------------------------

    def _json(self, name: str, value: Any) -> None:
        indent = None if self._shape.plain else 4  # Slack's own have it
        self._bytes(name, json.dumps(value, indent=indent).encode())

    def _bytes(self, name: str, data: bytes) -> None:
        entry = _Unflagged(self._shape.top + name, (2026, 6, 27, 12, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        self._zip.writestr(entry, data, compresslevel=1)


class _Unflagged(zipfile.ZipInfo):
    """An entry of which the name is UTF-8 and nothing says so: that is how Slack writes them."""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802 - zipfile's
        return self.filename.encode(), self.flag_bits & ~0x800


def _is_ts(value: Any) -> bool:
    return isinstance(value, str) and value.replace(".", "").isdigit()


def _day(ts: str) -> str:
    return datetime.fromtimestamp(int(ts.partition(".")[0]), UTC).strftime("%Y-%m-%d")
