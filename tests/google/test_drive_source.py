"""Drive as a source: what it lists, what it reads, and what it says when Google will not."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest
from drive_kit import BO, drive, listed
from google_kit import ANNA, gone, items, skipped
from liberate_google.connectors import google
from liberate_google.settings import GoogleSettings
from liberate_google.standin import Fault, GoogleStandin
from liberate_google.standin.content import Made

from liberate.connector import Account, Cursor, Item, Kind, Skipped, Whole
from liberate.errors import AccountError, IntegrityError, ItemError, TransientError
from liberate.files import FileFacts, Grant, Role


@pytest.fixture(autouse=True)
def people(standin: GoogleStandin) -> None:
    for address in (ANNA, BO):
        standin.drive.add_user(address)


def one(settings: GoogleSettings, name: str) -> Item:
    with drive(settings, ANNA) as source:
        return next(item for item in items(listed(source)) if item.name == name)


def body(settings: GoogleSettings, item: Item, offset: int = 0) -> bytes:
    with drive(settings, ANNA) as source:
        return b"".join(source.read(item, offset))


def refusal(settings: GoogleSettings, item: Item) -> ItemError:
    with pytest.raises(ItemError) as told:
        body(settings, item)
    return told.value


def test_a_listing_tells_folders_first_and_each_before_what_is_in_it(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    store = standin.drive
    inner = store.add_folder(ANNA, "inner")  # older than the one it is moved into
    outer = store.add_folder(ANNA, "outer")
    store.move(inner, outer)
    file = store.add_file(ANNA, "file", b"x", parent=inner)
    with drive(settings, ANNA) as source:
        told = listed(source)
    assert [item.id for item in items(told)] == [outer, inner, file]
    assert [item.facts.parent for item in items(told)] == ["", outer, inner]
    assert isinstance(told[-2], Whole)


def test_a_listing_broken_off_goes_on_and_does_not_say_that_it_is_whole(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    store = standin.drive
    for number in range(1500):
        store.add_file(ANNA, f"n{number}", b"")
    with drive(settings, ANNA) as source:
        told = listed(source)
        cursors = [at for at, thing in enumerate(told) if isinstance(thing, str)]
        middle = cursors[1]
        rest = listed(source, Cursor(str(told[middle])))
    before = {item.id for item in items(told[:middle])}
    assert 0 < len(before) < 1500
    assert before.isdisjoint(item.id for item in items(rest))
    assert len(before) + len(items(rest)) == 1500
    assert not any(isinstance(thing, Whole) for thing in rest)


@pytest.mark.parametrize("cursor", ["", "garbage", '{"changes":"x"}', '{"as":"odf","changes":"999999x"}'])
def test_a_cursor_that_fits_no_more_is_answered_by_everything(
    standin: GoogleStandin, settings: GoogleSettings, cursor: str
) -> None:
    standin.drive.add_file(ANNA, "file", b"x")
    with drive(settings, ANNA) as source:
        told = listed(source, Cursor(cursor))
    assert len(items(told)) == 1
    assert any(isinstance(thing, Whole) for thing in told)


def test_a_search_that_google_could_not_finish_is_no_listing(standin: GoogleStandin, settings: GoogleSettings) -> None:
    standin.drive.incomplete = True
    with drive(settings, ANNA) as source, pytest.raises(TransientError):
        listed(source)


def test_a_rename_changes_the_facts_and_not_the_version(standin: GoogleStandin, settings: GoogleSettings) -> None:
    key = standin.drive.add_file(ANNA, "old", b"x")
    before = one(settings, "old")
    standin.drive.rename(key, "new")
    after = one(settings, "new")
    assert before.version == after.version
    assert before.facts_version != after.facts_version


def test_a_file_comes_with_its_digests_times_star_and_grants(standin: GoogleStandin, settings: GoogleSettings) -> None:
    store = standin.drive
    key = store.add_file(ANNA, "file", b"content", modified=1_600_000_000.0)
    store.share(key, BO, "writer")
    store.share(key, "", "reader", "anyone")
    store.files[key].starred.add(ANNA)
    store.files[key].description = "note"
    item = one(settings, "file")
    assert item.size == 7
    assert item.digests["md5"] == hashlib.md5(b"content", usedforsecurity=False).hexdigest()
    assert item.modified is not None
    assert item.modified.timestamp() == 1_600_000_000
    assert item.facts.starred
    assert set(item.facts.grants) == {Grant("user", BO, Role.WRITER), Grant("link", "", Role.READER)}
    with drive(settings, ANNA) as source:
        assert [note.text for note in source.notes(item)] == ["note"]


def test_what_a_folder_shares_is_not_told_again_for_what_is_in_it(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    store = standin.drive
    folder = store.add_folder(ANNA, "folder")
    store.share(folder, BO, "reader")
    store.add_file(ANNA, "file", b"x", parent=folder)
    assert one(settings, "folder").facts.grants == (Grant("user", BO, Role.READER),)
    assert one(settings, "file").facts.grants == ()


def test_a_folder_with_limited_access_names_all_who_see_it_and_says_that_it_is_closed(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    store = standin.drive
    outer = store.add_folder(ANNA, "outer")
    store.share(outer, BO, "reader")
    store.share(outer, "claire@solros.example", "writer")
    inner = store.add_folder(ANNA, "inner", parent=outer)
    store.add_file(ANNA, "file", b"x", parent=inner)
    store.share(inner, BO, "writer")
    assert not one(settings, "inner").facts.closed
    store.limit(inner)
    facts = one(settings, "inner").facts
    assert (facts.closed, facts.grants) == (True, (Grant("user", BO, Role.WRITER),))
    facts = one(settings, "file").facts
    assert (facts.closed, facts.grants) == (False, ())


def test_a_folder_with_limited_access_in_a_shared_drive_is_not_for_all_members(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    members = {ANNA: "organizer", BO: "writer", "claire@solros.example": "reader"}
    store = standin.drive
    key = store.add_shared_drive("Board", members)
    wages = store.add_folder(key, "Wages")
    store.add_file(key, "may.ods", b"secret", parent=wages)
    store.share(wages, "claire@solros.example", "reader")
    store.limit(wages)
    store.add_file(key, "minutes", b"we met")
    with drive(settings.model_copy(update={"shared_drives_as": ANNA}), "Board", "shared") as source:
        told = listed(source)
    found = {item.name: item.facts for item in items(told)}
    assert {(grant.name, grant.role) for grant in found["Wages"].grants} == {
        (ANNA, Role.ORGANIZER),
        ("claire@solros.example", Role.READER),
    }
    assert [name for name, facts in found.items() if facts.closed] == ["Wages"]
    assert {grant.name for grant in found["minutes"].grants} == set(members)
    assert found["may.ods"].grants == ()
    assert [one.code for one in told if isinstance(one, Skipped)] == ["closed-folder"]


def test_a_file_in_a_colleagues_folder_stays_visible_to_all_who_see_it_there(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    store = standin.drive
    folder = store.add_folder(BO, "folder")
    store.share(folder, ANNA, "writer")
    store.share(folder, "claire@solros.example", "reader")
    store.add_file(ANNA, "file", b"x", parent=folder)
    grants = {Grant("user", BO, Role.WRITER), Grant("user", "claire@solros.example", Role.READER)}
    assert set(one(settings, "file").facts.grants) == grants


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_download_cut_at_any_megabyte_goes_on_from_there(
    standin: GoogleStandin, settings: GoogleSettings, cut: int
) -> None:
    standin.drive.add_file(ANNA, "film", Made("film", 6 << 20))
    item = one(settings, "film")
    whole = body(settings, item)
    standin.faults.add(Fault(method="files.get_media", breaks="truncate", after=cut << 20))
    got = b""
    with drive(settings, ANNA) as source:
        try:
            for piece in source.read(item):
                got += piece
        except TransientError:
            pass
        assert len(got) < len(whole)  # a reset may throw away what had arrived
        got += b"".join(source.read(item, len(got)))
    assert got == whole


def test_a_server_that_ignores_the_range_still_gives_the_tail(standin: GoogleStandin, settings: GoogleSettings) -> None:
    standin.drive.add_file(ANNA, "file", b"0123456789")
    item = one(settings, "file")
    standin.faults.add(Fault(method="files.get_media", breaks="no-range"))
    assert body(settings, item, 4) == b"456789"


@pytest.mark.parametrize(
    ("kind", "documents", "ending", "member"),
    [
        ("document", "odf", "odt", "content.xml"),
        ("document", "office", "docx", "word/document.xml"),
        ("spreadsheet", "odf", "ods", "content.xml"),
        ("spreadsheet", "office", "xlsx", "xl/workbook.xml"),
        ("presentation", "odf", "odp", "content.xml"),
        ("presentation", "office", "pptx", "ppt/presentation.xml"),
    ],
)
def test_documents_of_googles_are_exported_in_the_form_that_the_plan_names(
    standin: GoogleStandin, settings: GoogleSettings, kind: str, documents: Any, ending: str, member: str
) -> None:
    standin.drive.add_document(ANNA, "Title", kind, "Text")
    chosen = settings.model_copy(update={"documents": documents})
    item = one(chosen, f"Title.{ending}")
    assert (item.size, item.repeatable) == (None, False)
    assert member in zipfile.ZipFile(io.BytesIO(body(chosen, item))).namelist()


def test_an_ending_that_is_there_is_not_put_there_twice(standin: GoogleStandin, settings: GoogleSettings) -> None:
    standin.drive.add_document(ANNA, "Title.odt")
    assert one(settings, "Title.odt").name == "Title.odt"


def test_a_document_too_large_for_export_comes_by_its_export_link(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    standin.drive.add_document(ANNA, "Long", text="x" * 100)
    item = one(settings, "Long.odt")
    standin.faults.add(Fault(403, "exportSizeLimitExceeded", "too large", method="files.export"))
    assert body(settings, item).startswith(b"PK")


def test_an_export_link_never_gets_the_token_of_another_host(
    standin: GoogleStandin, settings: GoogleSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin.drive.add_document(ANNA, "Long", text="x" * 100)
    item = one(settings, "Long.odt")
    standin.faults.add(Fault(403, "exportSizeLimitExceeded", "too large", method="files.export"))
    from liberate_google.drive_reading import Reader

    monkeypatch.setattr(
        Reader, "about", lambda *_a, **_k: {"exportLinks": {"application/vnd.oasis.opendocument.text": "https://evil.example/x"}}
    )  # fmt: skip
    assert refusal(settings, item).code == "export-refused"


@pytest.mark.parametrize("kind", ["form", "site", "map", "jam", "vid"])
def test_what_has_no_export_is_told_with_what_to_do(
    standin: GoogleStandin, settings: GoogleSettings, kind: str
) -> None:
    standin.drive.add_document(ANNA, "Thing", kind)
    with drive(settings, ANNA) as source:
        (told,) = skipped(listed(source))
    assert told.code == f"google-{kind}"
    assert told.todo


def test_a_shortcut_is_a_link_file_and_never_followed(standin: GoogleStandin, settings: GoogleSettings) -> None:
    store = standin.drive
    folder = store.add_folder(ANNA, "folder")
    store.add_shortcut(ANNA, "loop", folder, parent=folder)
    item = one(settings, "loop.url")
    assert folder.encode() in body(settings, item)
    assert item.size == len(body(settings, item))


def test_a_dangling_shortcut_is_told(standin: GoogleStandin, settings: GoogleSettings) -> None:
    standin.drive.add_shortcut(ANNA, "nowhere", "1doesnotexist")
    with drive(settings, ANNA) as source:
        (told,) = skipped(listed(source))
    assert told.code == "dangling-shortcut"


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (403, "cannotDownloadAbusiveFile", "flagged-as-malware"),
        (403, "cannotDownloadFile", "download-forbidden"),
        (403, "fileNotDownloadable", "not-downloadable"),
        (403, "downloadQuotaExceeded", "download-quota"),
        (403, "insufficientFilePermissions", "forbidden"),
        (404, "notFound", "gone"),
        (403, "somethingNew", "source-refused"),
    ],
)
def test_a_refusal_of_one_file_is_told_with_its_reason(
    standin: GoogleStandin, settings: GoogleSettings, status: int, reason: str, code: str
) -> None:
    standin.drive.add_file(ANNA, "file", b"x")
    item = one(settings, "file")
    standin.faults.add(Fault(status, reason, method="files.get_media", times=None))
    assert refusal(settings, item).code == code


@pytest.mark.parametrize(
    ("status", "reason"), [(403, "userRateLimitExceeded"), (403, "rateLimitExceeded"), (429, ""), (500, ""), (503, "")]
)
def test_what_passes_is_tried_again_later(
    standin: GoogleStandin, settings: GoogleSettings, status: int, reason: str
) -> None:
    standin.drive.add_file(ANNA, "file", b"x")
    item = one(settings, "file")
    standin.faults.add(Fault(status, reason, method="files.get_media", times=None))
    with pytest.raises(TransientError):
        body(settings, item)


def test_many_small_files_come_together_and_large_ones_are_left_to_read(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    for number in range(40):
        standin.drive.add_file(ANNA, f"n{number}", b"%d" % number)
    standin.drive.add_file(ANNA, "large", Made("large", 9 << 20))
    with drive(settings, ANNA) as source:
        some = items(listed(source))
        loaded = {one.item.name: one.body for one in source.read_many(some)}
    assert loaded.pop("large") is None
    assert loaded == {f"n{number}": b"%d" % number for number in range(40)}


def test_a_description_that_no_longer_holds_is_told_anew(standin: GoogleStandin, settings: GoogleSettings) -> None:
    key = standin.drive.add_file(ANNA, "file", b"before")
    item = one(settings, "file")
    standin.drive.change(key, b"afterwards")
    with drive(settings, ANNA) as source:
        now = source.describe(item)
        assert now.version != item.version
        assert now.size == 10
        with pytest.raises(IntegrityError):
            list(source.read(item, 3))


def test_changes_say_what_is_gone(standin: GoogleStandin, settings: GoogleSettings) -> None:
    store = standin.drive
    keep, away, trashed = (store.add_file(ANNA, name, b"x") for name in ("keep", "away", "trashed"))
    with drive(settings, ANNA) as source:
        cursor = Cursor(str(listed(source)[-1]))
        store.delete(away)
        store.trash(trashed)
        store.rename(keep, "kept")
        told = listed(source, cursor)
    assert set(gone(told)) == {away}
    assert {(item.id, item.name, item.facts.trashed) for item in items(told) if isinstance(item.facts, FileFacts)} == {
        (keep, "kept", False),
        (trashed, "trashed", True),
    }


def test_a_shared_drive_is_read_as_the_member_that_the_settings_name(
    standin: GoogleStandin, settings: GoogleSettings
) -> None:
    key = standin.drive.add_shared_drive("Board", {ANNA: "organizer"})
    standin.drive.add_file(key, "minutes", b"we met")
    chosen = settings.model_copy(update={"shared_drives_as": ANNA})
    for name in ("Board", key):
        with drive(chosen, name, "shared") as source:
            (collection,) = source.collections()
            (item,) = items(listed(source))
            assert collection.path == ()
            assert item.facts.grants == (Grant("user", ANNA, Role.ORGANIZER),)
            assert b"".join(source.read(item)) == b"we met"
    with drive(chosen, "Nowhere", "shared") as source, pytest.raises(AccountError) as told:
        list(source.collections())
    assert "Nowhere" in str(told.value)


def test_a_route_of_files_only_asks_for_no_mail(standin: GoogleStandin, tmp_path: Path) -> None:
    standin.service_account_file(tmp_path / "files.json", delegated=("https://www.googleapis.com/auth/drive.readonly",))
    settings = GoogleSettings(service_account_file=tmp_path / "files.json", endpoint=standin.url)
    standin.drive.add_file(ANNA, "file", b"x")
    assert google.source is not None
    with google.source(settings, Account(ANNA, kinds=frozenset({Kind.FILE}))) as source:
        assert [item.name for item in items(listed(source))] == ["file"]
    with (
        pytest.raises(AccountError) as told,
        google.source(settings, Account(ANNA, kinds=frozenset({Kind.MAIL}))) as source,
    ):
        listed(source)
    assert "gmail.readonly" in str(told.value)
