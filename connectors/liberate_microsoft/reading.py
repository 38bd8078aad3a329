"""Small bodies, several at a time: threads with lines of their own, and a bounded number of bytes between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeAlias

from liberate.connector import Item, Loaded
from liberate.errors import IntegrityError, ItemError
from liberate_microsoft.client import Client

IN_MEMORY = 8 << 20  # bytes; what is larger is streamed
_BYTES = 24 << 20  # of bodies of known size that wait to be taken or are on their way

Read: TypeAlias = Callable[[Client, Item], Iterator[bytes]]


def read_many(
    client: Client, items: Sequence[Item], read: Read, *, threads: int, most: int = IN_MEMORY, ahead: int = 4
) -> Iterator[Loaded]:
    """Each item once, in the order given; an error other than of one item ends it, after those before it.

    At most `threads` bodies are read at once, and `ahead` for each thread are on their way or wait to be taken: of
    unknown size, they may have `most` bytes each. One that is larger or not as its digest says comes as None: the
    source's `read` tells more.
    """
    waiting = deque(items)
    running: deque[tuple[Item, Future[Loaded]]] = deque()
    lines: SimpleQueue[Client] = SimpleQueue()
    clients = [client.again() for _ in range(min(threads, len(items)))]
    for one in clients:
        lines.put(one)
    pool = ThreadPoolExecutor(max(1, len(clients)), thread_name_prefix="graph")
    taken = 0
    try:
        while waiting or running:
            while waiting and len(running) < ahead * len(clients):
                size = _room(waiting[0], most)
                if running and taken + size > _BYTES:
                    break
                item = waiting.popleft()
                taken += size
                running.append((item, pool.submit(_load, lines, item, read, most)))
            item, future = running.popleft()
            loaded = future.result()
            taken -= _room(item, most)
            yield loaded
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for one in clients:
            one.close()


def _room(item: Item, most: int) -> int:
    return item.size if item.size is not None and item.size <= most else 0


def _load(lines: SimpleQueue[Client], item: Item, read: Read, most: int) -> Loaded:
    if item.size is not None and item.size > most:
        return Loaded(item, None)
    line = lines.get()
    try:
        return Loaded(item, _whole(read(line, item), most))
    except ItemError as error:
        return Loaded(item, error)
    except IntegrityError:
        return Loaded(item, None)  # read as a stream, it is read again and judged
    finally:
        lines.put(line)


def _whole(pieces: Iterator[bytes], most: int) -> bytes | None:
    out = bytearray()
    try:
        for piece in pieces:
            out += piece
            if len(out) > most:
                return None
    finally:
        pieces.close()  # type: ignore[attr-defined] # a generator
    return bytes(out)
