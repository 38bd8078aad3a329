"""Each field that Google's own description names has a row that says what becomes of it."""

from __future__ import annotations

import pytest
from liberate_google.connectors import google
from liberate_google.discovery import document


@pytest.mark.parametrize(
    ("heading", "api", "schema"),
    [("Google Calendar events", "calendar.v3", "Event"), ("Google contacts", "people.v1", "Person")],
)
def test_every_property_of_the_discovery_document_has_a_row(heading: str, api: str, schema: str) -> None:
    assert google.fidelity is not None
    rows = google.fidelity()[heading]
    told = [row.field for row in rows]
    assert len(set(told)) == len(told)
    assert {one.partition(".")[0] for one in told} == set(document(api)["schemas"][schema]["properties"])
    assert told == sorted(told, key=lambda one: one.lower())
    for row in rows:
        assert (row.verdict == "lost") is (row.becomes == ""), row
        assert bool(row.why) is (row.verdict != "kept"), row
