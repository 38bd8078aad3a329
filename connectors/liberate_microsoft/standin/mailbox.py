"""The stand-in's mailboxes: folders, messages, and what changed when."""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from liberate_microsoft.standin.tree import Blob

WELL_KNOWN = {
    "inbox": "Inbox",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted Items",
    "junkemail": "Junk Email",
    "archive": "Archive",
    "outbox": "Outbox",
}
"""What every mailbox has, and what it is called in English."""
_FURTHER = {"conflicts": ("Conflicts", "syncissues"), "localfailures": ("Local Failures", "syncissues"),
            "serverfailures": ("Server Failures", "syncissues"), "syncissues": ("Sync Issues", ""),
            "scheduled": ("Scheduled", ""), "conversationhistory": ("Conversation History", ""),
            "clutter": ("Clutter", ""), "searchfolders": ("Search Folders", "outside"),
            "recoverableitemsdeletions": ("Deletions", "outside")}  # fmt: skip


@dataclass(slots=True)
class MailFolder:
    """A folder of one mailbox."""

    id: str
    name: str
    parent: str  # the id of the one above; "" of the root, and of what stands outside of the tree
    well_known: str = ""
    hidden: bool = False
    search: bool = False
    extra: int = 0  # things it counts and that are no messages
    epoch: int = 1  # of its delta's tokens
    left: dict[int, int] = field(default_factory=dict)  # numbers of messages that went, with when


@dataclass(slots=True)
class Letter:
    """A message."""

    number: int
    folder: str
    blob: Blob
    received: datetime
    sent: datetime
    modified: datetime
    read: bool = False
    draft: bool = False
    flag: str = "notFlagged"
    importance: str = "normal"
    categories: tuple[str, ...] = ()
    last_verb: int | None = None  # 102, 103: answered; 104: forwarded
    meeting: bool = False  # an eventMessage
    unwritable: bool = False  # $value fails: ErrorContentConversionFailed
    untellable: bool = False  # every page that it stands on fails so
    protected: bool = False  # $value is forbidden
    changed: int = 0
    entered: int = 0  # when it came into this folder
    altered: int = 0  # when something else than `read` changed
    changes: int = 1

    @property
    def raw(self) -> bytes:
        return self.blob.read()


class Mailbox:
    """One mailbox. Its own methods are what its owner does in Outlook."""

    def __init__(self, address: str, clock: Callable[[], float], names: dict[str, str] | None = None) -> None:
        self.address = address
        self.lock = threading.RLock()
        self.enabled = True  # False: MailboxNotEnabledForRESTAPI
        self.refuses = False  # True: the app's scope does not reach it
        self.shared = False
        self.archive = False  # whether there is an in-place archive
        self.regenerates = True  # $value has other bytes at each fetch
        self.empty_first = False  # a delta's first page has nothing but a link
        self.expired_as = (410, "SyncStateNotFound")
        self.folders: dict[str, MailFolder] = {}
        self.letters: dict[int, Letter] = {}
        self._by_id: dict[str, int] = {}
        self.sequence = 0
        self._clock = clock
        self._numbers = itertools.count(1)
        self._fetches = itertools.count(1)
        self.root = self._folder("Top of Information Store", "", "msgfolderroot")
        for known, name in WELL_KNOWN.items():
            self._folder((names or {}).get(known, name), self.root.id, known)

    # Folders -------------------------------------------------------------------------------------

    def _folder(
        self, name: str, parent: str, known: str = "", *, hidden: bool = False, search: bool = False
    ) -> MailFolder:
        key = "AQMk" + _text(f"{self.address} folder {len(self.folders)}", 60) + "AAA="
        self.folders[key] = made = MailFolder(key, name, parent, known, hidden, search)
        return made

    def folder(self, name: str) -> MailFolder:
        """The folder by its well-known name, its id, or its path with slashes. KeyError: there is none."""
        if name in self.folders:
            return self.folders[name]
        for one in self.folders.values():
            if one.well_known and one.well_known == name.lower():
                return one
        found: MailFolder = self.root
        for step in name.split("/"):
            found = next((one for one in self.children(found.id) if one.name == step), None) or _none(name)
        return found

    def children(self, parent: str) -> list[MailFolder]:
        return [one for one in self.folders.values() if one.parent == parent and one.id != parent]

    def add_folder(self, name: str, parent: str = "", *, hidden: bool = False, search: bool = False) -> MailFolder:
        """A new folder below the one named; below the root without a name."""
        with self.lock:
            above = self.folder(parent) if parent else self.root
            return self._folder(name, above.id, hidden=hidden, search=search)

    def add_well_known(self, known: str) -> MailFolder:
        """One of the well-known folders that not every mailbox has."""
        name, where = _FURTHER[known]
        with self.lock:
            if where == "outside":
                return self._folder(name, "outside", known)
            return self._folder(name, self.folder(where).id if where else self.root.id, known)

    def rename(self, folder: str, name: str) -> None:
        with self.lock:
            self.folder(folder).name = name

    def move_folder(self, folder: str, to: str) -> None:
        with self.lock:
            self.folder(folder).parent = self.folder(to).id if to else self.root.id

    def delete_folder(self, folder: str) -> None:
        """Delete it for good, with all that is in it."""
        with self.lock:
            gone = self.folder(folder)
            for one in self.inside(gone.id):
                self.delete(one)
            del self.folders[gone.id]

    def inside(self, folder: str) -> list[Letter]:
        """The messages of the folder with this id, in the order in which they came in."""
        with self.lock:
            return [one for one in self.letters.values() if one.folder == folder]

    # Messages ------------------------------------------------------------------------------------

    def add(self, raw: bytes | Blob, folder: str = "inbox", **facts: Any) -> Letter:
        """A new message; `facts` are fields of Letter."""
        with self.lock:
            number = next(self._numbers)
            at = facts.pop("received", None) or datetime.fromtimestamp(self._clock(), UTC)
            blob = raw if isinstance(raw, Blob) else Blob.of(raw)
            made = Letter(
                number,
                self.folder(folder).id,
                blob,
                at,
                facts.pop("sent", at),
                datetime.fromtimestamp(self._clock(), UTC),
            )
            for name, value in facts.items():
                setattr(made, name, value)
            self.letters[number] = made
            self._by_id[self.id_of(made, immutable=True)] = number
            made.entered = self._touch(made)
            return made

    def change(self, letter: Letter, **facts: Any) -> None:
        """Other flags, categories and so on."""
        with self.lock:
            for name, value in facts.items():
                setattr(letter, name, value)
            if facts.keys() == {"read"}:  # which makes no new version of it, and is told in fewer words
                self.sequence += 1
                letter.changed = self.sequence
            else:
                self._touch(letter)

    def edit(self, draft: Letter, raw: bytes) -> None:
        """The person goes on writing."""
        self.change(draft, blob=Blob.of(raw))

    def send(self, draft: Letter) -> None:
        """The draft is sent: it keeps its immutable id and stands among what was sent."""
        with self.lock:
            self.move(draft, "sentitems")
            self.change(draft, draft=False, read=True)

    def move(self, letter: Letter, folder: str) -> None:
        """Into another folder. Its immutable id stays, its other one does not."""
        with self.lock:
            there = self.folder(folder).id
            before = self.folders.get(letter.folder)
            letter.folder = there
            letter.entered = self._touch(letter)
            if before is not None:
                before.left[letter.number] = self.sequence

    def delete(self, letter: Letter) -> None:
        """For good: it can be had no more."""
        with self.lock:
            del self.letters[letter.number]
            self.sequence += 1
            folder = self.folders.get(letter.folder)
            if folder is not None:
                folder.left[letter.number] = self.sequence

    def _touch(self, letter: Letter) -> int:
        self.sequence += 1
        letter.changed = letter.altered = self.sequence
        letter.changes += 1
        stamp = max(self._clock(), letter.modified.timestamp() + 1)  # no two versions within one second
        letter.modified = datetime.fromtimestamp(stamp, UTC)
        return self.sequence

    def expire_tokens(self, folder: str = "") -> None:
        """Every delta token given so far, of one folder or of all, is refused from now on."""
        with self.lock:
            for one in [self.folder(folder)] if folder else self.folders.values():
                one.epoch += 1

    # Ids and bytes -------------------------------------------------------------------------------

    def id_of(self, letter: Letter, *, immutable: bool) -> str:
        """Its id. Two neighbours' ids differ in case only; the id that is not immutable changes with each move."""
        return self.id_of_number(letter.number, letter.folder, letter.entered, immutable=immutable)

    def id_of_number(self, number: int, folder: str, entered: int = 0, *, immutable: bool) -> str:
        """The id of the message with that number, which may be gone."""
        if immutable:
            text = _text(f"{self.address} {number // 2}", 48)
            return "AAkALgAAAAAAHYQ" + (text.swapcase() if number % 2 else text) + "AAA="
        return "AAMkAG" + _text(f"{self.address} {number} {folder} {entered}", 80) + "AAA="

    def letter(self, key: str, *, immutable: bool) -> Letter | None:
        """The message of that id, in that form and no other; None: there is none."""
        with self.lock:
            if immutable:
                return self.letters.get(self._by_id.get(key, 0))
            return next((one for one in self.letters.values() if self.id_of(one, immutable=False) == key), None)

    def mime(self, letter: Letter) -> Blob:
        """What $value gives this time: written anew, with its headers in another order, if the mailbox does that."""
        if not self.regenerates or letter.blob.data is None:
            return letter.blob
        return Blob.of(regenerated(letter.blob.data, next(self._fetches)))


def regenerated(raw: bytes, times: int) -> bytes:
    """The message as Exchange may write it at its nth fetch: the same headers in another order."""
    lines, rest = _headers(raw)
    turn = times % len(lines)
    return b"\r\n".join([*lines[turn:], *lines[:turn]]) + rest


def sorted_form(raw: bytes) -> bytes:
    """The same bytes for every fetch of one message."""
    lines, rest = _headers(raw)
    return b"\r\n".join(sorted(lines)) + rest


def _headers(raw: bytes) -> tuple[list[bytes], bytes]:
    """The headers, each with its folded lines, and all that follows."""
    head, gap, body = raw.partition(b"\r\n\r\n")
    lines: list[bytes] = []
    for line in head.split(b"\r\n"):
        if line[:1] in (b" ", b"\t") and lines:
            lines[-1] += b"\r\n" + line
        else:
            lines.append(line)
    return lines, gap + body


def walk(mailbox: Mailbox) -> Iterator[tuple[tuple[str, ...], MailFolder]]:
    """Every folder of the tree with its path."""

    def below(above: MailFolder, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], MailFolder]]:
        for one in mailbox.children(above.id):
            yield (*path, one.name), one
            yield from below(one, (*path, one.name))

    yield from below(mailbox.root, ())


def _none(name: str) -> MailFolder:
    raise KeyError(name)


def _text(seed: str, length: int) -> str:
    return base64.urlsafe_b64encode(hashlib.shake_128(seed.encode()).digest(length)).decode()[:length]
