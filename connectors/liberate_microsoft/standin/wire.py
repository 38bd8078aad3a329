"""The stand-in's sockets: TLS, keep-alive, answers in pieces, connections cut on purpose."""

from __future__ import annotations

import logging
import socket
import ssl
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from liberate_microsoft.standin.reply import Broken, Reply, first

_log = logging.getLogger(__name__)
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing the socket resets the connection


class Service(Protocol):
    """What answers the requests."""

    latency: float

    def answer(self, http: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """The reply to any request. Raises Broken for one that gets none."""
        ...


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.server.standin.latency:
            time.sleep(self.server.standin.latency)
        try:
            reply = self.server.standin.answer(self.command, self.path, headers, body)
        except Broken:
            self._cut()
            return
        self._send(reply)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - named by http.server

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(reply.length))
        self.end_headers()
        cut = reply.fault is not None and reply.fault.breaks == "truncate"
        pieces = reply.pieces()
        for piece in first(pieces, reply.fault.after) if cut and reply.fault is not None else pieces:
            self.wfile.write(piece)
        if cut:
            self.wfile.flush()  # and a plain end: a reset could take away what the other side has not yet read
            self.close_connection = True

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.wfile = _Nowhere()  # type: ignore[assignment]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        _log.debug(format, *args)


class _Nowhere:
    """Takes the place of a stream that was cut, so that closing it sends nothing."""

    closed = True

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Server(ThreadingHTTPServer):
    """Serves over TLS; each connection shakes hands in its own thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], standin: Service, tls: ssl.SSLContext) -> None:
        self.standin = standin
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[Any, Any]:
        plain, address = super().get_request()
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
