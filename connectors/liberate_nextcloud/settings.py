"""What a connection to a Nextcloud server can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pydantic import Field, field_validator, model_validator

from liberate.connector import Endpoint
from liberate.settings import Secret, Settings, server_url
from liberate_nextcloud.addresses import address

_SCHEMES = {"nextcloud": "https", "nextcloud+http": "http"}


class NextcloudSettings(Settings):
    """One Nextcloud server."""

    url: str = Field(
        description="the server's address, such as https://cloud.example.coop; http:// on this machine only"
    )
    ca_file: Path | None = Field(default=None, description="authorities to trust instead of the system's, as PEM")

    password: Secret | None = Field(
        default=None,
        description="the account's app password, or its login password, which is exchanged for an app password; "
        "in a plan for many, each person's own stands in the people table",
    )
    appapi_id: str = Field(default="liberate", min_length=1, description="the app's id that was registered with AppAPI")
    appapi_version: str = Field(default="1.0.0", min_length=1, description="the version it was registered with")
    appapi_secret: Secret | None = Field(
        default=None, description="the secret it was registered with; with it liberate acts for every user"
    )
    admin_user: str = Field(default="", description="an administrator, who makes users and groups that are missing")
    admin_password: Secret | None = Field(
        default=None, description="the administrator's app password; not needed beside appapi_secret"
    )
    create_users: bool = Field(default=False, description="make users that are not there yet, without mail to them")
    create_groups: bool = Field(
        default=False, description="make groups that something is to be shared with and that are not there yet"
    )

    folder: str = Field(
        default="", description="a folder, levels separated by /, to put everything under or to read instead of all"
    )
    team_folders_as: str = Field(
        default="", description="the user who writes what belongs to a shared drive, a member of each team folder"
    )

    connections: int = Field(default=4, ge=1, le=16, description="requests under way at once for one account")
    batch_items: int = Field(default=100, ge=1, le=100, description="small files sent with one request")
    batch_bytes: int = Field(default=4 << 20, ge=1 << 16, le=16 << 20, description="bytes sent with one such request")
    bulk: Literal["auto", "never"] = Field(
        default="auto", description='"never" sends every file by a request of its own, also where the server takes many'
    )
    chunk_size: int | None = Field(
        default=None, ge=5 << 20, le=5 << 30, description="bytes of a piece of a large file; none: what the server asks"
    )
    timeout: float = Field(
        default=120.0, gt=0, description="seconds without an answer after which the server counts as gone"
    )

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: str) -> str:
        return server_url(value, "https://cloud.example.coop").removesuffix("/index.php")

    @model_validator(mode="after")
    def _consistent(self) -> NextcloudSettings:
        if self.admin_password is not None and not self.admin_user:
            raise ValueError("admin_password needs admin_user")
        for wish in ("create_users", "create_groups"):
            if getattr(self, wish) and not self.admin_user:
                raise ValueError(f"{wish} needs admin_user, who may make them")
            if getattr(self, wish) and self.admin_password is None and self.appapi_secret is None:
                raise ValueError(f'{wish} needs admin_password = {{ env = "..." }}, or appapi_secret')
        return self

    @property
    def folder_path(self) -> tuple[str, ...]:
        """`folder` as a path; () is the whole account."""
        return tuple(part for part in self.folder.split("/") if part)


def endpoint(url: str) -> Endpoint:
    """The settings and the account that "nextcloud://anna@cloud.example.coop/Target" names.

    Account and folder are percent-decoded. Raises PlanError for an address that cannot mean an account.
    """
    found = address(url, _SCHEMES, "a Nextcloud address", "anna@cloud.example.coop/Target")
    settings: dict[str, object] = {"url": found.server}
    if folder := unquote(found.path).strip("/"):
        settings["folder"] = folder
    return Endpoint(settings, found.account)
