"""The calendars and address books that stand in, kept with the files, and the rules that sabre/dav has for objects."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
import threading
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from liberate.pim import Line, lines
from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.store import Store

_LARGEST = {"calendars": 10_485_760, "addressbooks": 5_242_880}
_SABRE = "Sabre\\DAV\\Exception\\"
Family = Literal["calendars", "addressbooks"]


@dataclass(slots=True)
class Shelf:
    """One calendar or address book."""

    family: Family
    user: str
    uri: str
    name: str
    props: dict[str, str] = field(default_factory=dict)  # by Clark name, as XML
    components: tuple[str, ...] = ("VEVENT", "VTODO", "VJOURNAL")
    deleted: str = ""  # when it went into the trash, as ISO 8601

    @property
    def key(self) -> str:
        return f"{self.family}/{self.user}/{self.uri}"


@dataclass(slots=True)
class Kept:
    """One object."""

    uri: str
    uid: str
    data: bytes
    number: int = 0  # in the trash

    @property
    def etag(self) -> str:
        return hashlib.md5(self.data, usedforsecurity=False).hexdigest()


class ShelfStore:
    """All of them, in memory and in the stand-in's index."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.lock = threading.RLock()
        self.shelves: dict[str, Shelf] = {}
        self.objects: dict[str, dict[str, Kept]] = {}
        self.trash: dict[str, dict[str, Kept]] = {}  # of calendars: what was deleted, by UID
        self._numbers = itertools.count(1)
        for told in store.kept("shelf").values():
            shelf = Shelf(**{**told, "components": tuple(told["components"])})
            self.shelves[shelf.key] = shelf
            self.objects[shelf.key] = {}
        for key, told in store.kept("object").items():
            where, _, uri = key.partition("//")
            self.objects[where][uri] = Kept(uri, told["uid"], base64.b64decode(told["data"]))

    def of(self, family: Family, user: str) -> list[Shelf]:
        """A user's; everybody has one from the beginning."""
        first = ("personal", "Personal") if family == "calendars" else ("contacts", "Contacts")
        if f"{family}/{user}/{first[0]}" not in self.shelves:
            self.keep(Shelf(family, user, first[0], first[1]))
        return [one for one in self.shelves.values() if one.family == family and one.user == user]

    def keep(self, shelf: Shelf) -> None:
        self.shelves[shelf.key] = shelf
        self.objects.setdefault(shelf.key, {})
        self._store.keep("shelf", shelf.key, asdict(shelf))

    def drop(self, shelf: Shelf) -> None:
        del self.shelves[shelf.key]
        self._store.keep("shelf", shelf.key, None)
        for uri in self.objects.pop(shelf.key):
            self._store.keep("object", f"{shelf.key}//{uri}", None)

    def put(self, shelf: Shelf, one: Kept) -> None:
        self.objects[shelf.key][one.uri] = one
        told = {"uid": one.uid, "data": base64.b64encode(one.data).decode()}
        self._store.keep("object", f"{shelf.key}//{one.uri}", told)

    def discard(self, shelf: Shelf, uri: str) -> None:
        """Put an event into the trash, where its UID stays taken. What lies there is not kept over a restart."""
        one = self.objects[shelf.key][uri]
        self.trash.setdefault(shelf.key, {})[one.uid] = replace(one, number=next(self._numbers))
        self.remove(shelf, uri)

    def bring_back(self, shelf: Shelf, uid: str) -> None:
        self.put(shelf, replace(self.trash[shelf.key].pop(uid), number=0))

    def remove(self, shelf: Shelf, uri: str) -> None:
        del self.objects[shelf.key][uri]
        self._store.keep("object", f"{shelf.key}//{uri}", None)


# What an object has to be -------------------------------------------------------------------------


def checked(shelf: Shelf, uri: str, data: bytes) -> tuple[bytes, str]:
    """The bytes that are stored, repaired as sabre/vobject repairs them, and their UID. Raises Refusal."""
    what = "VCALENDAR" if shelf.family == "calendars" else "VCARD"
    try:
        given = list(lines(data))
    except ValueError as error:
        raise _invalid(f"Parse error: {error}") from None
    if not given or given[0].name != "BEGIN" or given[0].value.upper() != what:
        raise _invalid("Parse error: This parser only supports VCARD and VCALENDAR files")
    stored = _calendar(shelf, given, data) if what == "VCALENDAR" else _card(given, data)
    if len(stored) > _LARGEST[shelf.family]:
        raise errors.forbidden(
            f"{'VEvent or VTodo' if what == 'VCALENDAR' else 'VCard'} object exceeds {_LARGEST[shelf.family]} bytes"
        )
    uid = next((line.value for line in lines(stored) if line.name == "UID"), "")
    if max(len(uid), len(uri)) > 255:
        said = "SQLSTATE[22001]: String data, right truncated: 7 ERROR:  value too long for type character varying(255)"
        raise errors.failed(
            "OC\\DB\\Exceptions\\DbalException", f"An exception occurred while executing a query: {said}"
        )
    return stored, uid


def _calendar(shelf: Shelf, given: list[Line], data: bytes) -> bytes:
    uids: set[str] = set()
    kinds: list[str] = []
    missing: list[str] = []
    stack: list[str] = []
    seen: set[str] = set()
    for line in given:
        if line.name == "BEGIN":
            stack.append(line.value.upper())
            if len(stack) == 2:
                seen = set()
        elif line.name == "END":
            if len(stack) == 2 and stack[-1] in ("VEVENT", "VTODO", "VJOURNAL"):
                kinds.append(stack[-1])
                missing += [name for name in ("UID", "DTSTAMP") if name not in seen]
            stack = stack[:-1]
        elif len(stack) == 2 and stack[-1] != "VTIMEZONE":
            seen.add(line.name)
            if line.name == "UID":
                uids.add(line.value)
        elif len(stack) == 1 and line.name == "METHOD":
            raise _invalid(
                "Validation error in iCalendar: A calendar object on a CalDAV server MUST NOT have a METHOD property."
            )
    if not kinds or kinds[-1] not in shelf.components:
        said = f"iCalendar objects must at least have a component of type {', '.join(shelf.components)}"
        extra = '  <cal:supported-calendar-component xmlns:cal="urn:ietf:params:xml:ns:caldav"/>\n'
        raise errors.Refusal(403, "Sabre\\CalDAV\\Exception\\InvalidComponentType", said, extra=extra)
    if len(uids) > 1:
        raise _invalid(
            "Validation error in iCalendar: "
            "A calendar object on a CalDAV server may only have components with the same UID."
        )
    for name in dict.fromkeys(missing):
        value = (
            "repaired-" + hashlib.md5(data, usedforsecurity=False).hexdigest() if name == "UID" else "20260101T000000Z"
        )
        data = re.sub(rb"(?m)^(BEGIN:(?:VEVENT|VTODO|VJOURNAL))\r?$", rb"\1\r\n" + f"{name}:{value}\r".encode(), data)
    return data


def _card(given: list[Line], data: bytes) -> bytes:
    names = {line.name for line in given}
    version = next((line.value for line in given if line.name == "VERSION"), "")
    if version == "2.1":
        raise _invalid("Validation error in vCard: CardDAV servers are not allowed to accept vCard 2.1.")
    for name in ("UID", "FN"):
        if name not in names:
            value = "repaired-" + hashlib.md5(data, usedforsecurity=False).hexdigest() if name == "UID" else "Repaired"
            data = re.sub(rb"(?m)^END:VCARD", f"{name}:{value}\r\nEND:VCARD".encode(), data)
    return data


def _invalid(message: str) -> errors.Refusal:
    return errors.Refusal(415, _SABRE + "UnsupportedMediaType", message)
