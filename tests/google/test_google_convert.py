"""Gmail's labels and errors, by tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from liberate_google import convert
from liberate_google.convert import Label, Trouble

from liberate.errors import AccountError, TransientError
from liberate.mail import Folder, MailFacts, Role

LABELS = {
    label.id: label
    for label in (
        Label("INBOX", "INBOX", False),
        Label("Label_1", "Work", True),
        Label("Label_2", "Work/Roof", True),
        Label("Label_3", "a.b", True),
        Label("Label_4", "~/INBOX//x", True),
        Label("SENT", "SENT", False),
    )
}
ARCHIVE = Folder((), Role.ARCHIVE)


@pytest.mark.parametrize(
    ("bears", "flags", "keywords", "folders"),
    [
        ([], {"\\Seen"}, set(), [ARCHIVE]),
        (["UNREAD"], set(), set(), [ARCHIVE]),
        (["INBOX", "UNREAD"], set(), set(), [Folder(("INBOX",), Role.INBOX)]),
        (["STARRED", "SENT"], {"\\Seen", "\\Flagged"}, set(), [Folder(("Sent",), Role.SENT)]),
        (["DRAFT"], {"\\Seen", "\\Draft"}, set(), [Folder(("Drafts",), Role.DRAFTS)]),
        (["SPAM", "UNREAD"], set(), {"$Junk"}, [Folder(("Spam",), Role.JUNK)]),
        (["TRASH"], {"\\Seen"}, set(), [Folder(("Trash",), Role.TRASH)]),
        (["IMPORTANT"], {"\\Seen"}, {"$Important"}, [ARCHIVE]),
        (
            ["CATEGORY_UPDATES", "CATEGORY_PERSONAL"],
            {"\\Seen"},
            {"$Category_Updates", "$Category_Personal"},
            [ARCHIVE],
        ),
        (["Label_2"], {"\\Seen"}, set(), [Folder(("Work", "Roof"))]),
        (["Label_3", "Label_1"], {"\\Seen"}, set(), [Folder(("Work",)), Folder(("a.b",))]),
        (["Label_4"], {"\\Seen"}, set(), [Folder(("~", "INBOX", "", "x"))]),
        (["Label_1", "INBOX"], {"\\Seen"}, set(), [Folder(("INBOX",), Role.INBOX), Folder(("Work",))]),
        (["Label_404", "YELLOW_STAR"], {"\\Seen"}, set(), [ARCHIVE]),
    ],
)
def test_labels_become_facts(bears: list[str], flags: set[str], keywords: set[str], folders: list[Folder]) -> None:
    facts = convert.facts(bears, LABELS)
    assert facts == MailFacts(frozenset(flags), frozenset(keywords), None, tuple(folders))
    assert convert.facts(reversed(bears), LABELS) == facts


def test_a_version_of_facts_tells_labels_apart_and_not_times() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    versions = {convert.facts_version(convert.facts(bears, LABELS)) for bears in ([], ["UNREAD"], ["INBOX"])}
    assert len(versions) == 3
    assert convert.facts_version(convert.facts([], LABELS, when)) in versions


def test_a_label_list_is_read_with_and_without_types() -> None:
    labels = convert.labels_of(
        {"labels": [{"id": "INBOX", "name": "INBOX"}, {"id": "Label_7", "name": "x"}, {"id": "L", "type": "user"}]}
    )
    assert [(label.id, label.name, label.user) for label in labels.values()] == [
        ("INBOX", "INBOX", False),
        ("Label_7", "x", True),
        ("L", "L", True),
    ]
    assert convert.labels_of({}) == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "1970-01-01T00:00:00+00:00"),
        ("1744036262123", "2025-04-07T14:31:02.123000+00:00"),
        ("-86400000", "1969-12-31T00:00:00+00:00"),
        ("99999999999999999", None),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_internal_dates(text: str | None, expected: str | None) -> None:
    found = convert.received(text)
    assert (found.isoformat() if found else None) == expected


@pytest.mark.parametrize(
    ("status", "why", "expected"),
    [
        (400, ["badRequest"], Trouble.REFUSED),
        (400, ["failedPrecondition"], Trouble.PRECONDITION),
        (401, ["authError"], Trouble.SIGN_IN),
        (403, ["dailyLimitExceeded"], Trouble.DAY),
        (403, ["userRateLimitExceeded"], Trouble.RATE),
        (403, ["rateLimitExceeded"], Trouble.RATE),
        (403, ["quotaExceeded"], Trouble.RATE),
        (403, ["domainPolicy"], Trouble.FORBIDDEN),
        (403, ["forbidden"], Trouble.FORBIDDEN),
        (403, ["insufficientPermissions"], Trouble.SCOPE),
        (403, ["accessNotConfigured"], Trouble.DISABLED),
        (403, [], Trouble.FORBIDDEN),
        (404, ["notFound"], Trouble.GONE),
        (408, [], Trouble.SERVER),
        (429, [], Trouble.RATE),
        (429, ["rateLimitExceeded"], Trouble.RATE),
        (500, ["backendError"], Trouble.SERVER),
        (502, [], Trouble.SERVER),
        (503, ["rateLimitExceeded"], Trouble.SERVER),
    ],
)
def test_answers_are_told_apart(status: int, why: list[str], expected: Trouble) -> None:
    assert convert.trouble(status, why) is expected


def test_too_many_at_once_is_told_from_too_many_units() -> None:
    content = b'{"error": {"message": "Too many concurrent requests for user."}}'
    assert convert.trouble(429, ["rateLimitExceeded"], content) is Trouble.CROWD


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"error": {"errors": [{"reason": "a"}, {"reason": "b"}]}}', ("a", "b")),
        (b'{"error": {"details": [{"reason": "SERVICE_DISABLED"}]}}', ("SERVICE_DISABLED",)),
        (b'{"error": "invalid_grant"}', ("invalid_grant",)),
        (b'{"error": {}}', ()),
        (b"<html>502</html>", ()),
        (b"[]", ()),
        (b"", ()),
    ],
)
def test_reasons_are_read_from_any_answer(content: bytes, expected: tuple[str, ...]) -> None:
    assert convert.reasons(content) == expected


@pytest.mark.parametrize("found", list(Trouble))
def test_every_error_says_a_thing_a_cause_and_a_next_step(found: Trouble) -> None:
    error = convert.error(found, "anna@solros.example", 400, ["reason"], 5.0)
    assert "anna@solros.example" in str(error) or "project" in str(error)
    if isinstance(error, AccountError):
        assert error.todo
        assert error.code
    else:
        assert isinstance(error, TransientError)
        assert error.retry_after == 5.0


@pytest.mark.parametrize(
    ("text", "expected"), [("5", 5.0), ("0", 0.0), ("-1", 0.0), ("Fri, 1 Jan", None), (None, None)]
)
def test_retry_after(text: str | None, expected: float | None) -> None:
    assert convert.seconds(text) == expected
