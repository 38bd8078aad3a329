"""The library's verbs: migrate, verify, status, retry. Each opens the job's ledger and closes it again."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from liberate.collect import collect
from liberate.connector import Evidence
from liberate.engine import PATIENCE, WORKERS, Engine
from liberate.errors import AccountError, PlanError
from liberate.events import Observer, ignore
from liberate.hold import Hold, refuse_network_folder
from liberate.ledger import Ledger
from liberate.looking import Looked, look
from liberate.moves import Move, Plan
from liberate.opened import Work
from liberate.people import same_name
from liberate.rejects import Rejects
from liberate.report import Report
from liberate.sharing import Directory
from liberate.turn import Desk, Terms
from liberate.undoer import Undoer, Undone
from liberate.verifier import Verifier


def _never() -> bool:
    return False


def migrate(
    plan: Plan,
    *,
    observer: Observer = ignore,
    stop: Callable[[], bool] = _never,
    workers: int = WORKERS,
    patience: float = PATIENCE,
    step: Callable[[str], None] = lambda _what: None,
) -> Report:
    """Move everything that the plan says and that has not moved yet; calling it again continues.

    `stop` is polled: once it is true, batches under way are finished and the call returns.
    `patience` is how many seconds an account is tried again while nothing of it moves.
    Raises PlanError before anything starts, and Busy while another process works on the job.
    """
    moves = _moves(plan)
    with _ledger(plan, step) as ledger:
        run = ledger.began("migrate")

        everybody = plan.everybody or plan.people
        moving = frozenset(same_name(one.source) for one in everybody if one.action == "move" and one.kind != "group")

        def desk(move: Move) -> Desk:
            terms = Terms(move.route.mail, Evidence(move.route.evidence), move.route.files, moving)
            rejects = Rejects(plan.job_dir / "rejects")
            return Desk(
                ledger,
                move.label,
                terms,
                plan.job_dir / "scratch",
                rejects,
                engine.tell,
                engine.stopping,
                step=step,
                account_name=move.person.source,
                there_name=move.person.destination,
                scripts=plan.job_dir / "sieve",
            )

        directory = Directory.of(everybody)
        engine = Engine(
            ledger, moves, desk, directory, observer=observer, stop=stop, workers=workers, patience=patience
        )
        works = engine.run()
        interrupted = stop() and not all(work.over for work in works)
        ledger.ended(run, interrupted)
        return collect(ledger, plan.name, _keys(moves), changed=engine.changed, interrupted=interrupted)


def verify(
    plan: Plan,
    *,
    observer: Observer = ignore,
    stop: Callable[[], bool] = _never,
    workers: int = WORKERS,
    sample: float | None = None,
) -> Report:
    """Read back what the plan's accounts hold and compare it with what was read at the source.

    `sample` is the share of items to check, above 0 and up to 1; None checks all. Nothing is
    written at any destination. Raises as migrate does.
    """
    if sample is not None and not 0 < sample <= 1:
        raise PlanError("A sample is a share of the items: more than 0 and at most 1.")
    moves = _moves(plan)
    _require_begun(plan)
    with _ledger(plan) as ledger:
        run = ledger.began("verify")
        works = Verifier(ledger, moves, observer=observer, stop=stop, workers=workers, sample=sample).run()
        interrupted = stop()
        ledger.ended(run, interrupted)
        failures = {_key(work.move): _told(work) for work in works if work.failure is not None}
        return collect(ledger, plan.name, _keys(moves), interrupted=interrupted, failures=failures)


def status(plan: Plan) -> Report:
    """What the job has done so far, as its ledger knows it. Raises PlanError if it has not begun."""
    _require_begun(plan)
    ledger = Ledger(_url(plan), owner="report")
    try:
        return collect(ledger, plan.name, _keys(_moves(plan)))
    finally:
        ledger.close()


def check(plan: Plan, *, stop: Callable[[], bool] = _never) -> Iterator[Looked]:
    """Look at each connection that the plan uses, before anything moves; what was found, as it is found."""
    yield from look(_moves(plan), Directory.of(plan.everybody or plan.people), stop)


def retry(plan: Plan, code: str | None = None) -> int:
    """Let refused items and shares be tried again by the next migrate, all or those with this code; how many."""
    _require_begun(plan)
    with _ledger(plan) as ledger:
        accounts = {ledger.account(m.route.key, m.person.source, m.person.destination) for m in _moves(plan)}
        return sum(ledger.retry(code, account) for account in accounts)


def undo(plan: Plan, *, observer: Observer = ignore, stop: Callable[[], bool] = _never) -> list[Undone]:
    """Take back what the plan's accounts have at their destinations from this job, and nobody touched since.

    Raises PlanError where a destination cannot do that, and as migrate does.
    """
    moves = _moves(plan)
    _require_begun(plan)
    with _ledger(plan) as ledger:
        run = ledger.began("undo")
        done = Undoer(ledger, moves, observer=observer, stop=stop).run()
        ledger.ended(run, stop())
        return done


def _moves(plan: Plan) -> list[Move]:
    moves = list(plan.moves())
    if not moves:
        raise PlanError("The plan moves nobody: every row of its people table is skipped.")
    return moves


def _url(plan: Plan) -> str | sa.URL:
    # Built and not written: in a URL "?" and "%" in a folder's name would mean something else.
    return plan.ledger or sa.URL.create("sqlite", database=str(plan.job_dir / "ledger.sqlite"))


def _require_begun(plan: Plan) -> None:
    if plan.ledger is None and not (plan.job_dir / "ledger.sqlite").exists():
        raise PlanError(f"This job has not begun: there is nothing in {plan.job_dir}. Run liberate migrate first.")


@contextmanager
def _ledger(plan: Plan, step: Callable[[str], None] = lambda _what: None) -> Iterator[Ledger]:
    """The job's ledger, held for this process."""
    try:
        plan.job_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PlanError(f"The job's folder {plan.job_dir} cannot be made ({error.strerror}).") from error
    if plan.ledger is None:
        refuse_network_folder(plan.job_dir)
    with Hold(plan.name, plan.job_dir) as hold:
        owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        ledger = Ledger(_url(plan), owner=owner, step=step)
        try:
            if plan.ledger is not None:
                ledger.hold(hold, plan.name)
            yield ledger
        finally:
            ledger.close()


def _key(move: Move) -> tuple[str, str]:
    return move.route.key, move.person.source


def _keys(moves: list[Move]) -> list[tuple[str, str]]:
    return [_key(move) for move in moves]


def _told(work: Work) -> tuple[str, str, str]:
    error = work.failure
    if isinstance(error, AccountError):
        return error.code, error.why, error.todo
    return "temporary", str(error), "Run the same command again."
