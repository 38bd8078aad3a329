"""A look at a homeserver before a move: a small room goes there as a real one would, is read back, and taken away."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from liberate.chat import (
    Author,
    ChatFacts,
    Emoji,
    File,
    Message,
    Paragraph,
    Reaction,
    Room,
    RoomKind,
    Text,
    Workspace,
    plain,
    told,
)
from liberate.connector import Item, Kind, Place, Receipt, Remark, Slot
from liberate.errors import AccountError, ItemError, LiberateError
from liberate_matrix import joins, refusals
from liberate_matrix.client import Client
from liberate_matrix.contents import key_of
from liberate_matrix.settings import MatrixSettings

if TYPE_CHECKING:
    from liberate_matrix.destination import MatrixDestination

_MEASURED = 20  # messages by which the pace is measured
_YEARS_AGO = timedelta(days=3653)
_MANY = 100_000
_LONG = "A text that takes as much room as one event has, and then some.\n" * 1500
_FILE = b"A file of the check.\n" * 500
_SMALL = 50_000_000  # bytes: files of this size are common in any workspace


class _Two:
    """The check's two people: neither has an account of their own."""

    def author(self, id_: str) -> Author:
        return Author(id_, f"liberate check {id_}", kind="program")

    def user(self, id_: str) -> str | None:
        return None

    def picture(self, id_: str) -> bytes | None:
        return None


class Checking:
    """What `check` does."""

    def __init__(self, destination: MatrixDestination, client: Client, settings: MatrixSettings) -> None:
        self._destination = destination
        self._client = client
        self._settings = settings
        tag = secrets.token_hex(4)
        workspace = Workspace("LIBERATECHECK", "liberate check")
        name = f"liberate-check-{tag}"
        self._room = Room(f"C{tag.upper()}", name, RoomKind.PUBLIC, workspace, members=("U1", "U2"))
        self._receipts: dict[str, Receipt] = {}
        self._place: Place | None = None

    def run(self) -> Iterator[Remark]:
        """Each thing that was seen. What stops a move stops the check, and is told as the last but one."""
        try:
            yield from self._try()
        except refusals.TooFast:
            yield Remark(
                "rate-limited",
                "The homeserver asks liberate to slow down: a move would take many times as long.",
                "Write rate_limited: false into the registration at the homeserver, and restart it.",
                stops=True,
            )
        except (AccountError, ItemError) as error:
            yield Remark(error.code, error.why, error.todo, stops=True)
        yield self._clean()

    # What is tried -------------------------------------------------------------------------------

    def _try(self) -> Iterator[Remark]:
        self._place = place = self._destination.open_room(self._room, _Two())
        version = self._client.state(self._client.bot, place, "m.room.create") or {}
        yield Remark("room-version", f"Rooms are made in version {version.get('room_version', '1')}.")
        yield self._upload_limit()
        old = datetime.now(UTC) - _YEARS_AGO
        yield self._joins(place, old)
        file = Item("F1", Kind.FILE, "1", "check.txt", len(_FILE))
        self._send(file, _FILE)
        thumb = Reaction(Emoji("thumbsup", "\U0001f44d"), ("U2",))
        messages = [
            Message("old", "U1", old, _says("A message of ten years ago."), reactions=(thumb,)),
            Message("reply", "U2", old + timedelta(minutes=1), _says("An answer in its thread."), thread="old"),
            Message("long", "U1", old + timedelta(minutes=2), _says(_LONG)),
            Message(
                "file",
                "U2",
                old + timedelta(minutes=3),
                _says("A file."),
                files=(File("F1", "check.txt", "text/plain"),),
            ),
        ]
        for one in messages:
            self._say(one)
        yield from self._read_back(messages)
        yield self._pace(old + timedelta(minutes=4))

    def _upload_limit(self) -> Remark:
        limit = self._client.upload_limit()
        if limit is None:
            return Remark("upload-limit", "The homeserver does not say how large a file may be.")
        words = f"Files of up to {limit:,} bytes are taken; larger ones will be listed."
        todo = "Raise max_upload_size, and its proxy's limit, while everything moves." if limit < _SMALL else ""
        return Remark("upload-limit", words, todo)

    def _joins(self, place: Place, time: datetime) -> Remark:
        seconds = [self._destination.join_in(place, author, time) for author in self._room.members]
        joins.measured[self._settings.url] = pace = sum(seconds) / len(seconds)
        return Remark("join-pace", f"Bringing somebody into a room takes {pace:.1f} s.")

    def _read_back(self, messages: list[Message]) -> Iterator[Remark]:
        """Compare what a member of the room sees with what was said."""
        asked = [self._receipts[one.id] for one in messages]
        answers = {receipt.id: found for receipt, found in self._destination.recall(asked)}
        lost = []
        for one in messages:
            found = answers[self._receipts[one.id].id]
            if isinstance(found, ItemError):
                lost.append(one.id)
                continue
            near = abs(found.time - one.time) < timedelta(seconds=1)
            same = found.text == plain(told(one, {"F1"})) and len(found.reactions) == len(one.reactions)
            thread = self._receipts[one.thread].id if one.thread else ""
            if not (near and same and found.thread == thread):
                yield Remark(
                    "stored-otherwise",
                    f'The check\'s message "{one.id}" is shown otherwise than it was sent.',
                    "Look for modules or a proxy that change what is sent to the homeserver.",
                    stops=True,
                )
        if lost:
            yield Remark(
                "retention",
                "Messages of ten years ago are taken, and not shown to anybody: the homeserver keeps no old ones.",
                "Switch `retention` off in its configuration, or allow a longer max_lifetime, before anything moves.",
                stops=True,
            )
        if b"".join(self._destination.read(self._receipts["F1"])) != _FILE:
            yield Remark("stored-otherwise", "A file came back otherwise than it was sent.", stops=True)

    def _pace(self, begin: datetime) -> Remark:
        before = time.monotonic()
        for number in range(_MEASURED):
            self._say(Message(f"pace{number}", "U1", begin + timedelta(seconds=number), _says(f"number {number}")))
        rate = _MEASURED / (time.monotonic() - before)
        hours = _MANY / rate / 3600
        words = f"One room takes {rate:.0f} messages a second: {_MANY:,} of them about {hours:.1f} hours."
        return Remark("pace", f"{words} Several rooms at once are about twice as fast.")

    def _say(self, message: Message) -> None:
        refs = (*((message.thread,) if message.thread else ()), *(one.id for one in message.files))
        item = Item(message.id, Kind.CHAT, "1", refs=refs, facts=ChatFacts(message.reactions))
        self._send(item, message.dump())

    def _send(self, item: Item, data: bytes) -> None:
        refs = {one: self._receipts[one] for one in item.refs}
        slot = Slot(item, self._place or Place(""), item.name, key_of(item), "", refs)
        ((_, outcome),) = self._destination.write_many([(slot, data)])
        if isinstance(outcome, ItemError):
            raise outcome
        self._receipts[item.id] = outcome

    # Afterwards ----------------------------------------------------------------------------------

    def _clean(self) -> Remark:
        place = self._place or self._destination.place_of(self._room)
        if place is None:
            return Remark("no-room", "No room was left behind.")
        files = [self._receipts["F1"]] if "F1" in self._receipts else []
        try:
            self._destination.remove_room(place, files)
        except LiberateError as error:
            words = f"The check's room {place} could not be removed: {getattr(error, 'why', error)}"
            return Remark("left-behind", words, "Delete it at the homeserver.")
        if self._settings.admin:
            return Remark("purged", "The check's room and its file were purged.")
        return Remark(
            "left",
            f"Everybody left the check's room {place}; the homeserver keeps it until it is purged there.",
            'To have such rooms purged, name an administrator\'s account: admin = "@...".',
        )


def _says(text: str) -> tuple[Paragraph, ...]:
    return (Paragraph((Text(text),)),)
