"""Files by their links: from Slack's hosts only, and every way in which Slack refuses them told."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from liberate_slack.connectors import slack_export
from liberate_slack.download import Downloads
from liberate_slack.files import Stored
from liberate_slack.letters import token_in, without_token
from liberate_slack.standin import FileServer, Shape, make_export
from liberate_slack.standin.files_server import Mood
from liberate_slack.standin.said import TEAM, TOKEN
from slack_kit import ANNA, DAY, ROOM, items, listing, messages, opened, said, zipped

from liberate.connector import Item, Kind
from liberate.errors import AccountError, IntegrityError, ItemError, LiberateError, PlanError, TransientError
from liberate.moves import Connection

BODY = b"\x89PNG" + bytes(range(256)) * 40


@pytest.fixture(scope="module")
def running() -> Iterator[FileServer]:
    with FileServer() as server:
        yield server


@pytest.fixture
def server(running: FileServer) -> FileServer:
    running.tokens = {TOKEN}
    running.files = {"F1": BODY, "F2": b"second"}
    running.kinds, running.moods = {}, {}
    running.requests.clear()
    return running


@pytest.fixture
def downloads(server: FileServer, tmp_path: Path) -> Iterator[Downloads]:
    made = Downloads(endpoint=server.url, verify=str(server.ca_file(tmp_path / "ca.pem")))
    yield made
    made.close()


def link(server: FileServer, id_: str = "F1", token: str = TOKEN) -> str:
    return f"{server.url}/files-pri/{TEAM}-{id_}/a.png?token={token}"


def at(server: FileServer, id_: str = "F1", size: int | None = len(BODY), token: str = TOKEN, **more: Any) -> Stored:
    return Stored(id_, "a.png", more.pop("media_type", "image/png"), size, "", link(server, id_, token), **more)


def secret(error: BaseException) -> bool:
    """Whether the token shows in the error or in what a traceback of it would print."""
    shown = [error, *([] if error.__suppress_context__ else [error.__context__]), error.__cause__]
    return any(TOKEN in f"{one} {one!r}" for one in shown if one is not None)


@pytest.mark.parametrize("offset", [0, 1, 5000, len(BODY) - 1, len(BODY)])
@pytest.mark.parametrize("mood", ["", "ignore-range"])
def test_a_file_is_read_from_any_place(server: FileServer, downloads: Downloads, offset: int, mood: Mood) -> None:
    server.moods["F1"] = mood
    assert b"".join(downloads.read(at(server), offset)) == BODY[offset:]


def test_a_file_that_became_shorter_than_what_was_read_of_it_is_told(server: FileServer, downloads: Downloads) -> None:
    with pytest.raises(IntegrityError):
        list(downloads.read(at(server), len(BODY) + 1))


REFUSED: list[tuple[Mood, type[LiberateError], str]] = [
    ("login", AccountError, "export-token-revoked"),
    ("redirect-login", AccountError, "export-token-revoked"),
    ("403", AccountError, "export-token-revoked"),
    ("404", ItemError, "gone"),
    ("elsewhere", ItemError, "foreign-host"),
    ("429", TransientError, ""),
    ("500", TransientError, ""),
    ("short", IntegrityError, ""),
    ("cut", TransientError, ""),
]


@pytest.mark.parametrize(("mood", "kind", "code"), REFUSED)
def test_what_slack_answers_instead_of_a_file_is_told_without_the_token(
    server: FileServer, downloads: Downloads, mood: Mood, kind: type[LiberateError], code: str
) -> None:
    server.moods["F1"] = mood
    with pytest.raises(kind) as told:
        list(downloads.read(at(server)))
    assert getattr(told.value, "code", "") == code
    assert not secret(told.value)


def test_a_rate_limit_says_how_long(server: FileServer, downloads: Downloads) -> None:
    server.moods["F1"] = "429"
    with pytest.raises(TransientError) as told:
        list(downloads.read(at(server)))
    assert told.value.retry_after == 7


def test_a_revoked_token_says_what_to_click(server: FileServer, downloads: Downloads) -> None:
    server.tokens = set()
    with pytest.raises(AccountError) as told:
        list(downloads.read(at(server), others=[at(server, "F2", 6)]))
    assert "Import/Export Data" in told.value.todo


@pytest.mark.parametrize("mood", ["login", "403", "redirect-login"])
def test_one_file_that_is_refused_is_not_taken_for_a_revoked_token(
    server: FileServer, downloads: Downloads, mood: Mood
) -> None:
    server.moods["F1"] = mood
    with pytest.raises(ItemError) as told:
        list(downloads.read(at(server), others=[at(server, "F2", 6)]))
    assert told.value.code == "forbidden"
    assert b"".join(downloads.read(at(server, "F2", 6))) == b"second"
    with pytest.raises(ItemError):
        list(downloads.read(at(server)))


def test_a_token_of_our_own_goes_in_a_header_and_the_revoked_one_nowhere(server: FileServer, tmp_path: Path) -> None:
    server.tokens = {"xoxp-own"}
    made = Downloads("xoxp-own", endpoint=server.url, verify=str(server.ca_file(tmp_path / "ca.pem")))
    assert b"".join(made.read(at(server))) == BODY
    ((path, headers),) = server.requests
    assert TOKEN not in path
    assert headers["Authorization"] == "Bearer xoxp-own"
    assert "xoxp" not in repr(made)
    made.close()


def test_a_token_of_our_own_that_is_refused_is_told(server: FileServer, tmp_path: Path) -> None:
    made = Downloads("xoxp-bad", endpoint=server.url, verify=str(server.ca_file(tmp_path / "ca.pem")))
    with pytest.raises(AccountError) as told:
        list(made.read(at(server)))
    assert told.value.code == "token-refused"
    assert "xoxp-bad" not in f"{told.value}{told.value!r}"
    made.close()


HTML = b"<!DOCTYPE html><html><body>" + b"a page of ours " * 100


@pytest.mark.parametrize(
    "file", [{"media_type": "text/html", "size": len(HTML)}, {"media_type": "image/png", "size": len(HTML)},
             {"media_type": "text/html", "size": None},
             {"media_type": "application/vnd.slack-docs", "size": None, "rendered": True}],
)  # fmt: skip
def test_a_file_that_is_html_is_no_login_page(server: FileServer, downloads: Downloads, file: dict[str, Any]) -> None:
    server.files["F1"], server.kinds["F1"] = HTML, "text/html"
    assert b"".join(downloads.read(at(server, **file))) == HTML


@pytest.mark.parametrize(
    "file", [{"size": None}, {"media_type": "text/html"}, {"media_type": "text/html", "size": None},
             {"media_type": "application/vnd.slack-docs", "size": None, "rendered": True}],
)  # fmt: skip
def test_a_login_page_is_never_taken_for_the_file(
    server: FileServer, downloads: Downloads, file: dict[str, Any]
) -> None:
    server.moods["F1"] = "login"
    with pytest.raises(AccountError):
        list(downloads.read(at(server, **file)))


@pytest.mark.parametrize(
    "url",
    ["http://files.slack.com/a", "https://files.slack.com.evil.example/a", "https://evilslack.com/a",
     "https://slack.com@evil.example/a", "https://files.slack.com:8443/a", "https://docs.google.com/a", "ftp://slack.com/a",
     "https://[", "file:///etc/passwd", "https://user:pw@files.slack.com/a"],
)  # fmt: skip
def test_nothing_is_asked_of_a_host_that_is_not_slacks(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> Any:
        raise AssertionError("a connection was made")

    monkeypatch.setattr(socket, "create_connection", never)
    monkeypatch.setattr(socket, "getaddrinfo", never)
    made = Downloads("xoxp-own")
    with pytest.raises(ItemError) as told:
        list(made.read(Stored("F1", "a", "", 1, "", url)))
    assert told.value.code == "foreign-host"
    made.close()


def test_a_redirect_takes_the_token_to_no_other_host(server: FileServer, downloads: Downloads) -> None:
    server.moods["F1"] = "elsewhere"
    with pytest.raises(ItemError, match="another service"):
        list(downloads.read(at(server)))
    assert len(server.requests) == 1


def test_no_log_shows_a_token(server: FileServer, downloads: Downloads, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert b"".join(downloads.read(at(server))) == BODY
    assert "files-pri" in caplog.text
    assert TOKEN not in caplog.text


def test_tokens_are_found_in_links_old_and_new_and_taken_out() -> None:
    for name in ("t", "token"):
        url = f"https://files.slack.com/a?{name}=xoxe-12-ab&x=1"
        assert token_in(url) == "xoxe-12-ab"
        assert without_token(url) == "https://files.slack.com/a?x=1"
    assert token_in("https://e.example/?t=5m") == ""
    assert without_token("https://e.example/?t=5m") == "https://e.example/?t=5m"


# Through the source ------------------------------------------------------------------------------


def settings(server: FileServer, folder: Path, **more: Any) -> dict[str, Any]:
    return {"endpoint": server.url, "ca_file": server.ca_file(folder / "ca.pem"), **more}


def test_an_exports_files_are_read_by_any_opening_and_match(server: FileServer, tmp_path: Path) -> None:
    made = make_export(tmp_path / "e.zip", Shape(files=server.url))
    server.files = made.files
    found: dict[str, bytes] = {}
    with opened(made.path, **settings(server, tmp_path)) as source:
        listed = [one for room in source.collections() for one in items(list(source.items(room, None)))]
    files = [one for one in listed if one.kind is Kind.FILE]
    with opened(made.path, **settings(server, tmp_path)) as source:
        for item in files:
            body = b"".join(source.read(item))
            assert item.size in (None, len(body))
            found[item.id.partition("file:")[2]] = body
    assert found == made.files
    assert {(one.size is None, one.version == "") for one in files} == {(True, True), (False, True)}


def test_files_that_lie_in_the_export_are_read_from_there(tmp_path: Path) -> None:
    made = make_export(tmp_path / "e.zip", Shape(layout="slackdump-mattermost", token=""))
    found: dict[str, bytes] = {}
    with opened(made.path) as source:
        for room in source.collections():
            for item in items(list(source.items(room, None))):
                if item.kind is Kind.FILE:
                    found[item.id.partition("file:")[2]] = b"".join(source.read(item))
                    assert b"".join(source.read(item, 3)) == found[item.id.partition("file:")[2]][3:]
    assert found == made.files


def test_neither_items_nor_messages_nor_the_source_hold_a_token(server: FileServer, tmp_path: Path) -> None:
    made = make_export(tmp_path / "e.zip", Shape(files=server.url))
    with opened(made.path, **settings(server, tmp_path)) as source:
        for room in source.collections():
            for item in items(list(source.items(room, None))):
                assert TOKEN not in repr(item)
                if item.kind is Kind.CHAT:
                    assert TOKEN.encode() not in b"".join(source.read(item))
        assert TOKEN not in repr(source) + repr(vars(source)["_export"].archive)


def test_a_plan_may_leave_the_files_in_slack(server: FileServer, tmp_path: Path) -> None:
    file = {"id": "F1", "name": "a.png", "size": 5, "mode": "hosted", "url_private": link(server)}
    path = zipped(tmp_path / "e.zip", {DAY: [said(files=[file])]})
    assert [one.kind for one in items(listing(path, files="leave"))] == [Kind.CHAT]
    (message,) = messages(path, files="leave")
    assert (message.files[0].id, message.files[0].why) == ("", "The plan leaves files in Slack.")
    assert server.requests == []


def test_a_token_of_the_plan_fetches_what_links_without_one_lead_to(server: FileServer, tmp_path: Path) -> None:
    token = tmp_path / "slack-token"
    token.touch(0o600)
    token.write_text("xoxp-own\n")
    server.tokens = {"xoxp-own"}
    file = {
        "id": "F1",
        "name": "a.png",
        "size": len(BODY),
        "mode": "hosted",
        "url_private": link(server).partition("?")[0],
    }
    path = zipped(tmp_path / "e.zip", {DAY: [said(files=[file])]})
    assert [one.kind for one in items(listing(path))] == [Kind.CHAT]
    with opened(path, **settings(server, tmp_path, token_file=token)) as source:
        (room,) = source.collections()
        item = next(one for one in items(list(source.items(room, None))) if one.kind is Kind.FILE)
        assert b"".join(source.read(item)) == BODY


def test_a_file_that_no_message_names_any_more_is_gone(server: FileServer, tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said(user=ANNA)]})
    with opened(path, **settings(server, tmp_path)) as source, pytest.raises(ItemError) as told:
        list(source.read(Item(f"{ROOM}/file:F9", Kind.FILE, "")))
    assert told.value.code == "gone"


def test_an_export_on_the_command_line_asks_for_no_password(tmp_path: Path) -> None:
    path = zipped(tmp_path / "e.zip", {DAY: [said()]})
    connection = Connection("slack", slack_export, slack_export.settings(path=str(path)))
    assert not connection.logs_each_in
    assert slack_export.endpoint is not None
    assert slack_export.endpoint(f"slack-export:{path}").settings == {"path": str(path)}
    with pytest.raises(PlanError, match="names no path"):
        slack_export.endpoint("slack-export:")


def test_pictures_that_everybody_may_see_are_fetched_without_a_token_only() -> None:
    url = "https://emoji.slack-edge.com/T1/solros/1.png"
    file = Stored("emoji:solros", "solros", "", None, "", url)
    with_token = Downloads("xoxp-1")
    with pytest.raises(ItemError) as told:
        list(with_token.read(file))
    assert told.value.code == "foreign-host"
    assert Downloads()._is_slack(url)
    assert not Downloads()._is_slack("https://slack-edge.com.example/1.png")
    assert not Downloads()._is_slack("http://emoji.slack-edge.com/1.png")
