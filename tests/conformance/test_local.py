"""The suite, run on everything that reads or writes files on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from conformance_kit import UNIX, fill_maildir, tree, unlink
from liberate_local.connectors import eml, folder, maildir, mbox, takeout
from liberate_local.folder_destination import FolderDestination

from liberate.connector import Account, Collection, Connector, Item, Kind, Place, Receipt
from liberate.testing.contracts import (
    DestinationContract,
    OpenDestination,
    OpenSource,
    SourceContract,
    TreeDestinationContract,
)

NOBODY = Account("")


def opens_source(made: Connector, path: Path, **more: Any) -> OpenSource:
    settings = made.settings(path=str(path), **more)
    assert made.source is not None
    source = made.source
    return lambda: source(settings, NOBODY)


def opens_destination(made: Connector, path: Path, **more: Any) -> OpenDestination:
    settings = made.settings(path=str(path), **more)
    assert made.destination is not None
    destination = made.destination
    return lambda: destination(settings, NOBODY)


class _Files(SourceContract):
    """A source of files under tmp_path / "there"."""

    @pytest.fixture
    def there(self, tmp_path: Path) -> Path:
        raise NotImplementedError

    @pytest.fixture
    def state(self, there: Path) -> Callable[[], Any]:
        return lambda: tree(there if there.is_dir() else there.parent)


class TestMaildirSource(_Files):
    @pytest.fixture
    def there(self, tmp_path: Path) -> Path:
        fill_maildir(tmp_path / "there")
        return tmp_path / "there"

    @pytest.fixture
    def open_source(self, there: Path) -> OpenSource:
        return opens_source(maildir, there)

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]]:
        return {("INBOX",): [b for n, b in enumerate(UNIX) if n % 3 != 2], ("Work",): [UNIX[2], UNIX[5]]}

    @pytest.fixture
    def remove(self, there: Path, open_source: OpenSource) -> Callable[[Collection, Item], None]:
        def gone(_collection: Collection, item: Item) -> None:
            with open_source() as source:
                unlink(there, b"".join(source.read(item)))

        return gone

    @pytest.fixture
    def big(self, tmp_path: Path) -> tuple[OpenSource, int]:
        box = tmp_path / "big"
        for name in ("cur", "new", "tmp"):
            (box / name).mkdir(parents=True)
        for n in range(10_000):
            (box / "cur" / f"{1700000000 + n}.M{n}.host:2,").write_bytes(b"\n")
        return opens_source(maildir, box), 10_000


class TestMboxSource(_Files):
    made = mbox

    @pytest.fixture
    def there(self, tmp_path: Path) -> Path:
        there = tmp_path / "all.mbox"
        there.write_bytes(_mbox(UNIX))
        return there

    @pytest.fixture
    def open_source(self, there: Path) -> OpenSource:
        return opens_source(self.made, there)

    @pytest.fixture
    def big(self, tmp_path: Path) -> tuple[OpenSource, int]:
        (tmp_path / "big.mbox").write_bytes(b"From a@b Thu Jan  1 00:00:00 2024\nSubject: x\n\nx\n\n" * 3000)
        return opens_source(self.made, tmp_path / "big.mbox"), 3000


class TestTakeoutSource(TestMboxSource):
    made = takeout

    @pytest.fixture
    def there(self, tmp_path: Path) -> Path:
        there = tmp_path / "All mail.mbox"
        there.write_bytes(_mbox([b"X-Gmail-Labels: Inbox,Work\n" + body for body in UNIX]))
        return there


def _mbox(messages: list[bytes]) -> bytes:
    out = b""
    for body in messages:
        quoted = b"".join(
            b">" + line if line.lstrip(b">").startswith(b"From ") else line for line in body.splitlines(keepends=True)
        )
        out += b"From a@example.org Thu Jan  4 05:06:07 2024\n" + quoted + b"\n"
    return out


class TestEmlSource(_Files):
    made = eml

    @pytest.fixture
    def there(self, tmp_path: Path) -> Path:
        there = tmp_path / "there"
        for n, body in enumerate(UNIX):
            file = there / ("Work" if n % 3 == 2 else ".") / f"{n}.eml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        return there

    @pytest.fixture
    def open_source(self, there: Path) -> OpenSource:
        return opens_source(self.made, there)

    @pytest.fixture
    def remove(self, there: Path, open_source: OpenSource) -> Callable[[Collection, Item], None]:
        def gone(_collection: Collection, item: Item) -> None:
            with open_source() as source:
                unlink(there, b"".join(source.read(item)))

        return gone


class TestFolderSource(_Files):
    @pytest.fixture
    def there(self, tmp_path: Path) -> Path:
        there = tmp_path / "there"
        for path, body in self.files().items():
            file = there / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
        return there

    @staticmethod
    def files() -> Mapping[str, bytes]:
        return {f"{'Work/Deep/' if n % 3 == 2 else ''}{n}.txt": body for n, body in enumerate(UNIX)}

    @pytest.fixture
    def open_source(self, there: Path) -> OpenSource:
        return opens_source(folder, there)

    @pytest.fixture
    def remove(self, there: Path) -> Callable[[Collection, Item], None]:
        return lambda _collection, item: shutil.rmtree(there / item.id) if item.facts.folder else unlinked(there, item)

    @pytest.fixture
    def big(self, tmp_path: Path) -> tuple[OpenSource, int]:
        for n in range(10_000):
            file = tmp_path / "big" / f"{n % 100}" / f"{n}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"")
        return opens_source(folder, tmp_path / "big"), 10_100


def unlinked(there: Path, item: Item) -> None:
    (there / item.id).unlink()


class TestMaildirDestination(DestinationContract):
    layout = "maildir++"

    @pytest.fixture
    def there(self, tmp_path: Path) -> Path:
        return tmp_path / "there"

    @pytest.fixture
    def open_destination(self, there: Path) -> OpenDestination:
        return opens_destination(maildir, there, layout=self.layout)

    @pytest.fixture
    def remove(self, there: Path, open_destination: OpenDestination) -> Callable[[Receipt], None]:
        def gone(receipt: Receipt) -> None:
            with open_destination() as destination:
                unlink(there, b"".join(destination.read(receipt)))

        return gone

    @pytest.fixture
    def deliver(self, there: Path) -> Callable[[Place, bytes], None]:
        def put(_place: Place, body: bytes) -> None:
            (box,) = [path.parent for path in there.rglob("cur") if "Work" in str(path.relative_to(there))]
            number = len(list(box.rglob("*")))
            (box / "new" / f"1600000000.M{number}.stranger").write_bytes(body)

        return put


class TestNestedMaildirDestination(TestMaildirDestination):
    layout = "nested"


class Neighbour:
    """Somebody else who works in a folder, with whatever program."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def put(self, path: str, body: bytes) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_bytes(body)

    def mkdir(self, path: str) -> None:
        (self.root / path).mkdir(parents=True)

    def rename(self, old: str, new: str) -> None:
        (self.root / old).rename(self.root / new)

    def remove(self, path: str) -> None:
        there = self.root / path
        shutil.rmtree(there) if there.is_dir() else there.unlink()

    def tree(self) -> dict[str, bytes | None]:
        return {
            str(path.relative_to(self.root)): None if path.is_dir() else path.read_bytes()
            for path in self.root.rglob("*")
        }


class TestFolderDestination(TreeDestinationContract):
    @pytest.fixture
    def owner(self, tmp_path: Path) -> Neighbour:
        return Neighbour(tmp_path / "there")

    @pytest.fixture
    def open_destination(self, tmp_path: Path) -> OpenDestination:
        return lambda: nullcontext(FolderDestination(tmp_path / "there", piece=20_000, over=50_000))


class TestFolderOfMailDestination(DestinationContract):
    kind = Kind.MAIL

    @pytest.fixture
    def open_destination(self, tmp_path: Path) -> OpenDestination:
        return opens_destination(folder, tmp_path / "there")

    @pytest.fixture
    def remove(self, tmp_path: Path, open_destination: OpenDestination) -> Callable[[Receipt], None]:
        def gone(receipt: Receipt) -> None:
            with open_destination() as destination:
                unlink(tmp_path / "there", b"".join(destination.read(receipt)))

        return gone
