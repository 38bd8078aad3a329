"""How a failure reaches the person before the screen: a sentence where it was foreseen, a traceback where not."""

from __future__ import annotations

import traceback

import click

from liberate.errors import AccountError, Busy, IntegrityError, LiberateError, PlanError, TransientError
from liberate_cli.main import FAULT

_CODES: dict[type[LiberateError], int] = {
    PlanError: 2,
    AccountError: 3,
    TransientError: 4,
    IntegrityError: 5,
    Busy: 6,
}


def exit_code(error: Exception) -> int:
    """The documented exit code for an error that ended the command."""
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), FAULT)


def tell(error: Exception) -> None:
    """Say what happened on stderr."""
    if isinstance(error, LiberateError):
        click.echo(f"liberate: {error}", err=True)
        return
    click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(
        "liberate: this is a fault in liberate itself, not yours. Nothing is lost: run the same command again, "
        "and please report the lines above.",
        err=True,
    )
