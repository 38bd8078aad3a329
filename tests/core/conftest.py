"""Each test of the core has a bench of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from core_kit import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "job")
