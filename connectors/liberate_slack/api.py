"""A workspace by Slack's Web API as a source of rooms: the same messages that an export has, under the same ids."""

from __future__ import annotations

import hashlib
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from liberate import chat
from liberate.chat import Author
from liberate.connector import Account, Collection, Cursor, Gone, Item, Kind, Listed, Skipped
from liberate.errors import ItemError, PlanError
from liberate.settings import reveal
from liberate_slack import problems, team
from liberate_slack.client import Client
from liberate_slack.conversations import Conversation
from liberate_slack.convert import NotSaid, Room, is_said, micros, stamp
from liberate_slack.cursor import MESSAGES, Reached
from liberate_slack.download import Downloads
from liberate_slack.files import Stored, stored, why_not
from liberate_slack.letters import clean, dicts_of, members_of
from liberate_slack.listing import Found, Listing, groups
from liberate_slack.names import message_id
from liberate_slack.pace import Pacer, shared
from liberate_slack.problems import NO_ROOM, Failure
from liberate_slack.said import Said, Teller
from liberate_slack.settings import SlackSettings
from liberate_slack.timeline import BEGINNING, NoRoom, Pause, Timeline

_FORM = 1  # of our conversion and our cursors; raised when everything is to be listed anew
_DAY = 86_400_000_000  # microseconds
_PICTURES = ("emoji:", "picture:")
_NO_FILE = frozenset({"file_not_found", "file_deleted", "file_not_visible", "not_visible"})


class SlackSource:
    """One opening of a workspace. See Source and HasRooms. Nothing is asked before the first call."""

    def __init__(self, settings: SlackSettings, account: Account, pacer: Pacer | None = None) -> None:
        token = reveal(settings.token) or ""
        if not token:
            raise PlanError(
                "The token for Slack is empty. Put it where the plan says, then run the same command again."
            )
        self._settings = settings
        self._token = token
        self._client = Client(settings, token, pacer or shared(token, settings.endpoint))
        self._team = team.shared(settings, token)
        self._teller = Teller(self._left_out, lambda _raw: None)
        self._seen: team.Known | None = None
        self._downloads: Downloads | None = None
        self._pictures: Downloads | None = None
        self._room: tuple[str, chat.Room] | None = None
        self._pinned: dict[str, int] = {}  # how many things are pinned in a conversation, where its history told
        said = (_FORM, chat.FORM, settings.deleted, settings.files)
        self._edition = hashlib.sha256(repr(said).encode()).hexdigest()[:20]

    def __repr__(self) -> str:
        return "SlackSource()"

    def close(self) -> None:
        """Close the connections."""
        for one in (self._downloads, self._pictures):
            if one is not None:
                one.close()

    # Listing -------------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """The conversations: public, private, of several people, of two."""
        for one in self._known.conversations.values():
            yield Collection(one.id, (one.shown(self._known.names),), Kind.CHAT, ordered=True)

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """The conversation's messages, oldest first, each behind the files that it names for the first time.

        With `since`, the last days again and what came after it; see the setting `again`.
        """
        conversation = self._conversation(collection.id)
        listing = Listing(self._conversion(conversation))
        reached = Reached.load(since, self._edition)
        timeline = self._timeline(listing, reached)
        before = reached.until if reached is not None else 0  # up to here something was told in an earlier listing
        lost = dict(reached.said) if reached is not None and reached.done else {}
        told: deque[tuple[int, int]] = deque(maxlen=MESSAGES)
        try:
            for group in self._groups(timeline, before):
                if isinstance(group, Pause):
                    yield from self._gone(conversation, lost, timeline)
                    yield Reached(group.until, False, group.open).dump(self._edition)
                    continue
                for one in self._teller.listed(listing, group):
                    if isinstance(one, Item) and one.kind is Kind.CHAT:
                        lost.pop(group[0].micros, None)
                        told.append((group[0].micros, _thread(group[0])))
                    yield one
        except NoRoom as no:
            code, why, todo = problems.no_room(no.failure)
            yield Skipped(message_id(conversation.id, f"!{code}"), code, why, todo)
            return
        finally:
            timeline.close()
        yield from self._last_words(conversation, listing, timeline)
        yield from self._gone(conversation, lost, timeline)
        until = max(timeline.last, before)
        look = until - self._window
        recent = tuple(pair for pair in told if pair[0] > look)
        yield Reached(until, True, timeline.lately(look), recent).dump(self._edition)

    @staticmethod
    def _gone(one: Conversation, lost: dict[int, int], timeline: Timeline) -> Iterator[Gone]:
        """What was told before, would be told again, and was not."""
        for at, thread in lost.items():
            looked = thread == 0 or thread > timeline.begin or thread in timeline.asked
            if looked and at > timeline.fresh and not timeline.limited:
                yield Gone(message_id(one.id, f"{at // 1_000_000}.{at % 1_000_000:06d}"))
        lost.clear()

    @property
    def _window(self) -> int:
        return self._settings.recent_days * _DAY

    def _timeline(self, listing: Listing, reached: Reached | None) -> Timeline:
        def root(raw: dict[str, Any]) -> None:
            if is_said(raw, listing.room):
                listing.said(message_id(listing.room.id, stamp(raw.get("ts"))))

        channel = listing.room.id
        if reached is None:
            return Timeline(self._client, channel)
        if not reached.done:
            return Timeline(self._client, channel, reached.until, reached.until, reached.threads, root)
        look = max(BEGINNING, reached.until - self._window)
        if self._settings.again == "full":
            return Timeline(self._client, channel, BEGINNING, look)
        return Timeline(self._client, channel, look, look, reached.threads, root)

    @staticmethod
    def _groups(timeline: Timeline, before: int) -> Iterator[list[Found] | Pause]:
        """Messages of one time together, and between them the pauses later than `before`."""
        found: list[Pause] = []

        def messages() -> Iterator[Found]:
            for one in timeline.told():
                if isinstance(one, Pause):
                    found[:] = [one]
                else:
                    yield one

        for group in groups(messages()):
            # A pause is known one message late, as only the next one tells that a group is whole.
            due = [one for one in found if before < one.until < group[0].micros]
            if due:
                found.clear()
                yield due[0]
            yield group

    def _last_words(self, one: Conversation, listing: Listing, timeline: Timeline) -> Iterator[Skipped]:
        if timeline.pins is not None:
            self._pinned[one.id] = timeline.pins
        if timeline.limited:
            yield Skipped(
                message_id(one.id, "!hidden-by-plan"),
                "hidden-by-plan",
                "Slack hides the older messages of this conversation, as the workspace's plan does not reach back so "
                "far.",
                "An export has them, or a paid plan for a month: begin with an export, and go on with the app.",
            )
        for what, count in sorted(listing.room.names.unknown.items()):
            yield Skipped(
                message_id(one.id, f"unknown:{what}"),
                "unknown-part",
                f"What liberate does not know was taken as its plain words, such as {what} ({count} times here).",
                "A later version of liberate may know it.",
            )

    def _left_out(self, room: Room, found: Found, why: NotSaid) -> Skipped:
        ts = stamp(found.value.get("ts")) if isinstance(found.value, dict) else ""
        return Skipped(f"{message_id(room.id, ts or f'#{found.position}')}!{why.code}", why.code, why.why, why.todo)

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """See Source. What was not just listed is asked for, with the messages around it."""
        if item.id.startswith(_PICTURES):
            yield from self._read_picture(item.id, offset)
            return
        room, _, rest = item.id.rpartition("/")
        if rest.startswith("file:"):
            yield from self._read_file(item.id, rest.removeprefix("file:"), offset)
            return
        body = self._teller.body(item.id)
        if body is None:
            body = self._find(room, item)
        if body[offset:]:
            yield body[offset:]

    def _find(self, room: str, item: Item) -> bytes:
        conversation = self._known.conversations.get(room)
        if conversation is None:
            raise ItemError("gone", "Slack no longer shows its conversation.")
        made = self._conversion(conversation)
        ts = item.id.rpartition("/")[2].partition("~")[0]
        threads = [one.rpartition("/")[2] for one in item.refs if "/file:" not in one]
        for answer in self._around(room, ts, threads[0] if threads else ""):
            ordered = sorted(
                (Found(0, at, micros(stamp(raw.get("ts"))) or -1, raw) for at, raw in enumerate(answer)),
                key=lambda found: found.micros,
            )
            wanted = None
            for group in groups(ordered):
                for one in self._teller.said(made, group):
                    if isinstance(one, Said):
                        self._teller.hold(one)
                        wanted = one.body if one.message.id == item.id else wanted
            if wanted is not None:
                return wanted
        raise ItemError("gone", "Slack no longer has this message.")

    def _around(self, room: str, ts: str, thread: str) -> Iterator[list[dict[str, Any]]]:
        """Pages that may hold a message, the likeliest first. What follows it is wanted next, as a rule."""
        ways: list[tuple[str, dict[str, Any]]] = [
            ("conversations.history", {"oldest": ts, "inclusive": True}),
            ("conversations.history", {"oldest": ts, "latest": ts, "inclusive": True}),
            ("conversations.replies", {"ts": ts, "oldest": ts, "latest": ts, "inclusive": True}),
        ]
        if thread:
            ways = [("conversations.replies", {"ts": thread, "oldest": ts, "inclusive": True}), *ways]
        for method, params in ways:
            answer = self._client.messages(method, {"thread_not_found", *NO_ROOM}, channel=room, **params)
            if not isinstance(answer, Failure):
                yield dicts_of(answer.get("messages"))

    def _read_file(self, id_: str, slack_id: str, offset: int) -> Iterator[bytes]:
        file = self._teller.file(id_)
        if file is None:
            answer = self._client.call("files.info", _NO_FILE, file=slack_id)
            raw = {} if isinstance(answer, Failure) else members_of(answer.get("file"))
            if not raw or why_not(raw, token=True):
                raise ItemError("gone", "Slack no longer has the file, or no longer shows it to the app.")
            file = stored(raw)
            self._teller.keep(id_, file)
        if self._downloads is None:
            self._downloads = self._connect(self._token)
        yield from self._downloads.read(file, offset, self._teller.others(id_))

    def _read_picture(self, id_: str, offset: int) -> Iterator[bytes]:
        url = self._known.addresses.get(id_)
        if url is None:
            raise ItemError("gone", "The workspace no longer has this picture.")
        if self._pictures is None:
            self._pictures = self._connect(None)
        yield from self._pictures.read(Stored(id_, id_, "", None, "", url), offset)

    def _connect(self, token: str | None) -> Downloads:
        settings = self._settings
        verify = True if settings.ca_file is None else str(settings.ca_file)
        return Downloads(token, endpoint=settings.files_endpoint, verify=verify, timeout=settings.timeout, proven=True)

    # Rooms and people ----------------------------------------------------------------------------

    def room(self, collection: Collection) -> chat.Room:
        """See HasRooms."""
        if self._room is None or self._room[0] != collection.id:
            self._room = None
            one = self._known.conversations.get(collection.id)
            if one is None:
                raise ItemError("gone", "Slack no longer shows this conversation.")
            self._room = (collection.id, self._describe(one))
        return self._room[1]

    def _describe(self, one: Conversation) -> chat.Room:
        members = self._team.members(self._client, one)
        pins = [] if self._pinned.get(one.id) == 0 else self._team.pins(self._client, one)
        described = replace(one, raw={**one.raw, "pins": pins})
        room = described.room(self._known.workspace, self._known.names, members)
        return replace(room, bookmarks=self._team.bookmarks(self._client, one))

    def author(self, id_: str) -> Author:
        """See Cast."""
        return self._team.author(self._client, self._known, id_)

    # Helpers -------------------------------------------------------------------------------------

    @property
    def _known(self) -> team.Known:
        if self._seen is None:
            self._seen = self._team.known(self._client)
        return self._seen

    def _conversation(self, id_: str) -> Conversation:
        found = self._known.conversations.get(id_)
        if found is None:
            raise team.gone()
        return found

    def _conversion(self, one: Conversation) -> Room:
        names = self._known.names
        return Room(
            one.id, replace(names, unknown=Counter()), frozenset(), self._why_not, self._settings.deleted == "notice"
        )

    def _why_not(self, raw: dict[str, Any]) -> str:
        if self._settings.files == "leave":
            return "The plan leaves files in Slack."
        return why_not(raw, token=True)


def _thread(found: Found) -> int:
    """Time of the message that this one answers; 0 if it answers none."""
    raw = found.value
    thread = clean(raw.get("thread_ts")) if isinstance(raw, dict) else ""
    return 0 if not thread or thread == raw.get("ts") else micros(thread) or 0
