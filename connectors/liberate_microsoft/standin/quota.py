"""Counts resource units as SharePoint does, and refuses what goes beyond them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from liberate_microsoft.standin.errors import ApiError

MINUTE = 60.0


class Quota:
    """Off until `enforce` is called. Refused calls count too, as Microsoft's do."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._most: int | None = None
        self._retry_after = 10
        self._spent: deque[tuple[float, int]] = deque()
        self._blocked_until = 0.0
        self.refused = 0  # how many calls were turned away
        self.units = 0  # spent in all

    def enforce(self, per_minute: int, retry_after: int = 10) -> None:
        """Refuse calls beyond so many units in any 60 seconds, for `retry_after` seconds each time."""
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
            while self._spent and self._spent[0][0] <= now - MINUTE:
                self._spent.popleft()
            self._spent.append((now, units))
            if sum(cost for _, cost in self._spent) > self._most or now < self._blocked_until:
                self.refused += 1
                self._blocked_until = max(self._blocked_until, now + self._retry_after)
                wait = max(1, round(self._blocked_until - now))
                raise ApiError(
                    429, "activityLimitReached", "The request has been throttled.", {"Retry-After": str(wait)}
                )
