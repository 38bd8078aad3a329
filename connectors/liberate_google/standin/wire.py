"""The stand-in's sockets: keep-alive, answers in pieces, connections cut on purpose."""

from __future__ import annotations

import logging
import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol

from liberate.testing.standin import reset
from liberate_google.standin.reply import Broken, Reply

_log = logging.getLogger(__name__)


class Service(Protocol):
    """What answers the requests."""

    latency: float

    def answer(self, http: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """The reply to any request. Raises Broken for one that is to break off."""
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
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - named by http.server

    def _serve(self) -> None:
        standin = self.service
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        http = headers.pop("x-http-method-override", self.command)
        target = self.path
        if http != self.command and body:  # how the client sends an address of more than 2,048 characters
            target, body = f"{target}?{body.decode('ascii')}", b""
        if standin.latency:
            time.sleep(standin.latency)
        try:
            reply = standin.answer(http, target, headers, body)
        except Broken as broken:
            self._break(broken)
            return
        self._send(reply)

    def _head(self, reply: Reply) -> None:
        self.send_response(reply.code)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.code != 204:
            self.send_header("Content-Length", str(reply.length))
        self.end_headers()

    def _send(self, reply: Reply) -> None:
        self._head(reply)
        for piece in reply.pieces():
            self.wfile.write(piece)

    def _break(self, broken: Broken) -> None:
        """Cut the connection, after part of the answer if there is one to cut."""
        if broken.reply is not None:
            self._head(broken.reply)
            left = broken.fault.after or broken.reply.length // 2
            for piece in broken.reply.pieces():
                self.wfile.write(piece[:left])
                left -= len(piece)
                if left <= 0:
                    break
            self.wfile.flush()
        reset(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        _log.debug(format, *args)
