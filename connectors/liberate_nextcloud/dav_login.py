"""Where an account's calendars and address books are at a server: found as RFC 6764 says, with its own login."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from liberate.connector import Account
from liberate.errors import AccountError
from liberate.settings import reveal
from liberate_nextcloud import dav_xml, refusals
from liberate_nextcloud.client import Client, Clients, Credential, Reply
from liberate_nextcloud.dav_settings import DavSettings
from liberate_nextcloud.dav_shelves import Site
from liberate_nextcloud.dav_xml import Told
from liberate_nextcloud.gate import Gate, key_of
from liberate_nextcloud.multistatus import NotXml
from liberate_nextcloud.threads import Threads

_REDIRECTIONS = 5
_DEPTH = {"Depth": "0", **dav_xml.XML}


@dataclass(frozen=True, slots=True)
class _Origin:
    """A server without the path that its settings may have: what is found there are whole paths."""

    url: str
    ca_file: Path | None
    timeout: float


@dataclass(slots=True)
class DavLogin:
    """One account, logged in to."""

    site: Site

    def close(self) -> None:
        self.site.threads.close()
        self.site.threads.clients.close()


def log_in(settings: DavSettings, account: Account, gate: Gate, step: Callable[[str], None] | None = None) -> DavLogin:
    """Raises AccountError where a person must act, TransientError when the server cannot be reached now."""
    parts = urlsplit(settings.url)
    name = account.name or settings.user
    user = settings.user or account.name
    whose = f"{name} at {parts.netloc}"
    if not user:
        raise AccountError("no-account", f"No account at {parts.netloc} is named.", "Name a user of the server.")
    password = account.secret or reveal(settings.password)
    if not password:
        raise AccountError(
            "no-password",
            f"There is no password for {whose}.",
            "Name one in the people table, or set LIBERATE_PASSWORD.",
        )
    key = key_of(settings.url, "dav", user, password)
    origin = _Origin(f"{parts.scheme}://{parts.netloc}", settings.ca_file, settings.timeout)
    clients = Clients(origin, Credential(user, password=password, key=key), gate, step)
    try:
        with gate.trying(key, lambda: refusals.login_refused(whose)), clients.one() as client:
            homes, loud, reminds = _Finder(client, whose, parts.netloc).homes(parts.path)
    except BaseException:
        clients.close()
        raise
    site = Site(whose, homes.calendars, homes.books, Threads(clients, settings.connections), loud, reminds)
    return DavLogin(site)


class _Finder:
    """Asks its way from the address that somebody typed to where the calendars are."""

    def __init__(self, client: Client, whose: str, host: str) -> None:
        self._client = client
        self._whose = whose
        self._host = host

    def homes(self, path: str) -> tuple[Told, bool, bool]:
        """Where calendars and address books are, and Site.loud and Site.reminds."""
        calendars = books = ""
        loud = reminds = False
        starts = [f"{path}/"] if path.strip("/") else []
        for service in ("caldav", "carddav"):
            for start in (*starts, f"/.well-known/{service}", "/"):
                principal = self._principal(start)
                if not principal:
                    continue
                reply = self._asked(principal, dav_xml.HOMES)
                told = self._one(reply)
                calendars = calendars or self._here(told.calendars)
                books = books or self._here(told.books)
                if calendars and reply is not None:
                    loud, reminds = self._schedules(calendars)
                break
            if calendars and books:
                break
        if not calendars and not books:
            raise AccountError(
                "no-calendars",
                f"{self._whose}: no calendars and no address books were found there.",
                "Give the url that the server's documentation names for CalDAV, with its path.",
            )
        return Told("", calendars=calendars, books=books), loud, reminds

    def _principal(self, start: str) -> str:
        """The path of whoever logs in; "" if this is no place to ask."""
        told = self._one(self._asked(start, dav_xml.PRINCIPAL))
        return self._here(told.principal, slash=False)

    def _asked(self, path: str, question: bytes) -> Reply | None:
        """The answer of the place that the path leads to, at this very server."""
        for _ in range(_REDIRECTIONS):
            try:
                return self._client.send("PROPFIND", path, question, _DEPTH)
            except refusals.Redirected as elsewhere:
                target = dav_xml.path_of(elsewhere.to)
                host, _, rest = target.removeprefix("//").partition("/")
                if not target.startswith("//"):
                    path = target
                elif host == self._host:
                    path = f"/{rest}"
                else:
                    raise
        return None

    def _one(self, reply: Reply | None) -> Told:
        if reply is None or reply.status != 207:
            if reply is not None and (reply.status in (423, 429) or reply.status >= 500) and reply.status != 501:
                raise refusals.refusal(reply, self._whose)
            return Told("")
        try:
            return dav_xml.one(reply.content)
        except NotXml:
            return Told("")

    def _here(self, path: str, *, slash: bool = True) -> str:
        """A path that the server named, which is at this server."""
        if path.startswith("//"):
            host, _, rest = path[2:].partition("/")
            if host != self._host:
                raise refusals.Redirected(self._whose, f"another server, {host}")
            path = f"/{rest}"
        return f"{path.rstrip('/')}/" if path and slash else path

    def _schedules(self, calendars: str) -> tuple[bool, bool]:
        """Whether it writes to guests and does not listen to what sabre/dav listens to; and whether it may remind them.

        What a server does about reminders, none says. One that writes to guests by itself may do that too.
        """
        reply = self._client.send("OPTIONS", calendars)
        features = {one.strip().lower() for one in reply.headers.get("DAV", "").split(",")}
        schedules = "calendar-auto-schedule" in features
        return schedules and not any(one.startswith("nc-") for one in features), schedules
