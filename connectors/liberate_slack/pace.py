"""Keeps to the rate that Slack grants for each method, and to its Retry-After, for all threads.

The one place of the connector that waits. What is kept here is the published rate
(docs.slack.dev/apis/web-api/rate-limits: calls a minute, by method, workspace and app), and that nobody calls a
method before the time that Slack named.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from liberate.errors import TransientError

TIERS = {2: 20, 3: 50, 4: 100}  # calls a minute
TIER_OF = {
    "auth.test": 4, "team.info": 3, "users.list": 2, "users.info": 4, "bots.info": 3, "conversations.list": 2,
    "conversations.members": 4, "conversations.history": 3, "conversations.replies": 3, "files.info": 4,
    "emoji.list": 2, "pins.list": 2, "bookmarks.list": 3,
}  # fmt: skip
SLOWED = frozenset({"conversations.history", "conversations.replies"})
FEW = 15  # messages at once, once a minute: what apps get that are distributed outside Slack's Marketplace
BURST = 1 / 10  # of a minute's calls may go at once; the rest comes evenly, so no minute sees more than the whole
LONGEST_WAIT = 90.0  # seconds; who would wait longer is told to come back
UNASKED = 10.0  # seconds to stay away when a refusal does not say
LONGEST_SLOW = 600.0  # the same where there is one call a minute for all threads
LOOKING = 5.0  # seconds of a wait after which somebody may know better
TELLING = 30.0  # seconds of Retry-After from which on a refusal speaks of one call a minute


@dataclass(slots=True)
class _Method:
    rate: float  # calls a second
    most: float  # calls at once
    left: float
    filled: float
    hold: float = 0.0  # nothing before this time
    refusals: int = 0  # in a row


class Pacer:
    """The account of one app in one workspace, shared by all threads of this process.

    `published`: the server keeps to the published rates. A stand-in is trusted to say so itself.
    """

    def __init__(
        self,
        *,
        published: bool = True,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._published = published
        self._clock = clock
        self._lock = threading.Lock()
        self._methods: dict[str, _Method] = {}
        self._suspect = False  # somebody got few messages although there are more
        self.slow = False  # the app gets FEW messages a minute
        self.forecast_told = False
        self.sleep = sleep

    def _method(self, name: str) -> _Method:
        found = self._methods.get(name)
        if found is None:
            calls = TIERS[TIER_OF.get(name, 2)]
            most = max(1.0, calls * BURST)
            found = self._methods[name] = _Method(calls * (1 - BURST) / 60, most, most, self._clock())
            if self.slow:
                self._slow_down(name, found)
        return found

    def turn(self, method: str, look: Callable[[], None] = lambda: None) -> None:
        """Wait until the method may be called. Raises TransientError when that takes longer than LONGEST_WAIT.

        `look` is called now and then meanwhile, and may raise.
        """
        due: float | None = None  # when the rate lets this call go
        while True:
            with self._lock:
                now = self._clock()
                one = self._method(method)
                if due is None:
                    due = self._book(one, now) if self._published else now
                wait = max(due, one.hold) - now
                too_long = wait > (LONGEST_SLOW if self.slow and method in SLOWED else LONGEST_WAIT)
                if too_long and self._published:
                    one.left += 1
            if too_long:
                raise TransientError("Slack asks us to wait before the next call.", wait)
            look()
            if wait <= 0:
                return
            self.sleep(min(wait, LOOKING))

    @staticmethod
    def _book(one: _Method, now: float) -> float:
        """Take one of the calls that may go; when it may. Whoever waits is booked, so that none is overtaken."""
        one.left = min(one.most, one.left + max(0.0, now - one.filled) * one.rate)
        one.filled = max(one.filled, now)
        one.left -= 1
        return one.filled + max(0.0, -one.left / one.rate)

    def refused(self, method: str, retry_after: float | None) -> None:
        """Slack refused a call for its rate: nobody calls this method before the time it named."""
        with self._lock:
            now = self._clock()
            one = self._method(method)
            if retry_after is None:
                retry_after = min(LONGEST_WAIT, UNASKED * 2.0 ** min(one.refusals, 5))
            elif self._suspect and method in SLOWED and retry_after >= TELLING:
                self._found_slow()
            if now >= one.hold:  # one refusal of a crowd that was on its way together
                one.refusals += 1
            one.hold = max(one.hold, now + retry_after)
            one.left, one.filled = min(one.left, 1.0), one.hold  # what may go at once, may go once then

    def went_well(self, method: str) -> None:
        """A call was answered."""
        with self._lock:
            self._method(method).refusals = 0

    def gave(self, method: str, asked: int, got: int, *, more: bool) -> None:
        """How many messages came. Few although there are more, and then a refusal: the app is one of the slow."""
        with self._lock:
            if method in SLOWED and more and asked > FEW:
                self._suspect = got == FEW

    def _found_slow(self) -> None:
        self.slow = True
        for name in SLOWED & self._methods.keys():
            self._slow_down(name, self._methods[name])

    def _slow_down(self, name: str, one: _Method) -> None:
        if name in SLOWED:
            one.rate, one.most, one.left = 1 / 60, 1.0, min(one.left, 1.0)


def forecast(messages: int = 1_000_000) -> str:
    """How long so many messages take an app that is slow, as a sentence's part: "1,000,000 messages take 46 days"."""
    return f"{messages:,} messages take {messages / FEW / 60 / 24:,.0f} days"


_pacers: dict[str, Pacer] = {}
_pacers_lock = threading.Lock()


def shared(token: str, endpoint: str | None) -> Pacer:
    """The process's pacer of that token, made at the first call."""
    key = hashlib.sha256(f"{token} {endpoint}".encode()).hexdigest()
    with _pacers_lock:
        if key not in _pacers:
            _pacers[key] = Pacer(published=endpoint is None)
        return _pacers[key]
