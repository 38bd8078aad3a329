"""The bytes of what was listed lately: a listing brings events and contacts whole, and reading comes soon after."""

from __future__ import annotations

from collections import OrderedDict

_ITEMS, _BYTES = 1500, 12 << 20  # the core reads after a thousand


class Recent:
    """Bytes by id and version; the oldest are forgotten."""

    def __init__(self, items: int = _ITEMS, size: int = _BYTES) -> None:
        self._most, self._room = items, size
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._size = 0

    def keep(self, id_: str, version: str, body: bytes) -> None:
        known = self._kept.pop((id_, version), b"")
        self._kept[id_, version] = body
        self._size += len(body) - len(known)
        while len(self._kept) > self._most or (self._size > self._room and len(self._kept) > 1):
            _, gone = self._kept.popitem(last=False)
            self._size -= len(gone)

    def get(self, id_: str, version: str) -> bytes | None:
        """None: it is forgotten, or is another version."""
        return self._kept.get((id_, version))
