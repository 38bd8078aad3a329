"""A small co-op's mail, made up: for the demo, the tutorial and whoever wants to see what a move looks like.

Six people, six languages, threads, attachments, nested labels, and the oddities that real mailboxes
hold. The same at every call, byte for byte.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from liberate_google.standin.server import GoogleStandin

_START = datetime(2025, 2, 3, 8, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Person:
    """A member of the co-op."""

    local: str
    name: str
    language: str
    labels: tuple[str, ...]  # the labels this person made


PEOPLE = (
    Person("anna", "Anna Åkerström", "sv", ("Årsmöte/2026", "Projekt/Solceller/Tak", "Kvitton")),
    Person("bjorn", "Björn Hjälmarsson", "sv", ("Projekt/Solceller", "a.b", "Familjen ☀")),
    Person("claire", "Claire Lefèvre", "fr", ("Adhérents", "Achats, devis", "Presse/À relire")),
    Person("dietrich", "Dietrich Großmann", "de", ("Buchhaltung/2025", "Buchhaltung/2026", "Verträge")),
    Person("eleni", "Ελένη Παπαδοπούλου", "el", ("Συνέλευση", "Συνέλευση/Πρακτικά", "ideas")),
    Person("yuki", "森田 ゆき", "ja", ("会計/領収書", "イベント", "Ideas & plans")),
)

_TEXTS: dict[str, tuple[tuple[str, str], ...]] = {
    "sv": (
        ("Dagordning till styrelsemötet", "Hej!\n\nHär kommer dagordningen. Säg till om något saknas.\n\nHälsningar"),
        ("Solcellerna på taket är klara", "Nu är de uppe! 42 paneler, och vädret höll hela dagen."),
        ("Nycklarna till föreningslokalen", "Kan någon lämna nycklarna i receptionen före fredag?"),
    ),
    "fr": (
        ("Compte rendu de l’assemblée", "Bonjour à toutes et à tous,\n\nvoici le compte rendu. À bientôt !"),
        ("Devis pour l’atelier vélo", "Le devis arrive à 1 240 €, pose comprise. On valide ?"),
        ("Nouvelle adhérente", "Bienvenue à Zoé, qui rejoint l’équipe du potager."),
    ),
    "de": (
        ("Einladung zur Mitgliederversammlung", "Liebe Genossinnen und Genossen,\n\nwir treffen uns am Dienstag."),
        ("Rechnung für die Wärmepumpe", "Anbei die Rechnung. Fällig ist sie in 14 Tagen.\n\nViele Grüße"),
        ("Fahrräder im Hof", "Bitte räumt die Fahrräder bis Samstag weg, der Hof wird gefegt."),
    ),
    "el": (
        ("Πρακτικά της συνέλευσης", "Καλημέρα σας,\n\nσας στέλνω τα πρακτικά για έλεγχο."),
        ("Η γιορτή του καλοκαιριού", "Ποιος φέρνει τα τραπέζια; Θα είμαστε γύρω στους σαράντα."),
        ("Αίτηση νέου μέλους", "Λάβαμε μία νέα αίτηση. Τη συζητάμε την Πέμπτη."),
    ),
    "ja": (
        ("総会のお知らせ", "みなさま\n\n来月の総会の日程をお知らせします。よろしくお願いします。"),
        ("領収書を送ります", "先月分の領収書です。確認をお願いします。"),
        ("屋上の菜園について", "トマトの苗を二十本注文しました。日曜日に植えましょう。"),
    ),
}

_THANKS = {"sv": "Tack!", "fr": "Merci !", "de": "Danke!", "el": "Ευχαριστώ!", "ja": "ありがとう!"}


@dataclass(slots=True)
class Mail:
    """One message of the sample and where it lies."""

    raw: bytes
    labels: tuple[str, ...]
    when: datetime


def sample_coop(standin: GoogleStandin, domain: str = "solros.example") -> list[str]:
    """Make the six mailboxes in the stand-in; their addresses."""
    addresses = []
    for person in PEOPLE:
        address = f"{person.local}@{domain}"
        standin.add_mailbox(address)
        for mail in mails(person, domain):
            standin.add_message(address, mail.raw, mail.labels, int(mail.when.timestamp() * 1000))
        addresses.append(address)
    return addresses


def mails(person: Person, domain: str = "solros.example") -> Iterator[Mail]:
    """The person's messages, oldest first. Labels by Gmail's ids, the person's own by name."""
    chance = random.Random(f"{person.local}@{domain}")  # noqa: S311 - the same at every call
    when = _START + timedelta(minutes=chance.randrange(600))
    others = [other for other in PEOPLE if other is not person]
    for number in range(24):
        when += timedelta(hours=chance.randrange(20, 400), seconds=chance.randrange(3600))
        writer = chance.choice(others)
        subject, text = _TEXTS[writer.language][number % 3]
        key = f"{number:03d}.{person.local}"
        own = person.labels[number % 3]
        labels = [own] if chance.random() < 0.6 else []
        if chance.random() < 0.7 or not labels:
            labels.append("INBOX")
        labels += [extra for extra in ("UNREAD", "STARRED", "IMPORTANT") if chance.random() < 0.2]
        message = _message(writer, person, subject, text, when, key, domain)
        if number % 5 == 1:
            _attach(message, chance, number)
        yield Mail(_bytes(message, key), tuple(labels), when)
        if number % 3 == 0:
            reply = _message(person, writer, f"Re: {subject}", _answer(person, text), when, f"{key}.re", domain)
            reply["In-Reply-To"] = reply["References"] = message["Message-ID"]
            yield Mail(_bytes(reply, key), ("SENT", own), when + timedelta(minutes=47))
    yield from _oddities(person, when, domain)


def _message(
    writer: Person, reader: Person, subject: str, text: str, when: datetime, key: str, domain: str
) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"{Header(writer.name, 'utf-8').encode()} <{writer.local}@{domain}>"
    message["To"] = f"{Header(reader.name, 'utf-8').encode()} <{reader.local}@{domain}>"
    message["Subject"] = subject
    message["Date"] = format_datetime(when)
    message["Message-ID"] = f"<{key}@mail.{domain}>"
    message.set_content(f"{text}\n\n{writer.name}\n", cte="base64" if writer.language in ("el", "ja") else None)
    if len(key) % 2:
        message.add_alternative(f"<p>{text}</p><p>{writer.name}</p>\n", subtype="html", cte="quoted-printable")
    return message


def _answer(person: Person, text: str) -> str:
    quoted = "\n".join(f"> {line}" for line in text.splitlines())
    return f"{_THANKS[person.language]}\n\n{quoted}"


def _attach(message: EmailMessage, chance: random.Random, number: int) -> None:
    rows = "\r\n".join(f"{2025 + n % 2};post {n};{chance.randrange(10_000) / 100:.2f}" for n in range(40))
    message.add_attachment(rows.encode(), maintype="text", subtype="csv", filename=f"budget-åäö-{number}.csv")
    picture = b"\x89PNG\r\n\x1a\n" + chance.randbytes(chance.randrange(2_000, 60_000))
    message.add_attachment(picture, maintype="image", subtype="png", filename="写真.png")


def _bytes(message: EmailMessage, key: str) -> bytes:
    """The message with line ends as on the wire, and boundaries that do not change from run to run."""
    for at, part in enumerate(message.walk()):
        if part.is_multipart():
            part.set_boundary(f"=_{key}.{at}")
    return message.as_bytes(policy=message.policy.clone(linesep="\r\n", max_line_length=78))


def _oddities(person: Person, when: datetime, domain: str) -> Iterator[Mail]:
    """What every real mailbox has a few of."""
    address = f"{person.local}@{domain}"
    day = timedelta(days=1)
    promotion = (
        f"From: Deals <deals@shop.example>\r\nTo: {address}\r\nSubject: Last chance\r\n"
        f"Message-ID: <promo-{person.local}@shop.example>\r\n\r\nOnly today.\r\n"
    )
    yield Mail(promotion.encode(), ("INBOX", "CATEGORY_PROMOTIONS", "UNREAD"), when + day)
    old = b"From: old@isp.example\r\nSubject: Gr\xfc\xdfe aus M\xfcnchen\r\n\r\n8-bit, no Date: \xe4\xf6\xfc\r\n"
    yield Mail(old, (), datetime(1999, 12, 31, 23, 59, tzinfo=UTC))
    unix = f"From: cron@server.{domain}\nTo: {address}\nSubject: backup done\n\nFrom the log:\nFrom here all is well\n"
    yield Mail(unix.encode(), (person.labels[0],), when + 2 * day)
    line = "x" * 2000
    yield Mail(f"From: {address}\r\nSubject: one long line\r\n\r\n{line}\r\n".encode(), ("SENT",), when + 3 * day)
    draft = f"From: {address}\r\nSubject: \r\nX-Draft: yes\r\n\r\nnot finished"
    yield Mail(draft.encode(), ("DRAFT",), when + 4 * day)
    spam = f"From: prince@nowhere.example\r\nTo: {address}\r\nSubject: Dear friend\r\n\r\nIn confidence.\r\n"
    yield Mail(spam.encode(), ("SPAM", "UNREAD"), when + 5 * day)
    yield Mail(spam.replace("friend", "member").encode(), ("TRASH",), when + 5 * day)
    chat = f"From: {address}\r\nSubject: Chat\r\n\r\nlunch?\r\n"
    yield Mail(chat.encode(), ("CHAT",), when + 6 * day)


# Takeout -----------------------------------------------------------------------------------------

_SWEDISH = {
    "INBOX": "Inkorgen",
    "SENT": "Skickat",
    "DRAFT": "Utkast",
    "SPAM": "Skräppost",
    "TRASH": "Papperskorgen",
    "STARRED": "Stjärnmärkta",
    "IMPORTANT": "Viktigt",
    "UNREAD": "Olästa",
    "CHAT": "Chatt",
    "CATEGORY_PROMOTIONS": "Kategori: Kampanjer",
}
"""Takeout names the labels in the account's language."""


def sample_takeout(path: Path, person: Person = PEOPLE[0], domain: str = "solros.example") -> int:
    """Write the person's mail as Google Takeout would, "All mail.mbox" in Swedish; how many messages."""
    count = 0
    with path.open("wb") as out:
        for mail in mails(person, domain):
            count += 1
            number = 1_800_000_000_000_000_000 + count * 7_919
            out.write(f"From {number}@xxx {mail.when:%a %b %d %H:%M:%S +0000 %Y}\r\n".encode())
            out.write(f"X-GM-THRID: {number}\r\n".encode())
            out.write(f"X-Gmail-Labels: {_takeout_labels(mail.labels)}\r\n".encode())
            for line in mail.raw.splitlines(keepends=True):
                out.write(b">" + line if line.lstrip(b">").startswith(b"From ") else line)
            out.write(b"\r\n" if mail.raw.endswith(b"\n") else b"\r\n\r\n")
    return count


def _takeout_labels(labels: tuple[str, ...]) -> str:
    names = [_SWEDISH.get(label, label) for label in labels]
    if "UNREAD" not in labels:
        names.append("Öppnade")
    if not set(labels) & {"INBOX", "SENT", "DRAFT", "SPAM", "TRASH", "CHAT"}:
        names.append("Arkiverade")
    quoted = ",".join(f'"{name}"' if "," in name else name for name in names)
    return Header(quoted, "utf-8", maxlinelen=76, header_name="X-Gmail-Labels").encode(linesep="\r\n")
