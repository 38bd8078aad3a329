"""Who is who in a workspace, as users.json and the messages tell it. Pure."""

from __future__ import annotations

from typing import Any, Literal

from liberate.chat import Author
from liberate_slack.convert import NOBODY, SLACK, SLACKBOT
from liberate_slack.letters import clean, members_of

_SYSTEM = {
    SLACK: Author(SLACK, "Slack", kind="system"),
    SLACKBOT: Author(SLACKBOT, "Slackbot", kind="system"),
    NOBODY: Author(NOBODY, "Unknown", kind="system"),
}


def author(user: dict[str, Any]) -> Author:
    """A line of users.json."""
    id_ = clean(user.get("id"))
    if id_ in _SYSTEM:
        return _SYSTEM[id_]
    profile = members_of(user.get("profile"))
    kind: Literal["person", "guest", "stranger", "program"] = "person"
    if user.get("is_bot") is True:
        kind = "program"
    elif user.get("is_stranger") is True:
        kind = "stranger"
    elif user.get("is_restricted") is True or user.get("is_ultra_restricted") is True:
        kind = "guest"
    full = clean(profile.get("real_name")) or clean(user.get("real_name"))
    name = clean(profile.get("display_name")) or full or clean(user.get("name")) or id_
    return Author(id_, name, full, clean(profile.get("email")), kind, user.get("deleted") is True)


def at_home(user: dict[str, Any], home: str) -> bool:
    """Whether somebody belongs to the workspace of this id, or to its organisation."""
    team = clean(user.get("team_id"))
    return not team or team == home or bool(user.get("enterprise_user"))


def stranger(message: dict[str, Any]) -> Author | None:
    """What a message says of an author whom users.json lacks: somebody of another workspace, as a rule."""
    id_ = clean(message.get("user"))
    profile = members_of(message.get("user_profile"))
    if not id_ or not profile:
        return None
    full = clean(profile.get("real_name"))
    name = clean(profile.get("display_name")) or full or clean(profile.get("name")) or id_
    return Author(id_, name, full, kind="stranger")


def unlisted(id_: str) -> Author:
    """Somebody of whom nothing but the id is known: a program by its name in the id, or a stranger."""
    if id_ in _SYSTEM:
        return _SYSTEM[id_]
    bot, colon, name = id_.partition(":")
    if colon:
        return Author(id_, name, kind="program")
    if bot.startswith("B"):
        return Author(id_, bot, kind="program")
    return Author(id_, id_, kind="stranger")
