"""What a listing of a drive names, in which order, and where the next one goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Drive, Fault, GraphStandin
from liberate_microsoft.standin.shapes import to_link, to_person
from liberate_microsoft.standin.tree import Node
from microsoft_kit import (
    ANNA,
    BJORN,
    DRIVE,
    by_name,
    calls,
    cursor,
    facts,
    gone,
    items,
    listing,
    opened,
    skipped,
    whole,
)

from liberate.connector import Cursor, Listed, Skipped
from liberate.errors import AccountError, TransientError
from liberate.files import Grant, Role

WHEN = datetime(2011, 2, 3, 4, 5, 6, tzinfo=UTC)


def fill(drive: Drive) -> None:
    """Folders three deep, of which each holds four files, over several pages."""
    above = drive.root
    for level in range(3):
        above = drive.add_folder(f"level {level}", above)
        for n in range(4):
            drive.add_file(f"{level}-{n}.txt", f"{level} {n}".encode(), above)


def in_order(listed: list[Listed], known: frozenset[str] = frozenset()) -> bool:
    seen = set(known)
    for item in items(listed):
        if facts(item).parent and facts(item).parent not in seen:
            return False
        seen.add(item.id)
    return True


def test_files_and_folders_come_with_their_facts(settings: MicrosoftSettings, drive: Drive) -> None:
    board = drive.add_folder("Board", client_created=WHEN, client_modified=WHEN)
    node = drive.add_file("a.txt", b"hello", board, client_created=WHEN, client_modified=WHEN, description=" mind ")
    with opened(settings) as source:
        listed = listing(source)
    folder, file = by_name(listed)["Board"], by_name(listed)["a.txt"]
    assert (folder.size, folder.version, folder.digests, facts(folder).folder) == (None, "", {}, True)
    assert facts(folder).parent == ""
    assert (file.id, file.size, file.modified, facts(file).created) == (node.id, 5, WHEN, WHEN)
    assert (facts(file).parent, facts(file).notes) == (board.id, 1)
    assert file.digests == {"quickxor": node.blob.quickxor}
    assert whole(listed)


@pytest.mark.parametrize("disorder", [False, True])
@pytest.mark.parametrize("page", [1, 3, 7, 100])
def test_a_folder_comes_before_what_stands_in_it_however_it_is_paged(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive, disorder: bool, page: int
) -> None:
    standin.disorder, standin.page = disorder, page
    fill(drive)
    with opened(settings) as source:
        listed = listing(source)
        names = [item.name for item in items(listed)]
        assert sorted(names) == sorted(one.name for one in drive.nodes.values() if one.parent)
        assert in_order(listed)
        for at, thing in enumerate(listed):
            if isinstance(thing, str):
                rest = listing(source, Cursor(thing))
                before = frozenset(item.id for item in items(listed[:at]))
                assert in_order(rest, before)
                assert {item.id for item in items(rest)} | before == {item.id for item in items(listed)}


def test_whole_is_said_only_where_this_call_listed_everything_from_the_start(
    settings: MicrosoftSettings, drive: Drive
) -> None:
    fill(drive)
    with opened(settings) as source:
        listed = listing(source)
        cursors = [Cursor(one) for one in listed if isinstance(one, str)]
        assert len(cursors) > 2, "a nextLink is a cursor too"
        assert whole(listed)
        assert not any(whole(listing(source, one)) for one in cursors)


@pytest.mark.parametrize("broken", ["expired", "garbage", "of another drive"])
def test_a_cursor_that_is_worth_nothing_leads_to_everything_anew(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive, broken: str
) -> None:
    fill(drive)
    with opened(settings) as source:
        first = listing(source)
        since = cursor(first)
        if broken == "expired":
            drive.expire_tokens()
        elif broken == "garbage":
            since = Cursor("delta:token=nothing+of+ours")
        else:
            since = Cursor(f"delta:{standin.url}/v1.0/drives/other/root/delta?token=0.d.3")
        again = listing(source, since)
    assert [i.id for i in items(again)] == [i.id for i in items(first)]
    assert whole(again)
    assert sum(isinstance(one, str) for one in again) == 1, "only the end counts, for Whole must name everything"


def test_tokens_that_expire_amid_a_listing_start_it_anew(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive
) -> None:
    fill(drive)
    fault = standin.faults.add(Fault(method="delta", skip=2, does=drive.expire_tokens))
    with opened(settings) as source:
        listed = listing(source)
    assert fault.hits == 1
    assert whole(listed)
    assert {i.name for i in items(listed)} == {one.name for one in drive.nodes.values() if one.parent}
    standin.faults.add(Fault(method="delta", does=drive.expire_tokens, times=None))
    with opened(settings) as source, pytest.raises(TransientError):
        listing(source)


def test_a_token_never_goes_to_another_server(settings: MicrosoftSettings, drive: Drive, standin: GraphStandin) -> None:
    fill(drive)
    with opened(settings) as source:
        since = Cursor("delta:https://elsewhere.example/v1.0/drives/x/root/delta?token=1")
        assert whole(listing(source, since))


def test_changes_are_told_by_what_changed(settings: MicrosoftSettings, drive: Drive) -> None:
    one, two = drive.add_folder("one"), drive.add_folder("two")
    names = ("edited", "renamed", "moved", "deleted", "left", "shared")
    nodes = {name: drive.add_file(f"{name}.txt", name.encode(), one) for name in names}
    with opened(settings) as source:
        first = listing(source)
        before = {item.id: item for item in items(first)}
        drive.write(nodes["edited"], b"other")
        drive.move(nodes["renamed"], name="other name.txt")
        drive.move(nodes["moved"], two)
        drive.delete(nodes["deleted"])
        drive.share(nodes["shared"], to_person(BJORN, "Björn"))
        second = listing(source, cursor(first))
    now = {item.id: item for item in items(second)}
    assert gone(second) == {nodes["deleted"].id}
    assert not whole(second)
    assert nodes["left"].id not in now
    for name, bytes_too in (("edited", True), ("renamed", False), ("moved", False), ("shared", False)):
        old, new = before[nodes[name].id], now[nodes[name].id]
        assert (old.version != new.version) == bytes_too, name
        assert old.facts_version != new.facts_version or name == "edited", name
    assert facts(now[nodes["moved"].id]).parent == two.id
    assert now[one.id].facts_version == before[one.id].facts_version


def test_a_file_without_a_digest_has_a_version_that_a_rename_leaves_alone(
    settings: MicrosoftSettings, drive: Drive
) -> None:
    node = drive.add_file("a.txt", b"hello", told_quickxor="")
    versions = []
    with opened(settings) as source:
        for does in (lambda: None, lambda: drive.move(node, name="b.txt"), lambda: drive.write(node, b"jello")):
            does()
            (item,) = items(listing(source))
            assert item.digests == {}
            versions.append(item.version)
    assert versions[0] == versions[1] != versions[2]


def test_what_cannot_move_is_skipped_with_a_reason(settings: MicrosoftSettings, drive: Drive) -> None:
    odd = {
        "onenote": {"package": {"type": "oneNote"}},
        "package": {"package": {"type": "somethingNew"}},
        "malware": {"malware": {"description": "Win32/Test"}},
        "shared-in": {"remoteItem": {"id": "01OTHER", "name": "theirs"}},
    }
    nodes = {code: drive.add_file(code, b"x", facets=facets) for code, facets in odd.items()}
    drive.add_file("good.txt", b"good")
    with opened(settings) as source:
        listed = listing(source)
    assert skipped(listed) == {nodes[code].id: code for code in odd}
    assert [item.name for item in items(listed)] == ["good.txt"]
    for one in listed:
        if isinstance(one, Skipped):
            assert one.why.endswith(".")
            assert one.todo or one.code in ("package", "shared-in")


def test_grants_are_those_beyond_what_a_folder_above_gives(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive
) -> None:
    standin.add_person(BJORN, "Björn")
    board = drive.add_folder("Board")
    plain = drive.add_file("plain.txt", b"1", board)
    more = drive.add_file("more.txt", b"2", board)
    alone = drive.add_file("alone.txt", b"3")
    drive.share(board, to_person(BJORN, "Björn", "write"), to_person(ANNA, "Anna", "owner"))
    drive.share(more, to_link("anonymous", "edit", expirationDateTime="2031-01-02T00:00:00Z"))
    drive.share(alone, to_link("organization"), to_link("users", "edit", ((BJORN, "Björn"),)))
    drive.share(alone, {**to_link("anonymous"), "hasPassword": True})
    with opened(settings) as source:
        first = listing(source)
        found = {item.id: facts(item).grants for item in items(first)}
        assert found[board.id] == (Grant("user", BJORN, Role.WRITER),)
        assert found[plain.id] == ()
        assert found[more.id] == (Grant("link", "", Role.WRITER, datetime(2031, 1, 2, tzinfo=UTC)),)
        assert set(found[alone.id]) == {
            Grant("domain", "solros.example", Role.READER),
            Grant("user", BJORN, Role.WRITER),
        }
        # Files edited below a shared folder say that they are shared, and have no grants of their own all the same.
        drive.write(plain, b"edited")
        again = {item.id: item for item in items(listing(source, cursor(first)))}
        assert facts(again[plain.id]).grants == ()


@pytest.mark.parametrize("folder", [False, True])
def test_what_inherits_nothing_names_all_who_see_it_and_says_that_it_is_closed(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive, folder: bool
) -> None:
    standin.add_person(BJORN, "Björn")
    board = drive.add_folder("Board")
    drive.share(board, to_person(BJORN, "Björn", "write"), to_link("organization"))
    wages = drive.add_folder("Wages", board) if folder else drive.add_file("wages.ods", b"1", board)
    inner = drive.add_file("may.ods", b"2", wages if folder else board)
    with opened(settings) as source:
        first = listing(source)
        assert not any(facts(item).closed for item in items(first))
        drive.cut(wages, to_person(BJORN, "Björn"))
        found = {item.id: facts(item) for item in items(listing(source, cursor(first)))}
        assert found[wages.id].closed
        assert found[wages.id].grants == (Grant("user", BJORN, Role.READER),)
        drive.cut(wages)
        found = {item.id: facts(item) for item in items(listing(source))}
    assert found[wages.id].closed
    assert found[wages.id].grants == ()
    assert not found[inner.id].closed


def test_what_inherits_from_above_and_is_told_so_is_not_closed(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin.add_person(BJORN, "Björn")
    board = drive.add_folder("Board")
    drive.share(board, to_person(BJORN, "Björn", "write"))
    minutes = drive.add_file("minutes.odt", b"1", board)
    drive.share(minutes, to_link("organization"))
    told = drive.effective

    def with_origin(node: Node) -> list[dict[str, Any]]:
        return [one if one in node.permissions else {**one, "inheritedFrom": {"id": board.id}} for one in told(node)]

    monkeypatch.setattr(drive, "effective", with_origin)
    with opened(settings) as source:
        found = {item.id: facts(item) for item in items(listing(source))}
    assert not found[minutes.id].closed
    assert found[minutes.id].grants == (Grant("domain", "solros.example", Role.READER),)


def test_whoever_may_do_something_in_several_ways_gets_the_strongest_that_has_not_ended(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive
) -> None:
    standin.add_person(BJORN, "Björn")
    board, over = drive.add_folder("Board"), drive.add_file("over.txt", b"1")
    inner = drive.add_file("inner.txt", b"2", board)
    drive.share(board, to_link("users", "view", ((BJORN, "Björn"),)), to_person(BJORN, "Björn", "write"))
    drive.share(inner, to_link("users", "view", ((BJORN, "Björn"),)))
    drive.share(over, {**to_person(BJORN, "Björn", "write"), "expirationDateTime": "2020-01-02T00:00:00Z"})
    drive.share(over, to_person(BJORN, "Björn"), to_link("anonymous"), to_link("anonymous", "edit"))
    with opened(settings) as source:
        found = {item.id: facts(item).grants for item in items(listing(source))}
    assert found[board.id] == (Grant("user", BJORN, Role.WRITER),)
    assert found[inner.id] == ()
    links = {Grant("link", "", Role.READER), Grant("link", "", Role.WRITER)}
    assert set(found[over.id]) == {Grant("user", BJORN, Role.READER), *links}


def test_permissions_are_asked_for_shared_items_only_and_not_at_all_if_the_plan_says_so(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive
) -> None:
    fill(drive)
    shared = drive.add_folder("Shared")
    drive.share(shared, to_person(BJORN, "Björn"))
    drive.add_file("in it.txt", b"1", shared)
    with opened(settings) as source:
        listing(source)
    assert calls(standin, "permissions") == 2, "the shared folder, and the outermost one that it stands in"
    standin.requests.clear()
    with opened(settings.model_copy(update={"permissions": False})) as source:
        assert all(facts(item).grants == () for item in items(listing(source)))
    assert calls(standin, "permissions") == 0


def test_a_listing_is_taken_by_a_next_run_after_it_was_cut_off(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive
) -> None:
    fill(drive)
    seen: list[Listed] = []
    standin.faults.add(Fault(method="delta", skip=2, status=503, retry_after="700", times=None))
    with opened(settings) as source, pytest.raises(TransientError) as told:
        seen.extend(source.items(DRIVE, None))
    assert told.value.retry_after == 700
    with opened(settings) as source:
        began: Iterator[Listed] = source.items(DRIVE, None)
        with pytest.raises(TransientError):
            seen.extend(began)
    since = next(Cursor(one) for one in reversed(seen) if isinstance(one, str))
    standin.faults.clear()
    with opened(settings) as source:
        rest = listing(source, since)
    names = [i.name for i in items([*seen, *rest])]
    assert len(names) == len(set(names)) == len(drive.nodes) - 1


def test_the_survey_says_what_the_quota_says(settings: MicrosoftSettings, drive: Drive) -> None:
    fill(drive)
    with opened(settings) as source:
        told = source.survey()
    assert (told.items, told.bytes) == (None, drive.used)


def test_missing_rights_name_the_permission_to_grant(
    settings: MicrosoftSettings, standin: GraphStandin, drive: Drive
) -> None:
    fill(drive)
    drive.share(drive.add_folder("Shared"), to_person(BJORN, "Björn"))
    standin.entra.roles = frozenset({"User.Read.All"})
    with opened(settings) as source, pytest.raises(AccountError) as told:
        list(source.collections())
    assert told.value.code == "not-permitted"
    assert "Files.Read.All" in told.value.todo
    standin.entra.roles = frozenset({"User.Read.All", "Files.Read.All"})
    standin.entra.end_tokens()
    standin.faults.add(Fault(method="permissions", status=403, code="accessDenied", times=None))
    with opened(settings) as source, pytest.raises(AccountError) as told:
        listing(source)
    assert "permissions = false" in told.value.todo


def test_two_listings_of_one_drive_are_equal(settings: MicrosoftSettings, drive: Drive) -> None:
    fill(drive)
    with opened(settings) as source:
        first, second = (items(listing(source)) for _ in range(2))
    assert [dataclasses.astuple(i) for i in first] == [dataclasses.astuple(i) for i in second]
