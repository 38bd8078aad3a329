"""A job between memory and a store on disk, for this process or for one that is killed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import liberate
from liberate.connector import Batch, Kind
from liberate.mail import Folder, MailFacts, Role
from liberate.report import Report
from liberate.testing.crash import Step, Trial
from liberate.testing.memory import (
    FolderDestination,
    MailboxDestination,
    MemoryManySource,
    MemorySource,
    PlainMailboxDestination,
    Shelf,
    Store,
    connector,
)
from liberate.testing.plans import plan

SOURCES = {"one by one": MemorySource, "together": MemoryManySource}
DESTINATIONS = ("mailbox", "plain mailbox", "folder")


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


def run(folder: Path, step: Step, source: str = "one by one", destination: str = "mailbox") -> Report:
    """The job whose ledger and store are in `folder`, carried on to its end."""
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "store")
    holds = files() if destination == "folder" else shelf()

    def opened(_account: Any) -> Any:
        if destination == "mailbox":
            return MailboxDestination(store, batch=Batch(3, 2000), step=step)
        if destination == "plain mailbox":
            return PlainMailboxDestination(store, step=step)
        return FolderDestination(store, step=step)

    made = plan(
        folder / "job",
        connector("source", source=lambda _account: SOURCES[source](holds, step=4)),
        connector("destination", destination=opened),
    )
    return liberate.migrate(made, step=step, workers=1, patience=1)


def run_here(argument: dict[str, str], step: Step) -> None:
    """For processes that are killed."""
    run(Path(argument["folder"]), step, argument["source"], argument["destination"])


def trial(folder: Path, source: str, destination: str) -> Trial:
    """The job in this folder, with nothing done yet."""
    return Trial(
        lambda step: run(folder, step, source, destination),
        lambda: Store(folder / "store").contents(),
        {"folder": str(folder), "source": source, "destination": destination},
    )
