"""One request and its answer, between the web server and what answers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import parse_qs

from liberate_nextcloud.standin import errors

PIECE = 1 << 16
_REASONS = {
    200: "OK", 201: "Created", 204: "No Content", 206: "Partial Content", 207: "Multi-Status", 302: "Found",
    304: "Not Modified", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    405: "Method Not Allowed", 409: "Conflict", 412: "Precondition failed", 413: "Request Entity Too Large",
    415: "Unsupported Media Type", 416: "Requested Range Not Satisfiable", 423: "Locked", 429: "Too Many Requests",
    500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout", 507: "Insufficient Storage",
}  # fmt: skip
_SECRET = frozenset({"authorization", "authorization-app-api", "cookie", "nc-password"})


class Seen(NamedTuple):
    """A request in the log, for tests to count; secrets are left out of the headers."""

    method: str
    path: str
    status: int  # 0: the connection was cut
    user: str
    connection: int  # the number of its TCP connection
    headers: dict[str, str]


class Cut(Exception):
    """The connection is to break here."""


class Aborted(Exception):
    """The client went away in the middle of its request."""


@dataclass(slots=True)
class Reply:
    """An answer ready to be sent."""

    status: int
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes | Iterable[bytes] = b""

    @property
    def line(self) -> str:
        return f"{self.status} {_REASONS.get(self.status, 'Unknown')}"


@dataclass(slots=True)
class Request:
    """A request as the parts that answer it see it."""

    method: str
    target: str  # the path, percent-encoded
    query: str
    headers: dict[str, str]  # names in lower case
    stream: BinaryIO
    address: str
    environ: dict[str, Any] = field(default_factory=dict)
    user: str = ""
    app_password: bool = False
    by_app: bool = False  # AppAPI acts for the user
    flip: str = ""  # see Fault.flip
    cut: bool = False  # the client goes away after the first piece
    said: list[tuple[str, str]] = field(default_factory=list)  # headers of the answer that come of logging in
    left: int | None = 0  # how much of the body is unread; None: nobody knows, it comes in chunks

    def header(self, name: str, default: str = "") -> str:
        return self.headers.get(name, default)

    def logged(self) -> dict[str, str]:
        return {name: value for name, value in self.headers.items() if name not in _SECRET}

    def pieces(self) -> Iterator[bytes]:
        """The body, piece by piece. Raises Aborted when less comes than was announced and the line is dead."""
        begun = False
        try:
            while self.left is None or self.left > 0:
                if self.cut and begun:
                    raise Aborted("on purpose")
                begun = True
                piece = self.stream.read(PIECE if self.left is None else min(PIECE, self.left))
                if not piece:
                    return
                if self.left is not None:
                    self.left -= len(piece)
                yield piece
            if self.left is None:
                return
        except (OSError, ValueError) as error:
            raise Aborted(str(error)) from None

    def whole(self) -> bytes:
        return b"".join(self.pieces())

    def drain(self) -> None:
        """Read what is left, so that the connection can go on: a web server in front buffers requests too."""
        if self.left is None or self.left > 0:
            for _ in self.pieces():
                pass

    def params(self) -> dict[str, Any]:
        """The fields of a form, of JSON or of the query; those named x[] are lists."""
        found: dict[str, Any] = {}
        kind = self.header("content-type").partition(";")[0].strip()
        body = self.whole()
        if kind == "application/json" and body:
            try:
                parsed = json.loads(body)
            except ValueError:
                parsed = None
            if isinstance(parsed, dict):
                found = parsed
            text = self.query
        else:
            text = "&".join(part for part in (self.query, body.decode("utf-8", "replace")) if part)
        for name, values in parse_qs(text, keep_blank_values=True).items():
            if name.endswith("[]"):
                found[name[:-2]] = values
            else:
                found[name] = values[-1]
        return found


def empty(status: int, **headers: str | None) -> Reply:
    """An answer without a body; header names are given with underscores, None leaves one out."""
    told = [(name.replace("_", "-"), value) for name, value in headers.items() if value is not None]
    return Reply(status, [("Content-Type", "text/html; charset=UTF-8"), *told])


def refused(refusal: errors.Refusal) -> Reply:
    headers = [("Content-Type", "application/xml; charset=utf-8"), *refusal.headers.items()]
    return Reply(refusal.status, headers, refusal.body())


def as_json(status: int, answer: Any) -> Reply:
    """An answer in JSON, as PHP spells it: slashes escaped, an empty list for an empty map."""
    text = json.dumps(answer, separators=(",", ":")).replace("/", "\\/")
    return Reply(status, [("Content-Type", "application/json; charset=utf-8")], text.encode())
