"""One JSON array after another of its elements, whatever its size; and what can be had of a broken one."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

LARGEST = 64 << 20  # characters of one element: a message has at most some thousands
_SPACE = re.compile(r"[ \t\r\n]*")
_decode = json.JSONDecoder().raw_decode


class BrokenJson(Exception):
    """From here on, the file cannot be read. Its text is a sentence."""


def elements(chunks: Iterable[bytes]) -> Iterator[tuple[str, Any]]:
    """Each element of the array, as text and as a value. A byte order mark is no fault; what is no UTF-8 is replaced.

    Raises BrokenJson behind the last element that could be read.
    """
    text = _Text(chunks)
    if text.next() != "[":
        raise BrokenJson("It is not an array of messages.")
    text.at += 1
    first = True
    while True:
        here = text.next()
        if here == "]":
            text.at += 1
            if text.next():
                raise BrokenJson("Something follows where its array of messages ends.")
            return
        if not first:
            if here != ",":
                raise BrokenJson("It ends in the middle." if not here else "Its JSON is broken in the middle.")
            text.at += 1
            text.next()
        first = False
        yield text.element()


class _Text:
    """The decoded text, as much of it as is needed at a time."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._text = ""
        self._ended = False
        self.at = 0

    def _more(self, wanted: int = 1) -> bool:
        """Read on by at least so many characters, fewer only at the end; whether there was anything."""
        got: list[str] = []
        length = 0
        while length < wanted and not self._ended:
            chunk = next(self._chunks, None)
            self._ended = chunk is None
            piece = self._decoder.decode(chunk or b"", self._ended)
            got.append(piece)
            length += len(piece)
        self._text = self._text[self.at :] + "".join(got)
        self.at = 0
        return length > 0

    def next(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            found = _SPACE.match(self._text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self._text):
                return self._text[self.at]
            if not self._more():
                return ""

    def element(self) -> tuple[str, Any]:
        while True:
            try:
                value, end = _decode(self._text, self.at)
            except (ValueError, RecursionError):
                have = len(self._text) - self.at
                if have > LARGEST:
                    raise BrokenJson("Its JSON is broken in the middle.") from None
                if not self._more(max(have, 1)):
                    raise BrokenJson("Its JSON is broken in the middle.") from None
                continue
            # A number may go on in the next chunk.
            if end == len(self._text) and not self._ended and self._more():
                continue
            text = self._text[self.at : end]
            self.at = end
            return text, value
