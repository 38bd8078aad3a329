"""What travels beside a message, where labels put it, and when two copies of it are the same."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache


class Role(StrEnum):
    """What a mail folder is for (RFC 6154), whatever its name."""

    INBOX = "inbox"
    ARCHIVE = "archive"
    DRAFTS = "drafts"
    JUNK = "junk"
    SENT = "sent"
    TRASH = "trash"


@dataclass(frozen=True, slots=True)
class Folder:
    """A mail folder by its name as people read it, and by its role where it has one."""

    path: tuple[str, ...]
    role: Role | None = None


SYSTEM_FLAGS = frozenset({"\\Seen", "\\Answered", "\\Flagged", "\\Draft"})
"""The flags that move. \\Deleted and \\Recent say something about a session, not about the message."""


@dataclass(frozen=True, slots=True)
class MailFacts:
    """What an IMAP server keeps beside a message's bytes."""

    flags: frozenset[str] = frozenset()  # of SYSTEM_FLAGS
    keywords: frozenset[str] = frozenset()  # as the source spells them; the destination says which it can keep
    received: datetime | None = None  # aware; INTERNALDATE
    folders: tuple[Folder, ...] = ()  # where labels put it; () means the collection it was listed in

    def dump(self) -> str:
        """One line of JSON, the same for equal facts."""
        rest = _dumped(self.flags, self.keywords, self.folders)
        if self.received is None:
            return f"{{{rest}}}"
        return f'{{"received":"{self.received.isoformat()}"{"," if rest else ""}{rest}}}'

    @classmethod
    def load(cls, text: str) -> MailFacts:
        """The facts that dump() wrote."""
        if text == "{}":
            return cls()
        out = json.loads(text)
        received = out.get("received")
        return cls(
            frozenset(out.get("flags", ())),
            frozenset(out.get("keywords", ())),
            datetime.fromisoformat(received) if received else None,
            tuple(Folder(tuple(path), Role(role) if role else None) for path, role in out.get("folders", ())),
        )


@lru_cache(4096)  # a mailbox holds few combinations
def _dumped(flags: frozenset[str], keywords: frozenset[str], folders: tuple[Folder, ...]) -> str:
    """The members of the facts' JSON, without braces and without the time."""
    out: dict[str, object] = {}
    if flags:
        out["flags"] = sorted(flags)
    if keywords:
        out["keywords"] = sorted(keywords)
    if folders:
        out["folders"] = [[list(folder.path), folder.role] for folder in folders]
    return json.dumps(out, separators=(",", ":"), ensure_ascii=False)[1:-1]


# The same message --------------------------------------------------------------------------------


class Sameness(StrEnum):
    """How something that was read back compares with what was read at the source."""

    IDENTICAL = "identical"  # byte for byte
    LINE_ENDS = "line-ends"  # identical once every line ends in CRLF, as IMAP demands
    REWRITTEN = "rewritten"  # an event or contact that the server writes in its own way: it says the same
    ALTERED = "altered"  # the server changed what it could not store: NUL, doubled or lone CR; listed
    DIFFERENT = "different"


_SERVED_ENDS = re.compile(rb"\r+\n")


def wire_form(data: bytes) -> bytes:
    """The message with each lone LF made CRLF and nothing else changed: what IMAP takes (RFC 3501 4.3)."""
    if b"\r" not in data:
        return data.replace(b"\n", b"\r\n") if b"\n" in data else data
    if data.count(b"\n") == data.count(b"\r\n"):
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def served_form(data: bytes) -> bytes:
    """The wire form as servers may give it back: CRs before a line end collapsed, lone CRs at
    the end dropped, NUL as 0x80 (measured on Dovecot 2.3)."""
    out = _SERVED_ENDS.sub(b"\r\n", wire_form(data)).replace(b"\0", b"\x80")
    return out.rstrip(b"\r")


def fingerprint(data: bytes, wire: bytes | None = None) -> dict[str, str]:
    """The digests by which this message is recognised later, in hex.

    "sha256" is of the bytes as they are, "sha256-wire" of their wire form and "sha256-served" of
    their served form; each of the latter two is left out where it equals the one before it.
    `wire` is wire_form(data) if the caller has it.
    """
    exact = hashlib.sha256(data, usedforsecurity=False).hexdigest()
    if wire is None:
        wire = wire_form(data)
    if wire is data:
        out = {"sha256": exact}
        odd = b"\r\r" in data or b"\0" in data or data.endswith(b"\r")
    else:
        out = {"sha256": exact, "sha256-wire": hashlib.sha256(wire, usedforsecurity=False).hexdigest()}
        odd = b"\0" in data or (b"\r" in data and (b"\r\r" in wire or wire.endswith(b"\r")))
    if odd:
        served = served_form(wire)
        if served != wire:
            out["sha256-served"] = hashlib.sha256(served, usedforsecurity=False).hexdigest()
    return out


class Fingerprint:
    """The fingerprint of a message that comes in chunks, in the same forms as fingerprint()."""

    def __init__(self) -> None:
        self._digests = [hashlib.sha256() for _ in range(3)]
        self._held = b""  # CRs at the end of a chunk: what they are depends on what follows
        self.size = 0  # bytes as they came
        self.wire_size = 0  # bytes in the wire form

    def update(self, data: bytes) -> bytes:
        """Take the next chunk; its wire form, as far as it is certain yet."""
        self._digests[0].update(data)
        self.size += len(data)
        whole = self._held + data
        end = len(whole.rstrip(b"\r"))
        self._held = whole[end:]
        return self._forms(whole[:end])

    def finish(self) -> bytes:
        """The last of the wire form."""
        held, self._held = self._held, b""
        return self._forms(held)

    def _forms(self, data: bytes) -> bytes:
        wire = wire_form(data)
        self._digests[1].update(wire)
        self._digests[2].update(served_form(wire))
        self.wire_size += len(wire)
        return wire

    def digests(self) -> dict[str, str]:
        """The digests, once finish() was called."""
        exact, wire, served = (digest.hexdigest() for digest in self._digests)
        out = {"sha256": exact}
        if wire != exact:
            out["sha256-wire"] = wire
        if served != wire:
            out["sha256-served"] = served
        return out


def sameness(found: bytes, digests: Mapping[str, str]) -> Sameness:
    """How `found` compares with the message whose fingerprint is `digests`."""
    return compared(fingerprint(found), digests)


def compared(found: Mapping[str, str], digests: Mapping[str, str]) -> Sameness:
    """How the message with the fingerprint `found` compares with the one whose fingerprint is `digests`."""
    exact = digests.get("sha256")
    if exact is None:
        return Sameness.DIFFERENT
    wire = digests.get("sha256-wire", exact)
    served = digests.get("sha256-served", wire)
    found_wire = found.get("sha256-wire", found["sha256"])
    if found["sha256"] == exact:
        return Sameness.IDENTICAL
    if found_wire == wire:
        return Sameness.LINE_ENDS
    if found.get("sha256-served", found_wire) == served:
        return Sameness.ALTERED
    return Sameness.DIFFERENT
