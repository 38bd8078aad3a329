"""Resource units: never more than Microsoft grants, and nobody calls before the time it named."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from graph_schema import checker
from liberate_microsoft import pace
from liberate_microsoft.pace import Pacer
from liberate_microsoft.standin import Fault, GraphStandin
from microsoft_kit import ANNA, items, listing, made_settings, opened

from liberate.errors import TransientError
from liberate.testing.clock import Clock


def test_no_minute_sees_more_units_than_were_granted() -> None:
    clock = Clock(0.0)
    pacer = Pacer(600, clock, clock.sleep)
    taken: list[tuple[float, int]] = []
    for n in range(2_000):
        units = (1, 2, 5)[n % 3]
        pacer.turn(units)
        taken.append((clock.now, units))
    for start, _ in taken[::50]:
        assert sum(units for at, units in taken if start <= at < start + 60) <= 600


def test_a_refusal_holds_every_thread_until_the_time_it_named() -> None:
    clock = Clock(100.0)
    pacer = Pacer(None, clock, clock.sleep)
    pacer.refused(30.0)
    pacer.turn(1)
    assert clock.now >= 130.0
    pacer.refused(1_000.0)
    with pytest.raises(TransientError) as told:
        pacer.turn(1)
    assert told.value.retry_after is not None
    assert told.value.retry_after > 900


def test_accounts_of_one_app_share_one_budget() -> None:
    assert pace.shared("one app", 1200) is pace.shared("one app", 1200)
    assert pace.shared("one app", 1200) is not pace.shared("another app", 1200)


def test_waiting_threads_all_get_their_turn() -> None:
    clock = Clock(0.0)
    pacer = Pacer(6_000, clock, clock.sleep)
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(pacer.turn, 2) for _ in range(400)]:
            done.result(timeout=20)
    assert clock.now > 0


def test_a_drive_is_read_within_what_the_service_enforces(tmp_path: Path) -> None:
    clock = Clock()
    with GraphStandin(clock=clock, check=checker(), page=5) as standin:
        standin.quota.enforce(60)
        drive = standin.add_person(ANNA)
        for n in range(120):
            drive.add_file(f"{n}.txt", b"%d" % n)
        with opened(made_settings(standin, tmp_path, threads=1), pacer=Pacer(60, clock, clock.sleep)) as source:
            some = items(listing(source))
            assert {one.body for one in source.read_many(some)} == {b"%d" % n for n in range(120)}
        assert standin.quota.refused == 0
        assert standin.unfit == []
    assert sum(clock.slept) > 60


def test_a_throttled_page_is_asked_for_again_after_the_time_named(tmp_path: Path) -> None:
    clock = Clock()
    with GraphStandin(page=2) as standin:
        drive = standin.add_person(ANNA)
        for n in range(6):
            drive.add_file(f"{n}.txt", b"1")
        standin.faults.add(Fault(method="delta", skip=1, status=429, code="activityLimitReached", retry_after="17"))
        with opened(made_settings(standin, tmp_path), pacer=Pacer(None, clock, clock.sleep)) as source:
            assert len(items(listing(source))) == 6
    assert sum(clock.slept) == pytest.approx(17, abs=1)
