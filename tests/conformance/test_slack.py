"""The suite, run on Slack's exports in each layout, with a server for their files."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from liberate_slack.connectors import slack_export
from liberate_slack.standin import FileServer, Shape, make_export

from liberate.connector import Account, Collection, Item
from liberate.testing.contracts import OpenSource, SourceContract

_MANY = 9_000


def _opens(path: Path, **settings: Any) -> OpenSource:
    assert slack_export.source is not None
    opened = slack_export.source
    return lambda: opened(slack_export.settings(path=str(path), **settings), Account(""))


@pytest.fixture(scope="module")
def server() -> Iterator[FileServer]:
    with FileServer() as running:
        yield running


class TestSlackExportSource(SourceContract):
    @pytest.fixture(params=["all", "organisation", "slackdump"])
    def path(self, server: FileServer, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
        made = make_export(tmp_path / "export.zip", Shape(layout=request.param, files=server.url, messages=50))
        server.files = made.files
        return made.path

    @pytest.fixture
    def open_source(self, path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> OpenSource:
        monkeypatch.setattr("liberate_slack.source._STEP", 20)
        return _opens(path, endpoint=server.url, ca_file=server.ca_file(path.with_name("authority.pem")))

    @pytest.fixture
    def remove(self, path: Path) -> Callable[[Collection, Item], None]:
        def removed(_collection: Collection, item: Item) -> None:
            wanted = item.id.rpartition("/")[2]
            with zipfile.ZipFile(path) as archive:
                entries = {one.filename: archive.read(one) for one in archive.infolist()}
            with zipfile.ZipFile(path, "w") as archive:
                for name, data in entries.items():
                    if name.rpartition("/")[2].startswith("2026-"):
                        kept = [one for one in json.loads(data) if one.get("ts") != wanted]
                        archive.writestr(name, json.dumps(kept))
                    else:
                        archive.writestr(name, data)

        return removed

    @pytest.fixture
    def state(self, path: Path) -> Callable[[], str]:
        return lambda: hashlib.sha256(path.read_bytes()).hexdigest()

    @pytest.fixture
    def refused(self, tmp_path: Path) -> tuple[OpenSource, tuple[str, ...]]:
        return _opens(tmp_path / "there is none.zip"), ("xoxe",)

    @pytest.fixture
    def big(self, tmp_path: Path) -> tuple[OpenSource, int]:
        path = tmp_path / "big.zip"
        make_export(path, Shape(plain=True, layout="public", channels=3, messages=_MANY // 3))
        return _opens(path), _MANY
