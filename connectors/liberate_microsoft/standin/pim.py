"""The stand-in's calendars and contacts: what a person has in Outlook beside their mail."""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from liberate_microsoft.standin.expansion import days

ZONES = {
    "UTC": "UTC",
    "W. Europe Standard Time": "Europe/Berlin",
    "Eastern Standard Time": "America/New_York",
    "Pacific Standard Time": "America/Los_Angeles",
    "GMT Standard Time": "Europe/London",
    "AUS Eastern Standard Time": "Australia/Sydney",
    "Tokyo Standard Time": "Asia/Tokyo",
    "India Standard Time": "Asia/Kolkata",
    "tzone://Microsoft/Custom": "America/New_York",  # what it really is, nobody is told
}


def key(text: str, *, immutable: bool) -> str:
    """An id as Exchange gives it: another one where the header asks for ids that stay."""
    digest = base64.urlsafe_b64encode(hashlib.sha512(f"{text} {immutable}".encode()).digest()[:45]).decode()
    return f"{'AAkALg' if immutable else 'AAMkAG'}{digest}AA="


@dataclass(slots=True)
class Calendar:
    """A calendar."""

    id: str
    name: str
    owner: tuple[str, str]  # address, name
    default: bool = False
    can_edit: bool = True
    color: str = "auto"
    hex_color: str = ""
    group: str = ""  # "" is the default group


@dataclass(slots=True)
class Event:
    """A single event, a series, or a changed instance of one. Its times are those that its zone's clocks show."""

    number: int
    calendar: str
    begin: datetime
    end: datetime
    zone: str
    all_day: bool
    recurrence: dict[str, Any] | None
    fields: dict[str, Any]  # Graph's properties, as they are told
    created: datetime
    modified: datetime
    exceptions: dict[date, Event] = field(default_factory=dict)  # by the day they would have been on
    cancelled: set[date] = field(default_factory=set)
    attachments: list[dict[str, Any]] = field(default_factory=list)
    changes: int = 1

    def instant(self, local: datetime) -> datetime:
        """When that is in universal time; an all-day event's midnight is told as it is."""
        if self.all_day:
            return local.replace(tzinfo=UTC)
        return local.replace(tzinfo=ZoneInfo(ZONES[self.zone])).astimezone(UTC)

    def original(self, day: date) -> datetime:
        """When the instance of that day begins by the series."""
        return self.instant(datetime.combine(day, self.begin.time()))

    def planned(self, until: date) -> list[date]:
        """The days of the series that are held, changed ones among them."""
        assert self.recurrence is not None  # noqa: S101 - of series only
        return [one for one in days(self.recurrence, until) if one not in self.cancelled]


@dataclass(slots=True)
class ContactFolder:
    """A folder of contacts."""

    id: str
    name: str
    parent: str
    epoch: int = 0


@dataclass(slots=True)
class Contact:
    """A contact."""

    number: int
    folder: str
    fields: dict[str, Any]
    created: datetime
    modified: datetime
    changed: int
    entered: int
    photo: tuple[str, bytes] | None = None
    photo_fails: int = 0  # a status; 0: it does not
    deleted: bool = False


class PimBox:
    """One mailbox's calendars and contacts. Its methods are what its owner does in Outlook."""

    def __init__(self, address: str, name: str, clock: Callable[[], float]) -> None:
        self.address = address
        self.name = name
        self.lock = threading.RLock()
        self.enabled = True
        self.refuses = False
        self.utc_days = False  # whether cancelled instances are called by their day in universal time
        self.tells_exceptions = True  # False: as an older server, without cancelledOccurrences and exceptionOccurrences
        self.categories: dict[str, str] = {}  # name -> "preset3"
        self.calendars: dict[str, Calendar] = {}
        self.groups: dict[str, str] = {}  # id -> name
        self.events: dict[int, Event] = {}
        self.folders: dict[str, ContactFolder] = {}
        self.contacts: dict[int, Contact] = {}
        self.removed: list[tuple[int, int, str]] = []  # sequence, contact, folder that it went from
        self.sequence = 0
        self._clock = clock
        self._numbers = itertools.count(1)
        self._ids: dict[str, tuple[int, date | None]] = {}
        self.calendar = self.add_calendar("Calendar", default=True)
        self.root = self.add_folder("Contacts")

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC).replace(microsecond=0)

    # Calendars -----------------------------------------------------------------------------------

    def add_group(self, name: str) -> str:
        """A group of calendars."""
        id_ = f"AQMkgroup{len(self.groups)}AAA="
        self.groups[id_] = name
        return id_

    def add_calendar(self, name: str, owner: tuple[str, str] | None = None, **more: Any) -> Calendar:
        id_ = "AAMkAD" + key(f"{self.address} calendar {len(self.calendars)}", immutable=False)[6:]
        made = self.calendars[id_] = Calendar(id_, name, owner or (self.address, self.name), **more)
        return made

    def add_event(
        self,
        subject: str,
        begin: datetime,
        hours: float = 1,
        *,
        zone: str = "W. Europe Standard Time",
        calendar: Calendar | None = None,
        pattern: dict[str, Any] | None = None,
        span: dict[str, Any] | None = None,
        all_day: bool = False,
        **fields: Any,
    ) -> Event:
        """A new event; with a pattern a series, without end unless `span` says so. `begin` is its first time."""
        recurrence = None
        if pattern is not None:
            told = {"type": "noEnd", "endDate": "0001-01-01", "numberOfOccurrences": 0, **(span or {})}
            recurrence = {
                "pattern": {
                    "interval": 1, "month": 0, "dayOfMonth": 0, "firstDayOfWeek": "sunday", "index": "first", **pattern
                },
                "range": {"startDate": f"{begin:%Y-%m-%d}", "recurrenceTimeZone": zone, **told},
            }  # fmt: skip
        now = self.now()
        where = calendar or self.calendar
        end = begin + timedelta(hours=24 if all_day else hours)
        made = Event(
            next(self._numbers),
            where.id,
            begin,
            end,
            zone,
            all_day,
            recurrence,
            {"subject": subject, **fields},
            now,
            now,
        )
        self.events[made.number] = made
        self._know(made.number, None)
        return made

    def change(self, event: Event, **fields: Any) -> None:
        """Change fields of an event, or `begin` and `end`."""
        with self.lock:
            for name in fields.keys() & {"begin", "end"}:
                setattr(event, name, fields.pop(name))
            event.fields.update(fields)
            self._touched(event)

    def change_instance(self, event: Event, day: date, shift: timedelta = timedelta(), **fields: Any) -> Event:
        """Change the series' instance of that day: move it, or give it other fields."""
        with self.lock:
            begin = datetime.combine(day, event.begin.time())
            length = event.end - event.begin
            now = self.now()
            old = event.exceptions.get(day)
            number = next(self._numbers) if old is None else old.number
            made = Event(
                number, event.calendar, begin + shift, begin + shift + length, event.zone, event.all_day, None,
                {**event.fields, **fields}, event.created, now,
            )  # fmt: skip
            event.exceptions[day] = made
            self._know(event.number, day)
            self._touched(event)
            return made

    def cancel(self, event: Event, day: date) -> None:
        """Delete one instance of a series."""
        with self.lock:
            event.exceptions.pop(day, None)
            event.cancelled.add(day)
            self._touched(event)

    def delete(self, event: Event) -> None:
        """Delete an event, or a series with all its instances."""
        with self.lock:
            del self.events[event.number]

    def _touched(self, event: Event) -> None:
        event.changes += 1
        event.modified = max(self.now(), event.modified + timedelta(seconds=1))

    # Ids -----------------------------------------------------------------------------------------

    def _know(self, number: int, day: date | None) -> None:
        for immutable in (False, True):
            self._ids[self.id_of(number, day, immutable=immutable)] = (number, day)

    def id_of(self, number: int, day: date | None = None, *, immutable: bool = True) -> str:
        """The id of an event, or of the instance of that day."""
        return key(f"{self.address} event {number} {day or ''}", immutable=immutable)

    def event_of(self, id_: str, *, immutable: bool) -> tuple[Event, date | None] | None:
        """The event of that id, and the day of the instance; only in the form in which it was given out."""
        found = self._ids.get(id_)
        if found is None or self.id_of(*found, immutable=immutable) != id_ or found[0] not in self.events:
            return None
        event = self.events[found[0]]
        return None if found[1] is not None and found[1] in event.cancelled else (event, found[1])

    def know_instance(self, event: Event, day: date) -> None:
        """Give the instance of that day an id that can be asked for."""
        if self.id_of(event.number, day) not in self._ids:
            self._know(event.number, day)

    # Contacts ------------------------------------------------------------------------------------

    def add_folder(self, name: str, parent: ContactFolder | None = None) -> ContactFolder:
        """A folder of contacts; without parent, in the one that everybody has."""
        id_ = "AAMkAF" + key(f"{self.address} folder {len(self.folders)}", immutable=False)[6:]
        above = parent.id if parent is not None else self.root.id if self.folders else ""
        made = self.folders[id_] = ContactFolder(id_, name, above)
        return made

    def add_contact(self, display: str, folder: ContactFolder | None = None, **fields: Any) -> Contact:
        with self.lock:
            self.sequence += 1
            now = self.now()
            made = Contact(
                next(self._numbers), (folder or self.root).id, {"displayName": display, **fields}, now, now,
                self.sequence, self.sequence,
            )  # fmt: skip
            self.contacts[made.number] = made
            return made

    def change_contact(self, contact: Contact, **fields: Any) -> None:
        with self.lock:
            self.sequence += 1
            contact.fields.update(fields)
            contact.changed = self.sequence
            contact.modified = max(self.now(), contact.modified + timedelta(seconds=1))

    def set_photo(self, contact: Contact, media: str, data: bytes) -> None:
        contact.photo = (media, data)
        self.change_contact(contact)

    def delete_contact(self, contact: Contact) -> None:
        with self.lock:
            self.sequence += 1
            self.removed.append((self.sequence, contact.number, contact.folder))
            contact.deleted = True
            contact.changed = self.sequence

    def move_contact(self, contact: Contact, folder: ContactFolder) -> None:
        """Into another folder, under the same immutable id."""
        with self.lock:
            self.sequence += 1
            self.removed.append((self.sequence, contact.number, contact.folder))
            contact.folder = folder.id
            contact.changed = contact.entered = self.sequence

    def expire_tokens(self) -> None:
        """Make every delta token worthless."""
        for one in self.folders.values():
            one.epoch += 1

    def contact_id(self, contact: Contact | int, *, immutable: bool = True) -> str:
        number = contact if isinstance(contact, int) else contact.number
        return key(f"{self.address} contact {number}", immutable=immutable)

    def contact_of(self, id_: str, *, immutable: bool) -> Contact | None:
        for one in self.contacts.values():
            if not one.deleted and self.contact_id(one, immutable=immutable) == id_:
                return one
        return None
