"""Counts resource units as SharePoint does, and requests as Exchange does, and refuses what goes beyond them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from liberate_microsoft.standin.errors import ApiError

MINUTE = 60.0


class Quota:
    """Off until `enforce` is called. Refused calls count too, as Microsoft's do."""

    def __init__(self, clock: Callable[[], float], window: float = MINUTE) -> None:
        self._clock = clock
        self._window = window  # seconds
        self._lock = threading.Lock()
        self._most: int | None = None
        self._retry_after: float = 10
        self._spent: deque[tuple[float, int]] = deque()
        self._blocked_until = 0.0
        self.refused = 0  # how many calls were turned away
        self.units = 0  # spent in all

    def enforce(self, per_minute: int, retry_after: float = 10) -> None:
        """Refuse calls beyond so many units in the window, for `retry_after` seconds each time."""
        with self._lock:
            self._most = per_minute
            self._retry_after = retry_after

    def spend(self, units: int) -> None:
        """Book one call; ApiError when it is one too many."""
        with self._lock:
            self.units += units
            if self._most is None:
                return
            now = self._clock()
            while self._spent and self._spent[0][0] <= now - self._window:
                self._spent.popleft()
            self._spent.append((now, units))
            if sum(cost for _, cost in self._spent) > self._most or now < self._blocked_until:
                self.refused += 1
                self._blocked_until = max(self._blocked_until, now + self._retry_after)
                wait = max(1, round(self._blocked_until - now))
                raise ApiError(
                    429, "activityLimitReached", "The request has been throttled.", {"Retry-After": str(wait)}
                )


AT_ONCE = 4  # requests of one app at one mailbox
TEN_MINUTES = 600.0


class Crowd:
    """Counts the requests that are under way at each mailbox, and refuses the fifth."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now: dict[str, int] = {}
        self.most: dict[str, int] = {}  # how many there ever were at once
        self.refused = 0

    def enter(self, mailbox: str) -> None:
        """One more; ApiError when it is one too many. `leave` is due in any case."""
        with self._lock:
            count = self._now[mailbox] = self._now.get(mailbox, 0) + 1
            self.most[mailbox] = max(count, self.most.get(mailbox, 0))
            if count <= AT_ONCE:
                return
            self.refused += 1
        raise ApiError(
            429,
            "ApplicationThrottled",
            "Application is over its MailboxConcurrency limit.",
            {"Retry-After": "0.5"},
        )

    def leave(self, mailbox: str) -> None:
        with self._lock:
            self._now[mailbox] -= 1
