"""One of Google's events as a component of iCalendar (RFC 5545, 7986). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from icalendar import Alarm, Event, vCalAddress, vText, vUri

from liberate_google import calendar_times as times
from liberate_google import html_text
from liberate_google.calendar_times import Moment, Repetition, is_day
from liberate_google.colours import EVENT_COLOURS, nearest

Told = Mapping[str, Any]
"""An Event resource as Google tells it."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a calendar says about all of its events."""

    zone: str = ""  # IANA name
    reminders: tuple[tuple[str, int], ...] = ()  # method and minutes, where an event goes by the calendar's own
    person: str = ""  # address of the one whose calendar it is; to whom reminders by mail go
    labels: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # name and colour, by id


_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_PARTSTAT = {"needsAction": "NEEDS-ACTION", "declined": "DECLINED", "tentative": "TENTATIVE", "accepted": "ACCEPTED"}
_CLASS = {"public": "PUBLIC", "private": "PRIVATE", "confidential": "CONFIDENTIAL"}
_STATUS = {"confirmed": "CONFIRMED", "tentative": "TENTATIVE", "cancelled": "CANCELLED"}
_SECRETS = ("pin", "accessCode", "meetingCode", "passcode", "password")
_FEATURES = {"video": "VIDEO", "phone": "PHONE", "sip": "AUDIO", "more": "MODERATOR"}
_AUTO_DECLINE = {"outOfOffice": "outOfOfficeProperties", "focusTime": "focusTimeProperties"}


def text(value: Any) -> str:
    """A text without what neither UTF-8 nor iCalendar can hold, its line ends as \\n."""
    return _UNWRITABLE.sub("", str(value or "").replace("\r\n", "\n").replace("\r", "\n"))


def updated(told: Told) -> datetime:
    """When the event was last changed, in universal time; 1970 where it does not say."""
    for name in ("updated", "created"):
        if told.get(name):
            return datetime.fromisoformat(str(told[name])).astimezone(UTC).replace(microsecond=0)
    return _NEVER


def component(
    told: Told,
    uid: str,
    around: Around,
    lost: set[str],
    goes_on: Repetition | None = None,
    instead: Moment | None = None,
) -> Event:
    """The event. `goes_on` says how a series does, `instead` which of its times this one is there for.

    The codes of what it loses are added to `lost`. Raises ValueError, KeyError or TypeError for what cannot be read.
    """
    out = Event()
    out.add("uid", text(uid))
    out.add("dtstamp", updated(told))
    if instead is not None:
        out.add("recurrence-id", instead)
    _times(out, told, around, lost, single=not goes_on)
    if goes_on is not None:
        _repetition(out, goes_on, lost)
    if told.get("created"):
        out.add("created", updated({"created": told["created"]}))
    if told.get("updated"):
        out.add("last-modified", updated(told))
    if told.get("sequence"):
        out.add("sequence", int(told["sequence"]))
    _words(out, told, lost)
    out.add("status", _STATUS.get(str(told.get("status")), "CONFIRMED"))
    if told.get("visibility") in _CLASS:
        out.add("class", _CLASS[str(told["visibility"])])
    out.add("transp", "TRANSPARENT" if told.get("transparency") == "transparent" else "OPAQUE")
    _look(out, told, around, lost)
    _people(out, told, lost)
    _links(out, told, lost)
    _kind(out, told, lost)
    _own(out, told)
    for alarm in _alarms(told, around, lost):
        out.add_component(alarm)
    return out


def _times(out: Event, told: Told, around: Around, lost: set[str], *, single: bool) -> None:
    start, known = times.moment(told["start"], around.zone)
    end: Moment | None = None
    if told.get("end"):
        end, known_too = times.moment(told["end"], around.zone)
        known = known and known_too
    if not known:
        lost.add("time-zone")
    if end is not None and is_day(start) is not is_day(end):
        raise ValueError("it begins with a time and ends with a day, or the other way round")
    if end is not None and times.instant(end) < times.instant(start):
        raise ValueError("it ends before it begins")
    out.add("dtstart", times.once(start) if single else start)
    if end is not None and not (is_day(start) and end == start):  # a day without an end is one day
        out.add("dtend", times.once(end))


def _repetition(out: Event, goes_on: Repetition, lost: set[str]) -> None:
    for rule in goes_on.rules:
        out.add("rrule", rule)
    for rule in goes_on.excluding:
        out.add("exrule", rule)
        lost.add("exception-rule")
    if goes_on.lengths:
        lost.add("recurrence-rule")
    if goes_on.more:
        out.add("rdate", list(goes_on.more))
    if goes_on.without:
        out.add("exdate", list(goes_on.without))


# Words -------------------------------------------------------------------------------------------


def _words(out: Event, told: Told, lost: set[str]) -> None:
    if told.get("summary"):
        out.add("summary", text(told["summary"]))
    if told.get("location"):
        out.add("location", text(told["location"]))
    description = text(told.get("description"))
    html = description if html_text.is_html(description) else ""
    said = html_text.plain(html) if html else description
    meeting = "\n".join(_meeting(told))
    if meeting and any(address not in said for address in _addresses(told)):
        said = f"{said}\n\n{meeting}".strip()
    if said:
        out.add("description", said)
    if html:
        out.add("x-alt-desc", vText(html), parameters={"FMTTYPE": "text/html"})
    entries = told.get("conferenceData", {}).get("entryPoints", ())
    if told.get("conferenceData", {}).get("notes") or any(one.get(key) for one in entries for key in _SECRETS):
        lost.add("conference-details")


def _entries(told: Told) -> list[Mapping[str, Any]]:
    """The ways into the online meeting, each with an address; the video first."""
    found = [one for one in told.get("conferenceData", {}).get("entryPoints", ()) if one.get("uri")]
    if not found and told.get("hangoutLink"):
        found = [{"entryPointType": "video", "uri": told["hangoutLink"]}]
    return sorted(found, key=lambda one: one.get("entryPointType") != "video")


def _addresses(told: Told) -> list[str]:
    return [text(one["uri"]) for one in _entries(told)]


def _meeting(told: Told) -> Iterator[str]:
    """The online meeting in words, a line each."""
    conference = told.get("conferenceData", {})
    name = text(conference.get("conferenceSolution", {}).get("name")) or "Google Meet"
    for one in _entries(told):
        kind = str(one.get("entryPointType"))
        what = {"video": name, "phone": "Phone", "sip": "SIP", "more": "More"}.get(kind, name)
        address = text(one["uri"])
        number = text(one.get("label")) or address.removeprefix("tel:")
        line = f"{what}: {number if kind == 'phone' else address}"
        secrets = [f"{_SECRET_NAMES[key]}: {text(one[key])}" for key in _SECRETS if one.get(key)]
        yield ", ".join([line, *dict.fromkeys(secrets)])
    if conference.get("notes"):
        notes = text(conference["notes"])
        yield html_text.plain(notes) if html_text.is_html(notes) else notes


_SECRET_NAMES = {
    "pin": "PIN",
    "accessCode": "access code",
    "meetingCode": "meeting code",
    "passcode": "passcode",
    "password": "password",  # a label
}


def _look(out: Event, told: Told, around: Around, lost: set[str]) -> None:
    label = around.labels.get(str(told.get("eventLabelId") or ""))
    colour = label[1] if label else EVENT_COLOURS.get(str(told.get("colorId") or ""), "")
    named = nearest(colour) if colour else ""
    if named:
        out.add("color", named)
    elif told.get("colorId") or told.get("eventLabelId"):
        lost.add("colour")
    if label and label[0]:
        out.add("categories", [text(label[0])])


# People ------------------------------------------------------------------------------------------


def _address(told: Mapping[str, Any], lost: set[str]) -> vCalAddress:
    email = text(told.get("email"))
    if not email:
        lost.add("attendee-details")
    address = vCalAddress(f"mailto:{email}" if email else "invalid:nomail")
    if told.get("displayName"):
        address.params["CN"] = text(told["displayName"]).replace("\n", " ")
    return address


def _people(out: Event, told: Told, lost: set[str]) -> None:
    """Guests as they are: whoever writes this at a destination sees to it that nobody is sent an invitation."""
    guests = told.get("attendees", ())
    organiser = told.get("organizer", {})
    if organiser.get("email") and (guests or not organiser.get("self")):
        out.add("organizer", _address(organiser, lost))
    if told.get("attendeesOmitted"):
        lost.add("attendee-details")
    for guest in guests:
        address = _address(guest, lost)
        if guest.get("resource"):
            address.params["CUTYPE"] = "RESOURCE"
        role = "OPT-PARTICIPANT" if guest.get("optional") else "REQ-PARTICIPANT"
        address.params["ROLE"] = "NON-PARTICIPANT" if guest.get("resource") else role
        answer = _PARTSTAT.get(str(guest.get("responseStatus")), "NEEDS-ACTION")
        address.params["PARTSTAT"] = answer
        if answer == "NEEDS-ACTION":
            address.params["RSVP"] = "TRUE"
        if guest.get("additionalGuests"):
            address.params["X-NUM-GUESTS"] = str(int(guest["additionalGuests"]))
            lost.add("attendee-details")
        if guest.get("comment"):
            address.params["X-RESPONSE-COMMENT"] = text(guest["comment"])
            lost.add("attendee-details")
        out.add("attendee", address)
    if guests and (
        told.get("guestsCanInviteOthers") is False
        or told.get("guestsCanModify") is True
        or told.get("guestsCanSeeOtherGuests") is False
        or told.get("anyoneCanAddSelf") is True
    ):
        lost.add("guest-permissions")


# Links -------------------------------------------------------------------------------------------


def _links(out: Event, told: Told, lost: set[str]) -> None:
    if told.get("source", {}).get("url"):
        out.add("url", vUri(text(told["source"]["url"])))
    conference = told.get("conferenceData", {})
    name = text(conference.get("conferenceSolution", {}).get("name")) or "Google Meet"
    for one in _entries(told):
        params = {"VALUE": "URI"}
        if feature := _FEATURES.get(str(one.get("entryPointType"))):
            params["FEATURE"] = feature
        params["LABEL"] = text(one.get("label")) or name
        out.add("conference", vUri(text(one["uri"])), parameters=params)
    for one in told.get("attachments", ()):
        lost.add("attachment")
        if not one.get("fileUrl"):
            continue
        params = {}
        if one.get("mimeType"):
            params["FMTTYPE"] = text(one["mimeType"])
        if one.get("title"):
            params["FILENAME"] = text(one["title"]).replace("\n", " ")
        out.add("attach", vUri(text(one["fileUrl"])), parameters=params)


def _kind(out: Event, told: Told, lost: set[str]) -> None:
    kind = str(told.get("eventType") or "default")
    if kind == "outOfOffice":
        out.add("x-microsoft-cdo-busystatus", vText("OOF"))  # what Outlook, Evolution and others read
    if kind in _AUTO_DECLINE:
        mode = told.get(_AUTO_DECLINE[kind], {}).get("autoDeclineMode", "declineNone")
        if mode != "declineNone":
            lost.add("auto-decline")
    if kind != "default":
        out.add("x-google-event-type", vText(text(kind)))


def _own(out: Event, told: Told) -> None:
    """What programs keep with an event, under names of their own."""
    for whose in ("private", "shared"):
        for key, value in sorted(told.get("extendedProperties", {}).get(whose, {}).items()):
            out.add(f"x-google-{whose}-property", vText(text(value)), parameters={"X-KEY": text(key)})


# Reminders ---------------------------------------------------------------------------------------


def _alarms(told: Told, around: Around, lost: set[str]) -> Iterator[Alarm]:
    reminders = told.get("reminders", {})
    if reminders.get("useDefault"):
        wanted = list(around.reminders)
    else:
        wanted = [(str(one["method"]), int(one["minutes"])) for one in reminders.get("overrides", ())]
    title = text(told.get("summary")) or "Reminder"
    for method, minutes in dict.fromkeys(wanted):
        alarm = Alarm()
        if method == "popup":
            alarm.add("action", "DISPLAY")
        elif method == "email" and around.person:
            alarm.add("action", "EMAIL")
            alarm.add("summary", title)
            alarm.add("attendee", vCalAddress(f"mailto:{around.person}"))
        else:
            lost.add("reminder")
            continue
        alarm.add("description", title)
        alarm.add("trigger", timedelta(minutes=-minutes))
        yield alarm
