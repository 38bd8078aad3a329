"""The stand-in itself: people, mailboxes, sites and drives behind TLS, with sign-in, limits and faults."""

from __future__ import annotations

import itertools
import re
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, quote

from liberate.testing.standin import Faults, Served, Server
from liberate_microsoft.standin import exchange_paths, mail_routes, routes, shapes
from liberate_microsoft.standin.entra import Entra, Grant
from liberate_microsoft.standin.errors import ApiError, unauthenticated
from liberate_microsoft.standin.faults import Call, Fault
from liberate_microsoft.standin.mailbox import Mailbox
from liberate_microsoft.standin.pim import PimBox
from liberate_microsoft.standin.quota import TEN_MINUTES, Crowd, Quota
from liberate_microsoft.standin.reply import Broken, Reply, refusal, request_ids
from liberate_microsoft.standin.tree import Blob, Drive, Node
from liberate_microsoft.standin.wire import Connection

Check: TypeAlias = Callable[[str, Any], Sequence[str]]
"""Says what is wrong with an answer of a type: "user", "site", "drive", "item", "permission", "version",
"mailFolder", "message", "calendar", "event", "attachment", "contact", "contactFolder", "calendarGroup", "category"."""


@dataclass(slots=True)
class Member:
    """A person of the tenant."""

    address: str
    name: str
    drive: Drive | None
    locked: bool = False


@dataclass(slots=True)
class Site:
    """A SharePoint site."""

    id: str
    path: str  # "sites/Board"; "" of the root site
    title: str
    libraries: list[Drive] = field(default_factory=list)


class GraphStandin(Served):
    """Graph's drives and mail and Entra's sign-in on a free loopback port, while the `with` block lasts.

    `check` judges every answer; what does not fit is kept in `unfit` and answered with 500. `page` is how
    many entries a page of a delta has, and `disorder` lets children come before their folders.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        *,
        port: int = 0,
        tenant: str = "solros.example",
        page: int = 200,
        check: Check | None = None,
    ) -> None:
        import trustme  # noqa: PLC0415 - of the extra "sandbox"

        self.clock = clock
        self.page = page
        self.disorder = False
        self.download_seconds = 300.0  # how long an address for a download is good
        self.latency = 0.0  # seconds that each request takes at least
        self.entra = Entra(tenant, clock)
        self.quota = Quota(clock)
        self.faults = Faults[Fault]()
        self.requests: list[Call] = []
        self.unfit: list[str] = []
        self.people: dict[str, Member] = {}
        self.sites: dict[str, Site] = {}
        self.drives: dict[str, Drive] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self.pims: dict[str, PimBox] = {}
        self.mail_quotas: dict[str, Quota] = {}  # by address: requests in any ten minutes
        self.crowd = Crowd()
        self.host = f"{tenant.partition('.')[0]}.sharepoint.example"
        self._check = check
        self._graph = routes.Graph(self)
        self._downloads: dict[str, tuple[Node, Blob | None, float]] = {}  # no blob: what the file is by then
        self._numbers = itertools.count(1)
        self._ids = request_ids()
        self._authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._server = Server(("127.0.0.1", port), partial(Connection, service=self), context)
        self.url = f"https://127.0.0.1:{self._server.server_address[1]}"
        self.entra.url = self.url
        self.add_site("", "Communication site")

    # For tests and the sandbox -------------------------------------------------------------------

    def ca_file(self, path: Path) -> Path:
        """Write the certificate authority that the stand-in's certificate comes from."""
        path.write_bytes(self._authority.cert_pem.bytes())
        return path

    def key_file(self, path: Path) -> str:
        """Register a certificate for the application and write its private key; the thumbprint."""
        from cryptography import x509  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from trustme import CA, KeyType  # noqa: PLC0415

        made = CA(key_type=KeyType.RSA)
        path.touch(0o600)
        path.write_bytes(made.private_key_pem.bytes())
        self.entra.certificate = x509.load_pem_x509_certificate(made.cert_pem.bytes())
        return str(self.entra.certificate.fingerprint(hashes.SHA1()).hex()).upper()  # noqa: S303

    def add_person(self, address: str, name: str = "", *, drive: bool = True) -> Drive:
        """A new person with an empty OneDrive; without `drive` they never opened it, and it is not reachable."""
        title = name or address.partition("@")[0].title()
        host = self.host.replace(".", "-my.", 1)
        web = f"https://{host}/personal/{re.sub('[^a-z0-9]', '_', address.lower())}/Documents"
        made = Drive(address.lower(), "OneDrive", "business", self.clock, address.lower(), web)
        self.people[address.lower()] = Member(address.lower(), title, made if drive else None)
        if drive:
            self.drives[made.id] = made
        return made

    def add_mailbox(
        self, address: str, name: str = "", *, shared: bool = False, names: dict[str, str] | None = None
    ) -> Mailbox:
        """A new, empty mailbox; of a new person without a drive, if there is nobody of that address. `names` says what
        its well-known folders are called, where that is not in English."""
        key = address.lower()
        if key not in self.people:
            self.add_person(key, name, drive=False)
        made = self.mailboxes[key] = Mailbox(key, self.clock, names)
        made.shared = shared
        self.mail_quotas[key] = Quota(self.clock, TEN_MINUTES)
        return made

    def add_pim(self, address: str, name: str = "") -> PimBox:
        """The calendars and contacts of a mailbox, still empty; of a new person without a drive, if need be."""
        key = address.lower()
        if key not in self.people:
            self.add_person(key, name, drive=False)
        made = self.pims[key] = PimBox(key, self.people[key].name, self.clock)
        self.mail_quotas.setdefault(key, Quota(self.clock, TEN_MINUTES))
        return made

    def person(self, who: str) -> Member | None:
        """The person of that address or id."""
        found = self.people.get(who.lower())
        return found or next((one for one in self.people.values() if shapes.guid(one.address) == who), None)

    def add_site(self, path: str, title: str) -> Site:
        """A new SharePoint site, such as "sites/Board"."""
        made = Site(f"{self.host},{shapes.guid(f'site {path}')},{shapes.guid(f'web {path}')}", path, title)
        self.sites[path.lower()] = made
        return made

    def add_library(self, site: Site, name: str = "Documents", in_address: str = "") -> Drive:
        """A new, empty library of a site; `in_address` is its name in addresses, where that is another."""
        web = "/".join(filter(None, (f"https://{self.host}", quote(site.path), quote(in_address or name))))
        made = Drive(f"{site.path}/{name}", name, "documentLibrary", self.clock, "", web)
        site.libraries.append(made)
        self.drives[made.id] = made
        return made

    def download_url(self, drive: Drive, node: Node, blob: Blob | None = None) -> str:
        """An address that gives the file's bytes without any sign-in, for a while; `blob`: those of a version."""
        key = f"tempauth-{next(self._numbers)}"
        self._downloads[key] = (node, blob, self.clock() + self.download_seconds)
        if len(self._downloads) > 10_000:
            self._downloads.pop(next(iter(self._downloads)))
        return f"{self.url}/download/{quote(drive.name)}/{node.id}?tempauth={key}"

    # Answering -----------------------------------------------------------------------------------

    def answer(self, http: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """The reply to any HTTP request. Raises Broken for one that gets none."""
        path, _, text = target.partition("?")
        query = dict(parse_qsl(text, keep_blank_values=True))
        steps = routes.split(path)
        whose = self._mailbox_of(steps)
        leave = partial(self.crowd.leave, whose) if whose else None
        try:
            if leave is not None:
                self.crowd.enter(whose)
            if steps[:1] == ["download"]:
                reply = self._download(steps, query, headers)
            elif steps[:1] in (["v1.0"], ["beta"]):
                reply = self._call(http, steps, query, headers)
            else:
                reply = self._entra(http, steps, query, headers, body)
        except ApiError as error:
            reply = refusal(error)
        except BaseException:
            if leave is not None:
                leave()
            raise
        reply.headers["request-id"] = next(self._ids)
        if leave is not None:
            reply.after = leave
            if mail_routes.IMMUTABLE.lower() in headers.get("prefer", "").lower():
                reply.headers["Preference-Applied"] = mail_routes.IMMUTABLE
        return reply

    def _mailbox_of(self, steps: list[str]) -> str:
        """The address of the mailbox that a call is about; "" for other calls."""
        if steps[:1] not in (["v1.0"], ["beta"]) or not exchange_paths.is_exchange(steps[1:]):
            return ""
        person = self.person(steps[2]) if steps[1] == "users" else None
        return person.address if person is not None else "me"

    def _entra(self, http: str, steps: list[str], query: dict[str, str], headers: dict[str, str], body: bytes) -> Reply:
        last = steps[-1] if steps else ""
        fault = self._fault(Call(last if last in ("token", "devicecode") else "discovery", "", query, headers))
        return self._broken(self.entra.answer(http, steps, body) if steps else refusal(unauthenticated()), fault)

    def _call(self, http: str, steps: list[str], query: dict[str, str], headers: dict[str, str]) -> Reply:
        version, *steps = steps
        call = routes.named(steps, query, headers)
        fault = self._fault(call)
        grant = self._grant(headers)
        if exchange_paths.is_exchange(steps):
            spent = self.mail_quotas.get(self._mailbox_of([version, *steps]))
            if spent is not None:
                spent.spend(1)
        else:
            self.quota.spend(routes.units(call))
        if http != "GET":
            raise ApiError(405, "methodNotAllowed", "This stand-in is for reading.")
        answer = (self._graph.beta if version == "beta" else self._graph.answer)(steps, call, grant)
        if isinstance(answer, Reply):
            return self._broken(answer, fault)
        kind, told = answer
        self._judge(kind, told, call.method)
        context = {"@odata.context": f"https://graph.microsoft.com/v1.0/$metadata#{'/'.join(steps[:1])}"}
        return self._broken(Reply(200, context | routes.selected(told, query)), fault)

    def _grant(self, headers: dict[str, str]) -> Grant:
        word, _, token = headers.get("authorization", "").partition(" ")
        grant = self.entra.check(token) if word.lower() == "bearer" else None
        if grant is None:
            raise unauthenticated()
        return grant

    def _fault(self, call: Call) -> Fault | None:
        """The fault that is to break the answer. Raises the error that it gives instead, or Broken."""
        self.requests.append(call)
        fault = self.faults.strike(call)
        if fault is None:
            return None
        if fault.does is not None:
            fault.does()
            return None
        if fault.breaks == "reset":
            raise Broken
        if fault.breaks:
            return fault
        extra = {"Retry-After": fault.retry_after} if fault.retry_after is not None else {}
        raise ApiError(fault.status, fault.code, "A fault on purpose.", extra)

    @staticmethod
    def _broken(reply: Reply, fault: Fault | None) -> Reply:
        if fault is None:
            return reply
        if fault.breaks == "bad-json":
            return Reply(200, text=b"".join(reply.pieces())[: reply.length // 2], headers=reply.headers)
        if fault.breaks == "html":
            return Reply(200, text=b"<html><body>Please wait.</body></html>", headers={"Content-Type": "text/html"})
        reply.fault = fault
        return reply

    def _judge(self, kind: str, told: Any, method: str) -> None:
        if self._check is None:
            return
        each = told["value"] if kind.endswith("[]") else [told]
        faults = [fault for one in each for fault in self._check(kind.removesuffix("[]"), one)]
        if faults:
            self.unfit.extend(f"{method}: {fault}" for fault in faults)
            raise ApiError(500, "generalException", f"The stand-in's answer is unfit: {faults[0]}")

    # Bytes ---------------------------------------------------------------------------------------

    def _download(self, steps: list[str], query: dict[str, str], headers: dict[str, str]) -> Reply:
        fault = self._fault(Call("download", steps[-1], query, headers))
        if "authorization" in headers:
            raise ApiError(401, "unauthenticated", "These addresses take no token.")
        found = self._downloads.get(query.get("tempauth", ""))
        if found is None or found[2] < self.clock():
            raise ApiError(401, "unauthenticated", "The tempauth has expired.")
        node = found[0]
        blob = found[1] or node.blob
        if node.deleted:
            raise ApiError(404, "itemNotFound", "The item is gone.")
        about = {"Content-Type": "application/octet-stream", "ETag": f'"{node.ctag}"', "Accept-Ranges": "bytes"}
        ignored = fault is not None and fault.breaks == "no-range"
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", headers.get("range", ""))
        size = blob.size
        if wanted is None or ignored:
            return Reply(200, None, about, blob=blob, fault=fault)
        start, stop = int(wanted[1]), min(size, int(wanted[2]) + 1 if wanted[2] else size)
        if start >= size:
            return Reply(416, None, {"Content-Range": f"bytes */{size}"})
        about["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        return Reply(206, None, about, blob=blob, part=(start, stop), fault=fault)
