"""Counts quota units as Google does, and refuses what goes beyond them."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from typing import Literal

from liberate_google.prices import PRICE_LISTS, SINCE_2026, PriceList
from liberate_google.standin.errors import ApiError

MINUTE = 60.0


class Quota:
    """Off until `enforce` is called. Refused calls cost nothing."""

    def __init__(
        self,
        clock: Callable[[], float],
        lists: Mapping[str, PriceList] = PRICE_LISTS,
        service: str = "gmail.googleapis.com",
    ) -> None:
        self._lists = lists
        self._service = service
        self._clock = clock
        self._lock = threading.Lock()
        self._prices: PriceList | None = None
        self._user_units = self._project_units = 0
        self._form: Literal["403", "429"] = "429"
        self._concurrent: int | None = None
        self._running: dict[str, int] = defaultdict(int)
        self._spent: dict[str, deque[tuple[float, int]]] = defaultdict(deque)  # "" is the project
        self._total: dict[str, int] = defaultdict(int)  # the sum of each of them
        self.refused = 0  # how many calls were turned away
        self.peak: dict[str, int] = defaultdict(int)  # most units of any minute, by user

    def enforce(
        self,
        prices: str = SINCE_2026.name,
        *,
        user_units: int | None = None,
        project_units: int | None = None,
        form: Literal["403", "429"] = "429",
        concurrent: int | None = None,
    ) -> None:
        """Refuse calls beyond the price list's ceilings, or these, in any 60 seconds.

        `concurrent` is how many requests of one user may run at once.
        """
        with self._lock:
            self._prices = self._lists[prices]
            self._user_units = user_units or self._prices.user_units
            self._project_units = project_units or self._prices.project_units
            self._form = form
            self._concurrent = concurrent

    def off(self) -> None:
        with self._lock:
            self._prices = None

    def spend(self, user: str, method: str) -> None:
        """Book one call of "messages.get" and the like; ApiError when it is one too many."""
        with self._lock:
            if self._prices is None:
                return
            now, price = self._clock(), self._prices.price(method)
            for key, ceiling, whose in ((user, self._user_units, " per user"), ("", self._project_units, "")):
                spent = self._spent[key]
                while spent and spent[0][0] <= now - MINUTE:
                    self._total[key] -= spent.popleft()[1]
                if self._total[key] + price > ceiling:
                    self.refused += 1
                    raise self._refusal(whose)
            for key in (user, ""):
                self._spent[key].append((now, price))
                self._total[key] += price
            self.peak[user] = max(self.peak[user], self._total[user])

    def _refusal(self, whose: str) -> ApiError:
        if self._form == "429":
            return ApiError(429, "rateLimitExceeded", "Resource has been exhausted (e.g. check quota).", "usageLimits")
        reason = "userRateLimitExceeded" if whose else "rateLimitExceeded"
        return ApiError(
            403,
            reason,
            f"Quota exceeded for quota metric 'Queries' and limit 'Queries per minute{whose}' of service "
            f"'{self._service}' for consumer 'project_number:314159265358'.",
            "usageLimits",
        )

    def enter(self, user: str) -> None:
        """A request of this user begins; ApiError when too many run already."""
        with self._lock:
            if self._concurrent is not None and self._running[user] >= self._concurrent:
                self.refused += 1
                raise ApiError(429, "rateLimitExceeded", "Too many concurrent requests for user.", "usageLimits")
            self._running[user] += 1

    def leave(self, user: str) -> None:
        with self._lock:
            self._running[user] -= 1
