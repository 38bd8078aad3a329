"""Putting messages into folders, and never a byte that a server could take for a command.

How messages go, by what the server can do (asked after the login; pipeline.py sends the batches):

    MULTIAPPEND and LITERAL+   batches of messages, several batches behind one another
    LITERAL+                   single messages, many behind one another
    neither                    one message after the other, each literal waited for

A literal that is not waited for (RFC 7888) is dangerous: a server that refuses an argument in front
of it may run the literal, somebody's mail, as commands (measured on Dovecot 2.3 with a bad flag, a
bad date and a bad mailbox name). Therefore: mailbox names are quoted modified UTF-7 of folders that
this connection has opened; flags are of a closed set; keywords are plain ASCII words; dates are
written here; and the first message into a folder, and the first that carries any given flag or
keyword there or a date before 1970, goes with a literal that the server has asked for.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from liberate.connector import Body, Evidence, Place, Receipt, Slot
from liberate.errors import IntegrityError, ItemError, LiberateError, TransientError
from liberate.mail import SYSTEM_FLAGS, MailFacts
from liberate_imap import fetch, names, refusals
from liberate_imap.dates import UNKNOWN, received
from liberate_imap.grammar import GrammarError, date_time, uids_of
from liberate_imap.session import Session
from liberate_imap.settings import ImapSettings
from liberate_imap.wire import Command

_LITERAL_MINUS = 4096  # RFC 7888 5
_SPOOL = 8 << 20
_CHUNK = 1 << 16
_HEAD = 1 << 16
_KEYWORD = re.compile(r"[A-Za-z0-9$_][A-Za-z0-9$_.:+/&=-]{0,49}")  # Dovecot takes 50 characters at most
_EARLY = "before 1970"  # no keyword can be called that

Locate = Callable[[Place, int, list[Slot]], dict[str, Receipt]]
"""Finds what was just put into a folder after that UID, on servers that do not say where it went."""


@dataclass(slots=True)
class Folder:
    """A folder this connection has opened, and what it has accepted there."""

    place: Place
    mailbox: bytes  # quoted, for commands
    uidvalidity: int
    permanent: frozenset[str] | None
    limit: int | None  # bytes of one message
    proven: bool = False  # a message of ours was accepted
    accepted: set[str] = field(default_factory=set)  # flags and keywords, and _EARLY


@dataclass(slots=True)
class Member:
    slot: Slot
    data: bytes
    late: bool = False  # dated 1970 at the earliest: the server refused it with its own date
    bare: bool = False  # without keywords: the server refused it with them


class Writer:
    """Writes into the folders of one session."""

    def __init__(self, session: Session, settings: ImapSettings, now: Callable[[], datetime], locate: Locate) -> None:
        self.session = session
        self.settings = settings
        self._now = now
        self._locate = locate
        self._folders: dict[Place, Folder] = {}
        self.multi = session.has("MULTIAPPEND")
        self._plus = session.has("LITERAL+")
        self._minus = session.has("LITERAL-") or session.has("IMAP4REV2")
        self.uidplus = session.tells_uids
        self.lost_keywords: set[str] = set()  # what this server cannot keep, as the source spelt it

    # One message, streamed -----------------------------------------------------------------------

    def write(self, slot: Slot, body: Body) -> Receipt:
        """Store one message of any size. If the body fails, the connection is dropped and nothing is stored."""
        if body.size is None:
            with tempfile.SpooledTemporaryFile(max_size=_SPOOL) as spool:
                while chunk := body.read(_CHUNK):
                    spool.write(chunk)
                size = spool.tell()
                spool.seek(0)
                return self._stream(slot, spool.read, size)
        return self._stream(slot, body.read, body.size)

    def _stream(self, slot: Slot, read: Callable[[int], bytes], size: int) -> Receipt:
        folder = self.folder(slot.place)
        if (refusal := unfit(size, folder)) is not None:
            raise refusal
        wire = self.session.wire
        before = 1 if self.uidplus else self.uidnext(folder)
        head = read(min(size, _HEAD))
        member = Member(slot, head)
        while True:
            arguments, tokens = self.arguments(folder, member)
            command, line = wire.open(b"APPEND " + folder.mailbox)
            wire.send([line + arguments + b"{%d}\r\n" % size])
            if wire.wait_to_continue(command):
                break
            error = self.refusal(folder, command)
            lesser = self.lesser(folder, member) if isinstance(error, ItemError) else None
            if lesser is None:
                raise error
            member = lesser
        folder.accepted |= tokens
        try:
            self._send_body(head, read, size)
        except BaseException:
            wire.broke("a message could not be sent to its end")  # in mid literal: nothing is stored
            raise
        wire.send([b"\r\n"])
        if not wire.wait(command).ok:
            raise self.refusal(folder, command)
        self.note_lost(member)
        folder.proven = True
        uids = self.appended(folder, command, 1)
        if uids is None:
            return self.located(folder, before, [slot])[slot.key]
        return receipt_of(folder, uids[0], fetch.sizes_of(self.session, folder.place, uids))

    def _send_body(self, head: bytes, read: Callable[[int], bytes], size: int) -> None:
        chunk, sent = head, 0
        while chunk:
            sent += len(chunk)
            if sent > size:
                raise IntegrityError("The message turned out longer than was said.")
            self.session.wire.send_literal(chunk)
            chunk = read(_CHUNK)
        if sent < size:
            raise IntegrityError("The message turned out shorter than was said.")

    # What batches need too ------------------------------------------------------------------------------

    def folder(self, place: Place) -> Folder:
        """The folder, opened on this connection before. Raises TransientError if it is not there."""
        known = self._folders.get(place)
        if known is not None:
            return known
        selected = self.session.select(place, writable=True)
        if selected is None:
            raise refusals.no_folder(self.session.whose, place)
        limits = [self.settings.max_message, self.session.append_limit()]
        if self.session.has("APPENDLIMIT"):
            status = self.session.status(place, "APPENDLIMIT")
            limits.append(status.append_limit if status else None)
        limit = min((limit for limit in limits if limit is not None), default=None)
        folder = Folder(place, names.quoted(place), selected.uidvalidity, selected.permanent, limit)
        self._folders[place] = folder
        return folder

    def tokens(self, folder: Folder, facts: MailFacts) -> frozenset[str]:
        """The flags and keywords of `facts` that this folder can keep; the others are noted as lost."""
        out = set()
        for flag in facts.flags:
            if flag in SYSTEM_FLAGS and (folder.permanent is None or flag.lower() in folder.permanent):
                out.add(flag)
        for keyword in facts.keywords:
            if self._keeps(folder, keyword):
                out.add(keyword)
            else:
                self.lost_keywords.add(keyword)
        return frozenset(out)

    def _keeps(self, folder: Folder, keyword: str) -> bool:
        if not _KEYWORD.fullmatch(keyword):
            return False
        return folder.permanent is None or "\\*" in folder.permanent or keyword.lower() in folder.permanent

    def arguments(self, folder: Folder, member: Member) -> tuple[bytes, frozenset[str]]:
        """Flags and date as they stand in front of the literal; and of these, what a server may dislike."""
        facts = member.slot.item.facts
        tokens = self.tokens(folder, facts if isinstance(facts, MailFacts) else MailFacts())
        if member.bare:
            tokens &= SYSTEM_FLAGS
        moment = self._moment(member)
        flags = f" ({' '.join(sorted(tokens))}) " if tokens else " "
        arguments = flags.encode("ascii") + date_time(moment) + b" "
        return arguments, tokens | {_EARLY} if moment < UNKNOWN else tokens

    def _moment(self, member: Member) -> datetime:
        item = member.slot.item
        known = item.facts.received if isinstance(item.facts, MailFacts) else None
        moment = received(known, item.modified, member.data, self._now)
        return max(moment, UNKNOWN) if member.late else moment

    def has_keywords(self, folder: Folder, member: Member) -> bool:
        facts = member.slot.item.facts
        return isinstance(facts, MailFacts) and bool(self.tokens(folder, facts) - SYSTEM_FLAGS)

    def lesser(self, folder: Folder, member: Member) -> Member | None:
        """The message with less beside it, for a server that refused it as it is; None if nothing can be left out.

        Cyrus 3.6 answers BAD to every date before 1970, and servers limit how long keywords are and how many.
        """
        if not member.late and self._moment(member) < UNKNOWN:
            return replace(member, late=True)
        if not member.bare and self.has_keywords(folder, member):
            return replace(member, bare=True)
        return None

    def note_lost(self, member: Member) -> None:
        """The server has taken the message; what had to be left out for that is lost."""
        facts = member.slot.item.facts
        if member.bare and isinstance(facts, MailFacts):
            self.lost_keywords |= facts.keywords

    def waits(self, size: int) -> bool:
        """Whether a literal of this size has to be asked for."""
        return not (self._plus or (self._minus and size <= _LITERAL_MINUS))

    def appended(self, folder: Folder, command: Command, count: int) -> list[int] | None:
        """The UIDs that APPENDUID (RFC 4315) tells; None from a server without UIDPLUS.

        Raises TransientError if the server has it and does not say: only a search from the slots' own
        marks on tells then which of several equal messages is whose.
        """
        if not self.uidplus:
            return None
        validity, _, uids = command.answer.argument.partition(" ")
        if command.answer.code != "APPENDUID" or not validity.isdigit():
            raise self._silent(folder)
        if int(validity) != folder.uidvalidity:
            raise self.session.wire.broke(f"the folder {folder.place} was made anew while it was written to")
        try:
            found = uids_of(uids)
        except GrammarError:
            raise self._silent(folder) from None
        if len(found) != count:
            raise self._silent(folder)
        return found

    def _silent(self, folder: Folder) -> TransientError:
        self.session.distrust("UIDPLUS")
        return TransientError(f"{self.session.whose} does not say where in {folder.place} it put messages.")

    def uidnext(self, folder: Folder) -> int:
        status = self.session.status(folder.place, "UIDNEXT")
        if status is None or status.uidnext is None:
            raise TransientError(f"{self.session.whose} does not say where the folder {folder.place} ends.")
        return status.uidnext

    def located(self, folder: Folder, before: int, slots: list[Slot]) -> dict[str, Receipt]:
        found = self._locate(folder.place, before, slots)
        for slot in slots:
            if slot.key not in found:
                raise TransientError(f"{self.session.whose} took a message into {folder.place} and does not show it.")
        return found

    def refusal(self, folder: Folder, command: Command) -> LiberateError:
        """What a refused APPEND of one message means."""
        self.session.wire.check()
        answer, whose = command.answer, self.session.whose
        if answer.code in ("TRYCREATE", "NONEXISTENT"):
            self._folders.pop(folder.place, None)
            return refusals.no_folder(whose, folder.place)
        return refusals.general(answer, whose) or refusals.of_message(answer, whose)


def receipt_of(folder: Folder, uid: int, sizes: dict[int, int]) -> Receipt:
    size = sizes.get(uid)
    evidence = Evidence.NONE if size is None else Evidence.SIZE
    return Receipt(f"{folder.uidvalidity}:{uid}", folder.place, size, evidence=evidence)


def unfit(size: int, folder: Folder) -> ItemError | None:
    if size == 0:
        return refusals.empty()
    if folder.limit is not None and size > folder.limit:
        return refusals.too_large(size, folder.limit)
    return None
