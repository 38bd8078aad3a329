"""What an export holds and where: conversations and their folders, people, files. Nothing is extracted.

The layout is that of <https://slack.com/help/articles/220556107>, of exports of whole organisations (teams/NAME/…),
and of those that slackdump writes.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from liberate.chat import Author, RoomKind
from liberate.errors import AccountError, ItemError
from liberate_slack import people
from liberate_slack.archive import Archive, Limits
from liberate_slack.conversations import Conversation, used
from liberate_slack.json_array import BrokenJson, elements
from liberate_slack.letters import clean, clean_deep, members_of

_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})\.json")
_ROOMS: dict[str, RoomKind] = {
    "channels.json": RoomKind.PUBLIC,
    "groups.json": RoomKind.PRIVATE,
    "mpims.json": RoomKind.GROUP,
    "dms.json": RoomKind.DIRECT,
}
_PEOPLE = ("users.json", "org_users.json")
_BESIDE = ("canvases.json", "lists.json")
_LOGS = {
    "integration_logs.json": "What apps were added, changed or removed",
    "huddle_transcripts.json": "What was said in huddles",
}
_ABOUT = frozenset((*_BESIDE, *_LOGS))
_NAME = re.compile(r"(.+?) Slack export ", re.IGNORECASE)
_ID = re.compile(r"[CDG][A-Z0-9]{6,}")


@dataclass(slots=True)
class _Folder:
    """A folder of day files."""

    days: array[int] = field(default_factory=lambda: array("I"))  # 20260131
    entries: array[int] = field(default_factory=lambda: array("I"))


class Export:
    """An open export."""

    def __init__(self, path: Path, limits: Limits | None = None) -> None:
        self._folders: dict[str, _Folder] = {}
        self._names: dict[int, str] = {}  # of entries that are no day files and may be needed
        self._files: dict[str, int] = {}  # bytes that slackdump put beside the messages, by the file's id
        self.broken: list[str] = []  # sentences about what could not be read and is not a day file
        self.archive = Archive(path, self._keep, limits)
        try:
            self._base = self._find_base()
            self.people: dict[str, Author] = {}
            self.home = ""
            self.programs: dict[str, str] = {}  # user ids of programs, by bot id
            self._read_people()
            self.conversations = {one.id: one for one in self._find_conversations()}
        except BaseException:
            self.archive.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self.archive.close()

    # What is in the ZIP --------------------------------------------------------------------------

    def _keep(self, number: int, name: str) -> bool:
        parts = name.removeprefix("./").split("/")
        last = parts[-1]
        if "__MACOSX" in parts or last == ".DS_Store" or last.startswith("._"):
            return False
        if "__uploads" in parts[:-2]:  # whatever somebody called a file: it is no list of messages
            self._files[clean(parts[-2])] = number
            return True
        if last.startswith("."):
            return False
        day = _DAY.fullmatch(last)
        if day and len(parts) > 1:
            folder = self._folders.setdefault("/".join(parts[:-1]), _Folder())
            folder.days.append(int(day[1] + day[2] + day[3]))
            folder.entries.append(number)
            return True
        if len(parts) > 1 and parts[-2] == "attachments":
            self._files[clean(last.partition("-")[0])] = number
            return True
        if last in _ROOMS or last in _PEOPLE or last in _ABOUT:
            self._names[number] = "/".join(parts)
            return True
        return False

    def _find_base(self) -> str:
        """The folder in which the export stands: "" or, where somebody zipped it anew, "NAME/"."""
        found = [name.rpartition("/")[0] for name in self._names.values() if name.rpartition("/")[2] not in _ABOUT]
        found = [name for name in found if "teams" not in name.split("/")] or found
        if not found:
            raise AccountError(
                "not-an-export",
                f"{self.archive.path} is no export of Slack's: it has no channels.json, dms.json or users.json.",
                "Name the ZIP file as Slack gave it to you.",
            )
        base = min(found, key=lambda name: (name.count("/") + bool(name), name))
        if base.split("/")[-2:-1] == ["teams"]:
            base = "/".join(base.split("/")[:-2])
        return base + "/" if base else ""

    def _json(self, number: int) -> Iterator[dict[str, Any]]:
        """The objects of a JSON array at the top level; one that is broken gives what can be read."""
        name = self._names[number]
        try:
            for _, value in elements(self.archive.read(number)):
                if isinstance(value, dict):
                    yield clean_deep(value)
        except (BrokenJson, ItemError) as error:
            self.broken.append(f"{name} could not be read to its end. {error}")

    def _top(self, wanted: tuple[str, ...]) -> Iterator[tuple[str, str, int]]:
        """(team, file name, number) of what stands where the export stands, and in its teams' folders."""
        for number, name in sorted(self._names.items(), key=lambda pair: (pair[1].count("/"), pair[1], pair[0])):
            if not name.startswith(self._base):
                continue
            below, _, last = name.removeprefix(self._base).rpartition("/")
            if last not in wanted:
                continue
            if not below:
                yield "", last, number
            elif below.startswith("teams/") and below.count("/") == 1:
                yield below.removeprefix("teams/"), last, number

    # People --------------------------------------------------------------------------------------

    def _read_people(self) -> None:
        counted: Counter[str] = Counter()
        team_of: dict[str, str] = {}
        owners: Counter[str] = Counter()
        whole = False  # an organisation's export, in which every workspace is at home
        for _, file, number in self._top(_PEOPLE):
            whole = whole or file == "org_users.json"
            for user in self._json(number):
                made = people.author(user)
                if not made.id:
                    continue
                self.people[made.id] = made
                team = clean(user.get("team_id"))
                counted[team] += 1
                if user.get("is_primary_owner") is True or user.get("is_owner") is True:
                    owners[team] += 1
                if team and made.kind in ("person", "guest") and not user.get("enterprise_user"):
                    team_of[made.id] = team
                bot = clean(members_of(user.get("profile")).get("bot_id"))
                if made.kind == "program" and bot:
                    self.programs[bot] = made.id
        del counted[""], owners[""]
        # Those of other workspaces, in shared channels, may be more than those at home; no owner is among them.
        most = (owners if owners and not whole else counted).most_common(1)
        self.home = most[0][0] if most else ""
        for id_, team in team_of.items():
            if team != self.home and not whole:
                self.people[id_] = replace(self.people[id_], kind="stranger")

    @property
    def workspace(self) -> str:
        """What the workspace is called, as far as the file's name says; else the file's name."""
        found = _NAME.match(self.archive.path.stem)
        return found[1] if found else self.archive.path.stem

    def beside(self) -> Iterator[str]:
        """What is in the export and not in a conversation: canvases and lists, by their titles or ids."""
        for _, file, number in self._top(_BESIDE):
            for one in self._json(number):
                name = clean(one.get("title")) or clean(one.get("name")) or clean(one.get("id"))
                yield f"{name or 'Something'} in {file}"

    def logs(self) -> Iterator[tuple[str, str]]:
        """What the export tells of the workspace that no conversation has a place for: (file, what it is)."""
        for _, file, number in self._top(tuple(_LOGS)):
            if any(True for _ in self._json(number)):
                yield file, _LOGS[file]

    # Conversations -------------------------------------------------------------------------------

    def _find_conversations(self) -> Iterator[Conversation]:
        spelled: dict[str, list[str]] = {}
        for folder in self._folders:
            spelled.setdefault(_spelling(folder), []).append(folder)
        claimed: dict[str, str] = {}  # folder -> whose it is
        made: dict[str, Conversation] = {}
        for team, file, number in self._top(tuple(_ROOMS)):
            for raw in self._json(number):
                id_ = clean(raw.get("id"))
                if not id_:
                    continue
                name = clean(raw.get("name"))
                kind = _kind(_ROOMS[file], raw)
                folders = []
                for folder in self._folders_of(team, id_, name, spelled):
                    whose = claimed.get(folder)
                    if whose == id_:
                        continue
                    if whose is not None:
                        closer = made[whose].kind is RoomKind.PUBLIC and kind is not RoomKind.PUBLIC
                        which = "the private one" if closer else "the first"
                        self.broken.append(f"Two conversations have the folder {folder}; {which} has its messages.")
                        if not closer:
                            continue
                        made[whose].folders.remove(folder)
                    folders.append(folder)
                    claimed[folder] = id_
                if id_ in made:
                    made[id_].folders += folders
                    if made[id_].kind is RoomKind.PUBLIC and kind is not RoomKind.PUBLIC:  # it became one in between
                        made[id_].kind, made[id_].raw = kind, used(raw)
                    continue
                if kind in (RoomKind.GROUP, RoomKind.DIRECT):
                    name = ""
                made[id_] = Conversation(id_, name, kind, folders, used(raw), team)
        for folder in sorted(self._folders):
            if folder in claimed or not folder.startswith(self._base):
                continue
            one = self._unlisted(folder)
            if one.id in made:
                made[one.id].folders.append(folder)
            else:
                made[one.id] = one
        if not made:
            raise AccountError(
                "no-conversations",
                f"{self.archive.path} holds no conversation.",
                "Look whether the export was made for a time in which somebody wrote something.",
            )
        yield from made.values()

    def _folders_of(self, team: str, id_: str, name: str, spelled: Mapping[str, list[str]]) -> Iterator[str]:
        """Slack names a folder after the channel's name or, of a direct message, its id; slackdump either."""
        top = f"{self._base}teams/{team}/" if team else self._base
        for candidate in (name, id_):
            if candidate:
                yield from spelled.get(_spelling(top + candidate), ())

    def _unlisted(self, folder: str) -> Conversation:
        """Messages of a conversation that no list names: nothing of what was said shall be lost for that."""
        last = folder.rpartition("/")[2]
        short = folder.removeprefix(self._base)
        if _ID.fullmatch(last):
            kind = RoomKind.DIRECT if last.startswith("D") else RoomKind.PRIVATE
            return Conversation(last, "" if kind is RoomKind.DIRECT else last, kind, [folder], {})
        return Conversation(f"folder:{clean(short)}", clean(last), RoomKind.PRIVATE, [folder], {})

    def entries(self, conversation: Conversation) -> list[int]:
        """The conversation's day files, oldest first; two of one name that are the same, once."""
        found: list[tuple[int, int, int]] = []
        for at, name in enumerate(conversation.folders):
            folder = self._folders[name]
            found += [(day, at, number) for day, number in zip(folder.days, folder.entries, strict=True)]
        found.sort()
        out: list[tuple[int, int]] = []
        for day, _, number in found:
            twin = any(self.archive.same(number, other) for d, other in out[-4:] if d == day)
            if not twin:
                out.append((day, number))
        return [number for _, number in out]

    def label(self, conversation: Conversation, entry: int) -> str:
        """What a day file is called, for people."""
        for name in conversation.folders:
            folder = self._folders[name]
            if entry in folder.entries:
                text = str(folder.days[folder.entries.index(entry)]).zfill(8)
                return f"{name}/{text[:4]}-{text[4:6]}-{text[6:]}.json"
        return ""

    def local(self, file: dict[str, Any]) -> bool:
        """Whether the file's bytes lie in the export."""
        return clean(file.get("id")) in self._files

    def local_entry(self, id_: str) -> int | None:
        """The entry with the bytes of Slack's file of this id."""
        return self._files.get(id_)


def _kind(listed: RoomKind, raw: Mapping[str, Any]) -> RoomKind:
    """What a conversation is: what its list says, or itself, where a program put all of them into one list."""
    if listed is not RoomKind.PUBLIC:
        return listed
    if raw.get("is_im") is True:
        return RoomKind.DIRECT
    if raw.get("is_mpim") is True:
        return RoomKind.GROUP
    return RoomKind.PRIVATE if raw.get("is_private") is True or raw.get("is_group") is True else listed


def _spelling(name: str) -> str:
    """The name as it is compared: a Mac writes an accent behind its letter, in folders that it zips anew."""
    return name if name.isascii() else unicodedata.normalize("NFC", name)
