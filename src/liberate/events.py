"""What a running job tells whoever watches: facts for a progress display, never content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Planned:
    """How much there is to do for an account, as far as it is known; a later one replaces it."""

    account: str
    items: int | None  # None: not known
    moved: int  # items that were already there when this run began
    bytes: int  # their bytes


@dataclass(frozen=True, slots=True)
class Moved:
    """Some items stand at the destination and the ledger knows it."""

    account: str
    items: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Refused:
    """One item could not go."""

    account: str
    item: str  # the item's id
    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Some items were read back by `verify`."""

    account: str
    items: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """An account's work is interrupted for a while."""

    account: str
    seconds: float  # 0: not known, because it waits for other accounts
    why: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """An account cannot go on until a person acts, or until the command is run again."""

    account: str
    code: str
    why: str
    todo: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Everything that an account holds has been moved, skipped or refused."""

    account: str


@dataclass(frozen=True, slots=True)
class Sharing:
    """Everything is there, and now it is shared with those who could see it before."""

    account: str
    shares: int
    rate: tuple[int, float] | None  # how many the destination allows in how many seconds; None: any number


Event: TypeAlias = Planned | Moved | Refused | Checked | Waiting | Stopped | Finished | Sharing


class Observer(Protocol):
    """Called from worker threads, one call at a time; must be quick."""

    def __call__(self, event: Event, /) -> None: ...


def ignore(_event: Event, /) -> None:
    """The observer of those who do not watch."""
