"""What a homeserver's refusals mean: one table for errcodes and statuses, and what failures below HTTP are."""

from __future__ import annotations

import re

from urllib3.exceptions import ProxyError

from liberate.errors import AccountError, ItemError, LiberateError, TransientError

NOBODY = "not-a-homeserver"
_AGAIN = "run the same command again"


class DeviceGone(TransientError):
    """The device by which an account's requests are told apart was removed; it can be made anew."""


class TooFast(TransientError):
    """The homeserver limits how much liberate may ask of it."""


def unreachable(error: BaseException, where: str, proxy: str = "") -> LiberateError:
    """What a failure of the connection itself means. No part of the request is told."""
    text = f"{error!r} {error.__context__!r}"
    if proxy and (isinstance(error, ProxyError) or not _untrusted(text)):  # a tunnel shows the homeserver's certificate
        return _on_the_way(text, where, proxy)
    if _untrusted(text):
        return AccountError(
            "certificate-refused",
            f"{where} shows a certificate that cannot be trusted.",
            "Use the name that stands in the certificate, or name its authority with ca_file.",
        )
    if _unknown(text):
        return AccountError("unknown-server", f"{where}: there is no server of that name.", "Check the url.")
    if _late(text):
        return TransientError(f"{where} did not answer in time.")
    return TransientError(f"{where} cannot be reached, or broke the connection off.")


def _on_the_way(text: str, where: str, proxy: str) -> LiberateError:
    """The same where a proxy is in between."""
    thing = f"The proxy {proxy}, by which {where} is reached,"
    todo = "Correct https_proxy, or name the homeserver in no_proxy"
    told = re.search(r"Tunnel connection failed: (\d{3})", text)
    if told is not None and told[1] == "407":
        todo = f"Give https_proxy the form http://user:password@{proxy}; then {_AGAIN}."
        return AccountError("proxy-refused", f"{thing} wants a user and a password (407).", todo)
    if told is not None and told[1] < "500":
        why = f"{thing} does not let liberate through ({told[1]})."
        return AccountError(
            "proxy-refused", why, f"Ask whoever runs it, or name the homeserver in no_proxy; then {_AGAIN}."
        )
    if told is not None:
        return TransientError(f"{thing} does not reach it ({told[1]}). Check the url. {todo}.")
    if _untrusted(text):
        why = f"{thing} shows a certificate that cannot be trusted."
        return AccountError("certificate-refused", why, f"{todo}, or name its authority with ca_file.")
    if _unknown(text):
        return AccountError("unknown-server", f"{thing} is not there: no server has that name.", f"{todo}.")
    if _late(text):
        return TransientError(f"{thing} or the homeserver did not answer in time. {todo}.")
    return TransientError(f"{thing} cannot be reached, or broke the connection off. {todo}.")


def _untrusted(text: str) -> bool:
    return "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text


def _unknown(text: str) -> bool:
    return "Name or service not known" in text or "nodename nor servname" in text


def _late(text: str) -> bool:
    return "timed out" in text.lower() or "timeout" in text.lower()


def no_homeserver(where: str) -> AccountError:
    return AccountError(
        NOBODY,
        f"{where} does not answer as a Matrix homeserver.",
        "Check the url: it is where clients connect, which /.well-known/matrix/client of the domain may tell.",
    )


def blocked(status: int, where: str) -> ItemError:
    """What was refused by something else, while the homeserver itself answers."""
    return ItemError(
        "blocked",
        f"Something in front of {where}, such as a firewall, refuses it ({status}); the homeserver never saw it.",
        "Ask whoever runs it to let liberate through; then `liberate retry`.",
    )


def no_account(user: str, where: str) -> AccountError:
    return AccountError(
        "no-such-user",
        f"{user} has no account at {where}.",
        f"Make the account, or correct the people table; then {_AGAIN}.",
    )


def encrypted(where: str) -> AccountError:
    return AccountError(
        "encrypted-rooms",
        f"{where} makes new rooms encrypted, and liberate cannot write into such rooms.",
        "Set encryption_enabled_by_default_for_room_type to off while everything moves, "
        f"delete the empty room that was made, then {_AGAIN}.",
    )


def gone() -> ItemError:
    return ItemError("gone", "It is no longer at the homeserver where it was put.")


def too_large(limit: int | None = None) -> ItemError:
    told = "" if limit is None else f" It takes {limit} bytes at most."
    return ItemError(
        "too-large",
        f"The homeserver takes no files of this size.{told}",
        "Raise max_upload_size, and its proxy's limit.",
    )


def refusal(status: int, code: str, words: str, retry_ms: object, user: str | None, where: str) -> LiberateError:
    """What an answer of 400 or more means. `words` are the server's own, which may quote ids, and are not passed on."""
    told = f"({status}{', ' + code if code else ''})"
    wait = retry_ms / 1000 if isinstance(retry_ms, int | float) else None
    match code:
        case "M_LIMIT_EXCEEDED":
            return TooFast(f"{where} asks to slow down {told}.", wait)
        case "M_UNKNOWN_TOKEN" | "M_MISSING_TOKEN":
            return AccountError(
                "login-refused",
                f"{where} does not know the token of the registration {told}.",
                f"Give the homeserver the same file, under app_service_config_files, and restart it; then {_AGAIN}.",
            )
        case "M_TOO_LARGE":
            return too_large()
        case "M_FORBIDDEN" if "not registered this user" in words:
            return no_account(user or "The user", where)
        case "M_FORBIDDEN" | "M_EXCLUSIVE" if "masquerade" in words or code == "M_EXCLUSIVE":
            return AccountError(
                "not-in-namespace",
                f"The registration does not let liberate speak for {user or 'this user'} at {where} {told}.",
                "Its namespaces must match the server's name, and the prefix that the settings name. "
                "Make it anew with `liberate matrix registration`.",
            )
        case "M_FORBIDDEN" | "M_GUEST_ACCESS_FORBIDDEN":
            return ItemError("forbidden", f"{user or 'The account'} may not do this in the room at {where} {told}.")
        case "M_USER_DEACTIVATED":
            return AccountError(
                "deactivated-user",
                f"{user or 'The user'} is deactivated at {where} {told}.",
                f"Correct the people table; then {_AGAIN}.",
            )
        case "M_UNKNOWN_DEVICE":
            return DeviceGone(f"{user or 'The account'} at {where} has removed the device that liberate uses {told}.")
        case "M_RESOURCE_LIMIT_EXCEEDED":
            return AccountError(
                "full", f"{where} has reached a limit of its own {told}.", f"Ask its administrator; then {_AGAIN}."
            )
        case "M_NOT_FOUND":
            return gone()
        case "M_UNRECOGNIZED":
            return AccountError(
                "too-old", f"{where} does not know a request that is needed {told}.", "Bring it up to date."
            )
    if status == 413:
        return too_large()
    if status == 429 or status >= 500:
        return TransientError(f"{where} has a failure {told}.", wait)  # of a proxy's in front of it, too
    if not re.fullmatch(r"[A-Z_.a-z0-9]+", code):
        return no_homeserver(where)
    return ItemError("refused", f"{where} refuses it {told}.")
