"""Where a message with many labels goes: one folder, several, or one with the rest as keywords. Pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from base64 import b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from liberate.mail import Folder, MailFacts, Role


class LabelPolicy(StrEnum):
    """What becomes of a message's labels at a destination that has folders."""

    COPIES = "copies"  # the message stands in the folder of every label
    PRIMARY = "primary"  # it stands in one folder, chosen by `primary`; the other labels are dropped
    KEYWORDS = "keywords"  # it stands in Inbox, Sent or Archive, and its own labels are keywords


@dataclass(frozen=True, slots=True)
class MailPolicy:
    """What a route does with labels, whether spam, trash and drafts come along, and what becomes of filters."""

    labels: LabelPolicy = LabelPolicy.COPIES
    spam: Literal["skip", "copy"] = "skip"
    trash: Literal["skip", "copy"] = "copy"
    drafts: Literal["skip", "copy"] = "copy"
    filters: Literal["list", "copy"] = "list"
    forwarding: Literal["list", "copy"] = "list"  # of rules among them


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one message goes and what it carries there."""

    primary: Folder  # where its bytes are written
    copies: tuple[Folder, ...]  # further folders, each once, never `primary`
    flags: frozenset[str]
    keywords: frozenset[str]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """The policy leaves this message behind; it is counted and listed."""

    code: str  # "policy-spam", "policy-trash", "policy-drafts"
    why: str
    todo: str


def place(facts: MailFacts, listed_in: Folder, policy: MailPolicy) -> Placement | LeftOut:
    """Where a message with these facts, found in `listed_in`, goes under `policy`.

    Without labels (no facts.folders) it goes where it was found. Spam and trash stand alone: a
    message in either gets no copy elsewhere. Two folders of one role, or of one path, are one.
    A folder's path may be () where its role alone names it. Equal arguments give equal answers,
    whatever the order of the labels.
    """
    folders = _distinct(facts.folders or (listed_in,))
    if left := _left_out(folders, policy):
        return left
    if not facts.folders:
        return Placement(listed_in, (), facts.flags, facts.keywords)
    flags, keywords = set(facts.flags), set(facts.keywords)
    roles = {folder.role for folder in folders}
    if Role.DRAFTS in roles:
        flags.add("\\Draft")
    if Role.JUNK in roles:
        keywords.add("$Junk")
    copies: tuple[Folder, ...] = ()
    if policy.labels is LabelPolicy.KEYWORDS:
        chosen = _chosen_by_role(folders)
        keywords.update(keyword(folder.path) for folder in folders if folder.role is None)
    else:
        chosen = primary(folders)
        if policy.labels is LabelPolicy.COPIES and chosen.role not in _ALONE:
            copies = tuple(folder for folder in folders if folder != chosen)
    return Placement(chosen, copies, frozenset(flags), frozenset(keywords))


_ALONE = (Role.TRASH, Role.JUNK)


def primary(folders: tuple[Folder, ...]) -> Folder:
    """The one folder that says most about the message.

    Trash, then Junk, then Drafts; then the label with the most levels, because the person who made
    it meant something by it; then Sent, Inbox, Archive. Among equals the first by name.
    """
    return min(folders, key=_rank)


def _rank(folder: Folder) -> tuple[int, int, tuple[str, ...]]:
    order: tuple[Role | None, ...] = (
        Role.TRASH, Role.JUNK, Role.DRAFTS, None, Role.SENT, Role.INBOX, Role.ARCHIVE,
    )  # fmt: skip
    return order.index(folder.role), -len(folder.path), folder.path


def _chosen_by_role(folders: tuple[Folder, ...]) -> Folder:
    """The folder of a message whose own labels become keywords.

    One that has no role folder is what its owner archived: it stood under its labels only.
    """
    order = (Role.TRASH, Role.JUNK, Role.DRAFTS, Role.INBOX, Role.SENT, Role.ARCHIVE)
    with_role = [folder for folder in folders if folder.role is not None]
    if not with_role:
        return Folder((), Role.ARCHIVE)
    return min(with_role, key=lambda folder: order.index(folder.role or Role.ARCHIVE))


def _distinct(folders: tuple[Folder, ...]) -> tuple[Folder, ...]:
    """Each folder once, in a fixed order: roles are one folder each whatever they are called."""
    by_identity: dict[Role | tuple[str, ...], Folder] = {}
    for folder in sorted(folders, key=_rank):
        by_identity.setdefault(folder.role or folder.path, folder)
    named = {folder.path for folder in by_identity.values() if folder.role is not None and folder.path}
    return tuple(f for f in by_identity.values() if f.role is not None or f.path not in named)


def _left_out(folders: tuple[Folder, ...], policy: MailPolicy) -> LeftOut | None:
    roles = {folder.role for folder in folders}
    for role, choice, name, word in (
        (Role.JUNK, policy.spam, "spam", "spam"),
        (Role.TRASH, policy.trash, "trash", "in the trash"),
        (Role.DRAFTS, policy.drafts, "drafts", "a draft"),
    ):
        if role in roles and choice == "skip":
            return LeftOut(
                f"policy-{name}",
                f"The message is {word}, and this route leaves such messages behind.",
                f'To bring them along, set {name} = "copy" in the route and run the same command again.',
            )
    return None


# Keywords ----------------------------------------------------------------------------------------

KEYWORD_LENGTH = 50
"""Longest keyword that Dovecot takes (mail_max_keyword_length)."""

_NOT_ATOM = re.compile(r'[\x00-\x20\x7f(){%*"\\\]]')  # atom-specials (RFC 3501 section 9)
_MEANT_FOR_PROGRAMS = frozenset({"junk", "nonjunk", "notjunk", "forwarded", "redirected"})


def keyword(label: tuple[str, ...]) -> str:
    """An IMAP keyword for a label: levels joined by "/", letters beyond ASCII in modified UTF-7.

    Characters that no keyword may hold become "_"; one that would be too long ends in "~" and
    eight hex digits of its digest. Never a keyword that mail programs act on: a label called
    "Junk" must not train a spam filter, nor "$Forwarded" draw an arrow.
    """
    text = unicodedata.normalize("NFC", "/".join(label))
    out = _NOT_ATOM.sub("_", _modified_utf7(text)) or "_"
    if out.startswith("$"):
        out = "_" + out[1:]
    elif out.casefold() in _MEANT_FOR_PROGRAMS:
        out = "_" + out
    if len(out) > KEYWORD_LENGTH:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        out = f"{out[: KEYWORD_LENGTH - 9]}~{digest}"
    return out


def _modified_utf7(text: str) -> str:
    """RFC 3501 5.1.3, so that a mail program that knows it shows the label as it was."""

    def shifted(run: re.Match[str]) -> str:
        if run[0] == "&":
            return "&-"
        return f"&{b64encode(run[0].encode('utf-16-be', 'surrogatepass')).decode().rstrip('=').replace('/', ',')}-"

    return re.sub(r"&|[^\x00-\x7f]+", shifted, text)
