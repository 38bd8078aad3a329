"""The Drives of an organisation: files, who may see them, and what changed, exactly as they were put in."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from liberate_google.standin.content import Blob, Content, Stored
from liberate_google.standin.documents import GOOGLE
from liberate_google.standin.errors import ApiError

FOLDER = GOOGLE + "folder"
SHORTCUT = GOOGLE + "shortcut"
RANK = ("reader", "commenter", "writer", "fileOrganizer", "organizer", "owner")
"""Roles, least first."""


@dataclass(slots=True)
class Permission:
    """Who may do what with a file, and with what is in it."""

    type: str  # user, group, domain, anyone
    who: str  # address or domain; "" for anyone
    role: str
    expires: str | None = None
    deleted: bool = False

    @property
    def id(self) -> str:
        """The same for the same person everywhere."""
        if self.type == "anyone":
            return "anyoneWithLink"
        return str(int(hashlib.sha256(f"{self.type}:{self.who}".encode()).hexdigest()[:15], 16)).zfill(20)


@dataclass(slots=True)
class Revision:
    """An earlier or the present state of a file's bytes."""

    id: str
    blob: Blob
    modified: float


@dataclass(slots=True, eq=False)
class DriveFile:
    """A file, folder, shortcut or document of Google's."""

    id: str
    number: int  # files are listed newest first
    name: str
    mime: str
    parents: list[str]  # one; several in old drives
    owner: str  # "" in a shared drive
    drive: str  # id of the shared drive; "" in a person's
    created: float
    modified: float
    blob: Blob | None = None
    text: str = ""  # of a document of Google's
    filler: Content | None = None  # what makes its export large
    permissions: list[Permission] = field(default_factory=list)
    limited: bool = False  # a folder with limited access: it inherits from none above
    starred: set[str] = field(default_factory=set)
    description: str = ""
    trashed: bool = False  # by itself
    target: str = ""
    target_mime: str = ""
    comments: list[dict[str, Any]] = field(default_factory=list)
    revisions: list[Revision] = field(default_factory=list)
    abusive: bool = False
    can_download: bool = True
    encrypted: bool = False  # with a key that Google does not have
    version: int = 1
    told: dict[str, Any] = field(default_factory=dict)  # what the API says of it otherwise than it is

    @property
    def folder(self) -> bool:
        return self.mime == FOLDER


@dataclass(slots=True)
class SharedDrive:
    """A drive that belongs to the organisation. Its members' permissions stand on its outermost folder."""

    id: str
    name: str
    created: float


class Event(NamedTuple):
    """One record of the changes: who could see the file before it or after it."""

    number: int
    file: str
    drive: str
    viewers: frozenset[str]
    time: float


class DriveStore:
    """Every Drive of the organisation. Every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lock = threading.RLock()
        self.files: dict[str, DriveFile] = {}
        self.roots: dict[str, str] = {}  # address -> id of its outermost folder
        self.drives: dict[str, SharedDrive] = {}
        self.groups: dict[str, set[str]] = {}
        self.admins: set[str] = set()
        self.events: list[Event] = []
        self.incomplete = False  # whether a search says that it did not look everywhere
        self.largest_export = 10_000_000
        self._oldest = 0  # tokens up to here have expired
        self._clock = clock
        self._children: dict[str, dict[str, None]] = defaultdict(dict)
        self._numbers = 0

    # People, groups and drives -------------------------------------------------------------------

    def add_user(self, address: str) -> str:
        """A person with an empty Drive; the id of its outermost folder."""
        address = address.lower()
        with self.lock:
            if address not in self.roots:
                root = self._new("My Drive", FOLDER, [], address, "", None, prefix="0A")
                self.roots[address] = root.id
            return self.roots[address]

    def add_group(self, address: str, members: Iterable[str]) -> None:
        self.groups[address.lower()] = {member.lower() for member in members}

    def add_shared_drive(self, name: str, members: dict[str, str]) -> str:
        """A shared drive; its id. `members` are roles by address."""
        with self.lock:
            root = self._new(name, FOLDER, [], "", "", None, prefix="0A", suffix="Uk9PVA")
            root.drive = root.id
            root.permissions = [
                Permission("group" if who.lower() in self.groups else "user", who.lower(), role)
                for who, role in members.items()
            ]
            self.drives[root.id] = SharedDrive(root.id, name, root.created)
            return root.id

    # Putting things in ---------------------------------------------------------------------------

    def add_file(
        self,
        owner: str,
        name: str,
        content: bytes | Content = b"",
        *,
        parent: str | None = None,
        mime: str = "application/octet-stream",
        modified: float | None = None,
    ) -> str:
        """A file with bytes; its id. `owner` is a person's address or the id of a shared drive."""
        blob = Blob(Stored(content) if isinstance(content, bytes) else content)
        with self.lock:
            file = self._put(owner, name, mime, parent, modified, blob=blob)
            file.revisions.append(Revision(_key("0B", f"{file.id}:1", 40), blob, file.modified))
            return self._made(file)

    def add_folder(self, owner: str, name: str, *, parent: str | None = None, modified: float | None = None) -> str:
        with self.lock:
            return self._made(self._put(owner, name, FOLDER, parent, modified))

    def add_document(
        self,
        owner: str,
        name: str,
        kind: str = "document",
        text: str = "",
        *,
        parent: str | None = None,
        filler: Content | None = None,
        modified: float | None = None,
    ) -> str:
        """A document of Google's: "document", "spreadsheet", "form" and so on."""
        with self.lock:
            file = self._put(owner, name, GOOGLE + kind, parent, modified)
            file.text, file.filler = text, filler
            return self._made(file)

    def add_shortcut(self, owner: str, name: str, target: str, *, parent: str | None = None) -> str:
        with self.lock:
            file = self._put(owner, name, SHORTCUT, parent, None)
            file.target = target
            file.target_mime = self.files[target].mime if target in self.files else "application/octet-stream"
            return self._made(file)

    def _put(
        self, owner: str, name: str, mime: str, parent: str | None, modified: float | None, blob: Blob | None = None
    ) -> DriveFile:
        drive = owner if owner in self.drives else ""
        above = parent if parent is not None else (drive or self.roots[owner.lower()])
        file = self._new(name, mime, [above], "" if drive else owner.lower(), drive, modified)
        file.blob = blob
        return file

    def _new(
        self,
        name: str,
        mime: str,
        parents: list[str],
        owner: str,
        drive: str,
        modified: float | None,
        prefix: str = "1",
        suffix: str = "",
    ) -> DriveFile:
        self._numbers += 1
        key = _key(prefix, f"{self._numbers}:{name}:{owner}{drive}", 19 if prefix == "0A" else 33)
        key = key[: len(key) - len(suffix)] + suffix
        now = self._clock()
        file = DriveFile(
            key, self._numbers, name, mime, parents, owner, drive, now, now if modified is None else modified
        )
        self.files[key] = file
        for one in parents:
            self._children[one][key] = None
        return file

    def _made(self, file: DriveFile) -> str:
        self._record([(file, frozenset())])
        return file.id

    # Changing ------------------------------------------------------------------------------------

    def change(self, key: str, content: bytes | Content) -> None:
        """New bytes under the same id."""
        with self.lock:
            file = self.files[key]
            before = self.viewers(file)
            file.blob = Blob(Stored(content) if isinstance(content, bytes) else content)
            file.modified = max(self._clock(), file.modified + 1)
            file.revisions.append(
                Revision(_key("0B", f"{file.id}:{len(file.revisions) + 1}", 40), file.blob, file.modified)
            )
            self._record([(file, before)])

    def edit(self, key: str, text: str) -> None:
        """New words in a document of Google's."""
        with self.lock:
            file = self.files[key]
            before = self.viewers(file)
            file.text, file.modified = text, max(self._clock(), file.modified + 1)
            self._record([(file, before)])

    def rename(self, key: str, name: str) -> None:
        with self.lock:
            file = self.files[key]
            before = self.viewers(file)
            file.name = name
            self._record([(file, before)])

    def move(self, key: str, *parents: str) -> None:
        """Into another folder; into several, as could be done until 2020."""
        with self.lock:
            file = self.files[key]
            before = self._seen(file)
            for one in file.parents:
                self._children[one].pop(key, None)
            file.parents = list(parents)
            for one in parents:
                self._children[one][key] = None
            self._record(before, only_changed=file)

    def share(self, key: str, who: str, role: str = "reader", type: str = "user", expires: str | None = None) -> None:  # noqa: A002 - as Drive names it
        with self.lock:
            file = self.files[key]
            before = self._seen(file)
            kind = "group" if type == "user" and who.lower() in self.groups else type
            self._unshared(file, kind, who)
            file.permissions.append(Permission(kind, who.lower(), role, expires))
            self._record(before, only_changed=file)

    def limit(self, key: str) -> None:
        """Limit access to a folder: whoever sees those above it does not see what is in this one."""
        with self.lock:
            before = self._seen(self.files[key])
            self.files[key].limited = True
            self._record(before)

    def unshare(self, key: str, who: str, type: str = "user") -> None:  # noqa: A002
        with self.lock:
            file = self.files[key]
            before = self._seen(file)
            self._unshared(file, type, who)
            self._record(before, only_changed=file)

    @staticmethod
    def _unshared(file: DriveFile, kind: str, who: str) -> None:
        file.permissions = [one for one in file.permissions if (one.type, one.who) != (kind, who.lower())]

    def trash(self, key: str, trashed: bool = True) -> None:
        """Into the trash with all that is in it, or out of it."""
        with self.lock:
            file = self.files[key]
            before = self._seen(file)
            file.trashed = trashed
            self._record(before)

    def delete(self, key: str) -> None:
        """For good, a folder with all that is in it."""
        with self.lock:
            before = self._seen(self.files[key])
            for file, viewers in before:
                del self.files[file.id]
                for one in file.parents:
                    self._children[one].pop(file.id, None)
                self._note(file, viewers)

    def touched(self, key: str) -> None:
        """Something about the file was changed by hand: tell it."""
        with self.lock:
            self._record([(self.files[key], self.viewers(self.files[key]))])

    # Who sees what -------------------------------------------------------------------------------

    def above(self, file: DriveFile) -> Iterator[DriveFile]:
        """The folders it stands in, at any height, each once."""
        seen = {file.id}
        waiting = list(file.parents)
        while waiting:
            key = waiting.pop()
            found = self.files.get(key)
            if found is not None and key not in seen:
                seen.add(key)
                yield found
                waiting.extend(found.parents)

    def below(self, file: DriveFile) -> Iterator[DriveFile]:
        """It and all that is in it."""
        seen = {file.id}
        waiting = [file.id]
        while waiting:
            found = self.files.get(waiting.pop())
            if found is not None:
                yield found
                fresh = [key for key in self._children.get(found.id, ()) if key not in seen]
                seen.update(fresh)
                waiting.extend(fresh)

    def effective(self, file: DriveFile) -> list[tuple[Permission, bool]]:
        """All permissions on it, the owner's first, each with whether it comes from a folder above."""
        best: dict[tuple[str, str], tuple[Permission, bool]] = {}
        now = datetime.fromtimestamp(self._clock(), UTC).isoformat()

        def offer(one: Permission, inherited: bool) -> None:
            if one.expires is not None and one.expires < now:
                return
            known = best.get((one.type, one.who))
            if known is None or RANK.index(known[0].role) < RANK.index(one.role):
                best[one.type, one.who] = one, inherited

        if file.owner:
            offer(Permission("user", file.owner, "owner"), False)
        for one in file.permissions:
            offer(one, False)
        limited = file.limited
        for folder in self.above(file):
            if limited:  # managers of a shared drive, and the owner's own, see it all the same
                for one in folder.permissions if folder.id == file.drive else ():
                    if one.role == "organizer":
                        offer(one, True)
                continue
            limited = folder.limited
            if folder.owner and folder.owner != file.owner:
                offer(Permission("user", folder.owner, "writer"), True)
            for one in folder.permissions:
                offer(one, True)
        return list(best.values())

    def role(self, file: DriveFile, user: str, *, by_link: bool = True) -> str | None:
        """The most that the person may do; None: they may not even see it."""
        best: str | None = None
        for one, _ in self.effective(file):
            fits = (
                (one.type == "user" and one.who == user)
                or (one.type == "group" and user in self.groups.get(one.who, ()))
                or (by_link and one.type == "domain" and user.rpartition("@")[2] == one.who)
                or (by_link and one.type == "anyone")
            )
            if fits and (best is None or RANK.index(best) < RANK.index(one.role)):
                best = one.role
        return best

    def viewers(self, file: DriveFile) -> frozenset[str]:
        """Those in whose listings the file is; a link alone puts it into nobody's."""
        out: set[str] = set()
        for one, _ in self.effective(file):
            if one.type == "user":
                out.add(one.who)
            elif one.type == "group":
                out |= self.groups.get(one.who, set())
        return frozenset(out)

    def is_trashed(self, file: DriveFile) -> bool:
        return file.trashed or any(folder.trashed for folder in self.above(file))

    def get(self, key: str, user: str) -> DriveFile:
        """The file, if the person may see it. ApiError 404 otherwise: Drive does not tell the two apart."""
        file = self.files.get(self.roots.get(user, "") if key == "root" else key)
        if file is None or self.role(file, user) is None:
            raise ApiError(404, "notFound", f"File not found: {key}.")
        return file

    # Changes -------------------------------------------------------------------------------------

    @property
    def token(self) -> int:
        """Where the changes go on."""
        return len(self.events) + 1

    def since(self, token: str) -> list[Event]:
        """What happened from that token on; ApiError 400 for one that never was."""
        if not token.isdigit() or not self._oldest < int(token) <= self.token:
            raise ApiError(400, "invalid", f"Invalid Value: {token}")
        return self.events[int(token) - 1 :]

    def forget_changes(self) -> None:
        """Make every token given out so far worthless."""
        with self.lock:
            self.events.append(Event(self.token, "", "", frozenset(), self._clock()))
            self._oldest = self.token - 1

    def _seen(self, file: DriveFile) -> list[tuple[DriveFile, frozenset[str]]]:
        return [(one, self.viewers(one)) for one in self.below(file)]

    def _record(self, before: list[tuple[DriveFile, frozenset[str]]], only_changed: DriveFile | None = None) -> None:
        """Tell of each file; with `only_changed`, of that one and of those that others can see now."""
        for file, viewers in before:
            now = self.viewers(file)
            if only_changed is None or file is only_changed or viewers != now:
                file.version += 1
                self._note(file, viewers | now)

    def _note(self, file: DriveFile, viewers: frozenset[str]) -> None:
        self.events.append(Event(self.token, file.id, file.drive, viewers, self._clock()))


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _key(prefix: str, seed: str, length: int) -> str:
    """An id as Drive makes them, the same for the same seed."""
    raw = hashlib.sha512(seed.encode("utf-8", "surrogatepass")).digest()
    return prefix + "".join(_LETTERS[byte % 64] for byte in raw)[: length - len(prefix)]
