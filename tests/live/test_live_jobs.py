"""Whole jobs into a real Nextcloud: what arrives, what a second run does, and what is taken back."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from live_kit import LOGIN, URL, Person, need_server

need_server()

from liberate_nextcloud.settings import NextcloudSettings  # noqa: E402
from nextcloud_kit import ROOT, Bytes, file, opened  # noqa: E402
from nextcloud_standin_kit import Client, told  # noqa: E402

import liberate  # noqa: E402
from liberate.connector import Receipt, Slot  # noqa: E402
from liberate.moves import Plan  # noqa: E402

_PLAN = """\
[job]
name = "live"
[connections.old]
connector = "folder"
path = "old/{{account}}"
[connections.cloud]
connector = "nextcloud"
url = "{url}"
folder = "{below}"
password = {{ file = "secret" }}
[[routes]]
from = "old"
to = "cloud"
kinds = ["file"]
[people]
table = "people.csv"
"""
ODD: dict[str, bytes] = {
    "trailing dot.": b"1", "trailing space ": b"2", " leading": b"3", "...": b"4", ".htaccess": b"5", "x.part": b"6",
    "x.filepart": b"7", "😀 🏳️‍🌈": b"8", "new\nline": b"9", "CON": b"10", "nul.txt": b"11", "Case": b"12", "case": b"13",
    "caf\u00e9": b"14", "cafe\u0301": b"15", "a\\b": b"16", "a:b*c?\"<>|": b"17", "empty": b"", "é" * 120: b"18",
    "tab\there": b"19", "%41": b"20", "#hash?": b"21", "x" * 255: b"22", "aux.tar.gz": b"23",
}  # fmt: skip


@pytest.fixture
def plan(tmp_path: Path, below: str) -> Plan:
    there = tmp_path / "old" / "anna"
    there.mkdir(parents=True)
    (tmp_path / "secret").write_text(LOGIN.password)
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "liberate.toml").write_text(_PLAN.format(url=URL, below=below))
    (tmp_path / "people.csv").write_text(f"source,destination\nanna,{LOGIN.user}\n")
    return liberate.load_plan(tmp_path / "liberate.toml")


def fill(root: Path, files: dict[str, bytes], when: float = 1_500_000_000) -> None:
    for path, body in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(body)
        os.utime(root / path, (when, when))


def sound(plan: Plan) -> bool:
    checked = liberate.verify(plan)
    return all(account.wrong == 0 and account.verified for account in checked.accounts)


def test_a_job_arrives_is_proven_and_is_taken_back(tmp_path: Path, plan: Plan, owner: Person, below: str) -> None:
    files = {f"Plans/{n}/{m}.txt": b"%d %d" % (n, m) for n in range(3) for m in range(8)}
    files |= {"large": bytes(range(256)) * 50_000, "empty": b""}
    root = tmp_path / "old" / "anna"
    fill(root, files)
    report = liberate.migrate(plan)
    assert [(account.state, account.refused_items) for account in report.accounts] == [("done", 0)]
    arrived = {path.removeprefix(f"{below}/"): body for path, body in owner.tree().items() if body is not None}
    assert arrived == files
    assert owner.modified(f"{below}/Plans/0/0.txt") == "Fri, 14 Jul 2017 02:40:00 GMT"
    assert sound(plan)
    assert not liberate.migrate(plan).changed

    fill(root, {"Plans/0/0.txt": b"a new version"}, 1_600_000_000)
    (root / "Plans/0/1.txt").unlink()
    owner.put(f"{below}/Plans/1/1.txt", b"somebody's own words")
    owner.put(f"{below}/Plans/theirs.txt", b"theirs")
    assert liberate.migrate(plan).changed
    assert owner.tree()[f"{below}/Plans/0/0.txt"] == b"a new version"

    liberate.undo(plan)
    left = {path.removeprefix(f"{below}/"): body for path, body in owner.tree().items() if body is not None}
    assert left == {"Plans/1/1.txt": b"somebody's own words", "Plans/theirs.txt": b"theirs"}


def test_names_that_are_illegal_somewhere_arrive_each_under_a_name_of_its_own(
    tmp_path: Path, plan: Plan, owner: Person, below: str
) -> None:
    root = tmp_path / "old" / "anna"
    fill(root, ODD)
    fill(root, {f"Folders/{name}/inside.txt": body for name, body in ODD.items()})
    report = liberate.migrate(plan)
    assert [(account.state, account.refused_items) for account in report.accounts] == [("done", 0)], report
    arrived = [body for path, body in owner.tree().items() if body is not None]
    assert sorted(arrived) == sorted([*ODD.values(), *ODD.values()])
    assert sound(plan)
    assert not liberate.migrate(plan).changed


@pytest.mark.parametrize("when", [-86_400 * 365, -1, 0, 1, 86_400, 2**31, 2**32 + 5])
def test_a_time_that_the_server_cannot_keep_costs_no_file(
    tmp_path: Path, plan: Plan, owner: Person, below: str, when: int
) -> None:
    root = tmp_path / "old" / "anna"
    fill(root, {"alone.txt": b"alone", **{f"together {n}.txt": b"%d" % n for n in range(5)}}, when)
    report = liberate.migrate(plan)
    assert [(account.state, account.refused_items) for account in report.accounts] == [("done", 0)], report
    assert owner.tree()[f"{below}/alone.txt"] == b"alone"
    assert sound(plan)
    assert not liberate.migrate(plan).changed


def test_what_a_file_was_is_kept_as_earlier_versions_with_contents_and_times(
    settings: NextcloudSettings, below: str
) -> None:
    """Written as the engine does: oldest first, each over the one before it, told without digests."""
    times = [1_400_000_000, 1_450_000_000, 1_500_000_000]
    before: Receipt | None = None
    with opened(settings, LOGIN.password, LOGIN.user) as there:
        place = there.prepare(ROOT)
        for number, time in enumerate(times):
            body = b"version %d" % number
            slot = file(place, "a.txt", body, replaces=before)
            got = there.write(dated(slot, time), Bytes(body))
            assert got.evidence.value == "received-digest"
            before = Receipt(got.id, got.place, got.size, version=got.version)
        assert b"".join(there.read(got)) == b"version 2"
    client = Client(URL, LOGIN.user, LOGIN.password, below)
    where = f"/remote.php/dav/versions/{LOGIN.user}/versions/{client.fileid('Work/a.txt')}"
    names = [str(one["href"]).rpartition("/")[2] for one in told(client.ask("PROPFIND", where))[1:]]
    assert names == [str(time) for time in times]
    assert [client.ask("GET", f"{where}/{name}").content for name in names[:-1]] == [b"version 0", b"version 1"]


def dated(slot: Slot, time: int) -> Slot:
    return replace(slot, item=replace(slot.item, modified=datetime.fromtimestamp(time, UTC)))
