"""An answer of the stand-in, ready to be sent, whole or broken off."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from liberate_google.standin.content import Content
from liberate_google.standin.errors import ApiError
from liberate_google.standin.faults import Fault

_PIECE = 3 << 18  # bytes of a message spelled in base64 at a time; a multiple of three
_MARK = "\u0001raw\u0001"  # stands where the message's bytes go; JSON spells it \u0001raw\u0001


class Media:
    """Part of a file's bytes on their way out."""

    def __init__(self, content: Content, start: int, end: int) -> None:
        self.content = content
        self.start = start
        self.end = end
        self.flip: int | None = None  # at this place of the answer a bit is turned over

    @property
    def length(self) -> int:
        return self.end - self.start

    def pieces(self) -> Iterator[bytes]:
        at = 0
        for piece in self.content.pieces(self.start, self.end):
            if self.flip is not None and at <= self.flip < at + len(piece):
                damaged = bytearray(piece)
                damaged[self.flip - at] ^= 1
                piece = bytes(damaged)  # noqa: PLW2901
            at += len(piece)
            yield piece


class Reply:
    """An answer ready to be sent."""

    __slots__ = ("code", "headers", "media", "raw", "text")

    def __init__(
        self,
        code: int,
        answer: Any = None,
        headers: dict[str, str] | None = None,
        text: bytes | None = None,
        media: Media | None = None,
    ) -> None:
        self.code = code
        self.media = media
        self.headers = {"Content-Type": "application/json; charset=UTF-8"} | (headers or {})
        self.raw: bytes | None = None
        if isinstance(answer, dict) and isinstance(answer.get("raw"), bytes):
            self.raw = answer["raw"]
            answer = {**answer, "raw": _MARK}
        if text is not None or media is not None:
            self.text = text or b""
        elif answer is None:
            self.text = b""
            del self.headers["Content-Type"]
        else:
            self.text = json.dumps(answer, indent=1).encode()

    def pieces(self) -> Iterator[bytes]:
        """The body."""
        if self.media is not None:
            yield from self.media.pieces()
            return
        if self.raw is None:
            yield self.text
            return
        before, after = self.text.split(json.dumps(_MARK)[1:-1].encode())
        yield before
        for at in range(0, len(self.raw), _PIECE):
            yield base64.urlsafe_b64encode(memoryview(self.raw)[at : at + _PIECE])
        yield after

    @property
    def length(self) -> int:
        """Bytes of the body."""
        if self.media is not None:
            return self.media.length
        if self.raw is None:
            return len(self.text)
        return len(self.text) - len(json.dumps(_MARK)) + 2 + (len(self.raw) + 2) // 3 * 4


class Broken(Exception):
    """The connection is to break while this reply is on its way."""

    def __init__(self, fault: Fault, reply: Reply | None) -> None:
        super().__init__(fault.breaks)
        self.fault = fault
        self.reply = reply


def refusal(error: ApiError) -> Reply:
    """The answer that tells of the error."""
    return Reply(error.code, error.answer(), error.headers)
