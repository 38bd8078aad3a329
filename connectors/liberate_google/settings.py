"""What a plan says about a Google connection."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from liberate.settings import Settings

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class GoogleSettings(Settings):
    """A Google Workspace, reached by a service account, or one person's account, reached by their consent."""

    service_account_file: Path | None = Field(
        None,
        description="Key file of a service account with domain-wide delegation: it can read every mailbox and Drive.",
    )
    client_secrets_file: Path | None = Field(
        None, description="OAuth client of type Desktop app; needed once, to ask a person for their consent."
    )
    token_file: Path | None = Field(
        None, description='Where a person\'s consent is kept; "{account}" in it stands for their address.'
    )
    endpoint: str | None = Field(None, description="A stand-in instead of Google, such as http://127.0.0.1:18200.")
    price_list: Literal["auto", "2026", "before-2026"] = Field(
        "auto",
        description="What a call costs: 2026 for projects new to the API since May 2026; auto finds out.",
    )
    units_per_minute: int | None = Field(
        None, ge=40, description="Quota units a minute for each mailbox; none: what the price list grants."
    )
    project_units_per_minute: int | None = Field(
        None, ge=40, description="Quota units a minute for all mailboxes together; none: what the price list grants."
    )
    drive_units_per_minute: int | None = Field(
        None, ge=400, description="The same for the files of each account; none: what the price list grants."
    )
    drive_project_units_per_minute: int | None = Field(
        None, ge=400, description="The same for the files of all accounts together."
    )
    documents: Literal["odf", "office"] = Field(
        "odf", description="What Google's own documents become: .odt, .ods and .odp, or .docx, .xlsx and .pptx."
    )
    comments: bool = Field(False, description="Take the comments on files along: costs one call for each file.")
    acknowledge_abuse: bool = Field(
        False, description="Take files along that Google flags as malware; only their owner can have them."
    )
    shared_drives_as: str | None = Field(
        None, description="Address of an administrator as whom the service account reads shared drives."
    )
    shared_calendars: Literal["list", "copy"] = Field(
        "list",
        description="Calendars that others share with a person: list them in the report, or copy them for each person.",
    )
    other_contacts: bool = Field(
        False, description="Take along whom Google noted down by itself, as Other contacts; needs a scope of its own."
    )
    downloads: int = Field(4, ge=1, le=8, description="Small files fetched at the same time for one account.")
    batch: int = Field(50, ge=1, le=50, description="Messages asked for in one request. Google advises 50 at most.")
    timeout: float = Field(120.0, gt=0, description="Seconds to wait for Google before a call counts as failed.")

    @field_validator("endpoint")
    @classmethod
    def _safe_endpoint(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
                raise ValueError("an endpoint is https://..., or http:// on this machine only")
        return value

    @model_validator(mode="after")
    def _one_way_in(self) -> GoogleSettings:
        if (self.service_account_file is None) == (self.token_file is None):
            raise ValueError("give either service_account_file (an organisation) or token_file (one person)")
        if self.shared_drives_as is not None and self.service_account_file is None:
            raise ValueError("shared_drives_as needs service_account_file: one person's consent speaks for that person")
        return self
