"""One worker's turn at a slice: what it has at hand, what it judges, and how it records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from liberate.connector import (
    Destination,
    Evidence,
    Item,
    Kind,
    Marked,
    Place,
    Receipt,
    Slot,
    Source,
)
from liberate.errors import ItemError, LiberateError
from liberate.events import Moved, Observer, Refused, ignore
from liberate.files import FilePolicy
from liberate.labels import LeftOut, MailPolicy, Placement, place
from liberate.ledger import Ledger
from liberate.ledger_rows import PAGE, Claim, Refusal, Row, Written
from liberate.mail import Folder, MailFacts, Role, Sameness, wire_form
from liberate.places import Places
from liberate.proof import MISSING, proven, read_back
from liberate.rejects import Rejects

SLICE_SECONDS = 15 * 60.0
SLICE_BYTES = 500_000_000
_PLACEMENTS = 1000  # combinations of labels remembered


@dataclass(frozen=True, slots=True)
class Terms:
    """How a route wants its items moved."""

    mail: MailPolicy = field(default_factory=MailPolicy)
    evidence: Evidence = Evidence.SIZE  # or READ_BACK: each item is read back before the next chunk is listed
    files: FilePolicy = field(default_factory=FilePolicy)
    moving: frozenset[str] = frozenset()  # accounts that the plan moves from this source, as same_name() gives them


class Ends(Protocol):
    """Both ends of an account, opened by the worker that uses them; the destination only when it is needed."""

    @property
    def source(self) -> Source: ...
    @property
    def destination(self) -> Destination: ...
    @property
    def places(self) -> Places: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """What a slice's worker has at hand."""

    ledger: Ledger
    account: str  # what the account is called before people: for events and rejects/
    terms: Terms
    scratch: Path  # a folder for bodies too large for memory
    rejects: Rejects
    observer: Observer = ignore
    stop: Callable[[], bool] = lambda: False
    monotonic: Callable[[], float] = time.monotonic
    step: Callable[[str], None] = lambda _what: None
    seconds: float = SLICE_SECONDS
    bytes: int = SLICE_BYTES
    account_name: str = ""  # at the source
    there_name: str = ""  # at the destination
    scripts: Path | None = None  # a folder for what becomes of accounts' filters


class Turn:
    """The state of a turn, and what listing and sending share."""

    def __init__(self, desk: Desk, ends: Ends, claim: Claim) -> None:
        self._desk = desk
        self._ends = ends
        self._claim = claim
        self._ledger = desk.ledger
        self._began = desk.monotonic()
        self._bytes = 0
        self._marks: dict[int, str | None] = {}
        self._placements: dict[tuple[frozenset[str] | tuple[Folder, ...], ...], Placement | LeftOut] = {}
        self._inflight: dict[str, tuple[Row, bytes | None]] = {}
        self._done: list[Written] = []
        self._refused: list[Refusal] = []
        self._suspects: list[tuple[Row, Receipt, bytes | None]] = []
        self._flushed = desk.monotonic()
        self._broken: LiberateError | None = None
        self._cut = False
        role = claim.collection.role
        self._folder = Folder(
            claim.collection.path, Role(role) if role and claim.collection.kind is Kind.MAIL else None
        )
        self.relisted = False  # rows came, went or got other labels
        self.progressed = False  # something was recorded: a failure after that is a new failure

    def _placement(self, item: Item) -> Placement | LeftOut:
        facts = item.facts
        if not isinstance(facts, MailFacts):
            return Placement(self._folder, (), frozenset(), frozenset())
        asked = (facts.folders, facts.flags, facts.keywords)  # few combinations, many messages
        placed = self._placements.get(asked)
        if placed is None:
            if len(self._placements) >= _PLACEMENTS:
                self._placements.clear()
            placed = self._placements[asked] = place(facts, self._folder, self._desk.terms.mail)
        return placed

    # Judging and recording -----------------------------------------------------------------------

    def _judge(self, row: Row, receipt: Receipt, body: bytes | None, *, measured: bool = False) -> None:
        """Believe a receipt, or put it aside to be read back."""
        sha256 = receipt.digests.get("sha256")
        sent = row.digests.get("sha256-wire", row.digests.get("sha256"))
        wrong_size = receipt.size is not None and row.size is not None and receipt.size != row.size
        if wrong_size or (sha256 is not None and sent is not None and sha256 not in (sent, row.digests["sha256"])):
            self._suspects.append((row, receipt, body))
            return
        self._done.append(Written(row, receipt, measured=measured))

    def _settle_suspects(self) -> None:
        """Read back what the destination describes otherwise than it was sent."""
        suspects, self._suspects = self._suspects, []
        for row, receipt, body in suspects:
            row.receipt, row.receipt_size = receipt.id, receipt.size
            for _, tier, _ in read_back(self._ends.destination, [(row, receipt.place)]):
                if tier in (Sameness.DIFFERENT, MISSING):
                    why = "The destination stored something else than it was sent."
                    original = "original kept under rejects/" if body is not None else "one at the source"
                    todo = f"Compare it with the {original}, and delete the wrong one by hand."
                    self._refuse(row, ItemError("stored-otherwise", why, todo), body)
                else:
                    self._done.append(Written(row, replace(receipt, evidence=proven(tier)), tier))
        self._flush()

    def _prove(self, rows: Sequence[Row]) -> int:
        """Read back what was just written; how many of it."""
        results = list(read_back(self._ends.destination, [(row, self._place(row.place_id)) for row in rows]))
        for at in range(0, len(results), PAGE):
            self._ledger.renew(self._claim)
            self._ledger.verified([(row, tier) for row, tier, _ in results[at : at + PAGE]])
        return len(results)

    def _unread(self, row: Row, error: ItemError) -> None:
        """The source would not give the item: it is gone, or refused."""
        if error.code == "gone":
            why = "It was deleted at the source before it could be moved."
            self._refused.append(Refusal(row, "deleted-at-source", why, skipped=True))
        else:
            self._refuse(row, error, None)

    def _refuse(self, row: Row, error: ItemError, body: bytes | Iterable[bytes] | None) -> None:
        kept = None
        if body is not None:
            chunks = (body,) if isinstance(body, bytes) else body
            kept = self._desk.rejects.keep(self._desk.account, row.key, row.item.kind, chunks)
        self._refused.append(Refusal(row, error.code, error.why, error.todo, kept))

    def _flush(self) -> None:
        done, self._done = self._done, []
        refused, self._refused = self._refused, []
        self._flushed = self._desk.monotonic()
        if not done and not refused:
            return
        self._ledger.written(self._claim, done, refused)
        self.progressed = True
        size = sum(one.row.size or 0 for one in done)
        self._bytes += size
        count = sum(one.row.part == "" for one in done)
        if count:
            moved = sum(one.row.size or 0 for one in done if one.row.part == "")
            self._desk.observer(Moved(self._desk.account, count, moved))
        for each in refused:
            if each.row.part == "" and not each.skipped:
                self._desk.observer(Refused(self._desk.account, each.row.item.id, each.code, each.why))

    # Slots ---------------------------------------------------------------------------------------

    def _slot(self, row: Row) -> Slot:
        item = row.item
        sent = Item(
            item.id, item.kind, item.version, item.name, row.size, item.modified, row.digests, item.refs,
            self._facts(item), item.facts_version, item.repeatable,
        )  # fmt: skip
        return Slot(sent, self._place(row.place_id), row.name, row.key, row.mark)

    def _facts(self, item: Item) -> Any:
        """The facts that the item shall have at the destination."""
        facts = item.facts
        if not isinstance(facts, MailFacts):
            return facts
        placed = self._placement(item)
        if isinstance(placed, LeftOut):
            return facts
        if not facts.folders and placed.flags == facts.flags and placed.keywords == facts.keywords:
            return facts
        return MailFacts(placed.flags, placed.keywords, facts.received)

    def _place(self, number: int | None) -> Place:
        where = self._ends.places.numbered(number or 0).place
        return where if where is not None else Place("")

    def _mark(self, rows: Iterable[Row]) -> None:
        """Note where each row's place ends, unless an earlier attempt has: everything sent stands after it."""
        destination = self._ends.destination
        if not isinstance(destination, Marked):
            return
        for row in rows:
            if row.mark is None:
                number = row.place_id or 0
                if number not in self._marks:
                    self._marks[number] = destination.mark(self._place(number))
                row.mark = self._marks[number]

    def _wire(self, body: bytes) -> bytes:
        if self._claim.collection.kind is Kind.MAIL and self._ends.destination.line_ends == "crlf":
            return wire_form(body)
        return body

    def _stopping(self) -> bool:
        if not self._cut:
            spent = self._desk.monotonic() - self._began
            self._cut = self._desk.stop() or spent >= self._desk.seconds or self._bytes >= self._desk.bytes
        return self._cut
