"""Who bears which labels: the join of Gmail's listings, in a few bytes a message."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import pairwise

_ID = re.compile(r"[0-9a-f]{16}")


class LabelTable:
    """Message ids in the order they were added, each with a set of labels.

    An id of Gmail's (16 hex digits) costs 16 bytes, because mailboxes hold hundreds of thousands;
    sets of labels are few and kept once. An id of any other shape is kept as it is.
    """

    def __init__(self) -> None:
        self._ids = array("Q")
        self._sets = array("I")  # for each id, the number of its set
        self._order: array[int] = array("I")  # positions, by ascending id; made when first searched
        self._odd: dict[str, int] = {}  # other ids -> the number of their set
        self._known: list[frozenset[str]] = [frozenset()]
        self._numbers: dict[frozenset[str], int] = {frozenset(): 0}
        self._with: dict[tuple[int, str], int] = {}  # a set and one label more

    def __len__(self) -> int:
        return len(self._ids) + len(self._odd)

    def extend(self, ids: Iterable[str]) -> None:
        """Add messages without labels. Those that are there already stay: seal() drops doubles."""
        for key in ids:
            if _ID.fullmatch(key):
                self._ids.append(int(key, 16))
            else:
                self._odd.setdefault(key, 0)

    def seal(self) -> None:
        """No more messages come: make them searchable, each once (pages shift while mail arrives)."""
        order = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        doubles = {b for a, b in pairwise(order) if self._ids[a] == self._ids[b]}
        if doubles:
            self._ids = array("Q", (key for at, key in enumerate(self._ids) if at not in doubles))
            order = sorted(range(len(self._ids)), key=self._ids.__getitem__)
        self._order = array("I", order)
        self._sets = array("I", bytes(4 * len(self._ids)))

    def label(self, label: str, ids: Iterable[str]) -> None:
        """These messages bear the label. Ids that were never added are passed over."""
        for key in ids:
            at = self._find(key)
            if at is not None:
                self._sets[at] = self._plus(self._sets[at], label)
            elif key in self._odd:
                self._odd[key] = self._plus(self._odd[key], label)

    def put(self, key: str, labels: Iterable[str]) -> bool:
        """Replace the labels of a message; False when it was never added."""
        number = self._number(frozenset(labels))
        at = self._find(key)
        if at is not None:
            self._sets[at] = number
        elif key in self._odd:
            self._odd[key] = number
        else:
            return False
        return True

    def oldest_first(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Every message once, in the reverse of the order added: Gmail lists the newest first."""
        for key, number in reversed(self._odd.items()):
            yield key, self._known[number]
        for at in range(len(self._ids) - 1, -1, -1):
            yield f"{self._ids[at]:016x}", self._known[self._sets[at]]

    def _find(self, key: str) -> int | None:
        if not _ID.fullmatch(key):
            return None
        wanted = int(key, 16)
        place = bisect_left(self._order, wanted, key=self._ids.__getitem__)
        if place < len(self._order) and self._ids[self._order[place]] == wanted:
            return self._order[place]
        return None

    def _plus(self, number: int, label: str) -> int:
        found = self._with.get((number, label))
        if found is None:
            found = self._with[number, label] = self._number(self._known[number] | {label})
        return found

    def _number(self, labels: frozenset[str]) -> int:
        number = self._numbers.get(labels)
        if number is None:
            number = self._numbers[labels] = len(self._known)
            self._known.append(labels)
        return number


class SizeClasses:
    """Which messages are larger than a few limits, as far as the service said."""

    def __init__(self) -> None:
        self._larger: dict[int, set[int | str]] = {}
        self.unknown = False  # the service did not say: any message may be of any size

    def add(self, limit: int, ids: Iterable[str]) -> None:
        """These messages are larger than `limit` bytes."""
        self._larger.setdefault(limit, set()).update(int(key, 16) if _ID.fullmatch(key) else key for key in ids)

    def bound(self, key: str, top: int) -> int:
        """The least limit that the message does not exceed; `top` when it exceeds them all, or nobody knows."""
        if self.unknown:
            return top
        number: int | str = int(key, 16) if _ID.fullmatch(key) else key
        for limit in sorted(self._larger):
            if number not in self._larger[limit]:
                return limit
        return top
