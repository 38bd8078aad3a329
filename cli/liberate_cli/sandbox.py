"""`liberate sandbox`: runs stand-in servers on this machine to try things out."""

from __future__ import annotations

import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path

import click

from liberate_cli.common import stopping


@click.command("sandbox")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where they keep what they hold; without it, a folder that is removed at the end.",
)
@click.option("--list", "only_list", is_flag=True, help="Say which there are, and start none.")
def command(names: tuple[str, ...], directory: Path | None, only_list: bool) -> None:
    """Run stand-in servers with sample accounts, and print the lines that a plan needs to use them.

    Without names, all that this machine can run. They listen on this machine only and end with Ctrl-C.
    """
    from liberate import PlanError  # noqa: PLC0415 - --help needs none of these
    from liberate.problems import did_you_mean  # noqa: PLC0415
    from liberate.sandbox import sandboxes  # noqa: PLC0415
    from liberate_cli.plan_lines import connection_lines  # noqa: PLC0415

    known = {sandbox.name: sandbox for sandbox in sandboxes()}
    for name in names:
        if name not in known:
            raise PlanError(f'There is no sandbox "{name}".{did_you_mean(name, known)}')
    chosen = [known[name] for name in names] or list(known.values())
    if only_list or not chosen:
        for one in chosen:
            click.echo(f"{one.name}: {one.title}" + (f" ({missing})" if (missing := one.missing()) else ""))
        if not chosen:
            click.echo("No sandbox is installed. Run: pip install 'liberate-migrate[all]'")
        return
    with stopping("\n") as stop, ExitStack() as up:
        root = directory or Path(up.enter_context(tempfile.TemporaryDirectory(prefix="liberate-sandbox-")))
        accounts: list[str] = []
        started = 0
        for sandbox in sorted(
            chosen, key=lambda s: s.side, reverse=True
        ):  # sources first: destinations need their names
            if missing := sandbox.missing():
                if names:
                    raise PlanError(missing)
                click.echo(f"# {sandbox.name} is left out: {missing}\n")
                continue
            folder = root / sandbox.name
            folder.mkdir(parents=True, exist_ok=True)
            running = up.enter_context(sandbox.start(folder, accounts))
            accounts += [name for name in running.accounts if name not in accounts]
            started += 1
            click.echo(f"# {sandbox.title}")
            for line in connection_lines(sandbox.name, running.connection):
                click.echo(line)
            if running.accounts:
                click.echo("# people.csv: source,destination")
                for name in running.accounts:
                    click.echo(f"#   {name},{name}")
            click.echo()
        if not started:
            return
        click.echo("Running. Ctrl-C ends it.", err=True)
        waiting = threading.Event()
        while not stop():
            waiting.wait(0.2)
