"""Commands out, replies in, over one logged-in connection: several commands may be under way at once.

Untagged data goes to the oldest command that wants it, not simply to the oldest: Dovecot holds an OK
back while it already answers the next command (RFC 3501 5.5 allows that). Whoever waits for one
command thereby receives what earlier ones still had to come: nothing is lost when a question is
asked while batches are under way.
"""

from __future__ import annotations

import re
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from liberate.errors import TransientError
from liberate_imap.grammar import GrammarError, Reply, Segments, reply

Step = Callable[[str], None]
"""Called before and after each piece that is sent and after each reply; tests die in it."""

_LITERAL_END = re.compile(rb"\{(\d{1,19})\+?\}\r\n\Z")
_MAX_LINE = 16 << 20  # a FETCH line or a COPYUID of thousands of UIDs is long; this is longer
_MAX_LITERAL = 64 << 20
_READ_AHEAD = 1 << 18


class Closeable(Protocol):
    def close(self) -> None: ...


class Command:
    """One command under way, its untagged data so far, and its tagged reply once it has come."""

    __slots__ = ("_forgotten", "_keep", "data", "reply", "tag", "unasked")

    def __init__(self, tag: bytes, keep: Callable[[Segments], bool] | None) -> None:
        self.tag = tag
        self.data: deque[Segments] = deque()
        self.reply: Reply | None = None
        self.unasked = False  # a literal of it was sent that the server had not asked for
        self._keep = keep
        self._forgotten = False

    def take(self, segments: Segments) -> bool:
        """Keep the data if it is wanted; whether it was."""
        if self._keep is None or not self._keep(segments):
            return False
        if not self._forgotten:
            self.data.append(segments)
        return True

    @property
    def answer(self) -> Reply:
        """The tagged reply, which has come."""
        if self.reply is None:
            raise RuntimeError("the command is still under way")
        return self.reply

    def forget(self) -> None:
        """Nobody will look at the rest: let it go as it comes."""
        self._forgotten = True
        self.data.clear()


class Wire:
    """The connection. Broken once, it stays so: every later call raises TransientError."""

    def __init__(self, sock: socket.socket, owner: Closeable, where: str, step: Step | None = None) -> None:
        """`owner` closes the socket; `where` names the server in errors."""
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._owner = owner
        self._file = sock.makefile("rb", buffering=_READ_AHEAD)
        self._where = where
        self._step = step
        self._count = 0
        self._pending: deque[Command] = deque()
        self._continued = 0
        self._last_words = ""
        self._broken: TransientError | None = None
        self.on_misread: Callable[[], None] = lambda: None  # a literal that was not asked for was not understood
        self.alerts: list[str] = []  # what the server wants people to read (RFC 3501 7.1)

    # Sending -------------------------------------------------------------------------------------

    def begin(self, line: bytes, keep: Callable[[Segments], bool] | None = None) -> Command:
        """Send a whole command without its tag and line end; `keep` says which untagged data it wants."""
        command, head = self.open(line, keep)
        self.send([head + b"\r\n"])
        return command

    def open(self, line: bytes, keep: Callable[[Segments], bool] | None = None) -> tuple[Command, bytes]:
        """Register a command whose pieces the caller sends: the command, and its line with the tag.

        The caller sets `unasked` before it sends a literal that the server has not asked for.
        """
        self.check()
        self._count += 1
        command = Command(b"L%d" % self._count, keep)
        self._pending.append(command)
        return command, command.tag + b" " + line

    def send(self, pieces: Sequence[bytes]) -> None:
        """Send the pieces; pieces of odd position are literals."""
        self.check()
        try:
            if self._step is None:
                self._sock.sendall(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            else:
                self._send_stepwise(pieces, self._step)
        except OSError as error:
            raise self.broke(self._why(error)) from error

    def send_literal(self, piece: bytes) -> None:
        """Send a part of a literal that the server has asked for."""
        self.send([b"", piece])

    def _send_stepwise(self, pieces: Sequence[bytes], step: Step) -> None:
        for at, piece in enumerate(pieces):
            what = "literal" if at % 2 else "line"
            halves = (piece[: len(piece) // 2], piece[len(piece) // 2 :]) if at % 2 and len(piece) > 1 else (piece,)
            for half in halves:
                if half:
                    step(f"before {what}")
                    self._sock.sendall(half)
                    step(f"after {what}")

    # Receiving -----------------------------------------------------------------------------------

    def wait(self, command: Command) -> Reply:
        """Its tagged reply. Raises TransientError if the connection breaks first."""
        while command.reply is None:
            self.receive()
        return command.reply

    def wait_to_continue(self, command: Command) -> bool:
        """True once the server asks for the literal; False if it answered the command instead."""
        while command.reply is None and not self._continued:
            self.receive()
        if self._continued:
            self._continued -= 1
            return True
        return False

    def receive(self) -> None:
        """Take one response and give it to the command it belongs to."""
        self.check()
        try:
            line = self._line()
            if line.startswith(b"* "):
                self._untagged(line)
            elif line.startswith(b"+"):
                self._continued += 1
            else:
                self._tagged(line)
        except OSError as error:
            raise self.broke(self._why(error)) from error
        except GrammarError as error:
            raise self.broke(f"it said something that is not IMAP ({error})") from error

    def _untagged(self, line: bytes) -> None:
        head = reply(line[2:])
        if head is not None:
            if head.code == "ALERT":
                self.alerts.append(head.text)
            if head.status == "BYE":
                self._last_words = head.text
                if head.code == "TOOBIG":  # RFC 7888 4: how a server may refuse a literal it has not asked for
                    self.on_misread()
            segments = [line[2:]]
        else:
            segments = [line[2:]]
            while match := _LITERAL_END.search(segments[-1]):
                size = int(match.group(1))
                if size > _MAX_LITERAL:
                    raise GrammarError(f"a literal of {size} bytes")
                segments.append(self._exactly(size))
                segments.append(self._line())
        for command in self._pending:
            if command.take(segments):
                return

    def _tagged(self, line: bytes) -> None:
        tag, _, rest = line.partition(b" ")
        for command in self._pending:
            if command.tag == tag:
                break
        else:
            raise GrammarError("a reply to nothing that was asked")
        command.reply = reply(rest)
        if command.reply is None:
            raise GrammarError("a reply without a status")
        self._pending.remove(command)
        if self._step is not None:
            self._step(f"reply {command.reply.status}")
        if command.reply.status == "BAD" and command.unasked:
            # A server that refuses an argument in front of a literal may go on to read the literal,
            # somebody's mail, as commands (measured on Dovecot 2.3): not one byte more.
            self.on_misread()
            self.broke("it refused a command in front of a message (BAD)")

    def _line(self) -> bytes:
        line = self._file.readline(_MAX_LINE)
        if not line.endswith(b"\n"):
            if len(line) >= _MAX_LINE:
                raise GrammarError("a line without end")
            raise ConnectionResetError(self._last_words or "it closed the connection")
        return line

    def _exactly(self, size: int) -> bytes:
        data: bytes = self._file.read(size)
        if len(data) < size:
            raise ConnectionResetError(self._last_words or "it closed the connection in the middle of a message")
        return data

    # Ending --------------------------------------------------------------------------------------

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._pending

    @property
    def usable(self) -> bool:
        return self._broken is None

    def check(self) -> None:
        if self._broken is not None:
            raise TransientError(str(self._broken)) from self._broken

    def broke(self, why: str) -> TransientError:
        """Drop the connection at once and say so; what was under way is unknown."""
        if self._broken is None:
            self._broken = TransientError(f"The connection to {self._where} is gone: {why.rstrip('.')}. Try again.")
            self.close()
        return self._broken

    def _why(self, error: OSError) -> str:
        if self._last_words:
            return self._last_words
        if isinstance(error, TimeoutError):
            return "no answer for too long"
        return error.strerror or str(error) or type(error).__name__

    def close(self) -> None:
        """Let the connection go without a word; may be called twice."""
        if self._broken is None:
            self._broken = TransientError(f"The connection to {self._where} is closed.")
        try:
            self._file.close()
        finally:
            self._owner.close()
