"""What Exchange means when it does not tell of calendars or contacts, as a cause and a next step. Pure."""

from __future__ import annotations

from collections.abc import Callable

from liberate.connector import Kind
from liberate.errors import AccountError, ItemError, LiberateError
from liberate_microsoft.mail_problems import mail_error, no_mailbox
from liberate_microsoft.problems import API, Failure

PERMISSION = {Kind.EVENT: "Calendars.Read", Kind.CONTACT: "Contacts.Read"}
_WHAT = {Kind.EVENT: "calendars", Kind.CONTACT: "contacts"}
_REFUSED = frozenset({"erroraccessdenied", "accessdenied", "authorization_requestdenied"})


def judge(kind: Kind) -> Callable[[Failure, str], LiberateError]:
    """What a failure means that ends what we were doing for a mailbox's events or contacts."""

    def told(found: Failure, who: str) -> LiberateError:
        if not no_mailbox(found) and (found.status == 403 or found.code in _REFUSED):
            permission = PERMISSION[kind]
            return AccountError(
                "not-permitted",
                f"The application may not read the {_WHAT[kind]} of {who} "
                f"(HTTP {found.status}{f', {found.code}' if found.code else ''}).",
                f"In the {API}, add {permission} and grant admin consent. If you use RBAC for Applications instead, "
                f'see that the mailbox is in the scope of the role "Application {permission}". '
                "A change can take two hours; then run the same command again.",
            )
        return mail_error(found, who)

    return told


def object_error(found: Failure) -> ItemError | None:
    """The error of one event or contact; None: it is not about that one."""
    if no_mailbox(found) or found.status == 401 or (found.passing and found.code not in _DAMAGED):
        return None
    if found.code in _DAMAGED:
        return ItemError(
            "conversion-failed",
            "Exchange cannot write it out: it is damaged.",
            "Let its owner open it in Outlook, and make it anew at the new place if it matters.",
        )
    if found.status in (404, 410):
        return ItemError("gone", "It is no longer there.")
    if found.status == 403:
        return ItemError(
            "forbidden", "Exchange does not hand it over to us.", "Let its owner look whether they can open it."
        )
    return ItemError("source-refused", f"Exchange does not hand it over (HTTP {found.status}).")


_DAMAGED = frozenset({"errorcorruptdata", "errorcontentconversionfailed", "errorcalendarisinvalid"})
