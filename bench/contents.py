"""What arrived, compared with what was sent: every message read back over IMAP and hashed."""

from __future__ import annotations

import hashlib
import imaplib
import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Failed

_TOGETHER = 200
# mbsync finds its own messages again by a header that it inserts (isync 1.4.4, src/sync.c), offlineimap3 likewise
# where the server does not tell where a message went (offlineimap/folder/IMAP.py).
_MARKS = re.compile(rb"^(?:X-TUID|X-OfflineIMAP): [^\r\n]*\r\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Contents:
    """How the messages of a folder compare with those that were sent, as whole messages."""

    sent: int
    identical: int  # but for line ends, which are CRLF in IMAP (RFC 3501 4.3)
    marked: int  # identical once a header inserted by the program is taken out again
    other: int  # neither

    def __str__(self) -> str:
        if self.identical == self.sent and not self.marked and not self.other:
            return "unaltered"
        if self.marked == self.sent and not self.identical and not self.other:
            return "a header inserted"
        return f"of {self.sent:,}: {self.identical:,} unaltered, {self.marked:,} marked, {self.other:,} other"


def compare(maildir: Path, port: int, user: str, password: str) -> Contents:
    """Compare the INBOX of `user` with a Maildir of messages whose lines end in LF."""
    wanted: Counter[bytes] = Counter()
    for entry in os.scandir(maildir / "cur"):
        with open(entry.path, "rb") as file:
            wanted[_digest(file.read().replace(b"\n", b"\r\n"))] += 1
    sent = wanted.total()
    counts = Counter({"identical": 0, "marked": 0, "other": 0})
    server = imaplib.IMAP4("127.0.0.1", port)
    try:
        server.login(user, password)
        status, answer = server.select("INBOX", readonly=True)
        if status != "OK":
            raise Failed(f"The server does not open the mailbox: {answer!r}")
        held = int(answer[0] or 0)
        for first in range(1, held + 1, _TOGETHER):
            _, parts = server.fetch(f"{first}:{min(first + _TOGETHER - 1, held)}", "(BODY.PEEK[])")
            for part in parts:
                if not isinstance(part, tuple):
                    continue
                data = part[1]
                for verdict, form in (("identical", data), ("marked", _MARKS.sub(b"", data, count=1))):
                    digest = _digest(form)
                    if wanted[digest] > 0:
                        wanted[digest] -= 1
                        counts[verdict] += 1
                        break
                else:
                    counts["other"] += 1
    finally:
        server.logout()
    return Contents(sent, counts["identical"], counts["marked"], counts["other"])


def _digest(message: bytes) -> bytes:
    return hashlib.sha256(message, usedforsecurity=False).digest()[:16]
