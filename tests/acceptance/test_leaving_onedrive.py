"""A generated organisation leaves OneDrive and SharePoint for Nextcloud, as another one leaves Drive."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from liberate_microsoft.standin import Blob, Drive, GraphStandin, Node, sample_organisation
from organisation_kit import SIZES, Shared, leaves_whole, leaving

_CONNECTION = """\
connector = "microsoft"
tenant = "{tenant}"
client_id = "{client}"
client_secret = {{ file = "client-secret" }}
endpoint = "{endpoint}"
ca_file = "authority.pem"
"""


class OneDrive:
    """Graph's stand-in with a sample organisation: six people's OneDrives and the library of a site."""

    def __init__(self, standin: GraphStandin, files: int, size: int) -> None:
        made = sample_organisation(standin, files=files, total=size)
        assert (made.files, made.bytes) == (files, size)
        self.people = made.addresses
        self.common = made.library
        self.board = made.board
        self.versions = 5  # more than any file has
        self._standin = standin
        (library,) = (one for one in standin.drives.values() if not one.owner)
        self._drives = {one.owner or made.library: one for one in standin.drives.values() if one is not library}
        self._drives[made.library] = library

    def connection(self, folder: Path) -> str:
        secret = folder / "client-secret"
        secret.touch(0o600)
        secret.write_text(self._standin.entra.client_secret)
        self._standin.ca_file(folder / "authority.pem")
        entra = self._standin.entra
        return _CONNECTION.format(tenant=entra.tenant, client=entra.client_id, endpoint=self._standin.url)

    def owned(self) -> Counter[str]:
        return Counter({name: sum(bool(one.parent) for one in d.nodes.values()) for name, d in self._drives.items()})

    def bodies(self, account: str) -> Counter[str]:
        return Counter(_digest(node.blob) for node in self._drives[account].files())

    def earlier(self, account: str) -> Counter[str]:
        return Counter(_digest(blob) for node in self._drives[account].files() for _, blob in node.earlier)

    def shared(self, account: str) -> Counter[Shared]:
        drive = self._drives[account]
        out: Counter[Shared] = Counter()
        for node in drive.nodes.values():
            if node.facets or not node.parent:
                continue
            above = set(self._grants(drive, drive.nodes[node.parent]))
            for to, writes, until in set(self._grants(drive, node)) - above:
                out[Shared(node.name if node.folder else _digest(node.blob), to, writes, until)] += 1
        return out

    def _grants(self, drive: Drive, node: Node) -> Iterator[tuple[str, bool, str | None]]:
        """Who of the organisation may see it, by a folder above too: each with the most that they may do."""
        most: dict[str, tuple[str, bool, str | None]] = {}
        for one in self._all_grants(drive, node):
            if one[0] not in most or _strength(one) > _strength(most[one[0]]):
                most[one[0]] = one
        yield from most.values()

    def _all_grants(self, drive: Drive, node: Node) -> Iterator[tuple[str, bool, str | None]]:
        for one in drive.effective(node):
            link = one.get("link")
            if link is None:
                who = [one["grantedToV2"]]
            else:
                who = one["grantedToIdentitiesV2"] if link["scope"] == "users" else []
            for identities in who:
                name = self._name(identities)
                if name in {*self.people, self.board} - {drive.owner}:
                    yield name, one["roles"] == ["write"], one.get("expirationDateTime", "")[:10] or None

    @staticmethod
    def _name(identities: Mapping[str, Any]) -> str:
        """A person's address, as it stands in their login name; a group's name."""
        if "group" in identities:
            return str(identities["group"]["displayName"])
        login = re.fullmatch(r"i:0#\.f\|membership\|(.*)", identities.get("siteUser", {}).get("loginName", ""))
        return login[1] if login else ""


def _strength(grant: tuple[str, bool, str | None]) -> tuple[bool, bool, str]:
    _, writes, until = grant
    return writes, until is None, until or ""


def _digest(blob: Blob) -> str:
    digest = hashlib.sha256()
    for piece in blob.pieces():
        digest.update(piece)
    return digest.hexdigest()


@pytest.mark.parametrize(("files", "size"), SIZES)
def test_an_organisation_leaves_onedrive_with_every_id_accounted_for(tmp_path: Path, files: int, size: int) -> None:
    with GraphStandin() as standin, leaving(tmp_path, OneDrive(standin, files, size)) as (here, cloud):
        leaves_whole(here, cloud, files)
