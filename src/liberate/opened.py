"""What a worker has at hand for one account: how far a run has come with it, both its ends, and how long to wait.

The engine, `verify` and `undo` open accounts in the same way.
"""

from __future__ import annotations

import random
from collections import deque
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from typing import TypeVar

from tenacity import RetryCallState

from liberate.connector import Destination, Kind, Source
from liberate.errors import LiberateError, PlanError, TransientError
from liberate.ledger import Ledger
from liberate.moves import Move
from liberate.places import Places

_T = TypeVar("_T")


@dataclass(slots=True)
class Work:
    """One move, and how far this run has come with it."""

    move: Move
    account: int
    todo: deque[tuple[int, bool]] = field(default_factory=deque)  # (slice, whether the source still lists it)
    discovered: bool = False
    running: int = 0
    served: int = 0  # the turn in which it was last taken up
    recount: bool = True  # rows came or went since they were last counted by folder
    closed: bool = False  # its last things were done or begun: those that wait until all else is there
    shares: bool = False  # they are done but for the sharing, which waits until others' files are there, too
    filters: bool = False  # its source knows what the mailbox does by itself
    over: bool = False  # nothing left, or nothing possible in this run
    failure: LiberateError | None = None

    @property
    def files_to(self) -> str:
        """The connection that its files go to; "" without any."""
        return self.move.route.destination.name if Kind.FILE in self.move.route.kinds else ""


class Backoff:
    """How long to wait after a failure: what the service asked for, else longer each time nothing came of it."""

    def __init__(self, longest: float = 60.0) -> None:
        self.failures = 0  # since something last moved
        self._longest = longest

    def moved(self) -> None:
        """Something moved: what fails after this is a new failure."""
        self.failures = 0

    def __call__(self, call: RetryCallState) -> float:
        self.failures += 1
        error = call.outcome.exception() if call.outcome else None
        asked = error.retry_after if isinstance(error, TransientError) else None
        if asked is not None:
            return asked
        longer = 2.0 ** min(self.failures - 1, 30) + random.random()  # noqa: S311 - so that workers do not come at once
        return float(min(longer, self._longest))


class Opened:
    """Both ends of an account in one worker thread, opened when first asked for."""

    def __init__(self, ledger: Ledger, work: Work) -> None:
        self.work = work
        self.kind = Kind.MAIL
        self.since = 0.0  # when something last moved, for the engine's patience
        self.backoff = Backoff()
        self._ledger = ledger
        self._stack = ExitStack()
        self._source: Source | None = None
        self._destination: Destination | None = None
        self._places: dict[Kind, Places] = {}

    def _enter(self, opened: AbstractContextManager[_T]) -> _T:
        return self._stack.enter_context(opened)

    @property
    def source(self) -> Source:
        if self._source is None:
            connection = self.work.move.route.source
            if connection.connector.source is None:
                raise PlanError(f"{connection.name} cannot be read from.")
            account = self.work.move.source_account()
            self._source = self._enter(connection.connector.source(connection.settings, account))
        return self._source

    @property
    def destination(self) -> Destination:
        if self._destination is None:
            connection = self.work.move.route.destination
            if connection.connector.destination is None:
                raise PlanError(f"{connection.name} cannot be written to.")
            account = self.work.move.destination_account()
            self._destination = self._enter(connection.connector.destination(connection.settings, account))
        return self._destination

    @property
    def places(self) -> Places:
        if self.kind not in self._places:
            self._places[self.kind] = Places(self._ledger, self.work.account, self.destination, self.kind)
        return self._places[self.kind]

    def close(self) -> None:
        """Close both ends; what they say at that is of no interest any more. They may be opened again."""
        with suppress(LiberateError, OSError):
            self._stack.close()
        self._source = self._destination = None
        self._places = {}
