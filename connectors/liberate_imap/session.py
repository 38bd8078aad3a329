"""A logged-in connection and what the server said about itself: capabilities, namespace, folders."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from liberate.connector import Account
from liberate.errors import LiberateError, TransientError
from liberate.mail import Role
from liberate_imap import names, refusals
from liberate_imap.grammar import GrammarError, Reply, Segments, pairs, reply, values
from liberate_imap.login import connect
from liberate_imap.settings import ImapSettings
from liberate_imap.wire import Step, Wire

if TYPE_CHECKING:
    from imapclient import IMAPClient


@dataclass(frozen=True, slots=True)
class Listed:
    """One line of LIST."""

    name: str  # decoded, as the server spells it, prefix and all
    separator: str  # "" where the server has no levels
    attributes: frozenset[str]  # in lower case: "\\noselect", "\\sent" ...

    @property
    def selectable(self) -> bool:
        return not self.attributes & {"\\noselect", "\\nonexistent"}


@dataclass(frozen=True, slots=True)
class Selected:
    """What SELECT or EXAMINE said."""

    name: str
    uidvalidity: int
    uidnext: int | None
    exists: int
    highest_modseq: int | None
    permanent: frozenset[str] | None  # PERMANENTFLAGS in lower case; None: the server did not say


@dataclass(frozen=True, slots=True)
class Status:
    """What STATUS said; None where the server left something out."""

    uidvalidity: int | None = None
    uidnext: int | None = None
    messages: int | None = None
    size: int | None = None
    highest_modseq: int | None = None
    append_limit: int | None = None


class Session:
    """One connection. Every method raises TransientError once it is broken."""

    def __init__(self, settings: ImapSettings, account: Account, step: Step | None = None) -> None:
        client = connect(settings, account)
        self.whose = f"{account.name}'s mailbox at {settings.host}"
        try:
            told = client.capabilities()
            self.capabilities = frozenset(c.decode("ascii", "replace").upper() for c in told)
            # From here on nothing of IMAPClient reads or writes: it only closes the socket.
            self.wire = Wire(client.socket(), _Closer(client), f"{settings.host}:{settings.real_port}", step)
        except BaseException as error:
            with contextlib.suppress(OSError):
                client.shutdown()
            if isinstance(error, Exception) and not isinstance(error, LiberateError):
                raise TransientError(f"{self.whose}: the connection broke after the login.") from error
            raise
        self._broken_promises = _BROKEN_PROMISES.setdefault((settings.host, settings.real_port), set())
        self.wire.on_misread = lambda: self.distrust("LITERAL+")
        self.sizes_are_estimates = False  # RFC822.SIZE is not the number of bytes that come
        self.tells_late = False  # it does not know what came into the open folder until it is asked for news
        self.foreign: tuple[str, ...] = ()  # prefixes of other users' and shared folders
        self.selected: str | None = None  # the folder open behind all commands sent so far
        self._validity: int | None = None  # its UIDVALIDITY, where the answer that said it was waited for
        try:
            self.prefix, self.separator = self._namespace()
        except BaseException:
            self.wire.close()
            raise

    def has(self, capability: str) -> bool:
        """Whether the server announced it, and has not shown in this process that it does otherwise."""
        return capability in self.capabilities and capability not in self._broken_promises

    def distrust(self, capability: str) -> None:
        """The server announced this and does otherwise: no connection of this process relies on it again."""
        self._broken_promises.add(capability)

    @property
    def tells_uids(self) -> bool:
        """Whether it says where messages went (RFC 4315, which RFC 9051 includes)."""
        return (self.has("UIDPLUS") or self.has("IMAP4REV2")) and "UIDPLUS" not in self._broken_promises

    def append_limit(self) -> int | None:
        """APPENDLIMIT for every folder (RFC 7889); None: none, or each folder has its own."""
        for capability in self.capabilities:
            if capability.startswith("APPENDLIMIT=") and capability[12:].isdigit():
                return int(capability[12:])
        return None

    def close(self) -> None:
        """Log out if nothing is under way, else let the connection go."""
        try:
            if self.wire.usable and self.wire.idle:
                self.wire.wait(self.wire.begin(b"LOGOUT"))
        except TransientError:
            pass
        finally:
            self.wire.close()

    # Questions -----------------------------------------------------------------------------------

    def ask(self, line: bytes, what: bytes = b"") -> tuple[Reply, list[Segments]]:
        """Send one command and wait: its reply, and the untagged responses that begin with `what`."""
        command = self.wire.begin(line, (lambda segments: segments[0].upper().startswith(what)) if what else None)
        answer = self.wire.wait(command)
        return answer, list(command.data)

    def must(self, line: bytes, what: bytes = b"") -> list[Segments]:
        """As ask, for what a server in order does not refuse. Raises what the refusal means."""
        answer, data = self.ask(line, what)
        if not answer.ok:
            raise self.refused(answer)
        return data

    def refused(self, answer: Reply) -> LiberateError:
        return refusals.general(answer, self.whose) or TransientError(
            f"{self.whose} refused a command: {refusals.said(answer)}."
        )

    def _namespace(self) -> tuple[str, str]:
        """The personal prefix and the separator (RFC 2342), or what LIST says of them."""
        if self.has("NAMESPACE"):
            for segments in self.must(b"NAMESPACE", b"NAMESPACE "):
                parts = self.parsed(segments)[1:]
                with contextlib.suppress(IndexError, TypeError, AttributeError):
                    prefix, separator = parts[0][0][:2]
                    others = [names.decode(space[0]) for spaces in parts[1:3] for space in spaces or ()]
                    self.foreign = tuple(other for other in others if other)
                    return names.decode(prefix), (separator or b"").decode("ascii", "replace")
        for segments in self.must(b'LIST "" ""', b"LIST "):
            listed = self._listed(segments)
            if listed:
                return "", listed.separator
        return "", ""

    def folders(self, pattern: str = "*") -> Iterator[Listed]:
        """Every folder whose name matches, special-use attributes included where the server has them."""
        returning = b" RETURN (SPECIAL-USE)" if self.has("SPECIAL-USE") and self.has("LIST-EXTENDED") else b""
        for segments in self.must(b'LIST "" ' + names.quoted(pattern) + returning, b"LIST "):
            listed = self._listed(segments)
            if listed is not None:
                yield listed

    def _listed(self, segments: Segments) -> Listed | None:
        parts = self.parsed(segments)
        if len(parts) < 4 or not isinstance(parts[1], list):
            return None
        attributes = frozenset(a.decode("ascii", "replace").lower() for a in parts[1] if isinstance(a, bytes))
        name = parts[3] if isinstance(parts[3], bytes) else b"NIL"  # a folder may be called that
        return Listed(names.decode(name), (parts[2] or b"").decode("ascii", "replace"), attributes)

    def status(self, name: str, *items: str) -> Status | None:
        """What the server says about a folder; None if it does not have it."""
        wanted = items or ("UIDVALIDITY", "UIDNEXT")
        answer, data = self.ask(b"STATUS " + names.quoted(name) + f" ({' '.join(wanted)})".encode(), b"STATUS ")
        if not answer.ok:
            error = refusals.general(answer, self.whose)
            if error is not None:
                raise error
            return None
        for segments in data:
            parts = self.parsed(segments)
            if isinstance(parts[-1], list):
                return _status(pairs(parts[-1]))
        return Status()

    def select(self, name: str, *, writable: bool, condstore: bool = False) -> Selected | None:
        """Open the folder; None if the server will not. EXAMINE where nothing is to be written."""
        line = (b"SELECT " if writable else b"EXAMINE ") + names.quoted(name) + (b" (CONDSTORE)" if condstore else b"")
        self.selected = self._validity = None
        command = self.wire.begin(line, _any)
        answer = self.wire.wait(command)
        if not answer.ok:
            error = refusals.general(answer, self.whose)
            if error is not None:
                raise error
            return None
        selected = _selected(name, list(command.data))
        self.selected, self._validity = name, selected.uidvalidity
        return selected

    def current(self, name: str) -> int | None:
        """Have the folder open as it is now, without what others removed; its UIDVALIDITY, None if it is not there.

        NOOP brings an open folder up to date (RFC 3501 6.1.2). SELECT would read a large Maildir's folder anew.
        """
        if self.selected == name and self._validity is not None:
            self.must(b"NOOP")
            return self._validity
        selected = self.select_if_there(name)
        return selected.uidvalidity if selected else None

    def select_if_there(self, name: str) -> Selected | None:
        """Open the folder to write; None only if it is not there. Raises TransientError if it does not open now."""
        selected = self.select(name, writable=True)
        if selected is None and any(listed.name == name and listed.selectable for listed in self.folders()):
            raise TransientError(f"{self.whose} does not open the folder {name} now.")
        return selected

    def reselect(self, name: str) -> None:
        """Have the folder open for the commands that follow, without waiting. It was opened before."""
        if self.selected != name:
            self.wire.begin(b"SELECT " + names.quoted(name), _of_a_folder).forget()
            self.selected, self._validity = name, None

    def parsed(self, segments: Segments) -> list[Any]:
        """The parts of a response. Raises TransientError, and drops the connection, if it has none."""
        try:
            return values(segments)
        except GrammarError as error:
            raise self.wire.broke(f"it said something that is not IMAP ({error})") from error


class _Closer:
    """Closes what IMAPClient opened."""

    def __init__(self, client: IMAPClient) -> None:
        self._client: IMAPClient | None = client

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):
                client.shutdown()


_BROKEN_PROMISES: dict[tuple[str, int], set[str]] = {}
_OF_A_FOLDER = re.compile(rb"FLAGS \(|(?:OK|NO)\b|\d+ (?:EXISTS|RECENT)\b", re.IGNORECASE)


def _any(_segments: Segments) -> bool:
    return True


def _of_a_folder(segments: Segments) -> bool:
    """What SELECT says: not to be taken for what a later SELECT says of another folder."""
    return _OF_A_FOLDER.match(segments[0]) is not None


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, (bytes, str)) and value.isdigit() else None


def _status(said: dict[str, Any]) -> Status:
    return Status(
        uidvalidity=_number(said.get("UIDVALIDITY")),
        uidnext=_number(said.get("UIDNEXT")),
        messages=_number(said.get("MESSAGES")),
        size=_number(said.get("SIZE")),
        highest_modseq=_number(said.get("HIGHESTMODSEQ")),
        append_limit=_number(said.get("APPENDLIMIT")),
    )


def _selected(name: str, data: list[Segments]) -> Selected:
    codes: dict[str, str] = {}
    exists = 0
    for segments in data:
        head = reply(segments[0])
        if head is not None:
            if head.code:
                codes[head.code] = head.argument
            continue
        words = segments[0].split()
        if len(words) == 2 and words[1].upper() == b"EXISTS" and words[0].isdigit():
            exists = int(words[0])
    permanent = codes.get("PERMANENTFLAGS")
    return Selected(
        name=name,
        uidvalidity=_number(codes.get("UIDVALIDITY")) or 0,
        uidnext=_number(codes.get("UIDNEXT")),
        exists=exists,
        highest_modseq=_number(codes.get("HIGHESTMODSEQ")),
        permanent=None if permanent is None else frozenset(permanent.strip("()").lower().split()),
    )


def role_of(listed: Listed) -> Role | None:
    """What the server says the folder is for."""
    return next((names.SPECIAL_USE[a] for a in sorted(listed.attributes) if a in names.SPECIAL_USE), None)
