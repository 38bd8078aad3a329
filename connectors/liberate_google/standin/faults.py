"""Faults on purpose: what goes wrong, where, and how often."""

from __future__ import annotations

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
