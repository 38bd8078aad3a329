"""The sandbox's Dovecot: quick, alone, and gone without a trace."""

from __future__ import annotations

import imaplib
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from imap_kit import Mailbox, folder, message, parts, receipts
from liberate_imap.connectors import imap
from liberate_imap.sandbox import Dovecot
from liberate_imap.sandboxes import dovecot

from liberate.connector import Account

pytestmark = pytest.mark.dovecot


@pytest.fixture(autouse=True)
def _installed(server_like: object) -> None:
    """Skips or fails where there is no Dovecot."""


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """A folder that nobody else may enter."""
    path = Path(tempfile.mkdtemp())
    yield path
    shutil.rmtree(path)


def fill(server: Dovecot, password: str) -> None:
    mailbox = Mailbox(server, "anna", password)
    with mailbox.destination() as destination:
        receipts(destination.write_many(iter(parts(destination.prepare(folder("Kept")), [message(1)]))))


def test_what_was_stored_is_there_after_a_restart_a_crash_and_a_new_start(closed_folder: Path) -> None:
    with Dovecot(closed_folder) as server:
        fill(server, server.user("anna", "secret"))
        port = server.port
        server.restart()
        assert Mailbox(server, "anna", "secret").bodies("Kept") == [message(1)]
        server.kill()
        server.start()
        assert server.port == port
        assert Mailbox(server, "anna", "secret").bodies("Kept") == [message(1)]
        assert server.maildir("anna").is_dir()
    with Dovecot(closed_folder) as server:
        server.user("anna", "other")
        assert Mailbox(server, "anna", "other").bodies("Kept") == [message(1)]


def test_nothing_is_left_of_a_temporary_one() -> None:
    server = Dovecot()
    with server:
        server.user("anna")
        folder_of_it = server.folder
        assert folder_of_it.exists()
    assert not folder_of_it.exists()
    server.stop()
    with pytest.raises(OSError, match="refused"), socket.create_connection(("127.0.0.1", server.port), timeout=5):
        pass


def test_accounts_can_be_added_while_it_runs() -> None:
    with Dovecot() as server:
        for n in range(5):
            password = server.user(f"User{n}@Example.coop")
            with imaplib.IMAP4("127.0.0.1", server.port) as session:
                assert session.login(f"user{n}@example.coop", password)[0] == "OK"


def test_the_command_line_can_start_it_and_find_its_mail_again(tmp_path: Path) -> None:
    assert dovecot.missing() is None
    for turn in (1, 2):
        with dovecot.start(tmp_path, ["anna@example.coop"]) as running:
            values = {name: value for name, value in running.connection.items() if name != "connector"}
            settings = imap.settings(**values)
            assert imap.destination is not None
            with imap.destination(settings, Account("anna@example.coop")) as destination:
                place = destination.prepare(folder("A"))
                receipts(destination.write_many(iter(parts(place, [message(turn)]))))  # type: ignore[attr-defined]
                assert destination.mark(place).endswith(f":{turn + 1}")  # type: ignore[attr-defined]


def test_an_ordinary_user_can_run_it() -> None:
    with Dovecot() as server:  # loads whatever an ordinary user might not be allowed to read
        fill(server, server.user("anna"))
    home = tempfile.mkdtemp(prefix="liberate-")
    os.chmod(home, 0o777)  # noqa: S103
    child = os.fork()
    if child == 0:  # a process of its own, so that root can become somebody else
        done = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            tempfile.tempdir = home
            with Dovecot() as server:
                fill(server, server.user("anna"))
            done = 0
        finally:
            os._exit(done)
    status = os.waitpid(child, 0)[1]
    shutil.rmtree(home)
    assert os.waitstatus_to_exitcode(status) == 0
