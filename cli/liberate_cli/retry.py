"""`liberate retry`: lets refused items be tried again."""

from __future__ import annotations

from pathlib import Path

import click

from liberate_cli.common import picked_plan, plan_words, which_plan
from liberate_cli.main import EXIT_CODES


@click.command("retry", epilog=EXIT_CODES)
@which_plan
@click.option("--code", metavar="CODE", help="Only items refused with this code, such as too-large.")
def command(
    where: tuple[str, ...], job: Path | None, only: tuple[str, ...], phases: tuple[str, ...], code: str | None
) -> None:
    """Let items that were refused be tried again by the next `liberate migrate`.

    For when the cause is gone: a limit was raised, a folder made, a server mended.
    """
    from liberate import PlanError, retry, status  # noqa: PLC0415 - --help needs none of these
    from liberate.problems import did_you_mean  # noqa: PLC0415
    from liberate.report_words import items  # noqa: PLC0415

    plan = picked_plan(where, job, only, phases, ask=False)
    accounts = status(plan).accounts
    known = {count.code for account in accounts for count in account.refused}
    known |= {count.code for account in accounts if account.shares for count in account.shares.left}
    if code is not None and known and code not in known:
        raise PlanError(f'No item was refused with the code "{code}".{did_you_mean(code, known)}')
    count = retry(plan, code)
    if count:
        again = f"liberate migrate{plan_words(where, job)}"
        click.echo(f"{items(count)} will be tried again. Now run: {again}")
    else:
        click.echo("No item is refused, so there is nothing to try again.")
