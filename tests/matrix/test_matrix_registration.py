"""The registration of the application service: what is in the file, who can read it, and what else is refused."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from liberate_matrix import registration
from liberate_matrix.client import Client
from liberate_matrix.ids import localpart
from liberate_matrix.sandbox import Synapse
from liberate_matrix.settings import MatrixSettings, endpoint
from pydantic import ValidationError

from liberate.errors import AccountError, PlanError


def namespace(text: str, exclusive: str) -> str:
    """The pattern of users in the file."""
    return re.findall(rf"exclusive: {exclusive}, regex: '(@[^']*)'", text)[0]


def test_a_registration_reads_as_it_was_written_and_only_its_owner_can(tmp_path: Path) -> None:
    path = tmp_path / "registration.yaml"
    registration.write(path, "example.org")
    assert path.stat().st_mode & 0o077 == 0
    read = registration.read(path)
    assert re.fullmatch("[0-9a-f]{64}", read.token)
    assert read.bot == "liberate"
    assert read.token not in repr(read)
    with pytest.raises(PlanError, match="is there already"):
        registration.write(path, "example.org")
    path.chmod(0o644)
    with pytest.raises(PlanError, match="chmod 600"):
        registration.read(path)


def test_ghosts_are_exclusive_and_own_people_are_not() -> None:
    text = registration.text("example.org")
    ghosts, own = namespace(text, "true"), namespace(text, "false")
    for id_ in ("U024BE7LH", "u024be7lh", "ünï", "a/b c", "x" * 400, ""):
        name = f"@{localpart('slack', ('T1', id_), 'example.org')}:example.org"
        assert re.fullmatch(ghosts, name), name
    assert not re.match(ghosts, "@anna:example.org")
    assert not re.match(ghosts, "@slack_u1:exampleXorg")
    assert re.fullmatch(own, "@anna:example.org")
    assert not re.match(own, "@anna:elsewhere.org")
    (addresses,) = re.findall(r"exclusive: true, regex: '(#[^']*)'", text)
    assert re.fullmatch(addresses, "#slack_t1_c1:example.org")
    assert not re.match(addresses, "#general:example.org")
    assert "url: null" in text
    assert "rate_limited: false" in text


@pytest.mark.parametrize(
    ("name", "prefix"), [("", "slack"), ("https://x.org", "slack"), ("a'b", "slack"), ("x.org", "Slack"), ("x.org", "")]
)
def test_what_cannot_be_a_server_is_refused(name: str, prefix: str) -> None:
    with pytest.raises(PlanError):
        registration.text(name, prefix)


@pytest.mark.parametrize(
    "text", ["", "as_token: a\n", "sender_localpart: b\n", "as_token: {}\nsender_localpart: b\n", "\x00\xff"]
)
def test_what_is_no_registration_is_told_without_being_quoted(tmp_path: Path, text: str) -> None:
    path = tmp_path / "registration.yaml"
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    with pytest.raises(PlanError, match="registration"):
        registration.read(path)


@pytest.mark.parametrize("told", ["as_token: 'a b'", 'as_token: "a b"', "as_token: 'a b'  # mine"])
def test_quoted_tokens_are_read(tmp_path: Path, told: str) -> None:
    path = tmp_path / "registration.yaml"
    path.write_text(f"id: x\n{told}\nsender_localpart: bot\n")
    path.chmod(0o600)
    assert registration.read(path).token == "a b"


def test_the_command_writes_the_file_and_says_how_to_install_and_remove_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from liberate_cli.main import main; main()", "matrix", "registration",
               "--server-name", "example.org", "--output", "r.yaml"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "r.yaml").stat().st_mode & 0o077 == 0
    token = registration.read(tmp_path / "r.yaml").token
    assert token not in done.stdout + done.stderr
    assert "app_service_config_files:" in done.stdout
    assert 'registration = "r.yaml"' in done.stdout
    assert "take the access away again" in done.stdout
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert token == registration.read(tmp_path / "r.yaml").token


def test_a_token_that_the_homeserver_does_not_know_is_told_without_it(synapse: Synapse, tmp_path: Path) -> None:
    path = tmp_path / "registration.yaml"
    registration.write(path, synapse.server_name)
    told = registration.read(path)
    with pytest.raises(AccountError) as refused:
        Client(MatrixSettings(url=synapse.url, registration=path), told)
    error = refused.value
    assert error.code == "login-refused"
    assert told.token not in f"{error} {error!r} {error.why} {error.todo} {error.__context__!r} {error.__cause__!r}"


def test_an_address_names_the_server_and_the_registration() -> None:
    told = endpoint("matrix://matrix.example.org:8448?registration=/etc/r%20x.yaml")
    assert told.settings == {"url": "https://matrix.example.org:8448", "registration": "/etc/r x.yaml"}
    assert endpoint("matrix+http://127.0.0.1?registration=r").settings["url"] == "http://127.0.0.1"


@pytest.mark.parametrize(
    "url",
    [
        "matrix://example.org",
        "matrix://?registration=r",
        "matrix://anna@example.org?registration=r",
        "matrix://example.org:x?registration=r",
        "matrix+http://example.org?registration=r",
        "matrix://example.org?registration=r&token=x",
        "imap://example.org",
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(PlanError):
        endpoint(url)


@pytest.mark.parametrize("url", ["http://example.org", "https://u:p@example.org", "ftp://x", "https://x.org?a=b"])
def test_a_url_that_would_show_the_token_is_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        MatrixSettings(url=url, registration=Path("r"))
