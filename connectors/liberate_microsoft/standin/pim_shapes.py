"""The stand-in's JSON for calendars, events and contacts: Graph's field names, and what it leaves out where."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from liberate_microsoft.standin.pim import ZONES, Calendar, Contact, ContactFolder, Event, PimBox
from liberate_microsoft.standin.shapes import when

CALENDAR_FIELDS = frozenset(
    {
        "id", "allowedOnlineMeetingProviders", "canEdit", "canShare", "canViewPrivateItems", "changeKey", "color",
        "defaultOnlineMeetingProvider", "hexColor", "isDefaultCalendar", "isRemovable", "isTallyingResponses", "name",
        "owner",
    }
)  # fmt: skip
EVENT_FIELDS = frozenset(
    {
        "id", "categories", "changeKey", "createdDateTime", "lastModifiedDateTime", "allowNewTimeProposals",
        "attendees", "body", "bodyPreview", "end", "hasAttachments", "hideAttendees", "iCalUId", "importance",
        "isAllDay", "isCancelled", "isDraft", "isOnlineMeeting", "isOrganizer", "isReminderOn", "location", "locations",
        "onlineMeeting", "onlineMeetingProvider", "onlineMeetingUrl", "organizer", "originalEndTimeZone",
        "originalStart", "originalStartTimeZone", "recurrence", "reminderMinutesBeforeStart", "responseRequested",
        "responseStatus", "sensitivity", "seriesMasterId", "showAs", "start", "subject", "transactionId", "type",
        "webLink",
    }
)  # fmt: skip
CONTACT_FIELDS = frozenset(
    {
        "id", "categories", "changeKey", "createdDateTime", "lastModifiedDateTime", "assistantName", "birthday",
        "businessAddress", "businessHomePage", "businessPhones", "children", "companyName", "department", "displayName",
        "emailAddresses", "fileAs", "generation", "givenName", "homeAddress", "homePhones", "imAddresses", "initials",
        "jobTitle", "manager", "middleName", "mobilePhone", "nickName", "officeLocation", "otherAddress",
        "parentFolderId", "personalNotes", "profession", "spouseName", "surname", "title", "yomiCompanyName",
        "yomiGivenName", "yomiSurname",
    }
)  # fmt: skip
_NONE_ANSWERED = {"response": "none", "time": "0001-01-01T00:00:00Z"}


def _key(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:18]).decode()


def calendar(one: Calendar) -> dict[str, Any]:
    """A calendar."""
    address, name = one.owner
    return {
        "id": one.id,
        "name": one.name,
        "color": one.color,
        "hexColor": one.hex_color,
        "isDefaultCalendar": one.default,
        "changeKey": _key(f"{one.id} {one.name}"),
        "canShare": one.can_edit,
        "canViewPrivateItems": True,
        "canEdit": one.can_edit,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "isTallyingResponses": one.default,
        "isRemovable": not one.default,
        "owner": {"name": name, "address": address},
    }


def point(event: Event, local: datetime, zone: str) -> dict[str, Any]:
    """A dateTimeTimeZone in the zone that was asked for. An all-day event's midnight is told as it is, in any zone."""
    moment = event.instant(local)
    if not event.all_day and zone != "UTC":
        moment = moment.astimezone(ZoneInfo(ZONES[zone]))
    return {"dateTime": f"{moment:%Y-%m-%dT%H:%M:%S}.0000000", "timeZone": zone}


def uid(box: PimBox, event: Event, day: date | None = None) -> str:
    """A global object id; of an instance with its day in it."""
    told = event.fields.get("iCalUId")
    if told:
        return str(told)
    number = hashlib.sha256(f"{box.address} {event.number}".encode()).hexdigest()[:32].upper()
    when_ = "00000000" if day is None else f"{day.year:04X}{day.month:02X}{day.day:02X}"
    return f"040000008200E00074C5B7101A82E008{when_}{'00' * 16}10000000{number}"


def event(
    box: PimBox, one: Event, *, immutable: bool, zone: str = "UTC", series: Event | None = None, day: date | None = None
) -> dict[str, Any]:
    """An event as it is listed; with `series` and `day`, its instance of that day, where `one` may be changed."""
    begin, end = one.begin, one.end
    number = one.number
    kind = "seriesMaster" if one.recurrence is not None else "singleInstance"
    if series is not None and day is not None:
        number = series.number
        kind = "exception" if day in series.exceptions else "occurrence"
        if kind == "occurrence":
            begin = datetime.combine(day, one.begin.time())
            end = begin + (one.end - one.begin)
    body = one.fields.get("body") or {"contentType": "html", "content": ""}
    about = {"name": box.name, "address": box.address}
    change = _key(f"{one.number} {one.changes} {day}")
    out: dict[str, Any] = {
        "@odata.etag": f'W/"{change}"',
        "id": box.id_of(number, day, immutable=immutable),
        "createdDateTime": f"{when(one.created)[:-1]}.1234567Z",
        "lastModifiedDateTime": f"{when(one.modified)[:-1]}.7654321Z",
        "changeKey": change,
        "categories": [],
        "transactionId": None,
        "originalStartTimeZone": one.zone,
        "originalEndTimeZone": one.zone,
        "iCalUId": uid(box, series or one, day),
        "reminderMinutesBeforeStart": 15,
        "isReminderOn": False,
        "hasAttachments": bool(one.attachments),
        "bodyPreview": re.sub(r"<[^>]+>", "", str(body["content"]))[:255],
        "importance": "normal",
        "sensitivity": "normal",
        "isAllDay": one.all_day,
        "isCancelled": False,
        "isOrganizer": True,
        "responseRequested": True,
        "seriesMasterId": None if series is None else box.id_of(series.number, immutable=immutable),
        "showAs": "busy",
        "type": kind,
        "webLink": "https://outlook.office365.example/owa/?itemid=x&exvsurl=1&path=/calendar/item",
        "onlineMeetingUrl": None,
        "isOnlineMeeting": False,
        "onlineMeetingProvider": "unknown",
        "allowNewTimeProposals": True,
        "isDraft": False,
        "hideAttendees": False,
        "recurrence": one.recurrence,
        "onlineMeeting": None,
        "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
        "body": body,
        "location": {"displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}},
        "locations": [],
        "attendees": [],
        "organizer": {"emailAddress": about},
        **one.fields,
        "start": point(one, begin, zone),
        "end": point(one, end, zone),
    }
    out["iCalUId"] = uid(box, series or one, day)
    if series is not None and day is not None:
        out["originalStart"] = when(series.original(day))
        out["recurrence"] = None
    return out


def cancelled(box: PimBox, one: Event, *, immutable: bool) -> list[str]:
    """The ids of cancelled instances, each with its day."""
    out = []
    for day in sorted(one.cancelled):
        shown = one.original(day).date() if box.utc_days else day
        out.append(f"OID.{box.id_of(one.number, immutable=immutable)}.{shown.isoformat()}")
    return out


def attachment(raw: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    """An attachment; its bytes are told only where it is asked for by itself."""
    out = {"lastModifiedDateTime": "2026-01-01T00:00:00Z", "isInline": False, "contentType": None, **raw}
    if not whole:
        out = {name: value for name, value in out.items() if name not in ("contentBytes", "item")}
    return out


def folder(one: ContactFolder) -> dict[str, Any]:
    """A folder of contacts."""
    return {"id": one.id, "parentFolderId": one.parent or "AAMkroot", "displayName": one.name}


def contact(box: PimBox, one: Contact, *, immutable: bool) -> dict[str, Any]:
    """A contact."""
    empty: dict[str, Any] = dict.fromkeys(sorted(CONTACT_FIELDS))
    lists = ("categories", "businessPhones", "homePhones", "children", "imAddresses", "emailAddresses")
    change = _key(f"{one.number} {one.changed}")
    return {
        "@odata.etag": f'W/"{change}"',
        **empty,
        **{name: [] for name in lists},
        **{name: {} for name in ("homeAddress", "businessAddress", "otherAddress")},
        "fileAs": "",
        "personalNotes": "",
        **one.fields,
        "id": box.contact_id(one, immutable=immutable),
        "createdDateTime": when(one.created),
        "lastModifiedDateTime": when(one.modified.astimezone(UTC)),
        "changeKey": change,
        "parentFolderId": one.folder,
    }
