"""A channel, group or direct message, as Slack's JSON describes it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from liberate import chat
from liberate.chat import RoomKind, Workspace
from liberate_slack.convert import stamp
from liberate_slack.letters import clean, dicts_of, list_of, members_of
from liberate_slack.mrkdwn import shown
from liberate_slack.names import Names, message_id

NAMELESS = frozenset({RoomKind.GROUP, RoomKind.DIRECT})
_USED = frozenset({"id", "name", "created", "creator", "is_archived", "members", "topic", "purpose", "pins"})


@dataclass(slots=True)
class Conversation:
    """A channel, group or direct message."""

    id: str
    name: str
    kind: RoomKind
    folders: list[str]  # of its messages in an export
    raw: dict[str, Any] = field(repr=False)  # its line in channels.json, or its object in conversations.list
    team: str = ""  # folder of the workspace it is in, in an export of an organisation

    @property
    def members(self) -> tuple[str, ...]:
        """Ids of its members; empty where Slack does not say."""
        return tuple(dict.fromkeys(clean(one) for one in list_of(self.raw.get("members")) if clean(one)))

    @property
    def created(self) -> datetime | None:
        """When it was made."""
        value = self.raw.get("created")
        if not isinstance(value, int) or not 0 < value < 1 << 33:
            return None
        return datetime.fromtimestamp(value, UTC)

    @property
    def pins(self) -> tuple[str, ...]:
        """The `ts` of pinned messages, those pinned first first."""
        pins = [one for one in dicts_of(self.raw.get("pins")) if stamp(one.get("id"))]
        pins.sort(key=lambda one: one["created"] if isinstance(one.get("created"), int) else 0)
        return tuple(dict.fromkeys(stamp(one["id"]) for one in pins))

    def says(self, what: Literal["topic", "purpose"]) -> str:
        """Its topic or purpose."""
        return clean(members_of(self.raw.get(what)).get("value"))

    def shown(self, names: Names) -> str:
        """What it is called in lists: its name, or who talks there."""
        if self.name and self.kind not in NAMELESS:
            return self.name
        people = [names.users.get(member, member) for member in self.members]
        return ", ".join(people) or self.name or self.id

    def room(self, workspace: Workspace, names: Names, members: tuple[str, ...]) -> chat.Room:
        """The room, without bookmarks. `members`: ids of those who are in it."""
        return chat.Room(
            self.id,
            "" if self.kind in NAMELESS else self.name,
            self.kind,
            workspace,
            shown(self.says("topic"), names),
            shown(self.says("purpose"), names),
            self.raw.get("is_archived") is True,
            self.created,
            clean(self.raw.get("creator")),
            members,
            tuple(message_id(self.id, ts) for ts in self.pins),
        )


def used(raw: dict[str, Any]) -> dict[str, Any]:
    """What is used of a conversation's description: there may be very many."""
    return {key: value for key, value in raw.items() if key in _USED}
