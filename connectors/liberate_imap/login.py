"""Reaching an IMAP server and logging in: through IMAPClient, with every failure told apart."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

from liberate.connector import Account
from liberate.errors import AccountError, LiberateError, PlanError, TransientError
from liberate.extras import needed
from liberate.settings import reveal
from liberate_imap.grammar import Reply
from liberate_imap.refusals import said
from liberate_imap.settings import ImapSettings

if TYPE_CHECKING:
    from imapclient import IMAPClient

_CODE = re.compile(r"\[([A-Z-]+)[^\]]*\]\s*", re.IGNORECASE)


def connect(settings: ImapSettings, account: Account) -> IMAPClient:
    """A logged-in client with nothing under way. Raises AccountError when a person must act,
    TransientError when the server cannot be reached now. No error holds a secret."""
    with needed("The IMAP connector", "imap"):
        from imapclient import IMAPClient  # noqa: PLC0415

    login = _ways(settings, account)
    context = _trust(settings) if settings.security != "none" else None
    where = f"{settings.host}:{settings.real_port}"
    client: IMAPClient | None = None
    try:
        client = IMAPClient(
            settings.host,
            settings.real_port,
            ssl=settings.security == "tls",
            ssl_context=context,
            timeout=settings.timeout,
        )
        if settings.security == "starttls":
            _start_tls(client, context, where)
        _log_in(client, login, account, where)
        return client
    except BaseException as error:
        if client is not None:
            _close(client)
        told = _unreachable(error, where)
        if told is None:
            raise
        raise told from error


def _trust(settings: ImapSettings) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise PlanError(f"The file of authorities {settings.ca_file} cannot be used ({error.strerror}).") from error


def _start_tls(client: IMAPClient, context: ssl.SSLContext | None, where: str) -> None:
    # Without it a login would go over the network readable: never go on.
    if not client.has_capability("STARTTLS"):
        raise AccountError(
            "no-tls", f"{where} offers no STARTTLS.", 'Use security = "tls", or have encryption switched on there.'
        )
    client.starttls(context)


# The ways to log in ------------------------------------------------------------------------------

Way = Callable[["IMAPClient"], None]


def _ways(settings: ImapSettings, account: Account) -> list[Way]:
    """How to log in, in the order to try; more than one only for a master user."""
    if settings.master_user:
        master, password = settings.master_user, reveal(settings.master_password) or ""
        combined = f"{account.name}{settings.master_separator}{master}"
        ways: dict[str, Way] = {
            "authzid": lambda client: _plain(client, master, password, account.name),
            "separator": lambda client: _password(client, combined, password),
        }
        return list(ways.values()) if settings.master_login == "auto" else [ways[settings.master_login]]
    secret = account.secret
    if not secret:
        raise AccountError(
            "no-password",
            f"There is no password for {account.name}.",
            "Name one in the people table, set LIBERATE_PASSWORD, or give the connection a master user.",
        )
    if settings.auth == "xoauth2":
        return [lambda client: _xoauth2(client, account.name, secret)]
    return [lambda client: _password(client, account.name, secret)]


def _plain(client: IMAPClient, user: str, password: str, on_behalf_of: str = "") -> None:
    client.plain_login(user, password, on_behalf_of)


def _password(client: IMAPClient, user: str, password: str) -> None:
    # PLAIN carries any password as UTF-8; LOGIN only ASCII for certain (RFC 3501 6.2.3).
    if client.has_capability("AUTH=PLAIN"):
        _plain(client, user, password)
    elif client.has_capability("LOGINDISABLED"):
        raise AccountError(
            "login-disabled", f"{client.host} accepts no passwords on this connection.", "Use TLS, or a token."
        )
    else:
        client.login(user, password)


def _xoauth2(client: IMAPClient, user: str, token: str) -> None:
    first = f"user={user}\x01auth=Bearer {token}\x01\x01"
    # A refusal comes as a second challenge that must be answered, with nothing, to hear the NO.
    answers = iter((first,))
    client.sasl_login("XOAUTH2", lambda _challenge: next(answers, ""))


def _log_in(client: IMAPClient, ways: list[Way], account: Account, where: str) -> None:
    from imapclient.exceptions import LoginError  # noqa: PLC0415

    for way in ways:
        try:
            way(client)
        except LoginError as error:
            told = _refused(str(error), account, where)
            if isinstance(told, TransientError) or way is ways[-1]:
                raise told from None  # its text could quote what was sent
        except UnicodeEncodeError:
            raise AccountError(
                "login-refused",
                f"{where} takes only plain ASCII passwords, and {account.name}'s has other characters.",
                "Change the password there.",
            ) from None
        else:
            return


def _refused(text: str, account: Account, where: str) -> LiberateError:
    match = _CODE.search(text)
    code = match.group(1).upper() if match else ""
    reply = Reply("NO", code, "", text[match.end() :] if match else text)
    why = f"{where} refused the login for {account.name}: {said(reply)}."
    if code in ("UNAVAILABLE", "INUSE", "SERVERBUG", "LIMIT"):
        return TransientError(why)
    if code == "EXPIRED":
        return AccountError("login-expired", why, "Renew the password or token.")
    if code == "AUTHORIZATIONFAILED":
        return AccountError("unknown-account", why, "Check the account's name, and what the master user may do.")
    if code == "PRIVACYREQUIRED":
        return AccountError("no-tls", why, 'Use security = "tls".')
    if code == "CONTACTADMIN":
        return AccountError("login-disabled", why, "Ask the administrator of that server.")
    return AccountError(
        "login-refused", why, "Check the account's name and its password, then run the same command again."
    )


# Failures below IMAP -----------------------------------------------------------------------------


def _unreachable(error: BaseException, where: str) -> LiberateError | None:
    """What a failure of the connection itself means; None if it is not one."""
    import imaplib  # noqa: PLC0415

    if isinstance(error, LiberateError):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        return AccountError(
            "certificate-refused",
            f"{where} shows a certificate that cannot be trusted: {error.verify_message}.",
            "Use the name that stands in the certificate, or name its authority with ca_file.",
        )
    if isinstance(error, ssl.SSLError):
        return TransientError(f"{where}: encryption could not be agreed on ({error.reason or 'no reason given'}).")
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return TransientError(f"{where}: the name cannot be looked up now.")
        return AccountError("unknown-server", f"{where}: there is no server of that name.", "Check the name.")
    if isinstance(error, OSError):
        return TransientError(f"{where} cannot be reached ({error.strerror or error}).")
    if isinstance(error, imaplib.IMAP4.abort):
        return TransientError(f"{where} closed the connection before the login was through.")
    if isinstance(error, imaplib.IMAP4.error):
        return TransientError(f"{where} does not answer as an IMAP server.")
    return None


def _close(client: IMAPClient) -> None:
    with contextlib.suppress(OSError):
        client.shutdown()
