"""Jobs from Outlook's stand-in into a real Dovecot, for this process or for one that is killed."""

from __future__ import annotations

import imaplib
import re
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from liberate_imap.connectors import imap
from liberate_imap.destination import ImapDestination
from liberate_imap.settings import ImapSettings
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.standin.mailbox import sorted_form
from pydantic import SecretStr

import liberate
from liberate.connector import Account, Connector, Kind
from liberate.labels import MailPolicy
from liberate.moves import Plan
from liberate.naming import Rules
from liberate.people import Person
from liberate.report import Report
from liberate.testing.crash import Step
from liberate.testing.plans import plan

PASSWORD = "secret"  # of every account on the sandbox's loopback


class Known(ImapDestination):
    """One that knows what names the sandbox takes. To find that out takes 500 steps, which are tested elsewhere."""

    @property
    def rules(self) -> Rules:
        return Rules(forbidden=frozenset("/*%"), max_bytes=200, reserved_top=frozenset({"inbox"}))


def stepwise(step: Step) -> Connector:
    """The connector whose destination tells its steps on the wire."""

    def opened(wanted: ImapSettings, account: Account) -> AbstractContextManager[Any]:
        return Known(wanted, account, step=step)

    return replace(imap, destination=opened)


def planned(argument: dict[str, Any], step: Step) -> Plan:
    """The job whose ledger is in argument["folder"]."""
    source = microsoft.settings(**{**argument["source"], "client_secret": SecretStr(argument["secret"])})
    there = ImapSettings(host="127.0.0.1", port=argument["port"], security="none", settle=0.3, batch_items=3)
    return plan(
        Path(argument["folder"]),
        microsoft,
        stepwise(step),
        source_settings=source,
        destination_settings=there,
        people=[Person(argument["account"], argument["destination"], None, SecretStr(PASSWORD))],
        kinds={Kind.MAIL},
        mail=MailPolicy(spam="copy"),
    )


def run(argument: dict[str, Any], step: Step) -> Report:
    """The job carried on to its end."""
    return liberate.migrate(planned(argument, step), step=step, workers=1, patience=30)


def contents(port: int, name: str) -> dict[str, list[tuple[bytes, bytes, bytes]]]:
    """What the account holds, read by another program than ours: each message's flags, date, and bytes with its
    headers in order, for Exchange writes them in another one each time."""
    out: dict[str, list[tuple[bytes, bytes, bytes]]] = {}
    client = imaplib.IMAP4("127.0.0.1", port)
    try:
        client.login(name, PASSWORD)
        _, folders = client.list()
        for line in folders:
            assert isinstance(line, bytes)
            folder = line.partition(b' "/" ')[2].decode()
            _, count = client.select(folder, readonly=True)
            messages = []
            if count != [b"0"]:
                _, found = client.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
                for part in found:
                    if isinstance(part, tuple):
                        flags = re.search(rb"FLAGS \(([^)]*)\)", part[0])
                        date = re.search(rb'INTERNALDATE "([^"]*)"', part[0])
                        assert flags is not None
                        assert date is not None
                        some = b" ".join(sorted(set(flags[1].split()) - {b"\\Recent"}))
                        messages.append((some, date[1], sorted_form(part[1])))
            out[folder.strip('"')] = sorted(messages)
    finally:
        client.logout()
    return out
