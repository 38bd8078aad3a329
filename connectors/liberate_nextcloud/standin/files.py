"""Files of a user by WebDAV: writing, moving and deleting them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.cloud import CREATE, DELETE, UPDATE, Cloud
from liberate_nextcloud.standin.exchange import Aborted, Reply, Request, empty
from liberate_nextcloud.standin.headers import (
    Hash,
    check_conditions,
    conditions,
    hasher,
    sane_time,
    wanted_hashes,
)
from liberate_nextcloud.standin.history import History
from liberate_nextcloud.standin.names import decoded
from liberate_nextcloud.standin.store import Node

Parts = tuple[str, ...]


class Files:
    """Answers for /remote.php/dav/files/{user}/."""

    def __init__(self, cloud: Cloud, history: History) -> None:
        self._cloud = cloud
        self._store = cloud.store
        self._history = history

    # PUT -----------------------------------------------------------------------------------------

    def put(self, request: Request, parts: Parts) -> Reply:
        cloud, store, user = self._cloud, self._store, request.user
        with store.lock:
            there = cloud.find(user, parts)
            check_conditions(request, there.etag if there else None)
            self._check_if(request, parts)
            if request.header("content-range"):
                raise errors.bad_request("Content-Range on PUT requests are forbidden.")
            if not parts or (there is not None and there.folder):
                raise errors.conflict("PUT is not allowed on non-files.")
            if there is None and request.header("x-nc-webdav-auto-mkcol") == "1":
                self._make_parents(request, parts)
            parent = self._parent(user, parts)
            announced = request.left if request.left is not None else _number(request.header("oc-total-length"))
            cloud.check_room(user, parts, announced or 0)
            if there is None:
                cloud.switches.names.check(parts[-1], "/" + "/".join(parts))
            self._check_permission(user, parts, UPDATE if there is not None else CREATE, parts[-1])
        with cloud.held(user, parts):
            hashes = wanted_hashes(request)
            written, size = self.receive(request, hashes, there)
            with store.lock:
                parent = self._parent(user, parts)
                node, existed = self.replace(user, parent, parts[-1], written, size)
                headers = self.finish(request, node, hashes)
                self.flip_on_disk(request, node)
                store.flush()
        return empty(204 if existed else 201, **headers)

    def receive(self, request: Request, hashes: dict[str, Hash], over: Node | None = None) -> tuple[Path, int]:
        """Take the body into a file of its own, and say how long it is. Raises 400 when less came than announced."""
        announced = request.left
        written = self._store.temporary()
        size = 0
        flip = request.flip == "transit"
        try:
            with written.open("wb", buffering=0) as file:
                for received in request.pieces():
                    piece = received
                    if flip and piece:
                        piece = bytes([piece[0] ^ 1]) + piece[1:]
                        flip = False
                    for one in hashes.values():
                        one.update(piece)
                    file.write(piece)
                    size += len(piece)
        except Aborted:
            self._leave_short(request.user, written, over)
            raise
        if announced is not None and size != announced:
            self._leave_short(request.user, written, over)
            raise errors.bad_request(
                f"Expected filesize of {announced} bytes but read (from Nextcloud client) {size} bytes and wrote (to "
                f"Nextcloud storage) {size} bytes. Could either be a network problem on the sending side or a problem "
                "writing to the storage on the server side."
            )
        return written, size

    def _leave_short(self, user: str, written: Path, over: Node | None) -> None:
        """What came of a body that was cut off. A server on a local disk writes in place: what stood there is cut off
        too, and nothing that it says of the file changes (apps/dav/lib/Connector/Sabre/File.php)."""
        if over is None:
            written.unlink()
            return
        with self._store.lock:
            if self._cloud.switches.versions:
                self._history.keep(user, over)
            os.replace(written, over.path())

    def replace(self, user: str, parent: Node, name: str, written: Path, size: int) -> tuple[Node, bool]:
        """Put a file in place and keep what it replaces as a version; whether it replaces something."""
        there = parent.inside.get(name)
        if there is not None and self._cloud.switches.versions:
            self._history.keep(user, there)
        return self._store.put(parent, name, written, size), there is not None

    def finish(self, request: Request, node: Node, hashes: dict[str, Hash]) -> dict[str, str | None]:
        """Set the times and the checksum that the headers give; the headers of the answer. Raises 500 for times that
        the server does not take: the content stays written."""
        told: dict[str, str | None] = {name: one.hexdigest() for name, one in hashes.items()}
        try:
            if request.header("x-oc-mtime"):
                self._store.set_mtime(node, sane_time(request.header("x-oc-mtime")))
                told["X-OC-MTime"] = "accepted"
            if request.header("x-oc-ctime"):
                node.created = sane_time(request.header("x-oc-ctime"))
                told["X-OC-CTime"] = "accepted"
        except errors.Refusal as refusal:
            refusal.headers |= {name: value for name, value in told.items() if value and name.startswith("X-Hash")}
            self._store.flush()
            raise
        node.checksum = request.header("oc-checksum")
        self._store.changed(node)
        return told | self.identity(node)

    def identity(self, node: Node) -> dict[str, str | None]:
        tag = f'"{node.etag}"'
        return {"OC-FileId": self._cloud.file_id(node), "ETag": tag, "OC-ETag": tag}

    def flip_on_disk(self, request: Request, node: Node) -> None:
        if request.flip == "disk" and node.size:
            with node.path().open("r+b") as file:
                first = file.read(1)
                file.seek(0)
                file.write(bytes([first[0] ^ 1]))

    # Others --------------------------------------------------------------------------------------

    def mkcol(self, request: Request, parts: Parts) -> Reply:
        cloud, user = self._cloud, request.user
        if request.whole() and "xml" not in request.header("content-type"):
            raise errors.unsupported("The request body for the MKCOL request must have an xml Content-Type")
        with self._store.lock:
            parent = cloud.parent_of(user, parts) if parts else None
            if parts and parent is None:
                raise errors.conflict("Parent node does not exist")
            if parent is not None and not parent.folder:
                raise errors.conflict("Parent node is not a collection")
            # The server takes names that end so for unfinished uploads, which "are there".
            if parent is None or cloud.find(user, parts) is not None or parts[-1].lower().endswith(".part"):
                raise errors.not_allowed("The resource you tried to create already exists")
            cloud.switches.names.check(parts[-1], "/" + "/".join(parts))
            self._check_permission(user, parts, CREATE, parts[-1])
            with cloud.held(user, parts):
                node = self._store.make_folder(parent, parts[-1])
            self._store.flush()
            return empty(201, OC_FileId=cloud.file_id(node))

    def move(self, request: Request, parts: Parts) -> Reply:
        return self._transfer(request, parts, self._do_move)

    def copy(self, request: Request, parts: Parts) -> Reply:
        return self._transfer(request, parts, self._do_copy)

    def _do_move(self, user: str, parts: Parts, target: Parts, parent: Node) -> dict[str, str | None]:
        node = self._existing(user, parts)
        self._check_permission(user, parts, DELETE, parts[-1])
        self._store.move(node, parent, target[-1])
        return self.identity(node)

    def _do_copy(self, user: str, parts: Parts, target: Parts, parent: Node) -> dict[str, str | None]:
        node = self._existing(user, parts)
        self._cloud.check_room(user, target, node.size)
        made = self._store.copy(node, parent, target[-1])
        return {"OC-FileId": self._cloud.file_id(made)}

    def _transfer(
        self, request: Request, parts: Parts, act: Callable[[str, Parts, Parts, Node], dict[str, str | None]]
    ) -> Reply:
        user = request.user
        with self._store.lock:
            if self._cloud.destination(request)[1:2] not in {(), (user,)}:
                self._existing(user, parts)
            target = self.target(request)
            existed = self.check_target(request, target)
            node = self._existing(user, parts)
            if target == parts:
                raise errors.forbidden("Source and destination uri are identical.")
            if target[: len(parts)] == parts:
                raise errors.conflict("The destination may not be part of the same subtree as the source path.")
            check_conditions(request, "" if node.folder else node.etag)
            self._check_if(request, parts)
            self._cloud.switches.names.check(target[-1], "/" + "/".join(target))
            with self._cloud.held(user, parts), self._cloud.held(user, target):
                if existed is not None:
                    self._discard(user, target, existed)
                parent = self._parent(user, target)
                headers = act(user, parts, target, parent)
            self._store.flush()
            return empty(204 if existed is not None else 201, **headers)

    def target(self, request: Request) -> Parts:
        """Where in the caller's files the header Destination points."""
        told = self._cloud.destination(request)
        if request.header("overwrite").upper() not in {"", "T", "F"}:
            raise errors.bad_request("The HTTP Overwrite header should be either T or F")
        if len(told) < 3 or told[0] != "files":
            raise errors.forbidden("Permission denied to create file (filename " + (told[-1] if told else "") + ")")
        if told[1] != request.user:
            raise errors.forbidden(f"Permission denied to create file (filename {told[-1]})")
        return told[2:]

    def check_target(self, request: Request, target: Parts) -> Node | None:
        """What stands at the destination of a MOVE, after Overwrite and If. Raises 409, 412."""
        parent = self._cloud.parent_of(request.user, target)
        if parent is None:
            raise errors.conflict("The destination node is not found")
        if not parent.folder:
            raise errors.conflict("The destination node is not a collection")
        there = self._cloud.find(request.user, target)
        if there is not None and request.header("overwrite").upper() == "F":
            said = "The destination node already exists, and the overwrite header is set to false"
            raise errors.precondition_failed(said, "Overwrite")
        if there is None:
            self._check_permission(request.user, target, CREATE, target[-1])
        return there

    def delete(self, request: Request, parts: Parts) -> Reply:
        user = request.user
        with self._store.lock:
            node = self._existing(user, parts)
            check_conditions(request, "" if node.folder else node.etag)
            self._check_if(request, parts)
            if node.base is not None:
                raise errors.forbidden("Permission denied to delete home folder")
            self._check_permission(user, parts, DELETE, parts[-1])
            with self._cloud.held(user, parts):
                self._discard(user, parts, node, for_ever=request.header("x-nc-skip-trashbin") == "true")
            self._store.flush()
            return empty(204)

    def _discard(self, user: str, parts: Parts, node: Node, *, for_ever: bool = False) -> None:
        if for_ever or not self._cloud.switches.trash:
            self._history.forget(node)
            self._store.remove(node)
        else:
            self._history.trash(user, parts, node)

    def patch(self, request: Request, parts: Parts) -> Reply:
        """Read a file again and store its hash."""
        with self._store.lock:
            node = self._existing(request.user, parts)
            if node.folder:
                raise errors.not_implemented("PATCH")
            path = node.path()
        name = request.header("x-recalculate-hash")
        one = hasher(name)
        if one is None:
            said = "hash_file(): Argument #1 ($algo) must be a valid hashing algorithm"
            raise errors.failed("ValueError", said)
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                one.update(piece)
        with self._store.lock:
            node.checksum = f"{name.upper()}:{one.hexdigest()}"
            self._store.changed(node)
            self._store.flush()
            return empty(204, OC_Checksum=node.checksum)

    # Checks --------------------------------------------------------------------------------------

    def _existing(self, user: str, parts: Parts) -> Node:
        node = self._cloud.find(user, parts)
        if node is None:
            raise self._cloud.missing(user, parts)
        return node

    def _parent(self, user: str, parts: Parts) -> Node:
        parent = self._cloud.parent_of(user, parts) if parts else None
        if parent is None:
            raise self._cloud.missing(user, parts[:-1])
        if not parent.folder:
            raise errors.not_found(f"Node with name '{parts[-2]}' could not be found")
        return parent

    def _make_parents(self, request: Request, parts: Parts) -> None:
        for depth in range(1, len(parts)):
            if self._cloud.find(request.user, parts[:depth]) is None:
                above = self._parent(request.user, parts[:depth])
                self._cloud.switches.names.check(parts[depth - 1], "/" + "/".join(parts[:depth]))
                with self._cloud.held(request.user, parts[:depth]):
                    self._store.make_folder(above, parts[depth - 1])

    def _check_permission(self, user: str, parts: Parts, bit: int, name: str) -> None:
        if not self._cloud.permissions(user, parts) & bit:
            raise errors.forbidden(f"Permission denied to create file (filename {name})")

    def _check_if(self, request: Request, parts: Parts) -> None:
        self.check_if(request, ("files", request.user, *parts))

    def check_if(self, request: Request, own: Parts) -> None:
        """The header If; `own` is the request's own path below /remote.php/dav/. Raises 412."""
        for address, told in conditions(request):
            named = decoded(address.partition("/remote.php/dav/")[2]) if address else own
            node = None
            if named[:2] == ("files", request.user):
                node = self._cloud.find(request.user, named[2:])
            etag = node.etag if node is not None else None
            if not any((tag is not None and tag == etag) is holds for holds, tag in told):
                said = f"Failed to find a valid token/etag combination for {'/'.join(named)}"
                raise errors.precondition_failed(said, "If")


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else None
