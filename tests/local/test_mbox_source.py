"""Mbox files as a source: ids that outlive rewriting, cheap second passes, bounded memory."""

from __future__ import annotations

import email
import mailbox
import os
import sysconfig
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from liberate_local.connectors import MboxSettings, mbox
from liberate_local.mbox import Format, MboxSource

from liberate.connector import Account, Cursor, Item, Listed, Skipped
from liberate.errors import AccountError, ItemError
from liberate.mail import Role

LINE = b"From anna@example.coop Mon Apr 07 14:31:02 2025\n"


def message(number: int, *fields: bytes, body: bytes = b"text\n") -> bytes:
    return b"".join(f + b"\n" for f in fields) + b"Subject: %d\n\n" % number + body


def joined(*messages: bytes) -> bytes:
    return b"".join(LINE + message + b"\n" for message in messages)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "Archive.mbox"


@pytest.fixture
def source(path: Path) -> Iterator[MboxSource]:
    made = MboxSource(path, Format(), now_ns=lambda: 1 << 62)
    yield made
    made.close()


def listing(source: MboxSource, since: Cursor | None = None) -> list[Listed]:
    return [thing for collection in source.collections() for thing in source.items(collection, since)]


def items(source: MboxSource, since: Cursor | None = None) -> list[Item]:
    return [thing for thing in listing(source, since) if isinstance(thing, Item)]


def cursor(source: MboxSource) -> Cursor:
    last = listing(source)[-1]
    assert isinstance(last, str)
    return last


def bodies(source: MboxSource, listed: list[Item]) -> list[bytes]:
    return [b"".join(source.read(item)) for item in listed]


def test_messages_are_listed_with_their_sizes_and_read_as_they_are(path: Path, source: MboxSource) -> None:
    messages = [message(n, body=b"\x00\xff\r" * n + b"\n") for n in range(5)]
    path.write_bytes(joined(*messages))
    listed = items(source)
    assert bodies(source, listed) == messages
    assert [item.size for item in listed] == [len(m) for m in messages]
    assert [loaded.body for loaded in source.read_many(listed)] == messages
    assert b"".join(source.read(listed[2], offset=4)) == messages[2][4:]


@pytest.mark.parametrize(
    ("fields", "flags", "keywords"),
    [
        ([], set(), set()),
        ([b"Status: RO"], {"\\Seen"}, set()),
        ([b"Status: O", b"X-Status: AFT"], {"\\Answered", "\\Flagged", "\\Draft"}, set()),
        ([b"X-Mozilla-Status: 1007", b"X-Mozilla-Keys: $label1 later  "],
         {"\\Seen", "\\Answered", "\\Flagged"}, {"$Forwarded", "$label1", "later"}),
        ([b"X-Mozilla-Status: mad"], set(), set()),
        ([b"X-Keywords: one", b" two"], set(), {"one", "two"}),
    ],
)  # fmt: skip
def test_flags_come_from_what_mail_programs_wrote(
    path: Path, source: MboxSource, fields: list[bytes], flags: set[str], keywords: set[str]
) -> None:
    path.write_bytes(joined(message(1, *fields)))
    [item] = items(source)
    assert (set(item.facts.flags), set(item.facts.keywords)) == (flags, keywords)
    assert item.facts.received.isoformat() == "2025-04-07T14:31:02+00:00"


def test_what_thunderbird_deleted_is_skipped(path: Path, source: MboxSource) -> None:
    path.write_bytes(joined(message(1, b"X-Mozilla-Status: 0009"), message(2, b"X-Mozilla-Status: 0001")))
    skipped, kept, _ = listing(source)
    assert isinstance(skipped, Skipped)
    assert skipped.code == "deleted-at-source"
    assert isinstance(kept, Item)


def test_a_message_keeps_its_id_whatever_becomes_of_its_file(path: Path, source: MboxSource) -> None:
    path.write_bytes(joined(*(message(n, b"Status: O") for n in range(4))))
    before = items(source)
    path.write_bytes(joined(message(9), message(3, b"Status: RO"), message(1, b"X-Status: F", b"Status: RO")))
    after = items(source)
    assert [item.id for item in after[1:]] == [before[3].id, before[1].id]
    assert after[1].facts_version != before[3].facts_version
    assert len({item.id for item in (*before, *after)}) == 5


def test_the_same_message_twice_is_two_items(path: Path, source: MboxSource) -> None:
    path.write_bytes(joined(message(1), message(2), message(1), message(1)))
    listed = items(source)
    assert len({item.id for item in listed}) == 4
    assert bodies(source, listed) == [message(1), message(2), message(1), message(1)]


def test_an_item_of_an_earlier_run_is_found_although_the_file_was_rewritten(path: Path, source: MboxSource) -> None:
    path.write_bytes(joined(*(message(n) for n in range(4))))
    listed = items(source)
    path.write_bytes(joined(message(7), message(3), message(2), message(1)))
    assert bodies(source, listed[1:]) == [message(1), message(2), message(3)]
    with pytest.raises(ItemError) as caught:
        list(source.read(listed[0]))
    assert caught.value.code == "gone"
    [gone, there] = source.read_many([listed[0], listed[1]])
    assert isinstance(gone.body, ItemError)
    assert there.body == message(1)


def test_an_item_can_be_read_by_a_process_that_listed_nothing(path: Path, source: MboxSource) -> None:
    path.write_bytes(joined(message(1), message(2)))
    listed = items(source)
    with Opened(path) as other:
        assert bodies(other, listed) == [message(1), message(2)]


class Opened:
    """A source of this file, closed again."""

    def __init__(self, path: Path) -> None:
        self.source = MboxSource(path, Format())

    def __enter__(self) -> MboxSource:
        return self.source

    def __exit__(self, *_: object) -> None:
        self.source.close()


# The second pass ---------------------------------------------------------------------------------


def test_an_unchanged_file_is_not_read_again(path: Path, source: MboxSource) -> None:
    path.write_bytes(joined(message(1)))
    before = cursor(source)
    assert listing(source, before) == [before]


def test_a_file_that_grew_is_listed_from_where_it_ended(path: Path, source: MboxSource) -> None:
    path.write_bytes(joined(message(1), message(2)))
    before = cursor(source)
    with path.open("ab") as file:
        file.write(joined(message(3), message(1)))
    new = items(source, before)
    assert bodies(source, new) == [message(3), message(1)]
    assert new == items(source)[2:]


def test_a_file_that_grew_behind_an_unfinished_message_is_listed_anew(path: Path, source: MboxSource) -> None:
    path.write_bytes(joined(message(1)) + LINE + message(2)[:-3])
    before = cursor(source)
    path.write_bytes(joined(message(1), message(2), message(3)))
    assert bodies(source, items(source, before)) == [message(1), message(2), message(3)]


@pytest.mark.parametrize(
    "rest", [joined(message(1, b"Status: RO")), joined(message(2)), joined(message(2), message(1)), b""]
)
def test_a_file_that_was_rewritten_is_listed_anew(path: Path, source: MboxSource, rest: bytes) -> None:
    path.write_bytes(joined(message(1, b"Status: O ")))
    before = cursor(source)
    path.write_bytes(rest)
    assert items(source, before) == items(source)


def test_a_file_that_changed_a_moment_ago_is_read_again(path: Path) -> None:
    path.write_bytes(joined(message(1)))
    with Opened(path) as source:
        assert len(items(source, cursor(source))) == 1


# Files -------------------------------------------------------------------------------------------


def test_a_file_that_is_no_mbox_is_told_so(path: Path, source: MboxSource) -> None:
    for data in (b"Subject: one message\n\ntext\n", b"PK\x03\x04" + bytes(500), b"text\n\nFrom here on\n"):
        path.write_bytes(data)
        with pytest.raises(AccountError) as caught:
            listing(source)
        assert caught.value.code == "not-an-mbox"
    path.unlink()
    with pytest.raises(AccountError, match="does not exist"):
        listing(source)


def test_an_empty_file_holds_no_messages(path: Path, source: MboxSource) -> None:
    path.write_bytes(b"")
    assert items(source) == []


def test_what_stands_before_the_first_message_is_told(path: Path, source: MboxSource) -> None:
    path.write_bytes(b"cut off\n\n" + joined(message(1)))
    skipped, item, _ = listing(source)
    assert isinstance(skipped, Skipped)
    assert isinstance(item, Item)
    path.write_bytes(b"\n\n" + joined(message(1)))
    assert len(items(source)) == len(listing(source)) - 1 == 1


def test_a_truncated_last_message_is_moved_as_far_as_it_goes(path: Path, source: MboxSource) -> None:
    path.write_bytes(joined(message(1)) + LINE + b"Subject: cut o")
    assert bodies(source, items(source))[1] == b"Subject: cut o"


def test_a_mail_programs_folder_is_a_tree_of_mailboxes(tmp_path: Path) -> None:
    (tmp_path / "Inbox.sbd").mkdir()
    (tmp_path / "Apple.mbox").mkdir()
    for name in ("Inbox", "Inbox.sbd/Work", "Apple.mbox/mbox", "Old.mbox"):
        (tmp_path / name).write_bytes(joined(message(1), message(len(name))))
    for name in ("Inbox.msf", "popstate.dat", "notes.txt", ".hidden"):
        (tmp_path / name).write_bytes(b"other things\n")
    (tmp_path / "Trash").write_bytes(b"")
    with Opened(tmp_path) as source:
        found = {c.path: c for c in source.collections()}
        assert set(found) == {("Inbox",), ("Inbox", "Work"), ("Apple",), ("Old",), ("Trash",)}
        assert found["Inbox",].role == Role.INBOX
        listed = items(source)
        assert len({item.id for item in listed}) == len(listed) == 8
        assert sorted(bodies(source, listed)) == sorted(
            m for n in ("Inbox", "Inbox.sbd/Work", "Apple.mbox/mbox", "Old.mbox") for m in (message(1), message(len(n)))
        )


def test_apple_mails_mailbox_may_be_named_itself(tmp_path: Path) -> None:
    (tmp_path / "Work.mbox").mkdir()
    (tmp_path / "Work.mbox" / "mbox").write_bytes(joined(message(1)))
    with Opened(tmp_path / "Work.mbox") as source:
        assert [c.path for c in source.collections()] == [("Work",)]


def test_the_settings_name_the_folder_and_the_quoting(path: Path) -> None:
    path.write_bytes(joined(message(1, body=b">From x\n")))
    assert mbox.source is not None
    for quoting, body in (("auto", b"From x\n"), ("none", b">From x\n")):
        settings = MboxSettings(path=str(path), folder="Old/2025", quoting=quoting)  # type: ignore[arg-type]
        with mbox.source(settings, Account("")) as source:
            [collection] = source.collections()
            assert collection.path == ("Old", "2025")
            [item, _] = source.items(collection, None)
            assert isinstance(item, Item)
            assert b"".join(source.read(item)).endswith(b"\n\n" + body)


def test_real_messages_pass_unaltered_through_the_standard_librarys_mbox(path: Path, source: MboxSource) -> None:
    folder = Path(sysconfig.get_paths()["stdlib"], "test", "test_email", "data")
    originals = [p.read_bytes() for p in sorted(folder.glob("msg_*.txt"))]
    assert len(originals) > 40
    box = mailbox.mbox(path, create=True)
    for data in originals:
        box.add(data)
    box.close()
    read = bodies(source, items(source))
    assert len(read) == len(originals)
    for found, original in zip(read, originals, strict=True):
        # The library adds a line end where one was missing, and takes a first "From " line for its own.
        if not original.startswith(b"From "):
            assert found.rstrip(b"\n") == original.rstrip(b"\n")
            assert email.message_from_bytes(found).keys() == email.message_from_bytes(original).keys()


def test_a_large_file_is_listed_and_read_in_little_memory(path: Path, source: MboxSource) -> None:
    big = message(1, body=(b"x" * 76 + b"\n") * 400_000)  # 30 MB
    with path.open("wb") as file:
        for number in range(3):
            file.write(joined(message(number), big))
    tracemalloc.start()
    try:
        listed = items(source)
        sizes = [sum(len(chunk) for chunk in source.read(item)) for item in listed]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sizes == [item.size for item in listed]
    assert sum(sizes) > 90_000_000
    assert peak < 20_000_000
    assert [loaded.body is None for loaded in source.read_many(listed[:2])] == [False, True]
    os.unlink(path)
