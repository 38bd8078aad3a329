"""What the tests of Outlook's calendars and contacts share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import icalendar
import recurring_ical_events
from liberate_microsoft.calendar import CalendarSource
from liberate_microsoft.contacts import ContactsSource
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin.pim import Event, PimBox
from microsoft_kit import ANNA
from outlook_kit import unhurried

from liberate.connector import Account, Collection, Cursor, Gone, Item, Kind, Listed, Skipped, Whole

BEGIN, END = date(2024, 6, 1), date(2029, 6, 1)
Time = tuple[str, str, str]
"""When something begins and ends, in universal time or as days, and what it is called."""


@contextmanager
def calendars(settings: MicrosoftSettings, account: str = ANNA) -> Iterator[CalendarSource]:
    source = CalendarSource(settings, Account(account), unhurried())
    try:
        yield source
    finally:
        source.close()


@contextmanager
def contacts(settings: MicrosoftSettings, account: str = ANNA) -> Iterator[ContactsSource]:
    source = ContactsSource(settings, Account(account), unhurried())
    try:
        yield source
    finally:
        source.close()


def of_event(calendar_id: str) -> Collection:
    return Collection(f"calendar:{calendar_id}", ("Calendar",), Kind.EVENT)


def of_contact(folder_id: str) -> Collection:
    return Collection(f"contacts:{folder_id}", ("Contacts",), Kind.CONTACT)


def items(listed: Iterable[Listed]) -> list[Item]:
    return [one for one in listed if isinstance(one, Item)]


def skipped(listed: Iterable[Listed]) -> dict[str, str]:
    return {one.id: one.code for one in listed if isinstance(one, Skipped)}


def gone(listed: Iterable[Listed]) -> list[str]:
    return [one.id for one in listed if isinstance(one, Gone)]


def whole(listed: Iterable[Listed]) -> bool:
    return any(isinstance(one, Whole) for one in listed)


def cursor(listed: list[Listed]) -> Cursor:
    last = listed[-1]
    assert isinstance(last, str)
    return Cursor(last)


def _shown(moment: date) -> str:
    return moment.astimezone(UTC).isoformat() if isinstance(moment, datetime) else moment.isoformat()


def told(body: bytes) -> set[Time]:
    """The times of an object over five years, by a library that has nothing to do with us."""
    calendar = icalendar.Calendar.from_ical(body)
    found = recurring_ical_events.of(calendar).between(BEGIN - timedelta(days=40), END + timedelta(days=40))
    times = [(_shown(one["DTSTART"].dt), _shown(one["DTEND"].dt), str(one.get("SUMMARY"))) for one in found]
    assert len(set(times)) == len(times), "doubled"
    return _within(times)


def _within(times: Iterable[Time]) -> set[Time]:
    return {one for one in times if BEGIN.isoformat() <= one[0] < END.isoformat()}


def truth(event: Event) -> set[Time]:
    """When it takes place over these years by the stand-in's own reckoning."""
    if event.recurrence is None:
        return _within([_time(event, event.begin, event.end, event)])
    out = set()
    for day in event.planned(END + timedelta(days=40)):
        one = event.exceptions.get(day, event)
        begin = one.begin if one is not event else datetime.combine(day, event.begin.time())
        out.add(_time(event, begin, begin + (one.end - one.begin), one))
    return _within(out)


def _time(event: Event, begin: datetime, end: datetime, shown: Event) -> Time:
    if event.all_day:
        return begin.date().isoformat(), end.date().isoformat(), str(shown.fields["subject"])
    return (
        event.instant(begin).isoformat(),
        (event.instant(begin) + (end - begin)).isoformat(),
        str(shown.fields["subject"]),
    )


def bodies(source: CalendarSource, box: PimBox) -> dict[int, bytes]:
    """What each event of the default calendar was made, by its number."""
    by_id = {box.id_of(one.number): one.number for one in box.events.values()}
    listed = list(source.items(of_event(box.calendar.id), None))
    return {by_id[one.id]: b"".join(source.read(one)) for one in items(listed)}


def event(**more: Any) -> dict[str, Any]:
    """An event as Graph tells it, with what every event has."""
    return {
        "id": "AAkA1",
        "iCalUId": "uid-1",
        "type": "singleInstance",
        "subject": "Board",
        "start": {"dateTime": "2026-03-02T08:00:00.0000000", "timeZone": "UTC"},
        "end": {"dateTime": "2026-03-02T09:00:00.0000000", "timeZone": "UTC"},
        "originalStartTimeZone": "W. Europe Standard Time",
        "originalEndTimeZone": "W. Europe Standard Time",
        "isAllDay": False,
        "isOrganizer": True,
        "createdDateTime": "2026-01-01T10:00:00.1234567Z",
        "lastModifiedDateTime": "2026-01-02T10:00:00.1234567Z",
        **more,
    }


def lines(body: bytes) -> list[str]:
    """The unfolded lines of an object, without its time zones."""
    text = body.decode().replace("\r\n ", "").replace("\r\n\t", "")
    found = text.split("\r\n")
    if "END:VTIMEZONE" in found:
        at = len(found) - 1 - found[::-1].index("END:VTIMEZONE")
        found = found[at + 1 :]
    return found
