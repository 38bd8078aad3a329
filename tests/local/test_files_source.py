"""A folder as a source of files: what is listed, what it is called, and when it counts as changed."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from liberate_local.attributes import LIMIT
from liberate_local.files_source import FilesSource

from liberate.connector import Collection, Describes, Item, Kind, Listed, Skipped, Whole
from liberate.errors import IntegrityError, ItemError

LONG_AGO = 1_700_000_000
ROOT = Collection(".", (), Kind.FILE)


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def listing(root: Path) -> list[Listed]:
    return list(FilesSource(root).items(ROOT, None))


def items(root: Path) -> dict[str, Item]:
    return {thing.id: thing for thing in listing(root) if isinstance(thing, Item)}


def skipped(root: Path) -> dict[str, str]:
    return {thing.id: thing.code for thing in listing(root) if isinstance(thing, Skipped)}


def keeps_attributes(path: Path) -> bool:
    try:
        os.setxattr(path, "user.probe", b"1")
        os.removexattr(path, "user.probe")
    except (OSError, AttributeError):
        return False
    return True


def test_one_collection_lists_folders_before_what_stands_in_them(tmp_path: Path) -> None:
    names = ["a.txt", "b/c.txt", "b/d/e", "b/d/.hidden", "ü/日本.txt", "b/100%.txt"]
    for name in names:
        put(tmp_path / name, name.encode() * 3)
    (tmp_path / "empty").mkdir()
    source = FilesSource(tmp_path)
    assert list(source.collections()) == [ROOT]
    *found, end = listing(tmp_path)
    assert end == Whole()
    seen = {""}
    bodies = {}
    for item in found:
        assert isinstance(item, Item)
        assert item.facts.parent in seen
        if item.facts.folder:
            seen.add(item.id)
            assert (item.version, item.size) == ("", None)
            continue
        assert item.modified == datetime.fromtimestamp(LONG_AGO, UTC)
        bodies[f"{item.facts.parent}/{item.name}".lstrip("/")] = b"".join(source.read(item))
    assert bodies == {name: name.encode() * 3 for name in names}
    assert seen == {"", "b", "b/d", "empty", "ü"}
    [one] = [item for item in found if isinstance(item, Item) and item.name == "a.txt"]
    assert b"".join(source.read(one, offset=5)) == b"a.txta.txt"


def test_names_that_are_no_text_and_names_that_look_alike_are_all_listed(tmp_path: Path) -> None:
    here = os.fsencode(tmp_path)
    os.makedirs(here + b"/\xff")
    twins = [b"\xff/\xfe\n", b"\xc3\xbc", b"u\xcc\x88", b"Twin", b"twin", b"%C3%BC", b"x" * 255, b"new\nline", b"...."]
    for name in twins:
        with open(os.path.join(here, name), "wb") as file:
            file.write(name)
    source = FilesSource(tmp_path)
    found = items(tmp_path)
    assert len(found) == len(twins) + 1
    assert all(id_.isprintable() for id_ in found)
    assert sorted(b"".join(source.read(one)) for one in found.values() if not one.facts.folder) == sorted(twins)


def test_links_pipes_and_sockets_are_told_and_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "root"
    put(tmp_path / "outside" / "secret")
    put(root / "file")
    (root / "link").symlink_to(tmp_path / "outside" / "secret")
    (root / "folder").symlink_to(tmp_path / "outside")
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(root)  # a socket's path may be no longer than 107 bytes
        server.bind("socket")
        told, found = skipped(root), items(root)
    assert set(found) == {"file"}
    assert told == {
        "link": "symbolic-link", "folder": "symbolic-link", "loop": "symbolic-link",
        "pipe": "special-file", "socket": "special-file",
    }  # fmt: skip
    assert listing(root)[-1] == Whole()
    for name in ("link", "pipe", "gone"):
        with pytest.raises(ItemError):
            list(FilesSource(root).read(Item(name, Kind.FILE, "", size=1)))


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_folder_that_cannot_be_read_is_told_and_nothing_counts_as_gone(tmp_path: Path) -> None:
    put(tmp_path / "closed" / "a")
    put(tmp_path / "open" / "b")
    (tmp_path / "closed").chmod(0)
    try:
        assert set(items(tmp_path)) == {"closed", "open", "open/b"}
        assert skipped(tmp_path) == {"closed/": "no-access"}
        assert not isinstance(listing(tmp_path)[-1], Whole)
    finally:
        (tmp_path / "closed").chmod(0o700)


def test_a_folder_that_cannot_be_listed_leaves_the_listing_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "closed" / "a")
    put(tmp_path / "open" / "b")
    listdir = os.listdir

    def refuse(path: bytes) -> list[bytes]:
        if path.endswith(b"/closed"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    assert set(items(tmp_path)) == {"closed", "open", "open/b"}
    assert skipped(tmp_path) == {"closed/": "no-access"}
    assert not isinstance(listing(tmp_path)[-1], Whole)


def test_a_file_is_new_when_its_bytes_or_its_time_are_and_not_when_it_is_looked_at(tmp_path: Path) -> None:
    path = put(tmp_path / "a")
    before = items(tmp_path)["a"]
    path.read_bytes()
    assert items(tmp_path)["a"] == before
    put(path, b"y")
    os.utime(path, (LONG_AGO, LONG_AGO + 1))
    after = items(tmp_path)["a"]
    assert after.version != before.version
    assert after.facts_version == before.facts_version


def test_a_folders_facts_change_with_its_time(tmp_path: Path) -> None:
    put(tmp_path / "folder" / "a")
    os.utime(tmp_path / "folder", (LONG_AGO, LONG_AGO))
    before = items(tmp_path)["folder"]
    assert items(tmp_path)["folder"] == before
    put(tmp_path / "folder" / "b")
    after = items(tmp_path)["folder"]
    assert after.version == before.version == ""
    assert after.facts_version != before.facts_version


def test_extended_attributes_are_facts(tmp_path: Path) -> None:
    if not keeps_attributes(put(tmp_path / "a")):
        pytest.skip("no extended attributes here")
    before = items(tmp_path)["a"]
    os.setxattr(tmp_path / "a", "user.colour", b"\xffred")
    os.setxattr(tmp_path / "a", "user.a", b"")
    after = items(tmp_path)["a"]
    assert after.facts.extended == (("user.a", b""), ("user.colour", b"\xffred"))
    assert after.version == before.version
    assert after.facts_version != before.facts_version


def test_attributes_that_are_too_many_stay_behind_and_the_file_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "a")
    values = {"user.1": b"x" * (LIMIT // 2), "user.2": b"x" * (LIMIT // 2)}
    monkeypatch.setattr(os, "listxattr", lambda *_a, **_k: list(values), raising=False)
    monkeypatch.setattr(os, "getxattr", lambda _path, name, **_k: values[name], raising=False)
    assert items(tmp_path)["a"].facts.extended == ()
    assert skipped(tmp_path) == {"a//attributes": "attributes-too-large"}
    assert listing(tmp_path)[-1] == Whole()


def test_a_file_that_changes_while_it_is_read_is_no_whole_file(tmp_path: Path) -> None:
    path = put(tmp_path / "a", b"x" * 3_000_000)
    source = FilesSource(tmp_path)
    item = items(tmp_path)["a"]
    chunks = source.read(item)
    next(chunks)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(IntegrityError):
        list(chunks)
    with pytest.raises(IntegrityError):
        list(source.read(item))
    assert isinstance(source, Describes)
    now = source.describe(item)
    assert (now.size, now.id) == (3_000_004, "a")
    assert len(b"".join(source.read(now))) == 3_000_004


def test_what_took_a_files_place_is_not_taken_for_it(tmp_path: Path) -> None:
    put(tmp_path / "a")
    source = FilesSource(tmp_path)
    item = items(tmp_path)["a"]
    (tmp_path / "a").unlink()
    (tmp_path / "a").mkdir()
    with pytest.raises(ItemError):
        source.describe(item)
    with pytest.raises(ItemError):
        list(source.read(item))


def test_a_tree_deeper_than_any_recursion_goes_is_listed(tmp_path: Path) -> None:
    deep = os.fsencode(tmp_path)
    for _ in range(1500):
        deep += b"/d"
        os.mkdir(deep)
    try:
        assert len(items(tmp_path)) == 1500
        assert listing(tmp_path)[-1] == Whole()
    finally:
        for _ in range(1500):  # pytest's own sweeping does not reach so deep
            os.rmdir(deep)
            deep = deep[:-2]
