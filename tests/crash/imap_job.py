"""Jobs into a real Dovecot, for this process or for one that is killed."""

from __future__ import annotations

import imaplib
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from liberate_imap.connectors import imap
from liberate_imap.destination import ImapDestination
from liberate_imap.settings import ImapSettings
from liberate_local.connectors import maildir
from pydantic import SecretStr

import liberate
from liberate.connector import Account, Connector
from liberate.mail import Folder, MailFacts, Role
from liberate.naming import Rules
from liberate.people import Person
from liberate.report import Report
from liberate.testing.crash import Step
from liberate.testing.memory import connector
from liberate.testing.memory_shelf import MemoryManySource, Shelf
from liberate.testing.plans import plan

PASSWORD = "secret"  # of every account on the sandbox's loopback
RECEIVED = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
SETTLE = 0.3  # seconds: a Dovecot on loopback has finished with a dead client by then


def settings(port: int) -> ImapSettings:
    """A plain Dovecot on this machine; small batches, so that there are several."""
    return ImapSettings(host="127.0.0.1", port=port, security="none", settle=SETTLE, batch_items=3)


def labelled() -> Shelf:
    """Messages with labels, twins among them: each is written once and copied by the server."""
    made = Shelf()
    everything = made.collection("All Mail", role="archive")
    labels = (Folder(("Project",)), Folder(("Project", "Böard & más")), Folder((), Role.SENT))
    for n in range(4):
        facts = MailFacts(frozenset({"\\Seen"}), frozenset(), RECEIVED, labels[: 1 + n % 3])
        made.put(everything, f"{n}", b"Subject: %d\n\nlabelled %d\n" % (n // 2, n // 2), facts=facts)
    return made


class Known(ImapDestination):
    """One that knows what names the sandbox takes. To find that out takes 500 steps, which are tested elsewhere."""

    @property
    def rules(self) -> Rules:
        return Rules(forbidden=frozenset("/*%"), max_bytes=200)


def stepwise(step: Step) -> Connector:
    """The connector whose destination tells its steps on the wire."""

    def opened(wanted: ImapSettings, account: Account) -> AbstractContextManager[Any]:
        return Known(wanted, account, step=step)

    return replace(imap, destination=opened)


def run(argument: dict[str, Any], step: Step) -> Report:
    """The job whose ledger is in argument["folder"], carried on to its end."""
    name = argument["destination"]
    kind = argument["source"]
    source, source_settings, account = connector("labels", source=lambda _: MemoryManySource(labelled())), None, ""
    if kind == "maildir":
        source, source_settings = maildir, maildir.settings(path=argument["maildir"])
    elif kind == "imap":
        source, source_settings, account = imap, settings(argument["source_port"]), argument["account"]
    person = Person(account, name, SecretStr(PASSWORD) if kind == "imap" else None, SecretStr(PASSWORD))
    made = plan(
        Path(argument["folder"]),
        source,
        stepwise(step),
        source_settings=source_settings,
        destination_settings=settings(argument["port"]),
        people=[person],
    )
    return liberate.migrate(made, step=step, workers=1, patience=30)


def contents(port: int, name: str) -> dict[str, list[tuple[bytes, bytes]]]:
    """What the account holds, read by another program than ours: (flags and date, bytes) of each message, sorted."""
    out = {}
    client = imaplib.IMAP4("127.0.0.1", port)
    try:
        client.login(name, PASSWORD)
        _, folders = client.list()
        for line in folders:
            assert isinstance(line, bytes)
            quoted = line.partition(b' "/" ')[2]
            folder = quoted.decode()
            _, count = client.select(folder, readonly=True)
            if count == [b"0"]:
                out[folder] = []
                continue
            _, found = client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
            messages = []
            for part in found:
                if isinstance(part, tuple):
                    head, _, _ = part[0].partition(b" BODY[]")
                    messages.append((head.partition(b" ")[2].replace(b"\\Recent", b"").replace(b" )", b")"), part[1]))
            out[folder] = sorted(messages)
    finally:
        client.logout()
    return out
