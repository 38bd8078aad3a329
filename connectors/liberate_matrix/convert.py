"""Blocks of text as the HTML that Matrix clients show, and the content of events. Pure: no network, no state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote, urlsplit

from liberate.chat import (
    Block,
    Bullets,
    Code,
    Emoji,
    Heading,
    Inline,
    Link,
    Mention,
    Paragraph,
    Quote,
    Rule,
    Style,
    Table,
    Text,
    plain,
    plain_inline,
)

BUDGET = 60_000
"""Bytes of an event's content in canonical JSON: the whole event, with hashes and signatures, may have 65,536."""

_DEEPEST = 20  # blocks in blocks; what lies deeper is shown as plain text. Clients take a hundred elements.
# https://spec.matrix.org/latest/client-server-api/#mroommessage-msgtypes: what a link may begin with
_SCHEMES = frozenset({"https", "http", "ftp", "mailto", "magnet"})
_TAGS = (
    (Style.UNDERLINE, "u"),
    (Style.STRIKE, "del"),
    (Style.ITALIC, "em"),
    (Style.BOLD, "strong"),
    (Style.CODE, "code"),
)


@dataclass(frozen=True, slots=True)
class Names:
    """Who and what mentions lead to."""

    user: Callable[[str], str]  # author's id -> "@user:server"
    room: Callable[[str], str]  # room's id -> "#alias:server"


# HTML --------------------------------------------------------------------------------------------


def html(blocks: Iterable[Block], names: Names) -> str:
    """The blocks in the subset of HTML that the specification suggests. Every text is escaped."""
    return "".join(_block(block, names, 1) for block in blocks)


def is_plain(blocks: Sequence[Block]) -> bool:
    """Whether `body` alone shows all there is."""
    return all(
        isinstance(block, Paragraph) and all(isinstance(part, Text) and not part.styles for part in block.parts)
        for block in blocks
    )


def _block(block: Block, names: Names, depth: int) -> str:
    if depth > _DEEPEST:
        return f"<p>{_text(plain([block]))}</p>"
    match block:
        case Paragraph(parts):
            return f"<p>{_line(parts, names)}</p>"
        case Heading(parts):
            return f"<h4>{_line(parts, names)}</h4>"
        case Code(text, language):
            said = f' class="language-{escape(language)}"' if language.isalnum() else ""
            return f"<pre><code{said}>{escape(clean(text), quote=False)}</code></pre>"
        case Quote(inner):
            return f"<blockquote>{''.join(_block(one, names, depth + 1) for one in inner)}</blockquote>"
        case Bullets(entries, first):
            items = "".join(f"<li>{_entry(entry, names, depth + 1)}</li>" for entry in entries)
            if first is None:
                return f"<ul>{items}</ul>"
            start = f' start="{first}"' if first != 1 else ""
            return f"<ol{start}>{items}</ol>"
        case Table(rows):
            lines = "".join(f"<tr>{''.join(f'<td>{_line(cell, names)}</td>' for cell in row)}</tr>" for row in rows)
            return f"<table><tbody>{lines}</tbody></table>"
        case Rule():
            return "<hr>"


def _entry(entry: tuple[Block, ...], names: Names, depth: int) -> str:
    """One entry of a list: a paragraph that begins it needs no tag of its own."""
    head = ""
    if entry and isinstance(entry[0], Paragraph):
        head, entry = _line(entry[0].parts, names), entry[1:]
    return head + "".join(_block(one, names, depth) for one in entry)


def _line(parts: Iterable[Inline], names: Names) -> str:
    out = []
    for part in parts:
        match part:
            case Text(text, styles):
                out.append(_styled(_text(text), styles))
            case Link(url, text, styles):
                safe = _link(url)
                shown = _text(text or url) if safe else _text(plain_inline((part,)))
                out.append(_styled(f'<a href="{escape(safe)}">{shown}</a>' if safe else shown, styles))
            case Mention(to, id_, label):
                target = _target(to, id_, names)
                out.append(
                    f'<a href="https://matrix.to/#/{escape(target)}">{_text(label)}</a>' if target else _text(label)
                )
            case Emoji():
                out.append(_text(plain_inline((part,))))
    return "".join(out)


def _styled(shown: str, styles: frozenset[Style]) -> str:
    for style, tag in reversed(_TAGS):
        if style in styles:
            shown = f"<{tag}>{shown}</{tag}>"
    return shown


def _text(text: str) -> str:
    return escape(clean(text), quote=False).replace("\n", "<br>")


def _link(url: str) -> str:
    """The address, "" if clients would not follow it."""
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        return ""
    return clean(url) if scheme in _SCHEMES else ""


def _target(to: str, id_: str, names: Names) -> str:
    """Where a mention leads, for matrix.to; "" for nowhere. A message's event is not known here: its room is."""
    match to:
        case "author":
            return quote(names.user(id_), safe="@:")
        case "room":
            return quote(names.room(id_), safe=":")
        case "message":
            return quote(names.room(id_.partition("/")[0]), safe=":")
    return ""


# Contents ----------------------------------------------------------------------------------------


def clean(text: str) -> str:
    """The text without lone surrogates, which no JSON in UTF-8 can hold: Synapse answers them with a 500."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def weight(content: Mapping[str, Any]) -> int:
    """Bytes of the content in canonical JSON."""
    return len(json.dumps(content, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode())


def words(blocks: Sequence[Block], names: Names, tail: str = "") -> dict[str, Any]:
    """The members of a content that hold its text; `tail` is added to the plain one."""
    out: dict[str, Any] = {"body": clean(plain(blocks)) + tail}
    if not is_plain(blocks):
        out |= {"format": "org.matrix.custom.html", "formatted_body": html(blocks, names)}
    return out


def in_thread(root: str, last: str) -> dict[str, Any]:
    """`m.relates_to` of a reply in a thread; clients without threads show it as an answer to the last one."""
    return {
        "rel_type": "m.thread",
        "event_id": root,
        "is_falling_back": True,
        "m.in_reply_to": {"event_id": last},
    }


def edit(content: Mapping[str, Any], of: str) -> dict[str, Any]:
    """The content of an event that gives the event `of` this content; only its own sender may send it."""
    new = {name: value for name, value in content.items() if name != "m.relates_to"}
    return {
        "msgtype": content["msgtype"],
        "body": "* " + content["body"][:200],  # for clients that know no edits
        "m.mentions": {},
        "m.new_content": new,
        "m.relates_to": {"rel_type": "m.replace", "event_id": of},
    }
