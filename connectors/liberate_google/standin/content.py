"""What the stand-in's files hold: bytes as they were put in, or made anew at each reading from a seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from functools import cached_property
from typing import Protocol

_BLOCK = 1 << 16


class Content(Protocol):
    """Bytes that can be read from anywhere."""

    @property
    def size(self) -> int: ...

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, in pieces."""
        ...


class Stored:
    """Bytes in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        return len(self._data)

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        for at in range(start, end, _BLOCK):
            yield self._data[at : min(end, at + _BLOCK)]


class Made:
    """Random bytes, the same for the same seed, of which none are kept."""

    def __init__(self, seed: str, size: int) -> None:
        self._seed = seed
        self._size = size

    @property
    def size(self) -> int:
        return self._size

    def pieces(self, start: int, end: int) -> Iterator[bytes]:
        for number in range(start // _BLOCK, (end + _BLOCK - 1) // _BLOCK):
            base = number * _BLOCK
            block = random.Random(f"{self._seed}:{number}").randbytes(_BLOCK)  # noqa: S311 - repeatable on purpose
            yield block[max(0, start - base) : min(_BLOCK, end - base)]


class Blob:
    """Content with the digests that Drive keeps of it."""

    def __init__(self, content: Content) -> None:
        self.content = content

    @property
    def size(self) -> int:
        return self.content.size

    def read(self) -> bytes:
        return b"".join(self.content.pieces(0, self.size))

    @cached_property
    def digests(self) -> dict[str, str]:
        """md5, sha1 and sha256, as hex digits."""
        found = [hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")]
        for piece in self.content.pieces(0, self.size):
            for digest in found:
                digest.update(piece)
        return {digest.name: digest.hexdigest() for digest in found}
