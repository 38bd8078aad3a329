"""What the tests of the Microsoft connector share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from liberate_microsoft.onedrive import OneDriveSource
from liberate_microsoft.pace import Pacer
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Drive, GraphStandin
from pydantic import SecretStr

from liberate.connector import Account, Collection, Cursor, Gone, Item, Kind, Listed, Skipped, Whole
from liberate.files import FileFacts
from liberate.testing.clock import Clock

ANNA = "anna@solros.example"
BJORN = "bjorn@solros.example"
DRIVE = Collection("drive", (), Kind.FILE)


def patient() -> Pacer:
    """A pacer that knows no ceiling and does not really wait."""
    clock = Clock()
    return Pacer(None, clock, clock.sleep)


def made_settings(standin: GraphStandin, folder: Path, **more: Any) -> MicrosoftSettings:
    """Settings that lead to the stand-in, by the application's secret unless told otherwise."""
    if not more.keys() & {"token_file", "certificate_file", "client_secret"}:
        more["client_secret"] = SecretStr(standin.entra.client_secret)
    usual = {
        "tenant": standin.entra.tenant,
        "client_id": standin.entra.client_id,
        "endpoint": standin.url,
        "ca_file": standin.ca_file(folder / "authority.pem"),
        "timeout": 10.0,
    }
    return MicrosoftSettings(**{**usual, **more})


@contextmanager
def opened(
    settings: MicrosoftSettings, account: str | Account = ANNA, pacer: Pacer | None = None
) -> Iterator[OneDriveSource]:
    whose = Account(account) if isinstance(account, str) else account
    source = OneDriveSource(settings, whose, pacer or patient())
    try:
        yield source
    finally:
        source.close()


def listing(source: OneDriveSource, since: Cursor | None = None) -> list[Listed]:
    return list(source.items(DRIVE, since))


def items(listed: list[Listed]) -> list[Item]:
    return [one for one in listed if isinstance(one, Item)]


def by_name(listed: list[Listed]) -> dict[str, Item]:
    return {one.name: one for one in items(listed)}


def skipped(listed: list[Listed]) -> dict[str, str]:
    return {one.id: one.code for one in listed if isinstance(one, Skipped)}


def gone(listed: list[Listed]) -> set[str]:
    return {one.id for one in listed if isinstance(one, Gone)}


def whole(listed: list[Listed]) -> bool:
    return any(isinstance(one, Whole) for one in listed)


def cursor(listed: list[Listed]) -> Cursor:
    last = listed[-1]
    assert isinstance(last, str), "a listing ends with its cursor"
    return Cursor(last)


def facts(item: Item) -> FileFacts:
    assert isinstance(item.facts, FileFacts)
    return item.facts


def calls(standin: GraphStandin, method: str) -> int:
    return sum(one.method == method for one in standin.requests)


def paths(drive: Drive) -> dict[str, bytes | None]:
    """What a drive holds that can move, by path: the bytes of a file, None for a folder."""
    out: dict[str, bytes | None] = {}
    for node in drive.nodes.values():
        if node.deleted or node.facets or not node.parent:
            continue
        steps = [one.name for one in (*drive.ancestors(node), node)[1:]]
        out["/".join(steps)] = None if node.folder else node.blob.read()
    return out
