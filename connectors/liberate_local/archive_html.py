"""A chat message as HTML: everything in it escaped, nothing in it loaded from elsewhere. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from html import escape
from typing import Protocol
from urllib.parse import quote, urlsplit

from liberate.chat import (
    Author,
    Block,
    Bullets,
    Change,
    Code,
    Emoji,
    File,
    Heading,
    Inline,
    Link,
    Mention,
    Message,
    Paragraph,
    Quote,
    Reaction,
    Rule,
    Style,
    Table,
    Text,
    plain,
)

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SCHEMES = frozenset({"http", "https", "mailto", "tel"})
_SHOWN = frozenset({"png", "jpg", "jpeg", "jfif", "gif", "webp", "avif", "bmp"})  # no script can stand in these
_SHOWN_TYPES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp"})
_TAGS = {Style.BOLD: "strong", Style.ITALIC: "em", Style.STRIKE: "s", Style.UNDERLINE: "u", Style.CODE: "code"}
_CONTROLS = {code: "\ufffd" for code in (*range(0x20), *range(0x7F, 0xA0), 0xFFFE, 0xFFFF) if code not in (9, 10)}
_CONTROLS[13] = ""
COLOURS = 8


class View(Protocol):
    """What a message cannot know of itself: who people are, and where things stand as seen from its page."""

    zone: tzinfo

    def author(self, id_: str) -> Author: ...
    def room(self, id_: str) -> str | None:
        """The address of a room's pages; None for a room that is not in the archive."""
        ...

    def message(self, id_: str) -> str | None:
        """The address of a message, "<room id>/<message id>"."""
        ...

    def file(self, id_: str) -> str | None:
        """The address of a file's bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Said:
    """A message as it is shown in one place."""

    message: Message
    pinned: bool = False
    follows: bool = False  # the one before is the same person's, and hardly older
    anchored: bool = True  # this is the place that links lead to
    root: str | None = None  # of a reply that stands outside of its thread: the address in it; "": it is not here


# Text --------------------------------------------------------------------------------------------


def text(value: str) -> str:
    """Text for HTML, in content as in attributes. What no page may hold becomes U+FFFD."""
    return escape(value.translate(_CONTROLS).encode("utf-8", "replace").decode())


def anchor(id_: str) -> str:
    """A message's id as the name that links lead to: different for different ids."""
    return "m-" + re.sub(r"[^A-Za-z0-9.-]", lambda found: f"_{ord(found[0]):x}_", id_)


def address(*parts: str) -> str:
    """A relative address of these folders and this file."""
    return "/".join(quote(part, safe="", errors="replace") for part in parts)


def blocks_html(blocks: Sequence[Block], view: View) -> str:
    """The blocks of a message."""
    return "".join(_block(block, view) for block in blocks)


def _block(block: Block, view: View) -> str:
    match block:
        case Paragraph(parts):
            return f"<p>{_inline(parts, view)}</p>"
        case Heading(parts):
            return f"<h3>{_inline(parts, view)}</h3>"
        case Code(code, language):
            told = f' data-language="{text(language)}"' if language else ""
            return f'<pre{told} tabindex="0"><code>{text(code)}</code></pre>'
        case Quote(inner):
            return f"<blockquote>{blocks_html(inner, view)}</blockquote>"
        case Bullets(entries, first):
            begin, end = ("<ul>", "</ul>") if first is None else (f'<ol start="{int(first)}">', "</ol>")
            return begin + "".join(f"<li>{blocks_html(entry, view)}</li>" for entry in entries) + end
        case Table(rows):
            cells = ("".join(f"<td>{_inline(cell, view)}</td>" for cell in row) for row in rows)
            body = "".join(f"<tr>{row}</tr>" for row in cells)
            return f'<div class="scroll" tabindex="0"><table>{body}</table></div>'
        case Rule():
            return "<hr>"


def _inline(parts: Sequence[Inline], view: View) -> str:
    return "".join(_part(part, view) for part in parts)


def _part(part: Inline, view: View) -> str:
    match part:
        case Text(value, styles):
            return _styled(_lines(value), styles)
        case Link(url, label, styles):
            return _styled(link(url, label), styles)
        case Mention(to, id_, label):
            where = {"room": view.room, "message": view.message}.get(to)
            href = where(id_) if where is not None else None
            shown = f"<bdi>{text(label or id_)}</bdi>"
            if href is not None:
                return f'<a class="mention" href="{text(href)}">{shown}</a>'
            return f'<span class="mention">{shown}</span>'
        case Emoji():
            return emoji(part)


def _lines(value: str) -> str:
    return text(value).replace("\n", "<br>")


def _styled(shown: str, styles: frozenset[Style]) -> str:
    for style in sorted(styles):
        shown = f"<{_TAGS[style]}>{shown}</{_TAGS[style]}>"
    return shown


def link(url: str, label: str) -> str:
    """A link into the world, if it is of a kind that does nothing by itself; else its words."""
    shown = _lines(label or url)
    try:
        scheme = urlsplit(url.strip()).scheme.lower()
    except ValueError:
        scheme = ""
    if scheme not in _SCHEMES:
        return shown if label == url or not url else f"{shown} ({text(url)})"
    return f'<a href="{text(url.strip())}" title="{text(url)}" rel="noopener noreferrer nofollow">{shown}</a>'


def emoji(one: Emoji) -> str:
    """An emoji; those of the workspace's own by their name."""
    if one.char:
        return f'<span class="emoji" title=":{text(one.name)}:">{text(one.char)}</span>'
    return f'<span class="emoji named">:{text(one.name)}:</span>'


# Messages ----------------------------------------------------------------------------------------


def message_html(said: Said, view: View) -> str:
    """A message without its thread, and without the end of its element: see message_end."""
    one = said.message
    if one.change is not None:
        return _change_html(said, one.change, view)
    author = view.author(one.author)
    kinds = ["m", *(["same"] if said.follows else []), *(["notice"] if one.kind == "notice" else [])]
    id_ = f' id="{anchor(one.id)}"' if said.anchored else ""
    out = [f'<article class="{" ".join(kinds)}"{id_}>', _head(said, author, view)]
    if said.pinned:
        out.append('<p class="note">Pinned</p>')
    if said.root is not None:
        out.append(f'<p class="note">↳ {_reply_note(said.root)}</p>')
    body = blocks_html(one.blocks, view)
    if one.kind == "emote":
        body = f'<p class="emote"><b><bdi>{text(author.name)}</bdi></b> </p>{body}'
    if body:
        out.append(f'<div class="said" lang="" dir="auto">{body}</div>')
    out += _files(one.files, view)
    out += _reactions(one.reactions, view)
    return "\n".join(out)


def message_end() -> str:
    """What stands behind a message and its thread."""
    return "</article>"


def _reply_note(root: str) -> str:
    if root:
        return f'Also said in <a href="{text(root)}">a thread</a>'
    return "A reply. The message that it answers is not in this archive."


def _head(said: Said, author: Author, view: View) -> str:
    one = said.message
    time = local(one.time, view.zone)
    stamp = f'<time datetime="{one.time.isoformat()}" title="{full(time)}">{time:%H:%M}</time>'
    if said.anchored:
        stamp = f'<a class="when" href="#{anchor(one.id)}">{stamp}</a>'
    else:
        stamp = f'<span class="when">{stamp}</span>'
    colour = f"c{sum(author.id.encode('utf-8', 'replace')) % COLOURS}"
    badge = f' <span class="badge">{kind}</span>' if (kind := badge_of(author)) else ""
    edited = ""
    if one.edited is not None:
        edited = f' <span class="soft" title="{full(local(one.edited, view.zone))}">(edited)</span>'
    face = f'<span class="face {colour}" aria-hidden="true">{text(initials(author.name))}</span>'
    return f'<header>{face}<b class="who"><bdi>{text(author.name)}</bdi></b>{badge} {stamp}{edited}</header>'


def badge_of(author: Author) -> str:
    """What is told of somebody beside their name; "" of a person like others."""
    kinds = {"guest": "guest", "stranger": "from elsewhere", "program": "app", "system": "system"}
    return kinds.get(author.kind) or ("former member" if author.former else "")


def initials(name: str) -> str:
    """One or two letters for somebody without a picture."""
    parts = [part for part in re.split(r"[\s._@-]+", name) if part]
    letters = [part[0] for part in parts if part[0].isalnum()]
    return "".join(letters[:1] + letters[-1:] if len(letters) > 1 else letters[:1]).upper() or "?"


def _change_html(said: Said, change: Change, view: View) -> str:
    one = said.message
    time = local(one.time, view.zone)
    id_ = f' id="{anchor(one.id)}"' if said.anchored else ""
    body = blocks_html(one.blocks, view)
    told = change_text(one, view)
    more = f'<div class="said" lang="" dir="auto">{body}</div>' if body else ""
    stamp = f'<time datetime="{one.time.isoformat()}" title="{full(time)}">{time:%H:%M}</time>'
    words = f"<p>{told} {stamp}</p>" if told else f"<p>{stamp}</p>"
    return "\n".join(
        [f'<article class="change"{id_}>', words + more, *_files(one.files, view), *_reactions(one.reactions, view)]
    )


def change_text(one: Message, view: View) -> str:
    """What happened to the room, as a sentence in HTML; "" where only the message's words tell."""
    change = one.change
    if change is None:
        return ""
    sender = f"<b><bdi>{text(view.author(one.author).name)}</bdi></b>"
    whom = f"<b><bdi>{text(view.author(change.author).name)}</bdi></b>" if change.author else sender
    by = f", added by {sender}" if change.author and change.author != one.author else ""
    value = f"<q><bdi>{text(change.value)}</bdi></q>"
    match change.what:
        case "joined":
            return f"{whom} joined{by}"
        case "left":
            return f"{whom} left"
        case "topic":
            return f"{sender} set the topic to {value}" if change.value else f"{sender} took the topic away"
        case "purpose":
            return f"{sender} set the purpose to {value}" if change.value else f"{sender} took the purpose away"
        case "name":
            return f"{sender} renamed the room to {value}"
        case "archived":
            return f"{sender} archived the room"
        case "unarchived":
            return f"{sender} opened the room again"
        case "call":
            return f"{sender} called"
    return f"{sender}: {value}" if change.value else ""


def _files(files: Sequence[File], view: View) -> Iterator[str]:
    if not files:
        return
    yield '<ul class="files">'
    for one in files:
        yield f"<li>{_file(one, view.file(one.id) if one.id else None)}</li>"
    yield "</ul>"


def _file(one: File, href: str | None) -> str:
    name, size = text(one.name or "file"), f' <span class="soft">{size_text(one.size)}</span>' if one.size else ""
    if href is None:
        if one.url:
            return f'{link(one.url, one.name or one.url)} <span class="soft">kept elsewhere</span>'
        why = text(one.why or "Its bytes have not arrived.")
        return f'<span class="lost"><bdi>{name}</bdi>{size}<br><span class="soft">{why}</span></span>'
    if is_shown(one):
        picture = f'<img src="{text(href)}" alt="{name}" loading="lazy" decoding="async">'
        return f'<figure><a href="{text(href)}">{picture}</a><figcaption><bdi>{name}</bdi>{size}</figcaption></figure>'
    # "download": what somebody sent is not opened as a page of this archive's
    return f'<a class="file" href="{text(href)}" download="{name}"><bdi>{name}</bdi></a>{size}'


def is_shown(one: File) -> bool:
    """Whether a file is a picture that every browser shows and that can do nothing else."""
    _, dot, ending = one.name.rpartition(".")
    kind = one.media_type.partition(";")[0].strip().lower()
    # By its ending a browser knows what to make of the file itself, whatever its sender called its type.
    if dot and ending.lower() not in _SHOWN:
        return False
    return kind in _SHOWN_TYPES or (bool(dot) and not kind.startswith(("text/", "application/", "image/")))


def _reactions(reactions: Sequence[Reaction], view: View) -> Iterator[str]:
    if not reactions:
        return
    yield '<ul class="reactions" aria-label="Reactions">'
    for one in reactions:
        count = max(one.count, len(one.authors))
        names = ", ".join(text(view.author(id_).name) for id_ in one.authors[:50])
        more = count - min(len(one.authors), 50)
        who = names + (f" and {more} more" if more > 0 and names else f"{more} people" if more > 0 else "")
        yield f'<li title="{who}">{emoji(one.emoji)} <b>{count}</b><span class="hidden"> from {who}</span></li>'
    yield "</ul>"


# Words -------------------------------------------------------------------------------------------


def line_html(said: Said, view: View, href: str) -> str:
    """A message as one line of the page with all words: nothing folded, one line of the file."""
    one = said.message
    time = local(one.time, view.zone)
    told = change_text(one, view)
    words = [one for one in (plain(one.blocks), *(file.name for file in one.files)) if one]
    shown = " ".join([*([told] if told else []), *(" ".join(text(one).split()) for one in words)])
    reply = ' class="reply"' if one.thread else ""
    who = f"<b><bdi>{text(view.author(one.author).name)}</bdi></b> " if not told else ""
    return (
        f'<li{reply}><a href="{text(href)}">{time:%Y-%m-%d %H:%M}</a> {who}<span lang="" dir="auto">{shown}</span></li>'
    )


def local(time: datetime, zone: tzinfo) -> datetime:
    """The time in a zone; near the ends of the calendar, as it is."""
    try:
        return time.astimezone(zone)
    except OverflowError:
        return time


def full(time: datetime) -> str:
    """A time in full."""
    return f"{day_text(time)}, {time:%H:%M:%S}"


def day_text(time: datetime) -> str:
    """A day as people read it."""
    return f"{DAYS[time.weekday()]} {time.day} {MONTHS[time.month - 1]} {time.year}"


def month_text(month: str) -> str:
    """ "2026-03" as people read it."""
    return f"{MONTHS[int(month[5:7]) - 1]} {month[:4]}"


def size_text(size: int) -> str:
    """A number of bytes as people read it."""
    value = float(size)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return ""
