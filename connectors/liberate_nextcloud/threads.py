"""Several requests at once for one account, each on a connection of its own, with a bounded look-ahead."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from liberate.errors import ItemError
from liberate_nextcloud.client import Client, Clients

A = TypeVar("A")
B = TypeVar("B")


def _applied(job: Callable[[Client, A], B], thing: A, client: Client) -> tuple[A, B | ItemError]:
    try:
        return thing, job(client, thing)
    except ItemError as error:
        return thing, error


class Threads:
    """A few threads; made when first needed."""

    def __init__(self, clients: Clients, count: int) -> None:
        self.clients = clients
        self.count = count
        self._pool: ThreadPoolExecutor | None = None

    def submit(self, job: Callable[[Client], B]) -> Future[B]:
        """Run the job with a connection."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.count, "nextcloud")
        return self._pool.submit(self._run, job)

    def _run(self, job: Callable[[Client], B]) -> B:
        with self.clients.one() as client:
            return job(client)

    def each(self, things: Iterable[A], job: Callable[[Client, A], B]) -> Iterator[tuple[A, B | ItemError]]:
        """The job's answer for each, in order; an ItemError is an answer, any other error ends it."""
        waiting: deque[Future[tuple[A, B | ItemError]]] = deque()
        try:
            for thing in things:
                waiting.append(self.submit(partial(_applied, job, thing)))
                if len(waiting) >= 2 * self.count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        """Waits for requests under way; those not begun are dropped."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
