"""What the core makes of a tree of very many files: its memory, and the time in which it finds nothing new."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import generated
from bench.ground import Ground, say
from bench.measure import Cost, Failed, run
from bench.report import Findings, Table, below, megabytes
from bench.tools import LIBERATE, items_moved

FILES = 200_000
MEGABYTES = 150
SECONDS = 5.0
_COLUMNS = ("pass", "items", "seconds", "the listing", "besides it", "CPU s", "the listing", "besides it", "MB")


@dataclass(frozen=True, slots=True)
class Bare:
    """A listing by itself, with which nothing is done; its start-up does not count."""

    items: int
    seconds: float
    processor: float  # seconds


def listing(ground: Ground) -> Findings:
    """A first pass over made-up files, and passes over the same ones again."""
    count = ground.scaled(FILES)
    work = ground.folder()
    environment = generated.installed(ground.folder("connectors"))
    command = (LIBERATE, "migrate", f"generated:{count}", "nowhere:", "--job", work / "job", "--json")

    def passed(moving: int) -> Cost:
        cost = run(command, folder=work, environment=environment)
        if items_moved(cost) != moving:
            raise Failed(f"{items_moved(cost)} items were moved instead of {moving}.")
        return cost

    bare = [_bare(count, work, environment)]
    there = bare[0].items
    first = passed(there)
    say(f"  first pass: {first.seconds:.1f} s, {megabytes(first.memory)} MB")
    second: list[Cost] = []
    for turn in range(ground.runs):
        bare.append(_bare(count, work, environment))
        second.append(passed(0))
        say(f"  nothing new, run {turn + 1}: {second[-1].seconds:.1f} s, the listing alone {bare[-1].seconds:.1f} s")
    shutil.rmtree(work)
    return findings(count, first, second, bare)


def findings(files: int, first: Cost, second: Sequence[Cost], bare: Sequence[Bare]) -> Findings:
    """The table and its targets. `bare` are the listings before the first and before each second pass."""
    folders = bare[0].items - files
    middle, alone = middle_besides(second, bare[1:])
    besides = middle.seconds - alone.seconds
    rows = (
        _row("first: everything is recorded and moved", first, bare[0]),
        _row("second: nothing is new", middle, alone),
    )
    note = (
        f"{files:,} made-up files in {folders:,} folders, to a destination that keeps nothing, so that the core "
        "is measured. The listing is the time in which the same source lists everything by itself, measured "
        "just before each pass; besides it is what then remains of the whole command, its start-up included."
    )
    what = f"{files:,} files in {folders:,} folders"
    return Findings(
        (Table("A tree of many files", _COLUMNS, rows, note),),
        (
            below(f"memory: {what}, listed and moved", round(first.memory / 1e6), MEGABYTES, " MB"),
            below(f"memory: {what}, nothing new", round(max(c.memory for c in second) / 1e6), MEGABYTES, " MB"),
            below("second run: as many files, besides the source's listing", besides, SECONDS, " s"),
        ),
    )


def middle_besides(costs: Sequence[Cost], bare: Sequence[Bare]) -> tuple[Cost, Bare]:
    """Of passes and the bare listing before each, the pair of median length without the listing."""
    pairs = sorted(zip(costs, bare, strict=True), key=lambda pair: pair[0].seconds - pair[1].seconds)
    return pairs[len(pairs) // 2]


def _row(name: str, cost: Cost, bare: Bare) -> tuple[str, ...]:
    return (
        name, f"{bare.items:,}", f"{cost.seconds:.2f}", f"{bare.seconds:.2f}", f"{cost.seconds - bare.seconds:.2f}",
        f"{cost.processor:.2f}", f"{bare.processor:.2f}", f"{cost.processor - bare.processor:.2f}",
        megabytes(cost.memory),
    )  # fmt: skip


def _bare(count: int, work: Path, environment: dict[str, str]) -> Bare:
    cost = run((sys.executable, "-m", generated.__name__, str(count)), folder=work, environment=environment)
    items, seconds, processor = cost.output[-1][1].split()
    return Bare(int(items), float(seconds), float(processor))
