"""One account's line to an API of Google's: paced calls and batches, each failure told apart."""

from __future__ import annotations

import http.client
import logging
import ssl
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from liberate.connector import Account
from liberate.errors import AccountError, LiberateError, TransientError
from liberate_google import auth, convert
from liberate_google.convert import GMAIL, Api, Trouble
from liberate_google.discovery import document
from liberate_google.pace import Pacer
from liberate_google.settings import GoogleSettings

Answer: TypeAlias = dict[str, Any]

_log = logging.getLogger(__name__)
_TRIES = 4  # for one page of a listing: a restart would cost all the pages before it


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer other than the one asked for."""

    trouble: Trouble
    status: int = 0  # 0: there was no answer
    why: tuple[str, ...] = ()
    wait: float | None = None  # seconds that Google asks us to stay away
    api: Api = GMAIL

    @property
    def passing(self) -> bool:
        """Whether the same call may succeed in a moment."""
        return self.trouble in (Trouble.RATE, Trouble.CROWD, Trouble.SERVER)

    def error(self, account: str) -> LiberateError:
        """The error that ends what we were doing for this account."""
        return convert.error(self.trouble, account, self.status, self.why, self.wait, self.api)


class _Line:
    """An HTTP line for google-api-python-client, without the attribute `credentials`.

    With it, BatchHttpRequest would renew tokens over connections of its own that it never closes.
    """

    def __init__(self, line: Any) -> None:
        self._line = line

    def request(self, *args: Any, **kwargs: Any) -> Any:
        return self._line.request(*args, **kwargs)

    def close(self) -> None:
        self._line.close()


class Client:
    """For one thread. Nothing is sent before the first call."""

    api = GMAIL

    def __init__(self, settings: GoogleSettings, account: Account, pacer: Pacer) -> None:
        import google_auth_httplib2  # noqa: PLC0415 - an extra, imported where a source is opened
        import httplib2  # noqa: PLC0415
        from googleapiclient import discovery  # noqa: PLC0415

        self.account = account.name
        self.pacer = pacer
        self._settings = settings
        self._credentials = auth.credentials(settings, account, self.api)
        self._description = document(self.api.name, settings.endpoint)
        self._line = _Line(
            google_auth_httplib2.AuthorizedHttp(self._credentials, http=httplib2.Http(timeout=settings.timeout))
        )
        self._session: Any = None
        try:
            self._api = discovery.build_from_document(self._description, http=self._line)
            self._keep(self._api)
        except BaseException:
            self._line.close()
            raise

    def _keep(self, api: Any) -> None:
        """Keep the resources that are used: the library builds each of them anew in 3 ms."""

    def close(self) -> None:
        self._line.close()
        if self._session is not None:
            self._session.close()

    # Calls ---------------------------------------------------------------------------------------

    def attempt(self, method: str, request: Any) -> Answer | Failure:
        """One paced call of "messages.list" and the like. Raises only what concerns the whole account."""
        with self.pacer.turn(self.account, method) as rung:
            outcome = self._outcome(lambda: request.execute(http=self._line))
        self._note([outcome], rung)
        return outcome

    def call(self, method: str, request: Any, expect: Container[Trouble] = ()) -> Answer | Failure:
        """The answer, or the failure that was `expect`ed; any other is raised, a passing one after a few tries."""
        for tries in range(1, _TRIES + 1):
            outcome = self.attempt(method, request)
            if not isinstance(outcome, Failure) or outcome.trouble in expect:
                return outcome
            if not outcome.passing or tries == _TRIES:
                raise outcome.error(self.account)
            self.pause(outcome, tries)
        raise AssertionError("unreachable")

    def ask(self, method: str, request: Any) -> Answer:
        """`call` where every failure is raised."""
        answer = self.call(method, request)
        if isinstance(answer, Failure):
            raise answer.error(self.account)
        return answer

    def pause(self, failure: Failure, tries: int) -> None:
        """A moment before the next try. After a refusal for the rate the pacer holds the mailbox itself."""
        if failure.trouble is Trouble.SERVER:
            asked = failure.wait if failure.wait is not None and failure.wait <= 10 else 0.0
            self.pacer.sleep(max(asked, 0.1 * 4 ** (tries - 1)))

    def batch(self, method: str, requests: Mapping[str, Any]) -> dict[str, Answer | Failure] | None:
        """What each request came to, by its key; every key is there. None: no batches, or none that large.

        BatchHttpRequest repeats no part, and a part without an answer that can be read ends its
        work: whoever has no answer by then is a passing failure here, never forgotten.
        """
        out: dict[str, Answer | Failure] = {}

        def told(key: str, answer: Any, error: Exception | None) -> None:
            out[key] = self._failure(error) if error is not None else self._whole(answer)

        bundle = self._api.new_batch_http_request(callback=told)
        for key, request in requests.items():
            bundle.add(request, request_id=key)
        with self.pacer.turn(self.account, method, len(requests)) as rung:
            whole = self._outcome(lambda: bundle.execute(http=self._line) or {})
        if isinstance(whole, Failure) and whole.trouble in (Trouble.GONE, Trouble.REFUSED, Trouble.PRECONDITION):
            return None  # said of the batch itself: it must never be read as said of each message
        for key in requests:
            if key not in out:
                out[key] = whole if isinstance(whole, Failure) else self._nothing()
        self._note(list(out.values()), rung)
        return out

    def _note(self, outcomes: list[Answer | Failure], rung: int) -> None:
        """Tell the pacer how it went."""
        refusals = [o for o in outcomes if isinstance(o, Failure) and o.trouble in (Trouble.RATE, Trouble.CROWD)]
        if refusals:
            wait = max((refusal.wait for refusal in refusals if refusal.wait is not None), default=None)
            crowded = all(refusal.trouble is Trouble.CROWD for refusal in refusals)
            self.pacer.refused(self.account, rung, wait, crowded=crowded)
        elif any(not isinstance(outcome, Failure) for outcome in outcomes):
            self.pacer.went_well(self.account)

    def _outcome(self, execute: Callable[[], Any]) -> Answer | Failure:
        import google.auth.exceptions  # noqa: PLC0415
        import httplib2  # noqa: PLC0415
        from googleapiclient import errors  # noqa: PLC0415

        try:
            return self._whole(execute())
        except google.auth.exceptions.TransportError:
            return self._nothing()
        except google.auth.exceptions.GoogleAuthError as error:
            raise self._sign_in(error) from error
        except ssl.SSLCertVerificationError as error:
            raise untrusted(error) from error
        except errors.HttpError as error:
            return self._failure(error)
        except (errors.Error, httplib2.HttpLib2Error, http.client.HTTPException, OSError) as error:
            _log.info("no answer from Google: %s", type(error).__name__)
            return self._nothing()
        except (ValueError, LookupError, AttributeError, TypeError) as error:
            # What the library's parsers raise for an answer that was cut or garbled on its way.
            _log.info("an answer of Google's could not be read: %s", type(error).__name__)
            return self._nothing()

    def _failure(self, error: Exception) -> Failure:
        status = int(getattr(error, "status_code", 0) or 0)
        content = getattr(error, "content", b"")
        why = convert.reasons(content)
        wait = convert.seconds(getattr(error, "resp", {}).get("retry-after"))
        return Failure(convert.trouble(status, why, content), status, why, wait, self.api)

    def _nothing(self) -> Failure:
        """There was no answer, or none that could be read."""
        return Failure(Trouble.SERVER, api=self.api)

    def _whole(self, answer: Any) -> Answer | Failure:
        """The answer, if it is one: the library gives JSON that was cut back as text, as if nothing were wrong."""
        return answer if isinstance(answer, dict) else self._nothing()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Around reading an answer in pieces: what the libraries raise becomes what it means for this account."""
        import google.auth.exceptions  # noqa: PLC0415
        import requests  # noqa: PLC0415

        try:
            yield
        except google.auth.exceptions.TransportError as error:
            raise TransientError(f"Google could not be reached for {self.account}.") from error
        except google.auth.exceptions.GoogleAuthError as error:
            raise self._sign_in(error) from error
        except requests.exceptions.SSLError as error:
            raise untrusted(error) from error
        except requests.exceptions.RequestException as error:
            raise TransientError(f"The line to Google broke while reading for {self.account}.") from error

    def _sign_in(self, error: Exception) -> LiberateError:
        file = self._settings.service_account_file
        client_id = None if file is None else auth.client_id(file) or "of the service account"
        return auth.sign_in_error(error, self.account, client_id, self.api)


class GmailClient(Client):
    """A mailbox's line."""

    def _keep(self, api: Any) -> None:
        self.users = api.users()
        self.messages = self.users.messages()
        self.labels = self.users.labels()
        self.history = self.users.history()
        self.settings = self.users.settings()

    # One large answer, streamed ------------------------------------------------------------------

    @contextmanager
    def stream(self, path: str, params: Mapping[str, str]) -> Iterator[Iterator[bytes] | Failure]:
        """GET below the service's base address; the body in pieces, or why there is none.

        google-api-python-client holds a whole answer in memory, and Gmail has no media download.
        """
        from google.auth.transport.requests import AuthorizedSession  # noqa: PLC0415

        if self._session is None:
            self._session = AuthorizedSession(self._credentials)  # type: ignore[no-untyped-call]
        response = None
        with self._reading():
            try:
                with self.pacer.turn(self.account, "messages.get") as rung:
                    response = self._session.get(
                        self._description["baseUrl"] + path, params=params, stream=True, timeout=self._settings.timeout
                    )
                if response.status_code == 200:
                    yield response.iter_content(1 << 16)
                    return
                why = convert.reasons(response.content)
                wait = convert.seconds(response.headers.get("retry-after"))
                found = convert.trouble(response.status_code, why, response.content)
                failure = Failure(found, response.status_code, why, wait)
                self._note([failure], rung)
                yield failure
            finally:
                if response is not None:
                    response.close()


def untrusted(error: Exception) -> AccountError:
    """For a server whose certificate this machine does not trust."""
    return AccountError(
        "certificate-refused",
        "The server that answers for Google shows a certificate that this machine does not trust "
        f"({type(error).__name__}).",
        "See whether a proxy stands in between, and install its authority, or go around it.",
    )
