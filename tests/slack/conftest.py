"""Fixtures of the tests of Slack's connector."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def samples() -> Path:
    """Slack's published answers, keys and types without values, where somebody has fetched them."""
    import os

    folder = Path(os.environ.get("LIBERATE_SLACK_SAMPLES", "no folder named"))
    if not folder.is_dir():
        pytest.skip("LIBERATE_SLACK_SAMPLES names no folder with json-logs/samples/api of slackapi/java-slack-sdk")
    return folder
