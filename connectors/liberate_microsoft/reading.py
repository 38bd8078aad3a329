"""Small files, several at a time: threads with lines of their own, and a bounded number of bytes between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue

from liberate.connector import Item, Loaded
from liberate.errors import IntegrityError, ItemError
from liberate_microsoft import content
from liberate_microsoft.client import Client

IN_MEMORY = 8 << 20  # bytes; what is larger is streamed
_AHEAD = 24 << 20  # bytes of bodies that wait to be taken or are on their way


def read_many(client: Client, drive: str, items: Sequence[Item]) -> Iterator[Loaded]:
    """Each item once, in the order given; an error other than of one item ends it, after those before it.

    A body that is too large, of unknown size or not as its digest says comes as None: `read` tells more.
    """
    waiting = deque(items)
    running: deque[tuple[Item, Future[Loaded]]] = deque()
    lines: SimpleQueue[Client] = SimpleQueue()
    clients = [client.again() for _ in range(min(client.settings.threads, len(items)))]
    for one in clients:
        lines.put(one)
    pool = ThreadPoolExecutor(max(1, len(clients)), thread_name_prefix="graph")
    taken = 0
    try:
        while waiting or running:
            while waiting and len(running) < 4 * len(clients):
                size = _room(waiting[0])
                if running and taken + size > _AHEAD:
                    break
                item = waiting.popleft()
                taken += size
                running.append((item, pool.submit(_load, lines, drive, item)))
            item, future = running.popleft()
            loaded = future.result()
            taken -= _room(item)
            yield loaded
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for one in clients:
            one.close()


def _room(item: Item) -> int:
    return item.size if item.size is not None and item.size <= IN_MEMORY else 0


def _load(lines: SimpleQueue[Client], drive: str, item: Item) -> Loaded:
    if item.size is None or item.size > IN_MEMORY:
        return Loaded(item, None)
    line = lines.get()
    try:
        return Loaded(item, _whole(line, drive, item))
    except ItemError as error:
        return Loaded(item, error)
    except IntegrityError:
        return Loaded(item, None)  # read as a stream, it is read again and judged
    finally:
        lines.put(line)


def _whole(line: Client, drive: str, item: Item) -> bytes | None:
    out = bytearray()
    pieces = content.read(line, drive, item)
    try:
        for piece in pieces:
            out += piece
            if len(out) > IN_MEMORY:
                return None
    finally:
        pieces.close()  # type: ignore[attr-defined] # a generator
    return bytes(out)
