"""Asks one person to let liberate read what is theirs, by a code they type in at Microsoft, and keeps the answer.

    python -m liberate_microsoft.consent TENANT CLIENT_ID anna.json
    python -m liberate_microsoft.consent TENANT CLIENT_ID anna.json --kinds file mail

The app registration must allow public client flows. The file is worth a password: it is readable
by its owner only, and withdrawn at myapps.microsoft.com.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from liberate.connector import Account, Kind
from liberate.errors import LiberateError, PlanError
from liberate.extras import needed
from liberate_microsoft import auth
from liberate_microsoft.settings import MicrosoftSettings


def ask(
    settings: MicrosoftSettings, tell: Callable[[str], None], kinds: Collection[Kind] = frozenset({Kind.FILE})
) -> str:
    """Tell the person what to do, wait for them, write the token file; who they are. Raises LiberateError.

    They consent to what reading each of the `kinds` takes, and to nothing else.
    """
    with needed("Asking for consent", "microsoft"):
        import msal  # noqa: PLC0415
    if settings.token_file is None:
        raise PlanError("A person's consent needs `token_file`: where it is kept.")
    cache = msal.SerializableTokenCache()
    line = auth.Line(settings)
    try:
        app = msal.PublicClientApplication(
            settings.client_id, **auth.authority(settings), http_client=line, token_cache=cache
        )
        flow = app.initiate_device_flow(scopes=[scope for kind in sorted(kinds) for scope in auth.PERSON_SCOPES[kind]])
        if "user_code" not in flow:
            raise auth.sign_in_error(flow, "", settings)
        tell(str(flow.get("message") or f"Open {flow['verification_uri']} and enter the code {flow['user_code']}"))
        answer: dict[str, Any] = app.acquire_token_by_device_flow(flow)
    except ValueError as error:
        raise auth.unknown_tenant(settings, error) from None
    finally:
        line.close()
    if "access_token" not in answer:
        raise auth.sign_in_error(answer, "", settings)
    known = app.get_accounts()
    name = str(known[0].get("username", "")) if known else ""
    auth.keep(cache.serialize(), auth.token_path(settings, Account(name)))
    return name


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m liberate_microsoft.consent", description="Asks one person to let liberate read what is theirs."
    )
    parser.add_argument("tenant", help="the tenant's domain or directory ID")
    parser.add_argument("client_id", help="application (client) ID of the app registration")
    parser.add_argument("token_file", type=Path, help="where the consent is kept")
    parser.add_argument(
        "--kinds", nargs="+", choices=[str(kind) for kind in auth.PERSON_SCOPES], default=["file"], help="what to read"
    )
    parser.add_argument("--endpoint", help="a stand-in instead of Microsoft")
    parser.add_argument("--ca-file", type=Path, help="the stand-in's certificate authority")
    given = vars(parser.parse_args(arguments))
    kinds = frozenset(map(Kind, given.pop("kinds")))
    try:
        settings = MicrosoftSettings(**{name: value for name, value in given.items() if value is not None})
        name = ask(settings, lambda text: print(text, flush=True), kinds)
    except ValidationError as error:
        print("; ".join(str(one["msg"]) for one in error.errors()), file=sys.stderr)
        return 2
    except LiberateError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"Thank you. The consent of {name or 'this account'} is kept in {given['token_file']}.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
