"""Registering liberate with a Nextcloud's AppAPI, after which it may act for every user without their passwords.

`python -m liberate_nextcloud.register https://cloud.example.coop` tells the commands for the server's administrator and
answers the server's questions while they run; nothing needs to listen afterwards.
"""

from __future__ import annotations

import argparse
import json
import secrets
import shlex
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from pydantic import SecretStr

from liberate.errors import LiberateError
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.login import check_app
from liberate_nextcloud.settings import NextcloudSettings

_PORT = 9999
_OK = json.dumps({"status": "ok", "error": ""}).encode()


def commands(settings: NextcloudSettings, secret: str, host: str = "127.0.0.1", port: int = _PORT) -> list[str]:
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

    def __init__(self, host: str = "127.0.0.1", port: int = _PORT) -> None:
        self._server = ThreadingHTTPServer((host, port), _Answers)
        self.port: int = self._server.server_address[1]

    def serve(self) -> None:
        """Until `close`."""
        self._server.serve_forever()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


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

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the names that http.server calls

    def log_message(self, *_: Any) -> None:
        """Requests are not printed."""


def check(url: str, app_id: str, version: str, secret: str) -> None:
    """Raises AccountError unless the server accepts the app's secret."""
    settings = NextcloudSettings(url=url, appapi_id=app_id, appapi_version=version, appapi_secret=SecretStr(secret))
    check_app(settings, secret, Gate())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m liberate_nextcloud.register", description=__doc__)
    parser.add_argument("url", help="the Nextcloud's address")
    parser.add_argument("--host", default="127.0.0.1", help="where the server reaches this program")
    parser.add_argument("--port", type=int, default=_PORT)
    given = parser.parse_args(arguments)
    settings = NextcloudSettings(url=given.url)
    secret = secrets.token_urlsafe(32)
    responder = Responder(given.host, given.port)
    out = sys.stdout
    print("Run on the server, as the user of its web server:\n", file=out)
    for line in commands(settings, secret, given.host, responder.port):
        print(f"  {line}\n", file=out)
    print("Leave this running until they have ended, then press Ctrl-C. To undo it later:\n", file=out)
    for line in removal(settings):
        print(f"  {line}", file=out)
    try:
        responder.serve()
    except KeyboardInterrupt:
        pass
    finally:
        responder._server.server_close()
    try:
        check(given.url, settings.appapi_id, settings.appapi_version, secret)
    except LiberateError as error:
        print(error, file=sys.stderr)
        return 3
    print("\nIt is registered. Keep the secret in a file of its own and name it as appapi_secret.", file=out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
