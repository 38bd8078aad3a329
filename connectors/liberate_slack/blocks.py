"""Block Kit, which programs write: <https://docs.slack.dev/reference/block-kit/blocks>."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from liberate.chat import Block, Heading, Inline, Link, Paragraph, Quote, Rule, Style, Table, Text, plain_inline
from liberate_slack.letters import clean, dicts_of, list_of, members_of, unescape, without_token
from liberate_slack.mrkdwn import parse, parse_inline, parse_plain
from liberate_slack.names import Names
from liberate_slack.rich_text import inlines, rich_text, words_of

_BOLD = frozenset({Style.BOLD})


def convert_blocks(blocks: Any, names: Names) -> tuple[Block, ...]:
    """What a message's blocks say. One of a kind that is not known gives its words."""
    out: list[Block] = []
    for block in dicts_of(blocks):
        out += _block(block, names)
    return tuple(out)


def says_something(blocks: tuple[Block, ...]) -> bool:
    """Whether there is more than lines across."""
    return any(not isinstance(one, Rule) for one in blocks)


def _block(block: dict[str, Any], names: Names) -> Iterator[Block]:
    kind = clean(block.get("type"))
    match kind:
        case "rich_text":
            yield from rich_text(block, names)
        case "header":
            if parts := text_parts(block.get("text"), names):
                yield Heading(parts)
        case "divider":
            yield Rule()
        case "section":
            yield from _section(block, names)
        case "context":
            parts = _joined([_element(one, names) for one in dicts_of(block.get("elements"))], " ")
            if parts:
                yield Paragraph(parts)
        case "actions":
            if parts := _joined([_element(one, names) for one in dicts_of(block.get("elements"))], " "):
                yield Paragraph(parts)
        case "image":
            yield from _line(_image(block, names))
        case "video":
            yield from _video(block, names)
        case "markdown":
            if text := clean(block.get("text")).strip():
                yield Paragraph((Text(text),))
        case "table":
            if rows := _rows(block, names):
                yield Table(rows)
        case "input":
            yield from _line(text_parts(block.get("label"), names))
        case "file" | "call" | "contact_card" | "card" | "share_shortcut" | "carousel":
            yield from _titled(block, names)
        case _:
            names.unknown[f"block {kind}"] += 1
            yield from _titled(block, names)


def text_parts(value: Any, names: Names) -> tuple[Inline, ...]:
    """A text object, plain or mrkdwn, as one line."""
    if isinstance(value, str):
        return parse_inline(clean(value), names)
    text = clean(members_of(value).get("text"))
    if members_of(value).get("type") == "plain_text":
        return parse_plain(text, names)  # escaped as mrkdwn is
    return parse_inline(text, names) if text else ()


def _section(block: dict[str, Any], names: Names) -> Iterator[Block]:
    text = members_of(block.get("text"))
    if text.get("type") == "plain_text":
        yield from _line(text_parts(text, names))
    else:
        yield from parse(clean(text.get("text")), names)
    for field in dicts_of(block.get("fields")):
        yield from _line(text_parts(field, names))
    accessory = members_of(block.get("accessory"))
    if accessory:
        yield from _line(_element(accessory, names))


def _element(element: dict[str, Any], names: Names) -> tuple[Inline, ...]:
    """Something that stands in a line of a block: words, a picture, a button."""
    kind = element.get("type")
    if kind in ("mrkdwn", "plain_text"):
        return text_parts(element, names)
    if kind == "image":
        return _image(element, names)
    label = text_parts(element.get("text") or element.get("placeholder") or element.get("label"), names)
    url = without_token(clean(element.get("url")))
    if url:
        return (Link(url, plain_inline(label) or url),)
    return (Text("["), *label, Text("]")) if label else ()  # a button or a menu, which does nothing outside of Slack


def _image(element: dict[str, Any], names: Names) -> tuple[Inline, ...]:
    url = without_token(clean(element.get("image_url")) or clean(members_of(element.get("slack_file")).get("url")))
    label = unescape(words_of(element.get("title")) or clean(element.get("alt_text")))
    if not url:
        return (Text(label),) if label else ()
    return (Link(url, label or url),)


def _video(block: dict[str, Any], names: Names) -> Iterator[Block]:
    url = without_token(clean(block.get("title_url")) or clean(block.get("video_url")))
    label = unescape(words_of(block.get("title")) or clean(block.get("alt_text"))) or url
    yield from _line((Link(url, label),) if url else ((Text(label),) if label else ()))
    yield from _line(text_parts(block.get("description"), names))


def _titled(block: dict[str, Any], names: Names) -> Iterator[Block]:
    """A block of which the words are all that makes sense outside of Slack."""
    call = members_of(members_of(block.get("call")).get("v1"))
    url = without_token(clean(block.get("url")) or clean(block.get("title_url")) or clean(call.get("join_url")))
    title = words_of(block) or clean(call.get("name")) or (url if url else "")
    said: list[tuple[Inline, ...]] = [(Link(url, title),)] if url else [(Text(title),)] if title else []
    for name in ("subtitle", "body", "description"):
        if (more := words_of(block.get(name)) or clean(block.get(name))) and more != title:
            said.append((Text(more),))
    for parts in said:
        yield from _line(parts)
    for name in ("elements", "blocks", "cards"):
        inner = block.get(name)
        if isinstance(inner, list):
            blocks = [one for one in dicts_of(inner) if "elements" in one or "text" in one or "title" in one]
            yield from convert_blocks(
                [
                    one if clean(one.get("type")) in _NESTED else {"type": "section", "text": _text_of(one)}
                    for one in blocks
                ],
                names,
            )


_NESTED = frozenset({"rich_text", "section", "header", "context", "card", "actions", "image", "divider"})


def _text_of(one: dict[str, Any]) -> dict[str, Any]:
    return {"type": "mrkdwn", "text": words_of(one)}


def _rows(block: dict[str, Any], names: Names) -> tuple[tuple[tuple[Inline, ...], ...], ...]:
    rows = []
    for row in list_of(block.get("rows")):
        cells = []
        for cell in dicts_of(row):
            if cell.get("type") == "rich_text":
                parts: list[Inline] = []
                for section in dicts_of(cell.get("elements")):
                    parts += inlines(section.get("elements"), names)
                cells.append(tuple(parts))
            else:
                text = words_of(cell)
                cells.append((Text(text),) if text else ())
        rows.append(tuple(cells))
    return tuple(rows)


def _line(parts: tuple[Inline, ...]) -> Iterator[Block]:
    if parts:
        yield Paragraph(parts)


def _joined(groups: list[tuple[Inline, ...]], between: str) -> tuple[Inline, ...]:
    out: list[Inline] = []
    for group in groups:
        if group and out:
            out.append(Text(between))
        out += group
    return tuple(out)


# Attachments -------------------------------------------------------------------------------------


def convert_attachments(attachments: Any, names: Names) -> tuple[Block, ...]:
    """Attachments, as programs made them before there were blocks, and what links lead to: each a quote."""
    out: list[Block] = []
    for one in dicts_of(attachments):
        pretext = clean(one.get("pretext"))
        if pretext.strip():
            out += parse(pretext, names)
        inner = tuple(_attachment(one, names))
        if inner:
            out.append(Quote(inner))
    return tuple(out)


def _attachment(one: dict[str, Any], names: Names) -> Iterator[Block]:
    said = False
    for block in _head(one, names):
        said = True
        yield block
    body = _shared(one, names) or convert_blocks(one.get("blocks"), names) or parse(clean(one.get("text")), names)
    yield from body
    for field in dicts_of(one.get("fields")):
        title, value = unescape(clean(field.get("title"))), clean(field.get("value"))
        if title or value:
            said = True
            heading = (Text(title, _BOLD), Text(": ")) if title and value else (Text(title, _BOLD),) if title else ()
            yield Paragraph((*heading, *parse_inline(value, names)))
    for member in ("image_url", "video_url", "thumb_url"):
        url = without_token(clean(one.get(member)))
        if url and (member != "thumb_url" or not (said or body)):
            said = True
            yield Paragraph((Link(url, url),))
            break
    buttons = _joined([_element(button, names) for button in dicts_of(one.get("actions"))], " ")
    if buttons:
        said = True
        yield Paragraph(buttons)
    for file in dicts_of(one.get("files")):
        name = clean(file.get("title")) or clean(file.get("name"))
        if name:
            said = True
            yield Paragraph((Text(name),))
    if not said and not body:
        fallback = clean(one.get("fallback"))
        yield from parse(fallback, names)
    if footer := clean(one.get("footer")).strip():
        yield Paragraph((*parse_inline(footer, names),))


def _head(one: dict[str, Any], names: Names) -> Iterator[Block]:
    author = clean(one.get("author_name")) or clean(one.get("author_subname")) or clean(one.get("service_name"))
    author = unescape(author)
    link = without_token(clean(one.get("author_link")))
    if author:
        yield Paragraph((Link(link, author, _BOLD) if link else Text(author, _BOLD),))
    title = clean(one.get("title"))
    link = without_token(clean(one.get("title_link")))
    if title:
        yield Paragraph((Link(link, unescape(title), _BOLD),) if link else parse_inline(title, names))


def _shared(one: dict[str, Any], names: Names) -> tuple[Block, ...]:
    """The blocks of a message that was passed on."""
    out: list[Block] = []
    for shared in dicts_of(one.get("message_blocks")):
        out += convert_blocks(members_of(shared.get("message")).get("blocks"), names)
    return tuple(out)
