"""The last things of a room: its members, pins, what is unread, and whether anybody may still write."""

from __future__ import annotations

from typing import Any

from liberate.chat import Room, RoomKind
from liberate.errors import ItemError
from liberate_matrix.client import Client
from liberate_matrix.contents import RECORD, SOURCE
from liberate_matrix.people import People
from liberate_matrix.rooms import Opened, Rooms, room_record
from liberate_matrix.settings import MatrixSettings


class Closing:
    """What `close_room` does."""

    def __init__(self, client: Client, people: People, rooms: Rooms, settings: MatrixSettings) -> None:
        self._client = client
        self._people = people
        self._rooms = rooms
        self._settings = settings

    def close(self, opened: Opened, room: Room, pins: list[str], bookmarks: str) -> dict[str, ItemError]:
        """Each step leaves alone what is done already. The members who cannot come in, and why.

        `pins` and `bookmarks` are events, the latter "" where there are none.
        """
        own, refused = self._bring_members(opened, room)
        members = {opened.names.user(one) for one in room.members}
        # Where Slack names no members, as of many archived channels, those who spoke keep what they said.
        known = members and not room.guessed
        for user in sorted(opened.joined - members - {opened.owner}) if known else []:
            if not self._people.ghost(user):
                self._rooms.let_go(opened, user)
        self._state(opened, room, pins, bookmarks)
        if opened.direct and opened.owner != self._client.bot:
            self._rooms.leave(opened, self._client.bot)
        if room.kind is RoomKind.DIRECT:
            self._mark_direct(opened, room, own)
        self._mark_read(opened)
        return refused

    def lift(self, opened: Opened) -> bool:
        """Let people write in a room that was archived here, until it is closed again; False if it was not."""
        record = self._client.state(opened.owner, opened.place, RECORD) or {}
        if not record.get("archived"):
            return False
        self._quiet(opened, quiet=False)
        self._client.set_state(opened.owner, opened.place, RECORD, {**record, "archived": False})
        return True

    def _bring_members(self, opened: Opened, room: Room) -> tuple[list[str], dict[str, ItemError]]:
        """Join the homeserver's own people; ghosts are in the room only if they speak. Who came in, and who cannot."""
        refused: dict[str, ItemError] = {}
        users = {opened.names.user(one): one for one in reversed(room.members)}
        users = {user: author for user, author in users.items() if not self._people.ghost(user)}
        self._rooms.bring(opened, users)
        own = []
        for user, author in users.items():
            if opened.met and user not in opened.joined and self._rooms.went(opened.owner, opened.place, user):
                continue  # they, or somebody there, decided so
            try:
                home = self._people.at_home(opened.cast, author)
                if home and not opened.direct:
                    self._rooms.join_space(room.workspace, user)
                if room.kind is not RoomKind.PUBLIC or self._settings.join_public or not home:
                    self._rooms.join(opened, user)
                own.append(user)
            except ItemError as error:  # banned, say: the others come in
                why = f"{user} could not be brought into the room {room.name or room.id}: {error.why}"
                refused[author] = ItemError("member-refused", why, "See whether they are banned there; let them in.")
        return own, refused

    def _state(self, opened: Opened, room: Room, pins: list[str], bookmarks: str) -> None:
        before = self._client.state(opened.owner, opened.place, RECORD) or {}
        wish: dict[str, Any] = {**room_record(room), "pins": pins, "archived": room.archived}
        if bookmarks := bookmarks or before.get("bookmarks", ""):
            wish |= {"pins": [*pins, bookmarks], "bookmarks": bookmarks}
        for name, type_, member in (
            ("name", "m.room.name", "name"),
            ("topic", "m.room.topic", "topic"),
            ("pins", "m.room.pinned_events", "pinned"),
        ):
            empty: object = [] if name == "pins" else ""
            if wish[name] == before.get(name, empty):
                continue
            now = (self._client.state(opened.owner, opened.place, type_) or {}).get(member, empty)
            if now == before.get(name, empty):
                self._client.set_state(opened.owner, opened.place, type_, {member: wish[name]})
        if room.archived != bool(before.get("archived")):
            self._quiet(opened, quiet=room.archived)
        if before != wish:
            self._client.set_state(opened.owner, opened.place, RECORD, wish)

    def _quiet(self, opened: Opened, *, quiet: bool) -> None:
        levels = self._client.state(opened.owner, opened.place, "m.room.power_levels") or {}
        level = 100 if quiet else 0
        if levels.get("events_default", 0) != level:
            told = {**levels, "events_default": level}
            if opened.direct:
                told["users_default"] = 0 if quiet else 100
            self._client.set_state(opened.owner, opened.place, "m.room.power_levels", told)

    def _mark_direct(self, opened: Opened, room: Room, own: list[str]) -> None:
        """Let clients show the room among the talks of two."""
        users = list(dict.fromkeys(opened.names.user(one) for one in room.members))
        for user in own:
            other = next((one for one in users if one != user), user)
            listed = self._client.account_data(user, "m.direct") or {}
            rooms = listed.get(other, [])
            if opened.place not in rooms:
                self._client.set_account_data(user, "m.direct", {**listed, other: [*rooms, opened.place]})

    def _mark_read(self, opened: Opened) -> None:
        """Up to the last thing that was moved: what people wrote there since stays unread."""
        own = [user for user in sorted(opened.joined) if not self._people.ghost(user)]
        if not own:
            return
        last = ""
        for event in self._client.history(opened.owner, opened.place, {}, 100):
            ours = SOURCE in event.get("content", {})
            if not ours and "state_key" not in event:  # somebody wrote since: only what is older counts
                last = ""
            elif not last:
                last = event["event_id"]  # an invitation is unread as well
            if ours:
                break
        for user in own if last else []:
            self._client.mark_read(user, opened.place, last)
