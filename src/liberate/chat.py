"""The neutral chat message: who said what when, what hangs on it, and in which room. No standard exists for it.

An item of kind CHAT is one Message; its body is `Message.dump()`, JSON in UTF-8 with sorted keys. The bytes of
files are items of kind FILE in the same collection, listed before the message that names them in its refs, and
so is the root of a thread. What a service says about its people and rooms besides is asked of the source.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

FORM = 1  # of dump(); raised when a reader of the old form would misunderstand the new one

MERGED = "said-twice"
"""Code of Skipped for a message that the source holds once more and that stands once."""

# Text --------------------------------------------------------------------------------------------


class Style(StrEnum):
    """How a piece of text looks."""

    BOLD = "bold"
    CODE = "code"
    ITALIC = "italic"
    STRIKE = "strike"
    UNDERLINE = "underline"


@dataclass(frozen=True, slots=True)
class Text:
    """Letters as people read them: nothing in them is markup. A "\\n" is a line break."""

    text: str
    styles: frozenset[Style] = frozenset()


@dataclass(frozen=True, slots=True)
class Link:
    """A link, shown as `text`."""

    url: str
    text: str
    styles: frozenset[Style] = frozenset()


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody or something of the same workspace, shown as `label`."""

    to: Literal["author", "room", "group", "everybody", "message"]  # everybody: @channel, @here
    id: str  # an author's, room's or group's id; of a message "<room id>/<message id>"; "" for everybody
    label: str  # with its sign: "@Anna", "#general"


@dataclass(frozen=True, slots=True)
class Emoji:
    """An emoji of Unicode, or one of the workspace's own."""

    name: str  # without colons
    char: str = ""  # "" for the workspace's own


Inline: TypeAlias = Text | Link | Mention | Emoji


@dataclass(frozen=True, slots=True)
class Paragraph:
    parts: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    parts: tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Code:
    """Lines as they are, in letters of one width."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """Somebody else's words, or what a link leads to."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list; each of its entries is some blocks, among them lists."""

    entries: tuple[tuple[Block, ...], ...]
    first: int | None = None  # number of the first entry; None: without numbers


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells."""

    rows: tuple[tuple[tuple[Inline, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A line across."""


Block: TypeAlias = Paragraph | Heading | Code | Quote | Bullets | Table | Rule


# Messages ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reaction:
    """An emoji that people put on a message."""

    emoji: Emoji
    authors: tuple[str, ...]  # ids, in the order in which the source names them
    count: int = 0  # as the source counts, where it names fewer people; 0: as many as it names


@dataclass(frozen=True, slots=True)
class File:
    """A file that hangs on a message."""

    id: str  # of its item; "" where its bytes are not to be had
    name: str
    media_type: str = ""
    size: int | None = None  # bytes
    url: str = ""  # where it stands, if that is with another service
    why: str = ""  # why its bytes are not to be had, a sentence


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to the room instead of being said in it."""

    what: Literal["joined", "left", "topic", "purpose", "name", "archived", "unarchived", "call", "other"]
    value: str = ""  # the new topic, purpose or name
    author: str = ""  # whom it happened to, where that is not the sender


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    id: str  # the same at every listing; unique in its room
    author: str  # id
    time: datetime  # aware, to the microsecond
    blocks: tuple[Block, ...] = ()
    kind: Literal["message", "emote", "notice"] = "message"  # emote: "/me waves"; notice: said by a program
    thread: str = ""  # id of the message that began the thread; "" in none and for that message itself
    broadcast: bool = False  # a reply that was also shown to the room
    edited: datetime | None = None  # when it got the text it has now
    reactions: tuple[Reaction, ...] = ()
    files: tuple[File, ...] = ()
    change: Change | None = None

    def dump(self) -> bytes:
        """The message as JSON in UTF-8: the same bytes for equal messages. Lone surrogates become U+FFFD."""
        out: dict[str, Any] = {"form": FORM, "id": self.id, "author": self.author, "time": self.time.isoformat()}
        for name in ("kind", "thread", "broadcast"):
            value = getattr(self, name)
            if value not in ("message", "", False):
                out[name] = value
        if self.edited is not None:
            out["edited"] = self.edited.isoformat()
        if self.blocks:
            out["blocks"] = [_dump_block(block) for block in self.blocks]
        if self.reactions:
            out["reactions"] = [dump_reaction(one) for one in self.reactions]
        if self.files:
            out["files"] = [_said(one, id=one.id, name=one.name) for one in self.files]
        if self.change is not None:
            out["change"] = _said(self.change, what=self.change.what)
        text = json.dumps(out, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()

    @classmethod
    def load(cls, data: bytes) -> Message:
        """The message that dump() wrote. Raises ValueError for anything else."""
        try:
            out = json.loads(data)
            if out["form"] > FORM:
                raise ValueError("a later version of liberate wrote this message")
            edited = out.get("edited")
            change = out.get("change")
            return cls(
                out["id"],
                out["author"],
                datetime.fromisoformat(out["time"]),
                tuple(_load_block(one) for one in out.get("blocks", ())),
                out.get("kind", "message"),
                out.get("thread", ""),
                out.get("broadcast", False),
                datetime.fromisoformat(edited) if edited else None,
                tuple(load_reaction(one) for one in out.get("reactions", ())),
                tuple(File(**one) for one in out.get("files", ())),
                Change(**change) if change else None,
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError("this is no message of liberate's") from error


@dataclass(frozen=True, slots=True)
class ChatFacts:
    """What may change on a message without new words."""

    reactions: tuple[Reaction, ...] = ()
    pinned: bool = False

    def dump(self) -> str:
        """One line of JSON, the same for equal facts."""
        out: dict[str, Any] = {"pinned": True} if self.pinned else {}
        if self.reactions:
            out["reactions"] = [dump_reaction(one) for one in self.reactions]
        return json.dumps(out, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def load(cls, text: str) -> ChatFacts:
        """The facts that dump() wrote."""
        out = json.loads(text)
        return cls(tuple(load_reaction(one) for one in out.get("reactions", ())), out.get("pinned", False))


@dataclass(frozen=True, slots=True)
class Recalled:
    """What a destination holds of a message, as an ordinary member of the room sees it."""

    sender: str  # as KeepsRooms destinations call people: see Recalls.called
    time: datetime  # aware; as exact as the destination shows it
    text: str  # plain(told(message, ...)), however many things the message became there
    files: tuple[str, ...] = ()  # ids of the receipts of its files, in the message's order
    thread: str = ""  # id of the receipt of the thread's first message; "" in none and for that message itself
    reactions: frozenset[tuple[str, str]] = frozenset()  # shown(emoji), and who put it there, called as senders are


# Rooms and people --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody who speaks or is spoken of in a workspace."""

    id: str
    name: str  # as others see it
    full_name: str = ""
    email: str = ""
    kind: Literal["person", "guest", "stranger", "program", "system"] = "person"  # stranger: of another workspace
    former: bool = False  # the account is closed or erased
    picture: str = ""  # id of an item that Source.read gives the bytes of; "" for none


class RoomKind(StrEnum):
    """Who may be in a room."""

    PUBLIC = "public"  # whoever is in the workspace
    PRIVATE = "private"  # whoever is invited
    GROUP = "group"  # some people who talk to one another, without a name
    DIRECT = "direct"  # two people, or one alone


@dataclass(frozen=True, slots=True)
class Bookmark:
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Workspace:
    """What the rooms belong to."""

    id: str
    name: str
    url: str = ""
    picture: str = ""  # as Author.picture
    emoji: tuple[tuple[str, str], ...] = ()  # its own: name and id of an item, or "alias:" and another name


@dataclass(frozen=True, slots=True)
class Room:
    """What a collection of messages is, besides their number."""

    id: str  # of its collection
    name: str  # "" for a group or direct one
    kind: RoomKind
    workspace: Workspace
    topic: str = ""
    purpose: str = ""
    archived: bool = False
    created: datetime | None = None  # aware
    creator: str = ""  # an author's id
    members: tuple[str, ...] = ()  # ids of authors
    pins: tuple[str, ...] = ()  # ids of messages, oldest first
    bookmarks: tuple[Bookmark, ...] = ()
    guessed: bool = False  # the members are those who spoke: the source names none, and others may be members too


# What is shown -----------------------------------------------------------------------------------


def told(message: Message, arrived: Container[str]) -> tuple[Block, ...]:
    """The message as every destination shows it: its blocks, or what happened to the room, and then a line
    for each file whose item is not among those that `arrived`."""
    blocks = message.blocks
    if not blocks and message.change is not None:
        blocks = (Paragraph((Text(_happened(message.change)),)),)
    return (*blocks, *(_instead(one) for one in message.files if not one.id or one.id not in arrived))


def shown(emoji: Emoji) -> str:
    """The emoji as text."""
    return emoji.char or f":{emoji.name}:"


def _happened(change: Change) -> str:
    match change.what:
        case "joined" | "left":
            return f"{change.what} the room"
        case "topic" | "purpose" | "name":
            return (
                f"changed the {change.what} of the room to: {change.value}"
                if change.value
                else (f"removed the {change.what} of the room")
            )
        case "archived" | "unarchived":
            return f"{change.what} the room"
        case "call":
            return f"started a call: {change.value}" if change.value else "started a call"
    return change.value


def _instead(file: File) -> Paragraph:
    """What stands where a file should."""
    name: Inline = Link(file.url, file.name) if file.url else Text(file.name)
    size = "" if file.size is None else f" ({file.size} bytes)"
    why = file.why or ("" if file.url else "It could not be moved.")
    return Paragraph((Text("File: "), name, Text(f"{size}{'. ' if why else ''}{why}")))


# Plain text --------------------------------------------------------------------------------------


def plain(blocks: Iterable[Block]) -> str:
    """The words without their looks, as a mail or a terminal would show them: the same at every destination."""
    return "\n".join(_plain_block(block) for block in blocks)


def plain_inline(parts: Iterable[Inline]) -> str:
    """The words of a line."""
    out = []
    for part in parts:
        match part:
            case Text(text):
                out.append(text)
            case Link(url, text):
                out.append(text if text == url or not url else f"{text} ({url})")
            case Mention(label=label):
                out.append(label)
            case Emoji(name, char):
                out.append(char or f":{name}:")
    return "".join(out)


def words(blocks: Iterable[Block]) -> Iterator[Inline]:
    """Every inline part, wherever it stands."""
    for block in blocks:
        match block:
            case Paragraph(parts) | Heading(parts):
                yield from parts
            case Quote(inner):
                yield from words(inner)
            case Bullets(entries):
                for entry in entries:
                    yield from words(entry)
            case Table(rows):
                for row in rows:
                    for cell in row:
                        yield from cell


def _plain_block(block: Block) -> str:
    match block:
        case Paragraph(parts) | Heading(parts):
            return plain_inline(parts)
        case Code(text):
            return text
        case Quote(blocks):
            return "\n".join(f"> {line}" for line in plain(blocks).split("\n"))
        case Bullets(entries, first):
            lines = []
            for number, entry in enumerate(entries, first or 0):
                mark = "• " if first is None else f"{number}. "
                lines.append(mark + plain(entry).replace("\n", "\n" + " " * len(mark)))
            return "\n".join(lines)
        case Table(rows):
            return "\n".join(" | ".join(plain_inline(cell) for cell in row) for row in rows)
        case Rule():
            return "---"


# As JSON -----------------------------------------------------------------------------------------


def dump_reaction(one: Reaction) -> dict[str, Any]:
    """A reaction as JSON knows it."""
    return _said(one, emoji=_dump_inline(one.emoji), authors=list(one.authors))


def load_reaction(out: Mapping[str, Any]) -> Reaction:
    """The reaction that dump_reaction made."""
    emoji = out["emoji"]
    return Reaction(Emoji(emoji["name"], emoji.get("char", "")), tuple(out["authors"]), out.get("count", 0))


def _said(one: Any, **named: object) -> dict[str, Any]:
    """The given members, and those others that say something."""
    rest = {name: getattr(one, name) for name in type(one).__slots__ if name not in named}
    return {**named, **{name: value for name, value in rest.items() if value not in ("", None, 0, False)}}


def _dump_inline(part: Inline) -> dict[str, Any]:
    match part:
        case Text(text, styles):
            return {"is": "text", "text": text, **({"styles": sorted(styles)} if styles else {})}
        case Link(url, text, styles):
            return {"is": "link", "url": url, "text": text, **({"styles": sorted(styles)} if styles else {})}
        case Mention(to, id_, label):
            return {"is": "mention", "to": to, "id": id_, "label": label}
        case Emoji(name, char):
            return {"is": "emoji", "name": name, **({"char": char} if char else {})}


def _load_inline(out: Mapping[str, Any]) -> Inline:
    match out["is"]:
        case "text":
            return Text(out["text"], frozenset(map(Style, out.get("styles", ()))))
        case "link":
            return Link(out["url"], out["text"], frozenset(map(Style, out.get("styles", ()))))
        case "mention":
            return Mention(out["to"], out["id"], out["label"])
        case "emoji":
            return Emoji(out["name"], out.get("char", ""))
    raise ValueError(f"no part of a text is called {out['is']}")


def _dump_block(block: Block) -> dict[str, Any]:
    match block:
        case Paragraph(parts):
            return {"is": "paragraph", "parts": [_dump_inline(part) for part in parts]}
        case Heading(parts):
            return {"is": "heading", "parts": [_dump_inline(part) for part in parts]}
        case Code(text, language):
            return {"is": "code", "text": text, **({"language": language} if language else {})}
        case Quote(blocks):
            return {"is": "quote", "blocks": [_dump_block(one) for one in blocks]}
        case Bullets(entries, first):
            dumped = [[_dump_block(one) for one in entry] for entry in entries]
            return {"is": "bullets", "entries": dumped, **({"first": first} if first is not None else {})}
        case Table(rows):
            return {"is": "table", "rows": [[[_dump_inline(p) for p in cell] for cell in row] for row in rows]}
        case Rule():
            return {"is": "rule"}


def _load_block(out: Mapping[str, Any]) -> Block:
    match out["is"]:
        case "paragraph":
            return Paragraph(tuple(_load_inline(part) for part in out["parts"]))
        case "heading":
            return Heading(tuple(_load_inline(part) for part in out["parts"]))
        case "code":
            return Code(out["text"], out.get("language", ""))
        case "quote":
            return Quote(tuple(_load_block(one) for one in out["blocks"]))
        case "bullets":
            return Bullets(
                tuple(tuple(_load_block(one) for one in entry) for entry in out["entries"]), out.get("first")
            )
        case "table":
            return Table(tuple(tuple(tuple(_load_inline(p) for p in cell) for cell in row) for row in out["rows"]))
        case "rule":
            return Rule()
    raise ValueError(f"no block of a text is called {out['is']}")
