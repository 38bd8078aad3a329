"""The Gmail source against the stand-in: every message once, whatever goes wrong on the way."""

from __future__ import annotations

from typing import Any

import pytest
from google_kit import (
    ANNA,
    cursor,
    gone,
    items,
    listing,
    mail,
    opened,
    skipped,
)  # fmt: skip
from liberate_google.connectors import google
from liberate_google.settings import GoogleSettings
from liberate_google.standin import Fault, GmailStandin

from liberate.connector import Account, Cursor, Kind, ReadsMany, Surveys
from liberate.mail import Folder, MailFacts, Role


def facts_of(listed: Any, key: str) -> MailFacts:
    [found] = [item.facts for item in items(listed) if item.id == key]
    assert isinstance(found, MailFacts)
    return found


# Listing -----------------------------------------------------------------------------------------


def test_the_entry_point_opens_a_source_with_its_powers(standin: GmailStandin, settings: GoogleSettings) -> None:
    standin.add_message(ANNA, mail(1))
    assert google.source is not None
    with google.source(settings, Account(ANNA, kinds=frozenset({Kind.MAIL}))) as source:
        [collection] = source.collections()
        assert (collection.kind, collection.path, collection.count) == (Kind.MAIL, (), 1)
        assert isinstance(source, ReadsMany)
        assert isinstance(source, Surveys)


def test_every_message_is_listed_once_oldest_first_with_its_labels(
    standin: GmailStandin, settings: GoogleSettings
) -> None:
    put = [
        standin.add_message(ANNA, mail(n), [["INBOX"], ["SENT"], ["Work/Roof"], [], ["SPAM"], ["TRASH"]][n % 6], n)
        for n in range(1203)
    ]
    with opened(standin, settings) as source:
        listed = listing(source)
    assert [item.id for item in items(listed)] == put
    assert isinstance(cursor(listed), str)
    roles = {item.id: item.facts.folders for item in items(listed)}
    assert roles[put[0]] == (Folder(("INBOX",), Role.INBOX),)
    assert roles[put[1]][0].role is Role.SENT
    assert roles[put[2]] == (Folder(("Work", "Roof")),)
    assert roles[put[3]] == (Folder((), Role.ARCHIVE),)
    assert roles[put[4]][0].role is Role.JUNK
    assert roles[put[5]][0].role is Role.TRASH


def test_no_message_is_got_just_to_learn_its_labels(standin: GmailStandin, settings: GoogleSettings) -> None:
    for n in range(50):
        standin.add_message(ANNA, mail(n), ["INBOX", "UNREAD"])
    with opened(standin, settings) as source:
        listing(source)
    assert "messages.get" not in {call.method for call in standin.requests}


def test_chats_are_counted_and_not_listed(standin: GmailStandin, settings: GoogleSettings) -> None:
    standin.add_message(ANNA, mail(1), ["INBOX"])
    chat = standin.add_message(ANNA, mail(2), ["CHAT"])
    with opened(standin, settings) as source:
        listed = listing(source)
    assert [(one.id, one.code) for one in skipped(listed)] == [(chat, "chat")]
    assert len(items(listed)) == 1


def test_what_changes_during_the_listing_is_listed_as_it_is_at_its_end(
    standin: GmailStandin, settings: GoogleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [standin.add_message(ANNA, mail(n), ["INBOX"]) for n in range(5)]
    mailbox = standin.mailbox(ANNA)
    late: list[str] = []
    real = standin.faults.strike

    def meddle(call: Any) -> Fault | None:
        if call.method == "messages.list" and "UNREAD" in call.params.get("labelIds", ()) and not late:
            late.append(standin.add_message(ANNA, mail(9), ["SENT"]))
            mailbox.delete(keys[0])
            mailbox.modify(keys[1], add=["STARRED"], remove=["INBOX"])
        return real(call)

    monkeypatch.setattr(standin.faults, "strike", meddle)
    with opened(standin, settings) as source:
        listed = listing(source)
        again = listing(source, cursor(listed))
    assert [item.id for item in items(listed)] == [*keys[1:], *late]
    assert facts_of(listed, keys[1]).folders == (Folder((), Role.ARCHIVE),)
    assert "\\Flagged" in facts_of(listed, keys[1]).flags
    assert again == [cursor(again)], "the cursor stands behind all of it"


# The second pass ---------------------------------------------------------------------------------


def test_the_second_pass_lists_what_changed_and_nothing_else(standin: GmailStandin, settings: GoogleSettings) -> None:
    keys = [standin.add_message(ANNA, mail(n), ["INBOX", "UNREAD"]) for n in range(20)]
    standin.mailbox(ANNA).create_label("Work")
    with opened(standin, settings) as source:
        first = listing(source)
        mailbox = standin.mailbox(ANNA)
        mailbox.modify(keys[3], remove=["UNREAD"])
        mailbox.modify(keys[4], remove=["UNREAD", "INBOX"])  # none left: the history leaves labelIds out
        mailbox.modify(keys[5], add=["TRASH"], remove=["INBOX"])
        mailbox.delete(keys[6])
        new = standin.add_message(ANNA, mail(77), ["INBOX", "Work"])
        brief = standin.add_message(ANNA, mail(78))
        mailbox.delete(brief)
        second = listing(source, cursor(first))
        third = listing(source, cursor(second))
    assert {item.id for item in items(second)} == {keys[3], keys[4], keys[5], new}
    assert set(gone(second)) == {keys[6], brief}
    assert facts_of(second, keys[3]).flags == {"\\Seen"}
    assert facts_of(second, keys[4]).folders == (Folder((), Role.ARCHIVE),)
    assert facts_of(second, keys[5]).folders[0].role is Role.TRASH
    assert Folder(("Work",)) in facts_of(second, new).folders
    before = {item.id: item.facts_version for item in items(first)}
    assert all(item.facts_version != before.get(item.id) for item in items(second))
    assert third == [cursor(third)]


def test_a_second_pass_over_many_changes_reads_every_page(standin: GmailStandin, settings: GoogleSettings) -> None:
    standin.add_message(ANNA, mail(0))
    with opened(standin, settings) as source:
        start = cursor(listing(source))
        keys = [standin.add_message(ANNA, mail(n)) for n in range(1, 1300)]
        second = listing(source, start)
    assert [item.id for item in items(second)] == keys


def test_history_that_has_expired_is_answered_with_everything(standin: GmailStandin, settings: GoogleSettings) -> None:
    keys = [standin.add_message(ANNA, mail(n)) for n in range(3)]
    with opened(standin, settings) as source:
        first = listing(source)
        standin.mailbox(ANNA).expire_history()
        second = listing(source, cursor(first))
        third = listing(source, cursor(second))
    assert [item.id for item in items(second)] == keys
    assert third == [cursor(third)]


@pytest.mark.parametrize("change", ["rename", "delete"])
def test_a_renamed_or_deleted_label_moves_the_messages_that_bore_it(
    standin: GmailStandin, settings: GoogleSettings, change: str
) -> None:
    key = standin.add_message(ANNA, mail(1), ["Work"])
    mailbox = standin.mailbox(ANNA)
    label = mailbox.label_named("Work")
    assert label is not None
    with opened(standin, settings) as source:
        first = listing(source)
        if change == "rename":
            mailbox.rename_label(label.id, "Play")
        else:
            mailbox.delete_label(label.id)
        second = listing(source, cursor(first))
    wanted = Folder(("Play",)) if change == "rename" else Folder((), Role.ARCHIVE)
    assert facts_of(second, key).folders == (wanted,)


def test_a_new_label_costs_no_full_listing(standin: GmailStandin, settings: GoogleSettings) -> None:
    standin.add_message(ANNA, mail(1), ["Work"])
    with opened(standin, settings) as source:
        start = cursor(listing(source))
        new = standin.add_message(ANNA, mail(2), ["Brand new"])
        standin.requests.clear()
        second = listing(source, start)
    assert [item.id for item in items(second)] == [new]
    assert "messages.list" not in {call.method for call in standin.requests}


def test_a_label_deleted_during_the_listing_is_no_trouble(
    standin: GmailStandin, settings: GoogleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = standin.add_message(ANNA, mail(1), ["Work", "STARRED"])
    mailbox = standin.mailbox(ANNA)
    real = standin.faults.strike

    def meddle(call: Any) -> Fault | None:
        label = mailbox.label_named("Work")
        if call.method == "messages.list" and label is not None:
            mailbox.delete_label(label.id)
        return real(call)

    monkeypatch.setattr(standin.faults, "strike", meddle)
    with opened(standin, settings) as source:
        listed = listing(source)
    assert facts_of(listed, key).folders == (Folder((), Role.ARCHIVE),)
    assert "\\Flagged" in facts_of(listed, key).flags


@pytest.mark.parametrize("strange", ["history:", "history:abc:", "uid:5", ""])
def test_a_cursor_that_is_not_ours_is_answered_with_everything(
    standin: GmailStandin, settings: GoogleSettings, strange: str
) -> None:
    standin.add_message(ANNA, mail(1))
    with opened(standin, settings) as source:
        assert len(items(listing(source, Cursor(strange)))) == 1
