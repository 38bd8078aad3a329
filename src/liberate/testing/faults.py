"""Sources and destinations that fail when they are told to, at the same call every time.

    faults = Faults()
    faults.on("write_many", Cut(TransientError("reset"), after=3))
    faults.on("read", Raise(ItemError("gone", "It is gone.")), call=2)
    source = faulty(MemorySource(shelf), faults)

One `Faults` serves every opening of an account, so that its calls are counted over the whole job.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias, TypeVar

from liberate.connector import Loaded
from liberate.errors import LiberateError

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Raise:
    """The call fails and has done nothing."""

    error: LiberateError


@dataclass(frozen=True, slots=True)
class Lost:
    """The call does what it shall, to the end, and then the reply is lost."""

    error: LiberateError


@dataclass(frozen=True, slots=True)
class Cut:
    """An answer in pieces ends with the error after `after` of them; the call goes no further."""

    error: LiberateError
    after: int = 0


@dataclass(frozen=True, slots=True)
class Flip:
    """One bit of the first byte on its way is wrong: of what is read, or of what arrives to be written."""


@dataclass(frozen=True, slots=True)
class Short:
    """A body ends `missing` bytes too early and says nothing: of what is read."""

    missing: int = 1


Fault: TypeAlias = Raise | Lost | Cut | Flip | Short


class Faults:
    """Which call of which method fails, and how. Thread-safe."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.happened: list[tuple[str, Fault]] = []  # those that were not only planned
        self._planned: dict[tuple[str, int], Fault] = {}
        self._always: dict[str, Fault] = {}
        self._lock = threading.Lock()

    def on(self, method: str, fault: Fault, *, call: int = 1) -> None:
        """Let the `call`-th call of the method, counted from now, fail."""
        with self._lock:
            self._planned[method, self.calls[method] + call] = fault

    def always(self, method: str, fault: Fault | None) -> None:
        """Let every call fail that has no fault of its own; None: no more."""
        with self._lock:
            if fault is None:
                self._always.pop(method, None)
            else:
                self._always[method] = fault

    def next(self, method: str) -> Fault | None:
        """Count a call; its fault."""
        with self._lock:
            self.calls[method] += 1
            fault = self._planned.pop((method, self.calls[method]), None) or self._always.get(method)
            if fault is not None:
                self.happened.append((method, fault))
            return fault


class _Faulty:
    """Stands before a source or a destination. Its methods are attributes, so that powers are found by isinstance."""

    def __init__(self, inner: Any, faults: Faults) -> None:
        self._inner = inner
        for name in dir(inner):
            if name.startswith("_") or name == "rules":
                continue
            value = getattr(inner, name)
            setattr(self, name, partial(_call, name, value, faults) if callable(value) else value)

    @property
    def rules(self) -> Any:
        return self._inner.rules


def faulty(inner: _T, faults: Faults) -> _T:
    """The source or destination, with these faults. It has the same powers."""
    wrapped: Any = _Faulty(inner, faults)
    return wrapped  # type: ignore[no-any-return]


def _call(name: str, method: Callable[..., Any], faults: Faults, *args: Any) -> Any:
    fault = faults.next(name)
    if fault is None or name == "close":
        return method(*args)
    if isinstance(fault, Raise):
        return _raising(fault.error) if _in_pieces(name) else _raise(fault.error)
    if isinstance(fault, Lost):
        return _lost(method(*args), fault.error)
    if isinstance(fault, Cut):
        return _cut(method, args, fault)
    if isinstance(fault, Flip) and name == "write":
        slot, body = args
        return method(slot, _FlippedBody(body))
    if isinstance(fault, Flip) and name == "write_many":
        return method(_changed(args[0], lambda part: (part[0], _flipped(part[1]))))
    if isinstance(fault, Flip):
        return _changed(method(*args), _flipped_piece)
    return _shortened(method(*args), fault.missing)


def _in_pieces(name: str) -> bool:
    return name in {"collections", "items", "read", "read_many", "write_many", "copy_many", "read_back", "update"}


def _raise(error: LiberateError) -> Any:
    raise error


def _raising(error: LiberateError) -> Iterator[Any]:
    """Fails where a generator would: at the first piece asked for."""
    yield from ()
    raise error


def _lost(answer: Any, error: LiberateError) -> Any:
    if isinstance(answer, Iterator):
        return _lost_pieces(answer, error)
    raise error


def _lost_pieces(answer: Iterator[Any], error: LiberateError) -> Iterator[Any]:
    for _ in answer:
        pass
    yield from ()
    raise error


def _cut(method: Callable[..., Any], args: tuple[Any, ...], fault: Cut) -> Iterator[Any]:
    answer = method(*args)
    try:
        for _ in range(fault.after):
            try:
                piece = next(answer)
            except StopIteration:
                break
            yield piece
    finally:
        if hasattr(answer, "close"):
            answer.close()
    raise fault.error


def _changed(pieces: Iterable[_T], change: Callable[[_T], _T]) -> Iterator[_T]:
    left = iter(pieces)
    for first in left:
        yield change(first)
        break
    yield from left


def _flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:] if data else b"\1"


def _flipped_piece(piece: Any) -> Any:
    if isinstance(piece, bytes):
        return _flipped(piece)
    if isinstance(piece, Loaded):
        return replace(piece, body=_flipped(piece.body)) if isinstance(piece.body, bytes) else piece
    if isinstance(piece, tuple) and isinstance(piece[1], bytes):  # of read_back
        return piece[0], _flipped(piece[1])
    return piece


class _FlippedBody:
    def __init__(self, body: Any) -> None:
        self.size = body.size
        self._body = body
        self._begun = False

    def read(self, n: int = -1, /) -> bytes:
        data: bytes = self._body.read(n)
        if not self._begun and data:
            self._begun = True
            return _flipped(data)
        return data


def _shortened(pieces: Iterator[Any], missing: int) -> Iterator[Any]:
    """The pieces of a body without the last bytes; of each body that comes whole, of the first one."""
    held = b""
    for piece in pieces:
        if not isinstance(piece, bytes):
            if isinstance(piece, Loaded) and isinstance(piece.body, bytes):
                yield replace(piece, body=piece.body[:-missing])
            else:
                yield piece
            yield from pieces
            return
        held += piece
        if len(held) > missing:
            yield held[:-missing]
            held = held[-missing:]
