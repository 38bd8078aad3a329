"""`liberate check`: looks at both ends of a plan before anything moves."""

from __future__ import annotations

from pathlib import Path

import click

from liberate_cli.common import picked_plan, stopping, which_plan
from liberate_cli.main import EXIT_CODES


@click.command("check", epilog=EXIT_CODES)
@which_plan
@click.option("--json", "as_json", is_flag=True, help="What was found as JSON lines on stdout.")
def command(
    where: tuple[str, ...], job: Path | None, only: tuple[str, ...], phases: tuple[str, ...], as_json: bool
) -> None:
    """Look at both ends of the plan before anything moves.

    Each service is logged in to, once. Some are tried out besides, with a few things of liberate's own that are taken
    away again: at a Matrix homeserver, a room with some messages. What would stop a move is marked with "!", and the
    exit code is 3.
    """
    import json  # noqa: PLC0415 - --help needs none of these
    from dataclasses import asdict  # noqa: PLC0415

    from liberate import check  # noqa: PLC0415
    from liberate.report_words import plain  # noqa: PLC0415

    plan = picked_plan(where, job, only, phases, ask=True)
    with stopping() as stop:
        stops = False
        for one in check(plan, stop=stop):
            stops = stops or one.stops
            if as_json:
                click.echo(json.dumps({"event": "looked", **asdict(one)}, ensure_ascii=False))
                continue
            account = f", as {plain(one.account)}" if one.account else ""
            click.echo(f"{plain(one.connection)}{account}:")
            if one.opened_only and not one.remarks:
                click.echo("  It can be reached, and the login is right.")
            for remark in one.remarks:
                click.echo(f"{'!' if remark.stops else ' '} {plain(remark.why)}")
                if remark.todo:
                    click.echo(f"    {plain(remark.todo)}")
    if stop():
        click.get_current_context().exit(130)
    click.get_current_context().exit(3 if stops else 0)
