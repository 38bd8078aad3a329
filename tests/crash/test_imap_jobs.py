"""Jobs into a real Dovecot that are killed at the ledger's steps and at the writer's, then run again."""

from __future__ import annotations

import imaplib
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import imap_job
import pytest
from liberate_imap.sandbox import Dovecot, Options

from liberate.testing.crash import Trial, survives, victims

HERE = str(Path(__file__).parent)
MESSAGES = [
    b"Subject: one\n\nhello\n",
    b"Subject: twin\r\n\r\nthe same\r\n",
    b"Subject: twin\r\n\r\nthe same\r\n",
    b"\n",
    b"Subject: long\n\n" + b"0123456789\n" * 400,
    b"no header at all \xff\xe4\n",
]


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    if not Dovecot.installed():
        why = "Dovecot is not installed: apt-get install dovecot-imapd"
        if os.environ.get("LIBERATE_REQUIRE_DOVECOT"):
            pytest.fail(why)
        pytest.skip(why)
    with Dovecot(options=Options(config="mail_fsync = never\n")) as server:
        yield server


def maildir_of(folder: Path) -> dict[str, Any]:
    """A Maildir with a folder, for a source."""
    for n, body in enumerate(MESSAGES):
        box = folder / (".Work" if n % 3 == 2 else "")
        for name in ("cur", "new", "tmp"):
            (box / name).mkdir(parents=True, exist_ok=True)
        file = box / "cur" / f"1700000{n:03}.M{n}.host:2,{'S' if n % 2 else ''}"
        file.write_bytes(body)
        os.utime(file, (1_700_000_000 + n, 1_700_000_000 + n))
    return {"source": "maildir", "maildir": str(folder)}


def mailbox_of(server: Dovecot) -> dict[str, Any]:
    """An account on the server, for a source."""
    server.user("origin", imap_job.PASSWORD)
    client = imaplib.IMAP4("127.0.0.1", server.port)
    client.login("origin", imap_job.PASSWORD)
    client.create("Work")
    for n, body in enumerate(MESSAGES):
        if body.strip():
            client.append("Work" if n % 3 == 2 else "INBOX", "(\\Seen)" if n % 2 else "", "", body)  # type: ignore[arg-type]
    client.logout()
    return {"source": "imap", "source_port": server.port, "account": "origin"}


def trials(server: Dovecot, folder: Path, argument: dict[str, Any]) -> Callable[[str], Trial]:
    """Makes jobs, each with an account and a ledger of its own."""

    def fresh(name: str) -> Trial:
        account = f"{argument['source']}-{folder.name}-{name}"[-60:]
        server.user(account, imap_job.PASSWORD)
        own = {**argument, "folder": str(folder / name), "destination": account, "port": server.port}
        return Trial(
            lambda step: imap_job.run(own, step),
            lambda: imap_job.contents(server.port, account),
            own,
            partial(time.sleep, 0.05),
        )

    return fresh


def source_of(kind: str, server: Dovecot, folder: Path) -> dict[str, Any]:
    if kind == "maildir":
        return maildir_of(folder / "mail")
    return mailbox_of(server) if kind == "imap" else {"source": "labels"}


def something_was_done(_number: int, what: str) -> bool:
    """Dying before an act, or before it is committed, leaves what dying after the act before it leaves."""
    return what in {
        "after line", "after literal", "after name", "after prepared", "after listed", "after intend", "after written",
    }  # fmt: skip


@pytest.mark.dovecot
def test_a_process_that_is_killed_after_a_step_loses_and_doubles_nothing(dovecot: Dovecot, tmp_path: Path) -> None:
    fresh = trials(dovecot, tmp_path, source_of("labels", dovecot, tmp_path))
    with victims("imap_job:run", [HERE]) as doomed:
        taken = survives(
            fresh,
            doomed,
            only=lambda number, what: number % 5 == 0 and something_was_done(number, what),  # all: make torture
        )
    assert {"after literal", "after intend", "reply OK"} <= set(taken)


@pytest.mark.dovecot
@pytest.mark.torture
@pytest.mark.parametrize("kind", ["maildir", "labels", "imap"])
def test_a_process_that_is_killed_at_any_step_loses_and_doubles_nothing(
    dovecot: Dovecot, tmp_path: Path, kind: str
) -> None:
    fresh = trials(dovecot, tmp_path, source_of(kind, dovecot, tmp_path))
    with victims("imap_job:run", [HERE]) as doomed:
        survives(fresh, doomed)
