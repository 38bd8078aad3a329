"""Who speaks in an export: those in its list of people, and those whom only messages know."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from liberate.chat import Author
from liberate.errors import ItemError
from liberate_slack import people
from liberate_slack.conversations import Conversation
from liberate_slack.convert import micros, stamp
from liberate_slack.days import Days
from liberate_slack.export import Export
from liberate_slack.letters import clean

_NOT_PEOPLE = frozenset({b"USLACKBOT", b"U00", b"U00000000"})
_ID = re.compile("[A-Z0-9]+")
_LEFT = frozenset({"channel_leave", "group_leave"})
_USER = re.compile(rb'"user"\s*:\s*"([A-Z0-9]+)"')


class Speakers:
    """The authors of an open export."""

    def __init__(self, export: Export, days: Days) -> None:
        self._export = export
        self._days = days
        self._learned: dict[str, Author] = {}
        self._searched = False

    def author(self, id_: str) -> Author:
        """See Cast."""
        found = self._export.people.get(id_) or self._learned.get(id_)
        if found is not None:
            return found
        bot = self._export.programs.get(id_.partition(":")[0])
        if bot is not None:
            known = self._export.people[bot]
            return replace(known, id=id_, name=id_.partition(":")[2] or known.name)
        if id_.startswith(("U", "W")) and people.unlisted(id_).kind == "stranger" and not self._searched:
            self._search()
            return self.author(id_)
        return people.unlisted(id_)

    def learn(self, raw: dict[str, Any]) -> None:
        """Remember what a message says of an author whom the list lacks."""
        id_ = raw.get("user")
        if "user_profile" in raw and id_ not in self._export.people and id_ not in self._learned:
            made = people.stranger(raw)
            if made is not None:
                self._learned[made.id] = made

    def in_(self, conversation: Conversation) -> set[str]:
        """Ids of those people who said something in a conversation, or came in, and did not leave it afterwards.

        Whoever is only named there, as the owner of a file that others passed on, was not in it.
        """
        last: dict[str, tuple[int, bool]] = {}  # when they were heard of last, and whether that was their leaving
        for entry in self._export.entries(conversation):
            for raw in self._days.get(entry):
                id_ = clean(raw.get("user")) if isinstance(raw, dict) else ""
                at = micros(stamp(raw.get("ts"))) if id_ else None
                if at is not None and _ID.fullmatch(id_):
                    last[id_] = max(last.get(id_, (-1, False)), (at, clean(raw.get("subtype")) in _LEFT))
        return {id_ for id_, (_, left) in last.items() if not left and id_.encode() not in _NOT_PEOPLE}

    def _search(self) -> None:
        """Look through all messages for authors whom the list lacks: once, if one is asked for."""
        self._searched = True
        known = {id_.encode("utf-8", "replace") for id_ in self._export.people} | _NOT_PEOPLE
        for conversation in self._export.conversations.values():
            for entry in self._export.entries(conversation):
                if self._users(entry) - known:
                    for raw in self._days.get(entry):
                        if isinstance(raw, dict):
                            self.learn(raw)

    def _users(self, entry: int) -> set[bytes]:
        found: set[bytes] = set()
        tail = b""
        try:
            for piece in self._export.archive.read(entry):
                found.update(_USER.findall(tail + piece))
                tail = piece[-64:]
        except ItemError:
            pass  # what stands before the damage has been seen
        return found
