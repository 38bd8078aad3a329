"""Registering liberate with a Nextcloud's AppAPI, after which it may act for every user without their passwords.

`liberate nextcloud register https://cloud.example.coop` tells the commands for the server's administrator and answers
the server's questions while they run; nothing needs to listen afterwards.
"""

from __future__ import annotations

import json
import shlex
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import SecretStr

from liberate_nextcloud.gate import Gate
from liberate_nextcloud.login import check_app
from liberate_nextcloud.settings import NextcloudSettings

PORT = 9999
_OK = json.dumps({"status": "ok", "error": ""}).encode()


def commands(settings: NextcloudSettings, secret: str, host: str = "127.0.0.1", port: int = PORT) -> list[str]:
    """The two `occ` commands. The server must reach this program at that host and port while the second one runs."""
    about = {
        "id": settings.appapi_id,
        "name": "Liberate",
        "daemon_config_name": "liberate",
        "version": settings.appapi_version,
        "secret": secret,
        "port": port,
        "scopes": [],
        "system": 1,
    }
    told = shlex.quote(json.dumps(about, separators=(",", ":")))
    url = shlex.quote(settings.url)
    return [
        f"occ app_api:daemon:register liberate Liberate manual-install http {shlex.quote(host)} {url}",
        f"occ app_api:app:register {shlex.quote(settings.appapi_id)} liberate --json-info {told} --wait-finish",
    ]


def removal(settings: NextcloudSettings) -> list[str]:
    """What takes the right away again once everything has moved."""
    return [
        f"occ app_api:app:unregister {shlex.quote(settings.appapi_id)} --force",
        "occ app_api:daemon:unregister liberate",
    ]


class Responder:
    """Answers what a Nextcloud asks an app while it is registered, on a port of this machine."""

    def __init__(self, host: str = "127.0.0.1", port: int = PORT) -> None:
        self._server = _Listening((host, port), _Answers)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, name="register", daemon=True)

    def __enter__(self) -> Responder:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def enabled(self, seconds: float) -> bool:
        """Whether the server has enabled the app, which is its last question; waits so long for it."""
        return self._server.enabled.wait(seconds)


class _Listening(ThreadingHTTPServer):
    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.enabled = threading.Event()


class _Answers(BaseHTTPRequestHandler):
    """/heartbeat and /enabled are fine; there is no step of /init, which 501 says (200 would promise one)."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        step = self.path.partition("?")[0].rstrip("/")
        known = (self.command, step) in {("GET", "/heartbeat"), ("PUT", "/enabled")}
        body = _OK if known else b"{}"
        self.send_response(200 if known else 501 if step == "/init" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if (self.command, step) == ("PUT", "/enabled") and isinstance(self.server, _Listening):
            self.server.enabled.set()

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Requests are not printed."""


def check(url: str, app_id: str, version: str, secret: str) -> None:
    """Raises AccountError unless the server accepts the app's secret."""
    settings = NextcloudSettings(url=url, appapi_id=app_id, appapi_version=version, appapi_secret=SecretStr(secret))
    check_app(settings, secret, Gate())
