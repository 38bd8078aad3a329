"""Accounts named on the command line: "nextcloud://anna@cloud.example.coop/Target", "davs://anna@dav.example.coop"."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from liberate.errors import PlanError
from liberate.settings import loopback


@dataclass(frozen=True, slots=True)
class Address:
    """What such an address names."""

    server: str  # "https://cloud.example.coop:8443"
    account: str  # percent-decoded
    path: str  # as it was written


def address(url: str, schemes: Mapping[str, str], what: str, example: str) -> Address:
    """The server and account of an address in one of these schemes: {"davs": "https", "dav+http": "http"}.

    Raises PlanError, which calls the address "not `what`" and gives the example, for one that cannot mean an account.
    """
    parts = urlsplit(url)
    scheme = schemes.get(parts.scheme)
    secure = next(iter(schemes))
    like = f"Write it like {parts.scheme or secure}://{example}."
    if scheme is None:
        raise PlanError(f"{parts.scheme or url} is not {what}. {like}")
    try:
        port = parts.port
    except ValueError:
        raise PlanError(f"{parts.scheme}: the port is not a number from 1 to 65535.") from None
    if parts.password is not None:
        raise PlanError(
            "A password does not stand in an address, where others can see it. Leave it out; it is asked for."
        )
    if not parts.hostname:
        raise PlanError(f"The address names no server. {like}")
    # An account name may be an address: everything before the last @ is the account.
    account = unquote(parts.netloc.rpartition("@")[0])
    if not account:
        raise PlanError(f"The address names no account. {like}")
    if scheme == "http" and not loopback(parts.hostname):
        raise PlanError(
            f"{parts.scheme}:// would send the password readable over the network, and {parts.hostname} is not this "
            f"machine. Use {secure}://."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Address(f"{scheme}://{host}" + (f":{port}" if port else ""), account, parts.path)
