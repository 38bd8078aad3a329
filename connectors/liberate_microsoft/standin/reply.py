"""An answer of the stand-in, ready to be sent, whole or broken off."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from liberate_microsoft.standin.errors import ApiError
from liberate_microsoft.standin.faults import Fault
from liberate_microsoft.standin.tree import Blob


class Reply:
    """An answer: JSON, text, or a part of a file's bytes."""

    __slots__ = ("_blob", "_range", "_text", "after", "fault", "headers", "status")

    def __init__(
        self,
        status: int,
        answer: Any = None,
        headers: dict[str, str] | None = None,
        *,
        text: bytes | None = None,
        blob: Blob | None = None,
        part: tuple[int, int] | None = None,
        fault: Fault | None = None,
    ) -> None:
        kind = {} if answer is None else {"Content-Type": "application/json;odata.metadata=minimal;charset=utf-8"}
        self.status = status
        self.headers = kind | (headers or {})
        self._text = text if text is not None else b"" if answer is None else json.dumps(answer).encode()
        self._blob = blob
        self._range = part if part is not None else (0, 0 if blob is None else blob.size)
        self.fault = fault  # which breaks it on its way
        self.after: Callable[[], None] = _nothing  # what is due when it was sent

    def pieces(self) -> Iterator[bytes]:
        """The body, as it is sent: a fault may have changed a byte of it, or end it early."""
        pieces = iter([self._text]) if self._blob is None else self._blob.pieces(*self._range)
        if self.fault is not None and self.fault.breaks == "flip":
            return _flipped(pieces, self.fault.after - self._range[0])
        return pieces

    @property
    def length(self) -> int:
        return len(self._text) if self._blob is None else self._range[1] - self._range[0]


def _nothing() -> None:
    """Nothing is due."""


def _flipped(pieces: Iterator[bytes], position: int) -> Iterator[bytes]:
    at = 0
    for piece in pieces:
        where = position - at
        at += len(piece)
        yield piece[:where] + bytes([piece[where] ^ 1]) + piece[where + 1 :] if 0 <= where < len(piece) else piece


def first(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    """The first `count` bytes."""
    for piece in pieces:
        yield piece[:count]
        count -= len(piece)
        if count <= 0:
            return


class Broken(Exception):
    """The connection is to break before an answer."""


def refusal(error: ApiError) -> Reply:
    """The answer that tells of the error."""
    return Reply(error.status, error.answer(), error.headers)


def request_ids() -> Iterator[str]:
    """Ids for the header `request-id`."""
    return (f"00000000-0000-4000-8000-{number:012x}" for number in itertools.count(1))
