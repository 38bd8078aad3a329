"""What a plan says about Slack."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from liberate.settings import Settings

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class SlackExportSettings(Settings):
    """An export of a Slack workspace: the ZIP file as Slack gave it to an owner."""

    path: str = Field(description="The ZIP file; {account} stands for the account, {user} for what precedes its @.")
    workspace: str | None = Field(None, description="What the workspace is called; none: as the file's name says.")
    token_file: Path | None = Field(
        None,
        description="File with a token that may read files (files:read), readable by you only, for an export whose "
        "links are no longer accepted; none: the token in the links.",
    )  # no Secret: the core would take it for a password that each account has, and ask for it
    files: Literal["fetch", "leave"] = Field(
        "fetch", description='"leave": messages name their files, and no bytes are fetched.'
    )
    deleted: Literal["skip", "notice"] = Field(
        "skip",
        description="What was deleted or replaced by an edit, where the export still has it: left out and listed, or "
        "taken along as a notice.",
    )
    expansion: int = Field(
        100, ge=1, description="How many times larger than the ZIP its content may be; more is taken for an attack."
    )
    timeout: float = Field(60.0, gt=0, description="Seconds to wait for Slack before a download counts as failed.")
    endpoint: str | None = Field(
        None, description="A stand-in instead of slack.com for files, such as https://127.0.0.1:18400."
    )
    ca_file: Path | None = Field(None, description="Certificate authority of the stand-in.")

    @field_validator("endpoint")
    @classmethod
    def _here(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme != "https" or parts.hostname not in LOOPBACK or parts.path.strip("/"):
                raise ValueError("an endpoint is https:// on this machine, such as https://127.0.0.1:18400")
            return value.rstrip("/")
        return value

    @model_validator(mode="after")
    def _belongs(self) -> SlackExportSettings:
        if self.ca_file is not None and self.endpoint is None:
            raise ValueError("ca_file is for a stand-in: it needs endpoint")
        return self
