"""One account's line to the Drive API: listings by Google's library, bodies by streams that can be resumed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

from liberate.connector import Account
from liberate_google import convert, drive_convert
from liberate_google.client import Answer, Client, Failure
from liberate_google.convert import DRIVE
from liberate_google.pace import Pacer
from liberate_google.settings import GoogleSettings

_HOPS = 5  # redirections of one export
_GOOGLES = ("google.com", "googleapis.com", "googleusercontent.com")


class _OneAtATime:
    """Credentials for several sessions: one renews the token, the others wait for it."""

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()

    def before_request(self, *args: Any) -> None:
        with self._lock:
            self._credentials.before_request(*args)

    def refresh(self, request: Any) -> None:
        with self._lock:
            self._credentials.refresh(request)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._credentials, name)


class DriveClient(Client):
    """Calls are for one thread; `stream` may be used by several at once, each over a session of its own."""

    api = DRIVE

    def __init__(self, settings: GoogleSettings, account: Account, pacer: Pacer) -> None:
        super().__init__(settings, account, pacer)
        self._shared = _OneAtATime(self._credentials)
        self._sessions: queue.LifoQueue[Any] = queue.LifoQueue()
        self._root = urlsplit(self._description["rootUrl"])
        self._building = threading.Lock()
        self._calling = threading.RLock()

    def _keep(self, api: Any) -> None:
        self.files = api.files()
        self.changes = api.changes()
        self.drives = api.drives()
        self.permissions = api.permissions()
        self.comments = api.comments()
        self.revisions = api.revisions()
        self.about = api.about()

    def attempt(self, method: str, request: Any) -> Answer | Failure:
        """As in Client; one thread at a time, because the library's line is for one."""
        with self._calling:
            return super().attempt(method, request)

    def batch(self, method: str, requests: Mapping[str, Any]) -> dict[str, Answer | Failure] | None:
        """As in Client; one thread at a time."""
        with self._calling:
            return super().batch(method, requests)

    def close(self) -> None:
        super().close()
        while not self._sessions.empty():
            self._sessions.get_nowait().close()

    def media(self, key: str, *, acknowledge: bool) -> str:
        """Where a file's bytes are."""
        with self._building:  # the library promises nothing about threads
            request = self.files.get_media(
                fileId=key, supportsAllDrives=True, **({"acknowledgeAbuse": True} if acknowledge else {})
            )
            return str(request.uri)

    def revision(self, key: str, revision: str, *, acknowledge: bool) -> str:
        """Where the bytes of an earlier version are."""
        with self._building:
            request = self.revisions.get_media(
                fileId=key, revisionId=revision, **({"acknowledgeAbuse": True} if acknowledge else {})
            )
            return str(request.uri)

    def export(self, key: str, mime: str) -> str:
        """Where a document is had in another form."""
        with self._building:
            return str(self.files.export_media(fileId=key, mimeType=mime).uri)

    # Bodies --------------------------------------------------------------------------------------

    @contextmanager
    def stream_from(self, method: str, url: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """GET an address of Google's; the open response of requests, 200 or 206, or a Failure.

        The token goes to Google's servers, or to the endpoint that plays them, and to nobody else, whoever
        redirects us. What breaks while the body is read is raised as TransientError.
        """
        session = self._session_of_ours()
        response = None
        with self._reading():
            try:
                with self.pacer.turn(self.account, method) as rung:
                    response = self._get(session, url, headers)
                if isinstance(response, Failure):
                    yield response
                elif response.status_code in (200, 206):
                    self._note([{}], rung)
                    yield response
                else:
                    failure = self._told(response)
                    self._note([failure], rung)
                    yield failure
            finally:
                if response is not None and not isinstance(response, Failure):
                    response.close()
                self._sessions.put(session)

    def _session_of_ours(self) -> Any:
        from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415

        try:
            return self._sessions.get_nowait()
        except queue.Empty:
            return AuthorizedSession(self._shared)  # type: ignore[no-untyped-call]

    def _get(self, session: Any, url: str, headers: Mapping[str, str]) -> Any:
        for _ in range(_HOPS):
            if not self.trusted(url):
                raise drive_convert.refusal("export-refused")
            response = session.get(
                url, headers=dict(headers), stream=True, timeout=self._settings.timeout, allow_redirects=False
            )
            if not response.is_redirect:
                return response
            url = urljoin(url, response.headers["location"])
            response.close()
            if urlsplit(url).hostname == "accounts.google.com":  # a page that asks a person to sign in
                break
        raise drive_convert.refusal("export-refused")

    def trusted(self, url: str) -> bool:
        """Whether the token may go to this address."""
        parts = urlsplit(url)
        if (parts.scheme, parts.netloc) == (self._root.scheme, self._root.netloc):
            return True
        host = (parts.hostname or "").casefold()
        ours = any(host == one or host.endswith(f".{one}") for one in _GOOGLES)
        return parts.scheme == "https" and ours and parts.username is None and self._settings.endpoint is None

    def _told(self, response: Any) -> Failure:
        content = response.content
        why = convert.reasons(content)
        wait = convert.seconds(response.headers.get("retry-after"))
        found = convert.trouble(response.status_code, why, content)
        return Failure(found, response.status_code, why, wait, self.api)
