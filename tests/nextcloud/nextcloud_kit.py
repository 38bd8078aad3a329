"""What tests of the connector need: users, slots, somebody else at work in the account."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from itertools import count
from typing import Any
from urllib.parse import quote, unquote

from liberate_nextcloud.destination import NextcloudDestination
from liberate_nextcloud.gate import Gate
from liberate_nextcloud.settings import NextcloudSettings
from nextcloud_standin_kit import Client, D, told

from liberate.connector import Account, Collection, Item, Kind, Place, Receipt, Slot
from liberate.files import FileFacts
from liberate.ledger_rows import key_of

USERS = {"anna": "anna-login", "bo": "bo-login", "ben": "ben-login"}
APP_SECRET = "the app's own"
CHUNK = 5 << 20
ROOT = Collection("work", ("Work",), Kind.FILE)
MODIFIED = datetime(2017, 7, 14, 2, 40, tzinfo=UTC)
BODIES = [b"one", b"", b"three" * 1000, b"the same", b"the same", b"\0\xff" * 70_000]
PATHS = ["a.txt", "empty", "Plans/b.txt", "Plans/Deep/c & d #1.txt", "100%/c?.txt", "é🎉/x.bin"]
_numbers = count()


class Bytes:
    """A body of these bytes; after them comes `failure`, if any."""

    def __init__(self, data: bytes, failure: Exception | None = None, size: int | None = None) -> None:
        self.size: int | None = len(data) if size is None else size
        self._data = data
        self._failure = failure

    def read(self, n: int = -1, /) -> bytes:
        n = len(self._data) if n < 0 else n
        out, self._data = self._data[:n], self._data[n:]
        if not out and self._failure is not None:
            raise self._failure
        return out


class Somebody:
    """The account's owner, at work with HTTP alone; `tree` tells what stands below one folder ("": all of it)."""

    def __init__(self, url: str, user: str, password: str, below: str = "") -> None:
        self._client = Client(url, user, password, "")
        self._below = below
        self._start = f"/remote.php/dav/files/{user}"

    def ask(self, method: str, path: str, data: bytes | None = None, **headers: str) -> Any:
        return self._client.ask(method, quote(path), data, **headers)

    def put(self, path: str, body: bytes) -> None:
        self.mkdir(path.rpartition("/")[0])
        assert self.ask("PUT", path, body).status_code in (201, 204)

    def mkdir(self, path: str) -> None:
        levels = path.split("/") if path else []
        for n in range(len(levels)):
            assert self.ask("MKCOL", "/".join(levels[: n + 1])).status_code in (201, 405)

    def rename(self, old: str, new: str) -> None:
        target = self._client.url + quote(f"{self._start}/{new}")
        assert self.ask("MOVE", old, Destination=target).status_code in (201, 204)

    def remove(self, path: str) -> None:
        assert self.ask("DELETE", path).status_code == 204

    def share(self, path: str, user: str) -> None:
        told = {"path": f"/{path}", "shareType": "0", "shareWith": user, "permissions": "31"}
        answer = self._client.ocs("POST", "apps/files_sharing/api/v1/shares", told)
        assert answer.status_code == 200, answer.text

    def tree(self) -> dict[str, bytes | None]:
        out: dict[str, bytes | None] = {}
        waiting = [self._below]
        while waiting:
            here = waiting.pop()
            answer = self.ask("PROPFIND", here, _ASK, Depth="1")
            assert answer.status_code == 207, answer.text
            for one in told(answer):
                path = unquote(one["href"] or "").removeprefix(self._start).strip("/")
                if path == here:
                    continue
                if (one["href"] or "").endswith("/"):
                    out[path] = None
                    waiting.append(path)
                else:
                    out[path] = self.ask("GET", path).content
        return out

    def modified(self, path: str) -> str | None:
        (one,) = told(self.ask("PROPFIND", path, _ASK, Depth="0"))
        return one[D + "getlastmodified"]


_ASK = b'<d:propfind xmlns:d="DAV:"><d:prop><d:getlastmodified/></d:prop></d:propfind>'


def opened(
    settings: NextcloudSettings, secret: str | None, user: str = "anna", gate: Gate | None = None
) -> NextcloudDestination:
    """The destination for that user, with what has been refused forgotten."""
    return NextcloudDestination(settings, Account(user, secret), gate=gate or Gate())


def file(place: Place, name: str, body: bytes, replaces: Receipt | None = None, **facts: Any) -> Slot:
    """A slot as the core makes it."""
    item = Item(
        f"file-{next(_numbers)}",
        Kind.FILE,
        "1",
        name,
        len(body),
        MODIFIED,
        {"sha256": hashlib.sha256(body).hexdigest()},
        facts=FileFacts(**facts),
    )
    return Slot(item, place, name, key_of("test", str(place), item.id), replaces=replaces)


def folder(place: Place, name: str) -> Slot:
    item = Item(f"folder-{next(_numbers)}", Kind.FILE, "", name, modified=MODIFIED, facts=FileFacts(folder=True))
    return Slot(item, place, name, key_of("test", str(place), item.id))


def nobody(_place: Place, _ids: object) -> set[str]:
    """No receipt belongs to another item."""
    return set()
