"""Who may log in, how, and what each refusal means; and what an address or a plan may say."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest
from imap_kit import Mailbox, folder, message, parts, receipts
from liberate_imap.connectors import imap
from liberate_imap.destination import ImapDestination
from liberate_imap.sandbox import Dovecot, Options
from liberate_imap.settings import ImapSettings, endpoint
from pydantic import SecretStr, ValidationError

from liberate.connector import Account
from liberate.errors import AccountError, PlanError, TransientError

dovecot = pytest.mark.dovecot


def works(settings: ImapSettings, account: Account) -> bool:
    with ImapDestination(settings, account) as destination:
        receipts(destination.write_many(iter(parts(destination.prepare(folder("A")), [message(1)]))))
    return True


def refused(settings: ImapSettings, account: Account) -> AccountError:
    with pytest.raises(AccountError) as caught, ImapDestination(settings, account):
        pass
    if account.secret:
        assert account.secret not in f"{caught.value} {caught.value.why} {caught.value!r} {caught.value.__cause__!r}"
    return caught.value


@dovecot
@pytest.mark.parametrize("password", ["simple", 'quo"te\\back slash', "pässwörd ☕", "a" * 100])
def test_any_password_logs_in(mailbox: Mailbox, password: str) -> None:
    name = f"{mailbox.name}x{len(password)}"
    mailbox.server.user(name, password)
    assert works(mailbox.settings(), Account(name, password))


@dovecot
def test_a_wrong_password_and_an_unknown_user_are_told_once_each(mailbox: Mailbox) -> None:
    log = mailbox.server.log
    before = log.read_text().count("auth failed")
    wrong = refused(mailbox.settings(), Account(mailbox.name, "this is wrong"))
    assert wrong.code == "login-refused"
    assert mailbox.name in wrong.why
    assert refused(mailbox.settings(), Account("nobody-here", "secret words")).code == "login-refused"
    assert refused(mailbox.settings(), Account(mailbox.name, None)).code == "no-password"
    assert log.read_text().count("1 attempts") - before <= 2


@dovecot
@pytest.mark.parametrize("how", ["auto", "authzid", "separator"])
def test_a_master_user_logs_in_as_anybody(mailbox: Mailbox, how: str) -> None:
    password = mailbox.server.master("migrator", "master words")
    settings = mailbox.settings(master_user="migrator", master_password=SecretStr(password), master_login=how)
    assert works(settings, Account(mailbox.name))
    assert refused(settings, Account("nobody-here")).code in ("unknown-account", "login-refused")
    bad = mailbox.settings(master_user="migrator", master_password=SecretStr("no"), master_login=how)
    assert refused(bad, Account(mailbox.name)).code == "login-refused"
    assert mailbox.bodies("A") == [message(1)]


@dovecot
def test_a_token_logs_in_and_an_expired_one_does_not(new_mailbox: Callable[..., Mailbox]) -> None:
    mailbox = new_mailbox(xoauth2=True)
    settings = mailbox.settings(auth="xoauth2")
    token = mailbox.server.token
    assert works(settings, Account(mailbox.name, token(mailbox.name)))
    assert refused(settings, Account(mailbox.name, token(mailbox.name, -60))).code == "login-refused"
    assert refused(settings, Account(mailbox.name, token("somebody-else"))).code == "login-refused"


@dovecot
def test_encryption_is_verified(new_mailbox: Callable[..., Mailbox]) -> None:
    mailbox = new_mailbox(tls=True, config="listen = 127.0.0.1, 127.0.0.2")
    server = mailbox.server
    trusted = {"ca_file": server.ca_file}
    tls = {"port": server.tls_port, "security": "tls"}
    starttls = {"port": server.port, "security": "starttls"}
    for way in (tls, starttls):
        assert works(mailbox.settings(**way, **trusted), mailbox.account)
        assert works(mailbox.settings(host="localhost", **way, **trusted), mailbox.account)
        assert refused(mailbox.settings(**way), mailbox.account).code == "certificate-refused"
        # A name that leads to the same server and does not stand in its certificate.
        elsewhere = mailbox.settings(host="127.0.0.2", **way, **trusted)
        assert refused(elsewhere, mailbox.account).code == "certificate-refused"


@dovecot
def test_encryption_that_is_not_offered_is_never_done_without(mailbox: Mailbox) -> None:
    assert refused(mailbox.settings(security="starttls"), mailbox.account).code == "no-tls"
    with pytest.raises(TransientError), ImapDestination(mailbox.settings(security="tls"), mailbox.account):
        pass


@dovecot
def test_a_server_that_is_gone_is_something_to_try_again() -> None:
    if not Dovecot.installed():
        pytest.skip("Dovecot is not installed: apt-get install dovecot-imapd")
    with Dovecot(options=Options()) as server:
        password = server.user("anna")
        settings = ImapSettings(host="127.0.0.1", port=server.port, security="none")
        with ImapDestination(settings, Account("anna", password)) as destination:
            place = destination.prepare(folder("A"))
            server.restart()
            for _ in range(2):
                with pytest.raises(TransientError):
                    destination.mark(place)
        assert works(settings, Account("anna", password))
        server.kill()
        with pytest.raises(TransientError), ImapDestination(settings, Account("anna", password)):
            pass


@pytest.mark.parametrize(
    "greeting",
    [b"", b"* BYE try later\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"* OK hello\r\n* BYE [UNAVAILABLE] no\r\n"],
    ids=["nothing", "BYE", "no IMAP", "BYE later"],
)
def test_what_is_no_imap_server_is_something_to_try_again(greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(greeting)

        thread = threading.Thread(target=serve)
        thread.start()
        settings = ImapSettings(host="127.0.0.1", port=listener.getsockname()[1], security="none", timeout=5)
        with pytest.raises(TransientError), ImapDestination(settings, Account("anna", "secret")):
            pass
        thread.join()


def test_a_server_that_says_nothing_is_given_up_after_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = ImapSettings(host="127.0.0.1", port=listener.getsockname()[1], security="none", timeout=0.2)
        with pytest.raises(TransientError), ImapDestination(settings, Account("anna", "secret")):
            pass


# Settings and addresses --------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["mail.example.coop", "192.0.2.1", "localhost.example.coop", "10.0.0.1"])
def test_mail_never_goes_readable_over_the_network(host: str) -> None:
    with pytest.raises(ValidationError, match="not this machine"):
        ImapSettings(host=host, security="none")
    with pytest.raises(PlanError, match="imaps://"):
        endpoint(f"imap://anna@{host}")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_on_this_machine_it_may(host: str) -> None:
    assert ImapSettings(host=host, security="none").real_port == 143


def test_the_port_follows_the_encryption() -> None:
    assert ImapSettings(host="h").real_port == 993
    assert ImapSettings(host="h", security="starttls").real_port == 143
    assert ImapSettings(host="h", port=1993).real_port == 1993


def test_a_master_user_needs_a_password() -> None:
    with pytest.raises(ValidationError, match="master_password"):
        ImapSettings(host="h", master_user="m")


@pytest.mark.parametrize(
    ("url", "account", "settings"),
    [
        ("imaps://anna@mail.example.coop", "anna", {"host": "mail.example.coop", "security": "tls"}),
        (
            "imaps://anna%40example.coop@mail.example.coop:1993/From%20Google/anna/",
            "anna@example.coop",
            {"host": "mail.example.coop", "security": "tls", "port": 1993, "folder": "From Google/anna"},
        ),
        ("imaps://a@b.example@mail.example", "a@b.example", {"host": "mail.example", "security": "tls"}),
        ("imap+starttls://%C3%A5sa@m.example", "åsa", {"host": "m.example", "security": "starttls"}),
        ("imap://anna@127.0.0.1:1143", "anna", {"host": "127.0.0.1", "security": "none", "port": 1143}),
        ("imaps://anna@[2001:db8::1]:994", "anna", {"host": "2001:db8::1", "security": "tls", "port": 994}),
    ],
)  # fmt: skip
def test_an_address_names_account_server_and_folder(url: str, account: str, settings: dict[str, object]) -> None:
    found = endpoint(url)
    assert found.account == account
    assert dict(found.settings) == settings
    ImapSettings(**found.settings)


@pytest.mark.parametrize(
    "url",
    [
        "imaps://",
        "imaps://mail.example.coop",
        "imaps://anna@",
        "imaps://anna@h:port",
        "imaps://a:secret@h",
        "pop3://a@h",
    ],
)
def test_an_address_that_cannot_mean_a_mailbox_is_refused_without_showing_secrets(url: str) -> None:
    with pytest.raises(PlanError) as caught:
        endpoint(url)
    assert "secret" not in str(caught.value)


def test_the_connector_says_what_it_is() -> None:
    assert imap.schemes == ("imaps", "imap+starttls", "imap")
    assert imap.settings is ImapSettings
    assert imap.source is not None
    assert imap.destination is not None
