"""What goes wrong when a co-op moves, and that every message is there once in the end."""

from __future__ import annotations

import imaplib
import random
import signal
import time
from collections.abc import Callable

import pytest
from acceptance_kit import PASSWORD, Coop, letters

pytestmark = pytest.mark.dovecot


def _until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.02)


def test_people_in_trouble_hold_nobody_up_and_their_mail_comes_once_they_are_helped(found: Callable[..., Coop]) -> None:
    coop = found(quota=100_000_000)
    for name in ("anna", "bo", "cleo", "dag", "eva"):
        coop.join(name, letters(name, 40, lines=40))
    coop.passwords["bo"] = "not hers"
    coop.server.room["cleo"] = 12_000
    for name in ("anna", "bo", "cleo", "eva"):  # dag is not there yet
        coop.server.user(name, PASSWORD)

    code, said, _ = coop.run("migrate")
    assert code == 3
    for name in ("anna", "eva"):
        assert coop.held(name) == coop.meant(name)
    refused = "refused the login for {}: Authentication failed. Check the account's name and its password, then"
    assert refused.format("bo") in said
    assert refused.format("dag") in said
    assert "cleo's mailbox at 127.0.0.1 is full" in said
    assert "Free space there or raise its limit, then run the same command again." in said
    assert coop.held("bo").total() == 0
    assert coop.held("cleo") < coop.meant("cleo")

    coop.passwords["bo"] = PASSWORD
    coop.server.room["cleo"] = 10_000_000
    coop.server.user("dag", PASSWORD)
    coop.server.restart()  # it looks only now and then whether what it knows of people has changed
    code, said, _ = coop.run("migrate")
    assert code == 0, said
    assert {name: coop.held(name) for name in coop.mail} == {name: coop.meant(name) for name in coop.mail}
    assert coop.run("migrate")[:2] == (0, "Nothing new: 200 items of 5 accounts were already there.")


def test_a_server_that_is_gone_for_a_while_costs_time_and_nothing_else(found: Callable[..., Coop]) -> None:
    coop = found(batch=10)
    for name in ("anna", "bo"):
        coop.server.user(name, PASSWORD)
        coop.join(name, letters(name, 600))
    process = coop.command("migrate", "--quiet")
    _until(lambda: coop.count("anna") > 0)
    coop.server.kill()
    time.sleep(1.5)  # long enough for a try or two to fail
    coop.server.start()
    out, err = process.communicate(timeout=240)
    assert (process.returncode, err) == (0, ""), out
    for name in ("anna", "bo"):
        assert coop.held(name) == coop.meant(name)


def _killed(coop: Coop, kills: int, how: random.Random) -> None:
    coop.server.user("anna", PASSWORD)
    coop.join("anna", letters("anna", 150 * kills))
    for _ in range(kills):
        before = coop.count("anna")
        process = coop.command("migrate", "--quiet")
        _until(lambda before=before, process=process: process.poll() is not None or coop.count("anna") > before)  # type: ignore[misc]
        time.sleep(how.random() * 0.05)  # anywhere in what follows
        process.kill()
        process.communicate()
    assert coop.run("migrate")[0] == 0
    assert coop.held("anna") == coop.meant("anna")
    assert coop.run("verify")[0] == 0


def test_a_run_that_is_killed_again_and_again_brings_each_message_once(found: Callable[..., Coop]) -> None:
    _killed(found(batch=10), 4, random.Random(1))


@pytest.mark.torture
def test_a_run_that_is_killed_forty_times_brings_each_message_once(found: Callable[..., Coop]) -> None:
    _killed(found(batch=10), 40, random.Random(2))


def test_while_one_run_works_a_second_one_is_sent_away_and_a_report_can_be_made(found: Callable[..., Coop]) -> None:
    coop = found(batch=10)
    coop.server.user("anna", PASSWORD)
    coop.join("anna", letters("anna", 6_000))
    process = coop.command("migrate", "--quiet")
    _until(lambda: coop.count("anna") > 0)
    process.send_signal(signal.SIGSTOP)  # it stays at work for as long as we look
    code, _, said = coop.run("migrate")
    assert code == 6
    assert f"Another run (process {process.pid} on " in said
    code, said, _ = coop.run("report")
    assert code == 0
    assert "1 account is not finished" in said
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert coop.run("migrate")[0] == 0
    assert coop.held("anna") == coop.meant("anna")


def test_a_disk_that_is_full_under_the_ledger_loses_and_doubles_nothing(found: Callable[..., Coop]) -> None:
    coop = found()
    coop.server.user("anna", PASSWORD)
    coop.join("anna", letters("anna", 1500))
    code, said, _ = coop.run("migrate", limit=500_000)
    assert code == 3
    assert "The disk that holds the job's folder is full. Free space there, then run the same command again." in said
    assert coop.run("migrate")[0] == 0
    assert coop.held("anna") == coop.meant("anna")


def test_verify_names_what_somebody_deleted_or_changed_at_the_destination(found: Callable[..., Coop]) -> None:
    coop = found()
    coop.server.user("anna", PASSWORD)
    coop.join("anna", letters("anna", 12))
    assert coop.run("migrate")[0] == 0
    with imaplib.IMAP4("127.0.0.1", coop.server.port) as session:
        session.login("anna", PASSWORD)
        session.select("INBOX")
        session.store("3", "+FLAGS", "\\Deleted")
        session.expunge()
    files = coop.server.maildir("anna").glob("cur/*")
    file = next(one for one in files if b"anna 7" in one.read_bytes())
    file.write_bytes(file.read_bytes().replace(b"anna 7", b"anna 8"))
    code, said, _ = coop.run("verify")
    assert code == 5
    assert "12 items were read back from the destination: 10 are as at the source, 1 missing, 1 different." in said
    assert "Look at the items that are missing or different before anybody closes the old accounts" in said
    code, said, _ = coop.run("report")
    listed = said.partition("The items that are not there as they were at the source:")[2]
    assert "missing" in listed
    assert ":3 " in listed  # its UID
    assert "different" in listed
    assert ":8 " in listed
    assert coop.run("migrate")[0] == 5  # what somebody deleted is not sent again, and not forgotten either
    assert coop.held("anna").total() == 11
