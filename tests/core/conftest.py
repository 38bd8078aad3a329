"""Each test of the core has a bench of its own, and ledgers in SQLite and in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from core_kit import Bench

from liberate.testing.postgresql import USER, programs, running


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "job")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server of our own, stopped at the end."""
    if programs() is None:
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    pytest.importorskip("psycopg")
    with running() as address:
        yield f"postgresql+psycopg://{USER}@{address}/postgres"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        return
    import sqlalchemy as sa

    from liberate.ledger_schema import metadata

    url = request.getfixturevalue("postgresql")
    yield url
    engine = sa.create_engine(url)
    metadata.drop_all(engine)
    engine.dispose()
