"""What a mailbox does by itself with letters as they come: rules, and a reply while somebody is away. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from html.parser import HTMLParser
from typing import Literal, TypeAlias

from liberate.mail import Folder

# Conditions --------------------------------------------------------------------------------------


class Where(StrEnum):
    """What of a letter is looked at."""

    FROM = "from"
    TO = "to"  # whoever it is addressed to, Cc and what is known of Bcc included
    CC = "cc"
    DIRECT = "direct"  # whoever it is addressed to by To alone
    SUBJECT = "subject"
    LIST = "list"  # the mailing list that it came through
    BODY = "body"
    SUBJECT_OR_BODY = "subject-or-body"
    ANYWHERE = "anywhere"
    HEADER = "header"  # the one that Text.header names


class How(StrEnum):
    """When a text counts as found."""

    CONTAINS = "contains"  # as a part of it, whatever the case
    WORD = "word"  # as whole words that stand together, whatever the case
    BEGINS = "begins"
    ADDRESS = "address"  # as a whole address
    DOMAIN = "domain"  # as an address's domain, or the end of one


@dataclass(frozen=True, slots=True)
class Text:
    """Whether this text is there."""

    where: Where
    how: How
    text: str
    header: str = ""
    partial: bool = False  # the service finds it in more letters than this says: never to be negated


@dataclass(frozen=True, slots=True)
class Size:
    """Whether the letter is larger (or smaller) than that."""

    over: bool
    bytes: int


@dataclass(frozen=True, slots=True)
class AllOf:
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    tests: tuple[Test, ...]


@dataclass(frozen=True, slots=True)
class Not:
    test: Test


Test: TypeAlias = Text | Size | AllOf | AnyOf | Not

# Actions -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class File:
    """Into that folder; as a copy, it also stays where it is."""

    folder: Folder
    copy: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """IMAP flags and keywords."""

    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trash:
    """Into the trash, and nowhere else."""


@dataclass(frozen=True, slots=True)
class Forward:
    """To these addresses as well."""

    addresses: tuple[str, ...]


Action: TypeAlias = File | Mark | Trash | Forward


@dataclass(frozen=True, slots=True)
class Gap:
    """Something of a rule that cannot be said, with the reason. Holds nothing of what the rule looks for."""

    code: str  # stable
    why: str
    todo: str = ""
    of: Literal["condition", "mark", "action"] = "condition"
    """What is missing: a condition, without which the rule would match more; a mark, without which a letter only looks
    otherwise; or an action, without which it must not leave the inbox."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is done with letters that the condition fits, unless an exception does."""

    name: str
    condition: Test
    actions: tuple[Action, ...]
    exceptions: tuple[Test, ...] = ()
    stop: bool = False  # no later rule sees the letter
    enabled: bool = True
    gaps: tuple[Gap, ...] = ()  # what of it could not be read


@dataclass(frozen=True, slots=True)
class Reply:
    """What whoever writes to somebody who is away is told."""

    text: str
    to: Literal["everybody", "inside", "outside", "contacts"]  # inside: those whose address has the account's domain
    subject: str = ""  # "": what the server puts there


@dataclass(frozen=True, slots=True)
class Absence:
    """Replies of an account while its owner is away."""

    replies: tuple[Reply, ...]
    start: datetime | None = None  # None: already
    end: datetime | None = None  # None: until somebody switches it off
    days: int = 7  # until the same person is told again
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """All that an account does by itself with its letters."""

    rules: tuple[Rule, ...] = ()
    ordered: bool = False  # one after the other, until one stops; else all that fit act together
    absence: Absence | None = None

    def digest(self) -> str:
        """64 hex digits that change whenever anything of it does."""
        return hashlib.sha256(repr(self).encode("utf-8", "surrogatepass")).hexdigest()


# A reply's HTML ----------------------------------------------------------------------------------

_BREAKS = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol"})
_SILENT = frozenset({"script", "style", "head", "title"})


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in _SILENT
        if tag in _BREAKS:
            self.parts.append("\n")
        if tag == "li":
            self.parts.append("- ")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        if tag in ("p", "div", "blockquote", "ul", "ol"):
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(re.sub(r"\s+", " ", data))


def plain_text(html: str) -> str:
    """What an HTML text says, as lines; at most one empty line in a row."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    lines = [line.strip() for line in "".join(reader.parts).replace("\xa0", " ").split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
