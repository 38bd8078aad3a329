"""A real Synapse for tests and trials: SQLite or PostgreSQL, one free port on loopback, gone when it is stopped.

It has a virtual environment of its own, which `scripts/synapse-venv` makes: its packages are many, and none of
liberate's business.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from liberate.connector import Kind
from liberate.errors import LiberateError
from liberate.sandbox import Running, Sandbox
from liberate.testing.ports import free_port

if TYPE_CHECKING:
    from types import TracebackType

WANTED = ("matrix-synapse>=1.150", "psycopg2-binary>=2.9")
"""What `scripts/synapse-venv` installs."""

_LOOPBACK = "127.0.0.1"
_START_SECONDS = 60.0
SERVER_NAME = "liberate.test"


def home() -> Path:
    """The virtual environment that Synapse is in, whether it is there or not."""
    if told := os.environ.get("LIBERATE_SYNAPSE"):
        return Path(told)
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "liberate" / "synapse"


class SandboxError(LiberateError):
    """The server of the sandbox could not be started."""


@dataclass(frozen=True, slots=True)
class Member:
    """An ordinary account with a password's rights and no more."""

    id: str
    token: str = field(repr=False)


class Synapse:
    """One running homeserver; also a context manager."""

    def __init__(
        self,
        registrations: Sequence[Path] = (),
        config: Mapping[str, Any] | None = None,
        folder: Path | None = None,
        postgresql: str = "",
    ) -> None:
        """`registrations` are files of application services; `config` is added to homeserver.yaml.

        What it stores is in `folder` and stays there; without one, it is gone when it is stopped. With `postgresql`,
        "user@host:port", all but files and keys is in that server's database "synapse", which is made for it.
        """
        self.server_name = SERVER_NAME
        self.folder = folder or Path(tempfile.mkdtemp(prefix="liberate-synapse-"))
        self._keeps = folder is not None
        self.port = free_port()
        self.url = f"http://{_LOOPBACK}:{self.port}"
        self.log = self.folder / "synapse.log"
        self._registrations = [str(path) for path in registrations]
        self._config = dict(config or {})
        self._shared_secret = secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._postgresql = postgresql
        if postgresql:
            self._sql(
                f"postgresql://{postgresql}/postgres",
                "CREATE DATABASE synapse ENCODING UTF8 LOCALE 'C' TEMPLATE template0",
            )

    @staticmethod
    def installed() -> bool:
        """Whether this machine has Synapse where `scripts/synapse-venv` puts it."""
        return (home() / "complete").is_file()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # Life ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start, and return once the server answers. Raises SandboxError with what its log says."""
        if not self.installed():
            raise SandboxError("Synapse is not installed on this machine. Install it: scripts/synapse-venv")
        if self._process is not None:
            return
        self._write_config()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [home() / "bin" / "python", "-m", "synapse.app.homeserver", "-c", self.folder / "homeserver.yaml"],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
            )
        try:
            self._await_answer()
        except BaseException:
            self.kill()
            raise

    def stop(self) -> None:
        """End it, and remove all it stored unless it has a folder of its own. May be called twice."""
        self.kill()
        if not self._keeps:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill(self) -> None:
        """End the server at once, as a power cut would; start() brings it back with what it had stored."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def restart(self) -> None:
        """Stop at once and start again on the same port: what it had only in memory is forgotten."""
        self.kill()
        self.start()

    def a_day_later(self) -> None:
        """Start again as it would be tomorrow: no transaction is known any more, in memory or in its database."""
        self.kill()
        forget = "DELETE FROM event_txn_id_device_id"
        if self._postgresql:
            self._sql(f"postgresql://{self._postgresql}/synapse", forget)
        else:
            with sqlite3.connect(self.folder / "homeserver.db") as database:
                database.execute(forget)
            database.close()
        self.start()

    @staticmethod
    def _sql(url: str, statement: str) -> None:
        """Carry out one statement on PostgreSQL."""
        script = (
            "import psycopg2, sys\n"
            "c = psycopg2.connect(sys.argv[1])\n"
            "c.autocommit = True\n"
            "c.cursor().execute(sys.argv[2])"
        )
        subprocess.run([home() / "bin" / "python", "-c", script, url, statement], check=True, capture_output=True)

    def _database(self) -> dict[str, Any]:
        if not self._postgresql:
            return {"name": "sqlite3", "args": {"database": str(self.folder / "homeserver.db")}}
        user, _, address = self._postgresql.partition("@")
        host, _, port = address.partition(":")
        args = {"user": user, "host": host, "port": int(port), "dbname": "synapse", "cp_min": 2, "cp_max": 8}
        return {"name": "psycopg2", "args": args}

    def _await_answer(self) -> None:
        process = self._process
        deadline = time.monotonic() + _START_SECONDS
        while process is not None:
            with contextlib.suppress(OSError):
                self.ask("GET", "/_matrix/client/versions")
                return
            if process.poll() is not None or time.monotonic() > deadline:
                words = " ".join(self.log.read_text(errors="replace").split()[-80:])
                raise SandboxError(f"Synapse did not start: {words or 'it said nothing'}")
            time.sleep(0.05)

    # Accounts ------------------------------------------------------------------------------------

    def member(self, name: str, *, admin: bool = False) -> Member:
        """A new account, as an administrator makes them."""
        nonce = self.ask("GET", "/_synapse/admin/v1/register")["nonce"]
        password = secrets.token_hex(8)
        words = [nonce, name, password, "admin" if admin else "notadmin"]
        mac = hmac.new(self._shared_secret.encode(), "\0".join(words).encode(), hashlib.sha1).hexdigest()
        body = {"nonce": nonce, "username": name, "password": password, "admin": admin, "mac": mac}
        made = self.ask("POST", "/_synapse/admin/v1/register", body)
        return Member(made["user_id"], made["access_token"])

    def ask(self, method: str, path: str, body: Any = None, token: str = "") -> Any:
        """The answer to one request, as JSON; raises AssertionError for a refusal, OSError where nobody answers."""
        import http.client  # noqa: PLC0415

        connection = http.client.HTTPConnection(_LOOPBACK, self.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"}
            if token:
                headers["Authorization"] = f"Bearer {token}"
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
        except http.client.HTTPException as error:
            raise OSError from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise AssertionError(f"{method} {path}: {answer.status} {data[:300]!r}")
        return json.loads(data) if answer.headers.get_content_type() == "application/json" else data

    # Its files -----------------------------------------------------------------------------------

    def _write_config(self) -> None:
        key = self.folder / "signing.key"
        if not key.exists():
            key.write_text(f"ed25519 a_test {base64.b64encode(secrets.token_bytes(32)).decode().rstrip('=')}\n")
        config = {
            "server_name": self.server_name,
            "public_baseurl": self.url + "/",
            "report_stats": False,
            "pid_file": str(self.folder / "synapse.pid"),
            "signing_key_path": str(key),
            "media_store_path": str(self.folder / "media"),
            "database": self._database(),
            "listeners": [
                {
                    "port": self.port,
                    "type": "http",
                    "bind_addresses": [_LOOPBACK],
                    "resources": [{"names": ["client"]}],
                }
            ],
            "trusted_key_servers": [],
            "suppress_key_server_warning": True,
            "registration_shared_secret": self._shared_secret,
            "macaroon_secret_key": self._shared_secret,
            "form_secret": self._shared_secret,
            "bcrypt_rounds": 4,
            "presence": {"enabled": False},
            "stats": {"enabled": False},
            "app_service_config_files": self._registrations,
            **self._config,
        }
        (self.folder / "homeserver.yaml").write_text(json.dumps(config, indent=1))  # JSON is YAML


# What `liberate sandbox` starts ------------------------------------------------------------------


def _missing() -> str | None:
    return None if Synapse.installed() else "Synapse is not installed on this machine. Run: scripts/synapse-venv"


@contextlib.contextmanager
def _matrix(folder: Path, _accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_matrix.registration import write  # noqa: PLC0415 - where it is started

    registration = folder / "registration.yaml"
    if not registration.exists():
        write(registration, SERVER_NAME)
    state = folder / "synapse"
    state.mkdir(exist_ok=True)
    with Synapse([registration.absolute()], folder=state.absolute()) as server:
        yield Running({"connector": "matrix", "url": server.url, "registration": str(registration.absolute())})


matrix = Sandbox("matrix", "A Synapse", "destination", _matrix, frozenset({Kind.CHAT}), _missing)
