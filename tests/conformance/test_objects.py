"""The suite for events and contacts, run on the destination in memory and on files."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path

import pytest
from liberate_local.paths import raw
from liberate_local.pim_destination import PimDestination
from liberate_local.pim_source import PimSource

from liberate.connector import Collection, Item, Kind, Place, Receipt
from liberate.testing.contracts import ObjectContract, OpenObjects, OpenSource, SourceContract
from liberate.testing.memory_objects import LOOKS, ObjectsDestination
from liberate.testing.memory_store import Store, Stored
from liberate.testing.object_contract import card, event


def _uid_of(data: bytes) -> str:
    return data.partition(b"UID:")[2].split()[0].decode()


class InMemory:
    """A stranger at the store of the destination in memory."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, place: Place, data: bytes) -> None:
        self._store.change(("put", place, Stored(_uid_of(data), data, Kind.EVENT, version="theirs")))

    def edit(self, receipt: Receipt, data: bytes) -> None:
        self._store.change(("put", receipt.place, Stored(receipt.id, data, Kind.EVENT, version="theirs")))

    def delete(self, receipt: Receipt) -> None:
        self._store.remove(receipt.place, receipt.id)

    def rename(self, place: Place, name: str) -> None:
        self._store.change(("put", LOOKS, Stored(str(place), json.dumps({"name": name}).encode(), Kind.EVENT)))

    def name_of(self, place: Place) -> str | None:
        one = self._store.one(LOOKS, place) if str(place) in self._store.places() else None
        return None if one is None else str(json.loads(one.body)["name"])

    def count(self, place: Place) -> int:
        return len(self._store.held(place))


class TestInMemory(ObjectContract):
    @pytest.fixture
    def store(self) -> Store:
        return Store()

    @pytest.fixture
    def open_objects(self, store: Store) -> OpenObjects:
        return lambda: nullcontext(ObjectsDestination(store))

    @pytest.fixture
    def stranger(self, store: Store) -> InMemory:
        return InMemory(store)


class OnDisk:
    """Somebody with an editor."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def _folder(self, place: Place) -> Path:
        return self._root / "objects" / str(place)

    def _path(self, receipt: Receipt) -> Path:
        return self._folder(receipt.place) / os.fsdecode(raw(receipt.id))

    def put(self, place: Place, data: bytes) -> None:
        (self._folder(place) / str(uuid.uuid4())).write_bytes(data)

    def edit(self, receipt: Receipt, data: bytes) -> None:
        self._path(receipt).write_bytes(data)

    def delete(self, receipt: Receipt) -> None:
        self._path(receipt).unlink()

    def rename(self, place: Place, name: str) -> None:
        mark = self._folder(place) / ".liberate.json"
        mark.write_text(json.dumps(json.loads(mark.read_text()) | {"name": name}))

    def name_of(self, place: Place) -> str | None:
        mark = self._folder(place) / ".liberate.json"
        return str(json.loads(mark.read_text())["name"]) if mark.exists() else None

    def count(self, place: Place) -> int:
        return len([one for one in self._folder(place).iterdir() if not one.name.startswith(".")])


class _Both(PimDestination):
    """One for calendars that keeps address books in a folder of its own, as two connections would."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, Kind.EVENT)

    def open_collection(self, key: str, collection: Collection, looks: object) -> Place:
        self._kind, self._ending = collection.kind, b".ics" if collection.kind is Kind.EVENT else b".vcf"
        return super().open_collection(key, collection, looks)  # type: ignore[arg-type]


class TestOnFiles(ObjectContract):
    @pytest.fixture
    def open_objects(self, tmp_path: Path) -> OpenObjects:
        return lambda: _Both(tmp_path / "out")

    @pytest.fixture
    def stranger(self, tmp_path: Path) -> OnDisk:
        return OnDisk(tmp_path / "out")


class TestCalendarFile(SourceContract):
    kind = Kind.EVENT

    @pytest.fixture
    def made(self) -> list[bytes]:
        return [event(f"e{n}@x", f"Number {n}") for n in range(5)]

    @pytest.fixture
    def root(self, tmp_path: Path, made: list[bytes]) -> Path:
        folder = tmp_path / "in"
        folder.mkdir()
        for name, some in (("One", made[:3]), ("Two", made[3:])):
            (folder / f"{name}.ics").write_bytes(self.joined(some))
        return folder

    @staticmethod
    def joined(some: list[bytes]) -> bytes:
        inner = [one.partition(b"BEGIN:VEVENT")[2].partition(b"END:VCALENDAR")[0] for one in some]
        head = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//contract//EN\r\n"
        return head + b"".join(b"BEGIN:VEVENT" + one for one in inner) + b"END:VCALENDAR\r\n"

    @pytest.fixture
    def open_source(self, root: Path) -> OpenSource:
        return lambda: nullcontext(PimSource(root, self.kind))

    @pytest.fixture
    def bodies(self, made: list[bytes]) -> Mapping[tuple[str, ...], list[bytes]]:
        return {("One",): made[:3], ("Two",): made[3:]}

    @pytest.fixture
    def state(self, root: Path) -> Callable[[], object]:
        return lambda: {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in root.iterdir()}

    @pytest.fixture
    def remove(self, root: Path) -> Callable[[Collection, Item], None]:
        def gone(collection: Collection, item: Item) -> None:
            path = root / collection.id
            uid = item.name.encode()
            parts = path.read_bytes().split(b"BEGIN:VEVENT")
            path.write_bytes(b"BEGIN:VEVENT".join(one for one in parts if b"UID:" + uid + b"\r" not in one))
            if b"END:VCALENDAR" not in path.read_bytes():
                path.write_bytes(path.read_bytes() + b"END:VCALENDAR\r\n")

        return gone

    @pytest.fixture
    def big(self, tmp_path: Path) -> tuple[OpenSource, int]:
        path = tmp_path / "big.ics"
        path.write_bytes(self.joined([event(f"e{n}@x") for n in range(10_000)]))
        return lambda: nullcontext(PimSource(path, self.kind)), 10_000


class TestContactFile(TestCalendarFile):
    kind = Kind.CONTACT

    @pytest.fixture
    def made(self) -> list[bytes]:
        return [card(f"c{n}", f"Anna {n}", "4.0" if n % 2 else "3.0") for n in range(5)]

    @pytest.fixture
    def root(self, tmp_path: Path, made: list[bytes]) -> Path:
        folder = tmp_path / "in"
        folder.mkdir()
        (folder / "One.vcf").write_bytes(b"".join(made[:3]))
        (folder / "Two.vcf").write_bytes(b"\r\n".join(made[3:]))
        return folder

    @pytest.fixture
    def remove(self, root: Path) -> Callable[[Collection, Item], None]:
        def gone(collection: Collection, item: Item) -> None:
            path = root / collection.id
            parts = path.read_bytes().split(b"BEGIN:VCARD")
            path.write_bytes(b"BEGIN:VCARD".join(one for one in parts if b"UID:" + item.name.encode() not in one))

        return gone

    @pytest.fixture
    def big(self, tmp_path: Path) -> tuple[OpenSource, int]:
        path = tmp_path / "big.vcf"
        path.write_bytes(b"".join(card(f"c{n}") for n in range(10_000)))
        return lambda: nullcontext(PimSource(path, self.kind)), 10_000
