"""What the tests of Outlook mail share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from liberate_microsoft import pace
from liberate_microsoft.mail_listing import read_cursor
from liberate_microsoft.outlook import MAILBOX, OutlookSource
from liberate_microsoft.pace import MailboxPacer
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Letter, Mailbox
from microsoft_kit import ANNA

from liberate.connector import Account, Collection, Cursor, Gone, Item, Kind, Listed, Skipped
from liberate.mail import MailFacts
from liberate.testing.clock import Clock

MAIL = Collection(MAILBOX, (), Kind.MAIL)


def unhurried() -> MailboxPacer:
    """A pacer that knows no ceiling and does not really wait; three calls at once, as ever."""
    clock = Clock()
    return MailboxPacer(None, clock, clock.sleep, pace.AT_ONCE)


@contextmanager
def opened(
    settings: MicrosoftSettings, account: str | Account = ANNA, pacer: MailboxPacer | None = None
) -> Iterator[OutlookSource]:
    whose = Account(account) if isinstance(account, str) else account
    source = OutlookSource(settings, whose, pacer or unhurried())
    try:
        yield source
    finally:
        source.close()


def listing(source: OutlookSource, since: Cursor | None = None) -> list[Listed]:
    return list(source.items(MAIL, since))


def cursor(listed: list[Listed]) -> Cursor:
    last = listed[-1]
    assert isinstance(last, str), "a listing ends with its cursor"
    assert read_cursor(last)
    return Cursor(last)


def items(listed: list[Listed]) -> list[Item]:
    return [one for one in listed if isinstance(one, Item)]


def by_id(listed: list[Listed]) -> dict[str, Item]:
    return {one.id: one for one in items(listed)}


def gone(listed: list[Listed]) -> list[str]:
    return [one.id for one in listed if isinstance(one, Gone)]


def skipped(listed: list[Listed]) -> list[str]:
    return [one.code for one in listed if isinstance(one, Skipped)]


def facts(item: Item) -> MailFacts:
    assert isinstance(item.facts, MailFacts)
    return item.facts


def path(item: Item) -> tuple[str, ...]:
    """The folder it stands in."""
    (folder,) = facts(item).folders
    return folder.path


def key(mailbox: Mailbox, letter: Letter) -> str:
    return mailbox.id_of(letter, immutable=True)


def mail(number: int, text: str = "hello") -> bytes:
    head = f"From: a@b.example\r\nTo: c@d.example\r\nSubject: {number}\r\nMessage-ID: <{number}@x.example>\r\n"
    return f"{head}\r\n{text}\r\n".encode()
