"""Runs one command and says what it cost: time on the wall, processor time, memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 3600.0


class Failed(Exception):
    """A measured command did not do what it was started for."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run of one command cost."""

    seconds: float  # on the wall, from before the process starts until it has ended
    processor: float  # seconds, user and system, of the process and of its children
    memory: int  # bytes: the largest resident set. Never less than this program's own, see run()
    output: tuple[tuple[float, str], ...]  # each line of stdout, and the second in which it came


def run(
    command: Sequence[str | Path],
    *,
    folder: Path,
    environment: Mapping[str, str] | None = None,
    patience: float = PATIENCE,
) -> Cost:
    """Run the command in `folder`. Raises Failed if it fails or takes longer than `patience` seconds.

    A process starts as an image of the one that starts it, and Linux counts that image in ru_maxrss
    (getrusage(2); fs/exec.c): a program smaller than this one is shown as large as this one. So
    nothing large may be held here while something is measured.
    """
    lines: list[tuple[float, str]] = []
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=_environment(environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
        )
        watch = threading.Timer(patience, process.kill)
        watch.start()
        try:
            if process.stdout is not None:
                for line in process.stdout:
                    lines.append((time.perf_counter() - began, line.rstrip("\n")))
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - began
            process.returncode = os.waitstatus_to_exitcode(status)
        finally:
            watch.cancel()
            if process.returncode is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if process.returncode != 0:
            errors.seek(0)
            last = (errors.read() + "\n".join(line for _, line in lines))[-600:].strip()
            raise Failed(f"{Path(command[0]).name} ended with {process.returncode}: {last}")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, tuple(lines))


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    """This program's own, without what would make Python compile every module at each start.

    An installed liberate has been compiled; one that is run from its sources is, by the warm-up.
    """
    usual = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**usual, **more}
