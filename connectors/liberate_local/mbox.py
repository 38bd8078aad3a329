"""Mbox files as a source of mail, of any size."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from liberate.connector import Collection, Cursor, Item, Kind, Listed, Loaded, Skipped
from liberate.errors import AccountError, ItemError
from liberate.mail import MailFacts, Role
from liberate_local import mbox_facts
from liberate_local.mbox_files import ALONE, Bytes, MboxFile, found_at
from liberate_local.mbox_format import Quoting, Span, spans
from liberate_local.mbox_message import Described, content, describe
from liberate_local.paths import opening

IN_MEMORY = 8 << 20  # a larger message is streamed
_SETTLED_NS = 3_000_000_000  # a file changed later than this before its listing may change again within one tick
_REMEMBERED = 1000
_ONWARDS = 4 << 20  # how far back a listing goes in a file
_BACK_AND_FORTH = 48 << 20  # a message is read twice, to prove it and to give it: larger ones cost more in an archive
_NOT_AN_MBOX = "not-an-mbox"

Facts: TypeAlias = Callable[[Mapping[bytes, bytes]], MailFacts | Skipped]


@dataclass(frozen=True, slots=True)
class Format:
    """What tells one kind of mbox from another."""

    facts: Facts = mbox_facts.facts  # of the header fields `fields`, in lower case; a Skipped has no id
    fields: tuple[bytes, ...] = mbox_facts.FIELDS
    quoting: Quoting = "auto"
    content_length: bool = True


class MboxSource:
    """Reads mbox files without holding more than a few chunks of them.

    An item's id is a digest of the message without the header fields in which mail programs keep
    its state, and a number where a file holds the same message more than once. So it stays the same
    when the file grows, is compacted, sorted or exported again. Where the message stood is in its
    facts_version, as the first guess; what is read is proven to be the message by its digest.
    """

    def __init__(
        self,
        path: Path,
        form: Format,
        folder: tuple[str, ...] | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._path = path
        self._form = form
        self._folder = folder  # what a lone file's mailbox is called
        self._now_ns = now_ns
        self._files: dict[str, MboxFile] | None = None
        self._opened: tuple[str, Bytes] | None = None
        self._index: tuple[str, str, dict[int, int]] = ("", "", {})
        self._said: dict[tuple[bytes | None, ...], MailFacts | Skipped] = {}  # few labels, many messages

    def close(self) -> None:
        if self._opened:
            self._opened[1].close()
            self._opened = None

    def collections(self) -> Iterator[Collection]:
        self._files = {file.id: file for file in found_at(self._path)}
        if not self._files:
            raise AccountError(_NOT_AN_MBOX, f"{self._path} holds no mbox file.", "Check the path.")
        for file in self._files.values():
            path = self._folder if self._folder and file.id == ALONE else file.path
            inbox = len(path) == 1 and path[0].upper() == "INBOX"
            yield Collection(file.id, path, Kind.MAIL, role=Role.INBOX if inbox else None)

    def _file(self, known: str) -> MboxFile:
        """The file as it is now. Raises ItemError("gone")."""
        if self._files is None or self._changed(known):
            self._files = {file.id: file for file in found_at(self._path)}
        if known not in self._files:
            raise ItemError("gone", "The mbox file is no longer there.")
        return self._files[known]

    def _changed(self, known: str) -> bool:
        return self._files is None or known not in self._files

    # Listing -------------------------------------------------------------------------------------

    def items(self, collection: Collection, since: Cursor | None) -> Iterator[Listed]:
        self._files = {file.id: file for file in found_at(self._path)}
        file = self._files.get(collection.id)
        if file is None:
            return
        before = _Listing.load(since, file)
        if before is not None and before.size == file.size and before.stamp == file.stamp:
            yield before.cursor()
            return
        data = file.open(_ONWARDS)
        try:
            with opening(f"The mbox file {self._path}"):
                try:
                    yield from self._listed(file, data, before)
                except _RewrittenError:
                    yield from self._listed(file, data, None)
        finally:
            data.close()

    def _listed(self, file: MboxFile, data: Bytes, before: _Listing | None) -> Iterator[Listed]:
        """The messages, but for those that `before` listed already, and the cursor."""
        prefix = "" if file.id == ALONE else file.id + "/"
        chain, count = hashlib.sha256(), 0
        numbers = _Numbers()
        with_own_reader = file.open(_ONWARDS)
        try:
            for span in spans(data.read_at, content_length=self._form.content_length):
                if isinstance(span, int):
                    yield from self._no_message(file, data, span, prefix)
                    continue
                if before and count == before.count and chain.hexdigest() != before.chain:
                    raise _RewrittenError
                found = describe(with_own_reader.read_at, span, self._form.quoting)
                known = numbers.id(found.digest)
                if not before or count >= before.count:
                    yield self._entry(prefix + known, span, found)
                chain.update(found.digest.encode())
                count += 1
            if before and (count < before.count or (count == before.count and chain.hexdigest() != before.chain)):
                raise _RewrittenError
        finally:
            with_own_reader.close()
        settled = abs(self._now_ns() - file.changed_ns) > _SETTLED_NS
        yield _Listing(file.size, file.stamp if settled else "", count, chain.hexdigest()).cursor()

    def _no_message(self, file: MboxFile, data: Bytes, size: int, prefix: str) -> Iterator[Skipped]:
        """What to say of the `size` bytes before the first message."""
        if size <= 3 and not data.read_at(0, size).strip(b"\r\n\xef\xbb\xbf"):
            return
        if size == file.size and file.id == ALONE:
            raise AccountError(
                _NOT_AN_MBOX,
                f'{self._path} is not an mbox file: no line "From SENDER DATE" begins a message in it.',
                "Check the path.",
            )
        if size == file.size:
            why, todo = "The file is not an mbox: no message begins in it.", ""
        else:
            why = f"{size} bytes before the first message are no message."
            todo = "Look at the beginning of the file: it may have been cut off or damaged."
        yield Skipped(prefix + "beginning", _NOT_AN_MBOX, why, todo)

    def _entry(self, known: str, span: Span, found: Described) -> Item | Skipped:
        said = tuple(found.state.get(field) for field in self._form.fields)
        facts = self._said.get(said)
        if facts is None:
            if len(self._said) >= _REMEMBERED:
                self._said.clear()
            facts = self._said[said] = self._form.facts(found.state)
        if isinstance(facts, Skipped):
            return replace(facts, id=known)
        where = f"{span.start}+{span.end - span.start}{'=' if span.counted else ''}"
        return Item(
            known,
            Kind.MAIL,
            version="",
            size=found.size,
            facts=MailFacts(facts.flags, facts.keywords, span.received, facts.folders),
            facts_version=f"{where} {found.state_digest}",
        )

    # Reading -------------------------------------------------------------------------------------

    def read(self, item: Item, offset: int = 0) -> Iterator[bytes]:
        data, span = self._find(item)
        with opening(f"The mbox file {self._path}"):
            for block in content(data.read_at, span, self._form.quoting):
                if offset < len(block):
                    yield block[offset:] if offset else block
                offset = max(offset - len(block), 0)

    def read_many(self, items: Sequence[Item]) -> Iterator[Loaded]:
        for item in items:
            if (item.size or 0) > IN_MEMORY:
                yield Loaded(item, None)
                continue
            try:
                yield Loaded(item, b"".join(self.read(item)))
            except ItemError as error:
                yield Loaded(item, error)

    def _find(self, item: Item) -> tuple[Bytes, Span]:
        """Where the item's bytes are, proven by their digest. Raises ItemError("gone")."""
        known, _, name = item.id.rpartition("/")
        file = self._file(known or ALONE)
        with opening(f"The mbox file {self._path}"):
            if self._opened is None or self._opened[0] != file.id:
                self.close()
                self._opened = file.id, file.open(_BACK_AND_FORTH)
            data = self._opened[1]
            digest, _, number = name.partition("-")
            guess = _guessed(item.facts_version)
            if guess and describe(data.read_at, guess, "none").digest == digest:
                return data, guess
            self.close()  # another file may have taken its place
            file = next((f for f in found_at(self._path) if f.id == file.id), file)
            self._opened = file.id, (data := file.open(_BACK_AND_FORTH))
            found = self._indexed(file, data).get(_key(digest, int(number or 1)))
        if found is None:
            raise ItemError("gone", "The message is no longer in its mbox file.")
        return data, Span(found >> 48, (found >> 48) + (found >> 1 & (1 << 47) - 1), None, bool(found & 1))

    def _indexed(self, file: MboxFile, data: Bytes) -> dict[int, int]:
        """Where each message of the file is by now: offset, length and whether it was counted, in one number."""
        if self._index[:2] != (file.id, file.stamp):
            places: dict[int, int] = {}
            numbers = _Numbers()
            reader = file.open(_ONWARDS)
            try:
                for span in spans(data.read_at, content_length=self._form.content_length):
                    if isinstance(span, Span):
                        digest, _, number = numbers.id(describe(reader.read_at, span, "none").digest).partition("-")
                        place = span.start << 48 | (span.end - span.start) << 1 | span.counted
                        places[_key(digest, int(number or 1))] = place
            finally:
                reader.close()
            self._index = file.id, file.stamp, places
        return self._index[2]


class _RewrittenError(Exception):
    """The file does not begin with the messages it began with."""


class _Numbers:
    """Tells the same message standing in a file twice or more apart; 70 bytes a message."""

    def __init__(self) -> None:
        self._once: set[int] = set()
        self._often: dict[int, int] = {}

    def id(self, digest: str) -> str:
        """`digest`, and from the second time on "-2", "-3" ..."""
        short = int(digest[:16], 16)
        if short not in self._once:
            self._once.add(short)
            return digest
        number = self._often[short] = self._often.get(short, 1) + 1
        return f"{digest}-{number}"


def _key(digest: str, number: int) -> int:
    return int(digest[:16], 16) << 20 | number


def _guessed(facts_version: str) -> Span | None:
    start, _, length = facts_version.partition(" ")[0].partition("+")
    if not start.isdecimal() or not length.removesuffix("=").isdecimal():
        return None
    end = int(start) + int(length.removesuffix("="))
    return Span(int(start), end, None, length.endswith("="))


@dataclass(frozen=True, slots=True)
class _Listing:
    """What a finished listing saw."""

    size: int
    stamp: str  # "": the file changed too short a time before to be told from one that changes again
    count: int
    chain: str  # SHA-256 of the digests of its messages

    def cursor(self) -> Cursor:
        return Cursor(f"1 {self.size} {self.count} {self.chain} {self.stamp}")

    @classmethod
    def load(cls, cursor: Cursor | None, file: MboxFile) -> _Listing | None:
        """The listing behind this cursor; None where there is none, or where all of the file is listed anew."""
        form, _, rest = (cursor or "").partition(" ")
        parts = rest.split(" ")
        if form != "1" or len(parts) != 4 or int(parts[0]) > file.size:
            return None
        out = cls(int(parts[0]), parts[3], int(parts[1]), parts[2])
        # Same length and another stamp: rewritten in place, so flags may have changed. Longer: it grew.
        return out if out.size < file.size or out.stamp == file.stamp else None
