"""One run at a time: a job is held by the process that works on it, and freed when that process dies."""

from __future__ import annotations

import fcntl
import os
import socket
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from liberate.errors import Busy, PlanError

_SHARED = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "glusterfs"})


def refuse_network_folder(folder: Path, mounts: Path = Path("/proc/mounts")) -> None:
    """Raise PlanError if `folder` is on a network file system: SQLite's locks do not hold there."""
    try:
        lines = mounts.read_text(errors="replace").splitlines()
    except OSError:
        return
    best, kind = "", ""
    there = str(folder.resolve())
    for line in lines:
        _, where, what, *_ = [*line.split(" "), "", ""]
        where = where.replace("\\040", " ")
        inside = there == where or there.startswith(where.rstrip("/") + "/")
        if inside and len(where) >= len(best):
            best, kind = where, what
    if kind in _SHARED:
        raise PlanError(
            f"The job's folder {folder} is on a network file system ({kind}), where a ledger file can be damaged. "
            "Choose a folder on a local disk with --job, or a PostgreSQL ledger in the plan."
        )


class Hold:
    """The right to work on a job. Raises Busy if another process has it, PlanError if its folder cannot be used."""

    def __init__(self, job: str, folder: Path) -> None:
        self._connection: sa.Connection | None = None
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise PlanError(
                f"The job's folder {folder} cannot be written ({error.strerror}). "
                "Check its owner, its permissions and its disk, then run the same command again."
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            who = os.read(self._file, 200).decode(errors="replace").strip()
            os.close(self._file)
            raise Busy(self._taken(job, who)) from None
        with suppress(OSError):  # a full disk: the lock holds without a name in it
            os.ftruncate(self._file, 0)
            os.write(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())

    def hold_database(self, job: str, engine: sa.Engine) -> None:
        """Hold the job's ledger in a database too, for processes on other machines.

        A session's advisory lock: the server frees it when the connection ends.
        """
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        number = zlib.crc32(f"liberate {job}".encode())
        if not self._connection.scalar(sa.select(sa.func.pg_try_advisory_lock(number))):
            self.release()
            raise Busy(self._taken(job, ""))

    @staticmethod
    def _taken(job: str, who: str) -> str:
        by = f" ({who})" if who else ""
        return f"Another run{by} is working on the job {job}. Wait for it to end, or stop it, then run this again."

    def release(self) -> None:
        """Let others have it. A second call does nothing."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: Any) -> None:
        self.release()
