"""Graph's folders, messages and refusals: tables of what is told and what it means."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from graph_schema import VARIABLE
from liberate_microsoft import folders, messages
from liberate_microsoft.folders import MailFolder
from liberate_microsoft.mail_problems import letter_error, mail_error
from liberate_microsoft.paging import lengthened, shortened
from liberate_microsoft.problems import Failure, failure

from liberate.errors import AccountError, ItemError, TransientError
from liberate.mail import Folder, MailFacts, Role

INBOX = MailFolder("F", ("Inbox",), Role.INBOX)
SENT = MailFolder("S", ("Sent Items",), Role.SENT)
BELOW_SENT = MailFolder("B", ("Sent Items", "2026"), outgoing=True)
MESSAGE = {"id": "1", "isRead": False, "isDraft": False, "importance": "normal", "flag": {"flagStatus": "notFlagged"}}
EARLY, LATE = "2026-01-02T03:04:05Z", "2026-01-02T03:04:59Z"


def verb(value: Any, key: str = "Integer 0x1081") -> dict[str, Any]:
    return {"singleValueExtendedProperties": [{"id": key, "value": value}]}


@pytest.mark.parametrize(
    ("raw", "flags", "keywords"),
    [
        ({}, set(), set()),
        ({"isRead": True}, {"\\Seen"}, set()),
        ({"isDraft": True}, {"\\Draft"}, set()),
        ({"flag": {"flagStatus": "flagged"}}, {"\\Flagged"}, set()),
        ({"flag": {"flagStatus": "complete"}}, set(), {"$FlagComplete"}),
        ({"flag": None}, set(), set()),
        ({"importance": "high"}, set(), {"$Important"}),
        ({"importance": "low"}, set(), set()),
        ({"categories": ["Board"]}, set(), {"Board"}),
        ({"categories": ["Red category", "Årsmöte"]}, set(), {"Red_category", "&AMU-rsm&APY-te"}),
        ({"categories": ["Junk", "$Forwarded", " ", "", None, 7]}, set(), {"_Junk", "_Forwarded"}),
        ({"categories": None}, set(), set()),
        (verb("102"), {"\\Answered"}, set()),
        (verb("103"), {"\\Answered"}, set()),
        (verb("104"), set(), {"$Forwarded"}),
        (verb("0"), set(), set()),
        (verb(None), set(), set()),
        (verb("often"), set(), set()),
        (verb("102", "integer 0x1081"), {"\\Answered"}, set()),
        (verb("102", "Integer 0x1082"), set(), set()),
        ({"singleValueExtendedProperties": None}, set(), set()),
        (
            {"isRead": True, "flag": {"flagStatus": "flagged"}, "importance": "high", **verb("104")},
            {"\\Seen", "\\Flagged"},
            {"$Important", "$Forwarded"},
        ),
    ],
)
def test_flags_and_keywords(raw: dict[str, Any], flags: set[str], keywords: set[str]) -> None:
    found = messages.facts({**MESSAGE, **raw}, INBOX)
    assert (set(found.flags), set(found.keywords)) == (flags, keywords)
    assert found.folders == (Folder(("Inbox",), Role.INBOX),)


@pytest.mark.parametrize(
    ("raw", "folder", "when"),
    [
        ({"receivedDateTime": LATE, "sentDateTime": EARLY}, INBOX, 59),
        ({"receivedDateTime": LATE, "sentDateTime": EARLY}, SENT, 5),
        ({"receivedDateTime": LATE, "sentDateTime": EARLY}, BELOW_SENT, 5),
        ({"receivedDateTime": LATE, "sentDateTime": EARLY, "isDraft": True}, INBOX, 5),
        ({"receivedDateTime": LATE, "sentDateTime": None}, SENT, 59),
        ({"receivedDateTime": None, "sentDateTime": EARLY}, INBOX, 5),
        ({"receivedDateTime": "0001-01-01T00:00:00+14:00", "sentDateTime": EARLY}, INBOX, 5),
        ({}, INBOX, None),
    ],
)
def test_the_time_of_arrival_or_of_sending(raw: dict[str, Any], folder: MailFolder, when: int | None) -> None:
    wanted = None if when is None else datetime(2026, 1, 2, 3, 4, when, tzinfo=UTC)
    assert messages.received(raw, folder) == wanted


def test_only_a_draft_has_a_version_and_no_flag_changes_one() -> None:
    sent = messages.item({**MESSAGE, "changeKey": "a", "lastModifiedDateTime": EARLY}, INBOX)
    flagged = {**MESSAGE, "isRead": True, "changeKey": "b", "lastModifiedDateTime": LATE}
    assert (sent.version, messages.item(flagged, INBOX).version) == ("", "")
    assert sent.facts_version != messages.item(flagged, INBOX).facts_version
    assert sent.facts_version != messages.item(MESSAGE, SENT).facts_version
    assert sent.facts_version == messages.item({**MESSAGE, "receivedDateTime": LATE}, INBOX).facts_version
    drafts = [messages.version({**MESSAGE, "isDraft": True, "lastModifiedDateTime": at}) for at in (EARLY, LATE, None)]
    assert len(set(drafts)) == 3
    assert "" not in drafts
    assert (sent.size, sent.repeatable, sent.name) == (None, False, "")


def test_a_folders_role_comes_from_its_well_known_name_and_what_is_skipped_takes_all_below_along() -> None:
    def told(key: str, above: str = "", **more: Any) -> tuple[dict[str, Any], str]:
        return {"id": key, "displayName": key.title(), "totalItemCount": 1, **more}, above

    tree = [
        told("in"), told("a/b", "in"), told("deep", "a/b"),
        told("sync"), told("conf", "sync"), told("hid", isHidden=True), told("below", "hid"),
        told("arch", isHidden=True), told("find", **{"@odata.type": "#microsoft.graph.mailSearchFolder"}),
        told("nameless-folder", displayName=""), told("odd", totalItemCount=None), told("sent"), told("old", "sent"),
    ]  # fmt: skip
    known = {"inbox": "in", "syncissues": "sync", "archive": "arch", "sentitems": "sent"}
    found = {one.id: one for one in folders.convert(tree, known, "skip")}
    assert (found["in"].role, found["arch"].role, found["arch"].left) == (Role.INBOX, Role.ARCHIVE, "")
    assert found["deep"].path == ("In", "A/B", "Deep")
    assert [found[one].left for one in ("sync", "conf", "hid", "below", "find", "in", "deep")] == [
        "system-folder", "system-folder", "hidden-folder", "hidden-folder", "search-folder", "", "",
    ]  # fmt: skip
    assert found["nameless-folder"].path == ("s-folder",)
    assert (found["odd"].count, found["old"].outgoing, found["sent"].outgoing) == (0, True, False)
    copied = {one.id: one.left for one in folders.convert(tree, known, "copy")}
    assert (copied["hid"], copied["below"], copied["conf"]) == ("", "", "system-folder")


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (404, "MailboxNotEnabledForRESTAPI", "no-mailbox"),
        (404, "MailboxNotHostedInExchangeOnline", "no-mailbox"),
        (400, "MailboxNotEnabledForRESTAPI", "no-mailbox"),
        (404, "ErrorInvalidUser", "no-account"),
        (404, "Request_ResourceNotFound", "no-account"),
        (404, "", "no-account"),
        (404, "ErrorItemNotFound", "not-found"),
        (403, "ErrorAccessDenied", "not-permitted"),
        (403, "", "not-permitted"),
        (401, "InvalidAuthenticationToken", "token-refused"),
        (403, "ErrorAccountDisabled", "mailbox-disabled"),
        (400, "BadRequest", "source-refused"),
    ],
)
def test_errors_of_a_mailbox_say_what_to_do(status: int, code: str, expected: str) -> None:
    body = json.dumps({"error": {"code": code, "message": "Bearer eyJsecret, Subject: private"}}).encode()
    told = mail_error(failure(status, {}, body), "anna@x.example")
    assert isinstance(told, AccountError)
    assert told.code == expected
    assert "anna@x.example" in told.why
    assert told.todo or expected == "source-refused"
    assert not {"eyJsecret", "private"} & set(str(told).replace(",", " ").split())


def test_who_may_not_read_is_told_of_both_ways_to_be_let_in() -> None:
    told = str(mail_error(Failure(403, "erroraccessdenied"), "anna"))
    assert "Mail.Read" in told
    assert "RBAC for Applications" in told


@pytest.mark.parametrize("status", [429, 503, 504, 500, 408])
def test_passing_errors_carry_the_wait_that_was_asked_for_even_a_fraction(status: int) -> None:
    told = mail_error(failure(status, {"Retry-After": "2.75"}, b"<html>"), "anna")
    assert isinstance(told, TransientError)
    assert told.retry_after == 2.75
    assert letter_error(Failure(status)) is None


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (500, "ErrorContentConversionFailed", "conversion-failed"),
        (500, "ErrorCorruptData", "conversion-failed"),
        (404, "ErrorItemNotFound", "gone"),
        (410, "", "gone"),
        (400, "ErrorInvalidIdMalformed", "source-refused"),
        (405, "ErrorInvalidRequest", "source-refused"),
        (403, "ErrorAccessDenied", None),
        (404, "MailboxNotEnabledForRESTAPI", None),
        (401, "", None),
    ],
)
def test_errors_of_one_message(status: int, code: str, expected: str | None) -> None:
    told = letter_error(Failure(status, code.lower()))
    assert (told.code if isinstance(told, ItemError) else None) == expected


@pytest.mark.parametrize(
    ("link", "kept"),
    [
        ("https://g.example/v1.0/users/a/mailFolders/f/messages/delta?$deltatoken=a%2Bb", "$deltatoken=a%2Bb"),
        (
            "https://g.example/v1.0/users/a/mailFolders('f')/messages/delta?$skiptoken=x",
            "$skiptoken=x",
        ),
        (
            "https://g.example/v1.0/me/messages/microsoft.graph.delta()?$skiptoken=x",
            "https://g.example/v1.0/me/messages/microsoft.graph.delta()?$skiptoken=x",
        ),
    ],
)
def test_links_are_kept_as_short_as_can_be(link: str, kept: str) -> None:
    assert shortened(link, "/delta") == kept
    where, params = lengthened(kept, "/path")
    assert (where, params) == ((link, {}) if kept == link else ("/path", dict([kept.replace("%2B", "+").split("=")])))


def _recorded(name: str) -> Any:
    folder = Path(os.environ.get(VARIABLE, "")).parent / "graph-recorded"
    if not os.environ.get(VARIABLE) or not folder.is_dir():
        pytest.skip(f"{VARIABLE} names no folder of schemas beside recorded answers")
    return json.loads((folder / name).read_text())


@pytest.mark.parametrize(
    "name",
    ["response-messages-delta.json", "response-messages.json", "response-messages-with-item-attachment.json"],
)
def test_lists_recorded_from_the_service_are_taken_unchanged(name: str) -> None:
    told = _recorded(name)
    assert told["value"]
    for raw in told["value"]:
        item = messages.item(raw, INBOX)
        assert isinstance(item.facts, MailFacts)
        assert (item.id, item.version) == (raw["id"], "")
        assert item.facts.received is not None
        assert ("\\Seen" in item.facts.flags) is raw["isRead"]
    link = told.get("@odata.nextLink") or told.get("@odata.deltaLink")
    if link:
        assert shortened(link, "/delta")


@pytest.mark.parametrize(
    "name", ["response-message.json", "response-message-move.json", "response-message-has-item-attachment.json"]
)
def test_single_messages_recorded_from_the_service_are_taken_unchanged(name: str) -> None:
    raw = _recorded(name)
    item = messages.item(raw, SENT)
    assert item.id == raw["id"]
    assert isinstance(item.facts, MailFacts)
    assert item.facts.received == datetime.fromisoformat(raw["sentDateTime"])
