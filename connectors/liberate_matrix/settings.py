"""What a connection to a Matrix homeserver can be told."""

from __future__ import annotations

from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import Field, field_validator

from liberate.connector import Endpoint
from liberate.errors import PlanError
from liberate.settings import Settings, loopback, server_url
from liberate_matrix.registration import PREFIX

_SCHEMES = {"matrix": "https", "matrix+http": "http"}


class MatrixSettings(Settings):
    """One homeserver."""

    url: str = Field(
        description="where the homeserver answers clients, such as https://matrix.example.coop; "
        "http:// on this machine only"
    )
    registration: Path = Field(
        description="the file that `liberate matrix registration` made and the homeserver was given, "
        "readable by its owner only"
    )
    ca_file: Path | None = Field(default=None, description="authorities to trust instead of the system's, as PEM")
    prefix: str = Field(
        default=PREFIX,
        pattern="^[a-z0-9]+$",
        description="what the accounts of those who have none, and the technical addresses of rooms, begin with",
    )
    creator: str = Field(
        default="",
        pattern="^(@[^:]+:.+)?$",
        description="who creates the space and its rooms, such as @it:example.coop, and has the highest power in them "
        "for good; none: liberate's own account",
    )
    admin: str = Field(
        default="",
        pattern="^(@[^:]+:.+)?$",
        description="an administrator of the homeserver, such as @admin:example.coop, in whose name rooms are purged "
        "that are taken back; none: everybody leaves such a room and forgets it, and the homeserver keeps it",
    )
    room_version: str = Field(default="", description="the version of rooms that are made; none: the server's default")
    federate: bool = Field(
        default=True, description="whether people of other servers can ever be let in; cannot be changed afterwards"
    )
    public_rooms: Literal["space", "server"] = Field(
        default="space", description='who may join public rooms: members of the space, or "server": anybody'
    )
    join_public: bool = Field(
        default=True,
        description="join people to the public rooms they were in; false: only to the space, where they find them",
    )
    timeout: float = Field(
        default=120.0, gt=0, description="seconds without an answer after which the server counts as gone"
    )

    @field_validator("url")
    @classmethod
    def _safe_url(cls, value: str) -> str:
        return server_url(value, "https://matrix.example.coop", "the registration is all that is needed").removesuffix(
            "/_matrix"
        )


def endpoint(url: str) -> Endpoint:
    """The settings that "matrix://matrix.example.coop?registration=registration.yaml" names.

    Raises PlanError for an address that cannot mean a homeserver.
    """
    parts = urlsplit(url)
    scheme = _SCHEMES.get(parts.scheme)
    example = f"Write it like {parts.scheme or 'matrix'}://matrix.example.coop?registration=registration.yaml."
    if scheme is None:
        raise PlanError(f"{parts.scheme or url} is not a Matrix address. {example}")
    try:
        port = parts.port
    except ValueError:
        raise PlanError(f"{parts.scheme}: the port is not a number from 1 to 65535.") from None
    if not parts.hostname or parts.username is not None:
        raise PlanError(f"The address names a server and nobody's account. {example}")
    if scheme == "http" and not loopback(parts.hostname):
        raise PlanError(
            f"matrix+http:// would send the token readable over the network, and {parts.hostname} is not this machine. "
            "Use matrix://."
        )
    asked = parse_qs(parts.query, keep_blank_values=True)
    if set(asked) != {"registration"}:
        raise PlanError(f"The address says where the registration is, and nothing else. {example}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    address = f"{scheme}://{host}" + (f":{port}" if port else "")
    return Endpoint({"url": address, "registration": asked["registration"][0]})
