"""Many small files in one POST to /remote.php/dav/bulk."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.cloud import CREATE, UPDATE, Cloud
from liberate_nextcloud.standin.exchange import Aborted, Reply, Request, as_json
from liberate_nextcloud.standin.files import Files
from liberate_nextcloud.standin.headers import hasher, sane_time

_NO_ETAG = "Call to a member function getETag() on null"
_TYPE_ERROR = (
    "A type error occurred. For more details, please refer to the logs, which provide additional context about the "
    "type error."
)


class _Malformed(Exception):
    """The body is not what it should be, or a part's hash is another one."""


class Bulk:
    def __init__(self, cloud: Cloud, files: Files) -> None:
        self._cloud = cloud
        self._files = files

    def answer(self, request: Request) -> Reply:
        """Write the parts as they come; what is malformed ends it, with 400 and what was written before."""
        parser = _Parts(request)
        written: dict[str, Any] = {}
        flip = request.flip
        while True:
            try:
                part = parser.next(flip_next=flip == "transit")
            except _Malformed:
                return _told(400, written)
            if part is None:
                return _told(200, written)
            headers, content = part
            if flip == "transit" and content:
                flip = ""
            if "x-file-path" not in headers:
                raise errors.failed("TypeError", _TYPE_ERROR)
            path = headers["x-file-path"]
            try:
                written[path] = self._write(request, path, headers, content)
            except _Part as refused:
                written[path] = {"error": True, "message": str(refused)}

    def _write(self, request: Request, path: str, headers: dict[str, str], content: bytes) -> dict[str, object]:
        cloud, store, user = self._cloud, self._cloud.store, request.user
        told = headers.get("x-oc-mtime", headers.get("x-file-mtime"))
        try:
            mtime = sane_time(told) if told is not None else None
        except errors.Refusal as refused:
            raise _Part(refused.message) from None
        segments = unicodedata.normalize("NFC", path).replace("\\", "/").split("/")
        parts = tuple(segment for segment in segments if segment)
        if ".." in parts:
            raise _Part(f'Invalid path "{path if path.startswith("/") else "/" + path}"')
        parts = tuple(part for part in parts if part != ".")
        could_not = _Part(f'Could not create path "{"/".join(("", user, "files", *parts))}"')
        if not parts:
            raise could_not
        self._check_name(parts)
        with store.lock:
            parent = cloud.parent_of(user, parts)
            there = cloud.find(user, parts)
            if parent is None or not parent.folder or (there is not None and there.folder):
                raise could_not
            room = cloud.room(user)
            allowed = cloud.permissions(user, parts) & (UPDATE if there is not None else CREATE)
            if 0 <= room < len(content) or not allowed:
                raise could_not
            if not cloud.lock(user, parts):
                raise _Part(f'"{"/".join(("", user, "files", *parts))}" is locked')
            try:
                temporary = store.temporary()
                temporary.write_bytes(content)
                node, _ = self._files.replace(user, parent, parts[-1], temporary, len(content))
                if mtime is not None:
                    store.set_mtime(node, mtime)
                self._files.flip_on_disk(request, node)
                store.flush()
            finally:
                cloud.unlock(user, parts)
            return {"error": False, "etag": node.etag, "fileid": cloud.file_id(node), "permissions": "RGDNVW"}

    def _check_name(self, parts: tuple[str, ...]) -> None:
        name = parts[-1]
        reason = self._cloud.switches.names.refusal(name)
        if name.lower().endswith(".part"):
            raise errors.failed("Error", _NO_ETAG)  # written as an unfinished upload, and not found again
        if name.lower() in self._cloud.switches.names.names:
            raise _Part("Invalid path: files/" + "/".join(parts))
        if reason is not None or len("/".join(("", *parts)).encode()) > 4000:
            raise _Part("")


def _told(status: int, written: dict[str, Any]) -> Reply:
    reply = as_json(status, written or [])
    reply.headers = [("Content-Type", "text/html; charset=UTF-8")]  # what PHP says when nobody says otherwise
    return reply


class _Part(Exception):
    """A part that is not written; the others are."""


class _Parts:
    """The parts of the body, one after another, none of them longer in memory than it is needed."""

    def __init__(self, request: Request) -> None:
        kind, *params = request.header("content-type").split(";")
        if kind.strip() != "multipart/related":
            raise errors.bad_request("Content-Type must be multipart/related")
        told = [re.fullmatch(r'\s*boundary="?([^"]*)"?\s*', param) for param in params]
        boundary = next((match[1] for match in told if match), "")
        if not boundary:
            raise errors.bad_request("Error while parsing boundary in Content-Type header.")
        self._line = f"--{boundary}".encode()
        self._source: Iterator[bytes] = request.pieces()
        self._held = bytearray()

    def _fill(self, length: int) -> bool:
        while len(self._held) < length:
            piece = next(self._source, b"")
            if not piece:
                return False
            self._held += piece
        return True

    def _take(self, length: int) -> bytes:
        if not self._fill(length):
            raise _Malformed
        taken = bytes(self._held[:length])
        del self._held[:length]
        return taken

    def _read_line(self) -> bytes:
        while (end := self._held.find(b"\r\n")) < 0:
            if len(self._held) > 1 << 16 or not self._fill(len(self._held) + 1):
                raise _Malformed
        return self._take(end + 2)[:-2]

    def next(self, *, flip_next: bool) -> tuple[dict[str, str], bytes] | None:
        """Headers and content; None: that was the last one."""
        try:
            line = self._read_line()
            if line == self._line + b"--":
                return None
            if line != self._line:
                raise _Malformed
            headers: dict[str, str] = {}
            while field := self._read_line():
                try:
                    name, colon, value = field.decode().partition(":")
                except UnicodeDecodeError:
                    name, colon, value = field.decode("latin-1").partition(":")
                if not colon:
                    raise _Malformed
                headers[name.strip().lower()] = value.strip()
            return headers, self._content(headers, flip_next)
        except Aborted:
            raise _Malformed from None

    def _content(self, headers: dict[str, str], flip: bool) -> bytes:
        algorithm, _, digest = headers.get("oc-checksum", "").partition(":")
        if "x-file-md5" in headers:
            algorithm, digest = "md5", headers["x-file-md5"]
        length = headers.get("content-length", "")
        if not length.isdigit() or not algorithm:
            raise _Malformed
        content = self._take(int(length))
        if flip and content:
            content = bytes([content[0] ^ 1]) + content[1:]
        one = hasher(algorithm)
        if one is None:
            said = "hash_init(): Argument #1 ($algo) must be a valid hashing algorithm"
            raise errors.failed("ValueError", said)
        one.update(content)
        if one.hexdigest() != digest or self._take(2) != b"\r\n":
            raise _Malformed
        return content
