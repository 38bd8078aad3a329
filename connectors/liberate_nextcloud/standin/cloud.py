"""What all parts of the stand-in share: its files as users see them, its rules, its locks and its limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from liberate_nextcloud.standin import errors
from liberate_nextcloud.standin.accounts import Accounts
from liberate_nextcloud.standin.exchange import Request
from liberate_nextcloud.standin.names import NameRules, decoded
from liberate_nextcloud.standin.store import Node, Store

BASE = "/remote.php/dav/"
ALL = 31  # permissions: read 1, update 2, create 4, delete 8, share 16
UPDATE, CREATE, DELETE, SHARE = 2, 4, 8, 16
_UPLOADS_LAST = 86_400.0


@dataclass(slots=True)
class Switches:
    """How this server is set up. Tests change it while it runs."""

    maintenance: bool = False
    needs_upgrade: bool = False
    bulk_upload: bool = True  # whether the capabilities name it
    bulk_answers: bool = True  # whether it is there at all
    rate_limit: bool = True  # of making shares: 20 in 600 seconds
    team_folders: bool = True  # the app "groupfolders"
    tagging: bool = True
    commenting: bool = True
    trash: bool = True
    versions: bool = True
    link_sharing: bool = True
    group_sharing: bool = True
    names: NameRules = field(default_factory=NameRules)
    assembly: float = 0.0  # seconds that putting chunks together takes
    assembly_goes_on: bool = True  # when the client no longer waits for it
    writers: int | None = None  # more than so many at a time: 503 "database is locked", as on SQLite
    latency: float = 0.0  # seconds that each request takes at least
    chunk_wish: int = 104_857_600
    parallel_wish: int = 5
    version: tuple[int, int, int, int] = (32, 0, 1, 2)


@dataclass(frozen=True, slots=True)
class Mount:
    """Something that stands in a user's home and belongs to somebody else."""

    node: Node
    permissions: int
    kind: str  # "shared" or "group"


class Cloud:
    """The server's state. `mounts` is set by what shares; until then nothing is."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.store = Store(folder, clock)
        self.accounts = Accounts(self.store, clock)
        self.switches = Switches()
        self.mount_sources: list[Callable[[str], dict[str, Mount]]] = []
        self._locks: set[str] = set()
        self._locks_lock = threading.Lock()
        self.instance = self.store.instance

    # Files as a user sees them -------------------------------------------------------------------

    def home(self, user: str) -> Node:
        return self.store.root(f"{user}/files")

    def mounts(self, user: str) -> dict[str, Mount]:
        found: dict[str, Mount] = {}
        for source in self.mount_sources:
            found |= source(user)
        return found

    def find(self, user: str, parts: tuple[str, ...]) -> Node | None:
        """What stands there for that user."""
        home = self.home(user)
        node = home.at(parts)
        if node is None and parts and (mount := self.mounts(user).get(parts[0])) is not None:
            return mount.node.at(parts[1:])
        return node

    def permissions(self, user: str, parts: tuple[str, ...]) -> int:
        """What the user may do there; ALL in their own files."""
        if parts and parts[0] not in (self.home(user).children or {}):
            mount = self.mounts(user).get(parts[0])
            return mount.permissions if mount is not None else ALL
        return ALL

    def children(self, user: str, node: Node) -> list[tuple[str, Node]]:
        """What stands in a folder, by name."""
        listed = [(child.name, child) for child in node.sorted()]
        if node.parent is None and node is self.home(user) and (mounts := self.mounts(user)):
            taken = {name for name, _ in listed}
            listed += [(name, mount.node) for name, mount in mounts.items() if name not in taken]
            listed.sort(key=lambda one: one[0])
        return listed

    def missing(self, user: str, parts: tuple[str, ...]) -> errors.Refusal:
        """The refusal that names the first folder or file on the way there that is not there."""
        for depth in range(1, len(parts)):
            if self.find(user, parts[:depth]) is None:
                return errors.not_located("/" + "/".join(parts[:depth]))
        return errors.not_located("/" + "/".join(parts))

    def parent_of(self, user: str, parts: tuple[str, ...]) -> Node | None:
        return self.find(user, parts[:-1])

    def file_id(self, node: Node) -> str:
        """As in the header OC-FileId."""
        return f"{node.id:08d}{self.instance}"

    # Limits --------------------------------------------------------------------------------------

    def room(self, user: str) -> int:
        """How many bytes more the user may have; negative: there is no limit."""
        quota = self.accounts.users[user].quota
        if quota < 0:
            return quota
        return max(0, quota - self.home(user).size)

    def check_room(self, user: str, parts: tuple[str, ...], needed: int) -> None:
        """Raises 507. What a new version replaces does not count as free, since it is kept."""
        room = self.room(user)
        if 0 <= room < needed:
            raise errors.insufficient_storage("/" + "/".join(parts), needed, room)

    # Locks ---------------------------------------------------------------------------------------

    def lock(self, user: str, parts: tuple[str, ...]) -> bool:
        """Take the lock of that path; False: somebody has it."""
        key = _key(user, parts)
        with self._locks_lock:
            if any(_touches(key, held) for held in self._locks):
                return False
            self._locks.add(key)
            return True

    def unlock(self, user: str, parts: tuple[str, ...]) -> None:
        with self._locks_lock:
            self._locks.discard(_key(user, parts))

    @contextmanager
    def held(self, user: str, parts: tuple[str, ...]) -> Iterator[None]:
        """The path is locked for others meanwhile. Raises 423."""
        if not self.lock(user, parts):
            raise errors.locked("files/" + "/".join(parts))
        try:
            yield
        finally:
            self.unlock(user, parts)

    # Where a request wants something -------------------------------------------------------------

    def destination(self, request: Request) -> tuple[str, ...]:
        """The segments below /remote.php/dav/ that the header Destination names. Raises Refusal."""
        told = request.header("destination")
        if not told:
            raise errors.bad_request("The destination header was not supplied")
        path = urlsplit(told).path
        if not path.startswith(BASE):
            raise errors.forbidden(f"Requested uri ({path}) is out of base uri ({BASE})")
        return decoded(path[len(BASE) :])


def _key(user: str, parts: tuple[str, ...]) -> str:
    return "/".join((user, *parts)) + "/"


def _touches(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)
