"""Signing in at Entra with msal: an application acting for itself, or a person's own consent."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from pathlib import Path
from typing import Any

from liberate.connector import Account, Kind
from liberate.errors import AccountError, LiberateError, PlanError, TransientError
from liberate.settings import reveal
from liberate_microsoft.settings import MicrosoftSettings

LOGIN = "https://login.microsoftonline.com"
APP_SCOPES = ["https://graph.microsoft.com/.default"]
PERSON_SCOPES = {
    Kind.FILE: ["https://graph.microsoft.com/Files.Read.All", "https://graph.microsoft.com/Sites.Read.All"],
    Kind.MAIL: ["https://graph.microsoft.com/Mail.Read", "https://graph.microsoft.com/Mail.Read.Shared"],
    Kind.EVENT: ["https://graph.microsoft.com/Calendars.Read", "https://graph.microsoft.com/Calendars.Read.Shared"],
    Kind.CONTACT: ["https://graph.microsoft.com/Contacts.Read", "https://graph.microsoft.com/Contacts.Read.Shared"],
}
"""What a person consents to, for each kind that is read with their own rights."""
REGISTRATION = "Entra admin center > App registrations"


def authority(settings: MicrosoftSettings) -> dict[str, Any]:
    """What msal is told about where to sign in."""
    if settings.endpoint is None:
        return {"authority": f"{LOGIN}/{settings.tenant}"}
    return {
        "authority": f"{settings.endpoint}/{settings.tenant}",
        "instance_discovery": False,
        "validate_authority": False,
    }


def token_path(settings: MicrosoftSettings, account: Account) -> Path:
    """Where this account's consent is kept."""
    return Path(str(settings.token_file).replace("{account}", account.name))


def application(settings: MicrosoftSettings) -> str:
    """A name for the app whose budget we use, the same for all accounts of a connection."""
    return f"{settings.endpoint or 'microsoft'} {settings.tenant} {settings.client_id}"


class Line:
    """msal's way to the network: without retries, with a time limit, and with passing failures told as such."""

    def __init__(self, settings: MicrosoftSettings) -> None:
        import requests  # noqa: PLC0415 - an extra, imported where a source is opened

        self._requests = requests
        self._settings = settings
        self._session = requests.Session()
        self._session.headers["User-Agent"] = settings.user_agent

    def get(self, url: str, **kwargs: Any) -> Any:
        return self._send("GET", url, **kwargs)

    def post(self, url: str, **kwargs: Any) -> Any:
        return self._send("POST", url, **kwargs)

    def _send(self, method: str, url: str, **kwargs: Any) -> Any:
        kwargs = {name: kwargs[name] for name in ("params", "data", "headers") if name in kwargs}
        try:
            answer = self._session.request(
                method, url, timeout=self._settings.timeout, verify=self._settings.verify, **kwargs
            )
        except self._requests.exceptions.RequestException as error:
            if about_certificate(error):
                raise untrusted(error) from None
            raise TransientError("Microsoft's sign-in could not be reached.") from None
        if answer.status_code in (408, 429) or answer.status_code >= 500:
            wait = answer.headers.get("Retry-After", "")
            raise TransientError("Microsoft's sign-in did not work just now.", float(wait) if wait.isdigit() else None)
        return answer

    def close(self) -> None:
        self._session.close()


class SignIn:
    """Gives out access tokens, and renews them in time. May be used by several threads.

    `kind` is what a person must have consented to; an application's token holds all that it was granted.
    """

    def __init__(self, settings: MicrosoftSettings, account: Account, kind: Kind = Kind.FILE) -> None:
        self._settings = settings
        self._account = account
        self._kind = kind
        self._lock = threading.Lock()
        self._app: Any = None
        self._cache: Any = None
        self._path = token_path(settings, account) if settings.token_file is not None else None

    def token(self, *, afresh: bool = False) -> str:
        """A token for Graph; `afresh`: the one given before was refused. Raises AccountError, TransientError."""
        with self._lock:
            if self._app is None:
                self._app = self._make()
            result = self._person(afresh) if self._path is not None else self._application(afresh)
            if self._path is not None and self._cache.has_state_changed:
                keep(self._cache.serialize(), self._path)
                self._cache.has_state_changed = False
        if not isinstance(result, dict) or not isinstance(result.get("access_token"), str):
            raise sign_in_error(result if isinstance(result, dict) else {}, self._account.name, self._settings)
        token: str = result["access_token"]
        return token

    def _application(self, afresh: bool) -> Any:
        if afresh:
            self._app.remove_tokens_for_client()
        return self._app.acquire_token_for_client(scopes=APP_SCOPES)

    def _person(self, afresh: bool) -> Any:
        known = self._app.get_accounts()
        name = self._account.name.lower()
        found = [one for one in known if not name or str(one.get("username", "")).lower() == name]
        if len(found) != 1:
            raise _no_consent(self._settings, self._account, self._path, self._kind)
        scopes = PERSON_SCOPES[self._kind]
        return self._app.acquire_token_silent_with_error(scopes, account=found[0], force_refresh=afresh) or {
            "error": "invalid_grant"
        }

    def _make(self) -> Any:
        import msal  # noqa: PLC0415

        settings = self._settings
        common = {**authority(settings), "http_client": Line(settings), "client_id": settings.client_id}
        try:
            if self._path is not None:
                self._cache = read_cache(self._path)
                if self._cache is None:
                    raise _no_consent(settings, self._account, self._path, self._kind)
                return msal.PublicClientApplication(**common, token_cache=self._cache)
            return msal.ConfidentialClientApplication(**common, client_credential=self._credential())
        except LiberateError:
            raise
        except ValueError as error:
            raise unknown_tenant(settings, error) from None

    def _credential(self) -> Any:
        path = self._settings.certificate_file
        if path is None:
            return reveal(self._settings.client_secret)
        try:
            mode = path.stat().st_mode
            key = path.read_text("ascii")
        except OSError as error:
            raise PlanError(f"The file {path} cannot be read ({error.strerror}).") from error
        except ValueError:
            raise PlanError(f"{path} is not a PEM file.") from None
        if mode & 0o077:
            raise PlanError(f"The key file {path} can be read by others. Run: chmod 600 {path}")
        if "PRIVATE KEY" not in key:
            raise PlanError(f"{path} holds no private key. It needs the certificate's key as PEM.")
        _readable(key, path)
        return {"private_key": key, "thumbprint": self._settings.thumbprint}


def _readable(key: str, path: Path) -> None:
    """Raise PlanError for a key that msal could not sign with, where it would end with a traceback."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - msal needs it for certificates
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        load_pem_private_key(key.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PlanError(f"{path} cannot be used as a private key. It must be PEM, without password.") from None


def read_cache(path: Path) -> Any:
    """msal's token cache out of that file; None: there is no file. Raises PlanError."""
    import msal  # noqa: PLC0415

    cache = msal.SerializableTokenCache()
    try:
        mode = path.stat().st_mode
        text = path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PlanError(f"The file {path} cannot be read ({error.strerror}).") from error
    if mode & 0o077:
        raise PlanError(f"The token file {path} can be read by others. Run: chmod 600 {path}")
    try:
        told = json.loads(text)
        if not isinstance(told, dict) or not all(isinstance(table, dict) for table in told.values()):
            raise ValueError("no token cache")
        cache.deserialize(text)
    except ValueError:
        raise PlanError(f"{path} does not hold a person's consent. Delete it and ask for the consent again.") from None
    cache.has_state_changed = False
    return cache


def keep(text: str, path: Path) -> None:
    """Write a token cache: the whole file or nothing, for its owner only."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


_sign_ins: dict[tuple[str, str, str], SignIn] = {}
_sign_ins_lock = threading.Lock()


def shared(settings: MicrosoftSettings, account: Account, kind: Kind = Kind.FILE) -> SignIn:
    """The process's sign-in for these settings: an app signs in once, not once for each of its accounts."""
    whose = f"{kind} {account.name}" if settings.token_file is not None else ""
    key = (application(settings), settings.model_dump_json(), whose)
    # A secret given by a program is masked in the dump: it tells two sign-ins apart itself, and is only held.
    given = settings.client_secret
    if given is not None and hasattr(given, "get_secret_value"):
        key = (*key[:2], str(hash(given.get_secret_value())))
    with _sign_ins_lock:
        if key not in _sign_ins:
            _sign_ins[key] = SignIn(settings, account, kind)
        return _sign_ins[key]


# Errors ------------------------------------------------------------------------------------------

_WHAT = {Kind.FILE: "files", Kind.MAIL: "mail", Kind.EVENT: "calendars", Kind.CONTACT: "contacts"}


def _no_consent(settings: MicrosoftSettings, account: Account, path: Path | None, kind: Kind) -> AccountError:
    extra = f" --endpoint {settings.endpoint} --ca-file {settings.ca_file}" if settings.endpoint else ""
    if kind is not Kind.FILE:
        extra = f" --kinds {kind}{extra}"
    return AccountError(
        "consent-needed",
        f"{account.name or 'The account'} has not yet allowed liberate to read its {_WHAT[kind]}.",
        f"Run: python -m liberate_microsoft.consent {settings.tenant} {settings.client_id} {path}{extra}",
    )


def unknown_tenant(settings: MicrosoftSettings, error: Exception) -> LiberateError:
    """msal raises ValueError when a tenant's sign-in page is not found, and for a certificate that it cannot read."""
    if "authority" not in str(error).lower() and settings.certificate_file is not None:
        return PlanError(
            f"{settings.certificate_file} cannot be used as a private key. It must be PEM, without password."
        )
    return AccountError(
        "no-tenant",
        f"Microsoft knows no tenant {settings.tenant}.",
        f"Correct `tenant` in the plan: the domain, or the directory ID that {REGISTRATION} shows.",
    )


def about_certificate(error: Exception) -> bool:
    """Whether the line failed for a certificate, and not because TLS broke off on its way."""
    return "CERTIFICATE_VERIFY_FAILED" in str(error)


def untrusted(error: Exception) -> AccountError:
    return AccountError(
        "certificate-refused",
        "The server that answers for Microsoft shows a certificate that this machine does not trust "
        f"({type(error).__name__}).",
        "See whether a proxy stands in between, and install its authority, or go around it.",
    )


_BY_NUMBER: dict[int, tuple[str, str, str]] = {
    7000215: ("secret-refused", "Entra does not accept the app's client secret.", "Copy its value, not its ID."),
    7000222: ("secret-expired", "The app's client secret has expired.", "Make a new one under Certificates & secrets."),
    700027: (
        "certificate-unknown",
        "Entra does not know the certificate, or its key signs otherwise.",
        "Upload the certificate under Certificates & secrets, and see that thumbprint and key belong to it.",
    ),
    700016: ("no-application", "The tenant has no application of this client ID.", "Correct `client_id` or `tenant`."),
    700024: (
        "clock",
        "Entra says the sign-in is not within its valid time.",
        "See that this machine's clock is right.",
    ),
    90002: ("no-tenant", "Microsoft knows no such tenant.", "Correct `tenant` in the plan."),
    65001: ("no-consent", "Nobody has consented to the app's permissions.", "Grant admin consent for them."),
    7000112: ("application-disabled", "The application is disabled in the tenant.", "Enable it in Entra."),
}  # learn.microsoft.com/entra/identity-platform/reference-error-codes


def sign_in_error(answer: dict[str, Any], account: str, settings: MicrosoftSettings) -> LiberateError:
    """What an OAuth error answer means. Holds nothing of its text, in which Entra repeats what it was sent."""
    numbers = [number for number in answer.get("error_codes") or () if isinstance(number, int)]
    for number in numbers:
        if number in _BY_NUMBER:
            code, why, todo = _BY_NUMBER[number]
            return AccountError(code, f"{why} (AADSTS{number})", f"{todo} See {REGISTRATION}.")
    told = str(answer.get("error", ""))
    word = told if told.isascii() and told.replace("_", "").isalpha() else "no reason given"
    shown = f"{word}, AADSTS{numbers[0]}" if numbers else word
    if settings.token_file is not None and told in ("invalid_grant", "interaction_required", "login_required"):
        return AccountError(
            "consent-expired",
            f"The consent of {account or 'this account'} has expired or was withdrawn ({shown}).",
            "Delete the token file and ask for the consent again.",
        )
    if told in ("temporarily_unavailable", "server_error") or not told:
        return TransientError("Microsoft's sign-in did not work just now.")
    return AccountError("sign-in-refused", f"Entra refuses the sign-in ({shown}).", f"See {REGISTRATION}.")
