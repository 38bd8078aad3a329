"""The benchmark itself, with a handful of messages."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from liberate_imap.sandbox import Dovecot

from bench import mail, speed
from bench.__main__ import main
from bench.contents import compare
from bench.ground import PASSWORD, ground

OPEN = Path(tempfile.gettempdir())  # pytest's own folders are closed to the user that Dovecot reads mail as
needs_dovecot = pytest.mark.skipif(not Dovecot.installed(), reason="needs Dovecot: apt-get install dovecot-imapd")


def test_the_same_mail_is_written_at_every_run(tmp_path: Path) -> None:
    first, second = (mail.maildir(tmp_path / name, 20) / "cur" for name in ("first", "second"))
    written = {path.name: path.read_bytes() for path in first.iterdir()}
    assert written == {path.name: path.read_bytes() for path in second.iterdir()}
    assert len(written) == 20
    assert len(set(written.values())) == 20


@pytest.mark.dovecot
@needs_dovecot
def test_every_program_that_is_there_moves_every_message() -> None:
    with ground(OPEN, runs=1, share=200) as here:
        (table,) = speed.nearby(here).tables
        assert not any((here.base).glob("*/maildir")), "what was made is removed"
    contents = {row[0]: row[-1] for row in table.rows}
    assert contents["bare loop of MULTIAPPEND x 50"] == "unaltered"
    assert contents["liberate"] == "unaltered"
    assert contents["liberate, each message read back"] == "unaltered"
    assert set(contents.values()) <= {"unaltered", "a header inserted"}


@pytest.mark.dovecot
@needs_dovecot
def test_a_message_that_did_not_arrive_is_told(tmp_path: Path) -> None:
    maildir = mail.maildir(tmp_path / "maildir", 3)
    with ground(OPEN, runs=1, share=1) as here, here.dovecot() as server:
        found = compare(maildir, server.port, here.user(server), PASSWORD)
    assert str(found) == "of 3: 0 unaltered, 0 marked, 0 other"


@pytest.mark.dovecot
@needs_dovecot
def test_one_part_is_measured_and_nothing_stays_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--only", "startup", "--runs", "1", "--mail", str(tmp_path)])
    told = capsys.readouterr().out
    assert "| liberate --help |" in told
    assert code in (0, 1)  # a busy machine may miss the target
    assert list(tmp_path.iterdir()) == []
