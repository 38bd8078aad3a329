"""What the pages of a room say: one a month, one with all words of a year, its files, and one that leads to them."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import groupby, islice
from typing import IO

from liberate.chat import Message, RoomKind
from liberate_local.archive_html import (
    MONTHS,
    Said,
    address,
    anchor,
    day_text,
    line_html,
    link,
    local,
    message_end,
    message_html,
    size_text,
    text,
)
from liberate_local.archive_style import page_end, page_top
from liberate_local.archive_view import Page, RoomView, Row, Words, count_text, room_title, time_of, words_title

LINES_BEGIN, LINES_END = "<!--lines-->\n", "<!--/lines-->\n"
_FOLLOWS = timedelta(minutes=5)
_KINDS = {
    RoomKind.PUBLIC: "Public room",
    RoomKind.PRIVATE: "Private room",
    RoomKind.GROUP: "Group conversation",
    RoomKind.DIRECT: "Direct conversation",
}
_PRIVATE = {
    RoomKind.PRIVATE: "This room was private: only those who were invited could read it.",
    RoomKind.GROUP: "This was a conversation between some people only.",
    RoomKind.DIRECT: "This was a private conversation.",
}


def _top(view: RoomView, here: str) -> str:
    crumbs = [("../../index.html", view.look.workspace), ("index.html", room_title(view.entry))]
    return page_top(f"{here}: {view.entry.title}", crumbs, here)


def _private(view: RoomView) -> str:
    told = _PRIVATE.get(view.described.kind)
    return f'<p class="private"><b>Private.</b> {told}</p>\n' if told else ""


def _room_name(view: RoomView) -> str:
    return f"<b><bdi>{text(room_title(view.entry))}</bdi></b>"


# Months ------------------------------------------------------------------------------------------


def around(page: Page, pages: Sequence[Page]) -> tuple[Page | None, Page | None]:
    """The pages before and after this one."""
    before = pages[page.number - 1] if page.number else None
    return before, pages[page.number + 1] if page.number + 1 < len(pages) else None


def month_page(view: RoomView, page: Page, pages: Sequence[Page]) -> Iterator[str]:
    """A page of a month, a message after another."""
    before, after = around(page, pages)
    turn = f'<a rel="prev" href="{before.name}">← {before.title}</a>' if before else "<span></span>"
    turn += f'<a rel="next" href="{after.name}">{after.title} →</a>' if after else ""
    yield _top(view, page.title)
    yield f"<h1>{page.title}</h1>\n"
    yield f'<p class="lead">{count_text(page.messages)} in {_room_name(view)}. '
    yield f"Times are those of {text(view.look.zone_name)}.</p>\n"
    yield _private(view)
    yield f'<nav class="turn" aria-label="Months">{turn}</nav>\n' if before or after else ""
    day = ""
    last: Message | None = None
    with open(view.folder.lines.path, "rb") as file:
        for row, message in view.messages(view.on(page.name), file):
            today = day_text(local(message.time, view.zone))
            if today != day:
                yield "</section>\n" if day else ""
                yield f'<section class="days">\n<h2 class="day"><span>{today}</span></h2>\n'
                day, last = today, None
            root = view.in_thread(row)
            yield message_html(Said(message, row.id in view.pins, _follows(last, message), not root, root), view) + "\n"
            threaded = not row.thread and (yield from _thread(view, row, file))
            yield message_end() + "\n"
            last = None if threaded else message
    yield "</section>\n" if day else ""
    yield f'<nav class="turn foot" aria-label="Months, again">{turn}</nav>\n' if before or after else ""
    yield page_end()


def _thread(view: RoomView, root: Row, file: IO[bytes]) -> Generator[str, None, bool]:
    """The replies to a message, folded away; whether there are any."""
    count, latest = view.base.execute(
        "SELECT COUNT(*), MAX(time) FROM message WHERE thread = ? AND thread != ''", (root.id,)
    ).fetchone()
    if not count:
        return False
    until = day_text(local(time_of(latest), view.zone))
    told = "1 reply" if count == 1 else f"{count:,} replies"
    yield f'<details class="thread"><summary>{told}<span class="soft">, last on {until}</span></summary>\n<div>\n'
    last: Message | None = None
    day = day_text(local(time_of(root.time), view.zone))
    for row, message in view.messages(view.replies(root.id), file):
        today = day_text(local(message.time, view.zone))
        if today != day:
            yield f'<p class="note">{today}</p>\n'
            day, last = today, None
        yield message_html(Said(message, row.id in view.pins, _follows(last, message)), view) + "\n"
        yield message_end() + "\n"
        last = message
    yield "</div>\n</details>\n"
    return True


def _follows(last: Message | None, message: Message) -> bool:
    if last is None or last.author != message.author or last.change or message.change:
        return False
    return last.kind == message.kind == "message" and timedelta(0) <= message.time - last.time < _FOLLOWS


# All words ---------------------------------------------------------------------------------------


def words_page(view: RoomView, words: Words) -> Iterator[str]:
    """Every message of some months, each on one line and none folded away: for the browser's own search."""
    title = f"All words of {words_title(words.name)}"
    yield _top(view, title)
    yield f"<h1>{title}</h1>\n"
    yield f'<p class="lead">{count_text(words.messages)} in {_room_name(view)}, a line each. '
    yield "Search this page with your browser: Ctrl+F, on a Mac ⌘F, on a phone “Find in page”.</p>\n"
    yield _private(view)
    yield LINES_BEGIN
    with open(view.folder.lines.path, "rb") as file:
        for page in words.pages:
            yield f'<h2>{page.title}</h2>\n<ol class="lines">\n'
            for row, message in view.messages(view.on(page.name), file):
                if row.thread and view.in_thread(row):
                    continue  # it stands in its thread
                yield line_html(Said(message), view, f"{page.name}#{anchor(row.id)}") + "\n"
                if not row.thread:
                    for _, reply in view.messages(view.replies(row.id), file):
                        yield line_html(Said(reply), view, f"{page.name}#{anchor(reply.id)}") + "\n"
            yield "</ol>\n"
    yield LINES_END
    yield page_end()


# Files -------------------------------------------------------------------------------------------


def files_page(view: RoomView) -> Iterator[str]:
    """Every file of the room, the latest first."""
    yield _top(view, "Files")
    yield f'<h1>Files</h1>\n<p class="lead">Everything that hangs on the messages in {_room_name(view)}.</p>\n'
    yield _private(view)
    yield '<div class="scroll"><table class="list">\n<thead><tr><th scope="col">File</th><th scope="col" class="n">Size'
    yield '</th><th scope="col">From</th><th scope="col">When</th></tr></thead>\n'
    rows = view.base.execute(
        """SELECT f.name, f.size, m.author, m.time, m.page, m.id FROM hangs h JOIN file f ON f.item = h.item
        JOIN message m ON m.key = h.key ORDER BY m.time DESC, m.seq DESC, f.name"""
    )
    for name, size, author, time, page, id_ in rows:
        when = f"{local(time_of(time), view.zone):%Y-%m-%d %H:%M}"
        cells = (
            f'<td class="n">{size_text(size)}</td><td><bdi>{text(view.author(author).name)}</bdi></td>'
            f'<td><a href="{page}#{anchor(id_)}">{when}</a></td>'
        )
        href = text(address("files", name))
        file_link = f'<a href="{href}" download="{text(name)}"><bdi>{text(name)}</bdi></a>'
        yield f'<tr><th scope="row">{file_link}</th>{cells}</tr>\n'
    yield "</table></div>\n"
    yield page_end()


# The room's own page -----------------------------------------------------------------------------


def contents_page(view: RoomView, pages: Sequence[Page], words: Sequence[Words]) -> Iterator[str]:
    """What the room is, and the way to everything in it."""
    room, entry = view.described, view.entry
    messages, files, _, _ = view.folder.index.counts()
    yield page_top(entry.title, [("../../index.html", view.look.workspace)], room_title(entry))
    archived = ' <span class="badge">archived</span>' if room.archived else ""
    yield f"<h1><bdi>{text(room_title(entry))}</bdi>{archived}</h1>\n"
    yield f'<p class="lead">{_KINDS[room.kind]}, {count_text(messages)}'
    yield f', <a href="files.html">{count_text(files, "file")}</a>.</p>\n' if files else ".</p>\n"
    yield _private(view)
    for label, value in (("Topic", room.topic), ("Purpose", room.purpose)):
        if value:
            yield f'<p><b>{label}:</b> <span lang="" dir="auto">{text(value)}</span></p>\n'
    if room.created is not None:
        by = f" by <bdi>{text(view.author(room.creator).name)}</bdi>" if room.creator else ""
        yield f'<p class="soft">Made on {day_text(local(room.created, view.zone))}{by}.</p>\n'
    yield from _years(pages, words)
    yield from _pinned(view)
    if room.bookmarks:
        yield "<h2>Bookmarks</h2>\n" + _list("plain", (link(one.url, one.title) for one in room.bookmarks))
    yield from _who_wrote(view)
    if room.members:
        names = ", ".join(f"<bdi>{text(one)}</bdi>" for one in sorted(view.author(id_).name for id_ in room.members))
        yield f"<h2>Members ({len(room.members):,})</h2>\n<p>{names}</p>\n"
    yield page_end()


def _years(pages: Sequence[Page], words: Sequence[Words]) -> Iterator[str]:
    if not pages:
        return
    yield "<h2>Read</h2>\n"
    for year, some in groupby(pages, key=lambda page: page.month[:4]):
        links = (
            f'<a href="{page.name}">{MONTHS[int(page.month[5:7]) - 1]}{f", {page.part}" if page.part > 1 else ""}</a> '
            f'<span class="soft">{page.messages:,}</span>'
            for page in some
        )
        yield f"<h3>{year}</h3>\n" + _list("jump", links)
    yield "<h2>Search</h2>\n<p>Open a year and search the page with your browser (Ctrl+F, ⌘F, “Find in page”): "
    yield "every message stands there on one line, with its author, and nothing is folded away.</p>\n"
    links = (f'<a href="{one.name}">All words of {words_title(one.name)}</a>' for one in words)
    yield _list("jump", links)


def _pinned(view: RoomView) -> Iterator[str]:
    if not view.pins:
        return
    lines = []
    with open(view.folder.lines.path if os.path.exists(view.folder.lines.path) else os.devnull, "rb") as file:
        for id_ in view.described.pins:
            for row, message in view.messages(islice(view.rows("m.id = ?", id_), 1), file):
                href = f"{row.page or row.shown}#{anchor(id_)}"
                lines.append(line_html(Said(replace(message, thread="")), view, href) + "\n")
    if lines:
        yield f'<h2>Pinned</h2>\n<ol class="lines">\n{"".join(lines)}</ol>\n'


def _who_wrote(view: RoomView) -> Iterator[str]:
    yield '<h2>Who wrote</h2>\n<div class="scroll"><table class="list">\n<thead><tr><th scope="col">Name</th>'
    yield '<th scope="col" class="n">Messages</th><th scope="col">From</th><th scope="col">To</th></tr></thead>\n'
    rows = view.base.execute(
        "SELECT author, COUNT(*), MIN(time), MAX(time) FROM message GROUP BY author ORDER BY 2 DESC, author"
    )
    for author, count, first, last in rows:
        times = "</td><td>".join(local(time_of(one), view.zone).isoformat()[:10] for one in (first, last))
        name = f'<th scope="row"><bdi>{text(view.author(author).name)}</bdi></th>'
        yield f'<tr>{name}<td class="n">{count:,}</td><td>{times}</td></tr>\n'
    yield "</table></div>\n"


def _list(kind: str, entries: Iterable[str]) -> str:
    return f'<ul class="{kind}">\n' + "".join(f"<li>{one}</li>\n" for one in entries) + "</ul>\n"
