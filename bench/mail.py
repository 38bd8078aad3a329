"""Mail to measure with: the same bytes at every run, written as fast as the disk takes them."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

MEDIAN = 8_000  # bytes
SIGMA = 1.0  # of the sizes' logarithm: the mean is 13 kB, one message in a hundred is above 80 kB
_START = 1_700_000_000  # when the first message was received, in seconds since 1970
LONG_AGO = 1_750_000_000  # when the Maildir was last touched


def sizes(count: int, median: int = MEDIAN, seed: int = 1) -> Iterator[int]:
    """Log-normal sizes, as mailboxes have them."""
    chance = random.Random(seed)
    for _ in range(count):
        yield max(400, round(median * chance.lognormvariate(0, SIGMA)))


def message(number: int, size: int) -> bytes:
    """Message `number`, of about `size` bytes and lines ending in LF, unlike every other."""
    head = (
        f"Return-Path: <sender{number % 97}@example.coop>\n"
        f"Received: from mx.example.coop by mail.example.coop with ESMTPS id {number:012x};\n"
        f"\tFri, 10 Jul 2026 09:{number // 60 % 60:02d}:{number % 60:02d} +0200\n"
        f"From: Sender {number % 97} <sender{number % 97}@example.coop>\n"
        f"To: Member <member@example.coop>\nSubject: Minutes of meeting {number}\n"
        f"Date: Fri, 10 Jul 2026 09:{number // 60 % 60:02d}:{number % 60:02d} +0200\n"
        f"Message-ID: <{number}.bench@example.coop>\nMIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
    ).encode()
    line = f"Point {number}: the members agreed after some discussion to meet again in the autumn.\n".encode()
    body = line * max(1, (size - len(head)) // len(line))
    return head + body


def maildir(folder: Path, count: int, *, median: int = MEDIAN, tiny: bool = False) -> Path:
    """A Maildir of `count` messages in `folder`, all but a tenth of them read; tiny ones are about 500 bytes."""
    for part in ("cur", "new", "tmp"):
        (folder / part).mkdir(parents=True)
    cur = str(folder / "cur")
    for number, size in enumerate(sizes(count, median)):
        flags = "" if number % 10 == 0 else "S"
        with open(f"{cur}/{_START + number}.M{number}P1.bench:2,{flags}", "wb", buffering=0) as file:
            file.write(message(number, 0 if tiny else size))
    touch(folder, LONG_AGO)
    return folder


def touch(folder: Path, moment: int) -> None:
    """Make the Maildir look as if mail had come or gone at that moment."""
    for part in ("cur", "new"):
        os.utime(folder / part, (moment, moment))


def mbox(path: Path, count: int, median: int = MEDIAN) -> int:
    """An mbox file of `count` messages; how many bytes it has."""
    with path.open("wb") as file:
        for number, size in enumerate(sizes(count, median)):
            file.write(b"From sender@example.coop Fri Jul 10 09:00:00 2026\n")
            file.write(message(number, size))
            file.write(b"\n")
        return file.tell()


def large(folder: Path, size: int) -> Path:
    """A Maildir with one message of that many bytes."""
    maildir(folder, 0)
    with (folder / "cur" / f"{_START}.M0P1.bench:2,S").open("wb") as file:
        file.write(message(0, 0))
        line = b"VGhlIG1lbWJlcnMgYWdyZWVkIHRvIG1lZXQgYWdhaW4gaW4gdGhlIGF1dHVtbiBhbmQgdG8gZWF0\n"
        for _ in range(size // (len(line) * 1000)):
            file.write(line * 1000)
    touch(folder, LONG_AGO)
    return folder
