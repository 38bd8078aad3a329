"""A room's bookmarks: a notice of liberate's account that lists them, pinned, and edited when they change."""

from __future__ import annotations

import time
from collections.abc import Sequence

from liberate.chat import Block, Bookmark, Bullets, Link, Paragraph, Room, Text
from liberate_matrix.client import Client
from liberate_matrix.contents import FORM, RECORD, SOURCE, version_of
from liberate_matrix.convert import BUDGET, Names, edit, weight, words
from liberate_matrix.people import People
from liberate_matrix.recalling import shown
from liberate_matrix.rooms import Opened, Rooms
from liberate_matrix.saying import Saying
from liberate_matrix.standing import SAID, mark_of

_PART = "bookmarks"  # what the notice says it is, instead of a message's part


class Bookmarks:
    """What `close_room` does about them."""

    def __init__(self, client: Client, people: People, rooms: Rooms, saying: Saying) -> None:
        self._client = client
        self._people = people
        self._rooms = rooms
        self._saying = saying

    def stand(self, opened: Opened, room: Room) -> str:
        """The event of the notice, which says what the bookmarks are now; "" for a room without any.

        It is sent once, and not again where somebody took it away. A source that knows of none leaves it as it is.
        """
        if not room.bookmarks:
            return ""
        version = version_of(repr(room.bookmarks))
        mark = {"v": FORM, "part": _PART, "version": version}
        content = {**listed(room.bookmarks, opened.names), SOURCE: mark}
        noted = (self._client.state(opened.owner, opened.place, RECORD) or {}).get(_PART)
        there = str(noted) if noted else self._found(opened)
        if not there:
            return self._send(opened, f"liberate{FORM}.{_PART}", content, self._time(opened))
        event = self._client.event(opened.owner, opened.place, there)
        if mark_of(event) is not None and shown(event).get(SOURCE, {}).get("version") != version:
            # Of edits the latest holds; and the same list once more, after another one, is another edit.
            last = event.get("unsigned", {}).get("m.relations", {}).get("m.replace", event)
            ts = max(self._time(opened), int(last["origin_server_ts"]) + 1)
            txn = f"liberate{FORM}.{_PART}.{version}.{version_of(last['event_id'])}"
            self._send(opened, txn, {**edit(content, there), SOURCE: mark}, ts)
        return there

    def _found(self, opened: Opened) -> str:
        """A notice that stands there and that nobody noted."""
        wanted = {"types": ["m.room.message"], "senders": [self._client.bot]}
        out = ""
        for event in self._client.history(opened.owner, opened.place, wanted):
            mark = mark_of(event)
            relation = event["content"].get("m.relates_to", {})
            if mark is not None and mark["part"] == _PART and relation.get("rel_type") != "m.replace":
                out = str(event["event_id"])
        return out

    def _send(self, opened: Opened, txn: str, content: dict[str, object], ts: int) -> str:
        bot = self._client.bot
        self._people.ready(bot)
        self._rooms.join(opened, bot, ts)
        return self._saying.send(opened, bot, "m.room.message", txn, content, ts)

    def _time(self, opened: Opened) -> int:
        """When the last thing was said: bookmarks have no time, and the room shall not look as if it were used."""
        for event in self._client.history(opened.owner, opened.place, SAID, 1):
            return int(event["origin_server_ts"])
        return int(time.time() * 1000)


def listed(bookmarks: Sequence[Bookmark], names: Names) -> dict[str, object]:
    """The notice, with as many bookmarks as fit into one event."""
    count = len(bookmarks)
    while True:
        left = len(bookmarks) - count
        entries = tuple((Paragraph((Link(one.url, one.title),)),) for one in bookmarks[:count])
        blocks: list[Block] = [Paragraph((Text("Bookmarks of this room:"),)), Bullets(entries)]
        if left:
            blocks.append(Paragraph((Text(f"and {left} more, for which there is no room here."),)))
        content: dict[str, object] = {"msgtype": "m.notice", **words(blocks, names), "m.mentions": {}}
        if weight(content) <= BUDGET // 2 or not count:  # an edit may need room for both its texts
            return content
        count = count * 3 // 4
