"""A message as the events it becomes, in their order: texts, then files, then what the room is shown besides. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from liberate.chat import File, Message, Reaction, shown, told
from liberate.connector import Item, Receipt
from liberate_matrix.convert import BUDGET, Names, clean, weight, words
from liberate_matrix.splitting import Part, split

SOURCE = "org.liberate.source"
"""The member of a content that says what of which message it is."""
RECORD = "org.liberate.room"
"""State in which stands what liberate set last: what is otherwise now, somebody else changed, and it stays. A room has
it from its making, so that one without it is only half made."""
FORM = 1  # of conversion: part of every transaction id, so that another conversion is another event

_MOST_KEY = 500  # letters of a reaction
_RELATION = 400  # bytes that m.relates_to of a thread takes at most
_TYPES = {"image": "m.image", "video": "m.video", "audio": "m.audio"}


@dataclass(frozen=True, slots=True)
class Planned:
    """One event of a message, without its relations."""

    label: str  # unique in the message: "t0", "t1" ... texts, "f0" ... files, "b" what a thread shares with the room
    content: dict[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Put:
    """One person's reaction."""

    label: str
    key: str  # as it is shown
    author: str  # at the source


def planned(
    message: Message, key: str, version: str, files: Mapping[str, Receipt], names: Names, *, begun: bool = False
) -> list[Planned]:
    """The events that the message becomes, each saying whose part it is and how many there are.

    `begun`: one with text stands there, and stays the first: threads hang on it, and nothing new comes before others.
    """
    blocks = told(message, files)
    here = [one for one in message.files if one.id in files]
    reactions = len(puts(message.reactions))
    mark = {"v": FORM, "key": key, "version": version, "id": clean(message.id), "part": "t0", "parts": 99}
    if reactions:
        mark["reactions"] = reactions
    if message.edited is not None:
        mark["edited"] = message.edited.isoformat()
    msgtype = {"emote": "m.emote", "notice": "m.notice"}.get(message.kind, "m.text")
    if message.change is not None:
        msgtype = "m.notice"

    def content(part: Part) -> dict[str, Any]:
        return {"msgtype": msgtype, **words(part.blocks, names, part.tail), "m.mentions": {}}

    def fits(part: Part, more: Mapping[str, Any] | None = None) -> bool:
        return weight({**content(part), **(more or {}), SOURCE: mark}) + _RELATION <= BUDGET

    out: list[Planned] = []
    captioned = False
    if len(here) == 1 and blocks and msgtype == "m.text" and not begun:
        media = _media(here[0], files[here[0].id])
        if fits(Part(blocks), media):
            out = [Planned("f0", {**media, **words(blocks, names), "m.mentions": {}})]
            captioned = True
    if not out:
        parts = split(blocks, fits) if blocks or begun or not here else []
        out = [Planned(f"t{number}", content(part)) for number, part in enumerate(parts)]
        out += [Planned(f"f{number}", _media(one, files[one.id])) for number, one in enumerate(here)]
    if message.broadcast and message.thread:
        out.append(Planned("b", dict(out[0].content)))
    for one in out:
        one.content[SOURCE] = {**mark, "part": one.label, "parts": len(out)}
        if captioned and one.label == "f0":
            one.content[SOURCE]["caption"] = True
    return out


def puts(reactions: Sequence[Reaction]) -> list[Put]:
    """Each person's each reaction, once."""
    out: dict[str, Put] = {}
    for one in reactions:
        key = clean(shown(one.emoji))[:_MOST_KEY]
        for author in one.authors:
            digest = hashlib.blake2b(f"{key}\x1f{author}".encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
            out.setdefault(digest, Put(f"r{digest}", key, author))
    return list(out.values())


def key_of(item: Item) -> str:
    """What an item is called in its room: the same for every job and every ledger, as the room is."""
    return hashlib.blake2b(item.id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def version_of(version: str) -> str:
    """A short name for an item's version."""
    return hashlib.blake2b(version.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def reaction(put: Put, of: str, key: str) -> dict[str, Any]:
    """The content of a reaction to the event `of`, which is the first of the message with that key."""
    return {
        "m.relates_to": {"rel_type": "m.annotation", "event_id": of, "key": put.key},
        SOURCE: {"v": FORM, "key": key, "part": put.label},
    }


def _media(file: File, receipt: Receipt) -> dict[str, Any]:
    kind = file.media_type.partition("/")[0]
    name = clean(file.name) or "file"
    info: dict[str, Any] = {}
    if file.media_type:
        info["mimetype"] = clean(file.media_type)
    size = receipt.size if receipt.size is not None else file.size
    if size is not None:
        info["size"] = size
    return {
        "msgtype": _TYPES.get(kind, "m.file"),
        "body": name,
        "filename": name,
        "url": receipt.id,
        "info": info,
        "m.mentions": {},
    }


def text_of(content: Mapping[str, Any]) -> str:
    """What of an event's content are the message's words: not the name of its file."""
    body = str(content.get("body", ""))
    mark = content.get(SOURCE)
    captioned = isinstance(mark, Mapping) and mark.get("caption") is True
    return "" if "url" in content and not captioned and body == content.get("filename", body) else body
