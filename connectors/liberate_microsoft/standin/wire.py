"""The stand-in's sockets: TLS, keep-alive, answers in pieces, connections cut on purpose."""

from __future__ import annotations

from typing import Protocol

from liberate.testing.standin import Handler, reset
from liberate_microsoft.standin.reply import Broken, Reply, first


class Service(Protocol):
    """What answers the requests."""

    latency: float

    def answer(self, http: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """The reply to any request. Raises Broken for one that gets none."""
        ...


class Connection(Handler):
    """One connection."""

    service: Service

    def serve(self, headers: dict[str, str], body: bytes) -> None:
        try:
            reply = self.service.answer(self.command, self.path, headers, body)
        except Broken:
            reset(self)
            return
        try:
            self._send(reply)
        finally:
            reply.after()

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
