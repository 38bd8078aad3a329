"""Faults on purpose: what goes wrong, where, and how often."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Call(NamedTuple):
    """One call as the stand-in saw it. `method` is the last word of its path: "delta", "content", "permissions" ...,
    "version-content", "item", "drive", "site", "user"; "download" is a pre-authenticated address, "token" and
    "devicecode" are Entra's."""

    method: str
    item: str  # the item it is about, if it is about one
    query: dict[str, str]
    headers: dict[str, str]


@dataclass(slots=True)
class Fault:
    """What happens to the calls it fits. Fields left alone fit every call."""

    status: int = 503
    code: str = "serviceNotAvailable"
    retry_after: str | None = None
    breaks: Literal["", "reset", "truncate", "flip", "bad-json", "html", "no-range"] = ""  # instead of a status
    after: int = 0  # for "truncate": bytes that still go out; for "flip": the byte that is changed
    does: Callable[[], None] | None = None  # run before the answer is made, which then is an honest one
    method: str = ""
    item: str = ""
    times: int | None = 1  # None: for ever
    skip: int = 0  # how many fitting calls go well first
    hits: int = 0

    def fits(self, call: Call) -> bool:
        return (not self.method or call.method == self.method) and (not self.item or call.item == self.item)


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
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
                fault.hits += 1
                return fault
        return None
