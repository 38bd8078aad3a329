"""Asks one person, in their browser, to let liberate read what is theirs, and keeps the answer in a file.

    python -m liberate_google.consent client_secrets.json anna.json mail files calendars contacts

Without the last words it asks for mail.

Google sends the browser back to a port on this machine (RFC 8252 section 7.3). The file is worth a
password: it is readable by its owner only, and withdrawn at myaccount.google.com/permissions.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from liberate.errors import LiberateError, PlanError
from liberate_google.convert import CALENDAR_SCOPE, CONTACTS_SCOPE, DRIVE_SCOPE, OTHER_CONTACTS_SCOPE, SCOPE

SCOPES = {
    "mail": SCOPE,
    "files": DRIVE_SCOPE,
    "calendars": CALENDAR_SCOPE,
    "contacts": CONTACTS_SCOPE,
    "other-contacts": OTHER_CONTACTS_SCOPE,
}
USAGE = "usage: python -m liberate_google.consent CLIENT_SECRETS_FILE TOKEN_FILE " + " ".join(
    f"[{one}]" for one in SCOPES
)


def ask(client_secrets: Path, token_file: Path, scopes: Sequence[str] = (SCOPE,)) -> None:
    """Open the browser, wait for the person's answer, write the token file. Raises PlanError."""
    try:
        from google_auth_oauthlib.flow import InstalledAppFlow  # type: ignore[import-untyped] # noqa: PLC0415
    except ImportError as error:
        raise PlanError("Asking for consent needs one more package: pip install google-auth-oauthlib") from error
    try:
        flow = InstalledAppFlow.from_client_secrets_file(str(client_secrets), scopes=list(scopes))
    except OSError as error:
        raise PlanError(f"The file {client_secrets} cannot be read ({error.strerror}).") from error
    except (ValueError, KeyError):
        raise PlanError(
            f"{client_secrets} is not an OAuth client of type Desktop app. Download it in the Cloud console."
        ) from None
    found = flow.run_local_server(port=0, access_type="offline", prompt="consent")
    keep(found, token_file, scopes)


def keep(credentials: Any, token_file: Path, scopes: Sequence[str] = (SCOPE,)) -> None:
    """Write what the source needs to renew its tokens: the whole file or nothing, for its owner only."""
    told = {
        "type": "authorized_user",
        "client_id": credentials.client_id,
        "client_secret": credentials.client_secret,
        "refresh_token": credentials.refresh_token,
        "token_uri": credentials.token_uri,
        "scopes": list(scopes),
    }
    handle, name = tempfile.mkstemp(dir=token_file.parent, prefix=f".{token_file.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            json.dump(told, out, indent=2)
        os.replace(name, token_file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def main(arguments: list[str]) -> int:
    if len(arguments) < 2 or any(word not in SCOPES for word in arguments[2:]):
        print(USAGE, file=sys.stderr)
        return 2
    try:
        scopes = [SCOPES[word] for word in arguments[2:]] or [SCOPE]
        ask(Path(arguments[0]), Path(arguments[1]), scopes)
    except LiberateError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Thank you. The consent is kept in {arguments[1]}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
