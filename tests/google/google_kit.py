"""What the tests of the Google connector share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from liberate_google.discovery import document
from liberate_google.gmail import GmailSource
from liberate_google.pace import Pacer, Rate
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GmailStandin

from liberate.connector import Account, Collection, Cursor, Gone, Item, Kind, Listed, Skipped
from liberate.testing.clock import Clock

ANNA = "anna@solros.example"
MAILBOX = Collection("mail", (), Kind.MAIL)


def patient() -> Pacer:
    """A pacer that knows no ceiling and does not really wait."""
    clock = Clock()
    return Pacer([Rate(None)], clock, clock.sleep)


@contextmanager
def opened(
    standin: GmailStandin, settings: GoogleSettings, account: str = ANNA, pacer: Pacer | None = None
) -> Iterator[GmailSource]:
    source = GmailSource(settings, Account(account), pacer or patient())
    try:
        yield source
    finally:
        source.close()


@contextmanager
def vendor_client(standin: GmailStandin, user: str = ANNA, scope: str = "https://mail.google.com/") -> Iterator[Any]:
    """Google's own client library, pointed at the stand-in."""
    import google_auth_httplib2
    from google.oauth2.credentials import Credentials
    from googleapiclient.discovery import build_from_document
    from googleapiclient.http import build_http

    credentials = Credentials(standin.oauth.access_token(user, [scope]))
    line = google_auth_httplib2.AuthorizedHttp(credentials, http=build_http(), max_refresh_attempts=0)
    try:
        yield build_from_document(document("gmail.v1", standin.url), http=line)
    finally:
        line.close()


def listing(source: GmailSource, since: Cursor | None = None) -> list[Listed]:
    return list(source.items(MAILBOX, since))


def items(listed: list[Listed]) -> list[Item]:
    return [one for one in listed if isinstance(one, Item)]


def skipped(listed: list[Listed]) -> list[Skipped]:
    return [one for one in listed if isinstance(one, Skipped)]


def gone(listed: list[Listed]) -> list[str]:
    return [one.id for one in listed if isinstance(one, Gone)]


def cursor(listed: list[Listed]) -> Cursor:
    last = listed[-1]
    assert isinstance(last, str), "a listing ends with its cursor"
    return Cursor(last)


def mail(number: int, text: str = "hello") -> bytes:
    return f"From: a@b.example\r\nSubject: {number}\r\nMessage-ID: <{number}@x.example>\r\n\r\n{text}\r\n".encode()


def held(standin: GmailStandin, address: str = ANNA) -> dict[str, bytes]:
    """What the stand-in holds, chats left out."""
    return {m.key: m.raw for m in standin.mailbox(address).messages.values() if "CHAT" not in m.labels}
