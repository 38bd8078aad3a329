"""Uploads in chunks, put together by the server when they are moved to their place."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.cloud import BASE, Cloud
from liberate_nextcloud.standin.exchange import Cut, Reply, Request, empty
from liberate_nextcloud.standin.files import Files
from liberate_nextcloud.standin.headers import check_conditions, wanted_hashes
from liberate_nextcloud.standin.names import encoded
from liberate_nextcloud.standin.props import DAV, Entry, date, multistatus, response, wanted
from liberate_nextcloud.standin.reading import Reader
from liberate_nextcloud.standin.store import Node

Parts = tuple[str, ...]
_LAST = 86_400  # seconds after which an upload that nobody touched is cleaned away
_WHOLE = ".file"


class Uploads:
    """Answers for /remote.php/dav/uploads/{user}/."""

    def __init__(self, cloud: Cloud, files: Files, reader: Reader, closing: threading.Event) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._files = files
        self._reader = reader
        self._closing = closing

    def _root(self, user: str) -> Node:
        """The caller's uploads, without those that expired."""
        root = self._store.root(f"{user}/uploads")
        oldest = self._store.now() - _LAST
        for folder in list((root.children or {}).values()):
            if folder.mtime < oldest and all(chunk.mtime < oldest for chunk in folder.below()):
                self._store.remove(folder)
        return root

    def answer(self, request: Request, parts: Parts) -> Reply:
        acts: dict[str, Callable[[Request, Parts], Reply]] = {
            "MKCOL": self._mkcol,
            "PUT": self._put,
            "MOVE": self._move,
            "DELETE": self._delete,
            "PROPFIND": self._propfind,
            "GET": self._get,
            "HEAD": self._get,
        }
        if request.method not in acts:
            raise errors.not_implemented(request.method)
        return acts[request.method](request, parts)

    def _find(self, user: str, parts: Parts) -> Node:
        root = node = self._root(user)
        for depth in range(1, len(parts) + 1):
            if root.at(parts[:depth]) is None:
                raise errors.not_located("//" + "/".join(parts[:depth]))
            node = root.inside[parts[0]] if depth == 1 else node.inside[parts[depth - 1]]
        return node

    def _mkcol(self, request: Request, parts: Parts) -> Reply:
        with self._store.lock:
            root = self._root(request.user)
            if len(parts) > 1:
                if root.at(parts[:-1]) is None:
                    raise errors.conflict("Parent node does not exist")
                raise errors.forbidden("Permission denied to create file (filename " + parts[-1] + ")")
            if not parts or root.at(parts) is not None:
                raise errors.not_allowed("The resource you tried to create already exists")
            self._store.make_folder(root, parts[0])
            self._store.flush()
        return empty(201)

    def _put(self, request: Request, parts: Parts) -> Reply:
        user = request.user
        with self._store.lock:
            self._find(user, parts[:-1])
            if len(parts) != 2:
                raise errors.forbidden("Permission denied to create file (filename " + (parts or ("",))[-1] + ")")
            total = request.header("oc-total-length")
            if total.isdigit() and request.header("destination"):
                self._cloud.check_room(user, self._files.target(request), int(total))
        hashes = wanted_hashes(request)
        written, size = self._files.receive(request, hashes)
        told: dict[str, str | None] = {name: one.hexdigest() for name, one in hashes.items()}
        with self._store.lock:
            folder = self._find(user, parts[:-1])
            existed = folder.at(parts[-1:]) is not None
            chunk = self._store.put(folder, parts[-1], written, size)
            self._files.flip_on_disk(request, chunk)
            self._store.flush()
            tag = {"ETag": f'"{chunk.etag}"', "OC-ETag": f'"{chunk.etag}"'} if existed else {}
        return empty(204 if existed else 201, **told, **tag)

    def _move(self, request: Request, parts: Parts) -> Reply:
        if len(parts) != 2:
            raise errors.bad_request("Only chunks and the file of chunks can be moved")
        user = request.user
        with self._store.lock:
            folder = self._find(user, parts[:1])
            target = self._files.target(request)
            there = self._files.check_target(request, target)
            self._files.check_if(request, ("uploads", user, *parts))
            if there is not None and there.folder:
                raise errors.conflict("The destination node is a collection")
            if parts[1] != _WHOLE:
                return self._move_chunk(request, folder, parts[1], target)
            chunks = sorted((folder.children or {}).values(), key=lambda chunk: _natural(chunk.name))
            size = sum(chunk.size for chunk in chunks)
            total = request.header("oc-total-length")
            if total.isdigit() and int(total) != size:
                raise errors.bad_request(f"Chunks on server do not sum up to {total} but to {size} bytes")
            self._cloud.switches.names.check(target[-1], "/" + "/".join(target))
            self._cloud.check_room(user, target, size)
        with self._cloud.held(user, target):
            return self._assemble(request, folder, chunks, target)

    def _assemble(self, request: Request, folder: Node, chunks: list[Node], target: Parts) -> Reply:
        if wait := self._cloud.switches.assembly:
            self._closing.wait(wait)
            if self._closing.is_set() or not self._cloud.switches.assembly_goes_on:
                raise Cut
        hashes = wanted_hashes(request)
        written, size = self._store.temporary(), 0
        with written.open("wb") as whole:
            for chunk in chunks:
                with chunk.path().open("rb") as file:
                    while piece := file.read(1 << 20):
                        for one in hashes.values():
                            one.update(piece)
                        size += len(piece)
                        whole.write(piece)
        user = request.user
        with self._store.lock:
            parent = self._cloud.parent_of(user, target)
            if parent is None:
                written.unlink()
                raise errors.conflict("The destination node is not found")
            node, existed = self._files.replace(user, parent, target[-1], written, size)
            headers = self._files.finish(request, node, hashes)
            self._files.flip_on_disk(request, node)
            self._store.remove(folder)
            self._store.flush()
        return empty(204 if existed else 201, **headers)

    def _move_chunk(self, request: Request, folder: Node, name: str, target: Parts) -> Reply:
        """Move one chunk as it is: the file gets the chunk's id."""
        chunk = self._find(request.user, (folder.name, name))
        there = self._cloud.find(request.user, target)
        self._cloud.switches.names.check(target[-1], "/" + "/".join(target))
        if there is not None:
            self._store.remove(there)
        parent = self._cloud.parent_of(request.user, target)
        if parent is None:
            raise errors.conflict("The destination node is not found")
        self._store.move(chunk, parent, target[-1])
        self._store.flush()
        return empty(201 if there is None else 204, **self._files.identity(chunk))

    def _delete(self, request: Request, parts: Parts) -> Reply:
        with self._store.lock:
            if not parts:
                raise errors.forbidden("Permission denied to delete this folder")
            node = self._find(request.user, parts)
            check_conditions(request, node.etag)
            self._store.remove(node)
            self._store.flush()
        return empty(204)

    def _get(self, request: Request, parts: Parts) -> Reply:
        with self._store.lock:
            node = self._find(request.user, parts)
            if node.folder:
                return empty(200)
            return self._reader.send(request, node.path(), node.name, size=node.size, mtime=node.mtime, etag=node.etag)

    def _propfind(self, request: Request, parts: Parts) -> Reply:
        props = wanted(request.whole())
        depth = {"0": 0, "1": 1}.get(request.header("depth", "1"), 2)
        user = request.user
        base = f"{BASE}uploads/{encoded((request.target.split('/')[4], *parts))}"
        with self._store.lock:
            if len(parts) == 2 and parts[1] == _WHOLE:
                entries = [self._whole(base, self._find(user, parts[:1]))]
            else:
                entries = list(self._entries(base, self._find(user, parts), len(parts), depth))
        return multistatus([response(entry, props) for entry in entries])

    def _entries(self, href: str, node: Node, level: int, depth: int) -> list[Entry]:
        if not node.folder:
            return [_chunk(href, node)]
        told = {DAV + "getlastmodified": date(node.mtime), DAV + "resourcetype": "<d:collection/>"}
        found = [Entry(href + "/", told.get)]
        if depth and level:
            found.append(self._whole(f"{href}/{_WHOLE}", node))
        for child in node.sorted() if depth else ():
            found += self._entries(f"{href}/{encoded((child.name,))}", child, level + 1, depth - 1)
        return found

    def _whole(self, href: str, folder: Node) -> Entry:
        told = {
            DAV + "displayname": _WHOLE,
            DAV + "getlastmodified": date(folder.mtime),
            DAV + "getcontentlength": str(sum(chunk.size for chunk in (folder.children or {}).values())),
            DAV + "resourcetype": "",
            DAV + "getetag": f"&quot;{folder.etag}&quot;",
            DAV + "getcontenttype": "application/octet-stream",
        }
        return Entry(href, told.get)


def _chunk(href: str, node: Node) -> Entry:
    told = {
        DAV + "getlastmodified": date(node.mtime),
        DAV + "getcontentlength": str(node.size),
        DAV + "resourcetype": "",
        DAV + "getetag": f"&quot;{node.etag}&quot;",
        DAV + "getcontenttype": "application/octet-stream",
    }
    return Entry(href, told.get)


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """The order of PHP's strnatcmp: numbers by value, before words."""
    return tuple((0, int(piece)) if piece.isdigit() else (1, piece) for piece in re.findall(r"\d+|\D+", name))
