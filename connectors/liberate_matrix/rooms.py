"""Making a room or finding it again: the space it is in, its address, who may join, and who is in it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from liberate.chat import Room, RoomKind, Workspace
from liberate.connector import ROOM_LEFT, Cast, Place
from liberate.errors import AccountError, ItemError, TransientError
from liberate_matrix import refusals
from liberate_matrix.client import Client
from liberate_matrix.contents import RECORD
from liberate_matrix.convert import Names, clean
from liberate_matrix.ids import localpart, pretty
from liberate_matrix.people import People
from liberate_matrix.settings import MatrixSettings

TALK = frozenset({RoomKind.GROUP, RoomKind.DIRECT})
"""Rooms of some people among themselves: they are made in the name of one of them, and nobody else is in them."""

SPEAKS = "org.liberate.speaks"
"""The member of a membership that began only so that somebody's words have their author."""
TAKEN_OUT = "org.liberate.taken_out"
"""The member of a membership that liberate ended, and not the person themselves or somebody there."""
BROUGHT = "org.liberate.members"
"""Account data of liberate's own account for a room that is not public: whom it brought in as members."""
_HALF = 30.0
"""Seconds after which a room that was only begun counts as left behind by a homeserver that died over it."""
_begun: dict[tuple[str, str], float] = {}  # server and address -> when such a room was first met by this process
_spaces = threading.RLock()  # workers come for the space at the same time; for a room comes only one
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SMALL = 1000  # milliseconds
_ALL = 100  # the power of whoever made a room


@dataclass(slots=True)
class Opened:
    """A room while it is written into."""

    place: Place  # the id of the room
    room: Room
    cast: Cast
    owner: str  # who made it, and may do anything in it
    names: Names
    joined: set[str]
    direct: bool
    met: bool = False  # it stood there before
    last: int = 0  # time of what was said last in this run
    tails: dict[str, str] = field(default_factory=dict)  # root of a thread -> its last event
    stand_ins: dict[str, str] | None = None  # id of a thread's first message that never came -> what stands for it

    def stamp(self, time: datetime) -> int:
        """Milliseconds for an event of that time.

        Clients expect times to rise with the order. What is a little too early, as two messages of one
        second may be, gets the time of what stands before it; what comes days late keeps its own.
        """
        at = max((time - _EPOCH) // timedelta(milliseconds=1), 0)
        if at < self.last <= at + _SMALL:
            return self.last
        self.last = at
        return at


@dataclass(slots=True)
class Space:
    """What a workspace becomes."""

    id: str
    owner: str
    joined: set[str]


class Rooms:
    """Rooms of one homeserver."""

    def __init__(self, client: Client, people: People, settings: MatrixSettings) -> None:
        self._client = client
        self._people = people
        self._settings = settings
        self._spaces: dict[str, Space] = {}

    def alias(self, workspace: str, room: str = "") -> str:
        """The address by which a workspace or a room is found again."""
        parts = (workspace, room) if room else (workspace,)
        return f"#{localpart(self._settings.prefix, parts, self._client.domain)}:{self._client.domain}"

    def open(self, room: Room, cast: Cast) -> Opened:
        """The room, made if it is not there."""
        user: Callable[[str], str] = lambda author: self._people.user(cast, room.workspace.id, author)  # noqa: E731
        names = Names(user, lambda id_: self.alias(room.workspace.id, id_))
        alias = self.alias(room.workspace.id, room.id)
        direct = room.kind in TALK
        space = None if direct else self.space(room.workspace)
        candidates = (
            self._owners(room, user) if direct else [self._settings.creator or self._client.bot, self._client.bot]
        )
        author = next((one for one in room.members if user(one) == candidates[0]), "")
        if self._people.ghost(candidates[0]):
            self._people.ready(candidates[0], cast, author)
        found = self._found(alias, candidates, direct=direct)
        id_, owner = found or self._made(alias, candidates, self._wish(room, space))
        self._check(owner, id_)
        opened = Opened(
            Place(id_), room, cast, owner, names, self._client.joined(owner, id_), direct, found is not None
        )
        if space is not None:
            self._put_into(space, id_, owner)
            self.join(opened, self._client.bot)  # so that it is found again when the plan names another creator
        if found and direct:
            self._keep_theirs(opened, candidates)
        elif found and room.kind is RoomKind.PRIVATE:
            self._keep_private(opened)
        if room.kind is RoomKind.PUBLIC:
            self._give_alias(owner, id_, room.name, alias)
        return opened

    def space(self, workspace: Workspace) -> Space:
        """The space of the workspace, made if it is not there."""
        with _spaces:
            return self._space(workspace)

    def _space(self, workspace: Workspace) -> Space:
        if workspace.id not in self._spaces:
            alias = self.alias(workspace.id)
            candidates = [self._settings.creator or self._client.bot, self._client.bot]
            record = {"name": clean(workspace.name)[:255], "topic": clean(workspace.url)}
            wish = self._base(record, "invite")
            wish["creation_content"]["type"] = "m.space"
            wish["power_level_content_override"] = {"events_default": 100, "invite": 50}
            id_, owner = self._found(alias, candidates) or self._made(alias, candidates, wish)
            space = self._spaces[workspace.id] = Space(id_, owner, self._client.joined(owner, id_))
            self._enter(space, self._client.bot)
        return self._spaces[workspace.id]

    # Joining -------------------------------------------------------------------------------------

    def join(self, opened: Opened, user: str, ts: int | None = None, *, to_speak: bool = False) -> None:
        """Bring the account into the room; `to_speak`: see let_go.

        An invitation of the room's owner costs as much again, and is left out where the room is open to them.
        """
        if user in opened.joined:
            return
        more = {SPEAKS: True} if to_speak else {}
        if not (self._open_to(opened, user) and self._come_in(opened.place, user, ts, more)):
            self._join(opened.owner, opened.place, user, ts, direct=opened.direct, more=more)
        opened.joined.add(user)

    def _open_to(self, opened: Opened, user: str) -> bool:
        if opened.room.kind is not RoomKind.PUBLIC:
            return False
        space = self._spaces.get(opened.room.workspace.id)
        return self._settings.public_rooms == "server" or (space is not None and user in space.joined)

    def _come_in(self, room: str, user: str, ts: int | None, more: Mapping[str, Any]) -> bool:
        """Join a room that is open; False where somebody has closed it since."""
        try:
            self._client.join(user, room, more, ts)
        except ItemError as error:
            if error.code != "forbidden":
                raise
            return False
        return True

    def let_go(self, opened: Opened, user: str) -> None:
        """Take out somebody who came in to say what they once said there, and is no longer a member.

        They forget the room: whoever has only left it may read what was said before.
        """
        if SPEAKS in (self._client.state(opened.owner, opened.place, "m.room.member", user) or {}):
            self.leave(opened, user)
            self._client.forget_room(user, opened.place)

    def _keep_private(self, opened: Opened) -> None:
        """Before more is said in it: take out those who are members no more, and close what was a public room."""
        place, members = opened.place, {opened.names.user(one) for one in opened.room.members}
        record = self._client.state(opened.owner, place, RECORD) or {}
        public = record.get("kind") == RoomKind.PUBLIC
        if public:
            self._client.set_state(opened.owner, place, "m.room.join_rules", {"join_rule": "invite"})
        # Of a public room, whoever came in by themselves; of a private one they were let in by somebody.
        some = set(opened.joined) if public else self._brought(place) & opened.joined
        known = members and (public or not opened.room.guessed)
        for user in sorted(some - members - {opened.owner, self._client.bot}) if known else []:
            if self._client.is_here(user) and not self._people.ghost(user):
                self.leave(opened, user)
                self._client.forget_room(user, place)
        if public:
            self._client.set_state(opened.owner, place, RECORD, {**record, "kind": opened.room.kind.value})

    def _keep_theirs(self, opened: Opened, members: list[str]) -> None:
        """Before more is said in a talk: take out whom the people table named for one of its members, and does no more.

        Slack takes nobody out of a talk: somebody was taken for somebody else.
        """
        place, named = opened.place, self._noted(opened.place).get("as", {})
        wrong = {user for user, author in named.items() if opened.names.user(author) != user}
        wrong = wrong & opened.joined - set(members)
        if opened.owner in wrong:
            owner = next(one for one in members if not self.went(opened.owner, place, one))
            self.join(opened, owner)
            opened.owner = owner
        for user in sorted(wrong):
            self.leave(opened, user)
            self._client.forget_room(user, place)

    def _brought(self, place: str) -> set[str]:
        """Those who were brought into a private room as its members. Their own membership may not say so for long:
        a homeserver writes it anew when somebody takes another name."""
        return set(self._noted(place).get("users", ()))

    def _noted(self, place: str) -> dict[str, Any]:
        return self._client.account_data(self._client.bot, BROUGHT, place) or {}

    def bring(self, opened: Opened, users: Mapping[str, str]) -> None:
        """Note whom a room that is not public gets as its members, and for which author, before they come in."""
        if opened.room.kind is RoomKind.PUBLIC:
            return
        noted = self._noted(opened.place)
        before = noted if opened.room.guessed else {}
        told = {"users": sorted({*users, *before.get("users", ())}), "as": {**before.get("as", {}), **users}}
        if told != noted:
            self._client.set_account_data(self._client.bot, BROUGHT, told, opened.place)

    def join_space(self, workspace: Workspace, user: str) -> None:
        """Bring the account into the space, where it finds the rooms that it may join."""
        with _spaces:
            self._enter(self._space(workspace), user)

    def _enter(self, space: Space, user: str) -> None:
        """Asked first is whether another worker has brought them in meanwhile: that costs much less than a join."""
        if user not in space.joined:
            if self._client.member(space.owner, space.id, user) != "join":
                self._join(space.owner, space.id, user, None)
            space.joined.add(user)

    def leave(self, opened: Opened, user: str) -> None:
        """Take the account out of the room."""
        if user in opened.joined:
            self._client.set_state(user, opened.place, "m.room.member", {"membership": "leave", TAKEN_OUT: True}, user)
            opened.joined.discard(user)

    def went(self, reader: str, place: str, user: str) -> bool:
        """Whether somebody was in the room and left it by themselves, or was sent away by somebody there."""
        there = self._client.state(reader, place, "m.room.member", user) or {}
        return there.get("membership") in ("leave", "ban") and TAKEN_OUT not in there

    def _join(
        self,
        owner: str,
        room: str,
        user: str,
        ts: int | None,
        *,
        direct: bool = False,
        more: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        invited: dict[str, Any] = {"membership": "invite", **({"is_direct": True} if direct else {})}
        try:
            self._client.set_state(owner, room, "m.room.member", invited, user, ts)
        except ItemError:
            if self._client.member(owner, room, user) == "join":
                return  # another worker was faster, or they came by themselves
            raise
        self._client.join(user, room, more, ts)

    # Making --------------------------------------------------------------------------------------

    def _owners(self, room: Room, user: Callable[[str], str]) -> list[str]:
        """Who may have made a room of people among themselves, the best first."""
        members = list(dict.fromkeys(room.members))
        if room.creator in members:
            members.remove(room.creator)
            members.insert(0, room.creator)
        return [*map(user, members), self._client.bot]

    def _found(self, alias: str, candidates: list[str], *, direct: bool = False) -> tuple[str, str] | None:
        """The room of that alias, and who made it; of one where all are equals, anybody who is in it."""
        id_ = self._client.resolve(alias)
        if id_ is None:
            return None
        joined = self._client.joined(self._client.bot, id_)
        if not joined and direct and self._noted(id_):
            raise AccountError(
                ROOM_LEFT,
                f"Everybody has left the room {alias}, and something was said in it since.",
                "Delete that address, so that a new room is made for it; then run the same command again.",
            )
        if not joined:
            raise TransientError(
                f"The address {alias} leads to a room that is only just being made, or that everybody has left. "
                "If that stays so, delete the address.",
                2.0,
            )
        record = self._client.state(min(joined), id_, RECORD)
        if record is None:
            self._half_made(alias)
            return None
        owner = next((one for one in candidates if one in joined), "")
        if direct:
            return id_, owner or min(joined)
        if not owner and record.get("kind") in TALK:
            owner = candidates[0]
            self._take_over(id_, min(joined), owner)
        if owner:
            levels = self._client.state(owner, id_, "m.room.power_levels") or {}
            may = levels.get("users", {}).get(owner, 0) >= _ALL
            return id_, owner if may else self._client.creator(owner, id_)
        raise AccountError(
            "room-closed",
            f"The room {alias} is there, and none of those who may have made it is in it.",
            "Let whoever made it join again, or delete the room and its address; then run the same command again.",
        )

    def _take_over(self, room: str, member: str, owner: str) -> None:
        """Make a talk of some people a room with an owner, as it is a private channel now: who comes in may do less."""
        levels = self._client.state(member, room, "m.room.power_levels") or {}
        told = {**levels, "users": {**levels.get("users", {}), owner: _ALL}, "users_default": 0}
        self._client.set_state(member, room, "m.room.power_levels", told)
        self._join(member, room, owner, None)

    def _half_made(self, alias: str) -> None:
        """Wait for whoever makes that room; once nobody can be at it any more, take its address for another one.

        Synapse gives a room its address first, and what is in it after that.
        """
        met = _begun.setdefault((self._settings.url, alias), time.monotonic())
        if time.monotonic() - met < _HALF:
            raise TransientError(f"The room of the address {alias} is only just being made.", 2.0)
        self._client.forget_alias(alias)
        del _begun[self._settings.url, alias]

    def _made(self, alias: str, candidates: list[str], wish: dict[str, Any]) -> tuple[str, str]:
        owner = candidates[0]
        wish = {**wish, "room_alias_name": alias[1:].partition(":")[0]}
        if self._settings.room_version:
            wish["room_version"] = self._settings.room_version
        id_ = self._client.create_room(owner, wish)
        if id_ is not None:
            return id_, owner
        # Somebody else was faster.
        found = self._found(alias, candidates, direct=bool(wish.get("is_direct")))
        if found is None:
            raise TransientError(f"The address {alias} is taken and leads nowhere yet.", 1.0)
        return found

    def _base(self, record: dict[str, Any], join_rule: str | dict[str, Any]) -> dict[str, Any]:
        rule = {"join_rule": join_rule} if isinstance(join_rule, str) else join_rule
        state: dict[str, dict[str, Any]] = {
            "m.room.history_visibility": {"history_visibility": "shared"},  # whoever comes later sees all of it
            "m.room.guest_access": {"guest_access": "forbidden"},
            "m.room.join_rules": rule,
            "m.room.canonical_alias": {},  # else the technical address would be its name where it has none
        }
        for name in ("name", "topic"):
            if record[name]:
                state[f"m.room.{name}"] = {name: record[name]}
        state[RECORD] = record
        return {
            "preset": "private_chat",
            "visibility": "private",
            "creation_content": {} if self._settings.federate else {"m.federate": False},
            "initial_state": [{"type": type_, "state_key": "", "content": told} for type_, told in state.items()],
        }

    def _wish(self, room: Room, space: Space | None) -> dict[str, Any]:
        rule: str | dict[str, Any] = "invite"
        if room.kind is RoomKind.PUBLIC:
            rule = "public"
            if self._settings.public_rooms == "space" and space is not None:
                allowed = [{"type": "m.room_membership", "room_id": space.id}]
                rule = {"join_rule": "restricted", "allow": allowed}
        wish = self._base({**room_record(room), "pins": [], "archived": False}, rule)
        if space is None:
            # As clients make them: all who are in it are equals.
            wish |= {"is_direct": True, "power_level_content_override": {"users_default": 100}}
        return wish

    def _check(self, owner: str, room: str) -> None:
        if self._client.state(owner, room, "m.room.encryption") is not None:
            raise refusals.encrypted(self._client.domain)

    def _put_into(self, space: Space, room: str, owner: str) -> None:
        via = {"via": [self._client.domain]}
        if self._client.state(space.owner, space.id, "m.space.child", room) is None:
            self._client.set_state(space.owner, space.id, "m.space.child", via, room)
        if self._client.state(owner, room, "m.space.parent", space.id) is None:
            self._client.set_state(owner, room, "m.space.parent", {**via, "canonical": True}, space.id)

    def _give_alias(self, owner: str, room: str, name: str, technical: str) -> None:
        """An address that people can type, once. Of public rooms only: whoever knows one can ask for it."""
        if self._client.state(owner, room, "m.room.canonical_alias"):
            return
        for alias in pretty(name, self._client.domain):
            if self._client.name_room(alias, room):
                told = {"alias": alias, "alt_aliases": [technical]}
                self._client.set_state(owner, room, "m.room.canonical_alias", told)
                return


def room_record(room: Room) -> dict[str, Any]:
    """What a room is called, what it is about, and for whom it is."""
    return {"name": room_name(room), "topic": room_topic(room), "kind": room.kind.value}


def room_name(room: Room) -> str:
    """What the room is called; "" for those that clients name after who is in them."""
    return "" if room.kind in TALK else clean(room.name)[:255]


def room_topic(room: Room) -> str:
    """Topic and purpose in one."""
    return clean("\n".join(dict.fromkeys(filter(None, (room.topic, room.purpose)))))[:2000]
