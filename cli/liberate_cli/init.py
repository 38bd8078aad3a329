"""`liberate init`: writes a plan and a people table to fill in."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("init")
@click.option(
    "--from", "source", default="google", show_default=True, metavar="CONNECTOR", help="Where things are now."
)
@click.option("--to", "destination", default="imap", show_default=True, metavar="CONNECTOR", help="Where they go.")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where to write; without it, here.",
)
def command(source: str, destination: str, directory: Path) -> None:
    """Write liberate.toml and people.csv, with every setting explained, to fill in.

    Nothing that exists is overwritten. `liberate connectors` lists what --from and --to may be.
    """
    from liberate import PlanError  # noqa: PLC0415 - --help needs none of these
    from liberate_cli.template import people_text, plan_text  # noqa: PLC0415

    texts = {
        directory / "liberate.toml": plan_text(source, destination),
        directory / "people.csv": people_text(source, destination),
    }
    for path in texts:
        if path.exists():
            raise PlanError(f"{path} is there already and stays as it is. Name another folder with --directory.")
    for path, text in texts.items():
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise PlanError(f"{path} cannot be written ({error.strerror}). Name another folder.") from error
        click.echo(f"Written: {path}")
    where = "" if directory == Path() else f" {directory / 'liberate.toml'}"
    click.echo(f"Fill both in, then run: liberate migrate{where}")
