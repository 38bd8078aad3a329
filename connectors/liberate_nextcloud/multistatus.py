"""Answers of PROPFIND and SEARCH, parsed as they come: a folder of 100,000 files never stands in memory whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from lxml import etree

from liberate_nextcloud import paths

_DAV, _OC, _NC = "{DAV:}", "{http://owncloud.org/ns}", "{http://nextcloud.org/ns}"
_RESPONSE = f"{_DAV}response"
_NAMESPACES = 'xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"'
_PROPS = (
    "<d:getetag/><d:getlastmodified/><d:getcontentlength/><d:resourcetype/><oc:fileid/><oc:size/><oc:favorite/>"
    "<nc:creation_time/><nc:upload_time/><nc:mount-type/><oc:permissions/><d:quota-available-bytes/>"
    "<oc:owner-id/><oc:comments-count/><nc:is-encrypted/>"
)
_ASKING = '<?xml version="1.0"?><d:propfind {}><d:prop>{}</d:prop></d:propfind>'
PROPFIND = _ASKING.format(_NAMESPACES, _PROPS).encode()
PROPFIND_SHARES = _ASKING.format(_NAMESPACES, f"{_PROPS}<oc:share-types/>").encode()  # dearer: it looks for shares
_SEARCHED = (
    "<d:getetag/><d:getlastmodified/><d:getcontentlength/><d:resourcetype/><oc:fileid/><oc:size/><nc:mount-type/>"
)


class NotXml(Exception):
    """What came is no multistatus, or only the beginning of one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that an answer describes."""

    href: str
    folder: bool
    fileid: int
    etag: str
    size: int | None
    total: int  # of a folder, that of all that is in it; 0: not told
    modified: datetime | None
    created: datetime | None
    uploaded: int  # seconds since 1970 by the server's clock; 0: not told
    favourite: bool
    mount: str  # "shared", "group", "external" ...: it is not in the account's own storage; "" for its own
    permissions: str
    available: int | None  # quota; negative: without limit or not known
    owner: str  # user id; "" where it is not told
    comments: int
    encrypted: bool  # end to end: the server itself cannot read what is in it
    shared: bool  # others see it: with somebody, a group, by a link; False also if that was not asked


def search(scope: str, where: str, limit: int, by: str = "") -> bytes:
    """The body of a SEARCH below `scope`, a path such as /files/anna/Work, percent-encoded; `by`: what ascends."""
    order = f"<d:order><d:prop><{by}/></d:prop><d:ascending/></d:order>" if by else ""
    return (
        f'<?xml version="1.0"?><d:searchrequest {_NAMESPACES}><d:basicsearch><d:select><d:prop>{_SEARCHED}</d:prop>'
        f"</d:select><d:from><d:scope><d:href>{_escaped(scope)}</d:href><d:depth>infinity</d:depth></d:scope></d:from>"
        f"<d:where>{where}</d:where><d:orderby>{order}</d:orderby><d:limit><d:nresults>{limit}</d:nresults></d:limit>"
        "</d:basicsearch></d:searchrequest>"
    ).encode()


def fileid_is(fileids: Iterable[int]) -> str:
    """A condition of `search`: one of these file ids."""
    some = "".join(_compared("eq", fileid) for fileid in fileids)
    return f"<d:or>{some}{_compared('eq', 0)}</d:or>"  # one operand alone is no legal <or>


def not_before(mtime: int) -> str:
    """A condition of `search`: changed at that second since 1970 or later."""
    return _compared("gte", mtime, "d:getlastmodified")


def at_second(mtime: int, least: int, most: int | None = None) -> str:
    """A condition of `search`: changed at that very second, and of at least that size (and at most that)."""
    whens = "".join(_compared(how, mtime, "d:getlastmodified") for how in ("gte", "lte"))
    sizes = _compared("gte", least, "oc:size") + ("" if most is None else _compared("lte", most, "oc:size"))
    return f"<d:and>{whens}{sizes}</d:and>"


def _compared(operator: str, value: int, name: str = "oc:fileid") -> str:
    return f"<d:{operator}><d:prop><{name}/></d:prop><d:literal>{value}</d:literal></d:{operator}>"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def proppatch(modified: int | None = None, created: int | None = None, favourite: bool | None = None) -> bytes:
    """The body of a PROPPATCH that sets what is not None."""
    props = ""
    if modified is not None:
        props += f"<d:lastmodified>{modified}</d:lastmodified>"
    if created is not None:
        props += f"<nc:creation_time>{created}</nc:creation_time>"
    if favourite is not None:
        props += f"<oc:favorite>{int(favourite)}</oc:favorite>"
    head = f'<?xml version="1.0"?><d:propertyupdate {_NAMESPACES}>'
    return f"{head}<d:set><d:prop>{props}</d:prop></d:set></d:propertyupdate>".encode()


def entries(data: Iterable[bytes]) -> Iterator[Entry]:
    """Each response of a multistatus. Raises NotXml, at the end too if the answer was cut off."""
    for response in responses(data):
        yield _entry(response)


def responses(data: Iterable[bytes]) -> Iterator[Any]:
    """Each <d:response> element, freed once the next is asked for."""
    parser = etree.XMLPullParser(
        events=("end",), tag=_RESPONSE, resolve_entities=False, no_network=True, huge_tree=True
    )
    try:
        for chunk in data:
            parser.feed(chunk)
            yield from _ready(parser)
        root = parser.close()
    except etree.XMLSyntaxError as error:
        raise NotXml from error
    yield from _ready(parser)
    if root is None or root.tag != f"{_DAV}multistatus":
        raise NotXml


def _ready(parser: Any) -> Iterator[Any]:
    for _event, element in parser.read_events():
        yield element
        element.clear()
        while element.getprevious() is not None:
            del element.getparent()[0]


def statuses(response: Any) -> list[int]:
    """The status of each propstat of one response."""
    return [_status(one) for one in response.iterfind(f"{_DAV}propstat/{_DAV}status")]


def _status(element: Any) -> int:
    words = (element.text or "").split()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def _entry(response: Any) -> Entry:
    found: dict[str, Any] = {}
    for propstat in response.iterfind(f"{_DAV}propstat"):
        status = propstat.find(f"{_DAV}status")
        if status is not None and _status(status) == 200:
            for prop in propstat.iterfind(f"{_DAV}prop/*"):
                found[prop.tag] = prop
    folder = (kind := found.get(f"{_DAV}resourcetype")) is not None and kind.find(f"{_DAV}collection") is not None

    def text(tag: str) -> str:
        element = found.get(tag)
        return (element.text or "").strip() if element is not None else ""

    created = _number(text(f"{_NC}creation_time"))
    size = _number(text(f"{_DAV}getcontentlength"))
    total = _number(text(f"{_OC}size"))
    if size is None and not folder:
        size = total
    return Entry(
        (response.findtext(f"{_DAV}href") or "").strip(),
        folder,
        paths.fileid(text(f"{_OC}fileid")),
        paths.etag(text(f"{_DAV}getetag")),
        None if folder else size,
        total or size or 0,
        date(text(f"{_DAV}getlastmodified")),
        datetime.fromtimestamp(created, UTC) if created and 0 < created < 1 << 37 else None,
        _number(text(f"{_NC}upload_time")) or 0,
        text(f"{_OC}favorite") == "1",
        text(f"{_NC}mount-type"),
        text(f"{_OC}permissions"),
        _number(text(f"{_DAV}quota-available-bytes")),
        text(f"{_OC}owner-id"),
        _number(text(f"{_OC}comments-count")) or 0,
        text(f"{_NC}is-encrypted") == "1",
        len(found.get(f"{_OC}share-types", ())) > 0,
    )


def _number(text: str) -> int | None:
    try:
        return int(float(text)) if text else None
    except (ValueError, OverflowError):
        return None


def date(text: str) -> datetime | None:
    """An HTTP date; None if it is none."""
    try:
        return parsedate_to_datetime(text) if text else None
    except (ValueError, TypeError):
        return None
