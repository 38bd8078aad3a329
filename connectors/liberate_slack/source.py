"""An export as a source of rooms: each conversation's messages oldest first, the files before them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from liberate import chat
from liberate.chat import Author, Workspace
from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Skipped
from liberate.errors import AccountError, ItemError
from liberate.settings import SecretRef
from liberate_slack.archive import Limits
from liberate_slack.conversations import Conversation
from liberate_slack.convert import NotSaid, Room, micros, raw_files, stamp
from liberate_slack.days import Days, Order
from liberate_slack.download import Downloads
from liberate_slack.emoji import Emojis
from liberate_slack.export import Export
from liberate_slack.files import Stored, address, external, stored, why_not
from liberate_slack.letters import clean
from liberate_slack.listing import Found, Listing, groups
from liberate_slack.names import Names, message_id
from liberate_slack.said import Said, Teller
from liberate_slack.settings import SlackExportSettings
from liberate_slack.speakers import Speakers

_FORM = 1  # of our conversion; raised when the same export is to be listed anew
_STEP = 5000  # messages between two cursors
_WITNESSES = 3  # other files that are asked for, to know whether a token is refused or one file


class SlackExportSource:
    """One opening of an export. See Source and HasRooms."""

    def __init__(self, settings: SlackExportSettings, account: Account) -> None:
        self._settings = settings
        self._token = SecretRef(file=settings.token_file).reveal() if settings.token_file is not None else None
        self._export = Export(located(settings.path, account), Limits(expansion=settings.expansion))
        self._days = Days(self._export.archive)
        self._speakers = Speakers(self._export, self._days)
        self._order: tuple[str, Order] | None = None
        self._teller = Teller(self._skipped, self._speakers.learn, self._with_local_size, twins=True)
        self._downloads: Downloads | None = None
        self._names = Names(
            {one.id: one.name for one in self._export.people.values()},
            {one.id: one.name for one in self._export.conversations.values()},
            programs=frozenset(one.id for one in self._export.people.values() if one.kind == "program"),
            emoji=Emojis(),
        )
        said = (_FORM, chat.FORM, settings.deleted, settings.files, bool(self._token), self._export.archive.digest)
        self._edition = hashlib.sha256(repr(said).encode()).hexdigest()[:20]

    def __repr__(self) -> str:
        return f"SlackExportSource({self._settings.path!r})"

    def close(self) -> None:
        """Close the file, and the connections to Slack."""
        self._days.close()
        self._export.close()
        if self._downloads is not None:
            self._downloads.close()

    # Listing -------------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """The conversations, in the order of the export's lists."""
        for one in self._export.conversations.values():
            none = 0 if not self._export.entries(one) else None  # most exports list conversations without a word
            yield Collection(one.id, (one.shown(self._names),), Kind.CHAT, ordered=True, count=none)

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """The conversation's messages, oldest first, each behind the files that it names for the first time."""
        conversation = self._conversation(collection.id)
        begin = self._place(since)
        if begin is None:
            yield self._cursor("end")
            return
        order = self._ordered(conversation)
        listing = Listing(self._room(conversation))
        if begin == 0:
            yield from self._broken(conversation)
        at = 0
        for group in groups(order.from_(0)):
            if at < begin:
                listing.pass_over(group)
                at += len(group)
                continue
            yield from self._teller.listed(listing, group)
            before, at = at, at + len(group)
            if before // _STEP != at // _STEP and at < len(order):
                yield self._cursor(str(at))
        for what, count in sorted(listing.room.names.unknown.items()):
            yield Skipped(
                message_id(conversation.id, f"unknown:{what}"),
                "unknown-part",
                f"What liberate does not know was taken as its plain words, such as {what} ({count} times here).",
                "A later version of liberate may know it.",
            )
        yield self._cursor("end")

    def _place(self, since: Cursor | None) -> int | None:
        """How many messages were listed; None: all of them, from this very export."""
        edition, _, at = (since or "").partition(".")
        if edition != self._edition:
            return 0
        return None if at == "end" else int(at) if at.isdigit() else 0

    def _cursor(self, at: str) -> Cursor:
        return Cursor(f"{self._edition}.{at}")

    def _broken(self, conversation: Conversation) -> Iterator[Skipped]:
        if conversation.id == next(iter(self._export.conversations)):  # what concerns no room is told with the first
            for what in self._export.broken:
                yield Skipped(f"{conversation.id}/{what}", "broken-file", what, "Download the export again.")
            for number, what in enumerate(self._export.beside()):
                yield Skipped(
                    f"{conversation.id}/beside:{number}:{what}",
                    "canvas",
                    f"{what} is a canvas or a list, of which the export has a link at most.",
                    "Open it in Slack and download it, unless a message has it as its file.",
                )
            for file, what in self._export.logs():
                yield Skipped(
                    f"{conversation.id}/log:{file}",
                    "log",
                    f"{what} ({file}) stays in the export: no room has a place for it.",
                    "Keep the export as long as you may need that.",
                )
            for name in self._export.archive.refused:
                yield Skipped(
                    f"{conversation.id}/{clean(name)}",
                    "unsafe-name",
                    f"The ZIP names a file {clean(name)!r}, which leads out of the folder that it is unpacked in.",
                    "Look where the ZIP comes from: Slack makes no such names.",
                )
        for entry in self._export.entries(conversation):
            if entry in self._days.broken:
                name = self._export.label(conversation, entry)
                yield Skipped(
                    f"{conversation.id}/{name}",
                    "broken-file",
                    f"{name} could not be read to its end. {self._days.broken[entry]}",
                    "Its messages up to there are moved. Download the export again, or mend the file.",
                )

    def _with_local_size(self, file: Stored) -> Stored:
        entry = self._export.local_entry(file.id)
        return file if entry is None else replace(file, size=self._export.archive.size(entry))

    def _skipped(self, room: Room, found: Found, why: NotSaid) -> Skipped:
        ts = stamp(found.value.get("ts")) if isinstance(found.value, dict) else ""
        if not ts:
            conversation = self._conversation(room.id)
            ts = f"{self._export.label(conversation, found.entry)}#{found.position + 1}"
        return Skipped(f"{message_id(room.id, ts)}!{why.code}", why.code, why.why, why.todo)

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """See Source."""
        room, _, rest = item.id.rpartition("/")
        if room not in self._export.conversations:
            raise ItemError("gone", "The export no longer has its conversation.")
        if rest.startswith("file:"):
            yield from self._read_file(room, item.id, rest.removeprefix("file:"), offset)
            return
        body = self._teller.body(item.id)
        if body is None:
            body = self._find(room, item.id, rest.partition("~")[0])
        if body[offset:]:
            yield body[offset:]

    def _find(self, room: str, id_: str, ts: str) -> bytes:
        conversation = self._conversation(room)
        time = micros(ts)
        group = [] if time is None else self._ordered(conversation).at(time)
        for one in self._teller.said(self._room(conversation), group):
            if isinstance(one, Said) and one.message.id == id_:
                return one.body
        raise ItemError("gone", "The export no longer has this message.")

    def _read_file(self, room: str, id_: str, slack_id: str, offset: int) -> Iterator[bytes]:
        entry = self._export.local_entry(slack_id)
        if entry is not None:
            yield from self._export.archive.read(entry, offset)
            return
        file = self._teller.file(id_)
        others = self._teller.others(id_)
        if file is None:
            found = self._search_files(room, slack_id)
            file = next((one for one in found if one.id == slack_id), None)
            others = [one for one in found if one.id != slack_id]
        if file is None:
            raise ItemError("gone", "No message of the export names this file any more.")
        if self._downloads is None:
            settings = self._settings
            self._downloads = Downloads(
                self._token,
                endpoint=settings.endpoint,
                verify=True if settings.ca_file is None else str(settings.ca_file),
                timeout=settings.timeout,
            )
        others = [one for one in others if self._export.local_entry(one.id) is None][:_WITNESSES]
        yield from self._downloads.read(file, offset, others)

    def _search_files(self, room: str, slack_id: str) -> list[Stored]:
        """The files of the first day on which this one is named."""
        needle = slack_id.encode()
        for entry in self._export.entries(self._conversation(room)):
            if not self._names_it(entry, needle):
                continue
            found = [stored(raw) for value in self._days.get(entry) if isinstance(value, dict)
                     for raw in raw_files(value) if not external(raw) and address(raw)
                     and not why_not(raw, token=bool(self._token), local=False)]  # fmt: skip
            if any(one.id == slack_id for one in found):
                return found
        return []

    def _names_it(self, entry: int, needle: bytes) -> bool:
        tail = b""
        try:
            for piece in self._export.archive.read(entry):
                if needle in tail + piece:
                    return True
                tail = piece[-len(needle) :]
        except ItemError:
            return True  # what can be read of it may have it
        return False

    # Rooms and people ----------------------------------------------------------------------------

    def room(self, collection: Collection) -> chat.Room:
        """See HasRooms. Where the export names no members, they are those who said something."""
        one = self._export.conversations.get(collection.id)
        if one is None:
            raise ItemError("gone", "The export no longer has this conversation.")
        members = one.members or tuple(sorted(self._speakers.in_(one)))
        workspace = Workspace(
            self._export.home or one.team, self._settings.workspace or one.team or self._export.workspace
        )
        return replace(one.room(workspace, self._names, members), guessed=not one.members)

    def author(self, id_: str) -> Author:
        """See Cast."""
        return self._speakers.author(id_)

    # Helpers -------------------------------------------------------------------------------------

    def _conversation(self, id_: str) -> Conversation:
        found = self._export.conversations.get(id_)
        if found is None:
            raise AccountError(
                "room-gone",
                "The export no longer has a conversation that it had before.",
                "Name the export that this job began with, or a later one of the same workspace.",
            )
        return found

    def _room(self, conversation: Conversation) -> Room:
        return Room(
            conversation.id,
            replace(self._names, unknown=Counter()),
            frozenset(conversation.pins),
            self._why_not,
            self._settings.deleted == "notice",
        )

    def _why_not(self, raw: dict[str, Any]) -> str:
        if self._settings.files == "leave":
            return "The plan leaves files in Slack."
        return why_not(raw, token=bool(self._token), local=self._export.local(raw))

    def _ordered(self, conversation: Conversation) -> Order:
        if self._order is None or self._order[0] != conversation.id:
            self._order = None
            self._order = (conversation.id, Order(self._days, self._export.entries(conversation)))
        return self._order[1]


def located(path: str, account: Account) -> Path:
    """The path with {account} and {user} filled in. Raises AccountError if the account's name leads elsewhere."""
    if "{account}" in path or "{user}" in path:
        for name in (account.name, user := account.name.partition("@")[0]):
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise AccountError(
                    "account-name",
                    f"The account name {account.name!r} cannot be part of a path.",
                    "Name the account in the people table, or write the path without {account} and {user}.",
                )
        path = path.replace("{account}", account.name).replace("{user}", user)
    return Path(path).expanduser()
