"""A small, strict ManageSieve client (RFC 5804): one account's scripts at its server.

Those on PyPI were read first: one waits for ever at the end of a connection and quotes no names, the other keeps what
came before STARTTLS, takes no authorities of its own, and alters the scripts it fetches.
"""

from __future__ import annotations

import base64
import contextlib
import re
import socket
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from liberate.connector import Account
from liberate.errors import AccountError, ItemError, LiberateError, PlanError, TransientError
from liberate.settings import reveal
from liberate_imap.settings import ImapSettings

if TYPE_CHECKING:
    from types import TracebackType

CONNECT_SECONDS = 10.0  # for a port that most servers open at once or never
_LONGEST = 1 << 22  # bytes of a line or a script that a server in order sends
_TOKEN = re.compile(rb'"((?:[^"\\\r\n]|\\.)*)"|\{(\d{1,10})\+?\}$|\(((?:[^()"]|"(?:[^"\\]|\\.)*")*)\)|([^\s"(){}]+)')


class NotOffered(Exception):
    """Nothing answers there as a ManageSieve server would: `where` it was looked for."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


@dataclass(frozen=True, slots=True)
class _Reply:
    word: str  # OK, NO or BYE
    code: str  # in capitals, without its arguments; "" for none
    lines: tuple[tuple[bytes, ...], ...]  # the strings of each line before it; an atom is a string too

    @property
    def ok(self) -> bool:
        return self.word == "OK"


class ManageSieve:
    """A connection that is logged in; opened when it is entered. Raises NotOffered, and as connectors do."""

    def __init__(self, settings: ImapSettings, account: Account) -> None:
        self._settings = settings
        self._account = account
        self._where = f"{settings.host}:{settings.sieve_port}"
        self._socket: socket.socket | None = None
        self._held = b""
        self._said: dict[str, str] = {}

    def __enter__(self) -> Self:
        try:
            self._connect()
            self._log_in()
        except BaseException:
            self._drop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            with contextlib.suppress(LiberateError):
                self._command(b"LOGOUT")
        self._drop()

    # Scripts -------------------------------------------------------------------------------------

    @property
    def extensions(self) -> frozenset[str]:
        """What the server announces of Sieve."""
        return frozenset(self._said.get("SIEVE", "").split())

    def scripts(self) -> dict[str, bool]:
        """The account's scripts by name, and whether each is the active one."""
        out = {}
        for line in self._must(b"LISTSCRIPTS").lines:
            if line:
                out[line[0].decode("utf-8", "replace")] = any(word.upper() == b"ACTIVE" for word in line[1:])
        return out

    def get(self, name: str) -> str:
        """The script of that name, as it is stored."""
        lines = self._must(b"GETSCRIPT " + _quoted(name)).lines
        if len(lines) != 1 or len(lines[0]) != 1:
            raise self._broken("an answer without a script")
        return lines[0][0].decode("utf-8", "surrogateescape")

    def put(self, name: str, script: str) -> None:
        """Store a script that the server finds right, in the place of one of that name. Raises ItemError."""
        data = script.encode()
        sent = b"{%d+}\r\n%s" % (len(data), data)
        if "VERSION" in self._said:  # RFC 5804 1.7: older servers have no CHECKSCRIPT
            self._taken(self._command(b"CHECKSCRIPT " + sent))
        self._taken(self._command(b"PUTSCRIPT " + _quoted(name) + b" " + sent))

    def activate(self, name: str) -> None:
        """Make that script the one that acts on mail, instead of any other."""
        self._must(b"SETACTIVE " + _quoted(name))

    def _taken(self, reply: _Reply) -> None:
        if reply.ok:
            return
        if reply.code.startswith("QUOTA"):
            why = f"{self._where} has no room for the script ({reply.code})."
            raise ItemError("script-too-large", why, "Ask for a higher limit there, then run the same command again.")
        if reply.code == "TRYLATER":
            raise TransientError(f"{self._where} cannot take scripts now.")
        # Its words are not told on: they may repeat what the script says.
        raise ItemError(
            "script-refused",
            f"{self._where} does not take the script.",
            "Look at the script in the job's folder, and put it in by hand in the webmail: it says what is wrong.",
        )

    # Logging in ----------------------------------------------------------------------------------

    def _connect(self) -> None:
        settings = self._settings
        try:
            line = socket.create_connection((settings.host, settings.sieve_port), timeout=CONNECT_SECONDS)
        except OSError as error:
            raise NotOffered(self._where) from error
        self._socket = line
        line.settimeout(settings.timeout)
        if settings.real_sieve_security == "tls":
            self._encrypt()
        try:
            self._said = self._capabilities(self._reply())
        except TransientError as error:
            raise NotOffered(self._where) from error
        if settings.real_sieve_security == "starttls":
            if "STARTTLS" not in self._said:
                # Without it a login would go over the network readable: never go on.
                raise AccountError(
                    "no-tls",
                    f"{self._where} offers no STARTTLS.",
                    'Set sieve_security = "tls", or have it switched on.',
                )
            self._must(b"STARTTLS")
            self._held = b""  # said before the encryption: it may be anybody's
            self._encrypt()
            self._said = self._capabilities(self._reply())
        if "SIEVE" not in self._said:
            raise NotOffered(self._where)

    def _encrypt(self) -> None:
        settings = self._settings
        try:
            trust = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
        except OSError as error:
            raise PlanError(f"The file of authorities {settings.ca_file} cannot be used ({error.strerror}).") from error
        try:
            self._socket = trust.wrap_socket(self._line, server_hostname=settings.host)
        except ssl.SSLCertVerificationError as error:
            raise AccountError(
                "certificate-refused",
                f"{self._where} shows a certificate that cannot be trusted: {error.verify_message}.",
                "Use the name that stands in the certificate, or name its authority with ca_file.",
            ) from error
        except OSError as error:
            raise TransientError(f"{self._where}: encryption could not be agreed on.") from error

    def _log_in(self) -> None:
        attempts = self._ways()
        for number, (mechanism, initial) in enumerate(attempts, 1):
            offered = self._said.get("SASL", "").upper().split()
            if mechanism not in offered:
                raise AccountError(
                    "login-disabled", f"{self._where} does not accept {mechanism} logins.", "Ask its administrator."
                )
            coded = base64.b64encode(initial)
            reply = self._command(
                b'AUTHENTICATE "%s" {%d+}\r\n%s' % (mechanism.encode(), len(coded), coded), login=True
            )
            while reply.word == "":  # a challenge: XOAUTH2 explains a refusal by one, and nothing answers it
                reply = self._command(b'""', login=True)
            if reply.ok:
                break
            if reply.code in ("TRYLATER", "UNAVAILABLE"):
                raise TransientError(f"{self._where} does not let anybody in now.")
            if number == len(attempts):
                raise AccountError(
                    "login-refused",
                    f"{self._where} refused the login for {self._account.name}.",
                    "Check the account's name and its password, and whether it may use ManageSieve.",
                )
        self._said = self._capabilities(self._must(b"CAPABILITY"))  # a server may offer more to whom it knows

    def _ways(self) -> list[tuple[str, bytes]]:
        """SASL mechanisms with what each begins with, in the order to try."""
        settings, name = self._settings, self._account.name
        if settings.master_user:
            secret = reveal(settings.master_password) or ""
            combined = f"{name}{settings.master_separator}{settings.master_user}"
            ways = {
                "authzid": ("PLAIN", f"{name}\0{settings.master_user}\0{secret}".encode()),
                "separator": ("PLAIN", f"\0{combined}\0{secret}".encode()),
            }
            return list(ways.values()) if settings.master_login == "auto" else [ways[settings.master_login]]
        if not self._account.secret:
            raise AccountError("no-password", f"There is no password for {name}.", "Name one in the people table.")
        if settings.auth == "xoauth2":
            return [("XOAUTH2", f"user={name}\x01auth=Bearer {self._account.secret}\x01\x01".encode())]
        return [("PLAIN", f"\0{name}\0{self._account.secret}".encode())]

    @staticmethod
    def _capabilities(reply: _Reply) -> dict[str, str]:
        return {
            line[0].decode("utf-8", "replace").upper(): line[1].decode("utf-8", "replace") if len(line) > 1 else ""
            for line in reply.lines
            if line
        }

    # The wire ------------------------------------------------------------------------------------

    @property
    def _line(self) -> socket.socket:
        if self._socket is None:
            raise TransientError(f"The connection to {self._where} is closed.")
        return self._socket

    def _must(self, line: bytes) -> _Reply:
        reply = self._command(line)
        if not reply.ok:
            raise TransientError(f"{self._where} refused a command ({reply.code or 'no reason given'}).")
        return reply

    def _command(self, line: bytes, *, login: bool = False) -> _Reply:
        try:
            self._line.sendall(line + b"\r\n")
        except OSError as error:
            raise self._broken("the connection") from error
        return self._reply(login=login)

    def _reply(self, *, login: bool = False) -> _Reply:
        """What is said up to OK, NO or BYE; in a login also up to a challenge, whose word is ""."""
        lines: list[tuple[bytes, ...]] = []
        while True:
            atom, strings, code = self._said_line()
            word = atom.decode("ascii", "replace").upper()
            if word in ("OK", "NO", "BYE"):
                if word == "BYE":
                    raise TransientError(f"{self._where} closed the connection.")
                return _Reply(word, code, tuple(lines))
            if atom:
                raise self._broken("something that is not ManageSieve")
            lines.append(tuple(strings))
            if login:
                return _Reply("", "", tuple(lines))

    def _said_line(self) -> tuple[bytes, list[bytes], str]:
        """One line: the word it begins with (b"": none), its strings and atoms, its response code."""
        first, strings, code = b"", [], ""
        rest = self._until_line_end()
        at_start = True
        while rest := rest.lstrip(b" "):
            match = _TOKEN.match(rest)
            if match is None:
                raise self._broken("something that is not ManageSieve")
            text, size, inside, atom = match.groups()
            rest = rest[match.end() :]
            if text is not None:
                strings.append(re.sub(rb"\\(.)", rb"\1", text))
            elif size is not None:
                strings.append(self._exactly(int(size)))
                rest = self._until_line_end()
            elif inside is not None:
                code = inside.split(b" ", 1)[0].decode("ascii", "replace").upper()
            elif at_start:
                first = atom
            else:
                strings.append(atom)
            at_start = False
        return first, strings, code

    def _until_line_end(self) -> bytes:
        while b"\r\n" not in self._held:
            if len(self._held) > _LONGEST:
                raise self._broken("a line without an end")
            self._more()
        line, _, self._held = self._held.partition(b"\r\n")
        return line

    def _exactly(self, size: int) -> bytes:
        if size > _LONGEST:
            raise self._broken("a text without measure")
        while len(self._held) < size:
            self._more()
        text, self._held = self._held[:size], self._held[size:]
        return text

    def _more(self) -> None:
        try:
            more = self._line.recv(1 << 16)
        except OSError as error:
            raise self._broken("the connection") from error
        if not more:
            raise self._broken("the connection")
        self._held += more

    def _broken(self, what: str) -> TransientError:
        self._drop()
        return TransientError(f"{self._where}: {what} broke off or came instead of an answer.")

    def _drop(self) -> None:
        line, self._socket = self._socket, None
        self._held = b""
        if line is not None:
            with contextlib.suppress(OSError):
                line.close()


def _quoted(name: str) -> bytes:
    return b'"' + name.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
