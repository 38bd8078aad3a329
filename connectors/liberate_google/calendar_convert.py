"""A series of Google's, with all its changed times, as one iCalendar object. Pure."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from icalendar import Event

from liberate.connector import Item, Kind, Skipped
from liberate.errors import ItemError
from liberate.ical import calendar_object
from liberate.pim import ObjectFacts
from liberate_google import calendar_times as times
from liberate_google.calendar_event import Around, Told, component, text, updated
from liberate_google.calendar_times import Moment, Repetition

_INSTANCE = re.compile(r"(?P<series>.+)_\d{8}(?:T\d{6}Z)?")
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError)
"""What the parts of an event that are not as described make the conversion raise."""


@dataclass(frozen=True, slots=True)
class Converted:
    """An object, ready to be handed over."""

    body: bytes
    lost: tuple[str, ...]
    modified: datetime


def series_of(told: Told) -> str:
    """The id of the series that the event is a part of; its own where it is none."""
    return str(told.get("recurringEventId") or told["id"])


def series_named(told: Told) -> frozenset[str]:
    """The series that a told change may be about. Of what is deleted, only the id is sure to be told."""
    found = {series_of(told)}
    instance = _INSTANCE.fullmatch(str(told["id"]))
    if instance is not None and "recurringEventId" not in told:
        found.add(instance["series"])
    return frozenset(found)


def uid_of(parts: Sequence[Told], series: str) -> str:
    """The UID by which all calendars know the series."""
    master = next((one for one in parts if one.get("id") == series), None)
    for one in [master] if master else parts:
        if one.get("iCalUID"):
            return text(one["iCalUID"])
    return own_uid(series)


def own_uid(series: str) -> str:
    """The UID that Google gives what was made at Google: nobody else's is like it."""
    return f"{series}@google.com"


def twin_uid(uid: str, series: str) -> str:
    """The UID of a second event that says it has the UID of another one."""
    return f"{uuid.uuid5(uuid.NAMESPACE_URL, f'{uid} {series}')}"


def is_there(parts: Sequence[Told]) -> bool:
    """Whether anything of the series is left."""
    return any(one.get("status") != "cancelled" for one in parts)


def obstacle(parts: Sequence[Told], key: str) -> Skipped | None:
    """Why an event does not move, by what kind of event it is."""
    kinds = {str(one.get("eventType") or "default") for one in parts if one.get("status") != "cancelled"}
    if "birthday" in kinds:
        return Skipped(
            key,
            "birthday",
            "Google shows this birthday or anniversary because it stands in a contact.",
            "It comes along with the contact; calendars show birthdays from the address book.",
        )
    if "workingLocation" in kinds:
        return Skipped(
            key,
            "working-location",
            "This says from where somebody works that day. It is no appointment; other calendars have none such.",
        )
    return None


def convert(parts: Sequence[Told], series: str, uid: str, around: Around) -> Converted:
    """The object. Bytes are the same each time for the same parts in any order.

    Cancelled times become EXDATE of the series. Times of a series that this person does not see, invited to
    some of it only, stand without it, which RFC 4791 section 4.1 allows. Raises ItemError.
    """
    lost: set[str] = set()
    try:
        components = _components(parts, series, uid, around, lost)
        if not components:
            raise ItemError("gone", "The event was deleted at Google after it was listed.")
        body = calendar_object(components)
    except UNREADABLE as error:
        raise ItemError(
            "unreadable-event",
            f"Google describes this event in a way that liberate cannot read ({type(error).__name__}).",
            "Open it in Google Calendar and save it again, or write it anew at the destination.",
        ) from error
    return Converted(body, tuple(sorted(lost)), max(updated(one) for one in parts))


def _components(parts: Sequence[Told], series: str, uid: str, around: Around, lost: set[str]) -> list[Event]:
    master = next((one for one in parts if one["id"] == series and one.get("status") != "cancelled"), None)
    start: Moment | None = None
    if master is not None:
        start, _ = times.moment(master["start"], around.zone)
    changed: dict[Moment, Told] = {}
    cancelled: set[Moment] = set()
    for one in sorted((one for one in parts if one["id"] != series), key=lambda one: (updated(one), str(one["id"]))):
        when, _ = times.moment(one["originalStartTime"], around.zone)
        if start is not None:
            when = times.like(start, when)
        if one.get("status") == "cancelled":
            cancelled.add(when)
        else:
            changed[when] = one
    out = []
    if master is not None and start is not None:
        goes_on = times.repetition(master.get("recurrence", ()), start)
        if goes_on or changed:
            without = ({*goes_on.without, *cancelled}) - set(changed)
            goes_on = Repetition(
                goes_on.rules, goes_on.excluding, goes_on.more, times.ordered(without), goes_on.lengths
            )
        out.append(component(master, uid, around, lost, goes_on))
    for when in times.ordered(changed):
        out.append(component(changed[when], uid, around, lost, instead=when))
    return out


def item(parts: Sequence[Told], series: str, key: str, uid: str, around: Around) -> tuple[Item, bytes] | Skipped:
    """The series as it is listed, with its bytes; or why it does not move."""
    found = obstacle(parts, key)
    if found is not None:
        return found
    try:
        made = convert(parts, series, uid, around)
    except ItemError as error:
        return Skipped(key, error.code, error.why, error.todo)
    digest = hashlib.sha256(made.body).hexdigest()
    lost = made.lost if uid == uid_of(parts, series) else tuple(sorted({*made.lost, "uid"}))
    return (
        Item(
            key,
            Kind.EVENT,
            digest,
            uid,
            len(made.body),
            made.modified,
            {"sha256": digest},
            facts=ObjectFacts(lost),
        ),
        made.body,
    )
