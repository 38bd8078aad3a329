"""What the packaging tests share: where the project is, what was built of it and where it is installed."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Built:
    wheel: Path
    sdist: Path


@dataclass(frozen=True, slots=True)
class Installed:
    """A clean environment that holds the wheel; third-party packages are those of this one."""

    python: Path

    def run(self, *words: str, code: int = 0) -> str:
        """What `python WORDS` prints on stdout, run away from the source tree; its exit code must be `code`."""
        done = subprocess.run(
            [self.python, "-P", *words], capture_output=True, text=True, cwd=self.python.parent, timeout=60, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout
