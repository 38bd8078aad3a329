"""What each method of the Calendar API answers, to whom."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar

from liberate_google.standin.calendar import RANK, Calendar, CalendarStore, Event, instance_id
from liberate_google.standin.errors import ApiError, bad_request
from liberate_google.standin.occurrences import times
from liberate_google.standin.routes import Route

Answer = dict[str, Any]
PAGE, LARGEST_PAGE = 250, 2500
_NOT_WITH_SYNC = (
    "iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax", "updatedMin",
)  # fmt: skip
_NOT_PLAYED = ("orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax")
_PALETTE = {"1": "#a4bdfc", "2": "#7ae7bf", "3": "#dbadff", "4": "#ff887c", "5": "#fbd75b", "6": "#ffb878"} | {
    "7": "#46d6db", "8": "#e1e1e1", "9": "#5484ed", "10": "#51b749", "11": "#dc2127",
}  # fmt: skip


class CalendarApi:
    """Answers for the store."""

    def __init__(self, store: CalendarStore) -> None:
        self.store = store

    def perform(self, route: Route, user: str) -> Answer:
        """Carry out a call."""
        method = self._methods.get(route.method)
        if method is None:
            raise ApiError(501, "notImplemented", f"This stand-in does not play {route.method}.")
        with self.store.lock:
            if user not in self.store.users:
                raise ApiError(403, "notACalendarUser", "The user must be signed up for Google Calendar.")
            return method(self, route, user)

    def expanded(self, calendar: str, series: str, until: date) -> list[Event]:
        """The times of a series that are not cancelled."""
        one = self.store.calendars[calendar]
        found = self._expanded(one, one.events[series], until)
        return [event for event in found if event["status"] != "cancelled"]

    # Calendars -----------------------------------------------------------------------------------

    def _list(self, route: Route, user: str) -> Answer:
        hidden = _first(route, "showHidden") == "true"
        least = RANK.index(_first(route, "minAccessRole", "none"))
        found = [
            one
            for one in self.store.calendars.values()
            if RANK.index(one.acl.get(user, "none")) >= max(1, least) and (hidden or user not in one.hidden)
        ]
        size = min(int(_first(route, "maxResults", "100")), 250)
        page, token = _page([one.id for one in found], route, size, [_first(route, "showHidden")], 0)
        answer: Answer = {
            "kind": "calendar#calendarList",
            "etag": '"p33"',
            "items": [self._entry(self.store.calendars[key], user) for key in page],
        }
        return answer | ({"nextPageToken": token} if token else {"nextSyncToken": _pack({"list": 1})})

    def _entry(self, one: Calendar, user: str) -> Answer:
        answer: Answer = {
            "kind": "calendar#calendarListEntry",
            "etag": '"1500000000000000"',
            "id": one.id,
            "summary": one.summary,
            "timeZone": one.zone,
            "colorId": "14",
            "backgroundColor": one.colour,
            "foregroundColor": "#000000",
            "selected": True,
            "accessRole": one.acl[user],
            "defaultReminders": one.reminders.get(user, []),
            "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
        }
        if one.description:
            answer["description"] = one.description
        if one.primary and one.owner == user:
            answer["primary"] = True
        elif not one.primary and one.owner:
            answer["dataOwner"] = one.owner
        if user in one.hidden:
            answer["hidden"] = True
        return answer

    def _get_calendar(self, route: Route, user: str) -> Answer:
        one = self.store.find(route.path["calendarId"], user)
        answer: Answer = {
            "kind": "calendar#calendar",
            "etag": '"abc"',
            "id": one.id,
            "summary": one.summary,
            "timeZone": one.zone,
            "conferenceProperties": {"allowedConferenceSolutionTypes": ["hangoutsMeet"]},
        }
        if one.labels:
            answer["labelProperties"] = {"eventLabels": one.labels}
        return answer

    def _colours(self, route: Route, user: str) -> Answer:
        event = {key: {"background": value, "foreground": "#1d1d1d"} for key, value in _PALETTE.items()}
        return {"kind": "calendar#colors", "updated": "2012-02-14T00:00:00.000Z", "calendar": {}, "event": event}

    # Events --------------------------------------------------------------------------------------

    def _events(self, route: Route, user: str) -> Answer:
        """developers.google.com/workspace/calendar/api/guides/sync"""
        one = self.store.find(route.path["calendarId"], user)
        for name in _NOT_PLAYED:
            if name in route.params and "syncToken" not in route.params:
                raise bad_request(f"This stand-in does not play {name}")
        shape = [_first(route, name) for name in ("singleEvents", "showDeleted", "eventTypes", "iCalUID", "updatedMin")]
        shape[:2] = [text or "false" for text in shape[:2]]
        since = self._since(route, one, shape)
        size = max(1, min(int(_first(route, "maxResults", str(PAGE))), LARGEST_PAGE))
        if _first(route, "singleEvents") == "true":
            raise bad_request("This stand-in does not play singleEvents")
        found = sorted(
            (key for key, event in one.events.items() if self._is_listed(route, one, event, since)),
            key=lambda key: hashlib.sha256(key.encode()).digest(),  # "an unspecified, stable order"
        )
        page, token = _page(found, route, size, [one.id, str(since), *shape], self.store.change)
        answer: Answer = self._head(one, user) | {"items": [_seen(one.events[key], one.acl[user]) for key in page]}
        if token:
            return answer | {"nextPageToken": token}
        upto = _unpack(_first(route, "pageToken"))["upto"] if "pageToken" in route.params else self.store.change
        if "updatedMin" not in route.params and "iCalUID" not in route.params:
            answer["nextSyncToken"] = _pack({"sync": upto, "of": one.id, "shape": _mark(shape)})
        return answer

    def _since(self, route: Route, one: Calendar, shape: list[str]) -> int | None:
        if "syncToken" not in route.params:
            return None
        clash = [name for name in _NOT_WITH_SYNC if name in route.params]
        if clash or _first(route, "showDeleted") == "false":
            raise bad_request(f"Sync token cannot be used with {(clash or ['showDeleted'])[0]}", "badRequest")
        told = _unpack(_first(route, "syncToken"))
        if told.get("of") != one.id or "sync" not in told:
            raise bad_request("Invalid sync token value.", "invalid")
        if told["shape"] != _mark(shape):
            raise bad_request("Sync token does not belong to these parameters.", "invalid")
        if told["sync"] < one.oldest:
            raise ApiError(
                410, "fullSyncRequired", "Sync token is no longer valid, a full sync is required.", "calendar"
            )
        return int(told["sync"])

    def _is_listed(self, route: Route, one: Calendar, event: Event, since: int | None) -> bool:
        if since is not None:
            return one.changed[event["id"]] > since
        if "iCalUID" in route.params and event.get("iCalUID") != _first(route, "iCalUID"):
            return False
        if "eventTypes" in route.params and event.get("eventType") not in route.params["eventTypes"]:
            return False
        cancelled = event["status"] == "cancelled"
        if "updatedMin" in route.params:
            least = datetime.fromisoformat(_first(route, "updatedMin"))
            return cancelled or datetime.fromisoformat(event["updated"]) >= least
        # "Cancelled instances of recurring events will still be included if showDeleted and singleEvents are False"
        return not cancelled or "recurringEventId" in event or _first(route, "showDeleted") == "true"

    def _head(self, one: Calendar, user: str) -> Answer:
        return {
            "kind": "calendar#events",
            "etag": '"p32"',
            "summary": one.summary,
            "updated": "2026-01-01T00:00:00.000Z",
            "timeZone": one.zone,
            "accessRole": one.acl[user],
            "defaultReminders": one.reminders.get(user, []),
        }

    def _event(self, route: Route, user: str) -> Answer:
        one = self.store.find(route.path["calendarId"], user)
        event = one.events.get(route.path["eventId"])
        if event is None:
            raise ApiError(404, "notFound", "Not Found")
        return _seen(event, one.acl[user])

    def _instances(self, route: Route, user: str) -> Answer:
        one = self.store.find(route.path["calendarId"], user)
        master = one.events.get(route.path["eventId"])
        if master is None or master["status"] == "cancelled":
            raise ApiError(404, "notFound", "Not Found")
        until = _first(route, "timeMax") or (datetime.now(UTC) + timedelta(days=730)).isoformat()
        found = self._expanded(one, master, datetime.fromisoformat(until).date())
        deleted = _first(route, "showDeleted") == "true"
        told = [event for event in found if deleted or event["status"] != "cancelled"]
        size = max(1, min(int(_first(route, "maxResults", str(PAGE))), LARGEST_PAGE))
        keys = [str(at) for at in range(len(told))]
        page, token = _page(keys, route, size, [master["id"], until], self.store.change)
        answer = self._head(one, user) | {"items": [_seen(told[int(at)], one.acl[user]) for at in page]}
        return answer | ({"nextPageToken": token} if token else {})

    def _expanded(self, one: Calendar, master: Event, until: date) -> list[Event]:
        """The series' times as they are, those changed and those moved among them."""
        out: list[Event] = []
        length = _moment(master["end"]) - _moment(master["start"])
        seen = set()
        for moment in times(master, until):
            key = instance_id(master["id"], moment)
            seen.add(key)
            if key in one.events:
                out.append(one.events[key])
                continue
            event = {name: value for name, value in master.items() if name != "recurrence"}
            start, end = (_told(at, master) for at in (moment, _later(moment, length)))
            out.append(
                event
                | {"id": key, "recurringEventId": master["id"], "originalStartTime": start, "start": start, "end": end}
            )
        strays = (e for e in one.events.values() if e.get("recurringEventId") == master["id"] and e["id"] not in seen)
        return [*out, *strays]

    _methods: ClassVar[dict[str, Callable[[CalendarApi, Route, str], Answer]]] = {
        "calendarList.list": _list,
        "calendars.get": _get_calendar,
        "colors.get": _colours,
        "events.list": _events,
        "events.get": _event,
        "events.instances": _instances,
    }


def _told(moment: Any, master: Event) -> Answer:
    if not isinstance(moment, datetime):
        return {"date": str(moment)}
    text = moment.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {"dateTime": text, "timeZone": master["start"]["timeZone"]}


def _later(moment: Any, length: timedelta) -> Any:
    if isinstance(moment, datetime):
        return (moment.astimezone(UTC) + length).astimezone(moment.tzinfo)
    return moment + length


def _moment(told: Answer) -> Any:
    return date.fromisoformat(told["date"]) if "date" in told else datetime.fromisoformat(told["dateTime"])


def _seen(event: Event, role: str) -> Answer:
    """The event as somebody in that role sees it: of what is private, or with free-busy only, just the time."""
    private = event.get("visibility") in ("private", "confidential")
    if role == "freeBusyReader" or (private and RANK.index(role) < RANK.index("writer")):
        times_only = ("kind", "etag", "id", "status", "start", "end", "iCalUID", "recurrence", "recurringEventId")
        return {key: event[key] for key in (*times_only, "originalStartTime", "updated", "created") if key in event} | (
            {} if event["status"] == "cancelled" else {"visibility": "private"}
        )
    return dict(event)


def _first(route: Route, name: str, default: str = "") -> str:
    return route.params.get(name, [default])[0]


def _mark(shape: list[str]) -> str:
    return hashlib.sha256(json.dumps(shape).encode()).hexdigest()[:8]


def _pack(told: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(told).encode()).decode()


def _unpack(token: str) -> dict[str, Any]:
    try:
        found = json.loads(base64.urlsafe_b64decode(token))
        if isinstance(found, dict):
            return found
    except ValueError:
        pass
    raise bad_request("Invalid Value", "invalid")


def _page(keys: list[str], route: Route, size: int, shape: list[str], now: int) -> tuple[list[str], str]:
    """One page and the token of the next: it fits the very listing it was made for, and no other."""
    start, upto = 0, now
    if "pageToken" in route.params:
        told = _unpack(_first(route, "pageToken"))
        if told.get("shape") != _mark(shape) or not isinstance(told.get("at"), int):
            raise bad_request("Invalid Value", "invalid")
        start, upto = told["at"], told["upto"]
    page = keys[start : start + size]
    if start + size >= len(keys):
        return page, ""
    return page, _pack({"at": start + size, "upto": upto, "shape": _mark(shape)})
