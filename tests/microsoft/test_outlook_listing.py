"""The Outlook source against the stand-in: every message once, wherever it is moved, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from liberate_microsoft import mail_listing
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.mail_listing import read_cursor
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Fault, GraphStandin, Mailbox
from microsoft_kit import ANNA, calls
from outlook_kit import by_id, cursor, facts, gone, items, key, listing, mail, opened, path, skipped

from liberate.connector import Account, Checks, Collection, Cursor, Item, Kind, ReadsMany, Surveys
from liberate.errors import TransientError
from liberate.mail import Folder, Role

MAIL = frozenset({Kind.MAIL})
GERMAN = {
    "inbox": "Posteingang", "sentitems": "Gesendete Elemente", "deleteditems": "Gelöschte Elemente",
    "drafts": "Entwürfe", "junkemail": "Junk-E-Mail", "archive": "Archiv", "outbox": "Postausgang",
}  # fmt: skip


@pytest.fixture
def mailbox(standin: GraphStandin) -> Mailbox:
    return standin.add_mailbox(ANNA)


# The first pass ----------------------------------------------------------------------------------


def test_the_entry_point_opens_a_source_with_its_powers(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    mailbox.add(mail(1))
    assert microsoft.source is not None
    with microsoft.source(settings, Account(ANNA, kinds=MAIL)) as source:
        assert list(source.collections()) == [Collection("mail", (), Kind.MAIL, count=1)]
        for power in (ReadsMany, Surveys, Checks):
            assert isinstance(source, power)


def test_every_message_of_every_folder_is_listed_once(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    deep = ""
    for level in range(12):
        deep = mailbox.add_folder(f"level {level}", deep).id
    mailbox.add_folder("a/b", "inbox")
    put = {
        key(mailbox, mailbox.add(mail(n), ("inbox", deep, "sentitems", "archive", "level 0/level 1")[n % 5])): n % 5
        for n in range(61)
    }
    with opened(settings) as source:
        listed = listing(source)
    assert len(items(listed)) == 61
    found = by_id(listed)
    assert found.keys() == put.keys()
    where = {number: path(found[one]) for one, number in put.items()}
    assert where == {
        0: ("Inbox",),
        1: tuple(f"level {n}" for n in range(12)),
        2: ("Sent Items",),
        3: ("Archive",),
        4: ("level 0", "level 1"),
    }
    assert not any(one.repeatable or one.size is not None or one.version for one in items(listed))


def test_roles_are_found_whatever_the_language(standin: GraphStandin, settings: MicrosoftSettings) -> None:
    mailbox = standin.add_mailbox(ANNA, names=GERMAN)
    wanted = {
        "inbox": Role.INBOX, "sentitems": Role.SENT, "deleteditems": Role.TRASH, "drafts": Role.DRAFTS,
        "junkemail": Role.JUNK, "archive": Role.ARCHIVE,
    }  # fmt: skip
    put = {key(mailbox, mailbox.add(mail(1), name)): name for name in wanted}
    below = mailbox.add_folder("Projekte", "inbox")
    inside = mailbox.add(mail(2), below.id)
    with opened(settings) as source:
        found = by_id(listing(source))
    for one, name in put.items():
        assert facts(found[one]).folders == (Folder((GERMAN[name],), wanted[name]),)
    assert facts(found[key(mailbox, inside)]).folders == (Folder(("Posteingang", "Projekte")),)


def test_folders_of_programs_and_of_outlook_itself_stay_behind_and_are_told(
    mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.add_folder("Files", hidden=True)
    below = mailbox.add_folder("Older files", "Files")
    mailbox.add_folder("Empty", hidden=True)
    mailbox.add_folder("Unread", search=True)
    for name in ("syncissues", "conflicts", "scheduled", "searchfolders", "recoverableitemsdeletions"):
        mailbox.add_well_known(name)
    for name in ("Files", below.id, "outbox", "conflicts", "recoverableitemsdeletions"):
        mailbox.add(mail(1), name)
    here = mailbox.add(mail(2))
    with opened(settings) as source:
        listed = listing(source)
        (collection,) = source.collections()
        survey = source.survey()
    assert [one.id for one in items(listed)] == [key(mailbox, here)]
    assert sorted(skipped(listed)) == ["hidden-folder", "hidden-folder", "system-folder", "system-folder"]
    assert collection.count == 5
    assert survey.items == 1
    assert survey.folders == {(one,): one == "Inbox" for one in (
        "Inbox", "Archive", "Drafts", "Sent Items", "Deleted Items", "Junk Email",
    )}  # fmt: skip


def test_hidden_folders_come_along_if_the_plan_says_so(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    mailbox.add_folder("Files", hidden=True)
    mailbox.add(mail(1), mailbox.add_folder("Older files", "Files").id)
    with opened(settings) as source:
        start = cursor(listing(source))
    with opened(settings.model_copy(update={"hidden_folders": "copy"})) as source:
        for since in (None, start):
            listed = listing(source, since)
            assert [path(one) for one in items(listed)] == [("Files", "Older files")]
            assert skipped(listed) == []


def test_an_archive_mailbox_is_told_and_stops_nothing(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.add(mail(1))
    mailbox.archive = True
    with opened(settings) as source:
        listed = listing(source)
        assert skipped(listed) == ["archive-mailbox"]
        assert len(items(listed)) == 1
        assert skipped(listing(source, cursor(listed))) == []
        standin.faults.add(Fault(method="settings", status=500, times=None))
        assert skipped(listing(source)) == []


def test_each_folder_is_counted_and_counts_of_one_path_are_added(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    for n in range(2):
        mailbox.add_folder("Twins")
        mailbox.add(mail(n), list(mailbox.folders)[-1])
    mailbox.folder("inbox").extra = 3  # a meeting request counts, whether or not it is a message
    mailbox.add(mail(2), meeting=True)
    with opened(settings) as source:
        survey = source.survey()
        found = items(listing(source))
    assert (survey.folders[("Twins",)], survey.folders[("Inbox",)], survey.items) == (2, 4, 6)
    assert len(found) == 3


def test_every_request_asks_for_immutable_ids(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.add(mail(1))
    with opened(settings) as source:
        listed = listing(source)
        list(source.read(items(listed)[0]))
        list(source.read_many(items(listed)))
        list(source.check())
        listing(source, cursor(listed))
    asked = [call for call in standin.requests if call.method not in ("token", "discovery")]
    assert len(asked) > 20
    assert all('IdType="ImmutableId"' in call.headers["prefer"] for call in asked)


def test_the_shared_mailbox_is_read_like_any_other(standin: GraphStandin, settings: MicrosoftSettings) -> None:
    mailbox = standin.add_mailbox("info@solros.example", shared=True)
    put = mailbox.add(mail(1))
    assert microsoft.source is not None
    with microsoft.source(settings, Account("info@solros.example", kind="shared")) as source:
        (collection,) = source.collections()
        assert [one.id for one in source.items(collection, None) if isinstance(one, Item)] == [key(mailbox, put)]
    with microsoft.source(settings, Account("info@solros.example", kind="shared", kinds=frozenset({Kind.FILE}))) as one:
        assert list(one.collections()) == []


# The second pass ---------------------------------------------------------------------------------


def test_the_second_pass_lists_what_changed_and_nothing_else(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    letters = [mailbox.add(mail(n)) for n in range(17)]
    mailbox.add_folder("Board")
    with opened(settings) as source:
        first = listing(source)
        mailbox.change(letters[3], read=True)
        mailbox.change(letters[4], flag="flagged", categories=("Red",))
        mailbox.move(letters[5], "Board")
        mailbox.delete(letters[6])
        new = mailbox.add(mail(77), "Board")
        second = listing(source, cursor(first))
        third = listing(source, cursor(second))
    changed = [letters[3], letters[4], letters[5], new]
    found = by_id(second)
    assert found.keys() == {key(mailbox, one) for one in changed}
    assert gone(second) == [key(mailbox, letters[6])]
    assert path(found[key(mailbox, letters[5])]) == ("Board",)
    before = by_id(first)
    for one in changed[:3]:
        was, now = before[key(mailbox, one)], found[key(mailbox, one)]
        assert (was.version, now.version) == ("", "")
        assert was.facts_version != now.facts_version
    assert third == [cursor(third)]


def test_a_message_that_was_only_read_keeps_all_that_the_delta_does_not_tell(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    letter = mailbox.add(
        mail(1), "sentitems", flag="flagged", categories=("Red",), importance="high", last_verb=102, draft=True
    )
    lost = mailbox.add(mail(2))
    with opened(settings) as source:
        first = listing(source)
        mailbox.change(letter, read=True)
        mailbox.change(lost, read=True)
        standin.faults.add(Fault(method="message", item=key(mailbox, lost), status=404, code="ErrorItemNotFound"))
        second = listing(source, cursor(first))
    assert calls(standin, "message") == 2
    (before,) = (one for one in items(first) if one.id == key(mailbox, letter))
    (after,) = items(second)
    assert facts(after).flags - facts(before).flags == {"\\Seen"}
    assert facts(before).flags - facts(after).flags == set()
    assert facts(after).keywords == facts(before).keywords == {"Red", "$Important"}
    assert (after.version, facts(after).received) == (before.version, facts(before).received)


def test_a_message_read_and_moved_in_the_same_moment_is_told_where_it_is(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    letter = mailbox.add(mail(1))
    with opened(settings) as source:
        start = cursor(listing(source))
        mailbox.change(letter, read=True)
        standin.faults.add(Fault(method="message", does=lambda: mailbox.move(letter, "archive")))
        second = listing(source, start)
        third = listing(source, cursor(second))
    assert [path(one) for one in items(second)] == [("Archive",)]
    assert not gone(second)
    assert not gone(third)


def test_a_flag_alone_changes_no_version_and_the_same_facts_have_the_same_one(
    mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    letter = mailbox.add(mail(1), "sentitems")
    with opened(settings) as source:
        first = items(listing(source))
        mailbox.change(letter, read=True)
        mailbox.change(letter, read=False)
        assert items(listing(source)) == first


def test_a_draft_that_was_edited_or_sent_is_another_text(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    draft = mailbox.add(mail(1), "drafts", draft=True)
    with opened(settings) as source:
        first = listing(source)
        mailbox.edit(draft, mail(1, "further"))
        second = listing(source, cursor(first))
        mailbox.send(draft)
        third = listing(source, cursor(second))
    versions = [by_id(one)[key(mailbox, draft)].version for one in (first, second, third)]
    assert len(set(versions)) == 3
    assert versions[2] == ""
    assert path(by_id(third)[key(mailbox, draft)]) == ("Sent Items",)


@pytest.mark.parametrize("seen_first", ["inbox", "archive"])
def test_a_message_moved_while_its_folders_are_listed_is_neither_gone_nor_missed(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings, seen_first: str
) -> None:
    """Archive is listed before Inbox, so a move either way falls between the two."""
    there = {"inbox": "archive", "archive": "inbox"}[seen_first]
    letter = mailbox.add(mail(1), seen_first)
    for n in range(4):
        mailbox.add(mail(n), there)
    with opened(settings) as source:
        start = cursor(listing(source))
        standin.faults.add(Fault(method="mail-delta", skip=1, does=lambda: mailbox.move(letter, there)))
        seen = [listing(source, start)]
        seen.append(listing(source, cursor(seen[-1])))
        seen.append(listing(source, cursor(seen[-1])))
    told = [found for one in seen if (found := by_id(one).get(key(mailbox, letter)))]
    assert told
    assert path(told[-1]) == (mailbox.folder(there).name,)
    assert not any(gone(one) for one in seen)
    assert items(seen[-1]) == []


def test_a_message_moved_during_the_first_listing_ends_up_in_its_folder(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    letters = [mailbox.add(mail(n), ("archive", "sentitems")[n % 2]) for n in range(12)]

    def tidy() -> None:
        for one in letters[:4]:
            mailbox.move(one, "deleteditems")

    standin.faults.add(Fault(method="mail-delta", skip=1, does=tidy))
    with opened(settings) as source:
        first = listing(source)
        second = listing(source, cursor(first))
        third = listing(source, cursor(second))
    last = {one.id: path(one) for one in (*items(first), *items(second), *items(third))}
    assert last == {key(mailbox, one): (mailbox.folders[one.folder].name,) for one in letters}
    assert not any(gone(one) for one in (first, second, third))


def test_what_went_where_nothing_moves_from_is_gone_and_comes_back_when_it_is_back(
    mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.add_well_known("recoverableitemsdeletions")
    letter = mailbox.add(mail(1))
    with opened(settings) as source:
        first = listing(source)
        mailbox.move(letter, "recoverableitemsdeletions")
        second = listing(source, cursor(first))
        mailbox.move(letter, "inbox")
        third = listing(source, cursor(second))
    assert (gone(second), items(second)) == ([key(mailbox, letter)], [])
    assert [one.id for one in items(third)] == [key(mailbox, letter)]


def test_what_moved_into_a_folder_made_meanwhile_is_not_gone(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    letter = mailbox.add(mail(1))

    def tidy() -> None:
        mailbox.add_folder("New")
        mailbox.move(letter, "New")

    with opened(settings) as source:
        start = cursor(listing(source))
        standin.faults.add(Fault(method="mail-delta", does=tidy))
        second = listing(source, start)
        third = listing(source, cursor(second))
    assert (gone(second), items(second)) == ([], [])
    assert [path(one) for one in items(third)] == [("New",)]


def test_a_great_many_deletions_are_believed_without_asking_for_each(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_listing, "_MOST_ASKED", 3)
    letters = [mailbox.add(mail(n)) for n in range(8)]
    with opened(settings) as source:
        start = cursor(listing(source))
        for one in letters:
            mailbox.delete(one)
        second = listing(source, start)
    assert sorted(gone(second)) == sorted(key(mailbox, one) for one in letters)
    assert calls(standin, "message") == 3


@pytest.mark.parametrize("change", ["rename", "move", "role"])
def test_a_folder_that_was_renamed_or_moved_is_listed_anew_with_its_new_path(
    mailbox: Mailbox, settings: MicrosoftSettings, change: str
) -> None:
    mailbox.add_folder("Work")
    inner = mailbox.add_folder("Roof", "Work")
    letter = mailbox.add(mail(1), inner.id)
    mailbox.add(mail(2))
    with opened(settings) as source:
        first = listing(source)
        if change == "rename":
            mailbox.rename("Work", "Play")
        elif change == "move":
            mailbox.move_folder("Work", "deleteditems")
        else:
            mailbox.folder("inbox").well_known = ""
            mailbox.folder("Work/Roof").well_known = "inbox"
        second = listing(source, cursor(first))
    wanted = {
        "rename": Folder(("Play", "Roof")),
        "move": Folder(("Deleted Items", "Work", "Roof")),
        "role": Folder(("Work", "Roof"), Role.INBOX),
    }[change]
    assert facts(by_id(second)[key(mailbox, letter)]).folders == (wanted,)
    assert len(items(second)) == (2 if change == "role" else 1)
    assert gone(second) == []


def test_a_folder_deleted_for_good_ends_nothing(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    for name in ("Doomed", "Doomed too"):
        mailbox.add_folder(name)
        mailbox.add(mail(1), name)
    kept = mailbox.add(mail(2))
    with opened(settings) as source:
        start = cursor(listing(source))
        mailbox.delete_folder("Doomed")
        standin.faults.add(Fault(method="mail-delta", does=lambda: mailbox.delete_folder("Doomed too")))
        second = listing(source, start)
        assert items(second) == []
        assert [one.id for one in items(listing(source))] == [key(mailbox, kept)]


# Tokens that expire, pages that break ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (410, "resyncRequired"), (410, "syncStateNotFound"), (400, "SyncStateInvalid"), (410, "syncStateInvalid"),
        (404, "SyncStateNotFound"), (400, "ErrorInvalidUrlQuery"),
    ],
)  # fmt: skip
def test_a_folder_whose_token_expired_is_listed_anew_and_no_other(
    mailbox: Mailbox, settings: MicrosoftSettings, status: int, code: str
) -> None:
    mailbox.expired_as = (status, code)
    letters = [mailbox.add(mail(n), ("inbox", "archive")[n % 2]) for n in range(12)]
    with opened(settings) as source:
        start = cursor(listing(source))
        mailbox.expire_tokens("archive")
        mailbox.change(letters[0], read=True)
        second = listing(source, start)
        third = listing(source, cursor(second))
    assert by_id(second).keys() == {key(mailbox, one) for one in (letters[0], *letters[1::2])}
    assert items(third) == []


def test_a_token_that_expires_amid_a_listing_loses_nothing(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    letters = [mailbox.add(mail(n)) for n in range(23)]
    standin.faults.add(Fault(method="mail-delta", skip=3, does=mailbox.expire_tokens))
    with opened(settings) as source:
        listed = listing(source)
        assert by_id(listed).keys() == {key(mailbox, one) for one in letters}
        standin.faults.add(Fault(method="mail-delta", status=410, code="resyncRequired", times=None))
        with pytest.raises(TransientError):
            listing(source, cursor(listed))


@pytest.mark.parametrize("strange", ["", "outlook:1:", "outlook:1:[]", 'outlook:1:{"a":5}', "delta:x", "outlook:0:{}"])
def test_a_cursor_that_is_not_ours_is_answered_with_everything(
    mailbox: Mailbox, settings: MicrosoftSettings, strange: str
) -> None:
    mailbox.add(mail(1))
    with opened(settings) as source:
        assert len(items(listing(source, Cursor(strange)))) == 1


def test_our_token_follows_no_link_that_leads_elsewhere(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    mailbox.add(mail(1))
    with opened(settings) as source:
        start = cursor(listing(source))
        elsewhere = {
            one: mail_listing.At(at.mark, "https://evil.example/delta", at.all)
            for one, at in read_cursor(start).items()
        }
        assert len(items(listing(source, mail_listing.write_cursor(elsewhere)))) == 1


def test_a_cursor_amid_the_listing_goes_on_where_it_stands(
    mailbox: Mailbox, settings: MicrosoftSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_listing, "_BETWEEN", 4)
    letters = [mailbox.add(mail(n), ("inbox", "archive", "sentitems")[n % 3]) for n in range(40)]
    with opened(settings) as source:
        whole = listing(source)
    stops = [at for at, thing in enumerate(whole) if isinstance(thing, str)]
    assert len(stops) > 4
    for at in stops:
        some = whole[at]
        assert isinstance(some, str)
        with opened(settings) as source:
            rest = items(listing(source, Cursor(some)))
        assert [one.id for one in rest] == [one.id for one in items(whole[at:])]
    assert len({one.id for one in items(whole)}) == len(letters)


def test_a_message_that_breaks_every_page_is_told_and_hides_no_other(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    letters = [mailbox.add(mail(n)) for n in range(30)]
    broken = (letters[0], letters[13], letters[14], letters[29])
    for one in broken:
        one.untellable = True
    other = mailbox.add(mail(99), "archive")
    with opened(settings) as source:
        first = listing(source)
        for one in broken:
            one.untellable = False
        second = listing(source, cursor(first))
    good = {key(mailbox, one) for one in (*letters, other)} - {key(mailbox, one) for one in broken}
    assert by_id(first).keys() == good
    assert skipped(first) == ["unreadable"] * 4
    assert by_id(second).keys() >= {key(mailbox, one) for one in broken}


def test_a_page_that_breaks_once_is_made_smaller_and_the_delta_goes_on(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    standin.page = 500
    letters = [mailbox.add(mail(n)) for n in range(30)]
    code = "ErrorContentConversionFailed"
    standin.faults.add(Fault(method="mail-delta", skip=2, status=500, code=code, times=6))
    with opened(settings) as source:
        listed = listing(source)
        assert by_id(listed).keys() == {key(mailbox, one) for one in letters}
        assert calls(standin, "messages") == 0
        assert items(listing(source, cursor(listed))) == []


def test_a_service_that_takes_no_expand_is_read_without_what_was_answered(
    standin: GraphStandin, mailbox: Mailbox, settings: MicrosoftSettings
) -> None:
    mailbox.add(mail(1), last_verb=102, read=True)
    with opened(settings) as source:
        assert facts(items(listing(source))[0]).flags == {"\\Seen", "\\Answered"}
        standin.faults.add(Fault(method="mail-delta", status=400, code="ErrorInvalidUrlQuery"))
        assert facts(items(listing(source))[0]).flags == {"\\Seen"}


@pytest.fixture
def stormy(standin: GraphStandin) -> Iterator[list[Fault]]:
    some = [
        Fault(method="mail-delta", skip=1, status=503),
        Fault(method="mail-delta", skip=2, status=429, code="ApplicationThrottled", retry_after="0.5"),
        Fault(method="mail-delta", skip=3, breaks="html"),
        Fault(method="childFolders", skip=1, status=504),
        Fault(method="mailFolder", skip=2, breaks="bad-json"),
        Fault(method="mailFolders", status=500, code="ErrorInternalServerTransientError"),
    ]
    yield [standin.faults.add(one) for one in some]
    assert all(one.hits for one in some)


@pytest.mark.usefixtures("stormy")
def test_a_stormy_line_changes_nothing_of_what_is_listed(mailbox: Mailbox, settings: MicrosoftSettings) -> None:
    letters = [mailbox.add(mail(n), ("inbox", "archive", "sentitems")[n % 3]) for n in range(30)]
    with opened(settings) as source:
        assert by_id(listing(source)).keys() == {key(mailbox, one) for one in letters}
