"""How much memory a migration takes at most, whatever it moves."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from bench import mail
from bench.ground import PASSWORD, Ground, say
from bench.measure import run
from bench.report import Findings, Table, below, figure, megabytes
from bench.tools import imap, liberate

MEGABYTES = 150
_LARGE = 60_000_000
_MBOX_MESSAGES, _MBOX_MEDIAN = 24_000, 50_000  # about 2 GB


def memory(ground: Ground) -> Findings:
    """Peaks of mailboxes with many messages, of one large message, and of one large file."""
    many, fewer, mbox = ground.scaled(200_000), ground.scaled(50_000), ground.scaled(_MBOX_MESSAGES)

    def small(count: int) -> Callable[[Path], str]:
        return lambda work: f"maildir:{mail.maildir(work / 'from', count, tiny=True)}"

    def large(work: Path) -> str:
        return f"maildir:{mail.large(work / 'from', _LARGE)}"

    def file(work: Path) -> str:
        mail.mbox(work / "all.mbox", mbox, _MBOX_MEDIAN)
        return f"mbox:{work / 'all.mbox'}"

    cases = (
        (f"{many:,} small messages, Maildir to Maildir", small(many), False),
        (f"{fewer:,} small messages, Maildir to IMAP", small(fewer), True),
        ("one message of 60 MB, Maildir to IMAP", large, True),
        (f"an mbox file of {figure(_gigabytes(mbox))} GB, to a Maildir", file, False),
    )
    rows, targets = [], []
    with ground.dovecot() as server:
        for name, source, into_imap in cases:
            work = ground.folder()
            user = ground.user(server)
            where = imap(user, server.port) if into_imap else f"maildir:{work / 'to'}"
            ready = liberate(source(work), where, work / "job", PASSWORD)
            cost = run(ready.command, folder=work, environment=dict(ready.environment))
            rows.append((name, f"{cost.seconds:.1f}", megabytes(cost.memory)))
            targets.append(below(f"memory: {name}", round(cost.memory / 1e6), MEGABYTES, " MB"))
            say(f"  {name}: {megabytes(cost.memory)} MB, {cost.seconds:.1f} s")
            shutil.rmtree(work)
            shutil.rmtree(server.maildir(user), ignore_errors=True)
    return Findings((Table("Memory at most", ("what", "seconds", "MB"), tuple(rows)),), tuple(targets))


def _gigabytes(messages: int) -> float:
    return round(sum(mail.sizes(messages, _MBOX_MEDIAN)) / 1e9, 1)
