"""Lets these tests import the benchmark, which is no part of what gets installed."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
