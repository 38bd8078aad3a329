"""Maildirs as people have them: flags in names, two ways to nest folders, mail coming in meanwhile."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from liberate_local.connectors import MaildirSettings, maildir
from liberate_local.maildir import MaildirSource

from liberate.connector import Account, Collection, Cursor, Item, Kind, Skipped
from liberate.errors import AccountError, ItemError
from liberate.mail import MailFacts, Role

LONG_AGO = 1_700_000_000
LATER_NS = (LONG_AGO + 1000) * 10**9


def make(root: Path, *folders: str) -> Path:
    for folder in folders or (".",):
        for part in ("cur", "new", "tmp"):
            (root / folder / part).mkdir(parents=True)
    return root


def put(root: Path, name: str | bytes, body: bytes = b"Subject: x\n\ny\n", mtime: int = LONG_AGO) -> None:
    path = os.path.join(os.fsencode(root), os.fsencode(name))
    with open(path, "wb") as file:
        file.write(body)
    os.utime(path, (mtime, mtime))
    os.utime(os.path.dirname(path), (mtime, mtime))


def inbox(source: MaildirSource) -> Collection:
    return next(c for c in source.collections() if c.role == Role.INBOX)


def items(source: MaildirSource, since: Cursor | None = None) -> list[Item]:
    return [thing for thing in source.items(inbox(source), since) if isinstance(thing, Item)]


def cursor(source: MaildirSource) -> Cursor:
    *_, last = source.items(inbox(source), None)
    assert isinstance(last, str)
    return last


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make(tmp_path / "mail")


@pytest.fixture
def source(root: Path) -> MaildirSource:
    return MaildirSource(root, now_ns=lambda: LATER_NS)


@pytest.mark.parametrize(
    ("name", "flags", "keywords"),
    [
        ("cur/1.a.host:2,", set(), set()),
        ("cur/1.a.host:2,S", {"\\Seen"}, set()),
        ("cur/1.a.host:2,DFRS", {"\\Draft", "\\Flagged", "\\Answered", "\\Seen"}, set()),
        ("cur/1.a.host:2,SFRD", {"\\Draft", "\\Flagged", "\\Answered", "\\Seen"}, set()),
        ("cur/1.a.host:2,ST", {"\\Seen"}, set()),
        ("cur/1.a.host:2,PS", {"\\Seen"}, {"$Forwarded"}),
        ("cur/1.a.host:2,Sab", {"\\Seen"}, {"$Work", "Später"}),
        ("cur/1.a.host:2,Sz", {"\\Seen"}, set()),
        ("cur/1.a.host", set(), set()),
        ("cur/1.a.host:1,S", set(), set()),
        ("cur/1.a.host;2,S", {"\\Seen"}, set()),
        ("cur/1.a.host!2,S", {"\\Seen"}, set()),
        ("new/1.a.host", set(), set()),
        ("new/1.a.host:2,FS", {"\\Flagged"}, set()),
    ],
)
def test_flags_and_keywords_are_read_from_the_file_name(
    root: Path, source: MaildirSource, name: str, flags: set[str], keywords: set[str]
) -> None:
    (root / "dovecot-keywords").write_text("0 $Work\n1 Später\n99 Never\nnonsense\n")
    put(root, name)
    [item] = items(source)
    assert item.id == "1.a.host"
    assert item.facts == MailFacts(frozenset(flags), frozenset(keywords), datetime.fromtimestamp(LONG_AGO, UTC))


@pytest.mark.parametrize(
    ("directory", "names", "path"),
    [
        (".Work.Board", "auto", ("Work", "Board")),
        (".&ANw-bersicht", "auto", ("Übersicht",)),
        (".Übersicht", "auto", ("Übersicht",)),
        (".Übersicht", "utf-8", ("Übersicht",)),
        (".R&D", "auto", ("R&D",)),
        (".R&-D", "auto", ("R&D",)),
        (".R&-D", "utf-8", ("R&-D",)),
        ("Work/Board", "auto", ("Work", "Board")),
        ("Clients/2020/A.B", "auto", ("Clients", "2020", "A.B")),
    ],
)
def test_folders_have_the_names_that_people_read(tmp_path: Path, directory: str, names: str, path: tuple[str]) -> None:
    make(tmp_path, ".", directory)
    found = list(MaildirSource(tmp_path, names).collections())  # type: ignore[arg-type]
    assert [(c.path, c.role) for c in found] == [(("INBOX",), Role.INBOX), (path, None)]
    assert len({c.id for c in found}) == 2


def test_a_tree_of_maildirs_without_one_at_its_root_is_read(tmp_path: Path) -> None:
    make(tmp_path, "INBOX", "Sent", "Lists/dev")
    found = {c.path: c.role for c in MaildirSource(tmp_path).collections()}
    assert found == {("INBOX",): Role.INBOX, ("Sent",): None, ("Lists", "dev"): None}


def test_links_lead_nowhere(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside")
    put(outside, "cur/1.secret:2,S")
    root = make(tmp_path / "mail")
    (root / ".Other").symlink_to(outside)
    (root / "cur" / "2.link:2,S").symlink_to(outside / "cur" / "1.secret:2,S")
    source = MaildirSource(root)
    [only] = source.collections()
    skipped = [thing for thing in source.items(only, None) if not isinstance(thing, str)]
    assert [type(thing) for thing in skipped] == [Skipped]
    with pytest.raises(ItemError, match="link"):
        b"".join(source.read(Item("2.link", Kind.MAIL, "", facts_version="cur:2,S")))


def test_a_message_is_read_although_its_flags_have_changed_since(root: Path, source: MaildirSource) -> None:
    put(root, "new/1.a", b"first")
    put(root, "cur/2.b:2,", b"second")
    listed = items(source)
    os.rename(root / "new/1.a", root / "cur/1.a:2,S")
    os.rename(root / "cur/2.b:2,", root / "cur/2.b:2,FS")
    assert [b"".join(source.read(item)) for item in listed] == [b"first", b"second"]
    os.rename(root / "cur/2.b:2,FS", root / "cur/2.b:2,F")
    assert [loaded.body for loaded in source.read_many(listed)] == [b"first", b"second"]
    assert b"".join(source.read(listed[1], offset=3)) == b"ond"


def test_a_message_that_was_removed_is_gone_and_the_others_are_not(root: Path, source: MaildirSource) -> None:
    for name in ("1.a", "2.b", "3.c"):
        put(root, f"cur/{name}:2,S", name.encode())
    listed = items(source)
    (root / "cur/2.b:2,S").unlink()
    bodies = [loaded.body for loaded in source.read_many(listed)]
    assert bodies[0] == b"1.a"
    assert isinstance(bodies[1], ItemError)
    assert bodies[1].code == "gone"
    assert bodies[2] == b"3.c"
    with pytest.raises(ItemError, match="no longer there"):
        list(source.read(listed[1]))


def test_messages_are_listed_oldest_first_and_dot_files_never(root: Path, source: MaildirSource) -> None:
    for name in ("cur/1500000000.b", "cur/999999999.a", "cur/.nfs0001", "cur/1500000001.c:2,S"):
        put(root, name)
    (root / "cur" / "folder").mkdir()
    assert [item.id for item in items(source)] == ["999999999.a", "1500000000.b", "1500000001.c"]


def test_names_that_are_no_text_are_still_messages(root: Path, source: MaildirSource) -> None:
    names = [b"1.\xff\xfe", b"2.100%", "3.ü".encode(), b"4.line\nbreak"]
    for name in names:
        put(root, b"cur/" + name + b":2,S", name)
    listed = items(source)
    assert all(item.id.isprintable() for item in listed)
    assert [b"".join(source.read(item)) for item in listed] == names
    assert [item.id.encode() for item in listed] == [i.id.encode() for i in items(MaildirSource(root))]


def test_two_files_with_one_unique_part_are_two_messages(root: Path, source: MaildirSource) -> None:
    put(root, "cur/1.a:2,", b"one")
    put(root, "cur/1.a:2,S", b"other")
    listed = items(source)
    assert len({item.id for item in listed}) == 2
    assert {b"".join(source.read(item)) for item in listed} == {b"one", b"other"}


def test_a_message_that_dovecot_compressed_is_read_as_it_was(root: Path, source: MaildirSource) -> None:
    body = b"Subject: x\n\n" + b"text " * 1000
    put(root, f"cur/1.a,S={len(body)}:2,S", gzip.compress(body))
    put(root, "cur/2.b,S=999:2,S", b"\x28\xb5\x2f\xfd....")
    put(root, f"cur/3.c,S={len(body)},W=9:2,S", body)
    zipped, zstd, plain = items(source)
    assert (zipped.size, plain.size) == (None, len(body))
    assert b"".join(source.read(zipped)) == b"".join(source.read(plain)) == body
    assert b"".join(source.read(zipped, offset=100)) == body[100:]
    assert [type(loaded.body) for loaded in source.read_many([zipped, zstd, plain])] == [bytes, ItemError, bytes]


# The second pass ---------------------------------------------------------------------------------


def test_an_unchanged_folder_costs_no_listing(root: Path, source: MaildirSource) -> None:
    put(root, "cur/1.a:2,S")
    os.utime(root / "new", (LONG_AGO, LONG_AGO))
    before = cursor(source)
    assert list(source.items(inbox(source), before)) == [before]


@pytest.mark.parametrize("change", ["deliver", "flag", "remove", "keyword"])
def test_every_change_is_seen_by_the_next_pass(root: Path, source: MaildirSource, change: str) -> None:
    put(root, "cur/1.a:2,S")
    os.utime(root / "new", (LONG_AGO, LONG_AGO))
    before = cursor(source)
    match change:
        case "deliver":
            (root / "new/2.b").write_bytes(b"")
        case "flag":
            os.rename(root / "cur/1.a:2,S", root / "cur/1.a:2,FS")
        case "remove":
            os.unlink(root / "cur/1.a:2,S")
        case "keyword":
            (root / "dovecot-keywords").write_text("0 Work\n")
    assert [item.id for item in items(source, before)] == {"deliver": ["2.b", "1.a"], "remove": []}.get(change, ["1.a"])


def test_a_folder_that_changed_a_moment_ago_is_listed_again(root: Path) -> None:
    put(root, "cur/1.a:2,S")
    os.utime(root / "new", (LONG_AGO, LONG_AGO))
    source = MaildirSource(root, now_ns=lambda: LONG_AGO * 10**9 + 5)
    assert len(items(source, cursor(source))) == 1


def test_flags_change_the_facts_version_and_nothing_else(root: Path, source: MaildirSource) -> None:
    put(root, "cur/1.a:2,S")
    [before] = items(source)
    os.rename(root / "cur/1.a:2,S", root / "cur/1.a:2,FS")
    [after] = items(source)
    assert (before.id, before.version) == (after.id, after.version)
    assert before.facts_version != after.facts_version


def test_a_folder_that_was_removed_is_empty(tmp_path: Path) -> None:
    root = make(tmp_path, ".", ".Old")
    source = MaildirSource(root)
    old = next(c for c in source.collections() if c.role is None)
    for part in ("cur", "new", "tmp"):
        (root / ".Old" / part).rmdir()
    (root / ".Old").rmdir()
    assert [thing for thing in source.items(old, None) if not isinstance(thing, str)] == []


# The account -------------------------------------------------------------------------------------


def test_what_is_no_maildir_is_told_so(tmp_path: Path) -> None:
    for path, code in ((tmp_path / "none", "not-found"), (tmp_path, "not-a-maildir")):
        with pytest.raises(AccountError) as caught:
            list(MaildirSource(path).collections())
        assert caught.value.code == code


def test_an_account_names_its_own_maildir_and_no_other(tmp_path: Path) -> None:
    put(make(tmp_path / "anna"), "cur/1.a")
    settings = MaildirSettings(path=f"{tmp_path}/{{user}}")
    assert maildir.source is not None
    with maildir.source(settings, Account("anna@example.coop")) as source:
        assert [c.role for c in source.collections()] == [Role.INBOX]
    for name in ("../anna@example.coop", "..@example.coop", "", "a/b"):
        with pytest.raises(AccountError), maildir.source(settings, Account(name)):
            pass


def test_a_survey_counts_without_reading(tmp_path: Path) -> None:
    root = make(tmp_path, ".", ".Work")
    for name in ("cur/1.a", "new/2.b", ".Work/cur/3.c"):
        put(root, name)
    survey = MaildirSource(root).survey()
    assert (survey.items, survey.folders) == (3, {("INBOX",): 2, ("Work",): 1})


def test_the_endpoint_is_a_scheme_and_a_path() -> None:
    assert maildir.endpoint is not None
    assert maildir.endpoint("maildir:/var/mail/anna").settings == {"path": "/var/mail/anna"}
    assert maildir.endpoint("maildir:./x").settings == {"path": "./x"}
    assert maildir.endpoint("maildir:///var/mail").settings == {"path": "/var/mail"}


@pytest.mark.parametrize("change", [False, True])
def test_a_long_listing_after_a_change_is_remembered_if_nothing_came_meanwhile(root: Path, change: bool) -> None:
    put(root, "cur/1.a:2,S")
    put(root, "cur/2.b:2,S")
    os.utime(root / "new", (LONG_AGO, LONG_AGO))
    clock = [os.stat(root / "cur").st_mtime_ns + 1]
    source = MaildirSource(root, now_ns=lambda: clock[0])
    listing = source.items(inbox(source), None)
    next(listing)
    if change:
        (root / "cur/3.c:2,S").write_bytes(b"")
    clock[0] += 60 * 10**9
    *_, last = listing
    assert isinstance(last, str)
    assert len(items(source, last)) == (3 if change else 0)
