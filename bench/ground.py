"""The ground that is measured on: folders, their file systems, the machine, one Dovecot."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from liberate_imap.sandbox import Dovecot

from bench.tools import versions

MEMORY_DISK = Path("/dev/shm")  # noqa: S108 - a new folder of our own in it
DISK = Path("/var/tmp")  # noqa: S108 - on a disk by the Filesystem Hierarchy Standard, unlike /tmp
ROOM = 9_000_000_000  # bytes that a whole run may take at a time: the large file, its pieces, and both at the server
PROGRAMS = 3_000_000_000  # bytes of memory besides, for what is measured and for the servers
PASSWORD = "secret"


@dataclass(frozen=True, slots=True)
class Ground:
    """Where mail, ledgers and the server's own files lie, and how much is measured there."""

    base: Path  # empty, and removed afterwards
    runs: int = 3
    share: int = 1  # one message in so many

    _numbers: Iterator[int] = field(default_factory=count)

    def scaled(self, messages: int) -> int:
        """How many messages to take where a full run takes `messages`."""
        return max(10, messages // self.share)

    def folder(self, name: str = "work") -> Path:
        """A new empty folder."""
        path = self.base / f"{name}-{next(self._numbers)}"
        path.mkdir()
        return path

    @contextmanager
    def dovecot(self) -> Iterator[Dovecot]:
        """A fresh server that keeps its mail on this ground."""
        folder = self.folder("dovecot")
        try:
            with Dovecot(folder) as server:
                yield server
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def user(self, server: Dovecot) -> str:
        """A new account with an empty mailbox."""
        name = f"user{next(self._numbers)}"
        server.user(name, PASSWORD)
        return name


@contextmanager
def ground(parent: Path, runs: int, share: int) -> Iterator[Ground]:
    """A ground in a new folder under `parent`, which is removed afterwards."""
    base = Path(tempfile.mkdtemp(prefix="liberate-bench-", dir=parent))
    base.chmod(0o711)  # as root, Dovecot reads mail as another user
    try:
        yield Ground(base, runs, share)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def usual_parent() -> Path:
    """A folder in memory, where no disk's moods are measured; on a machine without, one on the disk."""
    if filesystem(MEMORY_DISK) != "tmpfs" or shutil.disk_usage(MEMORY_DISK).free <= ROOM:
        return DISK
    return MEMORY_DISK if _available() > ROOM + PROGRAMS else DISK


def filesystem(path: Path) -> str:
    """The type of file system that holds the path: "tmpfs", "ext4"; "unknown" where nothing tells."""
    try:
        lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return "unknown"
    mounts = {words[1]: words[2] for words in (line.split() for line in lines)}  # the last one is on top
    real = path.resolve()
    return next((mounts[str(one)] for one in (real, *real.parents) if str(one) in mounts), "unknown")


def _available() -> int:
    """Bytes of memory that could be had; 0 where nothing tells."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="utf-8")
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("MemAvailable:")), 0)


def machine(base: Path) -> str:
    """One paragraph on what was measured on."""
    model = next(
        (line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")), platform.machine()
    )
    said = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, check=False, env=_with_sbin())
    programs = versions() | {"Dovecot": (said.stdout.split() or ["of unknown version"])[0]}
    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores ({model}), {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {number}" for name, number in programs.items())
        + f". Mail and ledgers on {filesystem(base)}. Load before: {load:.1f}."
    )


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


def _with_sbin() -> dict[str, str]:
    return {**os.environ, "PATH": os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"}


def say(text: str) -> None:
    """Tell the person who waits."""
    print(text, file=sys.stderr, flush=True)
