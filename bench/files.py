"""How fast a folder of small files gets into a Nextcloud, beside rclone and bare loops; and one large file."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bench import bare_files
from bench.cloud import Cloud, cloud
from bench.ground import Ground, say
from bench.measure import Cost, Failed, run
from bench.report import Findings, Table, Target, at_least, below, figure, megabytes
from bench.tools import LIBERATE, moving_rate

FILES, FOLDERS = 1_000, 20
LARGE = 2 << 30  # bytes
CHUNK = 100 << 20  # bytes: what a Nextcloud asks for
TIMES_RCLONE = 8.0
TIMES_BULK = 1.0
TIMES_CURL = 0.95
_COLUMNS = ("program", "files", "seconds", "files/s", "from receipt to receipt", "CPU s", "MB", "arrived")


_Command: TypeAlias = tuple[tuple[str | Path, ...], dict[str, str]]  # words, and what the environment holds besides
_Prepare: TypeAlias = Callable[[Cloud, Path, str, Path], _Command]  # server, folder here, folder there, work folder


@dataclass(frozen=True, slots=True)
class _Tool:
    name: str
    command: _Prepare
    program: str | None = None


def _bare(
    how: str, connections: int
) -> Callable[[Cloud, Path, str, Path], tuple[tuple[str | Path, ...], dict[str, str]]]:
    def command(server: Cloud, here: Path, there: str, _work: Path) -> tuple[tuple[str | Path, ...], dict[str, str]]:
        bulk = f"{server.url}/remote.php/dav/bulk"
        words = (how, str(connections), server.dav(), bulk, server.user, server.password, there, here)
        return (sys.executable, "-I", bare_files.__file__, *words), {}

    return command


def _rclone(server: Cloud, here: Path, there: str, work: Path) -> _Command:
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


def _liberate(server: Cloud, here: Path, there: str, work: Path) -> _Command:
    words = (LIBERATE, "migrate", f"folder:{here}", server.endpoint(there), "--job", work / "job", "--json")
    return words, {"LIBERATE_PASSWORD": server.password}


RCLONE = _Tool("rclone copy --transfers 8", _rclone, "rclone")
PUT = _Tool("one PUT each, 4 connections", _bare("put", 4))
BULK = _Tool("bulk upload, 2 connections", _bare("bulk", 2))
OURS = _Tool("liberate migrate", _liberate)


def tree(folder: Path, files: int) -> Path:
    """So many files of 0.2 to 16 kB in 20 folders, the same at every call."""
    chance = random.Random(7)
    for number in range(files):
        place = folder / f"folder {number % FOLDERS:02}"
        place.mkdir(parents=True, exist_ok=True)
        size = int(min(16_000, max(200, chance.lognormvariate(7.6, 1.0))))
        (place / f"file {number:04}.bin").write_bytes(chance.randbytes(size))
    return folder


def files(ground: Ground) -> Findings:
    """Many small files."""
    count = ground.scaled(FILES)
    here = tree(ground.folder("files"), count)
    costs: dict[str, list[Cost]] = {}
    arrived: dict[str, str] = {}
    with cloud(ground.folder("cloud")) as server:
        for turn in range(ground.runs):
            for tool in (RCLONE, PUT, BULK, OURS):
                if tool.program and shutil.which(tool.program) is None:
                    continue
                cost, there = _once(ground, server, tool, here)
                costs.setdefault(tool.name, []).append(cost)
                arrived[tool.name] = "all" if there == count else f"{there} of {count}"
                say(f"  {tool.name}, run {turn + 1}: {cost.seconds:.1f} s")
    middle = {name: sorted(some, key=lambda cost: cost.seconds)[len(some) // 2] for name, some in costs.items()}
    rows = tuple(
        (
            name, f"{count:,}", f"{cost.seconds:.1f}", figure(count / cost.seconds),
            figure(moving_rate(cost) if name == OURS.name else None), f"{cost.processor:.1f}",
            megabytes(cost.memory), arrived[name],
        )
        for name, cost in middle.items()
    )  # fmt: skip
    note = f"Files of 0.2 to 16 kB (log-normal) in {FOLDERS} folders, to {server.what}, with an app password."
    rate = {name: count / cost.seconds for name, cost in middle.items()}
    targets: list[Target] = []
    if RCLONE.name in rate:
        targets.append(at_least("files/s beside rclone's", rate[OURS.name] / rate[RCLONE.name], TIMES_RCLONE, " x"))
    targets.append(at_least("files/s beside the bare bulk loop's", rate[OURS.name] / rate[BULK.name], TIMES_BULK, " x"))
    return Findings((Table("Small files into a Nextcloud", _COLUMNS, rows, note),), tuple(targets))


def _once(ground: Ground, server: Cloud, tool: _Tool, here: Path) -> tuple[Cost, int]:
    work, there = ground.folder(), server.folder()
    try:
        command, environment = tool.command(server, here, there, work)
        cost = run(command, folder=work, environment=environment)
        return cost, server.count(there)
    finally:
        server.remove(there)
        shutil.rmtree(work)


def large(ground: Ground) -> Findings:
    """One large file beside curl, then killed on its way and resumed."""
    size = LARGE // ground.share
    here = ground.folder("large")
    _fill(here / "film.bin", size)
    with cloud(ground.folder("cloud")) as server:
        curls = [_curl(ground, server, here / "film.bin", size) for _ in range(ground.runs)]
        ours = [_once(ground, server, OURS, here)[0] for _ in range(ground.runs)]
        sent = _killed(ground, server, here, size)
    curl, mine = (sorted(some, key=lambda cost: cost.seconds)[len(some) // 2] for some in (curls, ours))
    digest = run(("sha256sum", here / "film.bin"), folder=here)
    rows = tuple(
        (
            name,
            f"{cost.seconds:.1f}",
            figure(size / cost.seconds / 1e6),
            f"{cost.processor:.1f}",
            megabytes(cost.memory),
        )
        for name, cost in (("curl, chunk after chunk", curl), (OURS.name, mine))
    )
    note = (
        f"One file of {size >> 20} MiB, to {server.what}. Killed at 70 % and run again, {sent} pieces were sent twice."
    )
    allowed = digest.processor + curl.processor
    return Findings(
        (Table("One large file", ("program", "seconds", "MB/s", "CPU s", "MB"), rows, note),),
        (
            at_least("rate beside curl's", curl.seconds / mine.seconds, TIMES_CURL, " x"),
            below("pieces sent twice after a kill", sent, 2, ""),
            below("processor time beside sha256sum and curl", mine.processor / allowed, 2.0, " x"),
        ),
    )


def _fill(path: Path, size: int) -> None:
    chance = random.Random(11)
    with path.open("wb") as file:
        while size > 0:
            block = chance.randbytes(min(size, 1 << 20))
            file.write(block)
            size -= len(block)


def _curl(ground: Ground, server: Cloud, file: Path, size: int) -> Cost:
    """The same pieces by curl, one after the other, over one connection each."""
    work, there = ground.folder(), server.folder()
    uploads = f"{server.url}/remote.php/dav/uploads/{server.user}/{there}"
    target = f"{server.dav(there)}/film.bin"
    script = work / "curl.sh"
    login = f"-u {server.user}:{server.password} -sS -f -o /dev/null"
    lines = ["set -e", f"curl {login} -X MKCOL -H 'Destination: {target}' {uploads}"]
    for number, at in enumerate(range(0, size, CHUNK), start=1):
        end = min(at + CHUNK, size)
        lines.append(
            f"tail -c +{at + 1} {file} | head -c {end - at} > {work}/piece; "
            f"curl {login} -T {work}/piece -H 'Destination: {target}' -H 'OC-Total-Length: {size}' "
            f"{uploads}/{number:05}"
        )
    lines.append(f"curl {login} -X MOVE -H 'Destination: {target}' -H 'OC-Total-Length: {size}' {uploads}/.file")
    script.write_text("\n".join(lines) + "\n")
    try:
        return run(("bash", script), folder=work)
    finally:
        server.remove(there)
        shutil.rmtree(work)


def _killed(ground: Ground, server: Cloud, here: Path, size: int) -> int:
    """How many pieces were sent twice when the command was killed (SIGKILL) at about 70 % and run again."""
    work, there = ground.folder(), server.folder()
    command, environment = _liberate(server, here, there, work)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(word) for word in command], cwd=work, env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    process = start()
    try:
        before: dict[str, str] = {}
        while len(before) * CHUNK < 0.7 * size and process.poll() is None:
            time.sleep(0.05)
            before = server.pieces()
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = server.pieces()
        if not before:
            raise Failed("the large file arrived before it could be killed")
        process = start()
        last = before
        while process.poll() is None:
            time.sleep(0.05)
            last = server.pieces() or last
        if process.returncode != 0 or server.count(there) != 1:
            raise Failed("the large file did not arrive after the kill")
        return sum(last.get(name, version) != version for name, version in before.items())
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        server.remove(there)
        shutil.rmtree(work)
