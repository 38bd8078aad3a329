"""What Slack, a proxy or the line answers instead: each told as a thing, a cause and a next step, without a secret."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from api_kit import FIRST, ROOM, SECOND, SMALL, codes, items, listing, room_of, source, ts, ts_of
from liberate_slack.connectors import slack
from liberate_slack.problems import Failure, error, failure
from liberate_slack.standin.api import BOT_TOKEN, USER_TOKEN, Fault, SlackStandin
from liberate_slack.standin.methods import ALL_SCOPES
from pydantic import SecretStr, ValidationError

from liberate.connector import Account, Collection, Item, Kind
from liberate.errors import AccountError, ItemError, PlanError, TransientError
from liberate.settings import SecretRef
from liberate.testing.clock import Clock


@pytest.fixture
def standin() -> Iterator[SlackStandin]:
    with SlackStandin(SMALL) as made:
        yield made


def refusal(standin: SlackStandin, token: str = USER_TOKEN, **settings: Any) -> AccountError:
    with pytest.raises(AccountError) as told, source(standin, token, **settings) as opened:
        list(opened.items(room_of(opened), None))
    shown = "".join(traceback.format_exception(told.value)) + repr(told.value.__dict__)
    assert token not in shown
    assert told.value.why
    assert told.value.todo
    return told.value


# The token ------------------------------------------------------------------------------------------

TOKENS = [
    ("invalid_auth", "token-refused", "OAuth & Permissions"),
    ("not_authed", "token-refused", "OAuth & Permissions"),
    ("token_revoked", "token-revoked", "Reinstall to Workspace"),
    ("token_expired", "token-expired", "manifest"),
    ("account_inactive", "account-inactive", "owner"),
    ("not_allowed_token_type", "token-kind", "xoxp-"),
    ("org_login_required", "not-permitted", "owner"),
    ("enterprise_is_restricted", "not-permitted", "owner"),
    ("no_permission", "not-permitted", "owner"),
    ("missing_argument", "team-needed", "team ="),
    ("something_new", "source-refused", "docs.slack.dev"),
]


@pytest.mark.parametrize(("word", "code", "todo"), TOKENS)
def test_a_token_that_is_not_accepted_is_told_with_what_to_click(
    standin: SlackStandin, word: str, code: str, todo: str
) -> None:
    standin.tokens[USER_TOKEN].error = word
    told = refusal(standin)
    assert told.code == code
    assert word in told.why
    assert todo in told.todo


def test_a_token_of_nobody_is_told(standin: SlackStandin) -> None:
    assert refusal(standin, "xoxp-of-nobody").code == "token-refused"


def test_a_token_that_is_revoked_in_the_middle_ends_the_listing(standin: SlackStandin) -> None:
    def revoke() -> None:
        standin.tokens[USER_TOKEN].error = "token_revoked"

    standin.faults.add(Fault(method="conversations.history", skip=2, does=revoke))
    assert refusal(standin, page=1).code == "token-revoked"


# Scopes ---------------------------------------------------------------------------------------------


def test_all_scopes_that_are_missing_are_told_at_once(standin: SlackStandin) -> None:
    standin.tokens[USER_TOKEN].scopes = ALL_SCOPES - {"groups:history", "pins:read", "files:read"}
    told = refusal(standin)
    assert told.code == "missing-scope"
    assert "files:read, groups:history, pins:read" in told.why
    assert "files:read, groups:history, pins:read" in told.todo
    assert "Reinstall to Workspace" in told.todo


def test_scopes_that_the_plan_does_not_need_are_not_asked_for(standin: SlackStandin) -> None:
    needless = {"files:read", "im:read", "im:history", "mpim:read", "mpim:history", "groups:read", "groups:history"}
    standin.tokens[USER_TOKEN].scopes = ALL_SCOPES - needless
    assert len(ts_of(listing(standin, conversations=["public"], files="leave"))) == 3


def test_a_scope_that_is_taken_away_meanwhile_is_told_by_its_name(standin: SlackStandin) -> None:
    def take() -> None:
        standin.tokens[USER_TOKEN].scopes = ALL_SCOPES - {"channels:history"}

    standin.faults.add(Fault(method="conversations.list", does=take))
    told = refusal(standin)
    assert told.code == "missing-scope"
    assert "channels:history" in told.why
    assert "conversations.history" in told.why


# Rooms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "code"), [("not_in_channel", "not-in-channel"), ("channel_not_found", "not-visible")])
@pytest.mark.parametrize("method", ["conversations.history", "conversations.replies"])
def test_a_room_that_cannot_be_read_is_listed_with_its_reason_and_the_others_move(
    standin: SlackStandin, word: str, code: str, method: str
) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(2000))
    standin.faults.add(Fault(word, method=method, times=None))
    listed = listing(standin)
    assert codes(listed) == [code]
    assert not any(isinstance(one, str) for one in listed)
    standin.faults.clear()
    assert len(ts_of(listing(standin))) == 4


def test_a_room_that_is_gone_is_told(standin: SlackStandin) -> None:
    with source(standin) as opened:
        with pytest.raises(AccountError) as told:
            list(opened.items(Collection("C0GONE000", ("old",), Kind.CHAT, ordered=True), None))
        assert told.value.code == "room-gone"
        with pytest.raises(ItemError) as missed:
            opened.room(Collection("C0GONE000", ("old",), Kind.CHAT, ordered=True))
        assert missed.value.code == "gone"
        with pytest.raises(ItemError) as lost:
            list(opened.read(Item(f"C0GONE000/{FIRST}", Kind.CHAT, "")))
        assert lost.value.code == "gone"


def test_a_thread_that_is_deleted_while_it_is_read_ends_nothing(standin: SlackStandin) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(2000))
    standin.faults.add(Fault("thread_not_found", method="conversations.replies"))
    assert len(ts_of(listing(standin))) == 3


def test_what_a_room_is_can_be_told_though_its_details_are_refused(standin: SlackStandin) -> None:
    for method in ("conversations.members", "pins.list", "bookmarks.list"):
        standin.faults.add(Fault("not_in_channel", method=method))
    with source(standin) as opened:
        room = opened.room(room_of(opened))
    assert (room.name, room.members, room.pins, room.bookmarks) == ("general", (), (), ())


# The line -------------------------------------------------------------------------------------------

PASSING: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 503, "retry_after": "1"},
    {"status": 502, "breaks": "html"},
    {"status": 200, "breaks": "html"},
    {"status": 200, "breaks": "no-json"},
    {"breaks": "reset"},
    {"breaks": "truncate"},
    {"breaks": "array"},
    {"error": "internal_error"},
    {"error": "fatal_error"},
    {"error": "service_unavailable"},
    {"error": "request_timeout", "status": 408},
    {"error": "ratelimited"},
    {"error": "ratelimited", "status": 429, "retry_after": "3"},
    {"status": 429},
    {"status": 429, "retry_after": "soon"},
]
METHODS = ["auth.test", "users.list", "conversations.list", "conversations.history", "conversations.replies"]


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_what_passes_is_tried_again_and_nothing_is_lost_or_doubled(
    standin: SlackStandin, fault: dict[str, Any]
) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(2000))
    straight = ts_of(listing(standin))
    struck = [standin.faults.add(Fault(method=method, **fault)) for method in METHODS]
    clock = Clock(0.0)
    with source(standin, clock=clock) as opened:
        assert ts_of(list(opened.items(room_of(opened), None))) == straight
    expected = {"auth.test": 0, "users.list": 0, "conversations.list": 0}  # known already in this process
    assert [one.hits for one in struck] == [expected.get(method, 1) for method in METHODS]
    assert 0.2 <= sum(clock.slept) <= 20


@pytest.mark.parametrize("method", METHODS)
def test_each_call_of_a_first_look_is_tried_again(standin: SlackStandin, method: str) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(2000))
    fault = standin.faults.add(Fault(method=method, breaks="reset", times=2))
    assert len(ts_of(listing(standin))) == 4
    assert fault.hits == 2


LASTING: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"status": 500}, TransientError, "HTTP 500"),
    ({"status": 503, "breaks": "html"}, TransientError, "HTTP 503"),
    ({"breaks": "reset"}, TransientError, "no answer"),
    ({"breaks": "truncate"}, TransientError, "no answer"),
    ({"breaks": "array"}, AccountError, "proxy"),
    ({"error": "internal_error"}, TransientError, "internal_error"),
    ({"status": 429, "retry_after": "30"}, TransientError, "HTTP 429"),
    ({"status": 200, "breaks": "html"}, AccountError, "proxy"),
    ({"status": 403, "breaks": "html"}, AccountError, "proxy"),
    ({"status": 407, "breaks": "html"}, AccountError, "proxy"),
]


@pytest.mark.parametrize(("fault", "kind", "said"), LASTING, ids=str)
def test_what_lasts_is_told_and_holds_nobody_up_for_ever(
    standin: SlackStandin, fault: dict[str, Any], kind: type[Exception], said: str
) -> None:
    standin.faults.add(Fault(method="conversations.history", times=None, **fault))
    clock = Clock(0.0)
    with source(standin, clock=clock) as opened, pytest.raises(kind, match=said):
        list(opened.items(room_of(opened), None))
    assert sum(clock.slept) < 600


def test_a_wait_that_slack_asks_for_and_that_is_long_goes_to_the_engine(standin: SlackStandin) -> None:
    standin.faults.add(Fault(method="conversations.history", status=429, retry_after="1800"))
    clock = Clock(0.0)
    with source(standin, clock=clock) as opened, pytest.raises(TransientError) as told:
        list(opened.items(room_of(opened), None))
    assert told.value.retry_after == 1800
    assert clock.slept == []


def test_a_redirect_is_not_followed_so_that_no_other_host_sees_the_token(standin: SlackStandin) -> None:
    seen: list[str] = []

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET  # noqa: N815

    server = HTTPServer(("127.0.0.1", 0), Elsewhere)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        target = f"http://127.0.0.1:{server.server_port}/login"
        standin.faults.add(Fault(breaks="redirect", target=target, times=None))
        assert refusal(standin).code == "proxy"
    finally:
        server.shutdown()
        server.server_close()
    assert seen == []


def test_where_nobody_listens_it_is_told_as_passing() -> None:
    with SlackStandin(SMALL) as standin:
        pass
    with source(standin) as opened, pytest.raises(TransientError, match="no answer"):
        list(opened.collections())


def test_a_certificate_that_is_not_trusted_is_told() -> None:
    told = error(Failure(shape="certificate"), "auth.test")
    assert isinstance(told, AccountError)
    assert (told.code, Failure(shape="certificate").passing) == ("certificate", False)


@pytest.mark.parametrize(
    ("value", "wait"),
    [("7", 7.0), (["7"], 7.0), ("-1", 0.0), ("nan", None), ("inf", None), ("soon", None), (None, None)],
)
def test_retry_after_is_seconds_or_nothing(value: Any, wait: float | None) -> None:
    assert failure(429, {"Retry-After": value}, {"ok": False, "error": "ratelimited"}).wait == wait


@pytest.mark.parametrize("answer", [None, [], {}, {"error": None}, {"error": "Not A Word <html>"}, {"error": "x" * 99}])
def test_an_answer_without_a_word_of_slacks_is_not_repeated_to_anybody(answer: Any) -> None:
    found = failure(200, {}, answer)
    assert (found.code, found.shape) == ("", "page")
    assert "html" not in str(error(found, "auth.test"))


# Odd answers ------------------------------------------------------------------------------------------

ODD: list[tuple[Any, list[str]]] = [
    ({"type": "message", "ts": FIRST, "user": "U0MEMBER0", "text": None}, [FIRST]),
    ({"type": "message", "ts": FIRST, "user": None}, [FIRST]),
    ({"type": "message", "ts": FIRST, "blocks": "x", "files": {}, "reactions": [None], "edited": "x"}, [FIRST]),
    ({"type": "message", "ts": FIRST, "thread_ts": 7, "reply_count": "3"}, [FIRST]),
    ({"type": "message", "ts": FIRST, "thread_ts": "x"}, [FIRST]),
    ({"type": "message", "ts": "x", "text": "no time"}, []),
    ({"type": "message", "text": "no time"}, []),
    ({}, []),
]


@pytest.mark.parametrize(("odd", "told"), ODD, ids=range(len(ODD)))
def test_odd_messages_cost_no_other_message(standin: SlackStandin, odd: Any, told: list[str]) -> None:
    standin.methods.instead[FIRST] = odd
    listed = listing(standin)
    assert ts_of(listed) == [*told, SECOND, "1772001226.015838"]
    assert codes(listed) == ([] if told else ["bad-ts"])


@pytest.mark.parametrize(
    ("name", "value"), [("messages", [1, None, []]), ("has_more", None), ("response_metadata", 7), ("pin_count", "3")]
)
def test_answers_with_odd_members_end_no_listing(standin: SlackStandin, name: str, value: Any) -> None:
    standin.methods.odd = {name: value}
    assert set(ts_of(listing(standin))) <= {FIRST, SECOND, "1772001226.015838"}


@pytest.mark.parametrize("value", [None, "x", {}, 7])
def test_an_answer_without_its_messages_is_never_taken_for_an_empty_room(standin: SlackStandin, value: Any) -> None:
    standin.methods.odd = {"messages": value}
    with pytest.raises(TransientError, match="lacks"):
        listing(standin)


@pytest.mark.parametrize("cursors", ["missing", "empty"])
def test_lists_of_several_pages_are_read_to_their_end(
    standin: SlackStandin, cursors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liberate_slack.team._LIST", 2)
    standin.methods.last_cursor = cursors
    with source(standin) as opened:
        assert len(opened.room(room_of(opened)).members) == 8
        assert opened.author("U0MEMBER7").name == "Member7"
    assert standin.count("users.list") == 5


def test_a_list_that_goes_in_circles_is_told(standin: SlackStandin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liberate_slack.team._LIST", 2)
    standin.methods.circles = True
    with source(standin) as opened, pytest.raises(TransientError, match="circles"):
        list(opened.collections())


# Secrets and words --------------------------------------------------------------------------------------


def test_neither_the_token_nor_what_was_said_is_ever_logged(
    standin: SlackStandin, caplog: pytest.LogCaptureFixture
) -> None:
    standin.workspace.say(ROOM, ts(2000), text="between us two")
    standin.faults.add(Fault(method="conversations.history", breaks="html"))
    standin.faults.add(Fault(method="conversations.history", breaks="reset"))
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("slack_sdk").setLevel(logging.DEBUG)
        with source(standin) as opened:
            listed = list(opened.items(room_of(opened), None))
            for item in items(listed):
                b"".join(opened.read(item))
            opened.author("U0NOBODY0")
            assert USER_TOKEN not in repr(opened)
    logging.getLogger("slack_sdk").setLevel(logging.NOTSET)
    said = caplog.text + repr(caplog.records)
    assert "between us two" not in said
    assert USER_TOKEN not in said
    assert "squid" not in said


def test_the_token_comes_from_a_file_that_nobody_else_reads_or_from_the_environment(
    standin: SlackStandin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "slack-token"
    file.write_text(USER_TOKEN + "\n")
    file.chmod(0o600)
    monkeypatch.setenv("SLACK_TOKEN", BOT_TOKEN)
    assert slack.source is not None
    for secret in (SecretRef(file=file), SecretRef(env="SLACK_TOKEN")):
        settings = slack.settings(token=secret, endpoint=standin.url)
        with slack.source(settings, Account("")) as opened:
            assert len(list(opened.collections())) == 1
    file.chmod(0o644)
    with (
        pytest.raises(PlanError, match="chmod 600"),
        slack.source(slack.settings(token=SecretRef(file=file), endpoint=standin.url), Account("")),
    ):
        pass
    with (
        pytest.raises(PlanError, match="empty"),
        slack.source(slack.settings(token=SecretStr(""), endpoint=standin.url), Account("")),
    ):
        pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"token": "xoxp-in-the-plan"},
        {},
        {"token": {"env": "X"}, "endpoint": "http://slack.example"},
        {"token": {"env": "X"}, "endpoint": "http://127.0.0.1:1/api"},
        {"token": {"env": "X"}, "files_endpoint": "https://files.example"},
        {"token": {"env": "X"}, "ca_file": "ca.pem"},
        {"token": {"env": "X"}, "conversations": []},
        {"token": {"env": "X"}, "conversations": ["everything"]},
        {"token": {"env": "X"}, "page": 1000},
        {"token": {"env": "X"}, "again": "never"},
        {"token": {"env": "X"}, "recent_days": 0},
    ],
    ids=str,
)
def test_a_plan_that_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as told:
        slack.settings(**wrong)
    assert "xoxp-in-the-plan" not in str(told.value)
