"""A connector that is nothing but folders, installed as a stranger's is, also for the processes that tests start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from liberate import registry

MODULE = '''
"""path/<account>/<folder>/<file>: what a file begins with says what happens to it."""
import hashlib
import time
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from liberate.connector import Collection, Connector, Cursor, Endpoint, Evidence, Item, Kind, Place, Receipt
from liberate.errors import AccountError, ItemError, TransientError
from liberate.mail import MailFacts
from liberate.naming import Rules
from liberate.settings import Settings


class BoxSettings(Settings):
    path: Path = Field(description="where the boxes stand")


class Source:
    def __init__(self, root):
        self.root = root

    def collections(self):
        for folder in sorted(p for p in self.root.iterdir() if p.is_dir()):
            yield Collection(folder.name, (folder.name,), Kind.MAIL, count=len(list(folder.iterdir())))

    def items(self, collection, since):
        files = sorted((self.root / collection.id).iterdir())
        state = hashlib.sha256(repr([(f.name, f.stat().st_size) for f in files]).encode()).hexdigest()
        if since != state:
            for file in files:
                yield Item(f"{collection.id}/{file.name}", Kind.MAIL, "", size=file.stat().st_size, facts=MailFacts())
        yield Cursor(state)

    def read(self, item, offset=0):
        yield (self.root / item.id).read_bytes()[offset:]


class Destination:
    rules = Rules()
    line_ends = "any"

    def __init__(self, root):
        self.root = root

    def prepare(self, collection):
        place = Place("/".join(collection.path) or "INBOX")
        (self.root / place).mkdir(parents=True, exist_ok=True)
        return place

    def _receipt(self, file, place):
        return Receipt(file.name, place, file.stat().st_size, evidence=Evidence.SIZE)

    def find(self, slots, taken):
        files = {slot.key: self.root / slot.place / slot.key for slot in slots}
        return {slot.key: self._receipt(files[slot.key], slot.place) for slot in slots if files[slot.key].exists()}

    def write(self, slot, body):
        data = b"".join(iter(lambda: body.read(65536), b""))
        if data.startswith(b"REFUSED"):
            raise ItemError("too-odd", "The box does not take odd letters.", "Straighten the letter.")
        if data.startswith(b"AWAY"):
            raise TransientError("The box is away.")
        if data.startswith(b"FAULT"):
            raise RuntimeError("a fault of ours")
        if data.startswith(b"SLOW"):
            (self.root / "waits").touch()
            while not (self.root / "go").exists():
                time.sleep(0.01)
        file = self.root / slot.place / slot.key
        file.write_bytes(data)
        return self._receipt(file, slot.place)

    def read(self, receipt):
        file = self.root / receipt.place / receipt.id
        if not file.exists():
            raise ItemError("gone", "It is no longer there.")
        yield file.read_bytes()


def opener(make):
    @contextmanager
    def opened(settings, account):
        if account.name.startswith("locked"):
            raise AccountError("login", f"The box refuses {account.name}.", "Correct the password.")
        yield make(Path(str(settings.path).replace("{account}", account.name)))

    return opened


box = Connector(
    "box", "boxes of letters", frozenset({Kind.MAIL}), BoxSettings, opener(Source), opener(Destination),
    ("box",), lambda url: Endpoint({"path": url.partition(":")[2]}),
)
'''


@pytest.fixture(scope="module", autouse=True)
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the connector is installed in."""
    folder = tmp_path_factory.mktemp("installed")
    (folder / "box_connector.py").write_text(MODULE)
    info = folder / "box-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: box\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[liberate.connectors]\nbox = box_connector:box\n")
    sys.path.insert(0, str(folder))
    for cached in (registry._entries, registry.connector):
        cached.cache_clear()
    yield folder
    sys.path.remove(str(folder))
    sys.modules.pop("box_connector", None)
    for cached in (registry._entries, registry.connector):
        cached.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


Mail = dict[str, dict[str, bytes]]


@pytest.fixture
def write_job(folder: Path) -> Callable[..., None]:
    """Writes a plan, a people table and what its accounts hold: {"anna": {"INBOX/1": b"..."}}."""

    def write(mail: Mail, more: str = "") -> None:
        for account, letters in mail.items():
            (folder / "old" / account).mkdir(parents=True, exist_ok=True)
            for name, data in letters.items():
                letter = folder / "old" / account / name
                letter.parent.mkdir(parents=True, exist_ok=True)
                letter.write_bytes(data)
        plan = '[job]\nname = "move"\n'
        for name in ("old", "new"):
            plan += f'[connections.{name}]\nconnector = "box"\npath = "{name}/{{account}}"\n'
        plan += '[[routes]]\nfrom = "old"\nto = "new"\n[people]\ntable = "people.csv"\n' + more
        (folder / "liberate.toml").write_text(plan)
        rows = "".join(f"{account},{account}\n" for account in mail)
        (folder / "people.csv").write_text("source,destination\n" + rows)

    return write


@pytest.fixture
def environment(boxes: Path) -> dict[str, str]:
    """For processes that are to find the connector too."""
    return {**os.environ, "PYTHONPATH": str(boxes), "COLUMNS": "100"}


@pytest.fixture
def start(folder: Path, environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `liberate` as a process of its own; what still runs at the end is killed."""
    running: list[subprocess.Popen[str]] = []

    def go(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from liberate_cli.main import main; main()", *arguments],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield go
    for process in running:
        if process.poll() is None:
            process.kill()
        process.communicate()
