"""`liberate nextcloud ...`: what is done once at a server, before and after a move."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import click

SECRET_FILE = "nextcloud-appapi-secret"  # noqa: S105 - a file, and no secret


@click.group("nextcloud")
def nextcloud() -> None:
    """Prepare a Nextcloud server for a move, and take the access away again afterwards."""


@nextcloud.command("register")
@click.argument("url")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the server reaches this machine.")
@click.option("--port", type=click.IntRange(0, 65535), default=9999, show_default=True)
@click.option(
    "--secret-file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(SECRET_FILE),
    show_default=True,
    help="Where the secret is kept, for the plan to name.",
)
@click.option(
    "--wait", type=click.FloatRange(0), default=900, show_default=True, help="Seconds to wait for the server."
)
def register(url: str, host: str, port: int, secret_file: Path, wait: float) -> None:
    """Let liberate act for every user of the Nextcloud at URL, without their passwords (AppAPI).

    It prints two commands for whoever may run occ on the server, and answers the server's questions meanwhile.
    """
    from liberate.errors import PlanError  # noqa: PLC0415 - --help needs none of these
    from liberate_nextcloud.register import Responder, check, commands, removal  # noqa: PLC0415
    from liberate_nextcloud.settings import NextcloudSettings  # noqa: PLC0415

    try:
        settings = NextcloudSettings(url=url)
    except ValueError as error:
        raise PlanError("The URL is https://..., or http:// on this machine only.") from error
    secret = _secret(secret_file)
    try:
        responder = Responder(host, port)
    except OSError as error:
        raise PlanError(f"Port {port} cannot be opened ({error.strerror}). Name another with --port.") from error
    with responder:
        click.echo("Run these two on the server, as the user of its web server, in Nextcloud's folder:\n")
        for line in commands(settings, secret, host, responder.port):
            click.echo(f"  php {line}\n")
        click.echo("Waiting for the server to ask back. Ctrl-C ends it.", err=True)
        if not responder.enabled(wait):
            raise PlanError(
                f"The server did not ask back. It must reach {host}:{responder.port}: name this machine with --host, "
                "then run both commands again."
            )
    check(url, settings.appapi_id, settings.appapi_version, secret)
    click.echo("It is registered. In the plan, under the connection:\n")
    click.echo(f'  appapi_secret = {{ file = "{secret_file}" }}\n')
    click.echo("When everything has moved, take the access away again:\n")
    for line in removal(settings):
        click.echo(f"  php {line}")
    click.echo(f"\nand delete {secret_file}.")


def _secret(path: Path) -> str:
    """What stands in that file, readable by its owner only; made when there is none."""
    from liberate.errors import PlanError  # noqa: PLC0415

    try:
        if not path.exists():
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(32) + "\n")
        return path.read_text().strip()
    except OSError as error:
        raise PlanError(f"{path} cannot be written ({error.strerror}). Name another with --secret-file.") from error
