"""A job between memory and a store on disk, for this process or for one that is killed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import liberate
from liberate.connector import Batch, Kind
from liberate.files import FileFacts, FilePolicy, Grant
from liberate.files import Role as GrantRole
from liberate.mail import Folder, MailFacts, Role
from liberate.people import Person
from liberate.report import Report
from liberate.testing.crash import Step, Trial
from liberate.testing.memory import FolderDestination, MailboxDestination, PlainMailboxDestination, connector
from liberate.testing.memory_files import Tree
from liberate.testing.memory_shelf import MemoryManySource, MemorySource, Shelf
from liberate.testing.memory_store import Store
from liberate.testing.memory_tree import TreeDestination
from liberate.testing.plans import plan

WHEN = datetime(2019, 5, 6, 7, 8, 9, tzinfo=UTC)
SOURCES = {"one by one": MemorySource, "together": MemoryManySource}
DESTINATIONS = ("mailbox", "plain mailbox", "folder", "tree")


def shelf() -> Shelf:
    """Twins, an empty one, one too large for memory, labels, special folders: each thing that has a path of its own."""
    made = Shelf()
    inbox = made.collection("INBOX", role="inbox")
    everything = made.collection("All Mail", role="archive")
    seen = frozenset({"\\Seen"})
    for n in range(3):
        made.put(inbox, f"inbox-{n}", b"Subject: %d\n\nbody %d\n" % (n, n), facts=MailFacts(seen))
    made.put(inbox, "twin-1", b"the same\r\n", facts=MailFacts())
    made.put(inbox, "twin-2", b"the same\r\n", facts=MailFacts())
    made.put(inbox, "empty", b"", facts=MailFacts())
    made.put(inbox, "large", b"0123456789\n" * 300, facts=MailFacts())
    labels = (Folder(("Project",)), Folder(("Project", "Board")), Folder((), Role.SENT))
    for n in range(2):
        made.put(everything, f"labelled-{n}", b"labelled %d\r\n" % n, facts=MailFacts(folders=labels))
    return made


def files() -> Shelf:
    """Files, two of them with one name."""
    made = Shelf()
    root = made.collection("Documents", kind=Kind.FILE)
    for n, name in enumerate(["a.txt", "A.txt", "a.txt", "what?.txt", "empty"]):
        made.put(root, f"file-{n}", b"" if name == "empty" else b"content %d\n" % n * 200, name=name)
    return made


def drive() -> Shelf:
    """Folders in folders, twins by name, a file in pieces, one that is streamed, a star and a share."""
    made = Shelf()
    root = made.collection(kind=Kind.FILE)
    made.folder(root, "F1", "Board", modified=WHEN)
    made.folder(root, "F2", "Minutes", "F1", modified=WHEN)
    grants = (Grant("user", "bo@x", GrantRole.WRITER),)
    made.file(root, "a", "budget.ods", b"money", facts=FileFacts("F1", grants=grants, starred=True))
    made.file(root, "b", "same", b"we met", "F2")
    made.file(root, "c", "same", b"we met again", "F2")
    made.file(root, "d", "film.mp4", b"0123456789" * 7_000, "F1")
    made.file(root, "e", "stream.bin", b"0123456789" * 3_000, "F1")
    return made


HOLDS = {"folder": files, "tree": drive}


def run(folder: Path, step: Step, source: str = "one by one", destination: str = "mailbox") -> Report:
    """The job whose ledger and store are in `folder`, carried on to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "store")
    holds = HOLDS.get(destination, shelf)()

    def opened(_account: Any) -> Any:
        if destination == "mailbox":
            return MailboxDestination(store, batch=Batch(3, 2000), step=step)
        if destination == "plain mailbox":
            return PlainMailboxDestination(store, step=step)
        if destination == "tree":
            return TreeDestination(store, step=step)
        return FolderDestination(store, step=step)

    made = plan(
        folder / "job",
        connector("source", source=lambda _account: SOURCES[source](holds, step=4)),
        connector("destination", destination=opened),
        people=(Person("", ""), Person("bo@x", "bo", action="skip")),
        files=FilePolicy(shares=frozenset({"people"})),
    )
    return liberate.migrate(made, step=step, workers=1, patience=1)


def run_here(argument: dict[str, str], step: Step) -> None:
    """For processes that are killed."""
    run(Path(argument["folder"]), step, argument["source"], argument["destination"])


def trial(folder: Path, source: str, destination: str) -> Trial:
    """The job in this folder, with nothing done yet."""

    def contents() -> Any:
        store = Store(folder / "store")
        return Tree(store).contents() if destination == "tree" else store.contents()

    return Trial(
        lambda step: run(folder, step, source, destination),
        contents,
        {"folder": str(folder), "source": source, "destination": destination},
    )
