"""A text too large for one event in several: cut between blocks, lines, words, or at least between letters.

The bodies of the parts one after the other are the plain text of the whole, to the letter. Pure.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from liberate.chat import Block, Code, Heading, Inline, Paragraph, Text, plain, plain_inline

_ZWJ = "\u200d"


@dataclass(frozen=True, slots=True)
class Part:
    """Some blocks, and what stands between their plain text and that of the next part."""

    blocks: tuple[Block, ...]
    tail: str = ""


Fits: TypeAlias = Callable[[Part], bool]


def split(blocks: Sequence[Block], fits: Fits) -> list[Part]:
    """The blocks in few parts, each of which fits; always one at least."""
    whole = Part(tuple(blocks))
    if fits(whole):
        return [whole]
    parts: list[Part] = []
    held: tuple[Block, ...] = ()
    for block in blocks:
        if held and not fits(Part((*held, block), "\n")):
            parts.append(Part(held, "\n"))
            held = ()
        if held or fits(Part((block,), "\n")):
            held = (*held, block)
            continue
        *full, last = _pieces(block, fits)
        parts += full
        held = last.blocks
    return [*parts, Part(held)]


def _pieces(block: Block, fits: Fits) -> Iterator[Part]:
    """One block that does not fit in blocks that do. A list, table or quote of this size loses its looks."""
    if not isinstance(block, Paragraph | Heading | Code):
        block = Paragraph((Text(plain((block,))),))
    while not fits(Part((block,), "\n")):
        size = len(plain((block,)))
        low, high = 1, size - 1  # one letter is taken to fit
        while low < high:
            middle = (low + high + 1) // 2
            if fits(Part((_cut(block, 0, middle),), "\n")):
                low = middle
            else:
                high = middle - 1
        text = plain((block,))
        at = edge(text, low)
        newline = text[at - 1] == "\n"
        yield Part((_cut(block, 0, at - newline),), "\n" if newline else "")
        block = _cut(block, at, size)
    yield Part((block,))


def edge(text: str, limit: int) -> int:
    """How many letters to take, at most `limit`: whole lines, else whole words, if those are over half of it."""
    for mark in ("\n", " "):
        at = text.rfind(mark, limit // 2, limit) + 1
        if at > 0:
            return at
    at = limit
    while at > 1 and _within(text, at):
        at -= 1
    return at if at > 1 else limit


def _within(text: str, at: int) -> bool:
    """Whether a cut before text[at] would go through something that people see as one letter."""
    if at >= len(text):
        return False
    before, after = text[at - 1], text[at]
    if _ZWJ in (before, after) or unicodedata.category(after) in ("Mn", "Me", "Mc"):
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or (before, after) == ("\r", "\n"):  # the tones of skin
        return True
    flags = 0
    while flags < at and "\U0001f1e6" <= text[at - 1 - flags] <= "\U0001f1ff":
        flags += 1
    return flags % 2 == 1 and "\U0001f1e6" <= after <= "\U0001f1ff"


def _cut(block: Paragraph | Heading | Code, start: int, end: int) -> Paragraph | Heading | Code:
    """The block from one letter of its plain text to another."""
    if isinstance(block, Code):
        return replace(block, text=block.text[start:end])
    out: list[Inline] = []
    at = 0
    for part in block.parts:
        text = plain_inline((part,))
        first, last = max(start - at, 0), min(end - at, len(text))
        if first == 0 and last == len(text):
            out.append(part)
        elif first < last:  # a link that is cut leads nowhere
            out.append(Text(text[first:last], part.styles if isinstance(part, Text) else frozenset()))
        at += len(text)
    return replace(block, parts=tuple(out))
