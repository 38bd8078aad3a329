"""What mail programs write beside a message in an mbox file: read, answered, flagged, tags. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from liberate.connector import Skipped
from liberate.mail import MailFacts

# mutt, alpine and Dovecot: Status is for reading (R read, O old), X-Status for the rest.
_STATUS = {"R": "\\Seen"}
_X_STATUS = {"A": "\\Answered", "F": "\\Flagged", "T": "\\Draft"}

# Thunderbird's nsMsgMessageFlags, four hex digits in X-Mozilla-Status.
_MOZILLA = ((0x0001, "\\Seen"), (0x0002, "\\Answered"), (0x0004, "\\Flagged"))
_MOZILLA_EXPUNGED = 0x0008
_MOZILLA_FORWARDED = 0x1000


FIELDS = (b"status", b"x-status", b"x-keywords", b"x-mozilla-status", b"x-mozilla-keys")


def facts(state: Mapping[bytes, bytes]) -> MailFacts | Skipped:
    """The facts in these header fields; Skipped (with no id) where they say that the message was deleted."""
    flags = {_STATUS[c] for c in _value(state, b"status") if c in _STATUS}
    flags |= {_X_STATUS[c] for c in _value(state, b"x-status") if c in _X_STATUS}
    keywords = set(_value(state, b"x-keywords").split()) | set(_value(state, b"x-mozilla-keys").split())
    try:
        mozilla = int(_value(state, b"x-mozilla-status") or "0", 16)
    except ValueError:
        mozilla = 0
    if mozilla & _MOZILLA_EXPUNGED:
        return Skipped(
            "",
            "deleted-at-source",
            "The message was deleted in Thunderbird, which has not yet removed it from its file.",
            "Nothing, or undelete it there.",
        )
    flags |= {flag for bit, flag in _MOZILLA if mozilla & bit}
    if mozilla & _MOZILLA_FORWARDED:
        keywords.add("$Forwarded")
    return MailFacts(frozenset(flags), frozenset(keywords))


def _value(state: Mapping[bytes, bytes], name: bytes) -> str:
    return state.get(name, b"").partition(b":")[2].decode("utf-8", "replace").strip()
