"""What travels beside a file: where it stands, whose it is, who else may see it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, TypeAlias

WITH_OWNER = "moves-with-owner"  # why an item is skipped that belongs to somebody else of the plan


class Role(StrEnum):
    """What a grant allows, least first."""

    READER = "reader"
    COMMENTER = "commenter"
    WRITER = "writer"
    ORGANIZER = "organizer"  # may also share, move and delete


@dataclass(frozen=True, slots=True)
class Grant:
    """Who besides its owner may do what with a file or folder, as the source says."""

    to: Literal["user", "group", "domain", "link"]  # domain: everybody of the organisation; link: who has the link
    name: str  # address of the person or group, the domain; "" for a link
    role: Role
    expires: datetime | None = None  # aware

    def dump(self) -> list[str | None]:
        """The grant as JSON knows it, the same for equal grants."""
        return [self.to, self.name, self.role.value, self.expires.isoformat() if self.expires else None]


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What a service keeps beside a file's bytes. A folder is an item too: it has facts and no bytes.

    `facts_version` of an item changes whenever any of these does, or its name: moving or renaming a
    file is a change of facts, never another file.
    """

    parent: str = ""  # id of the folder item it stands in, listed before it; "": the collection's outermost folder
    folder: bool = False  # other items stand in it; size None, no digests, version ""
    created: datetime | None = None  # aware
    starred: bool = False
    trashed: bool = False
    owner: str = ""  # address of the account it belongs to, where that is not the account it was listed for
    notes: int = 0  # comments and descriptions that Annotates.notes gives
    grants: tuple[Grant, ...] = field(default=())  # its own, not those inherited from a folder above that is listed too
    extended: tuple[tuple[str, bytes], ...] = ()  # extended attributes of a local file, sorted by name
    closed: bool = False  # to some who see the folder it stands in; its grants then name everybody who may see it

    def dump(self) -> str:
        """One line of JSON, the same for equal facts."""
        out: dict[str, Any] = {}
        for name in ("parent", "folder", "starred", "trashed", "owner", "notes", "closed"):
            if value := getattr(self, name):
                out[name] = value
        if self.created is not None:
            out["created"] = self.created.isoformat()
        if self.grants:
            out["grants"] = [grant.dump() for grant in self.grants]
        if self.extended:
            out["extended"] = [[name, value.hex()] for name, value in self.extended]
        return json.dumps(out, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def load(cls, text: str) -> FileFacts:
        """The facts that dump() wrote."""
        out = json.loads(text)
        created = out.get("created")
        return cls(
            out.get("parent", ""),
            out.get("folder", False),
            datetime.fromisoformat(created) if created else None,
            out.get("starred", False),
            out.get("trashed", False),
            out.get("owner", ""),
            out.get("notes", 0),
            tuple(
                Grant(to, name, Role(role), datetime.fromisoformat(expires) if expires else None)
                for to, name, role, expires in out.get("grants", ())
            ),
            tuple((name, bytes.fromhex(value)) for name, value in out.get("extended", ())),
            out.get("closed", False),
        )


def narrower(grants: Iterable[Grant], above: Iterable[Grant]) -> bool:
    """Whether somebody of those who may see a folder may not see what stands in it with these grants."""
    return not _seers(above) <= _seers(grants)


def _seers(grants: Iterable[Grant]) -> set[tuple[str, str]]:
    return {(grant.to, grant.name) for grant in grants}


def ordered(grants: Iterable[Grant]) -> tuple[Grant, ...]:
    """The grants in a fixed order, each once, so that equal sharing makes equal facts."""
    return tuple(sorted(set(grants), key=lambda grant: json.dumps(grant.dump())))


Shared: TypeAlias = Literal["people", "groups", "links", "outsiders"]


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """What a route does with what is not simply a person's own file."""

    trashed: Literal["skip", "copy"] = "skip"
    others: Literal["list", "copy"] = "list"  # what belongs to somebody whom the plan does not move
    deleted: Literal["keep", "trash"] = "keep"  # what the source no longer has after it was moved
    shares: frozenset[Shared] = frozenset()
    comments: Literal["skip", "copy"] = "skip"
    versions: int = 0  # how many earlier versions of a file come along, the latest of them

    def said(self) -> list[object]:
        """What differs from the usual, for a plan's digest: nothing where all is as usual."""
        if self == FilePolicy():
            return []
        return [[self.trashed, self.others, self.deleted, sorted(self.shares), self.comments, self.versions]]


@dataclass(frozen=True, slots=True)
class Note:
    """A description, or a comment that somebody wrote on a file. It is handed on and never recorded."""

    author: str  # name as the source shows it; "" for a description
    written: datetime | None  # aware
    text: str = field(repr=False)
