"""What a plan says about a Microsoft 365 connection."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from liberate.settings import Secret, Settings

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class MicrosoftSettings(Settings):
    """A Microsoft 365 tenant, reached by an application of its own, or one person's account by their consent."""

    tenant: str = Field(description="The tenant: its domain, such as example.coop, or its directory ID.")
    client_id: str = Field(description="Application (client) ID of the app registration in Entra.")
    client_secret: Secret | None = Field(
        None, description="The app's client secret: it can read every drive and mailbox."
    )
    certificate_file: Path | None = Field(
        None, description="PEM file with the private key of the app's certificate, instead of a client secret."
    )
    thumbprint: str | None = Field(None, description="SHA-1 thumbprint of that certificate, as Entra shows it.")
    token_file: Path | None = Field(
        None, description='Where a person\'s consent is kept; "{account}" in it stands for their address.'
    )
    organisation: str | None = Field(
        None, description="Name for the traffic decoration that Microsoft asks for; none: the tenant."
    )
    permissions: bool = Field(
        True, description="Ask who else may see each shared item: 5 resource units for each of them."
    )
    resource_units_per_minute: int | None = Field(
        None,
        ge=10,
        description="What the app may spend; none: 1,200, which Microsoft grants a tenant of up to 1,000 licences.",
    )
    hidden_folders: Literal["skip", "copy"] = Field(
        "skip", description='Mail folders that Outlook does not show: "skip" lists them, "copy" brings them along.'
    )
    shared_calendars: Literal["list", "copy"] = Field(
        "list", description='Calendars of others that a person sees: "list" names them, "copy" brings them along.'
    )
    mailbox_requests_per_minute: int | None = Field(
        None, ge=1, description="Requests to one mailbox; none: 1,000, which Microsoft grants an app."
    )
    threads: int = Field(4, ge=1, le=16, description="Small files of one account that are downloaded at once.")
    timeout: float = Field(120.0, gt=0, description="Seconds to wait for Microsoft before a call counts as failed.")
    endpoint: str | None = Field(None, description="A stand-in instead of Microsoft, such as https://127.0.0.1:18300.")
    ca_file: Path | None = Field(None, description="Certificate authority of the stand-in.")

    @field_validator("tenant", "client_id")
    @classmethod
    def _plain(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.\-]*", value):
            raise ValueError("letters, digits, dots and hyphens only")
        return value

    @field_validator("thumbprint")
    @classmethod
    def _hex(cls, value: str | None) -> str | None:
        if value is None:
            return None
        digits = re.sub(r"[\s:]", "", value).upper()
        if not re.fullmatch(r"[0-9A-F]{40}", digits):
            raise ValueError("a SHA-1 thumbprint has 40 hex digits")
        return digits

    @field_validator("endpoint")
    @classmethod
    def _here(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme != "https" or parts.hostname not in LOOPBACK or parts.path.strip("/"):
                raise ValueError("an endpoint is https:// on this machine, such as https://127.0.0.1:18300")
            return value.rstrip("/")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> MicrosoftSettings:
        ways = [self.client_secret, self.certificate_file, self.token_file]
        if sum(way is not None for way in ways) != 1:
            raise ValueError(
                "give one of client_secret, certificate_file (an organisation) and token_file (one person)"
            )
        if (self.certificate_file is None) != (self.thumbprint is None):
            raise ValueError("certificate_file and thumbprint belong together")
        if self.ca_file is not None and self.endpoint is None:
            raise ValueError("ca_file is for a stand-in: it needs endpoint")
        return self

    @property
    def user_agent(self) -> str:
        """Decorated as learn.microsoft.com/sharepoint/dev/general-development/how-to-avoid-getting-throttled asks."""
        company = re.sub(r"[^A-Za-z0-9 ._-]", "", self.organisation or self.tenant) or "liberate"
        return f"NONISV|{company}|liberate/1.0"

    @property
    def verify(self) -> bool | str:
        """What `requests` checks certificates with."""
        return True if self.ca_file is None else str(self.ca_file)
