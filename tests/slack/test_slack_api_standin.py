"""The Web API's stand-in: its answers have Slack's members and types, and it has Slack's ways."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api_kit import FIRST, ROOM, SECOND, THIRD, ts
from liberate_slack.pace import TIER_OF, TIERS
from liberate_slack.standin import limits
from liberate_slack.standin.api import BOT_TOKEN, USER_TOKEN, SlackStandin
from liberate_slack.standin.export import Shape
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_shapes import TABLE, shape, strange, wrong

from liberate.testing.clock import Clock

_TYPES = "public_channel,private_channel,mpim,im"
_FREE = frozenset({"channel"})  # of a pin: docs.slack.dev/reference/methods/pins.list has it


@pytest.fixture(scope="module")
def whole() -> Iterator[SlackStandin]:
    with SlackStandin() as standin:
        workspace = standin.workspace
        workspace.emoji = {"solros": "https://emoji.slack-edge.com/T/solros/1.png", "sun": "alias:solros"}
        workspace.pin(ROOM, workspace.order[ROOM][3])
        workspace.bookmarks[ROOM] = [
            {"id": "Bk1", "channel_id": ROOM, "title": "Wiki", "link": "https://wiki.example", "type": "link",
             "date_created": 1, "date_updated": 0, "rank": "U"}
        ]  # fmt: skip
        yield standin


@pytest.fixture
def plain() -> Iterator[SlackStandin]:
    with SlackStandin(Shape(messages=3, layout="public", channels=1, plain=True), Clock(0.0)) as standin:
        yield standin


def web(standin: SlackStandin, token: str = USER_TOKEN) -> WebClient:
    return WebClient(token, base_url=f"{standin.url}/api/", retry_handlers=[])


def asked(standin: SlackStandin, method: str, token: str = USER_TOKEN, **params: Any) -> dict[str, Any]:
    """What Slack's own library makes of a call."""
    answer: Any = web(standin, token).api_call(method, params=params).data
    return dict(answer)


def error(standin: SlackStandin, method: str, token: str = USER_TOKEN, **params: Any) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as told:
        asked(standin, method, token, **params)
    return dict(told.value.response.data)


def told(standin: SlackStandin, method: str = "conversations.history", **params: Any) -> list[str]:
    return [one["ts"] for one in asked(standin, method, channel=ROOM, **params)["messages"]]


# Shapes ---------------------------------------------------------------------------------------------


def answers(standin: SlackStandin) -> Iterator[tuple[str, dict[str, Any]]]:
    """An answer of every method, and pages of several."""
    workspace = standin.workspace
    for method, params in (
        ("auth.test", {}), ("team.info", {}), ("users.list", {"limit": 3}), ("users.list", {}),
        ("users.info", {"user": "U0STRANGE"}), ("bots.info", {"bot": "B0DEPLOY0"}), ("emoji.list", {}),
        ("conversations.list", {"types": _TYPES}), ("conversations.list", {"types": _TYPES, "limit": 2}),
        ("conversations.members", {"channel": ROOM, "limit": 2}), ("pins.list", {"channel": ROOM}),
        ("bookmarks.list", {"channel_id": ROOM}), ("conversations.history", {"channel": ROOM, "limit": 200}),
        ("conversations.history", {"channel": ROOM, "limit": 5}),
    ):  # fmt: skip
        yield method, asked(standin, method, **params)
    for root in workspace.threads(ROOM):
        yield "conversations.replies", asked(standin, "conversations.replies", channel=ROOM, ts=root, limit=2)
    for id_ in workspace.files:
        yield "files.info", asked(standin, "files.info", file=id_)


def test_every_answer_has_the_members_and_types_that_slack_publishes(whole: SlackStandin) -> None:
    seen = set()
    for method, answer in answers(whole):
        assert list(wrong(method, answer)) == []
        seen.add(method)
    assert seen == {name for name in TABLE if "." in name}


@pytest.mark.parametrize(
    ("method", "change"),
    [
        ("auth.test", {"team_id": None}), ("auth.test", {"extra": 1}),
        ("users.list", {"members": [{"id": "U0ANNA00"}]}),
        ("users.list", {"members": {}}), ("emoji.list", {"emoji": {"sun": 1}}), ("emoji.list", {"cache_ts": 7}),
        ("conversations.members", {"members": ["anna"]}), ("conversations.history", {"has_more": 1}),
        ("conversations.history", {"messages": [{"type": "message", "ts": "1"}]}),
        ("conversations.history", {"messages": [{"type": "message", "ts": FIRST, "reactions": [{"name": "eyes"}]}]}),
    ],
    ids=str,
)  # fmt: skip
def test_the_comparison_finds_faults(whole: SlackStandin, method: str, change: dict[str, Any]) -> None:
    answer = next(answer for name, answer in answers(whole) if name == method)
    assert list(wrong(method, {**answer, **change}))


def test_every_answer_fits_slacks_samples_where_they_are_at_hand(whole: SlackStandin, samples: Path) -> None:
    for method, answer in answers(whole):
        if method == "emoji.list":
            continue  # a map, of which the samples show two made-up names
        known = shape(json.loads((samples / f"{method}.json").read_text()))
        found = [one for one in strange(answer, known, "") if ".blocks" not in one]  # a union; see test_slack_standin
        assert [one for one in found if one.split()[0].rpartition(".")[2] not in _FREE] == [], method


def test_the_rates_that_we_keep_are_those_that_the_stand_in_keeps() -> None:
    assert (TIER_OF, TIERS) == (limits.TIER_OF, limits.TIERS)


# Windows and pages ------------------------------------------------------------------------------------


def test_history_has_its_window_newest_first_and_without_its_ends_unless_they_are_asked_for(
    plain: SlackStandin,
) -> None:
    assert told(plain) == [THIRD, SECOND, FIRST]
    assert told(plain, oldest=FIRST) == [THIRD, SECOND]
    assert told(plain, latest=THIRD) == [SECOND, FIRST]
    assert told(plain, oldest=FIRST, latest=THIRD) == [SECOND]
    assert told(plain, oldest=FIRST, latest=THIRD, inclusive=True) == [THIRD, SECOND, FIRST]
    assert told(plain, oldest=SECOND, latest=SECOND, inclusive=True) == [SECOND]


def test_history_gives_what_is_closest_to_latest_or_with_oldest_alone_to_oldest(plain: SlackStandin) -> None:
    assert told(plain, limit=2) == [THIRD, SECOND]
    assert told(plain, limit=2, oldest="0") == [THIRD, SECOND]
    assert told(plain, limit=2, oldest="1.000000") == [SECOND, FIRST]
    assert told(plain, limit=1, oldest="1.000000", latest="1999999999") == [THIRD]


def test_a_cursor_leads_to_the_next_page_and_a_made_up_one_nowhere(plain: SlackStandin) -> None:
    page = asked(plain, "conversations.history", channel=ROOM, limit=2)
    assert page["has_more"]
    rest = told(plain, limit=2, cursor=page["response_metadata"]["next_cursor"])
    assert rest == [FIRST]
    assert error(plain, "conversations.history", channel=ROOM, cursor="bm9uZQ==")["error"] == "invalid_cursor"
    assert error(plain, "users.list", cursor="?")["error"] == "invalid_cursor"


def test_answers_are_in_their_thread_and_not_in_the_history_unless_they_were_shown_to_the_room(
    plain: SlackStandin,
) -> None:
    plain.workspace.reply(ROOM, FIRST, ts(2000))
    plain.workspace.reply(ROOM, FIRST, ts(3000), broadcast=True)
    assert told(plain) == [ts(3000), THIRD, SECOND, FIRST]
    assert told(plain, "conversations.replies", ts=FIRST) == [FIRST, ts(2000), ts(3000)]
    assert told(plain, "conversations.replies", ts=ts(2000)) == [FIRST, ts(2000), ts(3000)]
    assert told(plain, "conversations.replies", ts=FIRST, oldest=ts(2000)) == [FIRST, ts(3000)]
    assert told(plain, "conversations.replies", ts=SECOND) == [SECOND]
    page = asked(plain, "conversations.replies", channel=ROOM, ts=FIRST, limit=2)
    assert told(plain, "conversations.replies", ts=FIRST, cursor=page["response_metadata"]["next_cursor"]) == [ts(3000)]
    root = asked(plain, "conversations.history", channel=ROOM)["messages"][-1]
    assert (root["thread_ts"], root["reply_count"], root["latest_reply"]) == (FIRST, 2, ts(3000))
    assert error(plain, "conversations.replies", channel=ROOM, ts=ts(9))["error"] == "thread_not_found"


@pytest.mark.parametrize(
    ("method", "params", "word"),
    [
        ("conversations.history", {"channel": "C0NOWHERE"}, "channel_not_found"),
        ("conversations.history", {"channel": ROOM, "limit": 1001}, "invalid_limit"),
        ("conversations.history", {"channel": ROOM, "oldest": "yesterday"}, "invalid_ts_oldest"),
        ("conversations.list", {"types": "all"}, "invalid_types"),
        ("users.info", {"user": "U0NOBODY0"}, "user_not_found"),
        ("bots.info", {"bot": "B0NOBODY0"}, "bot_not_found"),
        ("files.info", {"file": "F0NOBODY0"}, "file_not_found"),
        ("chat.postMessage", {"channel": ROOM, "text": "x"}, "unknown_method"),
    ],
)
def test_errors_are_slacks_words_with_status_200(
    plain: SlackStandin, method: str, params: dict[str, Any], word: str
) -> None:
    with pytest.raises(SlackApiError) as raised:
        web(plain).api_call(method, params=params)
    assert (raised.value.response.status_code, raised.value.response["error"]) == (200, word)


# Tokens and limits --------------------------------------------------------------------------------------


def test_a_scope_that_is_missing_is_named_with_those_that_are_there(plain: SlackStandin) -> None:
    plain.tokens[USER_TOKEN].scopes = frozenset({"channels:read", "users:read"})
    found = error(plain, "conversations.history", channel=ROOM)
    assert (found["error"], found["needed"], found["provided"]) == (
        "missing_scope", "channels:history", "channels:read,users:read",
    )  # fmt: skip
    assert "email" not in asked(plain, "users.list")["members"][0]["profile"]


def test_an_apps_own_token_reads_where_it_is_and_a_persons_every_public_channel(whole: SlackStandin) -> None:
    for one in whole.tokens.values():
        one.rooms.clear()
    try:
        assert error(whole, "conversations.history", BOT_TOKEN, channel=ROOM)["error"] == "not_in_channel"
        assert error(whole, "conversations.history", channel="G0BOARD00")["error"] == "channel_not_found"
        assert asked(whole, "conversations.history", channel=ROOM)["messages"]
        assert len(asked(whole, "conversations.list", types=_TYPES)["channels"]) == 3
    finally:
        for one in whole.tokens.values():
            one.rooms.update(whole.workspace.conversations)


def test_an_app_of_its_own_has_50_calls_a_minute_and_a_distributed_one_has_15_messages(plain: SlackStandin) -> None:
    clock = plain.limits.clock
    assert isinstance(clock, Clock)
    plain.limits.app = "internal"
    for _ in range(50):
        asked(plain, "conversations.history", channel=ROOM)
    with pytest.raises(SlackApiError) as refused:
        web(plain).conversations_history(channel=ROOM)
    response = refused.value.response
    assert (response.status_code, response.headers["Retry-After"], response["error"]) == (429, "60", "ratelimited")
    asked(plain, "conversations.replies", channel=ROOM, ts=FIRST)  # each method has its own
    clock.now += 60
    plain.limits.app = "distributed"
    for second in range(30):
        plain.workspace.say(ROOM, ts(2000 + second))
    page = asked(plain, "conversations.history", channel=ROOM, limit=200)
    assert (len(page["messages"]), page["has_more"]) == (15, True)
    clock.now += 30
    assert error(plain, "conversations.history", channel=ROOM)["error"] == "ratelimited"
    clock.now += 31
    asked(plain, "conversations.history", channel=ROOM)
