"""The stand-in's sockets: keep-alive, answers in pieces, connections cut on purpose."""

from __future__ import annotations

from typing import Protocol

from liberate.testing.standin import Handler, reset
from liberate_google.standin.reply import Broken, Reply


class Service(Protocol):
    """What answers the requests."""

    latency: float

    def answer(self, http: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """The reply to any request. Raises Broken for one that is to break off."""
        ...


class Connection(Handler):
    """One connection."""

    service: Service

    def serve(self, headers: dict[str, str], body: bytes) -> None:
        http = headers.pop("x-http-method-override", self.command)
        target = self.path
        if http != self.command and body:  # how the client sends an address of more than 2,048 characters
            target, body = f"{target}?{body.decode('ascii')}", b""
        try:
            reply = self.service.answer(http, target, headers, body)
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
