"""Slack's own markup: read before it is unescaped, and unescaped once."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liberate_slack.mrkdwn import parse, shown
from slack_kit import ANNA, ROOM, names

from liberate.chat import Block, Code, Emoji, Inline, Link, Mention, Message, Paragraph, Quote, Style, Text, plain

BOLD, ITALIC, STRIKE, CODE = ({one} for one in (Style.BOLD, Style.ITALIC, Style.STRIKE, Style.CODE))


def t(text: str, *styles: set[Style]) -> Text:
    return Text(text, frozenset().union(*styles))


LINES: list[tuple[str, list[Inline]]] = [
    ("plain", [t("plain")]),
    ("*bold*", [t("bold", BOLD)]),
    ("_it_ and ~no~", [t("it", ITALIC), t(" and "), t("no", STRIKE)]),
    ("*b _bi_*", [t("b ", BOLD), t("bi", BOLD, ITALIC)]),
    ("`x*y*z`", [t("x*y*z", CODE)]),
    ("*`x`*", [t("x", BOLD, CODE)]),
    ("2*3*4 and snake_case_name", [t("2*3*4 and snake_case_name")]),
    ("* not bold * and *open", [t("* not bold * and *open")]),
    ("**", [t("**")]),
    ("(*b*), _i_.", [t("("), t("b", BOLD), t("), "), t("i", ITALIC), t(".")]),
    ("a *b\nc* d", [t("a *b\nc* d")]),
    ("5 &lt; 6 &amp;&amp; 7 &gt; 6", [t("5 < 6 && 7 > 6")]),
    ("&amp;lt;b&amp;gt;", [t("&lt;b&gt;")]),
    ("&lt;script&gt;alert(1)&lt;/script&gt;", [t("<script>alert(1)</script>")]),
    ("&lt;@U0ANNA000&gt;", [t("<@U0ANNA000>")]),
    ("&quot; &#39; &nbsp;", [t("&quot; &#39; &nbsp;")]),
    (f"<@{ANNA}>", [Mention("author", ANNA, "@Anna")]),
    (f"<@{ANNA}|old name>", [Mention("author", ANNA, "@Anna")]),
    ("<@W9|Eve>", [Mention("author", "W9", "@Eve")]),
    ("<@U9>", [Mention("author", "U9", "@U9")]),
    (f"<#{ROOM}|>", [Mention("room", ROOM, "#general")]),
    ("<#C9|gone>", [Mention("room", "C9", "#gone")]),
    ("<!here> <!channel|@channel>", [Mention("everybody", "", "@here"), t(" "), Mention("everybody", "", "@channel")]),
    ("<!everyone>", [Mention("everybody", "", "@everyone")]),
    ("<!subteam^S1>", [Mention("group", "S1", "@board")]),
    ("<!subteam^S2|@hosts>", [Mention("group", "S2", "@hosts")]),
    ("<!date^1392734382^{date}|Feb 18>", [t("Feb 18")]),
    ("<!date^1392734382^{date}^https://e.example/|Feb 18>", [Link("https://e.example/", "Feb 18")]),
    ("<!odd|shown>", [t("shown")]),
    ("<https://e.example/a?b=1&amp;c=2>", [Link("https://e.example/a?b=1&c=2", "https://e.example/a?b=1&c=2")]),
    ("<https://e.example|A &amp; *B*>", [Link("https://e.example", "A & *B*")]),
    ("*<https://e.example|b>*", [Link("https://e.example", "b", frozenset(BOLD))]),
    ("<mailto:a@e.example>", [Link("mailto:a@e.example", "a@e.example")]),
    ("<mailto:a@e.example|Anna>", [Link("mailto:a@e.example", "Anna")]),
    ("<tel:+4930>", [Link("tel:+4930", "+4930")]),
    (f"<https://x.slack.com/archives/{ROOM}/p1772000000000100>",
     [Mention("message", f"{ROOM}/{ROOM}/1772000000.000100",
              f"https://x.slack.com/archives/{ROOM}/p1772000000000100")]),
    ("<https://x.slack.com/archives/C404/p1772000000000100>",
     [Link("https://x.slack.com/archives/C404/p1772000000000100",
           "https://x.slack.com/archives/C404/p1772000000000100")]),
    ("<https://files.slack.com/f?token=xoxe-1234&amp;x=1|f>", [Link("https://files.slack.com/f?x=1", "f")]),
    ("a <b> c", [t("a "), t("<b>"), t(" c")]),
    (":seedling:", [Emoji("seedling", "🌱")]),
    (":+1::skin-tone-4:", [Emoji("+1::skin-tone-4", "👍🏽")]),
    (":thumbsup:", [Emoji("+1", "👍")]),
    (":simple_smile:", [Emoji("slightly_smiling_face", "🙂")]),
    (":solros:", [Emoji("solros")]),
    (":sun:", [Emoji("solros")]),
    (":party:", [Emoji("tada", "🎉")]),
    (":ring1:", [Emoji("ring1")]),
    (":flag-de:", [Emoji("de", "🇩🇪")]),
    ("at 12:30:45", [t("at 12:30:45")]),
    (":nobody-knows-it:", [t(":nobody-knows-it:")]),
    ("x\0y", [t("x�y")]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "parts"), LINES)
def test_a_line_is_read_as_people_see_it(text: str, parts: list[Inline]) -> None:
    assert parse(text, names()) == (Paragraph(tuple(parts)),)


BLOCKS: list[tuple[str, list[Block]]] = [
    ("", []),
    (" \n ", []),
    ("a\nb", [Paragraph((t("a\nb"),))]),
    ("&gt; q1\n&gt;q2\nafter", [Quote((Paragraph((t("q1\nq2"),)),)), Paragraph((t("after"),))]),
    ("before\n&gt; q", [Paragraph((t("before"),)), Quote((Paragraph((t("q"),)),))]),
    ("a\n&gt;&gt;&gt; all\nof it", [Paragraph((t("a"),)), Quote((Paragraph((t("all\nof it"),)),))]),
    ("&gt;&gt;&gt;&gt;&gt;&gt;&gt; HEAD", [Quote((Paragraph((t(">>>> HEAD"),)),))]),
    ("```a *b* &lt;c&gt;\n  d```", [Code("a *b* <c>\n  d")]),
    ("x ```\ncode\n``` y", [Paragraph((t("x "),)), Code("code"), Paragraph((t(" y"),))]),
    ("```<https://e.example> <@U0ANNA000> &amp;lt;```", [Code("https://e.example @Anna &lt;")]),
    ("```never closed", [Paragraph((t("```never closed"),))]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "blocks"), BLOCKS)
def test_quotes_and_code_stand_for_themselves(text: str, blocks: list[Block]) -> None:
    assert parse(text, names()) == tuple(blocks)


def test_a_line_of_signs_is_one_quote_however_long_it_is() -> None:
    assert parse("&gt;" * 40_000, names()) == (Quote((Paragraph((t(">" * 39_997),)),)),)


def test_a_long_line_of_signs_that_begin_nothing_is_read_at_once() -> None:
    line = "*a ~b _c " * 4_000  # looked at from each sign to the end of the line, it would take minutes
    assert parse(line, names()) == (Paragraph((t(line),)),)


def test_a_topic_is_shown_without_its_markup() -> None:
    assert shown("<https://e.example|us> &amp; <#C0GENERAL>", names()) == "us & #general"


@given(st.text(alphabet="k1 *_~`>|@#!:&;\n\0\ud83d", max_size=60))
def test_no_letter_is_lost_whatever_the_markup(text: str) -> None:
    assert plain(parse(text, names())).count("k") == text.count("k")  # ":k:" is no emoji


@given(st.text(alphabet="aU <>|@#!^:/&;*`\n\0\ud83d", max_size=60))
def test_whatever_stands_in_a_message_becomes_one_that_can_be_kept(text: str) -> None:
    message = Message("1", ANNA, datetime(2026, 1, 1, tzinfo=UTC), parse(text, names()))
    assert Message.load(message.dump()).dump() == message.dump()
    assert "\0" not in plain(message.blocks)
