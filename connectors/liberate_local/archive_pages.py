"""The pages of a room: one a month, one with all words of a year, and one that leads to them.

Only pages of which something changed are written; what a page shows is summed up in its fingerprint. Messages
are read one after another, so memory does not grow with the room.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import IO

from liberate.chat import Author, ChatFacts, Message, Room, RoomKind
from liberate_local.archive_html import (
    Said,
    address,
    anchor,
    day_text,
    line_html,
    link,
    local,
    message_end,
    message_html,
    month_text,
    text,
)
from liberate_local.archive_index import Index
from liberate_local.archive_register import Entry, Known, part_of
from liberate_local.archive_room import RoomFolder, line_at
from liberate_local.archive_style import page_end, page_top
from liberate_local.durable import forget, new_file, sync_files, sync_folder

FORM = "1"  # of the pages; raised when they shall all be written again
PAGE = 1000  # messages on a page; a thread is not torn
WORDS = 20_000  # messages on a page with all words
LINES_BEGIN, LINES_END = "<!--lines-->\n", "<!--/lines-->\n"
_FOLLOWS = timedelta(minutes=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

KINDS = {
    RoomKind.PUBLIC: "Public room",
    RoomKind.PRIVATE: "Private room",
    RoomKind.GROUP: "Group conversation",
    RoomKind.DIRECT: "Direct conversation",
}
PRIVATE = {
    RoomKind.PRIVATE: "🔒 This room was private: only those who were invited could read it.",
    RoomKind.GROUP: "🔒 This conversation was between some people only.",
    RoomKind.DIRECT: "🔒 This conversation was private.",
}

_STREAM = """(m.thread = '' OR m.broadcast OR NOT EXISTS (
    SELECT 1 FROM message r WHERE r.id = m.thread AND r.thread = ''))"""
_FIELDS = "m.key, m.id, m.seq, m.time, m.at, m.length, m.facts, m.facts_at, m.thread, m.author, m.page, m.shown"


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
    page: str | None
    shown: str | None


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
class Look:
    """What pages need to know besides their own room."""

    zone: tzinfo
    zone_name: str
    workspace: str  # its name
    people: Mapping[str, Known]
    entries: Mapping[str, Entry]
    elsewhere: Callable[[str, str], str | None]  # the page of a message in another room: its room's and its own id


class RoomPages:
    """Writes the pages of one room. It is also the View of its messages."""

    def __init__(self, folder: RoomFolder, room: Room, entry: Entry, look: Look) -> None:
        self._folder = folder
        self._index: Index = folder.index
        self._base = folder.index.base
        self._room = room
        self._entry = entry
        self._look = look
        self._pins = frozenset(room.pins)
        self._written: list[bytes] = []
        self.zone = look.zone
        self.grew = False  # messages came to pages, or to other ones than before

    # What messages ask (View) --------------------------------------------------------------------

    def author(self, id_: str) -> Author:
        known = self._look.people.get(id_)
        return known.author if known is not None else Author(id_, id_ or "somebody", kind="stranger")

    def room(self, id_: str) -> str | None:
        entry = self._look.entries.get(id_)
        if entry is None:
            return None
        return "index.html" if id_ == self._room.id else f"../{_last(entry)}/index.html"

    def message(self, id_: str) -> str | None:
        for room, entry in self._rooms_of(id_):
            one = id_[len(room) + 1 :]
            if room == self._room.id:
                if page := self._page_of(one):
                    return f"{page}#{anchor(one)}"
            elif page := self._look.elsewhere(room, one):
                return f"../{_last(entry)}/{page}#{anchor(one)}"
        return None

    def _rooms_of(self, id_: str) -> Iterator[tuple[str, Entry]]:
        """The rooms that "<room id>/<message id>" may speak of: both may hold a "/"."""
        at = id_.find("/")
        while at >= 0:
            if entry := self._look.entries.get(id_[:at]):
                yield id_[:at], entry
            at = id_.find("/", at + 1)

    def file(self, id_: str) -> str | None:
        name = self._index.name_of(id_)
        return address("files", name) if name is not None else None

    def _page_of(self, id_: str) -> str | None:
        return page_of(self._index, id_)

    # Writing -------------------------------------------------------------------------------------

    def write(self) -> list[tuple[str, int]]:
        """Write every page that changed; the pages with all words, and how many messages they hold."""
        base = self._base
        base.execute("BEGIN IMMEDIATE")
        try:
            pages = self._laid_out()
            prints = {page.name: self._fingerprint(page, pages) for page in pages}
            told = self._told("page")
            for page in pages:
                if told.get(page.name) != prints[page.name] or not self._is_there(page.name):
                    self._write(page.name, self._month(page, pages))
            words = self._words(pages, prints)
            told_words = self._told("words")
            for name, some, print_ in words:
                if told_words.get(name) != print_ or not self._is_there(name):
                    self._write(name, self._all_words(name, some))
            self._write("index.html", iter([self._contents(pages, words)]))
            self._bring_to_disk()
            gone = (told.keys() | told_words.keys()) - prints.keys() - {name for name, _, _ in words}
            for name in gone:
                forget(self._path(name))
            self._remember(pages, prints, words)
            base.execute("COMMIT")
        except BaseException:
            if base.in_transaction:
                base.execute("ROLLBACK")
            raise
        return [(name, sum(page.messages for page in some)) for name, some, _ in words]

    def rewrite(self, names: Iterable[str]) -> None:
        """Write these pages again as far as they changed: what they link to did."""
        pages = self._pages()
        told = self._told("page")
        for page in pages:
            if page.name in names:
                print_ = self._fingerprint(page, pages)
                if print_ != told.get(page.name):
                    self._write(page.name, self._month(page, pages))
                    self._bring_to_disk()
                    self._base.execute("UPDATE page SET fingerprint = ? WHERE name = ?", (print_, page.name))

    def _told(self, table: str) -> dict[str, str]:
        return dict(self._base.execute(f"SELECT name, fingerprint FROM {table}"))  # noqa: S608

    def _remember(self, pages: list[Page], prints: Mapping[str, str], words: list[tuple[str, list[Page], str]]) -> None:
        base = self._base
        base.execute("DELETE FROM page")
        base.executemany(
            "INSERT INTO page VALUES (?, ?, ?, ?, ?, ?)",
            ((one.name, one.number, one.month, one.part, one.messages, prints[one.name]) for one in pages),
        )
        base.execute("DELETE FROM words")
        base.executemany("INSERT INTO words VALUES (?, ?)", ((name, print_) for name, _, print_ in words))

    def _pages(self) -> list[Page]:
        rows = self._base.execute("SELECT name, number, month, part, messages FROM page ORDER BY number")
        return [Page(*row) for row in rows]

    def _path(self, name: str) -> bytes:
        return os.path.join(self._folder.folder, name.encode())

    def _is_there(self, name: str) -> bool:
        return os.path.exists(self._path(name))

    def _write(self, name: str, chunks: Iterator[str]) -> None:
        """Write a page under another name, unless it is what stands there."""
        path = self._path(name)
        part = part_of(path)
        try:
            new_file(part, (chunk.encode("utf-8", "replace") for chunk in chunks), None, sync=False)
            if _same(part, path):
                forget(part)
                return
            self._written.append(path)
            os.replace(part, path)
        except BaseException:
            forget(part)
            raise

    def _bring_to_disk(self) -> None:
        if self._written:
            sync_files(self._folder.folder, self._written)
            sync_folder(self._folder.folder)
            self._written = []

    # Which message stands on which page ----------------------------------------------------------

    def _laid_out(self) -> list[Page]:
        """Give each message its page: by month, and in parts where a month has many."""
        pages: list[Page] = []
        moves: list[tuple[str, str | None, bytes]] = []
        for row, replies in self._stream():
            month = local(_time(row.time), self.zone).isoformat()[:7]
            last = pages[-1] if pages else None
            if last is None or last.month != month or last.messages >= PAGE:
                part = last.part + 1 if last is not None and last.month == month else 1
                name = f"{month}.html" if part == 1 else f"{month}-{part}.html"
                last = Page(name, len(pages), month, part, 0)
                pages.append(last)
            pages[-1] = replace(last, messages=last.messages + 1 + replies)
            # A reply that stands outside of its thread too is found in the thread.
            page = last.name if not row.thread or self._root_page(row.thread) is None else row.page
            if (page, last.name) != (row.page, row.shown):
                moves.append((page or "", last.name, row.key))
            if len(moves) >= PAGE:
                self._move(moves)
        self._move(moves)
        moved = self._base.execute(
            """UPDATE message AS m SET page = (SELECT r.page FROM message r WHERE r.id = m.thread AND r.thread = ''),
            shown = CASE WHEN m.broadcast THEN m.shown END
            WHERE m.thread != '' AND EXISTS (SELECT 1 FROM message r WHERE r.id = m.thread AND r.thread = ''
            AND (m.page IS NOT r.page OR (m.shown IS NOT NULL AND NOT m.broadcast)))"""
        )
        self.grew = self.grew or moved.rowcount > 0
        return pages

    def _root_page(self, id_: str) -> str | None:
        row = self._base.execute("SELECT id FROM message WHERE id = ? AND thread = ''", (id_,)).fetchone()
        return row[0] if row else None

    def _move(self, moves: list[tuple[str, str | None, bytes]]) -> None:
        self.grew = self.grew or bool(moves)
        self._base.executemany("UPDATE message SET page = NULLIF(?, ''), shown = ? WHERE key = ?", moves)
        moves.clear()

    def _stream(self) -> Iterator[tuple[Row, int]]:
        """Every message that stands in the room itself and not only in a thread, and how many replies it has."""
        after = (-(2**63), -1)
        while True:
            rows = self._base.execute(
                f"""SELECT {_FIELDS}, (SELECT COUNT(*) FROM message t WHERE t.thread = m.id AND m.thread = '')
                FROM message m WHERE (m.time, m.seq) > (?, ?) AND {_STREAM} ORDER BY m.time, m.seq LIMIT 1000""",  # noqa: S608
                after,
            ).fetchall()
            for row in rows:
                yield Row(*row[:-1]), row[-1]
            if len(rows) < 1000:
                return
            after = (rows[-1][3], rows[-1][2])

    def _on(self, page: str) -> Iterator[Row]:
        """The messages that stand on a page by themselves, in order."""
        yield from self._rows("m.shown = ?", page)

    def _replies(self, root: str) -> Iterator[Row]:
        yield from self._rows("m.thread = ? AND m.thread != ''", root)

    def _rows(self, where: str, value: str) -> Iterator[Row]:
        query = f"SELECT {_FIELDS} FROM message m WHERE {where} ORDER BY m.time, m.seq"  # noqa: S608
        cursor = self._base.execute(query, (value,))
        while some := cursor.fetchmany(500):
            for row in some:
                yield Row(*row)

    # Fingerprints --------------------------------------------------------------------------------

    def _fingerprint(self, page: Page, pages: list[Page]) -> str:
        """Sums up everything that a page shows."""
        digest = hashlib.blake2b(digest_size=16)
        room, look = self._room, self._look
        around = [(one.name, one.title) for one in self._around(page, pages) if one is not None]
        said = (FORM, look.zone_name, look.workspace, self._entry.title, room.kind.value, page.title, around)
        digest.update(json.dumps(said).encode())
        for row in self._on(page.name):
            self._digest_row(digest, row)
            if row.thread:
                digest.update((self._page_of(row.thread) or "").encode())
                continue
            for reply in self._replies(row.id):
                self._digest_row(digest, reply)
        one = (page.name, page.name)
        keys = "SELECT key FROM message WHERE shown = ? UNION SELECT key FROM message WHERE page = ?"
        for (id_,) in self._base.execute(f"SELECT DISTINCT id FROM named WHERE key IN ({keys}) ORDER BY id", one):  # noqa: S608
            author = self.author(id_)
            digest.update(json.dumps([id_, author.name, author.kind, author.former]).encode())
        targets = self._base.execute(
            f"SELECT DISTINCT what, id FROM target WHERE key IN ({keys}) ORDER BY what, id",  # noqa: S608
            one,
        )
        for what, id_ in targets.fetchall():
            href = self.room(id_) if what == "room" else self.message(id_)
            digest.update(json.dumps([what, id_, href]).encode())
        files = self._base.execute(
            f"""SELECT h.item, f.name FROM hangs h JOIN file f ON f.item = h.item WHERE h.key IN ({keys})
            ORDER BY h.item, f.name""",  # noqa: S608
            one,
        )
        for item, name in files:
            digest.update(json.dumps([item, name]).encode())
        return digest.hexdigest()

    def _digest_row(self, digest: hashlib.blake2b, row: Row) -> None:
        said = f"{row.key.hex()} {row.seq} {row.at} {row.facts_at} {row.id in self._pins}\n"
        digest.update(said.encode())

    # The pages -----------------------------------------------------------------------------------

    @staticmethod
    def _around(page: Page, pages: list[Page]) -> tuple[Page | None, Page | None]:
        before = pages[page.number - 1] if page.number else None
        return before, pages[page.number + 1] if page.number + 1 < len(pages) else None

    def _top(self, title: str, here: str, turn: str = "") -> str:
        crumbs = [("../../index.html", self._look.workspace), ("index.html", room_title(self._entry))]
        return page_top(f"{title}: {self._entry.title}", crumbs, here, turn)

    def _private(self) -> str:
        told = PRIVATE.get(self._room.kind)
        return f'<p class="private">{told}</p>\n' if told else ""

    def _month(self, page: Page, pages: list[Page]) -> Iterator[str]:
        before, after = self._around(page, pages)
        links = [
            f'<a rel="prev" href="{before.name}">← {before.title}</a>' if before else "<span></span>",
            f'<a rel="next" href="{after.name}">{after.title} →</a>' if after else "<span></span>",
        ]
        turn = "".join(links)
        yield self._top(page.title, page.title)
        yield f"<h1>{page.title}</h1>\n"
        yield f'<p class="lead">{count_text(page.messages)} in <b><bdi>{text(room_title(self._entry))}</bdi></b>. '
        yield f"Times are those of {text(self._look.zone_name)}.</p>\n"
        yield self._private()
        yield f'<nav class="turn" aria-label="Months">{turn}</nav>\n'
        day = ""
        last: Message | None = None
        with open(self._folder.lines.path, "rb") as file:
            for row, message in self._messages(self._on(page.name), file):
                time = local(message.time, self.zone)
                today = day_text(time)
                if today != day:
                    yield (
                        "</section>\n" if day else ""
                    ) + f'<section class="days">\n<h2 class="day"><span>{today}</span></h2>\n'
                    day, last = today, None
                root = self._root_of(row)
                said = Said(message, row.id in self._pins, _follows(last, message), root in (None, ""), root)
                yield message_html(said, self) + "\n"
                if not row.thread:
                    yield from self._thread(row, file)
                yield message_end() + "\n"
                last = message
        yield "</section>\n" if day else ""
        yield f'<nav class="turn foot" aria-label="Months, again">{turn}</nav>\n'
        yield page_end()

    def _root_of(self, row: Row) -> str | None:
        """Of a reply that stands outside of its thread, where the thread is; "" if it is not here."""
        if not row.thread:
            return None
        page = self._page_of(row.thread) if self._root_page(row.thread) else None
        return f"{page}#{anchor(row.id)}" if page else ""

    def _thread(self, root: Row, file: IO[bytes]) -> Iterator[str]:
        count, latest = self._base.execute(
            "SELECT COUNT(*), MAX(time) FROM message WHERE thread = ? AND thread != ''", (root.id,)
        ).fetchone()
        if not count:
            return
        until = day_text(local(_time(latest), self.zone))
        told = "1 reply" if count == 1 else f"{count:,} replies"
        yield f'<details class="thread"><summary>{told}<span class="soft">, last on {until}</span></summary>\n<div>\n'
        last: Message | None = None
        day = day_text(local(_time(root.time), self.zone))
        for row, message in self._messages(self._replies(root.id), file):
            today = day_text(local(message.time, self.zone))
            if today != day:
                yield f'<p class="note">{today}</p>\n'
                day, last = today, None
            yield message_html(Said(message, row.id in self._pins, _follows(last, message)), self) + "\n"
            yield message_end() + "\n"
            last = message
        yield "</div>\n</details>\n"

    def _messages(self, rows: Iterator[Row], file: IO[bytes]) -> Iterator[tuple[Row, Message]]:
        """The messages of these rows, with the reactions they have now."""
        for row in rows:
            line = line_at(file, row.at, row.length)
            if line is None:
                continue
            message = Message.load(line.body)
            if row.facts:
                message = replace(message, reactions=ChatFacts.load(row.facts).reactions)
            yield row, message

    # All words -----------------------------------------------------------------------------------

    @staticmethod
    def _words(pages: list[Page], prints: Mapping[str, str]) -> list[tuple[str, list[Page], str]]:
        """The pages with all words of a year: what each is called, the months on it, and its fingerprint."""
        out: list[tuple[str, list[Page]]] = []
        part = 1
        for page in pages:
            year = page.month[:4]
            some = out[-1][1] if out else []
            if not some or some[0].month[:4] != year:
                part = 1
                out.append((f"words-{year}.html", [page]))
            elif sum(one.messages for one in some) >= WORDS:
                part += 1
                out.append((f"words-{year}-{part}.html", [page]))
            else:
                some.append(page)
        return [
            (
                name,
                some,
                hashlib.blake2b("".join(prints[one.name] for one in some).encode(), digest_size=16).hexdigest(),
            )
            for name, some in out
        ]

    def _all_words(self, name: str, pages: list[Page]) -> Iterator[str]:
        title = f"All words of {words_title(name)}"
        yield self._top(title, title)
        yield f"<h1>{title}</h1>\n"
        count = count_text(sum(one.messages for one in pages))
        yield f'<p class="lead">{count} in <b><bdi>{text(room_title(self._entry))}</bdi></b>, a line each. '
        yield "Search this page with your browser: Ctrl+F, on a Mac ⌘F, on a phone “Find in page”.</p>\n"
        yield self._private()
        yield LINES_BEGIN
        with open(self._folder.lines.path, "rb") as file:
            for page in pages:
                yield f'<h2>{page.title}</h2>\n<ol class="lines">\n'
                for row, message in self._messages(self._on(page.name), file):
                    if row.thread and self._root_of(row):
                        continue  # it stands in its thread
                    yield line_html(Said(message), self, f"{page.name}#{anchor(row.id)}") + "\n"
                    if not row.thread:
                        for _, reply in self._messages(self._replies(row.id), file):
                            yield line_html(Said(reply), self, f"{page.name}#{anchor(reply.id)}") + "\n"
                yield "</ol>\n"
        yield LINES_END
        yield page_end()

    # The room's own page -------------------------------------------------------------------------

    def _contents(self, pages: list[Page], words: list[tuple[str, list[Page], str]]) -> str:
        room, entry = self._room, self._entry
        out = [page_top(entry.title, [("../../index.html", self._look.workspace)], room_title(entry))]
        archived = ' <span class="badge">archived</span>' if room.archived else ""
        out.append(f"<h1><bdi>{text(room_title(entry))}</bdi>{archived}</h1>\n")
        out.append(f'<p class="lead">{KINDS[room.kind]}, {count_text(sum(page.messages for page in pages))}.</p>\n')
        out.append(self._private())
        for label, value in (("Topic", room.topic), ("Purpose", room.purpose)):
            if value:
                out.append(f'<p><b>{label}:</b> <span lang="" dir="auto">{text(value)}</span></p>\n')
        if room.created is not None:
            by = f" by <bdi>{text(self.author(room.creator).name)}</bdi>" if room.creator else ""
            out.append(f'<p class="soft">Made on {day_text(local(room.created, self.zone))}{by}.</p>\n')
        out.append("<h2>Read</h2>\n")
        out.append(
            _list(
                f'<a href="{page.name}">{page.title}</a> <span class="soft">{page.messages:,}</span>' for page in pages
            )
        )
        out.append(
            "<h2>Search</h2>\n<p>Open a year and search the page with your browser (Ctrl+F, ⌘F, “Find in page”): "
        )
        out.append("every message stands there on one line, with its author.</p>\n")
        out.append(_list(f'<a href="{name}">{words_title(name)}</a>' for name, _, _ in words))
        out += self._pinned() + self._bookmarks() + self._who_wrote() + self._members()
        out.append(page_end())
        return "".join(out)

    def _pinned(self) -> list[str]:
        out = []
        with open(self._folder.lines.path, "rb") if self._pins else _nothing() as file:
            for id_ in self._room.pins:
                rows = list(islice(self._rows("m.id = ?", id_), 1))
                for row, message in self._messages(iter(rows), file):
                    page = row.page or row.shown
                    out.append(line_html(Said(replace(message, thread="")), self, f"{page}#{anchor(id_)}") + "\n")
        return ['<h2>Pinned</h2>\n<ol class="lines">\n', *out, "</ol>\n"] if out else []

    def _bookmarks(self) -> list[str]:
        some = [f"<li>{link(one.url, one.title)}</li>\n" for one in self._room.bookmarks]
        return ['<h2>Bookmarks</h2>\n<ul class="plain">\n', *some, "</ul>\n"] if some else []

    def _who_wrote(self) -> list[str]:
        rows = self._base.execute(
            "SELECT author, COUNT(*), MIN(time), MAX(time) FROM message GROUP BY author ORDER BY 2 DESC, author"
        )
        out = ['<h2>Who wrote</h2>\n<div class="scroll"><table class="list">\n<thead><tr><th scope="col">Name</th>']
        out.append(
            '<th scope="col" class="n">Messages</th><th scope="col">From</th><th scope="col">To</th></tr></thead>\n'
        )
        for author, count, first, last in rows:
            times = (local(_time(one), self.zone).isoformat()[:10] for one in (first, last))
            name = f'<th scope="row"><bdi>{text(self.author(author).name)}</bdi></th>'
            out.append(f'<tr>{name}<td class="n">{count:,}</td><td>{"</td><td>".join(times)}</td></tr>\n')
        return [*out, "</table></div>\n"]

    def _members(self) -> list[str]:
        names = sorted(self.author(one).name for one in self._room.members)
        if not names:
            return []
        return [
            f"<h2>Members ({len(names):,})</h2>\n<p>",
            ", ".join(f"<bdi>{text(one)}</bdi>" for one in names),
            "</p>\n",
        ]


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


def count_text(count: int) -> str:
    """A number of messages."""
    return "1 message" if count == 1 else f"{count:,} messages"


def _list(entries: Iterable[str]) -> str:
    return '<ul class="jump">\n' + "".join(f"<li>{one}</li>\n" for one in entries) + "</ul>\n"


def _last(entry: Entry) -> str:
    return address(entry.folder.rpartition("/")[2])


def _time(value: int) -> datetime:
    return _EPOCH + timedelta(microseconds=value)


def _follows(last: Message | None, message: Message) -> bool:
    if last is None or last.author != message.author or last.change or message.change:
        return False
    return last.kind == message.kind == "message" and timedelta(0) <= message.time - last.time < _FOLLOWS


def _same(one: bytes, other: bytes) -> bool:
    """Whether two files have the same bytes."""
    try:
        if os.stat(one).st_size != os.stat(other).st_size:
            return False
        with open(one, "rb") as first, open(other, "rb") as second:
            while chunk := first.read(1 << 20):
                if chunk != second.read(1 << 20):
                    return False
        return True
    except FileNotFoundError:
        return False


def _nothing() -> IO[bytes]:
    return open(os.devnull, "rb")  # a context manager like the other
