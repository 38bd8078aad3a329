"""Delivering into Maildirs: exactly once, byte for byte, beside mail programs that have them open."""

from __future__ import annotations

import mailbox
import os
import threading
import time
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from liberate_local import mutf7
from liberate_local.maildir import MaildirSource
from liberate_local.maildir_destination import MaildirDestination
from liberate_local.maildir_format import message_names

from liberate.connector import (
    Change,
    Collection,
    Copies,
    Item,
    Kind,
    Place,
    ReadsBack,
    Receipt,
    Slot,
    Updates,
    WritesMany,
)
from liberate.errors import AccountError, ItemError, TransientError
from liberate.mail import MailFacts, Role
from liberate.naming import encode

from .helpers import HOSTILE, Bytes, nothing_taken

RECEIVED = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)


def slot(
    place: Place, number: int, *flags: str, keywords: Sequence[str] = (), received: datetime | None = RECEIVED
) -> Slot:
    facts = MailFacts(frozenset(flags), frozenset(keywords), received)
    return Slot(Item(str(number), Kind.MAIL, "", facts=facts), place, "", f"{number:032x}")


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file() and p.name != "maildirfolder")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "mail"


@pytest.fixture
def maildir(root: Path) -> MaildirDestination:
    return MaildirDestination(root)


@pytest.fixture
def inbox(maildir: MaildirDestination) -> Place:
    return maildir.prepare(Collection("", ("INBOX",), Kind.MAIL, role=Role.INBOX))


def test_it_has_every_power_that_a_file_system_gives(maildir: MaildirDestination) -> None:
    assert all(isinstance(maildir, power) for power in (WritesMany, Copies, Updates, ReadsBack))


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_read_back_is_what_was_written(maildir: MaildirDestination, inbox: Place, body: bytes) -> None:
    alone = maildir.write(slot(inbox, 1), Bytes(body))
    [(_, together)] = maildir.write_many([(slot(inbox, 2), body)])
    assert isinstance(together, Receipt)
    assert b"".join(maildir.read(alone)) == body
    assert [found for _, found in maildir.read_back([alone, together])] == [body, body]
    assert alone.size == together.size == len(body)


def test_flags_keywords_and_the_time_are_read_again_by_our_source(
    root: Path, maildir: MaildirDestination, inbox: Place
) -> None:
    facts = [
        ({"\\Seen", "\\Flagged"}, {"$Forwarded", "Work"}),
        (set(), set()),
        ({"\\Answered", "\\Draft"}, {"Später", "Work"}),
    ]
    maildir.write(slot(inbox, 0, *facts[0][0], keywords=list(facts[0][1])), Bytes(b"0"))
    list(maildir.write_many([(slot(inbox, n, *facts[n][0], keywords=list(facts[n][1])), b"x") for n in (1, 2)]))
    source = MaildirSource(root)
    [collection] = source.collections()
    found = [thing.facts for thing in source.items(collection, None) if isinstance(thing, Item)]
    assert found == [MailFacts(frozenset(flags), frozenset(words), RECEIVED) for flags, words in facts]


def test_other_programs_read_what_was_written(root: Path, maildir: MaildirDestination, inbox: Place) -> None:
    work = maildir.prepare(Collection("w", ("Work", "Board"), Kind.MAIL))
    maildir.write(slot(inbox, 1, "\\Seen"), Bytes(b"Subject: one\n\n"))
    maildir.write(slot(work, 2), Bytes(b"Subject: two\n\n"))
    box = mailbox.Maildir(root)
    assert [(m["subject"], m.get_flags(), m.get_date()) for m in box] == [("one", "S", RECEIVED.timestamp())]
    assert [m["subject"] for m in box.get_folder("Work.Board")] == ["two"]
    box.close()


def test_a_keyword_beyond_the_26th_is_left_out_and_the_message_is_not(
    root: Path, maildir: MaildirDestination, inbox: Place
) -> None:
    words = [f"word{n:02}" for n in range(30)]
    maildir.write(slot(inbox, 1, "\\Seen", keywords=[*words, "two words"]), Bytes(b"x"))
    [name] = [name for name in files(root) if name.startswith("cur")]
    assert name.endswith(":2,Sabcdefghijklmnopqrstuvwxyz")
    assert (root / "dovecot-keywords").read_text().splitlines()[25] == "25 word25"


def test_keywords_that_are_there_keep_their_letters(root: Path, maildir: MaildirDestination, inbox: Place) -> None:
    (root / "dovecot-keywords").write_text("3 Theirs\n")
    maildir.write(slot(inbox, 1, keywords=["Ours", "Theirs"]), Bytes(b"x"))
    assert (root / "dovecot-keywords").read_text() == "0 Ours\n3 Theirs\n"


def test_a_lock_on_the_keywords_is_waited_for_unless_it_is_stale(
    root: Path, maildir: MaildirDestination, inbox: Place
) -> None:
    lock = root / "dovecot-keywords.lock"
    lock.touch()
    with pytest.raises(TransientError):
        maildir.write(slot(inbox, 1, keywords=["Work"]), Bytes(b"x"))
    assert files(root) == ["dovecot-keywords.lock"]
    os.utime(lock, (1, 1))
    maildir.write(slot(inbox, 1, keywords=["Work"]), Bytes(b"x"))
    assert not lock.exists()


# Exactly once ------------------------------------------------------------------------------------


def test_what_other_writers_finish_while_it_is_looked_at_disturbs_nobody(
    root: Path, maildir: MaildirDestination, inbox: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = root / "tmp" / f"1.{7:032x}.liberate.00000001"
    theirs.touch()
    listed = [*os.scandir(os.fsencode(root / "tmp"))]
    theirs.rename(root / "new" / theirs.name)
    with monkeypatch.context() as then:
        then.setattr(os, "scandir", lambda _folder: nullcontext(listed))
        assert maildir.prepare(Collection("", ("INBOX",), Kind.MAIL, role=Role.INBOX)) == inbox
    assert files(root) == [f"new/{theirs.name}"]


def test_a_body_that_ends_early_leaves_nothing(root: Path, maildir: MaildirDestination, inbox: Place) -> None:
    with pytest.raises(TransientError):
        maildir.write(slot(inbox, 1), Bytes(b"x" * 3_000_000, fail_at=1_500_000))
    assert files(root) == []
    assert maildir.find([slot(inbox, 1)], nothing_taken) == {}


def test_find_tells_what_is_there_before_and_after_among_strangers(
    root: Path, maildir: MaildirDestination, inbox: Place
) -> None:
    for name in ("1.stranger", f"1.{1:032x}.other", f"{1:032x}", f"1.{1:032x}x.liberate"):
        (root / "cur" / name).write_bytes(b"theirs")
    slots = [slot(inbox, n) for n in (1, 2, 3)]
    assert maildir.find(slots, nothing_taken) == {}
    written = maildir.write(slots[1], Bytes(b"ours"))
    assert MaildirDestination(root).find(slots, nothing_taken) == {slots[1].key: written}


def test_a_message_is_found_although_its_reader_flagged_or_moved_it(
    root: Path, maildir: MaildirDestination, inbox: Place
) -> None:
    written = maildir.write(slot(inbox, 1), Bytes(b"x"))
    [name] = files(root)
    os.rename(root / name, root / (name + "FS"))
    assert maildir.find([slot(inbox, 1)], nothing_taken) == {slot(inbox, 1).key: written}
    assert b"".join(maildir.read(written)) == b"x"


def test_the_same_slot_written_twice_is_one_message(root: Path, maildir: MaildirDestination, inbox: Place) -> None:
    for body in (b"first", b"again"):
        maildir.write(slot(inbox, 1), Bytes(body))
    assert len(files(root)) == 1
    list(maildir.write_many([(slot(inbox, 1, received=None), b"x")] * 2))
    assert len(files(root)) == 2  # another time of arrival is another slot; the core never changes one


def test_writers_of_the_same_slot_never_mix_their_bytes(root: Path, inbox: Place) -> None:
    bodies = [bytes([n]) * 2_000_000 for n in range(4)]
    threads = [
        threading.Thread(target=lambda b=body: MaildirDestination(root).write(slot(inbox, 1), Bytes(b)))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [name] = files(root)
    assert (root / name).read_bytes() in bodies


def test_old_remains_in_tmp_are_swept_and_neither_those_of_others_nor_what_is_being_written(
    root: Path, inbox: Place
) -> None:
    ours, theirs = root / "tmp" / f"0.{1:032x}.liberate.aa", root / "tmp" / "1.other"
    for path in (ours, theirs):
        path.touch()
        os.utime(path, (1, 1))  # as a message of 1970 that is being delivered now
    folder = Collection("", ("INBOX",), Kind.MAIL, role=Role.INBOX)
    MaildirDestination(root).prepare(folder)
    assert (ours.exists(), theirs.exists()) == (True, True)
    MaildirDestination(root, now=lambda: time.time() + 3 * 24 * 3600).prepare(folder)
    assert (ours.exists(), theirs.exists()) == (False, True)


def test_a_batch_leaves_nothing_half_done(root: Path, maildir: MaildirDestination, inbox: Place) -> None:
    def parts() -> object:
        yield slot(inbox, 1), b"one"
        raise TransientError("the source went away")

    with pytest.raises(TransientError):
        list(maildir.write_many(parts()))  # type: ignore[arg-type]
    assert all(name.startswith("cur") for name in files(root))
    assert len(list(maildir.write_many((slot(inbox, n), b"x") for n in range(450)))) == 450
    assert len([name for name in files(root) if name.startswith("cur")]) >= 450
    assert [name for name in files(root) if name.startswith("tmp")] == []


# Copies and flags --------------------------------------------------------------------------------


def test_a_copy_shares_the_bytes_and_has_its_own_flags(root: Path, maildir: MaildirDestination, inbox: Place) -> None:
    work = maildir.prepare(Collection("w", ("Work",), Kind.MAIL))
    original = maildir.write(slot(inbox, 1, "\\Seen"), Bytes(b"x" * 1000))
    part = slot(work, 2, "\\Flagged", keywords=["Work"]), original
    [(_, first)], [(_, copy)] = maildir.copy_many([part]), maildir.copy_many([part])
    assert isinstance(copy, Receipt)
    assert first == copy
    assert b"".join(maildir.read(copy)) == b"x" * 1000
    [inner] = (root / ".Work" / "cur").iterdir()
    [outer] = (root / "cur").iterdir()
    assert inner.samefile(outer)
    assert inner.name.endswith(":2,Fa")
    outer.unlink()
    assert b"".join(maildir.read(copy)) == b"x" * 1000
    [(_, gone)] = maildir.copy_many([(slot(work, 3), original)])
    assert isinstance(gone, ItemError)


def test_an_update_applies_the_difference_and_nothing_else(
    root: Path, maildir: MaildirDestination, inbox: Place
) -> None:
    before = MailFacts(frozenset({"\\Seen"}), frozenset({"Old", "Kept"}))
    written = maildir.write(slot(inbox, 1, "\\Seen", keywords=["Old", "Kept"]), Bytes(b"x"))
    [name] = [n for n in files(root) if n.startswith("cur")]
    os.rename(root / name, root / (name + "FT"))  # its reader flagged it, and marked it for deletion
    after = slot(inbox, 1, "\\Answered", keywords=["New", "Kept"])
    for _ in range(2):  # it may be repeated
        assert list(maildir.update([Change(after, written, before)])) == [(after, written)]
    source = MaildirSource(root)
    [collection] = source.collections()
    [item] = [thing for thing in source.items(collection, None) if isinstance(thing, Item)]
    assert item.facts.flags == {"\\Answered", "\\Flagged"}
    assert item.facts.keywords == {"New", "Kept"}
    assert "T" in item.facts_version
    missing = Receipt("0.nobody", inbox)
    [(_, outcome)] = maildir.update([Change(after, missing, before)])
    assert isinstance(outcome, ItemError)


# Folders -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path", [("Work",), ("Work", "Board"), ("Übersicht", "日本語"), ("a.b", "INBOX/x"), ("~", " x "), ("cur", "new")]
)
@pytest.mark.parametrize("layout", ["maildir++", "nested"])
@pytest.mark.parametrize("names", ["auto", "utf-8"])
def test_folders_come_back_under_their_names(tmp_path: Path, path: tuple[str, ...], layout: str, names: str) -> None:
    maildir = MaildirDestination(tmp_path, names, layout)  # type: ignore[arg-type]
    legal = tuple(encode(level, maildir.rules) for level in path)
    place = maildir.prepare(Collection("x", legal, Kind.MAIL))
    assert MaildirDestination(tmp_path, names, layout).prepare(Collection("x", legal, Kind.MAIL)) == place  # type: ignore[arg-type]
    written = maildir.write(slot(place, 1), Bytes(b"x"))
    assert [c.path for c in MaildirSource(tmp_path, names).collections()] == [legal]  # type: ignore[arg-type]
    assert b"".join(MaildirDestination(tmp_path).read(written)) == b"x"


def test_a_name_too_long_for_one_directory_is_refused_with_what_to_do(maildir: MaildirDestination) -> None:
    with pytest.raises(ItemError) as caught:
        maildir.prepare(Collection("x", ("a" * 200, "b" * 200), Kind.MAIL))
    assert "nested" in caught.value.todo


def test_a_place_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AccountError) as caught:
        MaildirDestination(tmp_path / "file").prepare(Collection("", (), Kind.MAIL))
    assert caught.value.code == "not-a-folder"


@pytest.mark.parametrize("name", ["Entwürfe", "R&D", "&", "a&b&", "日本語", "\U0001f600", "~x", ""])
def test_modified_utf7_is_reversible(name: str) -> None:
    assert mutf7.encode(name).isascii()
    assert mutf7.decode(mutf7.encode(name)) == name


@pytest.mark.parametrize("text", ["R&D", "&AGE-", "&ANw", "&!!-", "ü"])
def test_what_is_no_modified_utf7_is_told(text: str) -> None:
    assert mutf7.decode(text) is None


def test_find_believes_no_reading_of_a_folder_that_changes_meanwhile(
    root: Path, maildir: MaildirDestination, inbox: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = maildir.write(slot(inbox, 1), Bytes(b"x"))
    (root / "cur" / "stranger").touch()
    renamed = 0

    def missed(folder: bytes, where: bytes) -> list[bytes]:
        """A reading that a mail program's rename made miss our message, twice."""
        nonlocal renamed
        names = list(message_names(folder, where))
        if where == b"cur" and renamed < 2:
            stranger = next((root / "cur").glob("stranger*"))
            stranger.rename(stranger.with_name(f"stranger{renamed}"))
            os.utime(root / "cur", ns=(renamed, renamed))
            renamed += 1
            return [name for name in names if name.startswith(b"stranger")]
        return names

    monkeypatch.setattr("liberate_local.maildir_destination.message_names", missed)
    assert maildir.find([slot(inbox, 1)], nothing_taken) == {slot(inbox, 1).key: written}
    assert renamed == 2
