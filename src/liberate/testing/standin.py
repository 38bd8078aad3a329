"""What stand-ins for services share: faults that strike when told to, and sockets that break off on purpose."""

from __future__ import annotations

import logging
import random
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

_log = logging.getLogger(__name__)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing the socket resets the connection


class Strikes(Protocol):
    """A fault: what it does, and to which calls, is the stand-in's own."""

    times: int | None  # None: for ever
    skip: int  # how many fitting calls go well first
    chance: float
    hits: int

    def fits(self, call: Any, /) -> bool: ...


_F = TypeVar("_F", bound=Strikes)


class Faults(Generic[_F]):
    """The faults in force. Chance is drawn from a seeded generator, so runs repeat."""

    def __init__(self, seed: int = 20260501) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._faults: list[_F] = []

    def add(self, fault: _F) -> _F:
        """Put a fault in force; its `hits` tell how often it struck."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def strike(self, call: Any) -> _F | None:
        """The fault that this call meets, if any."""
        with self._lock:
            for fault in self._faults:
                if not fault.fits(call) or (fault.times is not None and fault.hits >= fault.times):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.chance < 1.0 and self._random.random() >= fault.chance:
                    continue
                fault.hits += 1
                return fault
        return None


class Server(ThreadingHTTPServer):
    """Keeps connections open, knows them all, and can reset one; over TLS, each shakes hands in its own thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        handler: Callable[[Any, Any, Server], BaseHTTPRequestHandler],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, handler)

    def get_request(self) -> tuple[Any, Any]:
        plain, address = super().get_request()
        if self._tls is None:
            return plain, address
        return self._tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False), address

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        try:
            if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == _RESET:
                request.close()  # a reset, not a polite end
                return
        except OSError:
            _log.debug("a connection was gone already")
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake every handler that waits for a next request; each then closes its own socket."""
        with self._open_lock:
            waiting = list(self._open)
        for request in waiting:
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                _log.debug("a connection was gone already")

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("a client went away", exc_info=True)


class Handler(BaseHTTPRequestHandler):
    """One connection to `service`, kept open. `serve` answers a request that was read to its end."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def __init__(self, *connection: Any, service: Any) -> None:
        self.service = service
        super().__init__(*connection)

    def serve(self, headers: dict[str, str], body: bytes) -> None:
        """Answer. The names of the headers are in small letters."""
        raise NotImplementedError

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.service.latency:
            time.sleep(self.service.latency)
        self.serve(headers, body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - named by http.server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        _log.debug(format, *args)


def reset(handler: BaseHTTPRequestHandler) -> None:
    """Cut the handler's connection: whoever reads gets a reset."""
    handler.close_connection = True
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    handler.wfile = _Nowhere()  # type: ignore[assignment]


class _Nowhere:
    """Takes the place of a stream that was cut, so that closing it sends nothing."""

    closed = True

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Served:
    """A stand-in that serves from a thread of its own, while its `with` block lasts."""

    _server: Server
    _thread: threading.Thread | None = None

    def start(self) -> Self:
        """Serve until `close`."""
        name = type(self).__name__
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name=name, daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and close every connection."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.close_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
