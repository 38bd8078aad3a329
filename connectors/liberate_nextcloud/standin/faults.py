"""Faults on purpose: what goes wrong, where, and how often."""

from __future__ import annotations

import random
import re
import threading
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


class Faults:
    """The faults in force. Chance is drawn from a seeded generator, so runs repeat."""

    def __init__(self, seed: int = 20260501) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force; its `hits` tell how often it struck."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def strike(self, call: Call) -> Fault | None:
        """The fault that this request meets, if any."""
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults:
                if not fault.fits(call) or (fault.times is not None and fault.hits >= fault.times):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.chance < 1.0 and self._random.random() >= fault.chance:
                    continue
                fault.hits += 1
                return fault
        return None
