"""The way of a request: logged, broken on purpose, logged in, and led to what answers it."""

from __future__ import annotations

import json
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qs, unquote

from liberate.testing.standin import Faults
from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.beside import Beside
from liberate_nextcloud.standin.bulk import Bulk
from liberate_nextcloud.standin.calendars import Calendars
from liberate_nextcloud.standin.cloud import BASE, Cloud
from liberate_nextcloud.standin.exchange import Aborted, Cut, Reply, Request, Seen, as_json, empty, refused
from liberate_nextcloud.standin.faults import Call, Fault
from liberate_nextcloud.standin.files import Files
from liberate_nextcloud.standin.headers import check_conditions
from liberate_nextcloud.standin.history import History
from liberate_nextcloud.standin.listing import Listings
from liberate_nextcloud.standin.names import decoded
from liberate_nextcloud.standin.ocs import Ocs
from liberate_nextcloud.standin.props import DAV, FEATURES, Entry, multistatus, response, wanted
from liberate_nextcloud.standin.reading import Reader
from liberate_nextcloud.standin.shares import Shares
from liberate_nextcloud.standin.teams import TeamFolders
from liberate_nextcloud.standin.uploads import Uploads

_WRITING = {"PUT", "POST", "MKCOL", "MOVE", "COPY", "DELETE", "PROPPATCH", "PATCH", "MKCALENDAR"}
_LOGGED = 100_000  # requests that the log keeps
Parts = tuple[str, ...]


class App:
    """Answers any request."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.faults = Faults[Fault]()
        self.requests: deque[Seen] = deque(maxlen=_LOGGED)
        self.counts: Counter[str] = Counter()  # by method, of all requests
        self.closing = threading.Event()
        self.history = History(cloud)
        self.reader = Reader()
        self.files = Files(cloud, self.history)
        self.shares = Shares(cloud)
        self.teams = TeamFolders(cloud)
        self.beside = Beside(cloud, self.history, self.reader)
        self.listings = Listings(cloud, self.beside.comments_on)
        self.uploads = Uploads(cloud, self.files, self.reader, self.closing)
        self.bulk = Bulk(cloud, self.files)
        self.calendars = Calendars(cloud)
        self.ocs = Ocs(cloud, self.shares, self.teams)
        self._writers = 0
        self._writers_lock = threading.Lock()

    def answer(self, request: Request, connection: int) -> Reply:
        """The reply, after everything that may go wrong. Raises Cut where the connection is to break."""
        reply: Reply | None = None
        try:
            if self.cloud.switches.latency:
                self.closing.wait(self.cloud.switches.latency)
            try:
                reply = self._faulty(request)
            except errors.Refusal as refusal:
                reply = refused(refusal)
                if request.method == "PROPFIND" and refusal.status != 401:
                    reply.headers.append(("DAV", FEATURES))
            except Aborted:
                raise Cut from None
            try:
                request.drain()
            except Aborted:
                raise Cut from None
            reply.headers += request.said
            return reply
        finally:
            status = reply.status if reply is not None else 0
            seen = Seen(request.method, request.target, status, request.user, connection, request.logged())
            self.requests.append(seen)
            self.counts[request.method] += 1

    def _faulty(self, request: Request) -> Reply:
        refusal: errors.Refusal | None = None
        if not self.cloud.switches.maintenance or request.target == "/status.php":
            try:
                self.cloud.accounts.identify(request)
            except errors.Refusal as error:
                refusal = error
        fault = self.faults.strike(Call(request.method, request.target, request.user))
        if fault is None:
            return self._crowded(request, refusal)
        if fault.delay:
            self.closing.wait(fault.delay)
        if fault.cut == "before":
            raise Cut
        request.cut = fault.cut == "body"
        request.flip = fault.flip
        if fault.status and not fault.after:
            return _failing(fault, request.method)
        reply = self._crowded(request, refusal)
        if fault.cut:
            raise Cut
        return _failing(fault, request.method) if fault.status else reply

    def _crowded(self, request: Request, refusal: errors.Refusal | None) -> Reply:
        limit = self.cloud.switches.writers
        if limit is None or request.method not in _WRITING:
            return self._route(request, refusal)
        with self._writers_lock:
            if self._writers >= limit:
                return refused(errors.database_locked())
            self._writers += 1
        try:
            return self._route(request, refusal)
        finally:
            with self._writers_lock:
                self._writers -= 1

    def _route(self, request: Request, refusal: errors.Refusal | None) -> Reply:
        target = request.target
        if target == "/status.php":
            return self._status()
        if self.cloud.switches.maintenance or self.cloud.switches.needs_upgrade:
            return refused(errors.maintenance())
        if target.startswith("/ocs/"):
            if refusal is not None and refusal.status == 429:
                return as_json(
                    429, {"ocs": {"meta": {"status": "failure", "statuscode": 429, "message": ""}, "data": []}}
                )
            _, _, version, *rest = target.strip("/").join(("/", "")).split("/")
            names = [unquote(part) for part in rest]
            return self.ocs.answer(request, names, old=version == "v1.php")
        for prefix in ("/index.php", ""):
            if target.startswith(f"{prefix}/login/v2"):
                return self._login_flow(request, target.removeprefix(f"{prefix}/login/v2"))
            if target.startswith(f"{prefix}/apps/groupfolders/folders"):
                rest = target.partition("/apps/groupfolders/folders")[2].strip("/").split("/")
                return self.ocs.team_folders(request, [unquote(part) for part in rest if part])
        if target in {"/.well-known/caldav", "/.well-known/carddav"}:
            return Reply(301, [("Location", BASE)])
        if target.startswith("/remote.php/webdav"):
            self._logged_in(request, refusal)
            request.target = BASE + "files/" + request.user + target.removeprefix("/remote.php/webdav")
            target = request.target
        if (target + "/").startswith(BASE):
            self._logged_in(request, refusal)
            return self._dav(request, target[len(BASE) :])
        page = b"<!DOCTYPE html>\n<html><head><title>Nextcloud</title></head><body>Page not found</body></html>\n"
        return Reply(404, [("Content-Type", "text/html; charset=UTF-8")], page)

    def _logged_in(self, request: Request, refusal: errors.Refusal | None) -> None:
        if refusal is not None:
            raise refusal
        if not request.user:
            raise self.cloud.accounts.challenge()

    def _status(self) -> Reply:
        switches = self.cloud.switches
        told = {
            "installed": True,
            "maintenance": switches.maintenance,
            "needsDbUpgrade": switches.needs_upgrade,
            "version": ".".join(map(str, switches.version)),
            "versionstring": ".".join(map(str, switches.version[:3])),
            "edition": "",
            "productname": "Nextcloud",
            "extendedSupport": False,
        }
        return Reply(200, [("Content-Type", "application/json")], json.dumps(told, separators=(",", ":")).encode())

    def _login_flow(self, request: Request, rest: str) -> Reply:
        accounts = self.cloud.accounts
        host = f"http://{request.header('host')}"
        if rest in {"", "/"} and request.method == "POST":
            poll, flow = accounts.begin_flow()
            told = {
                "poll": {"token": poll, "endpoint": f"{host}/login/v2/poll"},
                "login": f"{host}/login/v2/flow/{flow}",
            }
            return as_json(200, told)
        if rest == "/poll" and request.method == "POST":
            token = parse_qs(request.whole().decode("utf-8", "replace")).get("token", [""])[0]
            granted = accounts.poll_flow(token)
            if granted is None:
                return as_json(404, [])
            return as_json(200, {"server": host, "loginName": granted[0], "appPassword": granted[1]})
        page = (
            b"<!DOCTYPE html>\n<html><head><title>Nextcloud</title></head><body>Connect to your account</body></html>\n"
        )
        return Reply(200 if rest.startswith("/flow/") else 404, [("Content-Type", "text/html; charset=UTF-8")], page)

    # DAV -----------------------------------------------------------------------------------------

    def _dav(self, request: Request, path: str) -> Reply:
        parts = decoded(path)
        if parts[:1] == ("calendars",) and len(parts) > 1:
            return self.calendars.answer(request, "calendars", parts[1], parts[2:])
        if parts[:2] == ("addressbooks", "users") and len(parts) > 2:
            return self.calendars.answer(request, "addressbooks", parts[2], parts[3:])
        if parts[:1] == ("principals",) and request.method == "PROPFIND":
            return self.calendars.principals(request, parts[1:])
        if request.method == "OPTIONS":
            return self._options()
        if request.method == "SEARCH" and not parts:
            return self.listings.search(request)
        first, rest = (parts[0], parts[1:]) if parts else ("", ())
        if first == "bulk" and request.method == "POST" and not rest and self.cloud.switches.bulk_answers:
            return self.bulk.answer(request)
        if first == "files" and rest:
            return self._files(request, rest[0], rest[1:])
        if first == "uploads" and rest:
            return self.uploads.answer(request, rest[1:])
        if first == "versions" and rest:
            return self.beside.versions(request, rest[0], rest[1:])
        if first == "trashbin" and rest:
            return self.beside.trash(request, rest[0], rest[1:])
        if first == "comments":
            return self.beside.comment(request, rest)
        if first == "systemtags":
            return self.beside.tag(request, rest)
        if first == "systemtags-relations":
            return self.beside.relation(request, rest)
        if first in {"files", "uploads", "versions", "trashbin"}:
            if request.header("depth", "1") != "0":
                raise errors.not_allowed("Listing members of this collection is disabled")
            return self._collections(request, [f"{BASE}{first}/"])
        if not parts and request.method == "PROPFIND":
            inside = (
                "files/",
                "uploads/",
                "versions/",
                "trashbin/",
                "comments/",
                "systemtags/",
                "systemtags-relations/",
            )
            below = inside if request.header("depth", "1") != "0" else ()
            return self._collections(request, [BASE, *(BASE + name for name in below)])
        if request.method == "PUT" and len(parts) == 1:
            raise errors.forbidden(f"Permission denied to create file (filename {first})")
        raise errors.not_found(f"File not found: {first} in 'root'")

    def _options(self) -> Reply:
        allow = "OPTIONS, GET, HEAD, DELETE, PROPFIND, PUT, PROPPATCH, COPY, MOVE, REPORT"
        reply = empty(200, Allow=allow, DAV=FEATURES, MS_Author_Via="DAV", Accept_Ranges="bytes")
        return reply

    def _collections(self, request: Request, hrefs: list[str]) -> Reply:
        props = wanted(request.whole())
        told = {
            DAV + "resourcetype": "<d:collection/>",
            DAV + "current-user-principal": f"<d:href>{BASE}principals/users/{request.user}/</d:href>",
        }
        return multistatus([response(Entry(href, told.get), props) for href in hrefs])

    def _files(self, request: Request, user: str, parts: Parts) -> Reply:
        if user != request.user:
            return self._others(request, user, parts)
        acts: dict[str, Callable[[Request, Parts], Reply]] = {
            "PUT": self.files.put,
            "GET": self._get,
            "HEAD": self._get,
            "PROPFIND": self.listings.propfind,
            "PROPPATCH": self.listings.proppatch,
            "MKCOL": self.files.mkcol,
            "MOVE": self.files.move,
            "COPY": self.files.copy,
            "DELETE": self.files.delete,
            "PATCH": self.files.patch,
        }
        act = acts.get(request.method)
        if act is not None:
            return act(request, parts)
        if request.method == "REPORT":
            exception = "Sabre\\DAV\\Exception\\ReportNotSupported"
            raise errors.Refusal(415, exception, "", extra="  <d:supported-report/>\n")
        raise errors.not_implemented(request.method)

    def _others(self, request: Request, user: str, parts: Parts) -> Reply:
        """Somebody else's home is there, and empty, for everybody."""
        if user not in self.cloud.accounts.users:
            raise errors.not_found(f"Principal with name {user} not found")
        if request.method == "PROPFIND" and not parts:
            return self._collections(request, [f"{BASE}files/{user}/"])
        if len(parts) == 1 and request.method == "PUT":
            raise errors.forbidden(f"Permission denied to create file (filename {parts[0]})")
        if len(parts) == 1 and request.method == "MKCOL":
            raise errors.forbidden("Permission denied to create directory")
        if request.method == "MKCOL":
            raise errors.conflict("Parent node does not exist")
        raise errors.not_found(f"File not found: {(parts or ('',))[0]} in '{user}'")

    def _get(self, request: Request, parts: Parts) -> Reply:
        with self.cloud.store.lock:
            node = self.cloud.find(request.user, parts)
            if node is None:
                raise self.cloud.missing(request.user, parts)
            tag = f'"{node.etag}"'
            if check_conditions(request, node.etag) == 304:
                return Reply(304, [] if request.header("if-none-match") == "*" else [("ETag", tag)])
            if node.folder:
                return empty(200)
            name = parts[-1]
            reply = self.reader.send(request, node.path(), name, size=node.size, mtime=node.mtime, etag=node.etag)
            if node.checksum:
                twice = 2 if request.method == "HEAD" else 1  # the server asks itself with GET, and adds its own
                reply.headers += [("OC-Checksum", node.checksum)] * twice
            return reply


def _failing(fault: Fault, method: str) -> Reply:
    kind, body = fault.answer(method)
    headers = [("Content-Type", kind)]
    if fault.retry_after is not None:
        headers.append(("Retry-After", fault.retry_after))
    return Reply(fault.status, headers, body)


def pieces(reply: Reply) -> Iterator[bytes]:
    if isinstance(reply.body, bytes):
        if reply.body:
            yield reply.body
    else:
        yield from reply.body


def served(reply: Reply, environ: dict[str, Any]) -> Iterable[bytes]:
    """The body as the web server is to send it, after its length is in the headers where it is known."""
    if isinstance(reply.body, bytes):
        if reply.status not in {204, 304}:
            reply.headers.append(("Content-Length", str(len(reply.body))))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [reply.body]
    return pieces(reply)
