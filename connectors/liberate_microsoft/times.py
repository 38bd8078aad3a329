"""Graph's times and zones as the calendar standard wants them: an instant, and the zone it is kept in. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from liberate.vtimezone import zone_name

_UTC = frozenset({"UTC", "Etc/UTC", "Etc/GMT", "Etc/UCT", "Etc/Zulu", "GMT", "UCT", "Zulu", "Universal"})
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?")


def zone(name: Any) -> ZoneInfo | None:
    """The zone of a Windows or IANA name; None where there is none of that name, as for tzone://Microsoft/Custom."""
    if not isinstance(name, str) or not name.strip():
        return None
    if name.strip().casefold() == "tzone://microsoft/utc":
        return ZoneInfo("UTC")
    known = zone_name(name)
    return None if known is None else ZoneInfo("UTC" if known in _UTC else known)


def instant(text: Any) -> datetime | None:
    """A time of Graph's, in UTC; one that names no offset is taken for UTC. None: it cannot be read."""
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    fraction = (found[3] or "0")[:6].ljust(6, "0")
    offset = (found[4] or "Z").replace("Z", "+00:00")
    try:
        return datetime.fromisoformat(f"{found[1]}T{found[2]}.{fraction}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def point(told: Any) -> datetime | None:
    """A dateTimeTimeZone as an instant in UTC, whatever zone it is given in; None: it cannot be read."""
    if not isinstance(told, Mapping):
        return None
    read = instant(told.get("dateTime"))
    if read is None:
        return None
    named = str(told.get("timeZone") or "UTC")
    where = zone(named)
    if where is None:
        return None
    return read if where.key == "UTC" else read.replace(tzinfo=where).astimezone(UTC)


def day(moment: datetime, where: ZoneInfo | None) -> date:
    """The day that an all-day event's midnight means, given in UTC.

    Graph writes such a midnight without its zone, as if it were in UTC; what is none is one in the event's own zone.
    """
    if moment.time() == datetime.min.time() or where is None:
        return nearest(moment)
    return nearest(moment.astimezone(where))


def nearest(moment: datetime) -> date:
    """The day whose midnight is nearest, by the clock that the moment has."""
    return (moment.replace(tzinfo=None) + timedelta(hours=12)).date()


def in_zone(moment: datetime, where: ZoneInfo | None) -> datetime:
    """The instant, in the zone's time, or in UTC where there is no zone. Whole seconds, as the standard has them."""
    moment = moment.replace(microsecond=0)
    return moment.astimezone(UTC) if where is None or where.key == "UTC" else moment.astimezone(where)
