"""Which logins a server has refused: each is tried once in a process and then never again.

A Nextcloud counts failed logins by address and, after some, locks out everybody who comes from there. So the
first try of a login is made by one thread alone, and a login that was refused is not tried by anybody else.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from liberate.errors import AccountError


def key_of(*parts: str) -> str:
    """What a login is remembered by: nothing of it can be read from that."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


class Gate:
    """The logins of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: dict[str, threading.Lock] = {}
        self._accepted: set[str] = set()
        self._refused: set[str] = set()

    def refused(self, key: str) -> bool:
        return key in self._refused

    def accepted(self, key: str) -> bool:
        return key in self._accepted

    def refuse(self, key: str) -> None:
        with self._lock:
            self._refused.add(key)

    @contextmanager
    def trying(self, key: str, refusal: Callable[[], AccountError]) -> Iterator[None]:
        """Alone until the login has been accepted once. Raises `refusal` if it was refused before."""
        with self._lock:
            first = threading.Lock() if key in self._accepted else self._first.setdefault(key, threading.Lock())
        with first:
            if key in self._refused:
                raise refusal()
            yield
            with self._lock:
                self._accepted.add(key)


GATE = Gate()
