"""A little IMAP server of our own, for what other servers do and Dovecot does not: subclass it and say how it differs.

It keeps its mail in memory, answers every command that the connector sends, and is strict: what it
cannot read is BAD, and a literal that it has not asked for is BAD too unless it announces LITERAL+.
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from liberate_imap.destination import ImapDestination
from liberate_imap.grammar import uid_set, uids_of
from liberate_imap.settings import ImapSettings
from liberate_imap.source import ImapSource

from liberate.connector import Account

_APPEND = re.compile(
    rb'(?: \(([^()]*)\))?(?: "([ \d]\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d [+-]\d{4})")? ~?\{(\d+)(\+?)\}\r\n'
)
_WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^ "]+)')


@dataclass
class Message:
    uid: int
    flags: set[str]
    date: str
    body: bytes


@dataclass
class Box:
    messages: list[Message] = field(default_factory=list)
    uidvalidity: int = 7
    uidnext: int = 1

    def add(self, flags: set[str], date: str, body: bytes) -> int:
        self.messages.append(Message(self.uidnext, flags, date, body))
        self.uidnext += 1
        return self.uidnext - 1


class Bye(Exception):
    """The server ends the connection in the middle of a command."""


class Scripted:
    """The server; a context manager. One account, any password."""

    capabilities = "IMAP4rev1 LITERAL+ MULTIAPPEND UIDPLUS NAMESPACE"
    separator = b'"/"'
    trickles = False  # every byte comes by itself

    def __init__(self) -> None:
        self.boxes: dict[bytes, Box] = {b"INBOX": Box()}
        self.heard: list[bytes] = []  # command lines, without tags and literals
        self.unasked = False  # whether the literal under way was not asked for
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads: list[threading.Thread] = []
        self._open: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rwb") as file:
            Talk(self, file).run()

    # As clients ----------------------------------------------------------------------------------

    @property
    def settings(self) -> ImapSettings:
        return ImapSettings(host="127.0.0.1", port=self.port, security="none", settle=0, timeout=20)

    def destination(self) -> ImapDestination:
        return ImapDestination(self.settings, Account("anna", "secret"))

    def source(self) -> ImapSource:
        return ImapSource(self.settings, Account("anna", "secret"))

    # What a subclass changes ---------------------------------------------------------------------

    def greeting(self) -> bytes:
        return b"* OK ready\r\n"

    def refuses_append(self, flags: set[str], date: str) -> bytes:
        """Why an APPEND with these arguments is refused before its literal: b"" for not at all."""
        return b""

    def refuses_body(self, body: bytes) -> bytes:
        """Why a message is refused once it is there."""
        return b""

    def refuses_fetch(self, uids: list[int]) -> bytes:
        """Why these bodies are not handed over."""
        return b""

    def size(self, body: bytes) -> int:
        """What it says is the message's size."""
        return len(body)

    def part(self, body: bytes, at: int, size: int) -> bytes:
        """The bytes it gives when it is asked for `size` of them."""
        return body[at : at + size]

    def append_code(self, box: Box, uids: list[int]) -> bytes:
        return b"[APPENDUID %d %s] " % (box.uidvalidity, uid_set(uids))

    def copy_code(self, box: Box, old: list[int], new: list[int]) -> bytes:
        return b"[COPYUID %d %s %s] " % (box.uidvalidity, uid_set(old), uid_set(new))

    def refuses_store(self, flag: str) -> bytes:
        return b""

    def before_answer(self, line: bytes) -> bytes:
        """Untagged responses that nobody asked for."""
        return b""

    def listed(self, name: bytes) -> bytes:
        """How it writes a folder's name."""
        return b'"' + name.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'

    def seen_by(self, box: Box, told: int) -> list[Message]:
        """The messages that a session knows of whose folder held `told` when it last told of them."""
        return box.messages


class Talk:
    """One connection."""

    def __init__(self, server: Scripted, file: Any) -> None:
        self.server = server
        self.file = file
        self.box: Box | None = None
        self.told = 0

    def run(self) -> None:
        self.say(self.server.greeting())
        while True:
            line = self.file.readline()
            if not line:
                return
            tag, _, rest = line.rstrip(b"\r\n").partition(b" ")
            name, _, arguments = rest.partition(b" ")
            if name.upper() == b"UID":
                name, _, arguments = arguments.partition(b" ")
                name = b"UID_" + name
            self.server.heard.append(rest[:200])
            self.file.write(self.server.before_answer(rest))
            try:
                answer = getattr(self, name.decode().lower(), self.unknown)(arguments)
            except Bye:
                self.say(b"* BYE going down for a minute\r\n")
                return
            self.say(tag + b" " + answer + b"\r\n")
            if name.upper() == b"LOGOUT":
                return

    def say(self, data: bytes) -> None:
        self.file.write(data)
        self.file.flush()

    def _tell(self, data: bytes) -> None:
        for at in range(len(data)) if self.server.trickles else ():
            self.say(data[at : at + 1])
        if not self.server.trickles:
            self.file.write(data)

    def unknown(self, _arguments: bytes) -> bytes:
        return b"BAD what?"

    # Any state -----------------------------------------------------------------------------------

    def capability(self, _arguments: bytes) -> bytes:
        self.file.write(b"* CAPABILITY %s\r\n" % self.server.capabilities.encode())
        return b"OK done"

    def login(self, _arguments: bytes) -> bytes:
        return b"OK in"

    def logout(self, _arguments: bytes) -> bytes:
        self.file.write(b"* BYE bye\r\n")
        return b"OK done"

    def noop(self, _arguments: bytes) -> bytes:
        if self.box is not None and len(self.box.messages) != self.told:
            self.told = len(self.box.messages)
            self.file.write(b"* %d EXISTS\r\n" % self.told)
        return b"OK done"

    def namespace(self, _arguments: bytes) -> bytes:
        self.file.write(b'* NAMESPACE (("" ' + self.server.separator + b")) NIL NIL\r\n")
        return b"OK done"

    # Folders -------------------------------------------------------------------------------------

    def list(self, arguments: bytes) -> bytes:
        pattern = _words(arguments)[1]
        wanted = re.escape(pattern.decode()).replace(r"\*", ".*").encode()
        for name in sorted(self.server.boxes):
            if re.fullmatch(wanted, name):
                self._tell(b"* LIST () " + self.server.separator + b" " + self.server.listed(name) + b"\r\n")
        return b"OK done"

    def create(self, arguments: bytes) -> bytes:
        name = _words(arguments)[0]
        if name in self.server.boxes:
            return b"NO [ALREADYEXISTS] there"
        self.server.boxes[name] = Box()
        return b"OK done"

    def delete(self, arguments: bytes) -> bytes:
        return b"OK done" if self.server.boxes.pop(_words(arguments)[0], None) else b"NO [NONEXISTENT] none"

    def subscribe(self, _arguments: bytes) -> bytes:
        return b"OK done"

    def status(self, arguments: bytes) -> bytes:
        name = _words(arguments)[0]
        box = self.server.boxes.get(name)
        if box is None:
            return b"NO [NONEXISTENT] none"
        said = b"MESSAGES %d UIDVALIDITY %d UIDNEXT %d" % (len(box.messages), box.uidvalidity, box.uidnext)
        self._tell(b"* STATUS " + self.server.listed(name) + b" (" + said + b")\r\n")
        return b"OK done"

    def select(self, arguments: bytes) -> bytes:
        self.box = self.server.boxes.get(_words(arguments)[0])
        if self.box is None:
            return b"NO [NONEXISTENT] none"
        self.told = len(self.box.messages)
        self.file.write(
            b"* FLAGS (\\Seen \\Answered \\Flagged \\Draft \\Deleted)\r\n"
            b"* OK [PERMANENTFLAGS (\\Seen \\Answered \\Flagged \\Draft \\Deleted \\*)] some\r\n"
            b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] v\r\n" % (self.told, self.box.uidvalidity)
        )
        return b"OK [READ-WRITE] open"

    examine = select

    # Messages ------------------------------------------------------------------------------------

    def append(self, arguments: bytes) -> bytes:
        word = _WORD.match(arguments)
        assert word is not None
        box = self.server.boxes.get(_words(arguments)[0])
        line = arguments[word.end() :] + b"\r\n"
        come: list[tuple[set[str], str, bytes]] = []
        refused = b"" if box is not None else b"NO [TRYCREATE] none"
        while line != b"\r\n":
            match = _APPEND.fullmatch(line)
            if match is None:
                return b"BAD arguments"
            flags, date, size, plus = match.groups()
            words = set((flags or b"").decode().split())
            when = (date or b"").decode()
            self.server.unasked = bool(plus)
            refused = refused or self.server.refuses_append(words, when)
            if refused and not plus:
                return refused
            if not plus:
                self.say(b"+ go on\r\n")
            body = self.file.read(int(size))
            refused = refused or self.server.refuses_body(body)
            come.append((words, when, body))
            line = self.file.readline()
        if refused or box is None:
            return refused
        uids = [box.add(*one) for one in come]
        return b"OK " + self.server.append_code(box, uids) + b"done"

    def uid_search(self, _arguments: bytes) -> bytes:
        uids = b"".join(b" %d" % message.uid for message in self._known())
        self.file.write(b"* SEARCH" + uids + b"\r\n")
        return b"OK done"

    def uid_fetch(self, arguments: bytes) -> bytes:
        found = list(self._chosen(arguments.split()[0]))
        if b"BODY" in arguments:
            refused = self.server.refuses_fetch([message.uid for _, message in found])
            if refused:
                return refused
        part = re.search(rb"BODY\.PEEK\[\]<(\d+)\.(\d+)>", arguments)
        for number, message in found:
            said = [b"UID %d" % message.uid]
            if b"FLAGS" in arguments:
                said.append(b"FLAGS (" + " ".join(sorted(message.flags)).encode() + b")")
            if b"INTERNALDATE" in arguments:
                said.append(b'INTERNALDATE "' + message.date.encode() + b'"')
            if b"RFC822.SIZE" in arguments:
                said.append(b"RFC822.SIZE %d" % self.server.size(message.body))
            if part is not None:
                at = int(part.group(1))
                data = self.server.part(message.body, at, int(part.group(2)))
                said.append(b"BODY[]<%d> {%d}\r\n%s" % (at, len(data), data))
            elif b"BODY" in arguments:
                said.append(b"BODY[] {%d}\r\n%s" % (len(message.body), message.body))
            self._tell(b"* %d FETCH (" % number + b" ".join(said) + b")\r\n")
        return b"OK done"

    def uid_copy(self, arguments: bytes) -> bytes:
        box = self.server.boxes.get(_words(arguments)[1])
        if box is None:
            return b"NO [TRYCREATE] none"
        found = [message for _, message in self._chosen(arguments.split()[0])]
        new = [box.add(set(message.flags), message.date, message.body) for message in found]
        return b"OK " + (self.server.copy_code(box, [m.uid for m in found], new) if found else b"") + b"done"

    def uid_store(self, arguments: bytes) -> bytes:
        uids, sign, flags = arguments.split(b" ", 2)
        for flag in flags.strip(b"()").decode().split():
            if refused := self.server.refuses_store(flag):
                return refused
            for _, message in self._chosen(uids):
                (message.flags.add if sign.startswith(b"+") else message.flags.discard)(flag)
        return b"OK done"

    def _known(self) -> list[Message]:
        return self.server.seen_by(self.box, self.told) if self.box is not None else []

    def _chosen(self, uids: bytes) -> Iterator[tuple[int, Message]]:
        text = uids.decode().replace("*", "9999")
        wanted = set(uids_of(text))
        for number, message in enumerate(self._known(), 1):
            if message.uid in wanted:
                yield number, message


def _words(arguments: bytes) -> list[bytes]:
    return [re.sub(rb"\\(.)", rb"\1", quoted) if atom == b"" else atom for quoted, atom in _WORD.findall(arguments)]
