"""A request's body: handed on in the blocks that it is read in, and never whole where its source fails at the end."""

from __future__ import annotations

import hashlib

import pytest
from liberate_nextcloud.bodies import Passing
from urllib3.util.request import body_to_chunks

from liberate.body import Piece, StreamBody
from liberate.errors import IntegrityError

MB = 1 << 20


def test_a_large_body_reaches_the_connection_in_blocks_of_a_megabyte() -> None:
    blocks = [bytes([number]) * MB for number in range(5)]
    passing = Passing(Piece(StreamBody(iter(blocks), 5 * MB), 5 * MB))
    chunks = body_to_chunks(passing, "PUT", blocksize=16384).chunks
    assert chunks is not None
    sent = list(chunks)
    assert [len(chunk) for chunk in sent] == [MB] * 5
    assert b"".join(sent) == b"".join(blocks)
    assert passing.sha256 == hashlib.sha256(b"".join(blocks)).hexdigest()


@pytest.mark.parametrize(
    ("given", "said", "told"), [(3 * MB, 3 * MB + 1, "ended 1 bytes early"), (3 * MB, 3 * MB - 1, "more bytes")]
)
def test_a_body_of_another_length_than_was_said_is_never_handed_on_whole(given: int, said: int, told: str) -> None:
    sent = 0
    with pytest.raises(IntegrityError, match=told):  # noqa: PT012 - what went before the error is what counts
        for block in Passing(StreamBody(iter([b"x" * MB] * (given // MB)), said)):
            sent += len(block)
    assert sent < min(given, said)
