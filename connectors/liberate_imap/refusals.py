"""What an IMAP server's "no" means for the job: one item, the account, or only now."""

from __future__ import annotations

import re

from liberate.errors import AccountError, ItemError, LiberateError, TransientError
from liberate_imap.grammar import Reply

_NOT_NOW = frozenset({"UNAVAILABLE", "INUSE", "SERVERBUG"})  # RFC 5530 3
_TIMING = re.compile(r" \([0-9. +]+secs\)\.?$")  # Dovecot says how long it took
_BUSY = re.compile(r"throttled|try again|temporar(?:y|ily)", re.IGNORECASE)
_BACKOFF = re.compile(r"backoff time: *(\d{1,7}) *milliseconds", re.IGNORECASE)  # Exchange, also in a BAD
_TOO_LARGE = frozenset({"TOOBIG", "LIMIT"})  # RFC 4469 says TOOBIG, RFC 5530 LIMIT


def said(reply: Reply) -> str:
    """The server's own words, fit for a line of a report: no control characters, not endless."""
    text = _TIMING.sub("", "".join(char for char in reply.text if char.isprintable())).strip().rstrip(".")
    return text[:200] or "it gave no reason"


def _pause(reply: Reply) -> float | None:
    """The seconds that the server asks for; None if it does not."""
    match = _BACKOFF.search(reply.text)
    return int(match.group(1)) / 1000 if match else None


def general(reply: Reply, whose: str) -> LiberateError | None:
    """The error if the refusal concerns more than one item; `whose` names account and server. None otherwise."""
    if reply.code == "OVERQUOTA":
        return AccountError(
            "quota-full",
            f"{whose} is full ({said(reply)}).",
            "Free space there or raise its limit, then run the same command again.",
        )
    if reply.code in _NOT_NOW or (not reply.code and _BUSY.search(reply.text)):
        return TransientError(f"{whose} cannot do it now: {said(reply)}.", _pause(reply))
    if reply.code in ("EXPIRED", "AUTHORIZATIONFAILED", "AUTHENTICATIONFAILED"):
        return AccountError("login-expired", f"{whose} no longer accepts the login ({said(reply)}).", "Renew it.")
    return None


def of_all(reply: Reply, whose: str) -> bool:
    """Whether the server would refuse any other message now just as well. SERVERBUG may be about this one."""
    return reply.code != "SERVERBUG" and general(reply, whose) is not None


def of_message(reply: Reply, whose: str) -> ItemError:
    """Why this one message is not taken."""
    if reply.code in _TOO_LARGE:
        return ItemError(
            "too-large",
            f"{whose} does not take a message of this size ({said(reply)}).",
            "Raise the limit there, then run: liberate retry",
        )
    if reply.code == "NOPERM":
        return ItemError("forbidden", f"{whose} does not allow a message to be put there ({said(reply)}).")
    return ItemError("refused-by-server", f"{whose} refused the message: {said(reply)}.")


def of_folder(reply: Reply, whose: str) -> ItemError:
    """Why this one folder cannot be made."""
    if reply.code == "NOPERM":
        return ItemError("forbidden", f"{whose} does not allow this folder to be made ({said(reply)}).")
    return ItemError(
        "illegal-name",
        f"{whose} does not take this folder's name ({said(reply)}).",
        "Rename the folder at its source, then run the same command again.",
    )


def of_flags(reply: Reply, whose: str) -> ItemError:
    """Why flags of this one message cannot be changed."""
    return ItemError("flags-refused", f"{whose} refused to change the message's flags: {said(reply)}.")


def unreadable(reply: Reply, whose: str) -> ItemError:
    """Why this one message cannot be had."""
    return ItemError(
        "unreadable",
        f"{whose} does not hand the message over ({said(reply)}).",
        "Have the message looked at there, then run: liberate retry",
    )


def no_folder(whose: str, place: str) -> TransientError:
    """The folder was there and is not: the next attempt makes it again."""
    return TransientError(f"{whose} has no folder {place} any more; it will be made again.")


def too_large(size: int, limit: int) -> ItemError:
    return ItemError(
        "too-large",
        f"The message has {size:,} bytes; the server takes {limit:,} at most.",
        "Raise the limit there, then run: liberate retry",
    )


def empty() -> ItemError:
    return ItemError("empty", "The message has no bytes at all; an IMAP server cannot hold such a message (RFC 3501).")


def gone() -> ItemError:
    return ItemError("gone", "The message is no longer there.")
