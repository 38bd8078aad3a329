"""How fast one Maildir gets into one IMAP folder, beside the peers: nearby, far away, on a disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from liberate_imap.sandbox import Dovecot

from bench import mail, tools
from bench.contents import compare
from bench.ground import PASSWORD, Ground, filesystem, say
from bench.measure import Cost, Failed, run
from bench.report import Findings, Table, Target, at_least, figure, megabytes
from bench.slow_link import SlowLink
from bench.tools import Errand, Tool

MESSAGES = 5_000
PATIENT_MESSAGES = 1_000  # for programs that take minutes for the whole Maildir
ROUND_TRIP = 0.030  # seconds
TIMES_MBSYNC = 3.0
TIMES_MBSYNC_FAR = 1.5
TIMES_IMAPSYNC_FAR = 60.0
_COLUMNS = ("program", "messages", "seconds", "messages/s", "from receipt to receipt", "CPU s", "MB", "contents")


@dataclass(frozen=True, slots=True)
class Score:
    """A program's run of median length."""

    tool: Tool
    messages: int
    cost: Cost
    contents: str

    @property
    def rate(self) -> float:
        return self.messages / self.cost.seconds

    @property
    def moving(self) -> float | None:
        """Messages a second from the first receipt to the last; None for a program that does not tell."""
        return tools.moving_rate(self.cost) if self.tool in (tools.PLAIN, tools.READ_BACK) else None

    def row(self) -> tuple[str, ...]:
        return (
            self.tool.name,
            f"{self.messages:,}",
            f"{self.cost.seconds:.2f}",
            figure(round(self.rate, 1)),
            figure(self.moving),
            f"{self.cost.processor:.2f}",
            megabytes(self.cost.memory),
            self.contents,
        )


def nearby(ground: Ground) -> Findings:
    """Loopback as it is."""
    scores, lost = _race(ground, None)
    bytes_each = _mean_size(ground)
    note = (
        f"One Maildir of messages with log-normal sizes (median 8 kB, mean {bytes_each:.0f} kB), one folder, loopback."
    )
    return Findings((_table("Maildir to IMAP, nearby", note, scores, lost),), tuple(_targets(scores, TIMES_MBSYNC, "")))


def far_away(ground: Ground) -> Findings:
    """Through a round trip of 30 ms."""
    scores, lost = _race(ground, ROUND_TRIP)
    note = (
        f"The same through a round trip of {ROUND_TRIP * 1000:.0f} ms. imapsync {tools.IMAPSYNC_AT_30_MS} messages/s: "
        "measured elsewhere, since it is in no Debian release (docs/performance.md)."
    )
    targets = _targets(scores, TIMES_MBSYNC_FAR, ", 30 ms away")
    ours = next((score for score in scores if score.tool is tools.PLAIN), None)
    if ours:
        times = ours.rate / tools.IMAPSYNC_AT_30_MS
        targets.append(at_least("rate beside imapsync's, 30 ms away", times, TIMES_IMAPSYNC_FAR, " x"))
    return Findings((_table("Maildir to IMAP, 30 ms away", note, scores, lost),), tuple(targets))


def on_disk(ground: Ground) -> Findings:
    """Loopback, with everything on a disk: mostly the disk's time to make things durable."""
    scores, lost = _race(ground, None)
    note = f"As nearby, with mail and ledgers on {filesystem(ground.base)}. Dovecot makes each commit durable (fsync)."
    return Findings((_table("Maildir to IMAP, on a disk", note, scores, lost),))


def _race(ground: Ground, round_trip: float | None) -> tuple[list[Score], dict[str, str]]:
    """Every tool `runs` times in turn, so that the machine's moods hit all alike; those that failed, and why.

    A patient one runs once, with fewer messages: that says enough.
    """
    maildirs: dict[int, Path] = {}
    costs: dict[Tool, list[Cost]] = {}
    contents: dict[Tool, str] = {}
    lost: dict[str, str] = {}
    with ground.dovecot() as server:
        for turn in range(ground.runs + 1):  # turn 0 warms up and is not counted
            for tool in tools.available():
                if tool.name in lost or (turn > 1 and tool.patient):
                    continue
                count = 10 if turn == 0 else _count(ground, tool)
                if count not in maildirs:
                    maildirs[count] = mail.maildir(ground.folder("mail") / "maildir", count)
                try:
                    cost, found = _once(ground, server, tool, maildirs[count], round_trip, check=turn <= 1)
                except Failed as error:
                    lost[tool.name] = str(error)
                    say(f"  {tool.name}: {error}")
                    continue
                if turn:
                    costs.setdefault(tool, []).append(cost)
                    contents.setdefault(tool, found)
                    say(f"  {tool.name}: {count:,} messages in {cost.seconds:.2f} s")
    for folder in maildirs.values():
        shutil.rmtree(folder.parent)
    return [Score(tool, _count(ground, tool), _middle(some), contents[tool]) for tool, some in costs.items()], lost


def _once(
    ground: Ground, server: Dovecot, tool: Tool, maildir: Path, round_trip: float | None, *, check: bool
) -> tuple[Cost, str]:
    """One run into a fresh account; how the contents compare, if they shall be checked."""
    work = ground.folder()
    user = ground.user(server)
    copy = work / "maildir"
    shutil.copytree(maildir, copy, copy_function=_link)  # mbsync renames the files that it has seen
    mail.touch(copy, mail.LONG_AGO)
    try:
        with SlowLink(server.port, round_trip) if round_trip else nullcontext() as link:
            errand = Errand(copy, link.port if link else server.port, user, PASSWORD, work)
            ready = tool.prepare(errand)
            cost = run(ready.command, folder=work, environment=dict(ready.environment))
        found = str(compare(maildir, server.port, user, PASSWORD)) if check else ""
    finally:
        shutil.rmtree(work)
        shutil.rmtree(server.maildir(user), ignore_errors=True)
    return cost, found


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def _count(ground: Ground, tool: Tool) -> int:
    return ground.scaled(PATIENT_MESSAGES if tool.patient else MESSAGES)


def _middle(costs: Sequence[Cost]) -> Cost:
    """The run of median length, the slower one of two in the middle."""
    return sorted(costs, key=lambda cost: cost.seconds)[len(costs) // 2]


def _mean_size(ground: Ground) -> float:
    """In kB."""
    some = list(mail.sizes(ground.scaled(MESSAGES)))
    return sum(some) / len(some) / 1000


def _table(title: str, note: str, scores: Sequence[Score], lost: dict[str, str]) -> Table:
    rows = [score.row() for score in scores]
    rows += [(name, "", "", "", "", "", "", "failed") for name in lost]
    return Table(title, _COLUMNS, tuple(rows), note)


def _targets(scores: Sequence[Score], times: float, where: str) -> list[Target]:
    by_tool = {score.tool: score for score in scores}
    if tools.PLAIN not in by_tool or tools.MBSYNC not in by_tool:
        return []
    ours, theirs = by_tool[tools.PLAIN], by_tool[tools.MBSYNC].rate
    out = [at_least(f"rate beside mbsync's{where}, start-up included", ours.rate / theirs, times, " x")]
    if ours.moving is not None:
        out.insert(0, at_least(f"rate beside mbsync's{where}, while moving", ours.moving / theirs, times, " x"))
    return out
