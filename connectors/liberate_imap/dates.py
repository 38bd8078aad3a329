"""Which moment a message is filed under: INTERNALDATE, decided here so that no server decides it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

EARLIEST = datetime(1901, 12, 14, tzinfo=UTC)
"""Servers keep 32 bits of seconds: Dovecot 2.3 turns anything earlier into 1901-12-13 (measured)."""

UNKNOWN = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)
"""Not the second before: that is 0 in time_t, "none" to servers. Cyrus 3.6 makes it now (measured)."""

_DATE = re.compile(rb"^date[ \t]*:((?:[^\n]|\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_HEADER_END = re.compile(rb"\r?\n\r?\n")


def received(
    known: datetime | None, modified: datetime | None, message: bytes, now: Callable[[], datetime]
) -> datetime:
    """When the message arrived: `known` if the source says so, else `modified`, else its Date header,
    else 1970.

    A moment more than a day ahead is a mistake and passed over; one less than that is now, which is
    what servers make of it. A Date header counts only with a zone and from 1970 on.
    """
    today: datetime | None = None
    for candidate in (known, modified):
        if candidate is not None and candidate.tzinfo is not None:
            today = today or now()
            if candidate <= today + timedelta(days=1):
                return _keepable(max(EARLIEST, min(candidate, today)))
    written = date_header(message)
    if written is not None:
        today = today or now()
        if UNKNOWN <= written <= today + timedelta(days=1):
            return min(written, today)
    return UNKNOWN


def _keepable(moment: datetime) -> datetime:
    # One second before 1970 is -1 in time_t, "invalid" to servers: Dovecot 2.3 makes it 1901 (measured).
    return UNKNOWN if UNKNOWN - timedelta(seconds=2) <= moment < UNKNOWN else moment


def date_header(message: bytes) -> datetime | None:
    """The aware moment in the first Date header; None if there is none, or none that can be read."""
    end = _HEADER_END.search(message)
    match = _DATE.search(message, 0, end.start() if end else min(len(message), 1 << 16))
    if match is None:
        return None
    try:
        moment = parsedate_to_datetime(b" ".join(match.group(1).split()).decode("ascii", "replace"))
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
