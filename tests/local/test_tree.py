"""Folder trees of .eml messages as a source."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liberate_local.connectors import EmlSettings, FolderSettings, eml, folder
from liberate_local.tree import TreeSource, arrival

from liberate.connector import Account, Cursor, Item, Listed
from liberate.errors import AccountError
from liberate.mail import Role

LONG_AGO = 1_700_000_000


def mail(root: Path) -> TreeSource:
    return TreeSource(root, now_ns=lambda: (LONG_AGO + 1000) * 10**9)


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (LONG_AGO, LONG_AGO))
    os.utime(path.parent, (LONG_AGO, LONG_AGO))
    return path


def listing(source: TreeSource, since: Cursor | None = None) -> list[Listed]:
    return [thing for c in source.collections() for thing in source.items(c, since) if not isinstance(thing, str)]


def items(source: TreeSource) -> list[Item]:
    return [thing for thing in listing(source) if isinstance(thing, Item)]


MESSAGE = b"Received: from x by y;\r\n\tMon, 7 Apr 2025 14:31:02 +0200\r\nDate: Sun, 6 Apr 2025 10:00:00 +0000\r\n\r\nx"


def test_folders_of_eml_are_mailboxes(tmp_path: Path) -> None:
    root = tmp_path / "Export"
    for name in ("1.eml", "Inbox/2.EML", "Inbox/Sub/3.eml", "Inbox/notes.txt", "Empty/x.txt", "Inbox/._2.eml"):
        put(root / name, MESSAGE)
    source = mail(root)
    assert {c.path: c.role for c in source.collections()} == {
        ("Export",): None,
        ("Inbox",): Role.INBOX,
        ("Inbox", "Sub"): None,
    }
    found = items(source)
    assert sorted(item.id for item in found) == ["1.eml", "Inbox/2.EML", "Inbox/Sub/3.eml"]
    assert [loaded.body for loaded in source.read_many(found)] == [MESSAGE] * 3
    assert all(item.facts.received == datetime(2025, 4, 7, 12, 31, 2, tzinfo=UTC) for item in found)


@pytest.mark.parametrize(
    ("head", "moment"),
    [
        (b"Date: Sun, 6 Apr 2025 10:00:00 +0000\n\n", datetime(2025, 4, 6, 10, tzinfo=UTC)),
        (b"DATE:\n Sun, 6 Apr 2025\n 10:00:00 -0000\n\n", datetime(2025, 4, 6, 10, tzinfo=UTC)),
        (b"Received: mad; never\nDate: Sun, 6 Apr 2025 10:00:00 +0000\n", datetime(2025, 4, 6, 10, tzinfo=UTC)),
        (b"Date: mad\n", None),
        (b"Date: Sun, 6 Apr 99999 10:00:00 +0000\n", None),
        (b"Date:", None),
        (b"", None),
        (b"X-Date: Sun, 6 Apr 2025 10:00:00 +0000\n", None),
    ],
)
def test_a_message_arrived_when_its_fields_say(head: bytes, moment: datetime | None) -> None:
    assert arrival(head) == moment


@given(st.binary(max_size=100), st.sampled_from([b"Date:", b"Received: x;", b"Date: Mon, 7 Apr 2025 14:31:02 "]))
def test_no_date_is_too_odd_to_be_read(value: bytes, field: bytes) -> None:
    moment = arrival(field + value + b"\n\n")
    assert moment is None or moment.tzinfo is UTC


def test_a_message_without_any_date_arrived_when_its_file_was_written(tmp_path: Path) -> None:
    put(tmp_path / "a.eml", b"Subject: x\n\n")
    [item] = items(mail(tmp_path))
    assert item.facts.received == datetime.fromtimestamp(LONG_AGO, UTC)


def test_a_message_that_was_only_touched_is_the_same(tmp_path: Path) -> None:
    path = put(tmp_path / "a.eml", b"Subject: x\n\n")
    [before] = items(mail(tmp_path))
    os.utime(path, (LONG_AGO + 5, LONG_AGO + 5))
    [after] = items(mail(tmp_path))
    assert (before.id, before.version, before.facts_version) == (after.id, after.version, after.facts_version)


def test_an_unchanged_mailbox_is_not_listed_again(tmp_path: Path) -> None:
    put(tmp_path / "a.eml", MESSAGE)
    source = mail(tmp_path)
    [collection] = source.collections()
    [_, cursor] = source.items(collection, None)
    assert isinstance(cursor, str)
    assert list(source.items(collection, cursor)) == [cursor]
    (tmp_path / "b.eml").write_bytes(MESSAGE)
    assert len(list(source.items(collection, cursor))) == 3


def test_the_settings_name_the_outermost_mailbox(tmp_path: Path) -> None:
    put(tmp_path / "a.eml", MESSAGE)
    assert eml.source is not None
    with eml.source(EmlSettings(path=str(tmp_path), folder="Old/Mail"), Account("")) as source:
        assert [c.path for c in source.collections()] == [("Old", "Mail")]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    put(tmp_path / "file")
    assert folder.source is not None
    for name, code in (("none", "not-found"), ("file", "not-a-folder")):
        with (
            pytest.raises(AccountError) as caught,
            folder.source(FolderSettings(path=str(tmp_path / name)), Account("")) as source,
        ):
            list(source.collections())
        assert caught.value.code == code
