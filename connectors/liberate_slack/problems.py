"""What an answer of Slack's other than the one asked for means, and what to do about it. Pure.

Slack answers errors with status 200 and a word of its own (docs.slack.dev/apis/web-api/using-the-slack-web-api).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from liberate.errors import AccountError, LiberateError, TransientError
from liberate_slack.pace import FEW, forecast

APP = "api.slack.com/apps > your app"
AGAIN = "Then run the same command again."
RATE = frozenset({"ratelimited", "rate_limited", "accesslimited"})
_PASSING = RATE | {
    "fatal_error", "internal_error", "request_timeout", "service_unavailable", "team_added_to_org",
    "fetch_members_failed", "invalid_cursor",
}  # fmt: skip
NO_ROOM = frozenset({"not_in_channel", "channel_not_found", "channel_is_limited_access", "not_visible"})
_NOT_PERMITTED = frozenset({
    "no_permission", "access_denied", "org_login_required", "enterprise_is_restricted", "team_access_not_granted",
    "ekm_access_denied", "two_factor_setup_required", "restricted_action",
})  # fmt: skip
_WORD = re.compile(r"[a-z0-9_]{1,60}")
_TOKENS: dict[str, tuple[str, str, str]] = {
    "not_authed": (
        "token-refused",
        "Slack got no token.",
        f"Copy the token from {APP} > OAuth & Permissions; it begins with xoxp- or xoxb-. {AGAIN}",
    ),
    "invalid_auth": (
        "token-refused",
        "Slack does not know the token.",
        f"Copy it again from {APP} > OAuth & Permissions; it begins with xoxp- or xoxb-. {AGAIN}",
    ),
    "token_revoked": (
        "token-revoked",
        "The token was revoked, or the app was taken out of the workspace.",
        f"Click {APP} > Install App > Reinstall to Workspace, and put the new token in the place of the old one. "
        f"{AGAIN}",
    ),
    "token_expired": (
        "token-expired",
        "The token has expired, because token rotation is switched on for the app.",
        "Make the app anew from the manifest in the documentation, which leaves token rotation off, and use its "
        f"token. {AGAIN}",
    ),
    "account_inactive": (
        "account-inactive",
        "The account of whoever installed the app is deactivated.",
        f"Let an owner of the workspace install it: {APP} > Install App. {AGAIN}",
    ),
    "not_allowed_token_type": (
        "token-kind",
        "The token is of a kind that cannot read messages.",
        f"Use the one that begins with xoxp- or xoxb-, from {APP} > OAuth & Permissions. {AGAIN}",
    ),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer other than the one asked for."""

    code: str = ""  # Slack's own word; "" where there was none
    status: int = 0  # 0: there was no answer that could be read
    wait: float | None = None  # seconds that Slack asks us to stay away
    needed: str = ""  # scopes
    provided: str = ""
    shape: Literal["", "page", "elsewhere", "certificate"] = ""  # a web page; a redirect; not to be trusted

    @property
    def rate(self) -> bool:
        """Whether it was too fast."""
        return self.status == 429 or self.code in RATE

    @property
    def passing(self) -> bool:
        """Whether the same call may succeed in a moment."""
        if self.shape in ("elsewhere", "certificate"):
            return False
        odd = self.status >= 500 or self.status in (0, 408, 429)
        return odd or self.code in _PASSING or (not self.code and self.status in (200, 403))


def failure(status: int, headers: Any, answer: Any) -> Failure:
    """What the answer says. `answer`: the JSON object, or None for what is none."""
    wait = _seconds(headers.get("Retry-After") or headers.get("retry-after"))
    if not isinstance(answer, dict) or not _WORD.fullmatch(str(answer.get("error") or "")):
        elsewhere = 300 <= status < 400
        return Failure("", status, wait, shape="elsewhere" if elsewhere else "page")
    needed, provided = (str(answer.get(name) or "") for name in ("needed", "provided"))
    return Failure(str(answer["error"]), status, wait, needed, provided)


def _seconds(value: Any) -> float | None:
    value = value[0] if isinstance(value, list) and value else value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return max(0.0, number) if math.isfinite(number) else None


def error(found: Failure, method: str) -> LiberateError:
    """The error that ends what we were doing."""
    shown = f"{method}: " + (found.code or f"HTTP {found.status}" if found.status else "no answer")
    if found.shape == "certificate":
        return AccountError(
            "certificate",
            "The certificate of what answers for slack.com is not one that this machine trusts.",
            "Ask whoever runs your network whether a proxy stands in between.",
        )
    if found.shape == "elsewhere" or (found.shape == "page" and found.status in (200, 401, 403, 407)):
        return AccountError(
            "proxy",
            f"Something between this machine and Slack answers instead of Slack ({shown}): a proxy, a firewall or the "
            "login page of a network.",
            f"Ask whoever runs your network to let this machine reach https://slack.com. {AGAIN}",
        )
    if found.rate:
        return TransientError(f"Slack asks us to come back later ({shown}).", found.wait)
    if found.passing:
        return TransientError(f"Slack cannot answer at the moment ({shown}).", found.wait)
    if found.code in _TOKENS:
        code, why, todo = _TOKENS[found.code]
        return AccountError(code, f"{why} ({found.code})", todo)
    if found.code == "missing_scope":
        return missing(found.needed.split(",") if found.needed else [], method)
    if found.code in _NOT_PERMITTED:
        return AccountError(
            "not-permitted",
            f"The workspace's settings do not let the app read this ({shown}).",
            f"Ask an owner of the workspace or organisation to approve the app. {AGAIN}",
        )
    if found.code == "missing_argument":
        return AccountError(
            "team-needed",
            f"The token is good for several workspaces, and Slack asks which one is meant ({shown}).",
            'Write team = "T..." with the workspace\'s id into the plan: it stands in its address in a browser.',
        )
    return AccountError(
        "source-refused", f"Slack refuses what we ask for ({shown}).", "Look at docs.slack.dev for what it means."
    )


def missing(scopes: list[str], method: str = "") -> AccountError:
    """The app lacks scopes."""
    named = ", ".join(sorted(scopes)) or "a scope"
    what = f" for {method}" if method else ""
    return AccountError(
        "missing-scope",
        f"The app may not read everything that the plan wants: it lacks {named}{what}.",
        f"Click {APP} > OAuth & Permissions > Scopes, add {named}, then Reinstall to Workspace at the top of that "
        f"page, and copy the token again. {AGAIN}",
    )


def slow() -> AccountError:
    """The app is one of those that Slack holds back."""
    return AccountError(
        "slow-app",
        f"Slack gives this app {FEW} messages a minute, as it does with apps that are distributed: {forecast()}.",
        "Make the app in your own workspace, as the documentation tells, or begin with an export. To go on at this "
        'pace all the same, write slow = "accept" into the plan.',
    )


def no_room(found: Failure) -> tuple[str, str, str]:
    """(code, why, what to do) of a conversation that Slack lists and does not let us read."""
    if found.code == "not_in_channel":
        return (
            "not-in-channel",
            "The app is not in this channel, and an app's own token reads those only that it is in.",
            "Type /invite and the app's name in the channel, or use the token of a person (xoxp-), which reads every "
            f"public channel. {AGAIN}",
        )
    return (
        "not-visible",
        f"Slack lists this conversation and does not let us read it ({found.code}).",
        f"Let somebody who is in it install the app, or move it from an export. {AGAIN}",
    )
