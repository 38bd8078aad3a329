"""What people have who leave a vendor: messages, times of meetings, and contacts, as a reader sees them."""

from __future__ import annotations

import email
import email.policy
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple, Protocol

CASHIER = "kassa@odling.example"  # whose letters everybody has a filter for
FIRST, LAST = date(2025, 1, 1), date(2030, 1, 1)


@dataclass(frozen=True, slots=True)
class Size:
    """How much each of how many people has."""

    people: int
    mails: int
    events: int  # at least one of each shape
    contacts: int


class Letter(NamedTuple):
    """A message, by what a reader sees of it."""

    id: str
    subject: str
    text: str
    seen: bool


class Meeting(NamedTuple):
    """One time at which something takes place."""

    begin: str  # in universal time, or a day
    end: str
    name: str


class Card(NamedTuple):
    """What is asked of a contact."""

    name: str
    family: str
    given: str
    emails: tuple[str, ...]
    phones: tuple[str, ...]
    company: str
    birthday: str  # "" for none
    note: str
    categories: tuple[str, ...]


@dataclass
class Had:
    """What somebody had."""

    letters: Counter[Letter] = field(default_factory=Counter)
    meetings: Counter[Meeting] = field(default_factory=Counter)
    cards: Counter[Card] = field(default_factory=Counter)
    objects: int = 0  # events, a series counted once


class Vendor(Protocol):
    """A service that is left, with people in it."""

    people: tuple[str, ...]
    receipts: str  # the folder into which everybody's filter puts what the cashier writes

    def connection(self, folder: Path) -> str:
        """The lines of a plan that lead to it; what they name is written into the folder."""
        ...

    def had(self, address: str) -> Had:
        """What that person has now."""
        ...

    def go_on(self, address: str) -> None:
        """What happens at the vendor while the move is under way: something new, changed and deleted."""
        ...


def letter(number: int, address: str) -> EmailMessage:
    """A message of one of several makes, the same for the same number."""
    made = EmailMessage(policy=email.policy.SMTP)
    made["Subject"] = f"Årsmöte {number} — ドキュメント"
    made["From"] = "Björn Hjälmarsson <bjorn@solros.example>"
    made["To"] = address
    made["Message-ID"] = f"<{number}.{address}>"
    made["Date"] = f"Tue, 0{number % 9 + 1} Sep 2026 10:00:00 +0200"
    made.set_content(f"Hej!\r\n\r\nNummer {number}, till {address}.\r\n.\r\nFrom here\r\n")
    if number % 4 == 1:
        made.add_alternative(f"<p>Nummer <b>{number}</b></p>", subtype="html")
    if number % 5 == 2:
        made.add_attachment(
            bytes(range(256)) * (number % 7 + 1), maintype="application", subtype="pdf", filename="å.pdf"
        )
    return made


def person(number: int) -> Card:
    """A contact, the same for the same number."""
    family, given = ("Åkerström; Berg", "O'Neil", "森田", "Papadopoulou")[number % 4], f"Name, {number}"
    return Card(
        f"{given} {family}",
        family,
        given,
        tuple(f"{number}.{at}@odling.example" for at in range(number % 3 + 1)),
        tuple(f"+46 70 {number:03} {at}" for at in range(number % 3)),
        "Solros; Odling" if number % 2 else "",
        f"{1950 + number % 50}-02-{number % 28 + 1:02}" if number % 3 else "",
        "Rad ett\nrad två; med, tecken\\" if number % 4 == 0 else "",
        ("Styrelsen, gamla",) if number % 5 == 0 else (),
    )


def universal(moment: Any) -> str:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M")
    return str(moment)


def within(one: Meeting) -> bool:
    return str(FIRST) <= one.begin[:10] < str(LAST)


def seen_letter(message: Any, *, seen: bool) -> Letter:
    text = message.get_body(("plain",)).get_content().replace("\r\n", "\n").rstrip()
    files = b"".join(part.get_payload(decode=True) for part in message.iter_attachments())
    return Letter(str(message["Message-ID"]), str(message["Subject"]), f"{text} {len(files)} {sum(files)}", seen)
