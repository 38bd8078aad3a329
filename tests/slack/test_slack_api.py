"""The Web API as a source: the contract, the same words as the export, and whole jobs by either door."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from api_kit import ROOM, SMALL, codes, items, listing, message, room_of, source, ts_of
from liberate_slack.connectors import slack, slack_export
from liberate_slack.pace import Pacer
from liberate_slack.standin import FileServer, Shape, make_export
from liberate_slack.standin.api import BOT_TOKEN, USER_TOKEN, Fault, SlackStandin
from liberate_slack.standin.said import STRANGER
from pydantic import SecretStr
from slack_kit import opened

import liberate
from liberate.chat import Bookmark, RoomKind, plain
from liberate.connector import Account, Collection, Connector, Item, Kind, Source
from liberate.errors import ItemError
from liberate.testing.clock import Clock
from liberate.testing.memory import connector
from liberate.testing.memory_rooms import RoomsDestination
from liberate.testing.memory_store import Store
from liberate.testing.plans import plan
from liberate.testing.source_contract import OpenSource, SourceContract


@pytest.fixture(scope="module")
def files() -> Iterator[FileServer]:
    with FileServer(frozenset({USER_TOKEN})) as server:
        yield server


@pytest.fixture
def served(files: FileServer) -> Iterator[SlackStandin]:
    with SlackStandin(Shape(messages=22, channels=1, files=files.url)) as standin:
        files.files = dict(standin.export.files)
        files.kinds = dict.fromkeys(
            (id_ for id_, body in standin.export.files.items() if body.startswith(b"<h1>")), "text/html"
        )
        yield standin


def settings(standin: SlackStandin, files: FileServer | None = None, **more: Any) -> Any:
    given = {"token": SecretStr(USER_TOKEN), "endpoint": standin.url, **more}
    if files is not None:
        given |= {"files_endpoint": files.url}
    return slack.settings(**given)


class TestSlackSource(SourceContract):
    @pytest.fixture
    def open_source(self, served: SlackStandin, files: FileServer, tmp_path: Path) -> OpenSource:
        ca_file = files.ca_file(tmp_path / "ca.pem")

        def open_() -> AbstractContextManager[Source]:
            assert slack.source is not None
            return slack.source(settings(served, files, ca_file=ca_file, page=15), Account(""))

        return open_

    @pytest.fixture
    def remove(self, served: SlackStandin) -> Callable[[Collection, Item], None]:
        def remove(collection: Collection, item: Item) -> None:
            served.workspace.delete(collection.id, item.id.partition("/")[2])

        return remove

    @pytest.fixture
    def state(self, served: SlackStandin) -> Callable[[], Any]:
        return lambda: json.dumps(served.workspace.said)

    @pytest.fixture
    def refused(self, served: SlackStandin) -> tuple[OpenSource, tuple[str, ...]]:
        def open_() -> AbstractContextManager[Source]:
            assert slack.source is not None
            return slack.source(settings(served, token=SecretStr("xoxp-of-nobody")), Account(""))

        return open_, ("xoxp-of-nobody",)

    @pytest.fixture
    def many(self) -> Iterator[SlackStandin]:
        with SlackStandin(Shape(plain=True, layout="public", channels=1, messages=2_000)) as standin:
            yield standin

    @pytest.fixture
    def big(self, many: SlackStandin) -> tuple[OpenSource, int]:
        def open_() -> AbstractContextManager[Source]:
            assert slack.source is not None
            return slack.source(settings(many), Account(""))

        return open_, 2_000


# The same by either door --------------------------------------------------------------------------


@pytest.mark.parametrize("page", [1, 7, 400])
def test_every_message_has_the_id_version_and_bytes_that_it_has_in_the_export(tmp_path: Path, page: int) -> None:
    shape = Shape(messages=44 if page > 1 else 12)
    path = make_export(tmp_path / "e.zip", shape).path
    with SlackStandin(shape) as standin, source(standin, page=page) as api, opened(path, token_file=None) as export:
        rooms = {one.id: one for one in api.collections()}
        assert {one.id: one.path for one in export.collections()} == {one.id: one.path for one in rooms.values()}
        for room in export.collections():
            theirs, ours = ([one for one in door.items(room, None) if isinstance(one, Item)] for door in (export, api))
            assert [(one.id, one.version, one.refs) for one in ours] == [
                (one.id, one.version, one.refs) for one in theirs
            ]
            for one, other in zip(ours, theirs, strict=True):
                if one.kind is Kind.CHAT:
                    assert b"".join(api.read(one)) == b"".join(export.read(other))
                    assert one.facts == other.facts


def test_a_room_is_what_the_export_says_and_more(tmp_path: Path) -> None:
    path = make_export(tmp_path / "e.zip").path
    with SlackStandin() as standin:
        first = standin.workspace.order[ROOM][0]
        second = standin.workspace.order[ROOM][5]
        standin.workspace.pin(ROOM, second)
        standin.workspace.pin(ROOM, first)
        standin.workspace.bookmarks[ROOM] = [
            {"id": "Bk1", "title": "Wiki", "link": "https://wiki.example", "type": "link"},
            {"id": "Bk2", "title": "A folder", "type": "folder"},
        ]
        standin.workspace.emoji = {"solros": "https://emoji.slack-edge.com/T/solros/1.png", "sun": "alias:solros"}
        with source(standin, workspace="e") as api, opened(path) as export:
            for room in export.collections():
                ours, theirs = api.room(room), export.room(room)
                assert (ours.name, ours.kind, ours.topic, ours.purpose, ours.archived, ours.created, ours.creator) == (
                    theirs.name, theirs.kind, theirs.topic, theirs.purpose, theirs.archived, theirs.created,
                    theirs.creator,
                )  # fmt: skip
                assert (ours.members, ours.workspace.id, ours.workspace.name) == (
                    theirs.members, theirs.workspace.id, theirs.workspace.name,
                )  # fmt: skip
            general = api.room(room_of(api))
    assert general.pins == (f"{ROOM}/{second}", f"{ROOM}/{first}")
    assert general.bookmarks == (Bookmark("Wiki", "https://wiki.example"),)
    assert general.workspace.emoji == (("solros", "emoji:solros"), ("sun", "alias:solros"))
    assert general.kind is RoomKind.PUBLIC


def test_people_are_who_the_export_says_and_strangers_are_asked_for_once(tmp_path: Path) -> None:
    path = make_export(tmp_path / "e.zip").path
    with SlackStandin() as standin, source(standin) as api, opened(path) as export:
        for id_ in ("U0MEMBER0", "U0MEMBER4", "U0MEMBER5", "U0DEPLOYS", "B0DEPLOY0:Deploys 1", "USLACK", "UNKNOWN",
                    "USLACKBOT", STRANGER, "U0ERASED0"):  # fmt: skip
            ours, theirs = api.author(id_), export.author(id_)
            assert (ours.name, ours.email, ours.kind, ours.former) == (
                theirs.name, theirs.email, theirs.kind, theirs.former,
            ), id_  # fmt: skip
        assert api.author(STRANGER).name == "Paz"
        api.author("U0ERASED0")
        asked = [one.form["user"] for one in standin.calls if one.method == "users.info"]
    assert asked == [STRANGER, "U0ERASED0"]


def test_a_program_without_an_account_is_called_as_slack_calls_it() -> None:
    with SlackStandin(SMALL) as standin:
        standin.workspace.bots["B0OTHER00"] = {"id": "B0OTHER00", "name": "Weather", "deleted": False}
        with source(standin) as api:
            assert (api.author("B0OTHER00").name, api.author("B0NOBODY0").name) == ("Weather", "B0NOBODY0")


def test_pinned_messages_say_so() -> None:
    with SlackStandin(SMALL) as standin:
        standin.workspace.pin(ROOM, standin.workspace.order[ROOM][1])
        assert [one.facts.pinned for one in items(listing(standin))] == [False, True, False]


def test_emoji_and_pictures_can_be_read_without_a_token(files: FileServer, tmp_path: Path) -> None:
    with SlackStandin(SMALL) as standin:
        files.public = {"/emoji/solros.png": b"sun", "/anna.png": b"face"}
        standin.workspace.emoji = {"solros": f"{files.url}/emoji/solros.png"}
        standin.workspace.users["U0MEMBER0"]["profile"]["image_512"] = f"{files.url}/anna.png"
        ca_file = files.ca_file(tmp_path / "ca.pem")
        files.requests.clear()
        with source(standin, files_endpoint=files.url, ca_file=ca_file) as api:
            ((_, emoji),) = api.room(room_of(api)).workspace.emoji
            picture = api.author("U0MEMBER0").picture
            assert b"".join(api.read(Item(emoji, Kind.FILE, ""))) == b"sun"
            assert b"".join(api.read(Item(picture, Kind.FILE, ""))) == b"face"
            with pytest.raises(ItemError) as told:
                list(api.read(Item("emoji:none", Kind.FILE, "")))
    assert told.value.code == "gone"
    assert not any("Authorization" in headers for _, headers in files.requests)


# Which conversations ------------------------------------------------------------------------------


def test_archived_rooms_and_all_four_kinds_are_listed() -> None:
    with SlackStandin() as standin, source(standin) as api:
        rooms = {one.id: api.room(one) for one in api.collections()}
    assert {one.kind for one in rooms.values()} == set(RoomKind)
    assert rooms["C0CHANNEL2"].archived
    assert not rooms[ROOM].archived


def test_a_plan_may_want_some_kinds_of_conversations_only() -> None:
    with SlackStandin() as standin:
        some = frozenset(one for one in standin.tokens[USER_TOKEN].scopes if not one.startswith(("im:", "mpim:")))
        standin.tokens[USER_TOKEN].scopes = some
        with source(standin, conversations=["private", "public"]) as api:
            assert [one.id for one in api.collections()] == ["C0CHANNEL0", "C0CHANNEL1", "C0CHANNEL2", "G0BOARD00"]


def test_a_channel_that_the_app_is_not_in_is_told_and_not_left_out() -> None:
    with SlackStandin(SMALL) as standin:
        standin.tokens[BOT_TOKEN].rooms.clear()
        listed = listing(standin, token=BOT_TOKEN)
        assert codes(listed) == ["not-in-channel"]
        assert "/invite" in listed[0].todo  # type: ignore[union-attr]
        assert not any(isinstance(one, str) for one in listed)  # so that the next run looks again
        standin.tokens[BOT_TOKEN].rooms.add(ROOM)
        assert len(ts_of(listing(standin, token=BOT_TOKEN))) == 3


def test_a_person_reads_public_channels_without_being_in_them() -> None:
    with SlackStandin(SMALL) as standin:
        standin.tokens[USER_TOKEN].rooms.clear()
        assert len(ts_of(listing(standin))) == 3


def test_a_plan_of_slacks_that_hides_old_messages_is_told() -> None:
    with SlackStandin(SMALL) as standin:
        standin.methods.hides_before = standin.workspace.order[ROOM][1]
        listed = listing(standin)
    assert codes(listed) == ["hidden-by-plan"]
    assert len(ts_of(listed)) == 2


def test_an_organisations_token_names_the_workspace_that_is_meant() -> None:
    with SlackStandin(SMALL) as standin:
        listing(standin, team="T0SOLROS0")
        assert {one.form.get("team_id") for one in standin.calls} == {"T0SOLROS0"}


# Reading later -------------------------------------------------------------------------------------


def test_messages_that_another_opening_listed_are_asked_for_in_pages_not_one_by_one() -> None:
    with SlackStandin(Shape(messages=60, plain=True, layout="public", channels=1)) as standin:
        listed = items(listing(standin))
        with source(standin) as api:
            standin.calls.clear()
            texts = {plain(message(api, one).blocks) for one in listed}
            assert standin.count("conversations.history") == 1
    assert len(texts) > 10


def test_an_answer_is_found_by_its_thread_or_by_itself() -> None:
    with SlackStandin(Shape(messages=8)) as standin:
        (reply, *_) = (one for one in items(listing(standin)) if one.refs and one.kind is Kind.CHAT)
        bare = Item(reply.id, Kind.CHAT, reply.version)
        for wanted in (reply, bare):
            with source(standin) as api:
                assert message(api, wanted).thread == reply.refs[0]


def test_a_file_that_another_opening_listed_is_asked_for(
    served: SlackStandin, files: FileServer, tmp_path: Path
) -> None:
    item = next(one for one in items(listing(served, files_endpoint=files.url)) if one.kind is Kind.FILE)
    ca_file = files.ca_file(tmp_path / "ca.pem")
    with source(served, files_endpoint=files.url, ca_file=ca_file) as api:
        body = b"".join(api.read(item))
        assert body == files.files[item.id.partition("/file:")[2]]
        assert b"".join(api.read(item, 7)) == body[7:]
        del served.workspace.files[item.id.partition("/file:")[2]]
    with source(served, files_endpoint=files.url, ca_file=ca_file) as api, pytest.raises(ItemError) as told:
        list(api.read(item))
    assert told.value.code == "gone"


def test_files_are_left_where_the_plan_leaves_them() -> None:
    with SlackStandin() as standin:
        listed = items(listing(standin, files="leave"))
    assert all(one.kind is Kind.CHAT for one in listed)


# Whole jobs ----------------------------------------------------------------------------------------


def _rooms(store: Store) -> Connector:
    return connector("rooms", destination=lambda _account: RoomsDestination(store), kinds=(Kind.CHAT,))


def _standing(store: Store) -> dict[str, list[bytes]]:
    """What stands in each room; receipts are numbered by all that arrives, so they are left out."""
    return {place: sorted(_told(one.body) for one in store.held(place)) for place in store.places() if "room " in place}


def _told(body: bytes) -> bytes:
    try:
        out = json.loads(body)
    except ValueError:
        return body
    return json.dumps({key: one for key, one in out.items() if key not in ("files", "thread", "to")}).encode()


def _run(job: Path, start: Connector, given: Any, store: Store) -> Any:
    report = liberate.migrate(plan(job, start, _rooms(store), source_settings=given, kinds=(Kind.CHAT,)), workers=1)
    assert [(one.state, one.refusals) for one in report.accounts] == [("done", ())], report.accounts
    return report


def test_a_job_by_the_api_leaves_what_a_job_by_the_export_leaves(
    served: SlackStandin, files: FileServer, tmp_path: Path
) -> None:
    ca_file = files.ca_file(tmp_path / "ca.pem")
    files.tokens |= {"xoxe-" + "0" * 24}
    path = make_export(tmp_path / "e.zip", Shape(messages=22, channels=1, files=files.url)).path
    by_api, by_export = Store(), Store()
    _run(tmp_path / "a", slack, settings(served, files, ca_file=ca_file), by_api)
    given = slack_export.settings(path=str(path), endpoint=files.url, ca_file=ca_file)
    _run(tmp_path / "b", slack_export, given, by_export)
    assert _standing(by_api) == _standing(by_export)
    assert sum(map(len, _standing(by_api).values())) > 100


def test_a_job_that_began_with_the_export_goes_on_with_the_api(
    served: SlackStandin, files: FileServer, tmp_path: Path
) -> None:
    ca_file = files.ca_file(tmp_path / "ca.pem")
    files.tokens |= {"xoxe-" + "0" * 24}
    path = make_export(tmp_path / "e.zip", Shape(messages=22, channels=1, files=files.url)).path
    store = Store()
    given = slack_export.settings(path=str(path), endpoint=files.url, ca_file=ca_file)
    first = _run(tmp_path / "job", slack_export, given, store)
    before = _standing(store)
    again = _run(tmp_path / "job", slack, settings(served, files, ca_file=ca_file), store)
    assert _standing(store) == before  # nothing twice, nothing edited
    assert again.accounts[0].moved == first.accounts[0].moved
    served.workspace.say(ROOM, "1779000000.000100", text="said after the export")
    last = _run(tmp_path / "job", slack, settings(served, files, ca_file=ca_file), store)
    assert last.accounts[0].moved == first.accounts[0].moved + 1


def test_a_job_through_a_bad_line_leaves_what_a_good_line_leaves(
    served: SlackStandin, files: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca_file = files.ca_file(tmp_path / "ca.pem")
    good, bad = Store(), Store()
    _run(tmp_path / "good", slack, settings(served, files, ca_file=ca_file), good)
    clock = Clock(0.0)
    pacer = Pacer(published=False, clock=clock, sleep=clock.sleep)
    monkeypatch.setattr("liberate_slack.api.shared", lambda _token, _endpoint: pacer)
    ways: list[dict[str, Any]] = [
        {"breaks": "reset"}, {"breaks": "truncate"}, {"breaks": "html", "status": 502}, {"status": 503},
        {"error": "ratelimited", "status": 429, "retry_after": "7"}, {"error": "fatal_error"},
    ]  # fmt: skip
    faults = [served.faults.add(Fault(chance=0.03, times=None, **way)) for way in ways]
    _run(tmp_path / "bad", slack, settings(served, files, ca_file=ca_file, page=2), bad)
    assert _standing(bad) == _standing(good)
    assert all(one.hits for one in faults)
