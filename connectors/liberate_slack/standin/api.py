"""Plays Slack's Web API on this machine: tokens, scopes, pages, limits, and every way in which it breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from liberate.testing.standin import Faults, Served, Server, reset
from liberate_slack.standin.export import Made, Shape, make_export
from liberate_slack.standin.limits import Limits
from liberate_slack.standin.methods import ALL_SCOPES, Methods, Refused, Token
from liberate_slack.standin.workspace import Workspace

USER_TOKEN = "xoxp-" + "1" * 24
BOT_TOKEN = "xoxb-" + "2" * 24
PROXY = b"<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1><p>squid</p></body></html>"


class Call(NamedTuple):
    """One call as the stand-in saw it."""

    method: str  # "conversations.history"
    form: Mapping[str, str]
    headers: Mapping[str, str]


@dataclass(slots=True)
class Fault:
    """What happens to the calls it fits. Fields left alone fit every call."""

    error: str = ""  # the answer's error, with status 200 unless another is given
    status: int = 0
    retry_after: str | None = None
    breaks: Literal["", "reset", "truncate", "html", "no-json", "array", "redirect"] = ""
    target: str = ""  # of "redirect"
    does: Callable[[], None] | None = None  # run before the answer is made, which then is an honest one
    method: str = ""
    channel: str = ""
    times: int | None = 1  # None: for ever
    skip: int = 0
    chance: float = 1.0
    hits: int = 0

    def fits(self, call: Call) -> bool:
        fits = not self.method or call.method == self.method
        return fits and (not self.channel or call.form.get("channel") == self.channel)


class SlackStandin(Served):
    """Serves one workspace, made as make_export makes it: the export and the API say the same.

    `export` says what the export of the same shape holds, but for its file, which is gone.
    """

    def __init__(self, shape: Shape | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        with TemporaryDirectory() as folder:
            self.export: Made = make_export(Path(folder) / "export.zip", shape)
            self.workspace = Workspace.of_export(self.export.path)
        rooms = set(self.workspace.conversations)
        self.tokens = {USER_TOKEN: Token("user", rooms=set(rooms)), BOT_TOKEN: Token("bot", rooms=set(rooms))}
        self.limits = Limits(clock)
        self.methods = Methods(self.workspace, self.limits)
        self.faults: Faults[Fault] = Faults()
        self.calls: list[Call] = []
        self.answers: list[tuple[str, dict[str, Any]]] = []  # of the last calls, for a test to look at
        self._server = Server(("127.0.0.1", 0), lambda *given: _Handler(self, *given))
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def count(self, method: str) -> int:
        """How often a method was called."""
        return sum(call.method == method for call in self.calls)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, owner: SlackStandin, *given: Any) -> None:
        self.owner = owner
        super().__init__(*given)

    def do_GET(self) -> None:
        self._answer(404, b"", {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = dict(parse_qsl(body, keep_blank_values=True))
        method = urlsplit(self.path).path.removeprefix("/api/")
        call = Call(method, form, dict(self.headers.items()))
        self.owner.calls.append(call)
        fault = self.owner.faults.strike(call)
        if fault is not None and fault.does is not None:
            fault.does()
        elif fault is not None:
            self._fail(fault)
            return
        self._honest(call)

    def _honest(self, call: Call) -> None:
        given = self.headers.get("Authorization", "").removeprefix("Bearer ")
        token = self.owner.tokens.get(given)
        if token is None:
            self._json({"ok": False, "error": "invalid_auth" if given else "not_authed"})
            return
        wait = self.owner.limits.wait(call.method) if not token.error else 0
        if wait:
            self._json({"ok": False, "error": "ratelimited"}, 429, {"Retry-After": str(wait)})
            return
        headers = {"x-oauth-scopes": ",".join(sorted(token.scopes))}
        try:
            self._json(self.owner.methods.answer(call.method, token, call.form), headers=headers, method=call.method)
        except Refused as refused:
            self._json(refused.answer, headers=headers)

    def _fail(self, fault: Fault) -> None:
        headers = {} if fault.retry_after is None else {"Retry-After": fault.retry_after}
        match fault.breaks:
            case "reset":
                reset(self)
            case "truncate":
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b'{"ok": true, "messages": [')
                self.close_connection = True
            case "html":
                self._answer(fault.status or 200, PROXY, {"Content-Type": "text/html", **headers})
            case "no-json":
                self._answer(fault.status or 200, b"", headers)
            case "array":
                self._answer(200, b"[]", {"Content-Type": "application/json"})
            case "redirect":
                self._answer(302, b"", {"Location": fault.target})
            case _ if fault.error:
                self._json({"ok": False, "error": fault.error}, fault.status or 200, headers)
            case _:
                self._answer(fault.status or 503, b"", headers)

    def _json(
        self, value: dict[str, Any], status: int = 200, headers: Mapping[str, str] | None = None, method: str = ""
    ) -> None:
        if method:
            self.owner.answers = [*self.owner.answers[-200:], (method, value)]
        kind = {"Content-Type": "application/json; charset=utf-8"}
        self._answer(status, json.dumps(value).encode(), {**kind, **(headers or {})})

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        """A request's headers hold a token: nothing is logged."""


__all__ = ["ALL_SCOPES", "BOT_TOKEN", "USER_TOKEN", "Call", "Fault", "SlackStandin", "Token"]
