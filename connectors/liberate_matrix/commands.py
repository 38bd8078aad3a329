"""`liberate matrix ...`: what is done once at a homeserver, before and after a move."""

from __future__ import annotations

from pathlib import Path

import click


@click.group("matrix")
def matrix() -> None:
    """Prepare a Matrix homeserver for a move, and take the access away again afterwards."""


@matrix.command("registration")
@click.option("--server-name", required=True, help="What stands behind the colon of the server's users: example.org.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("registration.yaml"),
    show_default=True,
    help="Where the file is written.",
)
@click.option(
    "--prefix",
    default="slack",
    show_default=True,
    help="What the accounts of those who have none begin with; the connection's setting of that name is the same.",
)
def registration(server_name: str, output: Path, prefix: str) -> None:
    """Write the file by which a homeserver lets liberate speak for everybody there, without their passwords.

    It holds a token that is as good as every password of the server: it is readable by its owner only.
    """
    from liberate_matrix.registration import write  # noqa: PLC0415 - --help needs none of it

    write(output, server_name, prefix)
    click.echo(f"{output} is written. Whoever has it can speak for everybody at {server_name}: keep it to yourself.\n")
    click.echo("On the homeserver, where only Synapse can read it, put a copy. In homeserver.yaml:\n")
    click.echo("  app_service_config_files:")
    click.echo("    - /etc/matrix-synapse/liberate.yaml\n")
    click.echo("and restart Synapse. In the plan, under the connection:\n")
    click.echo(f'  registration = "{output}"\n')
    click.echo("When everything has moved, take the access away again: remove those lines and the copy, restart")
    click.echo(f"Synapse, and delete {output}. Rooms and what was said in them stay.")
