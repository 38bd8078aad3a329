"""How long the command takes to say what it can do."""

from __future__ import annotations

from statistics import median

from bench.ground import Ground
from bench.measure import run
from bench.report import Findings, Table, below
from bench.tools import LIBERATE

SECONDS = 0.2
_TIMES = 20


def startup(ground: Ground) -> Findings:
    """The median start of `liberate --help`."""
    run((LIBERATE, "--help"), folder=ground.base)  # the first one may compile
    took = median(run((LIBERATE, "--help"), folder=ground.base).seconds for _ in range(_TIMES))
    rows = (("liberate --help", f"{took:.3f}"),)
    return Findings(
        (Table("Start-up", ("command", "seconds"), rows, f"The median of {_TIMES}."),),
        (below("start-up: liberate --help", took, SECONDS, " s"),),
    )
