"""What moved, what did not, and why: the facts of a report, what they mean in plain words, and its text and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Literal

from liberate.files import WITH_OWNER
from liberate.report_filters import FiltersReport


class Exit(IntEnum):
    """How a run ended, as the command's exit code."""

    DONE = 0  # everything is done, nothing refused
    REFUSED = 1  # everything is done; some items could not go and are listed
    PLAN = 2  # the plan or the command line is wrong; nothing was started
    PERSON = 3  # a person must act: login, consent, quota
    AGAIN = 4  # something temporary stopped it; run the same command again
    MISMATCH = 5  # verification found items that are missing or different
    BUSY = 6  # another run holds the job
    INTERRUPTED = 130  # stopped by Ctrl-C or a signal; run the same command to go on


@dataclass(frozen=True, slots=True)
class Refusal:
    """One item that could not go."""

    item: str  # its id at the source
    folder: str
    code: str
    why: str
    todo: str  # "" where nothing can be done
    kept: str | None  # file name under rejects/ in the job's folder
    name: str = ""  # what people call it; "" for a kind whose names are private


@dataclass(frozen=True, slots=True)
class Finding:
    """One item that was read back and is not there as it was read at the source."""

    item: str  # its id at the source
    folder: str
    found: Literal["missing", "different", "altered"]
    stored: str  # its id at the destination: a UID, a file name
    size: int | None  # bytes that were sent
    name: str = ""  # as in Refusal


@dataclass(frozen=True, slots=True)
class Count:
    """How many items were skipped, or refused, for one reason."""

    code: str
    why: str
    todo: str
    items: int


@dataclass(frozen=True, slots=True)
class FolderCount:
    """One folder by the source's own count, and how many of it the ledger accounts for."""

    folder: str
    at_source: int
    accounted: int


@dataclass(frozen=True, slots=True)
class RoomReceipt:
    """What became of a conversation's messages: listed = moved + merged + left_out + refused + waiting."""

    room: str  # what it is called at the source
    listed: int
    moved: int
    merged: int  # messages that the source holds once more, and that stand once
    left_out: int
    refused: int
    waiting: int
    files: int  # that moved with the messages
    chain: str  # SHA-256 in hex over what moved, see liberate.ledger_rooms.link; "" where nothing did


@dataclass(frozen=True, slots=True)
class Renamed:
    """A folder, or a file with its folder, that could not keep its name."""

    source: str
    destination: str


@dataclass(frozen=True, slots=True)
class SharesReport:
    """What became of the permissions on an account's files."""

    made: int  # stand at the destination
    waiting: int
    left: tuple[Count, ...]  # not made, by reason; `items` counts permissions


@dataclass(frozen=True, slots=True)
class AccountReport:
    """One account on one route. Numbers are items, unless they say otherwise."""

    source: str  # "" where the source has a single account
    destination: str
    route: str
    state: Literal["done", "unfinished", "stopped"]  # stopped: a person must act
    stopped: tuple[str, str, str] | None  # code, why, todo
    listed: int  # what the source holds, as far as it has been listed
    moved: int  # stand at the destination
    copies: int  # further places of items that moved
    waiting: int  # still to be moved
    bytes: int  # of the items that moved
    verified: int  # read back by `verify`; the next five and `rewritten` add up to it
    identical: int
    line_ends: int  # identical but for line ends
    altered: int  # the destination changed what it could not store
    different: int
    missing: int
    evidence: Mapping[str, int]  # items by what proves them: liberate.connector.Evidence
    skipped: tuple[Count, ...]
    refused: tuple[Count, ...]
    refusals: tuple[Refusal, ...]  # at most 1000
    findings: tuple[Finding, ...]  # at most 1000, the missing ones first, then the different ones
    folders: tuple[FolderCount, ...]
    renamed: tuple[Renamed, ...]  # at most 1000
    notes: tuple[str, ...]
    shares: SharesReport | None = None  # None: nothing is shared at the source
    only_there: int | None = None  # at the destination and not from us, as `verify` saw it; None: it did not look
    files: bool = False  # the account's items are files
    rooms: tuple[RoomReceipt, ...] = ()  # of chat, as of the last run that ended
    filters: FiltersReport | None = None  # None: no rules and no reply while away, or nobody looked
    rewritten: int = 0  # events and contacts that the destination writes in its own way, and that say the same
    losses: tuple[Count, ...] = ()  # what events and contacts that moved have lost, by kind; an item may be in several
    spent: Mapping[str, int] = field(default_factory=dict)
    """What the move took of what costs its destination most, in all runs, by the word for one of them: "join"."""

    @property
    def label(self) -> str:
        """What to call it before people."""
        return self.source or self.route.partition("->")[0]

    @property
    def skipped_items(self) -> int:
        return sum(count.items for count in self.skipped)

    @property
    def with_owner(self) -> int:
        """Items that are skipped here since they belong to somebody else of the plan, whose items they count among."""
        return sum(count.items for count in self.skipped if count.code == WITH_OWNER)

    @property
    def left_out(self) -> tuple[Count, ...]:
        """What is skipped and moves with nobody else either."""
        return tuple(count for count in self.skipped if count.code != WITH_OWNER)

    @property
    def left_out_items(self) -> int:
        return sum(count.items for count in self.left_out)

    @property
    def refused_items(self) -> int:
        return sum(count.items for count in self.refused)

    @property
    def wrong(self) -> int:
        """Items that verification found missing or different."""
        return self.different + self.missing


@dataclass(frozen=True, slots=True)
class Report:
    """What a job has done so far, as its ledger knows it."""

    job: str
    started: datetime | None  # of the first run; None: there was none
    ended: datetime | None  # of the last run
    accounts: tuple[AccountReport, ...]
    changed: bool  # this run wrote something at a destination
    interrupted: bool  # this run was stopped by Ctrl-C or a signal
    not_begun: int = 0  # accounts of the plan, each on each route, that no run has looked at yet

    @property
    def exit_code(self) -> Exit:
        """The code for the whole job: of several, the one that should be looked at first.

        An interruption comes first, since nothing else is final then. Missing or different items outrank an
        account that waits for a person, that outranks one that waits for another run, and that refusals.
        """
        if self.interrupted:
            return Exit.INTERRUPTED
        if any(account.wrong for account in self.accounts):
            return Exit.MISMATCH
        if any(account.state == "stopped" for account in self.accounts):
            return Exit.PERSON
        if self.not_begun or any(account.state == "unfinished" for account in self.accounts):
            return Exit.AGAIN
        if any(account.refused for account in self.accounts):
            return Exit.REFUSED
        return Exit.DONE
