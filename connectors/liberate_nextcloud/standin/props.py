"""Properties: which there are, what they say of a file, and how they are spelled in answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import formatdate
from mimetypes import guess_type
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from defusedxml import ElementTree

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.cloud import Cloud
from liberate_nextcloud.standin.exchange import Reply
from liberate_nextcloud.standin.store import Node

DAV = "{DAV:}"
OC = "{http://owncloud.org/ns}"
NC = "{http://nextcloud.org/ns}"
_PREFIXES = {
    "DAV:": "d",
    "http://sabredav.org/ns": "s",
    "http://owncloud.org/ns": "oc",
    "http://nextcloud.org/ns": "nc",
}
_SPACES = " ".join(f"xmlns:{prefix}={quoteattr(space)}" for space, prefix in _PREFIXES.items())
FEATURES = (
    "1, 3, extended-mkcol, access-control, calendarserver-principal-property-search, nc-paginate, "
    "nextcloud-checksum-update, nc-calendar-search, nc-enable-birthday-calendar"
)
_STATUS = {
    200: "OK", 204: "No Content", 403: "Forbidden", 404: "Not Found", 424: "Failed Dependency"
}  # fmt: skip
# What a PROPFIND without a body is answered with, in this order.
_USUAL = tuple(
    DAV + name
    for name in (
        "getlastmodified",
        "getcontentlength",
        "resourcetype",
        "quota-used-bytes",
        "quota-available-bytes",
        "getetag",
        "getcontenttype",
    )
)
_TYPES = {".md": "text/markdown", ".bin": "application/x-bin", ".webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in an answer: its address and what its properties say, as XML; None: it does not have that one."""

    href: str
    tell: Callable[[str], str | None]


def xml(body: bytes, what: str) -> Any:
    """The root element of a request's body. Raises 400."""
    try:
        return ElementTree.fromstring(body)
    except Exception as error:  # noqa: BLE001 - whatever the parser or its guards find wrong
        raise errors.bad_request(f"{what}: {error}") from None


def wanted(body: bytes) -> tuple[str, ...] | None:
    """The properties that the body of a PROPFIND asks for; None: the usual ones."""
    if not body.strip():
        return None
    root = xml(body, "propfind")
    prop = root.find(DAV + "prop")
    return tuple(child.tag for child in prop) if prop is not None else None


def date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)


def mime_type(name: str) -> str:
    ending = name[name.rfind(".") :].lower() if "." in name[1:] else ""
    return _TYPES.get(ending) or guess_type("x" + ending)[0] or "application/octet-stream"


# Files -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class View:
    """A file or folder as one user sees it."""

    cloud: Cloud
    user: str
    node: Node
    name: str
    permissions: int = 31
    mounted: str = ""  # "shared" or "group", where it stands in the home and comes from elsewhere
    comments: int = 0

    def tell(self, prop: str) -> str | None:
        told = _FILES.get(prop)
        if told is not None:
            return told(self)
        return self.own(prop)

    def own(self, prop: str) -> str | None:
        """A property of a name the server knows nothing of, as it was set."""
        found = self.node.extra.get("props", {}).get(self.user, {}).get(prop)
        return None if found is None else str(found)

    @property
    def letters(self) -> str:
        """As oc:permissions spells them."""
        bits = self.permissions
        told = ("S" if self.mounted == "shared" else "") + ("R" if bits & 16 else "") + ("M" if self.mounted else "")
        told += "G" + ("D" if bits & 8 else "") + ("NV" if bits & 2 else "")
        if self.node.folder:
            return told + ("CK" if bits & 4 else "")
        return told + ("W" if bits & 2 else "")

    def counted(self, *, folders: bool) -> str | None:
        if not self.node.folder:
            return None
        return str(sum(child.folder is folders for child in (self.node.children or {}).values()))

    def share_types(self) -> list[int]:
        """How it is shared by the user, or with them: each kind once."""
        shares = self.cloud.store.kept("share").values()
        return sorted({s["type"] for s in shares if s["file"] == self.node.id and self.user in (s["owner"], s["with"])})

    def display(self, user: str) -> str:
        known = self.cloud.accounts.users.get(user)
        return known.display if known is not None else user

    def owner(self) -> str:
        node = self.node
        while node.parent is not None:
            node = node.parent
        owner = node.name.rpartition("/")[0]
        return owner if owner in self.cloud.accounts.users else self.user


def _quota(view: View) -> str | None:
    return str(view.cloud.room(view.user)) if view.node.folder else None


def _checksums(view: View) -> str | None:
    told = view.node.checksum
    return None if view.node.folder or not told else f"<oc:checksum>{escape(told)}</oc:checksum>"


def _creation_date(view: View) -> str:
    return datetime.fromtimestamp(view.node.created, UTC).isoformat()


def _preview(view: View) -> str:
    return "true" if mime_type(view.name).startswith(("text/", "image/")) and not view.node.folder else "false"


_FILES: dict[str, Callable[[View], str | None]] = {
    DAV + "displayname": lambda v: escape(v.name),
    DAV + "getlastmodified": lambda v: date(v.node.mtime),
    DAV + "getcontentlength": lambda v: None if v.node.folder else str(v.node.size),
    DAV + "getcontenttype": lambda v: None if v.node.folder else mime_type(v.name),
    DAV + "resourcetype": lambda v: "<d:collection/>" if v.node.folder else "",
    DAV + "getetag": lambda v: f"&quot;{v.node.etag}&quot;",
    DAV + "creationdate": _creation_date,
    DAV + "quota-available-bytes": _quota,
    DAV + "quota-used-bytes": lambda v: str(v.node.size) if v.node.folder else None,
    OC + "fileid": lambda v: str(v.node.id),
    OC + "id": lambda v: v.cloud.file_id(v.node),
    OC + "size": lambda v: str(v.node.size),
    OC + "permissions": lambda v: v.letters,
    OC + "checksums": _checksums,
    OC + "favorite": lambda v: "1" if v.user in v.node.extra.get("favored", ()) else "0",
    OC + "owner-id": lambda v: escape(v.owner()),
    OC + "owner-display-name": lambda v: escape(v.display(v.owner())),
    OC + "share-types": lambda v: "".join(f"<oc:share-type>{n}</oc:share-type>" for n in v.share_types()),
    OC + "comments-count": lambda v: str(v.comments),
    OC + "tags": lambda v: "",
    NC + "creation_time": lambda v: str(v.node.created),
    NC + "upload_time": lambda v: None if v.node.folder else str(v.node.uploaded),
    NC + "has-preview": _preview,
    NC + "mount-type": lambda v: v.mounted,
    NC + "contained-file-count": lambda v: v.counted(folders=False),
    NC + "contained-folder-count": lambda v: v.counted(folders=True),
    NC + "is-encrypted": lambda v: "0" if v.node.folder and v.own(NC + "is-encrypted") else None,
}
_SETTABLE = {DAV + "lastmodified", DAV + "creationdate", NC + "creation_time", OC + "favorite"}


def proppatch(cloud: Cloud, user: str, node: Node, root: Any) -> list[tuple[str, int]]:
    """Set and remove properties; the status of each. All or none are set, as WebDAV wants it."""
    changes: list[tuple[str, str | None]] = []
    for part in root:
        if part.tag in {DAV + "set", DAV + "remove"}:
            for prop in part.find(DAV + "prop") or ():
                changes.append((prop.tag, _content(prop) if part.tag == DAV + "set" else None))
    refused = {prop for prop, value in changes if not _may_set(prop, value)}
    if refused:
        return [(prop, 403 if prop in refused else 424) for prop, _ in changes]
    for prop, value in changes:
        _set(cloud, user, node, prop, value)
    cloud.store.changed(node)
    cloud.store.flush()
    # Those the server knows are told first.
    told = [(prop, 200 if value is not None else 204) for prop, value in changes]
    return sorted(told, key=lambda one: (one[0] != OC + "favorite", one[0] not in _SETTABLE))


def _content(prop: Any) -> str:
    """What stands in an element, as XML."""
    if not len(prop):
        return escape(prop.text or "")
    inside = "".join(ElementTree.tostring(child, encoding="unicode") for child in prop)
    return escape(prop.text or "") + inside


def _may_set(prop: str, value: str | None) -> bool:
    if prop == DAV + "lastmodified":
        return value is not None and value.strip().isdigit() and int(value) > 86_400
    if prop == NC + "creation_time":
        return value is not None and value.strip().isdigit()
    if prop == DAV + "creationdate":
        return value is not None and _instant(value) is not None
    if prop in _SETTABLE:
        return True
    return prop not in _FILES and not prop.startswith((DAV, OC, NC))


def _instant(value: str) -> int | None:
    try:
        return int(datetime.fromisoformat(value.strip()).timestamp())
    except ValueError:
        return None


def _set(cloud: Cloud, user: str, node: Node, prop: str, value: str | None) -> None:
    if prop == DAV + "lastmodified" and value is not None:
        cloud.store.set_mtime(node, int(value))
    elif prop == NC + "creation_time" and value is not None:
        node.created = int(value)
    elif prop == DAV + "creationdate" and value is not None:
        node.created = _instant(value) or 0
    elif prop == OC + "favorite":
        favored = set(node.extra.get("favored", ())) - {user}
        if value is not None and value.strip() in {"1", "true"}:
            favored.add(user)
        node.extra = {**node.extra, "favored": sorted(favored)}
    else:
        everyone: dict[str, dict[str, str]] = {**node.extra.get("props", {})}
        mine = {key: old for key, old in everyone.get(user, {}).items() if key != prop}
        if value is not None:
            mine[prop] = value
        everyone[user] = mine
        node.extra = {**node.extra, "props": everyone}


# Answers -----------------------------------------------------------------------------------------


def _element(prop: str, inside: str | None) -> str:
    space, _, name = prop[1:].rpartition("}") if prop.startswith("{") else ("", "", prop)
    prefix = _PREFIXES.get(space)
    opening, closing = (f"{prefix}:{name}", f"{prefix}:{name}") if prefix else (f"x1:{name}", f"x1:{name}")
    if prefix is None:
        opening += f" xmlns:x1={quoteattr(space)}"
    return f"<{opening}/>" if not inside else f"<{opening}>{inside}</{closing}>"


def response(entry: Entry, props: tuple[str, ...] | None, *, minimal: bool = False) -> str:
    """One d:response."""
    found, missing = [], []
    for prop in _USUAL if props is None else props:
        inside = entry.tell(prop)
        if inside is None:
            missing.append(_element(prop, None))
        else:
            found.append(_element(prop, inside))
    if props is None or minimal:
        missing = []
    told = "".join(
        f"<d:propstat><d:prop>{''.join(part)}</d:prop><d:status>HTTP/1.1 {status}</d:status></d:propstat>"
        for part, status in ((found, "200 OK"), (missing, "404 Not Found"))
        if part
    )
    return f"<d:response><d:href>{entry.href}</d:href>{told}</d:response>"


def answered(href: str, statuses: Iterable[tuple[str, int]]) -> str:
    """One d:response that only tells how it went with each property."""
    told = ""
    by_status: dict[int, list[str]] = {}
    for prop, status in statuses:
        by_status.setdefault(status, []).append(_element(prop, None))
    for status, elements in by_status.items():
        inside = "".join(elements)
        line = f"HTTP/1.1 {status} {_STATUS[status]}"
        told += f"<d:propstat><d:prop>{inside}</d:prop><d:status>{line}</d:status></d:propstat>"
    return f"<d:response><d:href>{href}</d:href>{told}</d:response>"


def multistatus(responses: Iterable[str], headers: Iterable[tuple[str, str]] = (), *, features: bool = True) -> Reply:
    told = [("Content-Type", "application/xml; charset=utf-8"), ("Vary", "Brief,Prefer")]
    if features:
        told.append(("DAV", FEATURES))

    def pieces() -> Iterator[bytes]:
        yield f'<?xml version="1.0"?>\n<d:multistatus {_SPACES}>'.encode()
        held: list[str] = []
        for one in responses:
            held.append(one)
            if len(held) == 64:
                yield "".join(held).encode()
                held.clear()
        yield ("".join(held) + "</d:multistatus>\n").encode()

    return Reply(207, [*told, *headers], pieces())
