"""A co-op and its server for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from acceptance_kit import Coop, Server
from liberate_imap.sandbox import Dovecot, Options


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Callable[..., Coop]]:
    """Founds a co-op whose server has these Options."""
    if not Dovecot.installed():
        why = "Dovecot is not installed: apt-get install dovecot-imapd"
        if os.environ.get("LIBERATE_REQUIRE_DOVECOT"):
            pytest.fail(why)
        pytest.skip(why)
    with ExitStack() as up:

        def make(batch: int = 100, **options: object) -> Coop:
            # No test cuts the machine's power, and disks differ: what is written need not be flushed.
            wanted = Options(config="mail_fsync = never\n", **options)  # type: ignore[arg-type]
            return Coop(tmp_path, up.enter_context(Server(options=wanted)), batch)

        yield make
