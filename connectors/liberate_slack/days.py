"""A conversation's messages oldest first, from files by day that hold them in any order, in bounded memory."""

from __future__ import annotations

import tempfile
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, overload

from liberate.errors import ItemError
from liberate_slack.archive import Archive
from liberate_slack.convert import micros, stamp
from liberate_slack.json_array import BrokenJson, elements
from liberate_slack.listing import Found

LARGE = 1 << 19  # bytes of a day file from which on its messages are on disk and not in memory
_HELD = 1 << 18  # bytes of day files held in memory; as Python's objects they are some eight times larger
_ON_DISK = 8  # day files that are on disk at a time
_NEVER = -1  # the place of what has no time: before everything else


class _Spooled(Sequence[Any]):
    """The elements of a very large day file, on disk in a file without a name."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as this object
        self._ends = array("Q")

    def append(self, text: str) -> None:
        self._file.write(text.encode("utf-8", "surrogatepass"))
        self._ends.append(self._file.tell())

    def __len__(self) -> int:
        return len(self._ends)

    @overload
    def __getitem__(self, at: int) -> Any: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Any]: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        if at >= len(self._ends):
            raise IndexError(at)
        begin = self._ends[at - 1] if at else 0
        self._file.seek(begin)
        text = self._file.read(self._ends[at] - begin).decode("utf-8", "surrogatepass")
        return next(elements([b"[", text.encode("utf-8", "surrogatepass"), b"]"]))[1]

    def close(self) -> None:
        self._file.close()


class Days:
    """The day files of an archive, the last few of them held."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._held: OrderedDict[int, Sequence[Any]] = OrderedDict()
        self.broken: dict[int, str] = {}  # a sentence for each entry that could not be read to its end

    def get(self, number: int) -> Sequence[Any]:
        """The elements of a day file, as far as they can be read."""
        have = self._held.get(number)
        if have is not None:
            self._held.move_to_end(number)
            return have
        made = self._read(number)
        self._held[number] = made
        in_memory = on_disk = 0
        for one in reversed(list(self._held)):  # the latest are kept
            held = self._held[one]
            if isinstance(held, _Spooled):
                on_disk += 1
            else:
                in_memory += self._archive.size(one)
            if one != number and (in_memory > _HELD if not isinstance(held, _Spooled) else on_disk > _ON_DISK):
                del self._held[one]
                if isinstance(held, _Spooled):
                    held.close()
        return made

    def _read(self, number: int) -> Sequence[Any]:
        spooled = _Spooled() if self._archive.size(number) > LARGE else None
        out: list[Any] = []
        try:
            for text, value in elements(self._archive.read(number)):
                if spooled is not None:
                    spooled.append(text)
                else:
                    out.append(value)
        except BrokenJson as error:
            self.broken[number] = str(error)
        except ItemError as error:
            self.broken[number] = error.why
        return out if spooled is None else spooled

    def close(self) -> None:
        """Forget what is held."""
        for one in self._held.values():
            if isinstance(one, _Spooled):
                one.close()
        self._held.clear()


@dataclass(slots=True)
class _Run:
    """The messages of one day file, sorted."""

    entry: int
    times: array[int]
    positions: array[int]


class Order:
    """Where each message of a conversation is, oldest first: 16 bytes a message."""

    def __init__(self, days: Days, entries: Sequence[int]) -> None:
        self._days = days
        self._times = array("q")
        self._entries = array("I")
        self._positions = array("I")
        runs = [run for run in (self._run(entry) for entry in entries) if run is not None]
        # A day file may reach into its neighbours' days: time zones; or hold anything: archives that were merged.
        runs.sort(key=lambda run: run.times[0], reverse=True)
        cluster: list[_Run] = []
        until = _NEVER
        while runs:
            run = runs.pop()  # so that it is not in memory twice
            if cluster and run.times[0] > until:
                self._take(cluster)
                cluster = []
            cluster.append(run)
            until = max(until, run.times[-1])
        self._take(cluster)

    def _run(self, entry: int) -> _Run | None:
        times = array("q")
        for value in self._days.get(entry):
            at = micros(stamp(value.get("ts"))) if isinstance(value, dict) else None
            times.append(_NEVER if at is None else at)
        if not times:
            return None
        positions = array("I", range(len(times)))
        if any(one > other for one, other in pairwise(times)):
            positions = array("I", sorted(positions, key=times.__getitem__))
            times = array("q", (times[at] for at in positions))
        return _Run(entry, times, positions)

    def _take(self, cluster: list[_Run]) -> None:
        if len(cluster) == 1:
            (run,) = cluster
            self._times.extend(run.times)
            self._positions.extend(run.positions)
            self._entries.extend(array("I", [run.entry]) * len(run.times))
            return
        merged = [
            (time, at, position)
            for at, run in enumerate(cluster)
            for time, position in zip(run.times, run.positions, strict=True)
        ]
        merged.sort()
        for time, at, position in merged:
            self._times.append(time)
            self._entries.append(cluster[at].entry)
            self._positions.append(position)

    def __len__(self) -> int:
        return len(self._times)

    def from_(self, begin: int) -> Iterator[Found]:
        """The messages from this place on, oldest first; those without a time before all others."""
        for at in range(begin, len(self._times)):
            yield self._found(at)

    def at(self, time: int) -> list[Found]:
        """Those of exactly this time: as a rule one."""
        begin, end = bisect_left(self._times, time), bisect_right(self._times, time)
        return [self._found(at) for at in range(begin, end)]

    def _found(self, at: int) -> Found:
        entry, position = self._entries[at], self._positions[at]
        return Found(entry, position, self._times[at], self._days.get(entry)[position])
