"""A mailbox on an IMAP server, as a destination: each power of the contract, handed to who can do it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, Self

from liberate.connector import (
    Account,
    Batch,
    Body,
    Change,
    Collection,
    Installed,
    Outcome,
    Place,
    Receipt,
    Slot,
    Standing,
    Taken,
)
from liberate.errors import ItemError, TransientError
from liberate.naming import Rules
from liberate_imap import readback, refusals, scripts
from liberate_imap.append import Writer
from liberate_imap.copying import Copier
from liberate_imap.find import Clock, Finder
from liberate_imap.folders import Folders
from liberate_imap.managesieve import ManageSieve, NotOffered
from liberate_imap.marking import Marker
from liberate_imap.pipeline import write_many
from liberate_imap.probe import probe
from liberate_imap.session import Session
from liberate_imap.settings import ImapSettings
from liberate_imap.wire import Step

if TYPE_CHECKING:
    from types import TracebackType


def _now() -> datetime:
    return datetime.now(UTC)


class ImapDestination:
    """One connection to one account; opened when it is entered, closed when it is left.

    `step` is called before and after each piece on the wire; `now` and `clock` are the time of day
    and the time that waits are measured by.
    """

    line_ends: Literal["any", "crlf"] = "crlf"  # RFC 3501 4.3, RFC 5322 2.1

    def __init__(
        self,
        settings: ImapSettings,
        account: Account,
        *,
        step: Step | None = None,
        now: Callable[[], datetime] = _now,
        clock: Clock | None = None,
    ) -> None:
        self._settings = settings
        self._account = account
        self._step = step
        self._now = now
        self._clock = clock or Clock(time.monotonic, time.sleep)
        self._rules: Rules | None = None
        self._session: Session | None = None
        self.batch = Batch(settings.batch_items, settings.batch_bytes)

    def __enter__(self) -> Self:
        session = Session(self._settings, self._account, self._step)
        self._session = session
        self._folders = Folders(session, self._settings)
        self._finder = Finder(session, self._settings.settle, self._clock)
        self._writer = Writer(session, self._settings, self._now, self._finder.locate)
        self._copier = Copier(session, self._finder.locate)
        self._marker = Marker(session, self._writer)
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

    @property
    def lost_keywords(self) -> frozenset[str]:
        """Keywords met since this was opened that the server cannot keep, as the source spells them."""
        return frozenset(self._writer.lost_keywords)

    @property
    def alerts(self) -> tuple[str, ...]:
        """What the server wanted people to read (RFC 3501 7.1, ALERT)."""
        return tuple(self._open.wire.alerts)

    # Names and places ----------------------------------------------------------------------------

    @property
    def rules(self) -> Rules:
        """What this very server takes, found out by making and deleting folders of our own once."""
        if self._rules is None:
            server = (self._settings.host, self._settings.real_port)
            self._rules = probe(self._open, server, self._settings.folder_path, self._now())
        return self._rules

    def prepare(self, collection: Collection) -> Place:
        """See Destination.prepare. The place is the mailbox's name, unescaped."""
        self._open.wire.check()
        return self._folders.prepare(collection)

    def mark(self, place: Place) -> str:
        """ "UIDVALIDITY:UIDNEXT" as the server says them now."""
        status = self._open.status(place, "UIDVALIDITY", "UIDNEXT")
        if status is None:
            raise refusals.no_folder(self._open.whose, place)
        if status.uidvalidity is None or status.uidnext is None:
            # Optional in IMAP4rev1 on paper only; without UIDNEXT everything is looked at later.
            selected = self._open.select(place, writable=True)
            return f"{selected.uidvalidity if selected else 0}:{(selected and selected.uidnext) or 1}"
        return f"{status.uidvalidity}:{status.uidnext}"

    # Writing -------------------------------------------------------------------------------------

    def write(self, slot: Slot, body: Body) -> Receipt:
        """See Destination.write."""
        self._open.wire.check()
        return self._writer.write(slot, body)

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """See WritesMany.write_many."""
        self._open.wire.check()
        return write_many(self._writer, parts)

    def copy_many(self, parts: Iterable[tuple[Slot, Receipt]]) -> Iterator[Outcome]:
        """See Copies.copy_many."""
        self._open.wire.check()
        return self._copier.copy_many(parts)

    def update(self, changes: Iterable[Change]) -> Iterator[Outcome]:
        """See Updates.update."""
        self._open.wire.check()
        return self._marker.update(changes)

    # What the mailbox does by itself -------------------------------------------------------------

    def mailbox(self, place: Place) -> str:
        """A script names mailboxes as IMAP does, but in UTF-8 (RFC 5228 4.1)."""
        return place

    def extensions(self) -> frozenset[str] | None:
        """See TakesFilters.extensions."""
        if not self._settings.sieve_port:
            return None
        try:
            with ManageSieve(self._settings, self._account) as line:
                return line.extensions
        except NotOffered:
            return None

    def install(self, script: str, before: Standing) -> Installed:
        """See TakesFilters.install."""
        return scripts.install(self._settings, self._account, script, before, self._step or (lambda _what: None))

    # Asking --------------------------------------------------------------------------------------

    def find(self, slots: Sequence[Slot], taken: Taken) -> dict[str, Receipt]:
        """See Destination.find."""
        self._open.wire.check()
        return self._finder.find(slots, taken)

    def read(self, receipt: Receipt) -> Iterator[bytes]:
        """See Destination.read."""
        return readback.read(self._open, receipt)

    def read_back(self, receipts: Sequence[Receipt]) -> Iterator[tuple[Receipt, bytes | ItemError | None]]:
        """See ReadsBack.read_back."""
        return readback.read_back(self._open, receipts)
