"""What a connection to an IMAP server can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, model_validator

from liberate.connector import Endpoint
from liberate.errors import PlanError
from liberate.settings import Secret, Settings, loopback

Security = Literal["tls", "starttls", "none"]

_PORTS: dict[Security, int] = {"tls": 993, "starttls": 143, "none": 143}
_SCHEMES: dict[str, Security] = {"imaps": "tls", "imap+starttls": "starttls", "imap": "none"}


class ImapSettings(Settings):
    """One IMAP server."""

    host: str = Field(min_length=1, description="the server's name, as in its certificate")
    port: int = Field(default=0, ge=0, le=65535, description="0: 993 with TLS, else 143")
    security: Security = Field(
        default="tls", description='"tls" from the first byte, "starttls", or "none", which only this machine may use'
    )
    ca_file: Path | None = Field(default=None, description="authorities to trust instead of the system's, as PEM")

    auth: Literal["password", "xoauth2"] = Field(
        default="password", description="what each account's secret is: a password, or an OAuth 2 access token"
    )
    master_user: str = Field(default="", description="an administrator who may log in as anybody")
    master_password: Secret | None = Field(default=None, description="the administrator's password")
    master_login: Literal["auto", "authzid", "separator"] = Field(
        default="auto",
        description='how: "authzid" (SASL PLAIN), "separator" (as user*master), "auto" tries one after the other',
    )
    master_separator: str = Field(default="*", description='what stands between user and master in "separator"')

    folder: str = Field(
        default="", description="a folder, levels separated by /, to put everything under or to read instead of all"
    )
    subscribe: bool = Field(
        default=True, description="subscribe to folders that are made, so that mail programs show them"
    )
    views: bool = Field(
        default=False, description="also read \\All and \\Flagged folders, which repeat what is in the others"
    )

    sieve_port: int = Field(
        default=4190,
        ge=0,
        le=65535,
        description="where the same host takes Sieve scripts (ManageSieve, RFC 5804), for a route with filters = "
        '"copy"; 0: nowhere',
    )
    sieve_security: Literal["auto", "tls", "starttls", "none"] = Field(
        default="auto", description='of that port: "auto" is "starttls", or "none" where `security` is "none"'
    )

    timeout: float = Field(
        default=120.0, gt=0, description="seconds without an answer after which the server counts as gone"
    )
    settle: float = Field(
        default=3.0,
        ge=0,
        description="after a crash, seconds in which a folder must not grow before its end is believed: "
        "servers finish what a client that is gone had sent",
    )
    batch_items: int = Field(default=100, ge=1, le=1000, description="messages written with one command")
    batch_bytes: int = Field(default=4 << 20, ge=1 << 16, le=64 << 20, description="bytes written with one command")
    max_message: int | None = Field(
        default=None,
        gt=0,
        description="the largest message the server takes, in bytes, where it does not say so itself",
    )

    @model_validator(mode="after")
    def _consistent(self) -> ImapSettings:
        if self.security == "none" and not loopback(self.host):
            raise ValueError(
                f'security = "none" would send passwords and mail readable over the network; {self.host} is not '
                'this machine. Use security = "tls" or "starttls"'
            )
        if self.sieve_security == "none" and not loopback(self.host):
            raise ValueError('sieve_security = "none" would send passwords readable over the network')
        if self.master_user and self.master_password is None:
            raise ValueError('master_user needs master_password = { env = "..." }')
        if self.master_user and self.auth != "password":
            raise ValueError('a master user logs in with a password; leave out auth = "xoauth2"')
        return self

    @property
    def real_port(self) -> int:
        return self.port or _PORTS[self.security]

    @property
    def real_sieve_security(self) -> Security:
        if self.sieve_security == "auto":
            return "none" if self.security == "none" else "starttls"
        return self.sieve_security

    @property
    def folder_path(self) -> tuple[str, ...]:
        """`folder` as a path; () is the whole account."""
        return tuple(part for part in self.folder.split("/") if part)


def endpoint(url: str) -> Endpoint:
    """The settings and the account that "imaps://anna@mail.example.coop:993/optional/folder" names.

    Account and folder are percent-decoded. Raises PlanError for a URL that cannot mean a mailbox.
    """
    parts = urlsplit(url)
    security = _SCHEMES.get(parts.scheme)
    try:
        port = parts.port
    except ValueError:
        raise PlanError(f"{parts.scheme}: the port is not a number from 1 to 65535.") from None
    example = f"Write it like {parts.scheme or 'imaps'}://anna@mail.example.coop."
    if security is None:
        raise PlanError(f"{parts.scheme or url} is not an IMAP address. {example}")
    if parts.password is not None:
        raise PlanError(
            "A password does not stand in an address, where others can see it. Leave it out; it is asked for."
        )
    if not parts.hostname:
        raise PlanError(f"The address names no server. {example}")
    # An account name often holds an @ itself: everything before the last @ is the account.
    account = unquote(parts.netloc.rpartition("@")[0])
    if not account:
        raise PlanError(f"The address names no account. {example}")
    if security == "none" and not loopback(parts.hostname):
        raise PlanError(
            f"imap:// would send the password readable over the network, and {parts.hostname} is not this machine. "
            "Use imaps:// or imap+starttls://."
        )
    settings: dict[str, object] = {"host": parts.hostname, "security": security}
    if port:
        settings["port"] = port
    if folder := unquote(parts.path).strip("/"):
        settings["folder"] = folder
    return Endpoint(settings, account)
