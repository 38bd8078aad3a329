"""Bodies on their way up: of a known length, hashed as they pass, and never whole if their source fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from liberate.connector import Body
from liberate.errors import IntegrityError

_BLOCK = 256 << 10


class Passing:
    """A body for a request: `len` gives Content-Length, and its last block is let go only once the source has ended.

    A source often tells at its end that something is wrong. If all bytes were on their way by then, the
    server would store what is to be thrown away; so one block is held back.
    """

    def __init__(self, body: Body) -> None:
        if body.size is None:
            raise ValueError("a body of unknown size must be spooled before it is written")
        self._body = body
        self._size = body.size
        self._left = body.size
        self._hash = hashlib.sha256()
        self._buffer = b""
        self._held: bytes | None = None

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:  # requests takes what can be iterated for a stream
        while block := self.read(_BLOCK):
            yield block

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def read(self, n: int = -1, /) -> bytes:
        while not self._buffer:
            block = self._next()
            if block is None:
                return b""
            self._buffer = block
        if n < 0 or n >= len(self._buffer):
            out, self._buffer = self._buffer, b""
        else:
            out, self._buffer = self._buffer[:n], self._buffer[n:]
        return out

    def whole(self) -> bytes:
        """All of it, for a body small enough."""
        out = []
        while block := self.read():
            out.append(block)
        return b"".join(out)

    def _next(self) -> bytes | None:
        """The block before the one that was just read; None at the end."""
        while True:
            block = self._body.read(_BLOCK)
            if not block:
                if self._left:
                    raise IntegrityError(f"The body ended {self._left} bytes early.")
                last, self._held = self._held, None
                return last
            self._hash.update(block)
            self._left -= len(block)
            if self._left < 0:
                raise IntegrityError("The body has more bytes than was said.")
            before, self._held = self._held, block
            if before is not None:
                return before


class Whole:
    """Bytes that are there already, as a Body."""

    def __init__(self, data: bytes) -> None:
        self.size: int | None = len(data)
        self._data = data

    def read(self, n: int = -1, /) -> bytes:
        n = len(self._data) if n < 0 else n
        out, self._data = self._data[:n], self._data[n:]
        return out
