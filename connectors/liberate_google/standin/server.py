"""The stand-in's HTTP side: sign-in, batches, uploads, faults, and answers byte for byte."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
from collections.abc import Callable, Iterable
from email.parser import BytesParser
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from liberate.testing.standin import Faults, Served, Server
from liberate_google.prices import DRIVE_PRICE_LISTS
from liberate_google.standin import api, fields
from liberate_google.standin.drive import DriveStore
from liberate_google.standin.drive_api import DriveApi
from liberate_google.standin.errors import ApiError, bad_request, unauthenticated
from liberate_google.standin.faults import Call, Fault
from liberate_google.standin.mailbox import Mailbox
from liberate_google.standin.oauth import DRIVE_READONLY, READONLY, Grant, ServiceAccount, TokenEndpoint
from liberate_google.standin.pim import PimApis
from liberate_google.standin.quota import Quota
from liberate_google.standin.reply import Broken, Reply, refusal
from liberate_google.standin.routes import Route, routes
from liberate_google.standin.schema import checker
from liberate_google.standin.wire import Connection


class GoogleStandin(Served):
    """Gmail, Drive, Calendar, Contacts and their token endpoint on a free loopback port, while the `with` block lasts.

    `strict` checks every 2xx answer against the discovery document that ships inside
    google-api-python-client; what does not fit is kept in `unfit` and answered with 500.
    `batch_parts` is how many calls a batch may hold: Gmail says 100, and was seen to insist on 50.
    """

    def __init__(
        self, clock: Callable[[], float] = time.time, *, port: int = 0, strict: bool = False, batch_parts: int = 100
    ) -> None:
        self.clock = clock
        self.batch_parts = batch_parts
        self.mailboxes: dict[str, Mailbox] = {}
        self.oauth = TokenEndpoint(clock, self._knows)
        self.quota = Quota(clock)
        self.drive = DriveStore(clock)
        self.drive_quota = Quota(clock, DRIVE_PRICE_LISTS, "drive.googleapis.com")
        self.faults = Faults[Fault]()
        self.requests: list[Call] = []
        self.unfit: list[str] = []
        self.latency = 0.0  # seconds that each HTTP request takes at least
        self._strict = strict
        self._routes = routes("gmail.v1", "gmail.users.")
        self._drive_routes = routes("drive.v3", "drive.")
        self._uploads: dict[str, tuple[Route, str, Any, bytearray]] = {}
        self._numbers = itertools.count(1)
        self._server = Server(("127.0.0.1", port), partial(Connection, service=self))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.oauth.url = f"{self.url}/token"
        self._drive_api = DriveApi(self.drive, self.url)
        self.pim = PimApis(clock, self.url)

    # For tests and the sandbox -------------------------------------------------------------------

    def add_mailbox(self, address: str, *, licensed: bool = True) -> Mailbox:
        """A new, empty mailbox; without a licence the person exists and has no Gmail."""
        mailbox = Mailbox(address, self.clock, licensed=licensed)
        self.mailboxes[address.lower()] = mailbox
        return mailbox

    def add_person(self, address: str) -> None:
        """Somebody with a mailbox, a Drive, a calendar and an address book, all empty."""
        self.add_mailbox(address)
        self.drive.add_user(address)
        self.pim.calendars.add_user(address)
        self.pim.people.add_user(address)

    def _knows(self, user: str) -> bool:
        return user.lower() in self.mailboxes or user.lower() in self.drive.roots or self.pim.knows(user)

    def mailbox(self, address: str) -> Mailbox:
        return self.mailboxes[address.lower()]

    def add_message(
        self, address: str, raw: bytes, labels: Iterable[str] = ("INBOX",), internal_date: int | None = None
    ) -> str:
        """Put a message in, byte for byte; its id. Labels are names, made where they are missing.

        `internal_date` is in milliseconds since 1970; None: now.
        """
        mailbox = self.mailbox(address)
        with mailbox.lock:
            ids = []
            for name in labels:
                label = mailbox.labels.get(name) or mailbox.label_named(name) or mailbox.create_label(name)
                ids.append(label.id)
            return mailbox.add(raw, ids, internal_date).key

    def service_account_file(self, path: Path, delegated: Iterable[str] = READONLY) -> ServiceAccount:
        """Write a service account's key file; the account may read everybody's within these scopes."""
        return self.oauth.service_account_file(path, delegated)

    def token_file(self, path: Path, address: str, scopes: Iterable[str] = READONLY) -> str:
        """Write what one person's consent leaves behind; the refresh token, for oauth.withdraw."""
        return self.oauth.token_file(path, address, scopes)

    # Answering -----------------------------------------------------------------------------------

    def answer(self, http: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """The reply to any HTTP request. Raises Broken for one that is to break off on its way."""
        if target.partition("?")[0] == "/token":
            return self.token(body)
        if PimApis.is_photo(target):
            return self.pim.photo(self, target)
        grant = self.oauth.check(headers.get("authorization", "").partition(" ")[2])
        if grant is None:
            return refusal(unauthenticated())
        quota = self.drive_quota if _of_drive(target) else self.quota
        if PimApis.serves(target):
            quota = self.pim.quota(target)
        try:
            quota.enter(grant.user)
        except ApiError as error:
            return refusal(error)
        try:
            if target.startswith("/batch"):
                return self.batch(headers, body)
            return self.call(http, target, headers, body)
        finally:
            quota.leave(grant.user)

    def token(self, body: bytes) -> Reply:
        call = Call("token", "", {}, False)
        self.requests.append(call)
        reply, _ = self.struck(call)
        if reply is not None:
            return reply
        code, answer = self.oauth.answer(body)
        return Reply(code, answer)

    def call(self, http: str, target: str, headers: dict[str, str], body: bytes, *, in_batch: bool = False) -> Reply:
        """Answer one API call, alone or as a part of a batch."""
        try:
            return self._call(http, target, headers, body, in_batch)
        except ApiError as error:
            extra = dict(error.headers)
            return Reply(error.code, error.answer(), extra)

    def _call(self, http: str, target: str, headers: dict[str, str], body: bytes, in_batch: bool) -> Reply:
        if "upload_id=" in target:
            return self._continue_upload(target, headers, body)
        if PimApis.serves(target):
            return self.pim.call(self, http, target, headers, in_batch=in_batch)
        if _of_drive(target):
            return self._drive_call(http, target, headers, in_batch)
        route = self._routes.find(http, target)
        grant = self.grant(headers)
        if not route.scopes & grant.scopes:
            raise ApiError(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        user = route.path["userId"]
        address = grant.user if user == "me" else user.lower()
        call = Call(route.method, address, route.params, in_batch, route.path.get("id", ""))
        self.requests.append(call)
        reply, fault = self.struck(call)
        if reply is not None:
            return reply
        if address != grant.user:
            raise ApiError(403, "forbidden", f"Delegation denied for {grant.user}")
        mailbox = self.mailboxes.get(address)
        if mailbox is None or not mailbox.licensed:
            raise ApiError(400, "failedPrecondition", "Mail service not enabled", status="FAILED_PRECONDITION")
        self.quota.spend(address, route.method)
        return self._perform(route, mailbox, headers, body, fault)

    def _perform(
        self, route: Route, mailbox: Mailbox, headers: dict[str, str], body: bytes, fault: Fault | None
    ) -> Reply:
        mask = fields.parse(route.params["fields"][0]) if "fields" in route.params else None
        media = None
        parsed: Any = None
        kind = headers.get("content-type", "")
        if route.upload == "resumable":
            return self._begin_upload(route, mailbox, headers, body)
        if route.upload:
            parsed, media = _split_upload(kind, body)
        elif body:
            parsed = _json(body)
        answer = api.perform(route, mailbox, parsed, media)
        self.checked(route, answer)
        if answer is None:
            return Reply(204)
        if fault is not None and fault.breaks == "no-raw":
            answer.pop("raw", None)
        if mask is not None:
            answer = fields.apply(mask, answer)
        reply = Reply(200, answer)
        if fault is not None and fault.breaks == "bad-json":
            return Reply(200, text=b"".join(reply.pieces())[: max(1, reply.length // 2)])
        if fault is not None and fault.breaks == "truncate":
            raise Broken(fault, reply)
        return reply

    def _drive_call(self, http: str, target: str, headers: dict[str, str], in_batch: bool) -> Reply:
        grant = self.grant(headers)
        if target.startswith(_LINK):
            query = parse_qs(target.partition("?")[2])
            call = Call("link", grant.user, query, in_batch, query.get("id", [""])[0])
            self.requests.append(call)
            reply, fault = self.struck(call)
            if reply is not None:
                return reply
            if DRIVE_READONLY not in grant.scopes:
                raise ApiError(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
            return _harmed(self._drive_api.link(grant.user, query), fault)
        route = self._drive_routes.find(http, target)
        if not route.scopes & grant.scopes:
            raise ApiError(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        name = DriveApi.name(route)
        about = route.path.get("fileId", "")
        call = Call(name, grant.user, route.params, in_batch, about, headers.get("range", ""))
        self.requests.append(call)
        reply, fault = self.struck(call)
        if reply is not None:
            return reply
        if grant.user not in self.drive.roots:
            raise ApiError(403, "domainPolicy", "The domain administrators have disabled Drive apps.")
        self.drive_quota.spend(grant.user, name)
        if fault is not None and fault.breaks == "no-range":
            headers = {key: value for key, value in headers.items() if key != "range"}
        wanted = DriveApi.fields(route)
        mask = fields.parse(wanted) if wanted is not None else None
        if mask is not None and route.response is not None:
            fields.check(mask, {"$ref": route.response}, self._drive_routes.schemas)
        answer = self._drive_api.perform(route, grant.user, headers)
        if isinstance(answer, Reply):
            return _harmed(answer, fault)
        self.checked(route, answer, "drive.v3")
        return _harmed(Reply(200, answer if mask is None else fields.apply(mask, answer)), fault)

    def grant(self, headers: dict[str, str]) -> Grant:
        word, _, token = headers.get("authorization", "").partition(" ")
        grant = self.oauth.check(token) if word.lower() == "bearer" else None
        if grant is None:
            raise unauthenticated()
        return grant

    def struck(self, call: Call) -> tuple[Reply | None, Fault | None]:
        """The error this call meets on purpose, or the fault that is to break its answer later."""
        fault = self.faults.strike(call)
        if fault is None:
            return None, None
        if fault.breaks in ("reset", "drop-part"):
            raise Broken(fault, None)
        if fault.breaks:
            return None, fault
        domain = "usageLimits" if "imit" in fault.reason else "global"
        error = ApiError(fault.status, fault.reason, fault.text, domain)
        extra = {"Retry-After": fault.retry_after} if fault.retry_after else {}
        return Reply(fault.status, error.answer(), extra), None

    def checked(self, route: Route, answer: Any, described: str = "gmail.v1") -> None:
        if not self._strict or answer is None or route.response is None:
            return
        told = answer
        if isinstance(answer.get("raw"), bytes):
            told = {**answer, "raw": base64.urlsafe_b64encode(answer["raw"][:300]).decode()}
        faults = checker(described).faults(route.response, told)
        if faults:
            self.unfit.extend(f"{route.method}: {fault}" for fault in faults)
            raise ApiError(500, "internalError", f"The stand-in's answer is unfit: {faults[0]}")

    # Batches -------------------------------------------------------------------------------------

    def batch(self, headers: dict[str, str], body: bytes) -> Reply:
        """developers.google.com/workspace/gmail/api/guides/batch"""
        call = Call("batch", "", {}, False)
        self.requests.append(call)
        reply, _ = self.struck(call)
        if reply is not None:
            return reply
        kind = headers.get("content-type", "")
        parsed = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        parts = parsed.get_payload()
        if not kind.startswith("multipart/mixed") or not isinstance(parts, list):
            return refusal(bad_request("Failed to parse batch request, error: missing boundary.", "badRequest"))
        if len(parts) > self.batch_parts:
            return refusal(
                bad_request(
                    f"The batch request could not be processed. Inner request count exceeds the limit. "
                    f"Received: {len(parts)}, Limit: {self.batch_parts}",
                    "badRequest",
                )
            )
        boundary = f"batch_standin{next(self._numbers)}"
        out = bytearray()
        for part in parts:
            content = bytes(part.get_payload(decode=True))  # type: ignore[union-attr]
            try:
                reply = self._part(content, headers)
            except Broken as broken:
                if broken.fault.breaks == "drop-part":
                    continue
                raise
            out += f"--{boundary}\r\nContent-Type: application/http\r\n".encode()
            if named := part["Content-ID"]:  # type: ignore[index]
                out += f"Content-ID: <response-{str(named).lstrip('<')}\r\n".encode()
            out += f"\r\nHTTP/1.1 {reply.code} {_REASONS.get(reply.code, '')}\r\n".encode()
            for name, value in reply.headers.items():
                out += f"{name}: {value}\r\n".encode()
            out += f"Content-Length: {reply.length}\r\n\r\n".encode()
            for piece in reply.pieces():
                out += piece
            out += b"\r\n"
        out += f"--{boundary}--\r\n".encode()
        return Reply(200, headers={"Content-Type": f"multipart/mixed; boundary={boundary}"}, text=bytes(out))

    def _part(self, content: bytes, outer: dict[str, str]) -> Reply:
        line, _, rest = content.replace(b"\r\n", b"\n").partition(b"\n")
        head, _, body = rest.partition(b"\n\n")
        try:
            http, target, _ = line.decode("ascii").split(" ")
        except ValueError:
            return refusal(bad_request("Failed to parse batch request.", "badRequest"))
        headers = {"authorization": outer.get("authorization", "")}
        for field in head.decode("latin-1").splitlines():
            name, _, value = field.partition(":")
            headers[name.strip().lower()] = value.strip()
        return self.call(http, target, headers, body.rstrip(b"\n"), in_batch=True)

    # Uploads -------------------------------------------------------------------------------------

    def _begin_upload(self, route: Route, mailbox: Mailbox, headers: dict[str, str], body: bytes) -> Reply:
        upload = f"standin{next(self._numbers)}"
        self._uploads[upload] = (route, mailbox.address, _json(body) if body else None, bytearray())
        return Reply(200, {}, {"Location": f"{self.url}/upload/gmail/v1/users/me/messages?upload_id={upload}"})

    def _continue_upload(self, target: str, headers: dict[str, str], body: bytes) -> Reply:
        upload = parse_qs(target.partition("?")[2]).get("upload_id", [""])[0]
        if upload not in self._uploads:
            raise ApiError(404, "notFound", "Upload not found")
        route, address, parsed, data = self._uploads[upload]
        described = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", headers.get("content-range", "bytes */*"))
        total = described[3] if described else "*"
        if described and described[1] is not None and int(described[1]) == len(data):
            data += body
        elif body and (not described or described[1] is None):
            data += body
            total = str(len(data))
        if total == "*" or len(data) < int(total):
            extra = {"Range": f"bytes=0-{len(data) - 1}"} if data else {}
            return Reply(308, None, extra)
        del self._uploads[upload]
        answer = api.perform(route, self.mailbox(address), parsed, bytes(data))
        self.checked(route, answer)
        return Reply(200, answer)


_LINK = "/feeds/download/export"  # where exportLinks lead, which are no part of the API


def _of_drive(target: str) -> bool:
    return target.startswith(("/drive/", "/batch/drive/", _LINK))


def _harmed(reply: Reply, fault: Fault | None) -> Reply:
    """The reply as the fault leaves it. Raises Broken for one that is to break off on its way."""
    if fault is None:
        return reply
    if fault.then is not None:
        fault.then()
    if fault.breaks == "flip" and reply.media is not None:
        reply.media.flip = fault.after
    if fault.breaks == "bad-json" and reply.media is None:
        return Reply(200, text=b"".join(reply.pieces())[: max(1, reply.length // 2)])
    if fault.breaks == "truncate":
        raise Broken(fault, reply)
    return reply


_REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        raise bad_request("Invalid JSON payload received.", "parseError") from None


def _split_upload(kind: str, body: bytes) -> tuple[Any, bytes]:
    """The metadata and the message of a multipart upload, or None and a simple one's message."""
    boundary = re.search(r'boundary="?([^";]+)"?', kind)
    if not kind.startswith("multipart/related") or boundary is None:
        return None, body
    line = b"--" + boundary[1].encode()
    _, first, rest = body.split(line, 2)
    second = rest[: rest.rindex(b"\n" + line)].removesuffix(b"\r")
    about = re.split(rb"\r?\n\r?\n", first.lstrip(b"\r\n"), maxsplit=1)[1]
    message = re.split(rb"\r?\n\r?\n", second.lstrip(b"\r\n"), maxsplit=1)[1]
    return _json(about.strip()), message
