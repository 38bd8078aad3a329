"""How fast a folder of small files gets into a Nextcloud, beside rclone and bare loops."""

from __future__ import annotations

import random
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import uploads
from bench.cloud import cloud
from bench.ground import Ground, say
from bench.measure import Cost
from bench.report import Findings, Table, Target, at_least, at_most, figure, megabytes
from bench.tools import moving_rate
from bench.uploads import BULK, CURL, EACH, NO_BULK, OURS, PUT, RCLONE, Uploader

FILES, FOLDERS = 1_000, 20
TIMES_RCLONE = 8.0
TIMES_RCLONE_ALIKE = 1.0  # where each file is a request of its own, as rclone sends them
TIMES_BULK = 1.0
TIMES_PROCESSOR = 2.0
TOOLS = (RCLONE, PUT, NO_BULK, BULK, OURS, CURL, EACH)
_COLUMNS = ("program", "files", "seconds", "files/s", "from receipt to receipt", "CPU s", "MB", "arrived")


def tree(folder: Path, files: int) -> Path:
    """So many files of 0.2 to 16 kB in 20 folders, the same at every call."""
    chance = random.Random(7)
    for number in range(files):
        place = folder / f"folder {number % FOLDERS:02}"
        place.mkdir(parents=True, exist_ok=True)
        size = int(min(16_000, max(200, chance.lognormvariate(7.6, 1.0))))
        (place / f"file {number:04}.bin").write_bytes(chance.randbytes(size))
    return folder


def files(ground: Ground) -> Findings:
    """Many small files."""
    count = ground.scaled(FILES)
    here = tree(ground.folder("files"), count)
    costs: dict[Uploader, list[Cost]] = {}
    arrived: dict[Uploader, int] = {}
    with cloud(ground.folder("cloud")) as server:
        for turn in range(ground.runs):
            for tool in TOOLS:
                if (tool.once and turn) or (tool.program and shutil.which(tool.program) is None):
                    continue
                cost, there = uploads.once(ground, server, tool, here)
                costs.setdefault(tool, []).append(cost)
                arrived[tool] = min(there, arrived.get(tool, there))
                say(f"  {tool.name}, run {turn + 1}: {cost.seconds:.1f} s")
    return findings(count, server.what, costs, arrived)


def findings(
    count: int, where: str, costs: Mapping[Uploader, Sequence[Cost]], arrived: Mapping[Uploader, int]
) -> Findings:
    """The table, of each program its run of median length, and what shall hold of those that were there."""
    middle = {tool: sorted(some, key=lambda cost: cost.seconds)[len(some) // 2] for tool, some in costs.items()}
    rows = tuple(
        (
            tool.name, f"{count:,}", f"{cost.seconds:.1f}", figure(count / cost.seconds),
            figure(moving_rate(cost) if tool.ours else None), f"{cost.processor:.1f}", megabytes(cost.memory),
            "all" if arrived[tool] == count else f"{arrived[tool]:,} of {count:,}",
        )
        for tool, cost in middle.items()
    )  # fmt: skip
    note = f"Files of 0.2 to 16 kB (log-normal) in {FOLDERS} folders, to {where}, with an app password."
    targets: list[Target] = []

    def beside(what: str, tool: Uploader, peer: Uploader, times: float) -> None:
        if tool in middle and peer in middle:
            targets.append(at_least(what, middle[peer].seconds / middle[tool].seconds, times, " x"))

    beside("files/s beside rclone's", OURS, RCLONE, TIMES_RCLONE)
    beside("files/s beside rclone's, without bulk upload", NO_BULK, RCLONE, TIMES_RCLONE_ALIKE)
    if OURS in middle and BULK in middle and (rate := moving_rate(middle[OURS])) is not None:
        what = "files/s beside the bare bulk loop's, while moving"
        targets.append(at_least(what, rate * middle[BULK].seconds / count, TIMES_BULK, " x"))
    beside("files/s beside the bare bulk loop's, start-up included", OURS, BULK, TIMES_BULK)
    for how, peer in (("for each", EACH), ("for all", CURL)):
        if OURS in middle and peer in middle:
            times = middle[OURS].processor / middle[peer].processor
            what = f"processor time, small files, beside a sha256sum and a curl {how}"
            targets.append(at_most(what, times, TIMES_PROCESSOR, " x"))
    return Findings((Table("Small files into a Nextcloud", _COLUMNS, rows, note),), tuple(targets))
