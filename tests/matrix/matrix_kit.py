"""What tests of the connector need: a workspace, its people, messages in slots, and readers with no special rights."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.sandbox import Member, Synapse

from liberate.chat import Author, Bookmark, ChatFacts, Message, Paragraph, Room, RoomKind, Text, Workspace
from liberate.connector import Item, Kind, Place, Receipt, Slot
from liberate.ledger_rows import key_of
from liberate.testing.destination_contract import Bytes, nobody
from liberate.testing.room_contract import DOT

V3 = "/_matrix/client/v3"
_AGE = ("age", "unsigned", "user_id")
START = datetime(2019, 5, 4, 3, 2, 1, 123456, UTC)


def synapse_or_skip() -> None:
    if not Synapse.installed():
        why = "Synapse is not installed: scripts/synapse-venv"
        if os.environ.get("LIBERATE_REQUIRE_SYNAPSE"):
            pytest.fail(why)
        pytest.skip(why)


class Company:
    """A workspace with some people: anna and ben have accounts, U3 and B1 have none."""

    def __init__(self, synapse: Synapse) -> None:
        self.synapse = synapse
        self.tag = os.urandom(4).hex()
        self.workspace = Workspace(f"T{self.tag.upper()}", "Example Coop", "https://example.slack.test")
        self.anna = synapse.member(f"anna{self.tag}")
        self.ben = synapse.member(f"ben{self.tag}")
        self._users = {"U1": self.anna.id, "U2": self.ben.id}
        self.pictures = {f"picture:{one}": DOT for one in ("U1", "U3", "team")}  # by id; of B1's nothing is to be had
        self.asked: list[str] = []  # ids of pictures
        self._authors = {
            "U1": Author("U1", "anna", "Anna Example", picture="picture:U1"),
            "U2": Author("U2", "ben"),
            "U3": Author("U3", "cleo <3", former=True, picture="picture:U3"),
            "B1": Author("B1", "deploy bot", kind="program", picture="picture:B1"),
        }
        self._count = 0

    def know(self, author: Author) -> None:
        """Let somebody be another than they were."""
        self._authors[author.id] = author

    # Cast
    def author(self, id_: str) -> Author:
        return self._authors.get(id_) or Author(id_, id_, kind="stranger")

    def user(self, id_: str) -> str | None:
        return self._users.get(id_)

    def picture(self, id_: str) -> bytes | None:
        self.asked.append(id_)
        return self.pictures.get(id_)

    def ghost(self, author: str) -> str:
        return f"@slack_{self.workspace.id.lower()}_{author.lower()}:{self.synapse.server_name}"

    def room(self, kind: RoomKind = RoomKind.PUBLIC, **more: Any) -> Room:
        self._count += 1
        id_ = f"C{self._count}{self.tag.upper()}"
        members = more.pop("members", ("U1", "U2", "U3"))
        name = more.pop("name", "" if kind in (RoomKind.GROUP, RoomKind.DIRECT) else f"general-{self.tag}")
        return Room(id_, name, kind, self.workspace, members=members, **more)


class Reader:
    """Somebody with a password's rights, looking at a room."""

    def __init__(self, synapse: Synapse, member: Member) -> None:
        self.id = member.id
        self._synapse = synapse
        self._token = member.token

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self._synapse.ask(method, path, body, self._token)

    def events(self, place: str) -> list[dict[str, Any]]:
        """Everything in the room, oldest first, as it was sent."""
        out: list[dict[str, Any]] = []
        start = ""
        while True:
            asked = f"{V3}/rooms/{quote(place)}/messages?dir=f&limit=200" + (f"&from={start}" if start else "")
            told = self.ask("GET", asked)
            out += [{name: value for name, value in one.items() if name not in _AGE} for one in told["chunk"]]
            if not told.get("end"):
                return out
            start = told["end"]

    def said(self, place: str) -> list[tuple[str, str]]:
        """Who said what, in the order in which it stands; edits and what was taken back are left out."""
        return [
            (one["sender"], one["content"]["body"])
            for one in self.events(place)
            if one["type"] == "m.room.message"
            and "body" in one["content"]
            and one["content"].get("m.relates_to", {}).get("rel_type") != "m.replace"
        ]

    def state(self, place: str, type_: str, key: str = "") -> Any:
        return self.ask("GET", f"{V3}/rooms/{quote(place)}/state/{type_}/{quote(key)}")

    def unread(self, place: str) -> dict[str, int]:
        wanted = quote(json.dumps({"room": {"timeline": {"limit": 1}}, "x": os.urandom(4).hex()}))
        told = self.ask("GET", f"{V3}/sync?filter={wanted}")
        counts: dict[str, int] = told["rooms"]["join"][place]["unread_notifications"]
        return counts

    def join(self, room: str) -> str:
        return str(self.ask("POST", f"{V3}/join/{quote(room)}", {})["room_id"])


class Writer:
    """Writes messages into one room, as the core does."""

    def __init__(self, destination: MatrixDestination, company: Company, room: Room) -> None:
        self.destination = destination
        self.company = company
        self.room = room
        self.place = destination.open_room(room, company)
        self.receipts: dict[str, Receipt] = {}
        self.slots: dict[str, Slot] = {}

    def slot(self, message: Message, mark: str | None = None, **more: Any) -> Slot:
        refs = {one.id: self.receipts[one.id] for one in message.files if one.id in self.receipts}
        if message.thread in self.receipts:
            refs[message.thread] = self.receipts[message.thread]
        item = Item(message.id, Kind.CHAT, more.pop("version", "1"), facts=ChatFacts(message.reactions))
        key = key_of("test", self.room.id, message.id)
        return Slot(item, self.place, "", key, mark, refs, more.pop("replaces", None))

    def write(self, message: Message, **more: Any) -> Receipt:
        mark = self.destination.mark(self.place)
        slot = self.slot(message, mark, **more)
        receipt = self.destination.write(slot, Bytes(message.dump()))
        self.slots[message.id], self.receipts[message.id] = slot, receipt
        return receipt

    def file(self, id_: str, data: bytes, name: str = "a.txt") -> Receipt:
        slot = self.file_slot(id_, len(data), name)
        receipt = self.destination.write(slot, Bytes(data))
        self.receipts[id_] = receipt
        return receipt

    def file_slot(self, id_: str, size: int | None, name: str = "a.txt") -> Slot:
        return Slot(Item(id_, Kind.FILE, "1", name, size), self.place, name, key_of("test", self.room.id, id_))

    def find(self, *slots: Slot) -> Mapping[str, Receipt]:
        return self.destination.find(slots, nobody)

    def close(self, room: Room | None = None) -> None:
        pinned = {id_: self.receipts[id_] for id_ in (room or self.room).pins if id_ in self.receipts}
        self.destination.close_room(self.place, room or self.room, pinned)


def message(number: int, text: str = "", author: str = "U1", **more: Any) -> Message:
    """A message whose time rises with its number."""
    said = (Paragraph((Text(text or f"message {number}"),)),)
    at = more.pop("time", START + timedelta(minutes=number))
    return Message(f"{1557000000 + number}.000100", author, at, more.pop("blocks", said), **more)


__all__ = ["Bookmark", "Bytes", "Company", "Place", "Reader", "Writer", "message", "nobody", "replace"]
