"""What the benchmark says a command cost, and how it tells what it found."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench.measure import Failed, run
from bench.report import Findings, Table, at_least, below, markdown


def test_time_processor_and_memory_are_those_of_the_command(tmp_path: Path) -> None:
    program = "import time; held = bytearray(80 << 20); held[:] = bytes(80 << 20); time.sleep(0.2); print('done')"
    cost = run([sys.executable, "-c", program], folder=tmp_path)
    assert cost.seconds >= 0.2
    assert cost.memory > 80 << 20
    assert 0 < cost.processor < cost.seconds
    assert [line for _, line in cost.output] == ["done"]


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="ended with 4: no such mailbox"):
        run(
            [sys.executable, "-c", "import sys; print('no such mailbox', file=sys.stderr); sys.exit(4)"],
            folder=tmp_path,
        )


def test_a_missed_target_is_told_as_missed() -> None:
    targets = (at_least("rate", 2.5, 3, " x"), below("start-up", 0.11, 0.2, " s"))
    told = markdown([Findings((Table("Speed", ("program", "rate"), (("one", "2.5"),)),), targets)])
    assert "| rate     | at least 3 x | 2.50 x | miss |" in told
    assert "| start-up | under 0.20 s | 0.11 s | PASS |" in told
