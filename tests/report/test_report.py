from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser

import jsonschema
import pytest
import report_examples as say

from liberate.report import AccountReport, Count, Exit, Finding, FolderCount, Refusal, Renamed, Report
from liberate.report_html import as_html
from liberate.report_json import SCHEMA, as_json
from liberate.report_text import as_text
from liberate.report_words import account_sentences, items, plain, sentences, size

ALL = {name: value for name, value in vars(say).items() if isinstance(value, Report)}
HOSTILE = "</title><script>alert(1)</script>\"'&\x1b[31m\u202egpj\n"


def report(*accounts: AccountReport, interrupted: bool = False) -> Report:
    return replace(say.DONE, accounts=accounts, interrupted=interrupted)


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (report(say.ANNA), Exit.DONE),
        (report(say.VERIFIED), Exit.DONE),  # what a server cannot store as it is, is listed, and no mismatch
        (report(say.ANNA, say.REFUSED), Exit.REFUSED),
        (report(say.REFUSED, say.UNFINISHED), Exit.AGAIN),
        (report(say.UNFINISHED, say.STOPPED), Exit.PERSON),
        (report(say.STOPPED, say.WRONG), Exit.MISMATCH),
        (report(say.STOPPED, say.WRONG, interrupted=True), Exit.INTERRUPTED),
        (say.NOTHING, Exit.DONE),
    ],
)
def test_the_exit_code_is_that_of_what_should_be_looked_at_first(found: Report, code: Exit) -> None:
    assert found.exit_code is code


def test_a_finished_job_is_told_in_five_sentences() -> None:
    assert sentences(say.DONE) == [
        "41,203 of 41,211 items of 1 account stand at the destination, 3.2 GB in all.",
        "Everything that was found at the source is accounted for; 8 items were left out on purpose.",
        "Of what moved, 41,203 are confirmed by the size the destination reports.",
        "No item was refused.",
        "Nothing is left to do.",
    ]


def test_a_job_with_trouble_says_what_to_do_first() -> None:
    told = sentences(say.EVERYTHING)
    assert told[1] == "2 accounts are not finished, 41,193 items still wait; 24 items were left out on purpose."
    assert told[-2:] == [
        "eva@old.example: The server mail.example.coop refuses eva's password. Correct it in people.csv.",
        "Run the same command again to go on; nothing will arrive twice.",
    ]


def test_one_cause_for_many_accounts_is_told_once() -> None:
    told = sentences(report(*(replace(say.STOPPED, source=f"p{n}@x") for n in range(40))))
    assert [s for s in told if "refuses" in s] == [
        "p0@x and 39 others: The server mail.example.coop refuses eva's password. Correct it in people.csv."
    ]


def test_one_person_on_two_routes_is_one_account() -> None:
    found = report(say.ANNA, replace(say.ANNA, route="google->archive"))
    assert sentences(found)[0].startswith("82,406 of 82,422 items of 1 account on 2 routes stand")
    assert "anna (archive)" in as_text(found)
    assert "anna (archive)" in as_html(found)


def test_what_belongs_to_others_of_the_plan_is_counted_with_its_owner_alone() -> None:
    found = report(say.SHARED, say.ANNA)
    told = sentences(found)
    assert told[0].startswith("41,242 of 41,251 items of 2 accounts stand")
    assert told[1].endswith("; 9 items were left out on purpose.")
    assert told[2] == "What one account sees of another's, 50 items in all, is counted and moved with its owner."
    assert account_sentences(say.SHARED)[:2] == [
        "39 of 40 items moved, 306 kB in all.",
        "50 more belong to others of the plan, with whom they move.",
    ]
    for text in (as_text(found), as_html(found)):
        assert "It belongs to somebody else" not in text, "it is no loss, and not told beside losses"
    counted = json.loads(as_json(found))["accounts"][0]["items"]
    assert counted == {"listed": 90, "moved": 39, "waiting": 0, "skipped": 51, "with_owner": 50, "refused": 0}


def test_missing_items_are_the_first_thing_to_look_at() -> None:
    told = sentences(report(say.WRONG))
    assert "41,198 are as at the source, 3 had to be altered by the destination, 1 missing, 1 different." in told[2]
    assert told[-1].startswith("Look at the items that are missing")


def test_a_part_that_was_read_back_is_told_beside_what_proves_the_rest() -> None:
    sample = replace(say.ANNA, verified=60, identical=59, altered=1, evidence={"size": 41_143, "read-back": 60})
    assert sentences(report(sample))[2] == (
        "Of what moved, 41,143 are confirmed by the size the destination reports and 60 are read back and compared. "
        "60 items were read back from the destination: 59 are as at the source, 1 had to be altered by the destination."
    )


def test_each_item_that_is_not_as_it_was_is_listed_with_where_it_stood() -> None:
    text = as_text(report(say.WRONG))
    assert "  INBOX         18d1  missing    70:12      1.8 kB\n" in text
    assert "  <b>Board</b>  18d2  different  72:9\n" in text
    assert "  and 3 more\n" in text
    page = as_html(report(say.WRONG))
    assert "<td>INBOX</td><td>18d1</td><td>missing</td><td>70:12</td>" in page
    assert "<b>Board</b>" not in page
    assert "And 3 more; the ledger has them all." in page
    found = json.loads(as_json(report(say.WRONG)))["accounts"][0]["findings"]
    where = {"folder": "INBOX", "found": "missing", "stored": "70:12", "size": 1800}
    assert found[0] == {"item": "18d1", "name": "", **where}


def test_the_text_holds_every_refusal_with_its_reason_and_where_its_original_is() -> None:
    text = as_text(say.EVERYTHING)
    for line in (
        "  2  too-large: The message is larger than the server takes (52 MB). Ask for a higher limit.",
        "  Projekt/Åre   18f1  too-large  rejects/18f1.eml",
        "  Projekt/Åre             90             88",
        "Note: 3 keywords could not be kept: $x, $y, $z",
    ):
        assert line in text.splitlines()


def test_each_conversation_is_accounted_for_message_by_message() -> None:
    text = as_text(report(say.REFUSED))
    (line,) = (line for line in text.splitlines() if "general" in line)
    assert line.split() == ["<i>general</i>", "6,002", "5,990", "1", "2", "3", "6", "41", "c0ffeec0ffeec0ff"]
    assert "c0ffee" * 10 + "cafe" in as_html(report(say.REFUSED))


def test_what_the_move_took_at_the_destination_is_told_of_each_account_and_of_all() -> None:
    told = "At the destination that took 1,234 joins."
    assert told in account_sentences(say.REFUSED)
    assert told in as_html(report(say.REFUSED))
    assert json.loads(as_json(report(say.REFUSED)))["accounts"][0]["spent"] == {"join": 1234}
    assert "At the destination that took 1,235 joins." in sentences(
        report(say.REFUSED, replace(say.ANNA, spent={"join": 1}))
    )
    assert not [one for one in sentences(say.DONE) if "took" in one]


def test_columns_stay_straight_beside_wide_characters() -> None:
    text = as_text(report(replace(say.ANNA, source="日本@x"), replace(say.ANNA, source="plain@x")))
    rows = [line for line in text.splitlines() if "@x  " in line]
    assert [row.index("anna") + 2 * ("日" in row) for row in rows] == [11, 11]


@pytest.mark.parametrize("name", ALL)
def test_the_json_is_as_its_schema_says(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.validate(json.loads(as_json(ALL[name])), _strict(SCHEMA))


def _strict(schema: dict[str, object]) -> dict[str, object]:
    """The schema with no key allowed that it does not describe: nothing may be written and not documented."""
    out = {k: _strict(v) if isinstance(v, dict) else v for k, v in schema.items()}
    for k, v in out.items():
        if isinstance(v, list):
            out[k] = [_strict(x) if isinstance(x, dict) else x for x in v]
    if schema.get("type") == "object" and isinstance(schema.get("required"), list):
        out["additionalProperties"] = False
    return out


class _Page(HTMLParser):
    void = frozenset({"meta", "br", "hr", "link", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def page(found: Report) -> _Page:
    parsed = _Page()
    parsed.feed(as_html(found))
    parsed.close()
    assert parsed.open == []
    return parsed


@pytest.mark.parametrize("name", ALL)
def test_the_page_is_well_formed_and_loads_nothing(name: str) -> None:
    parsed = page(ALL[name])
    assert {tag for tag, _ in parsed.tags} & {"script", "link", "img", "iframe", "object", "form"} == set()
    assert not any(key.startswith("on") or key == "src" for _, attrs in parsed.tags for key in attrs)
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = [attrs["href"] for tag, attrs in parsed.tags if tag == "a"]
    assert all(link and link[0] == "#" and link[1:] in ids for link in links)
    labelled = [attrs["aria-labelledby"] for _, attrs in parsed.tags if "aria-labelledby" in attrs]
    assert set(labelled) <= set(ids)


def test_names_from_outside_cannot_write_into_the_page_or_steer_the_terminal() -> None:
    worst = replace(
        say.REFUSED,
        source=HOSTILE,
        destination=HOSTILE,
        state="stopped",
        stopped=("x", HOSTILE, HOSTILE),
        refused=(Count("x", HOSTILE, HOSTILE, 3),),
        refusals=(Refusal(HOSTILE, HOSTILE, "x", HOSTILE, HOSTILE, HOSTILE),),
        findings=(Finding(HOSTILE, HOSTILE, "missing", HOSTILE, None),),
        folders=(FolderCount(HOSTILE, 1, 2),),
        renamed=(Renamed(HOSTILE, HOSTILE),),
        notes=(HOSTILE,),
    )
    found = replace(report(worst), job=HOSTILE)
    parsed = page(found)
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert parsed.text.count("<script>alert(1)</script>") >= 10
    for text in (as_html(found), as_text(found)):
        assert "\x1b" not in text
        assert "\u202e" not in text


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (10_400, "10 kB"),
        (999_499, "999 kB"),
        (999_600, "1.0 MB"),
        (3_214_000_000, "3.2 GB"),
        (5 * 10**15, "5,000 TB"),
    ],
)
def test_sizes_are_said_as_people_say_them(value: int, said: str) -> None:
    assert size(value) == said


def test_words_follow_their_numbers() -> None:
    assert (items(1), items(2), items(1200, "copy", "copies")) == ("1 item", "2 items", "1,200 copies")
    assert plain("tab\there 👩\u200d💻") == "tab\\u0009here 👩\u200d💻"
