"""Maildirs that we write are Dovecot's, and Dovecot's are read by us."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from liberate_local.maildir import MaildirSource
from liberate_local.maildir_destination import MaildirDestination

from liberate.connector import Change, Collection, Item, Kind, Place, Receipt, Slot
from liberate.mail import MailFacts

pytestmark = [
    pytest.mark.dovecot,
    pytest.mark.skipif(not shutil.which("doveadm"), reason="Dovecot is not installed: apt install dovecot-imapd"),
]


class Doveadm:
    """Dovecot's own command on one Maildir, without a server. Run by root, it is nobody's: Dovecot refuses root."""

    def __init__(self, folder: Path) -> None:
        self.mail = folder / "mail"
        self._folder = folder
        account = pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())
        self._user, self._group = account.pw_uid, account.pw_gid
        self._config = folder / "dovecot.conf"
        self._config.write_text(
            f"base_dir = {folder}/run\nlog_path = /dev/stderr\nmail_location = maildir:{self.mail}\n"
            f"mail_uid = {self._user}\nmail_gid = {self._group}\nfirst_valid_uid = 1\nfirst_valid_gid = 0\nssl = no\n"
        )

    def __call__(self, *words: str, text: bytes | None = None) -> str:
        if os.getuid() == 0:
            for path in (self._folder, *self._folder.rglob("*")):
                os.chown(path, self._user, self._group)
        done = subprocess.run(
            ["doveadm", "-c", self._config, *words],
            input=text,
            capture_output=True,
            env={**os.environ, "USER": "anna", "HOME": str(self._folder)},
            user=self._user if os.getuid() == 0 else None,
            group=self._group if os.getuid() == 0 else None,
            extra_groups=[] if os.getuid() == 0 else None,
            cwd=self._folder,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@pytest.fixture
def doveadm() -> Iterator[Doveadm]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own cannot be entered by nobody
        yield Doveadm(Path(folder))


def slot(place: Place, number: int, *flags: str, keywords: tuple[str, ...] = ()) -> Slot:
    facts = MailFacts(frozenset(flags), frozenset(keywords), datetime(2020, 1, number, 4, 5, 6, tzinfo=UTC))
    return Slot(Item(str(number), Kind.MAIL, "", facts=facts), place, "", f"{number:032x}")


def test_dovecot_shows_what_we_delivered(doveadm: Doveadm) -> None:
    maildir = MaildirDestination(doveadm.mail)
    inbox = maildir.prepare(Collection("", (), Kind.MAIL))
    deep = maildir.prepare(Collection("w", ("Übersicht", "R&D"), Kind.MAIL))
    outcomes = list(
        maildir.write_many(
            [
                (slot(inbox, 1, "\\Seen", "\\Flagged", keywords=("$Forwarded", "Work")), b"Subject: one\n\nx\n"),
                (slot(deep, 2), b"Subject: two\r\n\r\ny\r\n"),
            ]
        )
    )
    assert all(isinstance(receipt, Receipt) for _, receipt in outcomes)
    assert {"INBOX", "Übersicht.R&D"} <= set(doveadm("mailbox", "list", "-8").split("\n"))
    shown = doveadm("-f", "tab", "fetch", "hdr.subject flags date.received", "mailbox", "INBOX")
    _, line = shown.splitlines()
    subject, flags, received = line.split("\t")
    assert subject == "one"
    assert set(flags.split()) - {"\\Recent"} == {"\\Flagged", "\\Seen", "$Forwarded", "Work"}
    assert received.startswith("2020-01-01 04:05:06") or os.environ.get("TZ")


def test_flags_that_dovecot_sets_are_read_and_kept(doveadm: Doveadm) -> None:
    maildir = MaildirDestination(doveadm.mail)
    inbox = maildir.prepare(Collection("", (), Kind.MAIL))
    first = slot(inbox, 1, "\\Seen", keywords=("Work",))
    [(_, receipt)] = maildir.write_many([(first, b"Subject: one\n\nx\n")])
    assert isinstance(receipt, Receipt)
    doveadm("flags", "add", "\\Answered Later", "mailbox", "INBOX", "all")
    changed = slot(inbox, 1, "\\Seen", "\\Flagged", keywords=("Other",))
    assert list(maildir.update([Change(changed, receipt, first.item.facts)])) == [(changed, receipt)]
    source = MaildirSource(doveadm.mail)
    [collection] = source.collections()
    [item] = [thing for thing in source.items(collection, None) if isinstance(thing, Item)]
    assert item.facts.flags == {"\\Seen", "\\Answered", "\\Flagged"}
    assert item.facts.keywords == {"Later", "Other"}
    assert set(doveadm("fetch", "flags", "mailbox", "INBOX").split()[1:]) - {"\\Recent"} == {
        "\\Seen", "\\Answered", "\\Flagged", "Later", "Other",
    }  # fmt: skip


def test_what_dovecot_delivers_and_names_is_read(doveadm: Doveadm) -> None:
    doveadm("mailbox", "create", "Entwürfe.R&D")
    doveadm("save", "-m", "INBOX", text=b"Subject: one\n\nx\n")
    source = MaildirSource(doveadm.mail)
    found = {c.path: c for c in source.collections()}
    assert set(found) == {("INBOX",), ("Entwürfe", "R&D")}
    [item] = [thing for thing in source.items(found["INBOX",], None) if isinstance(thing, Item)]
    assert b"".join(source.read(item)) in (b"Subject: one\n\nx\n", b"Subject: one\r\n\r\nx\r\n")
