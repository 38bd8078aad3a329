"""Where a room's listing by the Web API got to, as a string for the ledger. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from liberate.connector import Cursor

THREADS = 500  # threads that a cursor names at most
MESSAGES = 1000  # messages that it names at most


@dataclass(frozen=True, slots=True)
class Reached:
    """Everything up to a time was listed. Times are microseconds since 1970."""

    until: int
    done: bool  # the listing came to its end; else this is the middle of it
    threads: tuple[int, ...] = ()  # first messages before `until`, of which answers came lately, or come after it
    said: tuple[tuple[int, int], ...] = ()  # the last messages, oldest first: time, and that of what it answers or 0

    def dump(self, edition: str) -> Cursor:
        """The cursor, for a source of that edition."""
        out = {
            "until": self.until,
            "done": self.done,
            "threads": _steps(sorted(self.threads)),
            "said": _steps([time for time, _ in self.said]),
            "roots": [time - root if root else 0 for time, root in self.said],
        }
        packed = zlib.compress(json.dumps(out, separators=(",", ":")).encode(), 9)
        return Cursor(f"{edition}.{base64.urlsafe_b64encode(packed).decode()}")

    @classmethod
    def load(cls, cursor: Cursor | None, edition: str) -> Reached | None:
        """What dump wrote for the same edition; None for anything else."""
        ours, _, packed = (cursor or "").partition(".")
        if ours != edition:
            return None
        try:
            out = json.loads(zlib.decompress(base64.urlsafe_b64decode(packed)))
            times = list(accumulate(out["said"]))
            said = tuple((at, at - gap if gap else 0) for at, gap in zip(times, out["roots"], strict=True))
            return cls(int(out["until"]), bool(out["done"]), tuple(accumulate(out["threads"])), said)
        except (ValueError, KeyError, TypeError, binascii.Error, zlib.error):
            return None


def _steps(times: Sequence[int]) -> list[int]:
    """The first, and how far it is from each to the next: small numbers."""
    return [*times[:1], *(after - before for before, after in pairwise(times))]
