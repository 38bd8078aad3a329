"""An export as a source of rooms: each conversation's messages oldest first, the files before them."""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from liberate import chat
from liberate.chat import Author, Message, RoomKind, Workspace
from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Skipped
from liberate.errors import AccountError, ItemError
from liberate.settings import SecretRef
from liberate_slack.archive import Limits
from liberate_slack.convert import (
    NotSaid,
    Room,
    convert,
    facts,
    micros,
    raw_files,
    stamp,
)
from liberate_slack.days import Days, Found, Order
from liberate_slack.download import Downloads
from liberate_slack.emoji import Emojis
from liberate_slack.export import Conversation, Export
from liberate_slack.files import Stored, address, external, file_id, stored, why_not
from liberate_slack.letters import clean
from liberate_slack.listing import Listing, groups, same
from liberate_slack.mrkdwn import shown
from liberate_slack.names import Names, message_id
from liberate_slack.settings import SlackExportSettings
from liberate_slack.speakers import Speakers

_FORM = 1  # of our conversion; raised when the same export is to be listed anew
_NO_MESSAGE = NotSaid("no-message", "There is something else where a message should be.")
_STEP = 5000  # messages between two cursors
_BODIES = 4 << 20  # bytes of messages that were listed and not yet read
_EACH = 300  # bytes that remembering one costs besides
_FILES = 10_000  # files that were listed and not yet read
_WITNESSES = 3  # other files that are asked for, to know whether a token is refused or one file


@dataclass(frozen=True, slots=True)
class _Said:
    """A message, and what it was made of."""

    raw: dict[str, Any]
    message: Message
    body: bytes
    version: str


class SlackExportSource:
    """One opening of an export. See Source and HasRooms."""

    def __init__(self, settings: SlackExportSettings, account: Account) -> None:
        self._settings = settings
        self._token = SecretRef(file=settings.token_file).reveal() if settings.token_file is not None else None
        self._export = Export(located(settings.path, account), Limits(expansion=settings.expansion))
        self._days = Days(self._export.archive)
        self._speakers = Speakers(self._export, self._days)
        self._order: tuple[str, Order] | None = None
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._stored: OrderedDict[str, Stored] = OrderedDict()
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
            yield Collection(one.id, (self._shown(one),), Kind.CHAT, ordered=True)

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
        for group in groups(order):
            if at < begin:
                listing.pass_over(group)
                at += len(group)
                continue
            yield from self._listed(listing, group)
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

    def _listed(self, listing: Listing, group: Sequence[Found]) -> Iterator[Listed]:
        room = listing.room
        for one in self._said(room, group, listing):
            if isinstance(one, Skipped):
                yield one
                continue
            self._speakers.learn(one.raw)
            refs = []
            if one.message.thread and listing.has(one.message.thread):
                refs.append(one.message.thread)
            for raw in raw_files(one.raw):
                id_ = file_id(room.id, clean(raw.get("id")))
                if not any(file.id == id_ for file in one.message.files):
                    continue
                refs.append(id_)
                if id_ not in listing.files:
                    listing.files.add(id_)
                    yield self._file_item(id_, raw)
            self._hold(one.message.id, one.body)
            told = facts(one.raw, one.message, room)
            yield Item(
                one.message.id,
                Kind.CHAT,
                one.version,
                modified=one.message.time,
                refs=tuple(dict.fromkeys(refs)),
                facts=told,
                facts_version=told.dump(),
            )

    def _file_item(self, id_: str, raw: dict[str, Any]) -> Item:
        file = self._with_local_size(stored(raw))
        self._stored[id_] = file
        while len(self._stored) > _FILES:
            self._stored.popitem(last=False)
        return Item(id_, Kind.FILE, file.version, file.name, file.size)

    def _with_local_size(self, file: Stored) -> Stored:
        entry = self._export.local_entry(file.id)
        return file if entry is None else replace(file, size=self._export.archive.size(entry))

    def _said(self, room: Room, group: Sequence[Found], listing: Listing | None = None) -> Iterator[_Said | Skipped]:
        """What messages of one time say: equal ones once, others of the same `ts` under ids of their own."""
        said: list[_Said] = []
        for found in group:
            raw = found.value
            if not isinstance(raw, dict):
                if raw:
                    yield self._skipped(room, found, _NO_MESSAGE)
                continue
            made = convert(raw, room)
            if isinstance(made, NotSaid):
                yield self._skipped(room, found, made)
                continue
            twin = next((at for at, one in enumerate(said) if same(one.message, made)), None)
            if twin is None:
                said.append(_Said(raw, made, b"", ""))
            elif made.broadcast and not said[twin].message.broadcast:
                said[twin] = _Said(raw, made, b"", "")
        seen: dict[str, int] = {}
        for one in said:
            number = seen[one.message.id] = seen.get(one.message.id, 0) + 1
            message = one.message if number == 1 else replace(one.message, id=f"{one.message.id}~{number}")
            body = message.dump()
            bare = replace(message, reactions=()).dump() if message.reactions else body
            version = hashlib.sha256(bare).hexdigest()[:16]
            if listing is not None:
                listing.said(message.id)
            yield _Said(one.raw, message, body, version)

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
        body = self._bodies.get(item.id)
        if body is None:
            body = self._find(room, item.id, rest.partition("~")[0])
        if body[offset:]:
            yield body[offset:]

    def _find(self, room: str, id_: str, ts: str) -> bytes:
        conversation = self._conversation(room)
        time = micros(ts)
        group = [] if time is None else self._ordered(conversation).at(time)
        for one in self._said(self._room(conversation), group):
            if isinstance(one, _Said) and one.message.id == id_:
                return one.body
        raise ItemError("gone", "The export no longer has this message.")

    def _hold(self, id_: str, body: bytes) -> None:
        old = self._bodies.pop(id_, b"")
        self._bodies[id_] = body
        self._bytes += len(body) + _EACH - (len(old) + _EACH if old else 0)
        while self._bytes > _BODIES and len(self._bodies) > 1:
            self._bytes -= len(self._bodies.popitem(last=False)[1]) + _EACH

    def _read_file(self, room: str, id_: str, slack_id: str, offset: int) -> Iterator[bytes]:
        entry = self._export.local_entry(slack_id)
        if entry is not None:
            yield from self._export.archive.read(entry, offset)
            return
        file = self._stored.get(id_)
        others = [one for key, one in list(self._stored.items())[-20:] if key != id_]
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
        one = self._conversation(collection.id)
        members = one.members or tuple(sorted(self._speakers.in_(one)))
        return chat.Room(
            one.id,
            "" if one.kind in (RoomKind.GROUP, RoomKind.DIRECT) else one.name,
            one.kind,
            Workspace(self._export.home or one.team, self._settings.workspace or one.team or self._export.workspace),
            shown(one.says("topic"), self._names),
            shown(one.says("purpose"), self._names),
            one.raw.get("is_archived") is True,
            one.created,
            clean(one.raw.get("creator")),
            members,
            tuple(message_id(one.id, ts) for ts in one.pins),
        )

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

    def _shown(self, one: Conversation) -> str:
        """What a conversation is called in lists: its name, or who talks there."""
        if one.name and one.kind not in (RoomKind.GROUP, RoomKind.DIRECT):
            return one.name
        names = [self._names.users.get(member, member) for member in one.members]
        return ", ".join(names) or one.name or one.id

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
