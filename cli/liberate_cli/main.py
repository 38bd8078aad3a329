"""The command itself: which subcommands there are, and how every failure ends."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

COMMANDS = {
    "init": "Write a plan and a people table to fill in.",
    "check": "Look at both ends before anything moves.",
    "migrate": "Move what the plan says; run it again to continue.",
    "status": "Say how far a job is.",
    "verify": "Read back what has moved and compare it.",
    "report": "Write down what moved, what did not, and why.",
    "retry": "Let refused items be tried again.",
    "undo": "Take back what a job moved, unless somebody changed it.",
    "connectors": "List what liberate can read and write, and the settings.",
    "sandbox": "Run stand-in servers on this machine to try things out.",
    "demo": "Move a sample co-op on this machine, and show the report.",
}
"""Each command's name and its one line; the module of that name holds the rest."""

EXIT_CODES = """\b
Exit codes:
  0    done
  1    done; some items could not go and are listed
  2    the command, the plan or the people table is wrong; nothing was started
  3    a person must act: login, consent, quota
  4    something temporary stopped it; run the same command again
  5    verification found items that are missing or different
  6    another run holds this job
  70   a fault in liberate itself; nothing is lost
  130  interrupted; run the same command to go on"""

FAULT = 70  # EX_SOFTWARE of sysexits.h: no other code means a fault of ours


def _brought() -> dict[str, EntryPoint]:
    """The commands that connectors bring, by name: what is done once at a service of theirs."""
    from importlib.metadata import entry_points  # noqa: PLC0415

    return {one.name: one for one in entry_points(group="liberate.commands") if one.name not in COMMANDS}


class Commands(click.Group):
    """Loads a command's module when that command is called, so that --help is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*COMMANDS, *_brought()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            entry = _brought().get(cmd_name)
            return None if entry is None else entry.load()
        command: click.Command = import_module(f"liberate_cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = not args or args[0] in COMMANDS or args[0].startswith("-")  # looking what is installed takes longer
        if not known and args[0] not in self.list_commands(ctx):
            from difflib import get_close_matches  # noqa: PLC0415 - only where somebody mistyped

            close = get_close_matches(args[0], self.list_commands(ctx), n=1)
            ctx.fail(f'There is no command "{args[0]}".' + (f' Did you mean "{close[0]}"?' if close else ""))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            brought = [(name, entry.load().get_short_help_str(80)) for name, entry in _brought().items()]
            formatter.write_dl([*COMMANDS.items(), *brought])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (click.Abort, KeyboardInterrupt):  # at a prompt, or before anything was under way
            click.echo("\nliberate: interrupted.", err=True)
            ctx.exit(130)
        except Exception as error:  # noqa: BLE001 - the last stop before the person
            from liberate_cli.failures import exit_code, tell  # noqa: PLC0415 - --help needs none of it

            tell(error)
            ctx.exit(exit_code(error))


def _version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415

        click.echo(f"liberate {version('liberate-migrate')}")
        ctx.exit()


@click.group(cls=Commands, epilog=EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def cli() -> None:
    """Leave Big Tech: move mail, files, calendars, contacts and chat.

    A plan (liberate.toml) says what goes where, a table (people.csv) who becomes whom. `liberate init`
    writes both for you to fill in, `liberate migrate` carries them out. Whatever interrupts it, run the
    same command again: it goes on where it was, and nothing arrives twice.
    """


def main() -> None:
    """Run the command and exit with its code."""
    gc.set_threshold(50_000, 10, 10)  # loading modules makes many objects and hardly any garbage
    try:
        cli(prog_name="liberate")
    except KeyboardInterrupt:
        click.echo("liberate: interrupted.", err=True)
        sys.exit(130)
    finally:
        gc.freeze()  # else the interpreter looks through all that is left for garbage when it ends
