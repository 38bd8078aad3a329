"""Calendars and address books: made once at a path that tells whose they are, found again whatever they are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from liberate.connector import Collection, Kind, Place
from liberate.errors import AccountError, LiberateError
from liberate.pim import Looks
from liberate_nextcloud import dav_refusals, dav_xml, refusals
from liberate_nextcloud.client import Client, Reply
from liberate_nextcloud.dav_xml import Told
from liberate_nextcloud.multistatus import NotXml
from liberate_nextcloud.threads import Threads

_OURS = "liberate-"
_WORDS = {Kind.EVENT: "calendar", Kind.CONTACT: "address book"}


@dataclass(frozen=True, slots=True)
class Site:
    """One account at a server of calendars and address books."""

    whose: str  # said to people
    calendars: str  # the path, quoted, that its calendars are in, with a slash at its end; "" for none
    books: str
    threads: Threads
    loud: bool = False  # the server writes to guests unless each event says that it shall not
    reminds: bool = False  # it mails the reminders of meetings to their guests


def place_of(kind: Kind, path: str) -> Place:
    """A calendar or address book as a place. No place of files begins with a slash."""
    return Place(f"/{kind.value}{path}")


def in_place(place: Place) -> tuple[Kind, str]:
    """What `place_of` was given."""
    kind, _, path = str(place)[1:].partition("/")
    return Kind(kind), f"/{path}"


def seen(reply: Reply, whose: str) -> list[Told]:
    """What a multistatus says. Raises TransientError for what is none."""
    try:
        return list(dav_xml.told(reply.content))
    except NotXml:
        raise refusals.unreadable(whose) from None


class Shelves:
    """The calendars and address books of one account."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def open(self, client: Client, key: str, collection: Collection, looks: Looks) -> Place:
        """See KeepsObjects.open_collection."""
        kind = collection.kind
        path = self._home(kind) + quote(_OURS + key, safe="") + "/"
        there = self._there(client, path)
        if there is None:
            self._make(client, kind, path, looks)
        elif there.trashed:
            self._bring_back(client, kind, path)
        elif not there.kinds & {"calendar", "addressbook"}:
            raise AccountError(
                "not-a-calendar",
                f"{self._site.whose}: something else stands where a {_WORDS[kind]} is to be made.",
                "Look at what begins with liberate- there, and rename it.",
            )
        return place_of(kind, path)

    def _home(self, kind: Kind) -> str:
        home = self._site.calendars if kind is Kind.EVENT else self._site.books
        if not home:
            raise AccountError(
                "no-calendars" if kind is Kind.EVENT else "no-address-books",
                f"{self._site.whose}: the server keeps no {_WORDS[kind]}s.",
                "Choose another destination for them.",
            )
        return home

    def _there(self, client: Client, path: str) -> Told | None:
        """What stands at that path; None: nothing."""
        reply = client.send("PROPFIND", path, dav_xml.SHELF, {"Depth": "0", **dav_xml.XML})
        if reply.status in (404, 410):
            return None
        if reply.status != 207:
            raise refusals.refusal(reply, self._site.whose)
        for told in seen(reply, self._site.whose):
            return told if told.status < 400 else None
        raise refusals.unreadable(self._site.whose)

    def _make(self, client: Client, kind: Kind, path: str, looks: Looks) -> None:
        verb = "MKCALENDAR" if kind is Kind.EVENT else "MKCOL"
        reply = client.send(verb, path, dav_xml.making(kind, looks), dav_xml.XML)
        if reply.status in (207, 400, 403, 409, 415, 424):  # it may be one of the looks that it does not take
            if self._there(client, path) is not None:
                return
            reply = client.send(verb, path, dav_xml.making(kind, looks, plain=True), dav_xml.XML)
        if reply.status not in (200, 201, 405):  # 405: somebody was faster
            raise dav_refusals.not_made(reply, self._site.whose, _WORDS[kind])
        if reply.status == 405 and self._there(client, path) is None:
            raise dav_refusals.not_made(reply, self._site.whose, _WORDS[kind])

    def _bring_back(self, client: Client, kind: Kind, path: str) -> None:
        """Take it out of the trash if it is empty, as after an undo.

        A Nextcloud lets one write into what lies in its trash, where nobody would see it.
        """
        if self.members(client, path):
            raise dav_refusals.in_the_trash(self._site.whose, _WORDS[kind])
        target = self._home(kind) + "trashbin/restore/file"
        reply = client.send("MOVE", path, headers={"Destination": client.address(target)})
        there = self._there(client, path)
        if reply.status >= 400 or there is None or there.trashed:
            raise dav_refusals.in_the_trash(self._site.whose, _WORDS[kind])

    def members(self, client: Client, path: str) -> list[Told]:
        """What stands in it; [] also if it is gone."""
        reply = client.send("PROPFIND", path, dav_xml.TAGS, {"Depth": "1", **dav_xml.XML})
        if reply.status in (404, 410):
            return []
        if reply.status != 207:
            raise refusals.refusal(reply, self._site.whose)
        here = path.rstrip("/").rpartition("/")[2]
        return [told for told in seen(reply, self._site.whose) if told.name != here and "collection" not in told.kinds]

    def card_version(self, client: Client, place: Place) -> Literal["3.0", "4.0"]:
        """See KeepsObjects.card_version: where a server does not say, it takes 3.0 (RFC 6352 section 6.2.2)."""
        told = self._there(client, in_place(place)[1])
        return "4.0" if told is not None and "4.0" in told.cards else "3.0"

    def remove(self, client: Client, place: Place) -> None:
        """See KeepsObjects.remove_collection."""
        _, path = in_place(place)
        there = self._there(client, path)
        if there is None or there.trashed:
            return
        if not path.rstrip("/").rpartition("/")[2].startswith(_OURS):
            raise dav_refusals.not_ours()
        if self.members(client, path):
            raise dav_refusals.not_empty()
        reply = client.send("DELETE", path)
        if reply.status >= 400 and reply.status not in (404, 410):
            raise _as_error(reply, self._site.whose)


def _as_error(reply: Reply, whose: str) -> LiberateError:
    return dav_refusals.refusal(reply, whose)
