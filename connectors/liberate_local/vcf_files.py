"""Files of contacts taken apart: one object for each card, as it stands in the file; very old ones made readable."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from liberate.vcard_old import from_version_2

_BEGIN = re.compile(rb"BEGIN:[ \t]*VCARD[ \t]*\r?\n?$", re.IGNORECASE)
_END = re.compile(rb"END:[ \t]*VCARD[ \t]*\r?\n?$", re.IGNORECASE)
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Card:
    """One card of a file."""

    id: str  # unique in its file
    uid: str  # as it is meant; made from the bytes where there is none
    at: int
    size: int
    version: str


@dataclass(slots=True)
class Cards:
    """What a file of contacts holds."""

    cards: list[Card] = field(default_factory=list)
    doubles: list[str] = field(default_factory=list)


def cards_of(file: BinaryIO) -> Cards:
    """Read the file once from its beginning."""
    out = Cards()
    given: dict[str, set[str]] = {}
    for at, raw in _raw(file):
        digest = hashlib.sha256(raw).hexdigest()
        uid = _uid(raw) or f"liberate-{digest[:32]}"
        same = given.setdefault(uid, set())
        if digest in same:
            out.doubles.append(f"{uid} twice {len(out.doubles)}")
            continue
        id_ = f"{uid} ({len(same) + 1})" if same else uid
        same.add(digest)
        out.cards.append(Card(id_, uid, at, len(raw), digest[:32]))
    return out


def _raw(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    lines: list[bytes] = []
    at = start = depth = 0
    for line in file:
        here, at = at, at + len(line)
        if _BEGIN.match(line.removeprefix(_BOM) if here == 0 else line):
            if depth == 0:
                start, lines = here, []
            depth += 1
        if depth:
            lines.append(line)
        if depth and _END.match(line):
            depth -= 1
            if depth == 0:
                yield start, b"".join(lines)
    if depth:  # the file was cut off here
        yield start, b"".join(lines)


def _uid(raw: bytes) -> str:
    unfolded = re.sub(rb"\r?\n[ \t]", b"", raw)
    found = re.search(rb"(?im)^(?:[A-Za-z0-9-]+\.)?UID(?:;[^:\r\n]*)?:([^\r\n]+)", unfolded)
    if found is None:
        return ""
    return re.sub(r"\\(.)", r"\1", found[1].decode("utf-8", "surrogateescape").strip())


def card_bytes(file: BinaryIO, card: Card) -> bytes:
    """The card, verbatim in version 3.0 and 4.0; with a UID and a name if it has none. Version 2.1 becomes 3.0."""
    file.seek(card.at)
    raw = file.read(card.size).removeprefix(_BOM)
    if re.search(rb"(?im)^VERSION:[ \t]*2\.1", raw) or not re.search(rb"(?im)^VERSION:", raw):
        raw = from_version_2(raw)
    end = b"\r\n" if b"\r\n" in raw else b"\n"
    if not raw.endswith(b"\n"):
        raw += end
    added = b""
    if not _uid(raw):
        added += b"UID:" + card.uid.encode() + end
    if not re.search(rb"(?im)^(?:[A-Za-z0-9-]+\.)?FN[;:]", raw):
        added += b"FN:" + _name(raw) + end
    if added:
        raw = re.sub(rb"(?im)^(VERSION:[^\r\n]*\r?\n)", lambda found: found[1] + added, raw, count=1)
    return raw


def _name(raw: bytes) -> bytes:
    """What a card without a name is called: every version since 3.0 wants one."""
    unfolded = re.sub(rb"\r?\n[ \t]", b"", raw)
    found = re.search(rb"(?im)^(?:[A-Za-z0-9-]+\.)?N(?:;[^:\r\n]*)?:([^\r\n]*)", unfolded)
    parts = re.split(rb"(?<!\\);", found[1]) if found else []
    name = b" ".join(part for part in (parts[1:2] + parts[:1]) if part.strip())
    for other in (rb"ORG", rb"NICKNAME", rb"EMAIL", rb"TEL"):
        if not name:
            found = re.search(rb"(?im)^(?:[A-Za-z0-9-]+\.)?%s(?:;[^:\r\n]*)?:([^\r\n]*)" % other, unfolded)
            name = re.split(rb"(?<!\\)[;,]", found[1])[0] if found else b""
    return name or b"?"
