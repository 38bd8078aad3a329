"""The stand-in's HTTP side: sign-in, batches, uploads, faults, and answers byte for byte."""

from __future__ import annotations

import base64
import itertools
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs

from liberate_google.standin import api, fields
from liberate_google.standin.errors import ApiError, bad_request, unauthenticated
from liberate_google.standin.faults import Call, Fault, Faults
from liberate_google.standin.mailbox import Mailbox
from liberate_google.standin.oauth import GMAIL_READONLY, Grant, ServiceAccount, TokenEndpoint
from liberate_google.standin.quota import Quota
from liberate_google.standin.routes import Route, routes
from liberate_google.standin.schema import checker

_log = logging.getLogger(__name__)
_PIECE = 3 << 18  # bytes of a message spelled in base64 at a time; a multiple of three
_MARK = "\u0001raw\u0001"  # stands where the message's bytes go; JSON spells it \u0001raw\u0001


class Reply:
    """An answer ready to be sent."""

    __slots__ = ("code", "headers", "json", "raw", "text")

    def __init__(
        self, code: int, answer: Any = None, headers: dict[str, str] | None = None, text: bytes | None = None
    ) -> None:
        self.code = code
        self.headers = {"Content-Type": "application/json; charset=UTF-8"} | (headers or {})
        self.raw: bytes | None = None
        if isinstance(answer, dict) and isinstance(answer.get("raw"), bytes):
            self.raw = answer["raw"]
            answer = {**answer, "raw": _MARK}
        if text is not None:
            self.text = text
        elif answer is None:
            self.text = b""
            del self.headers["Content-Type"]
        else:
            self.text = json.dumps(answer, indent=1).encode()

    def pieces(self) -> Iterator[bytes]:
        """The body."""
        if self.raw is None:
            yield self.text
            return
        before, after = self.text.split(json.dumps(_MARK)[1:-1].encode())
        yield before
        for at in range(0, len(self.raw), _PIECE):
            yield base64.urlsafe_b64encode(memoryview(self.raw)[at : at + _PIECE])
        yield after

    @property
    def length(self) -> int:
        if self.raw is None:
            return len(self.text)
        return len(self.text) - len(json.dumps(_MARK)) + 2 + (len(self.raw) + 2) // 3 * 4


class Broken(Exception):
    """The connection is to break while this reply is on its way."""

    def __init__(self, fault: Fault, reply: Reply | None) -> None:
        super().__init__(fault.breaks)
        self.fault = fault
        self.reply = reply


class GmailStandin:
    """Gmail and its token endpoint on a free loopback port, while the `with` block lasts.

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
        self.oauth = TokenEndpoint(clock, lambda user: user.lower() in self.mailboxes)
        self.quota = Quota(clock)
        self.faults = Faults()
        self.requests: list[Call] = []
        self.unfit: list[str] = []
        self.latency = 0.0  # seconds that each HTTP request takes at least
        self._checker = checker("gmail.v1") if strict else None
        self._routes = routes("gmail.v1", "gmail.users.")
        self._uploads: dict[str, tuple[Route, str, Any, bytearray]] = {}
        self._numbers = itertools.count(1)
        self._server = _Server(("127.0.0.1", port), self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.oauth.url = f"{self.url}/token"
        self._thread: threading.Thread | None = None

    # For tests and the sandbox -------------------------------------------------------------------

    def start(self) -> GmailStandin:
        """Serve from a thread of its own until `close`."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="gmail", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop serving and close every connection."""
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join()
        self._server.close_connections()
        self._server.server_close()

    def __enter__(self) -> GmailStandin:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_mailbox(self, address: str, *, licensed: bool = True) -> Mailbox:
        """A new, empty mailbox; without a licence the person exists and has no Gmail."""
        mailbox = Mailbox(address, self.clock, licensed=licensed)
        self.mailboxes[address.lower()] = mailbox
        return mailbox

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

    def service_account_file(self, path: Path, delegated: Iterable[str] = (GMAIL_READONLY,)) -> ServiceAccount:
        """Write a service account's key file; the account may read every mailbox within these scopes."""
        return self.oauth.service_account_file(path, delegated)

    def token_file(self, path: Path, address: str) -> str:
        """Write what one person's consent leaves behind; the refresh token, for oauth.withdraw."""
        return self.oauth.token_file(path, address)

    # Answering -----------------------------------------------------------------------------------

    def token(self, body: bytes) -> Reply:
        call = Call("token", "", {}, False)
        self.requests.append(call)
        reply, _ = self._fault(call)
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
        route = self._routes.find(http, target)
        grant = self._grant(headers)
        if not route.scopes & grant.scopes:
            raise ApiError(403, "insufficientPermissions", "Request had insufficient authentication scopes.")
        user = route.path["userId"]
        address = grant.user if user == "me" else user.lower()
        call = Call(route.method, address, route.params, in_batch, route.path.get("id", ""))
        self.requests.append(call)
        reply, fault = self._fault(call)
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
        self._check(route, answer)
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

    def _grant(self, headers: dict[str, str]) -> Grant:
        word, _, token = headers.get("authorization", "").partition(" ")
        grant = self.oauth.check(token) if word.lower() == "bearer" else None
        if grant is None:
            raise unauthenticated()
        return grant

    def _fault(self, call: Call) -> tuple[Reply | None, Fault | None]:
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

    def _check(self, route: Route, answer: Any) -> None:
        if self._checker is None or answer is None or route.response is None:
            return
        told = answer
        if isinstance(answer.get("raw"), bytes):
            told = {**answer, "raw": base64.urlsafe_b64encode(answer["raw"][:300]).decode()}
        faults = self._checker.faults(route.response, told)
        if faults:
            self.unfit.extend(f"{route.method}: {fault}" for fault in faults)
            raise ApiError(500, "internalError", f"The stand-in's answer is unfit: {faults[0]}")

    # Batches -------------------------------------------------------------------------------------

    def batch(self, headers: dict[str, str], body: bytes) -> Reply:
        """developers.google.com/workspace/gmail/api/guides/batch"""
        call = Call("batch", "", {}, False)
        self.requests.append(call)
        reply, _ = self._fault(call)
        if reply is not None:
            return reply
        kind = headers.get("content-type", "")
        parsed = BytesParser().parsebytes(b"Content-Type: " + kind.encode() + b"\r\n\r\n" + body)
        parts = parsed.get_payload()
        if not kind.startswith("multipart/mixed") or not isinstance(parts, list):
            return _error(bad_request("Failed to parse batch request, error: missing boundary.", "badRequest"))
        if len(parts) > self.batch_parts:
            return _error(
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
            return _error(bad_request("Failed to parse batch request.", "badRequest"))
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
        self._check(route, answer)
        return Reply(200, answer)


_REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


def _error(error: ApiError) -> Reply:
    return Reply(error.code, error.answer(), error.headers)


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


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - named by http.server

    def _serve(self) -> None:
        standin = self.server.standin
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        http = headers.pop("x-http-method-override", self.command)
        target = self.path
        if http != self.command and body:  # how the client sends an address of more than 2,048 characters
            target, body = f"{target}?{body.decode('ascii')}", b""
        if standin.latency:
            time.sleep(standin.latency)
        try:
            if target.partition("?")[0] == "/token":
                reply = standin.token(body)
            else:
                reply = self._api(standin, http, target, headers, body)
        except Broken as broken:
            self._break(broken)
            return
        self._send(reply)

    def _api(self, standin: GmailStandin, http: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        user = headers.get("authorization", "")
        grant = standin.oauth.check(user.partition(" ")[2])
        if grant is None:
            return _error(unauthenticated())
        try:
            standin.quota.enter(grant.user)
        except ApiError as error:
            return _error(error)
        try:
            if target.startswith("/batch"):
                return standin.batch(headers, body)
            return standin.call(http, target, headers, body)
        finally:
            standin.quota.leave(grant.user)

    def _head(self, reply: Reply) -> None:
        self.send_response(reply.code)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.code != 204:
            self.send_header("Content-Length", str(reply.length))
        self.end_headers()

    def _send(self, reply: Reply) -> None:
        self._head(reply)
        for piece in reply.pieces():
            self.wfile.write(piece)

    def _break(self, broken: Broken) -> None:
        """Cut the connection, after part of the answer if there is one to cut."""
        if broken.reply is not None:
            self._head(broken.reply)
            left = broken.fault.after or broken.reply.length // 2
            for piece in broken.reply.pieces():
                self.wfile.write(piece[:left])
                left -= len(piece)
                if left <= 0:
                    break
            self.wfile.flush()
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.wfile = _Nowhere()  # type: ignore[assignment]

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by http.server
        _log.debug(format, *args)


class _Nowhere:
    """Takes the place of a stream that was cut, so that closing it sends nothing."""

    closed = True

    def flush(self) -> None: ...

    def close(self) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], standin: GmailStandin) -> None:
        self.standin = standin
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        if request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)[:1] == b"\1":
            request.close()  # a reset, not a polite end
        else:
            super().shutdown_request(request)

    def close_connections(self) -> None:
        """Wake every handler that waits for a next request; each then closes its own socket."""
        with self._open_lock:
            waiting = list(self._open)
        for request in waiting:
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                _log.debug("a connection was gone already")

    def handle_error(self, request: Any, client_address: Any) -> None:
        _log.debug("a client went away", exc_info=True)
