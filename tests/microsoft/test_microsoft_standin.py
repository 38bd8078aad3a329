"""The stand-in answers as Graph does where it matters, and its sample is the same every time."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from graph_schema import VARIABLE, by_table, checker
from liberate_microsoft.sandbox import onedrive
from liberate_microsoft.standin import Drive, GraphStandin, sample_organisation, shapes
from liberate_microsoft.standin.sample import AWKWARD
from microsoft_kit import ANNA

from liberate.connector import Account, Kind
from liberate.registry import connector as registered

Get = Callable[..., requests.Response]


@pytest.fixture
def get(standin: GraphStandin, tmp_path: Path) -> Get:
    authority = str(standin.ca_file(tmp_path / "authority.pem"))
    form = {
        "grant_type": "client_credentials",
        "client_id": standin.entra.client_id,
        "client_secret": standin.entra.client_secret,
        "scope": "https://graph.microsoft.com/.default",
    }
    where = f"{standin.url}/{standin.entra.tenant}/oauth2/v2.0/token"
    token = requests.post(where, data=form, verify=authority, timeout=9).json()["access_token"]

    def call(path: str, **headers: str) -> requests.Response:
        url = path if path.startswith("https://") else f"{standin.url}/v1.0{path}"
        if "/v1.0/" in url:
            headers = {"Authorization": f"Bearer {token}", **headers}
        return requests.get(url, headers=headers, verify=authority, allow_redirects=False, timeout=9)

    return call


def test_content_is_a_redirect_and_its_address_takes_ranges_but_no_token(get: Get, drive: Drive) -> None:
    node = drive.add_file("a.txt", b"0123456789")
    answer = get(f"/drives/{drive.id}/items/{node.id}/content")
    assert answer.status_code == 302
    where = answer.headers["Location"]
    assert get(where).content == b"0123456789"
    part = get(where, Range="bytes=4-")
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"456789", "bytes 4-9/10")
    assert get(where, Range="bytes=10-").status_code == 416
    assert get(where, Authorization="Bearer x").status_code == 401
    told = get(f"/drives/{drive.id}/items/{node.id}").json()
    assert get(told["@microsoft.graph.downloadUrl"]).content == b"0123456789"


def test_items_are_found_by_path(get: Get, drive: Drive) -> None:
    below = drive.add_folder("b & c", drive.add_folder("a"))
    node = drive.add_file("d.txt", b"1", below)
    assert get(f"/users/{ANNA}/drive/root:/a/b%20%26%20c/d.txt").json()["id"] == node.id
    (child,) = get(f"/users/{ANNA}/drive/root:/a/b%20%26%20c:/children").json()["value"]
    assert child["id"] == node.id
    assert get(f"/users/{ANNA}/drive/root:/a/nothing").status_code == 404


def test_a_delta_pages_and_then_tells_changes_only(get: Get, drive: Drive) -> None:
    nodes = [drive.add_file(f"{n}.txt", b"%d" % n) for n in range(11)]
    url, seen = f"/drives/{drive.id}/root/delta?$select=id,name", []
    while True:
        page = get(url).json()
        assert all(set(one) <= {"id", "name"} for one in page["value"])
        seen += [one["id"] for one in page["value"]]
        if "@odata.nextLink" not in page:
            break
        url = page["@odata.nextLink"]
    assert seen == [drive.root.id, *(node.id for node in nodes)]
    drive.delete(nodes[3])
    drive.move(nodes[4], name="other")
    changed = get(page["@odata.deltaLink"].replace("%24select=id%2Cname&", "")).json()["value"]
    assert [(one["id"], one.get("name"), "deleted" in one) for one in changed] == [
        (nodes[3].id, None, True),
        (nodes[4].id, "other", False),
    ]
    drive.expire_tokens()
    answer = get(page["@odata.deltaLink"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "resyncChangesApplyDifferences")
    assert "token" not in answer.headers["Location"]
    assert get(f"/drives/{drive.id}/root/delta?token=rubbish").status_code == 400


def test_nobody_reads_without_a_token_and_nothing_can_be_written(get: Get, standin: GraphStandin, drive: Drive) -> None:
    assert get(f"/drives/{drive.id}", Authorization="Bearer wrong").status_code == 401
    assert get("/me/drive").status_code == 400
    assert get("/nothing").status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"size": "5"},
        {"unheardOf": 1},
        {"file": {"hashes": {"quickXorHash": 7}}},
        {"parentReference": "root"},
        {"createdDateTime": 5},
    ],
)
def test_the_check_sees_planted_faults(drive: Drive, change: dict[str, Any]) -> None:
    told = shapes.item(drive, drive.add_file("a.txt", b"1"))
    for check in (by_table, checker()):
        assert check("item", told) == []
        assert check("item", {**told, **change})


def test_an_unfit_answer_is_kept_and_refused(get: Get, standin: GraphStandin, drive: Drive) -> None:
    node = drive.add_file("a.txt", b"1", facets={"unheardOf": {}})
    assert get(f"/drives/{drive.id}/items/{node.id}").status_code == 500
    assert standin.unfit
    standin.unfit.clear()


def test_the_sample_is_the_same_every_time_and_adds_up() -> None:
    seen = []
    for _ in range(2):
        with GraphStandin(clock=lambda: 1_780_000_000.0) as standin:
            sample = sample_organisation(standin)
            drives = list(standin.drives.values())
            told = [shapes.item(drive, node) for drive in drives for node in drive.nodes.values()]
            digest = hashlib.sha256(repr(told).encode()).hexdigest()
            seen.append((sample, digest))
            files = [node for drive in drives for node in drive.files()]
            assert (sample.files, sample.bytes) == (len(files), sum(node.blob.size for node in files))
            assert sample.left_out == sum(bool(n.facets) for drive in drives for n in drive.nodes.values())
            assert len(sample.addresses) == 6
            assert len(drives) == 7
            for drive in drives:
                assert set(AWKWARD) <= {node.name for node in drive.files()}
                for folder in drive.nodes.values():
                    names = [one.name.lower() for one in drive.children(folder)]
                    assert len(set(names)) == len(names), "OneDrive has no two names that differ in case only"
            for name in (node.name for node in files):
                assert not set(name) & set('"*:<>?/\\|')
                assert name == name.strip(" ")
                assert not name.endswith(".")
                assert not name.startswith("~$")
    assert seen[0] == seen[1]


def test_the_sandbox_runs_and_its_settings_lead_to_it(tmp_path: Path) -> None:
    assert onedrive.missing() is None
    with onedrive.start(tmp_path, ()) as running:
        settings = dict(running.connection)
        found = registered(str(settings.pop("connector")))
        assert found.source is not None
        with found.source(
            found.settings(**settings), Account(running.accounts[0], kinds=frozenset({Kind.FILE}))
        ) as source:
            (drive,) = source.collections()
            assert sum(1 for _ in source.items(drive, None)) > 20


def test_schemas_are_used_where_they_are_at_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert checker() is by_table
