"""Nobody is sent an invitation because an appointment is moved: what keeps servers from writing to its guests.

A server that schedules by itself (RFC 6638, "calendar-auto-schedule") sends every guest an invitation when an event
with guests is stored, and puts it into the calendars of those who have an account there. Nextcloud does not if the
request says `X-NC-Scheduling: false`; sabre/dav, which it is made from, does not if a request to store or to delete
says `Schedule-Reply: F` (CalDAV/Schedule/Plugin.php of both). The standard has nothing of the kind for storing: there
the event itself has to say that its guests are somebody else's business, by SCHEDULE-AGENT=CLIENT (section 7.1).
"""

from __future__ import annotations

import re

HEADERS = {"X-NC-Scheduling": "false", "Schedule-Reply": "F"}
_PEOPLE = re.compile(rb"(?im)^(?:ATTENDEE|ORGANIZER)(?=[;:])[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*")
_FOLD = re.compile(rb"\r?\n[ \t]")
_OURS = re.compile(rb';SCHEDULE-(?:AGENT|FORCE-SEND)=(?:"[^"]*"|[^";:,]*)', re.IGNORECASE)
_WIDTH = 75


def quiet(data: bytes) -> bytes:
    """The event with SCHEDULE-AGENT=CLIENT at its organiser and guests; every other byte is as it was."""
    end = b"\r\n" if b"\r\n" in data else b"\n"

    def marked(found: re.Match[bytes]) -> bytes:
        line = _FOLD.sub(b"", found[0])
        name = re.match(rb"[A-Za-z]+", line)
        at = name.end() if name else 0
        head, rest = line[:at], line[at:]
        colon = _value_at(rest)
        return _folded(head + b";SCHEDULE-AGENT=CLIENT" + _OURS.sub(b"", rest[:colon]) + rest[colon:], end)

    return _PEOPLE.sub(marked, data)


def _value_at(rest: bytes) -> int:
    """Where the value begins: at the first colon outside quotes."""
    inside = False
    for at, c in enumerate(rest):
        if c == ord('"'):
            inside = not inside
        elif c == ord(":") and not inside:
            return at
    return len(rest)


def _folded(line: bytes, end: bytes) -> bytes:
    """The line in pieces of at most 75 bytes, never cut within a character."""
    out = []
    room = _WIDTH
    while len(line) > room:
        cut = room
        while cut > 1 and line[cut] & 0xC0 == 0x80:
            cut -= 1
        out.append(line[:cut])
        line, room = line[cut:], _WIDTH - 1
    return (end + b" ").join([*out, line])
