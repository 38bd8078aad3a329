"""The strings of Slack's JSON: what of them may go anywhere, and what must not leave."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_ENTITY = re.compile("&(amp|lt|gt);")
_MEANS = {"amp": "&", "lt": "<", "gt": ">"}
_TOKEN = re.compile(r"xox[a-z]-|xoxe\.", re.IGNORECASE)
_SECRET = frozenset({"t", "token"})  # an export's links carried ?t= until 2025, and ?token= since


def clean(value: Any) -> str:
    """The value if it is text, else "". NUL and lone surrogates, which nothing takes, become U+FFFD."""
    if not isinstance(value, str):
        return ""
    text = value.replace("\0", "\ufffd") if "\0" in value else value
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_deep(value: Any) -> Any:
    """JSON with each of its strings clean."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_deep(one) for one in value]
    if isinstance(value, dict):
        return {clean(name): clean_deep(one) for name, one in value.items()}
    return value


def unescape(text: str) -> str:
    """Slack escapes these three and no others (docs.slack.dev/messaging/formatting-message-text); undone once."""
    return _ENTITY.sub(lambda found: _MEANS[found[1]], text) if "&" in text else text


def without_token(url: str) -> str:
    """The address without the token that an export puts into its links."""
    if "xox" not in url.lower():
        return url
    try:
        parts = urlsplit(url)
        query = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return ""
    kept = [(name, value) for name, value in query if name not in _SECRET or not _TOKEN.match(value)]
    return urlunsplit(parts._replace(query=urlencode(kept)))


def token_in(url: str) -> str:
    """The token that a link carries; "" if it carries none."""
    try:
        query = parse_qsl(urlsplit(url).query)
    except ValueError:
        return ""
    return next((value for name, value in query if name in _SECRET and _TOKEN.match(value)), "")


def members_of(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def list_of(value: Any) -> list[Any]:
    """The value if it is a JSON array, else an empty one."""
    return value if isinstance(value, list) else []


def dicts_of(value: Any) -> list[dict[str, Any]]:
    """The objects in a JSON array; none if it is something else."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
