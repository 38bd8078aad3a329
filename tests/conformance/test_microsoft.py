"""The suite, run on the sources for OneDrive and Outlook, and a stand-in for Graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conformance_kit import MESSAGES
from liberate_microsoft.connectors import microsoft
from liberate_microsoft.settings import MicrosoftSettings
from liberate_microsoft.standin import Blob, Drive, GraphStandin
from liberate_microsoft.standin.shapes import to_link, to_person
from pydantic import SecretStr

from liberate.connector import Account, Collection, Item, Kind
from liberate.testing.contracts import OpenSource, SourceContract

ANNA = "anna@solros.example"
BODIES = [b"hello\n", b"", b"the same", b"the same", bytes(range(256)) * 900, b"\r\n\0\xff"]
_MANY = 6_000
FILES, MAIL = frozenset({Kind.FILE}), frozenset({Kind.MAIL})


def _settings(standin: GraphStandin, folder: Path, secret: str = "") -> MicrosoftSettings:
    return MicrosoftSettings(
        tenant=standin.entra.tenant,
        client_id=standin.entra.client_id,
        client_secret=SecretStr(secret or standin.entra.client_secret),
        endpoint=standin.url,
        ca_file=standin.ca_file(folder / "authority.pem"),
    )


def _opens(settings: MicrosoftSettings, account: Account) -> OpenSource:
    assert microsoft.source is not None
    opened = microsoft.source
    return lambda: opened(settings, account)


class TestOneDriveSource(SourceContract):
    @pytest.fixture(params=["in order", "children first"])
    def standin(self, request: pytest.FixtureRequest) -> Iterator[GraphStandin]:
        with GraphStandin(page=4) as server:
            server.disorder = request.param == "children first"
            yield server

    @pytest.fixture
    def drive(self, standin: GraphStandin) -> Drive:
        drive = standin.add_person(ANNA)
        board = drive.add_folder("Board")
        below = drive.add_folder("Minutes", drive.add_folder("2026", board))
        places = [drive.root, board, below]
        for n, body in enumerate(BODIES):
            drive.add_file(f"file {n}.txt", body, places[n % 3])
        drive.add_file("a notebook", b"", below, facets={"package": {"type": "oneNote"}})
        drive.share(board, to_person("bjorn@solros.example", "Björn", "write"))
        drive.share(drive.files()[-1], to_link("anonymous"))
        return drive

    @pytest.fixture
    def open_source(self, standin: GraphStandin, drive: Drive, tmp_path: Path) -> OpenSource:
        return _opens(_settings(standin, tmp_path), Account(ANNA, kinds=FILES))

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]]:
        return {(): BODIES}

    @pytest.fixture
    def remove(self, drive: Drive) -> Callable[[Collection, Item], None]:
        return lambda _collection, item: drive.delete(drive.nodes[item.id])

    @pytest.fixture
    def big(self, standin: GraphStandin, tmp_path: Path) -> tuple[OpenSource, int]:
        standin.page = 500
        drive = standin.add_person("much@solros.example")
        above = drive.root
        for n in range(_MANY):
            if n % 50 == 0:
                above = drive.add_folder(f"folder {n}")
            else:
                drive.add_file(f"file {n}", Blob(seed="much", size=3), above)
        return _opens(_settings(standin, tmp_path), Account("much@solros.example", kinds=FILES)), _MANY

    @pytest.fixture
    def state(self, drive: Drive) -> Callable[[], Any]:
        return lambda: (drive.sequence, [(one.id, one.name, one.etag) for one in drive.nodes.values()])

    @pytest.fixture
    def refused(self, standin: GraphStandin, drive: Drive, tmp_path: Path) -> tuple[OpenSource, tuple[str, ...]]:
        secret = "not~the.secret"
        return _opens(_settings(standin, tmp_path, secret), Account(ANNA, kinds=FILES)), (secret,)


class TestLibrarySource(SourceContract):
    @pytest.fixture
    def open_source(self, tmp_path: Path) -> Iterator[OpenSource]:
        with GraphStandin(page=3) as server:
            library = server.add_library(server.add_site("sites/Board", "Board"), "Documents", "Shared Documents")
            above = library.add_folder("2026")
            for n, body in enumerate(BODIES):
                library.add_file(f"file {n}.txt", body, above if n % 2 else None)
            yield _opens(_settings(server, tmp_path), Account("sites/Board/Documents", kind="shared"))

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]]:
        return {(): BODIES}


class TestOutlookSource(SourceContract):
    """The messages as they are, and as Exchange writes them: otherwise at every fetch."""

    @pytest.fixture(params=["the same each time", "written anew"])
    def standin(self, request: pytest.FixtureRequest) -> Iterator[GraphStandin]:
        with GraphStandin(page=2) as server:
            mailbox = server.add_mailbox(ANNA)
            mailbox.regenerates = request.param == "written anew"
            mailbox.add_folder("Board")
            mailbox.add_folder("2026", "Board")
            mailbox.add_folder("Files", hidden=True)
            mailbox.add(b"Subject: hidden\r\n\r\n", "Files")
            places = ("inbox", "Board", "Board/2026", "sentitems", "inbox", "deleteditems")
            for number, body in enumerate(MESSAGES):
                mailbox.add(body, places[number], read=number % 2 == 0)
            yield server

    @pytest.fixture
    def open_source(self, standin: GraphStandin, tmp_path: Path) -> OpenSource:
        return _opens(_settings(standin, tmp_path), Account(ANNA, kinds=MAIL))

    @pytest.fixture
    def bodies(self, standin: GraphStandin) -> Mapping[tuple[str, ...], list[bytes]] | None:
        return None if standin.mailboxes[ANNA].regenerates else {(): MESSAGES}

    @pytest.fixture
    def remove(self, standin: GraphStandin) -> Callable[[Collection, Item], None]:
        def delete(_collection: Collection, item: Item) -> None:
            mailbox = standin.mailboxes[ANNA]
            letter = mailbox.letter(item.id, immutable=True)
            assert letter is not None
            mailbox.delete(letter)

        return delete

    @pytest.fixture
    def big(self, standin: GraphStandin, tmp_path: Path) -> tuple[OpenSource, int]:
        standin.page = 500
        mailbox = standin.add_mailbox("much@solros.example")
        for n in range(_MANY):
            mailbox.add(b"Subject: %d\r\n\r\n" % n, ("inbox", "archive", "sentitems")[n % 3])
        return _opens(_settings(standin, tmp_path), Account("much@solros.example", kinds=MAIL)), _MANY

    @pytest.fixture
    def state(self, standin: GraphStandin) -> Callable[[], Any]:
        mailbox = standin.mailboxes[ANNA]
        return lambda: (mailbox.sequence, [(one.number, one.folder, one.read) for one in mailbox.letters.values()])

    @pytest.fixture
    def refused(self, standin: GraphStandin, tmp_path: Path) -> tuple[OpenSource, tuple[str, ...]]:
        secret = "not~the.secret"
        return _opens(_settings(standin, tmp_path, secret), Account(ANNA, kinds=MAIL)), (secret,)


class TestSharedMailboxSource(SourceContract):
    @pytest.fixture
    def open_source(self, tmp_path: Path) -> Iterator[OpenSource]:
        with GraphStandin(page=3) as server:
            mailbox = server.add_mailbox("info@solros.example", shared=True)
            mailbox.empty_first = True
            for n, body in enumerate(MESSAGES):
                mailbox.add(body, "inbox" if n % 2 else "sentitems")
            yield _opens(_settings(server, tmp_path), Account("info@solros.example", kind="shared"))
