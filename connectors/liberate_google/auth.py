"""Signing in at Google: a service account acting for a person, or the person's own consent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from liberate.connector import Account
from liberate.errors import AccountError, LiberateError, PlanError, TransientError
from liberate_google.convert import GMAIL, Api
from liberate_google.settings import GoogleSettings

TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
DELEGATION = "Admin console > Security > Access and data control > API controls > Domain-wide delegation"


def credentials(settings: GoogleSettings, account: Account, api: Api = GMAIL) -> Any:
    """google.auth credentials for reading what this account has there, and nothing else; no request is made yet."""
    if settings.service_account_file is not None:
        return _service_account(settings.service_account_file, account, api)
    return _consent(settings, token_path(settings, account), account, api)


def token_path(settings: GoogleSettings, account: Account) -> Path:
    """Where this account's consent is kept."""
    return Path(str(settings.token_file).replace("{account}", account.name))


def project(settings: GoogleSettings) -> str:
    """A name for the Cloud project whose quota we use, the same for all accounts of a connection."""
    file = settings.service_account_file or settings.client_secrets_file or settings.token_file
    return f"{settings.endpoint or 'google'} {file}"


def client_id(path: Path) -> str | None:
    """The number by which the Admin console knows the service account; None: the file does not tell."""
    found = _read(path).get("client_id")
    return str(found) if found else None


def _service_account(path: Path, account: Account, api: Api) -> Any:
    from google.oauth2 import service_account  # noqa: PLC0415 - an extra, imported where a source is opened

    if not account.name:
        raise PlanError("A service account acts for a person: name the Google account, such as anna@example.coop.")
    info = _read(path)
    try:
        return service_account.Credentials.from_service_account_info(  # type: ignore[no-untyped-call]
            info, scopes=[api.scope], subject=account.name
        )
    except (ValueError, KeyError):
        raise PlanError(
            f"{path} is not the key file of a Google service account. "
            "Download one in the Cloud console under IAM & Admin > Service accounts > Keys, type JSON."
        ) from None


def _consent(settings: GoogleSettings, path: Path, account: Account, api: Api) -> Any:
    from google.oauth2 import credentials as user  # noqa: PLC0415

    if not path.exists():
        secrets = settings.client_secrets_file or "client_secrets.json"
        words = "" if api is GMAIL else f" {api.what.replace(' ', '-')}"
        raise AccountError(
            "consent-needed",
            f"{account.name or 'The account'} has not yet allowed liberate to read its {api.what}.",
            f"Run: python -m liberate_google.consent {secrets} {path}{words}",
        )
    info = _read(path)
    try:
        return user.Credentials(  # type: ignore[no-untyped-call] # from_authorized_user_info ignores the token_uri
            None,
            refresh_token=info["refresh_token"],
            client_id=info["client_id"],
            client_secret=info["client_secret"],
            token_uri=info.get("token_uri", TOKEN_URI),
            scopes=[api.scope],
        )
    except KeyError:
        raise PlanError(f"{path} does not hold a person's consent. Delete it and ask for the consent again.") from None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise PlanError(f"The file {path} cannot be read ({error.strerror}).") from error
    except ValueError:
        raise PlanError(f"The file {path} is not JSON.") from None
    if not isinstance(found, dict):
        raise PlanError(f"The file {path} is not a Google key or token file.")
    return found


def sign_in_error(error: Exception, account: str, client_id: str | None, api: Api = GMAIL) -> LiberateError:
    """What a failure at the token endpoint means (google.auth.exceptions.GoogleAuthError). Holds no token."""
    who = account or "this account"
    codes = _codes(error)
    if "unauthorized_client" in codes or "access_denied" in codes:
        return AccountError(
            "not-delegated",
            f"The service account may not act for {who}.",
            f"In the {DELEGATION}, authorise the client ID {client_id or 'of the service account'} "
            f"for the scope {api.scope}. It can take some minutes; then run the same command again.",
        )
    if "invalid_grant" in codes and client_id is not None:
        text = str(error).lower()
        if "jwt" in text or "timeframe" in text or "signature" in text:
            return AccountError(
                "key-refused",
                "Google does not accept the service account's key.",
                "See that this machine's clock is right and that the key still exists under "
                "IAM & Admin > Service accounts > Keys.",
            )
        return AccountError(
            "no-account",
            f"Google knows no active user {who}.",
            "Correct the address in the people table, or reactivate the suspended account for the move.",
        )
    if "invalid_grant" in codes:
        return AccountError(
            "consent-expired",
            f"The consent of {who} has expired or was withdrawn.",
            "Delete the token file and ask for the consent again.",
        )
    if "invalid_scope" in codes and client_id is None:
        return AccountError(
            "scope-missing",
            f"The consent of {who} does not cover reading {api.what}.",
            "Ask for the consent again with python -m liberate_google.consent, naming at its end all that is to move: "
            "mail files calendars contacts.",
        )
    if codes & {"invalid_client", "deleted_client", "disabled_client", "invalid_scope", "admin_policy_enforced"}:
        return AccountError(
            "client-refused",
            f"Google refuses this OAuth client or its scope for {who} ({min(codes)}).",
            f"See that the client still exists and may ask for the scope {api.scope}.",
        )
    if getattr(error, "retryable", False) or not codes:
        return TransientError(f"Signing in at Google for {who} did not work just now.")
    return AccountError("sign-in-refused", f"Google refuses the sign-in for {who} ({min(codes)}).")


def _codes(error: Exception) -> set[str]:
    """The OAuth error codes that the exception carries."""
    out = set()
    for argument in error.args:
        if isinstance(argument, dict) and isinstance(argument.get("error"), str):
            out.add(argument["error"])
        elif isinstance(argument, str) and argument.split(":")[0].isidentifier():
            out.add(argument.split(":")[0])
    return out
