"""A co-op that moves: people, their old mail in mbox files, a real server, and the command as they run it."""

from __future__ import annotations

import imaplib
import os
import random
import re
import resource
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from liberate_imap.sandbox import Dovecot

from liberate.mail import wire_form

PASSWORD = "correct horse"
_PLAN = """\
[job]
name = "coop"
[connections.old]
connector = "mbox"
path = "old/{{account}}.mbox"
folder = "INBOX"
[connections.new]
connector = "imap"
host = "127.0.0.1"
port = {port}
security = "none"
settle = 0.3
batch_items = {batch}
[[routes]]
from = "old"
to = "new"
[people]
table = "people.csv"
"""


class Server(Dovecot):
    """A Dovecot in which some people may store less than others."""

    def __init__(self, **options: object) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.room: dict[str, int] = {}  # bytes each of these may store

    def _write_users(self) -> None:
        super()._write_users()
        for user, size in self.room.items():
            if user not in self._users:
                continue
            file = self._temporary / "users" / user
            rule = f"{user}:{{PLAIN}}{self._users[user]}::::::userdb_quota_rule=*:bytes={size}\n"
            new = file.with_name(f"{user}.new")
            new.touch(mode=0o600)
            new.write_text(rule)
            new.replace(file)


@dataclass
class Coop:
    """People who move from mbox files to one server, each with a password of their own."""

    folder: Path
    server: Server
    batch: int = 100
    mail: dict[str, list[bytes]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)

    def join(self, name: str, messages: list[bytes], password: str = PASSWORD) -> None:
        """One more person in the plan's table; `password` is what the table's variable will hold."""
        self.mail[name] = messages
        self.passwords[name] = password
        (self.folder / "old").mkdir(exist_ok=True)
        with (self.folder / "old" / f"{name}.mbox").open("wb") as file:
            for message in messages:
                file.write(b"From a@b Mon Jan 01 10:00:00 2024\n" + message + b"\n")
        (self.folder / "liberate.toml").write_text(_PLAN.format(port=self.server.port, batch=self.batch))
        rows = "".join(f"{one},{one},PASSWORD_{one}\n" for one in self.mail)
        (self.folder / "people.csv").write_text("source,destination,destination_password_env\n" + rows)

    def command(self, *arguments: str, limit: int | None = None) -> subprocess.Popen[str]:
        """`liberate` as a process; `limit` is how many bytes any file of its may have."""
        given = {f"PASSWORD_{name}": password for name, password in self.passwords.items()}
        process = subprocess.Popen(
            [sys.executable, "-c", "from liberate_cli.main import main; main()", *arguments],
            cwd=self.folder, env={**os.environ, "COLUMNS": "100", **given}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        if limit is not None:
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
        return process

    def run(self, *arguments: str, limit: int | None = None) -> tuple[int, str, str]:
        """The command's exit code and what it said on stdout, its lines joined, and on stderr."""
        process = self.command(*arguments, limit=limit)
        out, err = process.communicate(timeout=120)
        assert "Traceback" not in err, err
        return process.returncode, " ".join(out.split()), err

    def held(self, name: str, folder: str = "INBOX") -> Counter[str]:
        """What the server holds of this person, by digest, read by another program than ours."""
        found: Counter[str] = Counter()
        with imaplib.IMAP4("127.0.0.1", self.server.port) as session:
            session.login(name, PASSWORD)
            if session.select(folder, readonly=True)[1] == [b"0"]:
                return found
            for part in session.fetch("1:*", "(BODY.PEEK[])")[1]:
                if isinstance(part, tuple):
                    found[sha256(part[1]).hexdigest()] += 1
        return found

    def count(self, name: str) -> int:
        """How many messages are in the person's inbox."""
        with imaplib.IMAP4("127.0.0.1", self.server.port) as session:
            session.login(name, PASSWORD)
            said = session.status("INBOX", "(MESSAGES)")[1][0]
        found = re.search(rb"MESSAGES (\d+)", said or b"")
        assert found is not None
        return int(found[1])

    def meant(self, name: str) -> Counter[str]:
        """What the server shall hold of this person."""
        return Counter(sha256(wire_form(message)).hexdigest() for message in self.mail[name])


def letters(name: str, count: int, lines: int = 5) -> list[bytes]:
    """Messages of this person, some of them twins."""
    chance = random.Random(name)
    out: list[bytes] = []
    for number in range(count):
        text = "".join(f"{chance.random()}\n" for _ in range(chance.randrange(1, 2 * lines)))
        out.append(out[-1] if number % 17 == 16 else f"Subject: {name} {number}\n\n{text}".encode())
    return out
