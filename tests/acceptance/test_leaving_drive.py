"""A generated organisation leaves Google Drive for Nextcloud: killed, resumed, verified, every id accounted for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from liberate_google.standin import GoogleStandin, sample_organisation
from liberate_google.standin.drive import DriveFile
from organisation_kit import SIZES, Shared, leaves_whole, leaving

_CONNECTION = """\
connector = "google"
service_account_file = "service-account.json"
endpoint = "{endpoint}"
shared_drives_as = "{reader}"
"""


class Drive:
    """Google's stand-in with a sample organisation."""

    def __init__(self, standin: GoogleStandin, files: int, size: int) -> None:
        made = sample_organisation(standin, files=files, size=size)
        self.people = made.people
        self.common = made.shared_drive
        self.board = made.board
        self.versions = 0
        self._standin = standin
        self._store = standin.drive

    def connection(self, folder: Path) -> str:
        self._standin.service_account_file(folder / "service-account.json")
        return _CONNECTION.format(endpoint=self._standin.url, reader=self.people[0])

    def _of(self, account: str | None = None) -> list[DriveFile]:
        """What an account, or all of them, has, the outermost folder aside."""
        roots = {*self._store.roots.values(), *self._store.drives}
        mine = [file for file in self._store.files.values() if file.id not in roots]
        return [file for file in mine if account is None or _whose(file) == account]

    def owned(self) -> Counter[str]:
        return Counter(_whose(file) for file in self._of())

    def bodies(self, account: str) -> Counter[str]:
        """Of Google's own documents, no bytes are there to compare; the trash stays."""
        return Counter(
            file.blob.digests["sha256"]
            for file in self._of(account)
            if file.blob is not None and not self._store.is_trashed(file)
        )

    def earlier(self, account: str) -> Counter[str]:
        return Counter()

    def shared(self, account: str) -> Counter[Shared]:
        out: Counter[Shared] = Counter()
        for file in self._of(account):
            if self._store.is_trashed(file) or not (file.folder or file.blob):
                continue
            what = file.name if file.blob is None else file.blob.digests["sha256"]
            for to, role, expires in self._grants(file, account):
                out[Shared(what, to, role not in ("reader", "commenter"), expires and expires[:10])] += 1
        return out

    def _grants(self, file: DriveFile, account: str) -> set[tuple[str, str, str | None]]:
        """Who of the organisation may see it, the folder's own aside where that is the same account's."""

        def all_of(one: DriveFile) -> set[tuple[str, str, str | None]]:
            told = (permission for permission, _ in self._store.effective(one))
            return {(p.who, p.role, p.expires) for p in told if p.who in {*self.people, self.board} - {account}}

        above = self._store.files[file.parents[0]]
        outermost = above.id in self._store.drives
        return all_of(file) - (all_of(above) if _whose(above) == account and not outermost else set())


def _whose(file: DriveFile) -> str:
    return file.owner or file.drive


@pytest.mark.parametrize(("files", "size"), SIZES)
def test_an_organisation_leaves_drive_with_every_id_accounted_for(tmp_path: Path, files: int, size: int) -> None:
    with GoogleStandin() as standin, leaving(tmp_path, Drive(standin, files, size)) as (here, cloud):
        leaves_whole(here, cloud, files)
