"""A file's bytes from Slack, by a link that carries a token: over https, from Slack's own hosts and no other.

A link opens its file for whoever has it, so none is ever in an error, a log or the ledger.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator, Iterator, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from liberate.errors import AccountError, IntegrityError, ItemError, LiberateError, TransientError
from liberate_slack.files import Stored
from liberate_slack.letters import without_token

_CHUNK = 1 << 18
_HOPS = 3
_SLACK = "slack.com"
_PUBLIC = "slack-edge.com"  # of Slack's too, for pictures that everybody may see: no token goes there
_HTML = re.compile(rb"\s*(?:<!doctype html|<html)", re.IGNORECASE)
_LOGIN = re.compile(rb"signin|sign_in|sign-in|workspace-signin|data-qa=\"login", re.IGNORECASE)
_SECRET = re.compile(r"xox[a-z]-[\w-]+|xoxe\.[\w.-]+|([?&](?:t|token)=)[^&\s\"']+", re.IGNORECASE)


class _NoTokens(logging.Filter):
    """urllib3 logs each request's path at level DEBUG, and there the token stands."""

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        if "xox" in said or "token=" in said or "t=" in said:
            record.msg, record.args = _SECRET.sub(r"\1…", said), ()
        return True


_NO_TOKENS = _NoTokens()


class _Refused(Exception):
    """Slack did not serve the link. `code` is "login" for its login page, else a status."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _AtItsEnd(Exception):
    """Nothing stands behind the offset."""


class Downloads:
    """Downloads by one worker. `token`: one of our own, instead of those in the links.

    `proven`: the token is known to be accepted, so that what is refused is refused for itself.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        endpoint: str | None = None,
        verify: bool | str = True,
        timeout: float = 60.0,
        proven: bool = False,
    ) -> None:
        import requests  # noqa: PLC0415 - only who fetches files needs it

        logging.getLogger("urllib3.connectionpool").addFilter(_NO_TOKENS)
        self._requests = requests
        self._session = requests.Session()
        self._session.trust_env = verify is True  # REQUESTS_CA_BUNDLE would replace the stand-in's authority
        self._token = token
        self._endpoint = urlsplit(endpoint) if endpoint else None
        self._verify = verify
        self._timeout = timeout
        self._good = proven  # some link was served: what is refused now is refused for itself

    def __repr__(self) -> str:
        return "Downloads()"

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def read(self, file: Stored, offset: int = 0, others: Sequence[Stored] = ()) -> Iterator[bytes]:
        """The file's bytes from `offset` on. `others` tell, if it is refused, whether the token is or only this file.

        Raises AccountError if Slack no longer accepts the token, ItemError if it does not serve this file.
        """
        try:
            pieces = self._pieces(file, offset)
            first = next(pieces, None)
        except _AtItsEnd:
            return
        except _Refused as refused:
            raise self._meaning(refused, others) from None
        self._good = True
        if first is not None:
            yield first
            yield from pieces

    def _pieces(self, file: Stored, offset: int) -> Generator[bytes, None, None]:
        response, skip = self._open(file, offset)
        yield from self._body(response, file, offset, skip)

    def _meaning(self, refused: _Refused, others: Sequence[Stored]) -> LiberateError:
        if refused.code in ("404", "410"):
            return ItemError("gone", "Slack no longer has it.")
        if not self._good and any(self._served(one) for one in others):
            self._good = True
        if self._good:
            return ItemError(
                "forbidden",
                "Slack does not hand it over, though it hands over others.",
                "Let somebody who can see the file in Slack download it by hand.",
            )
        if self._token:
            return AccountError(
                "token-refused",
                "Slack does not accept the token for files.",
                "Give the plan a token that may read files (files:read) of this workspace, then run the command again.",
            )
        return AccountError(
            "export-token-revoked",
            "Slack no longer accepts the links in this export: their token was revoked or has expired.",
            "Make a new export and name its ZIP (in Slack: Tools & settings > Workspace settings > "
            'Import/Export Data > Export), or give the plan a `token_file`, or set files = "leave". '
            "Then run the same command again.",
        )

    def _served(self, other: Stored) -> bool:
        pieces = self._pieces(other, 0)
        try:
            next(pieces, None)
        except (_Refused, LiberateError):
            return False
        pieces.close()
        return True

    # One request ---------------------------------------------------------------------------------

    def _open(self, file: Stored, offset: int) -> tuple[Any, int]:
        """The open response, and how many bytes of it we do not want."""
        url = without_token(file.url) if self._token else file.url
        for _ in range(_HOPS):
            if not self._is_slack(url):
                raise ItemError(
                    "foreign-host",
                    "Its bytes are with another service than Slack, where Slack's token must not go.",
                    "Download it by hand.",
                )
            response = self._get(url, offset)
            status = response.status_code
            if status in (301, 302, 303, 307, 308):
                target = urljoin(url, str(response.headers.get("Location") or ""))
                response.close()
                if "redir=" in target or _LOGIN.search(target.encode()):
                    raise _Refused("login")
                url = target
                continue
            if status in (401, 403, 404, 410):
                response.close()
                raise _Refused(str(status))
            if status in (408, 429) or status >= 500:
                wait = str(response.headers.get("Retry-After") or "")
                response.close()
                raise TransientError(
                    f"Slack cannot serve files at the moment (HTTP {status}).", float(wait) if wait.isdigit() else None
                )
            if status == 416 and offset:
                total = re.fullmatch(r"bytes \*/([0-9]+)", response.headers.get("Content-Range", ""))
                response.close()
                if (int(total[1]) if total else file.size) == offset:
                    raise _AtItsEnd
                raise IntegrityError("The file became shorter while it was read.")
            if status not in (200, 206):
                response.close()
                raise ItemError("not-served", f"Slack does not serve it (HTTP {status}).")
            return response, self._begins(response, offset)
        raise ItemError("not-served", "Slack sends us round in circles for it.")

    def _begins(self, response: Any, offset: int) -> int:
        if response.status_code == 200:
            return offset
        found = re.fullmatch(r"bytes (\d+)-\d+/(?:\d+|\*)", response.headers.get("Content-Range", ""))
        if found is None or int(found[1]) > offset:
            response.close()
            raise TransientError("Slack gave another part of a file than we asked for.")
        return offset - int(found[1])

    def _get(self, url: str, offset: int) -> Any:
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-"
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            return self._session.get(
                url, headers=headers, stream=True, allow_redirects=False, timeout=self._timeout, verify=self._verify
            )
        except self._requests.exceptions.SSLError:
            raise AccountError(
                "certificate",
                "The certificate of Slack's file server is not one that this machine trusts.",
                "Look at whether a proxy stands in between.",
            ) from None
        except (self._requests.exceptions.RequestException, ValueError) as error:
            raise TransientError(f"The line to Slack broke ({type(error).__name__}).") from None

    def _is_slack(self, url: str) -> bool:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            return False
        if self._endpoint is not None:
            return (parts.scheme, parts.netloc) == (self._endpoint.scheme, self._endpoint.netloc)
        host = (parts.hostname or "").lower()
        ours = host == _SLACK or host.endswith(f".{_SLACK}")
        ours = ours or (self._token is None and host.endswith(f".{_PUBLIC}"))
        return parts.scheme == "https" and ours and port in (None, 443) and parts.username is None

    # Its body ------------------------------------------------------------------------------------

    def _body(self, response: Any, file: Stored, offset: int, skip: int) -> Iterator[bytes]:
        length = str(response.headers.get("Content-Length") or "")
        begin = offset - skip
        whole = begin + int(length) if length.isdigit() else None
        at = begin
        head = b""
        looked = begin > 0
        try:
            for piece in response.iter_content(_CHUNK):
                if not looked:
                    head += piece
                    if len(head) < 1024 and (whole is None or len(head) < whole):
                        continue
                    piece, looked = head, True  # noqa: PLW2901
                    self._no_login(piece, response, file, whole)
                at += len(piece)
                if at > offset:
                    yield piece[max(0, offset - (at - len(piece))) :]
            if not looked:
                self._no_login(head, response, file, whole)
                at += len(head)
                if head[offset:]:
                    yield head[offset:]
        except self._requests.exceptions.RequestException as error:
            raise TransientError(f"The line to Slack broke ({type(error).__name__}).") from None
        finally:
            response.close()
        if whole is not None and at < whole:
            raise TransientError("The line to Slack broke in the middle of a file.")
        if file.size is not None and at != file.size:
            raise IntegrityError(f"Slack served {at:,} bytes of a file that has {file.size:,}.")

    def _no_login(self, head: bytes, response: Any, file: Stored, whole: int | None) -> None:
        """A link that is not accepted is answered with a login page, and status 200."""
        kind = str(response.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        if kind != "text/html" and not _HTML.match(head):
            return
        if file.size is not None and whole == file.size:
            return  # HTML, whatever its owner called it
        told = file.media_type.lower() in ("text/html", "application/xhtml+xml")
        if (told or file.rendered) and not _LOGIN.search(head):
            return
        raise _Refused("login")
