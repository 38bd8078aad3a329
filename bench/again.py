"""How long the command takes when there is nothing new."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from statistics import median

from bench import mail
from bench.ground import PASSWORD, Ground, say
from bench.measure import Failed, run
from bench.report import Findings, Table, Target, below
from bench.tools import Prepared, imap, liberate

MESSAGES = 100_000
SECONDS = 3.0


def again(ground: Ground) -> Findings:
    """A second run over everything that a first one has recorded, from each kind of source."""
    count = ground.scaled(MESSAGES)
    work = ground.folder()
    maildir = mail.maildir(work / "maildir", count, tiny=True)
    mail.mbox(work / "all.mbox", count, median=1)
    rows: list[tuple[str, ...]] = []
    targets: list[Target] = []
    with ground.dovecot() as server:
        user = ground.user(server)
        far = imap(user, server.port)

        def measure(name: str, job: Prepared, before: Callable[[int], None] = lambda _turn: None) -> None:
            took = []
            for turn in range(ground.runs):
                before(turn)
                took.append(_nothing_new(job, ground))
            rows.append((name, f"{count:,}", f"{median(took):.2f}"))
            targets.append(below(f"second run: {name}", median(took), SECONDS, " s"))
            say(f"  {name}: {median(took):.2f} s")

        def touch(turn: int) -> None:
            mail.touch(maildir, mail.LONG_AGO + 1 + turn)

        job = liberate(f"maildir:{maildir}", far, work / "from-maildir.job", PASSWORD)
        _first(job, ground)
        measure("a Maildir that nobody has touched", job)
        measure("a Maildir that is listed again", job, touch)
        for name, source, where in (
            ("an mbox file", f"mbox:{work / 'all.mbox'}", "from-mbox"),
            ("an IMAP folder", far, "from-imap"),
        ):
            job = liberate(source, f"maildir:{work / where}", work / f"{where}.job", PASSWORD)
            _first(job, ground)
            measure(name, job)
    shutil.rmtree(work)
    note = "The median time of `liberate migrate` where everything has been moved before."
    return Findings((Table("Nothing new", ("source", "recorded", "seconds"), tuple(rows), note),), tuple(targets))


def _first(job: Prepared, ground: Ground) -> None:
    run(job.command, folder=ground.base, environment=dict(job.environment))


def _nothing_new(job: Prepared, ground: Ground) -> float:
    cost = run(job.command, folder=ground.base, environment=dict(job.environment))
    if any('"event": "moved"' in line for _, line in cost.output):
        raise Failed("The second run moved something.")
    return cost.seconds
