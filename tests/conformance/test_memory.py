"""The suite, run on the source and the destinations in memory: it and they prove one another."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext

import pytest

from liberate.connector import Collection, Item, Kind, Place, Receipt
from liberate.files import FileFacts
from liberate.mail import MailFacts
from liberate.testing.contracts import (
    DestinationContract,
    OpenDestination,
    OpenSource,
    SourceContract,
    TreeDestinationContract,
)
from liberate.testing.memory import FolderDestination, MailboxDestination, PlainMailboxDestination
from liberate.testing.memory_files import Tree
from liberate.testing.memory_shelf import MemoryManySource, MemorySource, Shelf
from liberate.testing.memory_store import Store
from liberate.testing.memory_tree import MemoryFileSource, TreeDestination


class TestMemorySource(SourceContract):
    opened: type[MemorySource] = MemorySource

    @pytest.fixture
    def shelf(self) -> Shelf:
        made = Shelf()
        inbox = made.collection("INBOX", role="inbox")
        made.collection("Empty")
        for n in range(7):
            made.put(inbox, f"{n}", b"Subject: %d\n\n" % n * (1 + 300 * n), facts=MailFacts())
        made.skip(inbox, "chat", "chat")
        return made

    @pytest.fixture
    def open_source(self, shelf: Shelf) -> OpenSource:
        return lambda: nullcontext(self.opened(shelf, step=3))

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]]:
        return {("INBOX",): [b"Subject: %d\n\n" % n * (1 + 300 * n) for n in range(7)]}

    @pytest.fixture
    def remove(self, shelf: Shelf) -> Callable[[Collection, Item], None]:
        return lambda collection, item: shelf.remove(collection, item.id)


class TestMemoryManySource(TestMemorySource):
    opened = MemoryManySource


class TestMemoryFileSource(TestMemorySource):
    opened = MemoryFileSource
    whole = False

    @pytest.fixture
    def shelf(self) -> Shelf:
        made = Shelf()
        drive = made.collection(kind=Kind.FILE, whole=self.whole)
        made.folder(drive, "work", "Work")
        made.folder(drive, "plans", "Plans", "work")
        for n, parent in enumerate(["", "work", "plans", "plans", ""]):
            made.file(drive, f"{n}", f"file {n}.txt", b"content %d\n" % n * 300 * n, parent)
        made.skip(drive, "form", "no-export")
        made.describe(drive, "work", name="Our work")  # now it is listed after what stands in it
        made.describe(drive, "1", facts=FileFacts("work", starred=True))
        return made

    @pytest.fixture
    def bodies(self) -> Mapping[tuple[str, ...], list[bytes]]:
        return {(): [b"content %d\n" % n * 300 * n for n in range(5)]}


class TestMemoryWholeSource(TestMemoryFileSource):
    whole = True


class TestMailbox(DestinationContract):
    opened: type = MailboxDestination

    @pytest.fixture
    def store(self) -> Store:
        return Store()

    @pytest.fixture
    def open_destination(self, store: Store) -> OpenDestination:
        return lambda: nullcontext(self.opened(store))

    @pytest.fixture
    def deliver(self, store: Store) -> Callable[[Place, bytes], object] | None:
        return store.deliver

    @pytest.fixture
    def remove(self, store: Store) -> Callable[[Receipt], None]:
        return lambda receipt: store.remove(receipt.place, receipt.id)


class TestPlainMailbox(TestMailbox):
    opened = PlainMailboxDestination


class TestFolder(TestMailbox):
    kind = Kind.FILE
    opened = FolderDestination

    @pytest.fixture
    def deliver(self) -> None:
        return None


class TestTree(TreeDestinationContract):
    @pytest.fixture
    def store(self) -> Store:
        return Store()

    @pytest.fixture
    def owner(self, store: Store) -> Tree:
        return Tree(store)

    @pytest.fixture
    def open_destination(self, store: Store) -> OpenDestination:
        return lambda: nullcontext(TreeDestination(store, people=frozenset({"ben"})))

    @pytest.fixture
    def somebody(self) -> str:
        return "ben"
