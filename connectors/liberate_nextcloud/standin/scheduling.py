"""What Nextcloud does of itself when events with guests come and go: it writes to them, unless it is told not to.

As sabre/dav's CalDAV/Schedule/Plugin.php and Nextcloud's do, seen on Nextcloud 32.0.1: `Schedule-Reply: F` keeps
it from everything, `X-NC-Scheduling: false` from what storing would set off, and nothing but the former from what
deleting sets off.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from liberate.pim import lines
from liberate_nextcloud.standin.accounts import Accounts
from liberate_nextcloud.standin.exchange import Request
from liberate_nextcloud.standin.shelf_store import Kept, Shelf, ShelfStore


class Mail(NamedTuple):
    """A mail that the server would have sent."""

    method: str  # REQUEST, CANCEL
    sender: str
    recipient: str


class Scheduling:
    """The scheduling of one server."""

    def __init__(self, accounts: Accounts, store: ShelfStore) -> None:
        self._accounts = accounts
        self._store = store
        self.mails: list[Mail] = []

    def stored(self, request: Request, shelf: Shelf, data: bytes) -> bytes:
        """What becomes of an event that is stored: guests are invited, and it says with what success."""
        if request.header("schedule-reply") == "F" or request.header("x-nc-scheduling") == "false":
            return data
        guests = self._guests(request.user, data)
        for guest in guests:
            self._deliver("REQUEST", request.user, guest, data)
        if not guests:
            return data
        return re.sub(rb"(?im)^ATTENDEE(?=[;:])", b"ATTENDEE;SCHEDULE-STATUS=1.1", data)

    def deleted(self, request: Request, data: bytes) -> None:
        if request.header("schedule-reply") == "F":
            return
        for guest in self._guests(request.user, data):
            self._deliver("CANCEL", request.user, guest, data)

    def _guests(self, user: str, data: bytes) -> list[str]:
        """Whom the user has to write to about an event of theirs."""
        own = self._address(user)
        said = list(lines(data))
        organiser = next((_mail(line.value) for line in said if line.name == "ORGANIZER"), "")
        if not own or organiser != own:
            return []
        out = []
        for line in said:
            agent = dict(line.params).get("SCHEDULE-AGENT", "SERVER").upper()
            if line.name == "ATTENDEE" and agent == "SERVER" and _mail(line.value) != own:
                out.append(_mail(line.value))
        return list(dict.fromkeys(out))

    def _address(self, user: str) -> str:
        found = self._accounts.users.get(user)
        return (found.email or "").lower() if found is not None else ""

    def _deliver(self, method: str, user: str, guest: str, data: bytes) -> None:
        self.mails.append(Mail(method, self._address(user), guest))
        local = next((one.id for one in self._accounts.users.values() if (one.email or "").lower() == guest), None)
        if local is not None and method == "REQUEST":
            uid = next((line.value for line in lines(data) if line.name == "UID"), "")
            shelf = next(one for one in self._store.of("calendars", local) if one.uri == "personal")
            self._store.put(shelf, Kept(f"sabredav-{uid[:40].replace('/', '-')}.ics", uid, data))


def _mail(value: str) -> str:
    return value.strip().lower().removeprefix("mailto:")
