"""When a message at a destination is the one that was said at the source. Pure, but for what is asked of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta

from liberate.chat import Message, Reaction, Recalled, plain, shown, told
from liberate.connector import Kind, Place, Recalls, Receipt
from liberate.errors import ItemError
from liberate.ledger_rows import Row
from liberate.mail import Sameness

TOLD, REACTIONS = "told", "reactions"
"""Digests of a message besides that of its bytes: of who says what, and of who reacted how. Neither can be undone."""
NEAR = timedelta(seconds=1)  # a homeserver counts milliseconds, and two messages of one are put one after the other
_Called = Callable[[str], str]


def expected(message: Message, arrived: Mapping[str, Receipt], called: _Called) -> dict[str, str]:
    """The digests that a destination's word for the message shall have; `arrived` are the receipts of its refs."""
    root = arrived.get(message.thread)
    files = tuple(arrived[file.id].id for file in message.files if file.id in arrived)
    text = plain(told(message, set(arrived)))
    thread = root.id if root is not None else ("?" if message.thread else "")
    reacted = frozenset(_reacted(message.reactions, called))
    return {TOLD: _told(called(message.author), text, files, thread), REACTIONS: reactions_digest(reacted)}


def standing(destination: Recalls, receipt: Receipt) -> dict[str, str]:
    """The same digests of what the destination holds now; none where it cannot tell."""
    found = next((found for _, found in destination.recall([receipt])), None)
    if not isinstance(found, Recalled):
        return {}
    said = _told(found.sender, found.text, found.files, found.thread)
    return {TOLD: said, REACTIONS: reactions_digest(found.reactions)}


def reactions_of(reactions: Sequence[Reaction], called: _Called) -> str:
    """The digest of the reactions as they shall be there."""
    return reactions_digest(frozenset(_reacted(reactions, called)))


def reactions_digest(reacted: frozenset[tuple[str, str]]) -> str:
    """The digest of (emoji, who) pairs, whatever their order."""
    return _digest(sorted(reacted))


def recalled(destination: Recalls, rows: Sequence[tuple[Row, Place]]) -> Iterator[tuple[Row, str, int]]:
    """Ask what the destination holds of these messages; (row, Sameness or "missing", bytes read), in any order."""
    waiting: dict[tuple[str, Place], list[Row]] = {}
    receipts = []
    for row, place in rows:
        waiting.setdefault((row.receipt or "", place), []).append(row)
        receipts.append(Receipt(row.receipt or "", place, row.receipt_size))
    for receipt, found in destination.recall(receipts):
        row = waiting[receipt.id, receipt.place].pop()
        if isinstance(found, ItemError):
            yield row, "missing", 0
        else:
            yield row, _compared(found, row), len(found.text.encode())


def is_told(destination: object, row: Row) -> bool:
    """Whether the row is compared by what a member of the room sees, and not by its bytes."""
    return row.item.kind is Kind.CHAT and TOLD in row.digests and isinstance(destination, Recalls)


def _compared(found: Recalled, row: Row) -> Sameness:
    threads = (found.thread, "?") if found.thread else ("",)  # "?": the thread's first message is not to be had
    same = row.digests.get(TOLD) in {_told(found.sender, found.text, found.files, thread) for thread in threads}
    same = same and row.digests.get(REACTIONS) == reactions_digest(found.reactions)
    when = row.item.modified
    same = same and (when is None or abs(found.time - when) <= NEAR)
    return Sameness.IDENTICAL if same else Sameness.DIFFERENT


def _reacted(reactions: Sequence[Reaction], called: _Called) -> Iterator[tuple[str, str]]:
    for one in reactions:
        for author in one.authors:
            yield shown(one.emoji), called(author)


def _told(sender: str, text: str, files: Sequence[str], thread: str) -> str:
    return _digest([sender, text, list(files), thread])


def _digest(said: object) -> str:
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")).hexdigest()
