"""What `liberate sandbox` and `liberate demo` start of IMAP: a real Dovecot."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from liberate.sandbox import Running, Sandbox
from liberate_imap.sandbox import Dovecot, Options

_MASTER = "migrator"


def _missing() -> str | None:
    return None if Dovecot.installed() else "Dovecot is not installed. Run: apt-get install dovecot-imapd"


@contextmanager
def _start(folder: Path, accounts: Sequence[str]) -> Iterator[Running]:
    secret = folder / "master-password"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(16) + "\n")
    server = Dovecot(folder, Options(sieve=Dovecot.sieves()))
    server.master(_MASTER, secret.read_text().strip())
    for account in accounts:
        server.user(account)
    with server:
        yield Running(
            {
                "connector": "imap",
                "host": "127.0.0.1",
                "port": server.port,
                "security": "none",
                "sieve_port": server.sieve_port,
                "master_user": _MASTER,
                "master_password": {"file": str(secret.absolute())},
            }
        )


dovecot = Sandbox("dovecot", "Dovecot, a real IMAP server", "destination", _start, missing=_missing)
