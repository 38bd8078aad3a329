"""Earlier versions of files in Drive become earlier versions in Nextcloud, if the plan asks for some."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests
from defusedxml import ElementTree
from liberate_google.standin import GoogleStandin
from liberate_nextcloud.standin import NextcloudStandin

import liberate

ANNA = "anna@solros.example"
BEGUN = 1_500_000_000.25  # Drive tells thousandths of a second, Nextcloud keeps whole ones
_PLAN = """\
[job]
name = "solros"
[connections.google]
connector = "google"
service_account_file = "service-account.json"
endpoint = "{google}"
[connections.cloud]
connector = "nextcloud"
url = "{cloud}"
appapi_secret = {{ file = "secret" }}
[[routes]]
from = "google"
to = "cloud"
kinds = ["file"]
versions = 3
[people]
table = "people.csv"
"""


def versions(cloud: NextcloudStandin, path: str) -> list[tuple[int, bytes | None]]:
    """What the server lists of a file's past, by time; of what it is now it gives no bytes there."""
    node = cloud.node("anna", path)
    assert node is not None
    where = f"/remote.php/dav/versions/anna/versions/{node.id}"
    with requests.Session() as session:
        session.auth = ("anna", cloud.app_password("anna"))
        listed = session.request("PROPFIND", f"{cloud.url}{where}", headers={"Depth": "1"}, timeout=20)
        assert listed.status_code == 207
        out: list[tuple[int, bytes | None]] = []
        for href in (one.findtext("{DAV:}href") for one in ElementTree.fromstring(listed.content)):
            name = (href or "").rpartition("/")[2]
            if name:
                got = session.get(f"{cloud.url}{where}/{name}", timeout=20)
                out.append((int(name), got.content if got.status_code == 200 else None))
    return out


@pytest.mark.parametrize("count", [2, 5], ids=["fewer than wanted", "more than wanted"])
def test_what_files_were_in_drive_they_were_in_nextcloud(tmp_path: Path, count: int) -> None:
    with GoogleStandin(strict=True) as google, NextcloudStandin(tmp_path / "cloud", {"anna": "pw"}) as cloud:
        google.drive.add_user(ANNA)
        board = google.drive.add_folder(ANNA, "Board")
        minutes = google.drive.add_file(ANNA, "minutes.txt", b"version 0", parent=board, modified=BEGUN)
        google.drive.add_file(ANNA, "once.txt", b"never changed", parent=board, modified=BEGUN)
        for number in range(1, count):
            google.drive.change(minutes, b"version %d" % number)
        cloud.allow_app("liberate", "1.0.0", "the secret")
        (tmp_path / "secret").write_text("the secret")
        (tmp_path / "secret").chmod(0o600)
        google.service_account_file(tmp_path / "service-account.json")
        (tmp_path / "liberate.toml").write_text(_PLAN.format(google=google.url, cloud=cloud.url))
        (tmp_path / "people.csv").write_text(f"source,destination\n{ANNA},anna\n")
        plan = liberate.load_plan(tmp_path / "liberate.toml")

        assert liberate.migrate(plan).changed
        history = [
            (int(one.modified), b"version %d" % n) for n, one in enumerate(google.drive.files[minutes].revisions)
        ]
        (*earlier, (now, content)) = history[-4:]
        wanted = [*earlier, (now, None)]
        assert len(earlier) == min(3, count - 1)
        assert versions(cloud, "/Board/minutes.txt") == wanted
        assert cloud.read("anna", "/Board/minutes.txt") == content
        assert versions(cloud, "/Board/once.txt") == [(int(BEGUN), None)]

        assert not liberate.migrate(plan).changed
        checked = liberate.verify(plan)
        assert all(account.wrong == 0 and account.verified for account in checked.accounts)
        assert versions(cloud, "/Board/minutes.txt") == wanted

        google.drive.change(minutes, b"later")
        liberate.migrate(plan)
        assert versions(cloud, "/Board/minutes.txt")[:-1] == [*earlier, (now, content)]
        assert cloud.read("anna", "/Board/minutes.txt") == b"later"
        assert google.unfit == []
        assert cloud.trouble == []
