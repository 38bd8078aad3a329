"""Taking a room back: only one that liberate made, and in which nobody has written since.

With an administrator of the homeserver named in the plan the room is purged, and its files with it. Without, everybody
leaves it and forgets it, and its addresses are taken away: nobody sees it again, and the homeserver keeps what was in
it until its administrator purges it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from liberate.connector import CHANGED_THERE, Place, Receipt
from liberate.errors import ItemError, TransientError
from liberate_matrix.administering import Administrator
from liberate_matrix.client import Client
from liberate_matrix.contents import RECORD
from liberate_matrix.people import People
from liberate_matrix.settings import MatrixSettings
from liberate_matrix.standing import mark_of


class Removing:
    """What `remove_room` does."""

    def __init__(self, client: Client, people: People, settings: MatrixSettings) -> None:
        self._client = client
        self._people = people
        self._admin = Administrator(client, settings.admin, settings.timeout) if settings.admin else None

    def remove(self, place: Place, files: Sequence[Receipt]) -> None:
        """Remove the room and its files; the space too, once it holds no other room. What is gone already is fine.

        Raises ItemError(CHANGED_THERE) for a room in which somebody has written, and for one that is none of ours.
        """
        try:
            self._remove(place)
        except ItemError as error:
            if self._admin is None or error.code != "forbidden":
                raise
            # People are taken out of it at this moment: an earlier attempt's purge goes on.
            raise TransientError("A room is still being purged.", 1.0) from error
        if self._admin is not None:
            for one in files:
                self._admin.delete_media(one.id)

    def _remove(self, place: Place) -> None:
        joined = self._client.everybody(self._client.bot, place)
        if joined:
            reader = self._reader(place, joined)
            self._ours(reader, place)
            space = self._space_of(reader, place)
            self._unlist(place, joined)
            if space is not None:  # first: without the room, nobody would know of the space
                self._take_out(space, place)
                self._remove_space(space)
            self._clear(reader, place, joined)

    # Whose it is ---------------------------------------------------------------------------------

    def _reader(self, place: str, joined: set[str]) -> str:
        """The owner, if they are in it; else anybody."""
        anybody = min(filter(self._client.is_here, joined))
        owner = self._client.creator(anybody, place)
        return owner if owner in joined else anybody

    def _ours(self, reader: str, place: str) -> None:
        if self._client.state(reader, place, RECORD) is None:
            raise ItemError(CHANGED_THERE, "The room was not made by liberate: it stays.", "Look at it there.")
        seen: dict[tuple[object, str], Mapping[str, Any]] = {}
        for event in self._client.history(reader, place, {}):
            if "state_key" in event or event["type"] == "m.room.redaction":
                continue
            mark = mark_of(event)
            edits = event.get("content", {}).get("m.relates_to", {}).get("rel_type") == "m.replace"
            if mark is None and not _emptied(event):
                raise _written(event)
            if mark is not None and not edits and not mark["part"].startswith("r"):
                what = (mark.get("key") or mark.get("thread"), mark["part"])
                if what in seen:  # a client that forwards a message copies its mark
                    raise _written(seen[what])
                seen[what] = event

    # Taking it away ------------------------------------------------------------------------------

    def _unlist(self, place: str, joined: set[str]) -> None:
        """Out of everybody's list of talks between two."""
        for user in joined:
            if self._people.ghost(user) or not self._client.is_here(user):
                continue
            listed = self._client.account_data(user, "m.direct") or {}
            left = {other: [one for one in rooms if one != place] for other, rooms in listed.items()}
            left = {other: rooms for other, rooms in left.items() if rooms or not listed[other]}
            if left != listed:
                self._client.set_account_data(user, "m.direct", left)

    def _clear(self, reader: str, place: str, joined: set[str]) -> None:
        if self._admin is not None:
            self._admin.purge(place)
            return
        for alias in self._client.aliases(reader, place):
            self._client.forget_alias(alias)
        for user in sorted(joined - {reader}):
            by = user if self._client.is_here(user) else reader  # somebody of another server is shown the door
            self._client.set_state(by, place, "m.room.member", {"membership": "leave"}, user)
            if by == user:
                self._client.forget_room(user, place)
        self._client.set_state(reader, place, "m.room.member", {"membership": "leave"}, reader)
        self._client.forget_room(reader, place)

    # The space -----------------------------------------------------------------------------------

    def _space_of(self, reader: str, place: str) -> str | None:
        """The space that the room is in, if liberate's own account is there to see to it."""
        for event in self._client.all_state(reader, place):
            if event["type"] == "m.space.parent" and event["content"].get("via"):
                space = str(event["state_key"])
                return space if self._client.bot in self._client.joined(self._client.bot, space) else None
        return None

    def _take_out(self, space: str, place: str) -> None:
        self._client.set_state(self._client.creator(self._client.bot, space), space, "m.space.child", {}, place)

    def _remove_space(self, space: str) -> None:
        bot = self._client.bot
        state = self._client.all_state(bot, space)
        if any(one["type"] == "m.space.child" and one["content"].get("via") for one in state):
            return
        joined = self._client.everybody(bot, space)
        reader = self._reader(space, joined)
        try:
            self._ours(reader, space)
        except ItemError:
            return  # somebody uses it
        self._clear(reader, space, joined)


def _emptied(event: Mapping[str, Any]) -> bool:
    return not event.get("content") or "redacted_because" in event.get("unsigned", {})


def _written(event: Mapping[str, Any]) -> ItemError:
    why = f"{event['sender']} has written in the room since it was moved: it stays."
    return ItemError(CHANGED_THERE, why, "Ask them; delete the room there if nobody needs it.")
