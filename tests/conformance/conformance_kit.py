"""Messages and files for the connectors' contracts."""

from __future__ import annotations

import os
from pathlib import Path

MESSAGES = [
    b"Subject: one\r\nFrom: a@example.org\r\n\r\nhello\r\n",
    b"Subject: two\r\nFrom: a@example.org\r\n\r\nFrom me to you\r\n.\r\n",
    b"Subject: twin\r\n\r\nthe same\r\n",
    b"Subject: twin\r\n\r\nthe same\r\n",
    b"Subject: =?utf-8?q?=C3=A9?=\r\n\r\n\xe4\xff 8-bit\r\n",
    b"Subject: long\r\n\r\n" + b"0123456789abcdef\r\n" * 8000,
]
UNIX = [one.replace(b"\r\n", b"\n") for one in MESSAGES]


def fill_maildir(folder: Path, messages: list[bytes] = UNIX) -> None:
    """A Maildir whose inbox and one folder hold the messages, every third in the folder."""
    for n, body in enumerate(messages):
        box = folder / (".Work" if n % 3 == 2 else "")
        for name in ("cur", "new", "tmp"):
            (box / name).mkdir(parents=True, exist_ok=True)
        (box / "cur" / f"{1700000000 + n}.M{n}.host:2,{'S' if n % 2 else ''}").write_bytes(body)


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """What a folder holds: its files with their times and bytes."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def unlink(folder: Path, body: bytes) -> None:
    """Delete the first file that holds these bytes."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.read_bytes() == body:
            os.unlink(path)
            return
    raise AssertionError("no such file")
