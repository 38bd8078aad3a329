"""What a connector's settings are made of, and where secrets come from."""

from __future__ import annotations

import ipaddress
import os
import shlex
import subprocess
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

from liberate.errors import PlanError


class Settings(BaseModel):
    """The settings of one connection; a connector subclasses this, each field with a description."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class SecretRef(Settings):
    """Where a secret is kept; exactly one of the three."""

    command: str | None = None  # its first line of output
    env: str | None = None
    file: Path | None = None  # readable by its owner only

    @model_validator(mode="after")
    def _one(self) -> SecretRef:
        if sum(v is not None for v in (self.command, self.env, self.file)) != 1:
            raise ValueError(
                'say where the secret is with one of { command = "..." }, { env = "..." }, { file = "..." }'
            )
        return self

    def reveal(self) -> str:
        """The secret itself. Raises PlanError when it cannot be had, without naming its value."""
        if self.env is not None:
            value = os.environ.get(self.env)
            if not value:
                raise PlanError(
                    f"The environment variable {self.env} holds no password. Set it, then run the same command again."
                )
            return value
        if self.file is not None:
            try:
                mode = self.file.stat().st_mode
                text = self.file.read_text()
            except OSError as error:
                raise PlanError(f"The secret file {self.file} cannot be read ({error.strerror}).") from error
            if mode & 0o077:
                raise PlanError(f"The secret file {self.file} can be read by others. Run: chmod 600 {self.file}")
            return text.splitlines()[0] if text else ""
        command = shlex.split(self.command or "")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise PlanError(f"The command for a secret, `{command[0]}`, failed. Run it by hand to see why.") from error
        return done.stdout.splitlines()[0] if done.stdout else ""


def _given(value: object) -> object:
    if isinstance(value, str):
        raise ValueError(  # noqa: TRY004  # pydantic reports ValueError
            'a secret does not stand in the plan; write { env = "NAME" }, { file = "..." } or { command = "..." }'
        )
    return value


Secret = Annotated[SecretRef | SecretStr, BeforeValidator(_given)]
"""The type of a secret setting: a reference in a plan, or a SecretStr given by a program."""


def reveal(secret: SecretRef | SecretStr | None) -> str | None:
    """The secret itself; None when there is none."""
    if secret is None:
        return None
    return secret.get_secret_value() if isinstance(secret, SecretStr) else secret.reveal()


def server_url(value: str, example: str, instead: str = "they have settings of their own") -> str:
    """The address of a server as a setting holds it, without a slash at its end.

    Raises ValueError for one with a user, a password or a question in it, and for a plain one of another machine.
    """
    parts = urlsplit(value)
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"the url holds no user and no password; {instead}")
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"the url is the server's address alone, such as {example}")
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback(parts.hostname)):
        raise ValueError("the url is https://..., or http:// on this machine only")
    return value.rstrip("/")


def loopback(host: str) -> bool:
    """Whether that name surely means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
