"""A real CalDAV and CardDAV server for tests and trials: Radicale on a free port of loopback, its state in a folder."""

from __future__ import annotations

import contextlib
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Self

from liberate.connector import Kind
from liberate.errors import LiberateError
from liberate.sandbox import Running, Sandbox
from liberate.testing.ports import free_port

if TYPE_CHECKING:
    from types import TracebackType

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 30.0
_CONFIG = """[server]
hosts = {host}:{port}
[auth]
type = htpasswd
htpasswd_filename = {users}
htpasswd_encryption = plain
delay = 0
[storage]
filesystem_folder = {folder}
[web]
type = none
[logging]
level = warning
"""


class Radicale:
    """One running server with these users and passwords; also a context manager."""

    def __init__(self, folder: Path, users: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.url = f"http://{_LOOPBACK}:{self.port}"
        self.log = folder / "radicale.log"
        self._users = dict(users)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and return once the server answers. Raises LiberateError with where its log is."""
        users, config = self.folder / "users", self.folder / "config"
        users.touch(mode=0o600)
        users.write_text("".join(f"{name}:{password}\n" for name, password in self._users.items()))
        store = self.folder / "collections"
        config.write_text(_CONFIG.format(host=_LOOPBACK, port=self.port, users=users, folder=store))
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "radicale", "--config", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((_LOOPBACK, self.port), timeout=1):
                return
            time.sleep(0.05)
        self.stop()
        raise LiberateError(f"Radicale did not start. Its log is {self.log}.")

    def stop(self) -> None:
        """End it; what it stored stays in its folder. May be called twice."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _missing() -> str | None:
    return None if find_spec("radicale") else "Run: pip install 'liberate-migrate[dav,sandbox]'"


@contextmanager
def _start(folder: Path, accounts: Sequence[str]) -> Iterator[Running]:
    secret = folder / "password"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(16) + "\n")
    password = secret.read_text().strip()
    with Radicale(folder / "radicale", dict.fromkeys(accounts, password)) as server:
        yield Running({"connector": "dav", "url": server.url, "password": {"file": str(secret.absolute())}})


radicale = Sandbox(
    "radicale",
    "Radicale, a real server of calendars and contacts",
    "destination",
    _start,
    frozenset({Kind.EVENT, Kind.CONTACT}),
    _missing,
)
