"""Registering with AppAPI: the commands for the server, the answers to its questions, and whether it worked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from liberate_nextcloud.register import Responder, check, commands, removal
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin

from liberate.errors import AccountError


def test_the_commands_hold_all_that_occ_needs() -> None:
    settings = NextcloudSettings(url="https://cloud.example.coop")
    daemon, app = commands(settings, "s3cret", "10.0.0.7", 1234)
    assert daemon.endswith("manual-install http 10.0.0.7 https://cloud.example.coop")
    assert '"secret":"s3cret"' in app
    assert '"port":1234' in app
    assert any("unregister" in line for line in removal(settings))


def test_the_servers_questions_are_answered_and_its_last_one_is_noticed() -> None:
    with Responder(port=0) as responder:
        url = f"http://127.0.0.1:{responder.port}"
        assert requests.get(f"{url}/heartbeat", timeout=5).json() == {"status": "ok", "error": ""}
        assert requests.post(f"{url}/init", timeout=5).status_code == 501
        assert requests.get(f"{url}/etc/passwd", timeout=5).status_code == 404
        assert not responder.enabled(0)
        assert requests.put(f"{url}/enabled?enabled=1", timeout=5).status_code == 200
        assert responder.enabled(5)


def test_a_secret_is_checked_with_the_server(tmp_path: Path) -> None:
    with NextcloudStandin(tmp_path / "cloud") as cloud:
        cloud.allow_app("liberate", "1.0.0", "right")
        check(cloud.url, "liberate", "1.0.0", "right")
        with pytest.raises(AccountError) as told:
            check(cloud.url, "liberate", "1.0.0", "wrong-secret")
        assert "wrong-secret" not in str(told.value)


def test_the_command_registers_and_keeps_the_secret_for_the_plan(tmp_path: Path) -> None:
    with NextcloudStandin(tmp_path / "cloud") as cloud:
        process = subprocess.Popen(
            [sys.executable, "-c", "from liberate_cli.main import main; main()", "nextcloud", "register", cloud.url,
             "--port", "0"],
            cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Waiting")
        secret = (tmp_path / "nextcloud-appapi-secret").read_text().strip()
        assert (tmp_path / "nextcloud-appapi-secret").stat().st_mode & 0o077 == 0
        assert process.stdout is not None
        printed = ""
        while (found := re.search(r'"port":(\d+)', printed)) is None:
            line = process.stdout.readline()
            assert line
            printed += line
        cloud.allow_app("liberate", "1.0.0", secret)
        requests.put(f"http://127.0.0.1:{found[1]}/enabled?enabled=1", timeout=5)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert 'appapi_secret = { file = "nextcloud-appapi-secret" }' in out
