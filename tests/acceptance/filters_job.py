"""Anna's job from a Gmail to a Dovecot that runs scripts, for this process or for one that is killed at a step."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from liberate_google.connectors import google
from liberate_google.settings import GoogleSettings
from liberate_imap.connectors import imap
from liberate_imap.destination import ImapDestination
from liberate_imap.settings import ImapSettings
from pydantic import SecretStr

import liberate
from liberate.connector import Account, Connector, Kind
from liberate.labels import MailPolicy
from liberate.naming import Rules
from liberate.people import Person
from liberate.report import Report
from liberate.testing.plans import plan

ANNA = "anna@solros.example"


class Known(ImapDestination):
    """One that knows what names the sandbox takes. To find that out takes 500 steps, which are tested elsewhere."""

    @property
    def rules(self) -> Rules:
        return Rules(forbidden=frozenset("/*%."), max_bytes=200)


def stepwise(step: Callable[[str], None]) -> Connector:
    """The connector whose destination tells its steps."""

    def opened(wanted: ImapSettings, account: Account) -> AbstractContextManager[Any]:
        return Known(wanted, account, step=step)

    return replace(imap, destination=opened)


def run(argument: dict[str, Any], step: Callable[[str], None], mail: MailPolicy | None = None, **ends: Any) -> Report:
    """Carry the job in argument["folder"] on to its end."""
    folder = Path(argument["folder"])
    settings = ImapSettings(
        host="127.0.0.1", port=argument["port"], security="none", settle=0, sieve_port=argument["sieve_port"]
    )
    made = plan(
        folder / "job",
        google,
        source_settings=GoogleSettings(service_account_file=folder / "sa.json", endpoint=argument["gmail"]),
        people=[Person(ANNA, "anna", None, SecretStr(argument["password"]))],
        mail=mail or MailPolicy(filters="copy"),
        kinds={Kind.MAIL},
        **{"destination": stepwise(step), "destination_settings": settings, **ends},
    )
    return liberate.migrate(made, step=step, workers=1, patience=5)


def _dies_at(last: str) -> Callable[[str], None]:
    def step(what: str) -> None:
        if what == last:
            os.kill(os.getpid(), signal.SIGKILL)

    return step


if __name__ == "__main__":
    run(json.loads(sys.argv[1]), _dies_at(sys.argv[2]))
