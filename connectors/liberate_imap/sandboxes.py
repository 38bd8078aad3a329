"""What `liberate sandbox` and `liberate demo` start for IMAP: a real Dovecot, where it is installed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from liberate.errors import PlanError
from liberate.sandbox import Running, Sandbox
from liberate_imap.sandbox import Dovecot


def _missing() -> str | None:
    return None if Dovecot.installed() else "Install it: apt-get install dovecot-imapd"


@contextmanager
def _dovecot(folder: Path, accounts: Sequence[str]) -> Iterator[Running]:
    with Dovecot(_home(folder.absolute())) as server:
        for account in accounts:
            server.user(account)
        master = folder / "master-password"
        master.unlink(missing_ok=True)
        master.touch(mode=0o600)
        master.write_text(server.master("migrator") + "\n", encoding="utf-8")
        settings: dict[str, str | int | dict[str, str]] = {
            "connector": "imap",
            "host": "127.0.0.1",
            "port": server.port,
            "security": "none",  # this machine only
            "master_user": "migrator",
            "master_password": {"file": str(master.absolute())},
        }
        yield Running(settings)


def _home(folder: Path) -> Path:
    """Where the server keeps its mail: under `folder`, or where its user may go if that user may not go there.

    As root, Dovecot reads mail as another user, and people work in home folders that are closed to others.
    """
    if os.geteuid() != 0 or all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents)):
        return folder / "server"
    home = Path(tempfile.gettempdir()) / f"liberate-dovecot-{sha256(os.fsencode(folder)).hexdigest()[:12]}"
    home.mkdir(mode=0o711, exist_ok=True)
    found = home.lstat()
    if home.is_symlink() or found.st_uid != os.geteuid():  # somebody else's: anybody may make folders there
        raise PlanError(f"{home} belongs to somebody else. Remove it, or name another folder with --directory.")
    (folder / "server").unlink(missing_ok=True)
    (folder / "server").symlink_to(home)
    return home


dovecot = Sandbox("dovecot", "Dovecot, a real IMAP server", "destination", _dovecot, _missing)
