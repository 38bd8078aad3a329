"""What refusals mean where calendars and address books are concerned: sabre's, Radicale's, and those of the RFCs."""

from __future__ import annotations

from liberate.connector import CHANGED_THERE, UID_TAKEN
from liberate.errors import AccountError, ItemError, LiberateError, TransientError
from liberate_nextcloud import refusals
from liberate_nextcloud.client import Reply

_LOOK = "Let its owner look at the two."


def uid_taken() -> ItemError:
    return ItemError(UID_TAKEN, "Something else with the same UID stands there already; it was left as it is.", _LOOK)


def uid_in_the_trash() -> ItemError:
    return ItemError(
        "uid-in-trash",
        "An event with the same UID lies in the calendar's trash and says something else: the server takes no other.",
        "Empty the trash in the calendar app's settings, or bring that event back, then run: liberate retry",
    )


def changed_there() -> ItemError:
    return ItemError(CHANGED_THERE, "Its owner changed it there since it was brought; theirs stays.", _LOOK)


def not_empty() -> ItemError:
    return ItemError(CHANGED_THERE, "Somebody keeps something in it; it stays.")


def not_ours() -> ItemError:
    return ItemError(CHANGED_THERE, "It was not made by liberate; it stays.")


def gone() -> ItemError:
    return ItemError("gone", "It is no longer there.")


def too_large(reply: Reply) -> ItemError:
    return ItemError(
        "too-large",
        f"It is larger than the server takes ({reply.status}).",
        "Take its attachments or its picture out, or raise the server's limit, then run: liberate retry",
    )


def in_the_trash(whose: str, kind: str) -> AccountError:
    return AccountError(
        "deleted-there",
        f"{whose}: the owner deleted a {kind} that liberate had made; it lies in the trash with what is in it.",
        "Bring it back from the trash, or delete it there for good, then run the same command again.",
    )


def not_made(reply: Reply, whose: str, kind: str) -> LiberateError:
    """The server does not make a calendar or an address book."""
    if reply.status in (401, 423, 429, 507) or reply.status >= 500:
        return refusal(reply, whose)
    return AccountError(
        "not-made",
        f"{whose}: the server does not let a {kind} be made ({reply.status}).",
        "Look at what the account may do there, and how many of them it may have.",
    )


def refusal(reply: Reply, whose: str) -> LiberateError:
    """What an answer of 400 or more to a request about one object means. `whose` is said to people."""
    reason = refusals.said(reply)
    tail = f" ({reply.status}{', ' + reason if reason else ''})"
    content = reply.content.lower()
    match reply.status:
        case 413:
            return too_large(reply)
        case 403 | 412 | 409 if b"max-resource-size" in content or b"exceeds" in content:
            return too_large(reply)
        case 403 if b"supported-calendar-component" in content:
            return ItemError("wrong-component", f"The calendar does not take such entries{tail}.")
        case 403 if b"valid-calendar-data" in content or b"valid-address-data" in content:
            return _invalid(tail)
        case 403:
            return ItemError(
                "forbidden", f"{whose} may not do this there{tail}.", "Look at the rights of the calendar there."
            )
        case 400 | 415 | 422:
            return _invalid(tail)
        case 404 | 410:
            return gone()
        case 409:
            return TransientError(f"{whose}: the calendar or address book is not there{tail}.", 0)
        case 412:
            return changed_there()
        case 500 if b"sqlstate[22001]" in content:  # its UID, or another value that is kept by itself
            return ItemError("too-long", f"Its UID has more characters than the server keeps{tail}.")
        case 500 if b"sqlstate[22" in content:
            return _invalid(tail)
        case 503 if b"aintenance" in reply.content:
            return TransientError(f"{whose}: the server is in maintenance.", refusals.retry_after(reply.headers) or 60)
    if reply.status < 500 and reply.status not in (401, 423, 429):
        return ItemError("refused", f"The server refuses it{tail}.")
    return refusals.refusal(reply, whose)


def _invalid(tail: str) -> ItemError:
    return ItemError(
        "invalid",
        f"The server takes it for no valid entry{tail}.",
        "The original is kept under rejects/; correct it there and import it by hand.",
    )
