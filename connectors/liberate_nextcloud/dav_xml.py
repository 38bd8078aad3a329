"""What is asked of a CalDAV or CardDAV server in XML, and what its answers say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape, quoteattr

from liberate.connector import Kind
from liberate.pim import Looks
from liberate.vtimezone import vtimezone
from liberate_nextcloud.multistatus import NotXml, responses

_DAV, _CAL, _CARD = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}", "{urn:ietf:params:xml:ns:carddav}"
_NAMESPACES = (
    'xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav" xmlns:a="urn:ietf:params:xml:ns:carddav" '
    'xmlns:i="http://apple.com/ns/ical/" xmlns:n="http://nextcloud.com/ns"'
)
_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_ILLEGAL = {code: None for code in range(32) if chr(code) not in "\t\n\r"}  # what XML 1.0 has no way to say
XML = {"Content-Type": "application/xml; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Told:
    """What an answer says of one address."""

    href: str  # the path, as the server quotes it
    status: int = 200  # of the address itself
    etag: str = ""  # see `tag`
    data: bytes | None = None  # an object, its line ends as CRLF
    kinds: frozenset[str] = frozenset()  # of "collection", "calendar", "addressbook"
    principal: str = ""  # path of whoever asks
    calendars: str = ""  # path of what a principal's calendars are in
    books: str = ""
    cards: frozenset[str] = field(default_factory=frozenset)  # versions of vCards that an address book takes
    calendar: str = ""  # of an event in the trash: the last part of its calendar's path
    trashed: bool = False  # its owner deleted it, and could still bring it back (Nextcloud)

    @property
    def name(self) -> str:
        """The last part of the path, unquoted."""
        return unquote(self.href.rstrip("/").rpartition("/")[2])


def tag(header: str) -> str:
    """An ETag without its quotes; a weak one, which is no proof of anything, as it is."""
    text = header.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def quoted(version: str) -> str:
    """What `tag` was given."""
    return version if version.startswith("W/") else f'"{version}"'


def told(content: bytes) -> Iterator[Told]:
    """Each address of a multistatus. Raises NotXml."""
    for response in responses([content]):
        yield _told(response)


def one(content: bytes) -> Told:
    """The first address of a multistatus. Raises NotXml if there is none."""
    for found in told(content):
        return found
    raise NotXml


def _told(response: Any) -> Told:
    found: dict[str, Any] = {}
    status = _status(response.findtext(f"{_DAV}status")) or 200
    for propstat in response.iterfind(f"{_DAV}propstat"):
        if _status(propstat.findtext(f"{_DAV}status")) == 200:
            for prop in propstat.iterfind(f"{_DAV}prop/*"):
                found[prop.tag] = prop

    def inner(name: str) -> str:
        element = found.get(name)
        return path_of(element.findtext(f"{_DAV}href") or "") if element is not None else ""

    data = None
    for name in (f"{_CAL}calendar-data", f"{_CARD}address-data"):
        if name in found:
            data = crlf((found[name].text or "").encode())
    types = found.get(f"{_DAV}resourcetype")
    kinds = frozenset(child.tag.rpartition("}")[2] for child in types) if types is not None else frozenset()
    cards = found.get(f"{_CARD}supported-address-data")
    etag = found.get(f"{_DAV}getetag")
    deleted = found.get("{http://nextcloud.com/ns}deleted-at")
    calendar = found.get("{http://nextcloud.com/ns}calendar-uri")
    return Told(
        path_of((response.findtext(f"{_DAV}href") or "").strip()),
        status,
        tag(etag.text or "") if etag is not None else "",
        data,
        kinds,
        inner(f"{_DAV}current-user-principal"),
        inner(f"{_CAL}calendar-home-set"),
        inner(f"{_CARD}addressbook-home-set"),
        frozenset(child.get("version", "3.0") for child in cards) if cards is not None else frozenset(),
        (calendar.text or "").strip() if calendar is not None else "",
        deleted is not None and bool((deleted.text or "").strip()),
    )


def _status(text: str | None) -> int:
    words = (text or "").split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def path_of(href: str) -> str:
    """The path of an href, which may be a whole address; of one at another server, the address."""
    parts = urlsplit(href.strip())
    return parts.path if not parts.netloc else f"//{parts.netloc}{parts.path}"


def crlf(data: bytes) -> bytes:
    """An object as servers give it inside XML, where line ends are LF, with the line ends that it had."""
    return data if b"\r" in data else data.replace(b"\n", b"\r\n")


# Questions -----------------------------------------------------------------------------------------


def propfind(*names: str) -> bytes:
    """Asks for these properties: "d:getetag"."""
    props = "".join(f"<{name}/>" for name in names)
    return f"{_HEAD}<d:propfind {_NAMESPACES}><d:prop>{props}</d:prop></d:propfind>".encode()


PRINCIPAL = propfind("d:current-user-principal", "d:resourcetype")
HOMES = propfind("c:calendar-home-set", "a:addressbook-home-set")
TAGS = propfind("d:getetag", "d:resourcetype")
SHELF = propfind("d:resourcetype", "a:supported-address-data", "n:deleted-at")


def _data(kind: Kind, version: str) -> str:
    if kind is Kind.EVENT:
        return "<d:getetag/><c:calendar-data/>"
    wanted = f' content-type="text/vcard" version="{version}"' if version else ""
    return f"<d:getetag/><a:address-data{wanted}/>"


def multiget(kind: Kind, hrefs: Iterable[str], version: str = "") -> bytes:
    """Asks for these objects with their bytes; contacts in the `version` that is wished."""
    name = "c:calendar-multiget" if kind is Kind.EVENT else "a:addressbook-multiget"
    some = "".join(f"<d:href>{escape(href)}</d:href>" for href in hrefs)
    return f"{_HEAD}<{name} {_NAMESPACES}><d:prop>{_data(kind, version)}</d:prop>{some}</{name}>".encode()


def of_uid(kind: Kind, uid: str, component: str = "VEVENT", version: str = "") -> bytes:
    """Asks for objects with that UID; the answer may hold others too, whose UID has it within."""
    wanted = escape(uid.translate(_ILLEGAL))
    if kind is Kind.EVENT:
        match = f'<c:text-match collation="i;octet">{wanted}</c:text-match>'
        test = f'<c:comp-filter name="{component}"><c:prop-filter name="UID">{match}</c:prop-filter></c:comp-filter>'
        inner = f'<c:filter><c:comp-filter name="VCALENDAR">{test}</c:comp-filter></c:filter>'
        name = "c:calendar-query"
    else:
        match = f'<a:text-match collation="i;unicode-casemap" match-type="equals">{wanted}</a:text-match>'
        inner = f'<a:filter><a:prop-filter name="UID">{match}</a:prop-filter></a:filter>'
        name = "a:addressbook-query"
    return f"{_HEAD}<{name} {_NAMESPACES}><d:prop>{_data(kind, version)}</d:prop>{inner}</{name}>".encode()


TRASHED = (
    f"{_HEAD}<c:calendar-query {_NAMESPACES}><d:prop><n:calendar-uri/>{_data(Kind.EVENT, '')}</d:prop>"
    '<c:filter><c:comp-filter name="VCALENDAR"><c:comp-filter name="VEVENT"/></c:comp-filter></c:filter>'
    "</c:calendar-query>"
).encode()
"""Asks a Nextcloud's trash for its events: it does not take a PROPFIND for that."""


# Making ------------------------------------------------------------------------------------------


def making(kind: Kind, looks: Looks, *, plain: bool = False) -> bytes:
    """The body of a MKCALENDAR, or of an extended MKCOL for an address book; `plain`: with no more than its name."""
    name = f"<d:displayname>{_text(looks.name)}</d:displayname>"
    if kind is Kind.EVENT:
        inner = name + ("" if plain else _more(looks)) + _components(looks)
        return (f"{_HEAD}<c:mkcalendar {_NAMESPACES}><d:set><d:prop>{inner}</d:prop></d:set></c:mkcalendar>").encode()
    about = f"<a:addressbook-description>{_text(looks.description)}</a:addressbook-description>"
    types = "<d:resourcetype><d:collection/><a:addressbook/></d:resourcetype>"
    inner = types + name + (about if looks.description and not plain else "")
    return f"{_HEAD}<d:mkcol {_NAMESPACES}><d:set><d:prop>{inner}</d:prop></d:set></d:mkcol>".encode()


def _more(looks: Looks) -> str:
    out = ""
    if looks.description:
        out += f"<c:calendar-description>{_text(looks.description)}</c:calendar-description>"
    if looks.colour:
        out += f"<i:calendar-color>{_text(looks.colour)}</i:calendar-color>"
    if looks.timezone and (zone := _zone(looks.timezone)):
        out += f"<c:calendar-timezone>{_text(zone)}</c:calendar-timezone>"
    return out


def _components(looks: Looks) -> str:
    some = "".join(f"<c:comp name={quoteattr(name)}/>" for name in sorted(looks.components or {"VEVENT"}))
    return f"<c:supported-calendar-component-set>{some}</c:supported-calendar-component-set>"


def _zone(name: str) -> str:
    try:
        inner = vtimezone(name, 1970)
    except ValueError:
        return ""  # its events carry their own definitions
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//liberate//EN\r\n{inner}END:VCALENDAR\r\n"


def _text(value: str) -> str:
    return escape(value.translate(_ILLEGAL))
