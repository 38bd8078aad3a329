"""What goes over the wire, without a wire: names, sets, dates and responses."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liberate_imap import names
from liberate_imap.grammar import (
    GrammarError,
    Reply,
    date_time,
    internaldate,
    reply,
    uid_set,
    uids_of,
    values,
)


@given(st.text())
def test_every_name_comes_back_from_its_wire_form(name: str) -> None:
    coded = names.encode(name)
    assert names.decode(coded) == name
    assert all(0x20 <= byte <= 0x7E for byte in coded)


@given(st.text())
def test_a_quoted_name_is_one_string_to_a_server(name: str) -> None:
    assert values([b"X " + names.quoted(name) + b" Y\r\n"]) == [b"X", names.encode(name), b"Y"]


@pytest.mark.parametrize(
    ("name", "coded"),
    [("Entwürfe", b"Entw&APw-rfe"), ("R&D", b"R&-D"), ("台北", b"&U,BTFw-"), ("😀", b"&2D3eAA-"), ("plain", b"plain")],
)
def test_names_are_coded_as_the_rfc_says(name: str, coded: bytes) -> None:
    assert names.encode(name) == coded


@pytest.mark.parametrize("raw", [b"a&b", b"&!!!-", "ö".encode(), b"&AO-"])
def test_a_name_that_is_not_coded_well_is_still_read(raw: bytes) -> None:
    assert names.decode(raw)


@given(st.sets(st.integers(1, 2**32 - 1), max_size=50))
def test_sets_of_uids_come_back(uids: set[int]) -> None:
    text = uid_set(sorted(uids)).decode()
    assert (uids_of(text) if text else []) == sorted(uids)


@pytest.mark.parametrize("text", ["", "*", "1:*", "1,,2", "a", "1:4294967295", "-1", "1 2"])
def test_what_is_no_set_of_uids_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(GrammarError):
        uids_of(text)


@given(st.datetimes(datetime(1901, 12, 14), datetime(9999, 12, 30), timezones=st.timezones()))  # noqa: DTZ001
def test_dates_come_back_as_the_same_moment(moment: datetime) -> None:
    found = internaldate(date_time(moment).strip(b'"'))
    assert found == moment.astimezone(UTC).replace(microsecond=0)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"OK [APPENDUID 1 2:3] done\r\n", Reply("OK", "APPENDUID", "1 2:3", "done")),
        (b"no [overquota] full\r\n", Reply("NO", "OVERQUOTA", "", "full")),
        (b"BAD\r\n", Reply("BAD")),
        (b"OK done [really]\r\n", Reply("OK", text="done [really]")),
    ],
)
def test_replies_are_taken_apart(line: bytes, found: Reply) -> None:
    assert reply(line) == found


def test_responses_with_literals_are_taken_apart() -> None:
    segments = [b"3 FETCH (UID 7 BODY[] {5}\r\n", b"(a\r\n)", b' FLAGS (\\Seen "x") X NIL Y {2}\r\n', b"zz", b")\r\n"]
    assert values(segments) == [
        b"3",
        b"FETCH",
        [b"UID", b"7", b"BODY[]", b"(a\r\n)", b"FLAGS", [b"\\Seen", b"x"], b"X", None, b"Y", b"zz"],
    ]


@pytest.mark.parametrize("line", [b"(a\r\n", b"a)\r\n", b'"a\r\n'])
def test_what_is_not_imap_is_not_taken_for_it(line: bytes) -> None:
    with pytest.raises(GrammarError):
        values([line])
