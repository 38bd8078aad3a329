"""Outlook's rules and automatic replies, as the stand-in tells them, in liberate's words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from icalendar.timezone.windows_to_olson import WINDOWS_TO_OLSON
from liberate_microsoft import auth, rules
from liberate_microsoft.client import Client
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.source import MicrosoftSource
from liberate_microsoft.standin import GraphStandin
from liberate_microsoft.times import point
from microsoft_kit import ANNA, patient

from liberate.connector import Account, HasFilters, Kind
from liberate.errors import AccountError
from liberate.filters import (
    Absence,
    AllOf,
    AnyOf,
    File,
    Filters,
    Forward,
    How,
    Mark,
    Reply,
    Rule,
    Size,
    Text,
    Trash,
    Where,
)
from liberate.mail import Folder, Role

BOSS = {"emailAddress": {"name": "Boss", "address": "boss@example.org"}}


def read(settings: MicrosoftSettings) -> Filters:
    account = Account(ANNA)
    client = Client(settings, account, patient(), auth.shared(settings, account))
    try:
        return rules.filters(client, ANNA)
    finally:
        client.close()


def one(standin: GraphStandin, settings: MicrosoftSettings, conditions: Any, actions: Any = None, **more: Any) -> Rule:
    box = standin.rule_box(ANNA)
    box.add("A rule", conditions, actions or {"markAsRead": True}, **more)
    return read(settings).rules[-1]


def test_rules_come_in_their_order_with_the_folders_that_they_name(
    standin: GraphStandin, settings: MicrosoftSettings
) -> None:
    box = standin.rule_box(ANNA)
    projekt, junk = box.folder("Projekt", "Åre"), box.folder("Junk Email")
    box.add("second", {"senderContains": ["shop"]}, {"moveToFolder": junk, "stopProcessingRules": True}, sequence=9)
    box.add("first", {"subjectContains": ["x", "y"]}, {"copyToFolder": projekt, "markAsRead": True}, sequence=2)
    for number in range(12):  # more than a page
        box.add(f"off {number}", {"bodyContains": ["z"]}, {"delete": True}, sequence=20 + number, isEnabled=False)
    found = read(settings)
    assert found.ordered
    assert len(found.rules) == 14
    assert found.rules[0] == Rule(
        "first",
        AnyOf((Text(Where.SUBJECT, How.CONTAINS, "x"), Text(Where.SUBJECT, How.CONTAINS, "y"))),
        (Mark(("\\Seen",)), File(Folder(("Projekt", "Åre")), copy=True)),
    )
    assert found.rules[1] == Rule(
        "second",
        Text(Where.FROM, How.CONTAINS, "shop"),
        (File(Folder(("Junk Email",), Role.JUNK), copy=False),),
        stop=True,
    )
    assert [rule.enabled for rule in found.rules[2:]] == [False] * 12
    assert found.absence is None


@pytest.mark.parametrize(
    ("conditions", "test"),
    [
        ({"fromAddresses": [BOSS]}, Text(Where.FROM, How.ADDRESS, "boss@example.org")),
        ({"sentToAddresses": [BOSS]}, Text(Where.TO, How.ADDRESS, "boss@example.org")),
        ({"recipientContains": ["list"]}, Text(Where.TO, How.CONTAINS, "list")),
        ({"bodyOrSubjectContains": ["a"]}, Text(Where.SUBJECT_OR_BODY, How.CONTAINS, "a")),
        ({"headerContains": ["X-Spam-Flag: YES"]}, Text(Where.HEADER, How.BEGINS, "YES", "X-Spam-Flag", partial=True)),
        ({"importance": "high"}, Text(Where.HEADER, How.BEGINS, "high", "importance", partial=True)),
        ({"sentToMe": True}, Text(Where.DIRECT, How.ADDRESS, ANNA, partial=True)),
        ({"withinSizeRange": {"minimumSize": 10, "maximumSize": 20}}, AllOf((Size(True, 10240), Size(False, 20480)))),
    ],
)
def test_conditions_are_understood(
    standin: GraphStandin, settings: MicrosoftSettings, conditions: Any, test: Any
) -> None:
    found = one(standin, settings, conditions)
    assert (found.condition, found.gaps) == (test, ())


@pytest.mark.parametrize(
    ("conditions", "more", "code"),
    [
        ({"hasAttachments": True}, {}, "condition-unknown"),
        ({"categories": ["Red"], "subjectContains": ["x"]}, {}, "condition-unknown"),
        ({"importance": "normal"}, {}, "condition-unknown"),
        ({"sentToMe": False}, {}, "condition-unknown"),
        ({"notSentToMe": True}, {}, "condition-unknown"),
        ({"headerContains": ["no colon"]}, {}, "condition-unknown"),
        ({"fromAddresses": [{"emailAddress": {"name": "Nobody"}}]}, {}, "condition-unknown"),
        ({"subjectContains": ["x"]}, {"exceptions": {"isMeetingRequest": True}}, "condition-unknown"),
        ({}, {}, "no-criteria"),
        ({"subjectContains": ["x"]}, {"hasError": True}, "broken-at-source"),
        ({"subjectContains": ["x"]}, {"isReadOnly": True}, "hidden-at-source"),
    ],
)
def test_what_a_mail_server_cannot_ask_for_is_a_gap(
    standin: GraphStandin, settings: MicrosoftSettings, conditions: Any, more: Any, code: str
) -> None:
    found = one(standin, settings, conditions, **more)
    assert [(gap.code, gap.of) for gap in found.gaps] == [(code, "condition")]


@pytest.mark.parametrize(
    ("actions", "done", "codes"),
    [
        ({"delete": True}, (Trash(),), []),
        ({"permanentDelete": True}, (Trash(),), []),
        ({"forwardTo": [BOSS], "redirectTo": [BOSS]}, (Forward(("boss@example.org",)),) * 2, []),
        ({"forwardAsAttachmentTo": [BOSS]}, (), ["forward-as-attachment"]),
        ({"moveToFolder": "AQMkgone="}, (), ["folder-gone"]),
        ({"assignCategories": ["Rött kort"], "markImportance": "high"}, (Mark(("R&APY-tt_kort", "$Important")),), []),
        ({"markImportance": "low", "markAsRead": False}, (), []),
    ],
)
def test_actions_are_understood(
    standin: GraphStandin, settings: MicrosoftSettings, actions: Any, done: Any, codes: list[str]
) -> None:
    found = one(standin, settings, {"subjectContains": ["x"]}, actions)
    assert found.actions == done
    assert [(gap.code, gap.of) for gap in found.gaps] == [(code, "action") for code in codes]


def replies(standin: GraphStandin, settings: MicrosoftSettings, **told: Any) -> Absence | None:
    box = standin.rule_box(ANNA)
    box.replies |= {"status": "alwaysEnabled", "internalReplyMessage": "<p>in</p>", **told}
    return read(settings).absence


def test_automatic_replies_say_who_is_told_what_and_when(standin: GraphStandin, settings: MicrosoftSettings) -> None:
    assert replies(standin, settings, status="disabled") is None
    inside = Reply("in", "inside")
    out = {"externalReplyMessage": "<div>out</div>"}
    assert replies(standin, settings, **out) == Absence((inside, Reply("out", "outside")), days=30)
    assert replies(standin, settings, **out, externalAudience="none") == Absence((inside,), days=30)
    contacts = Absence((inside, Reply("out", "contacts")), days=30)
    assert replies(standin, settings, **out, externalAudience="contactsOnly") == contacts
    same = replies(standin, settings, externalReplyMessage="in", externalAudience="all")
    assert same == Absence((Reply("in", "everybody"),), days=30)
    start = {"dateTime": "2026-07-01T08:00:00.0000000", "timeZone": "W. Europe Standard Time"}
    end = {"dateTime": "2026-12-24T17:00:00.0000000", "timeZone": "UTC"}
    dated = replies(standin, settings, status="scheduled", scheduledStartDateTime=start, scheduledEndDateTime=end)
    assert dated is not None
    assert dated.start == datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert dated.end == datetime(2026, 12, 24, 17, tzinfo=UTC)
    strange = {"dateTime": "2026-07-01T08:00:00", "timeZone": "tzone://Microsoft/Custom"}
    lost = replies(standin, settings, status="scheduled", scheduledStartDateTime=strange)
    assert lost is not None
    assert [gap.code for gap in lost.gaps] == ["dates-unknown"]
    assert lost.replies == ()


def test_every_zone_of_windows_is_one() -> None:
    assert len(WINDOWS_TO_OLSON) > 130
    for name in (
        *WINDOWS_TO_OLSON,
        "Alberta Standard Time",
        "British Columbia Standard Time",
        "Manitoba Standard Time",
    ):
        assert point({"dateTime": "2026-07-01T08:00:00.1234567", "timeZone": name}) is not None, name
    assert point({"dateTime": "nonsense", "timeZone": "UTC"}) is None


@pytest.mark.parametrize("missing", ["MailboxSettings.Read", "Mail.Read"])
def test_a_permission_that_is_missing_is_named(
    standin: GraphStandin, settings: MicrosoftSettings, missing: str
) -> None:
    standin.rule_box(ANNA).add("x", {"subjectContains": ["x"]}, {"moveToFolder": standin.rule_box(ANNA).folder("A")})
    standin.entra.roles -= {missing}
    with pytest.raises(AccountError, match=missing.replace(".", r"\.")):
        read(settings)


def test_the_source_of_mail_offers_its_rules_with_the_folders_as_they_move(
    standin: GraphStandin, settings: MicrosoftSettings
) -> None:
    mailbox = standin.add_mailbox(ANNA)
    folder = mailbox.add_folder("Projekt")
    box = standin.rule_box(ANNA)
    box.add("a rule", {"subjectContains": ["x"]}, {"moveToFolder": folder.id})
    source = MicrosoftSource(settings, Account(ANNA, kinds=frozenset({Kind.MAIL})))
    try:
        assert isinstance(source, HasFilters)
        (rule,) = source.filters().rules
        assert rule.actions == (File(Folder(("Projekt",)), copy=False),)
        standin.entra.roles -= {"MailboxSettings.Read"}
    finally:
        source.close()
    files = MicrosoftSource(settings, Account(ANNA, kinds=frozenset({Kind.FILE})))
    assert files.filters() == Filters()
