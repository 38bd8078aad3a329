"""What tests of destinations share."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

from liberate.connector import Place
from liberate.errors import TransientError

HOSTILE = [b"", b"x", b"bare\nlf", b"crlf\r\n", b"\r\r\n\0\xff", b"From x\n" * 3, b"y" * 3_000_000]


class Bytes:
    """A body; with `fail_at`, of a source that goes away after so many bytes."""

    def __init__(self, data: bytes, fail_at: int | None = None) -> None:
        self.size: int | None = len(data)
        self._file = BytesIO(data)
        self._fail_at = fail_at

    def read(self, n: int = -1, /) -> bytes:
        if self._fail_at is not None and self._file.tell() >= self._fail_at:
            raise TransientError("the source went away")
        return self._file.read(n if self._fail_at is None else min(n, self._fail_at - self._file.tell()))


def nothing_taken(_place: Place, _ids: Sequence[str]) -> set[str]:
    return set()
