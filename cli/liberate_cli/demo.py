"""`liberate demo`: moves a sample co-op on this machine, and shows the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from liberate_cli.common import stopping

if TYPE_CHECKING:
    from liberate.report import Report
    from liberate.sandbox import Sandbox, Setting
    from liberate_cli.common import Stop
    from liberate_cli.progress import Style


@click.command("demo")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    metavar="DIR",
    help="Where everything goes.",
)
@click.option("--plain", is_flag=True, help="Progress as lines, also on a terminal.")
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def command(directory: Path, plain: bool, quiet: bool) -> None:
    """Move a sample co-op's mail and files on this machine, and show the report.

    Nothing leaves this machine. Stand-ins play the services; the mail goes into Maildirs under DIR, and
    into a real IMAP server where one is installed, the files into folders and a Nextcloud that is played
    as well. Running it again shows that a second run adds nothing. Items that are refused are part of the
    sample: the exit code is 0 all the same.
    """
    from liberate import PlanError  # noqa: PLC0415 - --help needs none of these
    from liberate.report import Exit  # noqa: PLC0415
    from liberate.report_html import as_html  # noqa: PLC0415
    from liberate.report_text import as_summary  # noqa: PLC0415
    from liberate.report_words import items, nothing_new  # noqa: PLC0415
    from liberate_cli.progress import style_for  # noqa: PLC0415

    style = style_for(as_json=False, quiet=quiet, plain_lines=plain)
    codes: set[int] = set()
    with stopping() as stop, ExitStack() as up:
        demo = _Demo(directory.absolute(), up)
        demo.start()
        if not demo.sources:
            raise PlanError("No sample source is installed. Run: pip install 'liberate-migrate[all]'")
        for source in demo.sources:
            if stop():
                codes.add(Exit.INTERRUPTED)
                break
            plan = demo.write_plan(source)
            click.echo(f"\n== {source.sandbox.title}: {items(len(source.accounts) or 1, 'account')} ==")
            click.echo(f"   liberate migrate {plan}\n")
            report = _carry_out(plan, stop, style)
            page = plan.with_name("report.html")
            page.write_text(as_html(report), encoding="utf-8")
            click.echo(nothing_new(report) or as_summary(report).rstrip())
            click.echo(f"\nThe report as a page: {page}")
            codes.add(int(report.exit_code))
        click.echo()
        for line in demo.whereabouts():
            click.echo(line)
    if Exit.REFUSED in codes:
        click.echo("Some items of the sample are refused on purpose, to show what that looks like.")
    click.get_current_context().exit(max(codes - {Exit.DONE, Exit.REFUSED}, default=0))


def _carry_out(plan: Path, stop: Stop, style: Style) -> Report:
    from liberate import load_plan, migrate, verify  # noqa: PLC0415
    from liberate_cli.progress import showing  # noqa: PLC0415

    loaded = load_plan(plan)
    count = sum(1 for _ in loaded.moves())
    with showing(style, count, "moved") as observer:
        report = migrate(loaded, observer=observer, stop=stop)
    if report.changed and not report.interrupted:
        with showing(style, count, "read back") as observer:
            return replace(verify(loaded, observer=observer, stop=stop), changed=True)
    return report


_LOCAL = {"mail": ("maildir", "mail"), "file": ("folder", "files"), "chat": ("chat-archive", "chat")}
"""Where each kind goes on this machine: the connector, and the folder of the demo."""


@dataclass(frozen=True, slots=True)
class _Source:
    sandbox: Sandbox
    connection: Mapping[str, Setting]
    accounts: Sequence[str]


class _Demo:
    """The sandboxes of this machine, running, and the plans that use them."""

    def __init__(self, folder: Path, up: ExitStack) -> None:
        self._folder = folder
        self._up = up
        self.sources: list[_Source] = []
        self._destinations: dict[str, tuple[Sandbox, Mapping[str, Setting]]] = {}
        self._notes: list[str] = []

    def start(self) -> None:
        """Start every sandbox that this machine can run; what it cannot is told at the end."""
        from liberate import LiberateError  # noqa: PLC0415
        from liberate.sandbox import sandboxes  # noqa: PLC0415

        # A homeserver would take minutes for what a folder takes in seconds.
        found = [one for one in sandboxes() if one.side == "source" or one.kinds != {"chat"}]
        for sandbox in sorted(found, key=lambda s: s.side, reverse=True):  # sources first
            if sandbox.side == "source" and not sandbox.kinds & _LOCAL.keys():
                self._notes.append(f"Left out: {sandbox.title}. The demo has nothing to keep it in.")
                continue
            if missing := sandbox.missing():
                self._notes.append(f"Left out: {sandbox.title}. {missing}")
                continue
            home = self._folder / "sandbox" / sandbox.name
            home.mkdir(parents=True, exist_ok=True)
            everybody = list(dict.fromkeys(name for source in self.sources for name in source.accounts))
            try:
                running = self._up.enter_context(sandbox.start(home, everybody))
            except LiberateError as error:
                self._notes.append(f"Left out: {sandbox.title}. {error}")
                continue
            if sandbox.side == "source":
                self.sources.append(_Source(sandbox, running.connection, running.accounts))
            else:
                self._destinations[sandbox.name] = sandbox, running.connection
                self._notes.append(f"In {sandbox.title} while the demo runs; its files: {home}")

    def write_plan(self, source: _Source) -> Path:
        """The plan that moves this source's accounts, on disk for whoever wants to see one."""
        from liberate_cli.plan_lines import connection_lines, people_csv  # noqa: PLC0415

        home = self._folder / source.sandbox.name
        home.mkdir(parents=True, exist_ok=True)
        name = source.sandbox.name
        kind = next(iter(source.sandbox.kinds))
        local, where = _LOCAL[kind]
        path = f"../{where}/{name}" + ("/{account}" if source.accounts else "")
        destinations: dict[str, Mapping[str, Setting]] = {local: {"connector": local, "path": path}}
        destinations |= {to: running for to, (sandbox, running) in self._destinations.items() if kind in sandbox.kinds}
        lines = ["[job]", f'name = "{name}"', "", *connection_lines(name, source.connection)]
        for to, settings in destinations.items():
            lines += ["", *connection_lines(to, settings)]
        for to in destinations:
            lines += ["", "[[routes]]", f'from = "{name}"', f'to = "{to}"', f'kinds = ["{kind}"]']
        if source.accounts:
            lines += ["", "[people]", 'table = "people.csv"']
            (home / "people.csv").write_text(people_csv(source.accounts), encoding="utf-8")
        plan = home / "liberate.toml"
        plan.write_text("\n".join([*lines, ""]), encoding="utf-8")
        return plan

    def whereabouts(self) -> list[str]:
        return [
            f"The mail stands in Maildirs under {self._folder / 'mail'}",
            f"The files stand in folders under {self._folder / 'files'}",
            f"The chat stands in folders under {self._folder / 'chat'}; open an index.html there",
            *self._notes,
        ]
