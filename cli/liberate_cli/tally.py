"""Adds up what a running job tells, so that a display can say how far it is and how long it will take."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from liberate.events import Checked, Event, Finished, Moved, Planned, Refused, Sharing, Stopped, Waiting

WINDOW = 60.0  # seconds over which the rate is taken: long enough to be steady, short enough to follow a change


@dataclass(slots=True)
class Account:
    """One account as far as this run has told of it."""

    name: str
    items: int | None = None  # how many there are; None: not known
    already: int = 0  # there before this run
    moved: int = 0  # in this run; what was checked, where the run verifies
    bytes: int = 0  # of these
    refused: int = 0
    waiting: str = ""  # why it waits just now
    stopped: str = ""
    finished: bool = False

    @property
    def settled(self) -> int:
        return self.already + self.moved + self.refused


@dataclass(slots=True)
class Tally:
    """All accounts together. `accounts` is how many the plan has, told or not."""

    accounts: int
    each: dict[str, Account] = field(default_factory=dict)
    _steps: deque[tuple[float, int, int]] = field(default_factory=deque)  # moment, items, bytes

    def take(self, event: Event, now: float) -> None:
        """Count one event that came at `now`, in seconds of a clock that only goes forward."""
        account = self.each.setdefault(event.account, Account(event.account))
        match event:
            case Planned(items=items, moved=moved):
                account.items = items
                account.already = max(moved - account.moved, 0)
            case Moved(items=items, bytes=size) | Checked(items=items, bytes=size):
                account.moved += items
                account.bytes += size
                account.waiting = ""
                self._steps.append((now, items, size))
            case Refused():
                account.refused += 1
                account.waiting = ""
                self._steps.append((now, 1, 0))
            case Waiting(seconds=seconds, why=why):
                account.waiting = f"waits {seconds:.0f} s: {why}" if seconds else f"waits: {why}"
            case Sharing():
                account.waiting = ""
            case Stopped(why=why):
                account.stopped = why
                account.waiting = ""
            case Finished():
                account.finished = True
                account.waiting = ""

    @property
    def done(self) -> int:
        """Accounts that are finished."""
        return sum(account.finished for account in self.each.values())

    @property
    def moved(self) -> int:
        """Items of this run."""
        return sum(account.moved for account in self.each.values())

    @property
    def bytes(self) -> int:
        """Bytes of this run."""
        return sum(account.bytes for account in self.each.values())

    @property
    def refused(self) -> int:
        return sum(account.refused for account in self.each.values())

    @property
    def settled(self) -> int:
        return sum(account.settled for account in self.each.values())

    @property
    def items(self) -> int | None:
        """How many items there are in all; None while that is not known of every account."""
        if len(self.each) < self.accounts or any(a.items is None and not a.stopped for a in self.each.values()):
            return None
        return sum(a.settled if a.finished or a.items is None else max(a.items, a.settled) for a in self.each.values())

    def rate(self, now: float) -> tuple[float, float]:
        """Items and bytes a second over the last minute; zeros before anything moved."""
        while self._steps and self._steps[0][0] < now - WINDOW:
            self._steps.popleft()
        if not self._steps:
            return 0.0, 0.0
        seconds = max(now - self._steps[0][0], 1.0)
        return sum(s[1] for s in self._steps) / seconds, sum(s[2] for s in self._steps) / seconds

    def remaining(self, now: float) -> float | None:
        """Seconds until all is done at this rate; None where that cannot be said."""
        items, (rate, _) = self.items, self.rate(now)
        if items is None or rate <= 0:
            return None
        return max(items - self.settled, 0) / rate
