"""One HTTP connection to a Nextcloud: webdavclient3's client and session, every answer with its headers.

Only `execute_request` of the client is used: its other methods send a HEAD before each upload, take no
headers, print to the standard output and rewrite paths. Its errors drop the answer's headers, so the answer
itself is kept by a hook of the session.
"""

from __future__ import annotations

import json
import os
import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.cookies import RequestsCookieJar
from requests.utils import get_environ_proxies
from webdav3.client import Client as WebDavClient
from webdav3.exceptions import WebDavException

from liberate.errors import AccountError, PlanError
from liberate.settings import loopback
from liberate_nextcloud import refusals
from liberate_nextcloud.gate import GATE, Gate

_VERBS = (
    "GET",
    "POST",
    "PUT",
    "DELETE",
    "HEAD",
    "OPTIONS",
    "MKCOL",
    "MOVE",
    "PATCH",
    "PROPFIND",
    "PROPPATCH",
    "SEARCH",
    "REPORT",
    "MKCALENDAR",
)
_CONNECT = 15.0  # seconds to reach the server
_CHUNK = 256 << 10
_PATIENCE = 3600.0


class Server(Protocol):
    """What a connection needs to know of a server."""

    @property
    def url(self) -> str: ...
    @property
    def ca_file(self) -> Path | None: ...
    @property
    def timeout(self) -> float: ...


class Streamed(Protocol):
    """A request's body that is pulled: its length is known, and it may raise."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[bytes]: ...


Data: TypeAlias = bytes | Streamed | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Credential:
    """How requests say for whom they are. No form of it is shown."""

    user: str  # the login name, or the user id with AppAPI
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # AppAPI
    password: str | None = field(default=None, repr=False)
    key: str = field(default="", repr=False)  # what the gate remembers it by
    cookies: bool = False  # a login password: without the session each request costs half a second of hashing


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server answered, whatever its status."""

    status: int
    headers: Mapping[str, str]  # without regard to case
    content: bytes = field(repr=False)

    def ocs(self) -> Any:
        """The `data` of an OCS answer; None where it is not one."""
        try:
            return json.loads(self.content)["ocs"]["data"]
        except (ValueError, LookupError, TypeError):
            return None

    def ocs_message(self) -> str:
        try:
            return str(json.loads(self.content)["ocs"]["meta"].get("message") or "")
        except (ValueError, LookupError, TypeError, AttributeError):
            return ""


class Client:
    """One connection; used by one thread at a time."""

    def __init__(
        self,
        settings: Server,
        credential: Credential,
        gate: Gate = GATE,
        step: Callable[[str], None] | None = None,
    ) -> None:
        parts = urlsplit(settings.url)
        self._step = step or (lambda _what: None)
        self._gate = gate
        self._where = parts.netloc
        self._url = settings.url
        self._whose = f"{credential.user or 'The app'} at {parts.netloc}"
        self._credential = credential
        self._timeout = settings.timeout
        options: dict[str, Any] = {"webdav_hostname": settings.url, "disable_check": True}
        if settings.ca_file is not None and not settings.ca_file.is_file():
            raise PlanError(f"The file of authorities {settings.ca_file} is not there.")
        dav = WebDavClient(options)
        dav.requests.update({verb: verb for verb in _VERBS})
        dav.verify = str(settings.ca_file) if settings.ca_file else os.environ.get("REQUESTS_CA_BUNDLE") or True
        session = dav.session
        if credential.password is not None:
            # As bytes: requests would send text as Latin-1, and a Nextcloud reads UTF-8.
            session.auth = (credential.user.encode(), credential.password.encode())
        session.trust_env = False  # else a .netrc would put its own password into requests of AppAPI
        if not loopback(parts.hostname or ""):
            session.proxies = get_environ_proxies(settings.url)
        session.max_redirects = 0
        session.headers["User-Agent"] = "liberate"
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0))
        if not credential.cookies:
            session.cookies = RequestsCookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))
        session.hooks["response"].append(self._keep)
        self._dav = dav
        self._last: requests.Response | None = None

    def _keep(self, response: requests.Response, *_args: Any, **_more: Any) -> None:
        self._last = response

    @property
    def patience(self) -> float:
        """Seconds to wait where the server has to read or write a whole large file before it answers."""
        return max(self._timeout, _PATIENCE)

    def close(self) -> None:
        self._dav.session.close()

    def address(self, path: str) -> str:
        """The whole address of a path, for headers that want one."""
        return self._url + path

    @staticmethod
    def read(response: requests.Response) -> Reply:
        """The answer, read to its end."""
        return Reply(response.status_code, response.headers, response.content)

    def send(
        self,
        verb: str,
        path: str,
        data: Data | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float | None = None,
        checked: bool = True,
        on_refused: Callable[[], AccountError] | None = None,
    ) -> Reply:
        """The answer to one request, read to its end. `path` is quoted.

        Raises TransientError, AccountError, and what a streamed body raises. A 401 stops the credential for the
        whole process, unless not `checked`, and is raised as what `on_refused` gives.
        """
        with self.stream(verb, path, data, headers, timeout=timeout, checked=checked, on_refused=on_refused) as answer:
            return self.read(answer)

    @contextmanager
    def stream(
        self,
        verb: str,
        path: str,
        data: Data | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float | None = None,
        checked: bool = True,
        on_refused: Callable[[], AccountError] | None = None,
    ) -> Iterator[requests.Response]:
        """As `send`, before the answer's body has been read; failures of the network while it is read are told too."""
        if checked and self._gate.refused(self._credential.key):
            raise refusals.login_refused(self._whose)
        given = {"OCS-APIRequest": "true", **self._credential.headers, **(headers or {})}
        if not isinstance(data, bytes | Mapping | None):
            data = _Watched(data, lambda: self._step(f"amid {verb}"))
        self._last = None
        self._step(f"before {verb}")
        self._dav.timeout = (_CONNECT, timeout or self._timeout)
        try:
            try:
                response = self._dav.execute_request(verb, path, data, [f"{k}: {v}" for k, v in given.items()])
            except WebDavException:
                if self._last is None:
                    raise
                response = self._last
            try:
                self._step(f"after {verb}")
                if checked and response.status_code == 401:
                    self._gate.refuse(self._credential.key)
                    unknown = on_refused if self._credential.headers else None  # the app's secret itself is right
                    raise unknown() if unknown else refusals.login_refused(self._whose)
                yield response
            finally:
                response.close()
        except requests.TooManyRedirects as error:
            raise refusals.redirected(self._where, error.response) from None
        except requests.RequestException as error:
            raise refusals.unreachable(error, self._where) from error
        finally:
            self._last = None


class _Watched:
    """A streamed body that tells of the moment when its request's head has gone and nothing of itself."""

    def __init__(self, body: Streamed, step: Callable[[], None]) -> None:
        self._body = body
        self._step = step

    def __len__(self) -> int:
        return len(self._body)

    def __iter__(self) -> Iterator[bytes]:
        self._step()
        yield from self._body


def chunks(response: requests.Response) -> Iterator[bytes]:
    """The body of an answer as it comes."""
    return iter(response.iter_content(_CHUNK))


class Clients:
    """The connections for one account: as many as are in use at once, each kept for the next."""

    def __init__(
        self,
        settings: Server,
        credential: Credential,
        gate: Gate = GATE,
        step: Callable[[str], None] | None = None,
    ) -> None:
        self._settings = settings
        self._step = step
        self._credential = credential
        self._gate = gate
        self._idle: queue.LifoQueue[Client] = queue.LifoQueue()

    @contextmanager
    def one(self) -> Iterator[Client]:
        """A connection that nobody else uses meanwhile."""
        try:
            client = self._idle.get_nowait()
        except queue.Empty:
            client = Client(self._settings, self._credential, self._gate, self._step)
        try:
            yield client
        finally:
            self._idle.put(client)

    def close(self) -> None:
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return
