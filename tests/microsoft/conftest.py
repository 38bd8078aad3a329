"""A stand-in for Graph with one person's drive, and settings that lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from graph_schema import checker
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Drive, GraphStandin
from microsoft_kit import ANNA, made_settings


@pytest.fixture
def standin() -> Iterator[GraphStandin]:
    """Every answer is checked against Graph's types."""
    with GraphStandin(check=checker(), page=5) as server:
        server.add_person(ANNA, "Anna Åkerström")
        yield server
        assert server.unfit == []


@pytest.fixture
def drive(standin: GraphStandin) -> Drive:
    found = standin.people[ANNA].drive
    assert found is not None
    return found


@pytest.fixture
def settings(standin: GraphStandin, tmp_path: Path) -> MicrosoftSettings:
    return made_settings(standin, tmp_path)
