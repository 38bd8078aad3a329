"""The ledger's rows as values, and how they are read from and written to its tables."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from liberate.connector import Collection, Cursor, Evidence, Item, Kind, Place, Receipt, Skipped
from liberate.errors import ItemError, LiberateError
from liberate.facts import dump_facts, load_facts
from liberate.ledger_schema import items

PAGE = 500  # rows read or asked about at once: well below SQLite's limit of parameters


class State(StrEnum):
    """How far a row has come."""

    LISTED = "listed"
    INTENDED = "intended"
    WRITTEN = "written"
    VERIFIED = "verified"
    REFUSED = "refused"
    SKIPPED = "skipped"


DONE = (State.WRITTEN, State.VERIFIED)
AGAIN: Mapping[str, Any] = {
    "state": State.LISTED.value, "attempts": 0,
    **dict.fromkeys(("receipt", "receipt_size", "receipt_version", "tier", "evidence", "size", "sha256", "forms")),
    **dict.fromkeys(("noted", "code", "why", "todo")),
}  # fmt: skip
"""The values of a row that stands nowhere any more."""
WITHOUT_ORIGINAL = "without-original"  # the code of a copy whose message did not go


class LeaseLost(LiberateError):
    """Another worker has this slice now; whatever this one still holds must not be recorded."""


@dataclass(slots=True)
class Claim:
    """A worker's lease on a slice."""

    slice: int
    account: int
    collection: Collection
    cursor: Cursor | None
    generation: int  # how often the source has renumbered
    owner: str
    epoch: int
    deadline: float  # on the local monotonic clock, taken before the renewal was sent


JOINED = "joined"
"""The mark of a folder that became one with somebody's at the destination in which there was something."""


@dataclass(slots=True)
class Row:
    """One item's (or one copy's) line in the ledger."""

    key: str
    item: Item
    part: str  # "" for the item itself, else the folder of this copy
    state: State
    place_id: int | None
    name: str = ""
    mark: str | None = None
    size: int | None = None  # bytes sent
    digests: Mapping[str, str] = field(default_factory=dict)  # of what was read at the source
    receipt: str | None = None
    receipt_size: int | None = None
    receipt_version: str = ""
    receipt_sha256: str | None = None  # of what an earlier version left, while a newer one is to replace it
    receipt_place: int | None = None  # where the receipt is; None: in its place
    upload: str | None = None  # "<bytes a piece> <id>" of a body that is sent in pieces
    evidence: Evidence = Evidence.NONE
    tier: str | None = None  # a liberate.mail.Sameness, once read back; or "missing"
    attempts: int = 0
    copy_of: str | None = None  # the key of the item this is a copy of
    enriched: bool = False  # its item's facts were completed when it was read
    refusal: ItemError | None = None  # why a row that is refused when it is listed cannot go
    redescribed: bool = False  # the source described it anew when it was read
    folded: str | None = None  # the name as its place tells names apart; None for a place that numbers its items


@dataclass(frozen=True, slots=True)
class Written:
    """A receipt to record."""

    row: Row
    receipt: Receipt
    tier: str | None = None
    measured: bool = False  # the row's size and digests became known while it was sent


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal to record."""

    row: Row
    code: str
    why: str
    todo: str = ""
    kept: str | None = None  # where the original is, under rejects/
    skipped: bool = False  # not a refusal: there was a reason not to move it


@dataclass(frozen=True, slots=True)
class Pending:
    """A row that stands at the destination with facts that are no longer those of the source."""

    row: Row
    facts: Any
    version: str  # of the facts
    label: str  # its name at the source now


@dataclass(frozen=True, slots=True)
class Named:
    """A source folder and the legal name it got, for ever."""

    id: int
    path: tuple[str, ...]
    role: str | None
    name: tuple[str, ...]
    place: Place | None  # None: named, not yet made


def key_of(account: str, collection: str, item: str, part: str = "") -> str:
    """32 hex digits that name an item of a job, the same at every attempt."""
    text = "\x1f".join((account, collection, item, part))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


ROW_COLUMNS = tuple(
    items.c[name]
    for name in (
        "key", "kind", "item", "part", "version", "facts", "facts_version", "label", "item_size", "modified",
        "repeatable", "refs", "state", "place", "name", "mark", "size", "sha256", "forms", "receipt",
        "receipt_size", "evidence", "tier", "attempts", "copy_of", "said", "receipt_version", "receipt_sha256",
        "receipt_place", "upload",
    )
)  # fmt: skip


_KINDS = {kind.value: kind for kind in Kind}


def pages(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    """The keys, PAGE at a time."""
    for at in range(0, len(keys), PAGE):
        yield keys[at : at + PAGE]


def forms_text(digests: Mapping[str, str]) -> str | None:
    """The digests besides sha256, which has a column of its own: few messages have any."""
    if len(digests) == 1 and "sha256" in digests:
        return None
    if len(digests) == 2 and "sha256" in digests and "sha256-wire" in digests:  # most mail that was kept in files
        return f'{{"sha256-wire":"{digests["sha256-wire"]}"}}'
    rest = {name: value for name, value in digests.items() if name != "sha256"}
    return json.dumps(rest) if rest else None


INSERTED = (
    "key", "account", "slice", "generation", "kind", "item", "part", "copy_of", "version", "facts", "facts_version",
    "label", "item_size", "modified", "repeatable", "refs", "state", "place", "attempts", "name", "folded",
    "code", "why", "todo", "said",
)  # fmt: skip
"""The columns of a new line; the rest is empty."""


def inserted(claim: Claim, row: Row) -> dict[str, Any]:
    """The values of a new line of the ledger."""
    refusal = row.refusal
    item = row.item
    return {
        "key": row.key,
        "account": claim.account,
        "slice": claim.slice,
        "generation": claim.generation,
        "kind": item.kind.value,
        "item": item.id,
        "part": row.part,
        "copy_of": row.copy_of,
        **described(item),
        "facts": dump_facts(item.kind, item.facts),
        "facts_version": item.facts_version,
        "label": item.name,
        "repeatable": item.repeatable,
        "refs": json.dumps(item.refs) if item.refs else None,
        "state": row.state.value,
        "place": row.place_id,
        "attempts": row.attempts,
        "name": row.name,
        "folded": row.folded,
        "code": None if refusal is None else refusal.code,
        "why": None if refusal is None else refusal.why,
        "todo": None if refusal is None else refusal.todo,
    }


def described(item: Item) -> dict[str, Any]:
    """The values that change with an item's bytes."""
    return {
        "version": item.version,
        "item_size": item.size,
        "modified": None if item.modified is None else item.modified.timestamp(),
        "said": json.dumps(dict(item.digests)) if item.digests else None,
    }


def skipped_line(claim: Claim, key: str, reason: Skipped) -> dict[str, Any]:
    """The values of a line for something that will not move."""
    row = Row(key, Item(reason.id, claim.collection.kind, ""), "", State.SKIPPED, None)
    row.refusal = ItemError(reason.code, reason.why, reason.todo)
    return inserted(claim, row)


def row_from(found: Any) -> Row:
    """The row in a result that holds ROW_COLUMNS."""
    values = found._mapping
    (
        key, kind_name, item, part, version, facts, facts_version, label, item_size, modified, repeatable, refs, state,
        place, name, mark, size, sha256, forms, receipt, receipt_size, evidence, tier, attempts, copy_of, said,
        receipt_version, receipt_sha256, receipt_place, upload,
    ) = (values[column.name] for column in ROW_COLUMNS)  # fmt: skip
    kind = _KINDS[kind_name]
    digests = {"sha256": sha256} if sha256 else {}
    if forms:
        digests.update(json.loads(forms))
    described = Item(
        item,
        kind,
        version,
        label,
        item_size,
        None if modified is None else datetime.fromtimestamp(modified, UTC),
        json.loads(said) if said else {},
        refs=tuple(json.loads(refs)) if refs else (),
        facts=load_facts(kind, facts),
        facts_version=facts_version,
        repeatable=repeatable,
    )
    return Row(
        key, described, part, State(state), place, name or "", mark, size, digests, receipt, receipt_size,
        receipt_version or "", receipt_sha256, receipt_place, upload,
        Evidence(evidence) if evidence else Evidence.NONE, tier, attempts, copy_of,
    )  # fmt: skip


def named_from(found: Any) -> Named:
    """The named folder in a row of the table of places."""
    return Named(
        found.id,
        tuple(json.loads(found.path)),
        found.role or None,
        tuple(json.loads(found.name)),
        None if found.place is None else Place(found.place),
    )
