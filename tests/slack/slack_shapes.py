"""Checks answers against what Slack publishes: a table of members and types.

The table was written after the samples of slackapi/java-slack-sdk (json-logs/samples/api) and docs.slack.dev, and
holds what this connector has to do with. Where LIBERATE_SLACK_SAMPLES names a folder with the samples, the tests look
into those as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

# A member's type: a word, a table in <>, any of these in [] for a list, {} for a map by names; "?": may be null;
# "!": is always there.
_WORDS = {"text": str, "number": int, "flag": bool}
_IDS = {"id": r"[A-Z][A-Z0-9]{6,}", "ts": r"\d{10}\.\d{6}", "url": r"https?://\S+", "cursor": r"[A-Za-z0-9+/=]*"}
_ALL = {"ok": "flag!", "error": "text", "needed": "text", "provided": "text", "warning": "text"}
_MORE = {"response_metadata": "<metadata>"}
TABLE: dict[str, dict[str, str]] = {
    "auth.test": {"url": "url!", "team": "text!", "user": "text!", "team_id": "id!", "user_id": "id!", "bot_id": "id",
                  "is_enterprise_install": "flag!", "enterprise_id": "id"},
    "team.info": {"team": "<team>!"},
    "users.list": {"members": "[<user>]!", "cache_ts": "number!", **_MORE},
    "users.info": {"user": "<user>!"},
    "bots.info": {"bot": "<bot>!"},
    "conversations.list": {"channels": "[<channel>]!", **_MORE},
    "conversations.members": {"members": "[id]!", **_MORE},
    "conversations.history": {"messages": "[<message>]!", "has_more": "flag!", "pin_count": "number!",
                              "channel_actions_ts": "text?", "channel_actions_count": "number", **_MORE},
    "conversations.replies": {"messages": "[<message>]!", "has_more": "flag!", **_MORE},
    "files.info": {"file": "<file>!", "comments": "[text]"},
    "emoji.list": {"emoji": "{text}!", "cache_ts": "ts!"},
    "pins.list": {"items": "[<pin>]!"},
    "bookmarks.list": {"bookmarks": "[<bookmark>]!", **_MORE},
    "metadata": {"next_cursor": "cursor"},
    "team": {"id": "id!", "name": "text!", "domain": "text!", "email_domain": "text", "url": "url",
             "icon": "<picture>"},
    "picture": {**{f"image_{size}": "url" for size in (24, 32, 34, 36, 44, 48, 64, 68, 72, 88, 102, 132, 192, 230, 512,
                                                       1024)},
                "image_original": "url", "image_default": "flag", "emoji": "text"},
    "user": {"id": "id!", "team_id": "id!", "name": "text!", "deleted": "flag!", "color": "text", "real_name": "text",
             "tz": "text", "tz_label": "text", "tz_offset": "number", "profile": "<profile>!", "is_admin": "flag",
             "is_owner": "flag", "is_primary_owner": "flag", "is_restricted": "flag", "is_ultra_restricted": "flag",
             "is_bot": "flag", "is_app_user": "flag", "updated": "number", "is_email_confirmed": "flag",
             "is_stranger": "flag"},
    "profile": {"real_name": "text", "display_name": "text", "email": "text", "team": "id", "bot_id": "id",
                "api_app_id": "id", **{f"image_{size}": "url" for size in (24, 32, 48, 72, 192, 512, 1024)}},
    "bot": {"id": "id!", "deleted": "flag!", "name": "text!", "updated": "number", "app_id": "id", "user_id": "id",
            "team_id": "id", "icons": "<picture>"},
    "channel": {"id": "id!", "created": "number!", "is_archived": "flag!", "is_im": "flag!", "is_org_shared": "flag!",
                "user": "id", "is_user_deleted": "flag", "priority": "number", "name": "text", "is_channel": "flag",
                "is_group": "flag", "is_mpim": "flag", "is_private": "flag", "is_general": "flag",
                "unlinked": "number", "name_normalized": "text", "is_shared": "flag", "is_pending_ext_shared": "flag",
                "pending_shared": "[text]", "creator": "text", "is_ext_shared": "flag", "shared_team_ids": "[id]",
                "pending_connected_team_ids": "[text]", "is_member": "flag", "topic": "<said>", "purpose": "<said>",
                "previous_names": "[text]", "num_members": "number", "context_team_id": "id", "updated": "number"},
    "said": {"value": "text!", "creator": "text!", "last_set": "number!"},
    "message": {"type": "text!", "ts": "ts!", "subtype": "text", "text": "text", "user": "id?", "team": "id",
                "bot_id": "id", "bot_profile": "<bot>", "username": "text", "icons": "<picture>", "app_id": "id",
                "thread_ts": "ts", "parent_user_id": "id", "reply_count": "number", "reply_users_count": "number",
                "latest_reply": "ts", "reply_users": "[text]", "subscribed": "flag", "is_locked": "flag",
                "root": "<message>", "edited": "<edited>", "reactions": "[<reaction>]", "files": "[<file>]",
                "upload": "flag", "client_msg_id": "text", "topic": "text", "purpose": "text", "inviter": "id",
                "blocks": "any", "attachments": "any", "pinned_to": "[id]", "hidden": "flag",
                # Of older subtypes and huddles; the samples have none of these:
                "name": "text", "old_name": "text", "item_type": "text", "file": "<file>", "room": "any"},
    "edited": {"user": "id!", "ts": "ts!"},
    "reaction": {"name": "text!", "users": "[id]!", "count": "number!"},
    "file": {"id": "id!", "created": "number", "timestamp": "number", "name": "text", "title": "text",
             "mimetype": "text", "filetype": "text", "pretty_type": "text", "user": "id", "user_team": "id",
             "editable": "flag", "size": "number", "mode": "text", "is_external": "flag", "external_type": "text",
             "external_url": "url", "is_public": "flag", "public_url_shared": "flag", "display_as_bot": "flag",
             "username": "text", "url_private": "url", "url_private_download": "text", "permalink": "url",
             "is_starred": "flag", "has_rich_preview": "flag", "file_access": "text"},
    "pin": {"type": "text!", "created": "number!", "created_by": "id!", "channel": "id", "message": "<message>",
            "file": "<file>"},
    "bookmark": {"id": "text!", "channel_id": "id", "title": "text!", "link": "text", "emoji": "text", "type": "text!",
                 "date_created": "number", "date_updated": "number", "rank": "text"},
}  # fmt: skip


def wrong(method: str, answer: Any) -> Iterator[str]:
    """What an answer of a method has that the table has not, or otherwise."""
    yield from _object(answer, {**_ALL, **TABLE[method]}, method)


def _object(value: Any, table: dict[str, str], where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is no object"
        return
    for name, kind in table.items():
        if kind.endswith("!") and name not in value:
            yield f"{where}.{name} is missing"
    for name, one in value.items():
        if name not in table:
            yield f"{where}.{name} is not known"
        else:
            yield from _member(one, table[name].rstrip("!"), f"{where}.{name}")


def _member(value: Any, kind: str, where: str) -> Iterator[str]:
    if kind == "any" or (kind.endswith("?") and value is None):
        return
    kind = kind.rstrip("?")
    if kind.startswith("[") or kind.startswith("{"):
        if not isinstance(value, list if kind[0] == "[" else dict):
            yield f"{where} is no {'list' if kind[0] == '[' else 'map'}"
            return
        for one in value if isinstance(value, list) else value.values():
            yield from _member(one, kind[1:-1], f"{where}[]")
    elif kind.startswith("<"):
        yield from _object(value, TABLE[kind[1:-1]], where)
    elif kind in _IDS:
        if not isinstance(value, str) or not re.fullmatch(_IDS[kind], value):
            yield f"{where} is {value!r} and no {kind}"
    elif type(value) is not _WORDS[kind]:
        yield f"{where} is {value!r} and no {kind}"


# Whole samples ----------------------------------------------------------------------------------------

# Members that exports have and Slack's samples of its answers do not (facts: Slack's help, exports of 2026).
_EXPORTS_ONLY = frozenset({
    "user_profile", "user_team", "source_team", "pinned_to", "file", "hidden", "previous_message", "message",
    "deleted_ts", "old_name", "item_type", "room", "name",
})  # fmt: skip


def shape(value: Any) -> dict[str, Any]:
    """The members of a sample, those of all its elements together."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        out: dict[str, Any] = {}
        for one in value:
            merge(out, shape(one))
        return {"[]": out}
    return {"type": type(value).__name__}


def merge(into: dict[str, Any], other: dict[str, Any]) -> None:
    for name, one in other.items():
        if isinstance(one, dict) and isinstance(into.get(name), dict):
            merge(into[name], one)
        else:
            into.setdefault(name, one)


def strange(value: Any, known: dict[str, Any], where: str) -> Iterator[str]:
    """What a value has that the sample has not, or in another type."""
    if isinstance(value, dict):
        if "[]" in known or set(known) == {"type"}:
            yield f"{where} is an object"
            return
        for name, one in value.items():
            if name in known:
                yield from strange(one, known[name], f"{where}.{name}")
            elif name not in _EXPORTS_ONLY:
                yield f"{where}.{name} is not known"
    elif isinstance(value, list):
        if "[]" not in known:
            yield f"{where} is an array"
            return
        for one in value:
            yield from strange(one, known["[]"], f"{where}[]")
    elif value is not None and known.get("type") != type(value).__name__:
        yield f"{where} is a {type(value).__name__}, and Slack has {known.get('type', 'something else')}"
