"""What Exchange means by an answer other than the one asked for, told as a cause and a next step. Pure."""

from __future__ import annotations

from liberate.errors import AccountError, ItemError, LiberateError
from liberate_microsoft.problems import API, Failure, error

_CORRUPT = frozenset(
    {
        "errorcontentconversionfailed",
        "errormimecontentconversionfailed",
        "errormimecontentinvalid",
        "errorcorruptdata",
        "errormessagesizeexceeded",
    }
)
_NO_MAILBOX = frozenset(
    {
        "mailboxnotenabledforrestapi",
        "mailboxnotsupportedforrestapi",
        "mailboxnothostedinexchangeonline",
        "errornonexistentmailbox",
        "errormissingemailaddress",
        "resourcenotfound",
    }
)
_NOBODY = frozenset({"errorinvaliduser", "request_resourcenotfound"})
_REFUSED = frozenset({"erroraccessdenied", "accessdenied", "authorization_requestdenied"})
_LOCKED = frozenset({"erroraccountdisabled", "errormailboxdisabled"})


def corrupt(found: Failure) -> bool:
    """Whether Exchange cannot write out one message, or a page because of one: a 500 that does not pass."""
    return found.code in _CORRUPT


def no_mailbox(found: Failure) -> bool:
    """Whether it is the mailbox that is missing, and not something in it."""
    return found.code in _NO_MAILBOX or found.code in _NOBODY


def mail_error(found: Failure, who: str) -> LiberateError:
    """The error that ends what we were doing for this mailbox."""
    shown = f"HTTP {found.status}" + (f", {found.code}" if found.code else "")
    if found.code in _NO_MAILBOX:
        return AccountError(
            "no-mailbox",
            f"{who} has no mailbox in Exchange Online: no licence, or it is on a server of your own ({shown}).",
            "Give the person a licence with Exchange Online, or mark the account with skip in the people table.",
        )
    if found.code in _NOBODY or (found.status == 404 and not found.code):
        return AccountError(
            "no-account",
            f"Microsoft knows no mailbox of {who} ({shown}).",
            "Correct the address in the people table. A shared mailbox is named by its address too.",
        )
    if found.code in _LOCKED:
        return AccountError(
            "mailbox-disabled", f"The mailbox of {who} is disabled ({shown}).", "Enable the account for the move."
        )
    if found.status == 403 or found.code in _REFUSED:
        return AccountError(
            "not-permitted",
            f"The application may not read the mail of {who} ({shown}).",
            f"In the {API}, add Mail.Read and grant admin consent. If you use RBAC for Applications instead, see that "
            'the mailbox is in the scope of the role "Application Mail.Read" (Test-ServicePrincipalAuthorization). '
            "A change can take two hours; then run the same command again.",
        )
    if found.status == 404:
        return AccountError(
            "not-found", f"Exchange finds nothing of {who} there ({shown}).", "Run the same command again."
        )
    return error(found, who, "Mail.Read")


def letter_error(found: Failure) -> ItemError | None:
    """The error of one message; None: it is not about the message."""
    if corrupt(found):
        return ItemError(
            "conversion-failed",
            "Exchange cannot write this message out: it is damaged, or too large for it.",
            "Let its owner open it in Outlook, save it as a file, and put that at the new place by hand.",
        )
    if no_mailbox(found) or found.status in (401, 403) or found.passing:
        return None
    if found.status in (404, 410):
        return ItemError("gone", "It is no longer there.")
    return ItemError("source-refused", f"Exchange does not hand it over (HTTP {found.status}).")
