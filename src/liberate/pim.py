"""Calendars and contacts: what travels beside their bytes, what makes two objects the same, and what gets lost."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from liberate.mail import Sameness

CONTENT = "sha256-content"
"""The name of the digest that a server may not change by writing an object in its own way, see content_digest."""
WIRE = "sha256-wire"  # of what was sent, where that is not what was read

LOSSES: Mapping[str, str] = {
    "attachment": "A file attached to it did not come along; where it has an address, that is kept.",
    "attendee-details": "Something is known of its guests that the standard has no place for, such as their notes.",
    "auto-decline": "It no longer declines other invitations by itself.",
    "colour": "Its own colour is none that calendars share; the calendar's colour shows.",
    "conference-details": "The online meeting's dial-in details are kept as text only.",
    "custom-field": "A field of the service's own has no place in the standard.",
    "draft": "It was a draft whose guests were not yet invited; it arrives as any other event.",
    "exception-rule": "A rule says when it does not take place; programs that ignore such rules show it then too.",
    "guest-permissions": "What guests may do (invite others, see each other) is not kept.",
    "photo": "Its picture could not be had.",
    "recurrence-rule": "Its rule of repetition cannot be written exactly; each time is written by itself instead.",
    "reminder": "A reminder of a kind that the standard does not know is left out.",
    "time-zone": "Its time zone is one of the service's own; its times are kept in universal time.",
    "uid": "Another event had the same identity there; answers to its old invitation do not find it.",
}
"""What an object may lose on its way, by the codes of ObjectFacts.lost: a sentence for whoever moves."""


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What is known of an event or a contact beside its bytes."""

    lost: tuple[str, ...] = ()  # codes of LOSSES, sorted, each once

    def dump(self) -> str:
        """The facts as text, the same for equal facts."""
        return json.dumps({"lost": self.lost} if self.lost else {}, separators=(",", ":"))

    @classmethod
    def load(cls, text: str) -> ObjectFacts:
        """The facts that dump wrote."""
        return cls(tuple(json.loads(text).get("lost", ())))


@dataclass(frozen=True, slots=True)
class Looks:
    """What a calendar or an address book looks like."""

    name: str
    description: str = ""
    colour: str = ""  # "#rrggbb"; "" for none
    timezone: str = ""  # IANA name of the calendar's own zone; "" for none
    components: frozenset[str] = field(default_factory=lambda: frozenset({"VEVENT"}))  # of a calendar


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of one field of a service's events, contacts or filters."""

    field: str  # as the service calls it
    becomes: str  # where it is kept, such as "DTSTART"; "" where it is lost
    verdict: Literal["kept", "changed", "lost"]
    why: str = ""  # for what is changed or lost


def kept(field: str, becomes: str) -> Fate:
    """The fate of a field that stays what it is."""
    return Fate(field, becomes, "kept")


def changed(field: str, becomes: str, why: str) -> Fate:
    """The fate of a field that becomes something else."""
    return Fate(field, becomes, "changed", why)


def lost(field: str, why: str) -> Fate:
    """The fate of a field that has no place."""
    return Fate(field, "", "lost", why)


def content_digest(data: bytes) -> str:
    """SHA-256, in hex, of what an iCalendar or vCard object says, however it is written.

    Not told apart: line ends and folding, the order of properties and parameters, upper and lower case of their
    names, quotes and escapes where none are needed, a VALUE that the value itself shows, other spellings of one
    duration (but a day is not 24 hours), and what programs write of themselves (PRODID, DTSTAMP, who sends mails to
    guests, and definitions of time zones, which are known by their names). Everything else counts. Raises ValueError
    for what is no object.
    """
    return hashlib.sha256("\n".join(_said(data)).encode("utf-8", "surrogateescape")).hexdigest()


def object_digests(body: bytes, wire: bytes) -> dict[str, str]:
    """The digests by which an object is known that was read as `body` and is sent as `wire`."""
    found = {"sha256": hashlib.sha256(body).hexdigest()}
    with suppress(ValueError):  # what is no object is known by its bytes alone
        found[CONTENT] = content_digest(wire)
    if wire != body:
        found[WIRE] = hashlib.sha256(wire).hexdigest()
    return found


def compared(found: Mapping[str, str], sent: Mapping[str, str]) -> Sameness:
    """How an object with the digests `found` compares with the one that was sent."""
    if found["sha256"] in (sent.get("sha256"), sent.get(WIRE)):
        return Sameness.IDENTICAL
    if CONTENT in sent and found.get(CONTENT) == sent[CONTENT]:
        return Sameness.REWRITTEN
    return Sameness.DIFFERENT


_ALARM = re.compile(rb"(?ims)^BEGIN:VALARM[ \t]*\r?$.*?^END:VALARM[ \t]*\r?$")
_MAILED = re.compile(rb"(?im)^(ACTION(?:;[^:\r\n]*)?:)EMAIL(?=[ \t]*\r?$)")
_GUEST = re.compile(rb"(?im)^ATTENDEE[;:]")
_GUEST_WHOLE = re.compile(rb"(?im)^ATTENDEE[;:].*\r?\n(?:[ \t].*\r?\n)*")


def shown_reminders(data: bytes) -> bytes:
    """An event with guests whose reminders by mail are shown on its owner's screen instead; any other as it is.

    A reminder by mail and one that is shown differ by its ACTION and by whom it names (RFC 5545 section 3.6.6).
    """
    if not _GUEST.search(_ALARM.sub(b"", data)):
        return data

    def shown(alarm: re.Match[bytes]) -> bytes:
        found, count = _MAILED.subn(rb"\1DISPLAY", alarm[0])
        return _GUEST_WHOLE.sub(b"", found) if count else alarm[0]

    return _ALARM.sub(shown, data)


@dataclass(frozen=True, slots=True)
class Line:
    """One property of an object, unfolded: GROUP.NAME;PARAM=VALUE:VALUE."""

    name: str  # in capitals, without its group
    params: tuple[tuple[str, str], ...]  # names in capitals, each value by itself and without quotes
    value: str  # as it is written, with its escapes
    group: str = ""


_FOLD = re.compile(r"\r?\n[ \t]")
_HEAD = re.compile(r"(?:(?P<group>[A-Za-z0-9-]+)\.)?(?P<name>[A-Za-z0-9-]+)(?=[;:])")
_PARAM = re.compile(r';(?P<name>[A-Za-z0-9-]+)(?:=(?P<values>(?:"[^"]*"|[^";:,])*(?:,(?:"[^"]*"|[^";:,])*)*))?')


def lines(data: bytes) -> Iterator[Line]:
    """The properties of an iCalendar or vCard object, in order. Bytes that are not UTF-8 are kept as surrogates.

    Raises ValueError for a line that is no property. It never quotes it: what people write stays theirs.
    """
    text = _FOLD.sub("", data.decode("utf-8-sig", "surrogateescape"))
    for number, line in enumerate(re.split(r"\r?\n|\r(?!\n)", text), 1):
        if line.strip():
            yield _line(line, number)


_VALUE = re.compile(r'(?:"[^"]*"|[^",])+')
_CARET = {"^^": "^", "^n": "\n", "^N": "\n", "^'": '"'}


def _parameter(value: str) -> str:
    """One value of a parameter, without quotes, and with what RFC 6868 lets stand for other letters."""
    return re.sub(r"\^[\^nN']", lambda found: _CARET[found[0]], value.replace('"', ""))


def _line(line: str, number: int) -> Line:
    head = _HEAD.match(line)
    if head is None:
        raise ValueError(f"property {number} of the object has no name")
    params = []
    at = head.end()
    while at < len(line) and line[at] == ";":
        param = _PARAM.match(line, at)
        if param is None:
            raise ValueError(f"property {number} of the object has a parameter that cannot be read")
        name, values = param["name"].upper(), param["values"]
        if values is None:  # vCard 2.1: TEL;HOME:
            name, values = "TYPE", param["name"]
        params += [(name, _parameter(one)) for one in _VALUE.findall(values)] if values else [(name, "")]
        at = param.end()
    if at >= len(line) or line[at] != ":":
        raise ValueError(f"property {number} of the object has no value")
    return Line(head["name"].upper(), tuple(params), line[at + 1 :], (head["group"] or "").upper())


def uid_of(data: bytes) -> str:
    """The first UID in an object, without escapes; "" if there is none."""
    try:
        said = next((line.value.strip() for line in lines(data) if line.name == "UID"), "")
    except ValueError:
        return ""
    return re.sub(r"\\(.)", r"\1", said)


_OF_PROGRAMS = frozenset(
    {"PRODID", "CALSCALE", "METHOD", "DTSTAMP"}
)  # around what is said, or when it was written down
# SCHEDULE-...: whether this or that server has written to whom (RFC 6638 section 7); vobject: its own notes.
_ITS_OWN = frozenset(
    {
        "X-VOBJ-ORIGINAL-TZID",
        "X-VOBJ-FLOATINGTIME-ALLOWED",
        "SCHEDULE-AGENT",
        "SCHEDULE-STATUS",
        "SCHEDULE-FORCE-SEND",
    }
)
_DEFAULT_TYPES = {"DATE": re.compile(r"\d{8}(,\d{8})*"), "DATE-TIME": re.compile(r"\d{8}T\d{6}Z?(,\d{8}T\d{6}Z?)*")}
_LISTS = frozenset({"CATEGORIES", "RESOURCES", "NICKNAME", "N", "ADR", "ORG"})
_DURATION = re.compile(
    r"(?P<sign>[+-]?)P(?:(?P<W>\d+)W)?(?:(?P<D>\d+)D)?(?:T(?:(?P<H>\d+)H)?(?:(?P<M>\d+)M)?(?:(?P<S>\d+)S)?)?"
)


def _said(data: bytes) -> list[str]:
    """The canonical lines of an object: each component's properties in order of their text, then its components."""
    stack: list[tuple[str, list[str], list[str]]] = [("", [], [])]
    for line in lines(data):
        if line.name == "BEGIN":
            stack.append((line.value.strip().upper(), [], []))
        elif line.name == "END":
            if len(stack) > 1:
                name, own, inner = stack.pop()
                if name != "VTIMEZONE":
                    stack[-1][2].append("\n".join([f"BEGIN:{name}", *sorted(own), *sorted(inner), f"END:{name}"]))
        elif line.name not in _OF_PROGRAMS and (line.name != "VERSION" or stack[-1][0] != "VCALENDAR"):
            stack[-1][1].append(_canonical(line))
    while len(stack) > 1:
        name, own, inner = stack.pop()
        stack[-1][2].append("\n".join([f"BEGIN:{name}", *sorted(own), *sorted(inner)]))
    return [*sorted(stack[0][1]), *sorted(stack[0][2])]


def _canonical(line: Line) -> str:
    value = line.value.rstrip()
    params = []
    for name, given in line.params:
        shown = _DEFAULT_TYPES.get(given.upper()) if name == "VALUE" else None
        if name not in _ITS_OWN and not (shown is not None and shown.fullmatch(value)):
            params.append(f"{name}={given.upper() if name in ('VALUE', 'ENCODING') else given}")
    if line.name in _LISTS:
        value = _plainly_escaped(value)
    elif line.name in ("TRIGGER", "DURATION", "REFRESH-INTERVAL"):
        value = _duration(value)
    else:
        value = _unescaped(value)
    group = f"{line.group}." if line.group else ""
    return f"{group}{';'.join([line.name, *sorted(params)])}:{value}"


def _unescaped(value: str) -> str:
    """A value as it is meant: only lists need escapes. Its line ends stay escaped, so that it is one line."""
    return re.sub(r"\\(.)", lambda found: {"n": "\\n", "N": "\\n", "\\": "\\\\"}.get(found[1], found[1]), value)


def _plainly_escaped(value: str) -> str:
    """A list or structure of texts: escapes that separators do not need are gone, as is what is empty at its end."""
    out = re.sub(r"\\(.)", lambda found: found[0].lower() if found[1] in "\\,;nN" else found[1], value)
    return re.sub(r"(?<!\\);+$", "", out)


def _duration(value: str) -> str:
    found = _DURATION.fullmatch(value)
    if found is None:
        return value
    parts = {name: int(found[name] or 0) for name in "WDHMS"}
    days, seconds = parts["W"] * 7 + parts["D"], (parts["H"] * 60 + parts["M"]) * 60 + parts["S"]
    sign = "-" if found["sign"] == "-" and (days or seconds) else ""
    return f"{sign}P{days}DT{seconds}S"
