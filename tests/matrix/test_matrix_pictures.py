"""Pictures of people, what a workspace has besides its rooms, and the links above a room, as members see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from liberate_matrix import pictures
from liberate_matrix.bookmarks import listed
from liberate_matrix.convert import BUDGET, Names, edit, weight
from liberate_matrix.destination import MatrixDestination
from liberate_matrix.pictures import PACKS, kind_of, packed, shortcodes
from liberate_matrix.sandbox import Synapse
from liberate_matrix.settings import MatrixSettings
from matrix_kit import V3, Company, Reader, Writer, message

from liberate.chat import Bookmark, RoomKind
from liberate.connector import CHANGED_THERE
from liberate.errors import ItemError
from liberate.testing.room_contract import DOT

OTHER = DOT.replace(b"IDAT", b"idat")
HANDBOOK, WIKI = Bookmark("Handbook", "https://example.test/handbook"), Bookmark("Wiki", "https://example.test/wiki")


def avatar(reader: Reader, user: str) -> str:
    return str(reader.ask("GET", f"{V3}/profile/{quote(user)}").get("avatar_url") or "")


def shown(synapse: Synapse, member: Any, mxc: str) -> bytes:
    path = f"/_matrix/client/v1/media/download/{mxc.removeprefix('mxc://')}"
    return bytes(synapse.ask("GET", path, None, member.token))


def space_of(reader: Reader, place: str) -> str:
    (space,) = {one["state_key"] for one in reader.events(place) if one["type"] == "m.space.parent"}
    return str(space)


def packs(reader: Reader, space: str) -> list[dict[str, str]]:
    """What each type of pack says: addresses by shortcode."""
    told = [reader.state(space, type_, "liberate") for type_ in PACKS]
    return [{code: one["url"] for code, one in pack["images"].items()} for pack in told]


def changes(settings: MatrixSettings, act: Callable[[MatrixDestination], object]) -> list[str]:
    """What is sent to the homeserver meanwhile."""
    steps: list[str] = []
    with MatrixDestination(settings, step=steps.append) as destination:
        steps.clear()
        act(destination)
    return [one for one in steps if one.startswith("after ")]


# People -------------------------------------------------------------------------------------------


def test_whoever_has_no_account_has_their_picture_before_they_speak_and_whoever_has_one_keeps_theirs(
    settings: MatrixSettings, company: Company, anna: Reader
) -> None:
    with MatrixDestination(settings) as destination:
        writer = Writer(destination, company, company.room())
        for number, author in enumerate(("U3", "U1", "B1", "B1", "U3")):
            writer.write(message(number, author=author))
        writer.close()
    ghost = company.ghost("U3")
    assert shown(company.synapse, company.anna, avatar(anna, ghost)) == DOT
    joins = [one for one in anna.events(writer.place) if one.get("state_key") == ghost]
    assert {one["content"].get("avatar_url") for one in joins if one["content"]["membership"] == "join"} == {
        avatar(anna, ghost)
    }
    assert avatar(anna, company.anna.id) == ""
    assert avatar(anna, company.ghost("B1")) == ""
    assert company.asked == ["picture:U3", "picture:B1"]
    assert [text for _, text in anna.said(writer.place)] == [f"message {number}" for number in range(5)]


def test_a_picture_that_was_not_to_be_had_comes_once_it_is_and_stays(
    settings: MatrixSettings, company: Company, anna: Reader
) -> None:
    del company.pictures["picture:U3"]
    room = company.room()
    for number in range(3):
        with MatrixDestination(settings) as destination:
            Writer(destination, company, room).write(message(number, author="U3"))
    assert company.asked == ["picture:U3"]  # once a process
    pictures_of_another_run()
    company.pictures["picture:U3"] = OTHER
    with MatrixDestination(settings) as destination:
        Writer(destination, company, room).write(message(3, author="U3"))
    was = avatar(anna, company.ghost("U3"))
    assert shown(company.synapse, company.anna, was) == OTHER
    company.pictures["picture:U3"] = DOT
    with MatrixDestination(settings) as destination:
        Writer(destination, company, room).write(message(4, author="U3"))
    assert avatar(anna, company.ghost("U3")) == was


@pytest.mark.parametrize("data", [b"", b"<!DOCTYPE html><html>", b"<svg xmlns='http://www.w3.org/2000/svg'/>"])
def test_what_is_no_picture_is_not_shown_as_one(data: bytes) -> None:
    assert kind_of(data) == ""


@pytest.mark.parametrize("data", [DOT, b"\xff\xd8\xff\xe0", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "])
def test_pictures_are_known_by_how_they_begin(data: bytes) -> None:
    assert kind_of(data).startswith("image/")


# The workspace ------------------------------------------------------------------------------------


def test_the_workspace_brings_its_picture_and_its_emoji_once(
    settings: MatrixSettings, company: Company, anna: Reader
) -> None:
    emoji = (("dot", "emoji:dot"), ("loop", "alias:loop"), ("lost", "emoji:lost"), ("point", "alias:spot"),
             ("spot", "alias:dot"), ("up", "alias:thumbsup"))  # fmt: skip
    company.workspace = replace(company.workspace, picture="picture:team", emoji=emoji)
    company.pictures["emoji:dot"] = DOT
    room = company.room()

    def move(destination: MatrixDestination) -> None:
        writer.destination = destination
        destination.open_room(writer.room, company)
        writer.close()

    with MatrixDestination(settings) as destination:
        writer = Writer(destination, company, room)
        writer.write(message(0))
        writer.close()
    space = space_of(anna, writer.place)
    assert shown(company.synapse, company.anna, anna.state(space, "m.room.avatar")["url"]) == DOT
    spec, legacy = packs(anna, space)
    assert spec == legacy
    assert spec.keys() == {"dot", "point", "spot"}
    assert len(set(spec.values())) == 1
    assert shown(company.synapse, company.anna, spec["dot"]) == DOT
    before = anna.events(space)
    sent = changes(settings, move)
    assert not {"after POST create", "after PUT upload", "after PUT state/im.ponies.room_emotes"} & set(sent)
    assert anna.events(space) == before
    # One more, one that is now to be had, one that is gone, and one that means something else.
    pictures_of_another_run()
    company.pictures |= {"emoji:new": OTHER, "emoji:lost": OTHER}
    now = (("dot", "emoji:dot"), ("lost", "emoji:lost"), ("new", "emoji:new"), ("point", "alias:new"))
    company.asked.clear()
    writer.room = replace(room, workspace=replace(company.workspace, emoji=now))
    changes(settings, move)
    spec_now, legacy_now = packs(anna, space)
    assert spec_now == legacy_now
    assert spec_now.keys() == {"dot", "lost", "new", "point"}
    assert spec_now["dot"] == spec["dot"]
    assert spec_now["point"] == spec_now["new"]
    assert shown(company.synapse, company.anna, spec_now["new"]) == OTHER
    assert company.asked == ["emoji:lost", "emoji:new"]
    # An export knows none of it.
    writer.room = replace(room, workspace=replace(company.workspace, emoji=(), picture=""))
    changes(settings, move)
    assert packs(anna, space) == [spec_now, legacy_now]


def test_many_emoji_are_several_packs_and_names_become_shortcodes_that_differ() -> None:
    images = {f"emoji_{number:04}_{'x' * 80}": f"mxc://example.test/{number:024}" for number in range(2000)}
    several = packed(images, "Solros")
    assert {code: one["url"] for pack in several for code, one in pack["images"].items()} == images
    assert len(several) > 1
    assert all(len(json.dumps(pack)) < 64_000 for pack in several)
    codes = shortcodes((("grön", "a"), ("gr_n", "b"), ("grün", "c"), ("x" * 150, "d"), ("y", "alias:gone")))
    assert sorted(codes.values()) == ["a", "b", "c", "d"]
    assert codes["gr_n"] == "b"
    assert all(code.isascii() and len(code) <= 100 for code in codes)


# Bookmarks ----------------------------------------------------------------------------------------


def noticed_at_all(reader: Reader, place: str) -> list[dict[str, Any]]:
    """Every event by which liberate's own account says something."""
    said = [one for one in reader.events(place) if one["type"] == "m.room.message"]
    return [one for one in said if one["sender"].startswith("@liberate")]


def noticed(reader: Reader, place: str) -> list[str]:
    """What liberate's own account says, as the room shows it now: of edits the latest holds."""
    texts = {}
    for one in sorted(noticed_at_all(reader, place), key=lambda one: int(one["origin_server_ts"])):
        relation = one["content"].get("m.relates_to", {})
        new = one["content"].get("m.new_content", one["content"])
        texts[relation.get("event_id", one["event_id"])] = new["body"]
    return list(texts.values())


@pytest.mark.parametrize("kind", [RoomKind.PUBLIC, RoomKind.DIRECT])
def test_bookmarks_are_one_pinned_notice_that_follows_them(
    settings: MatrixSettings, company: Company, anna: Reader, kind: RoomKind
) -> None:
    room = company.room(kind, members=("U1", "U2"), bookmarks=(HANDBOOK,), archived=True, pins=(message(0).id,))
    with MatrixDestination(settings) as destination:
        writer = Writer(destination, company, room)
        first = writer.write(message(0))
        writer.close()
        writer.close()

    def again(bookmarks: tuple[Bookmark, ...]) -> list[str]:
        def act(destination: MatrixDestination) -> None:
            writer.destination = destination
            destination.open_room(room, company)
            writer.close(replace(room, bookmarks=bookmarks))

        return changes(settings, act)

    texts = noticed(anna, writer.place)
    assert texts == ["Bookmarks of this room:\n• Handbook (https://example.test/handbook)"]
    last = [one for one in anna.events(writer.place) if one["type"] == "m.room.message"][-1]
    assert anna.state(writer.place, "m.room.pinned_events")["pinned"] == [first.id, last["event_id"]]
    assert '<a href="https://example.test/handbook">Handbook</a>' in last["content"]["formatted_body"]
    assert last["origin_server_ts"] == int(message(0).time.timestamp() * 1000)
    assert anna.unread(writer.place) == {"notification_count": 0, "highlight_count": 0}
    assert "after PUT send" not in again((HANDBOOK,))
    events = len(noticed_at_all(anna, writer.place))
    follow = ((HANDBOOK, WIKI), (HANDBOOK,), (HANDBOOK, WIKI))
    for bookmarks in follow if kind is RoomKind.PUBLIC else follow[:1]:
        again(bookmarks)
        events += 1
        assert len(noticed_at_all(anna, writer.place)) == events
        (text,) = noticed(anna, writer.place)
        assert text.count("•") == len(bookmarks)
    assert "after PUT send" not in again(())  # an export knows of none
    assert len(anna.state(writer.place, "m.room.pinned_events")["pinned"]) == 2
    assert anna.unread(writer.place) == {"notification_count": 0, "highlight_count": 0}


def test_bookmarks_without_end_say_how_many_are_left_out() -> None:
    many = [Bookmark(f"Page {number}", f"https://example.test/{'x' * 1500}/{number}") for number in range(100)]
    content = listed(many, Names(str, str))
    text = str(content["body"])
    count = text.count("•")
    assert 0 < count < 100
    assert text.endswith(f"and {100 - count} more, for which there is no room here.")
    assert weight(edit(content, "$notice")) < BUDGET


def test_a_room_with_bookmarks_can_be_taken_back_unless_somebody_forwarded_them(
    settings: MatrixSettings, company: Company, anna: Reader
) -> None:
    with MatrixDestination(settings) as destination:
        writer = Writer(destination, company, company.room(bookmarks=(HANDBOOK,)))
        writer.write(message(0))
        writer.close()
        writer.close(replace(writer.room, bookmarks=(HANDBOOK, WIKI)))
        place = writer.place
        notice = noticed_at_all(anna, place)[0]
        sent = anna.ask("PUT", f"{V3}/rooms/{quote(place)}/send/m.room.message/1", notice["content"])
        with pytest.raises(ItemError) as refused:
            destination.remove_room(place, [])
        assert refused.value.code == CHANGED_THERE
        anna.ask("PUT", f"{V3}/rooms/{quote(place)}/redact/{quote(sent['event_id'])}/2", {})
        destination.remove_room(place, [])
    assert place not in anna.ask("GET", f"{V3}/joined_rooms")["joined_rooms"]


def pictures_of_another_run() -> None:
    """Forget what this process asked for in vain."""
    pictures._missing.clear()
