"""Messages as HTML: every kind of block, everything escaped, nothing loaded from elsewhere, nothing run."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from html.parser import HTMLParser

import pytest
from liberate_local.archive_html import (
    Said,
    anchor,
    blocks_html,
    initials,
    is_shown,
    line_html,
    link,
    message_end,
    message_html,
    size_text,
    text,
)

from liberate.chat import (
    Author,
    Block,
    Bullets,
    Change,
    Code,
    Emoji,
    File,
    Heading,
    Inline,
    Link,
    Mention,
    Message,
    Paragraph,
    Quote,
    Reaction,
    Rule,
    Style,
    Table,
    Text,
)
from liberate.testing.memory_chat import BEGIN

EVIL = "<script>alert('x')</script>\"'&amp;<!--]]>\0\u202e"


@dataclass
class Here:
    """A view in which U1 is Anna, room C1 and message C1/m1 are there, and so is file F1."""

    zone: tzinfo = UTC
    names: dict[str, str] = field(default_factory=lambda: {"U1": "Anna", "U2": "Bo", "evil": EVIL})

    def author(self, id_: str) -> Author:
        return Author(id_, self.names.get(id_, id_))

    def room(self, id_: str) -> str | None:
        return "../general/index.html" if id_ == "C1" else None

    def message(self, id_: str) -> str | None:
        return "../general/2026-03.html#m-m1" if id_ == "C1/m1" else None

    def file(self, id_: str) -> str | None:
        return f"files/{id_}.png" if id_.startswith("F") else None


class Elements(HTMLParser):
    """The elements and attributes of some HTML, and whether each was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.said = ""
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("br", "hr", "img", "meta"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        self.said += data


def p(*parts: Inline) -> Paragraph:
    return Paragraph(parts)


BLOCKS: dict[str, tuple[Block, str]] = {
    "words": (p(Text("a\nb")), "<p>a<br>b</p>"),
    "styles": (
        p(Text("x", frozenset(Style))),
        "<p><u><s><em><code><strong>x</strong></code></em></s></u></p>",
    ),
    "a link": (
        p(Link("https://a.example/?b=1&c=2", "here")),
        '<p><a href="https://a.example/?b=1&amp;c=2" title="https://a.example/?b=1&amp;c=2" '
        'rel="noopener noreferrer nofollow">here</a></p>',
    ),
    "a link that runs": (p(Link("javascript:alert(1)", "here")), "<p>here (javascript:alert(1))</p>"),
    "a link to a file": (p(Link("file:///etc/passwd", "file:///etc/passwd")), "<p>file:///etc/passwd</p>"),
    "somebody": (p(Mention("author", "U1", "@Anna")), '<p><span class="mention"><bdi>@Anna</bdi></span></p>'),
    "a room": (
        p(Mention("room", "C1", "#general")),
        '<p><a class="mention" href="../general/index.html"><bdi>#general</bdi></a></p>',
    ),
    "a room that is not here": (
        p(Mention("room", "C9", "#lost")), '<p><span class="mention"><bdi>#lost</bdi></span></p>',
    ),
    "a message": (
        p(Mention("message", "C1/m1", "what Anna said")),
        '<p><a class="mention" href="../general/2026-03.html#m-m1"><bdi>what Anna said</bdi></a></p>',
    ),
    "everybody": (p(Mention("everybody", "", "@here")), '<p><span class="mention"><bdi>@here</bdi></span></p>'),
    "an emoji": (p(Emoji("tada", "🎉")), '<p><span class="emoji" title=":tada:">🎉</span></p>'),
    "an emoji of theirs": (p(Emoji("solros")), '<p><span class="emoji named">:solros:</span></p>'),
    "a heading": (Heading((Text("H"),)), "<h3>H</h3>"),
    "code": (Code("\na < b\n", "c"), '<pre data-language="c" tabindex="0"><code>\na &lt; b\n</code></pre>'),
    "a quote": (Quote((p(Text("q")),)), "<blockquote><p>q</p></blockquote>"),
    "bullets": (
        Bullets(((p(Text("a")), Bullets(((p(Text("b")),),))),)),
        "<ul><li><p>a</p><ul><li><p>b</p></li></ul></li></ul>",
    ),
    "numbers": (Bullets(((p(Text("a")),),), 3), '<ol start="3"><li><p>a</p></li></ol>'),
    "a table": (
        Table((((Text("a"),), (Text("b"),)),)),
        '<div class="scroll" tabindex="0"><table><tr><td>a</td><td>b</td></tr></table></div>',
    ),
    "a rule": (Rule(), "<hr>"),
}  # fmt: skip


@pytest.mark.parametrize(("block", "html"), BLOCKS.values(), ids=BLOCKS.keys())
def test_each_kind_of_block_is_shown(block: Block, html: str) -> None:
    assert blocks_html([block], Here()) == html
    Elements(html)


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", " javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)",
        "\x01javascript:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "//evil.example/x",
        "/etc/passwd", "", "http://[bad", "blob:x", "about:blank", "mail to:x", "ftp://x",
    ],
)  # fmt: skip
def test_only_links_that_do_nothing_by_themselves_are_links(url: str) -> None:
    assert not Elements(link(url, "here")).seen


@pytest.mark.parametrize("url", ["http://a", "HTTPS://a.example/ä?b#c", "mailto:anna@solros.example", "tel:+46"])
def test_links_into_the_world_tell_it_nothing(url: str) -> None:
    ((tag, attributes),) = Elements(link(url, "")).seen
    assert (tag, attributes["href"]) == ("a", url)
    assert "noreferrer" in attributes["rel"]


def everything(word: str) -> Message:
    """A message that says this word wherever a message can."""
    inline: tuple[Inline, ...] = (
        Text(word), Link(f"https://x/{word}", word), Link(word, word), Emoji(word, word), Emoji(word),
        *(Mention(to, word, word) for to in ("author", "room", "group", "everybody", "message")),
    )  # fmt: skip
    blocks: tuple[Block, ...] = (
        Paragraph(inline), Heading(inline), Code(word, word), Quote((Paragraph(inline),)),
        Bullets(((Paragraph(inline),),)), Table(((inline,),)),
    )  # fmt: skip
    files = (
        File("", word, word, 1, "", word), File("F1", word + ".png", "", 1), File("F2", word, word, 5),
        File("", word, word, None, f"https://x/{word}"),
    )  # fmt: skip
    return Message(word, "evil", BEGIN, blocks, reactions=(Reaction(Emoji(word), ("evil", word)),), files=files)


@pytest.mark.parametrize("kind", ["message", "emote", "notice"])
@pytest.mark.parametrize(
    "change",
    [
        None,
        *(
            Change(what, EVIL, "evil")
            for what in ("joined", "left", "topic", "purpose", "name", "archived", "unarchived", "call", "other")
        ),
    ],
    ids=lambda change: change.what if change else "said",
)
def test_whatever_people_write_stays_text(kind: str, change: Change | None) -> None:
    message = replace(everything(EVIL), kind=kind, change=change, thread=EVIL)
    html = message_html(Said(message, pinned=True, root="x.html#m-1"), Here()) + message_end()
    html += line_html(Said(message), Here(), "x.html#" + anchor(EVIL)).join(("<ol>", "</ol>"))
    assert "\0" not in html
    elements = Elements(html)
    known = {
        "article", "header", "span", "b", "bdi", "a", "time", "p", "div", "strong", "h3", "pre", "code", "blockquote",
        "ul", "ol", "li", "table", "tr", "td", "figure", "img", "figcaption", "br", "q",
    }  # fmt: skip
    assert {tag for tag, _ in elements.seen} <= known
    for tag, attributes in elements.seen:
        assert not [name for name in attributes if name.startswith("on") or name == "style"], (tag, attributes)
        if tag == "img":
            assert attributes["src"].startswith("files/")
            assert attributes["alt"]
        if tag == "a":
            assert attributes["href"].startswith(("https://x/", "#m-", "files/", "x.html#m-"))
        assert "src" not in attributes or tag == "img"
    assert "alert('x')" in elements.said


def test_a_time_is_that_of_the_zone() -> None:
    said = Said(Message("m1", "U1", datetime(2026, 3, 2, 23, 30, tzinfo=UTC)))
    html = message_html(said, Here(timezone(timedelta(hours=1))))
    assert 'datetime="2026-03-02T23:30:00+00:00" title="Tuesday 3 March 2026, 00:30:00">00:30<' in html


@pytest.mark.parametrize("year", [1, 9999])
def test_times_at_the_ends_of_the_calendar_are_shown(year: int) -> None:
    month, day, hour = (1, 1, 0) if year == 1 else (12, 31, 23)
    time = datetime(year, month, day, hour, tzinfo=UTC)
    for hours in (-12, 12):
        html = message_html(Said(Message("m1", "U1", time)), Here(timezone(timedelta(hours=hours))))
        assert f'datetime="{time.isoformat()}"' in html


def test_an_edit_a_pin_and_a_place_in_a_thread_are_told() -> None:
    message = Message("m1", "U1", BEGIN, edited=BEGIN + timedelta(hours=1))
    html = message_html(Said(message, pinned=True, root="2026-03.html#m-m0"), Here())
    assert "(edited)" in html
    assert "Pinned" in html
    assert '<a href="2026-03.html#m-m0">a thread</a>' in html
    assert "not in this archive" in message_html(Said(message, root=""), Here())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change("joined"), "Bo joined"),
        (Change("joined", author="U1"), "Anna joined, added by Bo"),
        (Change("left"), "Bo left"),
        (Change("topic", "Soil"), "Bo set the topic to Soil"),
        (Change("topic"), "Bo took the topic away"),
        (Change("purpose", "Soil"), "Bo set the purpose to Soil"),
        (Change("name", "soil"), "Bo renamed the room to soil"),
        (Change("archived"), "Bo archived the room"),
        (Change("unarchived"), "Bo opened the room again"),
        (Change("call"), "Bo called"),
        (Change("other", "Something"), "Bo: Something"),
    ],
)
def test_what_happened_to_a_room_is_a_sentence(change: Change, told: str) -> None:
    html = message_html(Said(Message("m1", "U2", BEGIN, change=change)), Here()) + message_end()
    assert Elements(html).said.strip().startswith(told)


def test_reactions_say_who_and_how_many() -> None:
    reactions = (Reaction(Emoji("+1", "👍"), ("U1", "U2"), 5), Reaction(Emoji("solros"), (), 3))
    html = message_html(Said(Message("m1", "U1", BEGIN, reactions=reactions)), Here())
    assert 'title="Anna, Bo and 3 more"><span class="emoji" title=":+1:">👍</span> <b>5</b>' in html
    assert 'title="3 people"' in html


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        (File("F1", "a.png", "image/png"), True), (File("F1", "a.JPG"), True), (File("F1", "a", "image/webp"), True),
        (File("F1", "a.svg", "image/svg+xml"), False), (File("F1", "a.png", "text/html"), False),
        (File("F1", "a.html", "image/png"), False), (File("F1", "a.svg", "image/png"), False),
        (File("F1", "a.html"), False), (File("F1", "a.png", "image/svg+xml"), False), (File("F1", "a.pdf"), False),
    ],
)  # fmt: skip
def test_pictures_are_shown_and_what_could_run_is_only_given(file: File, shown: bool) -> None:
    assert is_shown(file) is shown
    html = message_html(Said(Message("m1", "U1", BEGIN, files=(file,))), Here()) + message_end()
    tags = dict(Elements(html).seen)
    assert ("img" in tags) is shown
    assert shown or tags["a"]["download"] == file.name


def test_different_ids_are_different_anchors_that_links_can_hold() -> None:
    ids = ["1700000000.000100", "a b", "a_20_b", "a/b", "é", "", "_", "a", "A", "#", '"']
    anchors = [anchor(id_) for id_ in ids]
    assert len(set(anchors)) == len(ids)
    assert all(one.isascii() and not set(one) & set(" \"'<>&#%") for one in anchors)


@pytest.mark.parametrize(
    ("name", "letters"),
    [
        ("Anna Lindqvist", "AL"),
        ("bo", "B"),
        ("", "?"),
        ("  ", "?"),
        ("@x_y", "XY"),
        ("🎉", "?"),
        ("李雷", "李"),
        ("a b c", "AC"),
    ],
)
def test_somebody_without_a_picture_has_letters(name: str, letters: str) -> None:
    assert initials(name) == letters


@pytest.mark.parametrize(
    ("size", "told"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1500, "1.5 kB"),
        (23_456, "23 kB"),
        (5_000_000, "5.0 MB"),
        (10**13, "10000 GB"),
    ],
)
def test_sizes_are_told_in_words(size: int, told: str) -> None:
    assert size_text(size) == told


def test_text_holds_nothing_that_a_page_may_not() -> None:
    assert text("a\0b\x1b\ud800<&\"'>\n\t\r") == "a\ufffdb\ufffd?&lt;&amp;&quot;&#x27;&gt;\n\t"


def test_a_line_is_one_line_with_every_word_of_the_message() -> None:
    message = Message("m1", "U1", BEGIN, (p(Text("two\nlines")), Code("x\ny")), files=(File("F1", "a.png"),))
    html = line_html(Said(message), Here(), "2026-03.html#m-m1")
    assert "\n" not in html
    assert Elements(html).said == "2026-03-02 09:00 Anna two lines x y a.png"
