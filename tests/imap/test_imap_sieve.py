"""Scripts of ours at a real Dovecot with Pigeonhole: compiled and run there, and nobody's own script touched."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from imap_kit import Mailbox
from liberate_imap.managesieve import ManageSieve, NotOffered
from liberate_imap.sandbox import Dovecot
from liberate_imap.scripts import NAME
from pydantic import SecretStr
from sieve_kit import NOW, deliver, rule, where, written

from liberate.connector import Account, Installed, Standing, script_digest
from liberate.errors import AccountError, ItemError
from liberate.filters import (
    Absence,
    AllOf,
    AnyOf,
    File,
    Filters,
    Forward,
    How,
    Mark,
    Not,
    Reply,
    Size,
    Text,
    Trash,
    Where,
)
from liberate.mail import Folder, Role
from liberate.sieve import USUAL, Target, script

FOLDERS = {"INBOX", "Projekt", "Archive", "Trash"}
PROJEKT = File(Folder(("Projekt",)), copy=True)
MOVE = File(Folder(("Projekt",)), copy=False)
ARCHIVE = File(Folder((), Role.ARCHIVE), copy=False)


@pytest.fixture
def sieved(new_mailbox: Callable[..., Mailbox]) -> Mailbox:
    """A fresh account on a server that runs scripts."""
    if not Dovecot.sieves():
        why = "Pigeonhole is not installed: apt-get install dovecot-sieve dovecot-managesieved dovecot-lmtpd"
        if os.environ.get("LIBERATE_REQUIRE_PIGEONHOLE"):
            pytest.fail(why)
        pytest.skip(why)
    made = new_mailbox(sieve=True)
    with made.plain() as session:
        for folder in FOLDERS - {"INBOX"}:
            session.create(folder)
    return made


def settings(mailbox: Mailbox, **more: Any) -> Any:
    return mailbox.settings(**{"sieve_port": mailbox.server.sieve_port, **more})


def scripts(mailbox: Mailbox) -> dict[str, bool]:
    with ManageSieve(settings(mailbox), mailbox.account) as line:
        return line.scripts()


def put(mailbox: Mailbox, name: str, text: str, *, active: bool = False) -> None:
    """What the account's owner does in the webmail."""
    with ManageSieve(settings(mailbox), mailbox.account) as line:
        line.put(name, text)
        if active:
            line.activate(name)


def text_of(mailbox: Mailbox, name: str = NAME) -> str:
    with ManageSieve(settings(mailbox), mailbox.account) as line:
        return line.get(name)


def install(mailbox: Mailbox, text: str, before: Standing | None = None) -> Installed:
    destination = mailbox.destination(sieve_port=mailbox.server.sieve_port)
    return destination.install(text, before or Standing())


def letter(sender: str = "Anna <anna@old.example>", subject: str = "hello", text: str = "words", **more: str) -> bytes:
    head = {"From": sender, "To": "me@example.org", "Subject": subject, **more}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in head.items()]
    return "\r\n".join(["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", *lines, "", text, ""]).encode()


# What letters meet -------------------------------------------------------------------------------


def test_letters_land_where_gmail_would_have_put_them(sieved: Mailbox) -> None:
    made = written(
        rule(Text(Where.FROM, How.WORD, "anna smith"), PROJEKT, Mark(("\\Flagged",))),
        rule(Text(Where.FROM, How.DOMAIN, "news.example"), ARCHIVE, Mark(("\\Seen",))),
        rule(Text(Where.ANYWHERE, How.WORD, "räksmörgås"), MOVE),
        rule(AllOf((Text(Where.SUBJECT, How.WORD, "offer"), Not(Text(Where.FROM, How.ADDRESS, "bo@x.se")))), Trash()),
        rule(Text(Where.LIST, How.WORD, "dev.example.org"), Mark(("$Important",))),
        rule(AnyOf((Size(True, 20_000), Text(Where.CC, How.ADDRESS, "c@d.ee"))), PROJEKT),
    )
    assert [one.outcome for one in made.told] == ["written"] * 6
    assert install(sieved, made.text) == Installed("active")
    table: list[tuple[bytes, dict[str, set[str]]]] = [
        (letter(), {"INBOX": set()}),
        (letter("Anna Smith <a@b.cc>"), {"INBOX": {"\\Flagged"}, "Projekt": {"\\Flagged"}}),
        (letter("Anna Smithson <a@b.cc>"), {"INBOX": set()}),
        (letter("Joanna Smith <a@b.cc>"), {"INBOX": set()}),
        (letter("x@news.example"), {"Archive": {"\\Seen"}}),
        (letter("x@mail.news.example"), {"Archive": {"\\Seen"}}),
        (letter("x@othernews.example"), {"INBOX": set()}),
        (letter(text="Eine räksmörgås, bitte."), {"Projekt": set()}),
        (letter(text="Räksmörgåsar"), {"INBOX": set()}),
        (letter(subject="=?utf-8?q?R=C3=84KSM=C3=96RG=C3=85S?="), {"Projekt": set()}),
        (letter(subject="An offer!"), {"Trash": set()}),
        (letter(subject="Offers"), {"INBOX": set()}),
        (letter("Bo <bo@x.se>", subject="offer"), {"INBOX": set()}),
        (letter(List_Id="Developers <dev.example.org>"), {"INBOX": {"$Important"}}),
        (letter(text="x" * 70 + "\r\n" + ("y" * 70 + "\r\n") * 400), {"INBOX": set(), "Projekt": set()}),
        (letter(Cc="C <c@d.ee>"), {"INBOX": set(), "Projekt": set()}),
        (letter("x@news.example", Cc="c@d.ee"), {"Archive": {"\\Seen"}, "Projekt": {"\\Seen"}}),
        (letter("Anna Smith <x@news.example>", subject="offer"), {"Trash": {"\\Flagged", "\\Seen"}}),
    ]
    for one, lands in table:
        assert where(sieved, one, FOLDERS) == lands, one[:120]


def test_letters_land_where_outlook_would_have_put_them(sieved: Mailbox) -> None:
    made = written(
        rule(Text(Where.SUBJECT, How.CONTAINS, "invoice"), MOVE, Mark(("\\Seen",)), stop=True),
        rule(Text(Where.FROM, How.CONTAINS, "shop"), File(Folder((), Role.ARCHIVE), copy=True)),
        rule(Text(Where.DIRECT, How.ADDRESS, "me@example.org", partial=True), stop=True),
        rule(Text(Where.FROM, How.CONTAINS, "shop"), Trash(), exceptions=(Text(Where.SUBJECT, How.CONTAINS, "Åter"),)),
        ordered=True,
    )
    assert install(sieved, made.text) == Installed("active")
    # The third rule matches more in Outlook (other addresses of the same person): nothing is written behind it.
    assert [one.outcome for one in made.told] == ["written", "written", "written", "listed"]
    assert where(sieved, letter("x@shop.example", subject="Your Invoice"), FOLDERS) == {"Projekt": {"\\Seen"}}
    assert where(sieved, letter("x@shop.example"), FOLDERS) == {"INBOX": set(), "Archive": set()}
    assert where(sieved, letter("x@shop.example", To="other@example.org"), FOLDERS) == {
        "INBOX": set(),
        "Archive": set(),
    }


def test_an_exception_with_letters_beyond_ascii_holds_whatever_their_case(sieved: Mailbox) -> None:
    exception = Text(Where.SUBJECT, How.CONTAINS, "räkning")
    made = written(rule(Text(Where.FROM, How.CONTAINS, "shop"), Trash(), exceptions=(exception,)), ordered=True)
    assert install(sieved, made.text) == Installed("active")
    assert where(sieved, letter("a@shop.example", subject="=?utf-8?q?R=C3=84KNING_12?="), FOLDERS) == {"INBOX": set()}
    assert where(sieved, letter("a@shop.example"), FOLDERS) == {"Trash": set()}


@pytest.mark.parametrize(
    "text", ['"; discard; #', 'a" b', "back\\slash", '\\"', ".", "*?", "${x}", "${hex:41}", "räksmörgås ☕", "/* x"]
)
def test_hostile_texts_are_looked_for_as_they_are(sieved: Mailbox, text: str) -> None:
    made = written(
        rule(Text(Where.SUBJECT, How.CONTAINS, text), PROJEKT, Mark((text,)), exceptions=()),
        rule(Not(Text(Where.SUBJECT, How.CONTAINS, text + "zz")), Mark(("$Other",))),
    )
    assert install(sieved, made.text) == Installed("active")
    landed = where(sieved, letter(subject=f"say {text} now"), FOLDERS)
    assert set(landed) == {"INBOX", "Projekt"}
    assert set(where(sieved, letter(subject="say nothing"), FOLDERS)) == {"INBOX"}


def test_every_part_of_a_script_compiles(sieved: Mailbox) -> None:
    """A filter of each kind; Pigeonhole refuses a script that it cannot compile."""
    tests = [Text(w, h, "a b", "X-A") for w in Where for h in How]
    tests += [Not(one) for one in tests]
    rules = [rule(one, PROJEKT, Mark(("\\Seen", "$Important")), Forward(("a@b.cc",))) for one in tests]
    away = Absence(
        (Reply("x\n.\n.y", "inside", 'S "q"'), Reply("z", "outside")), NOW + timedelta(1), NOW + timedelta(9)
    )
    for ordered in (False, True):
        own = ("a@old.example",)
        target = Target(USUAL, lambda _: "Projekt", forwarding=True, domain="old.example", addresses=own)
        made = script(Filters(tuple(rules), ordered, away), target)
        assert sum(one.outcome == "written" for one in made.told) > 30
        put(sieved, "all", made.text)


@pytest.fixture
def outbox() -> Iterator[Path]:
    """A folder into which the server's way to send letters puts them: whoever delivers may be another user."""
    with tempfile.TemporaryDirectory(prefix="liberate-outbox-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        program = folder / "sendmail"
        program.write_text(f'#!/bin/sh\ncat > "$(mktemp {folder}/sent-XXXXXX)"\n')
        program.chmod(0o755)
        yield folder


def sent(outbox: Path) -> list[bytes]:
    found = [path.read_bytes() for path in sorted(outbox.glob("sent-*"))]
    for path in outbox.glob("sent-*"):
        path.unlink()
    return found


def test_a_reply_while_away_goes_to_whom_it_is_for_and_only_then(
    sieved: Mailbox, new_mailbox: Callable[..., Mailbox], outbox: Path
) -> None:
    now = datetime.now(UTC)
    day = timedelta(days=1)
    replies = (Reply('in\n.\n"q" räks', "inside", 'Away "now"'), Reply("out", "outside"))
    for start, end, answers in ((now - day, now + day, True), (now + day, now + 2 * day, False), (None, None, True)):
        one = new_mailbox(sieve=True, config=f"sendmail_path = {outbox}/sendmail\n")
        own = ("me@example.org",)
        target = Target(USUAL, lambda _: "INBOX", domain="old.example", addresses=own, now=now - 2 * day)
        made = script(Filters((), False, Absence(replies, start, end)), target)
        assert install(one, made.text) == Installed("active")
        deliver(one, letter("Bo <bo@old.example>"), "bo@old.example")
        inside = sent(outbox)
        deliver(one, letter("x@else.example"), "x@else.example")
        outside = sent(outbox)
        deliver(one, letter("x@else.example", List_Id="<l.else.example>"), "x@else.example")
        deliver(one, letter("y@else.example", To="undisclosed@example.org"), "y@else.example")
        assert sent(outbox) == []  # neither to a list, nor for a letter that was not addressed to them
        assert [len(inside), len(outside)] == ([1, 1] if answers else [0, 0])
        if answers:
            assert b'Subject: Away "now"' in inside[0]
            assert "räks".encode() in inside[0]
            assert b"out" in outside[0]


# Whose script it is ------------------------------------------------------------------------------

OURS = 'require ["fileinto"];\nif header :contains "subject" "x" {\n  fileinto "Projekt";\n}\n'
LATER = OURS.replace('"x"', '"y"')
THEIRS = "keep;\r\n"


def test_a_second_time_changes_nothing_and_changed_filters_replace_our_own(sieved: Mailbox) -> None:
    assert install(sieved, OURS) == Installed("active")
    stands = Standing(frozenset({script_digest(OURS)}), stood=True, active=True)
    for _ in range(2):
        assert install(sieved, OURS, stands) == Installed("active")
        assert scripts(sieved) == {NAME: True}
        assert text_of(sieved) == OURS
    assert install(sieved, LATER, stands) == Installed("active")
    assert text_of(sieved) == LATER
    assert scripts(sieved) == {NAME: True}


def test_an_active_script_of_the_accounts_own_stays_active(sieved: Mailbox) -> None:
    put(sieved, "mine", THEIRS, active=True)
    assert install(sieved, OURS) == Installed("beside", "mine")
    assert scripts(sieved) == {"mine": True, NAME: False}
    assert text_of(sieved, "mine") == THEIRS


def test_a_script_that_was_edited_or_is_somebody_elses_is_left_alone(sieved: Mailbox) -> None:
    put(sieved, NAME, THEIRS)
    assert install(sieved, OURS) == Installed("edited")
    stands = Standing(frozenset({script_digest(OURS)}), stood=True, active=True)
    assert install(sieved, LATER, stands) == Installed("edited")
    assert text_of(sieved) == THEIRS
    assert scripts(sieved) == {NAME: False}


def test_a_script_that_somebody_removed_or_switched_off_stays_so(sieved: Mailbox) -> None:
    stands = Standing(frozenset({script_digest(OURS)}), stood=True, active=True)
    assert install(sieved, OURS, stands) == Installed("removed")
    assert scripts(sieved) == {}
    put(sieved, NAME, OURS)
    assert install(sieved, LATER, stands) == Installed("switched-off")
    assert scripts(sieved) == {NAME: False}


def test_a_script_that_was_put_there_as_a_file_acts_on(sieved: Mailbox) -> None:
    """Pigeonhole does not list such a script, and gives way to one that is activated."""
    file = sieved.server.maildir(sieved.name) / ".active.sieve"
    file.write_text(THEIRS)
    owner = file.parent.stat()
    os.chown(file, owner.st_uid, owner.st_gid)
    assert install(sieved, OURS) == Installed("beside", "dovecot.orig")
    assert scripts(sieved) == {"dovecot.orig": True, NAME: False}
    assert text_of(sieved, "dovecot.orig") == THEIRS


def test_a_script_that_the_server_cannot_compile_is_refused_and_not_stored(sieved: Mailbox) -> None:
    with pytest.raises(ItemError) as refused:
        install(sieved, 'require "nothing-like-this"; "secret words"')
    assert refused.value.code == "script-refused"
    assert "secret" not in str(refused.value)
    assert scripts(sieved) == {}


# Reaching the server -----------------------------------------------------------------------------


def test_scripts_are_kept_exactly_and_names_are_quoted(sieved: Mailbox) -> None:
    for text in ("keep;\n# räksmörgås ☕\n", "keep;\r\n", '# {5+}\r\n# OK "x"\r\nkeep;', ""):
        put(sieved, 'a "b" c', text)
        assert text_of(sieved, 'a "b" c') == text
    assert list(scripts(sieved)) == ['a "b" c']


@pytest.mark.parametrize("login", ["authzid", "separator", "auto"])
def test_a_master_user_brings_scripts_for_everybody(sieved: Mailbox, login: str) -> None:
    master = f"migrator-{login}"
    password = sieved.server.master(master)
    more = {"master_user": master, "master_password": SecretStr(password), "master_login": login}
    with ManageSieve(settings(sieved, **more), Account(sieved.name)) as line:
        assert {"fileinto", "imap4flags"} <= line.extensions
        line.put("by-master", "keep;")
    assert scripts(sieved) == {"by-master": False}


def test_a_wrong_password_is_told_without_it(sieved: Mailbox) -> None:
    with pytest.raises(AccountError) as refused, ManageSieve(settings(sieved), Account(sieved.name, "wr0ng")):
        pass
    assert refused.value.code == "login-refused"
    assert "wr0ng" not in str(refused.value)


def test_where_nothing_listens_no_script_is_taken(sieved: Mailbox) -> None:
    nobody = settings(sieved, sieve_port=1)
    with pytest.raises(NotOffered), ManageSieve(nobody, sieved.account):
        pass
    assert sieved.destination(sieve_port=1).extensions() is None
    assert sieved.destination(sieve_port=0).extensions() is None
    assert sieved.destination(sieve_port=sieved.server.port, timeout=2).extensions() is None


def test_passwords_go_encrypted_or_not_at_all(new_mailbox: Callable[..., Mailbox], sieved: Mailbox) -> None:
    secure = new_mailbox(sieve=True, tls=True)
    port = secure.server.sieve_port
    good = {"security": "starttls", "ca_file": secure.server.ca_file, "sieve_port": port}
    with ManageSieve(secure.settings(**good), secure.account) as line:
        assert "fileinto" in line.extensions
    with (
        pytest.raises(AccountError, match="certificate"),
        ManageSieve(secure.settings(security="starttls", sieve_port=port), secure.account),
    ):
        pass
    with (
        pytest.raises(AccountError, match="STARTTLS"),
        ManageSieve(settings(sieved, sieve_security="starttls"), sieved.account),
    ):
        pass


def test_a_letter_for_a_folder_that_somebody_removed_stays_in_the_inbox(sieved: Mailbox) -> None:
    made = written(rule(Text(Where.SUBJECT, How.CONTAINS, "hello"), File(Folder(("No such",)), copy=False)))
    assert install(sieved, made.text) == Installed("active")
    assert where(sieved, letter(), FOLDERS) == {"INBOX": set()}
