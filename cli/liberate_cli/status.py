"""`liberate status`: says how far a job is."""

from __future__ import annotations

from pathlib import Path

import click

from liberate_cli.common import finish, picked_plan, which_plan
from liberate_cli.main import EXIT_CODES


@click.command("status", epilog=EXIT_CODES)
@which_plan
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@click.option("--exit-code", is_flag=True, help="End with the job's exit code instead of 0.")
def command(
    where: tuple[str, ...],
    job: Path | None,
    only: tuple[str, ...],
    phases: tuple[str, ...],
    as_json: bool,
    exit_code: bool,
) -> None:
    """Say how far a job is, from its ledger alone: no server is asked.

    It may be called while the job runs.
    """
    from liberate import status as known  # noqa: PLC0415
    from liberate.report_json import as_json as json_of  # noqa: PLC0415 - --help needs none of these
    from liberate.report_text import as_summary  # noqa: PLC0415

    report = known(picked_plan(where, job, only, phases, ask=False))
    click.echo(json_of(report) if as_json else as_summary(report), nl=False)
    if exit_code:
        finish(report)
