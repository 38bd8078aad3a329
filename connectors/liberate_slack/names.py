"""What a conversion knows of the workspace around a message, and what it counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from liberate.chat import Mention
from liberate_slack.emoji import Emojis


@dataclass(frozen=True, slots=True)
class Names:
    """The names by which ids are shown, and who is a program."""

    users: Mapping[str, str] = field(default_factory=dict)
    rooms: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)  # usergroups: "@board" is a group's name without its sign
    programs: frozenset[str] = frozenset()  # ids of users who are bots
    emoji: Emojis = field(default_factory=Emojis)
    unknown: Counter[str] = field(default_factory=Counter)
    """What had a kind that liberate does not know: "block card", "subtype x". Its words were kept."""

    def author(self, id_: str, label: str = "") -> Mention:
        """A mention of somebody, under the name they have now."""
        return Mention("author", id_, "@" + (self.users.get(id_) or label.removeprefix("@") or id_))

    def room(self, id_: str, label: str = "") -> Mention:
        """A mention of a room."""
        return Mention("room", id_, "#" + (self.rooms.get(id_) or label.removeprefix("#") or id_))

    def group(self, id_: str, label: str = "") -> Mention:
        """A mention of a usergroup."""
        return Mention("group", id_, "@" + (self.groups.get(id_) or label.removeprefix("@") or id_))

    @staticmethod
    def everybody(word: str) -> Mention:
        """@here, @channel or @everyone."""
        return Mention("everybody", "", "@" + word.removeprefix("@"))

    @staticmethod
    def message(room: str, ts: str, label: str) -> Mention:
        """A mention of a message."""
        return Mention("message", f"{room}/{message_id(room, ts)}", label)


def message_id(room: str, ts: str) -> str:
    """A message's id: Slack's `ts` is unique in its room only, and stays the string it is."""
    return f"{room}/{ts}"
