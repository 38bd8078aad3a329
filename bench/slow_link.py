"""A loopback TCP proxy that is far away: each byte arrives later, and none arrives slower.

What comes in is stamped with the moment at which it is due at the other side, and sent then. The
delay takes no bandwidth away, since hundreds of megabytes may be on the way. Not imitated: packet
loss, TCP's slow start, and the round trip in which a connection is opened.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

_CHUNK = 1 << 18
_CHUNKS = 2048  # on the way in one direction: 512 MB at most, 34 GB/s at 15 ms
_LOOPBACK = "127.0.0.1"


class SlowLink:
    """Forwards connections to a port of this machine and back; also a context manager."""

    def __init__(self, port: int, round_trip: float) -> None:
        """`port` is where connections go; `round_trip` is in seconds, half of it each way."""
        self._to = port
        self._delay = round_trip / 2
        self._listener = socket.create_server((_LOOPBACK, 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._closed = False

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cut every connection and end every thread."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        with self._lock:
            for sock in self._open:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()
        for sock in self._open:
            sock.close()
        self._open.clear()

    def _start(self, what: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments, name="slow-link", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection((_LOOPBACK, self._to))
            except OSError:
                near.close()
                continue
            with self._lock:
                self._open |= {near, far}
                if self._closed:
                    return
            for sock in (near, far):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for here, there in ((near, far), (far, near)):
                way: queue.Queue[tuple[float, bytes]] = queue.Queue(_CHUNKS)
                self._start(self._take, here, way)
                self._start(self._give, there, way)

    def _take(self, here: socket.socket, way: queue.Queue[tuple[float, bytes]]) -> None:
        """Stamp what comes in; b"" stands for the end."""
        while True:
            try:
                data = here.recv(_CHUNK)
            except OSError:
                data = b""
            way.put((time.monotonic() + self._delay, data))
            if not data:
                return

    @staticmethod
    def _give(there: socket.socket, way: queue.Queue[tuple[float, bytes]]) -> None:
        """Send what is due, when it is due."""
        broken = False
        while True:
            due, data = way.get()
            if not data:
                with contextlib.suppress(OSError):
                    there.shutdown(socket.SHUT_WR)
                return
            if broken:
                continue  # nobody listens any more; the sender shall still come to its end
            if (left := due - time.monotonic()) > 0:
                time.sleep(left)
            try:
                there.sendall(data)
            except OSError:
                broken = True
