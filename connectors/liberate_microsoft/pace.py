"""Keeps to the resource units that Microsoft grants an app in a tenant, and to its Retry-After, for all threads.

The one place of the connector that waits. A failure is not waited for here: it is classified and
raised, and the engine waits. What is kept here is the published rate, and that nobody calls before
the time Microsoft named, because refused calls count against the same budget
(learn.microsoft.com/sharepoint/dev/general-development/how-to-avoid-getting-throttled-or-blocked-in-sharepoint-online).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from liberate.errors import TransientError

UNITS_PER_MINUTE = 1200  # tenants of up to 1,000 licences
BURST = 1 / 10  # of a minute's units may go at once; the rest comes evenly, so no minute sees more than the whole
LONGEST_WAIT = 90.0  # seconds; who would wait longer is told to come back
UNASKED = 10.0  # seconds to stay away when a refusal does not say
LONGEST_UNASKED = 120.0

ITEM = DOWNLOAD = DELTA = QUERY = 1  # resource units
DELTA_FIRST = CHILDREN = 2
PERMISSIONS = 5

REQUESTS_PER_MINUTE = 1000  # at one mailbox
AT_ONCE = 3  # at one mailbox
REQUEST = 1  # every call counts the same there


class Pacer:
    """The account of one app in one tenant, shared by all threads of this process."""

    def enter(self) -> None:
        """Before a call, and until `leave`: there is no limit to how many are under way at once."""

    def leave(self) -> None:
        """The call's answer was read to its end."""

    def __init__(
        self,
        per_minute: int | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate = None if per_minute is None else per_minute * (1 - BURST) / 60
        self._most = 0.0 if per_minute is None else max(float(PERMISSIONS), per_minute * BURST)
        self._left = self._most
        self._clock = clock
        self._filled = clock()
        self._hold = 0.0  # nothing before this time
        self._refusals = 0  # in a row
        self._lock = threading.Lock()
        self.sleep = sleep

    def turn(self, units: int) -> None:
        """Wait until a call of so many units may go. Raises TransientError rather than wait for very long."""
        while True:
            with self._lock:
                now = self._clock()
                wait = max(0.0, self._hold - now)
                if wait == 0.0 and self._rate is not None:
                    self._left = min(self._most, self._left + (now - self._filled) * self._rate)
                    self._filled = now
                    # Booked at once, so that waiting threads queue up and none is overtaken for ever.
                    self._left -= units
                    wait = max(0.0, -self._left / self._rate)
                    if wait > LONGEST_WAIT:
                        self._left += units
                    booked = True
                else:
                    booked = wait == 0.0
            if wait > LONGEST_WAIT:
                raise TransientError("The app's resource units at Microsoft are used up for the moment.", wait)
            if wait > 0:
                self.sleep(wait)
            if booked and not self._held():
                return

    def _held(self) -> bool:
        with self._lock:
            return self._hold > self._clock()

    def refused(self, retry_after: float | None) -> float:
        """Microsoft refused a call for its rate: nobody calls before the time it named. The seconds until then."""
        with self._lock:
            now = self._clock()
            if retry_after is None:
                retry_after = min(LONGEST_UNASKED, UNASKED * 2.0 ** min(self._refusals, 5))
            if now >= self._hold:  # one refusal of a crowd that was on its way together
                self._refusals += 1
            self._hold = max(self._hold, now + retry_after)
            return self._hold - now

    def went_well(self) -> None:
        """A call was answered."""
        self._refusals = 0


class MailboxPacer(Pacer):
    """The account of one app at one mailbox: so many calls at once, and so many a minute.

    Microsoft allows 4 at once, and refuses with that number now and then; so 3 it is. 10,000 in ten minutes
    are 1,000 a minute (learn.microsoft.com/graph/throttling-limits, Outlook service limits).
    """

    def __init__(
        self,
        per_minute: int | None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        at_once: int = AT_ONCE,
    ) -> None:
        super().__init__(per_minute, clock, sleep)
        self._room = threading.BoundedSemaphore(at_once)

    def enter(self) -> None:
        """Wait for room. Raises TransientError when none comes for very long."""
        if not self._room.acquire(timeout=LONGEST_WAIT):
            raise TransientError("The requests under way at this mailbox do not come to their end.")

    def leave(self) -> None:
        self._room.release()


_pacers: dict[str, Pacer] = {}
_mailboxes: dict[str, MailboxPacer] = {}
_pacers_lock = threading.Lock()


def shared(app: str, per_minute: int | None) -> Pacer:
    """The process's pacer of that app, made at the first call."""
    with _pacers_lock:
        key = f"{app} {per_minute}"
        if key not in _pacers:
            _pacers[key] = Pacer(per_minute)
        return _pacers[key]


def of_mailbox(app: str, mailbox: str, per_minute: int | None) -> MailboxPacer:
    """The process's pacer of that app at that mailbox, made at the first call."""
    with _pacers_lock:
        key = f"{app} {per_minute} {mailbox.lower()}"
        if key not in _mailboxes:
            _mailboxes[key] = MailboxPacer(per_minute)
        return _mailboxes[key]
