"""Calendars and address books over DAV, as sabre/dav and Nextcloud answer for them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from liberate.pim import lines
from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.cloud import BASE, Cloud
from liberate_nextcloud.standin.exchange import Reply, Request, empty
from liberate_nextcloud.standin.headers import check_conditions
from liberate_nextcloud.standin.props import DAV, Entry, answered, multistatus, response, wanted, xml
from liberate_nextcloud.standin.scheduling import Scheduling
from liberate_nextcloud.standin.shelf_store import Family, Kept, Shelf, ShelfStore, checked

_CAL, _CARD = "{urn:ietf:params:xml:ns:caldav}", "{urn:ietf:params:xml:ns:carddav}"
_DELETED = "{http://nextcloud.com/ns}deleted-at"
_FEATURES = (
    "1, 3, extended-mkcol, access-control, calendar-access, calendar-proxy, calendar-auto-schedule, addressbook, "
    "nc-calendar-trashbin, nc-calendar-search"
)
_CARDS = "".join(
    f'<c:address-data-type xmlns:c="urn:ietf:params:xml:ns:carddav" content-type="text/vcard" version="{version}"/>'
    for version in ("3.0", "4.0")
)


class Calendars:
    """Answers whatever is below calendars/, addressbooks/users/ and principals/."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.store = ShelfStore(cloud.store)
        self.scheduling = Scheduling(cloud.accounts, self.store)

    def principals(self, request: Request, parts: tuple[str, ...]) -> Reply:
        """Who one is, and where one's calendars are."""
        user = quote(request.user)
        told = {
            DAV + "resourcetype": "<d:collection/>" + ("<d:principal/>" if parts else ""),
            DAV + "current-user-principal": f"<d:href>{BASE}principals/users/{user}/</d:href>",
            _CAL + "calendar-home-set": f"<d:href>{BASE}calendars/{user}/</d:href>",
            _CARD + "addressbook-home-set": f"<d:href>{BASE}addressbooks/users/{user}/</d:href>",
        }
        href = BASE + "".join(f"{quote(part)}/" for part in (("principals", *parts) if parts else ()))
        return multistatus([response(Entry(href, told.get), wanted(request.whole()))])

    def answer(self, request: Request, family: Family, user: str, parts: tuple[str, ...]) -> Reply:
        if request.method == "OPTIONS":
            return empty(200, DAV=_FEATURES, MS_Author_Via="DAV")
        if user != request.user:
            raise errors.not_found(f"Principal with name {user} not found")
        with self.store.lock:
            if not parts:
                return self._home(request, family, user)
            if family == "calendars" and parts[:2] == ("trashbin", "objects"):
                return self._trash(request, user, parts[2:])
            if family == "calendars" and parts[0] in ("inbox", "outbox", "trashbin"):
                raise errors.forbidden("This is the server's own")
            self.store.of(family, user)
            shelf = self.store.shelves.get(f"{family}/{user}/{parts[0]}")
            if shelf is None:
                return self._missing(request, family, user, parts)
            if len(parts) == 1:
                return self._shelf(request, shelf)
            if len(parts) == 2:
                return self._object(request, shelf, parts[1])
        raise errors.not_found(f"Node with name '{parts[-1]}' could not be found")

    # Collections ---------------------------------------------------------------------------------

    def _home(self, request: Request, family: Family, user: str) -> Reply:
        if request.method != "PROPFIND":
            raise errors.not_implemented(request.method)
        props = wanted(request.whole())
        here = Entry(_base(family, user), {DAV + "resourcetype": "<d:collection/>"}.get)
        shelves = self.store.of(family, user) if request.header("depth", "1") != "0" else []
        told = [response(here, props)]
        told += [response(Entry(_href(one), self._props(one).get), props) for one in shelves]
        return multistatus(told, [("DAV", _FEATURES)], features=False)

    def _missing(self, request: Request, family: Family, user: str, parts: tuple[str, ...]) -> Reply:
        verb = "MKCALENDAR" if family == "calendars" else "MKCOL"
        if request.method != verb or len(parts) != 1:
            raise errors.not_found(f"Node with name '{parts[0]}' could not be found")
        root = xml(request.whole(), verb)
        shelf = Shelf(family, user, parts[0], parts[0])
        self._set(shelf, root)
        self.store.keep(shelf)
        return empty(201, Content_Length="0")

    def _set(self, shelf: Shelf, root: Any) -> list[str]:
        done = []
        for prop in root.iterfind(f"{DAV}set/{DAV}prop/*"):
            done.append(prop.tag)
            if prop.tag == DAV + "displayname":
                shelf.name = prop.text or ""
            elif prop.tag == _CAL + "supported-calendar-component-set":
                shelf.components = tuple(child.get("name", "") for child in prop)
            elif prop.tag != DAV + "resourcetype":
                shelf.props[prop.tag] = escape(prop.text or "")
        return done

    def _props(self, shelf: Shelf) -> dict[str, str]:
        kind = "c:calendar" if shelf.family == "calendars" else "c:addressbook"
        space = "urn:ietf:params:xml:ns:caldav" if shelf.family == "calendars" else "urn:ietf:params:xml:ns:carddav"
        told = {
            **shelf.props,
            DAV + "displayname": escape(shelf.name),
            DAV + "resourcetype": f'<d:collection/><{kind} xmlns:c="{space}"/>',
        }
        if shelf.family == "calendars":
            some = "".join(f'<c:comp xmlns:c="{space}" name="{name}"/>' for name in shelf.components)
            told[_CAL + "supported-calendar-component-set"] = some
        else:
            told[_CARD + "supported-address-data"] = _CARDS
        if shelf.deleted:
            told[_DELETED] = shelf.deleted
        return told

    def _shelf(self, request: Request, shelf: Shelf) -> Reply:
        match request.method:
            case "MKCALENDAR" | "MKCOL":
                raise errors.not_allowed("The resource you tried to create already exists")
            case "PROPFIND":
                props = wanted(request.whole())
                told = [response(Entry(_href(shelf), self._props(shelf).get), props)]
                if request.header("depth", "1") != "0":
                    told += [self._told(shelf, one, props or ()) for one in self.store.objects[shelf.key].values()]
                return multistatus(told, [("DAV", _FEATURES)], features=False)
            case "PROPPATCH":
                done = self._set(shelf, xml(request.whole(), "proppatch"))
                self.store.keep(shelf)
                return multistatus([answered(_href(shelf), [(name, 200) for name in done])])
            case "REPORT":
                return self._report(request, shelf)
            case "DELETE":
                if shelf.family == "calendars" and not request.header("x-nc-caldav-no-trashbin"):
                    shelf.deleted = datetime.now(UTC).isoformat(timespec="seconds")
                    self.store.keep(shelf)
                else:
                    self.store.drop(shelf)
                return empty(204)
            case "MOVE" if request.header("destination").endswith("/trashbin/restore/file") and shelf.deleted:
                shelf.deleted = ""
                self.store.keep(shelf)
                return empty(201)
        raise errors.not_implemented(request.method)

    def _told(self, shelf: Shelf, one: Kept, props: tuple[str, ...], data: str | None = None) -> str:
        told = {
            DAV + "getetag": f"&quot;{one.etag}&quot;",
            DAV + "resourcetype": "",
            DAV + "getcontentlength": str(len(one.data)),
        }
        if data is not None:
            told[_CAL + "calendar-data" if shelf.family == "calendars" else _CARD + "address-data"] = data
        return response(Entry(_href(shelf) + quote(one.uri), told.get), props)

    def _report(self, request: Request, shelf: Shelf) -> Reply:
        root = xml(request.whole(), "report")
        name = root.tag.rpartition("}")[2]
        prop = root.find(DAV + "prop")
        props = tuple(child.tag for child in prop) if prop is not None else ()
        wish = root.find(f".//{_CARD}address-data")
        version = wish.get("version", "3.0") if wish is not None else "3.0"
        objects = self.store.objects[shelf.key]
        if name.endswith("-multiget"):
            uris = [_last(href.text or "") for href in root.iterfind(DAV + "href")]
            some = [objects[uri] for uri in uris if uri in objects]
        elif name.endswith("-query"):
            text = next((one.text or "" for one in root.iter() if one.tag.endswith("text-match")), "")
            some = [one for one in objects.values() if text in one.uid.replace("\\\\", "\\")]
        else:
            raise errors.Refusal(
                415, "Sabre\\DAV\\Exception\\ReportNotSupported", "", extra="  <d:supported-report/>\n"
            )
        return multistatus([self._told(shelf, one, props, _within(shelf, one, version)) for one in some])

    # Objects -------------------------------------------------------------------------------------

    def _object(self, request: Request, shelf: Shelf, uri: str) -> Reply:
        objects = self.store.objects[shelf.key]
        there = objects.get(uri)
        check_conditions(request, there.etag if there is not None else None)
        if request.method == "PUT":
            return self._put(request, shelf, uri, there)
        if there is None:
            raise errors.not_found(f"{'Calendar object' if shelf.family == 'calendars' else 'Card'} not found")
        match request.method:
            case "GET" | "HEAD":
                accept = request.header("accept")
                version = "4.0" if "version=4.0" in accept else "3.0"
                data = there.data if shelf.family == "calendars" else _converted(there.data, version)
                media = "text/calendar" if shelf.family == "calendars" else "text/vcard"
                return Reply(200, [("Content-Type", f"{media}; charset=utf-8"), ("ETag", f'"{there.etag}"')], data)
            case "DELETE":
                if shelf.family == "calendars":
                    self.scheduling.deleted(request, there.data)
                    self.store.discard(shelf, uri)
                else:
                    self.store.remove(shelf, uri)
                return empty(204)
            case "PROPFIND":
                return multistatus([self._told(shelf, there, wanted(request.whole()) or ())])
        raise errors.not_implemented(request.method)

    def _put(self, request: Request, shelf: Shelf, uri: str, there: Kept | None) -> Reply:
        given = request.whole()
        stored, uid = checked(shelf, uri, given)
        if shelf.family == "calendars":
            stored = self.scheduling.stored(request, shelf, stored)
        if there is None and any(one.uid == uid for one in self.store.objects[shelf.key].values()):
            what = "Calendar object" if shelf.family == "calendars" else "VCard object"
            which = "calendar" if shelf.family == "calendars" else "addressbook"
            raise errors.bad_request(f"{what} with uid already exists in this {which} collection.")
        if there is None and uid in self.store.trash.get(shelf.key, {}):
            said = 'SQLSTATE[23505]: Unique violation: 7 ERROR:  duplicate key value violates "calobjects_by_uid_index"'
            raise errors.failed(
                "OC\\DB\\Exceptions\\DbalException", f"An exception occurred while executing a query: {said}"
            )
        one = Kept(uri, uid, stored)
        self.store.put(shelf, one)
        tag = f'"{one.etag}"' if stored == given else None  # else it is for the client to ask for
        return empty(204 if there is not None else 201, ETag=tag, OC_ETag=tag)

    def _trash(self, request: Request, user: str, parts: tuple[str, ...]) -> Reply:
        """Events that were deleted from calendars that were not."""
        lying = {
            f"{one.number}.ics": (shelf, one)
            for shelf in self.store.of("calendars", user)
            if not shelf.deleted
            for one in self.store.trash.get(shelf.key, {}).values()
        }
        if not parts:
            if request.method != "REPORT":
                raise errors.not_implemented(request.method)
            root = xml(request.whole(), "report")
            inner = [one.get("name") for one in root.iter() if one.tag.endswith("comp-filter")]
            if inner != ["VCALENDAR", "VEVENT"]:
                return multistatus([])
            told = []
            for name, (shelf, one) in lying.items():
                props = {
                    DAV + "getetag": f"&quot;{one.etag}&quot;",
                    "{http://nextcloud.com/ns}calendar-uri": escape(shelf.uri),
                    _CAL + "calendar-data": escape(one.data.decode(errors="replace").replace("\r\n", "\n")),
                }
                prop = root.find(DAV + "prop")
                wished = tuple(child.tag for child in prop) if prop is not None else ()
                told.append(response(Entry(f"{_base('calendars', user)}trashbin/objects/{name}", props.get), wished))
            return multistatus(told)
        if len(parts) != 1 or parts[0] not in lying:
            raise errors.not_found("Calendar object not found")
        shelf, one = lying[parts[0]]
        match request.method:
            case "GET":
                return Reply(
                    200, [("Content-Type", "text/calendar; charset=utf-8"), ("ETag", f'"{one.etag}"')], one.data
                )
            case "MOVE" if request.header("destination").endswith("/trashbin/restore/file"):
                self.store.bring_back(shelf, one.uid)
                return empty(201)
            case "DELETE":
                del self.store.trash[shelf.key][one.uid]
                return empty(204)
        raise errors.not_implemented(request.method)


def _base(family: Family, user: str) -> str:
    return f"{BASE}calendars/{quote(user)}/" if family == "calendars" else f"{BASE}addressbooks/users/{quote(user)}/"


def _href(shelf: Shelf) -> str:
    return f"{_base(shelf.family, shelf.user)}{quote(shelf.uri)}/"


def _last(href: str) -> str:
    return unquote(href.rstrip("/").rpartition("/")[2])


def _within(shelf: Shelf, one: Kept, version: str) -> str:
    """An object inside XML: of an event its line ends get lost, as XML has it, of a card they do not."""
    data = one.data if shelf.family == "calendars" else _converted(one.data, version)
    text = escape(data.decode("utf-8", "replace"))
    return text if shelf.family == "calendars" else text.replace("\r", "&#13;")


def _converted(data: bytes, version: str) -> bytes:
    """A card in the version that was asked for; the one it has is given as it is."""
    has = next((line.value.strip() for line in lines(data) if line.name == "VERSION"), "")
    if has == version:
        return data
    said = f"VERSION:{version}\r\nPRODID:-//Sabre//Sabre VObject 4.5.6//EN\r".encode()
    return re.sub(rb"(?m)^VERSION:.*$", said, data, count=1)
