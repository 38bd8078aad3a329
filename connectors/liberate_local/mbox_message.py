"""One message of an mbox file: which message it is, what stands beside its bytes, and the bytes. Pure."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from liberate_local.mbox_format import CHUNK, Quoting, ReadAt, Span, blocks, split_header, unquoted

# Header fields that mail programs and exports write into a message and rewrite as its state changes.
# What they say is a fact beside the message; a message is the same whatever they say.
_STATE = (
    b"status", b"x-status", b"x-keywords", b"x-uid", b"x-imap", b"x-imapbase", b"content-length", b"lines",
    b"x-mozilla-status", b"x-mozilla-status2", b"x-mozilla-keys", b"x-account-key", b"x-uidl",
    b"x-gmail-labels", b"x-gm-thrid",
)  # fmt: skip
_FIELD = re.compile(rb"\n(" + b"|".join(_STATE) + rb")[ \t]*:")  # a header in lower case, with a line end before it


@dataclass(frozen=True, slots=True)
class Described:
    """A message as one reading of its bytes found it."""

    digest: str  # 32 hex digits of its SHA-256 without the fields above, as it stands in the file
    size: int  # of what `content` gives
    state: dict[bytes, bytes]  # of the fields above, those it has, by name in lower case; the first of each
    state_digest: str  # changes whenever they or the From_ line do


def describe(read_at: ReadAt, span: Span, quoting: Quoting) -> Described:
    """What one reading finds; a message larger than memory is never held whole."""
    digest, size, state = hashlib.sha256(), 0, dict[bytes, bytes]()
    quotes, bare = 0, False
    for block, at_line_start in blocks(read_at, span.start, span.end):
        if size == 0:
            head, _ = split_header(block)
            kept, state = _without_state(head)
            digest.update(kept)
            digest.update(memoryview(block)[len(head) :])
        else:
            digest.update(block)
        size += len(block)
        if quoting != "none":
            if b">From " in block:
                quotes += len(block) - len(unquoted(block, at_line_start))
            bare = bare or ((quotes > 0 or span.start + size < span.end) and _bare(block, at_line_start))
    if _unquotes(quoting, span, bare):
        size -= quotes
    marks = zlib.crc32(repr((span.received, *state.values())).encode())
    return Described(digest.hexdigest()[:32], size, state, f"{marks:08x}")


def content(read_at: ReadAt, span: Span, quoting: Quoting) -> Iterator[bytes]:
    """The message's bytes."""
    small = list(blocks(read_at, span.start, span.end)) if span.end - span.start <= CHUNK else None
    bare = quoting == "auto" and any(_bare(*block) for block in small or blocks(read_at, span.start, span.end))
    undo = _unquotes(quoting, span, bare)
    for block, at_line_start in small or blocks(read_at, span.start, span.end):
        yield unquoted(block, at_line_start) if undo else block


def _bare(block: bytes, at_line_start: bool) -> bool:
    """Whether a line begins with "From " in these lines."""
    return b"\nFrom " in block or (at_line_start and block.startswith(b"From "))


def _unquotes(quoting: Quoting, span: Span, bare: bool) -> bool:
    """Whether the message's ">From " lines were "From " lines.

    "auto" takes a file for mboxrd, whose quoting can be undone exactly (for mboxo, the same undoes
    all but what was ">From " from the beginning), unless this message shows that its writer quotes
    nothing: it was delimited by its length, or holds a line that mboxrd would have quoted.
    """
    return quoting != "none" and not span.counted and not (quoting == "auto" and bare)


def state_of(head: bytes) -> dict[bytes, bytes]:
    """The fields of a header in which mail programs keep a message's state, by name in lower case."""
    return _without_state(head)[1]


def _without_state(head: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    """The header without the fields of _STATE, and those."""
    kept, state, last = [], dict[bytes, bytes](), 0
    for field in _FIELD.finditer(b"\n" + head.lower()):
        at = field.start()
        end = head.find(b"\n", at) + 1 or len(head)
        while head[end : end + 1] in (b" ", b"\t"):
            end = head.find(b"\n", end) + 1 or len(head)
        state.setdefault(field[1], head[at:end])
        kept.append(head[last:at])
        last = end
    if not state:
        return head, state
    kept.append(head[last:])
    return b"".join(kept), state
