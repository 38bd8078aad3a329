"""A Nextcloud for tests and for trying things out: start, stop, and what tests may do to it."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import struct
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from traceback import format_exc
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from cheroot.wsgi import Gateway_10, Server

from liberate.testing.standin import Faults
from liberate_nextcloud.standin.accounts import UNLIMITED, User
from liberate_nextcloud.standin.app import App, served
from liberate_nextcloud.standin.cloud import Cloud, Switches
from liberate_nextcloud.standin.exchange import Cut, Request, Seen
from liberate_nextcloud.standin.faults import Fault
from liberate_nextcloud.standin.scheduling import Mail
from liberate_nextcloud.standin.shelf_store import Family
from liberate_nextcloud.standin.store import Node

_THREADS = 16
_ABORT = struct.pack("ii", 1, 0)  # linger for no time: the peer sees a reset


class NextcloudStandin:
    """A Nextcloud on a free loopback port, while the `with` block lasts, with its state in `folder`.

    What stands in the folder is there again when it is started anew. `users` are made with their passwords.
    """

    def __init__(
        self,
        folder: Path,
        users: Mapping[str, str] | None = None,
        *,
        clock: Callable[[], float] = time.time,
        port: int = 0,
        login_cost: float = 0.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.cloud = Cloud(folder, clock)
        self.cloud.accounts.login_cost = login_cost
        self._app = App(self.cloud)
        self._connections = itertools.count(1)
        for user, password in (users or {}).items():
            self.add_user(user, password)
        self._server = _Server(("127.0.0.1", port), self._wsgi, numthreads=_THREADS, timeout=300, shutdown_timeout=1)
        self._server.gateway = _Gateway
        self._server.nodelay = True
        self.trouble: list[str] = []  # what went wrong in the stand-in itself
        self._server.trouble = self.trouble
        self._thread: threading.Thread | None = None
        self._server.prepare()
        self.port: int = self._server.bind_addr[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._app.shares.at(f"127.0.0.1:{self.port}")

    def start(self) -> NextcloudStandin:
        """Serve from threads of its own until `close`."""
        self._thread = threading.Thread(target=self._server.serve, name="nextcloud", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving, close every connection, and write down what is there."""
        self._app.closing.set()
        self._server.stop()
        if self._thread is not None:
            self._thread.join()
        self.cloud.store.close()

    def __enter__(self) -> NextcloudStandin:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # For tests and the sandbox -------------------------------------------------------------------

    @property
    def switches(self) -> Switches:
        return self.cloud.switches

    @property
    def faults(self) -> Faults[Fault]:
        return self._app.faults

    @property
    def requests(self) -> deque[Seen]:
        """The latest 100,000 requests, oldest first."""
        return self._app.requests

    @property
    def counts(self) -> Counter[str]:
        """How many requests there were, by method."""
        return self._app.counts

    @property
    def connections(self) -> int:
        """How many TCP connections the requests in the log came over."""
        return len({seen.connection for seen in list(self.requests)})

    def forget_requests(self) -> None:
        self.requests.clear()
        self.counts.clear()

    def add_user(
        self,
        user: str,
        password: str,
        *,
        display: str = "",
        email: str | None = None,
        quota: int = UNLIMITED,
        admin: bool = False,
        groups: tuple[str, ...] = (),
        second_factor: bool = False,
    ) -> User:
        return self.cloud.accounts.add(
            user,
            password,
            display=display,
            email=email,
            quota=quota,
            admin=admin,
            groups=groups,
            second_factor=second_factor,
        )

    def add_group(self, group: str) -> None:
        self.cloud.accounts.add_group(group)

    def set_quota(self, user: str, quota: int) -> None:
        account = self.cloud.accounts.users[user]
        account.quota = quota
        self.cloud.accounts.changed(account)

    def app_password(self, user: str) -> str:
        return self.cloud.accounts.app_password(user)

    def allow_app(self, name: str, version: str, secret: str) -> None:
        """Register an app that may act for every user (AppAPI)."""
        self.cloud.accounts.apps[name] = (version, secret)

    def confirm_login(self, address: str, user: str) -> None:
        """What a person does in the browser at the address that login flow v2 gave."""
        self.cloud.accounts.grant_flow(address.rpartition("/")[2], user)

    def lock(self, user: str, path: str) -> None:
        """As if somebody was writing there, until `unlock`."""
        self.cloud.lock(user, _parts(path))

    def unlock(self, user: str, path: str) -> None:
        self.cloud.unlock(user, _parts(path))

    def node(self, user: str, path: str) -> Node | None:
        """What stands in a user's files at that path."""
        with self.cloud.store.lock:
            return self.cloud.find(user, _parts(path))

    def tree(self, user: str) -> dict[str, Node]:
        """Everything in a user's files by path, "/a/b.txt"; folders end with a slash."""
        with self.cloud.store.lock:
            return dict(_walk(self.cloud, user, "/", self.cloud.home(user)))

    def read(self, user: str, path: str) -> bytes:
        """The bytes on disk. Raises FileNotFoundError."""
        node = self.node(user, path)
        if node is None:
            raise FileNotFoundError(path)
        return node.path().read_bytes()

    def versions(self, node: Node) -> list[bytes]:
        """What a file was before, oldest first."""
        with self.cloud.store.lock:
            history = self._app.history
            return [history.path(node, version).read_bytes() for version in history.of(node)]

    def comments(self, file: int) -> list[dict[str, Any]]:
        return self._app.beside.comments(file)

    def tags(self, file: int) -> list[str]:
        return self._app.beside.tags(file)

    def shares(self) -> list[dict[str, Any]]:
        return self._app.shares.all()

    @property
    def mails(self) -> list[Mail]:
        """The invitations and cancellations that it would have sent."""
        return self._app.calendars.scheduling.mails

    def objects(self, user: str, family: Family = "calendars") -> dict[str, dict[str, bytes]]:
        """What a user's calendars or address books hold, by their names and the objects' UIDs; not what is in the
        trash."""
        store = self._app.calendars.store
        with store.lock:
            return {
                shelf.name: {one.uid: one.data for one in store.objects[shelf.key].values()}
                for shelf in store.of(family, user)
                if not shelf.deleted
            }

    def expire_versions(self) -> None:
        """What the server's background job does some minutes after files were written."""
        with self.cloud.store.lock:
            self._app.history.expire(self.cloud.store.now())

    def forgive_logins(self) -> None:
        self.cloud.accounts.forgive()

    # Serving -------------------------------------------------------------------------------------

    def _wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        connection = environ["standin.connection"]
        if not hasattr(connection, "standin_number"):
            connection.standin_number = next(self._connections)
        headers = {
            key[5:].replace("_", "-").lower(): value for key, value in environ.items() if key.startswith("HTTP_")
        }
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        length = environ.get("CONTENT_LENGTH", "")
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        request = Request(
            environ["REQUEST_METHOD"],
            environ["standin.target"],
            environ["QUERY_STRING"],
            headers,
            environ["wsgi.input"],
            environ["REMOTE_ADDR"],
            environ,
            left=None if chunked else int(length) if length.isdigit() else 0,
        )
        try:
            reply = self._app.answer(request, connection.standin_number)
        except Cut:
            _reset(connection)
            start_response("500 Cut", [("Content-Length", "0"), ("Connection", "close")])
            return []
        body = served(reply, environ)
        start_response(reply.line, [(name, _latin(value)) for name, value in reply.headers])
        return body


class _Server(Server):
    """Keeps what went wrong instead of printing it, and stops at once when it is told to."""

    expiration_interval = 0.02  # seconds between two looks whether it is to stop
    trouble: list[str]

    def error_log(self, msg: str = "", level: int = 20, traceback: bool = False) -> None:
        if level >= 30 or traceback:
            self.trouble.append(f"{msg}\n{format_exc()}" if traceback else msg)


class _Gateway(Gateway_10):
    """Gives the connection, and the path as it came, to what answers."""

    def get_environ(self) -> dict[str, Any]:  # type: ignore[override]
        environ: dict[str, Any] = super().get_environ()  # type: ignore[no-untyped-call]
        environ["standin.connection"] = self.req.conn
        uri = self.req.uri.decode("latin-1")
        environ["standin.target"] = uri.partition("?")[0] if uri.startswith("/") else urlsplit(uri).path
        # HTTP header values are bytes; what is UTF-8 in them is read as such.
        for name, value in environ.items():
            if name.startswith("HTTP_") and not value.isascii():
                with contextlib.suppress(UnicodeDecodeError, UnicodeEncodeError):
                    environ[name] = value.encode("latin-1").decode()
        return environ


def _latin(value: str) -> str:
    return value.encode().decode("latin-1")


def _reset(connection: Any) -> None:
    """Break the connection as a failing network does.

    The server goes on with its file descriptor, which therefore becomes that of a socket whose peer has gone.
    """
    lonely, peer = socket.socketpair()
    peer.close()
    with contextlib.suppress(OSError), lonely:
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        os.dup2(lonely.fileno(), connection.socket.fileno())


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part)


def _walk(cloud: Cloud, user: str, path: str, node: Node) -> Iterable[tuple[str, Node]]:
    for name, child in cloud.children(user, node):
        below = path + name + ("/" if child.folder else "")
        yield below, child
        if child.folder:
            yield from _walk(cloud, user, below, child)
