"""A stranger's connectors, installed the way a stranger's are: by entry points of their own distribution."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from liberate import registry

MODULE = """
from contextlib import contextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from liberate.connector import Connector, Endpoint, Kind
from liberate.settings import Secret, Settings


class Shelf(Settings):
    path: Path = Field(description="where the letters lie")


class Post(Settings):
    host: str = Field(description="the server's name")
    port: int = Field(993, description="its port")
    security: Literal["tls", "starttls", "none"] = Field("tls", description="how the line is protected")
    master_user: str | None = None
    master_password: Secret | None = Field(None, description="the master user's password")
    ca_file: Path | None = None

    @model_validator(mode="after")
    def _both(self):
        if (self.master_user is None) != (self.master_password is None):
            raise ValueError("master_user and master_password go together")
        return self


@contextmanager
def opened(settings, account):
    yield settings, account


@contextmanager
def lacking(settings, account):
    import a_package_that_nobody_has
    yield


def post(url):
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("the host is missing")
    return Endpoint({"host": parts.hostname}, parts.username or "")


def shelved(url):
    return Endpoint({"path": url.partition(":")[2]})


MAIL, CHAT, BOTH = frozenset({Kind.MAIL}), frozenset({Kind.CHAT}), frozenset({Kind.MAIL, Kind.FILE})
shelf = Connector("shelf", "letters on a shelf", BOTH, Shelf, opened, opened, ("shelf",), shelved)
post_office = Connector("post", "a post office", MAIL, Post, opened, opened, ("posts", "post"), post)
well = Connector("well", "only to read from", MAIL, Shelf, opened, None, ("well",), shelved)
hole = Connector("hole", "only to write to", CHAT, Shelf, None, opened, ("hole",), shelved)
lacks = Connector("lacks", "made from something rare", MAIL, Shelf, lacking, lacking)
"""

ENTRIES = """[liberate.connectors]
shelf = stranger_connectors:shelf
post = stranger_connectors:post_office
well = stranger_connectors:well
hole = stranger_connectors:hole
lacks = stranger_connectors:lacks
broken = stranger_that_is_missing:thing
"""


@pytest.fixture(scope="module", autouse=True)
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "stranger_connectors.py").write_text(MODULE)
    info = folder / "stranger-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\nProvides-Extra: lacks\n")
    (info / "entry_points.txt").write_text(ENTRIES)
    sys.path.insert(0, str(folder))
    _forget()
    yield
    sys.path.remove(str(folder))
    _forget()


def _forget() -> None:
    registry._entries.cache_clear()
    registry.connector.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the plan is in and the command runs in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
