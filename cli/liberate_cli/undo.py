"""`liberate undo`: takes back what a job put at its destinations."""

from __future__ import annotations

from pathlib import Path

import click

from liberate_cli.common import picked_plan, stopping, which_plan
from liberate_cli.main import EXIT_CODES


@click.command("undo", epilog=EXIT_CODES)
@which_plan
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(
    where: tuple[str, ...],
    job: Path | None,
    only: tuple[str, ...],
    phases: tuple[str, ...],
    yes: bool,
    quiet: bool,
) -> None:
    """Take back what this job moved: exactly that, and only what nobody has changed since.

    For a move that went to the wrong account. Nothing is taken from the source. What goes, goes to the
    destination's trash where it has one. The next `liberate migrate` moves it again.
    """
    from liberate import PlanError, undo  # noqa: PLC0415 - --help needs none of these
    from liberate.report_words import items, plain  # noqa: PLC0415
    from liberate_cli.progress import showing, style_for  # noqa: PLC0415

    plan = picked_plan(where, job, only, phases, ask=True)
    accounts = sum(1 for _ in plan.moves())
    if not yes:
        try:
            click.confirm(f"Take back what was moved for {items(accounts, 'account')}?", abort=True, err=True)
        except click.Abort:
            raise PlanError("Nothing was taken back. To do it without being asked, add --yes.") from None
    style = style_for(as_json=False, quiet=quiet, plain_lines=False)
    with stopping() as stop, showing(style, accounts, "taken back") as observer:
        done = undo(plan, observer=observer, stop=stop)
    for one in done:
        click.echo(f"{plain(one.account)}: {items(one.removed)} taken back.")
        for count in one.kept:
            click.echo(f"  {items(count.items)} left where {'it is' if count.items == 1 else 'they are'}: {count.why}")
    if stop():
        click.get_current_context().exit(130)
    if any(one.kept for one in done):
        click.get_current_context().exit(1)
