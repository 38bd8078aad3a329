"""The programs that bring a folder of files into a Nextcloud: how each is told, and what one run of it costs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

from bench import bare_files
from bench.cloud import Cloud
from bench.ground import Ground
from bench.measure import Cost, run
from bench.tools import LIBERATE

Command: TypeAlias = tuple[tuple[str | Path, ...], dict[str, str]]  # words, and what the environment holds besides
Prepare: TypeAlias = Callable[[Cloud, Path, str, Path], Command]  # server, folder here, folder there, work folder


@dataclass(frozen=True, slots=True)
class Uploader:
    """One program, or one way to run it."""

    name: str
    command: Prepare
    program: str | None = None  # on the PATH; None: it comes with this project
    ours: bool = False  # tells while it runs what has arrived
    once: bool = False  # so slow that one run has to do


def once(ground: Ground, server: Cloud, tool: Uploader, here: Path) -> tuple[Cost, int]:
    """What one run into a new folder costs, and how many files stand there then."""
    work, there = ground.folder(), server.folder()
    try:
        command, environment = tool.command(server, here, there, work)
        cost = run(command, folder=work, environment=environment)
        return cost, server.count(there)
    finally:
        server.remove(there)
        shutil.rmtree(work)


def _bare(how: str, connections: int) -> Prepare:
    def command(server: Cloud, here: Path, there: str, _work: Path) -> Command:
        bulk = f"{server.url}/remote.php/dav/bulk"
        words = (how, str(connections), server.dav(), bulk, server.user, server.password, there, here)
        return (sys.executable, "-I", bare_files.__file__, *words), {}

    return command


def _rclone(server: Cloud, here: Path, there: str, work: Path) -> Command:
    hidden = subprocess.run(
        ["rclone", "obscure", server.password], capture_output=True, text=True, check=True
    ).stdout.strip()
    settings = {
        "RCLONE_CONFIG": str(work / "rclone.conf"),
        "RCLONE_CONFIG_CLOUD_TYPE": "webdav",
        "RCLONE_CONFIG_CLOUD_URL": server.dav().rstrip("/"),
        "RCLONE_CONFIG_CLOUD_VENDOR": "nextcloud",
        "RCLONE_CONFIG_CLOUD_USER": server.user,
        "RCLONE_CONFIG_CLOUD_PASS": hidden,
    }
    return ("rclone", "copy", "--transfers", "8", here, f"cloud:{there}"), settings


def _liberate(server: Cloud, here: Path, there: str, work: Path) -> Command:
    words = (LIBERATE, "migrate", f"folder:{here}", server.endpoint(there), "--job", work / "job", "--json")
    return words, {"LIBERATE_PASSWORD": server.password}


def _planned(**settings: str) -> Prepare:
    """By a plan, since an address says nothing of the connection's other settings."""

    def command(server: Cloud, here: Path, there: str, work: Path) -> Command:
        words = {"url": server.url, "folder": there, **settings}
        plan = [
            "[connections.here]", 'connector = "folder"', f"path = {json.dumps(str(here))}",
            "[connections.there]", 'connector = "nextcloud"',
            *(f"{name} = {json.dumps(value)}" for name, value in words.items()),
            "[[routes]]", 'from = "here"', 'to = "there"', "[people]", 'table = "people.csv"',
        ]  # fmt: skip
        (work / "liberate.toml").write_text("\n".join(plan) + "\n", encoding="utf-8")
        people = f"source,destination,password_env\nsomebody,{server.user},LIBERATE_PASSWORD\n"
        (work / "people.csv").write_text(people, encoding="utf-8")
        return (LIBERATE, "migrate", work / "liberate.toml", "--json"), {"LIBERATE_PASSWORD": server.password}

    return command


def _curl(server: Cloud, here: Path, there: str, work: Path) -> Command:
    """Each file's digest, then every file by one curl over one connection: the least that such a move can cost."""
    folders = sorted(path for path in here.rglob("*") if path.is_dir())
    files = sorted(path for path in here.rglob("*") if path.is_file())

    def target(path: Path) -> str:
        return f'url = "{server.dav(quote(f"{there}/{path.relative_to(here)}"))}"'

    common = [f'user = "{server.user}:{server.password}"', "silent", "show-error", "fail"]
    make = [*common, 'request = "MKCOL"', *map(target, folders)]
    send = [*common]
    for path in files:
        send += [f'upload-file = "{path}"', target(path)]
    for name, lines in (("make", make), ("send", send)):
        (work / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    script = f"set -e; find {here} -type f -exec sha256sum {{}} + > digests; "
    script += ("curl -K make; " if folders else "") + "curl -K send"
    return ("bash", "-c", script), {}


def _each(server: Cloud, here: Path, there: str, work: Path) -> Command:
    """The same as a loop of the shell: two programs started for each file."""
    lines = ["set -e"]
    for path in sorted(here.rglob("*")):
        target = server.dav(quote(f"{there}/{path.relative_to(here)}"))
        if path.is_dir():
            lines.append(f"curl -K login -X MKCOL {target}")
        else:
            lines += [f"sha256sum '{path}' >> digests", f"curl -K login -T '{path}' {target}"]
    login = [f'user = "{server.user}:{server.password}"', "silent", "show-error", "fail"]
    (work / "login").write_text("\n".join(login) + "\n", encoding="utf-8")
    (work / "each.sh").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ("bash", work / "each.sh"), {}


RCLONE = Uploader("rclone copy --transfers 8", _rclone, "rclone")
PUT = Uploader("one PUT each, 4 connections", _bare("put", 4))
BULK = Uploader("bulk upload, 2 connections", _bare("bulk", 2))
CURL = Uploader("one sha256sum and one curl for all files", _curl, "curl")
EACH = Uploader("one sha256sum and one curl for each file", _each, "curl", once=True)
OURS = Uploader("liberate migrate", _liberate, ours=True)
NO_BULK = Uploader('liberate migrate, bulk = "never"', _planned(bulk="never"), ours=True)
