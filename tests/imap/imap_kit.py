"""What the tests of the IMAP connector share: an account as it really is, and messages to put there."""

from __future__ import annotations

import contextlib
import imaplib
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import test as cpython_tests
from liberate_imap.destination import ImapDestination
from liberate_imap.find import Clock
from liberate_imap.sandbox import Dovecot
from liberate_imap.settings import ImapSettings
from liberate_imap.source import ImapSource

from liberate.connector import Account, Collection, Item, ItemError, Kind, Outcome, Place, Receipt, Slot
from liberate.mail import MailFacts, fingerprint, wire_form

RECEIVED = datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)


@dataclass(frozen=True)
class Mailbox:
    """One account of a real server."""

    server: Dovecot
    name: str
    password: str

    def settings(self, **more: Any) -> ImapSettings:
        base: dict[str, Any] = {"host": "127.0.0.1", "port": self.server.port, "security": "none", "settle": 0}
        return ImapSettings(**(base | more))

    @property
    def account(self) -> Account:
        return Account(self.name, self.password)

    def destination(self, *, clock: Clock | None = None, step: Callable[[str], None] | None = None, **more: Any):
        return ImapDestination(self.settings(**more), self.account, clock=clock, step=step)

    def source(self, **more: Any) -> ImapSource:
        return ImapSource(self.settings(**more), self.account)

    @contextlib.contextmanager
    def plain(self) -> Iterator[imaplib.IMAP4]:
        """The account as any mail program sees it."""
        with imaplib.IMAP4("127.0.0.1", self.server.port) as session:
            session.login(self.name, self.password)
            yield session

    def folders(self) -> set[str]:
        """Names as they stand on the wire."""
        with self.plain() as session:
            lines = session.list()[1]
        return {re.sub(r'^\(.*?\) (?:"."|NIL) ', "", str(_text(line))).strip('"') for line in lines if line}

    def deliver(self, folder: str, *messages: bytes, flags: str = "") -> None:
        """Put messages there as somebody else would."""
        with self.plain() as session:
            session.create(f'"{folder}"')
            for message in messages:
                assert session.append(f'"{folder}"', flags, None, message)[0] == "OK"

    def stored(self, folder: str) -> list[Stored]:
        """What the folder really holds, in order."""
        with self.plain() as session:
            if session.select(f'"{folder}"', readonly=True)[0] != "OK":
                return []
            answer = session.uid("FETCH", "1:*", "(UID FLAGS INTERNALDATE BODY.PEEK[])")[1]
        out = []
        for part in answer:
            if isinstance(part, tuple):
                head = part[0]
                flags = re.search(rb"FLAGS \(([^)]*)\)", head)
                date = re.search(rb'INTERNALDATE "([^"]*)"', head)
                uid = re.search(rb"UID (\d+)", head)
                assert flags is not None
                assert date is not None
                assert uid is not None
                when = datetime.strptime(date.group(1).decode().strip(), "%d-%b-%Y %H:%M:%S %z")
                words = frozenset(flags.group(1).decode().split()) - {"\\Recent"}
                out.append(Stored(int(uid.group(1)), words, when, part[1]))
        return out

    def bodies(self, folder: str) -> list[bytes]:
        return [one.body for one in self.stored(folder)]


@dataclass(frozen=True)
class Stored:
    uid: int
    flags: frozenset[str]
    received: datetime
    body: bytes


def _text(line: Any) -> str:
    if isinstance(line, tuple):
        return line[0].decode().rsplit("{", 1)[0] + line[1].decode()
    return line.decode()


class Stream:
    """A Body of these bytes, which may fail on the way."""

    def __init__(self, data: bytes, *, size: int | None = -1, fails_at: int | None = None) -> None:
        self._file = io.BytesIO(data)
        self.size = len(data) if size == -1 else size
        self._fails_at = fails_at

    def read(self, n: int = -1, /) -> bytes:
        if self._fails_at is not None and self._file.tell() >= self._fails_at:
            raise ConnectionResetError("the source went away")
        return self._file.read(n)


_serial = iter(range(10**9))


def slot(
    place: Place, data: bytes, facts: MailFacts | None = None, mark: str | None = None, modified: datetime | None = None
) -> Slot:
    """A slot for the message `data`, as the core would make it."""
    number = next(_serial)
    wire = wire_form(data)
    item = Item(
        str(number),
        Kind.MAIL,
        "",
        size=len(wire),
        modified=modified,
        digests=fingerprint(data, wire),
        facts=facts or MailFacts(received=RECEIVED),
    )
    return Slot(item, place, "", f"{number:032x}", mark)


def parts(
    place: Place, messages: Iterable[bytes], facts: MailFacts | None = None, mark: str | None = None
) -> list[tuple[Slot, bytes]]:
    return [(slot(place, message, facts, mark), wire_form(message)) for message in messages]


def receipts(outcomes: Iterable[Outcome]) -> list[Receipt]:
    """The receipts of outcomes that all went well."""
    out = []
    for _, outcome in outcomes:
        assert isinstance(outcome, Receipt), outcome
        out.append(outcome)
    return out


def refusals(outcomes: Iterable[Outcome]) -> dict[str, str]:
    """The codes of what was refused, by slot key."""
    return {one.key: outcome.code for one, outcome in outcomes if isinstance(outcome, ItemError)}


def folder(*path: str, role: str | None = None) -> Collection:
    return Collection("/".join(path), path, Kind.MAIL, role=role)


def message(number: int, size: int = 2000) -> bytes:
    head = b"From: a@example.coop\r\nSubject: %d\r\nMessage-ID: <%d@example.coop>\r\n\r\n" % (number, number)
    return head + (b"%07d " % number * (size // 8 + 1))[: max(0, size - len(head))] + b"\r\n"


def nobody(_place: Place, _ids: Sequence[str]) -> set[str]:
    return set()


class FakeClock:
    """Time that passes only while somebody sleeps; `meanwhile` is called at each sleep."""

    def __init__(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._meanwhile = meanwhile

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        self._meanwhile()


def corpus() -> list[tuple[str, bytes]]:
    """The e-mails of CPython's own tests: real ones, and many that are broken on purpose."""
    for inside in ("test_email/data", "../email/test/data"):
        data = Path(cpython_tests.__file__).parent / inside
        if data.is_dir():
            return [(path.name, path.read_bytes()) for path in sorted(data.glob("msg_*.txt"))]
    return []


ODD: dict[str, bytes] = {
    "bare LF": b"Subject: a\n\nb\nc\n",
    "bare CR in a line": b"Subject: a\r\n\r\nb\rc\r\n",
    "8-bit header": b"Subject: r\xe4ksm\xf6rg\xe5s\r\n\r\nb\r\n",
    "UTF-8 header": "Subject: räksmörgås ☕\r\n\r\nb\r\n".encode(),
    "200 kB line": b"Subject: long\r\n\r\n" + b"x" * 200_000 + b"\r\n",
    "200 kB header line": b"Subject: " + b"y" * 200_000 + b"\r\n\r\nb\r\n",
    "no header": b"\r\njust a body\r\n",
    "no header and no empty line": b"just words",
    "one byte": b"x",
    "header only": b"Subject: nothing follows\r\n",
    "no line end at the end": b"Subject: a\r\n\r\nno line end",
    "From line first": b"From somebody Thu Jan  1 00:00:00 1970\r\nSubject: a\r\n\r\nb\r\n",
    "From line in the body": b"Subject: a\r\n\r\nb\r\n\r\nFrom here on\r\n>From there\r\n",
    "all bytes but NUL, CR and LF": b"Subject: a\r\n\r\n"
    + bytes(b for b in range(1, 256) if b not in (10, 13))
    + b"\r\n",
    "only line ends": b"\r\n\r\n\r\n",
    "a literal's look": b"Subject: a\r\n\r\n{10}\r\n* 1 FETCH (UID 1)\r\nL1 OK done\r\n)\r\n",
    "a dot": b"Subject: a\r\n\r\n.\r\n..\r\n",
}
"""Messages that some program somewhere would alter; Dovecot does not."""

ALTERED: dict[str, bytes] = {
    "NUL": b"Subject: a\r\n\r\nb\0c\r\n",
    "doubled CR": b"Subject: a\r\n\r\nb\r\r\nc\r\r\n",
    "lone CR at the end": b"Subject: a\r\n\r\nb\r",
}
"""Messages that Dovecot does alter: the bytes are still known again."""
