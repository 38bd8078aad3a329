"""Where labels put a message."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liberate.labels import KEYWORD_LENGTH, LabelPolicy, LeftOut, MailPolicy, Placement, keyword, place, primary
from liberate.mail import Folder, MailFacts, Role

INBOX = Folder(("INBOX",), Role.INBOX)
SENT = Folder(("Sent",), Role.SENT)
DRAFTS = Folder(("Drafts",), Role.DRAFTS)
TRASH = Folder(("Trash",), Role.TRASH)
JUNK = Folder(("Spam",), Role.JUNK)
ARCHIVE = Folder((), Role.ARCHIVE)
WORK = Folder(("Work",))
BOARD = Folder(("Work", "Board"))
AUDIT = Folder(("Work", "Audit"))

ALL_MAIL = Folder(("All mail",))
KEEP_ALL = {"spam": "copy", "trash": "copy", "drafts": "copy"}


def placed(*folders: Folder, labels: str = "copies") -> Placement:
    out = place(MailFacts(folders=folders), ALL_MAIL, MailPolicy(LabelPolicy(labels), "copy", "copy", "copy"))
    assert isinstance(out, Placement)
    return out


@pytest.mark.parametrize("labels", list(LabelPolicy))
def test_a_message_without_labels_stays_in_the_folder_it_was_found_in(labels: LabelPolicy) -> None:
    facts = MailFacts(frozenset({"\\Seen"}), frozenset({"$Forwarded"}))
    assert place(facts, WORK, MailPolicy(labels)) == Placement(WORK, (), facts.flags, facts.keywords)


@pytest.mark.parametrize(
    ("folders", "first", "copies"),
    [
        ((INBOX,), INBOX, ()),
        ((INBOX, WORK), WORK, (INBOX,)),
        ((INBOX, SENT), SENT, (INBOX,)),
        ((WORK, BOARD), BOARD, (WORK,)),
        ((BOARD, AUDIT), AUDIT, (BOARD,)),
        ((SENT, INBOX, BOARD, WORK), BOARD, (WORK, SENT, INBOX)),
        ((DRAFTS, WORK), DRAFTS, (WORK,)),
        ((TRASH, WORK, INBOX), TRASH, ()),
        ((JUNK, WORK), JUNK, ()),
        ((TRASH, JUNK), TRASH, ()),
        ((ARCHIVE,), ARCHIVE, ()),
        ((WORK, WORK), WORK, ()),
        ((SENT, Folder(("Gesendet",), Role.SENT)), Folder(("Gesendet",), Role.SENT), ()),
        ((SENT, Folder(("Sent",))), SENT, ()),
    ],
)
def test_every_label_is_a_folder_and_the_fullest_one_takes_the_bytes(
    folders: tuple[Folder, ...], first: Folder, copies: tuple[Folder, ...]
) -> None:
    for order in itertools.permutations(folders):
        out = placed(*order)
        assert (out.primary, out.copies) == (first, copies)
        alone = placed(*order, labels="primary")
        assert (alone.primary, alone.copies) == (first, ())


@pytest.mark.parametrize(
    ("folders", "where", "keywords"),
    [
        ((INBOX, BOARD), INBOX, {"Work/Board"}),
        ((SENT, INBOX), INBOX, set()),
        ((SENT, WORK), SENT, {"Work"}),
        ((WORK, AUDIT), ARCHIVE, {"Work", "Work/Audit"}),
        ((ARCHIVE, WORK), ARCHIVE, {"Work"}),
        ((TRASH, INBOX, WORK), TRASH, {"Work"}),
        ((DRAFTS, INBOX), DRAFTS, set()),
    ],
)
def test_with_keywords_a_message_stands_once_and_keeps_its_labels(
    folders: tuple[Folder, ...], where: Folder, keywords: set[str]
) -> None:
    for order in itertools.permutations(folders):
        out = placed(*order, labels="keywords")
        assert (out.primary, out.copies, set(out.keywords)) == (where, (), keywords)


def test_labelled_drafts_and_spam_say_so_beside_the_message() -> None:
    assert placed(DRAFTS).flags == {"\\Draft"}
    assert placed(JUNK).keywords == {"$Junk"}


@pytest.mark.parametrize(
    ("folder", "setting", "code"),
    [(JUNK, "spam", "policy-spam"), (TRASH, "trash", "policy-trash"), (DRAFTS, "drafts", "policy-drafts")],
)
def test_what_the_policy_skips_is_left_out_with_a_reason(folder: Folder, setting: str, code: str) -> None:
    policy = MailPolicy(**{**KEEP_ALL, setting: "skip"})  # type: ignore[arg-type]
    labelled = place(MailFacts(folders=(folder, WORK)), ALL_MAIL, policy)
    found_there = place(MailFacts(), folder, policy)
    assert labelled == found_there
    assert isinstance(labelled, LeftOut)
    assert labelled.code == code
    assert f'{setting} = "copy"' in labelled.todo
    assert isinstance(place(MailFacts(folders=(INBOX,)), ALL_MAIL, policy), Placement)


def test_by_default_spam_stays_and_trash_and_drafts_come_along() -> None:
    answers = [place(MailFacts(folders=(f,)), ALL_MAIL, MailPolicy()) for f in (JUNK, TRASH, DRAFTS)]
    assert [type(a) for a in answers] == [LeftOut, Placement, Placement]


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (("Work",), "Work"),
        (("Work", "Board"), "Work/Board"),
        (("To do (soon)",), "To_do__soon_"),
        (("50%*",), "50__"),
        (("R&D",), "R&-D"),
        (("Übersicht",), "&ANw-bersicht"),
        (("\\Seen",), "_Seen"),
        (("$Forwarded",), "_Forwarded"),
        (("Junk",), "_Junk"),
        (("NonJunk",), "_NonJunk"),
        ((), "_"),
    ],
)
def test_labels_become_keywords_that_people_can_read(label: tuple[str, ...], expected: str) -> None:
    assert keyword(label) == expected


def test_two_long_labels_are_two_keywords() -> None:
    one, other = keyword(("x" * 300 + "a",)), keyword(("x" * 300 + "b",))
    assert one != other
    assert len(one) == len(other) == KEYWORD_LENGTH


@given(st.lists(st.text(), max_size=4).map(tuple))
def test_no_label_makes_a_keyword_that_a_server_would_refuse(label: tuple[str, ...]) -> None:
    out = keyword(label)
    assert re.fullmatch(r'[^\x00-\x20\x7f-\U0010ffff(){%*"\\\]]{1,50}', out)
    assert not out.startswith("$")


@given(
    st.lists(st.builds(Folder, st.lists(st.text(max_size=3), max_size=3).map(tuple), st.none() | st.sampled_from(Role)))
)
def test_no_folder_is_lost_or_doubled(folders: list[Folder]) -> None:
    if not folders:
        return
    out = placed(*folders)
    everywhere = (out.primary, *out.copies)
    assert len({f.role or f.path for f in everywhere}) == len(everywhere)
    assert set(everywhere) <= set(folders)
    assert out.primary == primary(everywhere)
    if out.primary.role not in (Role.TRASH, Role.JUNK):
        held = {f.role for f in everywhere if f.role} | {f.path for f in everywhere}
        assert all((f.role or f.path) in held for f in folders)
