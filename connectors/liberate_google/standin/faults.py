"""Faults on purpose: what goes wrong, where, and how often."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Call(NamedTuple):
    """One call as the stand-in saw it. `method` is as in the discovery document, without "gmail.users." or "drive.";
    "files.get_media" and "revisions.get_media" give bytes, "link" is a browser's address for an export, "batch" is
    the envelope of a batch, "token" the token endpoint."""

    method: str
    user: str
    params: dict[str, list[str]]
    in_batch: bool
    message: str = ""  # the message or file it is about, if it is about one
    range: str = ""  # the header, of a call for bytes


@dataclass(slots=True)
class Fault:
    """What happens to the calls it fits. Fields left alone fit every call."""

    status: int = 503
    reason: str = "backendError"
    text: str = "Backend Error"
    retry_after: str | None = None
    breaks: Literal["", "reset", "truncate", "no-raw", "drop-part", "bad-json", "flip", "no-range", "then"] = ""
    after: int = 0  # how many bytes of the answer still go out before it breaks off, or a bit is turned over
    then: Callable[[], None] | None = None  # what happens at the service once its answer is made
    method: str = ""
    user: str = ""
    message: str = ""
    in_batch: bool | None = None
    times: int | None = 1  # None: for ever
    skip: int = 0  # how many fitting calls go well first
    chance: float = 1.0
    hits: int = 0

    def fits(self, call: Call) -> bool:
        return (
            (not self.method or call.method == self.method)
            and (not self.user or call.user == self.user)
            and (not self.message or call.message == self.message)
            and (self.in_batch is None or call.in_batch == self.in_batch)
        )


class Faults:
    """The faults in force. Chance is drawn from a seeded generator, so runs repeat."""

    def __init__(self, seed: int = 20260501) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force; its `hits` tell how often it struck."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def strike(self, call: Call) -> Fault | None:
        """The fault that this call meets, if any."""
        with self._lock:
            for fault in self._faults:
                if not fault.fits(call) or (fault.times is not None and fault.hits >= fault.times):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                if fault.chance < 1.0 and self._random.random() >= fault.chance:
                    continue
                fault.hits += 1
                return fault
        return None
