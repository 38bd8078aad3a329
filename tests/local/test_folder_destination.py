"""Writing into a folder: whole files, nobody's overwritten, mail as .eml."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from liberate_local.folder_destination import FolderDestination
from liberate_local.paths import refused
from liberate_local.tree import TreeSource

from liberate.connector import Collection, Item, Kind, Place, Receipt, Slot
from liberate.errors import AccountError, ItemError, TransientError
from liberate.mail import MailFacts
from liberate.naming import encode

from .helpers import HOSTILE, Bytes, nothing_taken

MODIFIED = datetime(2020, 2, 3, 4, 5, 6, tzinfo=UTC)


def slot(place: Place, name: str, data: bytes | None = None, *, kind: Kind = Kind.FILE) -> Slot:
    known = {"sha256": hashlib.sha256(data).hexdigest()} if data is not None else {}
    facts = MailFacts(received=MODIFIED) if kind is Kind.MAIL else None
    size = None if data is None else len(data)
    item = Item(name, kind, "1", name, size=size, modified=MODIFIED, digests=known, facts=facts)
    return Slot(item, place, "" if kind is Kind.MAIL else name, hashlib.md5(name.encode()).hexdigest())  # noqa: S324


def tree(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def destination(root: Path) -> FolderDestination:
    return FolderDestination(root)


@pytest.fixture
def place(destination: FolderDestination) -> Place:
    return destination.prepare(Collection("x", ("a", "b"), Kind.FILE))


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("kind", [Kind.FILE, Kind.MAIL])
def test_what_is_read_back_is_what_was_written(
    destination: FolderDestination, place: Place, body: bytes, kind: Kind
) -> None:
    alone = destination.write(slot(place, "one", kind=kind), Bytes(body))
    [(_, together)] = destination.write_many([(slot(place, "two", kind=kind), body)])
    assert isinstance(together, Receipt)
    assert [b"".join(destination.read(r)) for r in (alone, together)] == [body, body]
    assert alone.size == together.size == len(body)


def test_mail_is_written_under_its_time_and_key(root: Path, destination: FolderDestination, place: Place) -> None:
    one = slot(place, "secret subject", kind=Kind.MAIL)
    receipt = destination.write(one, Bytes(b"Subject: x\n\n"))
    assert list(tree(root)) == [f"a/b/2020-02-03-040506-{one.key}.eml"]
    assert destination.find([one], nothing_taken) == {one.key: receipt}
    assert destination.write(one, Bytes(b"Subject: x\n\n")) == receipt
    [collection] = TreeSource(root).collections()
    assert collection.path == ("a", "b")


def test_a_body_that_ends_early_leaves_nothing(root: Path, destination: FolderDestination, place: Place) -> None:
    with pytest.raises(TransientError):
        destination.write(slot(place, "x"), Bytes(b"x" * 3_000_000, fail_at=2_000_000))
    assert tree(root) == {}


def test_a_strangers_file_is_never_overwritten(root: Path, destination: FolderDestination, place: Place) -> None:
    (root / "a/b/x").write_bytes(b"theirs")
    with pytest.raises(ItemError) as caught:
        destination.write(slot(place, "x"), Bytes(b"ours"))
    assert caught.value.code == "name-taken"
    [(_, refused), (_, fine)] = destination.write_many([(slot(place, "x"), b"ours"), (slot(place, "y"), b"ours")])
    assert isinstance(refused, ItemError)
    assert isinstance(fine, Receipt)
    assert tree(root) == {"a/b/x": b"theirs", "a/b/y": b"ours"}


def test_find_knows_our_file_from_a_strangers(root: Path, destination: FolderDestination, place: Place) -> None:
    ours = slot(place, "x", b"1234")
    assert destination.find([ours], nothing_taken) == {}
    (root / "a/b/x").write_bytes(b"5678")
    assert destination.find([ours], nothing_taken) == {}
    (root / "a/b/x").unlink()
    receipt = destination.write(ours, Bytes(b"1234"))
    assert FolderDestination(root).find([ours], nothing_taken) == {ours.key: receipt}
    unhashed = replace(ours, item=replace(ours.item, digests={}))
    assert destination.find([unhashed], nothing_taken) == {ours.key: receipt}
    os.utime(root / "a/b/x", (1, 1))
    assert destination.find([unhashed], nothing_taken) == {}

    def taken(_place: Place, ids: Sequence[str]) -> set[str]:
        return set(ids)

    assert destination.find([ours], taken) == {}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "/etc/x", "nul\0"])
def test_a_name_cannot_lead_elsewhere(root: Path, destination: FolderDestination, place: Place, name: str) -> None:
    with pytest.raises(ItemError):
        destination.write(slot(place, name), Bytes(b"x"))
    [(_, refused)] = destination.write_many([(slot(place, name), b"x")])
    assert isinstance(refused, ItemError)
    assert destination.find([slot(place, name)], nothing_taken) == {}
    with pytest.raises(ItemError):
        destination.prepare(Collection("x", ("a", name), Kind.FILE))
    assert tree(root) == {}


@pytest.mark.parametrize("name", ["..", "a/b", "x" * 300, "日" * 200, "con\0trol\n", "\udcff", "ok"])
def test_every_name_has_a_legal_form(destination: FolderDestination, place: Place, name: str) -> None:
    destination.write(slot(place, encode(name, destination.rules)), Bytes(b"x"))


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, root: Path, destination: FolderDestination) -> None:
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(ItemError, match="leads out"):
        destination.prepare(Collection("x", ("link",), Kind.FILE))


def test_a_file_that_was_removed_is_gone(root: Path, destination: FolderDestination, place: Place) -> None:
    receipt = destination.write(slot(place, "x"), Bytes(b"x"))
    (root / "a/b/x").unlink()
    with pytest.raises(ItemError) as caught:
        list(destination.read(receipt))
    assert caught.value.code == "gone"


def test_a_full_disk_stops_the_account_and_leaves_nothing(destination: FolderDestination) -> None:
    if not os.access("/dev/full", os.W_OK):
        pytest.skip("no /dev/full here")
    try:
        handle = os.open("/dev/full", os.O_WRONLY)
        try:
            os.write(handle, b"x")
        finally:
            os.close(handle)
    except OSError as error:
        found = refused("anna's folder", error)
    assert isinstance(found, AccountError)
    assert found.code == "full"
