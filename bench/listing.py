"""What the core makes of a tree of very many files: its memory, and the time in which it finds nothing new."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import generated
from bench.ground import Ground, say
from bench.measure import Cost, Failed, run
from bench.report import Findings, Table, below, megabytes
from bench.tools import LIBERATE, items_moved

FILES = 200_000
MEGABYTES = 150
SECONDS = 5.0
_COLUMNS = ("pass", "items", "seconds", "the source's listing", "besides it", "CPU s", "MB")


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
    there = bare[0][0]
    first = passed(there)
    say(f"  first pass: {first.seconds:.1f} s, {megabytes(first.memory)} MB")
    second: list[Cost] = []
    for turn in range(ground.runs):
        bare.append(_bare(count, work, environment))
        second.append(passed(0))
        say(f"  nothing new, run {turn + 1}: {second[-1].seconds:.1f} s, the listing alone {bare[-1][1]:.1f} s")
    shutil.rmtree(work)
    return findings(count, there, first, second, [seconds for _, seconds in bare])


def findings(files: int, there: int, first: Cost, second: Sequence[Cost], bare: Sequence[float]) -> Findings:
    """The table and its targets. `bare` are the seconds of a bare listing before the first and each second pass."""
    middle, alone = middle_besides(second, bare[1:])
    rows = (
        _row("first: everything is recorded and moved", there, first, bare[0]),
        _row("second: nothing is new", there, middle, alone),
    )
    note = (
        f"{files:,} made-up files in {there - files:,} folders, to a destination that keeps nothing, so that the core "
        "is measured. The source's listing is the time in which the same source lists everything by itself, measured "
        "just before each pass; besides it is what then remains of the whole command, its start-up included."
    )
    what = f"{files:,} files in {there - files:,} folders"
    return Findings(
        (Table("A tree of many files", _COLUMNS, rows, note),),
        (
            below(f"memory: {what}, listed and moved", round(first.memory / 1e6), MEGABYTES, " MB"),
            below(f"memory: {what}, nothing new", round(max(c.memory for c in second) / 1e6), MEGABYTES, " MB"),
            below("second run: as many files, besides the source's listing", middle.seconds - alone, SECONDS, " s"),
        ),
    )


def middle_besides(costs: Sequence[Cost], bare: Sequence[float]) -> tuple[Cost, float]:
    """Of passes and the bare listing before each, the pair of median length without the listing."""
    pairs = sorted(zip(costs, bare, strict=True), key=lambda pair: pair[0].seconds - pair[1])
    return pairs[len(pairs) // 2]


def _row(name: str, there: int, cost: Cost, bare: float) -> tuple[str, ...]:
    return (
        name, f"{there:,}", f"{cost.seconds:.2f}", f"{bare:.2f}", f"{cost.seconds - bare:.2f}",
        f"{cost.processor:.2f}", megabytes(cost.memory),
    )  # fmt: skip


def _bare(count: int, work: Path, environment: dict[str, str]) -> tuple[int, float]:
    """How many items the source lists, and how long that takes where nothing is done with them."""
    cost = run((sys.executable, "-m", generated.__name__, str(count)), folder=work, environment=environment)
    there, seconds = cost.output[-1][1].split()
    return int(there), float(seconds)
