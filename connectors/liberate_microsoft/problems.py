"""What an answer of Graph other than the one asked for means, and what to do about it."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from liberate.errors import AccountError, ItemError, LiberateError, TransientError

PASSING = frozenset({408, 423, 425, 429, 500, 502, 503, 504, 509})
RATE = frozenset({429, 503, 509})  # answered when too much was asked for; Retry-After says how long to stay away
_MALWARE = frozenset({"malwaredetected", "virusinfected", "virussuspicious"})
API = "Entra admin center > App registrations > API permissions"


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer other than the one asked for. `code` is Graph's own word, in lower case; "" where there was none."""

    status: int  # 0: there was no answer that could be read
    code: str = ""
    wait: float | None = None  # seconds that Microsoft asks us to stay away
    location: str = ""
    about_site: bool = False  # it says that the person has no OneDrive

    @property
    def passing(self) -> bool:
        """Whether the same call may succeed later."""
        return self.status == 0 or self.status in PASSING or self.status >= 500

    @property
    def rate(self) -> bool:
        """Whether it was too much or too fast, so that everybody has to wait."""
        return self.status in RATE and (self.wait is not None or self.status == 429)


def failure(status: int, headers: Any, content: bytes) -> Failure:
    """What the answer says; one that is not JSON, as proxies and front doors give it, says its status only."""
    code = ""
    text = ""
    try:
        told = json.loads(content)["error"]
        code = str(told.get("code") or "")
        text = str(told.get("message") or "").lower()
        inner = told.get("innerError") or told.get("innererror") or {}
        while isinstance(inner, dict) and inner:
            if str(inner.get("code") or "").lower() in _MALWARE:
                code = str(inner["code"])
            inner = inner.get("innerError") or inner.get("innererror")
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return Failure(
        status,
        code.lower() if code.isascii() and len(code) < 80 else "",
        seconds(headers.get("Retry-After")),
        str(headers.get("Location") or ""),
        "mysite" in text or "file not found" in text,
    )


def seconds(text: str | None) -> float | None:
    """Retry-After in seconds, a number or a date; None when there is none."""
    if not text:
        return None
    try:
        number = float(text)
        return max(0.0, number) if math.isfinite(number) else None
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def error(found: Failure, who: str, permission: str = "Files.Read.All") -> LiberateError:
    """The error that ends what we were doing for this account."""
    shown = f"HTTP {found.status}" + (f", {found.code}" if found.code else "")
    if found.passing:
        return TransientError(f"Microsoft cannot answer for {who} at the moment ({shown}).", found.wait)
    if found.status == 401:
        return AccountError(
            "token-refused",
            f"Microsoft does not accept our sign-in for {who} ({shown}).",
            "See that the application still exists and is enabled, then run the same command again.",
        )
    if found.status == 403:
        return AccountError(
            "not-permitted",
            f"The application may not read what belongs to {who} ({shown}).",
            f"In the {API}, add the Microsoft Graph permission {permission} and grant admin consent. "
            "It can take some minutes; then run the same command again.",
        )
    if found.status == 404:
        return AccountError("not-found", f"Microsoft knows nothing of {who} ({shown}).", "Correct the people table.")
    return AccountError("source-refused", f"Microsoft refuses what we ask for {who} ({shown}).")


def item_error(found: Failure) -> ItemError | None:
    """The error of one item; None: it is not about the item."""
    if found.status in (404, 410):
        return ItemError("gone", "It is no longer there.")
    if found.code in _MALWARE:
        return ItemError(
            "malware",
            "Microsoft found malware in it and does not hand it over.",
            "Delete it, or let its owner restore an earlier version.",
        )
    if found.status == 403:
        return ItemError(
            "forbidden",
            "Microsoft does not hand it over to us: a policy or a right forbids its download.",
            "Let its owner look whether it can be downloaded by hand.",
        )
    if found.passing or found.status == 401:
        return None
    return ItemError("source-refused", f"Microsoft does not hand it over (HTTP {found.status}).")
