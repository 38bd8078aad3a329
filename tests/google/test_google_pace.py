"""The pacer keeps Google's published rate to the unit, and wastes little of it."""

from __future__ import annotations

import random
import threading

import pytest
from liberate_google.pace import Pacer, Rate, ladder, shared
from liberate_google.prices import BEFORE_2026, PRICE_LISTS, SINCE_2026

from liberate.errors import TransientError
from liberate.testing.clock import Clock


def paced(name: str, **ceilings: int) -> tuple[Pacer, Clock]:
    clock = Clock(1000.0)
    return Pacer(ladder(name, published=True, **ceilings), clock, clock.sleep), clock


def most_in_a_minute(sent: list[tuple[float, int]]) -> int:
    """The most units in any window of 60 seconds."""
    return max(sum(units for at, units in sent if start <= at < start + 60) for start, _ in sent)


@pytest.mark.parametrize(
    ("method", "before", "since"),
    [
        ("getProfile", 1, 1), ("labels.list", 1, 1), ("labels.get", 1, 1), ("history.list", 2, 2),
        ("messages.list", 5, 5), ("messages.get", 5, 20), ("messages.attachments.get", 5, 20),
        ("threads.get", 10, 40), ("messages.insert", 25, 25), ("messages.modify", 5, 5),
    ],
)  # fmt: skip
def test_the_price_lists_say_what_google_published(method: str, before: int, since: int) -> None:
    assert BEFORE_2026.price(method) == before
    assert SINCE_2026.price(method) == since


def test_the_price_lists_grant_what_google_published() -> None:
    assert (BEFORE_2026.user_units, BEFORE_2026.project_units) == (15_000, 1_200_000)
    assert (SINCE_2026.user_units, SINCE_2026.project_units) == (6_000, 1_200_000)


@pytest.mark.parametrize("name", sorted(PRICE_LISTS))
def test_no_minute_ever_holds_more_units_than_granted(name: str) -> None:
    pacer, clock = paced(name)
    prices = PRICE_LISTS[name]
    chance = random.Random(7)
    sent = []
    began = clock.now
    while clock.now < began + 600:
        method, count = chance.choice(
            [("messages.get", pacer.room("messages.get")), ("messages.get", 1), ("messages.list", 1), ("getProfile", 1)]
        )
        with pacer.turn("anna", method, count):
            units = prices.price(method) * count
            sent.append((clock.now, units))
        clock.now += chance.random() / 50
    assert most_in_a_minute(sent) <= prices.user_units


@pytest.mark.parametrize(("name", "expected"), [("2026", 300), ("before-2026", 3000)])
def test_batches_of_messages_flow_at_the_published_rate(name: str, expected: int) -> None:
    pacer, clock = paced(name)
    began, messages = clock.now, 0
    while clock.now < began + 1200:
        count = min(50, pacer.room("messages.get"))
        with pacer.turn("anna", "messages.get", count):
            messages += count
    per_minute = messages / (clock.now - began) * 60
    assert max(clock.slept) <= 15.0, "no wait is long: somebody may want to stop"
    assert expected * 0.96 <= per_minute <= expected * 1.05


def test_mailboxes_have_their_own_rate_and_share_the_projects() -> None:
    pacer, clock = paced("2026", project_units=12_000)
    sent: list[tuple[float, int]] = []
    began = clock.now
    for turn in range(200):
        with pacer.turn(f"person {turn % 20}", "messages.get", 10):
            sent.append((clock.now, 200))
    assert most_in_a_minute(sent) <= 12_000
    assert clock.now - began == pytest.approx(200 * 200 / 12_000 * 60, abs=60)


def test_one_mailbox_does_not_hold_up_another() -> None:
    pacer, clock = paced("2026")
    for _ in range(20):
        with pacer.turn("anna", "messages.get", 10):
            pass
    before = clock.now
    with pacer.turn("bo", "messages.get", 10):
        assert clock.now == before


def test_a_call_larger_than_the_whole_rate_goes_alone_and_does_not_hang() -> None:
    pacer, clock = paced("2026", user_units=40)
    assert pacer.room("messages.get") == 1
    for _ in range(3):
        with pacer.turn("anna", "messages.get", 3):
            pass
    assert clock.now == 1000.0 + 120


def test_auto_comes_down_the_ladder_with_refusals_and_says_what_it_believes() -> None:
    clock = Clock(0.0)
    pacer = Pacer(ladder("auto", published=False), clock, clock.sleep)
    seen = []
    for _ in range(4):
        with pacer.turn("anna", "messages.get") as rung:
            seen.append(pacer.rate.list.name if pacer.rate.list else "free")
        pacer.refused("anna", rung)
        clock.now += 120
    assert seen == ["free", "before-2026", "2026", "2026"]


def test_at_google_itself_auto_begins_with_a_published_rate() -> None:
    assert [rate.list for rate in ladder("auto", published=True)] == [BEFORE_2026, SINCE_2026]
    assert ladder("2026", published=True, user_units=100) == (Rate(SINCE_2026, 100, 1_200_000),)


def test_mailboxes_that_are_refused_together_take_one_step_together() -> None:
    clock = Clock(0.0)
    pacer = Pacer(ladder("auto", published=False), clock, clock.sleep)
    with pacer.turn("anna", "messages.get") as first, pacer.turn("bo", "messages.get") as second:
        pass
    pacer.refused("anna", first)
    pacer.refused("bo", second)
    assert pacer.rate.list is BEFORE_2026


def test_calls_already_made_count_at_the_new_price() -> None:
    clock = Clock(0.0)
    pacer = Pacer(ladder("auto", published=True), clock, clock.sleep)
    with pacer.turn("anna", "messages.get", 300) as rung:
        pass
    pacer.refused("anna", rung, 0.0)
    with pacer.turn("anna", "messages.get", 1):
        assert clock.now >= 59.0, "300 gets were the whole minute of the list of 2026"


def test_a_refusal_at_the_last_rate_slows_that_mailbox_and_time_heals_it() -> None:
    pacer, clock = paced("2026")
    for _ in range(3):
        with pacer.turn("anna", "messages.get") as rung:
            pass
        pacer.refused("anna", rung)
        clock.now += 61

    def rate(minutes: int) -> float:
        began, count = clock.now, 0
        while clock.now < began + 60 * minutes:
            with pacer.turn("anna", "messages.get", 5):
                count += 5
        return count / minutes

    slow = rate(2)
    rate(15)
    assert slow < 0.7 * 300
    assert rate(2) > 0.95 * 300


def test_too_many_at_once_is_no_word_about_units() -> None:
    clock = Clock(0.0)
    pacer = Pacer(ladder("auto", published=True), clock, clock.sleep)
    with pacer.turn("anna", "messages.get") as rung:
        pass
    assert pacer.refused("anna", rung, crowded=True) > 0
    assert pacer.rate.list is BEFORE_2026


def test_retry_after_is_kept_to() -> None:
    pacer, clock = paced("2026")
    with pacer.turn("anna", "getProfile") as rung:
        pass
    assert pacer.refused("anna", rung, 17.0) == 17.0
    with pacer.turn("anna", "getProfile"):
        assert clock.now >= 1017.0


def test_who_would_wait_too_long_is_told_to_come_back() -> None:
    pacer, _ = paced("2026")
    with pacer.turn("anna", "getProfile") as rung:
        pass
    pacer.refused("anna", rung, 600.0)
    with pytest.raises(TransientError) as caught, pacer.turn("anna", "getProfile"):
        pass
    assert caught.value.retry_after == pytest.approx(600.0)


def test_few_requests_of_a_mailbox_run_at_once() -> None:
    pacer = Pacer([Rate(None)])
    running, peak, lock = 0, 0, threading.Lock()
    gate = threading.Barrier(3, timeout=20)

    def work() -> None:
        nonlocal running, peak
        with pacer.turn("anna", "messages.get"):
            with lock:
                running += 1
                peak = max(peak, running)
            gate.wait()  # opens only when three are in here together
            with lock:
                running -= 1

    threads = [threading.Thread(target=work) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert peak == 3


def test_all_threads_of_a_process_share_the_pacer_of_a_project() -> None:
    rates = ladder("2026", published=True)
    assert shared("a project", rates) is shared("a project", rates)
    assert shared("a project", rates) is not shared("another", rates)
