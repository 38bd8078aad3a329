"""ZIP files that mean harm, are no exports, or are written in ways of their own."""

from __future__ import annotations

import io
import json
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from liberate_slack.archive import Archive, Limits
from liberate_slack.export import Export
from slack_kit import CHANNELS, DAY, ROOM, TS, USERS, listing, opened, said, skipped, ts_of, zipped

from liberate.errors import AccountError, ItemError


@pytest.mark.parametrize("name", ["../general/2026-02-25.json", "/etc/2026-02-25.json", "C:/x/2026-02-25.json",
                                  "a\\b/2026-02-25.json", "general/../../2026-02-25.json"])  # fmt: skip
def test_names_that_lead_out_of_the_archive_are_refused_and_told(tmp_path: Path, name: str) -> None:
    listed = listing(zipped(tmp_path / "e.zip", [(name, [said("1772999999.000000")]), (DAY, [said()])]))
    assert ts_of(listed) == [TS]
    assert [one.code for one in skipped(listed)] == ["unsafe-name"]


def test_a_link_in_the_archive_is_not_followed(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("general/2026-02-26.json")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = zipped(tmp_path / "e.zip", {DAY: [said()]})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, "/etc/passwd")
    listed = listing(path)
    assert (ts_of(listed), [one.code for one in skipped(listed)]) == ([TS], ["unsafe-name"])


def test_an_archive_that_would_fill_a_disk_is_not_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: b" " * 3_000_000})
    with pytest.raises(AccountError) as told:
        Export(path, Limits(harmless=1_000_000))
    assert told.value.code == "zip-bomb"
    assert "expansion" in told.value.todo
    for limits in (Limits(entries=2), Limits(total=1_000_000)):
        with pytest.raises(AccountError, match="looks made to fill the disk"):
            Export(path, limits)
    Export(path, Limits(harmless=1_000_000, expansion=10_000)).close()


def test_entries_that_lie_over_one_another_are_not_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said(text="y" * 50)]})
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    head = bytes(data[central : central + 46])
    (size,) = struct.unpack_from("<L", head, 20)
    for at in range(central, len(data) - 46):
        if data[at : at + 4] == b"PK\x01\x02":
            struct.pack_into("<L", data, at + 20, size + len(data))
    path.write_bytes(bytes(data))
    with pytest.raises(AccountError, match="over one another"):
        Export(path)


def test_an_entry_that_is_longer_than_it_says_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said(text="z" * 5000)]})
    data = bytearray(path.read_bytes())
    at = data.rindex(DAY.encode()) - 46
    struct.pack_into("<L", data, at + 24, 10)
    path.write_bytes(bytes(data))
    archive = Archive(path, lambda _n, name: name == DAY)
    number = next(n for n in range(3) if archive.size(n) == 10)
    with pytest.raises(ItemError) as told:
        list(archive.read(number))
    assert told.value.code == "broken-entry"
    archive.close()


def test_an_encrypted_archive_says_what_to_do(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said()]})
    data = bytearray(path.read_bytes())
    for at in range(len(data) - 46):
        if data[at : at + 4] == b"PK\x01\x02":
            data[at + 8] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(AccountError) as told:
        Export(path)
    assert told.value.code == "encrypted"


def test_large_archives_with_64_bit_sizes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in (("users.json", USERS), ("channels.json", CHANNELS), (DAY, [said()])):
            with archive.open(name, "w", force_zip64=True) as entry:
                entry.write(json.dumps(value).encode())
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\x05\x06")
    count, size, offset = struct.unpack_from("<HLL", data, end + 10)
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, size, offset)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(bytes(data[:end]) + record + locator + tail)
    with zipfile.ZipFile(path) as archive:
        assert len(archive.infolist()) == 3
    assert ts_of(listing(path)) == [TS]


@pytest.mark.parametrize("where", [10**6, 2**63 - 1, 2**64 - 1])
def test_a_directory_that_is_said_to_stand_nowhere_is_told_as_damage(tmp_path: Path, where: int) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said()]})
    data = path.read_bytes()
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, where, 1)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[: data.rindex(b"PK\x05\x06")] + locator + tail)
    with pytest.raises(AccountError) as told, opened(path):
        pass
    assert told.value.code == "broken-archive"


def test_bytes_before_the_archive_are_passed_over(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said()]})
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())
    assert ts_of(listing(path)) == [TS]


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("not-found", lambda path: None),
        ("not-an-export", lambda path: path.mkdir()),
        ("broken-archive", lambda path: _write(path, b"")),
        ("broken-archive", lambda path: _write(path, b"x" * 100)),
        ("broken-archive", lambda path: _write(path, zipped(path, {DAY: [said()]}).read_bytes()[:-300])),
        ("not-an-export", lambda path: zipped(path, {"a.txt": b"x"}, **{"users.json": None, "channels.json": None})),
        ("no-conversations", lambda path: zipped(path, {}, **{"channels.json": []})),
    ],
)  # fmt: skip
def test_what_is_no_export_is_told_as_a_thing_a_cause_and_a_next_step(tmp_path: Path, code: str, make: Any) -> None:
    path = tmp_path / "e.zip"
    make(path)
    with pytest.raises(AccountError) as told, opened(path):
        pass
    assert told.value.code == code
    assert str(path) in told.value.why
    assert told.value.todo


def test_names_in_an_old_code_page_are_read(tmp_path: Path) -> None:
    path = tmp_path / "e.zip"
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, value in (("users.json", USERS), ("channels.json", [{"id": ROOM, "name": "gen\xe9ral"}])):
            archive.writestr(name, json.dumps(value))
        archive.writestr("genXral/2026-02-25.json", json.dumps([said()]))
    path.write_bytes(raw.getvalue().replace(b"genXral", "gen\xe9ral".encode("cp437")))
    assert ts_of(listing(path)) == [TS]
