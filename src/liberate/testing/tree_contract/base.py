"""What the parts of the contract for trees of files share: fixtures, slots as the core makes them, what is expected."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Protocol, TypeVar, cast

import pytest

from liberate.connector import (
    Body,
    Destination,
    Item,
    KeepsTrees,
    Kind,
    Place,
    Receipt,
    Removes,
    Resumable,
    Slot,
    WritesMany,
    inside,
)
from liberate.errors import ItemError, TransientError
from liberate.files import FileFacts
from liberate.ledger_rows import key_of
from liberate.testing.destination_contract import Bytes, DestinationContract, nobody

_numbers = count()
Result = TypeVar("Result")
_ATTEMPTS = 20
_MOST = 300 << 20  # bytes that a test of large bodies sends at most


class Owner(Protocol):
    """The account's owner, or a stranger, who comes by another way than the connector that is tested.

    Paths begin below the account's outermost folder and have "/" between their levels.
    """

    def put(self, path: str, body: bytes) -> object:
        """Make a file, or change its bytes; the folders above it are made."""

    def mkdir(self, path: str) -> object:
        """Make a folder and those above it."""

    def rename(self, old: str, new: str) -> object:
        """Bring a file or folder elsewhere."""

    def remove(self, path: str) -> object:
        """Remove a file, or a folder with all that is in it."""

    def tree(self) -> dict[str, bytes | None]:
        """Everything there is, by its path: the bytes of a file, None for a folder."""


class TreeContract(DestinationContract):
    """A destination of files, who else works in its account, and what a test makes there."""

    kind = Kind.FILE

    @pytest.fixture
    def owner(self) -> Owner:
        """Whoever else works in the account that `open_destination` opens."""
        raise NotImplementedError("give the contract a fixture `owner`")

    @pytest.fixture
    def remove(self, owner: Owner) -> Callable[[Receipt], None]:
        """Deletes what a receipt names: this destination's ids end in "/" and the name, or this is overridden."""

        def gone(receipt: Receipt) -> None:
            owner.remove(str(inside(receipt.place, receipt.id.rpartition("/")[2])))

        return gone

    @pytest.fixture
    def somebody(self) -> str | None:
        """The name of another user, with whom something can be shared."""
        return None

    # Helpers -------------------------------------------------------------------------------------

    def _root(self, destination: Destination, name: str = "Work") -> Place:
        return destination.prepare(self._collection(name))

    def _folder(self, place: Place, name: str) -> Slot:
        """A folder's slot as the core makes it."""
        item = Item(f"folder-{next(_numbers)}", self.kind, "", name, facts=FileFacts(folder=True))
        return Slot(item, place, name, key_of("contract", str(place), item.id))

    def _file(self, place: Place, name: str, body: bytes, replaces: Receipt | None = None) -> Slot:
        """A file's slot as the core makes it."""
        digests = {"sha256": hashlib.sha256(body).hexdigest()}
        item = Item(f"file-{next(_numbers)}", self.kind, "1", name, len(body), digests=digests, facts=FileFacts())
        return Slot(item, place, name, key_of("contract", str(place), item.id), replaces=replaces)

    def _store(self, destination: Destination, place: Place, name: str, body: bytes) -> Receipt:
        return self._put(destination, self._file(place, name, body), body)

    def _found_or_put(self, destination: Destination, slot: Slot, body: bytes) -> Receipt:
        """As the engine writes what an attempt that failed may have written."""
        found = destination.find([slot], nobody)
        return found[slot.key] if slot.key in found else self._put(destination, slot, body)

    @staticmethod
    def _outcome(destination: Destination, slot: Slot, body: bytes, many: bool) -> Receipt | ItemError:
        """What writing comes to, alone or together."""
        if many:
            if not isinstance(destination, WritesMany):
                pytest.skip("it does not write many at once")
            ((_, outcome),) = destination.write_many(iter([(slot, body)]))
            return outcome
        try:
            return destination.write(slot, Bytes(body))
        except ItemError as error:
            return error

    def _both_ways(self, destination: Destination, slot: Slot, body: bytes) -> Iterator[Receipt | ItemError]:
        yield self._outcome(destination, slot, body, many=False)
        if isinstance(destination, WritesMany):
            yield self._outcome(destination, slot, body, many=True)

    @staticmethod
    def _names(destination: Destination, place: Place) -> dict[str, bool]:
        """What stands in a place: whether each is a folder."""
        held = list(keeper(destination).held(place))
        assert len({one.name for one in held}) == len(held)
        return {one.name: one.folder for one in held}

    @staticmethod
    def _large(destination: Destination) -> tuple[bytes, int]:
        """A body that goes in three pieces or more, the last one shorter, and the size of a piece."""
        if not isinstance(destination, Resumable):
            pytest.skip("it takes no bodies in pieces")
        size: int = 1
        while (piece := destination.piece(size)) is None:
            size *= 2
            if size > _MOST:
                pytest.skip("only bodies larger than a test sends go in pieces: open it with smaller ones")
        size = max(size, 2 * piece + piece // 3 + 1)
        again = destination.piece(size)
        assert again is not None, f"{size} bytes are more than some that go in pieces"
        size = max(size, 2 * again + again // 3 + 1)
        if size > _MOST:
            pytest.skip("its pieces are larger than a test sends: open it with smaller ones")
        return random.Random(size).randbytes(size), again

    @staticmethod
    def _append(destination: Destination, upload: str, slot: Slot, offset: int, body: bytes, piece: int) -> None:
        part: Body = Bytes(body[offset : offset + piece])
        resumer(destination).append(upload, slot, offset, part)


def again(act: Callable[[], Result]) -> Result:
    """What it gives, called again while it is refused for the moment, as the engine does."""
    for _ in range(_ATTEMPTS):
        with suppress(TransientError):
            return act()
    return act()


def keeper(destination: Destination) -> KeepsTrees:
    """The destination as one that keeps trees, which it must be."""
    assert isinstance(destination, KeepsTrees)
    return destination


def remover(destination: Destination) -> Removes:
    """The destination as one that takes away what we put there; the test is skipped if it is not."""
    if not isinstance(destination, Removes):
        pytest.skip("it takes nothing away")
    return destination


def resumer(destination: Destination) -> Resumable:
    """The destination as one that takes bodies in pieces; _large skips a test where it is not."""
    return cast(Resumable, destination)


@contextmanager
def told(code: str) -> Iterator[None]:
    """Expects an ItemError with this code."""
    with pytest.raises(ItemError) as error:
        yield
    assert error.value.code == code


def assert_refused(outcome: object, code: str) -> None:
    """The outcome is an ItemError with this code."""
    assert isinstance(outcome, ItemError), outcome
    assert outcome.code == code
