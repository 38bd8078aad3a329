"""What the tests of calendars and contacts share: sources on the stand-in, and objects read by other libraries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events
from google_kit import ANNA, patient
from liberate_google.calendar import CalendarSource
from liberate_google.contacts import ContactsSource
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GoogleStandin

from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Source

STOCKHOLM = ZoneInfo("Europe/Stockholm")
NEW_YORK = ZoneInfo("America/New_York")
MAIN = Collection("calendar:primary", (ANNA,), Kind.EVENT)
CONTACTS = Collection("contacts:mine", ("Contacts",), Kind.CONTACT)

Span: TypeAlias = "tuple[Any, Any, str]"
"""When something begins and ends, in universal time or as days, and what it is called."""


@contextmanager
def calendars(settings: GoogleSettings, account: str = ANNA) -> Iterator[CalendarSource]:
    source = CalendarSource(settings, Account(account), patient())
    try:
        yield source
    finally:
        source.close()


@contextmanager
def contacts(settings: GoogleSettings, account: str = ANNA) -> Iterator[ContactsSource]:
    source = ContactsSource(settings, Account(account), patient())
    try:
        yield source
    finally:
        source.close()


def listed(source: Source, collection: Collection, since: Cursor | None = None) -> list[Listed]:
    return list(source.items(collection, since))


def bodies(source: Source, some: list[Listed]) -> dict[str, bytes]:
    """What each item is, by its id."""
    return {one.id: b"".join(source.read(one)) for one in some if isinstance(one, Item)}


def body_of(settings: GoogleSettings, series: str, collection: Collection = MAIN) -> bytes:
    """The object of that series as a fresh listing tells it."""
    with calendars(settings) as source:
        return bodies(source, listed(source, collection))[f"{collection.id.partition(':')[2]}/{series}"]


def events(body: bytes) -> list[icalendar.Event]:
    return list(icalendar.Calendar.from_ical(body).walk("VEVENT"))


def event(body: bytes) -> icalendar.Event:
    """The only event of an object."""
    (found,) = events(body)
    return found


def happens(body: bytes, first: date, last: date) -> list[Span]:
    """When the object takes place, by recurring_ical_events."""
    found = recurring_ical_events.of(icalendar.Calendar.from_ical(body)).between(first, last)
    return sorted(
        ((_universal(one.start), _universal(one.end), str(one.get("SUMMARY"))) for one in found),
        key=lambda span: (str(span[0]), span[2]),
    )


def at_google(standin: GoogleStandin, calendar: str, series: str, first: date, last: date) -> list[Span]:
    """When the series takes place, by the stand-in's events.instances."""
    found = standin.pim.instances(calendar, series, last + timedelta(days=40))
    spans = []
    for one in found:
        start, end = (_told(one[name]) for name in ("start", "end"))
        day = start.date() if isinstance(start, datetime) else start
        if first - timedelta(days=1) <= day <= last + timedelta(days=1):
            spans.append((start, end, str(one.get("summary"))))
    return sorted(spans, key=lambda span: (str(span[0]), span[2]))


def _told(when: dict[str, str]) -> Any:
    if "date" in when:
        return date.fromisoformat(when["date"])
    return datetime.fromisoformat(when["dateTime"]).astimezone(UTC)


def _universal(moment: Any) -> Any:
    return moment.astimezone(UTC) if isinstance(moment, datetime) else moment
