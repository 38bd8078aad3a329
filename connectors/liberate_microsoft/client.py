"""One account's line to Graph: paced calls, tokens renewed, each failure told apart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

from liberate.connector import Account
from liberate.errors import LiberateError, TransientError
from liberate_microsoft import auth, pace
from liberate_microsoft.pace import Pacer
from liberate_microsoft.problems import Failure, error, failure
from liberate_microsoft.settings import LOOPBACK, MicrosoftSettings

GRAPH = "https://graph.microsoft.com"
_log = logging.getLogger(__name__)
_TRIES = 4  # for one page of a listing: a restart would cost all the pages before it


class Client:
    """For one thread; `again` makes another one for the next. Nothing is sent before the first call.

    `headers` go with every call; a `Prefer` among them is joined with the one of a call. `judge` says what a
    failure means that ends what we were doing, where the service has words of its own for it.
    """

    def __init__(
        self,
        settings: MicrosoftSettings,
        account: Account,
        pacer: Pacer,
        sign_in: auth.SignIn,
        headers: Mapping[str, str] | None = None,
        judge: Callable[[Failure, str], LiberateError] = error,
    ) -> None:
        import requests  # noqa: PLC0415 - an extra, imported where a source is opened

        self._requests = requests
        self.account = account
        self.who = account.name or "this account"
        self.pacer = pacer
        self.settings = settings
        self._sign_in = sign_in
        self._headers = dict(headers or {})
        self._judge = judge
        self._host = settings.endpoint or GRAPH
        self._base = f"{self._host}/v1.0"
        self._session = requests.Session()
        self._files = requests.Session()
        for session in (self._session, self._files):
            session.headers["User-Agent"] = settings.user_agent
            session.auth = _unchanged  # or requests would take passwords out of ~/.netrc

    def again(self) -> Client:
        """The same line for another thread."""
        return Client(self.settings, self.account, self.pacer, self._sign_in, self._headers, self._judge)

    def close(self) -> None:
        self._session.close()
        self._files.close()

    # JSON ----------------------------------------------------------------------------------------

    def attempt(
        self, path: str, units: int, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any] | Failure:
        """GET below v1.0, or of an address that Graph gave. Raises what concerns the line or the sign-in.

        A path that begins with "/beta/" is not below v1.0.
        """
        with self._under_way():
            response = self._call(self._address(path), units, params, headers or {})
            try:
                if response.status_code != 200:
                    return self._failed(response)
                answer = response.json()
            except (ValueError, self._requests.exceptions.RequestException) as broken:
                # A front door's HTML page, or an answer cut on its way.
                _log.info("an answer of Graph's could not be read: %s", type(broken).__name__)
                return Failure(0)
            finally:
                response.close()
        self.pacer.went_well()
        return answer if isinstance(answer, dict) else Failure(0)

    def call(
        self,
        path: str,
        units: int,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        expect: Container[int] = (),
        permission: str = "",
        takes: Callable[[Failure], bool] | None = None,
    ) -> dict[str, Any] | Failure:
        """The answer, or a failure whose status was `expect`ed or that the caller `takes`; any other is raised,
        a passing one after some tries."""
        for tries in range(1, _TRIES + 1):
            outcome = self.attempt(path, units, params, headers)
            if not isinstance(outcome, Failure) or outcome.status in expect:
                return outcome
            if takes is not None and takes(outcome):
                return outcome
            if not outcome.passing or tries == _TRIES or (outcome.wait or 0.0) > pace.LONGEST_WAIT:
                raise self.told(outcome, permission)
            if not outcome.rate:  # for those the pacer holds everybody
                self.pacer.sleep(max(outcome.wait or 0.0, 0.1 * 4 ** (tries - 1)))
        raise AssertionError("unreachable")

    def ask(self, path: str, units: int, params: Mapping[str, str] | None = None, **more: Any) -> dict[str, Any]:
        """`call` where every failure is raised."""
        answer = self.call(path, units, params, **more)
        if isinstance(answer, Failure):
            raise self.told(answer)
        return answer

    def told(self, found: Failure, permission: str = "") -> LiberateError:
        """The error that such a failure means for this account."""
        return error(found, self.who, permission) if permission else self._judge(found, self.who)

    @contextmanager
    def opened(self, path: str, units: int) -> Iterator[Any]:
        """The response to GET below v1.0, whatever its status, its body not yet read. It counts as under way till then.

        Raises what concerns the line or the sign-in.
        """
        with self._under_way():
            response = self._call(self._address(path), units, None, {"Accept-Encoding": "identity"}, stream=True)
            try:
                yield response
            finally:
                response.close()

    def failed(self, response: Any) -> Failure:
        """What a response other than the one asked for says."""
        return self._failed(response)

    # Content -------------------------------------------------------------------------------------

    def content_address(self, path: str) -> str | Failure:
        """Where the bytes are for a few minutes, without any sign-in (driveItem: get content)."""
        response = self._call(self._address(path), pace.DOWNLOAD, None, {})
        try:
            if response.status_code not in (301, 302, 303, 307, 308):
                found = self._failed(response)
                # 200 would be bytes from Graph itself, which it does not promise and no range could go on with.
                return found
            where = str(response.headers.get("Location") or "")
        finally:
            response.close()
        self.pacer.went_well()
        parts = urlsplit(where)
        here = self.settings.endpoint is not None
        if parts.scheme != "https" or not parts.hostname or (here and parts.hostname not in LOOPBACK):
            return Failure(0)
        return where

    def fetch(self, address: str, offset: int) -> Any:
        """The open response to GET of such an address, without our token, from `offset` on if its server can."""
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        try:
            response = self._files.get(
                address,
                headers=headers,
                stream=True,
                allow_redirects=False,
                timeout=self.settings.timeout,
                verify=self.settings.verify,
            )
        except self._requests.exceptions.RequestException as broken:
            raise self.broken(broken) from None
        if response.status_code in (429, 503):
            found = failure(response.status_code, response.headers, b"")
            response.close()
            self.pacer.refused(found.wait)
            raise error(found, self.who)
        return response

    def broken(self, cause: Exception) -> LiberateError:
        """What it means that the line broke. Its text would hold an address that opens the file."""
        if auth.about_certificate(cause):
            return auth.untrusted(cause)
        return TransientError(f"The line to Microsoft broke while reading for {self.who} ({type(cause).__name__}).")

    def is_ours(self, address: str) -> bool:
        """Whether it is one of Graph's, so that our token may go there."""
        return address.startswith((f"{self._base}/", f"{self._host}/beta/"))

    # Helpers -------------------------------------------------------------------------------------

    def _address(self, path: str) -> str:
        if not path.startswith("https://"):
            return f"{self._host if path.startswith('/beta/') else self._base}{path}"
        if not self.is_ours(path):
            raise TransientError(f"Graph sent {self.who} on to another server, where our token must not go.")
        return path

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self.pacer.enter()
        try:
            yield
        finally:
            self.pacer.leave()

    def _call(
        self,
        url: str,
        units: int,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str],
        *,
        stream: bool = False,
    ) -> Any:
        every = {**self._headers, **headers}
        if "Prefer" in self._headers and "Prefer" in headers:
            every["Prefer"] = f"{self._headers['Prefer']}, {headers['Prefer']}"
        for afresh in (False, True):
            token = self._sign_in.token(afresh=afresh)
            self.pacer.turn(units)
            try:
                response = self._session.get(
                    url,
                    params=params,
                    headers={**every, "Authorization": f"Bearer {token}"},
                    stream=stream,
                    allow_redirects=False,
                    timeout=self.settings.timeout,
                    verify=self.settings.verify,
                )
            except self._requests.exceptions.RequestException as broken:
                raise self.broken(broken) from None
            if response.status_code == 401 and not afresh:
                response.close()  # withdrawn or ended earlier than it said: one new token, then believe it
                continue
            return response
        raise AssertionError("unreachable")

    def _failed(self, response: Any) -> Failure:
        try:
            content = response.content[:65536]
        except self._requests.exceptions.RequestException:
            content = b""  # it was cut; the status says enough
        found = failure(response.status_code, response.headers, content)
        if found.rate:
            self.pacer.refused(found.wait)
        return found


def segment(text: str) -> str:
    """A part of a path, so that no character in it means anything to a server."""
    return quote(text, safe="")


def _unchanged(request: Any) -> Any:
    return request
