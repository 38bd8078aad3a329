"""Rules as a Sieve script: what each becomes, and what is rather listed than written wider."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from liberate.errors import ItemError
from liberate.filters import (
    Absence,
    Action,
    AllOf,
    AnyOf,
    File,
    Filters,
    Forward,
    Gap,
    How,
    Mark,
    Not,
    Reply,
    Rule,
    Size,
    Test,
    Text,
    Trash,
    Where,
    plain_text,
)
from liberate.labels import LabelPolicy
from liberate.mail import Folder, Role
from liberate.sieve import USUAL, Script, Target, script

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
BOSS = Text(Where.FROM, How.ADDRESS, "boss@example.org")
WORDS = Text(Where.SUBJECT, How.CONTAINS, "report")
LABEL = File(Folder(("Projekt", "Åre")), copy=True)
MOVE = File(Folder(("Projekt", "Åre")), copy=False)


def named(folder: Folder) -> str:
    if folder.path == ("gone",):
        raise ItemError("illegal-name", "The destination takes no name for it.", "Rename it.")
    return folder.role.capitalize() if folder.role else "/".join(folder.path)


def made(*rules: Rule, ordered: bool = False, absence: Absence | None = None, **more: object) -> Script:
    target = Target(**{"extensions": USUAL, "mailbox": named, "now": NOW, **more})  # type: ignore[arg-type]
    return script(Filters(rules, ordered, absence), target)


def rule(condition: Test, *actions: Action, **more: object) -> Rule:
    return Rule("a rule", condition, actions, **more)  # type: ignore[arg-type]


def body(text: str) -> str:
    """A script without its first line and the names of rules."""
    return "\n".join(line for line in text.splitlines() if line and not line.startswith("#"))


def codes(told: Script) -> list[list[str]]:
    return [[gap.code for gap in one.gaps] for one in told.told]


@pytest.mark.parametrize(
    ("condition", "test"),
    [
        (BOSS, 'address :is "from" "boss@example.org"'),
        (Text(Where.TO, How.ADDRESS, "a@b.cc"), 'address :is ["to", "cc"] "a@b.cc"'),
        (WORDS, 'header :contains "subject" "report"'),
        (Text(Where.SUBJECT, How.CONTAINS, 'a "b\\'), 'header :contains "subject" "a \\"b\\\\"'),
        (Text(Where.SUBJECT, How.CONTAINS, "Åre"), 'header :contains "subject" ["Åre", "åre", "ÅRE"]'),
        (Text(Where.HEADER, How.BEGINS, "y*s", "X-Spam"), 'header :matches "X-Spam" "y\\\\*s*"'),
        (Size(True, 5000), "size :over 5000"),
        (Not(Size(False, 10)), "not size :under 10"),
        (AllOf((WORDS, Size(True, 1))), 'allof (header :contains "subject" "report", size :over 1)'),
        (AnyOf((WORDS, Size(True, 1))), 'anyof (header :contains "subject" "report", size :over 1)'),
        (Not(WORDS), 'not header :contains "subject" "report"'),
        (Not(Text(Where.SUBJECT, How.CONTAINS, "Åre b")), 'not header :matches "subject" "*re*b*"'),
        (Not(BOSS), 'not header :matches ["from", "sender"] "*boss@example.org*"'),
        (Not(Text(Where.SUBJECT, How.WORD, "weekly report")), 'not header :matches "subject" "*weekly*report*"'),
    ],
)
def test_a_condition_is_written_so_that_it_never_matches_more(condition: Test, test: str) -> None:
    told = made(rule(condition, LABEL))
    assert body(told.text) == f'require ["copy", "fileinto"];\nif {test} {{\n  fileinto :copy "Projekt/Åre";\n}}'
    assert [one.outcome for one in told.told] == ["written"]


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        (Not(Text(Where.ANYWHERE, How.WORD, "word")), "cannot-exclude"),
        (Not(Text(Where.BODY, How.CONTAINS, "word")), "cannot-exclude"),
        (Not(Text(Where.HEADER, How.BEGINS, "x", "X-A")), "cannot-exclude"),
        (Not(Text(Where.SUBJECT, How.CONTAINS, "Å")), "cannot-exclude"),
        (Not(Text(Where.DIRECT, How.ADDRESS, "a@b.cc", partial=True)), "cannot-exclude"),
        (AllOf((BOSS, Not(Text(Where.BODY, How.CONTAINS, "x")))), "cannot-exclude"),
        (Text(Where.SUBJECT, How.CONTAINS, "a\r\nb"), "illegal-text"),
        (Text(Where.SUBJECT, How.CONTAINS, "a\0b"), "illegal-text"),
        (Text(Where.SUBJECT, How.CONTAINS, "\ud800"), "illegal-text"),
        (Text(Where.SUBJECT, How.CONTAINS, ""), "illegal-text"),
        (Text(Where.HEADER, How.BEGINS, "x", 'X" "Y'), "illegal-header"),
        (Size(True, 1 << 40), "illegal-size"),
    ],
)
def test_a_condition_that_cannot_be_said_leaves_its_rule_out(condition: Test, code: str) -> None:
    told = made(rule(condition, MOVE))
    assert told.empty
    assert "if" not in body(told.text)
    assert [one.outcome for one in told.told] == ["listed"]
    assert codes(told) == [[code]]


def test_no_exception_may_be_dropped() -> None:
    told = made(rule(BOSS, Trash(), exceptions=(Text(Where.BODY, How.CONTAINS, "keep"),)))
    assert told.empty
    assert codes(told) == [["cannot-exclude"]]


@pytest.mark.parametrize(
    "text", ['"; discard; #', "a\\", '\\"', "}\ndiscard;\n", "text:\n.\ndiscard;", ".", "${hex: 22}", "räks☕", "*?"]
)
def test_hostile_texts_and_names_stay_texts(text: str) -> None:
    one = Rule(
        f"{text}\r\ndiscard;\u2028stop;",
        Text(Where.SUBJECT, How.CONTAINS, text),
        (File(Folder((text,)), copy=True), Forward((text,))),
    )
    told = made(one, forwarding=True, absence=Absence((Reply(text, "everybody", text),)))
    outside = []  # what stands in no string and no comment
    for line in told.text.splitlines():
        if not line.startswith("#"):
            outside.append(line)
    bare = ""
    inside = escaped = False
    for char in "\n".join(outside):
        if escaped:
            escaped = False
        elif inside and char == "\\":
            escaped = True
        elif char == '"':
            inside = not inside
        elif not inside:
            bare += char
    assert not inside
    assert "discard" not in bare
    assert bare.count("stop") == 0
    assert "redirect" not in bare


@pytest.mark.parametrize(
    ("actions", "without", "outcome", "code"),
    [
        ((LABEL,), "copy", "listed", "extension-missing"),
        ((LABEL,), "fileinto", "listed", "extension-missing"),
        ((MOVE, Mark(("\\Seen",))), "imap4flags", "partly", "extension-missing"),
        ((LABEL, Forward(("a@b.cc",))), "", "partly", "policy-forwarding"),
        ((MOVE, Forward(("a@b.cc",))), "", "listed", "policy-forwarding"),
        ((Trash(), Forward(("a@b.cc",))), "", "listed", "policy-forwarding"),
        ((Forward(("a@b.cc",)),), "", "listed", "policy-forwarding"),
        ((File(Folder(("gone",)), copy=False),), "", "listed", "no-folder"),
        ((LABEL, File(Folder(("gone",)), copy=True)), "", "partly", "no-folder"),
    ],
)
def test_a_letter_never_leaves_the_inbox_by_half_of_a_rule(
    actions: tuple[Action, ...], without: str, outcome: str, code: str
) -> None:
    told = made(rule(BOSS, *actions), extensions=USUAL - {without})
    assert [one.outcome for one in told.told] == [outcome]
    assert codes(told) == [[code]]
    assert without == "" or f'"{without}"' not in told.text
    assert "redirect" not in told.text


def test_what_the_source_could_not_tell_counts_like_what_sieve_cannot_say() -> None:
    gap = Gap("x", "why")
    assert made(rule(BOSS, LABEL, gaps=(gap,))).told[0].outcome == "listed"
    mark = Gap("x", "why", of="mark")
    assert made(rule(BOSS, MOVE, gaps=(mark,))).told[0].outcome == "partly"
    action = Gap("x", "why", of="action")
    assert made(rule(BOSS, MOVE, gaps=(action,))).told[0].outcome == "listed"
    assert made(rule(BOSS, LABEL, gaps=(action,))).told[0].outcome == "partly"


def test_nothing_is_ever_discarded_and_what_is_deleted_stands_nowhere_else() -> None:
    told = made(rule(BOSS, LABEL, Mark(("\\Seen",))), rule(WORDS, Trash()))
    assert "discard" not in told.text
    assert body(told.text).splitlines()[1:] == [
        'if address :is "from" "boss@example.org" {',
        '  addflag "\\\\Seen";',
        "}",
        'if header :contains "subject" "report" {',
        '  fileinto "Trash";',
        "  stop;",
        "}",
        'if address :is "from" "boss@example.org" {',
        '  fileinto :copy "Projekt/Åre";',
        "}",
    ]


def test_forwarding_is_written_where_the_plan_wants_it() -> None:
    told = made(rule(BOSS, Forward(("a@b.cc",)), Trash()), forwarding=True)
    assert 'redirect :copy "a@b.cc";' in told.text
    assert told.told[0].outcome == "written"


def test_labels_follow_the_policy() -> None:
    deep = File(Folder(("a", "b")), copy=True)
    primary = made(rule(BOSS, LABEL), rule(WORDS, File(Folder(("x",)), copy=True)), labels=LabelPolicy.PRIMARY)
    assert primary.text.index('fileinto "Projekt/Åre";\n  stop;') < primary.text.index('fileinto "x";\n  stop;')
    keywords = made(rule(BOSS, deep), labels=LabelPolicy.KEYWORDS)
    assert 'addflag "a/b";' in keywords.text
    assert "fileinto" not in keywords.text
    archived = made(rule(BOSS, File(Folder(("a",)), copy=False)), labels=LabelPolicy.KEYWORDS)
    assert 'addflag "a";' in archived.text
    assert 'fileinto "Archive";' in archived.text


# One after the other -----------------------------------------------------------------------------


def test_an_order_with_stops_is_kept() -> None:
    told = made(rule(BOSS, MOVE, stop=True), rule(WORDS, Trash()), ordered=True)
    assert body(told.text).splitlines()[1:] == [
        'if address :is "from" "boss@example.org" {',
        '  fileinto "Projekt/Åre";',
        "  stop;",
        "}",
        'if header :contains "subject" "report" {',
        '  fileinto "Trash";',
        "}",
    ]


def test_a_rule_that_is_not_written_still_stops_the_later_ones() -> None:
    told = made(rule(BOSS, MOVE, Forward(("a@b.cc",)), stop=True), rule(WORDS, Trash()), ordered=True)
    assert [one.outcome for one in told.told] == ["listed", "written"]
    assert 'if header :matches ["from", "sender"] "*boss@example.org*" {\n  stop;\n}' in told.text


def test_after_a_stop_that_cannot_be_said_nothing_is_written() -> None:
    words = Text(Where.BODY, How.CONTAINS, "x")
    told = made(rule(words, MOVE, stop=True), rule(WORDS, Trash()), ordered=True, extensions=USUAL - {"body"})
    assert [one.outcome for one in told.told] == ["listed", "listed"]
    assert codes(told) == [["extension-missing"], ["after-unwritten"]]
    assert told.empty


def test_a_rule_that_is_switched_off_stays_out() -> None:
    told = made(rule(BOSS, MOVE, stop=True, enabled=False), rule(WORDS, MOVE), ordered=True)
    assert [one.outcome for one in told.told] == ["off", "written"]
    assert "boss" not in told.text


# Absence -----------------------------------------------------------------------------------------


def test_a_reply_while_away_has_its_dates() -> None:
    away = Absence(
        (Reply("Back on\nMonday.", "everybody", "Away"),), NOW + timedelta(days=1), NOW + timedelta(days=9), 4
    )
    told = made(absence=away, addresses=("anna@example.org", "anna"))
    assert 'require ["date", "relational", "vacation"];' in told.text
    here = 'currentdate :zone "+0000"'
    assert f'{here} :value "gt" "date" "2026-11-27"' in told.text
    assert f'{here} :value "lt" "date" "2026-12-05"' in told.text
    assert 'vacation :days 4 :addresses "anna@example.org" :subject "Away" "Back on\r\nMonday.";' in told.text


@pytest.mark.parametrize(
    ("away", "more", "outcome", "code"),
    [
        (Absence((Reply("x", "everybody"),), end=NOW), {}, "listed", "ended"),
        (Absence((Reply("x", "contacts"),)), {}, "listed", "contacts-only"),
        (Absence((Reply("x", "inside"),)), {}, "listed", "no-domain"),
        (Absence((Reply("x", "inside"), Reply("y", "contacts"))), {"domain": "a.org"}, "partly", "contacts-only"),
        (Absence((Reply("x", "everybody"),)), {"extensions": USUAL - {"vacation"}}, "listed", "extension-missing"),
        (
            Absence((Reply("x", "everybody"),), end=NOW + timedelta(1)),
            {"extensions": USUAL - {"date"}},
            "listed",
            "extension-missing",
        ),
    ],
)
def test_a_reply_goes_to_nobody_who_did_not_get_it_before(
    away: Absence, more: dict[str, object], outcome: str, code: str
) -> None:
    told = made(absence=away, **more)
    assert told.told[0].outcome == outcome
    assert codes(told) == [[code]]
    assert ("vacation" in told.text) == (outcome == "partly")


def test_colleagues_and_others_are_told_different_things() -> None:
    told = made(absence=Absence((Reply("in", "inside"), Reply("out", "outside"))), domain="example.org")
    inside = 'address :domain :is "from" "example.org"'
    assert f'if {inside} {{\n  vacation :days 7 "in";\n}}\nif not {inside} {{\n  vacation :days 7 "out";' in told.text


def test_html_replies_become_lines() -> None:
    html = "<html><head><style>p{}</style></head><body><p>I am&nbsp;away &amp; back<br>soon.</p><div>Anna</div></body>"
    assert plain_text(html) == "I am away & back\nsoon.\n\nAnna"


def test_the_same_rules_give_the_same_script_and_no_rules_an_empty_one() -> None:
    rules = (rule(BOSS, LABEL, Mark(("\\Seen", "$Important"))), rule(WORDS, MOVE))
    assert made(*rules) == made(*rules)
    assert made().empty
    assert made(rule(BOSS, File(Folder((), Role.ARCHIVE), copy=False))).text.count("fileinto") == 2
