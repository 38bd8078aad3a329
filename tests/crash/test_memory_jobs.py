"""A job that dies at any of its steps is set right by the next run: all sources and destinations in memory."""

from __future__ import annotations

from pathlib import Path

import memory_job
import pytest

from liberate.testing.crash import survives, victims

HERE = str(Path(__file__).parent)
PAIRS = [(source, destination) for source in memory_job.SOURCES for destination in memory_job.DESTINATIONS]


def something_was_done(_number: int, what: str) -> bool:
    """Dying before an act, or before it is committed, leaves what dying after the act before it leaves."""
    return what.startswith("after ")


@pytest.mark.parametrize(
    ("source", "destination", "every"),
    [("together", "mailbox", 2), ("one by one", "plain mailbox", 5), ("one by one", "folder", 3)],  # all: make torture
)
def test_a_job_that_dies_after_any_step_is_set_right_by_the_next_run(
    tmp_path: Path, source: str, destination: str, every: int
) -> None:
    taken = survives(
        lambda name: memory_job.trial(tmp_path / name, source, destination),
        only=lambda number, what: something_was_done(number, what) and number % every == 0,
    )
    assert {"before intend", "uncommitted written", "after listed"} <= set(taken)


@pytest.mark.parametrize(("destination", "every", "act"), [("mailbox", 3, "append"), ("tree", 11, "append")])
def test_a_process_that_is_killed_is_set_right_by_the_next_one(
    tmp_path: Path, destination: str, every: int, act: str
) -> None:
    with victims("memory_job:run_here", [HERE]) as doomed:
        taken = survives(
            lambda name: memory_job.trial(tmp_path / name, "together", destination),
            doomed,
            only=lambda number, what: something_was_done(number, what) and number % every == 0,
        )
    assert f"after {act}" in taken


@pytest.mark.torture
@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_a_process_that_is_killed_at_any_step_is_set_right_by_the_next_one(
    tmp_path: Path, source: str, destination: str
) -> None:
    with victims("memory_job:run_here", [HERE]) as doomed:
        survives(lambda name: memory_job.trial(tmp_path / name, source, destination), doomed)
