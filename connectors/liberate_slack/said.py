"""What every door to a workspace shares: messages of one time become items, behind the files they name first."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from liberate.chat import MERGED, Message
from liberate.connector import Item, Kind, Listed, Skipped
from liberate_slack.convert import NotSaid, Room, convert, facts, raw_files
from liberate_slack.files import Stored, file_id, stored
from liberate_slack.letters import clean
from liberate_slack.listing import Found, Listing, nameless, same

TWICE = NotSaid(MERGED, "It is there once more, word for word, and stands once.")
NO_MESSAGE = NotSaid("no-message", "There is something else where a message should be.")
TOO_DEEP = NotSaid("too-deep", "Its blocks stand in one another hundreds of times, which people's programs never do.")
_BODIES = 1 << 20  # bytes of messages that were listed and not yet read
_EACH = 300  # bytes that remembering one costs besides
_FILES = 10_000  # files that were listed and not yet read
_LATELY = 20  # files, of which the source may ask whether Slack serves them


@dataclass(frozen=True, slots=True)
class Said:
    """A message, and what it was made of."""

    raw: dict[str, Any]
    message: Message
    body: bytes
    version: str  # changes with the body, but for its reactions and what people and rooms are called now


class Teller:
    """Tells one opening's messages and files, and holds their bodies until they are read, in bounded memory.

    `left_out` describes what is no message, `learn` sees each message that is one, `measured` is a file as the
    source knows it better than the message does. With `twins`, a message that is there once more is told as left out:
    where Slack itself gives it twice, by two of its methods, that is nothing to tell.
    """

    def __init__(
        self,
        left_out: Callable[[Room, Found, NotSaid], Skipped],
        learn: Callable[[dict[str, Any]], None],
        measured: Callable[[Stored], Stored] = lambda file: file,
        *,
        twins: bool = False,
    ) -> None:
        self._twins = twins
        self._left_out = left_out
        self._learn = learn
        self._measured = measured
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._files: OrderedDict[str, Stored] = OrderedDict()

    # Listing -------------------------------------------------------------------------------------

    def listed(self, listing: Listing, group: Sequence[Found]) -> Iterator[Listed]:
        """The items of messages of one time, and what of them is left out."""
        room = listing.room
        for one in self.said(room, group):
            if isinstance(one, Skipped):
                yield one
                continue
            if not one.message.thread:
                listing.said(one.message.id)
            self._learn(one.raw)
            refs = []
            if one.message.thread and listing.has(one.message.thread):
                refs.append(one.message.thread)
            for raw in raw_files(one.raw):
                id_ = file_id(room.id, clean(raw.get("id")))
                if not any(file.id == id_ for file in one.message.files):
                    continue
                refs.append(id_)
                if id_ not in listing.files:
                    listing.files.add(id_)
                    yield self._file_item(id_, raw)
            self.hold(one)
            told = facts(one.raw, one.message, room)
            yield Item(
                one.message.id,
                Kind.CHAT,
                one.version,
                modified=one.message.time,
                refs=tuple(dict.fromkeys(refs)),
                facts=told,
                facts_version=told.dump(),
            )

    def said(self, room: Room, group: Sequence[Found]) -> Iterator[Said | Skipped]:
        """What messages of one time say: equal ones once, others of the same `ts` under ids of their own."""
        kept: list[tuple[dict[str, Any], Message]] = []
        again = 0
        for found in group:
            raw = found.value
            if not isinstance(raw, dict):
                if raw:
                    yield self._left_out(room, found, NO_MESSAGE)
                continue
            made: Message | NotSaid
            try:
                made = convert(raw, room)
            except RecursionError:
                made = TOO_DEEP
            if isinstance(made, NotSaid):
                yield self._left_out(room, found, made)
                continue
            twin = next((at for at, (_, one) in enumerate(kept) if same(one, made)), None)
            if twin is None:
                kept.append((raw, made))
            elif made.broadcast and not kept[twin][1].broadcast:
                kept[twin] = (raw, made)
            if twin is not None and self._twins:
                again += 1
                told = self._left_out(room, found, TWICE)
                yield replace(told, id=f"{told.id}~{again}") if again > 1 else told
        seen: dict[str, int] = {}
        for raw, one in kept:
            number = seen[one.id] = seen.get(one.id, 0) + 1
            message = one if number == 1 else replace(one, id=f"{one.id}~{number}")
            body = message.dump()
            bare = replace(message, reactions=(), blocks=nameless(message.blocks))
            digest = hashlib.sha256(body if bare == message else bare.dump())
            yield Said(raw, message, body, digest.hexdigest()[:16])

    def _file_item(self, id_: str, raw: dict[str, Any]) -> Item:
        file = self._measured(stored(raw))
        self.keep(id_, file)
        return Item(id_, Kind.FILE, file.version, file.name, file.size)

    # What was listed and not yet read ------------------------------------------------------------

    def hold(self, one: Said) -> None:
        """Hold a body; the oldest ones go when they are too many."""
        id_, body = one.message.id, one.body
        old = self._bodies.pop(id_, b"")
        self._bodies[id_] = body
        self._bytes += len(body) + _EACH - (len(old) + _EACH if old else 0)
        while self._bytes > _BODIES and len(self._bodies) > 1:
            self._bytes -= len(self._bodies.popitem(last=False)[1]) + _EACH

    def body(self, id_: str) -> bytes | None:
        """The body of a message, if it is still held."""
        return self._bodies.get(id_)

    def keep(self, id_: str, file: Stored) -> None:
        """Remember where a file is; the oldest ones go when they are too many."""
        self._files[id_] = file
        while len(self._files) > _FILES:
            self._files.popitem(last=False)

    def file(self, id_: str) -> Stored | None:
        """Where a file is, if that is still remembered."""
        return self._files.get(id_)

    def others(self, id_: str) -> list[Stored]:
        """Files that were listed lately, without this one."""
        return [one for key, one in list(self._files.items())[-_LATELY:] if key != id_]
