"""The application service: the file by which a homeserver lets liberate speak for the people of a move.

Whoever has its token can act as every account that its namespaces match. The file is for its owner's eyes, and the
homeserver forgets it once everything has moved.
"""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from liberate.errors import PlanError
from liberate_matrix.ids import ALPHABET

ID = "liberate"
BOT = "liberate"
PREFIX = "slack"

_NAME = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")


@dataclass(frozen=True, slots=True)
class Registration:
    """What liberate needs to know of the file."""

    token: str = field(repr=False)
    bot: str = BOT  # the localpart of the account that the application service has of its own


def text(server_name: str, prefix: str = PREFIX) -> str:
    """A registration with new tokens, as YAML."""
    if not _NAME.fullmatch(server_name):
        raise PlanError(f"{server_name} is no server name. It is what stands behind the colon: @anna:example.org.")
    if not re.fullmatch("[a-z0-9]+", prefix):
        raise PlanError(f"{prefix} cannot begin the names of accounts. Use small letters and digits.")
    host = re.escape(server_name).replace("\\-", "-")
    return (
        f"id: {ID}\n"
        "url: null  # nothing is sent to liberate\n"
        f"as_token: {secrets.token_hex(32)}\n"
        f"hs_token: {secrets.token_hex(32)}\n"
        f"sender_localpart: {BOT}\n"
        "rate_limited: false\n"
        "namespaces:\n"
        "  users:\n"
        "    # Those who have no account here: nobody else can take their names.\n"
        f"    - {{exclusive: true, regex: '@{prefix}_[{ALPHABET}]+:{host}'}}\n"
        "    # Your own people, so that what they said stays theirs. Exclusive, they would get no notifications.\n"
        f"    - {{exclusive: false, regex: '@[^:]+:{host}'}}\n"
        "  aliases:\n"
        "    # By which rooms are found again: nobody else can put a room of theirs there.\n"
        f"    - {{exclusive: true, regex: '#{prefix}_[{ALPHABET}]+:{host}'}}\n"
        f"    - {{exclusive: false, regex: '#[^:]+:{host}'}}\n"
        "  rooms: []\n"
    )


def write(path: Path, server_name: str, prefix: str = PREFIX) -> None:
    """Write a new registration, readable by its owner only. Raises PlanError where a file stands already."""
    made = text(server_name, prefix)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made)
    except FileExistsError:
        raise PlanError(f"{path} is there already, and its tokens may be in use. Delete it to have new ones.") from None
    except OSError as error:
        raise PlanError(f"{path} cannot be written ({error.strerror}). Name another with --output.") from error


def read(path: Path) -> Registration:
    """The registration in that file. Raises PlanError, without quoting it."""
    try:
        mode = path.stat().st_mode
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise PlanError(f"The registration {path} cannot be read ({why}).") from None
    if mode & 0o077:
        raise PlanError(f"The registration {path} can be read by others. Run: chmod 600 {path}")
    told = {}
    for line in lines:
        if found := re.fullmatch(r"(\w+):\s+(?:'([^']*)'|\"([^\"\\]*)\"|([^'\"#{\[\s]+))\s*(?:#.*)?", line):
            told[found[1]] = found[2] or found[3] or found[4] or ""
    if not told.get("as_token") or not told.get("sender_localpart"):
        raise PlanError(
            f"{path} is no registration of an application service: as_token or sender_localpart is missing. "
            "Make one: liberate matrix registration --server-name example.org --output registration.yaml"
        )
    return Registration(told["as_token"], told["sender_localpart"])
