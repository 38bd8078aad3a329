"""Events in a Nextcloud's trash: of no use to anybody there, and in the way of one with the same UID.

A calendar keeps each UID once, those in its trash included. An event that was deleted, by an undo or with its source,
is therefore no longer to be put there: the server fails with 500 (SQLSTATE 23505, seen in 32.0.1) until the trash is
emptied. It can be brought back instead.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from liberate.connector import Place
from liberate.mail import Sameness
from liberate.pim import compared, object_digests, uid_of
from liberate_nextcloud import dav_refusals, dav_xml
from liberate_nextcloud.client import Client
from liberate_nextcloud.dav_shelves import Site, in_place, seen


class Trash:
    """The events that an account's owner, or liberate, deleted."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._known: dict[tuple[str, str], str] | None = None  # paths, by calendar and UID
        self._lock = threading.Lock()

    def bring_back(self, client: Client, place: Place, uid: str, sent: Mapping[str, str]) -> bool:
        """Bring the event with that UID back into its calendar if it says what is to be sent; whether it did.

        Raises ItemError if one is there that says something else: somebody may still want it.
        """
        calendar = in_place(place)[1].rstrip("/").rpartition("/")[2]
        with self._lock:
            path = self._paths(client).pop((calendar, uid), None)
        if path is None:
            return False
        reply = client.send("GET", path)
        if reply.status != 200:
            return False
        data = reply.content
        if compared(object_digests(data, data), sent) is Sameness.DIFFERENT:
            with self._lock:
                self._paths(client)[calendar, uid] = path
            raise dav_refusals.uid_in_the_trash()
        target = self._site.calendars + "trashbin/restore/file"
        return client.send("MOVE", path, headers={"Destination": client.address(target)}).status < 400

    def _paths(self, client: Client) -> dict[tuple[str, str], str]:
        """What lies in the trash, asked for once: an undo may have put a whole calendar there."""
        if self._known is None:
            where = self._site.calendars + "trashbin/objects/"
            reply = client.send("REPORT", where, dav_xml.TRASHED, {"Depth": "1", **dav_xml.XML})
            told = seen(reply, self._site.whose) if reply.status == 207 else []
            self._known = {(one.calendar, uid_of(one.data)): one.href for one in told if one.data is not None}
        return self._known
