"""What a report says of rules: in that account's part, as text, as a page and as JSON."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from report_examples import ANNA, DONE

from liberate.report import Report
from liberate.report_filters import filters_report, sentences
from liberate.report_html import as_html
from liberate.report_json import SCHEMA, as_dict
from liberate.report_text import as_summary, as_text

GAP = {"code": "attachments", "why": "It asks for attachments.", "todo": "Set it up by hand.", "of": "condition"}
RULES = [
    {"rule": "<b>Boss</b>\u202e", "outcome": "written", "gaps": []},
    {"rule": "Half", "outcome": "partly", "gaps": [{**GAP, "of": "mark"}]},
    {"rule": "Files", "outcome": "listed", "gaps": [GAP]},
    {"rule": "Old", "outcome": "off", "gaps": []},
]


def recorded(**more: object) -> str:
    told = {"state": "active", "rules": RULES, "file": "anna.sieve", "needs": ["fileinto"], "known": ["ab"], **more}
    return json.dumps(told)


def report(text: str) -> Report:
    return replace(DONE, accounts=(replace(ANNA, filters=filters_report(text)),))


def test_rules_are_told_one_by_one_and_escaped() -> None:
    told = report(recorded())
    text = as_text(told)
    assert "2 of 3 rules could be written as a Sieve script, 1 of them in part." in text
    assert "Files: not in the script. It asks for attachments. Set it up by hand." in text
    assert "Old: switched off at the source." in text
    assert "\u202e" not in text
    page = as_html(told)
    assert "&lt;b&gt;Boss&lt;/b&gt;" in page
    assert "<b>Boss" not in page
    assert "Boss" not in as_summary(told)  # what a run prints is for whoever moves everybody
    jsonschema.validate(as_dict(told), SCHEMA)
    (account,) = as_dict(told)["accounts"]
    assert account["filters"]["rules"][2]["reasons"] == [
        {"code": "attachments", "why": "It asks for attachments.", "todo": "Set it up by hand."}
    ]


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "acts on new letters"),
        ({"state": "beside", "other": "mine"}, '("mine")'),
        ({"state": "edited"}, "was edited there, and stays"),
        ({"state": "removed"}, "removed from the mail server, and stays away"),
        ({"state": "switched-off"}, "It stays off"),
        ({"state": "no-server"}, "sieve/anna.sieve"),
        ({"state": "listed"}, "It uses fileinto"),
        ({"state": "sending"}, "Run the same command again"),
        ({"state": "refused", "why": "It was refused.", "todo": "Look."}, "It was refused. Look. The script is kept"),
        ({"state": "unread", "why": "No permission.", "todo": "Add it.", "rules": [], "file": ""}, "No permission."),
    ],
)
def test_each_state_of_a_script_is_told_with_what_to_do(more: dict[str, object], says: str) -> None:
    told = filters_report(recorded(**more))
    assert told is not None
    assert says in " ".join(sentences(told))
    jsonschema.validate(as_dict(report(recorded(**more))), SCHEMA)


def test_an_account_without_rules_says_nothing_of_them() -> None:
    assert filters_report(None) is None
    assert "rule" not in as_text(DONE)
