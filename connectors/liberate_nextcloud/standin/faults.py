"""Faults on purpose: what goes wrong, where, and how often."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NamedTuple

from liberate_nextcloud.standin import errors


class Call(NamedTuple):
    """One request, before it is answered."""

    method: str
    path: str  # as it stood in the request line, percent-encoded, without the query
    user: str  # "" while nobody has logged in


@dataclass(slots=True)
class Fault:
    """What happens to the requests it fits. Fields left alone fit every request.

    `cut` breaks the connection: "before" the request is acted on, "body" in the middle of what it sends, or "after"
    it has been acted on. `flip` changes one bit of what is stored: "disk" after it was hashed, so that only reading
    it back tells; "transit" before, so that the server's own hashes tell. `delay` is in seconds, before acting.
    """

    status: int = 0  # 0: none, the request is answered as ever
    retry_after: str | None = None
    body: bytes | None = None  # None: what the server says with that status
    content_type: str = "text/html"
    cut: Literal["", "before", "body", "after"] = ""
    delay: float = 0.0
    flip: Literal["", "disk", "transit"] = ""
    after: bool = False  # the request is acted on before the status is sent
    method: str = ""
    path: str = ""  # a regular expression that is searched for in the path
    user: str = ""
    times: int | None = 1  # None: for ever
    skip: int = 0  # how many fitting requests go well first
    chance: float = 1.0
    hits: int = 0

    def fits(self, call: Call) -> bool:
        return (
            (not self.method or call.method == self.method)
            and (not self.path or re.search(self.path, call.path) is not None)
            and (not self.user or call.user == self.user)
        )

    def answer(self, method: str) -> tuple[str, bytes]:
        """Content-Type and body that go with the status."""
        if self.body is not None:
            return self.content_type, self.body
        if (page := _PAGES.get(self.status)) is not None:
            title = f"{self.status} {page}"
            html = (
                f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
                "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
            )
            return "text/html", html.encode()
        return "application/xml; charset=utf-8", _REFUSALS.get(self.status, _broken(self.status)).body()


_PAGES = {413: "Request Entity Too Large", 502: "Bad Gateway", 504: "Gateway Time-out"}
_REFUSALS = {
    423: errors.locked("files"),
    429: errors.too_many_requests(),
    503: errors.maintenance(),
    507: errors.insufficient_storage("/", 1, 0),
}


def _broken(status: int) -> errors.Refusal:
    return errors.Refusal(status, "Exception", "An exception occurred on purpose")


def database_locked(**where: object) -> Fault:
    """503, as a server on SQLite answers while others write."""
    return Fault(
        status=503,
        body=errors.database_locked().body(),
        content_type="application/xml; charset=utf-8",
        **where,  # type: ignore[arg-type]
    )
