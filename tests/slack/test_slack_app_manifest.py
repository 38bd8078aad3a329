"""The manifests that the documentation gives: the app can do what liberate asks for, and nothing more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from api_kit import ROOM, SMALL, listing, ts_of
from liberate_slack.connectors import slack
from liberate_slack.standin.api import BOT_TOKEN, USER_TOKEN, SlackStandin
from liberate_slack.team import scopes

DOCS = Path(__file__).resolve().parents[2] / "docs/how-to"


def manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DOCS / name).read_text())
    return found


@pytest.mark.parametrize(("name", "whose"), [("slack-app.json", "user"), ("slack-app-bot.json", "bot")])
def test_a_manifest_asks_for_what_a_plan_needs_and_for_nothing_else(name: str, whose: str) -> None:
    asked = manifest(name)["oauth_config"]["scopes"]
    assert set(asked) == {whose}
    settings = slack.settings(token={"env": "SLACK_TOKEN"})
    assert set(asked[whose]) == scopes(settings)
    assert all(one.endswith((":read", ":history", ":read.email")) for one in asked[whose])  # it only reads


@pytest.mark.parametrize(("name", "whose"), [("slack-app.json", "user"), ("slack-app-bot.json", "bot")])
def test_an_app_made_of_a_manifest_can_be_read_with(name: str, whose: str) -> None:
    with SlackStandin(SMALL) as standin:
        token = USER_TOKEN if whose == "user" else BOT_TOKEN
        standin.tokens[token].scopes = frozenset(manifest(name)["oauth_config"]["scopes"][whose])
        assert len(ts_of(listing(standin, token=token, room=ROOM))) == 3


@pytest.mark.parametrize("name", ["slack-app.json", "slack-app-bot.json"])
def test_a_manifest_makes_an_app_whose_token_lasts_and_that_is_not_distributed(name: str) -> None:
    found = manifest(name)
    assert found["settings"] == {
        "org_deploy_enabled": False, "socket_mode_enabled": False, "token_rotation_enabled": False,
    }  # fmt: skip
    assert "redirect_urls" not in found["oauth_config"]
    assert ("bot_user" in found.get("features", {})) == (name == "slack-app-bot.json")
    assert len(found["display_information"]["name"]) <= 35
    assert len(found["display_information"]["description"]) <= 140
