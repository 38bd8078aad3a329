"""A PostgreSQL of our own for tests: on a free port of loopback, gone when it is stopped."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liberate.testing.ports import free_port

USER = "liberate"


def programs() -> Path | None:
    """PostgreSQL's own programs, as Debian installs them; None where they are not."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@contextmanager
def running() -> Iterator[str]:
    """The address of a server that trusts USER: "127.0.0.1:port". Its databases sort by bytes. Needs `programs`."""
    there = programs()
    assert there is not None, "PostgreSQL is not installed: apt-get install postgresql"
    folder = Path(tempfile.mkdtemp(prefix="liberate-pg-", dir="/tmp"))
    port = free_port()
    user = _unprivileged(folder)
    data = folder / "data"
    as_user: dict[str, Any] = {"user": user} if user else {}
    made = ("-D", data, "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
    subprocess.run([there / "initdb", *made], check=True, capture_output=True, cwd=folder, **as_user)
    settings = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    start = ("-D", data, "-w", "-l", folder / "log", "-o", settings, "start")
    subprocess.run([there / "pg_ctl", *start], check=True, capture_output=True, cwd=folder, **as_user)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server = int((data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(server, signal.SIGQUIT)  # what it holds is thrown away
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> str | None:
    """PostgreSQL does not run as root: somebody else then owns its folder."""
    if os.getuid() != 0:
        return None
    user = next(name for name in ("postgres", "nobody") if name in {one.pw_name for one in pwd.getpwall()})
    entry = pwd.getpwnam(user)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    return user
