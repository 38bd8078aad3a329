"""The fast writer: many messages with few waits, and never a byte that a server could take for a command.

How messages go, by what the server can do (asked after the login):

    MULTIAPPEND and LITERAL+   batches of messages, several batches behind one another
    LITERAL+                   single messages, many behind one another
    neither                    one message after the other, each literal waited for

A literal that is not waited for (RFC 7888) is dangerous: a server that refuses an argument in front
of it may run the literal, somebody's mail, as commands (measured on Dovecot 2.3 with a bad flag, a
bad date and a bad mailbox name). Therefore: mailbox names are quoted modified UTF-7 of folders that
this connection has opened; flags are of a closed set; keywords are plain ASCII words; dates are
written here; and the first message into a folder, and the first that carries any given flag or
keyword there, goes with a literal that the server has asked for.
"""

from __future__ import annotations

import re
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from liberate.connector import Body, Evidence, Outcome, Place, Receipt, Slot
from liberate.errors import IntegrityError, ItemError, LiberateError, TransientError
from liberate.mail import SYSTEM_FLAGS, MailFacts
from liberate_imap import fetch, names, refusals
from liberate_imap.dates import received
from liberate_imap.grammar import GrammarError, date_time, uids_of
from liberate_imap.session import Session
from liberate_imap.settings import ImapSettings
from liberate_imap.wire import Command

_WINDOW_BATCHES = 4  # batches the server has not confirmed yet
_WINDOW_BYTES = 16 << 20
_WINDOW_SIZES = 16  # confirmed batches whose sizes have not come yet; they hold no bodies
_LITERAL_MINUS = 4096  # RFC 7888 5
_SPOOL = 8 << 20
_CHUNK = 1 << 16
_HEAD = 1 << 16
_KEYWORD = re.compile(r"[A-Za-z0-9$_][A-Za-z0-9$_.:+/&=-]{0,49}")  # Dovecot takes 50 characters at most

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
    accepted: set[str] = field(default_factory=set)  # flags and keywords


@dataclass(slots=True)
class _Member:
    slot: Slot
    data: bytes
    bare: bool = False  # without keywords: the server refused it with them


@dataclass(slots=True)
class _Append:
    """One APPEND command."""

    members: list[_Member]
    command: Command | None = None

    @property
    def sent(self) -> Command:
        if self.command is None:
            raise RuntimeError("the messages have not been sent")
        return self.command


@dataclass(slots=True)
class _Batch:
    """Members that go into one folder together, as one command or as many."""

    folder: Folder
    members: list[_Member] = field(default_factory=list)
    bytes: int = 0
    appends: list[_Append] = field(default_factory=list)
    sizing: Command | None = None
    stored: list[tuple[Slot, int]] = field(default_factory=list)
    before: int = 1  # UIDNEXT before it was sent, on servers without UIDPLUS


class Writer:
    """Writes into the folders of one session."""

    def __init__(self, session: Session, settings: ImapSettings, now: Callable[[], datetime], locate: Locate) -> None:
        self._session = session
        self._settings = settings
        self._now = now
        self._locate = locate
        self._folders: dict[Place, Folder] = {}
        self._multi = session.has("MULTIAPPEND")
        self._plus = session.has("LITERAL+")
        self._minus = session.has("LITERAL-") or session.has("IMAP4REV2")
        self._uidplus = session.has("UIDPLUS") or session.has("IMAP4REV2")
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
        if (refusal := _unfit(size, folder)) is not None:
            raise refusal
        wire = self._session.wire
        before = 1 if self._uidplus else self._uidnext(folder)
        head = read(min(size, _HEAD))
        member = _Member(slot, head)
        while True:
            arguments, tokens = self._arguments(folder, member)
            command, line = wire.open(b"APPEND " + folder.mailbox)
            wire.send([line + arguments + b"{%d}\r\n" % size])
            if wire.wait_to_continue(command):
                break
            self._note_bad(command, tokens)
            if member.bare or not self._has_keywords(folder, member):
                raise self._refusal(folder, command)
            member.bare = True
        folder.accepted |= tokens
        try:
            self._send_body(head, read, size)
        except BaseException:
            wire.broke("a message could not be sent to its end")  # in mid literal: nothing is stored
            raise
        wire.send([b"\r\n"])
        if not wire.wait(command).ok:
            raise self._refusal(folder, command)
        if member.bare:
            self._note_lost(member)
        folder.proven = True
        uids = self._appended(folder, command)
        if uids is None:
            return self._located(folder, before, [slot])[slot.key]
        self._session.reselect(folder.place)
        sizing = fetch.begin_sizes(self._session, uids)
        wire.wait(sizing)
        return _receipt(folder, uids[0], fetch.sizes(sizing))

    def _send_body(self, head: bytes, read: Callable[[int], bytes], size: int) -> None:
        chunk, sent = head, 0
        while chunk:
            sent += len(chunk)
            if sent > size:
                raise IntegrityError("The message turned out longer than was said.")
            self._session.wire.send_literal(chunk)
            chunk = read(_CHUNK)
        if sent < size:
            raise IntegrityError("The message turned out shorter than was said.")

    # Many messages -------------------------------------------------------------------------------

    def write_many(self, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
        """As WritesMany.write_many says."""
        run = _Run(self)
        try:
            for slot, data in parts:
                folder = self.folder(slot.place)
                refusal = _unfit(len(data), folder)
                if refusal is not None:
                    yield slot, refusal
                    continue
                run.add(folder, _Member(slot, data))
                yield from run.outcomes()
            run.flush()
            yield from run.outcomes()
            while run.under_way:
                run.receive()
                yield from run.outcomes()
        finally:
            run.forget()

    # What both need ------------------------------------------------------------------------------

    def folder(self, place: Place) -> Folder:
        """The folder, opened on this connection before. Raises TransientError if it is not there."""
        known = self._folders.get(place)
        if known is not None:
            return known
        selected = self._session.select(place, writable=True)
        if selected is None:
            raise refusals.no_folder(self._session.whose, place)
        limits = [self._settings.max_message, self._session.append_limit()]
        if self._session.has("APPENDLIMIT"):
            status = self._session.status(place, "APPENDLIMIT")
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
        if not _KEYWORD.fullmatch(keyword) or keyword in _bad_keywords(self._settings):
            return False
        return folder.permanent is None or "\\*" in folder.permanent or keyword.lower() in folder.permanent

    def _arguments(self, folder: Folder, member: _Member) -> tuple[bytes, frozenset[str]]:
        """Flags and date as they stand in front of the literal, and the flags by themselves."""
        item = member.slot.item
        facts = item.facts if isinstance(item.facts, MailFacts) else MailFacts()
        tokens = self.tokens(folder, facts)
        if member.bare:
            tokens &= SYSTEM_FLAGS
        moment = received(facts.received, item.modified, member.data, self._now)
        flags = f" ({' '.join(sorted(tokens))}) " if tokens else " "
        return flags.encode("ascii") + date_time(moment) + b" ", tokens

    def _has_keywords(self, folder: Folder, member: _Member) -> bool:
        facts = member.slot.item.facts
        return isinstance(facts, MailFacts) and bool(self.tokens(folder, facts) - SYSTEM_FLAGS)

    def _note_lost(self, member: _Member) -> None:
        facts = member.slot.item.facts
        if isinstance(facts, MailFacts):
            self.lost_keywords |= facts.keywords

    def _note_bad(self, command: Command, tokens: frozenset[str]) -> None:
        """The server refused to be sent a literal: if for the keywords' grammar, never offer them again."""
        if command.reply is not None and command.reply.status == "BAD":
            _bad_keywords(self._settings).update(tokens - SYSTEM_FLAGS)
        self._session.wire.check()

    def _waits(self, size: int) -> bool:
        """Whether a literal of this size has to be asked for."""
        return not (self._plus or (self._minus and size <= _LITERAL_MINUS))

    def _appended(self, folder: Folder, command: Command) -> list[int] | None:
        """The UIDs that APPENDUID (RFC 4315) tells; None if the server did not say."""
        validity, _, uids = command.answer.argument.partition(" ")
        if command.answer.code != "APPENDUID" or not validity.isdigit():
            return None
        if int(validity) != folder.uidvalidity:
            raise self._session.wire.broke(f"the folder {folder.place} was made anew while it was written to")
        try:
            return uids_of(uids)
        except GrammarError:
            return None

    def _uidnext(self, folder: Folder) -> int:
        status = self._session.status(folder.place, "UIDNEXT")
        if status is None or status.uidnext is None:
            raise TransientError(f"{self._session.whose} does not say where the folder {folder.place} ends.")
        return status.uidnext

    def _located(self, folder: Folder, before: int, slots: list[Slot]) -> dict[str, Receipt]:
        found = self._locate(folder.place, before, slots)
        for slot in slots:
            if slot.key not in found:
                raise TransientError(f"{self._session.whose} took a message into {folder.place} and does not show it.")
        return found

    def _refusal(self, folder: Folder, command: Command) -> LiberateError:
        """What a refused APPEND of one message means."""
        self._session.wire.check()
        answer, whose = command.answer, self._session.whose
        if answer.code in ("TRYCREATE", "NONEXISTENT"):
            self._folders.pop(folder.place, None)
            return refusals.no_folder(whose, folder.place)
        return refusals.general(answer, whose) or refusals.of_message(answer, whose)


class _Run:
    """One call of write_many: what is being gathered, what is under way, what is done."""

    def __init__(self, writer: Writer) -> None:
        self._w = writer
        self._wire = writer._session.wire
        self._gathering: dict[Place, _Batch] = {}
        self._gathered = 0
        self._sent: deque[_Batch] = deque()  # not confirmed yet
        self._sent_bytes = 0
        self._sizing: deque[_Batch] = deque()
        self._again: deque[_Batch] = deque()  # members of a refused batch, each by itself
        self._done: deque[Outcome] = deque()
        self._stop: LiberateError | None = None

    @property
    def under_way(self) -> bool:
        return bool(self._sent or self._sizing or self._again)

    def add(self, folder: Folder, member: _Member) -> None:
        batch = self._gathering.get(folder.place)
        settings = self._w._settings
        size = len(member.data)
        if batch is not None and (
            len(batch.members) >= settings.batch_items or batch.bytes + size > settings.batch_bytes
        ):
            self._submit(batch)
            batch = None
        if batch is None:
            batch = self._gathering[folder.place] = _Batch(folder)
        batch.members.append(member)
        batch.bytes += size
        self._gathered += size
        if len(batch.members) >= settings.batch_items or batch.bytes >= settings.batch_bytes:
            self._submit(batch)
        while self._gathered > _WINDOW_BYTES:
            self._submit(max(self._gathering.values(), key=lambda gathered: gathered.bytes))

    def flush(self) -> None:
        for batch in list(self._gathering.values()):
            self._submit(batch)

    def outcomes(self) -> Iterator[Outcome]:
        """What is known by now; then the error that stops the account, if there is one."""
        while self._done:
            yield self._done.popleft()
        if self._stop is not None:
            while self._sent or self._sizing:
                self.receive()
                while self._done:
                    yield self._done.popleft()
            raise self._stop

    def forget(self) -> None:
        """Nobody waits for the rest any more."""
        for batch in (*self._sent, *self._sizing):
            for append in batch.appends:
                if append.command is not None:
                    append.command.forget()
            if batch.sizing is not None:
                batch.sizing.forget()

    # Sending -------------------------------------------------------------------------------------

    def _submit(self, batch: _Batch) -> None:
        del self._gathering[batch.folder.place]
        self._gathered -= batch.bytes
        self._send(batch)

    def _send(self, batch: _Batch) -> None:
        window = _WINDOW_BATCHES if self._w._uidplus else 1
        while self._sent and (len(self._sent) >= window or self._sent_bytes + batch.bytes > _WINDOW_BYTES):
            self.receive()
        while len(self._sizing) >= _WINDOW_SIZES:
            self.receive()
        if self._stop is not None:
            return  # without an outcome: the core will ask
        if not self._w._uidplus:
            batch.before = self._w._uidnext(batch.folder)
        # Dovecot appends faster to the folder that is open, and the sizes are asked there.
        self._w._session.reselect(batch.folder.place)
        if self._w._multi:
            batch.appends = [_Append(batch.members)]
        else:
            batch.appends = [_Append([member]) for member in batch.members]
        self._sent.append(batch)
        self._sent_bytes += batch.bytes
        for append in batch.appends:
            self._send_append(batch.folder, append)

    def _send_append(self, folder: Folder, append: _Append) -> None:
        wire = self._wire
        command, line = wire.open(b"APPEND " + folder.mailbox)
        append.command = command
        pieces: list[bytes] = []
        for member in append.members:
            arguments, tokens = self._w._arguments(folder, member)
            size = len(member.data)
            if folder.proven and tokens <= folder.accepted and not self._w._waits(size):
                pieces += (line + arguments + b"{%d+}\r\n" % size, member.data)
            else:
                pieces.append(line + arguments + b"{%d}\r\n" % size)
                wire.send(pieces)
                if not wire.wait_to_continue(command):
                    self._w._note_bad(command, tokens)
                    return
                folder.proven = True
                folder.accepted |= tokens
                pieces = [b"", member.data]
            line = b""
        pieces.append(b"\r\n")
        wire.send(pieces)

    # Receiving -----------------------------------------------------------------------------------

    def receive(self) -> None:
        """Take in one response, or go on with what is ready to."""
        if self._again and len(self._sent) < _WINDOW_BATCHES and (self._w._uidplus or not self._sent):
            self._send(self._again.popleft())
            return
        self._wire.check()
        if not self._settled():
            self._wire.receive()
            self._settled()

    def _settled(self) -> bool:
        """Move on every batch whose replies have come; whether there was one."""
        moved = False
        while self._sent and all(a.command and a.command.reply for a in self._sent[0].appends):
            batch = self._sent.popleft()
            self._sent_bytes -= batch.bytes
            self._confirmed(batch)
            moved = True
        while self._sizing and (sizing := self._sizing[0].sizing) and sizing.reply is not None:
            batch = self._sizing.popleft()
            sizes = fetch.sizes(sizing)
            self._done.extend((slot, _receipt(batch.folder, uid, sizes)) for slot, uid in batch.stored)
            moved = True
        return moved

    def _confirmed(self, batch: _Batch) -> None:
        unplaced: list[Slot] = []
        for append in batch.appends:
            if not append.sent.answer.ok:
                self._refused(batch.folder, append)
                continue
            batch.folder.proven = True
            slots = [member.slot for member in append.members]
            for member in append.members:
                if member.bare:
                    self._w._note_lost(member)
            uids = self._w._appended(batch.folder, append.sent)
            if uids is not None and len(uids) == len(slots):
                batch.stored.extend(zip(slots, uids, strict=True))
            else:
                unplaced.extend(slots)
        batch.members = []
        batch.appends = []  # lets the bodies go
        if unplaced:
            found = self._w._located(batch.folder, batch.before, unplaced)
            self._done.extend((slot, found[slot.key]) for slot in unplaced)
        if batch.stored:
            self._w._session.reselect(batch.folder.place)
            batch.sizing = fetch.begin_sizes(self._w._session, [uid for _, uid in batch.stored])
            self._sizing.append(batch)

    def _refused(self, folder: Folder, append: _Append) -> None:
        """A batch that is refused is refused whole (RFC 3502): find out whose fault it was."""
        member = append.members[0]
        alone = len(append.members) == 1
        if alone and (member.bare or not self._w._has_keywords(folder, member)):
            error = self._w._refusal(folder, append.sent)
            if isinstance(error, ItemError):
                self._done.append((member.slot, error))
            elif self._stop is None:
                self._stop = error
                self._again.clear()
            return
        for member in append.members:
            single = _Batch(folder, [_Member(member.slot, member.data, bare=alone)], len(member.data))
            self._again.append(single)


def _receipt(folder: Folder, uid: int, sizes: dict[int, int]) -> Receipt:
    size = sizes.get(uid)
    evidence = Evidence.NONE if size is None else Evidence.SIZE
    return Receipt(f"{folder.uidvalidity}:{uid}", folder.place, size, evidence=evidence)


def _unfit(size: int, folder: Folder) -> ItemError | None:
    if size == 0:
        return refusals.empty()
    if folder.limit is not None and size > folder.limit:
        return refusals.too_large(size, folder.limit)
    return None


_BAD_KEYWORDS: dict[tuple[str, int], set[str]] = {}


def _bad_keywords(settings: ImapSettings) -> set[str]:
    """Keywords that made this server say BAD, which cost a connection: not tried again in this process."""
    return _BAD_KEYWORDS.setdefault((settings.host, settings.real_port), set())
