"""Pieces on their way: the next one is read while the server still deals with the one before."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from liberate.connector import Body
from liberate.errors import LiberateError, TransientError
from liberate_nextcloud.client import Client
from liberate_nextcloud.threads import Threads

_BLOCK = 1 << 20
_ROOM = 8  # blocks that were read and are not yet sent, of each piece on its way


class _Pipe:
    """A body that one thread fills and another reads."""

    def __init__(self, size: int | None) -> None:
        self.size = size
        self._blocks: deque[bytes] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._failure: LiberateError | None = None
        self._left = False

    def put(self, block: bytes) -> bool:
        """Hand a block on, as soon as there is room; whether anybody still reads."""
        with self._changed:
            self._changed.wait_for(lambda: self._left or len(self._blocks) < _ROOM)
            self._blocks.append(block)
            self._changed.notify_all()
            return not self._left

    def end(self, failure: LiberateError | None = None) -> None:
        """There is no more; or there would have been more, had this not happened."""
        with self._changed:
            self._ended, self._failure = True, failure
            self._changed.notify_all()

    def read(self, n: int = -1, /) -> bytes:
        """See Body; gives whole blocks, of at most _BLOCK bytes each, to whoever asks for as many."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._blocks)
            if self._blocks:
                self._changed.notify_all()
                return self._blocks.popleft()
            if self._failure is not None:
                raise self._failure
            return b""

    def leave(self) -> None:
        """Nobody reads any more."""
        with self._changed:
            self._left = True
            self._changed.notify_all()


class Flights:
    """At most `most` pieces of an upload on their way at once, each over a connection of its own."""

    def __init__(self, threads: Threads, most: int) -> None:
        self._threads = threads
        self._most = most
        self._under_way: dict[str, deque[tuple[int, Future[None]]]] = {}

    def send(self, upload: str, number: int, body: Body, put: Callable[[Client, Body], None]) -> None:
        """Read a piece to its end while `put` sends it; it may still be on its way afterwards.

        Raises what reading it raises, and what became of pieces before it.
        """
        under_way = self._under_way.setdefault(upload, deque())
        while under_way and (
            len(under_way) >= self._most or under_way[0][1].done() or any(other == number for other, _ in under_way)
        ):
            self._wait_for_first(upload)
        pipe = _Pipe(body.size)
        under_way.append((number, self._threads.submit(lambda client: _sent(client, pipe, put))))
        try:
            while block := body.read(_BLOCK):
                if not pipe.put(block):
                    self.land(upload)
                    raise TransientError("The server has an answer before it has the whole piece.")
        except LiberateError as error:
            pipe.end(error)
            self.forget(upload)
            raise
        except BaseException:
            pipe.end(TransientError("The upload was stopped."))
            raise
        pipe.end()

    def land(self, upload: str) -> None:
        """Wait until nothing of the upload is on its way. Raises what became of a piece."""
        while self._under_way.get(upload):
            self._wait_for_first(upload)
        self._under_way.pop(upload, None)

    def forget(self, upload: str) -> None:
        """As `land`, whatever became of the pieces."""
        for _, future in self._under_way.pop(upload, deque()):
            future.exception()

    def _wait_for_first(self, upload: str) -> None:
        _, future = self._under_way[upload].popleft()
        try:
            future.result()
        except BaseException:
            self.forget(upload)
            raise


def _sent(client: Client, pipe: _Pipe, put: Callable[[Client, Body], None]) -> None:
    try:
        put(client, pipe)
    finally:
        pipe.leave()
