"""Many small files with one request (`/remote.php/dav/bulk`): its body and its answer. Pure.

Each part carries the digest that the server compares with what it received before it writes (apps/dav/lib/BulkUpload).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from liberate.connector import Evidence, Receipt, Slot, inside
from liberate_nextcloud import paths

REQUEST = "/remote.php/dav/bulk"
BOUNDARY = "liberate-e0f3b7c1a59d4d4e"  # the parts have lengths, so it may stand inside one
HEADERS = {"Content-Type": f"multipart/related; boundary={BOUNDARY}"}
LARGEST = 1 << 20  # bytes of a part: the server holds each in memory
_OVERHEAD = 300


@dataclass(frozen=True, slots=True)
class Part:
    """One file and its bytes."""

    slot: Slot
    data: bytes = field(repr=False)

    @property
    def path(self) -> str:
        return f"/{inside(self.slot.place, self.slot.name)}"

    @property
    def weight(self) -> int:
        return len(self.data) + len(self.path) + _OVERHEAD


def suits(slot: Slot, data: bytes) -> bool:
    """Whether the file can go with others: bulk trims paths, knows no condition and no time of making."""
    name = slot.name
    return (
        slot.replaces is None
        and len(data) <= LARGEST
        and name == name.strip()
        and not any(char < " " for char in inside(slot.place, name))
    )


def body(parts: Sequence[Part]) -> bytes:
    """The request's body."""
    out: list[bytes] = []
    for part in parts:
        head = (
            f"--{BOUNDARY}\r\nX-File-Path: {part.path}\r\nOC-Checksum: sha256:{digest(part)}\r\n"
            f"Content-Length: {len(part.data)}\r\n"
        )
        modified = paths.seconds(part.slot.item.modified)
        if modified is not None:
            head += f"X-OC-Mtime: {modified}\r\n"
        out += (head.encode(), b"\r\n", part.data, b"\r\n")
    out.append(f"--{BOUNDARY}--\r\n".encode())
    return b"".join(out)


def digest(part: Part) -> str:
    """The sha256 of the bytes, never what somebody else said it is."""
    return hashlib.sha256(part.data).hexdigest()


def described(part: Part) -> Slot:
    """The part's slot, with the size and digest of its bytes."""
    item = replace(part.slot.item, size=len(part.data), digests={"sha256": digest(part)})
    return replace(part.slot, item=item)


def receipts(content: bytes, parts: Sequence[Part]) -> dict[str, Receipt]:
    """By slot key, what the answer says was stored; a part that is missing failed or was not reached."""
    answer = _answer(content)
    out: dict[str, Receipt] = {}
    for part in parts:
        said = answer.get(part.path)
        if not isinstance(said, Mapping) or said.get("error") is not False:
            continue
        fileid, etag = paths.fileid(str(said.get("fileid", ""))), paths.etag(str(said.get("etag", "")))
        if fileid and etag:
            slot = part.slot
            out[slot.key] = Receipt(
                paths.receipt_id(fileid, slot.name),
                slot.place,
                len(part.data),
                {"sha256": digest(part)},
                Evidence.RECEIVED,
                etag,
            )
    return out


def _answer(content: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(content)
    except ValueError:
        return {}
    return answer if isinstance(answer, Mapping) else {}  # PHP gives [] for an empty one
