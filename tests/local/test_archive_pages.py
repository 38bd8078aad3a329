"""The pages of a chat archive as files: which there are, what they link to, which are written again."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest
from liberate_local import archive_contents, archive_pages

from liberate.chat import Mention, Paragraph, RoomKind
from liberate.testing.memory_chat import BEGIN, ChatShelf

from .archive_kit import archive, carry, line, standing, workspace


class Page(HTMLParser):
    """The links, anchors and headings of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.links: list[str] = []
        self.sources: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.metas: dict[str, str] = {}
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.ids += [said["id"]] if "id" in said else []
        self.links += [said["href"]] if "href" in said else []
        self.sources += [said["src"]] if "src" in said else []
        if tag == "meta":
            self.metas[said.get("http-equiv") or said.get("name") or "charset"] = said.get("content", "")


def pages(root: Path) -> dict[str, Page]:
    return {str(path.relative_to(root)): Page(path) for path in sorted(root.rglob("*.html"))}


def test_every_link_leads_somewhere_and_every_page_can_be_reached(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    there = pages(tmp_path)
    reached: set[str] = set()
    for page in there.values():
        assert len(page.ids) == len(set(page.ids)), page.path
        for link in (*page.links, *page.sources):
            if re.match(r"https?:", link):
                continue
            address, fragment = urldefrag(link)
            target = (page.path.parent / unquote(address)).resolve() if address else page.path
            assert target.is_file(), (page.path, link)
            name = str(target.relative_to(tmp_path.resolve()))
            reached.add(name)
            if fragment:
                assert fragment in there[name].ids, (page.path, link)
    assert set(there) <= reached


def test_no_page_can_run_or_load_anything(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    for page in pages(tmp_path).values():
        assert not {"script", "iframe", "object", "embed", "form", "link", "base", "svg"} & set(page.tags)
        policy = page.metas["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "script-src" not in policy
        assert "unsafe" not in policy
        assert all(source.startswith("files/") for source in page.sources)
        body = page.path.read_text("utf-8")
        assert '<html lang="en">' in body
        assert "url(" not in body
        assert page.tags.count("h1") == page.tags.count("main") == 1


def test_the_index_counts_the_rooms_of_each_kind_and_marks_what_was_private(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    index = (tmp_path / "index.html").read_text("utf-8")
    assert re.findall(r'<h2>([A-Z][a-z ]+) <span class="soft">\((\d+)\)', index) == [
        ("Public rooms", "2"), ("Private rooms", "1"), ("Direct conversations", "1"),
    ]  # fmt: skip
    assert index.count('<span class="badge closed">private</span>') == 2
    assert "13 messages, 3 files, 2026-03-02 to 2026-04-12" in index
    for room, private in (("general", False), ("garden-2024", False), ("board", True), ("Anna Lindqvist, Bo", True)):
        for path in (tmp_path / "rooms" / room).glob("*.html"):
            assert ('<p class="private">' in path.read_text("utf-8")) is private, path


def test_private_words_stand_in_their_own_folders_only(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    for word, folder in (("The budget is tight.", "rooms/board/"), ("Are you coming?", "rooms/Anna Lindqvist, Bo/")):
        assert {name.startswith(folder) for name, body in standing(tmp_path).items() if word.encode() in body} == {True}
    assert b"The boiler arrives" in (tmp_path / "words-2026.html").read_bytes()


def test_the_room_page_tells_what_the_room_is(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    page = (tmp_path / "rooms/general/index.html").read_text("utf-8")
    for told in (
        "Public room, 13 messages", "<b>Topic:</b>", "<b>Purpose:</b>", "Made on Monday 2 March 2026 by",
        '<a href="2026-03.html">March</a> <span class="soft">11</span>', "All words of 2026", "<h2>Pinned</h2>",
        "The boiler arrives on Thursday.", 'href="https://solros.example/statutes"', "Members (3)",
    ):  # fmt: skip
        assert told in page, told
    assert '<h1><bdi># garden-2024</bdi> <span class="badge">archived</span></h1>' in (
        tmp_path / "rooms/garden-2024/index.html"
    ).read_text("utf-8")


def test_all_words_of_a_year_stand_on_one_page_each_once(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    for name in ("rooms/general/words-2026.html", "words-2026.html"):
        body = (tmp_path / name).read_text("utf-8")
        assert "<details" not in body
        for words in ("The boiler arrives", "This is the cellar: boiler room.png", "Then it is decided.", "In April."):
            assert body.count(words) == 1, (name, words)
        lines = [one for one in body.splitlines() if one.startswith("<li") and "<b>" in one]
        assert len(lines) == 13


def test_a_reply_stands_in_its_thread_and_what_was_also_said_to_the_room_there_too(tmp_path: Path) -> None:
    with archive(tmp_path) as opened:
        carry(workspace(), opened)
    body = (tmp_path / "rooms/general/2026-03.html").read_text("utf-8")
    thread = body[body.index("<details") : body.index("</details>")]
    assert "3 replies" in thread
    assert thread.count("<article") == 3
    assert body.count("Then it is decided.") == 2
    assert body.count('id="m-m8"') == 1
    assert 'id="m-m8"' in thread
    assert "The message that it answers is not in this archive" in (tmp_path / "rooms/general/2026-04.html").read_text(
        "utf-8"
    )


def test_a_month_of_many_messages_is_cut_and_a_thread_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_pages, "PAGE", 10)
    monkeypatch.setattr(archive_pages, "WORDS", 25)
    monkeypatch.setattr(archive_contents, "WORDS", 25)
    shelf = ChatShelf()
    room = shelf.room("C1", "general")
    roots = [shelf.say(room, "U1", f"root {n}") for n in range(25)]
    for n in range(30):
        shelf.say(room, "U2", f"reply {n}", thread=roots[9].id)
    with archive(tmp_path) as opened:
        carry(shelf, opened)
        folder = tmp_path / "rooms/general"
        assert sorted(path.name for path in folder.glob("20*.html")) == [
            "2026-03-2.html",
            "2026-03-3.html",
            "2026-03.html",
        ]
        counts = {path.name: path.read_text("utf-8").count("<article") for path in folder.glob("20*.html")}
        assert counts == {"2026-03.html": 40, "2026-03-2.html": 10, "2026-03-3.html": 5}
        assert sorted(path.name for path in folder.glob("words*")) == ["words-2026-2.html", "words-2026.html"]
        assert sorted(path.name for path in tmp_path.glob("words*")) == ["words-2026-2.html", "words-2026.html"]
        # With another limit there are fewer pages, and none of the old ones is left.
        monkeypatch.setattr(archive_pages, "PAGE", 1000)
        monkeypatch.setattr(archive_pages, "WORDS", 1000)
        monkeypatch.setattr(archive_contents, "WORDS", 1000)
        carry(shelf, opened)
    assert sorted(path.name for path in folder.glob("20*.html")) == ["2026-03.html"]
    assert [path.name for path in tmp_path.glob("words*")] == ["words-2026.html"]


def test_only_pages_of_which_something_changed_are_written_again(tmp_path: Path) -> None:
    shelf = ChatShelf()
    room = shelf.room("C1", "general", members=("U1", "U2"))
    for month in range(5):
        shelf.say(room, "U1", f"month {month}", time=BEGIN.replace(month=3 + month))

    def written() -> set[str]:
        before = {path: path.stat().st_ino for path in tmp_path.rglob("*.html")}
        with archive(tmp_path) as opened:
            carry(shelf, opened)
        return {path.name for path in tmp_path.rglob("*.html") if before.get(path) != path.stat().st_ino}

    assert len(written()) == 8
    assert written() == set()
    shelf.say(room, "U1", "news", time=BEGIN.replace(month=7, day=9))
    assert written() == {"2026-07.html", "words-2026.html", "index.html"}
    shelf.say(room, "U2", "somebody new", time=BEGIN.replace(month=8))
    assert written() == {"2026-07.html", "2026-08.html", "words-2026.html", "index.html"}
    shelf.person("U2", "Bo")
    assert written() == {"2026-08.html", "words-2026.html", "index.html", "people.html"}
    (tmp_path / "rooms/general/2026-04.html").unlink()
    assert written() == {"2026-04.html"}


def test_a_root_that_comes_after_its_replies_takes_them_in(tmp_path: Path) -> None:
    shelf = ChatShelf()
    room = shelf.room("C1", "general")
    shelf.say(room, "U1", "the answer", id="late", thread="early", time=BEGIN)
    with archive(tmp_path) as opened:
        carry(shelf, opened)
        page = tmp_path / "rooms/general/2026-03.html"
        assert "not in this archive" in page.read_text("utf-8")
        shelf.say(room, "U1", "the question", id="early", time=BEGIN)
        carry(shelf, opened)
    body = page.read_text("utf-8")
    assert body.count("the answer") == 1
    assert "not in this archive" not in body
    assert body.index("the question") < body.index("<details") < body.index("the answer")


@pytest.mark.parametrize("first", ["here", "there"])
def test_links_between_rooms_lead_there_whichever_was_closed_first(tmp_path: Path, first: str) -> None:
    shelf = ChatShelf()
    for name in sorted(("here", "there"), key=lambda one: one != first):
        shelf.room(name, f"the {name}")
    mentions = Paragraph((Mention("room", "there", "#there"), Mention("message", "there/t1", "what was said")))
    shelf.say(shelf.room("here", "the here"), "U1", mentions, id="h1")
    shelf.say(shelf.room("there", "the there"), "U1", "said", id="t1")
    with archive(tmp_path) as opened:
        carry(shelf, opened)
        once = standing(tmp_path)
        carry(shelf, opened)
    assert standing(tmp_path) == once
    body = (tmp_path / "rooms/the here/2026-03.html").read_text("utf-8")
    assert 'href="../the%20there/index.html"' in body
    assert 'href="../the%20there/2026-03.html#m-t1"' in body


def test_a_room_without_messages_has_a_page_that_says_so(tmp_path: Path) -> None:
    shelf = ChatShelf()
    shelf.room("C1", "empty", RoomKind.PRIVATE, topic="Nothing yet")
    with archive(tmp_path) as opened:
        carry(shelf, opened)
    assert "0 messages" in (tmp_path / "rooms/empty/index.html").read_text("utf-8")


def test_an_edit_moves_a_message_to_the_month_it_is_of_now(tmp_path: Path) -> None:
    shelf = ChatShelf()
    room = shelf.room("C1", "general")
    said = shelf.say(room, "U1", "words")
    with archive(tmp_path) as opened:
        receipts = carry(shelf, opened)
        from .archive_kit import slot

        now = replace(said, time=BEGIN.replace(month=5), blocks=(line("other words"),))
        from liberate.connector import Item, Kind

        from .helpers import Bytes

        one = slot(Item(said.id, Kind.CHAT, "2"), receipts[said.id].place, "C1", replaces=receipts[said.id])
        opened.write(one, Bytes(now.dump()))
        opened.close_room(receipts[said.id].place, shelf.described(room), {})
    names = sorted(path.name for path in (tmp_path / "rooms/general").glob("20*.html"))
    assert names == ["2026-05.html"]
