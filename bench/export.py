"""What a huge export of Slack costs: its memory, and the time in which nothing new is found in it."""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from liberate_slack.standin.export import Shape, make_export

from bench import generated
from bench.ground import Ground, say
from bench.measure import Cost, Failed, run
from bench.report import Findings, Table, below, figure, megabytes
from bench.tools import LIBERATE, items_moved

MESSAGES = 1_000_000
MEGABYTES = 150
SECONDS = 10.0
_CHANNELS = 3  # and five other conversations, as make_export makes them
_STEP = 60  # seconds between two messages of a room
_COLUMNS = ("pass", "messages", "seconds", "messages/s", "CPU s", "MB")


def export(ground: Ground) -> Findings:
    """A first pass over an export, and passes over the same one again."""
    work = ground.folder()
    each = ground.scaled(MESSAGES) // (_CHANNELS + 5)
    # In a process of its own: what it remembers of each message would count as memory of what is measured.
    with ProcessPoolExecutor(1, get_context("spawn")) as other:
        count, rooms = other.submit(_made, work / "export.zip", each).result()
    environment = generated.installed(ground.folder("connectors"))
    command = (LIBERATE, "migrate", f"slack-export:{work / 'export.zip'}", "nowhere:", "--job", work / "job", "--json")

    def passed(moving: int) -> Cost:
        cost = run(command, folder=work, environment=environment)
        if items_moved(cost) != moving:
            raise Failed(f"{items_moved(cost)} messages were moved instead of {moving}.")
        return cost

    first = passed(count)
    say(f"  first pass: {first.seconds:.1f} s, {megabytes(first.memory)} MB")
    again = sorted((passed(0) for _ in range(ground.runs)), key=lambda cost: cost.seconds)
    second = again[len(again) // 2]
    say(f"  nothing new: {second.seconds:.1f} s, {megabytes(second.memory)} MB")
    size = (work / "export.zip").stat().st_size
    shutil.rmtree(work)
    rows = (
        ("first: everything is recorded and moved", f"{count:,}", *_figures(count, first)),
        ("second: nothing is new", f"{count:,}", *_figures(count, second)),
    )
    note = (
        f"A made-up export of {count:,} messages in {rooms} conversations, a ZIP of {size / 1e6:.0f} MB, "
        "to a destination that keeps nothing. Nobody asks Slack for anything."
    )
    return Findings(
        (Table("A huge export of Slack", _COLUMNS, rows, note),),
        (
            below(f"memory: an export of {count:,} messages", round(first.memory / 1e6), MEGABYTES, " MB"),
            below("memory: the same, nothing new", round(max(c.memory for c in again) / 1e6), MEGABYTES, " MB"),
            below("second run over the same export", second.seconds, SECONDS, " s"),
        ),
    )


def _made(path: Path, each: int) -> tuple[int, int]:
    """Write the export; how many messages and conversations it holds."""
    made = make_export(path, Shape(messages=each, channels=_CHANNELS, plain=True, step=_STEP))
    return sum(map(len, made.said.values())), len(made.rooms)


def _figures(count: int, cost: Cost) -> tuple[str, ...]:
    return figure(cost.seconds), figure(count / cost.seconds), f"{cost.processor:.1f}", megabytes(cost.memory)
