"""`liberate connectors`: lists what liberate can read and write, and the settings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from liberate_cli.describe import Described


@click.command("connectors")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(names: tuple[str, ...], as_json: bool) -> None:
    """List what liberate can read and write.

    With names, their settings too: the keys that may stand in a plan under [connections.NAME].
    """
    import json  # noqa: PLC0415 - --help needs none of these

    from liberate import registry  # noqa: PLC0415
    from liberate_cli.describe import described  # noqa: PLC0415

    found = [described(name) for name in names or registry.names()]
    if as_json:
        click.echo(json.dumps([one.as_dict() for one in found], indent=2, ensure_ascii=False))
        return
    for place, one in enumerate(found):
        if place:
            click.echo()
        for line in _lines(one):
            click.echo(line)
    if not names:
        click.echo("\nThe settings of one: liberate connectors NAME")


def _lines(one: Described) -> Iterator[str]:
    yield f"{one.name}: {one.title}"
    if one.missing:
        yield from _wrapped(one.missing, "  ")
        return
    yield f"  {one.directions} of {', '.join(one.kinds)}"
    if one.addresses:
        yield f"  on the command line: {' '.join(one.addresses)}"
    if not one.settings:
        return
    names = ", ".join(s.name for s in one.settings)
    if len(click.get_current_context().params["names"]) == 0:
        yield from _wrapped(f"settings: {names}", "  ", "    ")
        return
    yield "  settings:"
    for setting in one.settings:
        default = "required" if setting.required else f"default {setting.default}" if setting.default else "optional"
        yield f"    {setting.name}  ({setting.takes}; {default})"
        yield from _wrapped(setting.about, "        ")


def _wrapped(text: str, first: str, then: str | None = None) -> list[str]:
    return textwrap.wrap(text, 96, initial_indent=first, subsequent_indent=first if then is None else then)
