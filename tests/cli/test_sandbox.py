from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from liberate import registry
from liberate.plan import load_plan
from liberate.sandbox import sandboxes

SANDBOXES = {sandbox.name: sandbox for sandbox in sandboxes()}


@pytest.mark.parametrize("name", SANDBOXES)
def test_what_a_sandbox_prints_can_be_pasted_into_a_plan(name: str, tmp_path: Path) -> None:
    sandbox = SANDBOXES[name]
    if missing := sandbox.missing():
        pytest.skip(missing)
    process = subprocess.Popen(
        [sys.executable, "-c", "from liberate_cli.main import main; main()", "sandbox", name, "--directory", "state"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == "Running. Ctrl-C ends it.\n"
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    assert process.returncode == 0
    here, there = (name, "other") if sandbox.side == "source" else ("other", name)
    kind = min(sandbox.kinds)
    local = {
        "mail": "maildir",
        "event": "ics",
        "contact": "vcf",
        "chat": "chat-archive" if sandbox.side == "source" else "slack-export",
    }.get(kind, "folder")
    if local not in registry.names():
        pytest.skip(f"there is no connector {local}")
    path = "there" if kind == "chat" else "there/{account}"
    other = f'[connections.other]\nconnector = "{local}"\npath = "{path}"\n'
    route = f'[[routes]]\nfrom = "{here}"\nto = "{there}"\nkinds = ["{kind}"]\n[people]\ntable = "people.csv"\n'
    (tmp_path / "liberate.toml").write_text(printed + other + route)
    names = [line.removeprefix("#   ") for line in printed.splitlines() if line.startswith("#   ")] or ["anna,anna"]
    assert bool(names[0] == "anna,anna") is (sandbox.side == "destination" or kind == "chat"), "chat moves as one"
    (tmp_path / "people.csv").write_text("\n".join(["source,destination", *names]) + "\n")
    if len(names) == 1 or sandbox.side == "source":
        assert len(list(load_plan(tmp_path / "liberate.toml").moves())) == len(names)
