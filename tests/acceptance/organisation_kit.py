"""An organisation that leaves Drive: its stand-in, a Nextcloud, a plan on disk, and the command, killed on its way."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from liberate_google.standin import GoogleStandin, sample_organisation
from liberate_google.standin.organisation import Organisation
from liberate_nextcloud.standin import NextcloudStandin

SECRET = "the app's secret"
TEAM = "verksamhet"  # the account that takes the shared drive
_PLAN = """\
[job]
name = "solros"
[connections.google]
connector = "google"
service_account_file = "service-account.json"
endpoint = "{google}"
shared_drives_as = "{reader}"
[connections.cloud]
connector = "nextcloud"
url = "{cloud}"
appapi_secret = {{ env = "CLOUD_APPAPI_SECRET" }}
admin_user = "{admin}"
create_users = true
[[routes]]
from = "google"
to = "cloud"
kinds = ["file"]
shares = ["people", "groups"]
[people]
table = "people.csv"
"""


@dataclass
class Leaving:
    """The organisation, both services and the folder of its plan."""

    folder: Path
    google: GoogleStandin
    organisation: Organisation
    cloud: str  # address
    secret: str
    prefix: str  # of the user names there

    def write(self, admin: str) -> None:
        """The plan and the people table."""
        self.google.service_account_file(self.folder / "service-account.json")
        text = _PLAN.format(google=self.google.url, reader=self.organisation.people[0], cloud=self.cloud, admin=admin)
        (self.folder / "liberate.toml").write_text(text)
        rows = [f"{address},{self.user(address)},person" for address in self.organisation.people]
        rows.append(f"{self.organisation.shared_drive},{self.prefix}{TEAM},shared")
        (self.folder / "people.csv").write_text("\n".join(["source,destination,kind", *rows]) + "\n")

    def user(self, address: str) -> str:
        return self.prefix + address.partition("@")[0]

    def command(self, *words: str) -> subprocess.Popen[str]:
        """`liberate` as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-c", "from liberate_cli.main import main; main()", *words],
            cwd=self.folder, env={**os.environ, "CLOUD_APPAPI_SECRET": self.secret}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run(self, *words: str) -> tuple[int, dict[str, Any]]:
        """The command with --json to its end: its exit code and the report."""
        with self.command(*words, "--json", "--quiet") as process:
            out, err = process.communicate(timeout=3600)
        assert "Traceback" not in err, err
        report: dict[str, Any] = {}
        for line in out.splitlines():
            event = json.loads(line)
            report = event.get("report", report)
        assert report, (out, err)
        return process.returncode, report

    def killed(self, items: int) -> bool:
        """Start the move and kill it (SIGKILL) once it has told of so many items; False if it ended before."""
        moved = 0
        with self.command("migrate", "--json") as process:
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                moved += event["items"] if event["event"] == "moved" else 0
                if moved >= items:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    return True
        return False

    def owned(self) -> Counter[str]:
        """How many ids each drive of the source has, its outermost folder aside."""
        store = self.google.drive
        roots = {*store.roots.values(), *store.drives}
        return Counter(file.owner or file.drive for file in store.files.values() if file.id not in roots)

    def bodies(self, drive: str) -> Counter[str]:
        """Digests of the files with bytes of their own that a drive holds and that are not in the trash."""
        store = self.google.drive
        return Counter(
            file.blob.digests["sha256"]
            for file in store.files.values()
            if (file.owner or file.drive) == drive and file.blob is not None and not store.is_trashed(file)
        )


def accounted(account: dict[str, Any]) -> int:
    """How many ids of its own a report accounts for."""
    others = sum(one["items"] for one in account["skipped"] if one["code"] in ("moves-with-owner", "policy-others"))
    items = account["items"]
    return int(items["moved"] + items["skipped"] + items["refused"] - others)


def stored(cloud: NextcloudStandin, user: str) -> Counter[str]:
    """Digests of all files that the stand-in has for a user, read from its disk."""
    return Counter(
        hashlib.sha256(node.path().read_bytes()).hexdigest() for node in cloud.tree(user).values() if not node.folder
    )


@contextmanager
def leaving(folder: Path, files: int, size: int) -> Iterator[tuple[Leaving, NextcloudStandin]]:
    """An organisation with so many files of so many bytes together, and stand-ins for both services."""
    with GoogleStandin() as google, NextcloudStandin(folder / "nextcloud") as cloud:
        cloud.add_user("admin", "the admin's password", admin=True)
        cloud.allow_app("liberate", "1.0.0", SECRET)
        cloud.add_group("styrelsen")
        organisation = sample_organisation(google, files=files, size=size)
        here = Leaving(folder, google, organisation, cloud.url, SECRET, "")
        here.write("admin")
        yield here, cloud
