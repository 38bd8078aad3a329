"""A mailbox on an IMAP server, as a source: read, and never changed.

Folders are opened with EXAMINE and bodies asked for with BODY.PEEK, so that not even a \\Seen flag
changes. RFC822.SIZE, which some servers only estimate, decides nothing; it only raises doubts.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from liberate.connector import Account, Collection, Cursor, Item, Kind, Listed, Loaded, Renumbered, Skipped, Survey
from liberate.errors import ItemError, TransientError
from liberate.mail import SYSTEM_FLAGS, MailFacts, Role
from liberate_imap import fetch, names, refusals
from liberate_imap.grammar import chunks, internaldate, uid_set
from liberate_imap.session import Listed as Folder
from liberate_imap.session import Selected, Session, role_of
from liberate_imap.settings import ImapSettings
from liberate_imap.wire import Step

if TYPE_CHECKING:
    from types import TracebackType

_CURSOR = re.compile(r"\d+:\d+:\d+")
_PAGE = 500  # messages listed with one question
_READ = 200  # messages read with one question
_VIEWS = frozenset({"\\all", "\\flagged", "\\important"})  # RFC 6154, RFC 8457: they repeat other folders' messages
_SYSTEM = {flag.lower(): flag for flag in SYSTEM_FLAGS}


class ImapSource:
    """One connection to one account; opened when it is entered, closed when it is left."""

    def __init__(self, settings: ImapSettings, account: Account, *, step: Step | None = None) -> None:
        self._settings = settings
        self._account = account
        self._step = step
        self._session: Session | None = None

    def __enter__(self) -> Self:
        self._session = Session(self._settings, self._account, self._step)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.close()

    @property
    def _open(self) -> Session:
        if self._session is None:
            raise TransientError(f"The connection to {self._settings.host} is closed.")
        return self._session

    # Collections ---------------------------------------------------------------------------------

    def collections(self) -> Iterator[Collection]:
        """Every folder that holds messages of its own; its id is the mailbox's name as the server has it."""
        folders = list(self._folders())
        claimed = {role for folder in folders if (role := role_of(folder)) is not None}
        for folder in folders:
            path = self._path(folder)
            role = Role.INBOX if folder.name.upper() == "INBOX" else role_of(folder)
            if role is None and len(path) == 1 and (by_name := names.role_by_name(path[0])) not in claimed:
                role = by_name
                if role is not None:
                    claimed.add(role)
            status = self._open.status(folder.name, "MESSAGES")
            yield Collection(folder.name, path, Kind.MAIL, role=role, count=status.messages if status else None)

    def survey(self) -> Survey:
        """What the server counts, folder by folder; bytes only if it says them for every folder."""
        counts: dict[tuple[str, ...], int] = {}
        total: int | None = 0
        wanted = ("MESSAGES", "SIZE") if self._open.has("STATUS=SIZE") else ("MESSAGES",)
        for folder in self._folders():
            status = self._open.status(folder.name, *wanted)
            counts[self._path(folder)] = (status.messages if status else None) or 0
            size = status.size if status else None
            total = total + size if total is not None and size is not None else None
        return Survey(sum(counts.values()), counts, total)

    def _folders(self) -> Iterator[Folder]:
        base = self._base()
        for folder in sorted(self._open.folders(), key=lambda folder: folder.name):
            if (
                not folder.selectable
                or folder.name.startswith(self._open.foreign)
                or (not self._settings.views and folder.attributes & _VIEWS)
            ):
                continue
            if not base or folder.name == base or folder.name.startswith(base + self._open.separator):
                yield folder

    def _base(self) -> str:
        """The mailbox that `folder` of the settings names; "" for the whole account."""
        path = self._settings.folder_path
        if not path:
            return ""
        name = self._open.separator.join(path)
        return name if path[0].upper() == "INBOX" else self._open.prefix + name

    def _path(self, folder: Folder) -> tuple[str, ...]:
        """The folder's name as people read it, below the namespace's prefix and the folder of the settings."""
        if folder.name.upper() == "INBOX":
            return ("INBOX",)
        base = self._base()
        if base:
            inner = folder.name.removeprefix(base).removeprefix(self._open.separator)
        else:
            inner = folder.name.removeprefix(self._open.prefix)
        return tuple(inner.split(folder.separator)) if folder.separator and inner else ((inner,) if inner else ())

    # Listing -------------------------------------------------------------------------------------

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        """What the folder holds, in the order of arrival.

        A cursor is "UIDVALIDITY:UIDNEXT:HIGHESTMODSEQ". With CONDSTORE (RFC 7162) a later listing
        tells what is new and whose flags have changed, and costs one round trip if nothing has;
        without it everything is listed again. Expunged messages are not told: IMAP forgets them.
        """
        selected = self._examine(collection.id)
        here = Cursor(f"{selected.uidvalidity}:{selected.uidnext or 0}:{selected.highest_modseq or 0}")
        if since == here and selected.highest_modseq and selected.uidnext:
            yield here
            return
        if since is not None and not _CURSOR.fullmatch(since):
            since = None  # not one of ours: everything is listed
        validity, _, known = (since or "::").split(":")
        if since is not None and validity != str(selected.uidvalidity):
            yield Renumbered()
        query = b"ALL"
        # A mailbox brought back from a backup may stand where it stood before the cursor.
        if validity == str(selected.uidvalidity) and 0 < int(known or 0) <= (selected.highest_modseq or 0):
            query = b"MODSEQ %d" % (int(known) + 1)
        if selected.exists:
            for uids in chunks(self._search(query), _PAGE):
                for uid, said in self._described(collection.id, uids):
                    yield _listed(f"{selected.uidvalidity}:{uid}:{collection.id}", said)
        yield here

    def _search(self, query: bytes) -> list[int]:
        answer, data = self._open.ask(b"UID SEARCH " + query, b"SEARCH")
        if not answer.ok:
            raise self._open.refused(answer)
        return sorted({int(word) for segments in data for word in segments[0].split()[1:] if word.isdigit()})

    def _described(self, folder: str, uids: Sequence[int]) -> list[tuple[int, dict[str, object]]]:
        """UID and facts of a page: all of it is here before the caller asks for anything else."""
        self._open_again(folder)
        command = self._open.wire.begin(b"UID FETCH " + uid_set(uids) + b" (UID FLAGS INTERNALDATE)", fetch.is_fetch)
        answer = self._open.wire.wait(command)
        if not answer.ok:
            raise self._open.refused(answer)
        seen: dict[int, dict[str, object]] = {}
        for segments in command.data:
            said = fetch.fetched(self._open, segments)
            uid = said.get("UID")
            if isinstance(uid, bytes) and uid.isdigit():
                seen.setdefault(int(uid), {}).update(said)  # servers may tell news of flags in between
        return sorted(seen.items())

    def _examine(self, folder: str) -> Selected:
        selected = self._open.select(folder, writable=False, condstore=self._open.has("CONDSTORE"))
        if selected is None:
            raise TransientError(f"{self._open.whose} does not open the folder {folder} now.")
        return selected

    def _open_again(self, folder: str) -> None:
        if self._open.selected != folder:
            self._examine(folder)

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        """The message's bytes from `offset` on. Raises ItemError("gone") if it is no longer there."""
        validity, uid, folder = _parts(item)
        if self._examine(folder).uidvalidity != validity or not fetch.exists(self._open, [uid]):
            raise refusals.gone()
        try:
            yield from fetch.stream(self._open, uid, offset, lambda: self._open_again(folder))
        except fetch.Refused as error:
            if refusals.of_all(error.reply, self._open.whose):
                raise
            raise refusals.unreadable(error.reply, self._open.whose) from error

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        """See ReadsMany.read_many. Those too large to hold come after the others that were asked for with them."""
        folders: defaultdict[str, list[Item]] = defaultdict(list)
        for item in items:
            folders[_parts(item)[2]].append(item)
        for folder, group in folders.items():
            yield from self._read_many_in(folder, group)

    def _read_many_in(self, folder: str, items: list[Item]) -> Iterator[Loaded]:
        validity = self._examine(folder).uidvalidity
        wanted: dict[int, Item] = {}
        for item in items:
            given, uid, _ = _parts(item)
            if given == validity:
                wanted[uid] = item
            else:
                yield Loaded(item, refusals.gone())
        for uids in chunks(list(wanted), _READ):
            yield from self._loaded(folder, uids, wanted)

    def _loaded(self, folder: str, uids: Sequence[int], wanted: dict[int, Item]) -> Iterator[Loaded]:
        """What becomes of these UIDs, which are taken out of `wanted`."""
        self._open_again(folder)
        large: list[Item] = []
        refused: fetch.Refused | None = None
        before = len(wanted)
        try:
            for uid, data in fetch.bodies(self._open, uids, doubt=True):
                found = wanted.pop(uid, None)
                if found is None:
                    continue
                if data is None:
                    large.append(found)
                else:
                    yield Loaded(replace(found, size=len(data)), data)
        except fetch.Refused as error:
            refused = error
        for found in large:
            yield Loaded(found, None)
        left = [uid for uid in uids if uid in wanted]
        if refused is None:
            for uid in left:
                yield Loaded(wanted.pop(uid), refusals.gone())
        elif refusals.of_all(refused.reply, self._open.whose):
            raise refused
        elif len(uids) == 1:
            for uid in left:
                yield Loaded(wanted.pop(uid), refusals.unreadable(refused.reply, self._open.whose))
        else:
            yield from self._one_by_one(folder, left, wanted, refused, some_came=len(wanted) < before)

    def _one_by_one(
        self, folder: str, uids: Sequence[int], wanted: dict[int, Item], refused: fetch.Refused, *, some_came: bool
    ) -> Iterator[Loaded]:
        """The server would not hand over all of these together: which of them is it? Raises `refused` if it is all."""
        held: list[Loaded] = []
        for uid in uids:
            for one in self._loaded(folder, [uid], wanted):
                if isinstance(one.body, ItemError) and one.body.code == "unreadable":
                    held.append(one)
                else:
                    some_came = True
                    yield one
        if len(held) > 1 and not some_came:
            raise refused
        yield from held


def _parts(item: Item) -> tuple[int, int, str]:
    """UIDVALIDITY, UID and mailbox: an id holds all three, so that an item can be read without its listing."""
    validity, uid, folder = item.id.split(":", 2)
    return int(validity), int(uid), folder


def _listed(item_id: str, said: dict[str, object]) -> Item | Skipped:
    found = said.get("FLAGS")
    words = (
        [word.decode("utf-8", "replace") for word in found if isinstance(word, bytes)]
        if isinstance(found, list)
        else []
    )
    lower = {word.lower() for word in words}
    if "\\deleted" in lower:
        return Skipped(item_id, "deleted", "The message is marked as deleted.", "Undelete it if it should move.")
    keywords = frozenset(word for word in words if not word.startswith("\\"))
    flags = frozenset(flag for low, flag in _SYSTEM.items() if low in lower)
    date = said.get("INTERNALDATE")
    received = internaldate(date) if isinstance(date, bytes) else None
    return Item(
        id=item_id,
        kind=Kind.MAIL,
        version="",  # a message's bytes never change (RFC 3501 2.3.1.1)
        modified=received,
        facts=MailFacts(flags, keywords, received),
        facts_version=" ".join(sorted(flags | keywords)),
    )
