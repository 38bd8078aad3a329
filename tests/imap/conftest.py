"""Real Dovecots: one for each way of being set up that is asked for, a fresh account for each test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from imap_kit import Mailbox
from liberate_imap.sandbox import Dovecot, Options


@pytest.fixture(scope="session")
def server_like() -> Iterator[Callable[..., Dovecot]]:
    """A running server with these Options; the same one for the same options."""
    if not Dovecot.installed():
        why = "Dovecot is not installed: apt-get install dovecot-imapd"
        if os.environ.get("LIBERATE_REQUIRE_DOVECOT"):
            pytest.fail(why)
        pytest.skip(why)
    with ExitStack() as stack:
        running: dict[str, Dovecot] = {}

        def get(**options: object) -> Dovecot:
            key = repr(sorted(options.items()))
            if key not in running:
                # No test cuts the machine's power, and disks differ: what is written need not be flushed.
                config = f"mail_fsync = never\n{options.pop('config', '')}"
                wanted = Options(config=config, **options)  # type: ignore[arg-type]
                running[key] = stack.enter_context(Dovecot(options=wanted))
            return running[key]

        yield get


@pytest.fixture
def new_mailbox(server_like: Callable[..., Dovecot]) -> Callable[..., Mailbox]:
    """A fresh account on a server with these Options."""
    count = iter(range(1000))

    def make(**options: object) -> Mailbox:
        server = server_like(**options)
        name = f"u{os.urandom(4).hex()}{next(count)}"
        return Mailbox(server, name, server.user(name))

    return make


@pytest.fixture
def mailbox(new_mailbox: Callable[..., Mailbox]) -> Mailbox:
    """A fresh account on a plain server."""
    return new_mailbox()
