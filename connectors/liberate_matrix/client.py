"""One HTTP connection to a homeserver, for all accounts that the application service may speak for.

What is sent in somebody's name carries a device: only then does Synapse keep transaction ids in its database, so
that a request sent again after either side died is the same event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from urllib3.response import BaseHTTPResponse

from liberate.errors import AccountError, LiberateError
from liberate_matrix import refusals
from liberate_matrix.registration import Registration
from liberate_matrix.settings import MatrixSettings
from liberate_matrix.wire import Failure, Wire

DEVICE = "LIBERATE"
_V3 = "/_matrix/client/v3"
_CHUNK = 256 << 10
_CONFLICT = 409


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said; `code` is "" unless it refused in a way that the caller called fine."""

    status: int
    body: Any
    code: str = ""


class Client:
    """The connection; used by one thread at a time."""

    def __init__(
        self, settings: MatrixSettings, registration: Registration, step: Callable[[str], None] | None = None
    ) -> None:
        self._where = urlsplit(settings.url).netloc
        self._step = step or (lambda _what: None)
        self._limit: int | None = None
        self.joins = 0  # that this connection has made
        self.bot = ""
        headers = {"User-Agent": "liberate", "Authorization": f"Bearer {registration.token}"}
        self._wire = Wire(settings.url, headers, settings.timeout, settings.ca_file)
        self.bot = str(self.get(f"{_V3}/account/whoami").body.get("user_id", ""))
        self.domain = self.bot.partition(":")[2]
        if not self.domain:
            raise refusals.no_homeserver(self._where)

    def close(self) -> None:
        self._wire.close()

    # Requests ------------------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        json_: Any = None,
        *,
        user: str | None = None,
        device: bool = False,
        params: Mapping[str, str | int] | None = None,
        fine: tuple[str, ...] = (),
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        many: bool = False,
    ) -> Answer:
        """The answer, a JSON object, or an array if `many`. A refusal with one of the `fine` errcodes is an answer.

        Any other is raised.
        """
        with self._sent(method, path, json_, user, device, params, data, headers) as response:
            try:
                body = json.loads(response.data or b"{}")
            except ValueError:
                body = None
            if response.status < 300 and isinstance(body, list if many else dict):
                return Answer(response.status, body)
            told = body if isinstance(body, dict) else {}
            code = str(told.get("errcode", ""))
            if code and code in fine:
                return Answer(response.status, told, code)
            status, error = response.status, self._refusal(response, told, user)
        if isinstance(error, AccountError) and error.code == refusals.NOBODY and status >= 400 and self._is_there():
            raise refusals.blocked(status, self._where)
        raise error

    def get(self, path: str, **more: Any) -> Answer:
        return self.ask("GET", path, **more)

    def _is_there(self) -> bool:
        """Whether the homeserver answers as it did before."""
        if not self.bot:
            return False
        bot, self.bot = self.bot, ""  # so that this question is not asked about itself
        try:
            return bool(self.get(f"{_V3}/account/whoami").body.get("user_id") == bot)
        except LiberateError:
            return False
        finally:
            self.bot = bot

    @contextmanager
    def _sent(
        self,
        method: str,
        path: str,
        json_: Any,
        user: str | None,
        device: bool,
        params: Mapping[str, str | int] | None,
        data: Any,
        headers: Mapping[str, str] | None,
    ) -> Iterator[BaseHTTPResponse]:
        asked: dict[str, str | int] = dict(params or {})
        given = dict(headers or {})
        if user is not None:
            asked["user_id"] = user
            if device:
                asked["device_id"] = DEVICE
        if json_ is not None:
            data = json.dumps(json_, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
            given["Content-Type"] = "application/json"
        # "before PUT send", "after POST createRoom": what a request is for, without any id.
        what = f"{method} {_purpose(path)}"
        if asked:
            path = f"{path}?{urlencode(asked)}"
        self._step(f"before {what}")
        try:
            with self._wire.request(method, path, data, given) as response:
                if method != "GET":
                    response.data  # noqa: B018 - it has been done once it is answered
                    self._step(f"after {what}")
                yield response
        except Failure as error:
            raise refusals.unreachable(error, self._where, self._wire.proxy) from None

    def _refusal(self, response: BaseHTTPResponse, told: Mapping[str, Any], user: str | None) -> Exception:
        if 300 <= response.status < 400:
            return refusals.no_homeserver(self._where)
        retry = told.get("retry_after_ms")
        after = response.headers.get("Retry-After", "")
        if retry is None and after.isdigit():
            retry = int(after) * 1000
        code = str(told.get("errcode", ""))
        return refusals.refusal(response.status, code, str(told.get("error", "")), retry, user, self._where)

    # Accounts ------------------------------------------------------------------------------------

    def register(self, localpart: str) -> None:
        """Make an account of the application service's own, without a token; one that is there is fine."""
        body = {"type": "m.login.application_service", "username": localpart, "inhibit_login": True}
        self.ask("POST", f"{_V3}/register", body, fine=("M_USER_IN_USE",))

    def profile(self, user: str) -> dict[str, Any]:
        """What the account shows of itself: its `displayname` and `avatar_url`, if it has them."""
        told = self.get(f"{_V3}/profile/{q(user)}", fine=("M_NOT_FOUND",))
        return {} if told.code else dict(told.body)

    def give_device(self, user: str) -> None:
        """Make the account the device by which its requests are told apart; one that is there is fine.

        Raises AccountError where there is no such account.
        """
        self.ask("PUT", f"{_V3}/devices/{DEVICE}", {"display_name": "Import"}, user=user)

    def set_profile(self, user: str, what: str, value: str) -> None:
        """Change what the account shows of itself."""
        self.ask("PUT", f"{_V3}/profile/{q(user)}/{q(what)}", {what: value}, user=user)

    # Rooms ---------------------------------------------------------------------------------------

    def resolve(self, alias: str) -> str | None:
        """The room of that alias."""
        told = self.get(f"{_V3}/directory/room/{q(alias)}", fine=("M_NOT_FOUND",))
        return None if told.code else str(told.body["room_id"])

    def name_room(self, alias: str, room: str) -> bool:
        """Give the room that alias; False if it is another room's."""
        fine = ("M_UNKNOWN", "M_ROOM_IN_USE")  # Synapse: 409 with M_UNKNOWN
        told = self.ask("PUT", f"{_V3}/directory/room/{q(alias)}", {"room_id": room}, fine=fine)
        return not told.code or self.resolve(alias) == room

    def forget_alias(self, alias: str) -> None:
        """Take an alias of the application service's own away from whatever room has it."""
        self.ask("DELETE", f"{_V3}/directory/room/{q(alias)}", fine=("M_NOT_FOUND",))

    def aliases(self, user: str, room: str) -> list[str]:
        """All of this homeserver's aliases that lead to the room."""
        return list(self.get(f"{_V3}/rooms/{q(room)}/aliases", user=user).body["aliases"])

    def create_room(self, user: str, body: Mapping[str, Any]) -> str | None:
        """A new room; None if its alias is taken."""
        # Two at once: Synapse sees it when it gives the alias away, and answers 409 with M_UNKNOWN.
        fine = ("M_ROOM_IN_USE", "M_UNKNOWN")
        told = self.ask("POST", f"{_V3}/createRoom", body, user=user, fine=fine)
        if told.code == "M_UNKNOWN" and told.status != _CONFLICT:
            raise refusals.refusal(told.status, told.code, "", None, user, self._where)
        return None if told.code else str(told.body["room_id"])

    def state(self, user: str, room: str, type_: str, key: str = "") -> dict[str, Any] | None:
        """The content of a state event; None if there is none."""
        told = self.get(f"{_V3}/rooms/{q(room)}/state/{q(type_)}/{q(key)}", user=user, fine=("M_NOT_FOUND",))
        return None if told.code else dict(told.body)

    def set_state(
        self, user: str, room: str, type_: str, content: Mapping[str, Any], key: str = "", ts: int | None = None
    ) -> None:
        """Set state. What is there already in the same words makes no new event, as far as Synapse is asked."""
        params = {} if ts is None else {"ts": ts}
        self.ask("PUT", f"{_V3}/rooms/{q(room)}/state/{q(type_)}/{q(key)}", content, user=user, params=params)

    def join(self, user: str, room: str, content: Mapping[str, Any], ts: int | None = None) -> None:
        """Let the account enter a room that it is not in and may enter; `content`: of its membership, besides."""
        self.set_state(user, room, "m.room.member", {"membership": "join", **content}, user, ts)
        self.joins += 1

    def all_state(self, user: str, room: str) -> list[dict[str, Any]]:
        """Every state event of the room. Raises ItemError("forbidden") if the user is not in it."""
        told = self.ask("GET", f"{_V3}/rooms/{q(room)}/state", user=user, many=True)
        return list(told.body)

    def forget_room(self, user: str, room: str) -> None:
        """Take a room that the user has left out of what is shown to them."""
        self.ask("POST", f"{_V3}/rooms/{q(room)}/forget", {}, user=user)

    def is_here(self, user: str) -> bool:
        """Whether the account is one of this homeserver."""
        return user.partition(":")[2] == self.domain

    def member(self, user: str, room: str, of: str) -> str:
        """The membership of `of`, as `user` sees it; "" for none."""
        return str((self.state(user, room, "m.room.member", of) or {}).get("membership", ""))

    def joined(self, user: str, room: str) -> set[str]:
        """Those of this homeserver who are in the room; nobody else's requests could be sent in their name."""
        return {one for one in self.everybody(user, room) if self.is_here(one)}

    def everybody(self, user: str, room: str) -> set[str]:
        """All who are in the room; nobody if none of this homeserver's people is in it."""
        # Synapse lets an application service ask as long as anybody of its namespaces is in the room.
        told = self.get(f"{_V3}/rooms/{q(room)}/joined_members", user=user, fine=("M_FORBIDDEN",))
        return set(told.body.get("joined", {}))

    def send(
        self,
        user: str,
        room: str,
        type_: str,
        txn: str,
        content: Mapping[str, Any],
        ts: int,
        fine: tuple[str, ...] = (),
    ) -> Answer:
        """Say something in the room; the same event for the same `txn`, which no other request in the room may have."""
        path = f"{_V3}/rooms/{q(room)}/send/{q(type_)}/{q(txn)}"
        return self.ask("PUT", path, content, user=user, device=True, params={"ts": ts}, fine=fine)

    def event(self, user: str, room: str, id_: str) -> dict[str, Any]:
        """One event. Raises ItemError("gone")."""
        return dict(self.get(f"{_V3}/rooms/{q(room)}/event/{q(id_)}", user=user).body)

    def relations(self, user: str, room: str, id_: str, rel_type: str) -> Iterator[dict[str, Any]]:
        """The events that relate to this one in that way."""
        path = f"/_matrix/client/v1/rooms/{q(room)}/relations/{q(id_)}/{q(rel_type)}"
        start: dict[str, str | int] = {}
        while True:
            told = self.get(path, user=user, params={"limit": 100, **start}).body
            yield from told["chunk"]
            if not told.get("next_batch"):
                return
            start = {"from": told["next_batch"]}

    def history(self, user: str, room: str, wanted: Mapping[str, Any], page: int = 500) -> Iterator[dict[str, Any]]:
        """The room's events that match the filter, newest first."""
        start: dict[str, str | int] = {}
        asked = json.dumps({"lazy_load_members": True, **wanted})
        while True:
            params = {"dir": "b", "limit": page, "filter": asked, **start}
            told = self.get(f"{_V3}/rooms/{q(room)}/messages", user=user, params=params).body
            yield from told["chunk"]
            if not told.get("end"):
                return
            start = {"from": told["end"]}

    def following(self, user: str, room: str, id_: str, wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The room's events after this one that match the filter, oldest first."""
        around = self.get(f"{_V3}/rooms/{q(room)}/context/{q(id_)}", user=user, params={"limit": 0}).body
        start, asked = around["end"], json.dumps({"lazy_load_members": True, **wanted})
        while start:
            params = {"dir": "f", "limit": 50, "filter": asked, "from": start}
            told = self.get(f"{_V3}/rooms/{q(room)}/messages", user=user, params=params).body
            yield from told["chunk"]
            start = told.get("end")

    def creator(self, user: str, room: str) -> str:
        """Who made the room. Raises ItemError("forbidden") if the user is not in it."""
        told = self.get(f"{_V3}/rooms/{q(room)}/state/m.room.create/", user=user, params={"format": "event"}).body
        return str(told["sender"])

    def account_data(self, user: str, type_: str, room: str = "") -> dict[str, Any] | None:
        """What the account keeps under that name, for itself or for a room; None if nothing."""
        told = self.get(_data_path(user, type_, room), user=user, fine=("M_NOT_FOUND",))
        return None if told.code else dict(told.body)

    def set_account_data(self, user: str, type_: str, content: Mapping[str, Any], room: str = "") -> None:
        """Keep something with the account."""
        self.ask("PUT", _data_path(user, type_, room), content, user=user)

    def mark_read(self, user: str, room: str, id_: str) -> None:
        """Whatever is in the room up to that event, the account has read; nobody else is told. Never goes back."""
        body = {"m.fully_read": id_, "m.read.private": id_}
        self.ask("POST", f"{_V3}/rooms/{q(room)}/read_markers", body, user=user)

    # Files ---------------------------------------------------------------------------------------

    def upload_limit(self) -> int | None:
        """How many bytes a file may have; None: the server does not say."""
        if self._limit is None:
            self._limit = int(self.get("/_matrix/client/v1/media/config").body.get("m.upload.size") or 0)
        return self._limit or None

    def new_media(self) -> str:
        """The mxc:// address of a file that is still to be uploaded."""
        return str(self.ask("POST", "/_matrix/media/v1/create", {}, user=self.bot).body["content_uri"])

    def upload(self, mxc: str, data: Any, media_type: str, name: str) -> str:
        """Give the address its bytes, `data` with a length; "" or the errcode that says it has some, or is no more."""
        path = f"/_matrix/media/v3/upload/{mxc.removeprefix('mxc://')}"
        params = {"filename": name} if name else {}
        fine = ("M_CANNOT_OVERWRITE_MEDIA", "M_NOT_FOUND")
        headers = {"Content-Type": media_type}
        told = self.ask("PUT", path, user=self.bot, params=params, data=data, headers=headers, fine=fine)
        return told.code

    def has_media(self, mxc: str) -> bool:
        """Whether that address has bytes."""
        with self._download(mxc) as response:
            return response.status == 200

    def download(self, mxc: str) -> Iterator[bytes]:
        """The bytes. Raises ItemError("gone")."""
        with self._download(mxc) as response:
            if response.status in (404, 504):
                raise refusals.gone()
            if response.status != 200:
                raise self._refusal(response, {}, None)
            yield from response.stream(_CHUNK)

    @contextmanager
    def _download(self, mxc: str) -> Iterator[BaseHTTPResponse]:
        path = f"/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}"
        with self._sent("GET", path, None, self.bot, False, {"timeout_ms": 0}, None, None) as response:
            if response.status >= 500 and b"M_NOT_YET_UPLOADED" not in response.data:
                raise self._refusal(response, {}, None)
            yield response


def q(text: str) -> str:
    """Quoted for a path."""
    return quote(text, safe="")


def _data_path(user: str, type_: str, room: str) -> str:
    where = f"/rooms/{q(room)}" if room else ""
    return f"{_V3}/user/{q(user)}{where}/account_data/{q(type_)}"


def _purpose(path: str) -> str:
    """What a request is for: the words of its path that are no ids."""
    found = re.search(
        r"/(register|devices|profile|directory|createRoom|state/[^/]+|send|event|relations|messages|context|account_data"
        r"|read_markers|config|create|upload|download|whoami|joined_members)(?=/|$)",
        path,
    )
    return found[1] if found else "request"
