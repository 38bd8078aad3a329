"""Measures liberate beside its peers and prints what it found as Markdown: `python -m bench --help`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from liberate_imap.sandbox import Dovecot

from bench import files, large, speed
from bench.again import again
from bench.chat import chat
from bench.export import export
from bench.ground import DISK, Ground, filesystem, ground, machine, say, usual_parent
from bench.listing import listing
from bench.measure import Failed
from bench.memory import memory
from bench.report import Findings, markdown
from bench.startup import startup
from liberate.errors import LiberateError

PARTS: dict[str, Callable[[Ground], Findings]] = {
    "nearby": speed.nearby,
    "far": speed.far_away,
    "disk": speed.on_disk,
    "files": files.files,
    "large": large.large,
    "listing": listing,
    "export": export,
    "chat": chat,
    "again": again,
    "memory": memory,
    "startup": startup,
}


def main(words: list[str] | None = None) -> int:
    """Run the parts that were asked for; 1 if a target was missed, 3 if something could not be measured."""
    options = _options(words)
    if not Dovecot.installed():
        say("The benchmark writes into a real server. Install it: apt-get install dovecot-imapd")
        return 3
    parts = options.only or list(PARTS)
    share = 10 if options.quick else 1
    findings: list[Findings] = []
    code = 0
    with ExitStack() as stack:
        here = stack.enter_context(ground(options.mail or usual_parent(), options.runs, share))
        print(f"## Benchmark\n\n{machine(here.base)}", end="\n\n")
        if options.quick:
            print("With --quick: a tenth of the messages, so that start-up counts ten times as much.", end="\n\n")
        for name in parts:
            place = here
            if name == "disk":
                if filesystem(DISK) == "tmpfs" or filesystem(here.base) != "tmpfs":
                    continue  # there is no disk, or everything is on it
                place = stack.enter_context(ground(DISK, options.runs, share))
            say(f"{name}:")
            try:
                findings.append(PARTS[name](place))
            except (Failed, LiberateError) as error:
                say(f"  {name} could not be measured: {error}")
                code = 3
    print(markdown(findings), end="")
    missed = any(not target.met for found in findings for target in found.targets)
    return code or int(missed)


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the messages")
    parser.add_argument("--only", action="append", choices=PARTS, metavar="PART", help=f"one of {', '.join(PARTS)}")
    parser.add_argument("--runs", type=_positive, default=3, metavar="N", help="take the median of N runs (3)")
    parser.add_argument(
        "--mail", type=_folder, metavar="DIR", help="keep mail and ledgers under DIR; without it in memory, if it fits"
    )
    return parser.parse_args(words)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one run is needed")
    return number


def _folder(text: str) -> Path:
    path = Path(text).absolute()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text} is not a folder")
    return path


if __name__ == "__main__":
    sys.exit(main())
