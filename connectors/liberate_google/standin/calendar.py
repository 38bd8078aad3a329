"""The stand-in's calendars: who sees them, their events, and in which order they changed."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from liberate_google.standin.errors import ApiError

Event = dict[str, Any]
RANK = ("none", "freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")


@dataclass(slots=True)
class Calendar:
    """One calendar. Its events are kept as Google tells them to who may see everything."""

    id: str
    summary: str
    owner: str
    zone: str
    description: str = ""
    colour: str = "#9fe1e7"
    primary: bool = False
    acl: dict[str, str] = field(default_factory=dict)  # role by user
    hidden: set[str] = field(default_factory=set)
    reminders: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # default ones, by user
    labels: list[dict[str, Any]] = field(default_factory=list)
    events: dict[str, Event] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)  # number of its last change, by event
    oldest: int = 0  # sync tokens from before this change have expired


class CalendarStore:
    """All calendars of the organisation."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.lock = threading.RLock()
        self.calendars: dict[str, Calendar] = {}
        self.users: set[str] = set()
        self.change = 0
        self._numbers = itertools.count(1)

    # Calendars -----------------------------------------------------------------------------------

    def add_user(self, address: str, *, zone: str = "Europe/Stockholm") -> Calendar:
        """Somebody with a calendar of their own; the same one each time."""
        user = address.lower()
        if user not in self.users:
            self.users.add(user)
            found = Calendar(user, user, user, zone, primary=True, acl={user: "owner"})
            found.reminders[user] = [{"method": "popup", "minutes": 30}]
            self.calendars[user] = found
        return self.calendars[user]

    def add_calendar(
        self, owner: str, summary: str, *, id_: str = "", zone: str = "Europe/Stockholm", role: str = "owner"
    ) -> Calendar:
        """Another calendar in somebody's list. `role` is theirs; one of Google's own belongs to nobody."""
        mark = hashlib.sha256(f"{owner} {summary} {next(self._numbers)}".encode()).hexdigest()
        key = id_ or f"c_{mark}@group.calendar.google.com"
        if key not in self.calendars:
            self.calendars[key] = Calendar(key, summary, owner.lower() if role == "owner" else "", zone)
        self.calendars[key].acl[owner.lower()] = role
        return self.calendars[key]

    def share(self, calendar: Calendar, user: str, role: str) -> None:
        """Let somebody else see the calendar; "none" for nobody any more."""
        calendar.acl[user.lower()] = role

    def find(self, calendar_id: str, user: str) -> Calendar:
        """The calendar, for who may see it. ApiError 404."""
        found = self.calendars.get(user if calendar_id == "primary" else calendar_id.lower())
        found = found or self.calendars.get(calendar_id)
        if found is None or found.acl.get(user, "none") == "none":
            raise ApiError(404, "notFound", "Not Found")
        return found

    # Events --------------------------------------------------------------------------------------

    def add(self, calendar: Calendar, start: Any, end: Any = None, **fields: Any) -> str:
        """Put an event in; its id. Times are datetimes with a zone, or dates; `fields` are those of the resource."""
        with self.lock:
            mark = hashlib.sha256(f"{calendar.id} {next(self._numbers)}".encode()).hexdigest()
            id_ = str(fields.pop("id", "") or "".join(f"{int(c, 16):x}" for c in mark[:26]))
            if end is None:
                end = start + (timedelta(hours=1) if isinstance(start, datetime) else timedelta(days=1))
            now = self._now()
            who = {"email": calendar.owner or calendar.id}
            event: Event = {
                "kind": "calendar#event",
                "id": id_,
                "status": "confirmed",
                "htmlLink": f"https://www.google.com/calendar/event?eid={id_}",
                "created": now,
                "updated": now,
                "creator": {**who, **({"self": True} if calendar.primary else {})},
                "organizer": {"email": calendar.id, "self": True}
                | ({} if calendar.primary else {"displayName": calendar.summary}),
                "start": _when(start, calendar.zone, recurring="recurrence" in fields),
                "end": _when(end, calendar.zone, recurring="recurrence" in fields),
                "iCalUID": f"{id_}@google.com",
                "sequence": 0,
                "reminders": {"useDefault": True},
                "eventType": "default",
            }
            event |= fields
            return self._keep(calendar, event)

    def edit(self, calendar: Calendar, id_: str, **fields: Any) -> None:
        """Change fields of an event; None takes one away. Times may be datetimes or dates."""
        with self.lock:
            event = dict(calendar.events[id_])
            for key, value in fields.items():
                recurring = "recurrence" in event
                told = _when(value, calendar.zone, recurring=recurring) if isinstance(value, date) else value
                if told is None:
                    event.pop(key, None)
                else:
                    event[key] = told
            if set(fields) != {"reminders"}:  # "changing reminders does not also change the updated property"
                event["updated"] = self._now()
            self._keep(calendar, event)

    def instance(self, calendar: Calendar, series: str, original: Any, **fields: Any) -> str:
        """Change one time of a series, named by when it would begin; the id of the exception."""
        with self.lock:
            master = calendar.events[series]
            id_ = instance_id(series, original)
            event = {key: value for key, value in master.items() if key != "recurrence"}
            event |= calendar.events.get(id_, {})
            length = _moment(master["end"]) - _moment(master["start"])
            event |= {
                "id": id_,
                "recurringEventId": series,
                "originalStartTime": _when(original, calendar.zone, recurring=True),
                "status": "confirmed",
                "updated": self._now(),
            }
            start = fields.pop("start", original)
            event["start"] = _when(start, calendar.zone, recurring=True)
            event["end"] = _when(fields.pop("end", start + length), calendar.zone, recurring=True)
            return self._keep(calendar, event | fields)

    def cancel(self, calendar: Calendar, series: str, original: Any) -> str:
        """Cancel one time of a series. Only what is guaranteed is told of it afterwards."""
        with self.lock:
            id_ = instance_id(series, original)
            return self._keep(
                calendar,
                {
                    "kind": "calendar#event",
                    "id": id_,
                    "status": "cancelled",
                    "recurringEventId": series,
                    "originalStartTime": _when(original, calendar.zone, recurring=True),
                },
            )

    def delete(self, calendar: Calendar, id_: str) -> None:
        """Delete an event, a series with all its times. A sync tells only its id, and that it is cancelled."""
        with self.lock:
            for key, event in list(calendar.events.items()):
                if key == id_ or event.get("recurringEventId") == id_:
                    self._keep(calendar, {"kind": "calendar#event", "id": key, "status": "cancelled"})

    def expire(self, calendar: Calendar) -> None:
        """Every sync token given out so far is too old from now on."""
        with self.lock:
            self.change += 1
            calendar.oldest = self.change

    def _keep(self, calendar: Calendar, event: Event) -> str:
        self.change += 1
        event["etag"] = f'"{self.change:020d}"'
        calendar.events[event["id"]] = event
        calendar.changed[event["id"]] = self.change
        return str(event["id"])

    def _now(self) -> str:
        now = datetime.fromtimestamp(self._clock(), UTC)
        return now.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instance_id(series: str, original: date | datetime) -> str:
    """How Google names one time of a series."""
    if isinstance(original, datetime):
        return f"{series}_{original.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{series}_{original:%Y%m%d}"


def _when(value: Any, zone: str, *, recurring: bool) -> dict[str, str]:
    """An EventDateTime: in the zone that the time has, told in the calendar's."""
    if isinstance(value, Mapping):
        return dict(value)
    if not isinstance(value, datetime):
        return {"date": value.isoformat()}
    named = value.tzinfo.key if isinstance(value.tzinfo, ZoneInfo) else "UTC"
    told = value.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")
    return {"dateTime": told.replace("+00:00", "Z"), "timeZone": named if recurring or named != "UTC" else zone}


def _moment(told: Mapping[str, str]) -> Any:
    if "date" in told:
        return date.fromisoformat(told["date"])
    return datetime.fromisoformat(told["dateTime"])
