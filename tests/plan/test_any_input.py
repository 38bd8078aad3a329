"""Whatever stands in the two files, the answer is a plan or a PlanError, never another exception."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from liberate.errors import PlanError
from liberate.people import load_people
from liberate.plan import load_plan

PLAN = """\
[job]
name = "x"
ledger = "postgresql://host/db"
[connections.old]
connector = "post"
host = "h"
master_user = "m"
master_password = { env = "A" }
[connections.new]
connector = "shelf"
path = "mail/{account}"
[[routes]]
from = "old"
to = "new"
kinds = ["mail"]
[people]
table = "people.csv"
phases = []
"""
PEOPLE = """\
source,destination,password_env,kind,phase,action,reason
a@x,"a, b",A,person,1,move,
b@x,b,,,,skip,"two
lines"
"""

ONCE = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def damaged(draw: st.DrawFn, text: str) -> str:
    """The text with a few pieces of it replaced."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 12)))
        new = draw(st.sampled_from(["", "0", "1.5", "true", '""', "[]", "{}", "[[", "=", "\n", "'", "x", "é", "\\"]))
        text = text[:start] + new + text[end:]
    return text


@pytest.fixture
def table(folder: Path) -> Path:
    path = folder / "people.csv"
    path.write_text(PEOPLE)
    return path


@ONCE
@given(text=damaged(PLAN))
def test_a_damaged_plan(text: str, table: Path) -> None:
    path = table.with_name("liberate.toml")
    path.write_text(text)
    with contextlib.suppress(PlanError):
        list(load_plan(path).moves())


@ONCE
@given(
    value=st.recursive(
        st.sampled_from(["1", "1.5", "true", '"x"', "1979-05-27"]), lambda inner: inner.map("[{}]".format)
    )
)
@pytest.mark.parametrize(
    "key", ["job", "connections", "routes", "people", "people.table", "connections.old", "routes.from"]
)
def test_a_value_of_the_wrong_type(key: str, value: str, table: Path) -> None:
    path = table.with_name("liberate.toml")
    path.write_text(f"{key} = {value}\n")
    with pytest.raises(PlanError):
        load_plan(path)


@ONCE
@given(text=damaged(PEOPLE))
def test_a_damaged_table(text: str, table: Path) -> None:
    table.write_text(text)
    with contextlib.suppress(PlanError):
        load_people(table)


@ONCE
@given(raw=st.binary(max_size=60))
def test_a_table_of_any_bytes(raw: bytes, table: Path) -> None:
    table.write_bytes(raw)
    with contextlib.suppress(PlanError):
        load_people(table)


@pytest.mark.parametrize("what", ["a folder", "a link to nowhere"])
def test_a_table_that_is_no_readable_file(what: str, folder: Path) -> None:
    path = folder / "people.csv"
    if what == "a folder":
        path.mkdir()
    else:
        path.symlink_to(folder / "nowhere")
    with pytest.raises(PlanError, match="cannot be read"):
        load_people(path)
