"""What a Nextcloud's refusals mean: one table for statuses, and what failures below HTTP are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from liberate.connector import CHANGED_THERE, NAME_TAKEN
from liberate.errors import AccountError, ItemError, LiberateError, TransientError

if TYPE_CHECKING:
    import requests

    from liberate_nextcloud.client import Reply

_AGAIN = "run the same command again"
_MESSAGE = re.compile(rb"<s:message>(.*?)</s:message>|<o:reason[^>]*>(.*?)</o:reason>", re.DOTALL)
_EXCEPTION = re.compile(rb"<s:exception>([^<]*)</s:exception>")


class FolderGone(TransientError):
    """The folder that a file was to go into was missing; it has been made again."""


def name_taken() -> ItemError:
    return ItemError(NAME_TAKEN, "Something of that name stands there already.")


def changed_there() -> ItemError:
    return ItemError(
        CHANGED_THERE,
        "Somebody changed the file at the Nextcloud since it was brought there; theirs stays.",
        "Look at both, and remove one.",
    )


def foreign_folder(whose: str, place: str) -> AccountError:
    return AccountError(
        "foreign-folder",
        f"The folder {place} of {whose} belongs to others: they would see what is moved into it.",
        f"Rename it there, or choose another folder in the plan, then {_AGAIN}.",
    )


def gone() -> ItemError:
    return ItemError("gone", "It is no longer at the Nextcloud where it was put.")


def source_gone() -> ItemError:
    return ItemError("gone", "It was removed from the Nextcloud after it was listed.")


def full(whose: str) -> AccountError:
    return AccountError("full", f"{whose} has no more room (507).", f"Free space or raise the quota, then {_AGAIN}.")


def login_refused(whose: str) -> AccountError:
    return AccountError(
        "login-refused",
        f"{whose}: the server no longer accepts the login (401).",
        f"Give a new app password, then {_AGAIN}. It is not tried again in this run, "
        "because the server locks out everybody here after some failures.",
    )


def throttled(where: str) -> AccountError:
    return AccountError(
        "throttled",
        f"{where} takes no more logins from this machine (429): too many failed ones in the last half hour.",
        "Correct the passwords that failed, run `occ security:bruteforce:reset` with this machine's address "
        f"on the server, then {_AGAIN}.",
    )


def not_a_nextcloud(where: str) -> AccountError:
    return AccountError(
        "not-a-nextcloud",
        f"{where} does not answer as a Nextcloud.",
        "Check the url: it is what a browser shows for the front page, without /apps or /index.php.",
    )


class Redirected(AccountError):
    """An answer that sends elsewhere, and where to."""

    def __init__(self, where: str, to: str) -> None:
        super().__init__("redirected", f"{where} sends requests on to {to or 'another address'}.", "Use that as url.")
        self.to = to


def redirected(where: str, response: requests.Response | None) -> LiberateError:
    """An answer that sends elsewhere: passwords do not follow."""
    target = str(response.headers.get("Location", "")) if response is not None else ""
    if "login" in target:
        return login_refused(where)
    return Redirected(where, re.sub(r"[?#].*", "", target))


def unreachable(error: BaseException, where: str) -> LiberateError:
    """What a failure of the connection itself means."""
    text = f"{error!r} {error.__context__!r}"
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text:
        return AccountError(
            "certificate-refused",
            f"{where} shows a certificate that cannot be trusted.",
            "Use the name that stands in the certificate, or name its authority with ca_file.",
        )
    if "Name or service not known" in text or "nodename nor servname" in text:
        return AccountError("unknown-server", f"{where}: there is no server of that name.", "Check the url.")
    if "timed out" in text.lower() or "timeout" in text.lower():
        return TransientError(f"{where} did not answer in time.")
    return TransientError(f"{where} cannot be reached, or broke the connection off.")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the answer asks to wait; None where it does not say (dates are not used by Nextcloud)."""
    value = headers.get("Retry-After", "").strip()
    return float(value) if value.isdigit() else None


def said(reply: Reply) -> str:
    """What the server gave as its reason, without the name of the file: messages quote paths in quotes or after a /."""
    match = _EXCEPTION.search(reply.content)
    return match.group(1).decode("utf-8", "replace").rpartition("\\")[2] if match else ""


def refusal(reply: Reply, whose: str, *, gone_is: ItemError | None = None) -> LiberateError:
    """What an answer other than the one hoped for to a request about one item means. `whose` is said to people."""
    reason = said(reply)
    tail = f" ({reply.status}{', ' + reason if reason else ''})"
    match reply.status:
        case 400 if reason == "InvalidPath" and b"ath length" in reply.content:
            return ItemError(
                "path-too-long",
                f"Its path is longer than the 4,000 bytes that a Nextcloud takes{tail}.",
                "Move it further up at the source, or shorten the names of the folders above it.",
            )
        case 400 if reason in ("InvalidPath", "InvalidCharacterInPath", "FileNameTooLong", "ReservedWord"):
            return ItemError(
                "illegal-name", f"The Nextcloud does not take this name{tail}.", "Rename it at the source."
            )
        case 400:
            return ItemError("refused", f"The Nextcloud refuses the request{tail}.")
        case 401:
            return login_refused(whose)
        case 403:
            return ItemError(
                "forbidden",
                f"{whose} may not do this there{tail}.",
                "Look at the rights of the folder, and at what the server's access rules block.",
            )
        case 404 | 410:
            return gone_is or gone()
        case 409:
            return TransientError(f"{whose}: the folder it belongs in is not there{tail}.")
        case 412:
            return changed_there()
        case 413:
            return ItemError(
                "too-large",
                "A proxy before the Nextcloud takes no bodies of this size (413).",
                "Raise client_max_body_size (nginx) or LimitRequestBody (Apache), or set a smaller chunk_size.",
            )
        case 423:
            return TransientError(f"{whose}: it is locked there at the moment{tail}.")
        case 415 | 422:
            return ItemError(
                "refused", f"The Nextcloud refuses the file{tail}.", "Ask its administrator; a virus scanner?"
            )
        case 429:
            return TransientError(f"{whose}: the server asks to slow down{tail}.", retry_after(reply.headers))
        case 503 if b"aintenance" in reply.content:
            return TransientError(f"{whose}: the server is in maintenance.", retry_after(reply.headers) or 60.0)
        case 507:
            return full(whose)
        case 500 if b"insufficient" in reply.content.lower() or b"no space" in reply.content.lower():
            return full(whose)
        case status if status < 400:  # a page of a proxy's: for maintenance, or to sign in
            return unreadable(whose)
        case _ if reply.status >= 500:
            return TransientError(f"{whose}: the server has a failure{tail}.", retry_after(reply.headers))
    return ItemError("refused", f"The Nextcloud answers what it should not{tail}.")


def unreadable(whose: str) -> TransientError:
    """An answer that is no XML or JSON where it should be: a proxy's page, or one that was cut off."""
    return TransientError(f"{whose}: the answer is not what a Nextcloud gives; it may have been cut off.")
