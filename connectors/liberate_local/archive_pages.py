"""Writes the pages of a room, those of which something changed.

What a page shows is summed up in its fingerprint. Messages are read one after another, so memory does not grow
with the room.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from liberate.chat import Room
from liberate_local.archive_html import local
from liberate_local.archive_register import Entry, part_of
from liberate_local.archive_render import around, contents_page, files_page, month_page, words_page
from liberate_local.archive_room import RoomFolder
from liberate_local.archive_view import FIELDS, Look, Page, RoomView, Row, Words, page_of, time_of
from liberate_local.durable import forget, new_file, sync_files, sync_folder

FORM = "1"  # of the pages; raised when they shall all be written again
PAGE = 1000  # messages on a page; a thread is not torn
WORDS = 20_000  # messages on a page with all words
_PAGE_NAME = re.compile(r"(\d{4}-\d\d|words-\d{4})(-\d+)?\.html")
_TOGETHER = 1000
_BUFFER = 1 << 16

_STREAM = """(m.thread = '' OR m.broadcast OR NOT EXISTS (
    SELECT 1 FROM message r WHERE r.id = m.thread AND r.thread = ''))"""


class RoomPages:
    """The pages of one room, from its index as it is."""

    def __init__(self, folder: RoomFolder, room: Room, entry: Entry, look: Look) -> None:
        self._folder = folder
        self._view = RoomView(folder, room, entry, look)
        self._base = folder.index.base
        self._written: list[bytes] = []

    def write(self) -> list[Words]:
        """Write every page that changed; the pages with all words.

        Pages are written between two transactions: another process that writes a room with links to this one
        has to read here meanwhile.
        """
        view = self._view
        with self._together():
            pages = self._laid_out()
        prints = {page.name: self._fingerprint(page, pages) for page in pages}
        words = _words(pages, prints)
        told = self._told()
        for page in pages:
            if told.get(page.name) != prints[page.name] or not self._is_there(page.name):
                self._write(page.name, month_page(view, page, pages))
        for one in words:
            if told.get(one.name) != one.fingerprint or not self._is_there(one.name):
                self._write(one.name, words_page(view, one))
        has_files = bool(self._folder.index.counts()[1])
        if has_files:
            self._write("files.html", files_page(view))
        self._write("index.html", contents_page(view, pages, words))
        self._bring_to_disk()
        for name in self._pages_there() - prints.keys() - {one.name for one in words}:
            forget(self._path(name))
        if not has_files:
            forget(self._path("files.html"))
        with self._together():
            self._remember(pages, prints, words)
        return words

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Changes of the table that are made together or not at all."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._base.execute("COMMIT")
        except BaseException:
            if self._base.in_transaction:
                self._base.execute("ROLLBACK")
            raise

    def _pages_there(self) -> set[str]:
        """The pages of months and of words that stand in the folder, whoever wrote them when."""
        return {name for name in os.listdir(os.fsdecode(self._folder.folder)) if _PAGE_NAME.fullmatch(name)}

    def rewrite(self, names: Container[str]) -> None:
        """Write these pages again as far as they changed: what they link to did."""
        pages = [
            Page(*row)
            for row in self._base.execute("SELECT name, number, month, part, messages FROM page ORDER BY number")
        ]
        told = self._told()
        for page in pages:
            if page.name in names:
                print_ = self._fingerprint(page, pages)
                if print_ != told.get(page.name):
                    self._write(page.name, month_page(self._view, page, pages))
                    self._bring_to_disk()
                    self._base.execute("UPDATE page SET fingerprint = ? WHERE name = ?", (print_, page.name))

    def _told(self) -> dict[str, str]:
        """The fingerprints of the pages that were written, by their names."""
        return dict(self._base.execute("SELECT name, fingerprint FROM page UNION SELECT * FROM words"))

    def _remember(self, pages: Sequence[Page], prints: Mapping[str, str], words: Sequence[Words]) -> None:
        base = self._base
        base.execute("DELETE FROM page")
        base.executemany(
            "INSERT INTO page VALUES (?, ?, ?, ?, ?, ?)",
            ((one.name, one.number, one.month, one.part, one.messages, prints[one.name]) for one in pages),
        )
        base.execute("DELETE FROM words")
        base.executemany("INSERT INTO words VALUES (?, ?)", ((one.name, one.fingerprint) for one in words))

    # Files ---------------------------------------------------------------------------------------

    def _path(self, name: str) -> bytes:
        return os.path.join(self._folder.folder, name.encode())

    def _is_there(self, name: str) -> bool:
        return os.path.exists(self._path(name))

    def _write(self, name: str, chunks: Iterator[str]) -> None:
        """Write a page under another name, unless it is what stands there."""
        path = self._path(name)
        part = part_of(path)
        try:
            new_file(part, _gathered(chunks), None, sync=False)
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
        moves: list[tuple[str | None, str, bytes]] = []
        for row, replies in self._stream():
            month = local(time_of(row.time), self._view.zone).isoformat()[:7]
            last = pages[-1] if pages else None
            if last is None or last.month != month or last.messages >= PAGE:
                part = last.part + 1 if last is not None and last.month == month else 1
                name = f"{month}.html" if part == 1 else f"{month}-{part}.html"
                last = Page(name, len(pages), month, part, 0)
                pages.append(last)
            # A reply that also stands outside of its thread is counted there, and links to it lead there.
            threaded = bool(row.thread) and self._view.is_root(row.thread)
            pages[-1] = replace(last, messages=last.messages + replies + (not threaded))
            page = row.page if threaded else last.name
            if (page, last.name) != (row.page, row.shown):
                moves.append((page, last.name, row.key))
            if len(moves) >= _TOGETHER:
                self._move(moves)
        self._move(moves)
        moved = self._base.execute(
            """UPDATE message AS m SET page = (SELECT r.page FROM message r WHERE r.id = m.thread AND r.thread = ''),
            shown = CASE WHEN m.broadcast THEN m.shown END
            WHERE m.thread != '' AND EXISTS (SELECT 1 FROM message r WHERE r.id = m.thread AND r.thread = ''
            AND (m.page IS NOT r.page OR (m.shown IS NOT NULL AND NOT m.broadcast)))"""
        )
        if moved.rowcount:
            self._folder.index.note_moves()
        return pages

    def _move(self, moves: list[tuple[str | None, str, bytes]]) -> None:
        if moves:
            self._folder.index.note_moves()
        self._base.executemany("UPDATE message SET page = ?, shown = ? WHERE key = ?", moves)
        moves.clear()

    def _stream(self) -> Iterator[tuple[Row, int]]:
        """Every message that stands in the room itself and not only in a thread, and how many replies it has."""
        after = (-(2**63), -1)
        while True:
            rows = self._base.execute(
                f"""SELECT {FIELDS}, (SELECT COUNT(*) FROM message t WHERE t.thread = m.id AND t.thread != ''
                    AND m.thread = '')
                FROM message m WHERE (m.time, m.seq) > (?, ?) AND {_STREAM} ORDER BY m.time, m.seq LIMIT {_TOGETHER}""",  # noqa: S608
                after,
            ).fetchall()
            for row in rows:
                yield Row(*row[:-1]), row[-1]
            if len(rows) < _TOGETHER:
                return
            after = (rows[-1][3], rows[-1][2])

    # Fingerprints --------------------------------------------------------------------------------

    def _fingerprint(self, page: Page, pages: Sequence[Page]) -> str:
        """Sums up everything that a page shows."""
        digest = hashlib.blake2b(digest_size=16)
        view = self._view

        def take(*said: object) -> None:
            digest.update(json.dumps(said).encode())

        take(FORM, view.look.zone_name, view.look.workspace, view.entry.title, view.described.kind.value)
        take(page.title, page.messages, [(one.name, one.title) for one in around(page, pages) if one is not None])
        for row in view.on(page.name):
            self._take_row(digest, row)
            if row.thread:
                take(page_of(self._folder.index, row.thread))
                continue
            for reply in view.replies(row.id):
                self._take_row(digest, reply)
        one = (page.name, page.name)
        keys = "SELECT key FROM message WHERE shown = ? UNION SELECT key FROM message WHERE page = ?"
        for (id_,) in self._base.execute(f"SELECT DISTINCT id FROM named WHERE key IN ({keys}) ORDER BY id", one):  # noqa: S608
            author = view.author(id_)
            take(id_, author.name, author.kind, author.former)
        targets = f"SELECT DISTINCT what, id FROM target WHERE key IN ({keys}) ORDER BY what, id"  # noqa: S608
        for what, id_ in self._base.execute(targets, one):
            take(what, id_, view.room(id_) if what == "room" else view.message(id_))
        files = f"""SELECT h.item, f.name FROM hangs h JOIN file f ON f.item = h.item WHERE h.key IN ({keys})
            ORDER BY h.item, f.name"""  # noqa: S608
        for item, name in self._base.execute(files, one):
            take(item, name)
        return digest.hexdigest()

    def _take_row(self, digest: hashlib.blake2b, row: Row) -> None:
        digest.update(f"{row.key.hex()} {row.seq} {row.at} {row.facts_at} {row.id in self._view.pins}\n".encode())


def _words(pages: Sequence[Page], prints: Mapping[str, str]) -> list[Words]:
    """The pages with all words: one a year, and in parts where a year has many."""
    groups: list[list[Page]] = []
    for page in pages:
        last = groups[-1] if groups else []
        if last and last[0].month[:4] == page.month[:4] and sum(one.messages for one in last) < WORDS:
            last.append(page)
        else:
            groups.append([page])
    out: list[Words] = []
    part = 1
    for group in groups:
        year = group[0].month[:4]
        part = part + 1 if out and out[-1].pages[0].month[:4] == year else 1
        name = f"words-{year}.html" if part == 1 else f"words-{year}-{part}.html"
        told = "".join(prints[one.name] for one in group)
        out.append(Words(name, tuple(group), hashlib.blake2b(told.encode(), digest_size=16).hexdigest()))
    return out


def _gathered(chunks: Iterable[str]) -> Iterator[bytes]:
    """The chunks in UTF-8, many together."""
    some: list[str] = []
    size = 0
    for chunk in chunks:
        some.append(chunk)
        size += len(chunk)
        if size >= _BUFFER:
            yield "".join(some).encode("utf-8", "replace")
            some, size = [], 0
    yield "".join(some).encode("utf-8", "replace")


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
