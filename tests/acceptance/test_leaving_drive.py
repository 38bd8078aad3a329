"""A generated organisation leaves Google Drive for Nextcloud: killed, resumed, verified, every id accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest
from organisation_kit import TEAM, accounted, leaving, stored


@pytest.mark.parametrize(
    ("files", "size"), [(200, 8_000_000), pytest.param(3_000, 300_000_000, marks=pytest.mark.torture)]
)
def test_an_organisation_leaves_drive_with_every_id_accounted_for(tmp_path: Path, files: int, size: int) -> None:
    with leaving(tmp_path, files, size) as (here, cloud):
        for share in (0.1, 0.3, 0.6):
            here.killed(int(files * share))
        code, report = here.run("migrate")
        owned = here.owned()
        assert code == 0, report
        for account in report["accounts"]:
            assert account["state"] == "done", account
            assert accounted(account) == owned[account["source"]], account["source"]
        for address in here.organisation.people:
            missing = here.bodies(address) - stored(cloud, here.user(address))
            assert not missing, f"{sum(missing.values())} files of {address} did not arrive"
        assert not here.bodies(here.organisation.shared_drive) - stored(cloud, TEAM)
        again, report = here.run("migrate")
        assert (again, report["changed"]) == (0, False)
        checked, report = here.run("verify")
        assert checked == 0
        for account in report["accounts"]:
            found = account["verification"]
            assert (found["different"], found["missing"], found["only_there"]) == (0, 0, 0), account["source"]
            assert found["identical"] == account["items"]["moved"]
