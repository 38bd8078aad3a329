"""The token endpoint: signed assertions of a service account, and refresh tokens of a person's consent."""

from __future__ import annotations

import base64
import functools
import json
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

GMAIL_READONLY = "https://www.googleapis.com/auth/gmail.readonly"
DRIVE_READONLY = "https://www.googleapis.com/auth/drive.readonly"
CALENDAR_READONLY = "https://www.googleapis.com/auth/calendar.readonly"
CONTACTS_READONLY = "https://www.googleapis.com/auth/contacts.readonly"
OTHER_CONTACTS_READONLY = "https://www.googleapis.com/auth/contacts.other.readonly"
READONLY = (GMAIL_READONLY, DRIVE_READONLY, CALENDAR_READONLY, CONTACTS_READONLY, OTHER_CONTACTS_READONLY)
GMAIL_FULL = "https://mail.google.com/"
GOOGLE_ENDPOINT = "https://oauth2.googleapis.com/token"  # google-auth names it whatever the key file says
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONGEST = 3600  # seconds an assertion may be valid (RFC 7523 leaves it open; Google allows an hour)
SKEW = 300  # seconds by which clocks may differ


class Refused(Exception):
    """An OAuth error answer (RFC 6749 section 5.2)."""

    def __init__(self, error: str, description: str, code: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.code = code


@dataclass(slots=True)
class ServiceAccount:
    """A service account of the organisation's project."""

    email: str
    client_id: str
    key: Any  # its private key; None where only tokens are checked
    delegated: set[str] = field(default_factory=set)  # scopes authorised in the Admin console


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token allows."""

    user: str
    scopes: frozenset[str]
    expires: float


class TokenEndpoint:
    """Gives out access tokens and knows those it gave out."""

    def __init__(self, clock: Callable[[], float], has_user: Callable[[str], bool]) -> None:
        self._clock = clock
        self._has_user = has_user
        self._lock = threading.Lock()
        self._tokens: dict[str, Grant] = {}
        self._consents: dict[str, tuple[str, frozenset[str]]] = {}  # refresh token -> user, scopes
        self.accounts: dict[str, ServiceAccount] = {}
        self.lifetime = 3600  # seconds an access token lives
        self.url = ""
        self.client_id = "stand-in.apps.googleusercontent.example"
        self.client_secret = secrets.token_urlsafe(16)
        self.issued = 0

    # For tests -----------------------------------------------------------------------------------

    def service_account_file(self, path: Path, delegated: Iterable[str] = (GMAIL_READONLY,)) -> ServiceAccount:
        """Write the JSON key file of a new service account, its domain-wide delegation authorised for these scopes."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - the extra "sandbox"

        number = len(self.accounts) + 1
        key = _key(number)
        account = ServiceAccount(
            f"migrator-{number}@stand-in.iam.gserviceaccount.example", f"{100_000_000 + number}", key, set(delegated)
        )
        self.accounts[account.email] = account
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _private(
            path,
            {
                "type": "service_account",
                "project_id": "stand-in",
                "private_key_id": f"key-{number}",
                "private_key": pem.decode(),
                "client_email": account.email,
                "client_id": account.client_id,
                "token_uri": self.url,
            },
        )
        return account

    def token_file(self, path: Path, user: str, scopes: Iterable[str] = (GMAIL_READONLY,)) -> str:
        """Write what a person's consent leaves behind; the refresh token, for `withdraw`."""
        token = "1//" + secrets.token_urlsafe(24)
        with self._lock:
            self._consents[token] = (user, frozenset(scopes))
        _private(
            path,
            {
                "type": "authorized_user",
                "client_id": self.client_id,
                "client_secret": self.client_secret,
                "refresh_token": token,
                "token_uri": self.url,
                "scopes": sorted(scopes),
            },
        )
        return token

    def access_token(self, user: str, scopes: Iterable[str] = (GMAIL_FULL,)) -> str:
        """A token out of thin air."""
        return self._issue(user, frozenset(scopes))[0]

    def withdraw(self, refresh_token: str) -> None:
        """The person takes the consent back."""
        with self._lock:
            self._consents.pop(refresh_token, None)

    def expire_all(self) -> None:
        """Every access token given out so far is worth nothing from now on."""
        with self._lock:
            self._tokens.clear()

    # For the server ------------------------------------------------------------------------------

    def check(self, token: str) -> Grant | None:
        """What the token allows; None for one that is unknown or has expired."""
        with self._lock:
            grant = self._tokens.get(token)
        return grant if grant is not None and grant.expires > self._clock() else None

    def answer(self, body: bytes) -> tuple[int, dict[str, Any]]:
        """The answer to a token request."""
        form = {key: values[0] for key, values in parse_qs(body.decode("ascii", "replace")).items()}
        try:
            kind = form.get("grant_type")
            if kind == JWT_GRANT:
                user, scopes = self._assertion(form.get("assertion", ""))
            elif kind == "refresh_token":
                user, scopes = self._refresh(form)
            else:
                raise Refused("unsupported_grant_type", f"Invalid grant_type: {kind}")
        except Refused as refused:
            return refused.code, {"error": refused.error, "error_description": refused.description}
        token, lifetime = self._issue(user, scopes)
        return 200, {
            "access_token": token,
            "expires_in": lifetime,
            "scope": " ".join(sorted(scopes)),
            "token_type": "Bearer",
        }

    def _issue(self, user: str, scopes: frozenset[str]) -> tuple[str, int]:
        token = "ya29." + secrets.token_urlsafe(32)
        with self._lock:
            self._tokens[token] = Grant(user.lower(), scopes, self._clock() + self.lifetime)
            self.issued += 1
        return token, self.lifetime

    def _refresh(self, form: Mapping[str, str]) -> tuple[str, frozenset[str]]:
        if form.get("client_id") != self.client_id or form.get("client_secret") != self.client_secret:
            raise Refused("invalid_client", "The OAuth client was not found.", 401)
        with self._lock:
            consent = self._consents.get(form.get("refresh_token", ""))
        if consent is None:
            raise Refused("invalid_grant", "Token has been expired or revoked.")
        asked = frozenset(form.get("scope", "").split())
        if not asked <= consent[1]:
            raise Refused("invalid_scope", "Bad Request")
        return consent[0], asked or consent[1]

    def _assertion(self, assertion: str) -> tuple[str, frozenset[str]]:
        parts = assertion.split(".")
        try:
            head, claims = (json.loads(_unpad(part)) for part in parts[:2])
            signature = _unpad(parts[2])
        except (ValueError, IndexError):
            raise Refused("invalid_request", "Bad Request") from None
        account = self.accounts.get(str(claims.get("iss")))
        if account is None:
            raise Refused("invalid_grant", "Invalid grant: account not found")
        if head.get("alg") != "RS256" or not _signed(account.key, f"{parts[0]}.{parts[1]}".encode(), signature):
            raise Refused("invalid_grant", "Invalid JWT Signature.")
        if claims.get("aud") not in (self.url, GOOGLE_ENDPOINT):
            raise Refused("invalid_grant", "Invalid JWT: Failed audience check.")
        now, issued, expires = self._clock(), claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(expires, int):
            raise Refused("invalid_grant", "Invalid JWT: iat and exp are required.")
        if expires - issued > LONGEST or issued > now + SKEW or expires < now - SKEW:
            raise Refused(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.",
            )
        scopes = frozenset(str(claims.get("scope", "")).split())
        if not scopes:
            raise Refused("invalid_scope", "Invalid OAuth scope or ID token audience provided.")
        user = claims.get("sub")
        if not user:
            return account.email, scopes  # a service account for itself: it has no mailbox
        if not scopes <= account.delegated:
            raise Refused(
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, "
                "or client not authorized for any of the scopes requested.",
                401,
            )
        if not self._has_user(str(user)):
            raise Refused("invalid_grant", "Invalid email or User ID")
        return str(user), scopes


@functools.cache
def _key(number: int) -> Any:
    """An RSA key for the service account of that number: made once in a process, because it takes a while."""
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _private(path: Path, value: dict[str, Any]) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(value, indent=2))


def _unpad(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _signed(key: Any, data: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415

    try:
        key.public_key().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True
