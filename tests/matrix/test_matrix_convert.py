"""Blocks as HTML, messages as events, ids as names, long texts in parts: pure, by tables."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from liberate_matrix import refusals
from liberate_matrix.contents import SOURCE, planned, puts, text_of
from liberate_matrix.convert import BUDGET, Names, edit, html, is_plain, weight
from liberate_matrix.ids import escaped, localpart, pretty
from liberate_matrix.splitting import Part, edge, split

from liberate.chat import (
    Block,
    Bullets,
    Change,
    Code,
    Emoji,
    File,
    Heading,
    Link,
    Mention,
    Paragraph,
    Quote,
    Reaction,
    Rule,
    Style,
    Table,
    Text,
    plain,
)
from liberate.connector import Place, Receipt
from liberate.errors import AccountError, ItemError, TransientError
from liberate.testing.room_contract import BLOCKS, PARTY, THUMB, say

NAMES = Names(lambda id_: f"@slack_{id_.lower()}:x.org", lambda id_: f"#slack_{id_.lower()}:x.org")
BOLD, CODE, ITALIC = (frozenset({one}) for one in (Style.BOLD, Style.CODE, Style.ITALIC))


def p(text: str) -> Paragraph:
    return Paragraph((Text(text),))


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        (p("a <b> & 'c' \"d\"\ne"), "<p>a &lt;b&gt; &amp; 'c' \"d\"<br>e</p>"),
        (Paragraph((Text("a", BOLD), Text("b", ITALIC | CODE))), "<p><strong>a</strong><em><code>b</code></em></p>"),
        (Heading((Text("a"),)), "<h4>a</h4>"),
        (Code("a < b\n\tc", "c"), '<pre><code class="language-c">a &lt; b\n\tc</code></pre>'),
        (Code("a", 'c" onclick="'), "<pre><code>a</code></pre>"),
        (Quote((p("a"), Quote((p("b"),)))), "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>"),
        (Bullets(((p("a"), p("b")), (Code("c"),))), "<ul><li>a<p>b</p></li><li><pre><code>c</code></pre></li></ul>"),
        (Bullets(((p("a"),),), 1), "<ol><li>a</li></ol>"),
        (Bullets(((p("a"),),), 4), '<ol start="4"><li>a</li></ol>'),
        (Table((((Text("a"),), (Text("<"),)),)), "<table><tbody><tr><td>a</td><td>&lt;</td></tr></tbody></table>"),
        (Rule(), "<hr>"),
        (
            Paragraph((Link('https://x.org/?a="b"&c', "<here>"),)),
            '<p><a href="https://x.org/?a=&quot;b&quot;&amp;c">&lt;here&gt;</a></p>',
        ),
        (Paragraph((Link("javascript:alert(1)", "x"),)), "<p>x (javascript:alert(1))</p>"),
        (Paragraph((Link("http://[bad", "x"),)), "<p>x (http://[bad)</p>"),
        (
            Paragraph((Mention("author", "U1", "@Anna <3"),)),
            '<p><a href="https://matrix.to/#/@slack_u1:x.org">@Anna &lt;3</a></p>',
        ),
        (
            Paragraph((Mention("room", "C1", "#general"),)),
            '<p><a href="https://matrix.to/#/%23slack_c1:x.org">#general</a></p>',
        ),
        (
            Paragraph((Mention("message", "C1/17", "a message"),)),
            '<p><a href="https://matrix.to/#/%23slack_c1:x.org">a message</a></p>',
        ),
        (Paragraph((Mention("group", "S1", "@all"), Mention("everybody", "", "@here"))), "<p>@all@here</p>"),
        (Paragraph((THUMB, PARTY)), "<p>\U0001f44d:partyparrot:</p>"),
        (p("a\ud800b"), "<p>a\ufffdb</p>"),
    ],
)
def test_a_block_is_html_as_the_specification_suggests(block: Block, wanted: str) -> None:
    assert html([block], NAMES) == wanted


class Depth(HTMLParser):
    deepest = now = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("br", "hr"):
            self.now += 1
            self.deepest = max(self.deepest, self.now)

    def handle_endtag(self, tag: str) -> None:
        self.now -= 1


def test_nesting_is_bounded_and_loses_no_words() -> None:
    block: Block = p("inmost")
    for number in range(200):
        block = Quote((block,)) if number % 2 else Bullets(((p(f"level {number}"), block),))
    shown = html([block], NAMES)
    parser = Depth()
    parser.feed(shown)
    assert parser.deepest < 60
    assert parser.now == 0
    assert "inmost" in shown
    assert "level 0" in shown


def test_what_has_no_looks_has_no_html() -> None:
    assert is_plain([p("a\nb")])
    assert not is_plain([Paragraph((Text("a", BOLD),))])
    (one,) = planned(say(0, "a < b"), "k", "v", {}, NAMES)
    assert "formatted_body" not in one.content
    assert one.content["body"] == "a < b"
    assert one.content["m.mentions"] == {}


@pytest.mark.parametrize("name", BLOCKS)
def test_parts_fit_and_are_the_whole_text(name: str) -> None:
    message = say(0, blocks=BLOCKS[name], thread="m1")
    parts = planned(message, "0" * 32, "v", {}, NAMES)
    assert all(weight(one.content) <= BUDGET for one in parts)
    assert "".join(text_of(one.content) for one in parts) == plain(BLOCKS[name])
    assert [one.content[SOURCE]["part"] for one in parts] == [f"t{number}" for number in range(len(parts))]
    assert {one.content[SOURCE]["parts"] for one in parts} == {len(parts)}
    for one in parts:
        json.dumps(one.content, allow_nan=False)
        assert not any(isinstance(value, float) for value in one.content.values())
        changed = edit(one.content, "$" + "x" * 43)
        assert weight(changed) <= BUDGET + 2000


def test_code_that_is_cut_is_closed_and_begun_again() -> None:
    blocks = (p("see"), Code("line of <code>\n" * 8000, "c"), p("end"))
    parts = planned(say(0, blocks=blocks), "k", "v", {}, NAMES)
    first, *coded = parts
    assert first.content["body"] == "see\n"
    assert len(coded) > 2
    for one in coded:
        shown = one.content["formatted_body"]
        assert shown.count('<pre><code class="language-c">') == shown.count("</code></pre>") == 1
        body = one.content["body"]
        assert body.endswith("\n") or body.endswith("end")


LETTERS = st.sampled_from(
    ["a", " ", "\n", "é", "漢", "\U0001f468\u200d\U0001f469", "e\u0301", "\U0001f1e9\U0001f1ea", "👍🏽", "\r\n"]
)
TEXTS = st.lists(LETTERS, min_size=1, max_size=80).map("".join)
SOME = st.one_of(
    TEXTS.map(p),
    TEXTS.map(Code),
    TEXTS.map(lambda text: Quote((p(text),))),
    st.lists(TEXTS, max_size=4).map(lambda texts: Bullets(tuple((p(text),) for text in texts), 1)),
    TEXTS.map(lambda text: Paragraph((Text(text, BOLD), Link("https://x.org", "x"), Text(text)))),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(SOME, max_size=5), st.integers(8, 60))
def test_any_text_is_split_without_losing_or_adding_a_letter(blocks: list[Block], limit: int) -> None:
    def fits(part: Part) -> bool:
        return len(plain(part.blocks)) + len(part.tail) <= limit

    parts = split(blocks, fits)
    assert "".join(plain(one.blocks) + one.tail for one in parts) == plain(blocks)
    assert all(fits(one) for one in parts)


@pytest.mark.parametrize(
    ("text", "limit", "wanted"),
    [
        ("abc\ndef", 6, 4),
        ("abc def", 6, 4),
        ("a bcdefgh", 7, 7),
        ("abcde\u0301", 5, 4),
        ("ab\U0001f468\u200d\U0001f469", 4, 2),
        ("a\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", 4, 3),
        ("ab👍🏽", 3, 2),
        ("e" + "\u0301" * 50, 20, 20),
    ],
)
def test_a_cut_is_between_what_people_see_as_letters(text: str, limit: int, wanted: int) -> None:
    assert edge(text, limit) == wanted
    assert unicodedata.combining(text[wanted]) == 0 or wanted == limit


FILES = {id_: Receipt(f"mxc://x.org/{id_}", Place("!r"), size) for id_, size in (("F1", 5), ("F2", None))}
PICTURE = File("F1", "a.png", "image/png", 7)


def test_one_file_with_words_is_one_event_and_more_are_several() -> None:
    (one,) = planned(say(0, "words", files=(PICTURE,)), "k", "v", FILES, NAMES)
    assert one.label == "f0"
    assert one.content["msgtype"] == "m.image"
    assert (one.content["body"], one.content["filename"]) == ("words", "a.png")
    assert one.content["url"] == "mxc://x.org/F1"
    assert one.content["info"] == {"mimetype": "image/png", "size": 5}
    assert text_of(one.content) == "words"
    several = planned(say(0, "words", files=(PICTURE, File("F2", "b.ogg", "audio/ogg", 9))), "k", "v", FILES, NAMES)
    assert [one.label for one in several] == ["t0", "f0", "f1"]
    assert [one.content["msgtype"] for one in several] == ["m.text", "m.image", "m.audio"]
    assert [text_of(one.content) for one in several] == ["words", "", ""]
    assert several[2].content["info"]["size"] == 9
    (alone,) = planned(say(0, blocks=(), files=(PICTURE,)), "k", "v", FILES, NAMES)
    assert alone.content["body"] == "a.png"
    assert text_of(alone.content) == ""


def test_a_caption_that_is_the_files_name_is_still_what_was_said() -> None:
    (one,) = planned(say(0, "a.png", files=(PICTURE,)), "k", "v", FILES, NAMES)
    assert text_of(one.content) == "a.png"


def test_a_file_that_is_not_there_is_said() -> None:
    lost = (File("F9", "a.txt", size=3), File("", "b.txt", why="It is gone."), File("", "c", url="https://x.org/c"))
    (one,) = planned(say(0, "see", files=lost), "k", "v", FILES, NAMES)
    assert one.content["body"].split("\n") == [
        "see",
        "File: a.txt (3 bytes). It could not be moved.",
        "File: b.txt. It is gone.",
        "File: c (https://x.org/c)",
    ]


@pytest.mark.parametrize(
    ("change", "msgtype", "body"),
    [
        (Change("topic", "new"), "m.notice", "changed the topic of the room to: new"),
        (Change("topic"), "m.notice", "removed the topic of the room"),
        (Change("joined"), "m.notice", "joined the room"),
        (Change("archived"), "m.notice", "archived the room"),
        (Change("other", "did it"), "m.notice", "did it"),
    ],
)
def test_what_happened_to_the_room_is_a_notice(change: Change, msgtype: str, body: str) -> None:
    (one,) = planned(say(0, blocks=(), change=change), "k", "v", {}, NAMES)
    assert (one.content["msgtype"], one.content["body"]) == (msgtype, body)


def test_a_reply_that_was_shared_with_the_room_stands_there_once_more() -> None:
    parts = planned(say(0, "both", thread="m1", broadcast=True), "k", "v", {}, NAMES)
    assert [(one.label, one.content["body"]) for one in parts] == [("t0", "both"), ("b", "both")]


def test_a_reaction_of_one_person_counts_once() -> None:
    reactions = (Reaction(THUMB, ("U1", "U2", "U1")), Reaction(PARTY, ("U1",)), Reaction(Emoji("x" * 600), ("U1",)))
    put = puts(reactions)
    assert [(one.key, one.author) for one in put[:3]] == [
        ("\U0001f44d", "U1"),
        ("\U0001f44d", "U2"),
        (":partyparrot:", "U1"),
    ]
    assert len(put[3].key) == 500
    assert len({one.label for one in put}) == 4


@given(st.text(max_size=20), st.text(max_size=20))
def test_names_are_equal_only_for_equal_ids(one: str, other: str) -> None:
    if one != other:
        assert escaped(one) != escaped(other)
        assert localpart("slack", ("T", one), "x.org") != localpart("slack", ("T", other), "x.org")
    assert localpart("slack", (one, other), "x") != localpart("slack", (one + "_" + other,), "x")
    assert re.fullmatch(r"[a-z0-9._=\-/+]+", localpart("slack", (one, other), "x.org"))


@pytest.mark.parametrize(
    ("id_", "wanted"),
    [
        ("U024BE7LH", "u024be7lh"),
        ("u1", "=751"),
        ("1", "1"),
        ("a_b", "a=5fb"),
        ("Ab", "=41b"),
        ("é", "=c3=a9"),
        ("", "="),
    ],
)
def test_ids_become_names(id_: str, wanted: str) -> None:
    assert escaped(id_) == wanted


def test_a_long_id_keeps_its_difference_and_fits() -> None:
    domain = "matrix.example.org"
    names = {localpart("slack", ("T1", "x" * 300 + end), domain) for end in "ab"}
    assert len(names) == 2
    assert all(len(f"@{name}:{domain}".encode()) <= 255 for name in names)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("General", "#general:x"), ("a b/c:d", "#a-b-c-d:x"), ("größe", "#größe:x"), ("::", None), ("", None)],
)
def test_a_room_gets_an_address_that_people_can_type(name: str, wanted: str | None) -> None:
    assert next(pretty(name, "x"), None) == wanted
    assert all(len(alias.encode()) <= 255 for alias in pretty("ü" * 300, "x"))


@pytest.mark.parametrize(
    ("status", "code", "words", "kind", "told"),
    [
        (429, "M_LIMIT_EXCEEDED", "", TransientError, ""),
        (500, "M_UNKNOWN", "Internal server error", TransientError, ""),
        (502, "", "", TransientError, ""),
        (401, "M_UNKNOWN_TOKEN", "", AccountError, "login-refused"),
        (401, "M_MISSING_TOKEN", "", AccountError, "login-refused"),
        (403, "M_FORBIDDEN", "Application service has not registered this user", AccountError, "no-such-user"),
        (403, "M_FORBIDDEN", "Application service cannot masquerade as this user", AccountError, "not-in-namespace"),
        (400, "M_EXCLUSIVE", "", AccountError, "not-in-namespace"),
        (403, "M_FORBIDDEN", "User @x:y not in room !z", ItemError, "forbidden"),
        (403, "M_USER_DEACTIVATED", "", AccountError, "deactivated-user"),
        (413, "M_TOO_LARGE", "event too large", ItemError, "too-large"),
        (413, "", "", ItemError, "too-large"),
        (404, "M_NOT_FOUND", "", ItemError, "gone"),
        (404, "M_UNRECOGNIZED", "", AccountError, "too-old"),
        (404, "", "<html>", AccountError, "not-a-homeserver"),
        (400, "M_BAD_JSON", "", ItemError, "refused"),
    ],
)
def test_a_refusal_is_what_comes_next(status: int, code: str, words: str, kind: type, told: str) -> None:
    error = refusals.refusal(status, code, words, 1500 if status == 429 else None, "@a:x", "x.org")
    assert isinstance(error, kind)
    assert getattr(error, "code", "") == told
    if status == 429:
        assert isinstance(error, TransientError)
        assert error.retry_after == 1.5
    if words.startswith("User"):
        assert words not in str(error)


def test_another_text_is_another_versions_mark() -> None:
    one = planned(say(0), "k", "v1", {}, NAMES)[0]
    other = planned(replace(say(0), edited=say(1).time), "k", "v2", {}, NAMES)[0]
    assert one.content[SOURCE]["version"] != other.content[SOURCE]["version"]
    assert "edited" in other.content[SOURCE]
