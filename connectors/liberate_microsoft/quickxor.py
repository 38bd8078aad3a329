"""quickXorHash, the one digest that OneDrive for Business gives.

Described at learn.microsoft.com/onedrive/developer/code-snippets/quickxorhash.
"""

from __future__ import annotations

import base64

_BITS = 160
_SHIFT = 11
_PERIOD = 160  # bytes, after which a byte meets the same bits again: 11 and 160 have no common divisor
_PIECE = _PERIOD << 10  # bytes folded at once
_MASKS = tuple((1 << (8 * (_PERIOD << n))) - 1 for n in range(11))


class QuickXor:
    """A running digest. Byte i is XORed into 160 bits from bit 11·i on, so bytes 160 apart can be folded first."""

    def __init__(self) -> None:
        self._folded = 0  # an integer of 160 bytes, the first byte lowest
        self._length = 0

    def update(self, data: bytes | memoryview) -> None:
        """Add more bytes."""
        view = memoryview(data).cast("B")
        at = 0
        while at < len(view):
            phase = self._length % _PERIOD
            piece = view[at : at + _PIECE - phase]
            number = int.from_bytes(piece, "little") << (8 * phase)
            for n in range(10, -1, -1):
                width = 8 * (_PERIOD << n)
                if number.bit_length() > width:
                    number = (number >> width) ^ (number & _MASKS[n])
            self._folded ^= number
            self._length += len(piece)
            at += len(piece)

    def digest(self) -> bytes:
        """The 20 bytes."""
        out = 0
        for i, byte in enumerate(self._folded.to_bytes(_PERIOD, "little")):
            shifted = byte << (i * _SHIFT % _BITS)
            out ^= shifted ^ (shifted >> _BITS << _BITS) ^ (shifted >> _BITS)
        out ^= (self._length & ((1 << 64) - 1)) << (_BITS - 64)
        return out.to_bytes(20, "little")

    def base64(self) -> str:
        """As Graph spells it."""
        return base64.b64encode(self.digest()).decode()
