"""iCalendar objects as calendars keep them: one UID each, with the definitions of the time zones they use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from icalendar import Component, Event

from liberate.vtimezone import vtimezone

PRODID = "-//liberate//EN"


def calendar_object(components: Sequence[Component]) -> bytes:
    """An object (RFC 4791 section 4.1) of components that share a UID: the series first, then its changed instances.

    Written the same each time for the same components. Every TZID in them is an IANA name, whose
    definition is put before them, good from their first time on.
    """
    zones = sorted({name for one in components for name in _zones(one)})
    first = min((year for one in components for year in _years(one)), default=1970)
    out = [b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:", PRODID.encode(), b"\r\n"]
    out += [vtimezone(name, first).encode() for name in zones]
    out += [one.to_ical(sorted=False) for one in components]
    out.append(b"END:VCALENDAR\r\n")
    return b"".join(out)


def _zones(component: Component) -> Iterator[str]:
    for part in component.walk():
        for value in part.values():
            for one in value if isinstance(value, list) else [value]:
                name = getattr(one, "params", {}).get("TZID")
                if name:
                    yield str(name)


def _years(component: Component) -> Iterator[int]:
    for name in ("DTSTART", "RECURRENCE-ID"):
        value = component.get(name)
        if value is not None:
            yield value.dt.year


__all__ = ["PRODID", "Component", "Event", "calendar_object"]
