"""A source of files that are made up while they are listed, and a destination that keeps nothing.

Both cost next to nothing, so that what is measured between them is the core. `installed` lets the command find them
as it finds every connector. As a program it lists, and does nothing with what it gets: python -m bench.generated COUNT
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from liberate.chat import Room
from liberate.connector import (
    Account,
    Batch,
    Body,
    Cast,
    Change,
    Collection,
    Connector,
    Cursor,
    Destination,
    Endpoint,
    Evidence,
    Held,
    Item,
    Kind,
    Listed,
    Loaded,
    Outcome,
    Place,
    Receipt,
    Slot,
    Source,
    Taken,
    Whole,
)
from liberate.errors import ItemError
from liberate.files import FileFacts
from liberate.naming import Rules
from liberate.settings import Settings

FILES_EACH = 40  # in a folder
FOLDERS_EACH = 20  # in a folder, which makes 5,000 of them four levels deep
_START = datetime(2019, 3, 1, 8, 30, tzinfo=UTC)
_MODULE = "bench.generated"


class Generated:
    """So many files, 40 in a folder; without cursors, so that each listing names all of them."""

    def __init__(self, files: int) -> None:
        self._files = files
        self.folders = max(1, files // FILES_EACH)

    def collections(self) -> Iterator[Collection]:
        """See Source."""
        yield Collection("files", (), Kind.FILE)

    def items(self, _collection: Collection, _since: Cursor | None) -> Iterator[Listed]:
        """See Source: each folder before what is in it, ids and names of the length that services give."""
        for number in range(self.folders):
            above = f"1fOlDeR{number // FOLDERS_EACH - 1:026}" if number >= FOLDERS_EACH else ""
            facts = FileFacts(above, folder=True)
            name = f"Minutes and papers {number:05}"
            yield Item(f"1fOlDeR{number:026}", Kind.FILE, "", name, None, _START, facts=facts, facts_version="1")
        for number in range(self._files):
            facts = FileFacts(f"1fOlDeR{number % self.folders:026}")
            name, moment = f"Report of the board {number:06}.odt", _START + timedelta(minutes=number)
            size = len(_body(number))
            yield Item(f"1fIlE{number:028}", Kind.FILE, "1", name, size, moment, facts=facts, facts_version="1")
        yield Whole()

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """See Source."""
        yield _body(int(item.id[-28:]))[offset:]

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """See ReadsMany."""
        for item in items:
            yield Loaded(item, _body(int(item.id[-28:])))


def _body(number: int) -> bytes:
    return b"Point %06d" % number


class Nowhere:
    """Takes whatever it is given, and forgets it: good for measuring, and for nothing else."""

    line_ends: Literal["any", "crlf"] = "any"
    batch = Batch(100, 8 << 20)
    rules = Rules(forbidden=frozenset("/"))

    def prepare(self, _collection: Collection) -> Place:
        """See Destination."""
        return Place("")

    def find(self, _slots: Sequence[Slot], _taken: Taken) -> Mapping[str, Receipt]:
        """See Destination."""
        return {}

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination."""
        return self._receipt(slot, body.read(body.size if body.size is not None else -1))

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany."""
        for slot, body in parts:
            yield slot, self._receipt(slot, body)

    @staticmethod
    def _receipt(slot: Slot, body: bytes) -> Receipt:
        digests = {"sha256": hashlib.sha256(body).hexdigest()}
        return Receipt(slot.key, slot.place, len(body), digests, Evidence.RECEIVED, "1")

    def read(self, _receipt: Receipt) -> Iterator[bytes]:
        """See Destination."""
        raise ItemError("gone", "It was forgotten.")

    def open_room(self, room: Room, _cast: Cast) -> Place:
        """See KeepsRooms."""
        return Place(room.id)

    def close_room(self, _place: Place, _room: Room, _pinned: Mapping[str, Receipt]) -> Mapping[str, ItemError]:
        """See KeepsRooms."""
        return {}

    def held(self, _place: Place) -> Iterator[Held]:
        """See KeepsTrees."""
        return iter(())

    def make_folder(self, slot: Slot) -> Receipt:
        """See KeepsTrees."""
        return Receipt(slot.key, slot.place)

    def move(self, _slot: Slot, receipt: Receipt) -> Receipt:
        """See KeepsTrees."""
        return receipt

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """See Updates: it takes folders' times as well."""
        for change in changes:
            yield change.slot, change.receipt


class GeneratedSettings(Settings):
    """How much is made up."""

    files: int = Field(default=0, ge=0, description="how many files are made up, 40 in a folder")


class NowhereSettings(Settings):
    """There is nothing to set."""


def _source(settings: GeneratedSettings, _account: Account) -> AbstractContextManager[Source]:
    return nullcontext(Generated(settings.files))


def _destination(_settings: Any, _account: Account) -> AbstractContextManager[Destination]:
    return nullcontext(Nowhere())


def _counted(address: str) -> Endpoint:
    return Endpoint({"files": int(address.partition(":")[2])})


generated = Connector(
    "generated", "Made-up files", frozenset({Kind.FILE}), GeneratedSettings, source=_source, schemes=("generated",),
    endpoint=_counted,
)  # fmt: skip
nowhere = Connector(
    "nowhere", "A destination that keeps nothing", frozenset({Kind.FILE, Kind.CHAT}), NowhereSettings,
    destination=_destination, schemes=("nowhere",), endpoint=lambda _address: Endpoint({}),
)  # fmt: skip


def installed(folder: Path) -> dict[str, str]:
    """The environment in which the command knows "generated:COUNT" and "nowhere:"; `folder` is for their entry."""
    about = folder / "bench_generated-0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-generated\nVersion: 0\n", encoding="utf-8")
    lines = ("[liberate.connectors]", f"generated = {_MODULE}:generated", f"nowhere = {_MODULE}:nowhere", "")
    (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    return {"PYTHONPATH": f"{folder}:{Path(__file__).parents[1]}"}


def main() -> None:
    """List so many files; print how many items there were, and the seconds and processor seconds that it took."""
    source = Generated(int(sys.argv[1]))
    began, worked = time.perf_counter(), time.process_time()
    count = sum(isinstance(thing, Item) for one in source.collections() for thing in source.items(one, None))
    print(count, time.perf_counter() - began, time.process_time() - worked)


if __name__ == "__main__":
    main()
