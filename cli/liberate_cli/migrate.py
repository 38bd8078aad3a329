"""`liberate migrate`: moves what the plan says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from liberate_cli.common import finish, picked_plan, plan_words, stopping, which_plan
from liberate_cli.main import EXIT_CODES

if TYPE_CHECKING:
    from liberate.moves import EvidenceWanted, SkipOrCopy


@click.command("migrate", epilog=EXIT_CODES)
@which_plan
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", help="How many work at once, over all accounts.")
@click.option(
    "--patience",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long to try again while nothing of an account moves, before it is left for the next run.",
)
@click.option(
    "--evidence", type=click.Choice(["size", "read-back"]), help="What proves each item, instead of what the plan says."
)
@click.option(
    "--labels", type=click.Choice(["copies", "primary", "keywords"]), help="What becomes of mail with several labels."
)
@click.option("--spam", type=click.Choice(["skip", "copy"]), help="Whether mail in Spam comes along.")
@click.option("--trash", type=click.Choice(["skip", "copy"]), help="Whether mail in Trash comes along.")
@click.option("--json", "as_json", is_flag=True, help="Events and the report as JSON lines on stdout.")
@click.option("--plain", is_flag=True, help="Progress as lines, also on a terminal.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(
    where: tuple[str, ...],
    job: Path | None,
    only: tuple[str, ...],
    phases: tuple[str, ...],
    workers: int | None,
    patience: float | None,
    evidence: str | None,
    labels: str | None,
    spam: str | None,
    trash: str | None,
    as_json: bool,
    plain: bool,
    quiet: bool,
) -> None:
    """Move what the plan says; run it again to continue.

    PLAN is a plan's file, liberate.toml where none is named. Without a plan, one account moves from one
    endpoint to another, such as: liberate migrate takeout:All-mail.mbox imaps://anna@mail.example.coop
    Passwords come from LIBERATE_PASSWORD, or LIBERATE_FROM_PASSWORD and LIBERATE_TO_PASSWORD, else they
    are asked for.

    Ctrl-C finishes what is under way and stops; the same command goes on from there.
    """
    import json  # noqa: PLC0415 - --help needs none of these

    from liberate import migrate  # noqa: PLC0415
    from liberate.labels import LabelPolicy  # noqa: PLC0415
    from liberate.report_json import as_dict  # noqa: PLC0415
    from liberate.report_text import as_summary  # noqa: PLC0415
    from liberate.report_words import nothing_new  # noqa: PLC0415
    from liberate_cli.progress import showing, style_for  # noqa: PLC0415

    plan = picked_plan(where, job, only, phases, ask=True).with_options(
        evidence=cast("EvidenceWanted | None", evidence),
        labels=LabelPolicy(labels) if labels else None,
        spam=cast("SkipOrCopy | None", spam),
        trash=cast("SkipOrCopy | None", trash),
    )
    style = style_for(as_json=as_json, quiet=quiet, plain_lines=plain)
    more: dict[str, Any] = {k: v for k, v in {"workers": workers, "patience": patience}.items() if v is not None}
    with stopping() as stop, showing(style, sum(1 for _ in plan.moves()), "moved") as observer:
        report = migrate(plan, observer=observer, stop=stop, **more)
    if as_json:
        click.echo(json.dumps({"event": "report", "report": as_dict(report)}, ensure_ascii=False))
    elif told := nothing_new(report):
        click.echo(told)
    else:
        click.echo(as_summary(report), nl=False)
        click.echo(f"\nAll of it, account by account: liberate report{plan_words(where, job)}")
    finish(report)
