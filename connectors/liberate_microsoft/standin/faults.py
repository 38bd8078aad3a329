"""Faults on purpose: what goes wrong, where, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple


class Call(NamedTuple):
    """One call as the stand-in saw it. `method` is the last word of its path: "delta", "content", "permissions" ...,
    "version-content", "item", "drive", "site", "user"; of mail "mailFolders", "childFolders", "mailFolder",
    "mail-delta", "messages", "message", "value", "settings"; of calendars and contacts "calendars", "calendarGroups",
    "events", "event", "instances", "attachments", "attachment", "categories", "contactFolders", "contactFolder",
    "childFolders", "contact-delta", "contact", "photo"; "download" is a pre-authenticated address, "token" and
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
    chance: float = 1.0
    hits: int = 0

    def fits(self, call: Call) -> bool:
        return (not self.method or call.method == self.method) and (not self.item or call.item == self.item)
