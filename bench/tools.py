"""The programs that are measured: how each is told to move one Maildir into one INBOX."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench import bare_loop
from bench.measure import Cost

LIBERATE = Path(sys.executable).with_name("liberate")


@dataclass(frozen=True, slots=True)
class Errand:
    """Everything in `maildir` goes into the INBOX of `user` on a port of this machine."""

    maildir: Path  # may be written to: some programs note in a Maildir what they have seen
    port: int
    user: str
    password: str
    work: Path  # an empty folder for the program's own files


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command that is ready to be measured."""

    command: tuple[str | Path, ...]
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """One program, or one way to run it."""

    name: str
    prepare: Callable[[Errand], Prepared]
    patient: bool = False  # waits for the server after each message: given fewer
    program: str | None = None  # on the PATH; None: it comes with this project


def _bare(errand: Errand) -> Prepared:
    return Prepared(
        (sys.executable, "-I", bare_loop.__file__, str(errand.port), errand.user, errand.password, errand.maildir)
    )


def liberate(source: str, destination: str, job: Path, password: str, *options: str) -> Prepared:
    """The command that a person would type, with progress as JSON lines."""
    words: tuple[str | Path, ...] = (LIBERATE, "migrate", source, destination, "--job", job, "--json", *options)
    return Prepared(words, (("LIBERATE_PASSWORD", password),))


def imap(user: str, port: int) -> str:
    """The endpoint of that account on this machine."""
    return f"imap://{user}@127.0.0.1:{port}"


def _liberate(*options: str) -> Callable[[Errand], Prepared]:
    def prepare(errand: Errand) -> Prepared:
        where = imap(errand.user, errand.port)
        return liberate(f"maildir:{errand.maildir}", where, errand.work / "job", errand.password, *options)

    return prepare


def moving_rate(cost: Cost) -> float | None:
    """Items a second between the first and the last receipt; None if they came all at once."""
    moved = _moved(cost)
    if len(moved) < 2 or moved[-1][0] <= moved[0][0]:
        return None
    return float(sum(count for _, count in moved[1:]) / (moved[-1][0] - moved[0][0]))


def items_moved(cost: Cost) -> int:
    """How many items a run of liberate's has moved, by what it told while it ran."""
    return sum(count for _, count in _moved(cost))


def _moved(cost: Cost) -> list[tuple[float, int]]:
    events = ((when, json.loads(line)) for when, line in cost.output if line.startswith("{"))
    return [(when, event["items"]) for when, event in events if event["event"] == "moved"]


def _mbsync(errand: Errand) -> Prepared:
    config = errand.work / "mbsyncrc"
    config.write_text(f"""\
IMAPAccount there
Host 127.0.0.1
Port {errand.port}
User {errand.user}
Pass {errand.password}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account there

MaildirStore near
Path {errand.work}/near/
Inbox {errand.maildir}

Channel mail
Far :far:
Near :near:
Patterns INBOX
Sync Push
Create Far
SyncState {errand.work}/state/
CopyArrivalDate yes
""")
    for folder in ("near", "state"):
        (errand.work / folder).mkdir()
    return Prepared(("mbsync", "-c", config, "mail"))


def _offlineimap(errand: Errand) -> Prepared:
    near = errand.work / "near"
    near.mkdir()
    (near / "INBOX").symlink_to(errand.maildir, target_is_directory=True)
    config = errand.work / "offlineimaprc"
    config.write_text(f"""\
[general]
metadata = {errand.work}/state
accounts = bench
ui = quiet
fsync = False

[Account bench]
localrepository = near
remoterepository = far

[Repository near]
type = Maildir
localfolders = {near}

[Repository far]
type = IMAP
remotehost = 127.0.0.1
remoteport = {errand.port}
ssl = no
starttls = no
remoteuser = {errand.user}
remotepass = {errand.password}
auth_mechanisms = LOGIN
maxconnections = 1
folderfilter = lambda name: name == "INBOX"
""")
    return Prepared(("offlineimap", "-o", "-c", config))


BARE = Tool("bare loop of MULTIAPPEND x 50", _bare)
PLAIN = Tool("liberate", _liberate())
READ_BACK = Tool("liberate, each message read back", _liberate("--evidence", "read-back"))
MBSYNC = Tool("mbsync", _mbsync, program="mbsync")
OFFLINEIMAP = Tool("offlineimap3", _offlineimap, patient=True, program="offlineimap")

ALL = (BARE, PLAIN, READ_BACK, MBSYNC, OFFLINEIMAP)

IMAPSYNC_AT_30_MS = 9.4
"""Messages a second by imapsync 2.229 through a 30 ms round trip, 10 kB messages, measured on a Dovecot 2.3.19.

imapsync is in no Debian release, so it is not run here. Its author's own figure, 340 kB a second over
all runs of his service (https://imapsync.lamiral.info/FAQ.d/FAQ.Massive.txt), is of the same order.
"""


def available() -> tuple[Tool, ...]:
    """Those that are on this machine."""
    return tuple(tool for tool in ALL if tool.program is None or shutil.which(tool.program))


def versions() -> dict[str, str]:
    """Name and version of the peers that are on this machine, and of liberate."""
    out = {"liberate": version("liberate-migrate")}
    for name, words in (("mbsync", ("mbsync", "--version")), ("offlineimap3", ("offlineimap", "--version"))):
        if shutil.which(words[0]):
            said = subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
            found = re.search(r"\d+\.\d+[\w.]*", said.stdout + said.stderr)
            out[name] = found.group() if found else "of unknown version"
    return out
