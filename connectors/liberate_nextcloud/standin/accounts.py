"""Who may log in: passwords, app passwords, sessions, an app that acts for users, and what stops guessing."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import string
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.exchange import Request
from liberate_nextcloud.standin.store import Store

UNLIMITED = -3
_ALPHABET = string.ascii_letters + string.digits
_GUESSING = 1800.0  # seconds that a failed login counts
_NO_LOGIN = (
    "No public access to this resource., AppAPIAuth has not passed, This request is not for a federated calendar, "
    "{basic}, No 'Authorization: Bearer' header found. Either the client didn't send one, or the server is "
    "mis-configured, {basic}"
)
_NO_BASIC = "No 'Authorization: Basic' header found. Either the client didn't send one, or the server is misconfigured"
_WRONG = "Username or password was incorrect"


@dataclass(slots=True)
class User:
    id: str
    hashed: str
    display: str
    email: str | None = None
    quota: int = UNLIMITED  # bytes
    enabled: bool = True
    admin: bool = False
    language: str = "en"
    manager: str = ""
    groups: list[str] = field(default_factory=list)
    subadmin: list[str] = field(default_factory=list)
    second_factor: bool = False  # then the login password opens nothing but the web page

    def accepts(self, password: str) -> bool:
        return secrets.compare_digest(self.hashed, _hashed(self.hashed.partition(":")[0], password))


def _hashed(salt: str, password: str) -> str:
    return salt + ":" + hashlib.sha256(f"{salt}:{password}".encode()).hexdigest()


def _token(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


class Accounts:
    """Users and groups, kept in the store, and who is logged in at the moment."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self.users = {key: User(**value) for key, value in store.kept("user").items()}
        self.groups: dict[str, str] = {"admin": "admin"} | store.kept("group")  # id: display name
        self._app_passwords: dict[str, str] = store.kept("app-password")  # hash: user
        self.apps: dict[str, tuple[str, str]] = {}  # id of an AppAPI app: version, secret
        self.login_cost = 0.0  # seconds that checking a login password takes
        self.attempts = 10  # after more failed logins of one address, all from there are refused
        self._failed: dict[str, list[tuple[float, str]]] = defaultdict(list)  # address: when, with which name
        self._sessions: dict[str, str] = {}  # cookie: user
        self._flows: dict[str, tuple[str, str, str]] = {}  # poll token: flow token, user, app password

    # Users and groups ----------------------------------------------------------------------------

    def add(
        self,
        user: str,
        password: str,
        *,
        display: str = "",
        email: str | None = None,
        quota: int = UNLIMITED,
        admin: bool = False,
        groups: tuple[str, ...] = (),
        second_factor: bool = False,
    ) -> User:
        """A new user; one that exists keeps what it has and gets this password."""
        hashed = _hashed(secrets.token_hex(4), password)
        if user in self.users:
            self.users[user].hashed = hashed
        else:
            made = User(user, hashed, display or user, email, quota, admin=admin, second_factor=second_factor)
            self.users[user] = made
            for group in (*groups, *(("admin",) if admin else ())):
                self.add_group(group)
                made.groups.append(group)
        self.changed(self.users[user])
        return self.users[user]

    def find(self, login: str) -> User | None:
        """By id, in any case of it, or by e-mail address, as logins go."""
        if login in self.users:
            return self.users[login]
        for user in self.users.values():
            if user.id.lower() == login.lower() or (user.email and user.email.lower() == login.lower()):
                return user
        return None

    def set_password(self, user: User, password: str) -> None:
        user.hashed = _hashed(secrets.token_hex(4), password)
        self.changed(user)

    def changed(self, user: User) -> None:
        self._store.keep("user", user.id, asdict(user))

    def delete(self, user: User) -> None:
        del self.users[user.id]
        self._store.keep("user", user.id, None)
        for hashed, owner in list(self._app_passwords.items()):
            if owner == user.id:
                self.forget_app_password(hashed)

    def add_group(self, group: str, display: str = "") -> None:
        if group not in self.groups:
            self.groups[group] = display or group
            self._store.keep("group", group, self.groups[group])

    def delete_group(self, group: str) -> None:
        del self.groups[group]
        self._store.keep("group", group, None)
        for user in self.users.values():
            if group in user.groups:
                user.groups.remove(group)
                self.changed(user)

    # App passwords -------------------------------------------------------------------------------

    def app_password(self, user: str) -> str:
        """A new one, as `occ user:auth-tokens:add` makes them."""
        made = _token(72)
        hashed = _hashed("app", made)
        self._app_passwords[hashed] = user
        self._store.keep("app-password", hashed, user)
        return made

    def forget_app_password(self, hashed: str) -> None:
        self._app_passwords.pop(hashed, None)
        self._store.keep("app-password", hashed, None)

    def app_password_of(self, request: Request) -> str | None:
        """The key of the app password this request logged in with, for forget_app_password."""
        hashed = _hashed("app", _basic(request)[1])
        return hashed if hashed in self._app_passwords else None

    # Logging in ----------------------------------------------------------------------------------

    def identify(self, request: Request) -> None:
        """Find out whose request it is, and set `user` on it; "" stays for nobody. Raises Refusal: 401 for wrong
        credentials, 429 once too many were wrong."""
        if request.header("authorization-app-api"):
            self._by_app(request)
            return
        cookie = self._cookie(request)
        owner = self._sessions.get(cookie, "")
        if owner and owner not in self.users:
            owner = ""
        if owner and request.method == "POST" and not request.header("ocs-apirequest"):
            del self._sessions[cookie]  # no proof against forged requests: out, and log in anew
            request.said += [("Set-Cookie", "nc_username=deleted; Max-Age=0; path=/; HttpOnly")]
            owner = ""
        scheme, _, credentials = request.header("authorization").partition(" ")
        if scheme.lower() == "bearer":
            self._guarded(request, "", lambda: self._with_app_password(request, "", credentials.strip()))
            return
        login, password = _basic(request)
        if owner and (not login or self._same(login, owner)):
            request.user = owner
            request.app_password = bool(login) and self.app_password_of(request) is not None
            return
        if scheme.lower() != "basic":
            return
        self._guarded(request, login, lambda: self._with_password(request, login, password))
        self._open_session(request)

    def _same(self, login: str, owner: str) -> bool:
        user = self.find(login)
        return user is not None and user.id == owner

    def _guarded(self, request: Request, login: str, check: Callable[[], bool]) -> None:
        now = self._clock()
        recent = [(at, name) for at, name in self._failed[request.address] if at > now - _GUESSING]
        self._failed[request.address] = recent
        if len(recent) > self.attempts:
            raise errors.too_many_requests()
        if not check():
            recent.append((now, login))
            raise errors.unauthenticated(_NO_LOGIN.format(basic=_WRONG))
        if recent:  # who gets it right is forgiven what went before
            self._failed[request.address] = [(at, name) for at, name in recent if name != login]

    def forgive(self) -> None:
        """Forget all failed logins, as `occ security:bruteforce:reset` does."""
        self._failed.clear()

    def _with_password(self, request: Request, login: str, password: str) -> bool:
        if self._with_app_password(request, login, password):
            return True
        if self.login_cost:
            time.sleep(self.login_cost)
        user = self.find(login)
        if user is None or not user.enabled or user.second_factor or not user.accepts(password):
            return False
        request.user = user.id
        return True

    def _with_app_password(self, request: Request, login: str, password: str) -> bool:
        owner = self._app_passwords.get(_hashed("app", password))
        if owner is None or not self.users[owner].enabled or (login and not self._same(login, owner)):
            return False
        request.user = owner
        request.app_password = True
        return True

    def _by_app(self, request: Request) -> None:
        known = self.apps.get(request.header("ex-app-id"))
        try:
            told = base64.b64decode(request.header("authorization-app-api"), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            told = ""
        user, _, secret = told.partition(":")
        # A wrong secret counts against guessing as any other failed login does.
        right = known is not None and bool(request.header("aa-version")) and secrets.compare_digest(known[1], secret)
        right = right and known is not None and request.header("ex-app-version") == known[0]

        def check() -> bool:
            return right and (not user or (user in self.users and self.users[user].enabled))

        self._guarded(request, user, check)
        request.user = user
        request.by_app = True

    def challenge(self) -> errors.Refusal:
        """What DAV says to nobody."""
        return errors.unauthenticated(_NO_LOGIN.format(basic=_NO_BASIC))

    # Sessions ------------------------------------------------------------------------------------

    def _cookie(self, request: Request) -> str:
        for pair in request.header("cookie").split(";"):
            name, _, value = pair.strip().partition("=")
            if name == self._store.instance:
                return value
        return ""

    def _open_session(self, request: Request) -> None:
        cookie = secrets.token_hex(16)
        if len(self._sessions) >= 10_000:  # a client that keeps no cookies opens one with every request
            self._sessions.pop(next(iter(self._sessions)))
        self._sessions[cookie] = request.user
        request.said += [
            ("Set-Cookie", f"oc_sessionPassphrase={_token(24)}; path=/; HttpOnly; SameSite=Lax"),
            ("Set-Cookie", "nc_sameSiteCookielax=true; path=/; httponly; SameSite=lax"),
            ("Set-Cookie", "nc_sameSiteCookiestrict=true; path=/; httponly; SameSite=strict"),
            ("Set-Cookie", f"{self._store.instance}={cookie}; path=/; HttpOnly; SameSite=Lax"),
        ]

    # Login flow v2 -------------------------------------------------------------------------------

    def begin_flow(self) -> tuple[str, str]:
        """The token to poll with, and the one in the address to open."""
        poll, flow = _token(128), _token(128)
        self._flows[poll] = (flow, "", "")
        return poll, flow

    def grant_flow(self, flow: str, user: str) -> None:
        """What happens when the user confirms in a browser. Raises KeyError."""
        poll = next(token for token, (known, _, _) in self._flows.items() if known == flow)
        self._flows[poll] = (flow, user, self.app_password(user))

    def poll_flow(self, poll: str) -> tuple[str, str] | None:
        """Login name and app password, once; None: not confirmed, or unknown."""
        _, user, password = self._flows.get(poll, ("", "", ""))
        if not user:
            return None
        del self._flows[poll]
        return user, password


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, credentials = request.header("authorization").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        login, _, password = base64.b64decode(credentials.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return login, password
