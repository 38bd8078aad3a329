from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liberate.toml_lines import KeyPath, key_lines

TEXT = """\
top = 1 # with = and [brackets]
"quoted.key" = 'a # no comment'
dotted . "in two" = "esc \\" aped"

[table]
date = 1979-05-27 07:32:00
many = [
  1, # one
  [ 2, "]" ],
  { deep = { deeper = 3 } },
]
text = \"\"\"
[not.a.table]
no = 'key'
ends with quotes\"\"\"\"\"
raw = '''
x = 1
''''
[[list]]
a = 1
[list.sub]
b = 2
[[list]]
[[list.inner]]
c = 3
[[list.inner]]
c = 4
"""


def test_each_key_has_its_line() -> None:
    lines = key_lines(TEXT)
    assert {path: line for path, line in lines.items() if path[0] != "table"} == {
        ("top",): 1,
        ("quoted.key",): 2,
        ("dotted",): 3,
        ("dotted", "in two"): 3,
        ("list",): 19,
        ("list", 0): 19,
        ("list", 0, "a"): 20,
        ("list", 0, "sub"): 21,
        ("list", 0, "sub", "b"): 22,
        ("list", 1): 23,
        ("list", 1, "inner"): 24,
        ("list", 1, "inner", 0): 24,
        ("list", 1, "inner", 0, "c"): 25,
        ("list", 1, "inner", 1): 26,
        ("list", 1, "inner", 1, "c"): 27,
    }
    assert [lines["table", *rest] for rest in [("many", 0), ("many", 1, 1), ("many", 2, "deep", "deeper")]] == [
        8,
        9,
        10,
    ]
    assert (lines["table", "text"], lines["table", "raw"]) == (12, 16)


def paths(value: Any, base: KeyPath = ()) -> Iterator[KeyPath]:
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in parts:
        yield (*base, key)
        yield from paths(inner, (*base, key))


def test_every_key_that_tomllib_sees_has_a_line() -> None:
    assert set(paths(tomllib.loads(TEXT))) <= set(key_lines(TEXT))


PIECES = st.sampled_from(
    [
        "a",
        "b.c",
        '"d e"',
        "[t]",
        "[[l]]",
        "[l.m]",
        "= 1",
        '= "x"',
        "= [1, {k = 2}]",
        '= """\n"""',
        "\n",
        "# c\n",
        " ",
        "\r\n",
    ]
)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_whatever_tomllib_takes_can_be_scanned(text: str) -> None:
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    assert set(paths(parsed)) <= set(key_lines(text))


@pytest.mark.parametrize("text", ["", "\n\n", "# only", "a=1"])
def test_small_files_are_no_trouble(text: str) -> None:
    assert len(key_lines(text)) == len(tomllib.loads(text))
