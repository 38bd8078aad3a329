"""Who and what a workspace is by the Web API: asked once, and shared by all threads of this process for a while."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from liberate.chat import Author, Bookmark, RoomKind, Workspace
from liberate.errors import AccountError
from liberate_slack import people, problems
from liberate_slack.client import Client
from liberate_slack.conversations import Conversation, used
from liberate_slack.emoji import Emojis
from liberate_slack.letters import clean, dicts_of, list_of, members_of
from liberate_slack.names import Names
from liberate_slack.problems import Failure
from liberate_slack.settings import SlackSettings

FRESH = 600.0  # seconds after which a new opening asks anew
_LIST = 200  # people or conversations at once, as Slack advises
_KINDS: dict[RoomKind, tuple[str, str]] = {  # Slack's word for the type, and for its scopes
    RoomKind.PUBLIC: ("public_channel", "channels"),
    RoomKind.PRIVATE: ("private_channel", "groups"),
    RoomKind.GROUP: ("mpim", "mpim"),
    RoomKind.DIRECT: ("im", "im"),
}
_HANDLES = "mpdm-"
_PICTURES = ("image_512", "image_192", "image_72", "image_48")


@dataclass(slots=True)
class Known:
    """What was learned in one look. An opening keeps to one, so that names stay what they are while it lasts."""

    since: float
    home: str = ""  # the workspace's id
    me: str = ""  # the user that the token speaks for
    workspace: Workspace = field(default_factory=lambda: Workspace("", ""))
    people: dict[str, Author] = field(default_factory=dict)
    handles: dict[str, str] = field(default_factory=dict)  # ids by the names that Slack makes its own of
    programs: dict[str, str] = field(default_factory=dict)  # user ids by bot id
    conversations: dict[str, Conversation] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)  # of pictures, by the id of their item
    names: Names = field(default_factory=Names)


class Team:
    """One workspace as one token sees it."""

    def __init__(self, settings: SlackSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._now: Known | None = None
        self._asked: dict[str, Author] = {}  # people and programs that no list names

    def known(self, client: Client) -> Known:
        """All of it. The first call takes some requests, later ones none."""
        with self._lock:
            if self._now is None or self._clock() - self._now.since > FRESH:
                self._now = self._look(client)
            return self._now

    def _look(self, client: Client) -> Known:
        told = client.ask("auth.test")
        known = Known(self._clock(), clean(told.get("team_id")), clean(told.get("user_id")))
        if client.scopes and (lacking := scopes(self._settings) - client.scopes):
            raise problems.missing(sorted(lacking))
        emoji = self._emoji(client, known)
        team = members_of(client.ask("team.info").get("team"))
        icon = members_of(team.get("icon"))
        picture = clean(icon.get("image_original")) or clean(icon.get("image_132"))
        if picture:
            known.addresses["picture:team"] = picture
        known.workspace = Workspace(
            known.home,
            self._settings.workspace or clean(team.get("name")) or clean(told.get("team")),
            clean(told.get("url")).rstrip("/"),
            "picture:team" if picture else "",
            emoji,
        )
        self._read_people(client, known)
        known.conversations = {one.id: one for one in self._read_conversations(client, known)}
        # Emoji of its own and usergroups go by the names they have in an export, which knows no more of them:
        # the same message is then the same bytes, whichever way it came.
        known.names = Names(
            {one.id: one.name for one in known.people.values()},
            {one.id: one.name for one in known.conversations.values()},
            programs=frozenset(one.id for one in known.people.values() if one.kind == "program"),
            emoji=Emojis(),
        )
        return known

    # The workspace -------------------------------------------------------------------------------

    @staticmethod
    def _emoji(client: Client, known: Known) -> tuple[tuple[str, str], ...]:
        own = []
        for name, value in members_of(client.ask("emoji.list").get("emoji")).items():
            if clean(value).startswith("alias:"):
                own.append((clean(name), clean(value)))
            elif clean(value):
                known.addresses[f"emoji:{clean(name)}"] = clean(value)
                own.append((clean(name), f"emoji:{clean(name)}"))
        return tuple(sorted(own))

    def _read_people(self, client: Client, known: Known) -> None:
        for user in _listed(client, "users.list", "members"):
            made = self._person(user, known)
            if not made.id:
                continue
            known.people[made.id] = made
            known.handles[clean(user.get("name"))] = made.id
            bot = clean(members_of(user.get("profile")).get("bot_id"))
            if made.kind == "program" and bot:
                known.programs[bot] = made.id

    @staticmethod
    def _person(user: dict[str, Any], known: Known) -> Author:
        made = people.author(user)
        if made.kind in ("person", "guest") and not people.at_home(user, known.home):
            made = replace(made, kind="stranger")
        profile = members_of(user.get("profile"))
        picture = next((clean(profile.get(size)) for size in _PICTURES if profile.get(size)), "")
        if picture and made.id:
            known.addresses[f"picture:{made.id}"] = picture
            made = replace(made, picture=f"picture:{made.id}")
        return made

    def _read_conversations(self, client: Client, known: Known) -> Iterator[Conversation]:
        wanted = [kind for kind in _KINDS if kind.value in self._settings.conversations]
        types = ",".join(_KINDS[kind][0] for kind in wanted)
        found: list[Conversation] = []
        for raw in _listed(client, "conversations.list", "channels", types=types, exclude_archived=False):
            if one := _conversation(raw, known):
                found.append(one)
        found.sort(key=lambda one: wanted.index(one.kind) if one.kind in wanted else len(wanted))
        yield from found

    # One by one ----------------------------------------------------------------------------------

    def author(self, client: Client, known: Known, id_: str) -> Author:
        """See Cast. Whoever no list names is asked for once."""
        found = known.people.get(id_) or self._asked.get(id_)
        if found is not None:
            return found
        bot, colon, name = id_.partition(":")
        if bot in known.programs:
            program = known.people[known.programs[bot]]
            return replace(program, id=id_, name=name or program.name)
        made = people.unlisted(id_)
        if made.kind == "stranger" and id_.startswith(("U", "W")) and id_.isalnum():
            told = client.call("users.info", _UNKNOWN, user=id_)
            if not isinstance(told, Failure):
                user = members_of(told.get("user"))
                made = replace(self._person(user, known), id=id_) if clean(user.get("id")) == id_ else made
        elif made.kind == "program" and not colon and id_.isalnum():
            told = client.call("bots.info", _UNKNOWN, bot=id_)
            if not isinstance(told, Failure):
                made = replace(made, name=clean(members_of(told.get("bot")).get("name")) or made.name)
        self._asked[id_] = made
        return made

    def members(self, client: Client, one: Conversation) -> tuple[str, ...]:
        """Ids of those who are in a conversation; those we know of, where Slack does not say."""
        found: dict[str, None] = {}
        pages = client.pages("conversations.members", "members", problems.NO_ROOM, channel=one.id, limit=_LIST)
        for page in pages:
            if isinstance(page, Failure):
                return one.members
            found |= dict.fromkeys(clean(id_) for id_ in list_of(page["members"]) if clean(id_))
        return tuple(found)

    @staticmethod
    def pins(client: Client, one: Conversation) -> list[dict[str, Any]]:
        """What is pinned, as a list of conversations in an export has it; of files it is the message that counts."""
        answer = client.call("pins.list", problems.NO_ROOM, channel=one.id)
        if isinstance(answer, Failure):
            return []
        items = [item for item in dicts_of(answer.get("items")) if item.get("type") == "message"]
        return [{"id": members_of(item.get("message")).get("ts"), "created": item.get("created")} for item in items]

    @staticmethod
    def bookmarks(client: Client, one: Conversation) -> tuple[Bookmark, ...]:
        """The links above a conversation."""
        answer = client.call("bookmarks.list", problems.NO_ROOM, channel_id=one.id)
        if isinstance(answer, Failure):
            return ()
        links = [mark for mark in dicts_of(answer.get("bookmarks")) if clean(mark.get("link"))]
        return tuple(Bookmark(clean(mark.get("title")) or clean(mark["link"]), clean(mark["link"])) for mark in links)


_UNKNOWN = frozenset({"user_not_found", "user_not_visible", "users_not_found", "bot_not_found", "invalid_users"})


def scopes(settings: SlackSettings) -> set[str]:
    """The scopes that a plan needs."""
    wanted = {"users:read", "users:read.email", "emoji:read", "pins:read", "bookmarks:read", "team:read"}
    if settings.files == "fetch":
        wanted.add("files:read")
    for kind, (_, scope) in _KINDS.items():
        if kind.value in settings.conversations:
            wanted |= {f"{scope}:read", f"{scope}:history"}
    return wanted


def _listed(client: Client, method: str, name: str, **params: Any) -> Iterator[dict[str, Any]]:
    for page in client.pages(method, name, limit=_LIST, **params):
        if not isinstance(page, Failure):
            yield from dicts_of(page[name])


def _conversation(raw: dict[str, Any], known: Known) -> Conversation | None:
    id_ = clean(raw.get("id"))
    if not id_:
        return None
    if raw.get("is_im") is True:
        other = clean(raw.get("user"))
        return Conversation(id_, "", RoomKind.DIRECT, [], {**used(raw), "members": [known.me, other]})
    name = clean(raw.get("name"))
    if raw.get("is_mpim") is True:
        # The list does not tell who is in it, and the name does: mpdm-anna--bo--cleo-1.
        handles = name.removeprefix(_HANDLES).rpartition("-")[0].split("--") if name.startswith(_HANDLES) else []
        members = [known.handles[one] for one in handles if one in known.handles]
        return Conversation(id_, "", RoomKind.GROUP, [], {**used(raw), "members": members})
    kind = RoomKind.PRIVATE if raw.get("is_private") is True or raw.get("is_group") is True else RoomKind.PUBLIC
    return Conversation(id_, name, kind, [], used(raw))


_teams: dict[str, Team] = {}
_teams_lock = threading.Lock()


def shared(settings: SlackSettings, token: str) -> Team:
    """The process's knowledge of the workspace of that token."""
    key = hashlib.sha256(f"{token} {settings.model_dump_json()}".encode()).hexdigest()
    with _teams_lock:
        return _teams.setdefault(key, Team(settings))


def gone() -> AccountError:
    """A conversation is no longer there."""
    return AccountError(
        "room-gone",
        "Slack no longer shows a conversation that it had before.",
        "Look whether it was deleted, or whether the app's user left it. Then run the same command again.",
    )
