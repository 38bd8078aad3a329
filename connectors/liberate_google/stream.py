"""Decodes one message out of a JSON answer while it arrives, so that 150 MB never stand in memory. Pure."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Literal

from liberate.errors import IntegrityError, TransientError

_URLSAFE = bytes.maketrans(b"-_", b"+/")
_STRUCTURE = re.compile(rb'["{}\[\]:,]')
_LONGEST_KEY = 1024


def decode_base64url(text: bytes | str) -> bytes:
    """The bytes that Gmail's "raw" spells, padded or not. Raises IntegrityError for anything else.

    base64.urlsafe_b64decode drops characters that it does not know: a damaged message would pass.
    """
    data = text.encode("ascii", "replace") if isinstance(text, str) else text
    try:
        return binascii.a2b_base64(data.translate(_URLSAFE) + b"=" * (-len(data) % 4), strict_mode=bool(data))
    except binascii.Error:
        raise IntegrityError("Gmail's answer does not spell a message: its base64 is damaged.") from None


class RawField:
    """Takes a JSON object piece by piece and gives the decoded value of its top-level "raw".

    feed() yields what is decoded so far; finish() raises TransientError when the object did not
    end, because a connection may be cut without anybody saying so. `found` tells whether there was
    a "raw" at all.
    """

    def __init__(self) -> None:
        self.found = False
        self._depth = 0
        self._state: Literal["between", "string", "value"] = "between"
        self._text = bytearray()  # of the string being read
        self._key = b""  # the last string at depth 1 that a colon follows
        self._last = b""  # the last whole string
        self._rest = b""  # an escape, or base64 characters, that the next piece completes
        self._padded = False
        self._ended = False

    def feed(self, piece: bytes) -> Iterator[bytes]:
        at = 0
        piece, self._rest = self._rest + piece, b""
        while at < len(piece):
            if self._state == "between":
                at = self._between(piece, at)
            else:
                end = _end_of_string(piece, at)
                stop = len(piece) if end < 0 else end
                if end < 0:  # keep what may be half an escape for the next piece
                    stop = at + _whole_escapes(piece[at:])
                    self._rest = piece[stop:]
                if self._state == "value":
                    yield from self._value(piece[at:stop], last=end >= 0)
                elif len(self._text) < _LONGEST_KEY:
                    self._text += piece[at:stop]
                if end < 0:
                    return
                if self._state == "string":
                    self._last = bytes(self._text[:_LONGEST_KEY])
                self._text.clear()
                self._state = "between"
                at = end + 1

    def finish(self) -> None:
        """Call at the end of the answer."""
        if not self._ended:
            raise TransientError("Gmail's answer broke off before its end.")

    def _between(self, piece: bytes, at: int) -> int:
        mark = _STRUCTURE.search(piece, at)
        if mark is None:
            return len(piece)
        sign = mark[0]
        if sign == b'"':
            wanted = self._depth == 1 and self._key == b"raw"
            self._state = "value" if wanted else "string"
            self.found |= wanted
            self._last = b""
        elif sign in b"{[":
            self._depth += 1
            self._key = b""
        elif sign in b"}]":
            self._depth -= 1
            self._ended |= self._depth == 0
        elif sign == b":":
            self._key = self._last if self._depth == 1 else b""
        else:
            self._key = b""
        return mark.end()

    def _value(self, text: bytes, *, last: bool) -> Iterator[bytes]:
        if b"\\" in text:
            text = _unescape(text)
        self._text += text
        ready = len(self._text) if last else len(self._text) // 4 * 4
        if ready:
            if self._padded:
                raise IntegrityError("Gmail's answer does not spell a message: its base64 goes on after its end.")
            part = bytes(self._text[:ready])
            del self._text[:ready]
            self._padded = part.endswith(b"=")
            yield decode_base64url(part)


def _end_of_string(piece: bytes, at: int) -> int:
    """Where the string's closing quote is; -1: not in this piece."""
    while (end := piece.find(b'"', at)) >= 0:
        slashes = 0
        while end - slashes > at and piece[end - slashes - 1] == 0x5C:
            slashes += 1
        if slashes % 2 == 0:
            return end
        at = end + 1
    return -1


def _whole_escapes(text: bytes) -> int:
    """How much of `text` can be read without what comes next: an escape may be cut, \\u003d too."""
    for back in range(1, 7):
        at = len(text) - back
        if at < 0:
            break
        if text[at] == 0x5C and _odd(text, at):
            need = 6 if text[at + 1 : at + 2] == b"u" else 2
            return len(text) if back >= need else at
    return len(text)


def _odd(text: bytes, at: int) -> bool:
    """Whether the backslash at `at` begins an escape and does not end one."""
    before = 0
    while at - before > 0 and text[at - before - 1] == 0x5C:
        before += 1
    return before % 2 == 0


def _unescape(text: bytes) -> bytes:
    """JSON escapes resolved: Google writes "=" as \\u003d where an answer may end up in a page."""
    out = re.sub(rb"\\u00([0-9a-fA-F]{2})", lambda match: bytes([int(match[1], 16)]), text)
    return out.replace(b"\\/", b"/")


def decoded(pieces: Iterable[bytes], field: RawField | None = None) -> Iterator[bytes]:
    """The message in an answer that arrives in `pieces`; nothing at all when it has no "raw"."""
    field = field or RawField()
    for piece in pieces:
        yield from field.feed(piece)
    field.finish()
