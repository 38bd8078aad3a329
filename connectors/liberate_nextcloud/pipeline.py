"""Small files on their way, several requests at once: gathered into batches, sent, settled where needed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from functools import partial

from liberate.connector import Body, Outcome, Place, Receipt, Slot
from liberate.errors import IntegrityError, ItemError, LiberateError, TransientError
from liberate_nextcloud import bulk, finding, refusals
from liberate_nextcloud.bodies import Whole
from liberate_nextcloud.bulk import Part
from liberate_nextcloud.chunks import Chunks
from liberate_nextcloud.client import Client, Reply
from liberate_nextcloud.put import put
from liberate_nextcloud.threads import Threads
from liberate_nextcloud.tree import Names, Tree

_WINDOW_BYTES = 16 << 20  # of bodies under way
_FAILURES = 3  # whole requests that the server refuses before bulk is no longer used
_LEAST = 20  # files that are worth a batch of their own
_NOT_HERE = (403, 404, 405, 411, 413, 415, 501)  # bulk is off, or a proxy does not let it through


@dataclass(slots=True)
class Bulk:
    """Whether this server takes many files at once, as far as we know by now."""

    usable: bool
    items: int
    bytes: int
    failures: int = 0

    def failed(self, status: int) -> None:
        self.failures += 1
        if status in _NOT_HERE or self.failures >= _FAILURES:
            self.usable = False


@dataclass(frozen=True, slots=True)
class Writer:
    """What writing takes."""

    tree: Tree
    names: Names
    threads: Threads
    bulk: Bulk
    chunks: Chunks

    def one(self, client: Client, slot: Slot, body: Body) -> Receipt:
        """Store one file by requests of its own; as KeepsTrees says of write."""
        size = body.size or 0
        if not self.chunks.replaces(slot, size):
            return put(self.tree, client, slot, body)
        return self.chunks.replace(client, replace(slot, item=replace(slot.item, size=size)), body)


def write_many(writer: Writer, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
    """As WritesMany.write_many says."""
    run = _Run(writer)
    try:
        for slot, data in parts:
            run.add(Part(slot, data))
            yield from run.outcomes()
            while run.full and run.stopped is None:
                yield from run.outcomes(block=True)
            if run.stopped is not None:
                break
        else:
            run.end()
    except LiberateError as error:
        run.stop(error)
    finally:
        run.withdraw()
    while run.under_way:
        yield from run.outcomes(block=True)
    yield from run.outcomes()
    if run.stopped is not None:
        raise run.stopped


class _Run:
    """One call of write_many: what waits for a batch, what is under way, what is done.

    A batch is made up when there is a connection for it. Near the end, when fewer files wait than the connections
    would take, batches get smaller: so all connections come to their end at about the same time.
    """

    def __init__(self, writer: Writer) -> None:
        self._w = writer
        self._waiting: deque[Part] = deque()
        self._weight = 0  # of what waits
        self._ended = False  # nothing more comes
        self._flying: dict[Future[list[Outcome]], int] = {}
        self._done: list[Outcome] = []
        self.stopped: LiberateError | None = None

    @property
    def under_way(self) -> bool:
        return bool(self._flying)

    @property
    def full(self) -> bool:
        count = self._w.threads.count
        much = sum(self._flying.values()) + self._weight >= _WINDOW_BYTES
        many = len(self._flying) >= 2 * count or len(self._waiting) >= count * self._w.bulk.items
        return bool(self._flying) and (much or many)

    def stop(self, error: LiberateError) -> None:
        if self.stopped is None:
            self.stopped = error

    def add(self, part: Part) -> None:
        state = self._w.bulk
        if not (state.usable and bulk.suits(part.slot, part.data)):
            self._submit(part.weight, lambda client: [_alone(self._w, client, part)])
            return
        self._waiting.append(part)
        self._weight += part.weight
        self._send()

    def end(self) -> None:
        """Nothing more comes: what waits goes as connections get free."""
        self._ended = True
        self._send()

    def _send(self) -> None:
        """Send batches of what waits, as long as there are connections for them."""
        state, count = self._w.bulk, self._w.threads.count
        while self._waiting and len(self._flying) < count and self.stopped is None:
            if self._ended:
                size = min(state.items, max(_LEAST, -(-len(self._waiting) // count)))
            elif len(self._waiting) >= state.items or self._weight >= state.bytes:
                size = state.items
            else:
                return
            parts = self._batch(size)
            weight = sum(part.weight for part in parts)
            self._weight -= weight
            self._submit(weight, partial(_together, self._w, parts=parts))

    def _batch(self, size: int) -> list[Part]:
        """So many of those that wait, or fewer: each path once, and not too many bytes."""
        parts: list[Part] = []
        weight = 0
        paths: set[str] = set()
        while self._waiting and len(parts) < size:
            part = self._waiting[0]
            if parts and (weight + part.weight > self._w.bulk.bytes or part.path in paths):
                break
            parts.append(self._waiting.popleft())
            weight += part.weight
            paths.add(part.path)
        return parts

    def _submit(self, weight: int, job: Callable[[Client], list[Outcome]]) -> None:
        self._flying[self._w.threads.submit(job)] = weight

    def outcomes(self, block: bool = False) -> Iterator[Outcome]:
        """What is known by now; with `block`, once at least one request has been answered."""
        if block and self._flying:
            wait(self._flying, return_when=FIRST_COMPLETED)
        for future in [one for one in self._flying if one.done()]:
            del self._flying[future]
            if future.cancelled():
                continue
            try:
                self._done += future.result()
            except _Stopped as stopped:
                self._done += stopped.outcomes
                self.stop(stopped.error)
        self._send()
        while self._done:
            yield self._done.pop()

    def withdraw(self) -> None:
        """Where it has stopped, what has not begun does not begin."""
        if self.stopped is not None or not self._ended:
            for future in self._flying:
                future.cancel()


class _Stopped(Exception):
    """An error that ends the call, with the outcomes known before it."""

    def __init__(self, error: LiberateError, outcomes: list[Outcome]) -> None:
        super().__init__(str(error))
        self.error = error
        self.outcomes = outcomes


# One request -------------------------------------------------------------------------------------


def _alone(writer: Writer, client: Client, part: Part) -> Outcome:
    """One file by PUT."""
    slot = part.slot
    outcome: Receipt | ItemError
    try:
        try:
            outcome = writer.one(client, slot, Whole(part.data))
        except refusals.FolderGone:
            outcome = writer.one(client, slot, Whole(part.data))
    except ItemError as error:
        outcome = error
    except IntegrityError as error:
        raise _Stopped(TransientError(str(error)), []) from error
    except LiberateError as error:
        raise _Stopped(error, []) from error
    if isinstance(outcome, Receipt):
        writer.names.add(slot.place, slot.name)
    return slot, outcome


def _together(writer: Writer, client: Client, parts: list[Part]) -> list[Outcome]:
    """Many files by one request; those that it did not store are settled one by one."""
    outcomes: list[Outcome] = []
    try:
        free = _free(writer, client, parts)
        outcomes += [(part.slot, refusals.name_taken()) for part in parts if part.path not in free]
        parts = [part for part in parts if part.path in free]
        if not parts:
            return outcomes
        reply = client.send("POST", bulk.REQUEST, bulk.body(parts), bulk.HEADERS)
        if _passing(reply):
            raise refusals.refusal(reply, writer.tree.whose)
        stored = bulk.receipts(reply.content, parts)
        if reply.status != 200:
            writer.bulk.failed(reply.status)
        for part in parts:
            if part.slot.key in stored:
                writer.names.add(part.slot.place, part.slot.name)
                outcomes.append((part.slot, stored[part.slot.key]))
        rest = [part for part in parts if part.slot.key not in stored]
        for part, receipt in _settled(writer, client, rest):
            outcomes.append((part.slot, receipt) if receipt is not None else _alone(writer, client, part))
    except _Stopped as stopped:
        raise _Stopped(stopped.error, outcomes) from stopped.error
    except ItemError as error:
        raise _Stopped(TransientError(str(error)), outcomes) from error
    except LiberateError as error:
        raise _Stopped(error, outcomes) from error
    return outcomes


def _passing(reply: Reply) -> bool:
    """Whether the refusal has nothing to do with bulk: PUT would be refused likewise."""
    return reply.status in (401, 423, 429, 502, 503, 504, 507)


def _free(writer: Writer, client: Client, parts: list[Part]) -> set[str]:
    """The paths of those parts whose names nothing stands under."""
    places: dict[Place, list[Part]] = {}
    for part in parts:
        places.setdefault(part.slot.place, []).append(part)
    out: set[str] = set()
    for place, some in places.items():
        names = writer.names.free(client, place, [part.slot.name for part in some])
        out |= {part.path for part in some if part.slot.name in names}
    return out


def _settled(writer: Writer, client: Client, parts: list[Part]) -> Iterator[tuple[Part, Receipt | None]]:
    """What of these arrived although the answer does not say so."""
    places: dict[Place, list[Part]] = {}
    for part in parts:
        places.setdefault(part.slot.place, []).append(part)
    for place, some in places.items():
        by_key = {part.slot.key: part for part in some}
        standing = finding.standing(writer.tree, client, place, [bulk.described(part) for part in some])
        for slot, entry in standing:
            receipt = finding.settled(writer.tree, client, slot, entry)
            if receipt is not None:
                yield by_key.pop(slot.key), receipt
        for part in by_key.values():
            yield part, None
