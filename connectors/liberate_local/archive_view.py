"""A room as its pages see it: its messages in order, and what stands where as seen from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import IO

from liberate.chat import Author, ChatFacts, Message, Room, RoomKind
from liberate_local.archive_html import address, anchor, month_text
from liberate_local.archive_index import Index
from liberate_local.archive_register import Entry, Known
from liberate_local.archive_room import RoomFolder, line_at

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIELDS = "m.key, m.id, m.seq, m.time, m.at, m.length, m.facts, m.facts_at, m.thread, m.author, m.page, m.shown"


@dataclass(frozen=True, slots=True)
class Row:
    """A message in the index."""

    key: bytes
    id: str
    seq: int
    time: int
    at: int
    length: int
    facts: str | None
    facts_at: int
    thread: str
    author: str
    page: str | None  # where links to it lead
    shown: str | None  # where it stands by itself; None: in a thread only


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a month, or of a part of one."""

    name: str
    number: int
    month: str  # "2026-03"
    part: int
    messages: int

    @property
    def title(self) -> str:
        """What people call it."""
        return month_text(self.month) + (f", part {self.part}" if self.part > 1 else "")


@dataclass(frozen=True, slots=True)
class Words:
    """A page with all words of some months of a year."""

    name: str
    pages: tuple[Page, ...]
    fingerprint: str

    @property
    def messages(self) -> int:
        """How many it holds."""
        return sum(page.messages for page in self.pages)


@dataclass(frozen=True, slots=True)
class Look:
    """What pages need to know besides their own room."""

    zone: tzinfo
    zone_name: str
    workspace: str  # its name
    people: Mapping[str, Known]
    entries: Mapping[str, Entry]
    elsewhere: Callable[[str, str], str | None]  # the page of a message in another room: its room's and its own id


class RoomView:
    """One room; the View of its messages."""

    def __init__(self, folder: RoomFolder, room: Room, entry: Entry, look: Look) -> None:
        self.folder = folder
        self.base = folder.index.base
        self.described = room
        self.entry = entry
        self.look = look
        self.pins = frozenset(room.pins)
        self.zone = look.zone

    # What messages ask (View) --------------------------------------------------------------------

    def author(self, id_: str) -> Author:
        """See View."""
        known = self.look.people.get(id_)
        return known.author if known is not None else Author(id_, id_ or "somebody", kind="stranger")

    def room(self, id_: str) -> str | None:
        """See View."""
        entry = self.look.entries.get(id_)
        if entry is None:
            return None
        return "index.html" if id_ == self.described.id else f"../{last_folder(entry)}/index.html"

    def message(self, id_: str) -> str | None:
        """See View."""
        for room, entry in self._rooms_of(id_):
            one = id_[len(room) + 1 :]
            if room == self.described.id:
                if page := page_of(self.folder.index, one):
                    return f"{page}#{anchor(one)}"
            elif page := self.look.elsewhere(room, one):
                return f"../{last_folder(entry)}/{page}#{anchor(one)}"
        return None

    def _rooms_of(self, id_: str) -> Iterator[tuple[str, Entry]]:
        """The rooms that "<room id>/<message id>" may speak of: both may hold a "/"."""
        at = id_.find("/")
        while at >= 0:
            if entry := self.look.entries.get(id_[:at]):
                yield id_[:at], entry
            at = id_.find("/", at + 1)

    def file(self, id_: str) -> str | None:
        """See View."""
        name = self.folder.index.name_of(id_)
        return address("files", name) if name is not None else None

    # Messages ------------------------------------------------------------------------------------

    def on(self, page: str) -> Iterator[Row]:
        """The messages that stand on a page by themselves, in order."""
        return self.rows("m.shown = ?", page)

    def replies(self, root: str) -> Iterator[Row]:
        """The messages of a thread, without the first."""
        return self.rows("m.thread = ? AND m.thread != ''", root)

    def rows(self, where: str, value: str) -> Iterator[Row]:
        """Those of which `where`, a piece of SQL, is true, in order."""
        query = f"SELECT {FIELDS} FROM message m WHERE {where} ORDER BY m.time, m.seq"  # noqa: S608
        cursor = self.base.execute(query, (value,))
        while some := cursor.fetchmany(500):
            for row in some:
                yield Row(*row)

    @staticmethod
    def messages(rows: Iterator[Row], file: IO[bytes]) -> Iterator[tuple[Row, Message]]:
        """The messages of these rows, with the reactions they have now."""
        for row in rows:
            line = line_at(file, row.at, row.length)
            if line is None:
                continue
            message = Message.load(line.body)
            if row.facts:
                message = replace(message, reactions=ChatFacts.load(row.facts).reactions)
            yield row, message

    def is_root(self, id_: str) -> bool:
        """Whether a message is here, and in no thread that another began."""
        return self.base.execute("SELECT 1 FROM message WHERE id = ? AND thread = ''", (id_,)).fetchone() is not None

    def in_thread(self, row: Row) -> str | None:
        """Where a reply stands in its thread; "" if that is not here, None of a message that is no reply."""
        if not row.thread:
            return None
        page = page_of(self.folder.index, row.thread) if self.is_root(row.thread) else None
        return f"{page}#{anchor(row.id)}" if page else ""


def page_of(index: Index, id_: str) -> str | None:
    """The page of the message with this id."""
    row = index.base.execute("SELECT page FROM message WHERE id = ? AND page IS NOT NULL LIMIT 1", (id_,)).fetchone()
    return row[0] if row else None


def room_title(entry: Entry) -> str:
    """A room's name with the sign that people know it by."""
    return f"# {entry.title}" if entry.kind in (RoomKind.PUBLIC, RoomKind.PRIVATE) else entry.title


def words_title(name: str) -> str:
    """ "words-2026-2.html" as people read it."""
    year, _, part = name.removeprefix("words-").removesuffix(".html").partition("-")
    return f"{year}, part {part}" if part else year


def count_text(count: int, what: str = "message") -> str:
    """A number of messages, or of something else."""
    return f"1 {what}" if count == 1 else f"{count:,} {what}s"


def time_of(value: int) -> datetime:
    """The time that the index keeps as a number."""
    return _EPOCH + timedelta(microseconds=value)


def last_folder(entry: Entry) -> str:
    """A room's folder as its neighbours address it."""
    return address(entry.folder.rpartition("/")[2])
