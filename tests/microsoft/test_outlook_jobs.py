"""Whole jobs from Outlook's stand-in: to Maildirs, and to a real Dovecot, killed and run again, and a second pass."""

from __future__ import annotations

import mailbox as maildirs
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import outlook_job
import pytest
from graph_schema import checker
from liberate_imap.sandbox import Dovecot, Options
from liberate_local.connectors import maildir
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.standin import Fault, GraphStandin, Mailbox, sample_mail
from liberate_microsoft.standin.mailbox import sorted_form, walk
from microsoft_kit import ANNA, calls, made_settings
from outlook_kit import mail

from liberate.connector import Kind
from liberate.people import Person
from liberate.report import AccountReport, Report
from liberate.run import migrate, verify
from liberate.testing.crash import Trial, survives, victims
from liberate.testing.plans import plan

HERE = str(Path(__file__).parent)
AT = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


# An organisation, to Maildirs -----------------------------------------------------------------------


class Office:
    """A sample organisation's mail, and the job that moves it."""

    def __init__(self, standin: GraphStandin, folder: Path) -> None:
        self.standin = standin
        self.folder = folder
        addresses = sample_mail(standin)
        self._plan = plan(
            folder / "job",
            microsoft,
            maildir,
            source_settings=made_settings(standin, folder),
            destination_settings=maildir.settings(path=str(folder / "mail" / "{account}")),
            people=[
                Person(one, one.partition("@")[0], kind="shared" if "info" in one else "person") for one in addresses
            ],
            kinds={Kind.MAIL},
        )

    def run(self) -> Report:
        return migrate(self._plan, workers=2, patience=60.0)

    def verify(self) -> Report:
        return verify(self._plan)

    def there(self, account: str) -> Counter[bytes]:
        """What stands in the account's Maildir, in all its folders."""
        box = maildirs.Maildir(self.folder / "mail" / account, create=False)
        boxes = [box, *(box.get_folder(name) for name in box.list_folders())]
        return Counter(sorted_form(one.get_bytes(key)) for one in boxes for key in one.iterkeys())


def movable(mailbox: Mailbox) -> Counter[bytes]:
    """What of a mailbox moves: not what is hidden, Outlook's own, spam, or damaged."""
    left = {"junkemail", "outbox", "syncissues"}
    ids = {one.id for _, one in walk(mailbox) if not one.hidden and one.well_known not in left}
    return Counter(sorted_form(one.raw) for one in mailbox.letters.values() if one.folder in ids and not one.unwritable)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with GraphStandin(check=checker(), page=9) as standin:
        yield Office(standin, tmp_path)
        assert standin.unfit == []
        assert standin.crowd.refused == 0


def arrived(office: Office, report: Report) -> None:
    for account in report.accounts:
        mailbox = office.standin.mailboxes[account.source]
        wanted = movable(mailbox)
        assert office.there(account.destination) == wanted, account.source
        assert account.state == "done"
        assert (account.moved, account.waiting) == (wanted.total(), 0)
        assert [(one.code, one.items) for one in account.refused] == [("conversion-failed", 1)]
        left = {one.code: one.items for one in account.skipped}
        archive = {"archive-mailbox": 1} if mailbox.archive else {}
        assert left == {"hidden-folder": 1, "system-folder": 1, "policy-spam": 1, **archive}


def test_an_organisation_moves_whole_and_a_second_run_finds_nothing_new(office: Office) -> None:
    report = office.run()
    assert len(report.accounts) == 7
    arrived(office, report)
    office.standin.requests.clear()
    assert not office.run().changed
    assert calls(office.standin, "value") == 0
    checked = office.verify()
    assert sum(one.verified for one in checked.accounts) == sum(one.moved for one in report.accounts)
    assert not any(one.different or one.missing for one in checked.accounts)


def test_a_stormy_line_changes_nothing_of_what_arrives(office: Office) -> None:
    faults = [
        Fault(method="mail-delta", skip=4, breaks="reset"),
        Fault(method="value", skip=20, breaks="reset"),
        Fault(method="value", skip=40, breaks="truncate", after=30),
        Fault(method="value", skip=60, status=503, retry_after="0", times=2),
        Fault(method="value", skip=80, status=429, code="ApplicationThrottled", retry_after="0.01", times=2),
        Fault(method="value", skip=100, breaks="html"),
        Fault(method="mail-delta", skip=9, status=410, code="resyncRequired"),
        Fault(method="mail-delta", skip=12, status=500, code="ErrorContentConversionFailed", times=3),
        Fault(method="childFolders", skip=5, status=504),
        Fault(method="token", status=503),
    ]
    for fault in faults:
        office.standin.faults.add(fault)
    report = office.run()
    assert all(fault.hits for fault in faults)
    office.standin.faults.clear()
    arrived(office, report)
    assert not office.run().changed


# One mailbox, to a real server ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    if not Dovecot.installed():
        why = "Dovecot is not installed: apt-get install dovecot-imapd"
        if os.environ.get("LIBERATE_REQUIRE_DOVECOT"):
            pytest.fail(why)
        pytest.skip(why)
    with Dovecot(options=Options(config="mail_fsync = never\n")) as server:
        yield server


@pytest.fixture
def mailbox(standin: GraphStandin) -> Mailbox:
    made = standin.add_mailbox(ANNA)
    made.add_folder("Board")
    made.add_folder("2026", "Board")
    for n, folder in enumerate(("inbox", "Board", "inbox", "sentitems", "Board/2026", "junkemail")):
        made.add(mail(n), folder, received=AT, sent=AT, read=n % 2 == 0)
    made.add(mail(7), "drafts", received=AT, sent=AT, draft=True)
    made.add(mail(0), "inbox", received=AT, sent=AT)  # a twin
    return made


@pytest.fixture
def argument(standin: GraphStandin, dovecot: Dovecot, tmp_path: Path) -> dict[str, Any]:
    """What outlook_job.run needs, as JSON."""
    source = {
        "tenant": standin.entra.tenant,
        "client_id": standin.entra.client_id,
        "endpoint": standin.url,
        "ca_file": str(standin.ca_file(tmp_path / "authority.pem")),
        "timeout": 10.0,
    }
    secret = standin.entra.client_secret
    name = f"anna-{tmp_path.name}"[-60:]
    dovecot.user(name, outlook_job.PASSWORD)
    return {
        "source": source, "secret": secret, "port": dovecot.port, "folder": str(tmp_path / "job"), "account": ANNA,
        "destination": name,
    }  # fmt: skip


def moved(argument: dict[str, Any]) -> AccountReport:
    (account,) = outlook_job.run(argument, lambda _what: None).accounts
    assert (account.state, account.refused) == ("done", ())
    return account


def held(argument: dict[str, Any]) -> dict[str, list[tuple[bytes, bytes, bytes]]]:
    return {
        name: some for name, some in outlook_job.contents(argument["port"], argument["destination"]).items() if some
    }


def flags(some: list[tuple[bytes, bytes, bytes]], number: int) -> list[bytes]:
    """The flags of the messages with that number."""
    return [each for each, _, raw in some if b"Subject: %d\r\n" % number in raw]


@pytest.mark.dovecot
def test_a_mailbox_arrives_with_its_folders_flags_and_times(mailbox: Mailbox, argument: dict[str, Any]) -> None:
    answered = mailbox.add(mail(20), received=AT, last_verb=102, flag="flagged", categories=("Red category",))
    mailbox.change(answered, importance="high", read=True)
    assert moved(argument).moved == 9
    there = held(argument)
    assert {name: len(some) for name, some in there.items()} == {
        "INBOX": 4, "Board": 1, "Board/2026": 1, "Sent": 1, "Drafts": 1, "Junk": 1,
    }  # fmt: skip
    assert {date for some in there.values() for _, date, _ in some} == {b"06-May-2024 07:08:09 +0000"}
    assert flags(there["INBOX"], 20) == [b"$Important Red_category \\Answered \\Flagged \\Seen"]
    assert sorted(flags(there["INBOX"], 0)) == [b"", b"\\Seen"]
    assert flags(there["Drafts"], 7) == [b"\\Draft"]


@pytest.mark.dovecot
def test_a_second_pass_follows_what_changed_and_fetches_only_what_is_new(
    standin: GraphStandin, mailbox: Mailbox, argument: dict[str, Any]
) -> None:
    letters = {one.number: one for one in mailbox.letters.values()}
    draft = letters[7]
    moved(argument)
    before = held(argument)
    mailbox.change(letters[1], read=False, flag="flagged")
    mailbox.move(letters[3], "Board/2026")  # Subject: 2
    mailbox.delete(letters[2])  # Subject: 1
    mailbox.edit(draft, mail(7, "the whole text"))
    mailbox.send(draft)
    mailbox.add(mail(30), "archive", received=AT)
    standin.requests.clear()
    account = moved(argument)
    there = held(argument)
    assert calls(standin, "value") == 2, "the new one, and the draft whose text is another now"
    assert flags(there["INBOX"], 0) == [b"", b"\\Flagged"]
    assert len(flags(there["Board/2026"], 2)) == 1
    assert len(there["INBOX"]) == len(before["INBOX"]), "what its owner filed elsewhere is not taken away here"
    assert there["Board"] == before["Board"], "what was deleted at the source stays here"
    assert sum(b"the whole text" in raw for _, _, raw in there["Sent"]) == 1
    assert there["Drafts"] == before["Drafts"]
    assert len(there["Archive"]) == 1
    assert (account.moved, account.copies) == (10, 1)
    standin.requests.clear()
    outlook_job.run(argument, lambda _what: None)
    assert held(argument) == there
    assert calls(standin, "value") == 0


@pytest.mark.dovecot
def test_a_message_moved_to_and_fro_stands_once_in_each_folder_at_most(
    mailbox: Mailbox, argument: dict[str, Any]
) -> None:
    letter = mailbox.add(mail(40), received=AT)
    for folder in ("Board", "inbox", "Board", "Board/2026", "inbox"):
        moved(argument)
        mailbox.move(letter, folder)
    account = moved(argument)
    there = held(argument)
    assert [len(flags(there[name], 40)) for name in ("INBOX", "Board", "Board/2026")] == [1, 1, 1]
    assert account.copies == 2
    assert account.listed == 9


@pytest.mark.dovecot
def test_deltas_that_all_expired_bring_nothing_twice(
    standin: GraphStandin, mailbox: Mailbox, argument: dict[str, Any]
) -> None:
    moved(argument)
    before = held(argument)
    mailbox.expire_tokens()
    standin.requests.clear()
    moved(argument)
    assert held(argument) == before
    assert calls(standin, "value") == 0


def something_was_done(_number: int, what: str) -> bool:
    """Dying before an act, or before it is committed, leaves what dying after the act before it leaves."""
    return what in {"after line", "after literal", "after prepared", "after listed", "after intend", "after written"}


def trials(dovecot: Dovecot, argument: dict[str, Any], folder: Path) -> Callable[[str], Trial]:
    """Makes jobs, each with an account and a ledger of its own."""

    def fresh(name: str) -> Trial:
        account = f"killed-{folder.name}-{name}"[-60:]
        dovecot.user(account, outlook_job.PASSWORD)
        own = {**argument, "folder": str(folder / name), "destination": account}
        run: Callable[..., Report] = partial(outlook_job.run, own)
        return Trial(run, lambda: outlook_job.contents(dovecot.port, account), own, partial(time.sleep, 0.05))

    return fresh


@pytest.mark.dovecot
@pytest.mark.usefixtures("mailbox")
def test_a_process_that_is_killed_loses_and_doubles_nothing_though_a_second_fetch_gives_other_bytes(
    dovecot: Dovecot, argument: dict[str, Any], tmp_path: Path
) -> None:
    fresh = trials(dovecot, argument, tmp_path)
    with victims("outlook_job:run", [HERE]) as doomed:
        survives(fresh, doomed, only=lambda number, what: number % 9 == 0 and something_was_done(number, what))


@pytest.mark.dovecot
@pytest.mark.torture
@pytest.mark.usefixtures("mailbox")
def test_a_process_that_is_killed_after_any_step_loses_and_doubles_nothing(
    dovecot: Dovecot, argument: dict[str, Any], tmp_path: Path
) -> None:
    fresh = trials(dovecot, argument, tmp_path)
    with victims("outlook_job:run", [HERE]) as doomed:
        taken = survives(fresh, doomed, only=something_was_done)
    assert {"after literal", "after intend", "after listed"} <= set(taken)
