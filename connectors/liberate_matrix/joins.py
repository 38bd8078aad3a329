"""How many joins a move takes: of all requests to a homeserver they are the dearest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from liberate.chat import Room, RoomKind, Workspace
from liberate.connector import Cast, Remark
from liberate_matrix.client import Client
from liberate_matrix.people import People
from liberate_matrix.rooms import TALK, Rooms
from liberate_matrix.settings import MatrixSettings

measured: dict[str, float] = {}
"""Seconds that a join took when the homeserver was looked at last, by its address."""


@dataclass(slots=True)
class Joins:
    """What bringing some rooms takes."""

    rooms: int = 0
    sure: int = 0  # of members who have accounts, and of liberate's own
    speaking: int = 0  # of other members: as many of them as have said anything in the room
    there: int = 0  # that an earlier run has made already
    spaces: dict[str, set[str]] = field(default_factory=dict)  # who is in the space of a workspace


class Counting:
    """Counts as `Rooms.open` and `Closing.close` will join."""

    def __init__(self, client: Client, people: People, rooms: Rooms, settings: MatrixSettings) -> None:
        self._client = client
        self._people = people
        self._rooms = rooms
        self._settings = settings

    def count(self, rooms: Iterable[Room], cast: Cast) -> Joins:
        """How many joins these rooms take, with nothing made for it."""
        joins = Joins()
        for room in rooms:
            joins.rooms += 1
            self._count(joins, room, cast)
        return joins

    def _count(self, joins: Joins, room: Room, cast: Cast) -> None:
        authors: dict[str, str] = {}  # by user; of several that are one, the first
        for one in room.members:
            authors.setdefault(self._people.user(cast, room.workspace.id, one), one)
        users = list(authors)
        own = [user for user in users if not self._people.ghost(user)]
        place, inside = self._joined(self._rooms.alias(room.workspace.id, room.id))
        if inside:
            reader = min(inside)
            own = [user for user in own if user in inside or not self._rooms.went(reader, place, user)]
        if room.kind in TALK:
            owner = self._people.user(cast, room.workspace.id, room.creator) if room.creator in room.members else ""
            owner = owner or (users[0] if users else self._client.bot)
            wanted = [user for user in own if user != owner]
            if room.bookmarks and not inside and owner != self._client.bot:
                wanted.append(self._client.bot)  # says what they are, and leaves
        else:
            owner = self._creator
            helper = [] if owner == self._client.bot else [self._client.bot]
            away = {user for user in own if not self._people.at_home(cast, authors[user])}
            self._enter(joins, room.workspace, [*helper, *(user for user in own if user not in away)])
            everybody = room.kind is not RoomKind.PUBLIC or self._settings.join_public
            wanted = [*helper, *(user for user in own if (everybody or user in away) and user != owner)]
        self._add(joins, wanted, inside)
        joins.speaking += len(set(users) - {owner, *wanted} - inside)

    def _enter(self, joins: Joins, workspace: Workspace, users: list[str]) -> None:
        if workspace.id not in joins.spaces:
            joins.spaces[workspace.id] = self._joined(self._rooms.alias(workspace.id))[1]
            there = joins.spaces[workspace.id]
            joins.there += len(there - {self._creator})
            there.add(self._creator)
        there = joins.spaces[workspace.id]
        new = [user for user in users if user not in there]
        there.update(new)
        joins.sure += len(new)

    @staticmethod
    def _add(joins: Joins, wanted: list[str], inside: set[str]) -> None:
        joins.sure += len([user for user in wanted if user not in inside])
        joins.there += len([user for user in wanted if user in inside])

    @property
    def _creator(self) -> str:
        return self._settings.creator or self._client.bot

    def _joined(self, alias: str) -> tuple[str, set[str]]:
        """The room of that address, and who is in it; "" and nobody where there is none."""
        found = self._client.resolve(alias)
        return ("", set()) if found is None else (found, self._client.joined(self._client.bot, found))


def told(joins: Joins, seconds: float | None) -> Iterator[Remark]:
    """What whoever moves should know of it; `seconds` a join takes."""
    if not joins.rooms:
        return
    rooms = "1 room" if joins.rooms == 1 else f"{joins.rooms:,} rooms"
    sure = "1 join" if joins.sure == 1 else f"{joins.sure:,} joins"
    words = f"{rooms} and the people in them take {sure}"
    if joins.there:
        words += f", besides {joins.there:,} that are there already"
    words += "."
    if joins.speaking:
        words += (
            f" Others join a room only if they have said something in it: {joins.speaking:,} more at most, besides "
            "people who have left."
        )
    if joins.sure + joins.speaking:
        words += " A room in which nothing was said takes none."
    if seconds is not None and joins.sure + joins.speaking:
        words += f" {_lasts(joins, seconds)}"
    yield Remark("joins", words)


def _lasts(joins: Joins, seconds: float) -> str:
    least, most = (count * seconds / 60 for count in (joins.sure, joins.sure + joins.speaking))
    if most < 1:
        return "That takes less than a minute."
    if round(least) == round(most):
        return f"That takes about {most:,.0f} min."
    return f"That takes about {least:,.0f} to {most:,.0f} min."
