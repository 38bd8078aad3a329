"""The fields of a Graph event that say nothing of its times, as properties of a VEVENT. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeAlias

from icalendar import Alarm, Event, vCalAddress, vText, vUri

from liberate_microsoft.plain_text import from_html

Json: TypeAlias = Mapping[str, Any]

_BUSY = {
    "free": ("TRANSPARENT", "FREE"),
    "tentative": ("OPAQUE", "TENTATIVE"),
    "busy": ("OPAQUE", "BUSY"),
    "oof": ("OPAQUE", "OOF"),
    "workingElsewhere": ("TRANSPARENT", "WORKINGELSEWHERE"),
}  # [MS-OXCICAL] 2.1.3.1.1.20.28 and 2.1.3.1.1.20.31
_CLASS = {"personal": "PRIVATE", "private": "PRIVATE", "confidential": "CONFIDENTIAL"}
_PRIORITY = {"high": 1, "low": 9}
_ANSWER = {"accepted": "ACCEPTED", "organizer": "ACCEPTED", "tentativelyAccepted": "TENTATIVE", "declined": "DECLINED"}
_ROLE = {"required": "REQ-PARTICIPANT", "optional": "OPT-PARTICIPANT", "resource": "NON-PARTICIPANT"}

PRESETS = (
    "red", "orange", "peru", "yellow", "green", "teal", "olive", "blue", "purple", "deeppink", "steelblue",
    "darkslategray", "gray", "dimgray", "black", "darkred", "darkorange", "saddlebrown", "darkgoldenrod",
    "darkgreen", "darkcyan", "darkolivegreen", "darkblue", "indigo", "mediumvioletred",
)  # fmt: skip
"""The colours preset0 to preset24 of outlookCategory as names of CSS, which RFC 7986 wants for COLOR."""


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose calendar an event stands in, and what is known of it for all its events."""

    addresses: frozenset[str] = frozenset()  # in lower case
    colours: Mapping[str, str] = field(default_factory=dict)  # of categories, by their names


def fill(out: Event, raw: Json, whose: Whose, lost: set[str]) -> None:
    """Add what the event says to `out`, and to `lost` the codes of what there is no place for."""
    if raw.get("subject"):
        out.add("summary", str(raw["subject"]))
    _text(out, raw, lost)
    _where(out, raw)
    _people(out, raw, whose, lost)
    _marks(out, raw, whose)
    join = join_url(raw)
    if join:
        out.add("url", join)
        out.add("x-microsoft-skypeteamsmeetingurl", vText(join))
        out.add("conference", vUri(join), parameters={"VALUE": "URI", "FEATURE": "VIDEO"})
    if raw.get("isReminderOn") and isinstance(raw.get("reminderMinutesBeforeStart"), int | float):
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", str(raw.get("subject") or "Reminder"))
        alarm.add("trigger", timedelta(minutes=-int(raw["reminderMinutesBeforeStart"])))
        out.add_component(alarm)


def _marks(out: Event, raw: Json, whose: Whose) -> None:
    categories = [str(one) for one in _list(raw.get("categories")) if one]
    if categories:
        out.add("categories", categories)
        colour = next((whose.colours[one] for one in categories if one in whose.colours), "")
        if colour:
            out.add("color", colour)
    if raw.get("sensitivity") in _CLASS:
        out.add("class", _CLASS[str(raw["sensitivity"])])
    if raw.get("importance") in _PRIORITY:
        out.add("priority", _PRIORITY[str(raw["importance"])])
    busy = _BUSY.get(str(raw.get("showAs")))
    if busy is not None:
        out.add("transp", busy[0])
        out.add("x-microsoft-cdo-busystatus", vText(busy[1]))
    if raw.get("isCancelled"):
        out.add("status", "CANCELLED")
    elif raw.get("showAs") == "tentative":
        out.add("status", "TENTATIVE")
    if raw.get("allowNewTimeProposals") is False and _list(raw.get("attendees")):
        out.add("x-microsoft-disallow-counter", vText("TRUE"))


# Texts -------------------------------------------------------------------------------------------


def _text(out: Event, raw: Json, lost: set[str]) -> None:
    body = _table(raw.get("body"))
    content = str(body.get("content") or "")
    html = str(body.get("contentType") or "").lower() == "html"
    text = from_html(content) if html else content.replace("\r\n", "\n").strip()
    shown = bool(text) or "<img" in content.lower()
    meeting = list(_meeting(raw, text))
    if meeting:
        text = "\n".join([*([text, ""] if text else []), *meeting])
    if any(one for one in meeting if not one.startswith("Online meeting: ")):
        lost.add("conference-details")
    if text:
        out.add("description", text)
    if html and shown:
        out.add("x-alt-desc", vText(content), parameters={"FMTTYPE": "text/html"})


def join_url(raw: Json) -> str:
    """Where one joins the online meeting; "" where there is none."""
    for value in (_table(raw.get("onlineMeeting")).get("joinUrl"), raw.get("onlineMeetingUrl")):
        if isinstance(value, str) and value.startswith(("https://", "http://", "sip:", "skype:")):
            return value
    return ""


def _meeting(raw: Json, text: str) -> Iterator[str]:
    """Lines about the online meeting that the text does not have."""
    meeting = _table(raw.get("onlineMeeting"))
    join = join_url(raw)
    if join and join not in text:
        yield f"Online meeting: {join}"
    told = [
        ("Conference ID", meeting.get("conferenceId")),
        ("Telephone", meeting.get("tollNumber")),
        ("Dial", meeting.get("quickDial")),
        *(("Telephone", one) for one in _list(meeting.get("tollFreeNumbers"))),
        *(("Telephone", _table(one).get("number")) for one in _list(meeting.get("phones"))),
    ]
    for name, value in dict.fromkeys((name, str(value)) for name, value in told if value):
        if value not in text:
            yield f"{name}: {value}"


def place(told: Json) -> str:
    """A location as one line: its name, and those parts of its address that the name does not hold."""
    name = str(told.get("displayName") or "").strip()
    address = _table(told.get("address"))
    parts = [
        str(address.get(key) or "").strip() for key in ("street", "postalCode", "city", "state", "countryOrRegion")
    ]
    return ", ".join([*([name] if name else []), *(one for one in parts if one and one not in name)])


def _where(out: Event, raw: Json) -> None:
    several = [_table(one) for one in _list(raw.get("locations"))] or [_table(raw.get("location"))]
    names = list(dict.fromkeys(filter(None, map(place, several))))
    uri = next((str(one["locationUri"]) for one in several if one.get("locationUri")), "")
    if names:
        out.add("location", "; ".join(names), parameters={"ALTREP": uri} if "://" in uri else {})
    at = next((_table(one.get("coordinates")) for one in several if one.get("coordinates")), {})
    latitude, longitude = at.get("latitude"), at.get("longitude")
    if isinstance(latitude, int | float) and isinstance(longitude, int | float):
        out.add("geo", (latitude, longitude))


# People ------------------------------------------------------------------------------------------


def _people(out: Event, raw: Json, whose: Whose, lost: set[str]) -> None:
    guests = [_table(one) for one in _list(raw.get("attendees"))]
    by = _table(_table(raw.get("organizer")).get("emailAddress"))
    others = raw.get("isOrganizer") is False
    if by and (guests or others):
        out.add("organizer", _person(by, {}))
    rsvp = raw.get("responseRequested") is not False
    rooms = {str(_table(one).get("locationEmailAddress") or "").lower() for one in _list(raw.get("locations"))} - {""}
    answer = str(_table(raw.get("responseStatus")).get("response") or "none")
    mine = False
    for guest in guests:
        known = _table(guest.get("emailAddress"))
        address = str(known.get("address") or "").lower()
        said = str(_table(guest.get("status")).get("response") or "none")
        if others and address in whose.addresses:
            # Everybody's own copy knows their own answer; what it says of the guests is not kept up to date.
            said, mine = answer if answer not in ("none", "notResponded") else said, True
        kind = str(guest.get("type") or "required")
        params: dict[str, str] = {"ROLE": _ROLE.get(kind, "REQ-PARTICIPANT")}
        if kind == "resource":
            params["CUTYPE"] = "ROOM" if address in rooms else "RESOURCE"
        params["PARTSTAT"] = _ANSWER.get(said, "NEEDS-ACTION")
        if rsvp and params["PARTSTAT"] == "NEEDS-ACTION" and kind != "resource":
            params["RSVP"] = "TRUE"
        out.add("attendee", _person(known, params))
        if guest.get("proposedNewTime"):
            lost.add("attendee-details")
    if others and not mine and answer in ("accepted", "tentativelyAccepted", "declined"):
        lost.add("attendee-details")
    if raw.get("hideAttendees") and guests:
        lost.add("guest-permissions")
    if raw.get("isDraft") and guests:
        lost.add("draft")


def _person(told: Json, params: Mapping[str, str]) -> vCalAddress:
    """Somebody; one without an address that mail knows (an Exchange name such as /O=...) is invalid:nomail."""
    address = str(told.get("address") or "").strip()
    out = vCalAddress(f"mailto:{address}" if "@" in address else "invalid:nomail")
    name = str(told.get("name") or "").strip()
    if name and name.lower() != address.lower():
        # Parameters hold no quotes and no control characters (RFC 5545 section 3.2).
        out.params["CN"] = "".join(c for c in name.replace('"', "'") if c >= " ")
    for key, value in params.items():
        out.params[key] = value
    return out


def _table(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
