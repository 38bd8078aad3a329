"""What each method of the Web API answers, with its pages, its errors and its oddities."""

from __future__ import annotations

import base64
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from liberate_slack.standin.limits import Limits
from liberate_slack.standin.said import TEAM
from liberate_slack.standin.workspace import APP_USER, Workspace

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_TYPES = {"public_channel": "channels", "private_channel": "groups", "mpim": "mpim", "im": "im"}
ALL_SCOPES: frozenset[str] = frozenset(
    [f"{kind}:{what}" for kind in _TYPES.values() for what in ("read", "history")]
    + ["users:read", "users:read.email", "files:read", "emoji:read", "pins:read", "bookmarks:read", "team:read"]
)


@dataclass
class Token:
    """What a token is good for."""

    kind: Literal["user", "bot"] = "user"
    scopes: frozenset[str] = ALL_SCOPES
    error: str = ""  # with which it is refused: "token_revoked"
    rooms: set[str] = field(default_factory=set)  # where its user is; a person's token also reads public channels


class Refused(Exception):
    """The method's answer is an error."""

    def __init__(self, error: str, **more: str) -> None:
        super().__init__(error)
        self.answer = {"ok": False, "error": error, **more}


Answer = dict[str, Any]
Form = Mapping[str, str]


class Methods:
    """The methods by their names. `newest`: history counts from the newest message, whatever is asked for."""

    def __init__(self, workspace: Workspace, limits: Limits, url: str = "https://solros.slack.com/") -> None:
        self.workspace = workspace
        self._limits = limits
        self._url = url
        self.newest = False
        self.no_cursors = False  # pages of messages name none, although there are more
        self.stuck = False  # history gives the same messages whatever is asked for
        self.circles = False  # every page of a list names the same cursor
        self.instead: dict[str, Any] = {}  # what history gives in the place of a message, by its `ts`
        self.odd: Answer = {}  # members of history's answer that are something else
        self.hides_before = ""  # the `ts` up to which the Free plan shows nothing
        self.last_cursor: Literal["missing", "empty"] = "empty"  # both are met where there is no next page
        self._by_name: dict[str, Callable[[Token, Form], Answer]] = {
            "auth.test": self._auth, "team.info": self._team, "users.list": self._users, "users.info": self._user,
            "bots.info": self._bot, "conversations.list": self._conversations, "conversations.members": self._members,
            "conversations.history": self._history, "conversations.replies": self._replies, "files.info": self._file,
            "emoji.list": self._emoji, "pins.list": self._pins, "bookmarks.list": self._bookmarks,
        }  # fmt: skip

    def answer(self, method: str, token: Token, form: Form) -> Answer:
        """The answer. Raises Refused."""
        if method not in self._by_name:
            raise Refused("unknown_method")
        if token.error:
            raise Refused(token.error)
        with self.workspace.lock:
            return {"ok": True, **self._by_name[method](token, form)}

    # The workspace -------------------------------------------------------------------------------

    def _auth(self, token: Token, form: Form) -> Answer:
        bot = {"bot_id": "B0LIBERATE"} if token.kind == "bot" else {}
        return {"url": self._url, "team": "Solros", "user": "liberate", "team_id": TEAM,
                "user_id": self._me(token), "is_enterprise_install": False, **bot}  # fmt: skip

    def _me(self, token: Token) -> str:
        return APP_USER if token.kind == "bot" else next(iter(self.workspace.users))

    def _team(self, token: Token, form: Form) -> Answer:
        _scope(token, "team:read")
        return {"team": {"id": TEAM, "name": "Solros", "domain": "solros", "email_domain": "", "url": self._url,
                         "icon": self.workspace.icon}}  # fmt: skip

    def _users(self, token: Token, form: Form) -> Answer:
        _scope(token, "users:read")
        listed = [self._seen(token, user) for user in self.workspace.users.values()]
        return {"cache_ts": 1_780_000_000, **self._page("members", listed, form)}

    def _user(self, token: Token, form: Form) -> Answer:
        _scope(token, "users:read")
        found = {**self.workspace.strangers, **self.workspace.users}.get(form.get("user", ""))
        if found is None:
            raise Refused("user_not_found")
        return {"user": self._seen(token, found)}

    @staticmethod
    def _seen(token: Token, user: dict[str, Any]) -> dict[str, Any]:
        if "users:read.email" in token.scopes:
            return user
        return {**user, "profile": {name: one for name, one in user["profile"].items() if name != "email"}}

    def _bot(self, token: Token, form: Form) -> Answer:
        _scope(token, "users:read")
        found = self.workspace.bots.get(form.get("bot", ""))
        if found is None:
            raise Refused("bot_not_found")
        return {"bot": found}

    def _emoji(self, token: Token, form: Form) -> Answer:
        _scope(token, "emoji:read")
        return {"emoji": self.workspace.emoji, "cache_ts": "1780000000.000000"}

    def _file(self, token: Token, form: Form) -> Answer:
        _scope(token, "files:read")
        found = self.workspace.files.get(form.get("file", ""))
        if found is None:
            raise Refused("file_not_found")
        return {"file": found, "comments": []}

    # Conversations -------------------------------------------------------------------------------

    def _conversations(self, token: Token, form: Form) -> Answer:
        types = form.get("types", "public_channel").split(",")
        if not set(types) <= set(_TYPES):
            raise Refused("invalid_types")
        for wanted in types:
            _scope(token, f"{_TYPES[wanted]}:read")
        left = form.get("exclude_archived", "") in ("1", "true")
        listed = []
        for id_, one in self.workspace.conversations.items():
            kind, member = _type_of(one), self._is_in(token, id_)
            if kind not in types or (kind != "public_channel" and not member) or (left and one["is_archived"]):
                continue
            listed.append(one if kind == "im" else {**one, "is_member": member})
        return self._page("channels", listed, form)

    def _is_in(self, token: Token, id_: str) -> bool:
        return id_ in token.rooms

    def _room(self, token: Token, form: Form, what: str) -> str:
        id_ = form.get("channel", "")
        one = self.workspace.conversations.get(id_)
        if one is None:
            raise Refused("channel_not_found")
        kind = _type_of(one)
        if what:
            _scope(token, f"{_TYPES[kind]}:{what}")
        if not self._is_in(token, id_):
            if kind != "public_channel":
                raise Refused("channel_not_found")
            if token.kind == "bot" and what == "history":
                raise Refused("not_in_channel")
        return id_

    def _members(self, token: Token, form: Form) -> Answer:
        id_ = self._room(token, form, "read")
        return self._page("members", self.workspace.members[id_], form)

    def _pins(self, token: Token, form: Form) -> Answer:
        _scope(token, "pins:read")
        id_ = self._room(token, form, "")
        threads = self.workspace.threads(id_)
        pinned = sorted(self.workspace.pins.get(id_, {}).items(), key=lambda pair: -pair[1])
        return {"items": [
            {"type": "message", "created": when, "created_by": self.workspace.members[id_][0], "channel": id_,
             "message": self.workspace.shown(id_, ts, threads)}
            for ts, when in pinned if ts in self.workspace.said[id_]
        ]}  # fmt: skip

    def _bookmarks(self, token: Token, form: Form) -> Answer:
        _scope(token, "bookmarks:read")
        id_ = self._room(token, {"channel": form.get("channel_id", "")}, "")
        return {"bookmarks": self.workspace.bookmarks.get(id_, [])}

    # Messages ------------------------------------------------------------------------------------

    def _history(self, token: Token, form: Form) -> Answer:
        id_ = self._room(token, form, "history")
        oldest, latest, inclusive = _window(form)
        if self.stuck and not latest:
            oldest = "1.000000"
        limit = self._limits.page("conversations.history", _limit(form, 100))
        ordered = _within(self.workspace.timeline(id_), oldest, latest, inclusive)
        limited: Answer = {}
        if self.hides_before:
            ordered, limited = _within(ordered, self.hides_before, "", True), {"is_limited": True}
        cursor = form.get("cursor", "")
        if cursor:
            until = _decoded(cursor, "next_ts")
            ordered = _within(ordered, "", until, True)
        # With `oldest` alone the messages closest to it come, else those closest to `latest`.
        from_oldest = bool(oldest) and not latest and not cursor and not self.newest
        page = ordered[:limit] if from_oldest else ordered[max(0, len(ordered) - limit) :]
        more = len(ordered) > len(page)
        threads = self.workspace.threads(id_)
        answer: Answer = {
            "messages": [self.instead.get(ts, self.workspace.shown(id_, ts, threads)) for ts in reversed(page)],
            "has_more": more,
            "pin_count": len(self.workspace.pins.get(id_, {})),
            "channel_actions_ts": None,
            "channel_actions_count": 0,
            **limited,
        }
        answer |= self.odd
        if more and not from_oldest and not self.no_cursors:
            answer["response_metadata"] = {"next_cursor": _encoded("next_ts", ordered[len(ordered) - limit - 1])}
        return answer

    def _replies(self, token: Token, form: Form) -> Answer:
        id_ = self._room(token, form, "history")
        said = self.workspace.said[id_]
        asked = said.get(form.get("ts", ""))
        root = str(asked.get("thread_ts", asked["ts"])) if asked else form.get("ts", "")
        threads = self.workspace.threads(id_)
        if asked is None and root not in threads:
            raise Refused("thread_not_found")
        oldest, latest, inclusive = _window(form)
        listed = _within([one["ts"] for one in threads.get(root, ())], oldest, latest, inclusive)
        if root in said:
            listed = [root, *listed]
        after = _decoded(form["cursor"], "next_ts") if form.get("cursor") else ""
        listed = [ts for ts in listed if ts > after]
        limit = self._limits.page("conversations.replies", _limit(form, 1000))
        page = listed[:limit]
        answer: Answer = {
            "messages": [self.workspace.shown(id_, ts, threads) for ts in page],
            "has_more": len(listed) > len(page),
        }
        if answer["has_more"] and not self.no_cursors:
            answer["response_metadata"] = {"next_cursor": _encoded("next_ts", page[-1])}
        return answer

    # Pages ---------------------------------------------------------------------------------------

    def _page(self, name: str, listed: Sequence[Any], form: Form) -> Answer:
        limit = _limit(form, 100)
        if self.circles:
            return {name: list(listed[:limit]), "response_metadata": {"next_cursor": _encoded("offset", "0")}}
        begin = int(_decoded(form["cursor"], "offset")) if form.get("cursor") else 0
        answer: Answer = {name: list(listed[begin : begin + limit])}
        if begin + limit < len(listed):
            answer["response_metadata"] = {"next_cursor": _encoded("offset", str(begin + limit))}
        elif self.last_cursor == "empty":
            answer["response_metadata"] = {"next_cursor": ""}
        return answer


def _scope(token: Token, needed: str) -> None:
    if needed not in token.scopes:
        raise Refused("missing_scope", needed=needed, provided=",".join(sorted(token.scopes)))


def _type_of(one: Mapping[str, Any]) -> str:
    if one["is_im"]:
        return "im"
    return "mpim" if one["is_mpim"] else "private_channel" if one["is_private"] else "public_channel"


def _window(form: Form) -> tuple[str, str, bool]:
    for name in ("oldest", "latest"):
        if form.get(name) and not _NUMBER.fullmatch(form[name]):
            raise Refused(f"invalid_ts_{name}")
    oldest = form.get("oldest", "")
    return ("" if _padded(oldest) == _padded("0") else oldest), form.get("latest", ""), form.get("inclusive") == "1"


def _padded(ts: str) -> str:
    seconds, _, micros = ts.partition(".")
    return f"{seconds.zfill(12)}.{micros.ljust(6, '0')}"


def _within(ordered: list[str], oldest: str, latest: str, inclusive: bool) -> list[str]:
    """Those of a sorted list between the two, which belong to it if it is inclusive."""
    before, after = (bisect_left, bisect_right) if inclusive else (bisect_right, bisect_left)
    begin = before(ordered, _padded(oldest), key=_padded) if oldest else 0
    end = after(ordered, _padded(latest), key=_padded) if latest else len(ordered)
    return ordered[begin:end] if (begin, end) != (0, len(ordered)) else ordered


def _limit(form: Form, usual: int) -> int:
    text = form.get("limit", "") or str(usual)
    if not text.isdigit() or not 0 < int(text) <= 1000:
        raise Refused("invalid_limit")
    return int(text)


def _encoded(what: str, value: str) -> str:
    return base64.b64encode(f"{what}:{value}".encode()).decode()


def _decoded(cursor: str, what: str) -> str:
    try:
        name, _, value = base64.b64decode(cursor, validate=True).decode().partition(":")
    except ValueError as error:
        raise Refused("invalid_cursor") from error
    if name != what:
        raise Refused("invalid_cursor")
    return value
