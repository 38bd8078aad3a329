"""Bodies on their way: the same forms however they come in pieces, and never silently short."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from liberate.body import SpooledMail, StreamBody, checked, whole
from liberate.errors import IntegrityError
from liberate.mail import Fingerprint, MailFacts, Sameness, fingerprint, sameness, served_form, wire_form

MAIL = st.lists(st.sampled_from([b"a", b"\r", b"\n", b"\r\n", b"\0", b"\x80", b"From ", b"\r\r\n"]), max_size=30).map(
    b"".join
)
CUTS = st.lists(st.integers(0, 60), max_size=8)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(MAIL, CUTS)
@example(b"\r\n", [1])
@example(b"a\r", [1, 1])
@example(b"\r\r\n\r", [1, 2, 3])
def test_a_fingerprint_is_the_same_however_the_message_comes(data: bytes, cuts: list[int]) -> None:
    forms = Fingerprint()
    wire = b"".join([forms.update(piece) for piece in pieces(data, cuts)]) + forms.finish()
    assert wire == wire_form(data)
    assert (forms.size, forms.wire_size) == (len(data), len(wire))
    assert forms.digests() == fingerprint(data)


@given(MAIL)
def test_the_wire_form_has_no_bare_line_feed_and_loses_nothing_else(data: bytes) -> None:
    wire = wire_form(data)
    assert b"\n" not in wire.replace(b"\r\n", b"")
    assert wire.replace(b"\r\n", b"\n") == data.replace(b"\r\n", b"\n")
    assert wire_form(wire) == wire


@given(MAIL)
def test_each_form_is_recognised_for_what_it_is(data: bytes) -> None:
    digests = fingerprint(data)
    assert sameness(data, digests) is Sameness.IDENTICAL
    assert sameness(wire_form(data), digests) in (Sameness.IDENTICAL, Sameness.LINE_ENDS)
    assert sameness(served_form(data), digests) is not Sameness.DIFFERENT
    assert sameness(data + b"x", digests) is Sameness.DIFFERENT


@given(MAIL, CUTS, st.booleans(), st.integers(1, 50))
def test_a_spooled_message_is_sent_in_its_form_and_kept_as_it_came(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, cuts: list[int], crlf: bool, step: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "scratch"
    with SpooledMail(pieces(data, cuts), folder, crlf=crlf) as body:
        sent = b"".join(iter(lambda: body.read(step), b""))
        assert sent == (wire_form(data) if crlf else data)
        assert body.size == len(sent)
        assert body.digests == fingerprint(data)
        assert b"".join(body.original()) == data
    assert list(folder.iterdir()) == []


def test_a_spool_that_fails_leaves_no_file(tmp_path: Path) -> None:
    def failing() -> object:
        yield b"begun"
        raise IntegrityError("short")

    with pytest.raises(IntegrityError):
        SpooledMail(failing(), tmp_path, crlf=True)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@given(st.binary(max_size=100), CUTS, st.integers(1, 20))
def test_a_stream_gives_what_came_and_knows_its_digest_at_the_end(data: bytes, cuts: list[int], step: int) -> None:
    body = StreamBody([piece for piece in pieces(data, cuts) if piece], len(data))
    assert b"".join(iter(lambda: body.read(step), b"")) == data
    assert (body.sent, body.digests) == (len(data), {"sha256": hashlib.sha256(data).hexdigest()})


@pytest.mark.parametrize("said", [0, 2, 4, 100])
def test_a_body_of_another_size_than_said_is_noticed(said: int) -> None:
    with pytest.raises(IntegrityError):
        list(checked([b"ab", b"c"], said))


def test_a_body_of_other_bytes_than_said_is_noticed() -> None:
    digest = hashlib.sha256(b"abc").hexdigest()
    assert b"".join(checked([b"ab", b"c"], 3, {"sha256": digest})) == b"abc"
    with pytest.raises(IntegrityError):
        list(checked([b"ab", b"d"], 3, {"sha256": digest}))


def test_more_than_fits_is_not_held() -> None:
    assert whole([b"ab", b"c"], 3) == b"abc"
    assert whole([b"ab", b"cd"], 3) is None


@given(st.sets(st.sampled_from(["\\Seen", "\\Flagged"])), st.sets(st.text(max_size=5), max_size=3))
def test_facts_are_read_as_they_were_written(flags: set[str], keywords: set[str]) -> None:
    facts = MailFacts(frozenset(flags), frozenset(keywords))
    assert MailFacts.load(facts.dump()) == facts
