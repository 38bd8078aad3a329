"""What several commands share: naming a plan or two endpoints, picking accounts, stopping, printing a report."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from liberate.moves import Plan
    from liberate.report import Report

DEFAULT_PLAN = "liberate.toml"

F = TypeVar("F", bound=Callable[..., Any])


def which_plan(function: F) -> F:
    """Adds the argument [PLAN | FROM TO] and the options that pick a job and accounts of it."""
    for add in (
        click.option("--phase", "phases", multiple=True, metavar="WORD", help="Only people in this phase. Repeatable."),
        click.option(
            "--only", multiple=True, metavar="ADDRESS", help="Only this account, by its old or new name. Repeatable."
        ),
        click.option(
            "--job",
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Folder of the job's state. Without it: the plan's, or one named after FROM and TO.",
        ),
        click.argument("where", nargs=-1, metavar="[PLAN | FROM TO]"),
    ):
        function = add(function)
    return function


def picked_plan(
    where: tuple[str, ...], job: Path | None, only: tuple[str, ...], phases: tuple[str, ...], *, ask: bool
) -> Plan:
    """The plan that the command line names; `ask`: passwords may be asked for. Raises PlanError."""
    from liberate import load_plan, plan_for  # noqa: PLC0415 - --help needs none of it

    if len(where) > 2:
        raise click.UsageError("Name one plan, or two endpoints: where from and where to.")
    if len(where) == 2:
        plan = plan_for(where[0], where[1], job, ask=_ask if ask else None)
    else:
        name = where[0] if where else DEFAULT_PLAN
        if _looks_like_endpoint(name):
            raise click.UsageError(f"Where to? Name the destination too: liberate migrate {name} maildir:./mail")
        plan = load_plan(name)
        plan = plan.with_options(job_dir=job) if job else plan
    return plan.narrowed(only, phases)


def _looks_like_endpoint(name: str) -> bool:
    scheme, colon, _ = name.partition(":")
    return bool(colon) and len(scheme) > 1 and not Path(name).exists()


def _ask(prompt: str) -> str:
    from liberate import PlanError  # noqa: PLC0415

    if not sys.stdin.isatty():
        raise PlanError(
            f"{prompt}: there is nobody to ask. Set LIBERATE_PASSWORD, or LIBERATE_FROM_PASSWORD and "
            "LIBERATE_TO_PASSWORD, then run the same command again."
        )
    answer: str = click.prompt(prompt, hide_input=True, err=True)
    return answer


class Stop:
    """Ctrl-C (or SIGTERM) once: finish what is under way. Twice: end at once."""

    def __init__(self, first_words: str) -> None:
        self.wanted = False
        self._first_words = first_words

    def __call__(self) -> bool:
        return self.wanted

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        # Written with os.write: print may be in the middle of a line of its own when the signal comes.
        if self.wanted:
            shown = b"\x1b[?25h" if os.isatty(2) else b""  # the cursor, which a progress display hides
            os.write(2, shown + b"\nliberate: stopped at once. Run the same command to go on; nothing is lost.\n")
            os._exit(130)
        self.wanted = True
        os.write(2, self._first_words.encode())


FINISHING = "\nliberate: finishing what is under way. Press Ctrl-C again to stop at once.\n"


@contextmanager
def stopping(first_words: str = FINISHING) -> Iterator[Stop]:
    """A Stop that listens to the signals while the block runs, and says `first_words` at the first one."""
    stop = Stop(first_words)
    before = {number: signal.signal(number, stop.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def hand_over(text: str, output: Path | None) -> None:
    """Print the text, or write it to a file, whole or not at all. Raises PlanError if it cannot be written."""
    from liberate import PlanError  # noqa: PLC0415

    if output is None:
        click.echo(text, nl=False)
        return
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(output)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise PlanError(f"{output} cannot be written ({error.strerror}). Name another file with --output.") from error


def plan_words(where: tuple[str, ...], job: Path | None) -> str:
    """What to put behind a command so that it means the same job; with a blank before it, or ""."""
    import shlex  # noqa: PLC0415

    words = [*where, *(["--job", str(job)] if job else [])]
    return "".join(f" {shlex.quote(word)}" for word in words)


def finish(report: Report) -> None:
    """End the command with the report's exit code."""
    click.get_current_context().exit(int(report.exit_code))
