"""Slack's rich_text: what its own programs write, and what people see. <https://docs.slack.dev/reference/block-kit>."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from liberate.chat import Block, Bullets, Code, Emoji, Inline, Link, Paragraph, Quote, Style, Text, plain_inline
from liberate_slack.letters import clean, dicts_of, list_of, members_of, without_token
from liberate_slack.mrkdwn import permalink
from liberate_slack.names import Names

_STYLES = {
    "bold": Style.BOLD,
    "code": Style.CODE,
    "italic": Style.ITALIC,
    "strike": Style.STRIKE,
    "underline": Style.UNDERLINE,
}
# Elements of which the words are all that makes sense outside of Slack (docs.slack.dev names them without members).
_WORDS_ONLY = frozenset({
    "attachment_mention", "canvas", "canvas_message_unfurl", "citation", "file", "list_record",
    "salesforce_data_field", "tag", "work_object_mention", "workflow_mention",
})  # fmt: skip
_SAID_IN = ("text", "fallback", "label", "title", "name", "value", "alt_text", "description", "url")


def rich_text(block: dict[str, Any], names: Names) -> Iterator[Block]:
    """The blocks of one of Slack's blocks of type rich_text."""
    lists: list[_List] = []
    for element in dicts_of(block.get("elements")):
        if element.get("type") == "rich_text_list":
            _nest(lists, element, names)
            continue
        yield from _finished(lists)
        yield from _element(element, names)
    yield from _finished(lists)


def _element(element: dict[str, Any], names: Names) -> Iterator[Block]:
    kind = element.get("type")
    if kind == "rich_text_preformatted":
        text = "".join(_shown(one) for one in inlines(element.get("elements"), names))
        yield from _bordered(element, Code(text.removesuffix("\n"), clean(element.get("language"))))
        return
    if kind in ("rich_text_section", "rich_text_quote"):
        parts = _trimmed(inlines(element.get("elements"), names))
        if parts:
            yield Quote((Paragraph(parts),)) if kind == "rich_text_quote" else Paragraph(parts)
        return
    if kind == "rich_text_list":
        lists: list[_List] = []
        _nest(lists, element, names)
        yield from _finished(lists)
        return
    if "elements" not in element:  # an inline one where a section should be
        yield Paragraph(inlines([element], names))
        return
    names.unknown[f"element {clean(kind)}"] += 1
    parts = _trimmed(inlines(element.get("elements"), names))
    if parts:
        yield Paragraph(parts)


def _bordered(element: dict[str, Any], block: Block) -> Iterator[Block]:
    """A border says that it stands in a quote."""
    yield Quote((block,)) if element.get("border") else block


def _trimmed(parts: tuple[Inline, ...]) -> tuple[Inline, ...]:
    """Without the line break that Slack leaves at a section's end where a list follows."""
    if parts and isinstance(last := parts[-1], Text) and last.text.endswith("\n"):
        rest = Text(last.text[:-1], last.styles)
        return (*parts[:-1], rest) if rest.text else parts[:-1]
    return parts


def _shown(part: Inline) -> str:
    return part.text if isinstance(part, Link) else plain_inline((part,))


# Lists -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _List:
    """A list that is still being read: Slack gives each change of depth as a list of its own."""

    indent: int
    first: int | None
    border: bool
    entries: list[list[Block | _List]] = field(default_factory=list)


def _nest(lists: list[_List], element: dict[str, Any], names: Names) -> None:
    """Put the list where it belongs among `lists`, of which the last is the one that lists may still go into."""
    indent = _number(element.get("indent"))
    offset = _number(element.get("offset"))
    made = _List(indent, offset + 1 if element.get("style") == "ordered" else None, bool(element.get("border")))
    for one in dicts_of(element.get("elements")):
        made.entries.append(list(_element(one, names)))
    above = lists[-1] if lists else None
    while above is not None:
        if indent == above.indent and (made.first is None) == (above.first is None) and made.border == above.border:
            above.entries += made.entries
            return
        if indent <= above.indent:
            break
        if not above.entries:
            above.entries.append([])
        last = above.entries[-1]
        inner = last[-1] if last else None
        if not isinstance(inner, _List) or indent < inner.indent:
            last.append(made)
            return
        if indent == inner.indent and (made.first is None) != (inner.first is None):
            last.append(made)
            return
        above = inner
    lists.append(made)


def _finished(lists: list[_List]) -> Iterator[Block]:
    for one in lists:
        yield from _bordered({"border": one.border}, _frozen(one))
    lists.clear()


def _frozen(one: _List) -> Bullets:
    return Bullets(
        tuple(tuple(_frozen(part) if isinstance(part, _List) else part for part in entry) for entry in one.entries),
        one.first,
    )


def _number(value: Any) -> int:
    return max(0, value) if isinstance(value, int) else 0


# Inline ------------------------------------------------------------------------------------------


def inlines(elements: Any, names: Names) -> tuple[Inline, ...]:
    """What stands in a line. Anything that is not known gives its words."""
    out: list[Inline] = []
    for element in list_of(elements):
        if isinstance(element, dict):
            out += _inline(element, names)
        elif isinstance(element, str):
            out.append(Text(clean(element)))
    return tuple(out)


def _inline(element: dict[str, Any], names: Names) -> Iterator[Inline]:
    kind = clean(element.get("type"))
    styles = _styles(element.get("style"))
    text = clean(element.get("text"))
    match kind:
        case "text":
            if text:
                yield Text(text, styles)
        case "link":
            url = without_token(clean(element.get("url")))
            yield (permalink(url, names) if not text else None) or Link(url, text or url, styles)
        case "user" | "canvas_user_mention":
            yield names.author(clean(element.get("user_id")), text)
        case "usergroup":
            yield names.group(clean(element.get("usergroup_id")), text)
        case "channel":
            yield names.room(clean(element.get("channel_id")), text)
        case "broadcast":
            yield names.everybody(clean(element.get("range")) or "channel")
        case "emoji":
            yield _emoji(element, names)
        case "date":
            yield _date(element, styles)
        case "color":
            yield Text(clean(element.get("value")) or words_of(element), styles)
        case "team":
            yield Text(text or clean(element.get("team_id")), styles)
        case "message_mention":
            yield from _message(element, names)
        case _:
            if kind not in _WORDS_ONLY:
                names.unknown[f"element {kind}"] += 1
            if isinstance(element.get("elements"), list):
                yield from inlines(element["elements"], names)
                return
            url = without_token(clean(element.get("url")) or clean(element.get("permalink")))
            words = words_of(element)
            if url:
                yield Link(url, words or url, styles)
            elif words:
                yield Text(words, styles)


def _emoji(element: dict[str, Any], names: Names) -> Emoji:
    name = clean(element.get("name"))
    tone = element.get("skin_tone")
    if isinstance(tone, int) and "::" not in name:
        name = f"{name}::skin-tone-{tone}"
    return names.emoji.named(name, clean(element.get("unicode")))


def _date(element: dict[str, Any], styles: frozenset[Style]) -> Inline:
    text = clean(element.get("fallback"))
    stamp = element.get("timestamp")
    if not text and isinstance(stamp, int):
        try:
            text = datetime.fromtimestamp(stamp, UTC).strftime("%Y-%m-%d %H:%M UTC")
        except (ValueError, OverflowError, OSError):
            text = str(stamp)
    url = without_token(clean(element.get("url")))
    return Link(url, text or url, styles) if url else Text(text, styles)


def _message(element: dict[str, Any], names: Names) -> Iterator[Inline]:
    room = clean(element.get("channel_id")) or clean(element.get("channel"))
    ts = clean(element.get("message_ts")) or clean(element.get("ts"))
    label = words_of(element) or clean(element.get("permalink"))
    if room and ts:
        yield names.message(room, ts, label or f"{names.room(room).label} {ts}")
    elif label:
        yield Text(label)


def _styles(style: Any) -> frozenset[Style]:
    if not isinstance(style, dict):
        return frozenset()
    return frozenset(mine for name, mine in _STYLES.items() if style.get(name) is True)


def words_of(element: Any, members: Sequence[str] = _SAID_IN) -> str:
    """The words in something that nobody described, the first of the members that has some."""
    for name in members:
        value = members_of(element).get(name)
        if isinstance(value, str) and value.strip():
            return without_token(clean(value)) if name == "url" else clean(value)
        if isinstance(value, dict) and (inner := words_of(value)):
            return inner
    return ""
