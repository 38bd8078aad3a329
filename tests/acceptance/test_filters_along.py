"""Filters that come along with an account's mail: from a Gmail, by the whole engine, to a Dovecot that runs scripts."""

from __future__ import annotations

import json
import os
import signal
import smtplib
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filters_job
import jsonschema
import pytest
from filters_job import ANNA
from liberate_google.standin import Fault, GmailStandin
from liberate_imap.managesieve import ManageSieve
from liberate_imap.sandbox import Dovecot, Options
from liberate_imap.settings import ImapSettings
from liberate_local.connectors import maildir

from liberate.connector import Account
from liberate.labels import MailPolicy
from liberate.ledger import Ledger
from liberate.report import AccountReport, Report
from liberate.report_html import as_html
from liberate.report_json import SCHEMA, as_dict
from liberate.report_text import as_text

COPY = MailPolicy(filters="copy")


@dataclass
class Leaving:
    """Anna, who leaves Gmail for a server of the co-op's."""

    folder: Path
    gmail: GmailStandin
    server: Dovecot
    password: str
    mail: MailPolicy = COPY
    report: Any = None
    sieve: bool = True

    def filter(self, criteria: dict[str, Any], **action: Any) -> None:
        mailbox = self.gmail.mailbox(ANNA)
        for name in action.pop("labels", ()):
            label = mailbox.label_named(name) or mailbox.create_label(name)
            action.setdefault("addLabelIds", []).append(label.id)
        key = f"f{len(mailbox.filters)}"
        mailbox.filters[key] = {"id": key, "criteria": criteria, "action": action}

    def argument(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "gmail": self.gmail.url,
            "port": self.server.port,
            "sieve_port": self.server.sieve_port if self.sieve else 0,
            "password": self.password,
        }

    def run(self, **ends: Any) -> AccountReport:
        self.report = filters_job.run(self.argument(), lambda _what: None, self.mail, **ends)
        return self.report.accounts[0]

    def killed(self, last: str) -> int:
        """Run in a process of its own that gets SIGKILL at this step; how it ended."""
        command = [sys.executable, filters_job.__file__, json.dumps(self.argument()), last]
        return subprocess.run(command, timeout=60, check=False).returncode

    def scripts(self) -> dict[str, tuple[bool, str]]:
        settings = ImapSettings(host="127.0.0.1", security="none", sieve_port=self.server.sieve_port)
        with ManageSieve(settings, Account("anna", self.password)) as line:
            return {name: (active, line.get(name)) for name, active in line.scripts().items()}

    def put(self, name: str, text: str, *, active: bool) -> None:
        settings = ImapSettings(host="127.0.0.1", security="none", sieve_port=self.server.sieve_port)
        with ManageSieve(settings, Account("anna", self.password)) as line:
            line.put(name, text)
            if active:
                line.activate(name)


@pytest.fixture
def leaving(tmp_path: Path) -> Iterator[Leaving]:
    if not Dovecot.sieves():
        why = "Pigeonhole is not installed: apt-get install dovecot-sieve dovecot-managesieved dovecot-lmtpd"
        if os.environ.get("LIBERATE_REQUIRE_PIGEONHOLE"):
            pytest.fail(why)
        pytest.skip(why)
    with (
        GmailStandin(strict=True) as gmail,
        Dovecot(options=Options(sieve=True, config="mail_fsync = never\n")) as server,
    ):
        gmail.add_mailbox(ANNA)
        gmail.service_account_file(tmp_path / "sa.json")
        gmail.add_message(ANNA, b"Subject: one\r\n\r\nhello\r\n", ["INBOX", "Projekt/a.b"])
        yield Leaving(tmp_path, gmail, server, server.user("anna"))
        assert gmail.unfit == []


def told(account: AccountReport) -> list[tuple[str, str, list[str]]]:
    assert account.filters is not None
    return [(one.rule, one.outcome, [reason.code for reason in one.reasons]) for one in account.filters.rules]


def state(account: AccountReport) -> str:
    assert account.filters is not None
    return account.filters.state


def usual(leaving: Leaving) -> None:
    leaving.filter({"from": "secret-boss@x.example"}, labels=["Projekt/a.b"], removeLabelIds=["INBOX"])
    leaving.filter({"subject": "secret-words"}, labels=["Empty"])
    leaving.filter({"hasAttachment": True}, labels=["Empty"])
    leaving.filter({"from": "secret-fwd@x.example"}, forward="elsewhere@y.example")


def test_filters_act_at_the_new_server_as_they_did(leaving: Leaving) -> None:
    usual(leaving)
    account = leaving.run()
    assert account.state == "done"
    assert state(account) == "active"
    assert told(account) == [
        ('Filter 1: label "Projekt/a.b", skip the inbox', "written", []),
        ('Filter 2: label "Empty"', "written", []),
        ('Filter 3: label "Empty"', "listed", ["attachments"]),
        ("Filter 4: forward", "listed", ["policy-forwarding"]),
    ]
    ((active, text),) = leaving.scripts().values()
    assert active
    # The sandbox keeps no dot in a folder's name: the script names the folder as the job did.
    assert 'fileinto "Projekt/a．b";' in text
    with smtplib.LMTP("127.0.0.1", leaving.server.lmtp_port) as line:
        line.sendmail("a@b.cc", ["anna"], b"From: secret-boss@x.example\r\nSubject: two\r\n\r\nx\r\n")
    folders = [path.name for path in leaving.server.maildir("anna").iterdir() if any((path / "new").glob("*"))]
    assert [name for name in folders if name.startswith(".Projekt")]
    kept = leaving.folder / "job" / "sieve" / f"{ANNA}.sieve"
    assert kept.read_text() == text
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700


def test_a_second_run_finds_nothing_new_and_changed_filters_follow(leaving: Leaving) -> None:
    usual(leaving)
    leaving.run()
    before = leaving.scripts()
    again = leaving.run()
    assert not leaving.report.changed
    assert leaving.scripts() == before
    assert told(again)[0][1] == "written"
    leaving.filter({"subject": "later"}, labels=["Later"])
    assert state(leaving.run()) == "active"
    assert leaving.report.changed
    assert "later" in leaving.scripts()["liberate"][1]
    leaving.gmail.mailbox(ANNA).filters.clear()
    leaving.run()
    assert "if " not in leaving.scripts()["liberate"][1]


def test_what_somebody_made_or_edited_is_theirs(leaving: Leaving) -> None:
    usual(leaving)
    leaving.put("mine", "keep;\n", active=True)
    account = leaving.run()
    assert (state(account), account.filters and account.filters.other) == ("beside", "mine")
    assert leaving.scripts()["mine"] == (True, "keep;\n")
    leaving.put("liberate", "stop;\n", active=False)
    leaving.filter({"subject": "later"}, labels=["Later"])
    assert state(leaving.run()) == "edited"
    assert leaving.scripts()["liberate"] == (False, "stop;\n")
    assert "later" in (leaving.folder / "job" / "sieve" / f"{ANNA}.sieve").read_text()


def test_by_default_filters_are_listed_and_nothing_acts(leaving: Leaving) -> None:
    usual(leaving)
    leaving.mail = MailPolicy()
    account = leaving.run()
    assert state(account) == "listed"
    assert leaving.scripts() == {}
    assert account.filters is not None
    assert account.filters.file == f"sieve/{ANNA}.sieve"
    assert 'fileinto "Projekt/a．b";' in (leaving.folder / "job" / account.filters.file).read_text()
    assert "Empty" not in "".join(path.name for path in leaving.server.maildir("anna").iterdir())


@pytest.mark.parametrize("elsewhere", [False, True])
def test_where_no_server_takes_scripts_the_report_says_where_the_script_is(
    leaving: Leaving, *, elsewhere: bool
) -> None:
    usual(leaving)
    leaving.sieve = False
    more: dict[str, Any] = {}
    if elsewhere:
        settings = maildir.settings(path=str(leaving.folder / "maildir"))
        more = {"destination": maildir, "destination_settings": settings}
    account = leaving.run(**more)
    assert state(account) == "no-server"
    text = as_text(leaving.report)
    assert f"sieve/{ANNA}.sieve" in text
    assert "ManageSieve" in text
    assert (leaving.folder / "job" / "sieve" / f"{ANNA}.sieve").exists()


def test_a_line_that_would_not_be_encrypted_stops_the_script_and_not_the_mail(leaving: Leaving) -> None:
    usual(leaving)
    settings = ImapSettings(
        host="127.0.0.1", port=leaving.server.port, security="none", settle=0,
        sieve_port=leaving.server.sieve_port, sieve_security="starttls",
    )  # fmt: skip
    account = leaving.run(destination_settings=settings)
    assert account.state == "done"
    assert state(account) == "refused"
    assert "STARTTLS" in as_text(leaving.report)
    assert leaving.scripts() == {}


def test_filters_that_may_not_be_read_do_not_stop_the_mail(leaving: Leaving) -> None:
    usual(leaving)
    leaving.gmail.faults.add(Fault(403, "insufficientPermissions", method="settings.filters.list", times=None))
    account = leaving.run()
    assert account.state == "done"
    assert state(account) == "unread"
    assert leaving.scripts() == {}


def test_nothing_of_what_rules_look_for_is_in_ledger_or_report(leaving: Leaving) -> None:
    usual(leaving)
    leaving.gmail.mailbox(ANNA).vacation = {"enableAutoReply": True, "responseBodyPlainText": "secret-holiday"}
    account = leaving.run()
    assert told(account)[0] == ("The reply while away", "written", [])
    report: Report = leaving.report
    jsonschema.validate(as_dict(report), SCHEMA)
    pages = as_text(report) + as_html(report) + json.dumps(as_dict(report))
    assert "Projekt/a.b" in pages
    ledger = b"".join(path.read_bytes() for path in (leaving.folder / "job").glob("ledger*"))
    assert b"filters" in ledger
    for text in (pages.encode(), ledger):
        for word in (b"secret-", b"elsewhere@"):
            assert word not in text


STEPS = [
    "before install",
    "after put script",
    "after activate",
    *(
        pytest.param(what, marks=pytest.mark.torture)
        for what in ("before filters", "after filters", "before put script", "before activate", "after install")
    ),
]


@pytest.mark.parametrize("last", STEPS)
def test_a_kill_at_any_moment_leaves_one_script(leaving: Leaving, last: str) -> None:
    usual(leaving)
    assert leaving.killed(last) == -signal.SIGKILL
    account = leaving.run()
    assert state(account) == "active"
    stands = leaving.scripts()
    assert [active for active, _ in stands.values()] == [True]
    leaving.run()
    assert not leaving.report.changed
    assert leaving.scripts() == stands


@pytest.mark.parametrize("last", [pytest.param("before put script", marks=pytest.mark.torture), "after put script"])
def test_a_kill_while_changed_filters_go_leaves_the_changed_ones(leaving: Leaving, last: str) -> None:
    usual(leaving)
    leaving.run()
    leaving.filter({"subject": "later"}, labels=["Later"])
    assert leaving.killed(last) == -signal.SIGKILL
    leaving.filter({"subject": "last"}, labels=["Last"])
    assert state(leaving.run()) == "active"
    ((active, text),) = leaving.scripts().values()
    assert active
    assert "last" in text


def test_a_ledger_of_an_earlier_version_is_completed(leaving: Leaving) -> None:
    usual(leaving)
    leaving.run()
    with sqlite3.connect(leaving.folder / "job" / "ledger.sqlite") as db:
        db.execute("ALTER TABLE accounts DROP COLUMN filters")
    Ledger(f"sqlite:///{leaving.folder}/job/ledger.sqlite").close()
    assert state(leaving.run()) == "active"
    assert len(leaving.scripts()) == 1
