"""rich_text, Block Kit and attachments: what people see of them."""

from __future__ import annotations

from typing import Any

import pytest
from liberate_slack.blocks import convert_attachments, convert_blocks
from slack_kit import ANNA, ROOM, names

from liberate.chat import (
    Block,
    Bullets,
    Code,
    Emoji,
    Heading,
    Inline,
    Link,
    Mention,
    Paragraph,
    Quote,
    Rule,
    Style,
    Table,
    Text,
    plain,
)


def rich(*elements: Any) -> list[dict[str, Any]]:
    return [{"type": "rich_text", "elements": list(elements)}]


def section(*parts: Any) -> dict[str, Any]:
    return {"type": "rich_text_section", "elements": list(parts)}


def words(text: str, **style: bool) -> dict[str, Any]:
    return {"type": "text", "text": text, **({"style": style} if style else {})}


INLINE: list[tuple[dict[str, Any], list[Inline]]] = [
    (words("a &amp; *b*"), [Text("a &amp; *b*")]),
    (words("x", bold=True, italic=True, strike=True, code=True, underline=True), [Text("x", frozenset(Style))]),
    (words("x", highlight=True, bold=False), [Text("x")]),
    ({"type": "link", "url": "https://e.example", "text": "us"}, [Link("https://e.example", "us")]),
    ({"type": "link", "url": "https://e.example"}, [Link("https://e.example", "https://e.example")]),
    ({"type": "user", "user_id": ANNA}, [Mention("author", ANNA, "@Anna")]),
    ({"type": "canvas_user_mention", "user_id": ANNA}, [Mention("author", ANNA, "@Anna")]),
    ({"type": "usergroup", "usergroup_id": "S1"}, [Mention("group", "S1", "@board")]),
    ({"type": "channel", "channel_id": ROOM}, [Mention("room", ROOM, "#general")]),
    ({"type": "broadcast", "range": "channel"}, [Mention("everybody", "", "@channel")]),
    ({"type": "emoji", "name": "tada", "unicode": "1f389"}, [Emoji("tada", "🎉")]),
    ({"type": "emoji", "name": "brand_new", "unicode": "1fae9"}, [Emoji("brand_new", "\U0001fae9")]),
    ({"type": "emoji", "name": "wave", "skin_tone": 3}, [Emoji("wave::skin-tone-3", "👋🏼")]),
    ({"type": "emoji", "name": "wave::skin-tone-3", "unicode": "1f44b-1f3fc"}, [Emoji("wave::skin-tone-3", "👋🏼")]),
    ({"type": "emoji", "name": "solros"}, [Emoji("solros")]),
    ({"type": "emoji", "name": "mystery"}, [Emoji("mystery")]),
    ({"type": "color", "value": "#F405B3"}, [Text("#F405B3")]),
    ({"type": "date", "timestamp": 1720710212, "format": "{date_num}", "fallback": "11 July"}, [Text("11 July")]),
    ({"type": "date", "timestamp": 1720710212, "format": "{date_num}"}, [Text("2024-07-11 15:03 UTC")]),
    ({"type": "date", "timestamp": 1, "url": "https://e.example", "fallback": "x"}, [Link("https://e.example", "x")]),
    ({"type": "team", "team_id": "T1"}, [Text("T1")]),
    ({"type": "message_mention", "channel_id": ROOM, "message_ts": "1.000001", "text": "that"},
     [Mention("message", f"{ROOM}/{ROOM}/1.000001", "that")]),
    ({"type": "canvas", "title": "Plan", "url": "https://x.slack.com/docs/1"},
     [Link("https://x.slack.com/docs/1", "Plan")]),
    ({"type": "citation", "text": "[1]"}, [Text("[1]")]),
    ({"type": "tag", "label": "urgent"}, [Text("urgent")]),
    ({"type": "file", "name": "a.pdf"}, [Text("a.pdf")]),
    ({"type": "list_record", "title": "Row"}, [Text("Row")]),
    ({"type": "workflow_mention", "name": "Leave"}, [Text("Leave")]),
    ({"type": "salesforce_data_field", "value": "9"}, [Text("9")]),
]  # fmt: skip


@pytest.mark.parametrize(("element", "parts"), INLINE)
def test_what_stands_in_a_line_of_rich_text(element: dict[str, Any], parts: list[Inline]) -> None:
    known = names()
    assert convert_blocks(rich(section(element)), known) == (Paragraph(tuple(parts)),)
    assert not known.unknown


@pytest.mark.parametrize(
    "element",
    [{"type": "sparkle", "text": "inner"}, {"type": "sparkle", "elements": [words("inner")]},
     {"type": "sparkle", "title": {"type": "plain_text", "text": "inner"}}],
)  # fmt: skip
def test_an_unknown_element_keeps_its_words_and_is_counted(element: dict[str, Any]) -> None:
    known = names()
    assert plain(convert_blocks(rich(section(words("a "), element)), known)) == "a inner"
    assert known.unknown == {"element sparkle": 1}


def bullets(style: str, indent: int, *entries: str, **more: Any) -> dict[str, Any]:
    return {"type": "rich_text_list", "style": style, "indent": indent, **more,
            "elements": [section(words(one)) for one in entries]}  # fmt: skip


def p(text: str) -> Paragraph:
    return Paragraph((Text(text),))


def test_lists_nest_as_their_indents_say() -> None:
    made = convert_blocks(
        rich(
            section(words("list:\n")),
            bullets("bullet", 0, "a", "b"),
            bullets("ordered", 1, "b1"),
            bullets("bullet", 2, "deep"),
            bullets("ordered", 1, "b2"),
            bullets("bullet", 0, "c"),
            bullets("ordered", 0, "one", offset=4),
        ),
        names(),
    )
    inner = Bullets(((p("b1"), Bullets(((p("deep"),),))), (p("b2"),)), 1)
    assert made == (p("list:"), Bullets(((p("a"),), (p("b"), inner), (p("c"),))), Bullets(((p("one"),),), 5))


def test_a_list_that_begins_indented_is_still_a_list() -> None:
    assert convert_blocks(rich(bullets("bullet", 3, "x"), bullets("bullet", 1, "y")), names()) == (
        Bullets(((p("x"),),)),
        Bullets(((p("y"),),)),
    )


RICH: list[tuple[dict[str, Any], Block]] = [
    ({"type": "rich_text_preformatted", "elements": [words("a <b>\n"), {"type": "link", "url": "https://e.example"}],
      "language": "c"}, Code("a <b>\nhttps://e.example", "c")),
    ({"type": "rich_text_preformatted", "border": 1, "elements": [words("x")]}, Quote((Code("x"),))),
    ({"type": "rich_text_quote", "elements": [words("as said")]}, Quote((p("as said"),))),
    (bullets("bullet", 0, "q", border=1), Quote((Bullets(((p("q"),),)),))),
]  # fmt: skip


@pytest.mark.parametrize(("element", "block"), RICH)
def test_code_quotes_and_bordered_lists(element: dict[str, Any], block: Block) -> None:
    assert convert_blocks(rich(element), names()) == (block,)


PLAIN = {"type": "plain_text", "text": "Yes :tada:", "emoji": True}
KIT: list[tuple[dict[str, Any], str]] = [
    ({"type": "header", "text": {"type": "plain_text", "text": "Head"}}, "Head"),
    ({"type": "section", "text": {"type": "mrkdwn", "text": "*a* &amp;"}, "fields": [{"type": "mrkdwn", "text": "f"}]},
     "a &\nf"),
    ({"type": "section", "text": {"type": "plain_text", "text": "*a*"}}, "*a*"),
    ({"type": "header", "text": {"type": "plain_text", "text": "__init__ &amp; `a`: *b* ~c~ :tada:"}},
     "__init__ & `a`: *b* ~c~ 🎉"),
    ({"type": "actions", "elements": [
        {"type": "button", "text": {"type": "plain_text", "text": "R&amp;D :tada:"}, "url": "https://e.example"}]},
     "R&D 🎉 (https://e.example)"),
    ({"type": "image", "image_url": "https://e.example/i", "title": {"type": "plain_text", "text": "R&amp;D"}},
     "R&D (https://e.example/i)"),
    ({"type": "section", "text": PLAIN, "accessory": {"type": "button", "text": PLAIN}}, "Yes 🎉\n[Yes 🎉]"),
    ({"type": "section", "text": PLAIN,
      "accessory": {"type": "image", "image_url": "https://e.example/i", "alt_text": "i"}},
     "Yes 🎉\ni (https://e.example/i)"),
    ({"type": "context", "elements": [{"type": "mrkdwn", "text": "a"}, {"type": "plain_text", "text": "b"}]}, "a b"),
    ({"type": "image", "image_url": "https://e.example/i", "title": {"type": "plain_text", "text": "T"}},
     "T (https://e.example/i)"),
    ({"type": "image", "alt_text": "only words"}, "only words"),
    ({"type": "actions", "elements": [{"type": "button", "text": PLAIN}, {"type": "button", "url": "https://e.example",
      "text": {"type": "plain_text", "text": "Open"}}]}, "[Yes 🎉] Open (https://e.example)"),
    ({"type": "video", "title": {"type": "plain_text", "text": "V"}, "title_url": "https://e.example/v",
      "video_url": "https://e.example/e", "description": {"type": "plain_text", "text": "long"}},
     "V (https://e.example/v)\nlong"),
    ({"type": "markdown", "text": "**md** & more"}, "**md** & more"),
    ({"type": "file", "external_id": "x", "title": "doc"}, "doc"),
    ({"type": "call", "call": {"v1": {"name": "Standup", "join_url": "https://e.example/j"}}},
     "Standup (https://e.example/j)"),
    ({"type": "contact_card", "name": "Eve"}, "Eve"),
    ({"type": "card", "title": {"type": "mrkdwn", "text": "Card"}, "body": {"type": "mrkdwn", "text": "text"}},
     "Card\ntext"),
    ({"type": "share_shortcut", "title": "Flow", "url": "https://e.example/f"}, "Flow (https://e.example/f)"),
    ({"type": "input", "label": {"type": "plain_text", "text": "Name"}}, "Name"),
    ({"type": "table",
      "rows": [[{"type": "raw_text", "text": "a"}, {"type": "rich_text", "elements": [section(words("b"))]}]]},
     "a | b"),
]  # fmt: skip


@pytest.mark.parametrize(("block", "text"), KIT)
def test_blocks_of_programs_are_read(block: dict[str, Any], text: str) -> None:
    known = names()
    assert plain(convert_blocks([block], known)) == text
    assert not known.unknown


def test_headings_tables_and_lines_across_are_told_as_such() -> None:
    blocks = [{"type": "header", "text": PLAIN}, {"type": "divider"}, {"type": "table", "rows": [[{"text": "a"}]]}]
    assert [type(one) for one in convert_blocks(blocks, names())] == [Heading, Rule, Table]


def test_an_unknown_block_keeps_its_words_and_is_counted() -> None:
    known = names()
    block = {"type": "hologram", "title": "T", "elements": [{"type": "mrkdwn", "text": "inner"}]}
    assert plain(convert_blocks([block], known)) == "T\ninner"
    assert known.unknown == {"block hologram": 1}


@pytest.mark.parametrize("blocks", [None, "x", {}, [None, "x", 3], [{}], [{"type": "rich_text"}], [{"type": "section"}],
                                    [{"type": "rich_text", "elements": [{"type": "rich_text_list", "indent": "x"}]}],
                                    [{"type": "table", "rows": None}], [{"type": "context", "elements": [None]}]],
)  # fmt: skip
def test_blocks_of_any_shape_are_no_failure(blocks: Any) -> None:
    assert plain(convert_blocks(blocks, names())).strip("\n• ") == ""


ATTACHMENTS: list[tuple[dict[str, Any], str]] = [
    ({"pretext": "see", "title": "T", "title_link": "https://e.example", "text": "*x*", "footer": "F"},
     "see\n> T (https://e.example)\n> x\n> F"),
    ({"author_name": "A", "fields": [{"title": "K", "value": "v &amp; w"}]}, "> A\n> K: v & w"),
    ({"author_name": "R&amp;D", "title": "&lt;T&gt;", "title_link": "https://e.example",
      "fields": [{"title": "Q&amp;A", "value": "v"}]}, "> R&D\n> <T> (https://e.example)\n> Q&A: v"),
    ({"image_url": "https://e.example/i.gif", "fallback": "never"}, "> https://e.example/i.gif"),
    ({"fallback": "only &lt;this&gt;"}, "> only <this>"),
    ({"blocks": rich(section(words("kit"))), "fallback": "no"}, "> kit"),
    ({"message_blocks": [{"message": {"blocks": rich(section(words("passed on")))}}], "text": "no"}, "> passed on"),
    ({"text": "shared", "files": [{"name": "a.pdf"}]}, "> shared\n> a.pdf"),
    ({"actions": [{"type": "button", "text": "Go"}]}, "> [Go]"),
    ({}, ""),
]  # fmt: skip


@pytest.mark.parametrize(("attachment", "text"), ATTACHMENTS)
def test_attachments_are_quotes(attachment: dict[str, Any], text: str) -> None:
    assert plain(convert_attachments([attachment], names())) == text
