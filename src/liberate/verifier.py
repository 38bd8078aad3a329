"""Proves a finished job again: every item is read back from its destination and compared."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from liberate.connector import Evidence, Inventories, Kind, Place
from liberate.engine import attend
from liberate.errors import AccountError, PlanError, TransientError
from liberate.events import Checked, Event, Observer, Planned, Stopped, Waiting
from liberate.ledger import Ledger
from liberate.ledger_rows import Row
from liberate.moves import Move
from liberate.opened import Backoff, Opened, Work
from liberate.proof import read_back
from liberate.tree_verifier import Stock, looked_at

_TRIES = 6  # without an item read in between


class Verifier:
    """One verification of some moves. It writes nothing at any destination."""

    def __init__(
        self,
        ledger: Ledger,
        moves: Sequence[Move],
        *,
        observer: Observer,
        stop: Callable[[], bool],
        workers: int,
        sample: float | None = None,
        seed: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._ledger = ledger
        self._observer = observer
        self._stop = stop
        self._sample = sample  # the share of items to read back, 0 to 1; None: all
        self._seed = seed
        self._sleep = sleep
        self._watching = threading.Lock()
        self._bug: BaseException | None = None
        self._works = [
            Work(move, ledger.account(move.route.key, move.person.source, move.person.destination)) for move in moves
        ]
        self._workers = max(1, min(workers, len(self._works)))

    def run(self) -> list[Work]:
        """Read everything back; the works, each with its failure if it has one."""
        queue: SimpleQueue[Work] = SimpleQueue()
        for work in self._works:
            queue.put(work)
        threads = [threading.Thread(target=self._worker, args=(queue,)) for _ in range(self._workers)]
        for thread in threads:
            thread.start()
        attend(threads)
        if self._bug is not None:
            raise self._bug
        return self._works

    def _tell(self, event: Event) -> None:
        with self._watching:
            self._observer(event)

    def _worker(self, queue: SimpleQueue[Work]) -> None:
        try:
            while not self._stop() and self._bug is None:
                try:
                    work = queue.get_nowait()
                except Empty:
                    return
                self._account(work)
        except BaseException as bug:  # noqa: BLE001  # raised again in the main thread
            self._bug = self._bug or bug

    def _account(self, work: Work) -> None:
        label = work.move.label
        moved, size = self._ledger.moved(work.account)
        self._tell(Planned(label, moved, 0, size))
        opened = Opened(self._ledger, work)
        after = 0
        stock: Stock | None = None
        backoff = Backoff(longest=30.0)

        def attempt() -> None:
            nonlocal after, stock
            destination = opened.destination
            if stock is None and Kind.FILE in work.move.route.kinds and isinstance(destination, Inventories):
                stock = Stock.taken(self._ledger, work.account, destination)
                self._ledger.found_there(work.account, stock.strangers)
            while not self._stop():
                rows, beyond = self._ledger.to_verify(work.account, after)
                if not rows:
                    return
                self._page(opened, label, rows, stock)
                after = beyond
                backoff.moved()

        def reopen(call: RetryCallState) -> None:
            opened.close()
            error = call.outcome.exception() if call.outcome else None
            self._tell(Waiting(label, call.next_action.sleep if call.next_action else 0.0, str(error)))

        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            wait=backoff,
            stop=lambda _call: backoff.failures >= _TRIES or self._stop(),
            sleep=self._wait,
            before_sleep=reopen,
            reraise=True,
        )
        try:
            retrying(attempt)
        except AccountError as error:
            work.failure = error
            self._tell(Stopped(label, error.code, error.why, error.todo))
        except (PlanError, TransientError) as error:
            work.failure = error
            self._tell(Stopped(label, "temporary", str(error), "Run the same command again."))
        finally:
            opened.close()

    def _wait(self, seconds: float) -> None:
        left = seconds
        while left > 0 and not self._stop():
            self._sleep(min(left, 0.25))
            left -= 0.25

    def _page(self, opened: Opened, label: str, rows: Sequence[tuple[Row, Place]], stock: Stock | None) -> None:
        files = [one for one in rows if one[0].item.kind is Kind.FILE]
        rest = list(self._chosen([one for one in rows if one[0].item.kind is not Kind.FILE]))
        results: dict[Evidence, list[tuple[Row, str]]] = {}
        size = 0
        for row, tier, count in read_back(opened.destination, rest):
            results.setdefault(Evidence.READ_BACK, []).append((row, tier))
            size += count
        if files:
            for row, tier, count, seen in looked_at(opened.destination, files, list(self._chosen(files)), stock):
                results.setdefault(seen, []).append((row, tier))
                size += count
        for seen, some in results.items():
            self._ledger.verified(some, seen)
        count = sum(row.part == "" for some in results.values() for row, _ in some)
        if count:
            self._tell(Checked(label, count, size))

    def _chosen(self, rows: Sequence[tuple[Row, Place]]) -> Iterator[tuple[Row, Place]]:
        """A sample that does not depend on the order of reading, so that two runs with one seed agree."""
        for row, place in rows:
            if self._sample is None or random.Random(f"{self._seed} {row.key}").random() < self._sample:  # noqa: S311
                yield row, place
