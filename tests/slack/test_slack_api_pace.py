"""Slack's rates: kept where they are published, its waits obeyed by all threads, and a slow app told at once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest
from api_kit import FIRST, ROOM, items, room_of, source, ts, ts_of
from liberate_slack import pace
from liberate_slack.api import SlackSource
from liberate_slack.connectors import slack
from liberate_slack.pace import Pacer, forecast, shared
from liberate_slack.standin.api import USER_TOKEN, Fault, SlackStandin
from liberate_slack.standin.export import Shape
from pydantic import SecretStr

from liberate.connector import Account
from liberate.errors import AccountError, TransientError
from liberate.testing.clock import Clock

MANY = Shape(messages=60, layout="public", channels=1, plain=True)


@pytest.fixture
def clock() -> Clock:
    return Clock(1000.0)


@pytest.fixture
def standin(clock: Clock) -> Iterator[SlackStandin]:
    with SlackStandin(MANY, clock) as made:
        yield made


def read(standin: SlackStandin, pacer: Pacer, **settings: object) -> list[str]:
    given = slack.settings(token=SecretStr(USER_TOKEN), endpoint=standin.url, **settings)
    opened = SlackSource(given, Account(""), pacer)
    try:
        return ts_of(list(opened.items(room_of(opened), None)))
    finally:
        opened.close()


# The published rate ---------------------------------------------------------------------------------


def test_an_app_of_its_own_is_never_refused_as_it_keeps_to_the_published_rate(
    standin: SlackStandin, clock: Clock
) -> None:
    for second in range(130):
        standin.workspace.say(ROOM, ts(40_000 + second))
        standin.workspace.reply(ROOM, ts(40_000 + second), ts(50_000 + second))
    standin.limits.app = "internal"
    told = read(standin, Pacer(clock=clock, sleep=clock.sleep))
    assert len(told) == 60 + 260
    assert standin.limits.refused == 0
    assert 120 < sum(clock.slept) < 200  # 130 threads at 50 a minute, and not much more


@pytest.mark.parametrize(("method", "calls"), [("users.list", 20), ("conversations.history", 50), ("users.info", 100)])
def test_no_minute_sees_more_calls_than_its_tier_has(clock: Clock, method: str, calls: int) -> None:
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    at = []
    for _ in range(4 * calls):
        pacer.turn(method)
        at.append(clock())
    assert all(after - before > 60 for before, after in zip(at, at[calls:], strict=False))
    assert at[-1] - at[0] < 60 * 5


def test_methods_do_not_wait_for_one_another(clock: Clock) -> None:
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    pacer.refused("conversations.history", 60)
    pacer.turn("conversations.replies")
    assert clock.slept == []
    pacer.turn("conversations.history")
    assert sum(clock.slept) == 60


def test_a_stand_in_is_trusted_to_say_its_rate_itself(clock: Clock) -> None:
    pacer = Pacer(published=False, clock=clock, sleep=clock.sleep)
    for _ in range(500):
        pacer.turn("conversations.history")
    assert clock.slept == []


# Retry-After ----------------------------------------------------------------------------------------


def test_a_wait_is_obeyed_to_the_second_and_nothing_is_lost(standin: SlackStandin, clock: Clock) -> None:
    standin.faults.add(Fault("ratelimited", 429, "17", method="conversations.history", skip=1))
    told = read(standin, Pacer(published=False, clock=clock, sleep=clock.sleep), page=20)
    assert len(told) == 60
    assert sum(clock.slept) == 17


def test_one_wait_holds_every_thread(clock: Clock) -> None:
    lock = threading.Lock()

    def sleep(seconds: float) -> None:
        with lock:
            clock.sleep(seconds)

    pacer = Pacer(clock=clock, sleep=sleep)
    pacer.refused("conversations.history", 30)
    went: list[float] = []

    def call() -> None:
        pacer.turn("conversations.history")
        went.append(clock())

    threads = [threading.Thread(target=call) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(went) == 8
    assert min(went) >= 1030


def test_after_a_wait_they_do_not_all_come_at_once(clock: Clock) -> None:
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    pacer.refused("conversations.history", 30)
    at = []
    for _ in range(6):
        pacer.turn("conversations.history")
        at.append(clock())
    assert at[0] == 1030
    assert all(after - before > 1 for before, after in pairwise(at))


def test_a_refusal_without_a_time_waits_longer_each_time_and_a_success_forgets_that(clock: Clock) -> None:
    pacer = Pacer(published=False, clock=clock, sleep=clock.sleep)

    def waited() -> float:
        clock.slept.clear()
        pacer.refused("users.list", None)
        pacer.turn("users.list")
        return sum(clock.slept)

    assert [waited() for _ in range(5)] == [10, 20, 40, 80, 90]
    pacer.went_well("users.list")
    assert waited() == 10


def test_a_wait_that_is_too_long_is_told_and_not_booked(clock: Clock) -> None:
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    pacer.refused("users.list", 3600)
    for _ in range(30):
        with pytest.raises(TransientError) as told:
            pacer.turn("users.list")
        assert told.value.retry_after == 3600
    clock.now += 3600
    pacer.turn("users.list")
    assert clock.slept == []


def test_all_openings_of_one_token_have_one_pacer() -> None:
    assert shared("a", None) is shared("a", None)
    assert shared("a", None) is not shared("b", None)
    assert shared("a", None) is not shared("a", "http://127.0.0.1:1")
    assert not any(key == "a" for key in pace._pacers)  # keys are digests, so that no token stands in memory twice


# Apps that Slack holds back -------------------------------------------------------------------------


def test_a_slow_app_is_told_at_once_with_how_long_it_would_take(standin: SlackStandin, clock: Clock) -> None:
    standin.limits.app = "distributed"
    with source(standin, clock=clock) as opened, pytest.raises(AccountError) as told:
        list(opened.items(room_of(opened), None))
    assert told.value.code == "slow-app"
    assert "15 messages a minute" in told.value.why
    assert "1,000,000 messages take 46 days" in told.value.why
    assert 'slow = "accept"' in told.value.todo
    assert sum(clock.slept) == 0


def test_whoever_waits_learns_within_seconds_that_the_app_is_slow(clock: Clock) -> None:
    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        pacer.slow = pacer.slow or clock() > 1010

    def look() -> None:
        if pacer.slow:
            raise TimeoutError

    pacer = Pacer(clock=clock, sleep=sleep)
    pacer.refused("conversations.history", 60)
    with pytest.raises(TimeoutError):
        pacer.turn("conversations.history", look)
    assert sum(clock.slept) == 15


def test_a_slow_app_that_the_plan_accepts_goes_on_page_by_page(
    standin: SlackStandin, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    standin.workspace.reply(ROOM, FIRST, ts(90_000))
    standin.limits.app = "distributed"
    begin = clock()
    told = read(standin, Pacer(published=False, clock=clock, sleep=clock.sleep), slow="accept")
    assert told == standin.workspace.order[ROOM]
    pages = [one for one in standin.calls if one.method == "conversations.history"]
    assert {one.form["limit"] for one in pages[3:]} == {"15"}
    assert 240 <= clock() - begin <= 600
    assert "46 days" in caplog.text


def test_a_slow_app_that_knows_its_rate_is_refused_once(standin: SlackStandin, clock: Clock) -> None:
    standin.limits.app = "distributed"
    read(standin, Pacer(clock=clock, sleep=clock.sleep), slow="accept")
    assert standin.limits.refused == 1


def test_a_page_of_fifteen_alone_makes_no_slow_app(standin: SlackStandin, clock: Clock) -> None:
    pacer = Pacer(published=False, clock=clock, sleep=clock.sleep)
    assert len(read(standin, pacer, page=15)) == 60
    pacer.gave("conversations.history", 400, 15, more=True)
    pacer.refused("conversations.history", 5)
    assert not pacer.slow
    pacer.gave("conversations.history", 400, 399, more=True)
    pacer.refused("conversations.history", 60)
    assert not pacer.slow


def test_a_listing_in_a_slow_app_goes_on_where_it_was_broken_off(standin: SlackStandin, clock: Clock) -> None:
    standin.limits.app = "distributed"
    listed = []
    with source(standin, clock=clock, slow="accept") as opened:
        for one in opened.items(room_of(opened), None):
            listed.append(one)
            if isinstance(one, str):
                break
    assert len(items(listed)) == 15
    standin.calls.clear()
    with source(standin, clock=clock, slow="accept") as opened:
        rest = list(opened.items(room_of(opened), listed[-1]))  # type: ignore[arg-type]
    assert ts_of(listed) + ts_of(rest) == standin.workspace.order[ROOM]
    oldest = [float(one.form["oldest"]) for one in standin.calls if one.method == "conversations.history"]
    assert min(oldest) > float(FIRST)
    assert all(before <= after for before, after in pairwise(oldest))


def test_in_a_slow_app_several_threads_wait_their_turn_and_none_is_sent_away(clock: Clock) -> None:
    pacer = Pacer(clock=clock, sleep=clock.sleep)
    pacer.gave("conversations.history", 400, 15, more=True)
    pacer.refused("conversations.history", 60)
    assert pacer.slow
    went = []
    for _ in range(5):
        pacer.turn("conversations.history")
        went.append(clock() - 1000)
    assert went == [60, 120, 180, 240, 300]
    pacer.refused("users.list", 300)
    with pytest.raises(TransientError):
        pacer.turn("users.list")


def test_the_forecast_is_in_days() -> None:
    assert forecast() == "1,000,000 messages take 46 days"
    assert forecast(21_600) == "21,600 messages take 1 days"
