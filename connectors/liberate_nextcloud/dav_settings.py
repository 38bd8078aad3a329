"""What a connection to any server of calendars and address books can be told."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import Field, field_validator

from liberate.connector import Endpoint
from liberate.errors import PlanError
from liberate.settings import Secret, Settings, loopback

_SCHEMES = {"davs": "https", "dav+http": "http"}


class DavSettings(Settings):
    """One server of calendars (CalDAV) and address books (CardDAV)."""

    url: str = Field(
        description="the server's address, such as https://dav.example.coop, with a path if its documentation names "
        "one; http:// on this machine only"
    )
    ca_file: Path | None = Field(default=None, description="authorities to trust instead of the system's, as PEM")
    user: str = Field(default="", description="the login name, where the accounts' own names are not")
    password: Secret | None = Field(
        default=None,
        description="the account's password; in a plan for many, each person's own stands in the people table",
    )
    connections: int = Field(default=4, ge=1, le=16, description="requests under way at once for one account")
    timeout: float = Field(
        default=120.0, gt=0, description="seconds without an answer after which the server counts as gone"
    )

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.username is not None or parts.password is not None:
            raise ValueError("the url holds no user and no password; they have settings of their own")
        if not parts.hostname or parts.query or parts.fragment:
            raise ValueError("the url is the server's address alone, such as https://dav.example.coop")
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback(parts.hostname)):
            raise ValueError("the url is https://..., or http:// on this machine only")
        return value.rstrip("/")


def endpoint(url: str) -> Endpoint:
    """The settings and the account that "davs://anna@dav.example.coop/path" names.

    The account is percent-decoded. Raises PlanError for an address that cannot mean an account.
    """
    parts = urlsplit(url)
    scheme = _SCHEMES.get(parts.scheme)
    example = f"Write it like {parts.scheme or 'davs'}://anna@dav.example.coop."
    if scheme is None:
        raise PlanError(f"{parts.scheme or url} is not the address of a calendar server. {example}")
    try:
        port = parts.port
    except ValueError:
        raise PlanError(f"{parts.scheme}: the port is not a number from 1 to 65535.") from None
    if parts.password is not None:
        raise PlanError(
            "A password does not stand in an address, where others can see it. Leave it out; it is asked for."
        )
    if not parts.hostname:
        raise PlanError(f"The address names no server. {example}")
    account = unquote(parts.netloc.rpartition("@")[0])
    if not account:
        raise PlanError(f"The address names no account. {example}")
    if scheme == "http" and not loopback(parts.hostname):
        raise PlanError(
            f"dav+http:// would send the password readable over the network, and {parts.hostname} is not this "
            "machine. Use davs://."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    where = f"{scheme}://{host}" + (f":{port}" if port else "") + parts.path.rstrip("/")
    return Endpoint({"url": where}, account)
