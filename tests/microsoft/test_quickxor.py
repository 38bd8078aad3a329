"""quickXorHash, against a reference written bit by bit from Microsoft's description."""

from __future__ import annotations

import base64
import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from liberate_microsoft.quickxor import QuickXor


def reference(data: bytes) -> bytes:
    """Each byte is XORed into a ring of 160 bits, 11 bits further on each time; then the length into the last 64."""
    ring = [0] * 160
    for number, byte in enumerate(data):
        for bit in range(8):
            ring[(number * 11 + bit) % 160] ^= byte >> bit & 1
    out = bytearray(sum(ring[8 * n + bit] << bit for bit in range(8)) for n in range(20))
    for n, byte in enumerate(len(data).to_bytes(8, "little")):
        out[12 + n] ^= byte
    return bytes(out)


def ours(*pieces: bytes) -> bytes:
    digest = QuickXor()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        (b"\x4a", "SgAAAAAAAAAAAAAAAQAAAAAAAAA="),
    ],
)
def test_known_values(data: bytes, told: str) -> None:
    digest = QuickXor()
    digest.update(data)
    assert digest.base64() == told == base64.b64encode(reference(data)).decode()


@pytest.mark.parametrize(
    "size", [1, 2, 14, 15, 19, 20, 21, 159, 160, 161, 1759, 1760, 1761, 4095, 163_839, 163_840, 163_841, 300_001]
)
def test_it_is_the_reference_at_every_size(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert ours(data) == reference(data)


@given(st.binary(max_size=2_000), st.lists(st.integers(0, 2_000), max_size=6))
def test_it_does_not_matter_how_the_bytes_are_cut(data: bytes, cuts: list[int]) -> None:
    ends = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    pieces = [data[start:stop] for start, stop in itertools.pairwise(ends)]
    assert ours(*pieces) == reference(data)


def test_asking_between_two_pieces_changes_nothing() -> None:
    data = random.Random(1).randbytes(500_000)
    digest = QuickXor()
    for at in range(0, len(data), 77_777):
        digest.update(memoryview(data)[at : at + 77_777])
        digest.digest()
    assert digest.digest() == ours(data)
