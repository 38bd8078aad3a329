"""Bodies on their way up: of a known length, hashed as they pass, and never whole if their source fails."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from liberate.connector import Body
from liberate.errors import IntegrityError

_BLOCK = 1 << 20


class Passing:
    """A body for a request: `len` gives Content-Length, and its last block is let go only once the source has ended.

    A source often tells at its end that something is wrong. If all bytes were on their way by then, the
    server would store what is to be thrown away; so one block is held back.

    It is iterated and has no `read`: from what can be read, urllib3 takes 16 kB at a time, and cutting these off
    costs more than sending them.
    """

    def __init__(self, body: Body) -> None:
        if body.size is None:
            raise ValueError("a body of unknown size must be spooled before it is written")
        self._body = body
        self._size = body.size
        self._left = body.size
        self._hash = hashlib.sha256()

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        """The body's blocks, once. Raises IntegrityError if it is not as long as was said."""
        held = b""
        while block := self._body.read(_BLOCK):
            self._hash.update(block)
            self._left -= len(block)
            if self._left < 0:
                raise IntegrityError("The body has more bytes than was said.")
            if held:
                yield held
            held = block
        if self._left:
            raise IntegrityError(f"The body ended {self._left} bytes early.")
        if held:
            yield held

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def whole(self) -> bytes:
        """All of it, for a body small enough."""
        return b"".join(self)


class Whole:
    """Bytes that are there already, as a Body."""

    def __init__(self, data: bytes) -> None:
        self.size: int | None = len(data)
        self._data = data

    def read(self, n: int = -1, /) -> bytes:
        n = len(self._data) if n < 0 else n
        out, self._data = self._data[:n], self._data[n:]
        return out
