"""A message is decoded while it arrives, whatever the pieces, and never silently short or wrong."""

from __future__ import annotations

import base64
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liberate_google.stream import RawField, decode_base64url, decoded

from liberate.errors import IntegrityError, TransientError


def spelled(raw: bytes, **more: object) -> bytes:
    return json.dumps({**more, "raw": base64.urlsafe_b64encode(raw).decode()}).encode()


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(st.binary(max_size=200), st.integers(1, 50), st.booleans(), st.text(max_size=20))
def test_any_bytes_in_any_pieces(raw: bytes, size: int, padded: bool, snippet: str) -> None:
    answer = spelled(raw, id="1", snippet=snippet + '"raw":"AAAA"', labelIds=["INBOX", "raw"], deep={"raw": "AAAA"})
    if not padded:
        answer = answer.replace(b"=", b"")
    assert b"".join(decoded(cut(answer, size))) == raw


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_escapes_in_the_base64_are_resolved(size: int) -> None:
    raw = b"\xfb\xff\xbf" * 3 + b"a"
    text = base64.b64encode(raw).decode().replace("/", "\\/").replace("=", "\\u003d")
    assert b"".join(decoded(cut(b'{"raw" : "' + text.encode() + b'"}', size))) == raw


@pytest.mark.parametrize("size", [1, 4, 100])
def test_a_raw_before_or_between_other_fields_is_found(size: int) -> None:
    answer = b'{"a":{"raw":"no"},"b":["raw",":"],"raw":"aGk","z":"\\"raw\\":\\""}'
    assert b"".join(decoded(cut(answer, size))) == b"hi"


@pytest.mark.parametrize("keep", [1, 10, 30, -3, -1])
def test_an_answer_that_breaks_off_is_an_error(keep: int) -> None:
    answer = spelled(os.urandom(60), id="1")[:keep]
    with pytest.raises(TransientError):
        b"".join(decoded([answer]))


@pytest.mark.parametrize("text", ["a%b", "abc=d", "a", "aGk\u00e9", "aG k", "aGk=aGk="])
def test_damaged_base64_is_an_error_and_not_shorter_mail(text: str) -> None:
    with pytest.raises(IntegrityError):
        decode_base64url(text)
    with pytest.raises(IntegrityError):
        b"".join(decoded([json.dumps({"raw": text}, ensure_ascii=False).encode()]))


def test_an_answer_without_raw_gives_nothing_and_says_so() -> None:
    field = RawField()
    assert list(decoded([b'{"id": "1", "snippet": "raw"}'], field)) == []
    assert not field.found


def test_nothing_but_a_few_characters_is_held_back() -> None:
    field = RawField()
    answer = spelled(b"x" * 3_000_000)
    given_out = 0
    for piece in cut(answer, 65536):
        given_out += sum(len(part) for part in field.feed(piece))
    assert given_out == 3_000_000
    field.finish()
