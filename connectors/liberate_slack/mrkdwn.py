"""Slack's own markup, read before it is unescaped: <https://docs.slack.dev/messaging/formatting-message-text>."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from liberate.chat import Block, Code, Emoji, Inline, Link, Paragraph, Quote, Style, Text, plain_inline
from liberate_slack.letters import unescape, without_token
from liberate_slack.names import Names

_FENCE = re.compile(r"```(.*?)```", re.DOTALL)
_ATOM = re.compile(
    r"<(?P<control>[^<>\n]+)>"
    r"|`(?P<code>[^`\n]+)`"
    r"|:(?P<emoji>[^\s:`<>*~]+(?:::skin-tone-[2-6])?):"
)
_PLAIN_ATOM = re.compile(_ATOM.pattern.replace(r"`(?P<code>[^`\n]+)`", r"(?P<code>(?!))"))
_CONTROL = re.compile(r"<([^<>\n]+)>")
_MARKS = {"*": Style.BOLD, "_": Style.ITALIC, "~": Style.STRIKE}
_MARK = re.compile(r"[*_~\0]")
_QUOTED = re.compile(r"(?:&gt;|>) ?")
_ALL_QUOTED = re.compile(r"(?:&gt;|>){3} ?")
_PERMALINK = re.compile(r"https://[\w.-]+\.slack\.com/archives/([A-Z0-9]+)/p([0-9]{10,})([0-9]{6})(?:\?[^#]*)?$")


def parse(text: str, names: Names) -> tuple[Block, ...]:
    """The text's paragraphs, quotes and lines of code. Nothing for an empty one."""
    out: list[Block] = []
    at = 0
    for found in _FENCE.finditer(text):
        out += _lines(text[at : found.start()], names)
        body = found[1].removeprefix("\n")
        out.append(Code(shown(body.removesuffix("\n"), names)))
        at = found.end()
    out += _lines(text[at:], names)
    return tuple(out)


def parse_inline(text: str, names: Names) -> tuple[Inline, ...]:
    """The text as one run, without blocks."""
    return tuple(_Line(text, names).parts())


def parse_plain(text: str, names: Names) -> tuple[Inline, ...]:
    """The text as one run in which emoji are shown and no other markup is."""
    return tuple(_Line(text, names, marked=False).parts())


def _lines(text: str, names: Names) -> Iterator[Block]:
    said: list[str] = []
    quoted: list[str] = []

    def flush() -> Iterator[Block]:
        if quoted:
            yield Quote((Paragraph(parse_inline("\n".join(quoted), names)),))
        elif "".join(said).strip():
            yield Paragraph(parse_inline("\n".join(said).strip("\n"), names))
        quoted.clear()
        said.clear()

    lines = text.split("\n")
    for at, line in enumerate(lines):
        whole = _ALL_QUOTED.match(line)
        if whole:
            yield from flush()
            rest = "\n".join([line[whole.end() :], *lines[at + 1 :]]).strip("\n")
            if rest.strip():  # Slack knows no quote in a quote: further signs are what somebody wrote
                yield Quote((Paragraph(parse_inline(rest, names)),))
            return
        found = _QUOTED.match(line)
        if bool(found) != bool(quoted):
            yield from flush()
        if found:
            quoted.append(line[found.end() :])
        else:
            said.append(line)
    yield from flush()


def shown(text: str, names: Names) -> str:
    """The text without markup: what stands in angle brackets as people see it. So are code and topics."""
    out = []
    at = 0
    for found in _CONTROL.finditer(text):
        out.append(unescape(text[at : found.start()]))
        out.append(_shown(control(found[1], names)))
        at = found.end()
    out.append(unescape(text[at:]))
    return "".join(out)


def _shown(part: Inline) -> str:
    return part.text if isinstance(part, Link) else plain_inline((part,))


def control(inside: str, names: Names, styles: frozenset[Style] = frozenset()) -> Inline:
    """What stands between "<" and ">"."""
    target, bar, label = inside.partition("|")
    label = unescape(label)
    match target[:1]:
        case "@":
            return names.author(target[1:], label)
        case "#":
            return names.room(target[1:], label)
        case "!":
            return _special(target[1:], label, names)
    url = without_token(unescape(target))
    if ":" not in url:
        return Text(f"<{unescape(inside)}>", styles)  # somebody's own angle brackets, which a program left as they are
    if not bar:
        label = url.removeprefix("mailto:").removeprefix("tel:")
        return permalink(url, names) or Link(url, label, styles)
    return Link(url, label or url, styles)


def permalink(url: str, names: Names) -> Inline | None:
    """A mention of the message that the address leads to; None if it leads elsewhere, or to a room we do not have."""
    found = _PERMALINK.match(url)
    if found is None or found[1] not in names.rooms:
        return None
    return names.message(found[1], f"{found[2]}.{found[3]}", url)


def is_permalink(url: str) -> bool:
    """Whether the address is that of a message."""
    return _PERMALINK.match(url) is not None


def _special(command: str, label: str, names: Names) -> Inline:
    word, _, rest = command.partition("^")
    if word in ("here", "channel", "everyone", "group"):
        return names.everybody(word)
    if word == "subteam":
        return names.group(rest, label)
    if word == "date":
        link = rest.split("^")[2:]
        return Link(without_token(unescape(link[0])), label) if link else Text(label or rest)
    return Text(label or unescape(command))


@dataclass(frozen=True, slots=True)
class _Atom:
    end: int
    part: Inline


class _Line:
    """A text without blocks. `_mask` has the letters at which markup may begin or end, and NUL for what is whole."""

    def __init__(self, text: str, names: Names, *, marked: bool = True) -> None:
        self._text = text.replace("\0", "\ufffd")
        self._names = names
        self._atoms: dict[int, tuple[int, re.Match[str]]] = {}
        self._closing: dict[str, list[int]] = {} if marked else {mark: [] for mark in _MARKS}
        mask = []
        at = 0
        for found in (_ATOM if marked else _PLAIN_ATOM).finditer(self._text):
            if found["emoji"] is not None and not self._is_emoji(found):
                continue
            if found.start() < at:
                continue
            mask.append(self._text[at : found.start()])
            mask.append("\0" * (found.end() - found.start()))
            self._atoms[found.start()] = (found.end(), found)
            at = found.end()
        mask.append(self._text[at:])
        self._mask = "".join(mask)

    def _is_emoji(self, found: re.Match[str]) -> bool:
        name = found["emoji"]
        if name.isdigit() and found.start() and self._text[found.start() - 1].isalnum():
            return False  # 12:30:45
        return self._names.emoji.known(name)

    def parts(self) -> Iterator[Inline]:
        """What the line is made of."""
        return self._parts(0, len(self._text), frozenset())

    def _parts(self, at: int, end: int, styles: frozenset[Style]) -> Iterator[Inline]:
        begun = at
        while found := _MARK.search(self._mask, at, end):
            here = found.start()
            if found[0] == "\0":
                close, match = self._atoms[here]
                yield from self._plain(begun, here, styles)
                yield self._atom(match, styles)
                begun = at = close
                continue
            style = _MARKS[found[0]]
            close = self._close(found[0], here, end) if style not in styles else -1
            if close < 0:
                at = here + 1
                continue
            yield from self._plain(begun, here, styles)
            yield from self._parts(here + 1, close, styles | {style})
            begun = at = close + 1
        yield from self._plain(begun, end, styles)

    def _close(self, mark: str, here: int, end: int) -> int:
        """Where what `mark` begins at `here` ends; -1 if it begins nothing. Inside a word it is a letter."""
        mask = self._mask
        if here and (mask[here - 1].isalnum() or mask[here - 1] == mark):
            return -1
        if here + 1 >= end or mask[here + 1].isspace() or mask[here + 1] == mark:
            return -1
        ends = self._ends(mark)
        number = bisect_left(ends, here + 2)
        at = ends[number] if number < len(ends) else end
        return -1 if at >= end or mask.find("\n", here, at) >= 0 else at

    def _ends(self, mark: str) -> list[int]:
        """Where `mark` may end something: looked for once, as a long line of them would else take hours."""
        if mark not in self._closing:
            mask = self._mask
            self._closing[mark] = [
                at
                for at, one in enumerate(mask)
                if one == mark
                and at
                and not mask[at - 1].isspace()
                and not mask[at + 1 : at + 2].isalnum()
                and mask[at + 1 : at + 2] != mark
            ]
        return self._closing[mark]

    def _plain(self, begin: int, end: int, styles: frozenset[Style]) -> Iterator[Inline]:
        if begin < end:
            yield Text(unescape(self._text[begin:end]), styles)

    def _atom(self, found: re.Match[str], styles: frozenset[Style]) -> Inline:
        if found["control"] is not None:
            return control(found["control"], self._names, styles)
        if found["code"] is not None:
            return Text(shown(found["code"], self._names), styles | {Style.CODE})
        emoji: Emoji = self._names.emoji.named(found["emoji"])
        return emoji
