from __future__ import annotations

from pathlib import Path

import pytest

from liberate.errors import PlanError
from liberate.people import Person, load_people
from liberate.settings import SecretRef

TWO = [("anna@old.example", "anna"), ("bo@old.example", "bo")]
PLAIN = "source,destination\nanna@old.example,anna\nbo@old.example,bo\n"

VARIANTS = {
    "plain": PLAIN.encode(),
    "with a byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16 little end first": PLAIN.encode("utf-16"),
    "UTF-16 big end first": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "semicolons": PLAIN.replace(",", ";").encode(),
    "tabs": PLAIN.replace(",", "\t").encode(),
    "as Excel declares it": b"sep=;\r\n" + PLAIN.replace(",", ";").replace("\n", "\r\n").encode(),
    "old Macintosh line ends": PLAIN.replace("\n", "\r").encode(),
    "no last line end": PLAIN.rstrip().encode(),
    "comments and blank lines": b"# who moves, in 2026\n\n" + PLAIN.replace("\n", '\n\n# "odd, note\n  \n').encode(),
    "blank cells below": PLAIN.encode() + b",\n , \n",
    "quotes and blanks": b'" source ", Destination \n"anna@old.example", anna \n bo@old.example ,"bo"\n',
    "more columns in another order": b"reason,destination,Phase,source\n"
    b'"waits, for now",anna,1,anna@old.example\n"two\nlines",bo,,bo@old.example\n',
    "trailing separators": b"source,destination,,\nanna@old.example,anna,,\nbo@old.example,bo,,\n",
    "a heading with a blank": b"Source,destination,Password ENV\nanna@old.example,anna,\nbo@old.example,bo,\n",
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_table_is_read_however_a_spreadsheet_saves_it(variant: str, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(VARIANTS[variant])
    assert [(p.source, p.destination) for p in load_people(path)] == TWO


def test_a_row_says_everything_about_a_person(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        "source,destination,source_password_env,destination_password_file,kind,phase,action,reason\n"
        "info@old.example,,OLD_INFO,keys/info,Shared,later,SKIP,closed in May\n"
        "åsa@old.example,åsa,,,,,,\n"
    )
    assert load_people(path) == (
        Person(
            "info@old.example",
            "",
            SecretRef(env="OLD_INFO"),
            SecretRef(file=tmp_path / "keys/info"),
            kind="shared",
            phase="later",
            action="skip",
            reason="closed in May",
            line=2,
        ),
        Person("åsa@old.example", "åsa", line=3),
    )


WRONG = {
    "an unknown column": ("source,destintion\na,b\n", 1, "destintion", 'Did you mean "destination"?'),
    "a password written out": ("source,destination,password\na,b,hunter2\n", 1, "password", "password_env"),
    "a missing column": ("source\na\n", 1, "", "The column destination is missing."),
    "a column twice": ("source,destination,Source\na,b,c\n", 1, "source", "twice"),
    "no header": ("anna@x,anna\nbo@x,bo\n", 1, "anna@x", "There is no such column."),
    "nothing at all": ("\n# nobody\n", 1, "", "empty"),
    "no rows": ("# x\nsource,destination\n", 2, "", "no rows"),
    "an empty source": ("source,destination\n\n,b\n", 3, "source", "empty"),
    "an empty destination": ("source,destination\na,\n", 2, "destination", "empty"),
    "too many cells": ("source,destination\na,b,c\n", 2, "", "3 cells"),
    "the same source": ("source,destination\na@x,b\n# x\nA@X,c\n", 4, "source", "already stands in line 2"),
    "the same source, skipped": (
        "source,destination,action\na@x,b,\na@x,,skip\n",
        3,
        "source",
        "already stands in line 2",
    ),
    "two for one": (
        "source,destination\na,X@y\nb,x@Y\n",
        3,
        "destination",
        "already is a destination in line 2",
    ),
    "the same destination in two Unicode forms": (
        "source,destination\na,\u00e5sa\nb,a\u030asa\n",
        3,
        "destination",
        "line 2",
    ),
    "an unknown action": ("source,destination,action\na,b,mvoe\n", 2, "action", 'Did you mean "move"?'),
    "an unknown kind": ("source,destination,kind\na,b,persn\n", 2, "kind", 'Did you mean "person"?'),
    "a password where its variable belongs": (
        "source,destination,password_env\na,b,hunter2!\n",
        2,
        "password_env",
        "not the name of an environment variable",
    ),
    "two places for one password": (
        "source,destination,password_env,password_file\na,b,A,f\n",
        2,
        "password_env",
        "Keep one of the two",
    ),
    "an invisible character": ("source,destination\na\u200b@x,b\n", 2, "source", "invisible"),
    "an unclosed quote": ('source,destination\n"a,b\nc,d\n', 2, "", "quotation marks"),
    "a line after a cell with a line end": ('source,destination,reason\na,b,"x\ny"\n,c,\n', 4, "source", "empty"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_table_is_told_with_its_line_and_column(what: str, tmp_path: Path) -> None:
    text, line, column, said = WRONG[what]
    path = tmp_path / "people.csv"
    path.write_text(text)
    with pytest.raises(PlanError) as caught:
        load_people(path)
    expected = f"{path}:{line}: " + (f"{column}: " if column else "")
    assert any(p.strip().startswith(expected) and said in p for p in str(caught.value).splitlines()), str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_skipped_row_does_not_take_a_destination(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("source,destination,action\na,x,skip\nb,x,move\n")
    assert [p.action for p in load_people(path)] == ["skip", "move"]


def test_text_that_is_not_utf8_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(b"source,destination\na,b\n\xe5sa,c\n")
    with pytest.raises(PlanError, match=r"people.csv:3: .* not UTF-8[.] Save the table again"):
        load_people(path)
