"""A real Dovecot that runs Sieve scripts, and what becomes there of letters that are delivered."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from datetime import UTC, datetime

from imap_kit import Mailbox

from liberate.filters import Action, Filters, Gap, Rule, Test
from liberate.labels import LabelPolicy
from liberate.mail import Folder
from liberate.sieve import Script, Target, script

ALL = frozenset({"fileinto", "envelope", "imap4flags", "copy", "vacation", "date", "relational", "body", "regex"})
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def named(folder: Folder) -> str:
    """What the sandbox calls a folder."""
    usual = {"inbox": "INBOX", "archive": "Archive", "trash": "Trash", "junk": "Junk", "sent": "Sent"}
    return usual[folder.role] if folder.role else "/".join(folder.path)


def written(*rules: Rule, ordered: bool = False, mailbox: Callable[[Folder], str] = named, **target: object) -> Script:
    """These rules as a script for a server that can do everything, unless told otherwise."""
    made = Target(**{"extensions": ALL, "mailbox": mailbox, "now": NOW, **target})  # type: ignore[arg-type]
    return script(Filters(rules, ordered), made)


def rule(condition: Test, *actions: Action, stop: bool = False, **more: object) -> Rule:
    return Rule("a rule", condition, actions, stop=stop, **more)  # type: ignore[arg-type]


def reasons(made: Script) -> list[list[str]]:
    """The codes of what is not said, rule by rule."""
    return [[gap.code for gap in one.gaps] for one in made.told]


def outcomes(made: Script) -> list[str]:
    return [one.outcome for one in made.told]


def deliver(mailbox: Mailbox, letter: bytes, sender: str = "sender@example.org") -> None:
    """Hand the letter to the server as its mail transport would."""
    with smtplib.LMTP("127.0.0.1", mailbox.server.lmtp_port) as line:
        refused = line.sendmail(sender, [mailbox.name], letter)
        assert refused == {}


def where(
    mailbox: Mailbox, letter: bytes, folders: set[str], sender: str = "sender@example.org"
) -> dict[str, set[str]]:
    """The folders that the letter lands in, each with its flags there."""
    before = {folder: {one.uid for one in mailbox.stored(folder)} for folder in folders}
    deliver(mailbox, letter, sender)
    out = {}
    for folder in folders:
        new = [one for one in mailbox.stored(folder) if one.uid not in before[folder]]
        assert len(new) <= 1
        if new:
            out[folder] = set(new[0].flags)
    return out


__all__ = ["ALL", "NOW", "Gap", "LabelPolicy", "deliver", "named", "outcomes", "reasons", "rule", "where", "written"]
