"""Time for tests: it passes only when somebody sleeps or says so."""

from __future__ import annotations

import time


class Clock:
    """Seconds since 1970, and how long somebody slept each time."""

    def __init__(self, now: float | None = None) -> None:
        self.now = time.time() if now is None else now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
