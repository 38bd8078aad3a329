"""Each test of the core has a bench of its own, and ledgers in SQLite and in PostgreSQL."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from core_kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "job")


def _programs() -> Path | None:
    """PostgreSQL's own programs, as Debian installs them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server of our own, stopped at the end."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("psycopg")
    folder = Path(tempfile.mkdtemp(prefix="liberate-pg-", dir="/tmp"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = _unprivileged(folder)
    data = folder / "data"
    run = {"user": user} if user else {}
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "liberate", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, cwd=folder, **run,
    )  # fmt: skip
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    subprocess.run(
        [programs / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start"],
        check=True, capture_output=True, cwd=folder, **run,
    )  # fmt: skip
    try:
        yield f"postgresql+psycopg://liberate@127.0.0.1:{port}/postgres"
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


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        return
    import sqlalchemy as sa

    from liberate.ledger_schema import metadata

    url = request.getfixturevalue("postgresql")
    yield url
    engine = sa.create_engine(url)
    metadata.drop_all(engine)
    engine.dispose()
