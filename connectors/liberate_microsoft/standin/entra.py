"""The stand-in's sign-in: an application's secret or certificate, and a person's consent by device code."""

from __future__ import annotations

import base64
import itertools
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from liberate_microsoft.standin.errors import ApiError
from liberate_microsoft.standin.reply import Reply
from liberate_microsoft.standin.shapes import guid

ALL_ROLES = frozenset(
    {
        "Files.Read.All",
        "Sites.Read.All",
        "User.Read.All",
        "Group.Read.All",
        "Mail.Read",
        "MailboxSettings.Read",
        "Calendars.Read",
        "Contacts.Read",
    }
)
_DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 3600.0


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token allows."""

    user: str  # address; "" for the application itself
    roles: frozenset[str]
    ends: float


@dataclass(slots=True)
class _Flow:
    user_code: str
    device_code: str
    user: str = ""  # who typed the code in
    refused: bool = False
    scopes: str = ""


class OAuthError(Exception):
    """What the token endpoint answers instead of a token."""

    def __init__(self, error: str, number: int, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.reply = Reply(
            status,
            {
                "error": error,
                "error_description": f"AADSTS{number}: {text} Trace ID: {guid(text)}",
                "error_codes": [number],
                "timestamp": "2026-01-01 00:00:00Z",
                "trace_id": guid(text),
                "correlation_id": guid(error),
            },
        )


@dataclass(slots=True)
class Entra:
    """Signs in for one tenant. Tokens are opaque, and end when `clock` says so."""

    tenant: str
    clock: Callable[[], float]
    client_id: str = "11111111-2222-4333-8444-555555555555"
    client_secret: str = "sandbox~Secret.Value-1"  # noqa: S105 - it opens nothing but this
    certificate: Any = None  # cryptography's certificate whose key may sign assertions
    roles: frozenset[str] = ALL_ROLES  # application permissions with admin consent
    url: str = ""
    flows: list[_Flow] = field(default_factory=list)
    _tokens: dict[str, Grant] = field(default_factory=dict)
    _refresh: dict[str, tuple[str, str]] = field(default_factory=dict)  # token -> person, scopes consented to
    _numbers: Any = field(default_factory=lambda: itertools.count(1))
    _lock: Any = field(default_factory=threading.Lock)

    # For tests and the sandbox -------------------------------------------------------------------

    def allow(self, user: str) -> None:
        """The person types in the code that was shown last, and agrees."""
        self.flows[-1].user = user.lower()

    def refuse(self) -> None:
        """The person types in the code that was shown last, and declines."""
        self.flows[-1].refused = True

    def withdraw(self, user: str) -> None:
        """Take a person's consent back: its tokens are worth nothing from now on."""
        self._refresh = {token: told for token, told in self._refresh.items() if told[0] != user.lower()}
        self._tokens = {token: grant for token, grant in self._tokens.items() if grant.user != user.lower()}

    def end_tokens(self) -> None:
        """Every access token given so far is refused, before the time that it was told."""
        self._tokens.clear()

    def check(self, token: str) -> Grant | None:
        """What the token allows; None: nothing (any more)."""
        grant = self._tokens.get(token)
        return None if grant is None or grant.ends <= self.clock() else grant

    # Answering -----------------------------------------------------------------------------------

    def answer(self, http: str, steps: list[str], body: bytes) -> Reply:
        """The reply to a request below the tenant's address."""
        form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        known = steps[0].lower() in (self.tenant.lower(), guid(self.tenant))
        try:
            if not known:
                raise OAuthError("invalid_tenant", 90002, f"Tenant '{steps[0]}' not found.")
            match http, steps[1:]:
                case "GET", ["v2.0", ".well-known", "openid-configuration"]:
                    return Reply(200, self._discovery(steps[0]))
                case "POST", ["oauth2", "v2.0", "devicecode"]:
                    return self._device(form)
                case "POST", ["oauth2", "v2.0", "token"]:
                    return Reply(200, self._token(form))
        except OAuthError as error:
            return error.reply
        raise ApiError(404, "Not Found", "There is no such endpoint.")

    def _discovery(self, tenant: str) -> dict[str, Any]:
        base = f"{self.url}/{tenant}"
        return {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "issuer": f"{base}/v2.0",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        }

    def _device(self, form: dict[str, str]) -> Reply:
        self._client(form)
        number = next(self._numbers)
        flow = _Flow(f"SOL{number:05d}", guid(f"device {number}"), scopes=form.get("scope", ""))
        self.flows.append(flow)
        place = f"{self.url}/devicelogin"
        told = {
            "user_code": flow.user_code,
            "device_code": flow.device_code,
            "verification_uri": place,
            "expires_in": 900,
            "interval": 1,
            "message": f"To sign in, use a web browser to open the page {place} and enter the code {flow.user_code}.",
        }
        return Reply(200, told)

    def _token(self, form: dict[str, str]) -> dict[str, Any]:
        self._client(form)
        kind = form.get("grant_type")
        if kind == "client_credentials":
            self._credential(form)
            if form.get("scope") != "https://graph.microsoft.com/.default":
                raise OAuthError("invalid_scope", 70011, "The provided value for scope is not valid.")
            return {"token_type": "Bearer", "expires_in": int(LIFETIME), "access_token": self._new("", self.roles)}
        if kind == _DEVICE:
            flow = next((one for one in self.flows if one.device_code == form.get("device_code")), None)
            if flow is None or flow.refused:
                raise OAuthError("authorization_declined" if flow else "bad_verification_code", 70000, "No consent.")
            if not flow.user:
                raise OAuthError("authorization_pending", 70016, "Authorization is pending.")
            return self._personal(flow.user, flow.scopes, flow.scopes)
        if kind == "refresh_token":
            user, consented = self._refresh.get(form.get("refresh_token", ""), ("", ""))
            if not user:
                raise OAuthError("invalid_grant", 50173, "The provided grant has expired or was revoked.")
            return self._personal(user, form.get("scope", ""), consented)
        raise OAuthError("unsupported_grant_type", 70003, "The grant type is not supported.")

    def _client(self, form: dict[str, str]) -> None:
        if form.get("client_id") != self.client_id:
            raise OAuthError("unauthorized_client", 700016, "Application was not found in the directory.")

    def _credential(self, form: dict[str, str]) -> None:
        if "client_assertion" in form:
            if form.get("client_assertion_type") != _ASSERTION or not self._signed(form["client_assertion"]):
                raise OAuthError("invalid_client", 700027, "The certificate is not registered.", 401)
        elif form.get("client_secret") != self.client_secret:
            raise OAuthError("invalid_client", 7000215, "Invalid client secret provided.", 401)

    def _signed(self, assertion: str) -> bool:
        """Whether the assertion is by the registered certificate's key, for us and still good (RFC 7523)."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

        if self.certificate is None:
            return False
        signed, _, signature = assertion.rpartition(".")
        sha256 = hashes.SHA256()
        ways: dict[str, Any] = {
            "RS256": padding.PKCS1v15(),
            "PS256": padding.PSS(padding.MGF1(sha256), padding.PSS.DIGEST_LENGTH),
        }
        try:
            head, claims = (json.loads(_bytes(part)) for part in signed.split("."))
            self.certificate.public_key().verify(_bytes(signature), signed.encode(), ways[head["alg"]], sha256)
        except (ValueError, KeyError, TypeError, InvalidSignature):
            return False
        thumbprints = {
            "x5t": _spelled(self.certificate.fingerprint(hashes.SHA1())),  # noqa: S303 - what Entra calls it by
            "x5t#S256": _spelled(self.certificate.fingerprint(sha256)),
        }
        return (
            any(str(head.get(name, "")).rstrip("=") == value for name, value in thumbprints.items())
            and claims.get("aud") == f"{self.url}/{self.tenant}/oauth2/v2.0/token"
            and claims.get("iss") == claims.get("sub") == self.client_id
            and float(claims.get("exp", 0)) > self.clock()
        )

    def _personal(self, user: str, scopes: str, consented: str) -> dict[str, Any]:
        if not set(scopes.split()) <= set(consented.split()):
            raise OAuthError("invalid_grant", 65001, "The user has not consented to use the application.")
        with self._lock:
            refresh = f"0.standin.{next(self._numbers)}"
        self._refresh[refresh] = (user, consented)
        wanted = [one for one in scopes.split() if one.startswith("https://graph.microsoft.com/")]
        roles = frozenset(one.rpartition("/")[2] for one in wanted)
        now = int(self.clock())
        claims = {
            "aud": self.client_id, "iss": f"{self.url}/{self.tenant}/v2.0", "iat": now, "nbf": now,
            "exp": now + int(LIFETIME), "oid": guid(user), "sub": guid(user), "tid": guid(self.tenant),
            "preferred_username": user, "ver": "2.0",
        }  # fmt: skip
        return {
            "token_type": "Bearer",
            "scope": " ".join(wanted),
            "expires_in": int(LIFETIME),
            "access_token": self._new(user, roles),
            "refresh_token": refresh,
            "id_token": ".".join(_base64(part) for part in ({"alg": "none", "typ": "JWT"}, claims)) + ".",
            "client_info": _base64({"uid": guid(user), "utid": guid(self.tenant)}),
        }

    def _new(self, user: str, roles: frozenset[str]) -> str:
        with self._lock:
            token = f"standin.access.{next(self._numbers)}"
        self._tokens[token] = Grant(user, roles, self.clock() + LIFETIME)
        return token


def _base64(table: dict[str, Any]) -> str:
    return _spelled(json.dumps(table).encode())


def _spelled(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
