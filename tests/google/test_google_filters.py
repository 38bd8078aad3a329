"""Gmail's filters and vacation responder, as the stand-in tells them, in liberate's words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from google_kit import ANNA, opened, vendor_client
from googleapiclient.errors import HttpError
from liberate_google.rules import filters as told
from liberate_google.searches import Unsaid, search
from liberate_google.settings import GoogleSettings
from liberate_google.standin import GmailStandin

from liberate.filters import (
    AllOf,
    AnyOf,
    File,
    Filters,
    Forward,
    How,
    Mark,
    Not,
    Reply,
    Size,
    Test,
    Text,
    Trash,
    Where,
)
from liberate.mail import Folder, Role

SETTINGS = "https://www.googleapis.com/auth/gmail.settings.basic"


AB = Text(Where.FROM, How.ADDRESS, "a@b.cc")


def word(text: str, where: Where = Where.ANYWHERE) -> Text:
    return Text(where, How.WORD, text)


@pytest.fixture
def gmail(standin: GmailStandin) -> Iterator[Any]:
    with vendor_client(standin, scope=SETTINGS) as api:
        yield api.users().settings()


def create(gmail: Any, criteria: dict[str, Any], action: dict[str, Any] | None = None) -> None:
    body = {"criteria": criteria, "action": action or {"addLabelIds": ["STARRED"]}}
    gmail.filters().create(userId="me", body=body).execute()


def read(standin: GmailStandin, settings: GoogleSettings) -> Filters:
    with opened(standin, settings) as source:
        return source.filters()


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("hello", word("hello")),
        ("a b", AllOf((word("a"), word("b")))),
        ('"a  b"', word("a b")),
        ("a OR b OR c", AnyOf((word("a"), word("b"), word("c")))),
        ("a | b", AnyOf((word("a"), word("b")))),
        ("{a b}", AnyOf((word("a"), word("b")))),
        ("(a OR b) c", AllOf((AnyOf((word("a"), word("b"))), word("c")))),
        ("-a", Not(word("a"))),
        ("from:a@b.cc", Text(Where.FROM, How.ADDRESS, "a@b.cc")),
        (
            "from:(a@b.cc OR @d.ee)",
            AnyOf((Text(Where.FROM, How.ADDRESS, "a@b.cc"), Text(Where.FROM, How.DOMAIN, "d.ee"))),
        ),
        ("from:*@d.ee", Text(Where.FROM, How.DOMAIN, "d.ee")),
        ("from:anna", word("anna", Where.FROM)),
        ("to:d.ee", Text(Where.TO, How.DOMAIN, "d.ee")),
        ("-to:me@b.cc", Not(Text(Where.TO, How.ADDRESS, "me@b.cc"))),
        ('subject:"weekly report"', word("weekly report", Where.SUBJECT)),
        ("subject:(weekly report)", AllOf((word("weekly", Where.SUBJECT), word("report", Where.SUBJECT)))),
        ("list:dev.example.org", word("dev.example.org", Where.LIST)),
        ("larger:5M", Size(True, 5 << 20)),
        ("smaller:10k", Size(False, 10 << 10)),
        ("Re: hello", AllOf((word("Re:"), word("hello")))),
        ("räksmörgås", word("räksmörgås")),
    ],
)
def test_a_search_is_read_as_gmail_reads_it(text: str, test: Test) -> None:
    assert search(text) == test


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("has:attachment", "search-operator"),
        ("filename:pdf", "search-operator"),
        ("in:inbox x", "search-operator"),
        ("older_than:1y", "search-operator"),
        ("category:promotions", "search-operator"),
        ("http://x.example", "search-operator"),
        ("a AROUND b", "search-operator"),
        ("+exact", "search-operator"),
        ("fo*", "search-operator"),
        ("a OR b c", "search-unclear"),  # which of the two binds tighter is nowhere promised
        ("(a", "search-unclear"),
        ("a)", "search-unclear"),
        ("(a}", "search-unclear"),
        ("from:", "search-unclear"),
        ("from:(to:x)", "search-unclear"),
        ("larger:big", "search-unclear"),
        ("", "search-unclear"),
        ("OR", "search-unclear"),
        ("...", "search-unclear"),
        ("(" * 40 + "a" + ")" * 40, "search-unclear"),
    ],
)
def test_what_no_mail_server_looks_for_is_said_to_be_that(text: str, code: str) -> None:
    with pytest.raises(Unsaid) as unsaid:
        search(text)
    assert unsaid.value.gap.code == code
    assert "attachment" not in unsaid.value.gap.why
    assert "pdf" not in unsaid.value.gap.why


@pytest.mark.parametrize(
    ("criteria", "test"),
    [
        ({"from": "a@b.cc"}, Text(Where.FROM, How.ADDRESS, "a@b.cc")),
        ({"to": "a@b.cc"}, Text(Where.TO, How.ADDRESS, "a@b.cc")),
        ({"subject": "weekly report"}, AllOf((word("weekly", Where.SUBJECT), word("report", Where.SUBJECT)))),
        ({"query": "x", "negatedQuery": "y"}, AllOf((word("x"), Not(word("y"))))),
        ({"from": "a@b.cc", "size": 5000, "sizeComparison": "larger"},
         AllOf((Text(Where.FROM, How.ADDRESS, "a@b.cc"), Size(True, 5000)))),
        ({"from": "a@b.cc", "excludeChats": True}, Text(Where.FROM, How.ADDRESS, "a@b.cc")),
    ],
)  # fmt: skip
def test_criteria_are_understood(
    standin: GmailStandin, settings: GoogleSettings, gmail: Any, criteria: dict[str, Any], test: Test
) -> None:
    create(gmail, criteria)
    (rule,) = read(standin, settings).rules
    assert (rule.condition, rule.gaps) == (test, ())


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        ({"hasAttachment": True}, "attachments"),
        ({"from": "a@b.cc, d@e.ff"}, "search-operator"),
        ({"query": "filename:pdf"}, "search-operator"),
        ({"negatedQuery": "has:attachment"}, "search-operator"),
        ({"size": 10}, "size-unclear"),
    ],
)
def test_criteria_that_no_mail_server_knows_are_gaps(
    standin: GmailStandin, settings: GoogleSettings, gmail: Any, criteria: dict[str, Any], code: str
) -> None:
    create(gmail, criteria)
    (rule,) = read(standin, settings).rules
    assert [(gap.code, gap.of) for gap in rule.gaps] == [(code, "condition")]


def test_a_filter_that_says_nothing_or_something_new_is_never_one_for_all_letters() -> None:
    found = told({"filter": [{"id": "x"}, {"id": "y", "criteria": {"futureField": "x"}}]}, {}, {})
    assert [[gap.code for gap in rule.gaps] for rule in found.rules] == [["no-criteria"], ["criteria-unknown"]]


def test_actions_become_folders_and_marks_and_a_name_that_gives_nothing_away(
    standin: GmailStandin, settings: GoogleSettings, gmail: Any
) -> None:
    mailbox = standin.mailbox(ANNA)
    label, other = mailbox.create_label("Projekt/Åre").id, mailbox.create_label("Gone").id
    table: list[tuple[dict[str, Any], tuple[Any, ...], str]] = [
        ({"addLabelIds": [label]}, (File(Folder(("Projekt", "Åre")), copy=True),), 'Filter 1: label "Projekt/Åre"'),
        (
            {"addLabelIds": [label], "removeLabelIds": ["INBOX", "UNREAD"]},
            (Mark(("\\Seen",)), File(Folder(("Projekt", "Åre")), copy=False)),
            'Filter 2: mark as read, label "Projekt/Åre", skip the inbox',
        ),
        ({"removeLabelIds": ["INBOX"]}, (File(Folder((), Role.ARCHIVE), copy=False),), "Filter 3: archive"),
        ({"addLabelIds": ["TRASH"]}, (Trash(),), "Filter 4: delete"),
        (
            {"addLabelIds": ["STARRED", "IMPORTANT", "CATEGORY_UPDATES"]},
            (Mark(("\\Flagged", "$Important", "$Category_Updates")),),
            "Filter 5: star, mark",
        ),
        ({"forward": "else@x.example"}, (Forward(("else@x.example",)),), "Filter 6: forward"),
        ({"removeLabelIds": ["SPAM"], "addLabelIds": ["STARRED"]}, (Mark(("\\Flagged",)),), "Filter 7: star"),
        ({"addLabelIds": [other]}, (), "Filter 8"),
    ]
    for number, (action, _, _) in enumerate(table):
        create(gmail, {"from": f"secret{number}@b.cc"}, action)
    del mailbox.labels[other]
    found = read(standin, settings)
    assert [rule.actions for rule in found.rules] == [actions for _, actions, _ in table]
    assert [rule.name for rule in found.rules] == [name for _, _, name in table]
    assert [(gap.code, gap.of) for gap in found.rules[6].gaps] == [("never-spam", "mark")]
    assert [(gap.code, gap.of) for gap in found.rules[7].gaps] == [("label-gone", "action")]
    assert not found.ordered


def test_the_vacation_responder_is_a_reply_while_away(
    standin: GmailStandin, settings: GoogleSettings, gmail: Any
) -> None:
    assert read(standin, settings).absence is None
    body = {
        "enableAutoReply": True,
        "responseSubject": "Away",
        "responseBodyPlainText": "not this",
        "responseBodyHtml": "<p>Back on <b>Monday</b></p>",
        "startTime": "1767225600000",
        "endTime": "1767830400000",
    }
    gmail.updateVacation(userId="me", body=body).execute()
    away = read(standin, settings).absence
    assert away is not None
    assert away.replies == (Reply("Back on Monday", "everybody", "Away"),)
    assert (away.start, away.end) == (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 8, tzinfo=UTC))
    for restriction, to in (("restrictToDomain", "inside"), ("restrictToContacts", "contacts")):
        only = {"enableAutoReply": True, "responseBodyPlainText": "x", restriction: True}
        gmail.updateVacation(userId="me", body=only).execute()
        away = read(standin, settings).absence
        assert away is not None
        assert away.replies[0].to == to
        assert away.start is None


def test_the_stand_in_is_strict_about_settings(standin: GmailStandin, gmail: Any) -> None:
    for criteria, action in (
        ({}, {"addLabelIds": ["STARRED"]}),
        ({"from": "x"}, {}),
        ({"from": "x"}, {"addLabelIds": ["Label_99"]}),
        ({"from": "x", "sizeComparison": "equal"}, {"addLabelIds": ["STARRED"]}),
    ):
        with pytest.raises(HttpError):
            gmail.filters().create(userId="me", body={"criteria": criteria, "action": action}).execute()
    create(gmail, {"from": "x"})
    with pytest.raises(HttpError):
        create(gmail, {"from": "x"})
    (one,) = gmail.filters().list(userId="me").execute()["filter"]
    assert gmail.filters().get(userId="me", id=one["id"]).execute() == one
    gmail.filters().delete(userId="me", id=one["id"]).execute()
    assert gmail.filters().list(userId="me").execute() == {}
    with pytest.raises(HttpError):
        gmail.updateVacation(userId="me", body={"enableAutoReply": True}).execute()
    with vendor_client(standin, scope="https://www.googleapis.com/auth/gmail.readonly") as api:
        with pytest.raises(HttpError):
            create(api.users().settings(), {"from": "y"})
        assert api.users().settings().getVacation(userId="me").execute() == {"enableAutoReply": False}
