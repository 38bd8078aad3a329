"""An export read a second time, or a newer one: what has changed is listed, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from liberate_slack.standin import make_export
from slack_kit import (
    ANNA,
    BO,
    CHANNELS,
    DAY,
    ROOM,
    TS,
    USERS,
    items,
    listing,
    opened,
    room_of,
    said,
    texts,
    ts_of,
    zipped,
)

from liberate.connector import Collection, Item, Kind
from liberate.errors import ItemError


def test_the_same_export_again_has_nothing_to_list_and_another_is_listed_whole(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said()]})
    cursor = listing(path)[-1]
    assert isinstance(cursor, str)
    assert listing(path, since=cursor) == [cursor]
    zipped(path, {DAY: [said(), said("1772000001.000000")]})
    assert ts_of(listing(path, since=cursor)) == [TS, "1772000001.000000"]
    path.write_bytes(path.read_bytes())
    assert ts_of(listing(path, since=cursor, deleted="notice")) == [TS, "1772000001.000000"]


def test_a_listing_goes_on_from_its_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("liberate_slack.source._STEP", 7)
    made = make_export(tmp_path / "e.zip")
    listed = listing(made.path, "C0CHANNEL0")
    cursors = [(at, one) for at, one in enumerate(listed) if isinstance(one, str)]
    assert len(cursors) > 5
    for at, cursor in cursors:
        rest = listing(made.path, "C0CHANNEL0", cursor)
        later = [one for one in listed[at + 1 :] if isinstance(one, Item)]
        assert [one for one in rest if isinstance(one, Item)] == later


def test_a_new_reaction_changes_the_facts_and_an_edit_the_version(tmp_path: Path) -> None:
    path = tmp_path / "e.zip"
    (first,) = items(listing(zipped(path, {DAY: [said()]})))
    reacted = said(reactions=[{"name": "eyes", "users": [ANNA], "count": 1}])
    (second,) = items(listing(zipped(path, {DAY: [reacted]})))
    (third,) = items(listing(zipped(path, {DAY: [said(text="edited", edited={"ts": TS})]})))
    assert (first.id, first.version) == (second.id, second.version)
    assert first.facts_version != second.facts_version
    assert (third.id, third.facts_version) == (first.id, first.facts_version)
    assert third.version != first.version


def test_an_export_with_new_links_has_the_same_versions(tmp_path: Path) -> None:
    def made(token: str) -> list[Item]:
        file = {
            "id": "F1",
            "name": "a",
            "size": 5,
            "mode": "hosted",
            "url_private": f"https://files.slack.com/a?t={token}",
        }
        return items(listing(zipped(tmp_path / "e.zip", {DAY: [said(files=[file])]})))

    assert [(one.id, one.version) for one in made("xoxe-1")] == [(one.id, one.version) for one in made("xoxe-2")]


def test_a_person_or_room_that_took_another_name_edits_nothing(tmp_path: Path) -> None:
    people = [{"type": "user", "user_id": BO}, {"type": "channel", "channel_id": ROOM}]
    section = {"type": "rich_text_section", "elements": people}
    bullets = {"type": "rich_text_list", "elements": [section]}
    quote = {"type": "rich_text_quote", "elements": people}
    days = {
        DAY: [
            said(text=f"*<@{BO}>*, look into <#{ROOM}|general>\n&gt; <@{BO}>"),
            said("1772000001.000000", blocks=[{"type": "rich_text", "elements": [section, bullets, quote]}]),
        ]
    }

    def made(who: str, room: str) -> tuple[list[str], list[str]]:
        users = [{**one, "profile": {"display_name": who}} if one["id"] == BO else one for one in USERS]
        lists = {"users.json": users, "channels.json": [{**CHANNELS[0], "name": room}]}
        folder = {name.replace("general", room): said for name, said in days.items()}
        path = zipped(tmp_path / "e.zip", folder, **lists)
        return texts(path), [one.version for one in items(listing(path))]

    (before, versions), (after, again) = made("Bo", "general"), made("Bo Married", "everybody")
    assert before != after
    assert again == versions


def test_a_link_to_a_message_edits_nothing_when_its_room_is_no_longer_seen(tmp_path: Path) -> None:
    there = "https://solros.slack.com/archives/C0OTHER00/p1772000000000100"
    days = {DAY: [said(text=f"*see* <{there}> and <{there}|there>")]}
    rooms = [*CHANNELS, {"id": "C0OTHER00", "name": "other"}]
    known = items(listing(zipped(tmp_path / "e.zip", days, **{"channels.json": rooms})))
    unknown = items(listing(zipped(tmp_path / "e.zip", days)))
    assert [one.version for one in known] == [one.version for one in unknown]
    other = {DAY: [said(text=f"*see* <{there}>, and <{there}|there>")]}
    assert items(listing(zipped(tmp_path / "e.zip", other)))[0].version != known[0].version


def test_a_file_named_twice_is_listed_once_and_before_both(tmp_path: Path) -> None:
    file = {"id": "F1", "name": "a", "size": 5, "mode": "hosted", "url_private": "https://files.slack.com/a?t=xoxe-1"}
    days = {DAY: [said(files=[file, file]), said("1772000001.000000", files=[file])]}
    listed = items(listing(zipped(tmp_path / "e.zip", days)))
    assert [(one.kind, one.id, one.refs) for one in listed] == [
        (Kind.FILE, f"{ROOM}/file:F1", ()),
        (Kind.CHAT, f"{ROOM}/{TS}", (f"{ROOM}/file:F1",)),
        (Kind.CHAT, f"{ROOM}/1772000001.000000", (f"{ROOM}/file:F1",)),
    ]


def test_a_message_that_is_gone_is_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said()]})
    (item,) = items(listing(path))
    zipped(path, {DAY: [said("1772000001.000000")]})
    with opened(path) as source, pytest.raises(ItemError) as told:
        list(source.read(item))
    assert told.value.code == "gone"


def test_a_conversation_that_a_later_export_has_no_more_is_told_as_gone(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said()]})
    with opened(path) as source, pytest.raises(ItemError) as told:
        source.room(Collection("C0OTHER00", ("other",), Kind.CHAT, ordered=True))
    assert told.value.code == "gone"


def test_a_workspace_stays_the_same_when_people_of_another_in_shared_channels_become_more(tmp_path: Path) -> None:
    path = tmp_path / "e.zip"
    home = [{**USERS[0], "is_primary_owner": True}, *USERS[1:]]
    for guests in (1, 10):
        others = [{"id": f"U0GUEST{n}", "team_id": "T2", "name": f"guest{n}", "profile": {}} for n in range(guests)]
        zipped(path, {DAY: [said()]}, **{"users.json": [*home, *others]})
        with opened(path) as source:
            assert source.room(room_of(source)).workspace.id == "T1"
            assert (source.author(ANNA).kind, source.author("U0GUEST0").kind) == ("person", "stranger")
