"""Many accounts side by side: shares, ceilings, patience, stopping, and bugs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from core_kit import Bench

import liberate
from liberate.connector import Account, Batch
from liberate.engine import Engine
from liberate.errors import AccountError, Busy, LiberateError, PlanError, TransientError
from liberate.events import Event, Finished, Moved, Planned, Stopped, Waiting
from liberate.hold import refuse_network_folder
from liberate.mail import MailFacts
from liberate.moves import Plan
from liberate.testing.faults import Cut, Faults, Flip, Raise, faulty
from liberate.testing.memory import MailboxDestination, connector
from liberate.testing.memory_shelf import MemoryManySource, Shelf
from liberate.testing.memory_store import Store
from liberate.testing.plans import plan

FACTS = MailFacts()


class Clock:
    """Time that passes by itself, twenty seconds whenever somebody looks."""

    def __init__(self) -> None:
        self._now = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            self._now += 20.0
            return self._now


class Firm:
    """Several accounts, each with a shelf and a store."""

    def __init__(self, folder: Path, names: str, messages: int = 6, folders: int = 1) -> None:
        self.folder = folder
        self.names = names
        self.shelves = {name: Shelf() for name in names}
        self.stores = {name: Store() for name in names}
        self.faults = {name: Faults() for name in names}
        self.open = 0  # destinations open at once
        self.most = 0
        self._lock = threading.Lock()
        for name, shelf in self.shelves.items():
            for number in range(folders):
                box = shelf.collection(f"Box {number}")
                for n in range(messages):
                    shelf.put(box, f"{number}-{n}", f"{name} {number} {n}\r\n".encode(), facts=FACTS)

    def plan(self, **options: Any) -> Plan:
        def source(account: Account) -> Any:
            return faulty(MemoryManySource(self.shelves[account.name], step=2), self.faults[account.name])

        def destination(account: Account) -> Any:
            firm = self

            class Counted(MailboxDestination):
                def write_many(self, parts: Any) -> Any:
                    with firm._lock:
                        firm.open += 1
                        firm.most = max(firm.most, firm.open)
                    try:
                        yield from super().write_many(parts)
                    finally:
                        with firm._lock:
                            firm.open -= 1

            return Counted(self.stores[account.name], batch=Batch(2, 100_000))

        people = [(name, name) for name in self.names]
        return plan(
            self.folder,
            connector("source", source=source),
            connector("destination", destination=destination),
            people=people,
            **options,
        )

    def whole(self, name: str) -> bool:
        """Whether everything of this account has arrived, once."""
        wanted = dict.fromkeys(self.shelves[name].bodies(), 1)
        found: dict[bytes, int] = {}
        for place in self.stores[name].places():
            for one in self.stores[name].held(place):
                found[one.body] = found.get(one.body, 0) + 1
        return found == wanted


@pytest.fixture
def clocked(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("liberate.run.Engine", partial(Engine, monotonic=clock))
    return clock


def test_every_account_arrives_whole_with_many_workers(tmp_path: Path) -> None:
    firm = Firm(tmp_path / "job", "abcdef", folders=3)
    report = liberate.migrate(firm.plan(), workers=8)
    assert all(account.state == "done" for account in report.accounts)
    assert all(firm.whole(name) for name in firm.names)
    assert not liberate.migrate(firm.plan(), workers=8).changed


def test_no_connection_has_more_workers_than_its_ceiling(tmp_path: Path) -> None:
    firm = Firm(tmp_path / "job", "abcd", folders=4)
    liberate.migrate(firm.plan(max_parallel=2), workers=8)
    assert 1 <= firm.most <= 2
    assert all(firm.whole(name) for name in firm.names)


def test_accounts_are_served_in_turn_and_not_one_after_the_other(tmp_path: Path) -> None:
    firm = Firm(tmp_path / "job", "ab", folders=4)
    served: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, Moved) and event.account not in served[-1:]:
            served.append(event.account)

    liberate.migrate(firm.plan(), workers=2, observer=watch)
    assert {*served} == {"a", "b"}
    assert all(firm.whole(name) for name in firm.names)


def test_one_account_that_cannot_go_on_stops_no_other(tmp_path: Path) -> None:
    firm = Firm(tmp_path / "job", "abc")
    firm.faults["b"].always("collections", Raise(AccountError("login", "b cannot log in.", "Set the password.")))
    events: list[Event] = []
    report = liberate.migrate(firm.plan(), workers=3, observer=events.append)
    assert [account.state for account in report.accounts] == ["done", "stopped", "done"]
    assert report.accounts[1].stopped == ("login", "b cannot log in.", "Set the password.")
    assert [event.account for event in events if isinstance(event, Stopped)] == ["b"]
    firm.faults["b"].always("collections", None)
    report = liberate.migrate(firm.plan())
    assert [account.state for account in report.accounts] == ["done"] * 3
    assert all(firm.whole(name) for name in firm.names)


def test_what_the_service_asks_for_is_waited(tmp_path: Path, clocked: Clock) -> None:
    firm = Firm(tmp_path / "job", "a")
    firm.faults["a"].on("read_many", Raise(TransientError("Slow down.", retry_after=100.0)))
    events: list[Event] = []
    assert liberate.migrate(firm.plan(), observer=events.append).accounts[0].state == "done"
    assert [(event.seconds, event.why) for event in events if isinstance(event, Waiting)] == [(100.0, "Slow down.")]
    assert firm.whole("a")


def test_patience_ends_and_the_next_run_goes_on(tmp_path: Path, clocked: Clock) -> None:
    firm = Firm(tmp_path / "job", "ab")
    firm.faults["a"].always("read_many", Raise(TransientError("It does not answer.")))
    events: list[Event] = []
    report = liberate.migrate(firm.plan(), workers=2, observer=events.append, patience=120.0)
    assert [account.state for account in report.accounts] == ["unfinished", "done"]
    pauses = [event.seconds for event in events if isinstance(event, Waiting)]
    assert pauses == sorted(pauses)
    assert 1.0 <= pauses[0] <= 2.0
    firm.faults["a"].always("read_many", None)
    assert liberate.migrate(firm.plan()).accounts[0].state == "done"
    assert firm.whole("a")


def test_a_failure_after_progress_is_waited_for_like_a_first_one(tmp_path: Path, clocked: Clock) -> None:
    firm = Firm(tmp_path / "job", "a")
    away = TransientError("It does not answer.")
    for call in range(1, 5):
        firm.faults["a"].on("read_many", Raise(away), call=call)
    firm.faults["a"].on("read_many", Cut(away, after=2), call=5)
    events: list[Event] = []
    report = liberate.migrate(firm.plan(), observer=events.append, workers=1, patience=10_000.0)
    assert report.accounts[0].state == "done"
    pauses = [event.seconds for event in events if isinstance(event, Waiting)]
    assert 8.0 <= pauses[3] <= 9.0
    assert 1.0 <= pauses[4] <= 2.0
    assert firm.whole("a")


def test_a_bug_ends_the_run_with_its_traceback_and_loses_nothing(tmp_path: Path) -> None:
    firm = Firm(tmp_path / "job", "abc", messages=20)
    firm.faults["b"].on("read_many", Raise(ZeroDivisionError("a bug")), call=1)  # type: ignore[arg-type]
    with pytest.raises(ZeroDivisionError) as bug:
        liberate.migrate(firm.plan(), workers=3)
    assert any(frame.name == "_write" for frame in bug.traceback)
    report = liberate.migrate(firm.plan(), workers=3)
    assert all(account.state == "done" for account in report.accounts)
    assert all(firm.whole(name) for name in firm.names)


def test_a_run_that_is_asked_to_stop_finishes_its_batch_and_says_so(tmp_path: Path) -> None:
    firm = Firm(tmp_path / "job", "a", messages=50)
    moved = 0

    def watch(event: Event) -> None:
        nonlocal moved
        if isinstance(event, Moved):
            moved += event.items

    report = liberate.migrate(firm.plan(), workers=1, observer=watch, stop=lambda: len(_held(firm, "a")) >= 4)
    held = len(_held(firm, "a"))
    assert report.interrupted
    assert report.accounts[0].state == "unfinished"
    assert 4 <= held == moved < 50
    report = liberate.migrate(firm.plan())
    assert not report.interrupted
    assert firm.whole("a")


def test_a_run_that_is_asked_to_stop_while_it_waits_ends_at_once(tmp_path: Path) -> None:
    firm = Firm(tmp_path / "job", "a")
    firm.faults["a"].always("read_many", Raise(TransientError("Come back.", retry_after=3600.0)))
    stop = threading.Event()

    def watch(event: Event) -> None:
        if isinstance(event, Waiting):
            stop.set()

    report = liberate.migrate(firm.plan(), observer=watch, stop=stop.is_set)
    assert report.interrupted
    assert report.accounts[0].state == "unfinished"


def test_watchers_hear_what_is_planned_first_and_that_it_is_finished_last(tmp_path: Path) -> None:
    firm = Firm(tmp_path / "job", "a")
    events: list[Event] = []
    liberate.migrate(firm.plan(), observer=events.append)
    assert events[0] == Planned("a", 6, 0, 0)
    assert events[-1] == Finished("a")
    assert sum(event.items for event in events if isinstance(event, Moved)) == 6


def _held(firm: Firm, name: str) -> list[object]:
    store = firm.stores[name]
    return [one for place in store.places() for one in store.held(place)]


# One run at a time ----------------------------------------------------------------------------------

_HOLDER = """
import sys, time; from pathlib import Path; from liberate.hold import Hold
hold = Hold("job", Path(sys.argv[1])); print("held", flush=True); time.sleep(600)
"""


def test_a_second_run_is_told_who_works_on_the_job_and_may_go_on_when_that_one_is_killed(tmp_path: Path) -> None:
    firm = Firm(tmp_path / "job", "a")
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER, str(tmp_path / "job")], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Busy, match=f"process {holder.pid}"):
            liberate.migrate(firm.plan())
        assert _held(firm, "a") == []
    finally:
        os.kill(holder.pid, signal.SIGKILL)
        holder.communicate()
    assert liberate.migrate(firm.plan()).accounts[0].state == "done"


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_ledger_file_on_a_network_is_refused(tmp_path: Path, kind: str) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"disk / ext4 rw 0 0\nserver:/x {tmp_path}/my\\040job {kind} rw 0 0\n")
    refuse_network_folder(tmp_path, mounts)
    with pytest.raises(PlanError, match="network file system"):
        refuse_network_folder(tmp_path / "my job" / "deeper", mounts)


@pytest.mark.parametrize("name", ["what?", "50%", "a#b", "ä b", "x&y=z"])
def test_a_jobs_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    firm = Firm(tmp_path / name, "a")
    assert liberate.migrate(firm.plan()).accounts[0].state == "done"
    assert (tmp_path / name / "ledger.sqlite").exists()
    assert liberate.status(firm.plan()).accounts[0].moved == 6


# Verifying ------------------------------------------------------------------------------------------


def _migrated(bench: Bench, count: int = 20) -> None:
    box = bench.shelf.collection("Box")
    for n in range(count):
        bench.shelf.put(box, str(n), b"Subject: %d\n" % n, facts=FACTS)
    bench.run()


def test_verify_tells_what_is_missing_and_what_is_different(bench: Bench) -> None:
    _migrated(bench)
    bench.store.remove("Box", "3")
    bench.faults.on("read_back", Flip())
    account = bench.verify()
    assert (account.missing, account.different, account.line_ends) == (1, 1, 18)


@pytest.mark.parametrize("verb", [liberate.migrate, liberate.verify, liberate.retry])
def test_a_job_folder_that_cannot_be_used_is_told_as_such(bench: Bench, verb: Callable[..., Any]) -> None:
    _migrated(bench)
    (bench.folder / "lock").unlink()
    (bench.folder / "lock").mkdir()  # what permissions deny to others, root may still do
    with pytest.raises(PlanError, match=r"The job's folder .* cannot be written \(.*\). Check its owner"):
        verb(bench.plan())


@pytest.mark.parametrize("verb", [liberate.migrate, liberate.status, liberate.verify, liberate.retry])
def test_a_damaged_ledger_is_told_as_such_and_nothing_moves(bench: Bench, verb: Callable[..., Any]) -> None:
    _migrated(bench)
    before = bench.store.contents()
    for left in bench.folder.glob("ledger.sqlite-*"):
        left.unlink()
    (bench.folder / "ledger.sqlite").write_bytes(b"no database at all" * 1000)
    with pytest.raises(PlanError, match=r"The job's ledger is damaged .* Put it back from a backup"):
        verb(bench.plan())
    assert bench.store.contents() == before


def test_verify_writes_nothing(bench: Bench) -> None:
    _migrated(bench)
    before = dict(bench.faults.calls)
    bench.verify()
    called = {name for name, count in bench.faults.calls.items() if count > before.get(name, 0)}
    assert called <= {"read_back", "read"}


def test_verify_goes_on_after_a_failure_that_passes(bench: Bench) -> None:
    _migrated(bench)
    bench.faults.on("read_back", Raise(TransientError("reset", retry_after=0)))
    assert bench.verify().line_ends == 20


def test_verify_that_is_asked_to_stop_while_it_waits_ends_at_once(bench: Bench) -> None:
    _migrated(bench)
    bench.faults.always("read_back", Raise(TransientError("Come back.", retry_after=3600.0)))
    stop = threading.Event()

    def watch(event: Event) -> None:
        if isinstance(event, Waiting):
            stop.set()

    report = liberate.verify(bench.plan(), observer=watch, stop=stop.is_set)
    assert report.interrupted


def test_verify_bears_any_number_of_failures_as_long_as_it_comes_on(bench: Bench) -> None:
    _migrated(bench, 1000)  # two pages of the ledger, three calls each
    for call in (1, 2, 3, 4, 5, 9, 10, 11, 12, 13):
        bench.faults.on("read_back", Raise(TransientError("The line broke.", retry_after=0)), call=call)
    assert bench.verify().verified == 1000


def test_verify_that_cannot_get_in_says_so_and_leaves_the_rest_alone(bench: Bench) -> None:
    _migrated(bench)
    bench.faults.always("read_back", Raise(AccountError("login", "No.", "Set the password.")))
    account = bench.verify()
    assert (account.state, account.verified) == ("stopped", 0)
    assert account.stopped == ("login", "No.", "Set the password.")


def test_a_sample_reads_back_about_its_share_and_the_same_one_twice(bench: Bench) -> None:
    _migrated(bench, 200)
    first = liberate.verify(bench.plan(), sample=0.2).accounts[0].verified
    assert 10 < first < 80
    assert liberate.verify(bench.plan(), sample=0.2).accounts[0].verified == first
    with pytest.raises(PlanError):
        liberate.verify(bench.plan(), sample=0.0)


@pytest.mark.parametrize("verb", [liberate.status, liberate.verify, liberate.retry])
def test_a_job_that_has_not_begun_says_so(bench: Bench, verb: Callable[[Plan], object]) -> None:
    with pytest.raises(LiberateError, match="has not begun"):
        verb(bench.plan())
