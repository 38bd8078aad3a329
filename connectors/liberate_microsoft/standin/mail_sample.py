"""A small co-op's mail in Exchange, made up: for the demo, and whoever wants to see what a move looks like.

Six people, six languages, folders in their own, categories and flags, and what Exchange keeps besides. The
same at every call, byte for byte, but for the order of headers, in which Exchange writes a message anew.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from liberate_microsoft.standin.mailbox import Mailbox
from liberate_microsoft.standin.server import GraphStandin

_START = datetime(2025, 2, 3, 8, 15, tzinfo=UTC)
SHARED = "info"
"""The local part of the shared mailbox's address."""

_GERMAN = {
    "inbox": "Posteingang", "drafts": "Entwürfe", "sentitems": "Gesendete Elemente", "archive": "Archiv",
    "deleteditems": "Gelöschte Elemente", "junkemail": "Junk-E-Mail", "outbox": "Postausgang",
}  # fmt: skip
_SWEDISH = {
    "inbox": "Inkorgen", "drafts": "Utkast", "sentitems": "Skickat", "archive": "Arkiv",
    "deleteditems": "Borttaget", "junkemail": "Skräppost", "outbox": "Utkorgen",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the co-op."""

    local: str
    name: str
    folders: tuple[str, ...]  # of their own, nested by slashes
    subjects: tuple[str, ...]
    names: dict[str, str] = field(default_factory=dict)  # of the usual folders, where not in English


PEOPLE = (
    Person(
        "anna", "Anna Åkerström", ("Årsmöte/2026", "Projekt/Solceller/Tak", "Kvitton"),
        ("Dagordning till styrelsemötet", "Solcellerna på taket är klara", "Nycklarna till lokalen"), _SWEDISH,
    ),
    Person(
        "bjorn", "Björn Hjälmarsson", ("Odling", "Odling/Frön", "a.b"),
        ("Fröna har kommit", "Skördefest på lördag", "Vem har vattenkannan?"), _SWEDISH,
    ),
    Person(
        "claire", "Claire Lefèvre", ("Adhérents", "Achats, devis", "Presse/À relire"),
        ("Compte rendu de l’assemblée", "Devis pour l’atelier vélo", "Nouvelle adhérente"),
    ),
    Person(
        "dietrich", "Dietrich Großmann", ("Buchhaltung/2025", "Buchhaltung/2026", "Verträge"),
        ("Einladung zur Mitgliederversammlung", "Rechnung für die Wärmepumpe", "Fahrräder im Hof"), _GERMAN,
    ),
    Person(
        "eleni", "Ελένη Παπαδοπούλου", ("Συνέλευση", "Συνέλευση/Πρακτικά", "Ideas"),
        ("Πρακτικά της συνέλευσης", "Η γιορτή του καλοκαιριού", "Αίτηση νέου μέλους"),
    ),
    Person(
        "yuki", "森田 ゆき", ("会計/領収書", "イベント"),
        ("総会のお知らせ", "領収書を送ります", "屋上の菜園について"),
    ),
)  # fmt: skip
_OFFICE = Person(SHARED, "Info", ("Done", "Done/2025"), ("Membership", "Your bill", "A question about the garden"))
_CATEGORIES = ("Red category", "Styrelsen", "À faire", "Junk")


def sample_mail(standin: GraphStandin, domain: str = "solros.example") -> tuple[str, ...]:
    """Make the mailboxes of six people and a shared one in the stand-in; their addresses, the shared one's last."""
    made = []
    for person in (*PEOPLE, _OFFICE):
        address = f"{person.local}@{domain}"
        mailbox = standin.add_mailbox(address, person.name, shared=person is _OFFICE, names=person.names)
        _fill(mailbox, person, domain)
        made.append(address)
    return tuple(made)


def _fill(mailbox: Mailbox, person: Person, domain: str) -> None:
    dice = random.Random(f"{person.local}@{domain}")  # noqa: S311 - the same at every call
    own = [_folder(mailbox, path) for path in person.folders]
    when = _START
    for number in range(24):
        when += timedelta(hours=dice.randrange(20, 400), seconds=dice.randrange(3600))
        writer = dice.choice([one for one in PEOPLE if one is not person])
        raw = _written(writer, person, number, when, domain, dice)
        where = own[number % len(own)] if dice.random() < 0.4 else "inbox"
        mailbox.add(raw, where, received=when, sent=when - timedelta(seconds=7), **_state(dice))
        if number % 3 == 0:
            later = when + timedelta(minutes=47)
            mailbox.add(
                _written(person, writer, number + 100, later, domain, dice), "sentitems",
                received=later + timedelta(seconds=3), sent=later, read=True,
            )  # fmt: skip
    for raw, folder, facts in _oddities(person, domain):
        mailbox.add(raw, folder, received=when, sent=when, **facts)
    mailbox.add_folder("Unread mail", search=True)
    mailbox.add_folder("PersonMetadata", hidden=True)
    mailbox.add(b"Subject: kept by a program\r\n\r\n", "PersonMetadata", received=when)
    mailbox.add_well_known("syncissues")
    mailbox.add_well_known("recoverableitemsdeletions")
    mailbox.add(b"Subject: Synchronization log\r\n\r\n", "syncissues", received=when)
    mailbox.archive = person.local == "dietrich"


def _folder(mailbox: Mailbox, path: str) -> str:
    """The id of that folder, made with those above it."""
    above = mailbox.root
    for step in path.split("/"):
        found = next((one for one in mailbox.children(above.id) if one.name == step), None)
        above = found or mailbox.add_folder(step, above.id)
    return above.id


def _state(dice: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {"read": dice.random() < 0.8}
    if dice.random() < 0.2:
        chosen["flag"] = dice.choice(("flagged", "complete"))
    if dice.random() < 0.3:
        chosen["categories"] = (dice.choice(_CATEGORIES),)
    if dice.random() < 0.1:
        chosen["importance"] = "high"
    if dice.random() < 0.3:
        chosen["last_verb"] = dice.choice((102, 103, 104))
    return chosen


def _written(writer: Person, reader: Person, number: int, when: datetime, domain: str, dice: random.Random) -> bytes:
    message = EmailMessage()
    message["From"] = f"{Header(writer.name, 'utf-8').encode()} <{writer.local}@{domain}>"
    message["To"] = f"{Header(reader.name, 'utf-8').encode()} <{reader.local}@{domain}>"
    message["Subject"] = writer.subjects[number % len(writer.subjects)]
    message["Date"] = format_datetime(when)
    message["Message-ID"] = f"<{number:03d}.{writer.local}.{reader.local}@mail.{domain}>"
    message.set_content(f"{writer.subjects[number % len(writer.subjects)]}\n\n{writer.name}\n")
    if number % 2:
        message.add_alternative(f"<p>{writer.name}</p>\n", subtype="html", cte="quoted-printable")
    if number % 5 == 1:
        picture = b"\x89PNG\r\n\x1a\n" + dice.randbytes(dice.randrange(2_000, 60_000))
        message.add_attachment(picture, maintype="image", subtype="png", filename="写真.png")
    for at, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{number}.{writer.local}.{at}")
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n", max_line_length=78))


def _oddities(person: Person, domain: str) -> Iterator[tuple[bytes, str, dict[str, Any]]]:
    """What every real mailbox has a few of."""
    address = f"{person.local}@{domain}"
    old = b"From: old@isp.example\r\nSubject: Gr\xfc\xdfe aus M\xfcnchen\r\n\r\n8-bit, no Date: \xe4\xf6\xfc\r\n"
    yield old, "archive", {"read": True}
    invitation = (
        f"From: board@{domain}\r\nTo: {address}\r\nSubject: Board meeting\r\nMIME-Version: 1.0\r\n"
        'Content-Type: text/calendar; method=REQUEST; charset="utf-8"\r\n\r\n'
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
    )
    yield invitation.encode(), "inbox", {"meeting": True}
    line = "x" * 2000
    yield f"From: {address}\r\nSubject: one long line\r\n\r\n{line}\r\n".encode(), "sentitems", {"read": True}
    draft = f"From: {address}\r\nSubject: \r\nX-Draft: yes\r\n\r\nnot finished"
    yield draft.encode(), "drafts", {"draft": True, "read": True}
    spam = f"From: prince@nowhere.example\r\nTo: {address}\r\nSubject: Dear friend\r\n\r\nIn confidence.\r\n"
    yield spam.encode(), "junkemail", {}
    yield spam.replace("friend", "member").encode(), "deleteditems", {}
    damaged = f"From: relay@{domain}\r\nSubject: damaged\r\n\r\nExchange cannot write it out\r\n"
    yield damaged.encode(), "inbox", {"unwritable": True}
