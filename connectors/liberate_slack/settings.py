"""What a plan says about Slack."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from liberate.settings import Secret, Settings

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


class SlackSettings(Settings):
    """A Slack workspace, read through an app of its own."""

    token: Secret = Field(description="The app's token: xoxp- of a person (best an owner), or xoxb- of the app itself.")
    workspace: str | None = Field(None, description="What the workspace is called; none: as Slack says.")
    team: str | None = Field(
        None, description="Id of the workspace (T...), for a token that an organisation gave for several."
    )
    conversations: tuple[Literal["public", "private", "group", "direct"], ...] = Field(
        ("public", "private", "group", "direct"),
        description="Which conversations are read: public channels, private ones, direct messages of several people "
        "and of two.",
        min_length=1,
    )
    again: Literal["recent", "full"] = Field(
        "recent",
        description='What a later run reads again: "recent", the last days; "full", every message, and the threads '
        "that somebody answered lately, however old they are.",
    )
    recent_days: int = Field(
        30, ge=1, description="Days before the last message in which a later run looks for edits and answers."
    )
    slow: Literal["stop", "accept"] = Field(
        "stop",
        description="Where Slack gives the app 15 messages a minute: stop and say so, or go on all the same.",
    )
    page: int = Field(400, ge=1, le=999, description="Messages asked for at once.")
    files: Literal["fetch", "leave"] = Field(
        "fetch", description='"leave": messages name their files, and no bytes are fetched.'
    )
    deleted: Literal["skip", "notice"] = Field(
        "skip",
        description="The mark that Slack leaves where a message with answers was deleted: left out and listed, or "
        "taken along as a notice.",
    )
    timeout: float = Field(60.0, gt=0, description="Seconds to wait for Slack before a call counts as failed.")
    endpoint: str | None = Field(None, description="A stand-in instead of Slack, such as http://127.0.0.1:18400.")
    files_endpoint: str | None = Field(
        None, description="A stand-in instead of slack.com for files, such as https://127.0.0.1:18401."
    )
    ca_file: Path | None = Field(None, description="Certificate authority of the stand-in for files.")

    @field_validator("endpoint", "files_endpoint")
    @classmethod
    def _here(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            if parts.scheme not in ("http", "https") or parts.hostname not in LOOPBACK or parts.path.strip("/"):
                raise ValueError("an endpoint is http:// or https:// on this machine, such as http://127.0.0.1:18400")
            return value.rstrip("/")
        return value

    @model_validator(mode="after")
    def _belongs(self) -> SlackSettings:
        if self.ca_file is not None and self.files_endpoint is None:
            raise ValueError("ca_file is for a stand-in: it needs files_endpoint")
        return self
