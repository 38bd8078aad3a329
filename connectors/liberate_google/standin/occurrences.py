"""When a series takes place, worked out by dateutil and not by what is being tested."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr


def times(event: Mapping[str, Any], until: date) -> Iterator[date | datetime]:
    """The times of a series as its own lines give them, before any is changed or cancelled, each once, in order."""
    start = event["start"]
    lines = event.get("recurrence", [])
    if "date" in start:
        first = datetime.combine(date.fromisoformat(start["date"]), time())
        zone = None
    else:
        zone = ZoneInfo(start["timeZone"])
        first = datetime.fromisoformat(start["dateTime"]).astimezone(zone).replace(tzinfo=None)
    end = datetime.combine(until, time())
    found: set[datetime] = set()
    without: set[datetime] = set()
    if not any(line.startswith(("RRULE", "RDATE")) for line in lines):
        found.add(first)
    for line in lines:
        head, _, value = line.partition(":")
        if head.startswith(("RRULE", "EXRULE")):
            rule = rrulestr(_local_until(value, zone), dtstart=first)
            told = set(rule.between(first - timedelta(days=1), end, inc=True))
            (found if head.startswith("RRULE") else without).update(told)
        else:
            moments = {_local(head, one, zone, first) for one in value.split(",")}
            if head.startswith("RDATE"):
                found |= moments | {first}
            else:
                without |= moments
    for moment in sorted(found - without):
        if moment >= end:
            break
        if zone is None:
            yield moment.date()
        else:  # through universal time: what the clocks leap over takes place an hour later
            yield moment.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)


def _local(head: str, text: str, zone: ZoneInfo | None, first: datetime) -> datetime:
    if "T" not in text:
        return datetime.combine(datetime.strptime(text, "%Y%m%d").date(), first.time())  # noqa: DTZ007
    moment = datetime.strptime(text.rstrip("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007
    named = next((part[5:] for part in head.split(";") if part.startswith("TZID=")), "")
    if zone is not None and (text.endswith("Z") or named):
        return moment.replace(tzinfo=ZoneInfo(named) if named else UTC).astimezone(zone).replace(tzinfo=None)
    return moment


def _local_until(rule: str, zone: ZoneInfo | None) -> str:
    """The rule with its end in local time, as dateutil wants it for local times."""
    out = []
    for part in rule.split(";"):
        name, _, value = part.partition("=")
        if name == "UNTIL" and "T" not in value:
            value += "T235959"
        elif name == "UNTIL" and value.endswith("Z") and zone is not None:
            moment = datetime.strptime(value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
            value = f"{moment.astimezone(zone):%Y%m%dT%H%M%S}"
        out.append(f"{name}={value.rstrip('Z')}")
    return ";".join(out)
