"""Stops a job at each of its steps in turn, and proves that the next run sets everything right.

A job tells its steps to a function: `liberate.migrate(plan, step=...)`, and a destination that takes
one for what it sends. `steps` counts them; `survives` then lets a job die at each: in this process,
by an exception that nothing catches, or with `Victims` by SIGKILL in another one, which is the truth
and costs more. After each death the job is run again to its end. What stands at the destination
must then equal what a run without a crash left there, and one more run must change nothing.

Give jobs one worker (`workers=1`), so that their steps come in the same order each time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any, TypeAlias

from liberate.report import Report

Step: TypeAlias = Callable[[str], None]
Job: TypeAlias = Callable[[Step], Report]


class Crash(BaseException):
    """The end of a process, as far as one can have it without ending this one."""


class Countdown:
    """A step function that crashes at the step with this number (from 0), and at every one after it."""

    def __init__(self, number: int) -> None:
        self._left = number
        self._lock = threading.Lock()
        self.crashed: str | None = None  # the step at which it did

    def __call__(self, what: str) -> None:
        with self._lock:
            if self._left > 0:
                self._left -= 1
                return
            self.crashed = self.crashed or what
        raise Crash(what)


class Killer(Countdown):
    """One that ends its process there, with nothing cleaned up."""

    def __call__(self, what: str) -> None:
        with suppress(Crash):
            super().__call__(what)
        if self.crashed is not None:
            os.kill(os.getpid(), signal.SIGKILL)
            signal.pause()  # this thread may be given a moment more; it must do nothing with it


def crash_at(number: int) -> Countdown:
    """A step function that crashes at this step."""
    return Countdown(number)


def steps(job: Job) -> list[str]:
    """The steps that the job takes when nothing goes wrong."""
    seen: list[str] = []
    job(seen.append)
    return seen


@dataclass(frozen=True, slots=True)
class Trial:
    """A job with a destination and a ledger of its own, where nothing has happened yet."""

    run: Job
    contents: Callable[[], Any]  # what stands at the destination; two are compared with ==
    argument: Any = None  # for `Victims`: what their function needs to run this very job, as JSON
    settle: Callable[[], None] = lambda: None  # waits until what a dead process had sent has come to rest


def survives(
    fresh: Callable[[str], Trial], victims: Victims | None = None, only: Callable[[int, str], bool] | None = None
) -> list[str]:
    """Let jobs made by `fresh` (called with a name for each) die at every step; the steps.

    Raises AssertionError that names the step after which something was lost, doubled or not at
    rest. `only` chooses steps by number and name. Each trial must take the same steps.
    """
    clean = fresh("clean")
    taken = steps(clean.run) if victims is None else victims.steps(clean.argument)
    wanted = clean.contents()
    at_rest = clean.run(lambda _what: None)
    assert not at_rest.changed, "a second run of a clean job changed something"
    assert clean.contents() == wanted, "a second run of a clean job changed the destination"
    for number, what in enumerate(taken):
        if only is not None and not only(number, what):
            continue
        trial = fresh(f"{number}")
        told = f"after a crash at step {number} ({what})"
        if victims is None:
            _die(trial, number, told)
        else:
            assert victims.die(trial.argument, number), f"{told}: the job ended before it"
        trial.settle()
        _finish(trial, told)
        assert trial.contents() == wanted, f"{told}: the destination holds something else than after a clean run"
        again = trial.run(lambda _what: None)
        assert not again.changed, f"{told}: a further run changed something"
        assert trial.contents() == wanted, f"{told}: a further run changed the destination"
    return taken


def _die(trial: Trial, number: int, told: str) -> None:
    try:
        trial.run(crash_at(number))
    except Crash:
        return
    raise AssertionError(f"{told}: the job ended before it")


def _finish(trial: Trial, told: str) -> None:
    report = trial.run(lambda _what: None)
    for account in report.accounts:
        assert account.state == "done", f"{told}: the next run left {account.source} {account.state}: {account.stopped}"


# Real deaths -------------------------------------------------------------------------------------


class Victims:
    """Processes that die by SIGKILL, forked from one that has imported everything, so each starts at once.

    `function` is "module:name" of a function(argument, step) that runs a job; `paths` are searched
    for its module. Use `victims(...)`.
    """

    def __init__(self, function: str, paths: Sequence[str] = ()) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*paths, *sys.path])}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "liberate.testing.crash", function],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def steps(self, argument: Any) -> list[str]:
        """Run the job in a process of its own to the end; its steps."""
        answer = self._ask({"argument": argument, "step": None})
        assert answer["status"] == 0, f"the job ended with status {answer['status']}"
        taken: list[str] = answer["steps"]
        return taken

    def die(self, argument: Any, number: int) -> bool:
        """Run the job and kill it at this step; False if it came to its end before."""
        answer = self._ask({"argument": argument, "step": number})
        assert answer["status"] in (0, -signal.SIGKILL), f"the job ended with status {answer['status']}"
        return bool(answer["status"] == -signal.SIGKILL)

    def _ask(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question).encode() + b"\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process that the victims are forked from ended"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process they are forked from."""
        self._process.communicate(timeout=60)


@contextmanager
def victims(function: str, paths: Sequence[str] = ()) -> Iterator[Victims]:
    """Victims that run this function, see there."""
    opened = Victims(function, paths)
    try:
        yield opened
    finally:
        opened.close()


def _fork(function: Callable[[Any, Step], object], argument: Any, number: int | None) -> dict[str, Any]:
    """Run the function in a fork; how it ended, and its steps if it was let live."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            seen: list[str] = []
            function(argument, seen.append if number is None else Killer(number))
            with os.fdopen(writing, "wb") as out:
                out.write(json.dumps(seen).encode())
            status = 0
        except BaseException:  # noqa: BLE001  # a fork never returns into its parent's code
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        seen_there = told.read()
    _, status = os.waitpid(child, 0)
    return {"status": os.waitstatus_to_exitcode(status), "steps": json.loads(seen_there or b"[]")}


def _serve(name: str, questions: IO[bytes], answers: int) -> None:
    module, _, attribute = name.partition(":")
    function = getattr(import_module(module), attribute)
    import_module("liberate.run")  # which `import liberate` leaves for later
    for line in questions:
        question = json.loads(line)
        answer = _fork(function, question["argument"], question["step"])
        os.write(answers, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    out = os.dup(1)
    os.dup2(2, 1)  # what a job prints goes where its errors go
    os.set_inheritable(out, False)
    _serve(sys.argv[1], sys.stdin.buffer, out)
