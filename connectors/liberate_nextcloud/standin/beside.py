"""What stands beside files: their versions, the trash bin, comments and tags."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.cloud import BASE, Cloud
from liberate_nextcloud.standin.exchange import Reply, Request, empty
from liberate_nextcloud.standin.history import History, Version
from liberate_nextcloud.standin.names import encoded
from liberate_nextcloud.standin.props import (
    DAV,
    NC,
    OC,
    Entry,
    answered,
    date,
    mime_type,
    multistatus,
    response,
    wanted,
    xml,
)
from liberate_nextcloud.standin.reading import Reader
from liberate_nextcloud.standin.store import Node

Parts = tuple[str, ...]
_COLLECTION = {DAV + "resourcetype": "<d:collection/>"}
_LONGEST_COMMENT = 1000  # characters


def _listed(request: Request, entries: list[Entry], usual: Parts | None = None) -> Reply:
    """The entries, of which the first is the collection itself. `usual` are the properties told unasked, if they
    are others than those of files."""
    asked = wanted(request.whole())
    props, unasked = (usual, True) if asked is None else (asked, False)
    shown = entries[:1] if request.header("depth", "1") == "0" else entries
    return multistatus([response(entry, props, minimal=unasked) for entry in shown])


class Beside:
    """Answers for /remote.php/dav/{versions,trashbin,comments,systemtags,systemtags-relations}/."""

    def __init__(self, cloud: Cloud, history: History, reader: Reader) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._history = history
        self._reader = reader
        self._comments: dict[str, dict[str, Any]] = self._store.kept("comment")
        self._counted = Counter(int(comment["file"]) for comment in self._comments.values())
        self._tags: dict[str, dict[str, Any]] = self._store.kept("tag")
        self._tagged: dict[str, list[str]] = self._store.kept("tagged")  # file id: tag ids

    def comments_on(self, file: int) -> int:
        return self._counted[file]

    def comments(self, file: int) -> list[dict[str, Any]]:
        """For tests: what was said about a file, oldest first."""
        return [comment for comment in self._comments.values() if comment["file"] == file]

    def tags(self, file: int) -> list[str]:
        """For tests: the names of a file's tags."""
        return [self._tags[tag]["name"] for tag in self._tagged.get(str(file), [])]

    # Versions ------------------------------------------------------------------------------------

    def versions(self, request: Request, user: str, parts: Parts) -> Reply:
        if user != request.user:
            raise errors.forbidden("")
        if len(parts) < 2 or parts[0] != "versions":
            raise errors.not_found(f"File not found: {parts[0] if parts else ''} in 'root'")
        with self._store.lock:
            node = self._file(request.user, parts[1], errors.not_found(""))
            kept = self._history.of(node)
            current = Version(node.mtime, node.size, request.user)
            base = f"{BASE}versions/{encoded((user, *parts[:2]))}/"
            if len(parts) == 2:
                if request.method != "PROPFIND":
                    raise errors.not_implemented(request.method)
                ordered = sorted([*kept, current], key=lambda one: one.time)
                entries = [self._version(base + str(one.time), one) for one in ordered]
                return _listed(request, [Entry(base, _COLLECTION.get), *entries])
            version = next((one for one in [*kept, current] if str(one.time) == parts[2]), None)
            if version is None:
                raise errors.not_found("")
            if request.method in {"GET", "HEAD"}:
                if version is current:
                    raise errors.not_found("")
                path = self._history.path(node, version)
                return self._reader.send(
                    request,
                    path,
                    node.name,
                    size=version.size,
                    mtime=version.time,
                    etag=str(version.time),
                    quoted=False,
                )
            if request.method == "PROPPATCH":
                root = xml(request.whole(), "propertyupdate")
                label = root.findtext(f"{DAV}set/{DAV}prop/{NC}version-label")
                if label is None:
                    raise errors.bad_request("Only the label can be set")
                self._history.label(node, version, label)
                return multistatus([answered(base + parts[2], [(NC + "version-label", 200)])], features=False)
            entry = self._version(base + parts[2], version)
            return _listed(request, [entry])

    def _version(self, href: str, version: Version) -> Entry:
        told = {
            DAV + "getlastmodified": date(version.time),
            DAV + "getcontentlength": str(version.size),
            DAV + "resourcetype": "",
            DAV + "getetag": str(version.time),
            DAV + "getcontenttype": "application/octet-stream",
            NC + "version-author": escape(version.author),
        }
        if version.label:
            told[NC + "version-label"] = escape(version.label)
        return Entry(href, told.get)

    def _file(self, user: str, number: str, missing: errors.Refusal) -> Node:
        """The file or folder with that id, if the user can see it."""
        node = self._store.by_id.get(int(number)) if number.isdigit() else None
        if node is None:
            raise missing
        mounted = [mount.node for mount in self._cloud.mounts(user).values()]
        if not any(node.within(root) for root in [self._cloud.home(user), *mounted]):
            raise missing
        return node

    # Trash ---------------------------------------------------------------------------------------

    def trash(self, request: Request, user: str, parts: Parts) -> Reply:
        if user != request.user:
            raise errors.forbidden("")
        if not parts or parts[0] not in {"trash", "restore"}:
            raise errors.not_found(f"File not found: {parts[0] if parts else ''} in 'root'")
        with self._store.lock:
            root = self._history.bin(user)
            node = root.at(parts[1:])
            if node is None:
                raise errors.not_found(f"File not found: {parts[-1]} in 'trash'")
            if request.method == "PROPFIND":
                base = f"{BASE}trashbin/{encoded((user, *parts))}"
                entries = [self._deleted(base, node)]
                entries += [self._deleted(f"{base}/{encoded((child.name,))}", child) for child in node.sorted()]
                return _listed(request, entries)
            if request.method == "DELETE":
                for one in node.sorted() if node is root else [node]:
                    self._history.forget(one)
                    self._store.remove(one)
                self._store.flush()
                return empty(204)
            if request.method == "MOVE" and node.parent is root:
                if self._cloud.destination(request)[:3] != ("trashbin", user, "restore"):
                    raise errors.forbidden("")
                if not self._history.restore(self._cloud, user, node):
                    raise errors.conflict("")
                self._store.flush()
                return empty(201)
            if request.method in {"GET", "HEAD"} and not node.folder:
                return self._reader.send(
                    request, node.path(), node.name, size=node.size, mtime=node.mtime, etag=node.etag
                )
        raise errors.not_implemented(request.method)

    def _deleted(self, href: str, node: Node) -> Entry:
        if node.base is not None:
            return Entry(href + "/", _COLLECTION.get)
        time, where = node.extra.get("deleted", [node.mtime, node.name])
        name = where.rpartition("/")[2]
        told = {
            DAV + "getlastmodified": date(time),
            DAV + "resourcetype": "<d:collection/>" if node.folder else "",
            DAV + "getetag": str(time),
            NC + "trashbin-filename": escape(name),
            NC + "trashbin-original-location": escape(where),
            NC + "trashbin-deletion-time": str(time),
            OC + "fileid": str(node.id),
            OC + "size": str(node.size),
        }
        if not node.folder:
            told |= {DAV + "getcontentlength": str(node.size), DAV + "getcontenttype": mime_type(name)}
        return Entry(href + ("/" if node.folder else ""), told.get)

    # Comments ------------------------------------------------------------------------------------

    def comment(self, request: Request, parts: Parts) -> Reply:
        if not self._cloud.switches.commenting:
            raise errors.not_found("File not found: comments in 'root'")
        if len(parts) < 2 or parts[0] != "files":
            raise errors.not_allowed("Listing members of this collection is disabled")
        with self._store.lock:
            node = self._file(request.user, parts[1], errors.not_found("Entity does not exist or is not available"))
            base = f"{BASE}comments/files/{node.id}/"
            if request.method == "POST" and len(parts) == 2:
                key = self._say(request, node)
                return empty(201, Content_Location=base + key)
            if request.method in {"PROPFIND", "REPORT"}:
                entries = [self._said(base + key, key, one) for key, one in self._on(node).items()]
                if request.method == "REPORT":
                    props = tuple(OC + name for name in _COMMENT)
                    return multistatus([response(entry, props) for entry in reversed(entries)], features=False)
                told = {**_COLLECTION, OC + "readMarker": date(self._store.now())}
                usual = (DAV + "resourcetype", OC + "readMarker", *(OC + name for name in _COMMENT))
                return _listed(request, [Entry(base, told.get), *entries], usual)
            if request.method == "DELETE" and len(parts) == 3 and parts[2] in self._on(node):
                del self._comments[parts[2]]
                self._counted[node.id] -= 1
                self._store.keep("comment", parts[2], None)
                return empty(204)
        raise errors.not_implemented(request.method)

    def _on(self, node: Node) -> dict[str, dict[str, Any]]:
        return {key: one for key, one in self._comments.items() if one["file"] == node.id}

    def _say(self, request: Request, node: Node) -> str:
        told = _json_body(request)
        if told.get("actorType") != "users":
            raise errors.bad_request(f'Invalid actor "{told.get("actorType", "")}"')
        message = str(told.get("message", "")).strip()
        if not message:
            raise errors.bad_request("Empty message")
        if len(message) > _LONGEST_COMMENT:
            raise errors.bad_request(f"Message exceeds allowed character limit of {_LONGEST_COMMENT}")
        key = str(max((int(key) for key in self._comments), default=0) + 1)
        self._comments[key] = {
            "file": node.id,
            "author": request.user,
            "message": message,
            "time": self._store.now(),
            "verb": told.get("verb", "comment"),
        }
        self._counted[node.id] += 1
        self._store.keep("comment", key, self._comments[key])
        return key

    def _said(self, href: str, key: str, comment: dict[str, Any]) -> Entry:
        author = self._cloud.accounts.users.get(comment["author"])
        told = {
            DAV + "resourcetype": "",
            OC + "id": key,
            OC + "parentId": "0",
            OC + "topmostParentId": "0",
            OC + "childrenCount": "0",
            OC + "message": escape(comment["message"]),
            OC + "verb": escape(comment["verb"]),
            OC + "actorType": "users",
            OC + "actorId": escape(comment["author"]),
            OC + "actorDisplayName": escape(author.display if author else comment["author"]),
            OC + "creationDateTime": date(comment["time"]),
            OC + "latestChildDateTime": "",
            OC + "objectType": "files",
            OC + "objectId": str(comment["file"]),
            OC + "mentions": "",
            OC + "isUnread": "false",
        }
        return Entry(href, told.get)

    # Tags ----------------------------------------------------------------------------------------

    def tag(self, request: Request, parts: Parts) -> Reply:
        """/systemtags: all of them, and new ones."""
        with self._store.lock:
            base = f"{BASE}systemtags/"
            if request.method == "POST":
                return empty(201, Content_Location=base + self._new_tag(request))
            if request.method == "PROPFIND":
                entries = [self._tag(f"{base}{key}/", key) for key in self._tags]
                return _listed(request, [Entry(base, _COLLECTION.get), *entries])
        raise errors.not_implemented(request.method)

    def relation(self, request: Request, parts: Parts) -> Reply:
        """/systemtags-relations/files/{fileid}: the tags of a file."""
        if not self._cloud.switches.tagging or len(parts) < 2 or parts[0] != "files":
            raise errors.not_found("File not found: systemtags-relations in 'root'")
        with self._store.lock:
            node = self._file(request.user, parts[1], errors.not_found(f"File not found: {parts[1]} in 'files'"))
            file = str(node.id)
            mine = self._tagged.get(file, [])
            base = f"{BASE}systemtags-relations/files/{file}/"
            if len(parts) == 2:
                if request.method == "POST":
                    key = self._new_tag(request)
                    self._assign(file, [*mine, key])
                    return empty(201, Content_Location=f"{BASE}systemtags/{key}")
                if request.method == "PROPFIND":
                    entries = [self._tag(base + key, key) for key in mine]
                    return _listed(request, [Entry(base, _COLLECTION.get), *entries])
                raise errors.not_implemented(request.method)
            return self._change_tag(request, file, mine, parts[2])

    def _change_tag(self, request: Request, file: str, mine: list[str], key: str) -> Reply:
        acts: dict[str, Callable[[], Reply]] = {}

        def put() -> Reply:
            request.whole()
            if key not in self._tags:
                said = f"Tag with id {key} does not exist, cannot assign"
                raise errors.precondition_failed(said, "")
            if key in mine:
                raise errors.conflict("PUT is not allowed on non-files.")
            self._assign(file, [*mine, key])
            return empty(201)

        def delete() -> Reply:
            if key not in mine:
                raise errors.not_found(f"Tag with id {key} not present on object {file}")
            self._assign(file, [one for one in mine if one != key])
            return empty(204)

        acts = {"PUT": put, "DELETE": delete}
        if request.method not in acts:
            raise errors.not_implemented(request.method)
        return acts[request.method]()

    def _assign(self, file: str, tags: list[str]) -> None:
        self._tagged[file] = tags
        self._store.keep("tagged", file, tags)

    def _new_tag(self, request: Request) -> str:
        told = _json_body(request)
        name = told.get("name")
        if not name:
            raise errors.bad_request('Missing "name" attribute')
        visible, assignable = bool(told.get("userVisible", True)), bool(told.get("userAssignable", True))
        made = {"name": str(name), "visible": visible, "assignable": assignable}
        if made in self._tags.values():
            raise errors.conflict("Tag already exists")
        key = str(max((int(key) for key in self._tags), default=0) + 1)
        self._tags[key] = made
        self._store.keep("tag", key, made)
        return key

    def _tag(self, href: str, key: str) -> Entry:
        tag = self._tags[key]
        told = {
            DAV + "resourcetype": "",
            OC + "id": key,
            OC + "display-name": escape(tag["name"]),
            OC + "user-visible": str(tag["visible"]).lower(),
            OC + "user-assignable": str(tag["assignable"]).lower(),
            OC + "can-assign": "true",
        }
        return Entry(href, told.get)


_COMMENT = (
    "id",
    "parentId",
    "topmostParentId",
    "childrenCount",
    "verb",
    "actorType",
    "actorId",
    "creationDateTime",
    "latestChildDateTime",
    "objectType",
    "objectId",
    "message",
    "actorDisplayName",
    "isUnread",
    "mentions",
)


def _json_body(request: Request) -> dict[str, Any]:
    if request.header("content-type").partition(";")[0].strip() != "application/json":
        raise errors.unsupported()
    try:
        told = json.loads(request.whole() or b"{}")
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise errors.bad_request("Invalid JSON")
    return told
