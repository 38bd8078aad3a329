"""What stands in an account, told by the server's index: page after page, each thing once, and nobody else's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from liberate_nextcloud import inventory
from liberate_nextcloud.connectors import nextcloud
from liberate_nextcloud.settings import NextcloudSettings
from liberate_nextcloud.standin import NextcloudStandin

from liberate.connector import Account, Inventories, Place

OLD, NEW = 1_500_000_000, 1_600_000_000


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[NextcloudStandin]:
    with NextcloudStandin(tmp_path / "cloud") as server:
        server.add_user("anna", "the login password of anna")
        server.add_user("bo", "the login password of bo")
        yield server


def put(cloud: NextcloudStandin, password: str, path: str, body: bytes, when: int, user: str = "anna") -> None:
    headers = {"X-OC-Mtime": str(when)}
    url = f"{cloud.url}/remote.php/dav/files/{user}/{path}"
    assert requests.put(url, body, auth=(user, password), headers=headers, timeout=10).status_code == 201


def told(cloud: NextcloudStandin, password: str, root: str = "") -> Counter[str]:
    settings = NextcloudSettings(url=cloud.url)
    assert nextcloud.destination is not None
    with nextcloud.destination(settings, Account("anna", password)) as destination:
        assert isinstance(destination, Inventories)
        return Counter(f"{held.place}/{held.name}".lstrip("/") for held in destination.inventory(Place(root)))


@pytest.mark.parametrize("page", [3, 4, 7, 1000])
def test_everything_is_told_once_whatever_falls_together(
    cloud: NextcloudStandin, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    password = cloud.app_password("anna")
    folder = f"{cloud.url}/remote.php/dav/files/anna/dir"
    requests.request("MKCOL", folder, auth=("anna", password), timeout=10).raise_for_status()
    for number in range(12):  # of one second, some also of one size
        put(cloud, password, f"dir/same {number}", b"x" * (number // 5), NEW)
    for number in range(6):
        put(cloud, password, f"old {number}", b"%d" % number, OLD + number)
    monkeypatch.setattr(inventory, "_PAGE", page)
    searches = cloud.counts["SEARCH"]
    wanted = [*(f"dir/same {n}" for n in range(12)), *(f"old {n}" for n in range(6)), "dir"]
    assert told(cloud, password) == Counter(wanted)
    assert cloud.counts["SEARCH"] > searches
    assert told(cloud, password, "dir") == Counter(f"dir/same {n}" for n in range(12))


@pytest.mark.parametrize("page", [3, 4, 7])
def test_files_of_the_future_are_told_though_the_folder_itself_is_counted_before_them(
    cloud: NextcloudStandin, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    password = cloud.app_password("anna")
    for number in range(20):
        put(cloud, password, f"camera {number}", b"%d" % number, 4_000_000_000 + number // 2)
    monkeypatch.setattr(inventory, "_PAGE", page)
    assert told(cloud, password) == Counter(f"camera {n}" for n in range(20))


def test_what_others_share_with_an_account_is_not_its_own(cloud: NextcloudStandin) -> None:
    password = cloud.app_password("bo")
    folder = f"{cloud.url}/remote.php/dav/files/bo/Shared"
    requests.request("MKCOL", folder, auth=("bo", password), timeout=10).raise_for_status()
    put(cloud, password, "Shared/bos", b"bo's", NEW, "bo")
    shares = f"{cloud.url}/ocs/v2.php/apps/files_sharing/api/v1/shares"
    asked = {"path": "/Shared", "shareType": "0", "shareWith": "anna", "permissions": "15"}
    requests.post(
        shares, asked, auth=("bo", password), headers={"OCS-APIRequest": "true"}, timeout=10
    ).raise_for_status()
    own = cloud.app_password("anna")
    put(cloud, own, "annas", b"anna's", NEW)
    assert told(cloud, own) == Counter(["annas"])


def test_a_server_without_search_is_walked_through(cloud: NextcloudStandin) -> None:
    from liberate_nextcloud.standin.faults import Fault

    password = cloud.app_password("anna")
    put(cloud, password, "file", b"x", NEW)
    cloud.faults.add(Fault(method="SEARCH", status=501, times=None))
    assert told(cloud, password) == Counter(["file"])
