"""Plays files.slack.com on this machine: TLS, tokens in links, ranges; and every way in which it refuses."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qs, urlsplit

from liberate_slack.standin.said import TOKEN

LOGIN = b'<!DOCTYPE html><html><head><title>Slack</title></head><body><form id="signin_form"></form></body></html>'
Mood: TypeAlias = Literal[
    "", "login", "redirect-login", "elsewhere", "403", "404", "429", "500", "short", "cut", "ignore-range"
]


class FileServer:
    """The server. `moods` say how it answers for a file, by Slack's id; "*" for all."""

    def __init__(self, tokens: frozenset[str] = frozenset({TOKEN})) -> None:
        self.tokens = set(tokens)
        self.files: dict[str, bytes] = {}
        self.kinds: dict[str, str] = {}  # media types, by id
        self.public: dict[str, bytes] = {}  # pictures that need no token, by path
        self.moods: dict[str, Mood] = {}
        self.requests: list[tuple[str, Mapping[str, str]]] = []  # path with query, and headers
        self.url = ""
        self._server: ThreadingHTTPServer | None = None
        self._authority: Any = None

    def __enter__(self) -> FileServer:
        import trustme  # noqa: PLC0415 - of the extra "sandbox"

        self._authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        served = self

        class Handler(_Handler):
            owner = served

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def ca_file(self, path: Path) -> Path:
        """Write the certificate authority there."""
        self._authority.cert_pem.write_to_path(str(path))
        return path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: FileServer

    def do_GET(self) -> None:
        owner = self.owner
        owner.requests.append((self.path, dict(self.headers.items())))
        parts = urlsplit(self.path)
        pieces = parts.path.split("/")
        id_ = pieces[2].partition("-")[2] if len(pieces) > 2 and pieces[1] == "files-pri" else ""
        mood = owner.moods.get(id_, owner.moods.get("*", ""))
        bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
        given = {*parse_qs(parts.query).get("token", ()), *parse_qs(parts.query).get("t", ()), bearer}
        if parts.path in owner.public:
            self._file(owner.public[parts.path], "image/png", "")
        elif mood in ("403", "404", "429", "500"):
            self._answer(int(mood), b"", {"Retry-After": "7"} if mood == "429" else {})
        elif mood == "redirect-login":
            self._answer(302, b"", {"Location": f"{owner.url}/?redir=%2Ffiles-pri"})
        elif mood == "elsewhere":
            self._answer(302, b"", {"Location": "https://127.0.0.1:9/elsewhere"})
        elif mood == "login" or not given & owner.tokens:
            self._answer(200, LOGIN, {"Content-Type": "text/html; charset=utf-8"})
        elif id_ not in owner.files:
            self._answer(404, b"")
        else:
            self._file(owner.files[id_], owner.kinds.get(id_, "image/png"), mood)

    def _file(self, body: bytes, kind: str, mood: Mood) -> None:
        headers = {"Content-Type": kind}
        if mood == "short":
            self._answer(200, body[: len(body) // 2], headers)
            return
        if mood == "cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
            return
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes=") and mood != "ignore-range":
            begin = int(wanted.removeprefix("bytes=").rstrip("-"))
            if begin >= len(body):
                self._answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
                return
            headers["Content-Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
            self._answer(206, body[begin:], headers)
            return
        self._answer(200, body, headers)

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        """A request's path holds a token: nothing is logged."""
