"""One line to Slack's Web API: paced calls, page after page, each failure told apart.

slack-sdk builds the calls and reads the answers. Its own retries and its log, which would show what people wrote,
are off; and it follows no redirect, with which the token would go to whatever host a proxy names.
"""

from __future__ import annotations

import http.client
import logging
import ssl
import urllib.error
import urllib.request
from collections.abc import Container, Iterator
from typing import Any, TypeAlias

from liberate.errors import TransientError
from liberate_slack import problems
from liberate_slack.letters import dicts_of, members_of
from liberate_slack.pace import FEW, Pacer, forecast
from liberate_slack.problems import Failure, failure
from liberate_slack.settings import SlackSettings

Answer: TypeAlias = dict[str, Any]

_TRIES = 4  # for one page of a listing: a restart would cost all the pages before it
_REFUSALS = 10  # for its rate, one after the other
_log = logging.getLogger(__name__)
_silent = logging.Logger("liberate_slack.silent", logging.CRITICAL + 1)  # nobody can find and switch it on


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows nothing."""

    def redirect_request(self, *_args: Any, **_kwargs: Any) -> None:
        return None


def _web(settings: SlackSettings, token: str) -> Any:
    from slack_sdk import WebClient  # noqa: PLC0415 - an extra, imported where a source is opened

    context = ssl.create_default_context()
    through = urllib.request.ProxyHandler() if settings.endpoint is None else urllib.request.ProxyHandler({})
    opener = urllib.request.build_opener(_Stay, through, urllib.request.HTTPSHandler(context=context))

    class Web(WebClient):
        def _perform_urllib_http_request_internal(self, url: str, req: urllib.request.Request) -> dict[str, Any]:
            with opener.open(req, timeout=self.timeout) as response:
                body = response.read().decode("utf-8", "replace")
                return {"status": response.status, "headers": response.headers, "body": body}

    return Web(
        token,
        f"{settings.endpoint or 'https://slack.com'}/api/",
        int(max(1, settings.timeout)),
        retry_handlers=[],
        logger=_silent,
        team_id=settings.team,
    )


class Client:
    """For one thread. Nothing is sent before the first call."""

    def __init__(self, settings: SlackSettings, token: str, pacer: Pacer) -> None:
        self.pacer = pacer
        self._accept_slow = settings.slow == "accept"
        self._page = settings.page
        self._web = _web(settings, token)
        self.scopes: frozenset[str] = frozenset()  # of the token, as the last answer named them; empty: not told

    def __repr__(self) -> str:
        return "Client()"

    # Calls ---------------------------------------------------------------------------------------

    def attempt(self, method: str, **params: Any) -> Answer | Failure:
        """One paced call. Raises TransientError if it would have to wait for long."""
        from slack_sdk.errors import SlackApiError, SlackClientError  # noqa: PLC0415

        self.pacer.turn(method, self.check_pace)
        given = {name: value for name, value in params.items() if value is not None}
        try:
            response = self._web.api_call(method, params=given)
        except SlackApiError as error:
            response = error.response
        except urllib.error.URLError as error:
            untrusted = isinstance(error.reason, ssl.SSLCertVerificationError)
            return Failure(shape="certificate" if untrusted else "")
        except (SlackClientError, OSError, http.client.HTTPException, ValueError, AttributeError):
            return Failure()  # AttributeError: an answer that is JSON and no object
        headers, answer = response.headers, response.data
        told = headers.get("x-oauth-scopes") or headers.get("X-OAuth-Scopes")
        if isinstance(told, str):
            self.scopes = frozenset(one.strip() for one in told.split(",") if one.strip())
        if response.status_code == 200 and isinstance(answer, dict) and answer.get("ok") is True:
            self.pacer.went_well(method)
            return answer
        return failure(response.status_code, headers, answer)

    def call(self, method: str, expect: Container[str] = (), **params: Any) -> Answer | Failure:
        """The answer, or the failure that was `expect`ed; any other is raised, a passing one after a few tries."""
        tries = refusals = 0
        while True:
            outcome = self.attempt(method, **params)
            if not isinstance(outcome, Failure):
                return outcome
            if outcome.code and outcome.code in expect:
                return outcome
            if outcome.rate:
                refusals += 1
                self.pacer.refused(method, outcome.wait)
                if refusals < _REFUSALS:
                    continue
            elif outcome.passing:
                tries += 1
                if tries < _TRIES:
                    asked = outcome.wait if outcome.wait is not None and outcome.wait <= 10 else 0.0
                    self.pacer.sleep(max(asked, 0.1 * 4 ** (tries - 1)))
                    continue
            raise problems.error(outcome, method)

    def ask(self, method: str, **params: Any) -> Answer:
        """`call` where every failure is raised."""
        answer = self.call(method, **params)
        if isinstance(answer, Failure):
            raise problems.error(answer, method)
        return answer

    def check_pace(self) -> None:
        """Raise AccountError if Slack holds this app back and the plan does not accept that; else say so once."""
        if not self.pacer.slow:
            return
        if not self._accept_slow:
            raise problems.slow()
        if not self.pacer.forecast_told:
            self.pacer.forecast_told = True
            _log.warning("Slack gives this app %d messages a minute: %s.", FEW, forecast())

    # Pages ---------------------------------------------------------------------------------------

    @property
    def page(self) -> int:
        """How many messages to ask for at once."""
        return min(self._page, FEW) if self.pacer.slow else self._page

    def messages(self, method: str, expect: Container[str] = (), **params: Any) -> Answer | Failure:
        """One page of messages. `limit` is ours."""
        asked = self.page
        answer = self.call(method, expect, limit=asked, **params)
        if not isinstance(answer, Failure):
            _holds(answer, "messages", method)
            self.pacer.gave(method, asked, len(dicts_of(answer["messages"])), more=answer.get("has_more") is True)
        return answer

    def pages(self, method: str, name: str, expect: Container[str] = (), **params: Any) -> Iterator[Answer | Failure]:
        """Each page of the list called `name`. A cursor that is missing or "" ends it, and so does a failure."""
        cursor: str | None = None
        while True:
            answer = self.call(method, expect, cursor=cursor, **params)
            if isinstance(answer, Failure):
                yield answer
                return
            _holds(answer, name, method)
            yield answer
            following = next_cursor(answer)
            if not following:
                return
            if following == cursor:
                raise TransientError(f"Slack goes round in circles ({method}).")
            cursor = following


def _holds(answer: Answer, name: str, method: str) -> None:
    """An answer without its list says nothing: never that there is nothing."""
    if not isinstance(answer.get(name), list):
        raise TransientError(f"Slack's answer lacks what was asked for ({method}).")


def next_cursor(answer: Answer) -> str:
    """Where the next page begins; "" if there is none."""
    told = members_of(answer.get("response_metadata")).get("next_cursor")
    return told if isinstance(told, str) else ""
