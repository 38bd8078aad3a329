"""The pages at the top of a chat archive: its rooms, its people, and all words of its public rooms."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from liberate.chat import RoomKind
from liberate_local.archive_html import address, badge_of, text
from liberate_local.archive_pages import WORDS
from liberate_local.archive_register import Entry, Known, write
from liberate_local.archive_render import LINES_BEGIN, LINES_END
from liberate_local.archive_style import page_end, page_top
from liberate_local.archive_view import count_text, room_title, words_title
from liberate_local.durable import forget

_HEADINGS = {
    RoomKind.PUBLIC: "Public rooms",
    RoomKind.PRIVATE: "Private rooms",
    RoomKind.GROUP: "Group conversations",
    RoomKind.DIRECT: "Direct conversations",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def write_contents(root: bytes, workspace: str, entries: Mapping[str, Entry], people: Mapping[str, Known]) -> None:
    """Write the pages at the top as far as they changed."""
    rooms = sorted(entries.values(), key=lambda one: (one.title.casefold(), one.id))
    searches = _searches(rooms)
    for name, parts in searches:
        write(os.path.join(root, name.encode()), b"".join(_search_page(root, workspace, name, parts)))
    wanted = {name.encode() for name, _ in searches}
    for there in os.listdir(root):
        if there.startswith(b"words-") and there.endswith(b".html") and there not in wanted:
            forget(os.path.join(root, there))
    write(os.path.join(root, b"people.html"), "".join(_people(workspace, people)).encode("utf-8", "replace"))
    index = "".join(_index(workspace, rooms, [name for name, _ in searches], len(people)))
    write(os.path.join(root, b"index.html"), index.encode("utf-8", "replace"))


# Rooms -------------------------------------------------------------------------------------------


def _index(workspace: str, rooms: Sequence[Entry], searches: Sequence[str], people: int) -> Iterator[str]:
    yield page_top(workspace, [], workspace)
    yield f"<h1><bdi>{text(workspace)}</bdi></h1>\n"
    messages, files = sum(one.messages for one in rooms), sum(one.files for one in rooms)
    told = f"{count_text(len(rooms), 'room')}, {count_text(messages)} and {count_text(files, 'file')}"
    yield f'<p class="lead">An archive of {told}. '
    yield f'<a href="people.html">Who was here ({people:,})</a></p>\n'
    yield "<h2>Find something</h2>\n"
    if searches:
        yield "<p>Open a year and search the page with your browser: Ctrl+F, on a Mac ⌘F, on a phone “Find in page”. "
        yield "Every message of the public rooms stands there on one line, with its author, and leads to where it was "
        yield "said.</p>\n"
        links = (f'<li><a href="{name}">All public rooms, {words_title(name)}</a></li>' for name in searches)
        yield f'<ul class="jump">{"".join(links)}</ul>\n'
    yield '<p class="soft">Private rooms and conversations are searched the same way, each from its own page: their '
    yield "words stand nowhere else, so that you can hand on this archive without them.</p>\n"
    for kind, heading in _HEADINGS.items():
        some = [one for one in rooms if one.kind is kind]
        if some:
            yield from _rooms(heading, kind, some)
    yield page_end()


def _rooms(heading: str, kind: RoomKind, rooms: Sequence[Entry]) -> Iterator[str]:
    yield f'<h2>{heading} <span class="soft">({len(rooms):,})</span></h2>\n<ul class="rooms">\n'
    for one in rooms:
        closed = ' <span class="badge closed">private</span>' if kind is not RoomKind.PUBLIC else ""
        archived = ' <span class="badge">archived</span>' if one.archived else ""
        topic = f'<br><span lang="" dir="auto">{text(one.topic)}</span>' if one.topic else ""
        counts = [count_text(one.messages)]
        if one.files:
            counts.append(count_text(one.files, "file"))
        if one.first is not None and one.last is not None:
            days = dict.fromkeys(
                (_EPOCH + timedelta(microseconds=at)).date().isoformat() for at in (one.first, one.last)
            )
            counts.append(" to ".join(days))
        link = f'<a href="{_href(one, "index.html")}"><bdi>{text(room_title(one))}</bdi></a>'
        yield f'<li>{link}{closed}{archived}{topic}<br><span class="soft">{", ".join(counts)}</span></li>\n'
    yield "</ul>\n"


def _href(entry: Entry, page: str) -> str:
    return address(*entry.folder.split("/"), page)


# Words -------------------------------------------------------------------------------------------


def _searches(rooms: Iterable[Entry]) -> list[tuple[str, list[tuple[Entry, str]]]]:
    """The pages with all words of the public rooms: what each is called, and whose pages of words it joins."""
    years: dict[str, list[tuple[Entry, str, int]]] = {}
    for one in rooms:
        if one.kind is RoomKind.PUBLIC:
            for name, count in one.searches:
                years.setdefault(words_title(name)[:4], []).append((one, name, count))
    out = []
    for year, some in sorted(years.items()):
        part, room, parts = 1, 0, list[tuple[Entry, str]]()
        for entry, name, count in some:
            if parts and room + count > WORDS:
                out.append((_search_name(year, part), parts))
                part, room, parts = part + 1, 0, []
            parts.append((entry, name))
            room += count
        out.append((_search_name(year, part), parts))
    return out


def _search_name(year: str, part: int) -> str:
    return f"words-{year}.html" if part == 1 else f"words-{year}-{part}.html"


def _search_page(root: bytes, workspace: str, name: str, parts: Sequence[tuple[Entry, str]]) -> Iterator[bytes]:
    """Their lines one after the other; of a room without them, because it is being written now, nothing."""
    title = f"All words of {words_title(name)}"
    yield page_top(f"{title}: {workspace}", [("index.html", workspace)], title).encode("utf-8", "replace")
    yield f"<h1>{title}</h1>\n".encode()
    yield b'<p class="lead">Every message of the public rooms, a line each. Search this page with your browser.</p>\n'
    jumps = (
        f'<li><a href="#r{at}"><bdi>{text(room_title(entry))}</bdi></a></li>' for at, (entry, _) in enumerate(parts)
    )
    yield f'<ul class="jump">{"".join(jumps)}</ul>\n'.encode("utf-8", "replace")
    for at, (entry, page) in enumerate(parts):
        yield f'<section id="r{at}">\n<h2><bdi>{text(room_title(entry))}</bdi></h2>\n'.encode("utf-8", "replace")
        # The lines hold no other '<a href="' than those to the room's pages: words are escaped.
        prefix = f'<a href="{address(*entry.folder.split("/"))}/'.encode()
        for line in _lines(os.path.join(root, *(part.encode() for part in entry.folder.split("/")), page.encode())):
            yield line.replace(b'<a href="', prefix).replace(b"<h2>", b"<h3>").replace(b"</h2>", b"</h3>")
        yield b"</section>\n"
    yield page_end().encode()


def _lines(path: bytes) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            inside = False
            for line in file:
                if line == LINES_END.encode():
                    return
                if inside:
                    yield line
                inside = inside or line == LINES_BEGIN.encode()
    except FileNotFoundError:
        return


# People ------------------------------------------------------------------------------------------


def _people(workspace: str, people: Mapping[str, Known]) -> Iterator[str]:
    yield page_top(f"People: {workspace}", [("index.html", workspace)], "People")
    yield '<h1>People</h1>\n<p class="lead">Everybody who spoke here, was spoken of or was a member: '
    yield f"{len(people):,}.</p>\n"
    yield '<div class="scroll"><table class="list">\n<thead><tr><th scope="col">Name</th><th scope="col">In full</th>'
    yield '<th scope="col">Address</th><th scope="col">Now called</th></tr></thead>\n'
    for one in sorted(people.values(), key=lambda one: (one.author.name.casefold(), one.author.id)):
        author = one.author
        badge = f' <span class="badge">{kind}</span>' if (kind := badge_of(author)) else ""
        cells = "".join(f"<td><bdi>{text(value)}</bdi></td>" for value in (author.full_name, author.email, one.user))
        yield f'<tr><th scope="row"><bdi>{text(author.name)}</bdi>{badge}</th>{cells}</tr>\n'
    yield "</table></div>\n"
    yield page_end()
