"""What a connection to any server of calendars and address books can be told."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, field_validator

from liberate.connector import Endpoint
from liberate.settings import Secret, Settings, server_url
from liberate_nextcloud.addresses import address

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
        return server_url(value, "https://dav.example.coop")


def endpoint(url: str) -> Endpoint:
    """The settings and the account that "davs://anna@dav.example.coop/path" names.

    The account is percent-decoded. Raises PlanError for an address that cannot mean an account.
    """
    found = address(url, _SCHEMES, "the address of a calendar server", "anna@dav.example.coop")
    return Endpoint({"url": found.server + found.path.rstrip("/")}, found.account)
