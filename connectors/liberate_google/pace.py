"""Keeps to the rate that Google grants: quota units in any minute, by mailbox and by project.

The one place of a connector that waits. A failure that has happened is not waited for here: it is
classified and raised, and the engine waits. What is kept here is the published rate itself, which
only the connector knows to the unit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from liberate.errors import TransientError
from liberate_google.prices import BEFORE_2026, PRICE_LISTS, SINCE_2026, PriceList

_log = logging.getLogger(__name__)

MINUTE = 60.0
BURST = 15.0  # seconds, in which a quarter of a minute may go: waits stay short, and nobody is flooded
BURST_SHARE = 1 / 4
IN_FLIGHT = 3  # requests of one mailbox at once; Gmail refuses "too many concurrent requests" by itself
LONGEST_WAIT = 90.0  # seconds; who would wait longer is told to come back
EASE, LEAST = 0.7, 0.1  # a refusal takes this factor off the rate, never below this share of it
RECOVER = 0.05  # of the full rate comes back with every minute without a refusal


@dataclass(frozen=True, slots=True)
class Rate:
    """What may be spent in a minute, and what a call costs. `list` None: nothing is published, so spend freely."""

    list: PriceList | None
    user_units: int = 0
    project_units: int = 0


def ladder(
    price_list: str,
    *,
    published: bool,
    user_units: int | None = None,
    project_units: int | None = None,
    lists: Mapping[str, PriceList] = PRICE_LISTS,
) -> tuple[Rate, ...]:
    """The rates to try, most generous first; each refusal that our own account does not explain takes the next.

    "auto" begins with the older list, because a call more costs nothing but a refusal. A server
    that has not `published` a rate, a stand-in, is trusted to say so itself.
    """
    names = [BEFORE_2026.name, SINCE_2026.name] if price_list == "auto" else [price_list]
    rates = [
        Rate(one, user_units or one.user_units, project_units or one.project_units)
        for one in (lists[name] for name in names)
    ]
    if price_list == "auto" and not published and user_units is None and project_units is None:
        return (Rate(None), *rates)
    return tuple(rates)


class _Window:
    """Calls granted lately to one mailbox, or to the project, oldest first."""

    def __init__(self) -> None:
        self.granted: deque[tuple[float, str, int]] = deque()  # when, method, how many
        self.share = 1.0  # of the published rate
        self.refused = -1.0  # when last
        self.hold = 0.0  # nothing before this time
        self.refusals = 0  # in a row

    def forget(self, now: float) -> None:
        while self.granted and self.granted[0][0] <= now - MINUTE:
            self.granted.popleft()

    def earliest(self, now: float, units: int, ceiling: float, prices: PriceList) -> float:
        """When `units` more fit under the ceiling in every minute and a share of it in every burst."""
        when = max(now, self.hold, self.granted[-1][0] if self.granted else now)
        for span, most in ((MINUTE, ceiling), (BURST, ceiling * BURST_SHARE)):
            inside = [(at, prices.price(method) * count) for at, method, count in self.granted if at > when - span]
            total = sum(cost for _, cost in inside)
            for at, cost in inside:
                if total + units <= most:
                    break
                total -= cost
                when = max(when, at + span)
        return when


class Pacer:
    """The account of one project, shared by all threads of this process."""

    def __init__(
        self,
        rates: Sequence[Rate],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        self._in_flight = in_flight
        self._rates = tuple(rates)
        self._rung = 0
        self._clock = clock
        self.sleep = sleep
        self._lock = threading.Lock()
        self._windows: dict[str, _Window] = {}  # by user; "" is the project
        self._turns: dict[str, threading.BoundedSemaphore] = {}

    @property
    def rate(self) -> Rate:
        """What is believed to be granted now."""
        return self._rates[self._rung]

    def room(self, method: str) -> int:
        """How many calls of this method go well together for one mailbox; at least 1.

        Half a burst: batches of two thirds of one would leave much of the rate unused.
        """
        rate = self.rate
        if rate.list is None:
            return 1 << 30
        return max(1, int(rate.user_units * BURST_SHARE / 2) // rate.list.price(method))

    @contextmanager
    def turn(self, user: str, method: str, count: int = 1) -> Iterator[int]:
        """Wait until `count` calls may go, and hold one of the mailbox's few places while they run.

        Gives the rung of the ladder that the calls went out under, for `refused`. Raises
        TransientError when the wait would be longer than LONGEST_WAIT.
        """
        with self._lock:
            turns = self._turns.setdefault(user, threading.BoundedSemaphore(self._in_flight))
        with turns:
            wait, rung = self._book(user, method, count)
            if wait > 0:
                self.sleep(wait)
            yield rung

    def _book(self, user: str, method: str, count: int) -> tuple[float, int]:
        with self._lock:
            now = self._clock()
            mine, all_ = (self._windows.setdefault(key, _Window()) for key in (user, ""))
            rate = self.rate
            when = max(now, mine.hold)
            for window in (mine, all_):
                window.forget(now)
            if rate.list is not None:
                units = rate.list.price(method) * count
                self._recover(mine, now)
                when = max(
                    mine.earliest(when, units, rate.user_units * mine.share, rate.list),
                    all_.earliest(when, units, rate.project_units, rate.list),
                )
            if when - now > LONGEST_WAIT:
                raise TransientError(f"Google's quota for {user} is used up for the moment.", when - now)
            for window in (mine, all_):
                window.granted.append((when, method, count))
            return when - now, self._rung

    def _recover(self, window: _Window, now: float) -> None:
        if window.share < 1.0 and now - window.refused >= MINUTE:
            window.share = min(1.0, window.share + RECOVER)
            window.refused = now

    def refused(self, user: str, rung: int, retry_after: float | None = None, *, crowded: bool = False) -> float:
        """Google refused a call of this mailbox for its rate. Slow down; the seconds to stay away.

        `crowded`: there were too many calls at once, which says nothing about units.
        """
        with self._lock:
            now = self._clock()
            mine = self._windows.setdefault(user, _Window())
            if now < mine.hold:  # one refusal of a crowd that was on its way together
                return mine.hold - now
            mine.refusals += 1
            if crowded or rung != self._rung:
                pass  # many mailboxes may learn of one rate together: that is one step, not one each
            elif self._rung + 1 < len(self._rates):
                self._rung += 1
                _log.info("Google refused a call below the rate tried; going on at %s", self.rate)
            else:
                mine.share = max(LEAST, mine.share * EASE)
            mine.refused = now
            pause = retry_after if retry_after is not None else min(60.0, 2.0 ** min(mine.refusals, 6) / 2)
            mine.hold = now + pause
            return pause

    def went_well(self, user: str) -> None:
        """A call of this mailbox was answered."""
        with self._lock:
            if user in self._windows:
                self._windows[user].refusals = 0


_pacers: dict[str, Pacer] = {}
_pacers_lock = threading.Lock()


def shared(project: str, rates: Sequence[Rate], in_flight: int = IN_FLIGHT) -> Pacer:
    """The process's pacer of that project, made at the first call."""
    with _pacers_lock:
        key = f"{project} {rates} {in_flight}"
        if key not in _pacers:
            _pacers[key] = Pacer(rates, in_flight=in_flight)
        return _pacers[key]
