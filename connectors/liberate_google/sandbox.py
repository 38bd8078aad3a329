"""What `liberate sandbox` and `liberate demo` start of Google's: stand-ins for its services, and a Takeout file."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from liberate.connector import Kind
from liberate.sandbox import Running, Sandbox

DOMAIN = "solros.example"
_SEEDED = 1_780_000_000.0  # seconds since 1970


def _missing() -> str | None:
    for package in ("googleapiclient", "cryptography", "jsonschema"):
        if find_spec(package) is None:
            return "Run: pip install 'liberate-migrate[google,sandbox]'"
    return None


@contextmanager
def _gmail(folder: Path, _accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_google.standin import GmailStandin, sample_coop  # noqa: PLC0415 - where it is started

    made = [_SEEDED]  # ids are made of the time, and are to be the same at every start
    with GmailStandin(clock=lambda: made[0] if made else time.time()) as standin:
        addresses = sample_coop(standin, DOMAIN)
        made.clear()
        key = folder / "service-account.json"
        key.unlink(missing_ok=True)
        standin.service_account_file(key)
        settings = {"connector": "google", "service_account_file": str(key.absolute()), "endpoint": standin.url}
        yield Running(settings, tuple(addresses))


@contextmanager
def _drive(folder: Path, _accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_google.standin import GoogleStandin, sample_coop, sample_organisation  # noqa: PLC0415

    made = [_SEEDED]
    with GoogleStandin(clock=lambda: made[0] if made else time.time()) as standin:
        sample_coop(standin, DOMAIN)
        organisation = sample_organisation(standin, DOMAIN)
        made.clear()
        key = folder / "service-account.json"
        key.unlink(missing_ok=True)
        standin.service_account_file(key)
        settings = {
            "connector": "google",
            "service_account_file": str(key.absolute()),
            "endpoint": standin.url,
            "shared_drives_as": organisation.people[0],
        }
        yield Running(settings, organisation.people)


@contextmanager
def _calendar(folder: Path, _accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_google.standin import GoogleStandin, sample_calendars, sample_contacts  # noqa: PLC0415
    from liberate_google.standin.sample import PEOPLE  # noqa: PLC0415

    made = [_SEEDED]
    with GoogleStandin(clock=lambda: made[0] if made else time.time()) as standin:
        people = [f"{person.local}@{DOMAIN}" for person in PEOPLE]
        sample_calendars(standin, people)
        sample_contacts(standin, people)
        made.clear()
        key = folder / "service-account.json"
        key.unlink(missing_ok=True)
        standin.service_account_file(key)
        settings = {"connector": "google", "service_account_file": str(key.absolute()), "endpoint": standin.url}
        yield Running(settings, tuple(people))


@contextmanager
def _takeout(folder: Path, _accounts: Sequence[str]) -> Iterator[Running]:
    from liberate_google.standin.sample import Person, sample_takeout  # noqa: PLC0415

    member = Person("gun", "Gun Sjöberg", "sv", ("Odling/Frön", "Kvitton, gamla", "Gräs & blommor"))
    path = folder / "Takeout" / "Mail" / "All mail.mbox"
    if not path.exists():  # the same file at every start, so that a second run has nothing to read again
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        sample_takeout(unfinished, member, DOMAIN)
        unfinished.replace(path)
    yield Running({"connector": "takeout", "path": str(path.absolute())}, (f"{member.local}@{DOMAIN}",))


gmail = Sandbox("gmail", "Gmail, played by a stand-in", "source", _gmail, missing=_missing)
drive = Sandbox("drive", "Google Drive, played by a stand-in", "source", _drive, frozenset({Kind.FILE}), _missing)
calendar = Sandbox(
    "google-calendar",
    "Google Calendar and Contacts, played by a stand-in",
    "source",
    _calendar,
    frozenset({Kind.EVENT, Kind.CONTACT}),
    _missing,
)
takeout = Sandbox("takeout", "A Google Takeout file", "source", _takeout, missing=_missing)
