"""Several events or contacts on their way at once, each by a request of its own; never two of one UID."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import partial

from liberate.connector import Outcome, Slot
from liberate.errors import ItemError, LiberateError
from liberate_nextcloud.client import Client
from liberate_nextcloud.dav_objects import Objects
from liberate_nextcloud.threads import Threads

_WINDOW_BYTES = 8 << 20  # of bodies under way


def write_many(objects: Objects, threads: Threads, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
    """See WritesMany.write_many."""
    run = _Run(objects, threads)
    try:
        for slot, data in parts:
            yield from run.landed(partial(run.no_room, slot, data))
            if run.stopped is not None:
                break
            run.send(slot, data)
    except LiberateError as error:
        run.stopped = run.stopped or error
    yield from run.landed(lambda: True)
    if run.stopped is not None:
        raise run.stopped


@dataclass(frozen=True, slots=True)
class _Flight:
    slot: Slot
    weight: int

    @property
    def uid(self) -> tuple[str, str]:
        return str(self.slot.place), self.slot.item.name or self.slot.name


class _Run:
    """One call of write_many."""

    def __init__(self, objects: Objects, threads: Threads) -> None:
        self._objects = objects
        self._threads = threads
        self._flying: dict[Future[Outcome], _Flight] = {}
        self.stopped: LiberateError | None = None

    def no_room(self, slot: Slot, data: bytes) -> bool:
        """Whether something has to land first."""
        flights = self._flying.values()
        wanted = _Flight(slot, len(data))
        return (
            len(flights) >= 2 * self._threads.count
            or sum(one.weight for one in flights) + len(data) > _WINDOW_BYTES
            or any(one.uid == wanted.uid for one in flights)
        )

    def send(self, slot: Slot, data: bytes) -> None:
        job = partial(_sent, self._objects, slot, data)
        self._flying[self._threads.submit(job)] = _Flight(slot, len(data))

    def landed(self, while_: Callable[[], bool]) -> Iterator[Outcome]:
        """The outcomes known by now; and of those under way, as long as `while_` says so."""
        while self._flying:
            done = [future for future in self._flying if future.done()]
            if not done:
                if not while_():
                    return
                wait(self._flying, return_when=FIRST_COMPLETED)
                continue
            for future in done:
                del self._flying[future]
                if future.cancelled():
                    continue
                try:
                    yield future.result()
                except LiberateError as error:
                    self._stop(error)

    def _stop(self, error: LiberateError) -> None:
        """What has not begun does not begin."""
        self.stopped = self.stopped or error
        for future in self._flying:
            future.cancel()


def _sent(objects: Objects, slot: Slot, data: bytes, client: Client) -> Outcome:
    try:
        return slot, objects.write(client, slot, data)
    except ItemError as error:
        return slot, error
