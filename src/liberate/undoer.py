"""Takes back what a job put at its destinations, and nothing that somebody has touched since."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from liberate.closing import receipt_at, slot_at
from liberate.connector import KeepsObjects, Kind, Removes, RemovesRooms, Shares
from liberate.errors import ItemError, PlanError, TransientError
from liberate.events import Moved, Observer, Waiting
from liberate.ledger import Ledger
from liberate.ledger_rows import State
from liberate.ledger_shares import GONE
from liberate.moves import Move
from liberate.opened import Backoff, Opened, Work
from liberate.report import Count

_TRIES = 6  # without an item taken back in between
_TOGETHER = 50  # items recorded at once


@dataclass(frozen=True, slots=True)
class Undone:
    """What was taken back of one account."""

    account: str
    removed: int
    kept: tuple[Count, ...]  # still there, by reason


class Undoer:
    """One undo of some moves, an account at a time. It may be interrupted and called again."""

    def __init__(
        self,
        ledger: Ledger,
        moves: Sequence[Move],
        *,
        observer: Observer,
        stop: Callable[[], bool],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger = ledger
        self._observer = observer
        self._stop = stop
        self._sleep = sleep
        self._works = [
            Work(move, ledger.account(move.route.key, move.person.source, move.person.destination)) for move in moves
        ]

    def run(self) -> list[Undone]:
        """Take everything back that is still as we left it. Raises as connectors do."""
        return [self._account(work) for work in self._works if not self._stop()]

    def _account(self, work: Work) -> Undone:
        opened = Opened(self._ledger, work)
        backoff = Backoff(longest=30.0)
        kept: dict[str, tuple[ItemError, int]] = {}  # by key or room, with how many items that is
        removed = 0

        def attempt() -> None:
            nonlocal removed
            destination = opened.destination
            if isinstance(destination, RemovesRooms) and work.move.route.kinds == {Kind.CHAT}:
                for count in self._rooms(work, destination, kept):
                    removed += count
                    backoff.moved()
                return
            if not isinstance(destination, Removes):
                name = work.move.route.destination.name
                raise PlanError(f"{name} cannot take back what was moved there. Remove it there by hand.")
            self._unshare(work, destination)
            before: int | None = None
            while not self._stop():
                rows, before = self._ledger.to_undo(work.account, before)
                if not rows:
                    self._unshare(work, destination)
                    self._shelves(work, destination)
                    return
                gone: list[str] = []
                try:
                    for row, place, _ in rows:
                        if self._stop():
                            break
                        try:
                            destination.remove(slot_at(row, place), receipt_at(row, place))
                        except ItemError as error:
                            kept[row.key] = (error, 1)
                            continue
                        kept.pop(row.key, None)
                        gone.append(row.key)
                        if len(gone) >= _TOGETHER:
                            removed += self._record(work, gone)
                            backoff.moved()
                finally:
                    removed += self._record(work, gone)

        def reopen(call: RetryCallState) -> None:
            opened.close()
            error = call.outcome.exception() if call.outcome else None
            pause = call.next_action.sleep if call.next_action else 0.0
            self._observer(Waiting(work.move.label, pause, str(error)))

        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            wait=backoff,
            stop=lambda _call: backoff.failures >= _TRIES or self._stop(),
            sleep=self._sleep,
            before_sleep=reopen,
            reraise=True,
        )
        try:
            retrying(attempt)
        finally:
            opened.close()
        return Undone(work.move.label, removed, _counted(kept))

    def _rooms(self, work: Work, destination: RemovesRooms, kept: dict[str, tuple[ItemError, int]]) -> Iterator[int]:
        """Take whole rooms back; of each how many items were in it. What is in a room that stays is kept."""
        for number, place in self._ledger.rooms_to_undo(work.account):
            if self._stop():
                return
            count, files = self._ledger.standing_in(number)
            try:
                destination.remove_room(place, [receipt_at(row, place) for row in files])
            except ItemError as error:
                kept[place] = (error, count)
                continue
            kept.pop(place, None)
            self._ledger.room_undone(work.account, number)
            self._observer(Moved(work.move.label, count, 0))
            yield count

    def _unshare(self, work: Work, destination: object) -> None:
        """Take the shares away. One that is refused is asked for again at the end: it has gone with what it was of."""
        if isinstance(destination, Shares):
            for state in (GONE, State.WRITTEN.value):
                for number, share in self._ledger.made_shares(work.account, state):
                    with suppress(ItemError):
                        destination.unshare(share)
                        self._ledger.unshared([number])

    def _shelves(self, work: Work, destination: object) -> None:
        """Take away calendars and address books that are empty now; what somebody put into one since keeps it."""
        if isinstance(destination, KeepsObjects):
            for number, place in self._ledger.shelves(work.account):
                with suppress(ItemError):
                    destination.remove_collection(place)
                    self._ledger.room_undone(work.account, number)

    def _record(self, work: Work, gone: list[str]) -> int:
        count = len(gone)
        if gone:
            self._ledger.undone(work.account, gone)
            self._observer(Moved(work.move.label, count, 0))
            gone.clear()
        return count


def _counted(kept: Mapping[str, tuple[ItemError, int]]) -> tuple[Count, ...]:
    counts: Counter[str] = Counter()
    first: dict[str, ItemError] = {}
    for error, items in kept.values():
        counts[error.code] += items
        first.setdefault(error.code, error)
    return tuple(Count(code, first[code].why, first[code].todo, count) for code, count in counts.most_common())
