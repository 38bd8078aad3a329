"""`liberate verify`: reads back what has moved and compares it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from liberate_cli.common import finish, picked_plan, plan_words, stopping, which_plan
from liberate_cli.main import EXIT_CODES


class Share(click.ParamType):  # type: ignore[type-arg]  # older click knows no argument
    """A share of the items: "5%", "0.5 %", "1/20"; as a number above 0 and up to 1."""

    name = "share"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        text = str(value).strip()
        try:
            over, slash, under = text.partition("/")
            share = float(over) / float(under) if slash else float(text.removesuffix("%")) / 100
        except (ValueError, ZeroDivisionError):
            share = 0.0
        if not 0 < share <= 1:
            self.fail(f'"{text}" is no share of the items. Write a percentage, such as 5%.', param, ctx)
        return share


@click.command("verify", epilog=EXIT_CODES)
@which_plan
@click.option("--sample", type=Share(), metavar="N%", help="Read back only this share of the items, picked by chance.")
@click.option("--workers", type=click.IntRange(1, 256), metavar="N", help="How many work at once, over all accounts.")
@click.option("--json", "as_json", is_flag=True, help="Events and the report as JSON lines on stdout.")
@click.option("--plain", is_flag=True, help="Progress as lines, also on a terminal.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(
    where: tuple[str, ...],
    job: Path | None,
    only: tuple[str, ...],
    phases: tuple[str, ...],
    sample: float | None,
    workers: int | None,
    as_json: bool,
    plain: bool,
    quiet: bool,
) -> None:
    """Read back what has moved and compare it with what was read at the source.

    Nothing is written anywhere but in the job's ledger. Items that are missing or different are told,
    and the exit code is 5.
    """
    import json  # noqa: PLC0415 - --help needs none of these

    from liberate import verify  # noqa: PLC0415
    from liberate.report_json import as_dict  # noqa: PLC0415
    from liberate.report_text import as_summary  # noqa: PLC0415
    from liberate_cli.progress import showing, style_for  # noqa: PLC0415

    plan = picked_plan(where, job, only, phases, ask=True)
    style = style_for(as_json=as_json, quiet=quiet, plain_lines=plain)
    more: dict[str, Any] = {"workers": workers} if workers else {}
    with stopping() as stop, showing(style, sum(1 for _ in plan.moves()), "read back") as observer:
        report = verify(plan, observer=observer, stop=stop, sample=sample, **more)
    if as_json:
        click.echo(json.dumps({"event": "report", "report": as_dict(report)}, ensure_ascii=False))
    else:
        click.echo(as_summary(report), nl=False)
        click.echo(f"\nAll of it, account by account: liberate report{plan_words(where, job)}")
    finish(report)
