"""What the stand-in's calls for calendars and contacts take: every option must be known, every field must exist."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from liberate_microsoft.standin.errors import ApiError
from liberate_microsoft.standin.faults import Call
from liberate_microsoft.standin.pim import ZONES

MOST = 1000  # entries of one page
USUAL = 10


def only(call: Call, known: set[str], fields: frozenset[str] = frozenset()) -> None:
    """Refuse options that this call does not take, and fields that there are not."""
    for name in call.query.keys() - known:
        raise ApiError(400, "ErrorInvalidUrlQuery", f"The query option '{name}' is not supported here.")
    for name in filter(None, call.query.get("$select", "").split(",")):
        if name.strip() not in fields:
            text = f"Parsing OData Select and Expand failed: Could not find a property named '{name}'."
            raise ApiError(400, "RequestBroker--ParseUri", text)


def paged(told: Sequence[Any], call: Call, where: str) -> dict[str, Any]:
    """A page, and the link to the next one, which counts from the beginning as Exchange's does."""
    top, skip = call.query.get("$top", str(USUAL)), call.query.get("$skip", "0")
    if not skip.isdigit() or not top.isdigit() or not 1 <= int(top) <= MOST:
        raise ApiError(400, "ErrorInvalidUrlQuery", "The page is out of range.")
    start, stop = int(skip), int(skip) + int(top)
    answer: dict[str, Any] = {"value": list(told[start:stop])}
    if stop < len(told):
        answer["@odata.nextLink"] = f"{where}?{urlencode({**call.query, '$skip': str(stop)})}"
    return answer


def zone(call: Call) -> str:
    """The zone that the answer's times shall be in."""
    found = re.search(r'outlook\.timezone="([^"]*)"', call.headers.get("prefer", ""), re.I)
    if found is None:
        return "UTC"
    if found[1] not in ZONES or "://" in found[1]:
        raise ApiError(400, "TimeZoneNotSupportedException", f"A valid TimeZone value must be specified: {found[1]}")
    return found[1]


def window(call: Call) -> tuple[datetime, datetime]:
    """The window that instances are asked for in, which must be named and not be too wide."""
    out = []
    for name in ("startDateTime", "endDateTime"):
        text = call.query.get(name, "")
        try:
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        except ValueError:
            raise ApiError(
                400,
                "ErrorInvalidParameter",
                f"This request requires a time window specified by the query string parameters; {name} is none.",
            ) from None
        out.append(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    begin, end = out
    if end <= begin or (end - begin).days > 1825:
        raise ApiError(400, "ErrorInvalidParameter", "The requested time range exceeds the maximum of 1825 days.")
    return begin, end
