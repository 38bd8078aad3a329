"""People who leave a vendor with their mail, calendars and contacts: what each had, and what stands afterwards.

What they had is told by the generator and by the stand-in's own expansion of a series; what stands is read by
imaplib, icalendar with recurring_ical_events, and vobject. Neither passes through liberate.
"""

from __future__ import annotations

import email
import email.policy
import imaplib
import re
import smtplib
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

import icalendar
import recurring_ical_events
import vobject
from command_kit import Commanded
from leaving_had_kit import CASHIER, FIRST, LAST, Card, Had, Meeting, Size, Vendor, seen_letter, universal, within
from leaving_vendors_kit import Google, Microsoft
from liberate_google.standin import GoogleStandin
from liberate_imap.sandbox import Dovecot, Options
from liberate_microsoft.standin.server import GraphStandin
from liberate_nextcloud.dav_sandbox import Radicale

PASSWORD = "correct horse"  # of everybody's calendars, of the mail server's administrator
_PLAN = """\
[job]
name = "solros"
[connections.old]
{connection}
[connections.calendars]
connector = "dav"
url = "{dav}"
password = {{ file = "password" }}
[connections.mail]
connector = "imap"
host = "127.0.0.1"
port = {imap}
security = "none"
settle = 0.3
master_user = "migrator"
master_password = {{ file = "password" }}
sieve_port = {sieve}
sieve_security = "none"
[[routes]]
from = "old"
to = "calendars"
kinds = ["event", "contact"]
[[routes]]
from = "old"
to = "mail"
kinds = ["mail"]
filters = "copy"
[people]
table = "people.csv"
"""


# What stands afterwards ---------------------------------------------------------------------------


@dataclass
class Leaving(Commanded):
    """People, what they leave, and where they go."""

    vendor: Vendor
    radicale: Radicale
    dovecot: Dovecot

    def name(self, address: str) -> str:
        """What the person is called at the destination."""
        return address.partition("@")[0].replace(".", "-")

    def has(self, address: str) -> Had:
        """What that person has at the destination, read by others' libraries."""
        out = Had()
        for message, flags in self._mail(address):
            out.letters[seen_letter(message, seen=b"\\Seen" in flags)] += 1
        for text in self._collections(self.name(address)):
            if "BEGIN:VCARD" in text:
                for card in vobject.readComponents(text):
                    out.cards[_seen_card(card)] += 1
                continue
            calendar = icalendar.Calendar.from_ical(text)
            out.objects += len({str(one["UID"]) for one in calendar.walk("VEVENT")})
            for one in recurring_ical_events.of(calendar).between(FIRST, LAST):
                out.meetings[Meeting(universal(one.start), universal(one.end), str(one["SUMMARY"]))] += 1
        out.meetings = Counter({one: count for one, count in out.meetings.items() if within(one)})
        return out

    def filed(self, address: str) -> set[str]:
        """The folders in which a new letter from the cashier lies, which is sent to that person now."""
        text = f"From: {CASHIER}\r\nSubject: new\r\nMessage-ID: <new@odling.example>\r\n\r\nPaid.\r\n"
        with smtplib.LMTP("127.0.0.1", self.dovecot.lmtp_port) as line:
            line.sendmail(CASHIER, [self.name(address)], text.encode())
        return {folder for folder, one, _ in self._letters(address) if one["Message-ID"] == "<new@odling.example>"}

    def _mail(self, address: str) -> Iterator[tuple[Any, bytes]]:
        for _, message, flags in self._letters(address):
            yield message, flags

    def _letters(self, address: str) -> Iterator[tuple[str, Any, bytes]]:
        with imaplib.IMAP4("127.0.0.1", self.dovecot.port) as server:
            server.login(f"{self.name(address)}*migrator", PASSWORD)
            for line in server.list()[1]:
                assert isinstance(line, bytes)
                folder = re.sub(rb'^.*? "." "?(.*?)"?$', rb"\1", line).decode()
                selected, count = server.select(f'"{folder}"', readonly=True)
                if selected != "OK" or count == [b"0"]:
                    continue  # a folder that only has others in it, or an empty one
                answer = server.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]
                for part in answer:
                    if isinstance(part, tuple):
                        yield folder, email.message_from_bytes(part[1], policy=email.policy.default), part[0]

    def _collections(self, user: str) -> Iterator[str]:
        """Each calendar and address book of a person, whole, as the server gives it."""
        listing = self._ask("PROPFIND", f"/{quote(user)}/", user, {"Depth": "1"})
        for path in re.findall(r"<(?:\w+:)?href>([^<]+)</", listing):
            if unquote(path).strip("/") != user:
                text = self._ask("GET", path, user)
                if "BEGIN:" in text:
                    yield text

    def _ask(self, method: str, path: str, user: str, headers: dict[str, str] | None = None) -> str:
        login = b64encode(f"{user}:{PASSWORD}".encode()).decode()
        asked = Request(  # noqa: S310 - our own server
            self.radicale.url + path, method=method, headers={"Authorization": f"Basic {login}", **(headers or {})}
        )
        with urlopen(asked) as answer:  # noqa: S310
            return str(answer.read().decode())


def _seen_card(card: Any) -> Card:
    def all_of(name: str) -> tuple[str, ...]:
        return tuple(str(one.value) for one in card.contents.get(name, []))

    company = card.contents["org"][0].value[0] if "org" in card.contents else ""
    born = all_of("bday")
    groups = tuple(value for one in card.contents.get("categories", []) for value in one.value)
    digits = re.sub(r"\D", "", born[0]) if born else ""
    return Card(
        card.fn.value, card.n.value.family, card.n.value.given, all_of("email"), all_of("tel"), company,
        f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}" if digits else "", "".join(all_of("note")), groups,
    )  # fmt: skip


@contextmanager
def leaving(folder: Path, vendor: str, size: Size) -> Iterator[Leaving]:
    """The people of that vendor, two servers with nothing on them, and a plan."""
    with ExitStack() as up:
        left: Vendor
        if vendor == "google":
            left = Google(up.enter_context(GoogleStandin()), size)
        else:
            left = Microsoft(up.enter_context(GraphStandin()), size)
        here = Leaving(folder, {}, left, None, None)  # type: ignore[arg-type] - set below
        users = {here.name(one): PASSWORD for one in left.people}
        here.radicale = up.enter_context(Radicale(folder / "radicale", users))
        here.dovecot = Dovecot(options=Options(sieve=True))
        for name in users:
            here.dovecot.user(name)
        here.dovecot.master("migrator", PASSWORD)
        up.enter_context(here.dovecot)
        (folder / "password").touch(0o600)
        (folder / "password").write_text(PASSWORD)
        ports = {"imap": here.dovecot.port, "sieve": here.dovecot.sieve_port}
        lines = _PLAN.format(connection=left.connection(folder), dav=here.radicale.url, **ports)
        (folder / "liberate.toml").write_text(lines)
        rows = [f"{one},{here.name(one)}" for one in left.people]
        (folder / "people.csv").write_text("\n".join(["source,destination", *rows]) + "\n")
        yield here
