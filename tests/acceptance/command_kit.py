"""The command as somebody runs it in the folder of a plan, to its end or to the moment at which it is killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Commanded:
    """A plan's folder, and what the command finds in its environment there."""

    folder: Path
    environment: dict[str, str]

    def command(self, *words: str) -> subprocess.Popen[str]:
        """`liberate` as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", "from liberate_cli.main import main; main()", *words],
            cwd=self.folder, env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, dict[str, Any]]:
        """The command with --json to its end: its exit code and the report."""
        with self.command(*words, "--json", "--quiet") as process:
            out, err = process.communicate(timeout=3600)
        assert "Traceback" not in err, err
        report: dict[str, Any] = {}
        for line in out.splitlines():
            event = json.loads(line)
            report = event.get("report", report)
        assert report, (out, err)
        return process.returncode, report

    def killed(self, items: int) -> bool:
        """Start the move and kill it (SIGKILL) once it has told of so many items; False if it ended before."""
        return self.during(items, lambda process: process.send_signal(signal.SIGKILL)) is not None

    def during(self, items: int, act: Callable[[subprocess.Popen[str]], None]) -> int | None:
        """Start the move, act once it has told of so many items, and wait for its end: its exit code.

        None if it ended before that.
        """
        moved, acted = 0, False
        with self.command("migrate", "--json") as process:
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                moved += event["items"] if event["event"] == "moved" else 0
                if moved >= items and not acted:
                    acted = True
                    act(process)
        return process.returncode if acted else None
