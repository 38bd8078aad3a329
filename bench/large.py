"""How fast one large file gets into a Nextcloud, beside curl with the same pieces; then killed and resumed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cloud import Cloud, cloud
from bench.ground import Ground, say
from bench.measure import Cost, Failed, run
from bench.report import Findings, Table, at_least, at_most, figure, megabytes
from bench.uploads import OURS, once

LARGE = 2 << 30  # bytes
KILLED_AT = 0.7
TIMES_CURL = 0.95
TIMES_PROCESSOR = 2.0
TWICE = 1  # pieces that may be sent twice
_COLUMNS = ("program", "seconds", "MB/s", "CPU s", "MB")


@dataclass(frozen=True, slots=True)
class Killed:
    """What became of an upload that was killed on its way."""

    there: int  # pieces that had arrived when it was killed
    twice: int  # of these, sent again by the run after it


def large(ground: Ground) -> Findings:
    """One large file beside curl, then killed on its way and resumed."""
    size = LARGE // ground.share
    here = ground.folder("large")
    _fill(here / "film.bin", size)
    with cloud(ground.folder("cloud")) as server:
        piece = server.piece(size)
        pieces = ground.folder("pieces")
        _cut(here / "film.bin", pieces, piece)
        proven, bare, ours = [], [], []
        for turn in range(ground.runs):
            bare.append(_curl(ground, server, pieces, size))
            proven.append(_curl(ground, server, pieces, size, "X-Hash: sha256"))
            ours.append(once(ground, server, OURS, here)[0])
            said = ", ".join(f"{some[-1].seconds:.1f} s" for some in (bare, proven, ours))
            say(f"  run {turn + 1}: curl, curl with digests, liberate: {said}")
        shutil.rmtree(pieces)
        killed = _killed(ground, server, here, size, piece)
    digest = run(("sha256sum", here / "film.bin"), folder=here)
    return findings(size, piece, server.what, (bare, proven, ours), digest, killed)


def findings(
    size: int,
    piece: int,
    where: str,
    costs: tuple[Sequence[Cost], Sequence[Cost], Sequence[Cost]],
    digest: Cost,
    killed: Killed,
) -> Findings:
    """The table and its targets. `costs` are the runs of curl, of curl that asks for digests, and of liberate."""
    bare, proven, ours = (sorted(some, key=lambda cost: cost.seconds)[len(some) // 2] for some in costs)
    rows = tuple(
        (name, f"{c.seconds:.1f}", figure(size / c.seconds / 1e6), f"{c.processor:.1f}", megabytes(c.memory))
        for name, c in (
            ("sha256sum", digest),
            ("curl, piece after piece", bare),
            ("the same, the server asked for its digest of each", proven),
            (OURS.name, ours),
        )
    )
    count = -(-size // piece)
    note = (
        f"One file of {size >> 20} MiB in pieces of {piece >> 20} MiB, to {where}; for curl it was cut up before. "
        f"liberate was killed when {killed.there} of {count} pieces had arrived, and run again: {killed.twice} of them "
        f"{'was' if killed.twice == 1 else 'were'} sent twice."
    )
    return Findings(
        (Table("One large file into a Nextcloud", _COLUMNS, rows, note),),
        (
            at_least("large file: rate beside curl's", bare.seconds / ours.seconds, TIMES_CURL, " x"),
            at_least("large file: beside curl's with digests", proven.seconds / ours.seconds, TIMES_CURL, " x"),
            at_most("large file: pieces sent twice after a kill", killed.twice, TWICE, ""),
            at_most(
                "processor time, large file, beside sha256sum and curl",
                ours.processor / (digest.processor + bare.processor), TIMES_PROCESSOR, " x",
            ),
        ),
    )  # fmt: skip


def _fill(path: Path, size: int) -> None:
    chance = random.Random(11)
    with path.open("wb") as file:
        while size > 0:
            block = chance.randbytes(min(size, 1 << 20))
            file.write(block)
            size -= len(block)


def _cut(file: Path, folder: Path, piece: int) -> None:
    """The file's pieces as files of their own, so that curl need not be waited for while one is cut off."""
    with file.open("rb") as whole:
        for at in range(0, file.stat().st_size, piece):
            with (folder / f"{at // piece + 1:05}").open("wb") as part:
                while part.tell() < piece and (block := whole.read(min(1 << 20, piece - part.tell()))):
                    part.write(block)


def _curl(ground: Ground, server: Cloud, pieces: Path, size: int, *headers: str) -> Cost:
    """The same pieces by curl, one after the other, over one connection each."""
    work, there = ground.folder(), server.folder()
    uploads = f"{server.url}/remote.php/dav/uploads/{server.user}/{there}"
    target = f"Destination: {server.dav(there)}/film.bin"
    login = f'user = "{server.user}:{server.password}"'
    (work / "login").write_text("\n".join([login, "silent", "show-error", "fail"]) + "\n", encoding="utf-8")
    said = " ".join(f"-H '{header}'" for header in (target, f"OC-Total-Length: {size}", *headers))
    lines = ["set -e", f"curl -K login -X MKCOL -H '{target}' {uploads}"]
    lines += [f"curl -K login -T {path} {said} {uploads}/{path.name}" for path in sorted(pieces.iterdir())]
    lines.append(f"curl -K login -X MOVE {said} {uploads}/.file")
    (work / "curl.sh").write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        cost = run(("bash", work / "curl.sh"), folder=work)
        if server.count(there) != 1:
            raise Failed("curl's pieces did not become a file")
        return cost
    finally:
        server.remove(there)
        shutil.rmtree(work)


def _killed(ground: Ground, server: Cloud, here: Path, size: int, piece: int) -> Killed:
    """What is sent twice when the command is killed (SIGKILL) at about 70 % and run again."""
    work, there = ground.folder(), server.folder()
    command, environment = OURS.command(server, here, there, work)

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [str(word) for word in command], cwd=work, env={**os.environ, **environment}, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    process = start()
    try:
        before: dict[str, str] = {}
        while len(before) * piece < KILLED_AT * size and process.poll() is None:
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
        return Killed(len(before), sum(last.get(name, version) != version for name, version in before.items()))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        server.remove(there)
        shutil.rmtree(work)
