"""Shows a running job: live on a terminal, a line now and then elsewhere, JSON lines for machines."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Literal

import click

from liberate.events import Event, Observer, Refused, Sharing, Stopped, ignore
from liberate.report_words import items, number, plain, size
from liberate_cli.tally import Account, Tally

if TYPE_CHECKING:
    from rich.console import RenderableType

EVERY = 10.0  # seconds between lines where there is no terminal
_BAR = 14  # columns of a bar
ROWS = 12  # accounts shown at once on a terminal

Style = Literal["live", "lines", "json", "quiet"]
Clock = Callable[[], float]


def style_for(*, as_json: bool, quiet: bool, plain_lines: bool) -> Style:
    """How to show progress: as asked, else live on a terminal that can, else in lines."""
    if as_json:
        return "json"
    if quiet:
        return "quiet"
    live = sys.stderr.isatty() and not plain_lines and os.environ.get("TERM") != "dumb"
    return "live" if live else "lines"


@contextmanager
def showing(style: Style, accounts: int, word: str, clock: Clock = time.monotonic) -> Iterator[Observer]:
    """An observer that shows what it is told while the block runs. `word` says what happens to items: "moved"."""
    tally = Tally(accounts)
    if style == "quiet":
        yield ignore
    elif style == "json":
        yield _print_json
    elif style == "lines":
        with _ticking(tally, word, clock) as observer:
            yield observer
    else:
        with _live(tally, word, clock) as observer:
            yield observer


def _print_json(event: Event, /) -> None:
    sys.stdout.write(json.dumps({"event": type(event).__name__.lower(), **asdict(event)}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


# Lines ---------------------------------------------------------------------------------------------


@contextmanager
def _ticking(tally: Tally, word: str, clock: Clock) -> Iterator[Observer]:
    lock = threading.Lock()
    over = threading.Event()

    def observe(event: Event, /) -> None:
        with lock:
            tally.take(event, clock())
        if isinstance(event, Stopped | Sharing):
            click.echo(told(event), err=True)

    def tick() -> None:
        while not over.wait(EVERY):
            with lock:
                line = progress_line(tally, word, clock())
            click.echo(line, err=True)

    thread = threading.Thread(target=tick, name="progress", daemon=True)
    thread.start()
    try:
        yield observe
    finally:
        over.set()
        thread.join()


def told(event: Stopped | Refused | Sharing) -> str:
    """An event that somebody should read at once, as a line."""
    if isinstance(event, Sharing):
        return forecast(event)
    line = f"{plain(event.account)}: {plain(event.why)}"
    return f"{line} {plain(event.todo)}".strip() if isinstance(event, Stopped) else line


def forecast(event: Sharing) -> str:
    """How long sharing will take, as far as the destination's limit says."""
    text = f"{plain(event.account)}: {items(event.shares, 'permission')} to be made"
    if event.rate is None:
        return f"{text}."
    count, seconds = event.rate
    waits = (event.shares - 1) // count
    if not waits:
        return f"{text}."
    return f"{text}. The server allows {count} in {duration(seconds)}: that takes about {duration(waits * seconds)}."


def progress_line(tally: Tally, word: str, now: float) -> str:
    """Where the run is, in one line: "1,204 of 5,000 items moved, 3 of 6 accounts done, ..."."""
    whole = tally.items
    parts = [
        f"{number(tally.settled)} of {items(whole)} {word}" if whole is not None else f"{items(tally.settled)} {word}",
        f"{number(tally.done)} of {items(tally.accounts, 'account')} done",
        f"{size(tally.bytes)} in this run",
    ]
    rate, speed = tally.rate(now)
    if rate:
        parts.append(f"{rate:,.0f} items/s, {size(speed)}/s")
    left = tally.remaining(now)
    if left is not None:
        parts.append(f"about {duration(left)} left")
    if tally.refused:
        parts.append(f"{number(tally.refused)} refused")
    waits = [f"{plain(a.name)} {plain(a.waiting)}" for a in tally.each.values() if a.waiting]
    if waits:
        parts.append(waits[0] + (f" (and {len(waits) - 1} more wait)" if len(waits) > 1 else ""))
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time to come, as exact as it deserves: "40 s", "12 min", "3 h 20 min", "2 days 4 h"."""
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 36:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} day{'s' if days > 1 else ''} {hours} h"


# Live ----------------------------------------------------------------------------------------------


@contextmanager
def _live(tally: Tally, word: str, clock: Clock) -> Iterator[Observer]:
    from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
    from rich.live import Live  # noqa: PLC0415

    lock = threading.Lock()
    console = Console(stderr=True)  # heeds NO_COLOR by itself

    def picture() -> RenderableType:
        with lock:
            return _picture(tally, word, clock(), console.width)

    with Live(get_renderable=picture, console=console, refresh_per_second=4, transient=True) as live:

        def observe(event: Event, /) -> None:
            with lock:
                tally.take(event, clock())
            if isinstance(event, Stopped):
                live.console.print(told(event), markup=False, highlight=False)

        yield observe


def _picture(tally: Tally, word: str, now: float, width: int) -> RenderableType:
    from rich.console import Group  # noqa: PLC0415
    from rich.progress_bar import ProgressBar  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    rows = []
    for account in shown(tally):
        whole = account.items
        bar = ProgressBar(total=whole, completed=account.settled, width=_BAR) if whole else Text("")
        count = f"{number(account.settled)} / {number(whole)}" if whole is not None else number(account.settled)
        note = Text(plain(account.stopped or account.waiting))
        rows.append((Text(plain(account.name)), bar, count, size(account.bytes), note))
    fixed = [_BAR, *(max((len(str(row[column])) for row in rows), default=0) for column in (2, 3))]
    spare = max(width - sum(fixed) - 8, 2)
    notes = spare // 2 if any(str(row[4]) for row in rows) else 0
    table = Table.grid(padding=(0, 2))
    # rich shortens every column alike; a name may be cut, a number may not
    table.add_column(overflow="ellipsis", no_wrap=True, max_width=spare - notes)
    for column, columns in enumerate(fixed):
        table.add_column(justify="right" if column else "left", no_wrap=True, width=columns)
    table.add_column(overflow="ellipsis", no_wrap=True, max_width=notes)
    for row in rows:
        table.add_row(*row)
    return Group(table, Text(progress_line(tally, word, now), overflow="fold"))


def shown(tally: Tally) -> list[Account]:
    """The accounts worth a row: those at work, the ones with trouble first."""
    active = [a for a in tally.each.values() if not a.finished]
    active.sort(key=lambda a: (not a.stopped, not a.waiting))
    return active[:ROWS]
