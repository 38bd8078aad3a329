"""How often Slack lets an app call each method, and how much it gives at once.

See docs.slack.dev/apis/web-api/rate-limits.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

TIERS = {2: 20, 3: 50, 4: 100}  # calls a minute
TIER_OF = {
    "auth.test": 4, "team.info": 3, "users.list": 2, "users.info": 4, "bots.info": 3, "conversations.list": 2,
    "conversations.members": 4, "conversations.history": 3, "conversations.replies": 3, "files.info": 4,
    "emoji.list": 2, "pins.list": 2, "bookmarks.list": 3,
}  # fmt: skip
FEW = 15  # objects at once that an app distributed outside the Marketplace is given, once a minute
SLOWED = frozenset({"conversations.history", "conversations.replies"})
_MINUTE = 60.0


@dataclass
class Limits:
    """What is granted. "none": as much as anybody asks for, so that tests are quick."""

    clock: Callable[[], float]
    app: Literal["none", "internal", "distributed"] = "none"
    refused: int = 0
    _calls: dict[str, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait(self, method: str) -> int:
        """Whole seconds until the method may be called again; 0: now, and this call counts."""
        if self.app == "none":
            return 0
        most = 1 if self.app == "distributed" and method in SLOWED else TIERS[TIER_OF[method]]
        with self._lock:
            now = self.clock()
            calls = self._calls.setdefault(method, deque())
            while calls and calls[0] <= now - _MINUTE:
                calls.popleft()
            if len(calls) < most:
                calls.append(now)
                return 0
            self.refused += 1
            return max(1, math.ceil(calls[0] + _MINUTE - now))

    def page(self, method: str, asked: int) -> int:
        """How many objects are given of those asked for."""
        return min(asked, FEW) if self.app == "distributed" and method in SLOWED else asked
