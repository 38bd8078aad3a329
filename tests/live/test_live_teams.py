"""A shared drive of Google's moves into a Team folder of a real Nextcloud that has the app for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_kit import APP, URL, Admin, Person, a_name, need_server

need_server()

from liberate_google.standin import GoogleStandin  # noqa: E402

import liberate  # noqa: E402

READER = "anna@solros.example"
_PLAN = """\
[job]
name = "live"
[connections.google]
connector = "google"
service_account_file = "service-account.json"
endpoint = "{google}"
shared_drives_as = "{reader}"
[connections.cloud]
connector = "nextcloud"
url = "{url}"
appapi_id = "{appapi_id}"
appapi_version = "{appapi_version}"
appapi_secret = {{ file = "secret" }}
admin_user = "{admin}"
admin_password = {{ file = "admin-password" }}
team_folders_as = "{writer}"
[[routes]]
from = "google"
to = "cloud"
kinds = ["file"]
[people]
table = "people.csv"
"""


def test_a_shared_drive_moves_into_a_team_folder_which_is_made_for_it(
    tmp_path: Path, admin: Admin, app_secret: str
) -> None:
    if not admin.has_team_folders():
        pytest.skip("the app Team folders is not enabled there")
    writer, team = admin.member("writer"), admin.removes(team=a_name("board"))
    for name, secret in (("secret", app_secret), ("admin-password", admin.app_password)):
        (tmp_path / name).write_text(secret)
        (tmp_path / name).chmod(0o600)
    with GoogleStandin() as google:
        google.drive.add_user(READER)
        drive = google.drive.add_shared_drive("Board", {READER: "organizer"})
        plans = google.drive.add_folder(drive, "Plans")
        may = google.drive.add_file(drive, "may.txt", b"we met", parent=plans, modified=1_500_000_000)
        google.drive.add_file(drive, "large", b"x" * 3_000_000)
        google.service_account_file(tmp_path / "service-account.json")
        text = _PLAN.format(google=google.url, reader=READER, url=URL, admin=admin.user, writer=writer.user, **APP)
        (tmp_path / "liberate.toml").write_text(text)
        (tmp_path / "people.csv").write_text(f"source,destination,kind\n{drive},team:{team},shared\n")
        plan = liberate.load_plan(tmp_path / "liberate.toml")
        report = liberate.migrate(plan)
        assert [(account.state, account.refused_items) for account in report.accounts] == [("done", 0)], report
        theirs = Person(URL, writer.user, writer.password)
        assert theirs.tree() == {
            team: None,
            f"{team}/Plans": None,
            f"{team}/Plans/may.txt": b"we met",
            f"{team}/large": b"x" * 3_000_000,
        }
        assert theirs.modified(f"{team}/Plans/may.txt") == "Fri, 14 Jul 2017 02:40:00 GMT"
        checked = liberate.verify(plan)
        assert all(account.wrong == 0 and account.verified for account in checked.accounts)
        assert not liberate.migrate(plan).changed
        google.drive.change(may, b"we met again")
        google.drive.rename(plans, "Minutes")
        assert liberate.migrate(plan).changed
        assert theirs.tree()[f"{team}/Minutes/may.txt"] == b"we met again"
        liberate.undo(plan)
        assert theirs.tree() == {team: None}
