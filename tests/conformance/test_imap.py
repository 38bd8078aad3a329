"""The suite, run on a real Dovecot: both namespaces that servers usually have, and one without extensions."""

from __future__ import annotations

import imaplib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from conformance_kit import MESSAGES
from liberate_imap.connectors import imap
from liberate_imap.sandbox import Dovecot, Options
from liberate_imap.settings import ImapSettings

from liberate.connector import Account, Collection, Item, Place, Receipt
from liberate.testing.contracts import DestinationContract, OpenDestination, OpenSource, SourceContract

SETUPS = {
    "plain": Options(config="mail_fsync = never\n"),
    "under INBOX": Options(separator=".", prefix="INBOX.", config="mail_fsync = never\n"),
    "few extensions": Options(capability="IMAP4rev1 UIDPLUS", config="mail_fsync = never\n"),
}
pytestmark = pytest.mark.dovecot


@pytest.fixture(scope="module", params=SETUPS, ids=str)
def server(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    if not Dovecot.installed():
        why = "Dovecot is not installed: apt-get install dovecot-imapd"
        if os.environ.get("LIBERATE_REQUIRE_DOVECOT"):
            pytest.fail(why)
        pytest.skip(why)
    with Dovecot(options=SETUPS[request.param]) as running:
        yield running


@pytest.fixture
def account(server: Dovecot) -> Account:
    name = f"u{os.urandom(5).hex()}"
    return Account(name, server.user(name))


@pytest.fixture
def settings(server: Dovecot) -> ImapSettings:
    return ImapSettings(host="127.0.0.1", port=server.port, security="none", settle=0.1)


@pytest.fixture
def plain(server: Dovecot, account: Account) -> Iterator[imaplib.IMAP4]:
    """The account as any mail program sees it."""
    with imaplib.IMAP4("127.0.0.1", server.port) as session:
        session.login(account.name, account.secret or "")
        yield session


def wrong(opened: Any, settings: ImapSettings, account: Account) -> tuple[Any, tuple[str, ...]]:
    secret = "not-the-password-7531"
    return lambda: opened(settings, Account(account.name, secret)), (secret,)


class TestImapSource(SourceContract):
    @pytest.fixture
    def filled(self, server: Dovecot, plain: imaplib.IMAP4) -> imaplib.IMAP4:
        work = "INBOX.Work" if server.options.prefix else "Work"
        plain.create(work)
        for n, body in enumerate(MESSAGES):
            plain.append(work if n % 3 == 2 else "INBOX", "(\\Seen)" if n % 2 else "", "", body)  # type: ignore[arg-type]
        return plain

    @pytest.fixture
    def open_source(self, filled: imaplib.IMAP4, settings: ImapSettings, account: Account) -> OpenSource:
        assert imap.source is not None
        opened = imap.source
        return lambda: opened(settings, account)

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]]:
        return {("INBOX",): [b for n, b in enumerate(MESSAGES) if n % 3 != 2], ("Work",): [MESSAGES[2], MESSAGES[5]]}

    @pytest.fixture
    def remove(
        self, filled: imaplib.IMAP4, open_source: OpenSource, server: Dovecot
    ) -> Callable[[Collection, Item], None]:
        def gone(collection: Collection, item: Item) -> None:
            with open_source() as source:
                body = b"".join(source.read(item))
            work = "INBOX.Work" if server.options.prefix else "Work"
            filled.select(work if collection.path == ("Work",) else "INBOX")
            _, found = filled.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
            for part in found:
                if isinstance(part, tuple) and part[1] == body:
                    uid = re.search(rb"UID (\d+)", part[0])
                    assert uid is not None
                    filled.uid("STORE", uid[1].decode(), "+FLAGS", "(\\Deleted)")
                    filled.expunge()
                    break
            filled.unselect() if "UNSELECT" in filled.capabilities else filled.close()

        return gone

    @pytest.fixture
    def state(self, filled: imaplib.IMAP4) -> Callable[[], Any]:
        def look() -> Any:
            filled.select("INBOX", readonly=True)
            answer = filled.fetch("1:*", "(FLAGS)")
            filled.close()
            return answer

        return look

    @pytest.fixture
    def refused(
        self, filled: imaplib.IMAP4, settings: ImapSettings, account: Account
    ) -> tuple[OpenSource, tuple[str, ...]]:
        return wrong(imap.source, settings, account)


class TestImapDestination(DestinationContract):
    @pytest.fixture
    def open_destination(self, settings: ImapSettings, account: Account) -> OpenDestination:
        assert imap.destination is not None
        opened = imap.destination
        return lambda: opened(settings, account)

    @pytest.fixture
    def deliver(self, plain: imaplib.IMAP4) -> Callable[[Place, bytes], None]:
        def put(place: Place, body: bytes) -> None:
            plain.append(place, "", "", body)  # type: ignore[arg-type]

        return put

    @pytest.fixture
    def remove(self, plain: imaplib.IMAP4, open_destination: OpenDestination) -> Callable[[Receipt], None]:
        def gone(receipt: Receipt) -> None:
            plain.select(receipt.place)
            plain.uid("STORE", re.split(r"\D", receipt.id)[-1], "+FLAGS", "(\\Deleted)")
            plain.expunge()
            plain.close()

        return gone

    @pytest.fixture
    def refused(self, settings: ImapSettings, account: Account) -> tuple[OpenDestination, tuple[str, ...]]:
        return wrong(imap.destination, settings, account)
