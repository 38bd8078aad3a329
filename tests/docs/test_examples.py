"""The examples of the documentation, run as their readers run them."""

from __future__ import annotations

import imaplib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from docs_kit import blocks, commands, matches, name_of, pages
from liberate_imap.sandbox import Dovecot
from liberate_nextcloud.standin import NextcloudStandin
from liberate_slack.standin.export import Shape, make_export
from liberate_slack.standin.files_server import FileServer

NEW, OLD, CLOUD, EXPORT = "mail.example.coop", "old.example.org", "cloud.example.coop", "solros.zip"
HERE = {NEW: "127.0.0.1", OLD: "localhost"}  # two servers have two names
PASSWORD = "correct horse"
INSTALL = "--no-deps --no-index --no-build-isolation --target=installed"
PEOPLE = ("anna", "bo", "cleo")
SAMPLE = b"From: Bo <bo@example.coop>\r\nTo: Anna <anna@example.coop>\r\nSubject: Letter %d\r\n\r\nYours, Bo\r\n"


def _needs_cloud(page: Path) -> bool:
    return any(CLOUD in block.text for block in blocks(page) if block.tested or block.file)


@contextmanager
def _cloud(folder: Path) -> Iterator[NextcloudStandin]:
    with NextcloudStandin(folder) as server:
        for person in PEOPLE:
            server.add_user(person, PASSWORD)
        yield server


def _needs_export(page: Path) -> bool:
    return any(EXPORT in block.text for block in blocks(page) if block.file)


@contextmanager
def _export(folder: Path) -> Iterator[str]:
    """A small export of a made-up workspace in the folder; the lines of a plan that lead to its files."""
    with FileServer() as server:
        made = make_export(folder / EXPORT, Shape(messages=12, files=server.url))
        server.files.update(made.files)
        server.ca_file(folder.with_name("authority.pem"))
        yield f'endpoint = "{server.url}"\nca_file = "{folder.with_name("authority.pem")}"'


def _needs(page: Path) -> set[str]:
    """The servers that a page's tested blocks speak of."""
    text = "".join(block.text for block in blocks(page) if block.tested or block.file)
    return {host for host in (NEW, OLD) if host in text}


def _runs(page: Path) -> bool:
    return any(block.tested for block in blocks(page))


def _marks(page: Path) -> list[pytest.MarkDecorator]:
    return [pytest.mark.dovecot] if _needs(page) else []


def _require_dovecot() -> None:
    if Dovecot.installed():
        return
    why = "Dovecot is not installed: apt-get install dovecot-imapd"
    if os.environ.get("LIBERATE_REQUIRE_DOVECOT"):
        pytest.fail(why)
    pytest.skip(why)


@contextmanager
def _server(host: str) -> Iterator[Dovecot]:
    with Dovecot() as server:
        for person in PEOPLE:
            server.user(person, PASSWORD)
            server.user(f"{person}@example.coop", PASSWORD)
        server.master("migrator", PASSWORD)
        if host == OLD:
            for person in PEOPLE:
                _fill(server, person)
        yield server


def _fill(server: Dovecot, person: str) -> None:
    """Three letters in the account, put there the way mail arrives at a server."""
    with imaplib.IMAP4("127.0.0.1", server.port) as session:
        session.login(person, PASSWORD)
        session.create("Sent")
        for number in range(3):
            session.append("INBOX" if number else "Sent", "", imaplib.Time2Internaldate(1_700_000_000), SAMPLE % number)


class Reader:
    """Somebody who follows one page, in an empty folder."""

    def __init__(self, folder: Path, servers: dict[str, Dovecot], cloud: NextcloudStandin | None, export: str) -> None:
        self._export = export
        self._cloud = "" if cloud is None else cloud.url.removeprefix("http://")
        self._folder = folder
        self._servers = servers
        self._env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LIBERATE_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "PYTHONPATH": str(folder / "installed"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "100",
            "NO_COLOR": "1",
            "PYTHONWARNINGS": "error",
            **dict.fromkeys(("LIBERATE_PASSWORD", "LIBERATE_FROM_PASSWORD", "LIBERATE_TO_PASSWORD"), PASSWORD),
            **dict.fromkeys(("MAIL_MASTER_PASSWORD", "OLD_MASTER_PASSWORD", "ANNA_OLD_PASSWORD"), PASSWORD),
        }

    def here(self, text: str) -> str:
        """The text with this machine's servers in the place of the page's."""
        # What a page installs is installed for its reader only, from what is on this machine.
        text = text.replace("pip install .", f"{sys.executable} -W ignore -m pip install -q -q {INSTALL} .")
        for host, server in self._servers.items():
            text = re.sub(rf"imaps://([\w.@]+)@{host}", rf"imap://\1@{HERE[host]}:{server.port}", text)
            text = text.replace(f'host = "{host}"', f'host = "{HERE[host]}"\nport = {server.port}\nsecurity = "none"')
        if self._cloud:
            text = re.sub(rf"nextcloud://(\w+)@{CLOUD}", rf"nextcloud+http://\1@{self._cloud}", text)
            text = text.replace(f"https://{CLOUD}", f"http://{self._cloud}")
        if self._export:
            text = text.replace(f'path = "{EXPORT}"', f'path = "{EXPORT}"\n{self._export}')
        return text

    def there(self, text: str) -> str:
        """The other way round, for what was printed."""
        for host, server in self._servers.items():
            text = re.sub(rf"imap://([\w.@]+)@{HERE[host]}:{server.port}", rf"imaps://\1@{host}", text)
        if self._cloud:
            text = re.sub(rf"nextcloud\+http://(\w+)@{self._cloud}", rf"nextcloud://\1@{CLOUD}", text)
            text = text.replace(f"http://{self._cloud}", f"https://{CLOUD}")
        return text.replace(f"{self._folder}/", "")

    def write(self, name: str, text: str, more: bool) -> None:
        before = (self._folder / name).read_text(encoding="utf-8") + "\n\n" if more else ""
        (self._folder / name).write_text(before + self.here(text), encoding="utf-8")

    def run(self, words: list[str], fails: bool = False) -> str:
        done = subprocess.run(
            words, cwd=self._folder, env=self._env, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=90, check=False,
        )  # fmt: skip
        assert fails or done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return self.there(done.stdout)


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=name_of(page), marks=_marks(page)) for page in pages() if _runs(page)]
)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    needs = _needs(page)
    if needs:
        _require_dovecot()
    with ExitStack() as up:
        cloud = up.enter_context(_cloud(tmp_path.with_name("cloud"))) if _needs_cloud(page) else None
        export = up.enter_context(_export(tmp_path)) if _needs_export(page) else ""
        reader = Reader(tmp_path, {host: up.enter_context(_server(host)) for host in sorted(needs)}, cloud, export)
        for block in blocks(page):
            if block.file is not None:
                reader.write(block.file, block.text, "more" in block.words)
            elif block.tested and block.language == "python":
                reader.run([sys.executable, "-c", reader.here(block.text)])
            elif block.tested:
                for command in commands(block):
                    printed = reader.run(["bash", "-c", reader.here(command.words)], fails="fails" in block.words)
                    assert matches(command.expected, printed), f"line {command.line} prints:\n{printed}"
