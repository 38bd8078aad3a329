"""Carries a plan's moves out side by side: slices, shares, threads and patience.

The only place that waits or retries. Each worker thread takes one slice at a time, of the account
that is served least, under the ceilings of both connections; it opens its own source and
destination, keeps them for the account's next slice, and opens them anew after a failure.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from tenacity import RetryCallState, Retrying, retry_if_exception_type

from liberate.closing import Closing
from liberate.connector import Collection, HasFilters, Kind, Spacious, Surveys
from liberate.errors import AccountError, LiberateError, PlanError, TransientError
from liberate.events import Event, Finished, Observer, Planned, Stopped, Waiting
from liberate.filtering import Filtering
from liberate.job import SliceRun
from liberate.ledger import Ledger
from liberate.ledger_rows import Claim, LeaseLost
from liberate.moves import Move
from liberate.opened import Opened, Work
from liberate.sharing import Directory
from liberate.tree_job import TreeRun
from liberate.turn import Desk

WORKERS = 8
WORKERS_AN_ACCOUNT = 4  # services limit the connections and requests of one account
_CLOSED = {Kind.FILE, Kind.EVENT, Kind.CONTACT}  # there are last things for accounts of these
CLOSE = (0, False)  # the task of an account's last things: no slice has the number 0
COUNTS_DIFFER = "counts-differ"
PATIENCE = 300.0  # seconds an account is tried again without anything moving, before the run leaves it


class Stop(LiberateError):
    """The run was asked to end while it waited."""


class Engine:
    """One run over some moves."""

    def __init__(
        self,
        ledger: Ledger,
        moves: list[Move],
        desk: Callable[[Move], Desk],
        directory: Directory | None = None,
        *,
        observer: Observer,
        stop: Callable[[], bool],
        workers: int = WORKERS,
        patience: float = PATIENCE,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._desk = desk  # asked for at each turn of a slice
        self._directory = directory or Directory()
        self._observer = observer
        self._asked_to_stop = stop
        self._patience = patience
        self._monotonic = monotonic
        self._change = threading.Condition()
        self._watching = threading.Lock()
        self._halt = threading.Event()  # set by a bug or by the end of the run: waits end at once
        self._bug: BaseException | None = None
        self._turn = 0
        self._in_use: Counter[str] = Counter()  # workers by connection name
        self._claims: dict[int, Claim] = {}
        self._works = [
            Work(move, ledger.account(move.route.key, move.person.source, move.person.destination)) for move in moves
        ]
        self._workers = max(1, min(workers, WORKERS_AN_ACCOUNT * len(self._works)))
        self.changed = False

    def run(self) -> list[Work]:
        """Carry everything out; the works, each with its failure if it has one.

        Raises what no connector should raise: a bug ends the run, after every worker has stopped.
        """
        for work in self._works:
            work.recount = not self._ledger.started(work.account)
        threads = [threading.Thread(target=self._worker, name=f"worker-{n}") for n in range(self._workers)]
        pulse = threading.Thread(target=self._heartbeat, name="heartbeat", daemon=True)
        pulse.start()
        for thread in threads:
            thread.start()
        try:
            attend(threads)
        finally:
            self._halt.set()
            attend([*threads, pulse])
        if self._bug is not None:
            raise self._bug
        return self._works

    def stopping(self) -> bool:
        """Whether workers shall finish their batch and go."""
        return self._halt.is_set() or self._asked_to_stop()

    def tell(self, event: Event) -> None:
        """Pass an event on, one at a time."""
        with self._watching:
            self._observer(event)

    # Who works on what ---------------------------------------------------------------------------

    def _worker(self) -> None:
        opened: Opened | None = None
        try:
            while (taken := self._next(opened.work if opened else None)) is not None:
                work, task = taken
                if opened is not None and opened.work is not work:
                    opened.close()
                    opened = None
                if opened is None:
                    opened = Opened(self._ledger, work)
                again = task  # also after a failure: what was not finished is not over
                try:
                    again = self._serve(opened, work, task)
                except (AccountError, PlanError, TransientError) as error:
                    self._give_up(work, error)
                    opened.close()
                except Stop:
                    opened.close()
                finally:
                    self._put_back(work, again)
        except BaseException as bug:  # noqa: BLE001  # a bug in any thread ends the run in the main thread
            self._bug = self._bug or bug
            self._halt.set()
        finally:
            if opened is not None:
                opened.close()
            with self._change:
                self._change.notify_all()

    def _next(self, current: Work | None) -> tuple[Work, tuple[int, bool] | None] | None:
        """A work and its next slice (None: find out what there is); None when there is nothing left."""
        with self._change:
            while True:
                if self.stopping():
                    return None
                filling = self._filling()
                free = (work for work in self._works if self._free(work, filling))
                best = min(free, key=lambda work: self._rank(work, current), default=None)
                if best is not None:
                    task = best.todo.popleft() if best.discovered else None
                    self._turn += 1
                    best.running += 1
                    best.served = self._turn
                    self._in_use[best.move.route.source.name] += 1
                    self._in_use[best.move.route.destination.name] += 1
                    return best, task
                if all(work.over or (work.discovered and not work.todo) for work in self._works) and not any(
                    work.running for work in self._works
                ):
                    return None
                self._change.wait(0.5)

    def _free(self, work: Work, filling: set[str]) -> bool:
        if work.over or (work.running and not work.discovered) or (work.discovered and not work.todo):
            return False
        if work.running >= WORKERS_AN_ACCOUNT or (work.shares and work.files_to in filling):
            return False
        ends = (work.move.route.source, work.move.route.destination)
        return all(self._in_use[end.name] < end.max_parallel for end in ends)

    def _filling(self) -> set[str]:
        """The connections that somebody's files are still on their way to.

        Sharing waits for them: what is shared shows in other accounts under its name, which may be one that theirs
        are to have.
        """
        return {work.files_to for work in self._works if not (work.closed or work.over)} - {""}

    @staticmethod
    def _rank(work: Work, current: Work | None) -> tuple[int, bool, int]:
        return work.running, work is not current, work.served

    def _put_back(self, work: Work, again: tuple[int, bool] | None) -> None:
        with self._change:
            work.running -= 1
            self._in_use[work.move.route.source.name] -= 1
            self._in_use[work.move.route.destination.name] -= 1
            if again is not None and not work.over:
                work.todo.append(again)
            last = work.discovered and not work.todo and not work.running and not work.over
            if last and not work.closed and (work.move.route.kinds & _CLOSED or work.filters):
                work.closed = True
                work.todo.append(CLOSE)
                last = False
            if last:
                work.over = True
            self._change.notify_all()
        if last:
            self._close_account(work)

    def _close_account(self, work: Work) -> None:
        """Compare what was listed with the source's own count before the account is called done."""
        if work.recount:
            self._ledger.account_for(work.account)
            if Kind.CHAT in work.move.route.kinds:
                self._ledger.account_for_rooms(work.account)
        short = self._ledger.short(work.account)
        if not short or not self._ledger.list_anew(work.account, short):
            self._ledger.finished(work.account)
            self.tell(Finished(work.move.label))
            return
        # Perhaps somebody deleted mail meanwhile, perhaps a listing was not whole: only a new one tells.
        path, at_source, accounted = short[0]
        why = (
            f"The source counts {at_source} items in {'/'.join(path) or 'its top folder'}, and {accounted} were listed."
        )
        todo = "Run the same command again: it lists everything anew."
        work.failure = TransientError(why)
        self._ledger.stopped(work.account, COUNTS_DIFFER, why, todo)
        self.tell(Stopped(work.move.label, COUNTS_DIFFER, why, todo))

    def _give_up(self, work: Work, error: LiberateError) -> None:
        with self._change:
            if work.failure is None or isinstance(error, AccountError):
                work.failure = error
            work.over = True
        if isinstance(error, AccountError):
            stopped = Stopped(work.move.label, error.code, error.why, error.todo)
        elif isinstance(error, PlanError):
            stopped = Stopped(work.move.label, "plan", str(error), "")
        else:
            stopped = Stopped(work.move.label, "temporary", str(error), "Run the same command again.")
        self._ledger.stopped(work.account, stopped.code, stopped.why, stopped.todo)
        self.tell(stopped)

    # One turn, with patience ---------------------------------------------------------------------

    def _serve(self, opened: Opened, work: Work, task: tuple[int, bool] | None) -> tuple[int, bool] | None:
        """Do the task, again and again while it fails for a while; what is left of it."""
        opened.since = self._monotonic()
        opened.backoff.moved()

        def attempt() -> tuple[int, bool] | None:
            if task is None:
                self._discover(opened, work)
                return None
            try:
                if task == CLOSE:
                    return None if self._close(opened, work) else task
                return None if self._slice(opened, work, task) else task
            except LeaseLost as error:
                raise TransientError(str(error), retry_after=0.0) from error

        def reopen(call: RetryCallState) -> None:
            opened.close()
            error = call.outcome.exception() if call.outcome else None
            pause = call.next_action.sleep if call.next_action else 0.0
            if pause > 0:
                self.tell(Waiting(work.move.label, pause, str(error)))

        def out_of_patience(_call: RetryCallState) -> bool:
            return self.stopping() or self._monotonic() - opened.since >= self._patience

        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            wait=opened.backoff,
            stop=out_of_patience,
            sleep=self._sleep,
            before_sleep=reopen,
            reraise=True,
        )
        return retrying(attempt)

    def _sleep(self, seconds: float) -> None:
        end = self._monotonic() + seconds
        while (left := end - self._monotonic()) > 0:
            if self.stopping():
                raise Stop("stopped while waiting")
            self._halt.wait(min(left, 0.25))

    def _discover(self, opened: Opened, work: Work) -> None:
        """Find out which collections the account has."""
        source = opened.source
        found = [one for one in source.collections() if one.kind in work.move.route.kinds]
        work.filters = Kind.MAIL in work.move.route.kinds and isinstance(source, HasFilters)
        total = _expected(found)
        if isinstance(source, Surveys):
            survey = source.survey()
            self._ledger.surveyed(work.account, survey)
            total = survey.items if survey.items is not None else total
            self._look_for_room(opened, work, survey.bytes)
        numbers = self._ledger.collections(work.account, found)
        vanished = [n for n in self._ledger.slices_of(work.account) if n not in set(numbers)]
        moved, size = self._ledger.moved(work.account)
        self.tell(Planned(work.move.label, total, moved, size))
        with self._change:
            work.todo.extend([(number, True) for number in numbers] + [(number, False) for number in vanished])
            work.discovered = True
            self._change.notify_all()

    def _look_for_room(self, opened: Opened, work: Work, held: int | None) -> None:
        """Stop before the first byte where the destination surely has too little room for what is still to come."""
        if held is None or Kind.FILE not in work.move.route.kinds:
            return
        destination = opened.destination
        room = destination.room() if isinstance(destination, Spacious) else None
        _, moved = self._ledger.moved(work.account)
        if room is not None and held - moved > room:
            raise AccountError(
                "no-room",
                f"The source holds {held - moved:,} bytes that have not moved, and there is room for {room:,} only.",
                "Give the account more room at the destination, then run the same command again.",
            )

    def _slice(self, opened: Opened, work: Work, task: tuple[int, bool]) -> bool:
        """One turn at a slice; whether it is finished."""
        number, listing = task
        claim = self._ledger.claim(number, alone=True)
        if claim is None:
            raise TransientError("Another worker has this slice.", retry_after=1.0)
        self._claims[id(claim)] = claim
        opened.kind = claim.collection.kind
        desk = self._desk(work.move)
        run: SliceRun
        match claim.collection.kind:
            case Kind.FILE:
                run = TreeRun(desk, opened, claim)
            case Kind.CHAT:
                from liberate.chat_job import ChatRun  # noqa: PLC0415 - loaded where there is chat, as what is below

                run = ChatRun(desk, opened, claim, self._directory)
            case Kind.EVENT | Kind.CONTACT:
                from liberate.object_job import ObjectRun  # noqa: PLC0415

                run = ObjectRun(desk, opened, claim)
            case _:
                run = SliceRun(desk, opened, claim)
        try:
            finished = run.run(listing=listing)
        finally:
            if run.progressed:
                self.changed = True
                opened.since = self._monotonic()
                opened.backoff.moved()
            if run.relisted:
                work.recount = True
            self._claims.pop(id(claim), None)
            with suppress(LiberateError):
                self._ledger.release(claim)
        return finished

    def _close(self, opened: Opened, work: Work) -> bool:
        """Do the last things for an account; whether they are done."""
        desk, kinds = self._desk(work.move), work.move.route.kinds
        last: list[Closing | Filtering] = []
        if kinds & _CLOSED:
            alone = work.files_to not in self._filling()
            last.append(Closing(desk, opened, work.account, self._directory, relisted=work.recount, alone=alone))
        if work.filters:
            opened.kind = Kind.MAIL
            last.append(Filtering(desk, opened, work.account))
        for closing in last:
            try:
                if not closing.run():
                    if isinstance(closing, Closing) and closing.waits and not work.shares:
                        work.shares = True
                        self.tell(Waiting(work.move.label, 0.0, "Its files are there. They are shared when all are."))
                    return False
            finally:
                if closing.progressed:
                    self.changed = True
                    opened.since = self._monotonic()
                    opened.backoff.moved()
        return True

    def _heartbeat(self) -> None:
        """Renew the leases of workers that are busy with one long item or listing."""
        while not self._halt.wait(self._ledger.lease / 6):
            for claim in list(self._claims.values()):
                with suppress(LiberateError):
                    self._ledger.renew(claim, if_less_than=self._ledger.lease / 2)


def attend(threads: Sequence[threading.Thread]) -> None:
    """Wait for the threads to end, awake often enough to take a signal that the system gave to one of them."""
    for thread in threads:
        while thread.is_alive():
            thread.join(0.2)


def _expected(found: list[Collection]) -> int | None:
    counts = [one.count for one in found]
    return sum(count for count in counts if count is not None) if None not in counts else None
