"""`liberate report`: writes down what moved, what did not, and why."""

from __future__ import annotations

from pathlib import Path

import click

from liberate_cli.common import hand_over, picked_plan, which_plan
from liberate_cli.main import EXIT_CODES


@click.command("report", epilog=EXIT_CODES)
@which_plan
@click.option(
    "--format", "form", type=click.Choice(["text", "html", "json"]), help="Without it: by --output's ending, else text."
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write there instead.",
)
@click.option("--person", metavar="ADDRESS", help="Only this account, by its old or new name: a page for its owner.")
def command(
    where: tuple[str, ...],
    job: Path | None,
    only: tuple[str, ...],
    phases: tuple[str, ...],
    form: str | None,
    output: Path | None,
    person: str | None,
) -> None:
    """Write down what moved, what did not, and why: for the board, and for each member.

    It is made from the job's ledger alone; no server is asked. --format html writes one page that opens
    anywhere; --format json follows the schema in the reference.
    """
    from liberate import status  # noqa: PLC0415
    from liberate.report_html import as_html  # noqa: PLC0415 - --help needs none of these
    from liberate.report_json import as_json  # noqa: PLC0415
    from liberate.report_text import as_text  # noqa: PLC0415

    if form is None:
        ending = output.suffix.lower() if output else ""
        form = {".html": "html", ".htm": "html", ".json": "json"}.get(ending, "text")
    found = status(picked_plan(where, job, (*only, person) if person else only, phases, ask=False))
    hand_over({"text": as_text, "html": as_html, "json": as_json}[form](found), output)
