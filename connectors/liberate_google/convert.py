"""Gmail's words into liberate's: labels into mail facts, error answers into errors. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from liberate.errors import AccountError, ItemError, LiberateError, TransientError
from liberate.mail import Folder, MailFacts, Role

SCOPE = "https://www.googleapis.com/auth/gmail.readonly"
DRIVE_SCOPE = "https://www.googleapis.com/auth/drive.readonly"
CALENDAR_SCOPE = "https://www.googleapis.com/auth/calendar.readonly"
CONTACTS_SCOPE = "https://www.googleapis.com/auth/contacts.readonly"
OTHER_CONTACTS_SCOPE = "https://www.googleapis.com/auth/contacts.other.readonly"


@dataclass(frozen=True, slots=True)
class Api:
    """One of Google's services: which description and scope it has, and how we speak of it."""

    name: str  # of its discovery document
    title: str
    scope: str
    what: str  # that is read
    where: str  # it is kept
    none: str  # the code for an account that has none
    licence: str  # what a licence has to include


GMAIL = Api("gmail.v1", "Gmail API", SCOPE, "mail", "mailbox", "no-mailbox", "Gmail")
DRIVE = Api("drive.v3", "Google Drive API", DRIVE_SCOPE, "files", "Drive", "no-drive", "Google Drive")
CALENDAR = Api(
    "calendar.v3", "Google Calendar API", CALENDAR_SCOPE, "calendars", "calendars", "no-calendar", "Google Calendar"
)
PEOPLE = Api("people.v1", "People API", CONTACTS_SCOPE, "contacts", "contacts", "no-contacts", "Google Contacts")
OTHER_CONTACTS = Api(
    "people.v1",
    "People API",
    OTHER_CONTACTS_SCOPE,
    "other contacts",
    "other contacts",
    "no-contacts",
    "Google Contacts",
)

# Labels ------------------------------------------------------------------------------------------

CHAT = "CHAT"

_ROLES = {
    "INBOX": Folder(("INBOX",), Role.INBOX),
    "SENT": Folder(("Sent",), Role.SENT),
    "DRAFT": Folder(("Drafts",), Role.DRAFTS),
    "SPAM": Folder(("Spam",), Role.JUNK),
    "TRASH": Folder(("Trash",), Role.TRASH),
}
_ARCHIVE = Folder((), Role.ARCHIVE)  # "All Mail" only: archived, and under no label


@dataclass(frozen=True, slots=True)
class Label:
    """A label of a mailbox: what stays (its id) and what people call it."""

    id: str
    name: str
    user: bool  # made by the person, not by Gmail

    @property
    def path(self) -> tuple[str, ...]:
        """A slash nests labels; a parent need not exist as a label."""
        return tuple(self.name.split("/"))


def labels_of(answer: Mapping[str, Any]) -> dict[str, Label]:
    """The labels that labels.list tells, by id. Without a type, an id that Gmail reserves is Gmail's."""
    out = {}
    for one in answer.get("labels", ()):
        key = str(one["id"])
        user = one.get("type", "system" if key.isupper() else "user") == "user"
        out[key] = Label(key, str(one.get("name") or key), user)
    return out


def matters(label: Label) -> bool:
    """Whether knowing who bears the label changes a message's facts."""
    return (
        label.user
        or label.id in _ROLES
        or label.id in (CHAT, "UNREAD", "STARRED", "IMPORTANT")
        or label.id.startswith("CATEGORY_")
    )


def facts(bears: Iterable[str], labels: Mapping[str, Label], received: datetime | None = None) -> MailFacts:
    """What these label ids say. A label that `labels` does not know puts the message nowhere."""
    bears = frozenset(bears)
    flags = set()
    if "UNREAD" not in bears:
        flags.add("\\Seen")
    if "STARRED" in bears:
        flags.add("\\Flagged")
    if "DRAFT" in bears:
        flags.add("\\Draft")
    keywords = set()
    if "IMPORTANT" in bears:
        keywords.add("$Important")  # RFC 8457
    if "SPAM" in bears:
        keywords.add("$Junk")
    folders = []
    for key in sorted(bears):
        label = labels.get(key)
        if key in _ROLES:
            folders.append(_ROLES[key])
        elif key.startswith("CATEGORY_"):
            keywords.add(f"$Category_{key.removeprefix('CATEGORY_').capitalize()}")
        elif label is not None and label.user:
            folders.append(Folder(label.path))
    folders.sort(key=lambda folder: (folder.role is None, folder.path))
    return MailFacts(frozenset(flags), frozenset(keywords), received, tuple(folders) or (_ARCHIVE,))


def facts_version(known: MailFacts) -> str:
    """Changes whenever labels move the message or its flags; the received time, known later, does not count."""
    text = MailFacts(known.flags, known.keywords, None, known.folders).dump()
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def received(internal_date: Any) -> datetime | None:
    """Gmail's internalDate, milliseconds since 1970, may lie before it; None when there is none."""
    if internal_date in (None, ""):
        return None
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(internal_date))
    except (ValueError, OverflowError):
        return None


# Errors ------------------------------------------------------------------------------------------


class Trouble(StrEnum):
    """What an answer other than 2xx comes down to."""

    RATE = "rate"  # too fast; the call itself is fine
    CROWD = "crowd"  # too many calls at once
    DAY = "day"  # the project's day is used up
    SERVER = "server"  # Google's side, or the way there
    GONE = "gone"
    PRECONDITION = "precondition"  # no Gmail here, or a passing mood of the server
    SIGN_IN = "sign-in"
    DISABLED = "disabled"  # the project has the Gmail API switched off
    SCOPE = "scope"
    FORBIDDEN = "forbidden"
    REFUSED = "refused"  # any other 4xx


_BY_REASON = {
    "rateLimitExceeded": Trouble.RATE,
    "userRateLimitExceeded": Trouble.RATE,
    "quotaExceeded": Trouble.RATE,
    "dailyLimitExceeded": Trouble.DAY,
    "failedPrecondition": Trouble.PRECONDITION,
    "notACalendarUser": Trouble.PRECONDITION,
    "accessNotConfigured": Trouble.DISABLED,
    "SERVICE_DISABLED": Trouble.DISABLED,
    "insufficientPermissions": Trouble.SCOPE,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": Trouble.SCOPE,
    "backendError": Trouble.SERVER,
}


def reasons(content: bytes) -> tuple[str, ...]:
    """The reasons in an error answer of Google's, as far as it can be read."""
    try:
        error = json.loads(content)["error"]
        if isinstance(error, str):
            return (error,)
        found = [one.get("reason") for one in (*error.get("errors", ()), *error.get("details", ()))]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
    return tuple(str(one) for one in found if one)


def trouble(status: int, why: Sequence[str], content: bytes = b"") -> Trouble:
    """developers.google.com/workspace/gmail/api/guides/handle-errors

    Only the text of an answer tells too many calls at once from too many units.
    """
    if status == 429 and b"concurrent" in content:
        return Trouble.CROWD
    for reason in why:
        if reason in _BY_REASON and status < 500:
            return _BY_REASON[reason]
    if status == 429:
        return Trouble.RATE
    if status == 401:
        return Trouble.SIGN_IN
    if status == 403:
        return Trouble.FORBIDDEN
    if status in (404, 410):
        return Trouble.GONE
    if status == 501:
        return Trouble.REFUSED  # not implemented: asking again does not change that
    if status >= 500 or status == 408:
        return Trouble.SERVER
    return Trouble.REFUSED


def seconds(retry_after: str | None) -> float | None:
    """A Retry-After header in seconds; None when there is none or it is a date, which Google never sends."""
    try:
        return max(0.0, float(retry_after)) if retry_after is not None else None
    except ValueError:
        return None


def error(
    found: Trouble, account: str, status: int, why: Sequence[str], wait: float | None = None, api: Api = GMAIL
) -> LiberateError:
    """The error that says so to the engine and to people. One item's errors are `item_error`'s."""
    who = account or "this account"
    told = f"{status} {why[0]}" if why else str(status or "no answer")
    match found:
        case Trouble.RATE | Trouble.CROWD:
            return TransientError(f"Google asks for a slower pace for {who} ({told}).", wait)
        case Trouble.DAY:
            return TransientError(f"The Google project has used up its quota of this day ({told}).", wait or 3600.0)
        case Trouble.SERVER:
            return TransientError(f"Google could not answer for {who} just now ({told}).", wait)
        case Trouble.SIGN_IN:
            return AccountError(
                "sign-in-refused",
                f"Google no longer accepts the sign-in for {who} ({told}).",
                "See that the account is active and its consent or delegation still stands, then run the same command.",
            )
        case Trouble.DISABLED:
            return AccountError(
                "api-disabled",
                f"The {api.title} is switched off in the Google Cloud project ({told}).",
                "Switch it on under APIs & Services > Library, wait five minutes, then run the same command again.",
            )
        case Trouble.SCOPE:
            return AccountError(
                "scope-missing",
                f"The consent given for {who} does not cover reading {api.what} ({told}).",
                f"Authorise the scope {api.scope}: for a service account in the Admin console > Security > Access and "
                "data control > API controls > Domain-wide delegation, for a person by asking for the consent again. "
                "Then run the same command again.",
            )
        case Trouble.FORBIDDEN:
            return AccountError(
                "forbidden",
                f"Google does not let us read {who}'s {api.where} ({told}).",
                "In the Admin console, allow the app under Security > Access and data control > API controls.",
            )
        case Trouble.PRECONDITION:
            return no_mailbox(who, api)
        case Trouble.GONE:
            return AccountError(
                api.none, f"Google knows no {api.where} {who} ({told}).", "Correct the address in the people table."
            )
    return AccountError(
        "source-refused",
        f"Google refused a request about {who} ({told}).",
        "This is likely a fault of liberate: please report it with that code.",
    )


def no_mailbox(who: str, api: Api = GMAIL) -> AccountError:
    """For an account that exists and answers every request with a failed precondition."""
    return AccountError(
        api.none,
        f"Google has no {api.what if api is GMAIL else api.licence.removeprefix('Google ')} service for {who}.",
        f"Give the account a licence that includes {api.licence}, or mark it as left out in the people table.",
    )


def item_error(found: Trouble, status: int, why: Sequence[str]) -> ItemError:
    """What stands in the way of this one message."""
    if found is Trouble.GONE:
        return ItemError("gone", "The message was deleted at Gmail after it was listed.")
    told = f"{status} {why[0]}" if why else str(status)
    return ItemError(
        "source-refused",
        f"Gmail does not hand this message over ({told}).",
        "Open it in Gmail; if it shows there, download it with Show original and import the file.",
    )


def empty() -> ItemError:
    """A message that Gmail lists and gives no bytes of."""
    return ItemError("empty-source", "Gmail lists this message but holds no original of it.")
