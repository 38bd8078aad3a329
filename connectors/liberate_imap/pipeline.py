"""Batches of messages on their way, several behind one another: gathered, sent, confirmed, sized."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from liberate.connector import Outcome, Place, Slot
from liberate.errors import ItemError, LiberateError
from liberate_imap import fetch
from liberate_imap.append import Folder, Member, Writer, receipt_of, unfit
from liberate_imap.wire import Command

_WINDOW_BATCHES = 4  # batches the server has not confirmed yet
_WINDOW_BYTES = 16 << 20
_WINDOW_SIZES = 16  # confirmed batches whose sizes have not come yet; they hold no bodies


@dataclass(slots=True)
class _Append:
    """One APPEND command."""

    members: list[Member]
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
    members: list[Member] = field(default_factory=list)
    bytes: int = 0
    appends: list[_Append] = field(default_factory=list)
    sizing: Command | None = None
    asked_again: bool = False
    stored: list[tuple[Slot, int]] = field(default_factory=list)
    before: int = 1  # UIDNEXT before it was sent, on servers without UIDPLUS


def write_many(writer: Writer, parts: Iterable[tuple[Slot, bytes]]) -> Iterator[Outcome]:
    """As WritesMany.write_many says."""
    run = _Run(writer)
    try:
        for slot, data in parts:
            folder = writer.folder(slot.place)
            refusal = unfit(len(data), folder)
            if refusal is not None:
                yield slot, refusal
                continue
            run.add(folder, Member(slot, data))
            yield from run.outcomes()
        run.flush()
        yield from run.outcomes()
        while run.under_way:
            run.receive()
            yield from run.outcomes()
    finally:
        run.forget()


class _Run:
    """One call of write_many: what is being gathered, what is under way, what is done."""

    def __init__(self, writer: Writer) -> None:
        self._w = writer
        self._wire = writer.session.wire
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

    def add(self, folder: Folder, member: Member) -> None:
        batch = self._gathering.get(folder.place)
        settings = self._w.settings
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
        window = _WINDOW_BATCHES if self._w.uidplus else 1
        while self._sent and (len(self._sent) >= window or self._sent_bytes + batch.bytes > _WINDOW_BYTES):
            self.receive()
        while len(self._sizing) >= _WINDOW_SIZES:
            self.receive()
        if self._stop is not None:
            return  # without an outcome: the core will ask
        if not self._w.uidplus:
            batch.before = self._w.uidnext(batch.folder)
        # Dovecot appends faster to the folder that is open, and the sizes are asked there.
        self._w.session.reselect(batch.folder.place)
        if self._w.multi:
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
            arguments, tokens = self._w.arguments(folder, member)
            size = len(member.data)
            if folder.proven and tokens <= folder.accepted and not self._w.waits(size):
                pieces += (line + arguments + b"{%d+}\r\n" % size, member.data)
                command.unasked = True
            else:
                pieces.append(line + arguments + b"{%d}\r\n" % size)
                wire.send(pieces)
                if not wire.wait_to_continue(command):
                    wire.check()
                    return
                folder.proven = True
                folder.accepted |= tokens
                pieces = [b"", member.data]
            line = b""
        pieces.append(b"\r\n")
        wire.send(pieces)

    # Receiving -----------------------------------------------------------------------------------

    def receive(self) -> None:
        """Take in responses until they move a batch on, or send what is ready to go again."""
        if self._again and len(self._sent) < _WINDOW_BATCHES and (self._w.uidplus or not self._sent):
            self._send(self._again.popleft())
            return
        self._wire.check()
        while not self._settled():
            self._wire.receive()

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
            if not batch.asked_again and any(uid not in sizes for _, uid in batch.stored):
                batch.asked_again = True
                self._ask_sizes(batch, afresh=True)
                continue
            self._w.session.tells_late |= batch.asked_again and bool(sizes)
            self._done.extend((slot, receipt_of(batch.folder, uid, sizes)) for slot, uid in batch.stored)
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
                self._w.note_lost(member)
            uids = self._w.appended(batch.folder, append.sent, len(slots))
            if uids is not None:
                batch.stored.extend(zip(slots, uids, strict=True))
            else:
                unplaced.extend(slots)
        batch.members = []
        batch.appends = []  # lets the bodies go
        if unplaced:
            found = self._w.located(batch.folder, batch.before, unplaced)
            self._done.extend((slot, found[slot.key]) for slot in unplaced)
        if batch.stored:
            self._ask_sizes(batch)

    def _ask_sizes(self, batch: _Batch, *, afresh: bool = False) -> None:
        self._w.session.reselect(batch.folder.place)
        batch.sizing = fetch.begin_sizes(self._w.session, [uid for _, uid in batch.stored], afresh=afresh)
        self._sizing.append(batch)

    def _refused(self, folder: Folder, append: _Append) -> None:
        """A batch that is refused is refused whole (RFC 3502): find out whose fault it was."""
        if len(append.members) > 1:
            self._again.extend(_Batch(folder, [member], len(member.data)) for member in append.members)
            return
        member = append.members[0]
        error = self._w.refusal(folder, append.sent)
        if not isinstance(error, ItemError):
            if self._stop is None:
                self._stop = error
                self._again.clear()
            return
        lesser = self._w.lesser(folder, member)
        if lesser is None:
            self._done.append((member.slot, error))
        else:
            self._again.append(_Batch(folder, [lesser], len(lesser.data)))
