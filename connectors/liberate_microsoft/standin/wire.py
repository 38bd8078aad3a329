"""The stand-in's sockets: TLS, keep-alive, answers in pieces, connections cut on purpose."""

from __future__ import annotations

import logging
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from liberate.testing.standin import reset
from liberate_microsoft.standin.reply import Broken, Reply, first

_log = logging.getLogger(__name__)


class Service(Protocol):
    """What answers the requests."""

    latency: float

    def answer(self, http: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """The reply to any request. Raises Broken for one that gets none."""
        ...


class Handler(BaseHTTPRequestHandler):
    """One connection to a service."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16

    def __init__(self, *connection: Any, service: Service) -> None:
        self.service = service
        super().__init__(*connection)

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if self.service.latency:
            time.sleep(self.service.latency)
        try:
            reply = self.service.answer(self.command, self.path, headers, body)
        except Broken:
            reset(self)
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

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        _log.debug(format, *args)
