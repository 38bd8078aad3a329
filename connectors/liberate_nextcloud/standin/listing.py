"""PROPFIND over a user's files, whole or page by page, and SEARCH."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.cloud import BASE, Cloud
from liberate_nextcloud.standin.exchange import Reply, Request
from liberate_nextcloud.standin.names import decoded, encoded, encoded_name
from liberate_nextcloud.standin.props import (
    DAV,
    NC,
    OC,
    Entry,
    View,
    answered,
    mime_type,
    multistatus,
    proppatch,
    response,
    wanted,
    xml,
)
from liberate_nextcloud.standin.store import Node

Parts = tuple[str, ...]
_PAGERS = "{https://github.com/icewind1991/SearchDAV/ns}"
_PAGES_KEPT = 100
_XML = ("Content-Type", 'application/xml; charset="utf-8"')  # as the search library spells it


class Listings:
    """Answers that tell of many files. `comments` counts those on a file."""

    def __init__(self, cloud: Cloud, comments: Callable[[int], int]) -> None:
        self._cloud = cloud
        self._comments = comments
        self._pages: dict[str, list[str]] = {}

    def href(self, user: str, parts: Parts, node: Node) -> str:
        path = f"{BASE}files/{encoded((user, *parts))}"
        return path + "/" if node.folder else path

    def propfind(self, request: Request, parts: Parts) -> Reply:
        cloud, user = self._cloud, request.user
        props = wanted(request.whole())
        minimal = "return=minimal" in request.header("prefer") or request.header("brief").lower() == "t"
        depth = request.header("depth", "1").lower()
        with cloud.store.lock:
            node = cloud.find(user, parts)
            if node is None:
                raise cloud.missing(user, parts)
            views = list(self._views(user, parts, node, {"0": 0, "1": 1}.get(depth, 1 << 30)))
        responses = (response(Entry(href, view.tell), props, minimal=minimal) for href, view in views)
        if request.header("x-nc-paginate") == "true" and depth != "0":
            return self._page(request, responses)
        return multistatus(responses)

    def _page(self, request: Request, responses: Iterator[str]) -> Reply:
        """Some of the answers, of a listing that is remembered under a token."""
        token = request.header("x-nc-paginate-token")
        headers = [("X-NC-Paginate", "true")]
        first = token not in self._pages
        if first:
            token = base64.b64encode(secrets.token_bytes(24)).decode()
            while len(self._pages) >= _PAGES_KEPT:
                del self._pages[next(iter(self._pages))]
            self._pages[token] = list(responses)
            headers.append(("X-NC-Paginate-Token", token))
            headers.append(("X-NC-Paginate-Total", str(len(self._pages[token]))))
        start = _whole(request.header("x-nc-paginate-offset"), 0)
        count = _whole(request.header("x-nc-paginate-count"), 100)
        return multistatus(self._pages[token][start : start + count], headers, features=first)

    def _views(self, user: str, parts: Parts, node: Node, depth: int) -> Iterator[tuple[str, View]]:
        yield from self._descend(self.href(user, parts, node), self._view(user, parts, node), node, depth)

    def _view(self, user: str, parts: Parts, node: Node) -> View:
        mount = None
        if parts and parts[0] not in (self._cloud.home(user).children or {}):
            mount = self._cloud.mounts(user).get(parts[0])
        name = parts[-1] if parts else user
        if mount is None:
            return View(self._cloud, user, node, name, comments=self._comments(node.id))
        return View(self._cloud, user, node, name, mount.permissions, mount.kind, self._comments(node.id))

    def _descend(self, href: str, view: View, node: Node, depth: int) -> Iterator[tuple[str, View]]:
        yield href, view
        if not depth or not node.folder:
            return
        home = node.base is not None and node is self._cloud.home(view.user)
        mounts = self._cloud.mounts(view.user) if home else {}
        for name, child in self._cloud.children(view.user, node):
            below = href + encoded_name(name) + ("/" if child.folder else "")
            permissions, mounted = view.permissions, view.mounted
            if (mount := mounts.get(name)) is not None and mount.node is child:
                permissions, mounted = mount.permissions, mount.kind
            seen = View(self._cloud, view.user, child, name, permissions, mounted, self._comments(child.id))
            yield from self._descend(below, seen, child, depth - 1)

    def proppatch(self, request: Request, parts: Parts) -> Reply:
        root = xml(request.whole(), "propertyupdate")
        with self._cloud.store.lock:
            node = self._cloud.find(request.user, parts)
            if node is None:
                raise self._cloud.missing(request.user, parts)
            statuses = proppatch(self._cloud, request.user, node, root)
            href = self.href(request.user, parts, node)
            if node.folder and not request.target.endswith("/"):
                href = href[:-1]
        return multistatus([answered(href, statuses)], features=False)

    # SEARCH --------------------------------------------------------------------------------------

    def search(self, request: Request) -> Reply:
        """d:basicsearch as the library icewind/searchdav reads it."""
        try:
            root = xml(request.whole(), "Parse error")
        except errors.Refusal as refusal:
            return Reply(400, [_XML], refusal.message.encode())
        found = root.find(DAV + "basicsearch")
        if found is None:
            return Reply(400, [_XML], b"Unexpected element in search request")
        select = found.find(f"{DAV}select/{DAV}prop")
        props = tuple(child.tag for child in select) if select is not None else ()
        where, order, limit = found.find(DAV + "where"), found.find(DAV + "orderby"), found.find(DAV + "limit")
        if where is None or not len(where):
            raise errors.failed("TypeError", "A type error occurred. For more details, please refer to the logs, which "
                                "provide additional context about the type error.")  # fmt: skip
        user = request.user
        scope = decoded((found.findtext(f"{DAV}from/{DAV}scope/{DAV}href") or "").partition("remote.php/dav")[2]
                        or found.findtext(f"{DAV}from/{DAV}scope/{DAV}href") or "")  # fmt: skip
        try:
            fits = _condition(where[0], user)
            keys = _orders(order)
        except _Unusable as unusable:
            return Reply(400, [_XML], str(unusable).encode())
        deep = (found.findtext(f"{DAV}from/{DAV}scope/{DAV}depth") or "infinity").strip()
        with self._cloud.store.lock:
            parts, node = self._scope(user, scope)
            views = self._views(user, parts, node, 1 if deep == "1" else 1 << 30)
            hits = [(href, view) for href, view in views if fits(view)]
        hits.sort(key=lambda one: one[1].node.id)  # a database gives them in an order of its own
        for key, descending in reversed(keys):
            hits.sort(key=lambda one: key(one[1]), reverse=descending)
        start = _whole(limit.findtext(_PAGERS + "firstresult"), 0) if limit is not None else 0
        count = _whole(limit.findtext(DAV + "nresults"), len(hits)) if limit is not None else len(hits)
        # The scope itself is among those that are counted, and then left out (lib/private/Files/Node/Folder, search).
        hits = [one for one in hits[start : start + (count or len(hits))] if one[1].node is not node]
        found_ones = multistatus((response(Entry(href, view.tell), props) for href, view in hits), features=False)
        found_ones.headers[0] = _XML
        return found_ones

    def _scope(self, user: str, scope: Parts) -> tuple[Parts, Node]:
        if len(scope) < 2 or scope[0] != "files":
            raise errors.not_found(f"File not found: {scope[0] if scope else ''} in 'root'")
        if scope[1] != user:
            raise errors.failed("InvalidArgumentException", "Search is only supported on directories")
        parts = scope[2:]
        node = self._cloud.find(user, parts)
        if node is None:
            raise self._cloud.missing(user, parts)
        if not node.folder:
            raise errors.failed("InvalidArgumentException", "Search is only supported on directories")
        return parts, node


class _Unusable(Exception):
    """The search asks for what the server does not search for."""


Test = Callable[[View], bool]
_VALUES: dict[str, Callable[[View], Any]] = {
    DAV + "displayname": lambda v: v.name,
    DAV + "getcontenttype": lambda v: "httpd/unix-directory" if v.node.folder else mime_type(v.name),
    DAV + "getlastmodified": lambda v: v.node.mtime,
    DAV + "creationdate": lambda v: v.node.created,
    NC + "upload_time": lambda v: v.node.uploaded,
    OC + "size": lambda v: v.node.size,
    OC + "fileid": lambda v: v.node.id,
    OC + "favorite": lambda v: v.user in v.node.extra.get("favored", ()),
    OC + "owner-id": lambda v: v.owner(),
}
_SORTABLE = {DAV + name for name in ("displayname", "getcontenttype", "getlastmodified", "creationdate")} | {
    NC + "upload_time",
    OC + "size",
    OC + "favorite",
}


def _condition(element: Any, user: str) -> Test:
    kind = element.tag.removeprefix(DAV)
    if kind in {"and", "or"}:
        tests = [_condition(child, user) for child in element]
        return (lambda v: all(t(v) for t in tests)) if kind == "and" else (lambda v: any(t(v) for t in tests))
    if kind == "not":
        inner = _condition(element[0], user)
        return lambda v: not inner(v)
    if kind == "is-collection":
        return lambda v: v.node.folder
    if kind == "is-defined":
        return lambda v: v.tell(element[0][0].tag) is not None
    prop = element.find(DAV + "prop")
    literal = (element.findtext(DAV + "literal") or "").strip() if kind != "like" else element.findtext(DAV + "literal")
    if prop is None or not len(prop) or prop[0].tag not in _VALUES:
        raise _Unusable("requested search property is not searchable")
    name = prop[0].tag
    value = _VALUES[name]
    if kind == "like":
        return _like(value, literal or "")
    wanted_value = _literal(name, literal or "")
    if name == OC + "fileid" and kind != "eq":
        raise errors.failed("InvalidArgumentException", f"Unsupported comparison for field  fileid: {kind}")
    compare: dict[str, Test] = {
        "eq": lambda v: bool(value(v) == wanted_value),
        "gt": lambda v: bool(value(v) > wanted_value),
        "gte": lambda v: bool(value(v) >= wanted_value),
        "lt": lambda v: bool(value(v) < wanted_value),
        "lte": lambda v: bool(value(v) <= wanted_value),
    }
    if kind not in compare:
        raise _Unusable(f"Unexpected operator {kind}")
    return compare[kind]


def _like(value: Callable[[View], Any], pattern: str) -> Test:
    parts = [
        ".*" if piece == "%" else "." if piece == "_" else re.escape(piece) for piece in re.split("([%_])", pattern)
    ]
    known = re.compile("".join(parts), re.IGNORECASE | re.DOTALL)
    return lambda v: known.fullmatch(str(value(v))) is not None


def _literal(name: str, literal: str) -> Any:
    if name in {OC + "size", OC + "fileid"}:
        return _whole(literal, 0)
    if name == OC + "favorite":
        return literal in {"1", "yes", "true"}
    if name in {DAV + "getlastmodified", DAV + "creationdate", NC + "upload_time"}:
        if literal.lstrip("-").isdigit():
            return int(literal)
        try:
            return int(datetime.fromisoformat(literal).timestamp())
        except ValueError:
            raise _Unusable("Invalid timestamp") from None
    return literal


def _orders(order: Any) -> list[tuple[Callable[[View], Any], bool]]:
    keys = []
    for one in order if order is not None else ():
        prop = one.find(DAV + "prop")
        if prop is None or not len(prop) or prop[0].tag not in _SORTABLE:
            raise _Unusable("requested order by property is not sortable")
        keys.append((_VALUES[prop[0].tag], one.find(DAV + "descending") is not None))
    return keys


def _whole(text: str | None, otherwise: int) -> int:
    try:
        return int(text or "")
    except ValueError:
        return otherwise
